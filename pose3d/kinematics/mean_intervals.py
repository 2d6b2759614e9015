"""Intervals of means over repetitions: how much these differ, and what the measurement leaves uncertain, in one."""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.changes import t_quantile

__all__ = ["mean_interval", "unpaired_interval"]


def _variances(values: FloatArray, samples: FloatArray | None) -> tuple[float, float]:
    """Return the variance between repetitions that is the person's own, and that of the mean by the measurement."""
    n = len(values)
    between = float(values.var(ddof=1)) if n > 1 else 0.0
    if samples is None or len(samples) < 2:
        return between, 0.0
    away = samples - values
    within = float(np.nanmean(np.nanvar(away, axis=1, ddof=1))) if n > 1 else 0.0
    return max(between - within, 0.0), float(np.nanvar(np.nanmean(samples, axis=1), ddof=1))


def mean_interval(values: FloatArray, samples: FloatArray | None) -> tuple[float, float, float, float]:
    """Return mean, SD and the 95 % interval of the mean of repetitions.

    Of repetitions that differ, the mean is uncertain by Student's t; of each repetition, by the measurement. What the
    measurement adds from one repetition to the next is in both, and counted once: the variance between repetitions is
    lessened by it.

    Parameters
    ----------
    values : (n,) array
        NaN in repetitions that have none.
    samples : (n_samples, n) array or None
        The same on posterior samples.

    Returns
    -------
    mean, sd, low, high : float
        SD with n - 1. NaN where too few repetitions tell: one without samples has no interval.
    """
    known = np.isfinite(values)
    own = values[known]
    n = len(own)
    if not n:
        return (float("nan"),) * 4
    mean, sd = float(own.mean()), float(own.std(ddof=1)) if n > 1 else float("nan")
    many = None if samples is None else samples[:, known]
    person, measured = _variances(own, many)
    if n == 1:
        reach = 1.96 * np.sqrt(measured) if measured > 0 else np.nan
    else:
        reach = float(t_quantile(n - 1)) * np.sqrt(person / n + measured)
    return mean, sd, mean - float(reach), mean + float(reach)


def unpaired_interval(
    left: tuple[FloatArray, FloatArray | None], right: tuple[FloatArray, FloatArray | None]
) -> tuple[float, float, float]:
    """Return the difference of means, left minus right, and its 95 % interval.

    Parameters
    ----------
    left, right : (values, samples)
        As those of :func:`mean_interval`; of each side its own repetitions.

    Returns
    -------
    difference, low, high : float

    References
    ----------
    Welch (1947), Biometrika 34:28 (unequal variances and numbers).
    """
    means, terms, free = [], [], []
    drawn = []
    for values, samples in (left, right):
        known = np.isfinite(values)
        own = values[known]
        if not len(own):
            return (float("nan"),) * 3
        many = None if samples is None else samples[:, known]
        person, _ = _variances(own, many)
        means.append(float(own.mean()))
        terms.append(person / len(own))
        free.append(len(own) - 1)
        drawn.append(None if many is None else np.nanmean(many, axis=1))
    difference = means[0] - means[1]
    a, b = drawn
    measured = float(np.nanvar(a - b, ddof=1)) if a is not None and b is not None and len(a) > 1 else 0.0
    if min(free) < 1:
        reach = 1.96 * np.sqrt(measured) if measured > 0 and max(free) < 1 else np.nan
        return difference, difference - float(reach), difference + float(reach)
    total = sum(terms)
    freedom = total**2 / sum(term**2 / n for term, n in zip(terms, free, strict=True)) if total > 0 else min(free)
    reach = float(t_quantile(freedom)) * np.sqrt(total + measured)
    return difference, difference - float(reach), difference + float(reach)
