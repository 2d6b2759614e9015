"""How exact the detections of each camera are, estimated from the detections themselves."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.symmetric import inverse_matrix
from pose3d.reconstruction.points.consensus import agree, best_pairs
from pose3d.reconstruction.points.likelihood import (
    Pull,
    camera_normals,
    leverage,
    start_points,
    step_points,
)
from pose3d.reconstruction.points.views import Lenses, Views, fit

__all__ = ["Noise", "estimate_noise", "spread"]

_CORE_THRESHOLD = 4.0  # core scales
_THRESHOLD = 8.0  # wide scales: real errors are not Gaussian, and outliers of detectors lie far beyond
_CHI2_1_MEDIAN = 0.454936423119572
_QUANTILE = 0.8  # looks beyond the core of heavy-tailed errors, and still ignores a tenth of outliers
_HEAVY = 2.0  # but no more than this factor beyond the core's own scale: above it, the tail is outliers
_FLOOR_PX = 0.2  # finer than any detector; noise-free data would otherwise leave no tolerance for rounding
_FINEST = 0.1  # of the floor: the least noise that is believed
_CEILING = 0.01  # of the image's diagonal: beyond it detections are not noisy but wrong
_SPREAD = 4.0  # cameras differ in noise by no more than this factor from the rig's common value
_FEW_VIEWS, _MANY_VIEWS = 4.0, 5.0  # mean views a point, between which cameras come to be told apart
_ENOUGH = 30  # views below which a camera takes the rig's common value
_ROUNDS = 4
_SETTLED = 0.02  # relative change after which another round is not worth its time
_ROUGHLY = 0.1  # relative
_ROUGH = 1000  # points for the scale of the core
_START = 400  # points for the first guess


def spread(n: int, wanted: int) -> IntArray:
    """Return `wanted` indices spread evenly over `n`, or all if there are fewer."""
    return np.linspace(0, n - 1, wanted).astype(np.int64) if wanted < n else np.arange(n)


class Noise(NamedTuple):
    """What errors to expect of each camera's detections; (n_cameras,) arrays, px.

    Attributes
    ----------
    noise_px : array
        Standard deviation per axis of the views that agree, at weight 1.
    threshold_px : array
        Error beyond which a view disagrees.
    """

    noise_px: FloatArray
    threshold_px: FloatArray


def _bounds(lenses: Lenses) -> tuple[FloatArray, FloatArray]:
    diagonal = np.array([np.hypot(*camera.size) for camera in lenses.cameras])
    ceiling = _CEILING * diagonal
    return np.minimum(_FLOOR_PX, ceiling), ceiling


def _stereo_noise(lenses: Lenses, views: Views) -> float:
    """Estimate one value for all cameras from points that two views make: one degree of freedom a point."""
    ones = np.ones(len(lenses.cameras))
    points, *_ = best_pairs(lenses, views, ones, None)
    squared = np.where(views.used, views.weight * fit(lenses, views, points).squared_px, 0.0).sum(0)
    squared = squared[np.isfinite(squared)]
    return float(np.sqrt(np.median(squared) / _CHI2_1_MEDIAN)) if len(squared) else _FLOOR_PX


def _errors(
    lenses: Lenses, views: Views, scale: FloatArray, threshold: FloatArray
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return the size of each view's error, where it means something, and where the view agrees besides."""
    points, chosen = agree(lenses, views, scale, threshold)
    at = fit(lenses, views, points)
    precision = np.where(chosen, views.weight / scale[:, None] ** 2, 0.0)
    left = 1 - np.where(chosen, leverage(lenses, views, precision, at), 0.0)
    checked = views.used & (chosen.sum(0) >= 3) & (left > 0.1)
    size = np.sqrt(np.where(checked, at.squared_px, 0.0) / np.where(checked, left, 1.0))
    return size, checked, chosen & checked


def _core_scale(size: FloatArray) -> float:
    """Return the standard deviation per axis of 2D errors of the given lengths by their median."""
    return float(np.median(size) / np.sqrt(-2 * np.log(0.5)))


def _wide_scale(size: FloatArray) -> float:
    return float(np.quantile(size, _QUANTILE) / np.sqrt(-2 * np.log(1 - _QUANTILE)))


def _root_mean_square(size: FloatArray) -> float:
    return float(np.sqrt(np.mean(size * size) / 2))


def _component_noise(lenses: Lenses, views: Views, chosen: BoolArray, scale: FloatArray, common: float) -> FloatArray:
    """Return each camera's noise from the misfit of the views that agree, fitted at the noise `scale`.

    A fit absorbs a part of every error, and most of those of an exact camera. What is left of one camera's errors
    comes from the noise of all cameras, linearly in the variances and by shares that the fit tells: n_cameras
    equations. The answer has no bias even where `scale` is wrong (MINQUE; Rao (1971), Estimation of variance and
    covariance components, Journal of Multivariate Analysis 1:257).
    """
    n_cameras = len(scale)
    pull = Pull.of(views, np.where(chosen, views.weight / scale[:, None] ** 2, 0.0))
    step = step_points(lenses, pull, start_points(lenses, pull))
    step = step_points(lenses, pull, step.points)
    inverse = inverse_matrix(step.normal)
    keep = np.isfinite(inverse[:, 0, 0]) & (chosen.sum(0) >= 3)
    absorbed = inverse[keep] @ camera_normals(lenses, pull, step.points)[:, keep]
    flat, turned = (part.reshape(n_cameras, -1) for part in (absorbed, absorbed.swapaxes(-1, -2)))
    share = flat @ turned.T
    n_views = chosen[:, keep].sum(1)
    share[np.diag_indices(n_cameras)] += 2 * n_views - 2 * np.einsum("cnii->c", absorbed)
    misfit = step.squared[:, keep].sum(1)
    few = n_views < _ENOUGH
    share[few], misfit[few] = np.eye(n_cameras)[few], (common / scale[few]) ** 2
    try:
        variance = np.linalg.solve(share, misfit) * scale**2
    except np.linalg.LinAlgError:
        return np.full(n_cameras, common)
    return np.sqrt(np.maximum(variance, (common / _SPREAD**2) ** 2))


def _each(size: FloatArray, keep: BoolArray, measure: Callable[[FloatArray], float], trust: float) -> FloatArray:
    """Measure each camera's errors and draw the values towards the common one, all the way at `trust` 0."""
    common = measure(size[keep]) if keep.any() else 0.0
    if common == 0:
        return np.zeros(len(size))
    own = [measure(row[kept]) if kept.sum() >= _ENOUGH else common for row, kept in zip(size, keep, strict=True)]
    return np.asarray(common * np.clip(np.array(own) / common, 1 / _SPREAD, _SPREAD) ** trust)


def _noise(lenses: Lenses, views: Views, core: FloatArray, threshold: FloatArray, trust: float) -> FloatArray:
    """Return the root mean square error per axis of the views that agree: one value at `trust` 0, each its own at 1."""
    if trust < 1:
        size, _, chosen = _errors(lenses, views, core, threshold)
        common = _root_mean_square((size * np.sqrt(views.weight))[chosen]) if chosen.any() else 0.0
    else:
        _, chosen = agree(lenses, views, core, threshold)
        common = float(np.sqrt(np.mean(core * core)))
    if trust == 0 or common == 0:
        return np.full(len(core), common)
    own = _component_noise(lenses, views, chosen, core, common)
    if np.abs(np.log(own / core)).max() > _ROUGHLY:  # unbiased as it is, and at the right weights exact too
        own = _component_noise(lenses, views, chosen, own, common)
    middle = float(np.exp(np.log(own).mean()))
    own = middle * np.clip(own / middle, 1 / _SPREAD, _SPREAD)
    return np.asarray(common * (own / common) ** trust)


def estimate_noise(lenses: Lenses, views: Views) -> Noise:
    """Estimate the errors of each camera's detections.

    Starts from the pair hypotheses of least absolute error, which need no scale, and repeats: consensus, fit, and a
    robust scale of each camera's residuals, corrected for what the fit to that view absorbed (its leverage). That sets
    the thresholds. The noise itself comes from the misfit of all views that agree at these, without bias. With four
    views a point or fewer all cameras take one common value: estimated apart they run off to trusting two cameras
    entirely, for these two can always be made to agree (on mouse-4cam that costs a third of the accuracy).

    Parameters
    ----------
    lenses : Lenses
    views : Views
        A sample of four thousand points is enough.

    Returns
    -------
    Noise
        Thresholds are those of a noise of at least 0.2 px; the noise is at least 0.02 px. Both are at most what
        belongs to 1 % of the image's diagonal.
    """
    low, high = _bounds(lenses)
    n_views = views.used.sum(0)
    several = np.flatnonzero(n_views >= 3)
    if len(several) < _ENOUGH:
        scale = np.clip(_stereo_noise(lenses, views.take(np.flatnonzero(n_views == 2))), low, high)
        return Noise(scale, _THRESHOLD * scale)
    views = views.take(several)
    some = views.take(spread(len(several), _START))
    points, *_ = best_pairs(lenses, some, np.ones(len(low)), None)
    squared = np.where(some.used, fit(lenses, some, points).squared_px, 0.0).sum(0)
    a_freedom = squared / (2 * some.used.sum(0) - 3)
    a_freedom = a_freedom[np.isfinite(a_freedom)]
    start = float(np.sqrt(np.median(a_freedom))) if len(a_freedom) else 0.0
    trust = float(np.clip((n_views[several].mean() - _FEW_VIEWS) / (_MANY_VIEWS - _FEW_VIEWS), 0.0, 1.0))
    core = np.clip(np.full(len(low), start), low, high)
    few = views.take(spread(len(several), _ROUGH))
    for _round in range(_ROUNDS + 1):
        before = core
        size, checked, _ = _errors(lenses, few, core, _CORE_THRESHOLD * core)
        core = np.clip(_each(size, checked, _core_scale, trust), low, high)
        if np.allclose(core, before, rtol=_SETTLED):
            break
    # Widened once and not in the loop: there a wider threshold would let in errors that widen it further.
    wide = _each(size, checked, _wide_scale, trust)
    threshold = _THRESHOLD * np.clip(wide, core, np.minimum(_HEAVY * core, high))
    noise = _noise(lenses, views, core, threshold, trust)
    # A camera of which nothing agreed has been given the common noise; its threshold must not stay wide.
    threshold = np.minimum(threshold, _THRESHOLD * _HEAVY * np.clip(noise, low, high))
    # Markers are found finer than any tolerance; what is exact must not be smoothed as if it were not.
    return Noise(np.clip(noise, _FINEST * low, high), threshold)
