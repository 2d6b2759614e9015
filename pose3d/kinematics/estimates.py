"""Numbers with their intervals, made in one way everywhere: from the same number computed on every posterior sample."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.samples import interval
from pose3d.geometry.arrays import FloatArray, frozen_array

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True, eq=False, repr=False)
class Estimate:
    """What was measured, and between which bounds the truth lies.

    Attributes
    ----------
    value : (...) array
        Computed on the points themselves.
    low, high : (...) array
        Ends of the interval; NaN where nothing is known of the uncertainty. Of an extreme the value itself may lie
        above: noise has made it too large, and the interval says so.
    sd : (...) array
        Standard deviation over the samples (n - 1).
    level : float
        Probability with which the truth lies between the ends.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    sd: FloatArray
    level: float = 0.95

    def __post_init__(self) -> None:
        put = object.__setattr__
        shape = np.shape(self.value)
        for name in ("value", "low", "high", "sd"):
            put(self, name, frozen_array(getattr(self, name), shape=shape, what=name))
        if not 0 < self.level < 1:
            raise ValueError(f"level {self.level} must lie between 0 and 1")

    def __repr__(self) -> str:
        if self.value.size == 1:
            value, low, high = (float(part.reshape(())) for part in (self.value, self.low, self.high))
            return f"Estimate({value:.4g}, {100 * self.level:g} % {low:.4g} to {high:.4g})"
        return f"Estimate({self.value.shape}, {100 * self.level:g} %)"

    def __getitem__(self, index: Any) -> "Estimate":
        """Return a part of it, as of an array."""
        return Estimate(self.value[index], self.low[index], self.high[index], self.sd[index], self.level)

    @property
    def is_known(self) -> bool:
        """Whether any value has an interval."""
        return bool(np.isfinite(self.low).any())


def estimate(
    values: ArrayLike,
    samples: ArrayLike | None = None,
    *,
    extreme: bool = False,
    unsigned: bool = False,
    least: float = -np.inf,
    most: float = np.inf,
    level: float = 0.95,
) -> Estimate:
    """Make an interval out of samples.

    Parameters
    ----------
    values : (...) array
        Computed on the points.
    samples : (n_samples, ...) array, optional
        The same computed on every sample; NaN in samples that have no such value. None where there are no samples.
    extreme : bool
        Whether this is a peak, a range of motion or another extreme over time. Noise only ever makes these larger, in
        every sample once more than in the points: their interval is reflected at the value.
    unsigned : bool
        Whether this is a size that has no sign, such as the bend of an elbow or a distance. Near zero noise can only
        make it larger, its square by the noise's variance: that is taken off twice, for the points and the samples.
    least, most : float
        What the quantity cannot lie beyond; intervals end there.
    level : float

    Returns
    -------
    Estimate
        NaN where the value is; intervals also where too few samples have one, which are 39 for 95 %.

    References
    ----------
    Davison & Hinkley (1997), Bootstrap methods and their application, section 5.2.1 (the reflected interval).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> knee = np.sin(np.linspace(0, 6, 100))
    >>> many = knee + rng.normal(0, 0.05, (200, 100))
    >>> estimate(knee.max(), many.max(axis=1), extreme=True)
    Estimate(1, 95 % 0.8779 to 0.9861)
    """
    value = np.asarray(values, dtype=np.float64)
    if samples is None:
        nothing = np.full(value.shape, np.nan)
        return Estimate(value, nothing, nothing, nothing, level)
    drawn = np.asarray(samples, dtype=np.float64)
    if drawn.shape[1:] != value.shape or not drawn.ndim:
        raise ValueError(f"samples {drawn.shape} must be (n_samples, {', '.join(map(str, value.shape))})")
    drawn = np.where(np.isfinite(value), drawn, np.nan)
    centred = _without_noise(value, drawn) if unsigned else drawn
    low, high = interval(centred, level, estimate=value if extreme else None)
    known = np.isfinite(drawn)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, drawn, 0.0).sum(0) / count
        squares = (np.where(known, drawn - mean, 0.0) ** 2).sum(0)
        sd = np.where(count > 1, np.sqrt(squares / (count - 1)), np.nan)
    return Estimate(value, np.clip(low, least, most), np.clip(high, least, most), sd, level)


def _without_noise(value: FloatArray, drawn: FloatArray) -> FloatArray:
    """Take off the squares of samples of a size what noise has added to them, and to the value."""
    squares = drawn**2
    known = np.isfinite(squares)
    with np.errstate(invalid="ignore", divide="ignore"):
        added = np.where(known, squares, 0.0).sum(0) / known.sum(0) - value**2
    return np.asarray(np.sqrt(np.maximum(squares - 2 * np.maximum(added, 0.0), 0.0)))
