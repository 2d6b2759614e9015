"""The kernel of robust triangulation, for those that have arrays: a chunk of points in, points with their views out.

A recording is triangulated as ``Lenses.of(cameras)`` once, :func:`learn_noise` once from a sample of its points, then
:func:`resolve_chunk` chunk by chunk.
"""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.symmetric import inverse_matrix
from pose3d.reconstruction.points.consensus import find_consensus
from pose3d.reconstruction.points.noise import Noise, estimate_noise, spread
from pose3d.reconstruction.points.views import Lenses, Views, reproject, views_of

__all__ = ["Resolved", "learn_noise", "resolve_chunk"]

_SAMPLE = 4000  # points that the noise is estimated from
_UNEVEN, _MORE = 2.0, 4  # ratio of the cameras' noise from which it is estimated from more points, and how many more


class Resolved(NamedTuple):
    """Points of a chunk with the views that make them.

    Attributes
    ----------
    xyz : (n_points, 3) array, mm
        In the world; NaN where fewer than two views agree.
    normal : (6, n_points) array, 1/mm^2
        Inverse of the covariance (:mod:`pose3d.geometry.symmetric`): what the used views know of the point at the
        given noise.
        0 where there is no point.
    used : (n_cameras, n_points) bool array
        Views that agree, none where there is no point.
    residual_px : (n_cameras, n_points) array
        Distance of every view from the projected point, through the full lens; NaN without view or point.
    views : Views
        The chunk, undistorted. Their `weight` is 0 where the lens model explains no such pixel.
    """

    xyz: FloatArray
    normal: FloatArray
    used: BoolArray
    residual_px: FloatArray
    views: Views

    @property
    def covariance(self) -> FloatArray:
        """(n_points, 3, 3) array, mm^2; NaN where there is no point."""
        with np.errstate(all="ignore"):
            return inverse_matrix(self.normal)


def learn_noise(lenses: Lenses, pixels: FloatArray, weight: FloatArray, *, sample: int = _SAMPLE) -> Noise:
    """Estimate what errors to expect of each camera, from points spread evenly over the given ones.

    Parameters
    ----------
    lenses : Lenses
    pixels : (n_frames, n_cameras, ..., 2) array, px
        Of any frames of the recording: a few thousand, taken from all over it, are enough.
    weight : (n_frames, n_cameras, ...) array
        Factor of each squared error; 0 where a view is not to be used.
    sample : int
        Points to look at; four times as many where the cameras turn out to differ much, since the errors of an exact
        one are nearly all absorbed by the fit and the little that is left tells its noise.

    Returns
    -------
    Noise
        `noise_px` and `threshold_px`, one value a camera.
    """
    noise = estimate_noise(lenses, _sampled_views(lenses, pixels, weight, sample))
    if weight.size > sample and noise.noise_px.max() > _UNEVEN * noise.noise_px.min():
        return estimate_noise(lenses, _sampled_views(lenses, pixels, weight, _MORE * sample))
    return noise


def _sampled_views(lenses: Lenses, pixels: FloatArray, weight: FloatArray, sample: int) -> Views:
    frames = spread(len(weight), 4 * sample // max(1, int(np.prod(weight.shape[2:]))) + 1)
    n_views = np.count_nonzero(weight[frames], axis=1)
    if np.count_nonzero(n_views >= 3) < sample:
        frames = np.arange(len(weight))
        n_views = np.count_nonzero(weight, axis=1)
    n_views = n_views.reshape(-1)
    chosen = np.flatnonzero(n_views >= 3)
    if len(chosen) < len(lenses.cameras) * 30:
        chosen = np.flatnonzero(n_views >= 2)
    chosen = chosen[spread(len(chosen), sample)]
    frame, *rest = np.unravel_index(chosen, (len(frames), *weight.shape[2:]))
    # Cameras last, so that the other axes are indexed together.
    here = np.moveaxis(pixels, 1, -2)[(frames[frame], *rest)]
    count = np.moveaxis(weight, 1, -1)[(frames[frame], *rest)]
    here, count = (np.ascontiguousarray(np.moveaxis(each, 1, 0)) for each in (here, count))
    return views_of(lenses, here, count)


def resolve_chunk(
    lenses: Lenses, pixels: FloatArray, weight: FloatArray, noise_px: FloatArray, threshold_px: FloatArray
) -> Resolved:
    """Triangulate a chunk of points from the views that agree.

    Parameters
    ----------
    lenses : Lenses
    pixels : (n_cameras, n_points, 2) array, px
        NaN where a camera has no view. Eight thousand points at once are fastest.
    weight : (n_cameras, n_points) array
        Factor of each squared error; 0 where a view is not to be used, as where it is NaN.
    noise_px, threshold_px : (n_cameras,) array, px
        From :func:`learn_noise`.

    Returns
    -------
    Resolved
    """
    views = views_of(lenses, pixels, weight)
    found = find_consensus(lenses, views, noise_px, threshold_px)
    residual = reproject(lenses, pixels, found.points)
    sound = np.isfinite(found.points).all(0)
    behind = found.chosen & ~(residual.at.depth > 0)
    if behind.any():
        sound &= ~behind.any(0)
    distance = residual.distance_px
    if not sound.all():
        found.points[:, ~sound] = np.nan
        found.normal[:, ~sound] = 0.0
        found.chosen[:, ~sound] = False
        distance[:, ~sound] = np.nan
    absent = ~views.used
    np.copyto(distance, np.nan, where=absent)
    return Resolved(found.points.T + lenses.origin, found.normal, found.chosen, distance, views)
