"""Numbers that every cycle of an angle has: its extremes, and its values at events."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pose3d.geometry.arrays import FloatArray

__all__ = ["PEAKS", "Peak", "cycle_peaks"]


@dataclass(frozen=True)
class Peak:
    """A number that every cycle of an angle has.

    Attributes
    ----------
    name : str
    definition : str
    compute : callable
        ``(cycles (..., n_cycles, 101) deg, foot_off (..., n_cycles) percent) -> (..., n_cycles)``.
    unit : str
    extreme : bool
        Noise makes it larger.
    least : float
        What it cannot lie below.
    """

    name: str
    definition: str
    compute: Callable[[FloatArray, FloatArray], FloatArray] = field(repr=False)
    unit: str = "deg"
    extreme: bool = False
    least: float = -np.inf


def _whole(reduce: Callable[[FloatArray], FloatArray]) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Leave out cycles with gaps: an extreme of half a cycle is none of the cycle."""

    def compute(cycles: FloatArray, _: FloatArray) -> FloatArray:
        return np.asarray(np.where(np.isfinite(cycles).all(-1), reduce(cycles), np.nan))

    return compute


def _at_off(cycles: FloatArray, foot_off: FloatArray) -> FloatArray:
    place = np.clip(np.nan_to_num(foot_off), 0, 100) / 100 * (cycles.shape[-1] - 1)
    below = np.broadcast_to(place.astype(np.int64), cycles.shape[:-1])[..., None]
    part = place - place.astype(np.int64)
    first = np.take_along_axis(cycles, below, -1)[..., 0]
    second = np.take_along_axis(cycles, np.minimum(below + 1, cycles.shape[-1] - 1), -1)[..., 0]
    return np.asarray(np.where(np.isfinite(foot_off), first + part * (second - first), np.nan))


def _percent(cycles: FloatArray) -> FloatArray:
    return np.asarray(100.0 * np.nan_to_num(cycles, nan=-np.inf).argmax(-1) / (cycles.shape[-1] - 1))


PEAKS: tuple[Peak, ...] = (
    Peak(
        "range", "largest minus smallest of the cycle", _whole(lambda c: c.max(-1) - c.min(-1)), extreme=True, least=0.0
    ),
    Peak("maximum", "largest of the cycle", _whole(lambda c: c.max(-1)), extreme=True),
    Peak("minimum", "smallest of the cycle", _whole(lambda c: c.min(-1)), extreme=True),
    Peak("at_strike", "at the strike of the own foot", lambda c, _: c[..., 0]),
    Peak("at_off", "at the own foot's off", _at_off),
    Peak("maximum_at", "when the maximum is reached", _whole(_percent), unit="%"),
)
"""What is told of every curve, in this order."""


def cycle_peaks(cycles: FloatArray, foot_off: FloatArray) -> dict[str, FloatArray]:
    """Return the numbers of every cycle.

    Parameters
    ----------
    cycles : (..., n_cycles, 101) array, degrees
        Leading axes (samples) are free.
    foot_off : (..., n_cycles) array, %
        When the own foot leaves the ground.

    Returns
    -------
    dict of str to (..., n_cycles) array
        By :data:`PEAKS`; NaN where the cycle has a gap that matters.
    """
    return {peak.name: peak.compute(cycles, foot_off) for peak in PEAKS}
