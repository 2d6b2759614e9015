"""Candidate peaks: for every keypoint the combination of peaks that agrees across views, then over time."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from pose3d.data import Candidates2D, Keypoints2D, Rig
from pose3d.errors import DataError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.epipolar import epipolar_distance, essential
from pose3d.log import Progress, no_progress
from pose3d.reconstruction.association.best_path import best_path
from pose3d.reconstruction.association.people_sights import Optics, threshold_of

__all__ = ["PeakSelection", "choose_peaks", "select_peaks"]

_PEAKS = 4  # looked at in each view, the best by score
_PLACES = 4  # in space, kept of each frame for time to choose from
_JUMP = 0.5  # what a leap costs at most: the worth of such a share of the views
_PAIRS = 9  # of views tried: whatever the truth is, some two of them show it
_POINTS = 200  # points at once: fits the processor's cache
_SAMPLE = 300  # frames from which the noise is learnt
_WORST = -1e6


@dataclass(frozen=True, eq=False, repr=False)
class PeakSelection:
    """Peaks that were chosen.

    Attributes
    ----------
    keypoints : Keypoints2D
    peak : (n_frames, n_cameras, n_individuals, n_keypoints) int array
        Index of the peak, -1 where there is none.
    changed : (n_frames, n_cameras, n_individuals, n_keypoints) bool array
        Where it is not the one with the highest score.
    """

    keypoints: Keypoints2D
    peak: IntArray
    changed: BoolArray

    def __repr__(self) -> str:
        return f"PeakSelection({int(self.changed.sum())} of {int((self.peak >= 0).sum())} not of the highest score)"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        cameras = {name: int(self.changed[:, c].sum()) for c, name in enumerate(self.keypoints.cameras)}
        return {"n_views": int((self.peak >= 0).sum()), "n_changed": int(self.changed.sum()), "cameras": cameras}

    def lines(self) -> list[str]:
        """Return what was changed as lines for people."""
        n = max(1, int((self.peak >= 0).sum()))
        out = [f"another than the highest peak in {int(self.changed.sum())} of {n} views"]
        there = (self.peak >= 0).sum((0, 2, 3))
        for c, name in enumerate(self.keypoints.cameras):
            share = 100 * self.changed[:, c].sum() / max(1, there[c])
            if share >= 1:
                out.append(f"{name}  {share:.0f} %")
        return out


class _Places(NamedTuple):
    """Hypotheses of some points, best first.

    Attributes
    ----------
    xyz : (n, n_places, 3) array, mm
    gain : (n, n_places) array
        Number of views that agree, each times its score.
    peak : (n, n_places, n_cameras) int array
        Among the sorted peaks; -1 where none agrees.
    """

    xyz: FloatArray
    gain: FloatArray
    peak: IntArray


def select_peaks(candidates: Candidates2D, rig: Rig, *, progress: Progress = no_progress) -> Keypoints2D:
    """Choose one peak for each keypoint and view; :func:`choose_peaks` tells which.

    Parameters
    ----------
    candidates : Candidates2D
        Individuals must be the same in all views.
    rig : Rig
        Cameras are matched by name.
    progress : Progress

    Returns
    -------
    Keypoints2D
        With one peak only, that one.

    Raises
    ------
    DataError
        If a camera is not in the rig.
    """
    return choose_peaks(candidates, rig, progress=progress).keypoints


def choose_peaks(candidates: Candidates2D, rig: Rig, *, progress: Progress = no_progress) -> PeakSelection:
    """Choose one peak for each keypoint and view.

    In each frame any two peaks of two views are a hypothesis, worth the scores of the peaks that lie, in all views,
    where it projects to. The best path through the hypotheses of all frames, on which leaps cost, decides. Where
    nothing agrees the peak with the highest score stays.

    Parameters, errors as in :func:`select_peaks`.

    Returns
    -------
    PeakSelection
    """
    for camera in candidates.cameras:
        if camera not in rig:
            raise DataError(
                f"camera {camera!r}: it has detections but no calibration, which has {', '.join(rig.names)}; "
                "rename it or calibrate it"
            )
    rank = _ranked(candidates)
    there = np.isfinite(candidates.xy[..., 0]).sum(-1)
    best = np.where(there > 0, rank[..., 0], -1)
    several = (there > 1).any((0, 1))
    if not several.any() or len(candidates.cameras) < 2:
        return PeakSelection(candidates.best(), best, np.zeros(best.shape, dtype=bool))
    rig = rig.select(candidates.cameras)
    optics = Optics.of(rig)
    threshold_px = _learnt_threshold(candidates, optics, rig)
    peak = best.copy()
    columns = np.argwhere(several)
    for done, (individual, keypoint) in enumerate(columns):
        some = rank[:, :, individual, keypoint]
        chosen = _chosen(candidates, rig, optics, threshold_px, individual=individual, keypoint=keypoint, rank=some)
        original = np.take_along_axis(some, np.maximum(chosen, 0)[..., None], axis=-1)[..., 0]
        peak[:, :, individual, keypoint] = np.where(chosen >= 0, original, best[:, :, individual, keypoint])
        progress("peaks", done + 1, len(columns))
    index = np.maximum(peak, 0)[..., None]
    keypoints = Keypoints2D(
        np.take_along_axis(candidates.xy, index[..., None], axis=-2)[..., 0, :],
        np.take_along_axis(candidates.score, index, axis=-1)[..., 0],
        candidates.cameras,
        candidates.individuals,
        candidates.keypoints,
        candidates.fps,
        candidates.start,
    )
    return PeakSelection(keypoints, peak, peak != best)


def _ranked(candidates: Candidates2D) -> IntArray:
    """Return the order of peaks by falling score, as :meth:`Candidates2D.best` ranks them; absent ones last."""
    score = np.where(np.isnan(candidates.score), -1.0, candidates.score)
    score[np.isnan(candidates.xy[..., 0])] = -np.inf
    return np.argsort(-score, axis=-1, kind="stable")


def _learnt_threshold(candidates: Candidates2D, optics: Optics, rig: Rig) -> FloatArray:
    """Return how far off the right peak may be, (n_cameras,) px.

    The noise is that of the two peaks of two views that agree best, which are mostly the right ones.
    """
    some = np.unique(np.linspace(0, max(0, candidates.n_frames - 1), _SAMPLE).astype(np.int64))
    n_peaks = candidates.n_peaks
    folded = np.moveaxis(candidates.xy[some], 4, 2)
    rays = np.stack([camera.undistort(folded[:, c]) for c, camera in enumerate(rig)], axis=1)
    pose = optics.cam_from_world
    least = []
    for i, j in combinations(range(len(rig)), 2):
        both = essential(pose[i], pose[j])
        off = [epipolar_distance(rays[:, i, a], rays[:, j, b], both) for a in range(n_peaks) for b in range(n_peaks)]
        best = np.fmin.reduce(off) * np.sqrt(optics.focal[i] * optics.focal[j])
        least.append(best[np.isfinite(best)])
    return threshold_of(optics, np.concatenate(least))


def _chosen(
    candidates: Candidates2D,
    rig: Rig,
    optics: Optics,
    threshold_px: FloatArray,
    *,
    individual: int,
    keypoint: int,
    rank: IntArray,
) -> IntArray:
    """Return for one keypoint the chosen peak (n_frames, n_cameras) among those sorted by `rank`, -1 for no change."""
    n_frames, n_cameras = rank.shape[:2]
    order = rank[..., :_PEAKS]
    xy = np.take_along_axis(candidates.xy[:, :, individual, keypoint], order[..., None], axis=-2)
    score = np.take_along_axis(candidates.score[:, :, individual, keypoint], order, axis=-1)
    rays = np.stack([camera.undistort(xy[:, c]) for c, camera in enumerate(rig)], axis=1)
    score = np.where(np.isnan(score), 0.5, np.clip(score, 0.0, 1.0))  # unknown: neither good nor bad
    weight = np.where(np.isfinite(rays[..., 0]), np.maximum(score, 0.01), 0.0)
    places = _Places(
        np.full((n_frames, _PLACES, 3), np.nan),
        np.full((n_frames, _PLACES), _WORST),
        np.full((n_frames, _PLACES, n_cameras), -1, dtype=np.int64),
    )
    width = np.minimum((weight > 0).sum(-1).max(1), order.shape[-1])
    for n in range(1, order.shape[-1] + 1):
        frames = np.flatnonzero(width == n)
        for first in range(0, len(frames), _POINTS):
            part = frames[first : first + _POINTS]
            found = _hypotheses(optics, threshold_px, rays[part, :, :n], weight[part, :, :n])
            for target, source in zip(places, found, strict=True):
                target[part] = source
    known: BoolArray = np.asarray((places.gain > 0).any(1))
    gain = np.where(known[:, None], places.gain, 0.0)
    state = best_path(gain, _leaps(places))
    return places.peak[np.arange(n_frames), state]


def _hypotheses(optics: Optics, threshold_px: FloatArray, rays: FloatArray, weight: FloatArray) -> _Places:
    """Return the best places for points with rays (n, n_cameras, n_peaks, 2) and weight (n, n_cameras, n_peaks)."""
    n, n_cameras, n_peaks = weight.shape
    ones = np.ones((*weight.shape, 1))
    directions = np.einsum("ncpi,cij->ncpj", np.concatenate([rays, ones], axis=-1), optics.rotation)
    tried = []
    for i, j in sorted(combinations(range(n_cameras), 2), key=lambda pair: (pair[1] - pair[0], pair[0]))[:_PAIRS]:
        p, q = directions[:, i, :, None], directions[:, j, None, :]
        base = optics.centers[i] - optics.centers[j]
        pp, qq, pq = (p * p).sum(-1), (q * q).sum(-1), (p * q).sum(-1)
        along_p, along_q = p @ base, q @ base
        with np.errstate(all="ignore"):
            below = 1 / (pp * qq - pq * pq)
            z_i, z_j = (pq * along_q - qq * along_p) * below, (pp * along_q - pq * along_p) * below
            X = (optics.centers[i] + z_i[..., None] * p + optics.centers[j] + z_j[..., None] * q) / 2
            X[~((z_i > 0) & (z_j > 0))] = np.nan
        tried.append(X.reshape(n, n_peaks * n_peaks, 3))
    xyz = np.concatenate(tried, axis=1)
    each = np.zeros((*xyz.shape[:2], n_cameras))
    peak = np.full(each.shape, -1, dtype=np.int64)
    for c in range(n_cameras):
        with np.errstate(all="ignore"):
            local = xyz @ optics.rotation[c].T + optics.translation[c]
            depth = np.where(local[..., 2] > 0, local[..., 2], np.nan)
            across = (local[..., 0] / depth)[..., None] - rays[:, None, c, :, 0]
            down = (local[..., 1] / depth)[..., None] - rays[:, None, c, :, 1]
            across *= across
            down *= down
            across += down
            across *= (optics.focal[c] / threshold_px[c]) ** 2
        worth = np.fmax(1 - across, 0.0)
        worth *= weight[:, None, c]
        each[..., c] = worth.max(-1)
        peak[..., c] = np.where(each[..., c] > 0, worth.argmax(-1), -1)
    gain = np.where((peak >= 0).sum(-1) >= 2, each.sum(-1), 0.0)
    out = _Places(np.full((n, _PLACES, 3), np.nan), np.full((n, _PLACES), _WORST), np.full((n, _PLACES, n_cameras), -1))
    rows = np.arange(n)
    for k in range(_PLACES):
        first = gain.argmax(1)
        good = gain[rows, first] > 0
        own = peak[rows, first]
        out.xyz[good, k], out.gain[good, k] = xyz[rows, first][good], gain[rows, first][good]
        out.peak[good, k] = own[good]
        with np.errstate(invalid="ignore"):
            place = xyz[rows, first]
            far = (
                np.linalg.norm(place[:, None] - optics.centers, axis=-1).mean(1) * (threshold_px / optics.focal).mean()
            )
            same = ((xyz - place[:, None]) ** 2).sum(-1) < far[:, None] ** 2
        same |= ((peak == own[:, None]) | (peak < 0)).all(-1)
        gain[same] = 0.0
        gain[rows, first] = 0.0
    return out


def _leaps(places: _Places) -> FloatArray:
    """Return what going from each place to each of the next frame costs, (n_frames - 1, n_places, n_places), negative.

    The scale of motion is that from the best place to the nearest of the next frame, so that it does not grow where
    the best ones leap; nothing is charged where either is unknown.
    """
    off = np.linalg.norm(places.xyz[1:, None] - places.xyz[:-1, :, None], axis=-1)
    usual = np.where(np.isnan(off[:, 0]), np.inf, off[:, 0]).min(-1)
    usual = usual[np.isfinite(usual)]
    scale = 4 * float(np.quantile(usual, 0.75)) if len(usual) else 1.0
    share = np.minimum(1.0, off / max(scale, 1e-9))
    return np.asarray(-_JUMP * places.peak.shape[-1] * np.nan_to_num(share * share, nan=0.0))
