"""Gait cycles: signals from strike to strike on a scale of 0 to 100 %, their mean and spread, and what stands out."""

from dataclasses import dataclass

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["CycleSummary", "at_frames", "at_own_frames", "cut_cycles", "outlying_cycles", "summarize_cycles"]

_MAD_TO_SD = 1.4826
_NEAR_FRAME = 1e-3


def at_frames(values: FloatArray, frames: FloatArray) -> FloatArray:
    """Return values between frames, linearly.

    Parameters
    ----------
    values : (..., n_frames) array
    frames : array
        Fractional, from the first one of `values`. Files write times with few digits: what is a frame within a
        thousandth is that frame, whatever its neighbours.

    Returns
    -------
    (..., *frames.shape) array
        NaN beyond the data, and where one of the neighbours is missing.
    """
    n = values.shape[-1]
    below, part = _places(frames, n)
    first, second = values[..., below], values[..., np.minimum(below + 1, n - 1)]
    return np.where(part == 0, first, first + part * (second - first))


def at_own_frames(values: FloatArray, frames: FloatArray) -> FloatArray:
    """Return values between frames where each sample has instants of its own; otherwise as :func:`at_frames`.

    Parameters
    ----------
    values : (n_samples, ..., n_frames) array
    frames : (n_samples, *any) array

    Returns
    -------
    (n_samples, ..., *any) array
    """
    n = values.shape[-1]
    below, part = _places(frames, n)
    shape = (*values.shape[:-1], *frames.shape[1:])
    between = (1,) * (values.ndim - 2)
    below, part = below.reshape(len(frames), *between, -1), part.reshape(len(frames), *between, -1)
    first, second = (np.take_along_axis(values, at, axis=-1) for at in (below, np.minimum(below + 1, n - 1)))
    return np.where(part == 0, first, first + part * (second - first)).reshape(shape)


def _places(frames: FloatArray, n: int) -> tuple[IntArray, FloatArray]:
    """Return the frame before each place, and how far beyond it the place lies; NaN outside of `n` frames."""
    frames = np.where(np.abs(frames - np.round(frames)) < _NEAR_FRAME, np.round(frames), frames)
    inside = (frames >= 0) & (frames <= n - 1)
    below = np.where(inside, np.floor(np.where(inside, frames, 0.0)), 0).astype(np.int64)
    return below, np.where(inside, frames - below, np.nan)


def cut_cycles(
    values: FloatArray, start_s: FloatArray, end_s: FloatArray, *, fps: float, start: int = 0, n: int = 101
) -> FloatArray:
    """Cut a signal into cycles of equal length.

    Parameters
    ----------
    values : (..., n_frames) array
        Leading axes (angles, samples) are free. Angles that pass +-180 degrees must be unwrapped.
    start_s, end_s : (n_cycles,) array, s
        Both ends count. Or (n_samples, n_cycles), where each sample, the first axis of `values`, has its own.
    fps : float
    start : int
        Index of the first frame in the recording.
    n : int
        Instants of a cycle.

    Returns
    -------
    (..., n_cycles, n) array
    """
    share = np.linspace(0.0, 1.0, n)
    frames = (start_s[..., None] + (end_s - start_s)[..., None] * share) * fps - start
    return at_frames(values, frames) if start_s.ndim == 1 else at_own_frames(values, frames)


@dataclass(frozen=True, eq=False)
class CycleSummary:
    """What several cycles have in common.

    Attributes
    ----------
    mean, sd : (..., n) array
        SD with n - 1 in the denominator; NaN for fewer than two cycles.
    n_cycles : (..., n) int array
        Cycles that have a value there.
    mean_sd : (...) array
        Mean of `sd` over the cycle: the variability of a waveform, which has no meaningful coefficient of variation.
    """

    mean: FloatArray
    sd: FloatArray
    n_cycles: FloatArray
    mean_sd: FloatArray


def summarize_cycles(cycles: FloatArray) -> CycleSummary:
    """Return mean and SD over cycles.

    Parameters
    ----------
    cycles : (..., n_cycles, n) array
        NaN where missing; left out.
    """
    known = np.isfinite(cycles)
    count = known.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, cycles, 0.0).sum(-2) / count
        squares = np.where(known, cycles - mean[..., None, :], 0.0) ** 2
        sd = np.sqrt(squares.sum(-2) / (count - 1))
    sd = np.where(count > 1, sd, np.nan)
    return CycleSummary(mean, sd, count.astype(np.float64), sd.mean(-1))


def outlying_cycles(cycles: FloatArray, *, limit: float = 3.0, least: float = 1.0) -> BoolArray:
    """Tell which cycles are unlike the others.

    Parameters
    ----------
    cycles : (n_cycles, n) array
        Of one signal.
    limit : float
        Robust standard deviations (of the median absolute deviation) that a cycle may lie farther from the median cycle
        than cycles usually do.
    least : float
        In the unit of the signal: what is nearer than that is never called unlike.

    Returns
    -------
    (n_cycles,) bool array
        With fewer than four cycles nothing stands out. Cycles without data do not.
    """
    if np.isfinite(cycles).any(-1).sum() < 4:
        return np.zeros(len(cycles), dtype=np.bool_)
    known = np.isfinite(cycles)
    filled = np.where(known.any(0), cycles, 0.0)
    away = cycles - np.nanmedian(filled, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.sqrt((np.where(known, away, 0.0) ** 2).sum(-1) / known.sum(-1))
    usual = np.nanmedian(distance)
    spread = _MAD_TO_SD * np.nanmedian(np.abs(distance - usual))
    return np.asarray(np.nan_to_num(distance) > np.maximum(usual + limit * spread, least))
