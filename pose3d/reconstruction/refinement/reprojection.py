"""The pull of the views: gradient and Gauss-Newton matrix of each point from its reprojection errors."""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.reconstruction.points.views import Lenses, Reprojection, Views, apply_table

__all__ = ["view_blocks", "view_gradient"]


def view_blocks(lenses: Lenses, views: Views, precision: FloatArray, seen: Reprojection) -> FloatArray:
    """Return the Gauss-Newton matrix of each point, six rows of a symmetric 3x3.

    Parameters
    ----------
    lenses : Lenses
    views : Views
    precision : (n_cameras, n_points) array, 1/px^2
        0 for views to leave out.
    seen : Reprojection

    Returns
    -------
    (6, n_points) array, 1/mm^2
    """
    u, v = seen.at.u, seen.at.v
    with np.errstate(all="ignore"):
        w = np.where(precision > 0, precision / (seen.at.depth * seen.at.depth), 0.0)
        m11, m12, m22 = w * views.m11, w * views.m12, w * views.m22
        mu, mv = m11 * u + m12 * v, m12 * u + m22 * v
        return apply_table(lenses.hessian, np.concatenate([m11, m12, m22, mu, mv, mu * u + mv * v]))


def view_gradient(lenses: Lenses, views: Views, precision: FloatArray, seen: Reprojection) -> FloatArray:
    """Return the gradient of half the weighted squared errors by each point, (3, n_points), 1/mm."""
    with np.errstate(all="ignore"):
        used = precision > 0
        w = np.where(used, precision / seen.at.depth, 0.0)
        across, down = np.where(used, w * seen.across, 0.0), np.where(used, w * seen.down, 0.0)
        by_u, by_v = views.a11 * across + views.a21 * down, views.a12 * across + views.a22 * down
        return apply_table(lenses.gradient, np.concatenate([by_u, by_v, seen.at.u * by_u + seen.at.v * by_v]))
