"""One camera's views of the board, linearised: what every step of the refinement is made of."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.lenses import distort_components, lens_components

__all__ = ["Views", "misfit", "robust_loss", "view_equations"]

_BEHIND = 1e6  # px: a board behind the camera is no explanation of what it saw


class Views(NamedTuple):
    """Corners that one camera saw, by components.

    Attributes
    ----------
    rows : (v,) int array
        Rows of the bundle's views.
    frame : (v,) int array
    x, y : (v, n_corners) arrays, px
        0 where a corner was not seen.
    seen : (v, n_corners) array
        1 where it was, else 0.
    """

    rows: IntArray
    frame: IntArray
    x: FloatArray
    y: FloatArray
    seen: FloatArray


def _turned(rotation: FloatArray, points: FloatArray) -> FloatArray:
    """Turn points (n, 3) by rotations (v, 3, 3): (3, v, n), each component in one piece."""
    n_views = len(rotation)
    rows = rotation.transpose(1, 0, 2).reshape(3 * n_views, 3)
    return np.asarray((rows @ points.T).reshape(3, n_views, len(points)))


def misfit(
    views: Views,
    lens: FloatArray,
    coefficients: FloatArray,
    cam_from_board: FloatArray,
    points: FloatArray,
    *,
    fisheye: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return observed minus projected corners, x and y, each (v, n_corners) px; 0 where a corner was not seen."""
    Q = _turned(cam_from_board[:, :3, :3], points)
    shift = cam_from_board[:, :3, 3].T[..., None]
    z = Q[2] + shift[2]
    inverse = 1 / np.where(z > 0, z, 1.0)
    x, y = distort_components((Q[0] + shift[0]) * inverse, (Q[1] + shift[1]) * inverse, coefficients, fisheye=fisheye)
    fx, fy, cx, cy = lens[:4]
    off_x, off_y = views.x - (fx * x + cx), views.y - (fy * y + cy)
    behind = z <= 0
    if behind.any():
        off_x[behind] = off_y[behind] = _BEHIND
    return off_x * views.seen, off_y * views.seen


def robust_loss(squared: FloatArray, scale: float, *, convex: bool = False) -> tuple[FloatArray, FloatArray]:
    """Return the loss and weight of squared standardised residuals: quadratic up to `scale`, beyond it Cauchy's.

    Good corners count in full, so that nothing is lost where there are no outliers; far ones lose all their pull.
    The `convex` loss is Huber's, which leads home from far away, where good corners are far off as well.
    """
    limit = scale * scale
    beyond = np.maximum(squared / limit, 1.0)
    if convex:
        root = np.sqrt(beyond)
        return np.minimum(squared, limit * (2 * root - 1)), 1 / root
    return np.minimum(squared, limit * (1 + np.log(beyond))), 1 / beyond


def view_equations(
    views: Views,
    lens: FloatArray,
    coefficients: FloatArray,
    cam_from_board: FloatArray,
    points: FloatArray,
    *,
    fisheye: bool,
    moving: IntArray,
    root: FloatArray,
    off: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Return each view's normal equations in the lens and the board's pose before the camera.

    Parameters
    ----------
    views : Views
    lens : (12,) array
    coefficients : (n,) array
    cam_from_board : (v, 4, 4) array, mm
    points : (n_corners, 3) array, mm
    fisheye : bool
    moving : (k,) int array
        Which numbers of the lens are unknown.
    root : (v, n_corners) array, 1/px
        Square root of each corner's weight, over its noise.
    off : pair of (v, n_corners) arrays, px
        From :func:`misfit`.

    Returns
    -------
    H : (v, k + 6, k + 6) array
        The lens's unknowns, then a small turn of the board about its own origin in the camera's axes, then a shift.
    g : (v, k + 6) array
    """
    n_views, n_corners = views.x.shape
    Q = _turned(cam_from_board[:, :3, :3], points)
    shift = cam_from_board[:, :3, 3].T[..., None]
    z = Q[2] + shift[2]
    root = np.where(z > 0, root, 0.0)
    inverse = 1 / np.where(z > 0, z, 1.0)
    x, y = (Q[0] + shift[0]) * inverse, (Q[1] + shift[1]) * inverse
    d = lens_components(x, y, coefficients, fisheye=fisheye)
    fx, fy = lens[:2]
    k = len(moving)
    J = np.empty((n_views, k + 6, 2, n_corners))
    scale = (root * fx, root * fy)
    for row, number in enumerate(moving):
        if number < 4:
            axis = number % 2
            J[:, row, 1 - axis] = 0.0
            J[:, row, axis] = root if number >= 2 else root * (d.x, d.y)[axis]
        else:
            for axis in (0, 1):
                np.multiply(scale[axis], d.by_coefficient[number - 4][axis], out=J[:, row, axis])
    for axis, (by_x, by_y) in enumerate(((d.xx, d.xy), (d.xy, d.yy))):
        per_depth = scale[axis] * inverse
        along_x, along_y = per_depth * by_x, per_depth * by_y
        along_z = -(along_x * x + along_y * y)
        J[:, k, axis] = Q[1] * along_z - Q[2] * along_y
        J[:, k + 1, axis] = Q[2] * along_x - Q[0] * along_z
        J[:, k + 2, axis] = Q[0] * along_y - Q[1] * along_x
        J[:, k + 3, axis] = along_x
        J[:, k + 4, axis] = along_y
        J[:, k + 5, axis] = along_z
    flat = J.reshape(n_views, k + 6, 2 * n_corners)
    e = np.stack([off[0] * root, off[1] * root], axis=1).reshape(n_views, 2 * n_corners, 1)
    return flat @ np.swapaxes(flat, -1, -2), (flat @ e)[..., 0]
