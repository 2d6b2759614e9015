"""The subject among several people: the combination of detections that agrees across views and over time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d.data import Keypoints2D, Rig
from pose3d.errors import ConfigError, DataError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.log import Progress, logger, no_progress
from pose3d.reconstruction.association.people_in_frames import People, find_people
from pose3d.reconstruction.association.people_places import Shown, closeness, gathered, hinted_track, show_subject
from pose3d.reconstruction.association.people_selection import (
    SubjectHint,
    SubjectSelection,
    SubjectState,
    describe_others,
)
from pose3d.reconstruction.association.people_sights import Optics, learn_threshold, sights_of
from pose3d.reconstruction.association.tracks import Reach, Tracks, learn_reach, link_people
from pose3d.reconstruction.association.tracks_chain import best_chain, build_of

__all__ = ["select_in_chunks", "select_subject"]

_BLOCK = 256  # frames at once
_MOST = 8  # hypotheses a frame, so many people in a view there may be
_SAMPLE = 200  # frames that the threshold is learnt from


class _Question(NamedTuple):
    """What was asked for."""

    pairs: Sequence[tuple[str, str]]
    hint: SubjectHint | None
    name: str
    progress: Progress
    whole: bool = True  # all frames are at hand


def select_subject(
    keypoints: Keypoints2D,
    rig: Rig,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    hint: SubjectHint | None = None,
    state: SubjectState | None = None,
    name: str = "subject",
    progress: Progress = no_progress,
) -> SubjectSelection:
    """Find the subject among detections that are no tracked identities.

    In each frame all pairs of detections in two views are hypotheses, triangulated and judged by what all views show
    there. The hypotheses of neighbouring frames that are nearest in space become tracks, and tracks one person: who is
    there at the same time is somebody else; who is lost is found at the same place or, later, by the same build. The
    subject is the person seen by most views for most of the time, near the middle of what the cameras have in common.

    Parameters
    ----------
    keypoints : Keypoints2D
        Individuals of a view may be other people from frame to frame, and from view to view.
    rig : Rig
        Cameras are matched by name.
    pairs : sequence of (str, str)
        Left and right keypoints: a view that shows them exchanged still shows the person.
    hint : SubjectHint, optional
        Where the subject is at one frame, to choose somebody else.
    state : SubjectState, optional
        Of the frames before, to go on with the same person.
    name : str
        Name that the individual gets.
    progress : Progress

    Returns
    -------
    SubjectSelection
        Detections with a single individual are returned as they are.

    Raises
    ------
    DataError
        If a camera is not in the rig, there is only one, or nobody is where the hint points.
    ConfigError
        If the hint names no frame of the recording, or no camera of it.

    References
    ----------
    Dong et al. (2019), Fast and robust multi-person 3D pose estimation from multiple views, CVPR (the affinity).
    """
    if len(keypoints.individuals) == 1:
        return SubjectSelection.alone(keypoints)
    return _select(keypoints, rig, _Question(pairs, hint, name, progress), state=state)


def select_in_chunks(
    chunks: Iterable[Keypoints2D],
    rig: Rig,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    hint: SubjectHint | None = None,
    name: str = "subject",
    lookahead: int = 60,
) -> Iterator[SubjectSelection]:
    """Find the subject in a recording that is never whole in memory.

    Who the subject is, is decided in the first chunk in which anybody is found, or by the hint from the chunk on that
    holds its frame.

    Parameters
    ----------
    chunks : iterable of Keypoints2D
        One after the other without gaps.
    rig, pairs, hint, name
        As in :func:`select_subject`.
    lookahead : int
        Frames held back until the next chunk is there, so that no decision is made at the end of what is known.

    Yields
    ------
    SubjectSelection
        One after the other; together all frames.
    """
    ask = _Question(pairs, hint, name, no_progress, whole=False)
    state: SubjectState | None = None
    held: Keypoints2D | None = None
    for chunk in chunks:
        part = chunk if held is None else _joined(held, chunk)
        if len(part.individuals) == 1:
            yield SubjectSelection.alone(part)
            held = None
            continue
        cut = max(0, part.n_frames - lookahead)
        if cut:
            chosen = _select(part, rig, ask, state=state, cut=cut)
            yield chosen
            state = chosen.state
        held = _frames(part, slice(cut, None))
    if held is not None and held.n_frames:
        yield _select(held, rig, ask, state=state)


def _frames(keypoints: Keypoints2D, part: slice) -> Keypoints2D:
    first = part.indices(keypoints.n_frames)[0]
    return replace(keypoints, xy=keypoints.xy[part], score=keypoints.score[part], start=keypoints.start + first)


def _joined(a: Keypoints2D, b: Keypoints2D) -> Keypoints2D:
    """Put two runs of frames together; the one with fewer individuals gets empty ones."""
    if (a.cameras, a.keypoints) != (b.cameras, b.keypoints) or b.start != a.start + a.n_frames:
        raise ValueError("chunks must have the same cameras and keypoints and follow one another")
    most = max(a, b, key=lambda part: len(part.individuals))
    n = len(most.individuals)

    def padded(values: FloatArray) -> FloatArray:
        rest = [(0, n - values.shape[2]) if axis == 2 else (0, 0) for axis in range(values.ndim)]
        return np.pad(values, rest, constant_values=np.nan)

    xy, score = (np.concatenate([padded(getattr(part, field)) for part in (a, b)]) for field in ("xy", "score"))
    return replace(most, xy=xy, score=score, start=a.start)


def _partners(keypoints: Keypoints2D, pairs: Sequence[tuple[str, str]]) -> IntArray | None:
    names = {name: i for i, name in enumerate(keypoints.keypoints)}
    partner = np.arange(len(names))
    for left, right in pairs:
        if left in names and right in names:
            partner[names[left]], partner[names[right]] = names[right], names[left]
    return partner if (partner != np.arange(len(names))).any() else None


def _matched(keypoints: Keypoints2D, rig: Rig) -> Rig:
    for camera in keypoints.cameras:
        if camera not in rig:
            raise DataError(
                f"camera {camera!r}: it has detections but no calibration, which has {', '.join(rig.names)}; "
                "rename it or calibrate it"
            )
    if len(keypoints.cameras) < 2:
        raise DataError("detections: one camera cannot tell people apart; two or more are needed")
    return rig.select(keypoints.cameras)


def _sampled_threshold(keypoints: Keypoints2D, optics: Optics, rig: Rig) -> FloatArray:
    some = np.unique(np.linspace(0, max(0, keypoints.n_frames - 1), _SAMPLE).astype(np.int64))[: keypoints.n_frames]
    return learn_threshold(
        optics, sights_of(replace(keypoints, xy=keypoints.xy[some], score=keypoints.score[some]), rig)
    )


def _stacked(parts: Sequence[People]) -> People:
    """Put runs of frames together; those with fewer hypotheses get empty ones."""
    n = max(part.score.shape[1] for part in parts)
    empty = {"detection": -1, "xyz": np.nan, "support": 0, "score": 0, "center": np.nan, "size": np.nan}

    def padded(values: NDArray[Any], fill: float) -> NDArray[Any]:
        rest = [(0, n - values.shape[1]) if axis == 1 else (0, 0) for axis in range(values.ndim)]
        return np.pad(values, rest, constant_values=fill)

    return People._make(np.concatenate([padded(getattr(part, f), fill) for part in parts]) for f, fill in empty.items())


def _known(tracks: Tracks, state: SubjectState | None) -> tuple[IntArray, IntArray]:
    """Return the tracks that go on from the frames before: those of the subject, and those of others."""
    none = np.zeros(0, dtype=np.int64)
    if state is None or state.context is None or state.is_subject is None or state.last_frame is None:
        return none, none
    n_frames, n = state.is_subject.shape
    label = tracks.label[:n_frames, :n]
    forced = np.unique(label[state.is_subject])
    return forced, np.setdiff1d(label[label >= 0], forced)


def _state_at(
    cut: int,
    number: int,
    people: People,
    node: IntArray,
    threshold_px: FloatArray,
    reach: Reach,
    old: SubjectState | None,
) -> SubjectState:
    """Return the state after the first `cut` frames of `people`, whose first frame has the given number."""
    found = np.flatnonzero(node[:cut] >= 0)
    if not people.there[:cut].any():
        return old or SubjectState(threshold_px)
    context = slice(max(0, cut - reach.gap), cut)
    is_subject = np.arange(people.score.shape[1]) == node[context, None]
    state = SubjectState(threshold_px, reach, People._make(part[context] for part in people), is_subject)
    if not len(found):
        return replace(state, last_frame=old.last_frame, pose=old.pose, build=old.build) if old else state
    poses = people.xyz[found, node[found]]
    build = old.build if old and old.build is not None else build_of(poses)
    return replace(state, last_frame=int(found[-1]) + number, pose=poses[-1], build=build)


def _select(
    keypoints: Keypoints2D, rig: Rig, ask: _Question, *, state: SubjectState | None, cut: int | None = None
) -> SubjectSelection:
    """Select in all frames; the result and its state end at frame `cut`."""
    rig = _matched(keypoints, rig)
    optics, partner, hint = Optics.of(rig), _partners(keypoints, ask.pairs), ask.hint
    n_frames, most = keypoints.n_frames, min(_MOST, len(keypoints.individuals) + 1)
    if hint and ask.whole and not 0 <= hint.frame - keypoints.start < n_frames:
        last = keypoints.start + n_frames - 1
        raise ConfigError(
            f"hint: frame {hint.frame} is not in the recording; give one from {keypoints.start} to {last}"
        )
    threshold = state.threshold_px if state else _sampled_threshold(keypoints, optics, rig)
    sights, parts = [], [state.context] if state and state.context else []
    for first in range(0, max(1, n_frames), _BLOCK):
        sights.append(sights_of(_frames(keypoints, slice(first, first + _BLOCK)), rig))
        parts.append(find_people(optics, sights[-1], threshold, partner=partner, most=most))
        ask.progress("people", min(first + _BLOCK, n_frames), n_frames)
    people = _stacked(parts)
    before = len(people.score) - n_frames
    number = keypoints.start - before
    reach = state.reach if state and state.reach else learn_reach(people, keypoints.fps)
    tracks = link_people(people, people.score * (0.1 + closeness(optics, rig, people.center)), reach)
    forced, foreign = _known(tracks, state)
    seen = state.last_seen(number) if state and not len(forced) else None
    if hint and 0 <= hint.frame - keypoints.start < n_frames:
        wanted = hinted_track(hint, keypoints, optics, people, tracks, before=before, reach=reach)
        forced, foreign, seen = np.array([wanted]), foreign[:0], None
    chain = best_chain(tracks, people, reach, forced=forced, foreign=foreign, seen=seen)
    member = np.isin(tracks.label, chain.tracks) & (tracks.label >= 0)
    node = np.where(member.any(1), member.argmax(1), -1)
    shown, claims = show_subject(
        optics, sights, people, tracks, node, threshold_px=threshold, partner=partner, gap=reach.gap
    )
    end = n_frames if cut is None else cut
    one, joined = gathered(_frames(keypoints, slice(0, end)), Shown(shown.accepted[:end], shown.chosen[:end]), ask.name)
    present = np.concatenate([part.present for part in sights])[:end]
    lone = present & ~shown.accepted[:end] & ~claims.somehow[:end]
    found = int((shown.chosen[:end] >= 0).any(1).sum())
    logger.info("subject found in %d of %d frames", found, end)
    return SubjectSelection(
        one,
        shown.chosen[:end],
        joined,
        present.sum(-1),
        lone.sum(-1),
        describe_others(people, tracks, chain, frames=slice(before, before + end), number=number, origin=optics.origin),
        tuple((a + number, b + number) for a, b in chain.returns if before <= b < before + end),
        _state_at(before + end, number, people, node, threshold, reach, state),
    )
