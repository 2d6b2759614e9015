"""How alike two sides are, and how alike repeated cycles: for numbers, and for whole cycles of an angle.

Ratios and indices are for numbers that are positive by nature (a step's length, a stance's time). An angle has an
arbitrary zero, near which they become as large as one likes: of angles take differences and the measures of waveforms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import FloatArray

__all__ = [
    "WaveformSymmetry",
    "coefficient_of_multiple_correlation",
    "symmetry_angle",
    "symmetry_index",
    "symmetry_ratio",
    "waveform_symmetry",
]


def symmetry_index(left: ArrayLike, right: ArrayLike) -> FloatArray:
    """Return 100 (right - left) / mean of both, %.

    Parameters
    ----------
    left, right : (...) array
        Positive.

    Returns
    -------
    (...) array, %
        -200 to 200, positive where the right is larger; NaN where one is not positive.

    References
    ----------
    Robinson, Herzog, Nigg (1987), J. Manipulative Physiol. Ther. 10:172; that it has artificial extremes near zero:
    doi.org/10.1186/s13102-021-00355-4, equation 1.

    Examples
    --------
    >>> round(float(symmetry_index(0.9, 1.1)), 6)
    20.0
    """
    a, b = _positive(left, right)
    return np.asarray(100 * (b - a) / (0.5 * (a + b)))


def symmetry_angle(left: ArrayLike, right: ArrayLike) -> FloatArray:
    """Return 100 (45 degrees - arctan(left / right)) / 90 degrees, %.

    Parameters
    ----------
    left, right : (...) array
        Positive.

    Returns
    -------
    (...) array, %
        -50 to 50, positive where the right is larger; NaN where one is not positive.

    Notes
    -----
    The formula is as others cite it (45 degrees and 90 degrees; of numbers of either sign 200 % is taken off above
    100 %, which positive numbers never reach). Programs that divide by 45 degrees give twice as much.

    References
    ----------
    Zifchock, Davis, Higginson, Royer (2008), The symmetry angle, Gait & Posture 27:622.

    Examples
    --------
    >>> round(float(symmetry_angle(1.0, 2.0)), 2)
    20.48
    """
    a, b = _positive(left, right)
    return np.asarray(100 * (45 - np.degrees(np.arctan2(a, b))) / 90)


def symmetry_ratio(left: ArrayLike, right: ArrayLike) -> FloatArray:
    """Return right / left of positive numbers (...); NaN where one is not positive."""
    a, b = _positive(left, right)
    return np.asarray(b / a)


def _positive(*values: ArrayLike) -> list[FloatArray]:
    arrays = [np.asarray(value, dtype=np.float64) for value in values]
    return [np.where(array > 0, array, np.nan) for array in arrays]


class WaveformSymmetry(NamedTuple):
    """How a cycle of the right differs from that of the left.

    Attributes
    ----------
    difference : (...) array
        Mean of right - left, in the unit of the signal.
    rmsd : (...) array
        Root mean square of right - left.
    lag_percent : (...) array, %
        By how much of the cycle the right comes later, between -50 and 50, where the two are most alike.
    correlation : (...) array
        At that lag; 1 where the shapes are the same.
    """

    difference: FloatArray
    rmsd: FloatArray
    lag_percent: FloatArray
    correlation: FloatArray


def waveform_symmetry(left: FloatArray, right: FloatArray) -> WaveformSymmetry:
    """Compare mean cycles of both sides, each from its own strike to its next.

    Parameters
    ----------
    left, right : (..., n) array
        From 0 to 100 % of the cycle; both ends count.

    Returns
    -------
    WaveformSymmetry
        NaN where a cycle has a gap; no lag and correlation of a cycle that does not move.

    Notes
    -----
    The cross-correlation is circular, as a cycle follows on another, and the lag lies between the instants, by the
    parabola through the best one and its neighbours.
    """
    left, right = np.broadcast_arrays(np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64))
    away = right - left
    a, b = left[..., :-1], right[..., :-1]
    n = a.shape[-1]
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    size = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))[..., None]
    product = np.fft.irfft(np.conj(np.fft.rfft(a)) * np.fft.rfft(b), n=n)
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = product / np.where(size > 1e-9 * n, size, np.nan)
        best = np.nan_to_num(alike, nan=-np.inf).argmax(-1)[..., None]
        low, top, high = (np.take_along_axis(alike, (best + shift) % n, -1)[..., 0] for shift in (-1, 0, 1))
        curve = low - 2 * top + high
        part = np.where(curve < 0, 0.5 * (low - high) / curve, 0.0)
    lag = (best[..., 0] + part + n / 2) % n - n / 2
    known = np.isfinite(top)
    return WaveformSymmetry(
        away.mean(-1), np.sqrt((away**2).mean(-1)), np.where(known, 100 * lag / n, np.nan), np.where(known, top, np.nan)
    )


def coefficient_of_multiple_correlation(cycles: FloatArray) -> FloatArray:
    """Return how alike several cycles are: 1 for equal ones, near 0 where they differ as much as they move.

    Parameters
    ----------
    cycles : (..., n_cycles, n) array
        Of one signal; cycles with a gap are left out.

    Returns
    -------
    (...) array
        NaN of fewer than two cycles, and where the cycles differ by more than they move (the root of a negative
        number, which happens where the range of motion is small: low repeatability, not an error).

    References
    ----------
    Kadaba et al. (1989), Repeatability of kinematic, kinetic, and electromyographic data in normal adult gait,
    J. Orthop. Res. 7:849 (the within-day one).
    """
    whole = np.asarray(np.isfinite(cycles).all(-1))
    n, length = np.asarray(whole.sum(-1)), cycles.shape[-1]
    values = np.where(whole[..., None], cycles, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = values.sum(-2) / n[..., None]
        grand = mean.mean(-1)
        within = np.where(whole[..., None], values - mean[..., None, :], 0.0) ** 2
        total = np.where(whole[..., None], values - grand[..., None, None], 0.0) ** 2
        ratio = (within.sum((-2, -1)) / (length * (n - 1))) / (total.sum((-2, -1)) / (n * length - 1))
        return np.asarray(np.sqrt(np.where((n > 1) & (ratio <= 1), 1 - ratio, np.nan)))
