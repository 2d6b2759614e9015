"""One track through several candidate peaks per frame: dynamic programming over time, with a state for "none is right".

The path is scored as a logarithm of likelihood ratios: a peak is either the keypoint, near its last place, or clutter.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter1d

from pose3d.data.candidates import Candidates2D
from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import ConfigError
from pose3d.filtering.median import local_median
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.log import Progress, no_progress

__all__ = ["VITERBI_MARGIN_FRAMES", "choose_peaks", "viterbi_filter"]

VITERBI_MARGIN_FRAMES = 200
"""Frames before and after a part with which it is chosen as within the whole, but for rare borderline choices: how many
peaks there are elsewhere in the recording counts a little."""

_CHANCE = 0.75
"""Taken off the worth of every peak, since the nearest of several wrong ones lies nearer than any one of them."""
_HIDE = 1.5
"""Cost of the first missing frame of a gap."""
_HIDDEN = 0.02
"""Cost of each further one."""
_BACK = 2.0
"""Cost of coming back after more missing frames than are linked."""
_ELSEWHERE = 9.0
"""Cost of going on at any other place, as after a change of scene."""
_FAR = 1e7
"""A peak farther from the image's corner is none, px."""
_OLDEST = 400
"""Frames after which a lost track's place no longer says more."""
_BLOCK = 1 << 18
"""Transitions whose costs are held at once."""
_VELOCITY_FRAMES = 9
"""Over which a track's velocity is taken."""
_ENOUGH = 4
"""Steps among them that it needs."""
_EVERY, _SPREADS = 5, 61
"""The deviations from it are taken from every fifth frame, over 301."""
_LEAST = 0.06
"""Least spread about a steady motion, in offset thresholds."""
_TAIL = 3.0
"""Degrees of freedom of the deviations' distribution (Student's): a sudden start is rare but no wonder."""


def _check(n_back: int, offset_threshold: float, score_threshold: float) -> None:
    if n_back != int(n_back) or n_back < 1:
        raise ConfigError(f"viterbi: n_back = {n_back} is no number of frames; give 1 or more, such as 5")
    if not (math.isfinite(offset_threshold) and offset_threshold > 0):
        raise ConfigError(f"viterbi: offset_threshold = {offset_threshold} px is no distance; give one above 0")
    if not 0 <= score_threshold <= 1:
        raise ConfigError(f"viterbi: score_threshold = {score_threshold} is no score; give one from 0 to 1")


def choose_peaks(
    xy: ArrayLike,
    score: ArrayLike,
    *,
    n_back: int = 5,
    offset_threshold: float = 25.0,
    score_threshold: float = 0.05,
    progress: Progress = no_progress,
) -> IntArray:
    """Choose in each frame the peak that belongs to the most likely track, or none.

    Each peak may follow any peak of the `n_back` frames before, the further the less likely; a track that was lost for
    longer goes on near the place where it was lost. Frames without a right peak stay empty. This is done twice: the
    second time with each track's velocity, and its usual deviation from that, which the first has shown.

    Parameters
    ----------
    xy : (n_frames, ..., n_peaks, 2) array, px
        NaN where there is no peak.
    score : (n_frames, ..., n_peaks) array, 0..1
        A peak without a score counts as one of 0.5.
    n_back : int
        Frames back to which a peak is linked directly.
    offset_threshold : float, px
        Standard deviation of the distance that a keypoint moves in one frame; grows with the root of the frames.
    score_threshold : float
        Peaks with lower scores are not looked at.
    progress : Progress

    Returns
    -------
    (n_frames, ...) int array
        Index of the peak; -1 where none is right.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    Notes
    -----
    anipose's filter has the same parameters with the same meaning. It holds a lost point at its last place (at half
    the score for each frame) and writes that place as if it were seen; here such frames are missing.

    The loop runs over the frames, since the choice in one depends on the last; all tracks are done at once in it, and
    the costs of all transitions are computed before it.

    References
    ----------
    G. D. Forney: The Viterbi algorithm. Proc. IEEE 61 (1973), 268-278.
    P. Karashchuk et al.: Anipose: a toolkit for robust markerless 3D pose estimation. Cell Rep. 36 (2021), 109730
    (STAR methods, filters).

    Examples
    --------
    >>> xy = np.array([[[0.0, 0], [90, 9]], [[300, 40], [1, 0]], [[2, 0], [70, 90]]])
    >>> choose_peaks(xy, np.full((3, 2), 0.9))
    array([0, 1, 0])
    """
    _check(n_back, offset_threshold, score_threshold)
    xy = np.asarray(xy, dtype=np.float64)
    shape = xy.shape[:-2]
    n_tracks = int(np.prod(shape[1:]))
    n_peaks = xy.shape[-2]
    places = xy.reshape(shape[0], n_tracks, n_peaks, 2).copy()
    scores = np.array(score, dtype=np.float64).reshape(places.shape[:-1])
    scores[np.isnan(scores)] = 0.5
    with np.errstate(invalid="ignore"):
        places[(scores < score_threshold) | ~(np.abs(places) < _FAR).all(-1)] = np.nan
    if not places.size:
        return np.full(shape, -1, dtype=np.int64)
    worth = _worth_of_finding(places, offset_threshold) + np.log(2 * np.clip(scores, 1e-3, 1.0))
    worth[np.isnan(places[..., 0])] = -np.inf
    still = _Motion(
        np.zeros((*places.shape[:2], 2)), np.full(places.shape[:2], offset_threshold), offset_threshold, False
    )
    chosen = _best_paths(places, worth, int(n_back), still, progress)
    motion = _learn_motion(_pick(places, chosen), offset_threshold)
    chosen = _best_paths(places, worth, int(n_back), motion, progress)
    return chosen.reshape(shape)


def _worth_of_finding(places: FloatArray, offset_threshold: float) -> FloatArray:
    """Compare how often the keypoint lies where it is expected with how often anything else does: (n_tracks, 1)."""
    n_others = np.maximum(np.isfinite(places[..., 0]).sum(-1).mean(0) - 1, 0.2)
    low, high = np.full((2, places.shape[1], 2), np.nan)
    any_peak = np.isfinite(places[..., 0]).any(axis=(0, 2))
    some = places[:, any_peak]
    if some.size:
        low[any_peak], high[any_peak] = np.nanquantile(some, (0.02, 0.98), axis=(0, 2))
    area = np.maximum((high - low).prod(-1), 1.0)
    worth = np.log(area / (n_others * 2 * np.pi * offset_threshold**2)) - _CHANCE
    return np.asarray(np.nan_to_num(np.clip(worth, 1.5, 4.5)))[:, None]


class _Motion(NamedTuple):
    """How a track moves: px a frame, how far it strays from that, and whether this was learnt from the track."""

    velocity: FloatArray
    spread: FloatArray
    offset: float
    steady: bool


class _Lost(NamedTuple):
    """The best track of each keypoint that no linked frame has seen: its worth, last place and where that was."""

    worth: FloatArray
    place: FloatArray
    node: IntArray
    frame: IntArray


def _best_paths(places: FloatArray, worth: FloatArray, n_back: int, motion: _Motion, progress: Progress) -> IntArray:
    """Find the best path of each track: (n_frames, n_tracks) peaks. A node is ``frame * n_peaks + peak``."""
    n_frames, n_tracks, n_peaks = worth.shape
    track = np.arange(n_tracks)
    seen = np.full((n_back, n_tracks, n_peaks), -np.inf)  # best worth of a path that ends at a node, of recent frames
    before = np.empty((n_frames, n_tracks, n_peaks), dtype=np.int64)
    lost = _Lost(
        np.full(n_tracks, -np.inf),
        np.zeros((n_tracks, 2)),
        np.full(n_tracks, -1, dtype=np.int64),
        np.zeros(n_tracks, dtype=np.int64),
    )
    lags = np.arange(n_back, 0, -1)  # the window of frames before, oldest first
    gap = np.where(lags > 1, _HIDE + _HIDDEN * (lags - 2), 0.0)
    node_of = (np.arange(n_peaks) + 0 * lags[:, None] - lags[:, None] * n_peaks).ravel()
    leave = _HIDE + _HIDDEN * (n_back - 1)
    step = max(_BLOCK // (n_tracks * n_peaks * n_peaks * n_back), 1)
    for block in range(0, n_frames, step):
        stop = min(block + step, n_frames)
        costs = _transitions(places, block, stop, lags, motion)
        costs += gap[:, None].astype(np.float32)
        seen = np.concatenate([seen[-n_back:], np.empty((stop - block, n_tracks, n_peaks))])
        for i in range(block, stop):
            recent = seen[i - block : i - block + n_back].swapaxes(0, 1).reshape(n_tracks, 1, -1)
            linked = recent - costs[i - block].reshape(n_tracks, n_peaks, -1)
            best = linked.argmax(-1)
            value = np.take_along_axis(linked, best[..., None], axis=-1)[..., 0]
            previous = i * n_peaks + node_of[best]
            back = lost.worth[:, None] - _return(places[i], lost, i, motion.offset)
            value, previous = _better(value, previous, back, lost.node[:, None])
            value, previous = _better(value, previous, np.zeros_like(value), np.full_like(previous, -1))
            seen[i - block + n_back] = value + worth[i]
            before[i] = previous
            oldest = seen[i - block]  # of frame i - n_back: the next frame no longer links to it
            top = oldest.argmax(-1)
            gone = oldest[track, top] - leave
            kept = lost.worth - _HIDDEN
            new = gone > kept
            lost = _Lost(
                np.where(new, gone, kept),
                np.where(new[:, None], places[max(i - n_back, 0), track, top], lost.place),
                np.where(new, (i - n_back) * n_peaks + top, lost.node),
                np.where(new, i - n_back, lost.frame),
            )
        progress("viterbi", stop, n_frames)
    return _trace(seen[-n_back:], before, lost)


def _better(value: FloatArray, node: IntArray, other: FloatArray, other_node: IntArray) -> tuple[FloatArray, IntArray]:
    take = other > value
    return np.where(take, other, value), np.where(take, other_node, node)


def _transitions(places: FloatArray, start: int, stop: int, lags: IntArray, motion: _Motion) -> NDArray[np.float32]:
    """Cost of a move to each peak from each peak before: (n, n_tracks, n_peaks, n_lags, n_peaks)."""
    frame = np.maximum(np.arange(start, stop)[:, None] - lags, 0)
    lag = lags[:, None]
    old = np.moveaxis(places[frame], 1, 2) + motion.velocity[start:stop, :, None, None] * lag[..., None]
    square = np.zeros((stop - start, places.shape[1], places.shape[2], len(lags), places.shape[2]), dtype=np.float32)
    for axis in range(2):
        here, there = places[start:stop, ..., axis].astype(np.float32), old[..., axis].astype(np.float32)
        move = here[:, :, :, None, None] - there[:, :, None]
        square += np.square(move, out=move)
    spread = motion.spread[start:stop, :, None, None, None].astype(np.float32)
    lag = lag.astype(np.float32)
    if motion.steady:
        square /= _TAIL * (spread * lag) ** 2
        cost = np.log1p(square, out=square)
        cost *= _TAIL / 2 + 1
        cost += 2 * np.log(lag * (spread / motion.offset))
    else:
        square /= 2 * lag * spread**2
        cost = square
        cost += np.log(lag)
    return np.asarray(np.fmin(cost, _ELSEWHERE, out=cost))  # what is no peak has no path that could take it


def _return(places: FloatArray, lost: _Lost, frame: int, offset_threshold: float) -> FloatArray:
    """Cost of finding a lost track again: (n_tracks, n_peaks)."""
    age = np.clip(frame - lost.frame, 1, _OLDEST)[:, None]
    square = ((places - lost.place[:, None]) ** 2).sum(-1)
    return np.asarray(np.fmin(square / (2 * age * offset_threshold**2) + np.log(age) + _BACK, _ELSEWHERE))


def _trace(tail: FloatArray, before: IntArray, lost: _Lost) -> IntArray:
    """Follow the best paths back from the end."""
    n_frames, n_tracks, n_peaks = before.shape
    track = np.arange(n_tracks)
    missing = np.arange(len(tail))[::-1]  # frames after each of the last
    ends = tail - np.where(missing > 0, _HIDE + _HIDDEN * (missing - 1), 0.0)[:, None, None]
    flat = ends.swapaxes(0, 1).reshape(n_tracks, -1)
    best = flat.argmax(-1)
    value = flat[track, best]
    node = np.where(value >= lost.worth, (n_frames - len(tail)) * n_peaks + best, lost.node)
    node = np.where(np.maximum(value, lost.worth) > 0, node, -1)
    chosen = np.full((n_frames, n_tracks), -1, dtype=np.int64)
    for i in range(n_frames - 1, -1, -1):
        here = np.flatnonzero(node >= i * n_peaks)
        peak = node[here] - i * n_peaks
        chosen[i, here] = peak
        node[here] = before[i, here, peak]
    return chosen


def _learn_motion(picked: FloatArray, offset_threshold: float) -> _Motion:
    """Learn velocities, and how far the track strays from them, from a first choice of peaks."""
    step = np.full_like(picked, np.nan)
    step[1:] = np.diff(picked, axis=0)
    known = uniform_filter1d(np.isfinite(step[..., 0]).astype(np.float64), _VELOCITY_FRAMES, axis=0, mode="constant")
    unknown = known * _VELOCITY_FRAMES < _ENOUGH - 0.5
    velocity = local_median(step, _VELOCITY_FRAMES)
    velocity[unknown] = np.nan
    stray = np.linalg.norm(step - velocity, axis=-1)[::_EVERY, :, None]
    usual = np.repeat(local_median(stray, _SPREADS)[..., 0], _EVERY, axis=0)[: len(picked)]
    spread = np.clip(2 * usual, _LEAST * offset_threshold, offset_threshold)
    spread[unknown | np.isnan(spread)] = offset_threshold
    return _Motion(np.nan_to_num(velocity), spread, offset_threshold, True)


def _pick(places: FloatArray, chosen: IntArray) -> FloatArray:
    picked = np.take_along_axis(places, np.maximum(chosen, 0)[..., None, None], axis=2)[:, :, 0]
    return np.asarray(np.where((chosen < 0)[..., None], np.nan, picked))


def viterbi_filter(
    candidates: Candidates2D,
    *,
    n_back: int = 5,
    offset_threshold: float = 25.0,
    score_threshold: float = 0.05,
    progress: Progress = no_progress,
) -> Keypoints2D:
    """Choose among the candidate peaks of each keypoint and view those of the most likely track.

    Parameters
    ----------
    candidates : Candidates2D
    n_back, offset_threshold, score_threshold, progress
        As in :func:`choose_peaks`.

    Returns
    -------
    Keypoints2D
        With the scores of the chosen peaks; missing where none is right.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    """
    chosen = choose_peaks(
        candidates.xy,
        candidates.score,
        n_back=n_back,
        offset_threshold=offset_threshold,
        score_threshold=score_threshold,
        progress=progress,
    )
    index = np.maximum(chosen, 0)[..., None]
    xy = np.take_along_axis(candidates.xy, index[..., None], axis=-2)[..., 0, :]
    score = np.take_along_axis(candidates.score, index, axis=-1)[..., 0]
    none = chosen < 0
    xy, score = np.where(none[..., None], np.nan, xy), np.where(none, np.nan, score)
    names = (candidates.cameras, candidates.individuals, candidates.keypoints)
    return Keypoints2D(xy, score, *names, candidates.fps, candidates.start)
