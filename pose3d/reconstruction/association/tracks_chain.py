"""Which tracks are one person: by place after a short absence, by build after a long one."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.association.people_in_frames import People
from pose3d.reconstruction.association.tracks import Reach, Tracks, moved

__all__ = ["Build", "Chain", "LastSeen", "best_chain", "build_of"]

_FEWEST = 6  # distances that two builds must share to be compared
_BUILD_SAMPLE = 60  # poses of a track that its build is measured from
_RIGID = 0.06  # spread of a distance between two keypoints, as a share, up to which both lie on one bone
_MORE_ALIKE = 0.02  # difference in lengths that tells two people apart where both may be who comes in
_SAME_BUILD = 0.08  # difference in lengths up to which two tracks may be one person: detectors err by half of that
_CLOSE = 0.7  # sizes of a body: where a pose is poor a track breaks, but nobody else can take that place
_NEAR, _LATE = 2.0, 30  # sizes of a body and greatest gaps within which someone lost and someone found are the same
_MOST_TRACKS = 400
_LEAST_VALUE = 0.002  # of all that is there: shorter tracks are chance
_FORCED = 1e12


class Build(NamedTuple):
    """Proportions of a person.

    Attributes
    ----------
    length : (n_keypoints, n_keypoints) array, mm
        Median distance between keypoints; NaN where unknown.
    spread : (n_keypoints, n_keypoints) array
        Median absolute deviation, as a share of the length.
    """

    length: FloatArray
    spread: FloatArray

    def difference(self, other: "Build") -> float:
        """Return by how much the lengths of two builds differ, as a share; NaN where too few are known."""
        rigid = (self.spread < _RIGID) & (other.spread < _RIGID)
        if rigid.sum() < _FEWEST:
            return float("nan")
        return float(np.median(np.abs(np.log(self.length[rigid] / other.length[rigid]))))


def build_of(poses: FloatArray) -> Build:
    """Measure the build of a person from poses (n, n_keypoints, 3)."""
    some = poses[np.linspace(0, len(poses) - 1, min(len(poses), _BUILD_SAMPLE)).astype(np.int64)]
    lengths = np.linalg.norm(some[:, :, None] - some[:, None], axis=-1)
    enough = np.isfinite(lengths).sum(0) >= min(5, len(poses))
    enough &= ~np.eye(poses.shape[1], dtype=bool)
    filled = np.where(enough, lengths, 0.0)
    length = np.nanmedian(filled, axis=0)
    with np.errstate(all="ignore"):
        spread = np.nanmedian(np.abs(filled - length), axis=0) / length
    return Build(np.where(enough, length, np.nan), np.where(enough & (length > 0), spread, np.inf))


class LastSeen(NamedTuple):
    """Where somebody was last seen.

    Attributes
    ----------
    frame : int
        Negative before the first frame of what is at hand.
    pose : (n_keypoints, 3) array, mm
    build : Build
    """

    frame: int
    pose: FloatArray
    build: Build


class Chain(NamedTuple):
    """Tracks that are the subject.

    Attributes
    ----------
    tracks : int array
        In the order of time.
    returns : list of (int, int)
        Last frame before and first frame after an absence that motion alone does not bridge.
    person : (n_tracks,) int array
        Of all tracks: those of one number are the same person by place.
    """

    tracks: IntArray
    returns: list[tuple[int, int]]
    person: IntArray


class _Ends(NamedTuple):
    """Tracks in the order of time, as far as linking them needs to know."""

    first: IntArray
    last: IntArray
    head: FloatArray
    tail: FloatArray
    value: FloatArray
    build: FloatArray  # (n, n): difference in build, NaN where unknown


def _differences(builds: list[Build]) -> FloatArray:
    out = np.zeros((len(builds), len(builds)))
    for i, one in enumerate(builds):
        for j in range(i):
            out[i, j] = out[j, i] = one.difference(builds[j])
    return out


def _alike(build: FloatArray, over: BoolArray) -> BoolArray:
    """Tell whose build (n, n) may be whose: not too different, and no other who had gone by then is more alike.

    Parameters
    ----------
    build : (n, n) array
    over : (n, n) bool array
        Where the first was gone before the second came.
    """
    closest = np.where(over & np.isfinite(build), build, np.inf).min(0, initial=np.inf)
    return np.asarray(~((build > _SAME_BUILD) | (build > closest + _MORE_ALIKE)))


def _persons(ends: _Ends, reach: Reach) -> IntArray:
    """Return the index of a person for each track: one lost and found again at the same place after a short while."""
    gap = ends.first[None, :] - ends.last[:, None]
    off = moved(ends.tail[:, None], ends.head[None])
    limit = np.clip(reach.step_mm * np.sqrt(np.maximum(gap, 1)), _CLOSE * reach.size_mm, _NEAR * reach.size_mm)
    alike = np.where(gap <= reach.gap, ~(ends.build > _SAME_BUILD), _alike(ends.build, gap > 0))
    may = (gap > 0) & (gap <= _LATE * reach.gap) & (off <= limit) & alike
    cost = off / reach.size_mm + gap / (3 * reach.gap)
    person = np.arange(len(ends.first))
    before = np.full(len(person), -1, dtype=np.int64)
    taken = np.zeros(len(person), dtype=bool)
    a, b = np.nonzero(may)
    for k in np.argsort(cost[a, b], kind="stable"):
        if before[b[k]] < 0 and not taken[a[k]]:
            before[b[k]] = a[k]
            taken[a[k]] = True
    for k, earlier in enumerate(before):  # earlier ones stand first
        if earlier >= 0:
            person[k] = person[earlier]
    return np.unique(person, return_inverse=True)[1]


def best_chain(
    tracks: Tracks,
    people: People,
    reach: Reach,
    *,
    forced: IntArray,
    foreign: IntArray,
    seen: LastSeen | None = None,
) -> Chain:
    """Find the tracks that are the subject: no two at the same time, of one build, and of the greatest value.

    Two people who are there at the same time are two; so a person who walks out of the picture is not replaced by
    another who stays. One who comes in later is the same if the build does not say otherwise and the newcomer is
    nobody else's continuation.

    Parameters
    ----------
    tracks : Tracks
    people : People
    reach : Reach
    forced, foreign : int array
        Tracks that are known to be the subject, and known not to be.
    seen : LastSeen, optional
        Where the subject was last, if before all tracks.

    Returns
    -------
    Chain
    """
    known = np.concatenate([forced, foreign]).astype(np.int64)
    order = np.argsort(-tracks.value, kind="stable")[:_MOST_TRACKS]
    order = np.union1d(order[tracks.value[order] > _LEAST_VALUE * tracks.value.sum()], known)
    keep = order[np.argsort(tracks.first[order], kind="stable")]
    number = np.arange(len(tracks.first))
    if not len(keep):
        return Chain(keep, [], number)
    value = np.where(np.isin(keep, forced), _FORCED, tracks.value[keep])
    flat = tracks.label.reshape(-1)
    poses = people.xyz.reshape(len(flat), -1, 3)
    by_track = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[by_track], np.arange(len(tracks.first) + 1))
    builds = [build_of(poses[by_track[starts[k] : starts[k + 1]]]) for k in keep]
    first, last, head, tail = tracks.first[keep], tracks.last[keep], tracks.head[keep], tracks.tail[keep]
    barred = np.isin(keep, foreign)
    if seen is not None:
        keep, barred = np.r_[-1, keep], np.r_[False, barred]
        first, last = np.r_[seen.frame, first], np.r_[seen.frame, last]
        head, tail = np.concatenate([seen.pose[None], head]), np.concatenate([seen.pose[None], tail])
        value, builds = np.r_[_FORCED, value], [seen.build, *builds]
    ends = _Ends(first, last, head, tail, value, _differences(builds))
    person = _persons(ends, reach)
    chain, returns = _chain_of_persons(ends, person, barred & (value < _FORCED), reach)
    subject = keep[np.isin(person, chain)]
    own = keep >= 0
    number[keep[own]] = len(number) + person[own]
    return Chain(subject[subject >= 0], returns, number)


def _chain_of_persons(
    ends: _Ends, person: IntArray, barred: BoolArray, reach: Reach
) -> tuple[list[int], list[tuple[int, int]]]:
    """Choose among persons, in the order of their first frames, those that are one after another the subject."""
    count = int(person.max()) + 1
    worth = np.bincount(person, ends.value)
    start, end = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(start, person, ends.first)
    np.maximum.at(end, person, ends.last)
    head = np.array([np.flatnonzero(person == k)[0] for k in range(count)])
    # how far each person was, at the last sight of it before, from where each other one begins
    off = moved(ends.tail[:, None], ends.head[head][None])
    off[ends.last[:, None] >= start[None]] = np.inf
    apart = np.full((count, count), np.inf)
    np.minimum.at(apart, person, off)
    by_value = np.argsort(ends.value, kind="stable")
    main = np.zeros(count, dtype=np.int64)
    main[person[by_value]] = by_value  # of each person the track of the greatest value
    fits = _alike(ends.build[np.ix_(main, main)], end[:, None] < start[None])
    strangers = np.zeros(count, dtype=bool)
    np.logical_or.at(strangers, person, barred)
    strangers &= worth < _FORCED
    total, link = np.where(strangers, -np.inf, worth), np.full(count, -1, dtype=np.int64)
    for k in range(1, count):
        nearest = apart[:, k].min()
        continues = apart[:k, k] <= np.maximum(2 * nearest, nearest + reach.size_mm)
        somewhere = nearest > 4 * reach.size_mm  # comes in at a place where nobody has gone out
        may = (end[:k] < start[k]) & fits[:k, k] & (continues | somewhere) & ~strangers[:k]
        if may.any() and not strangers[k]:
            best = int(np.where(may, total[:k], -np.inf).argmax())
            total[k] += total[best]
            link[k] = best
    chain = [int(total.argmax())]
    if not np.isfinite(total[chain[0]]):
        return [], []
    while link[chain[-1]] >= 0:
        chain.append(int(link[chain[-1]]))
    chain.reverse()
    return chain, [(int(end[a]), int(start[b])) for a, b in pairwise(chain)]
