"""What a network's score says about the error of its detections, learnt from the detections themselves."""

from typing import Any

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.reconstruction.points.chunks import learn_noise, resolve_chunk
from pose3d.reconstruction.points.likelihood import leverage
from pose3d.reconstruction.points.views import Lenses, fit

__all__ = ["learn_score_power"]

_SAMPLE = 600  # points
_ENOUGH = 300  # views whose fit can tell
_BINS = 8
_MOST = 4.0
_CUSTOMARY = 2.0  # of a direct linear transform whose rows are weighted by scores
_ROUNDS = 4
_LEAST_LEFT = 0.05
_SURE = 3.0  # standard errors


def learn_score_power(lenses: Lenses, pixels: FloatArray, usable: FloatArray, score: FloatArray) -> float:
    """Return the power of the score with which the precision of detections grows.

    Scores of some networks tell how exact a detection is, those of others say nothing, and weighting by these makes
    points worse. Detections are sorted by score, and the scale of their errors against points that three views or more
    make is compared between the sorts.

    Parameters
    ----------
    lenses : Lenses
    pixels : (n_frames, n_cameras, ..., 2) array, px
        Of any frames of the recording.
    usable : (n_frames, n_cameras, ...) array
        1 for detections that count, 0 for others.
    score : (n_frames, n_cameras, ...) array, 0..1
        NaN for detections without a score.

    Returns
    -------
    float
        0 if scores say nothing, otherwise 2: a standard deviation in inverse proportion to the score, as a direct
        linear transform with rows weighted by scores assumes.
    """
    chosen = np.flatnonzero(((usable > 0) & np.isfinite(score)).sum(1).reshape(-1) >= 3)
    if len(chosen) > _SAMPLE:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _SAMPLE).astype(np.int64)]
    frame, *rest = np.unravel_index(chosen, (usable.shape[0], *usable.shape[2:]))
    index: tuple[Any, ...] = (frame, slice(None), *rest)
    views, own = usable[index], np.clip(np.nan_to_num(score[index], nan=1.0), 1e-3, 1.0)
    here = pixels[index]
    seen = own[views > 0]
    if len(seen) < _ENOUGH or np.log(np.quantile(seen, 0.95) / np.quantile(seen, 0.05)) < 0.1:
        return 0.0
    power = 0.0
    for _round in range(_ROUNDS):
        weight = views * own**power
        weight /= weight[views > 0].mean()
        noise = learn_noise(lenses, here, weight)
        found = resolve_chunk(
            lenses, np.ascontiguousarray(np.moveaxis(here, 1, 0)), weight.T, noise.noise_px, noise.threshold_px
        )
        precision = np.where(found.used, found.views.weight / noise.noise_px[:, None] ** 2, 0.0)
        at = fit(lenses, found.views, np.ascontiguousarray((found.xyz - lenses.origin).T))
        left = 1 - leverage(lenses, found.views, precision, at)  # of each error, after the fit
        told = found.used & (found.used.sum(0) >= 3) & (left > _LEAST_LEFT)
        error = (found.residual_px * np.sqrt(precision))[told] / np.sqrt(left[told])
        slope, doubt = _slope(np.log(own.T[told]), error)
        if abs(slope) < _SURE * doubt:
            break
        power = float(np.clip(power - 2 * slope, 0.0, _MOST))
    # Errors of the calibration are in all sorts alike, and the power itself is found too low or, where an outlier's
    # score is low, too high: what is found decides only whether scores count.
    return _CUSTOMARY if power > 0 else 0.0


def _slope(log_score: FloatArray, error: FloatArray) -> tuple[float, float]:
    """Return by how much the logarithm of the errors' scale changes with that of the score, and its standard error."""
    if len(error) < _ENOUGH:
        return 0.0, 1.0
    bins = np.array_split(np.argsort(log_score, kind="stable"), _BINS)
    at = np.array([log_score[members].mean() for members in bins])
    scale = np.log([max(float(np.median(error[members])), 1e-6) for members in bins])
    count = np.array([len(members) for members in bins], dtype=np.float64)
    middle = (count * at).sum() / count.sum()
    spread = (count * (at - middle) ** 2).sum()
    if spread <= 0:
        return 0.0, 1.0
    slope = (count * (at - middle) * scale).sum() / spread
    return float(slope), float(0.7 / np.sqrt(spread))  # 0.7: of the log of a median of Rayleigh errors, times sqrt(n)
