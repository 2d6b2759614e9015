"""Plain triangulation of all views in closed form, for arrays: several million points a second."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data import Camera
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.symmetric import solve
from pose3d.reconstruction.points.optics import rays_of
from pose3d.reconstruction.points.views import Lenses, Views, apply_table

__all__ = ["solve_linear", "triangulate_pixels"]

_CHUNK = 8192  # points at once


def _solve(lenses: Lenses, x: FloatArray, y: FloatArray, weight: FloatArray) -> FloatArray:
    n = len(x)
    columns = np.empty((4 * n, x.shape[1]))
    w, wx, wy, wq = (columns[k * n : (k + 1) * n] for k in range(4))
    np.multiply(weight, weight, out=w)
    np.multiply(w, x, out=wx)
    np.multiply(w, y, out=wy)
    np.multiply(wx, x, out=wq)
    wq += wy * y
    sums = apply_table(lenses.linear, columns)
    with np.errstate(all="ignore"):
        return solve(sums[:6], sums[6:])


def solve_linear(lenses: Lenses, views: Views) -> FloatArray:
    """Return the points (3, n_points) of all views, mm from the lenses' origin, as :func:`triangulate_pixels` does."""
    return _solve(lenses, views.x, views.y, views.weight)


def triangulate_pixels(cameras: Sequence[Camera], pixels: ArrayLike, *, weight: ArrayLike | None = None) -> FloatArray:
    """Undistort and triangulate plain arrays of pixels by the direct linear transform in closed form.

    Minimises the sum over views of (w z d)^2, with the weight w, the point's depth z in the camera and the distance d
    between view and projection in normalised coordinates. These are the two rows a view of
    :func:`pose3d.geometry.triangulation.triangulate_svd`, with the homogeneous coordinate held at 1: what the SVD
    minimises in a unit of length that is large beside the scene. Independent of unit and origin, and some twenty
    times faster.

    Parameters
    ----------
    cameras : sequence of Camera
    pixels : (n_cameras, n_points, 2) array, px
        NaN where a camera has no view.
    weight : (n_cameras, n_points) array, optional
        Factor of each view's rows; 0 where a view is not to be used.

    Returns
    -------
    (n_points, 3) array, mm
        NaN where fewer than two views take part or the rays are parallel.

    References
    ----------
    Hartley & Zisserman (2004), Multiple View Geometry, 2nd ed., section 12.2, inhomogeneous method.
    """
    pixels = np.asarray(pixels, dtype=np.float64)
    lenses = Lenses.of(cameras)
    out = np.empty((pixels.shape[1], 3))
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    for first in range(0, len(out), _CHUNK):
        part = pixels[:, first : first + _CHUNK]
        there = np.isfinite(part[..., 0])
        there &= np.isfinite(part[..., 1])
        if weights is not None:
            there &= weights[:, first : first + _CHUNK] > 0
        rays = rays_of(lenses.optics, part, there)
        w = rays.there.astype(np.float64)
        if weights is not None:
            w *= np.where(rays.there, weights[:, first : first + _CHUNK], 0.0)
        points = _solve(lenses, rays.x, rays.y, w)
        np.add(points.T, lenses.origin, out=out[first : first + _CHUNK])
    return out
