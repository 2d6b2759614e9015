"""Footfalls of animals with any number of legs, from one point of each paw: it stands while it does not move.

A paw swings where its speed over the ground rises above a part of the body's speed; the swing reaches to where the
speed falls below a smaller part on either side, which keeps noise from making swings. By then the paw has moved for a
while: how long is found from the mean over all steps of all paws, in which noise is small, as the instant at which a
jump of the speed, or a growth with the time or its square, explains it. All paws of an animal are taken to begin and to
end their swings alike.

On synthetic walk, trot and gallop at 250 frames a second and 0.3 mm noise, duty factors of paws that are lifted
briskly come out within 0.02, of paws that begin to move most gently within 0.04, and phases within 0.01. At 60 frames a
second a gallop's stance lasts four frames: phases still hold, duty factors do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.errors import DataError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.kinematics.gait_events import belt_velocity, local_heading

__all__ = ["FootfallSettings", "find_footfalls"]

_LEAST_FRAMES = 1.5
_GRID = 0.25  # frames
_LEAST_REACH = 4.0  # frames
_FITTED = 1.0  # of the body's speed: how far the growth is followed
_LOOK = 0.6  # of the stance: how far into it the beginning of the motion is looked for


@dataclass(frozen=True)
class FootfallSettings:
    """How footfalls are found.

    Attributes
    ----------
    swing_speed : float
        As a part of the body's speed: a paw that is faster swings.
    edge_speed : float
        As a part of it too: a swing reaches to where the paw is slower.
    smooth_s : float, s
        SD of the Gaussian that smooths the paws; one and a half frames at least.
    window_s : float, s
        Over which the body's speed is averaged: about a stride.
    least_speed : float
        In body sizes (root mean square distance of the paws from their middle) per second: who is slower stands.
    least_s : float, s
        Shorter swings and stances are noise.
    """

    swing_speed: float = 0.5
    edge_speed: float = 0.4
    smooth_s: float = 0.008
    window_s: float = 0.5
    least_speed: float = 0.5
    least_s: float = 0.02


def find_footfalls(
    paws: Mapping[str, FloatArray],
    *,
    fps: float,
    body: FloatArray | None = None,
    start: int = 0,
    settings: FootfallSettings | None = None,
) -> LimbEvents:
    """Find when each paw strikes the ground and leaves it.

    Parameters
    ----------
    paws : mapping of str to (n_frames, 3) array, mm
        By limb, not low-passed; Z up.
    fps : float
    body : (n_frames, 3) array, mm, optional
        A point of the trunk; by default the middle of the paws, which is known where all of them are seen.
    start : int
        Index of the first frame in the recording.
    settings : FootfallSettings, optional

    Returns
    -------
    LimbEvents
        None while the animal stands, at the ends of the data, and where points are missing. On a treadmill, against
        the belt.

    Raises
    ------
    DataError
        If there are fewer than two paws.
    """
    settings = settings or FootfallSettings()
    if len(paws) < 2:
        raise DataError("footfalls need two limbs at least, each with a point of its paw")
    stack = np.stack(list(paws.values()))
    middle = stack.mean(0)
    trunk = middle if body is None else body
    belt = belt_velocity(paws, paws, trunk, fps=fps)
    drift = np.append(belt, 0.0) * (np.arange(len(trunk)) / fps)[:, None]
    _, speed = local_heading(trunk - drift, fps=fps, window_s=settings.window_s)
    away = np.linalg.norm(stack - middle, axis=-1)
    if not (np.isfinite(away).any() and np.isfinite(speed).any()):
        return LimbEvents.from_times([])
    walks = np.asarray(speed > settings.least_speed * np.sqrt(np.nanmean(away**2)))
    smooth = max(settings.smooth_s * fps, _LEAST_FRAMES)
    found: dict[str, tuple[FloatArray, FloatArray]] = {}
    ahead, after, stances = [], [], []
    for limb, paw in paws.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            squared = _squared_speed(paw - drift, fps, smooth) / speed**2
            fast = np.sqrt(squared)
            strikes, offs = _swings(fast - settings.edge_speed, (fast > settings.swing_speed) & walks)
        strikes, offs = _lasting(strikes, offs, settings.least_s * fps)
        found[limb] = strikes, offs
        stances.append(_next(offs, strikes) - strikes)
        ahead.append((squared, offs))
        after.append((squared[::-1], len(squared) - 1 - strikes))
    lasting = np.concatenate(stances)
    lasting = lasting[np.isfinite(lasting)]
    reach = _LOOK * float(np.median(lasting)) if len(lasting) else 0.0
    before, since = (_rest_before(rises, reach, smooth) for rises in (ahead, after))
    times = []
    for limb, (strikes, offs) in found.items():
        times += [(limb, STRIKE, (strikes + since + start) / fps), (limb, OFF, (offs - before + start) / fps)]
    return LimbEvents.from_times(times)


def _squared_speed(paw: FloatArray, fps: float, smooth: float) -> FloatArray:
    """Return the square of the speed, smoothed by a Gaussian: it does not ring, which would look like a motion."""
    known = np.isfinite(paw).all(-1)
    if known.sum() < 3:
        return np.full(len(paw), np.nan)
    rows = np.flatnonzero(known)
    frames = np.arange(len(paw))
    whole = np.stack([np.interp(frames, rows, axis) for axis in paw[rows].T], axis=-1)
    velocity = gaussian_filter1d(whole, smooth, axis=0, order=1, mode="nearest") * fps
    return np.where(known, (velocity**2).sum(-1), np.nan)


def _swings(over: FloatArray, core: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the frames at which a signal falls below zero after, and rises above it before, each run of the core.

    Swings that an end of the data or a gap cuts have only the one or the other.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], core.astype(np.int8), [0]]))).astype(np.float64)
    first, last = edges[::2], edges[1::2] - 1.0
    strikes = _unbroken(_next(_passes(over, rising=False), last), last, over)
    return strikes, _unbroken(_last(_passes(over, rising=True), first), first, over)


def _unbroken(places: FloatArray, cores: FloatArray, signal: FloatArray) -> FloatArray:
    """Return the different places between which and the swing's core no frame is missing."""
    known = np.isfinite(places)
    places, cores = places[known], cores[known]
    gaps = np.append(0, np.cumsum(~np.isfinite(signal)))
    here = np.floor(np.minimum(places, cores)).astype(np.int64)
    there = np.ceil(np.maximum(places, cores)).astype(np.int64)
    return np.asarray(np.unique(places[gaps[here] == gaps[there]]), dtype=np.float64)


def _passes(above: FloatArray, *, rising: bool) -> FloatArray:
    """Return where, between frames, a signal becomes positive, or ceases to be."""
    signal = above if rising else -above
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero((signal[:-1] < 0) & (signal[1:] >= 0))
    return np.asarray(rows + signal[rows] / (signal[rows] - signal[rows + 1]))


def _last(places: FloatArray, before: FloatArray) -> FloatArray:
    return np.append(np.nan, places)[np.searchsorted(places, before, side="right")]


def _next(places: FloatArray, after: FloatArray) -> FloatArray:
    return np.append(places, np.nan)[np.searchsorted(places, after, side="left")]


def _rest_before(rises: Sequence[tuple[FloatArray, FloatArray]], reach: float, smooth: float) -> float:
    """Return how many frames before its speed rises through a level a paw has begun to move.

    Parameters
    ----------
    rises : sequence of ((n_frames,) array, (n,) array)
        Of each limb: the square of the speed, as a part of the body's, and where it rises, frames.
    reach : float, frames
        How far back the paws are looked at.
    smooth : float, frames

    Notes
    -----
    The mean over all steps of the squared speed is fitted by what begins to move at one instant: a jump, and growths
    with the time and with its square, none of them negative, on the power of noise.
    """
    time = np.arange(-reach, 3 * smooth, _GRID)
    values = np.concatenate([_at(squared, places[:, None] + time) for squared, places in rises])
    if not len(values) or reach < _LEAST_REACH:
        return 0.0
    seen = np.isfinite(values)
    count = seen.sum(0)
    if not count.all():
        return 0.0
    mean = np.where(seen, values, 0.0).sum(0) / count
    first = np.arange(-0.75 * reach, smooth, _GRID)
    grown = (time - first[:, None]) / smooth
    parts = np.stack([np.interp(grown, *table) ** 2 for table in _growths()], axis=-1)
    parts = np.concatenate([np.ones((*grown.shape, 1)), parts], axis=-1)
    weight = 1 / (np.median(mean[time < -0.6 * reach]) + 0.02 + mean)
    used = mean <= _FITTED**2
    weight = np.where(np.cumsum(~used) == 0, weight, 0.0)
    return -float(first[_residuals(parts, mean, weight**2).argmin()])


def _residuals(parts: FloatArray, values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the squared residuals of fits by the first part and any of the others, none of them negative.

    Parameters
    ----------
    parts : (n_fits, n, n_parts) array
    values, weight : (n,) array
    """
    n = parts.shape[-1]
    scale = np.sqrt((weight[:, None] * parts**2).sum(-2))[:, None] + 1e-12
    scaled = parts / scale
    best = np.full(len(parts), np.inf)
    for chosen in range(2 ** (n - 1)):  # eight
        columns = [0, *(k for k in range(1, n) if chosen >> (k - 1) & 1)]
        own = scaled[..., columns]
        normal = np.einsum("fna,n,fnb->fab", own, weight, own) + 1e-9 * np.eye(len(columns))
        right = np.einsum("fna,n,n->fa", own, weight, values)
        size = np.linalg.solve(normal, right[..., None])[..., 0]
        away = values - np.einsum("fna,fa->fn", own, size)
        residual = (weight * away**2).sum(-1)
        best = np.minimum(best, np.where((size >= 0).all(-1), residual, np.inf))
    return best


def _at(values: FloatArray, frames: FloatArray) -> FloatArray:
    inside = (frames >= 0) & (frames <= len(values) - 1)
    below = np.clip(np.floor(frames), 0, len(values) - 2).astype(np.int64)
    part = frames - below
    return np.where(inside, (1 - part) * values[below] + part * values[below + 1], np.nan)


@cache
def _growths() -> tuple[tuple[FloatArray, FloatArray], ...]:
    """Tabulate a jump, and growths with the time and its square, seen through a Gaussian of unit SD."""
    time = np.concatenate([np.linspace(-6, 8, 281), np.geomspace(8.1, 1000, 100)])
    below, density = ndtr(time), np.exp(-(time**2) / 2) / np.sqrt(2 * np.pi)
    powers = (below, time * below + density, (time**2 + 1) * below + time * density)
    return tuple((time, power) for power in powers)


def _lasting(strikes: FloatArray, offs: FloatArray, least: float) -> tuple[FloatArray, FloatArray]:
    """Take out stances and swings that are too short to be some."""
    frames = np.concatenate([strikes, offs])
    kind = np.concatenate([np.zeros(len(strikes), dtype=np.bool_), np.ones(len(offs), dtype=np.bool_)])
    order = np.argsort(frames, kind="stable")
    short: IntArray = np.flatnonzero((np.diff(frames[order]) < least) & np.diff(kind[order]))
    keep = np.ones(len(frames), dtype=np.bool_)
    keep[order[short]] = keep[order[short + 1]] = False
    return frames[keep & ~kind], frames[keep & kind]
