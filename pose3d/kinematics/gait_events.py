"""Gait events from keypoints or markers: when a foot strikes the ground and when it leaves it, between frames too.

Candidates are found along the walker's own, local heading: a foot strikes about when its heel is farthest ahead of the
pelvis, and leaves about when its toe is farthest behind (Zeni et al. 2008). The instant itself is where the speed of
the heel falls below, or that of the toe rises above, a part of the walking speed (Bonci et al. 2022), which does not
depend on the heading at all. A constant of each method, found once on force plates, takes its bias away.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["EventSettings", "belt_velocity", "find_events", "local_heading", "nearest_times"]

_BEFORE_S, _AFTER_S = 0.15, 0.30  # around a candidate, where the speed is looked at
_TREADMILL = 0.3  # of the speed of the feet: a pelvis that is slower than that stays where it is


@dataclass(frozen=True)
class EventSettings:
    """How events are found.

    Attributes
    ----------
    strike_speed, off_speed : float
        Speed of the heel below which it stands, and of the toe above which it has left, as a part of the walking speed.
    strike_bias_s, off_bias_s : float, s
        What the method is late (negative: early) against force plates, and what is taken off. Found on the force plates
        (20 N) of three trials of adults at 100 Hz; on eight trials of children that leaves 0 to 9 ms, and 4 to 14 ms
        against their laboratory's labels. `strike_speed` was chosen among a few with those children in view.
    least_swing : float
        How far a foot must move relative to the pelvis, as a part of the pelvis's height above the feet.
    window_s : float, s
        Over which heading and walking speed are averaged; about half a stride.
    least_speed : float, mm/s
        Who is slower stands, and has no events.
    """

    strike_speed: float = 0.2
    off_speed: float = 0.8
    strike_bias_s: float = 0.0032
    off_bias_s: float = -0.0129
    least_swing: float = 0.15
    window_s: float = 0.6
    least_speed: float = 200.0


def find_events(
    heels: Mapping[str, FloatArray],
    toes: Mapping[str, FloatArray],
    pelvis: FloatArray,
    *,
    fps: float,
    start: int = 0,
    settings: EventSettings | None = None,
) -> LimbEvents:
    """Find the strikes and offs of each limb.

    Parameters
    ----------
    heels, toes : mapping of str to (n_frames, 3) array, mm
        By limb, Z up, low-passed (7 Hz in walking). Of a paw, the same point may stand for both.
    pelvis : (n_frames, 3) array, mm
        Middle of the hips or of the pelvis's markers, low-passed; of an animal its trunk.
    fps : float
    start : int
        Index of the first frame in the recording.
    settings : EventSettings, optional

    Returns
    -------
    LimbEvents
        None in standing, at the ends of the data where the foot's turning point is not seen, or where points are
        missing.

    References
    ----------
    Zeni, Richards, Higginson (2008), Gait & Posture 27:710; Bonci et al. (2022), Front. Bioeng. Biotechnol. 10:868928.
    """
    settings = settings or EventSettings()
    belt = belt_velocity(heels, toes, pelvis, fps=fps)
    drift = np.append(belt, 0.0) * (np.arange(len(pelvis)) / fps)[:, None]
    pelvis = pelvis - drift
    heading, speed = local_heading(pelvis, fps=fps, window_s=settings.window_s)
    walking = np.asarray(speed > settings.least_speed)
    height = np.stack([pelvis[:, 2] - (heels[limb] + toes[limb])[:, 2] / 2 for limb in heels])
    swing = settings.least_swing * float(np.nanmedian(height)) if np.isfinite(height).any() else np.inf
    times = []
    for limb, heel_seen in heels.items():
        heel, toe = heel_seen - drift, toes[limb] - drift
        ahead = ((heel - pelvis)[:, :2] * heading).sum(-1)
        behind = ((pelvis - toe)[:, :2] * heading).sum(-1)
        stands, leaves = settings.strike_speed * speed, settings.off_speed * speed
        strikes = _crossings(stands - _speed(heel, fps), _turning(ahead, swing), fps, last=False)
        offs = _crossings(_speed(toe, fps) - leaves, _turning(behind, swing), fps, last=True)
        for kind, frames, bias in (
            (STRIKE, strikes, settings.strike_bias_s),
            (OFF, offs, settings.off_bias_s),
        ):
            there = frames[walking[np.clip(np.round(frames).astype(np.int64), 0, len(walking) - 1)]]
            times.append((limb, kind, (there + start) / fps - bias))
    return LimbEvents.from_times(times)


def nearest_times(times: FloatArray, found: FloatArray, *, within_s: float) -> FloatArray:
    """Return for each event the nearest of some others.

    Parameters
    ----------
    times, found : (n,), (m,) array, s
        `found` rising.
    within_s : float, s
        What is farther away is another event.

    Returns
    -------
    (n,) array, s
        NaN where there is none.
    """
    if not len(found):
        return np.full(times.shape, np.nan)
    after = np.minimum(np.searchsorted(found, times), len(found) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(found[before] - times) < np.abs(found[after] - times), found[before], found[after])
    return np.where(np.abs(nearest - times) <= within_s, nearest, np.nan)


def local_heading(pelvis: FloatArray, *, fps: float, window_s: float) -> tuple[FloatArray, FloatArray]:
    """Return the direction over the floor in which somebody walks in each frame, and how fast.

    Parameters
    ----------
    pelvis : (n_frames, 3) array, mm
    fps : float
    window_s : float, s
        Over which the velocity is averaged.

    Returns
    -------
    heading : (n_frames, 2) array
        Unit vectors; NaN where nothing is known or nobody moves.
    speed : (n_frames,) array, mm/s
    """
    velocity = _derivative(pelvis[:, :2], fps)
    known = np.asarray(np.isfinite(velocity).all(-1))
    n = min(max(1, 2 * round(window_s * fps / 2) + 1), 2 * len(pelvis) - 1)
    half = n // 2
    terms = np.column_stack([np.where(known[:, None], velocity, 0.0), known])
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(terms, axis=0)])
    frames = np.arange(len(pelvis))
    total = sums[np.minimum(frames + half + 1, len(pelvis))] - sums[np.maximum(frames - half, 0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total[:, :2] / total[:, 2:]
        speed = np.asarray(np.linalg.norm(mean, axis=-1))
        return mean / speed[:, None], speed


def belt_velocity(
    heels: Mapping[str, FloatArray], toes: Mapping[str, FloatArray], pelvis: FloatArray, *, fps: float
) -> FloatArray:
    """Return how a treadmill's belt moves over the floor, (2,) mm/s; zero where somebody walks over ground.

    A foot that stands moves with the belt, and in walking the lower foot stands.
    """
    feet = np.stack([(heels[limb] + toes[limb]) / 2 for limb in heels])
    velocity = _derivative(np.moveaxis(feet, 0, 1), fps)[..., :2]
    own = _derivative(pelvis, fps)[:, :2]  # beside a gap it is missing, where the pelvis is not
    seen = np.isfinite(velocity).all((-2, -1)) & np.isfinite(own).all(-1)
    if not seen.any():
        return np.zeros(2)
    lowest = np.moveaxis(feet, 0, 1)[..., 2].argmin(1)
    standing = velocity[np.arange(len(velocity)), lowest][seen]
    belt = np.median(standing, axis=0)
    walked, speed = np.linalg.norm(own[seen].mean(0)), np.linalg.norm(belt)
    fast = np.percentile(np.linalg.norm(velocity[seen], axis=-1), 90)
    return belt if walked < _TREADMILL * speed and speed > 0.1 * fast else np.zeros(2)


def _derivative(x: FloatArray, fps: float) -> FloatArray:
    return np.gradient(x, axis=0) * fps if len(x) > 1 else np.full_like(x, np.nan)


def _speed(x: FloatArray, fps: float) -> FloatArray:
    return np.asarray(np.linalg.norm(_derivative(x, fps), axis=-1))


def _turning(signal: FloatArray, prominence: float) -> IntArray:
    """Return the frames of peaks that stand out from at least one side, in each run without gaps; none at its ends."""
    from scipy.signal import find_peaks  # takes half a second, which most who come here need not

    found = []
    for first, last in _runs(np.isfinite(signal)):
        # What lies beyond the data counts as low, so that a peak near an end needs one flank only.
        padded = np.concatenate([[-np.inf], signal[first:last], [-np.inf]])
        peaks, _ = find_peaks(padded, prominence=prominence)
        peaks = peaks - 1
        found.append(first + peaks[(peaks > 0) & (peaks < last - first - 1)])
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def _runs(valid: BoolArray) -> IntArray:
    """Return the beginnings and ends of runs, (n, 2)."""
    return np.flatnonzero(np.diff(np.concatenate([[0], valid.astype(np.int8), [0]]))).reshape(-1, 2)


def _crossings(above: FloatArray, near: IntArray, fps: float, *, last: bool) -> FloatArray:
    """Return where, between frames, a signal becomes positive: for each candidate the first, or the last, such place.

    Candidates without one are left out.
    """
    rises = np.flatnonzero((above[:-1] < 0) & (above[1:] >= 0))
    places = rises + above[rises] / (above[rises] - above[rises + 1])
    before, after = (_AFTER_S, _BEFORE_S) if last else (_BEFORE_S, _AFTER_S)
    low = np.searchsorted(places, near - before * fps)
    high = np.searchsorted(places, near + after * fps, side="right")
    there = high > low
    return places[(high - 1 if last else low)[there]]
