"""The subject's detections in every view, once it is known where it is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pose3d.data import Keypoints2D, Rig
from pose3d.errors import ConfigError, DataError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.association.people_in_frames import AGREES, People
from pose3d.reconstruction.association.people_selection import SubjectHint
from pose3d.reconstruction.association.people_sights import Optics, Sights, compare
from pose3d.reconstruction.association.tracks import Reach, Tracks

__all__ = ["Claims", "Shown", "closeness", "gathered", "hinted_track", "show_subject"]

_STEADY = 4  # frames that a track must last to keep a detection from the subject


class Claims(NamedTuple):
    """Detections that other people hold; (n_frames, n_cameras, n_individuals) arrays.

    Attributes
    ----------
    elsewhere : bool array
        Held by somebody who shares no detection with the subject.
    somehow : bool array
        Held by any hypothesis.
    """

    elsewhere: BoolArray
    somehow: BoolArray


class Shown(NamedTuple):
    """Where the subject is seen.

    Attributes
    ----------
    accepted : (n_frames, n_cameras, n_individuals) bool array
        Detections of the subject, pieces of it included.
    chosen : (n_frames, n_cameras) int array
    """

    accepted: BoolArray
    chosen: IntArray


def closeness(optics: Optics, rig: Rig, center: FloatArray) -> FloatArray:
    """Return how near to the middle of all cameras' images places (..., 3) are: 1 in the middle, 0 outside of all."""
    middle = np.array([np.array(camera.size) / 2 - camera.matrix[:2, 2] for camera in rig])
    local = np.einsum("cij,...j->...ci", optics.rotation, center) + optics.translation
    with np.errstate(all="ignore"):
        px = local[..., :2] / local[..., 2:] * optics.focal[:, None] - middle
        off = np.linalg.norm(px, axis=-1) / (optics.diagonal / 2)
        near = np.where(local[..., 2] > 0, np.maximum(0.0, 1 - off**2), 0.0)
    return np.asarray(np.nan_to_num(near, nan=0.0).mean(-1))


def hinted_track(
    hint: SubjectHint,
    keypoints: Keypoints2D,
    optics: Optics,
    people: People,
    tracks: Tracks,
    *,
    before: int,
    reach: Reach,
) -> int:
    """Return the track that a hint points at.

    Parameters
    ----------
    hint : SubjectHint
    keypoints : Keypoints2D
    optics : Optics
    people : People
    tracks : Tracks
    before : int
        Frames of `people` before the first of `keypoints`.
    reach : Reach

    Raises
    ------
    ConfigError
        If the hint names no camera of the recording.
    DataError
        If nobody is there.
    """
    at = hint.frame - keypoints.start + before
    first = max(0, at - reach.gap)
    f, h = np.nonzero(people.there[first : at + reach.gap + 1])
    f = f + first
    if hint.place_mm is not None:
        off = np.linalg.norm(people.center[f, h] + optics.origin - np.array(hint.place_mm), axis=-1)
        limit = np.full(len(f), 3 * reach.size_mm)
    else:
        if hint.camera not in keypoints.cameras:
            raise ConfigError(f'hint: no camera "{hint.camera}"; there are {", ".join(keypoints.cameras)}')
        c = keypoints.cameras.index(str(hint.camera))
        shown = (people.detection[f, h, c] >= 0) & (f >= before) & (f < before + keypoints.n_frames)
        f, h = f[shown], h[shown]
        xy = keypoints.xy[f - before, c, people.detection[f, h, c]]
        distance = np.linalg.norm(xy - np.array(hint.pixel), axis=-1)
        off = np.where(np.isnan(distance), np.inf, distance).min(-1, initial=np.inf)
        low = np.where(np.isnan(xy), np.inf, xy).min(1, initial=np.inf)
        high = np.where(np.isnan(xy), -np.inf, xy).max(1, initial=-np.inf)
        limit = 0.3 * np.linalg.norm(high - low, axis=-1)
    cost = np.where(off <= limit, off * (1 + np.abs(f - at)), np.inf)
    if not len(cost) or not np.isfinite(cost).any():
        raise DataError(f"hint: nobody whom two views show is there at frame {hint.frame}; give another frame or place")
    best = int(cost.argmin())
    return int(tracks.label[f[best], h[best]])


def _interpolated(people: People, node: IntArray, gap: int) -> tuple[IntArray, FloatArray]:
    """Return the frames in which the subject's pose is known or lies between two near ones, and the poses."""
    found = np.flatnonzero(node >= 0)
    poses = people.xyz[found, node[found]]
    if len(found) < 2:
        return found, poses
    every = np.arange(found[0], found[-1] + 1)
    right = np.clip(np.searchsorted(found, every), 1, len(found) - 1)
    left = right - 1
    span = found[right] - found[left]
    share = ((every - found[left]) / span)[:, None, None]
    exact = node[every] >= 0
    between = (1 - share) * poses[left] + share * poses[right]
    between[exact] = poses[np.searchsorted(found, every[exact])]
    usable = exact | (span <= gap)
    return every[usable], between[usable]


def _claims(people: People, tracks: Tracks, node: IntArray, n_individuals: int) -> Claims:
    n_frames, _, n_cameras = people.detection.shape
    every = np.arange(n_frames)
    own = np.where((node >= 0)[:, None], people.detection[every, np.maximum(node, 0)], -1)
    shares = ((people.detection == own[:, None]) & (own >= 0)[:, None]).any(-1)
    lasting = np.bincount(tracks.label[tracks.label >= 0], minlength=len(tracks.first)) >= _STEADY
    steady = (tracks.label >= 0) & np.append(lasting, False)[tracks.label]
    out = np.zeros((2, n_frames, n_cameras, n_individuals), dtype=bool)
    for k, mask in enumerate((steady & ~shares, people.there)):
        f, h, c = np.nonzero(mask[..., None] & (people.detection >= 0))
        out[k, f, c, people.detection[f, h, c]] = True
    return Claims(out[0], out[1])


def _own_views(people: People, tracks: Tracks, node: IntArray) -> IntArray:
    """Return the subject's detections (n_frames, n_cameras) without those that show somebody else better."""
    n_frames = len(node)
    every, index = np.arange(n_frames), np.maximum(node, 0)
    own = np.where((node >= 0)[:, None], people.detection[every, index], -1)
    support = people.support[every, index]
    same = (people.detection == own[:, None]) & (own >= 0)[:, None]
    same[every, index] = False
    apart = ((people.detection >= 0) & ~same).sum(-1) >= 2
    lasting = np.bincount(tracks.label[tracks.label >= 0], minlength=len(tracks.first)) >= _STEADY
    steady = (tracks.label >= 0) & np.append(lasting, False)[tracks.label]
    better = same & (apart & steady)[..., None] & (people.support > support[:, None])
    kept = np.where(better.any(1), -1, own)
    return np.where(((kept >= 0).sum(-1) >= 2)[:, None], kept, own)


def show_subject(
    optics: Optics,
    sights: Sequence[Sights],
    people: People,
    tracks: Tracks,
    node: IntArray,
    *,
    threshold_px: FloatArray,
    partner: IntArray | None,
    gap: int,
) -> tuple[Shown, Claims]:
    """Find the subject's detections in every frame in which its place is known or can be interpolated.

    Parameters
    ----------
    optics : Optics
    sights : sequence of Sights
        Of consecutive runs of frames; `people` may begin earlier.
    people : People
    tracks : Tracks
    node : (n_frames,) int array
        Hypothesis that is the subject, -1 for none.
    threshold_px : (n_cameras,) array
    partner : (n_keypoints,) int array, optional
    gap : int
        Frames between two known places, up to which the places between are interpolated.

    Returns
    -------
    shown, claims : Shown, Claims
        Of the frames of `sights`.
    """
    n_frames = sum(len(part.rays) for part in sights)
    before = len(node) - n_frames
    n_cameras, n_individuals = sights[0].present.shape[1:]
    claims = Claims._make(part[before:] for part in _claims(people, tracks, node, n_individuals))
    own = _own_views(people, tracks, node)[before:]
    accepted = np.zeros((n_frames, n_cameras, n_individuals), dtype=bool)
    support = np.zeros(accepted.shape)
    frame, pose = _interpolated(people, node, gap)
    frame, pose = frame[frame >= before] - before, pose[frame >= before]
    first = 0
    for part in sights:
        rows = (frame >= first) & (frame < first + len(part.rays))
        f = frame[rows] - first
        mass, agreement = compare(optics, part, f, pose[rows], threshold_px=threshold_px, partner=partner)
        support[frame[rows]] = mass
        accepted[frame[rows]] = (agreement >= AGREES) & part.present[f]
        first += len(part.rays)
    held = np.zeros_like(accepted)
    f, c = np.nonzero(own >= 0)
    held[f, c, own[f, c]] = True
    accepted = (accepted & ~claims.elsewhere) | held
    known = np.zeros(n_frames, dtype=bool)
    known[frame] = True
    # a detection given up to somebody else is not taken back
    given_up = np.zeros_like(accepted)
    lost = np.where((node >= 0)[:, None], people.detection[np.arange(len(node)), np.maximum(node, 0)], -1)[before:]
    f, c = np.nonzero((lost >= 0) & (own < 0))
    given_up[f, c, lost[f, c]] = True
    accepted &= known[:, None, None] & ~given_up
    best = np.where(accepted, support + held, -1.0).argmax(-1)
    return Shown(accepted, np.where(accepted.any(-1), best, -1)), claims


def gathered(keypoints: Keypoints2D, shown: Shown, name: str) -> tuple[Keypoints2D, BoolArray]:
    """Take the chosen detections; keypoints that they lack come from other pieces of the same person.

    Returns
    -------
    keypoints : Keypoints2D
        One individual.
    joined : (n_frames, n_cameras) bool array
    """
    index = np.maximum(shown.chosen, 0)[:, :, None, None]
    there = (shown.chosen >= 0)[:, :, None]
    score = np.where(there, np.take_along_axis(keypoints.score, index, axis=2)[:, :, 0], np.nan)
    xy = np.where(there[..., None], np.take_along_axis(keypoints.xy, index[..., None], axis=2)[:, :, 0], np.nan)
    several = shown.accepted.sum(-1) > 1
    joined = np.zeros(several.shape, dtype=bool)
    f, c = np.nonzero(several)
    for i in range(len(keypoints.individuals)):
        piece = keypoints.xy[f, c, i]
        fill = np.isfinite(piece[..., 0]) & np.isnan(xy[f, c, :, 0]) & shown.accepted[f, c, i][:, None]
        row, k = np.nonzero(fill)
        xy[f[row], c[row], k] = piece[row, k]
        score[f[row], c[row], k] = keypoints.score[f[row], c[row], i, k]
        joined[f[row], c[row]] = True
    one = Keypoints2D(
        xy[:, :, None],
        score[:, :, None],
        keypoints.cameras,
        (name,),
        keypoints.keypoints,
        keypoints.fps,
        keypoints.start,
    )
    return one, joined
