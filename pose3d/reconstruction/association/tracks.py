"""People of single frames linked by their motion."""

import math
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.association.people_in_frames import People

__all__ = ["Reach", "Tracks", "learn_reach", "link_people", "moved"]

_FEWEST = 3  # keypoints that two poses must share


class Reach(NamedTuple):
    """How far people move.

    Attributes
    ----------
    step_mm : float
        Most that a person moves from one frame to the next.
    size_mm : float
        Of a body: root mean square distance of its keypoints from their centre.
    gap : int
        Frames for which a track may be interrupted.
    """

    step_mm: float
    size_mm: float
    gap: int

    def over(self, frames: int) -> float:
        """Return how far a person may have got in so many frames, mm: the step has room for more than one frame."""
        return min(self.step_mm * math.sqrt(frames), self.size_mm)


class Tracks(NamedTuple):
    """Runs of hypotheses that are one person by their motion.

    Attributes
    ----------
    label : (n_frames, n_hypotheses) int array
        Index of the track; -1 without a hypothesis.
    first, last : (n_tracks,) int array
        Frames.
    value : (n_tracks,) array
        How much speaks for the track's being the subject.
    head, tail : (n_tracks, n_keypoints, 3) array, mm
        First and last pose.
    """

    label: IntArray
    first: IntArray
    last: IntArray
    value: FloatArray
    head: FloatArray
    tail: FloatArray


def moved(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return how far a body moved between two poses (..., n_keypoints, 3), mm; inf with too few common keypoints.

    A third of the keypoints lies within it: the others may be wrong in either pose.
    """
    off = np.linalg.norm(a - b, axis=-1)
    n = np.isfinite(off).sum(-1)
    ordered = np.sort(off, axis=-1)  # NaN last
    low = np.take_along_axis(ordered, (n // 3)[..., None].clip(max=off.shape[-1] - 1), axis=-1)[..., 0]
    return np.where(n >= min(_FEWEST, off.shape[-1]), low, np.inf)


def _steps(people: People, before: BoolArray, after: BoolArray, gap: int) -> FloatArray:
    """Return the distance (n_frames - gap, n_hypotheses, n_hypotheses) between hypotheses `gap` frames apart."""
    n_frames, n = people.score.shape
    off = np.full((max(0, n_frames - gap), n, n), np.inf)
    if n_frames > gap:
        t, a, b = np.nonzero(before[:-gap, :, None] & after[gap:, None, :])
        near = np.linalg.norm(people.center[t, a] - people.center[t + gap, b], axis=-1)
        close = near < 4 * np.maximum(people.size[t, a], people.size[t + gap, b])
        t, a, b = t[close], a[close], b[close]
        off[t, a, b] = moved(people.xyz[t, a], people.xyz[t + gap, b])
    return off


def learn_reach(people: People, fps: float | None) -> Reach:
    """Measure how far people move between frames, and how large they are."""
    there = people.there
    size = float(np.median(people.size[there])) if there.any() else 1.0
    best = np.zeros_like(there)
    best[:, 0] = there[:, 0]
    steps = _steps(people, best, there, 1)[:, 0].min(-1) if len(there) > 1 else np.zeros(0)
    steps = steps[np.isfinite(steps)]
    step = 4 * float(np.quantile(steps, 0.9)) if len(steps) else size
    gap = 10 if fps is None else int(np.clip(round(0.3 * fps), 5, 40))
    return Reach(float(np.clip(step, 0.1 * size, 0.6 * size)), size, gap)


def link_people(people: People, value: FloatArray, reach: Reach) -> Tracks:
    """Link the hypotheses of neighbouring frames that are nearest to each other, then over short gaps.

    Parameters
    ----------
    people : People
    value : (n_frames, n_hypotheses) array
        What each hypothesis adds to its track's value.
    reach : Reach
    """
    n_frames, n = people.score.shape
    there = people.there
    before_of = np.arange(n_frames * n)  # each its own predecessor: a track's first
    loose_end, loose_start = there.copy(), there.copy()
    for gap in range(1, min(reach.gap, n_frames - 1) + 1):
        off = _steps(people, loose_end, loose_start, gap)
        on, back = off.argmin(2), off.argmin(1)
        t, a = np.nonzero(off.min(2) <= reach.over(gap))
        b = on[t, a]
        mutual = back[t, b] == a
        t, a, b = t[mutual], a[mutual], b[mutual]
        before_of[(t + gap) * n + b] = t * n + a
        loose_end[t, a] = False
        loose_start[t + gap, b] = False
    while True:
        further = before_of[before_of]
        if np.array_equal(further, before_of):
            break
        before_of = further
    node = np.flatnonzero(there)
    _, track = np.unique(before_of[node], return_inverse=True)
    label = np.full(n_frames * n, -1, dtype=np.int64)
    label[node] = track
    count = int(track.max()) + 1 if len(track) else 0
    first, last = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    first[track[::-1]], last[track] = node[::-1], node  # nodes are in the order of time: the last one written stays
    worth = np.bincount(track, value.reshape(-1)[node], minlength=count).astype(np.float64)
    poses = people.xyz.reshape(n_frames * n, *people.xyz.shape[2:])
    return Tracks(label.reshape(n_frames, n), first // n, last // n, worth, poses[first], poses[last])
