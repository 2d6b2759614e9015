"""Camera models: a pinhole behind a lens of :mod:`~pose3d.geometry.lenses`.

Pixels are (x, y) with the centre of the top-left pixel at (0, 0).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.lenses import distort, distort_jacobian, undistort_normalized

__all__ = ["Projected", "pixels_from_normalized", "project", "project_camera_frame", "undistort"]


def pixels_from_normalized(xy: ArrayLike, matrix: ArrayLike) -> FloatArray:
    """Apply camera matrices (..., 3, 3), skew included, to distorted normalised coordinates (..., 2)."""
    xy = np.asarray(xy, dtype=np.float64)
    K = np.asarray(matrix, dtype=np.float64)
    return np.asarray(np.einsum("...ij,...j->...i", K[..., :2, :2], xy) + K[..., :2, 2])


def project(
    points: ArrayLike,
    matrix: ArrayLike,
    distortion: ArrayLike,
    cam_from_world: ArrayLike,
    *,
    fisheye: bool = False,
) -> FloatArray:
    """Project world points into pixels.

    Parameters
    ----------
    points : (..., 3) array, mm
    matrix : (..., 3, 3) array
    distortion : (..., n) array
    cam_from_world : (..., 3, 4) or (..., 4, 4) array
    fisheye : bool

    Returns
    -------
    (..., 2) array, px
        The bare formula, also for points behind the camera; a caller that may have such points checks the depth.
    """
    P = np.asarray(cam_from_world, dtype=np.float64)
    X = np.einsum("...ij,...j->...i", P[..., :3, :3], np.asarray(points, dtype=np.float64)) + P[..., :3, 3]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        xy = distort(X[..., :2] / X[..., 2:], distortion, fisheye=fisheye)
    return pixels_from_normalized(xy, matrix)


class Projected(NamedTuple):
    """Pixels with their derivatives.

    Attributes
    ----------
    pixels : (..., 2) array
    by_point : (..., 2, 3) array
        By the point in the camera's frame.
    by_intrinsics : (..., 2, 4 + n) array
        By fx, fy, cx, cy and the distortion's coefficients.
    """

    pixels: FloatArray
    by_point: FloatArray
    by_intrinsics: FloatArray


def project_camera_frame(
    points: ArrayLike, matrix: ArrayLike, distortion: ArrayLike, *, fisheye: bool = False
) -> Projected:
    """Project points in the camera's frame, with analytic derivatives.

    Parameters
    ----------
    points : (..., 3) array, mm
        Depth must be positive.
    matrix : (..., 3, 3) array
    distortion : (..., n) array
    fisheye : bool

    Returns
    -------
    Projected
        For a world point X = R X_w + t: the derivative by t is `by_point`, by a small rotation on the left
        -`by_point` [R X_w]x, by X_w `by_point` R.
    """
    X = np.asarray(points, dtype=np.float64)
    K = np.asarray(matrix, dtype=np.float64)
    inv_z = 1 / X[..., 2]
    xy = X[..., :2] * inv_z[..., None]
    d, by_xy, by_d = distort_jacobian(xy, distortion, fisheye=fisheye)
    xy_by_X = np.zeros((*xy.shape, 3))
    xy_by_X[..., 0, 0] = xy_by_X[..., 1, 1] = inv_z
    xy_by_X[..., :, 2] = -xy * inv_z[..., None]
    A = K[..., :2, :2]
    by_point = A @ (by_xy @ xy_by_X)
    by_intrinsics = np.zeros((*xy.shape, 4 + by_d.shape[-1]))
    by_intrinsics[..., 0, 0] = d[..., 0]
    by_intrinsics[..., 1, 1] = d[..., 1]
    by_intrinsics[..., 0, 2] = by_intrinsics[..., 1, 3] = 1
    by_intrinsics[..., :, 4:] = A @ by_d
    return Projected(pixels_from_normalized(d, K), by_point, by_intrinsics)


def undistort(
    pixels: ArrayLike, matrix: ArrayLike, distortion: ArrayLike, *, fisheye: bool = False
) -> tuple[FloatArray, BoolArray]:
    """Turn pixels into undistorted normalised coordinates.

    Parameters
    ----------
    pixels : (..., 2) array, px
    matrix : (..., 3, 3) array
    distortion : (..., n) array
    fisheye : bool

    Returns
    -------
    xy : (..., 2) array
        x/z and y/z in the camera's frame.
    converged : (...) bool array
        False where the lens model has no answer (a pixel beyond the fold of the polynomial, or NaN).
    """
    K = np.asarray(matrix, dtype=np.float64)
    shifted = np.asarray(pixels, dtype=np.float64) - K[..., :2, 2]
    y = shifted[..., 1] / K[..., 1, 1]
    x = (shifted[..., 0] - K[..., 0, 1] * y) / K[..., 0, 0]
    return undistort_normalized(np.stack([x, y], axis=-1), distortion, fisheye=fisheye)
