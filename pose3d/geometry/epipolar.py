"""Two views of one point: the essential matrix and distances from the epipolar line."""

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import skew
from pose3d.geometry.transforms import inverse

__all__ = ["epipolar_distance", "essential"]


def _square(transform: ArrayLike) -> FloatArray:
    P = np.asarray(transform, dtype=np.float64)
    if P.shape[-2] == 4:
        return P
    bottom = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (*P.shape[:-2], 1, 4))
    return np.concatenate([P, bottom], axis=-2)


def essential(a_from_world: ArrayLike, b_from_world: ArrayLike) -> FloatArray:
    """Return E with ``x_b @ E @ x_a == 0`` for the homogeneous normalised views of one point.

    Parameters
    ----------
    a_from_world, b_from_world : (..., 3, 4) or (..., 4, 4) array

    Returns
    -------
    (..., 3, 3) array
        Scaled to a unit baseline; zero where both cameras stand at one place.

    References
    ----------
    Hartley & Zisserman (2004), section 9.6.
    """
    a, b = _square(a_from_world), _square(b_from_world)
    b_from_a = b @ inverse(a)
    t = b_from_a[..., :3, 3]
    length, size = (
        np.linalg.norm(v, axis=-1, keepdims=True) for v in (t, np.abs(a[..., :3, 3]) + np.abs(b[..., :3, 3]))
    )
    apart = length > 1e-12 * size  # less is rounding: both cameras stand at one place
    return np.asarray(skew(np.where(apart, t / np.where(apart, length, 1.0), 0.0)) @ b_from_a[..., :3, :3])


def epipolar_distance(xy_a: ArrayLike, xy_b: ArrayLike, essential_matrix: ArrayLike) -> FloatArray:
    """Return the Sampson distance of pairs of views from satisfying the epipolar constraint.

    To first order it is the smallest joint shift of both views that makes their rays meet.

    Parameters
    ----------
    xy_a, xy_b : (..., 2) array
        Undistorted normalised coordinates; times the focal length the result is in px.
    essential_matrix : (..., 3, 3) array
        From :func:`essential`, a to b.

    Returns
    -------
    (...) array
        NaN where a view is NaN or the essential matrix is zero.

    References
    ----------
    Hartley & Zisserman (2004), eq. 11.9.
    """
    E = np.asarray(essential_matrix, dtype=np.float64)
    a, b = (np.asarray(v, dtype=np.float64) for v in (xy_a, xy_b))
    a, b = (np.concatenate([v, np.ones((*v.shape[:-1], 1))], axis=-1) for v in (a, b))
    line_b = np.einsum("...ij,...j->...i", E, a)
    line_a = np.einsum("...ji,...j->...i", E, b)
    miss = np.einsum("...i,...i->...", b, line_b)
    norm = np.sqrt((line_a[..., :2] ** 2).sum(-1) + (line_b[..., :2] ** 2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.abs(miss) / norm)
