"""Maximum-likelihood points: linear start, Gauss-Newton on the reprojection, covariance; all points of a chunk at once.

Symmetric 3x3 systems are kept as six rows (``PIVOTS`` of `views`) and solved in closed form.
"""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.reconstruction.points.views import PIVOTS, Fit, Lenses, Reprojection, Views, apply_table, fit

__all__ = ["covariances", "leverage", "linear_points", "refine", "sharpen"]

_FLAT = 1e-14  # determinant over cubed mean eigenvalue: below it the rays are parallel to rounding


def _solve(h: FloatArray, g: FloatArray) -> FloatArray:
    """Solve symmetric 3x3 systems (6, n), (3, n) by cofactors; NaN where singular."""
    a, b, c, d, e, f = h
    c11, c12, c13 = d * f - e * e, c * e - b * f, b * e - c * d
    det = a * c11 + b * c12 + c * c13
    mean = (a + d + f) / 3
    inverse = np.where(np.abs(det) > _FLAT * mean**3, 1 / det, np.nan)
    c22, c23, c33 = a * f - c * c, b * c - a * e, a * d - b * b
    return np.stack(
        [
            (c11 * g[0] + c12 * g[1] + c13 * g[2]) * inverse,
            (c12 * g[0] + c22 * g[1] + c23 * g[2]) * inverse,
            (c13 * g[0] + c23 * g[1] + c33 * g[2]) * inverse,
        ]
    )


def _invert(h: FloatArray) -> FloatArray:
    """Invert symmetric 3x3 matrices (6, n) -> (n, 3, 3)."""
    a, b, c, d, e, f = h
    cofactors = [d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b]
    det = a * cofactors[0] + b * cofactors[1] + c * cofactors[2]
    mean = (a + d + f) / 3
    inverse = np.where(np.abs(det) > _FLAT * mean**3, 1 / det, np.nan)
    out = np.empty((h.shape[1], 3, 3))
    for (i, j), cofactor in zip(PIVOTS, cofactors, strict=True):
        out[:, i, j] = out[:, j, i] = cofactor * inverse
    return out


def linear_points(lenses: Lenses, views: Views, precision: FloatArray) -> FloatArray:
    """Solve for points linearly, all views of a point together.

    Inhomogeneous direct linear transform by its 3x3 normal equations. Rows are weighted by focal length over noise,
    and not by depth, which is unknown yet: a start for :func:`refine`.

    Parameters
    ----------
    lenses : Lenses
    views : Views
    precision : (n_cameras, n_points) array, 1/px^2
        Weight over squared noise; 0 for views to leave out.

    Returns
    -------
    (3, n_points) array, mm
        NaN where the rays do not fix a point.
    """
    w = precision * np.abs(views.a11 * views.a22 - views.a12 * views.a21)
    wx, wy = w * views.x, w * views.y
    sums = apply_table(lenses.linear, np.concatenate([w, wx, wy, wx * views.x + wy * views.y]))
    with np.errstate(all="ignore"):
        return _solve(sums[:6], sums[6:])


def _matrix(lenses: Lenses, views: Views, precision: FloatArray, at: Fit) -> FloatArray:
    """Return the Gauss-Newton matrix (6, n) at points with reprojection `at`; absent views have precision 0."""
    w = precision / (at.depth * at.depth)
    m11, m12, m22 = w * views.m11, w * views.m12, w * views.m22
    mu, mv = m11 * at.u + m12 * at.v, m12 * at.u + m22 * at.v
    return apply_table(lenses.hessian, np.concatenate([m11, m12, m22, mu, mv, mu * at.u + mv * at.v]))


def _gradient(lenses: Lenses, by_u: FloatArray, by_v: FloatArray, at: Fit) -> FloatArray:
    """Return the gradient (3, n) from the weighted derivatives by the normalised coordinates, over depth."""
    return apply_table(lenses.gradient, np.concatenate([by_u, by_v, at.u * by_u + at.v * by_v]))


def refine(lenses: Lenses, views: Views, precision: FloatArray, points: FloatArray, at: Fit) -> FloatArray:
    """Do one Gauss-Newton step on the reprojection, the lens taken to first order around each view.

    Parameters
    ----------
    lenses : Lenses
    views : Views
    precision : (n_cameras, n_points) array, 1/px^2
    points : (3, n_points) array, mm
    at : Fit
        Of `points`.

    Returns
    -------
    (3, n_points) array, mm
    """
    with np.errstate(all="ignore"):
        w = precision / at.depth
        du, dv = at.u - views.x, at.v - views.y
        H = _matrix(lenses, views, precision, at)
        g = _gradient(lenses, w * (views.m11 * du + views.m12 * dv), w * (views.m12 * du + views.m22 * dv), at)
        return points - _solve(H, g)


def leverage(lenses: Lenses, views: Views, precision: FloatArray, at: Fit) -> FloatArray:
    """Return the share of each view's error that a fit to all views absorbs.

    Parameters
    ----------
    lenses : Lenses
    views : Views
    precision : (n_cameras, n_points) array, 1/px^2
    at : Fit
        Of the fitted points.

    Returns
    -------
    (n_cameras, n_points) array
        0 where nothing, 1 where all of the error in both directions is absorbed; NaN where there is no point.
    """
    with np.errstate(all="ignore"):
        covariance = _invert(_matrix(lenses, views, precision, at))
        out = np.empty(precision.shape)
        for c, R in enumerate(lenses.rotation):
            by_u = (R[0] - at.u[c][:, None] * R[2]) / at.depth[c][:, None]
            by_v = (R[1] - at.v[c][:, None] * R[2]) / at.depth[c][:, None]
            across = views.a11[c][:, None] * by_u + views.a12[c][:, None] * by_v
            down = views.a21[c][:, None] * by_u + views.a22[c][:, None] * by_v
            spread = sum(np.einsum("ni,nij,nj->n", d, covariance, d) for d in (across, down))
            out[c] = precision[c] * spread / 2
    return out


def sharpen(
    lenses: Lenses, views: Views, precision: FloatArray, points: FloatArray, residual: Reprojection
) -> tuple[FloatArray, FloatArray]:
    """Do the last Gauss-Newton step, on residuals of the full lens, and give the covariance.

    Parameters
    ----------
    lenses : Lenses
    views : Views
    precision : (n_cameras, n_points) array, 1/px^2
    points : (3, n_points) array, mm
    residual : Reprojection
        Of `points`.

    Returns
    -------
    points : (3, n_points) array, mm
    covariance : (n_points, 3, 3) array, mm^2
        Inverse of the Gauss-Newton matrix: the Cramer-Rao bound if noise is 1 / `precision`.
    """
    with np.errstate(all="ignore"):
        H = _matrix(lenses, views, precision, residual.at)
        w = precision / residual.at.depth
        across = np.where(precision > 0, w * residual.across, 0.0)  # absent views are NaN
        down = np.where(precision > 0, w * residual.down, 0.0)
        by_u, by_v = views.a11 * across + views.a21 * down, views.a12 * across + views.a22 * down
        return points - _solve(H, _gradient(lenses, by_u, by_v, residual.at)), _invert(H)


def covariances(lenses: Lenses, views: Views, precision: FloatArray, points: FloatArray) -> FloatArray:
    """Return the covariance (n_points, 3, 3) in mm^2 of points (3, n_points) under the given precision of views."""
    with np.errstate(all="ignore"):
        return _invert(_matrix(lenses, views, precision, fit(lenses, views, points)))
