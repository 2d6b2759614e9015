"""What a score is worth: the probability that a keypoint lies where the network says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.network.decoding import score_of

__all__ = ["Reliability", "fit_temperature", "measure_reliability"]

_RANGE = (0.05, 50.0)
_GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often keypoints of each score are right.

    Attributes
    ----------
    score : (n_bins,) array
        Mean score in each bin; NaN in empty ones.
    right : (n_bins,) array
        Share of the bin's keypoints that lie within the tolerance.
    n : (n_bins,) int array
    tolerance_px : float
    expected_error : float
        Mean distance of score and share over the bins, weighted by their numbers (expected calibration error).
    """

    score: FloatArray
    right: FloatArray
    n: IntArray
    tolerance_px: float
    expected_error: float


def fit_temperature(score: ArrayLike, error_px: ArrayLike, *, tolerance_px: float) -> float:
    """Find the temperature that makes scores probabilities to be right.

    A score ``1 / (1 + exp(-logit))`` becomes ``1 / (1 + exp(-logit / temperature))``. The temperature is the one at
    which what happened is likeliest, with one keypoint right and one wrong added, so that a few keypoints that happen
    to be all right do not make scores of one.

    Parameters
    ----------
    score : (...) array, 0..1
        At a temperature of 1.
    error_px : (...) array, px
        Distance to the label; inf where the keypoint is not in the image, NaN where there is no label.
    tolerance_px : float
        A keypoint that is not farther from its label is right.

    Returns
    -------
    float
        Between 0.05 and 50; 1 where there are no labels.

    References
    ----------
    Guo et al. 2017, On calibration of modern neural networks, section 4.2; Platt 1999, Probabilistic outputs for
    support vector machines, section 2.2, for the added ones.
    """
    score, right = _known(score, error_px, tolerance_px)
    if not len(score):
        return 1.0
    # A score of exactly 0 or 1 is one whose logit was rounded.
    score = score.clip(1e-9, 1 - 1e-9)
    logit = np.log(score) - np.log1p(-score)
    wanted = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    def cost(log_temperature: float) -> float:
        scaled = logit / np.exp(log_temperature)
        return float((np.logaddexp(0, scaled) - wanted * scaled).mean())

    # The cost is convex in 1 / temperature, so it has one minimum along any monotone function of it.
    low, high = np.log(_RANGE)
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_a, at_b = cost(a), cost(b)
    while high - low > 1e-6:
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - _GOLDEN * (high - low)
            at_a = cost(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + _GOLDEN * (high - low)
            at_b = cost(b)
    return float(np.exp((low + high) / 2))


def measure_reliability(
    score: ArrayLike, error_px: ArrayLike, *, tolerance_px: float, temperature: float = 1.0, n_bins: int = 10
) -> Reliability:
    """Compare scores with how often they are right.

    Parameters
    ----------
    score : (...) array, 0..1
    error_px : (...) array, px
        As for :func:`fit_temperature`.
    tolerance_px : float
    temperature : float, optional
        Applied to the scores first.
    n_bins : int, optional
        Of equal width between 0 and 1.
    """
    score, right = _known(score, error_px, tolerance_px)
    if temperature != 1:
        inner = score.clip(1e-9, 1 - 1e-9)
        score = score_of(np.log(inner) - np.log1p(-inner), temperature)
    at = np.minimum((score * n_bins).astype(np.int64), n_bins - 1)
    n = np.bincount(at, minlength=n_bins)
    some = np.maximum(n, 1)
    mean = np.where(n > 0, np.bincount(at, score, n_bins) / some, np.nan)
    share = np.where(n > 0, np.bincount(at, right, n_bins) / some, np.nan)
    expected = float(np.nansum(n * np.abs(mean - share)) / max(n.sum(), 1)) if n.any() else np.nan
    return Reliability(mean, share, n, tolerance_px, expected)


def _known(score: ArrayLike, error_px: ArrayLike, tolerance_px: float) -> tuple[FloatArray, BoolArray]:
    """Return the scores of keypoints of which it is known where they are, and whether they are right."""
    score, error = np.asarray(score, dtype=np.float64), np.asarray(error_px, dtype=np.float64)
    if score.shape != error.shape:
        raise ValueError(f"{score.shape} scores do not fit {error.shape} errors")
    if not tolerance_px > 0:
        raise ValueError("the tolerance is positive")
    known = np.isfinite(score) & ~np.isnan(error)
    return score[known], error[known] <= tolerance_px
