"""Maximum-likelihood points: linear start, Gauss-Newton on the reprojection, covariance; all points of a chunk at once.

Symmetric 3x3 systems are kept as six rows (:mod:`pose3d.geometry.symmetric`) and solved in closed form.
"""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.symmetric import inverse_matrix, solve
from pose3d.reconstruction.points.views import Fit, Lenses, Reprojection, Views, apply_table, fit, in_cameras

__all__ = [
    "Pull",
    "Step",
    "camera_normals",
    "covariances",
    "gradient_of",
    "leverage",
    "normal_of",
    "squared_at",
    "start_points",
    "step_points",
]


class Pull(NamedTuple):
    """How strongly each view pulls at its point; all (n_cameras, n_points), 0 where a view takes no part.

    Attributes
    ----------
    x, y : array
        Views, normalised coordinates.
    p11, p12, p22 : array
        Inverse of the covariance of x, y: (du, dv) times it times (du, dv) is the squared error over the noise.
    """

    x: FloatArray
    y: FloatArray
    p11: FloatArray
    p12: FloatArray
    p22: FloatArray

    @classmethod
    def of(cls, views: Views, precision: FloatArray) -> "Pull":
        """Weight the views by `precision` (n_cameras, n_points), 1/px^2."""
        return cls(views.x, views.y, precision * views.m11, precision * views.m12, precision * views.m22)

    def take(self, points: IntArray) -> "Pull":
        """Return some of the points."""
        return Pull(*(np.take(values, points, axis=1) for values in self))

    def only(self, chosen: BoolArray) -> "Pull":
        """Return the pull of the chosen views alone."""
        return Pull(self.x, self.y, *(values * chosen for values in (self.p11, self.p12, self.p22)))


class Step(NamedTuple):
    """One Gauss-Newton step.

    Attributes
    ----------
    points : (3, n_points) array, mm
        After the step; NaN where the views do not fix a point.
    normal : (6, n_points) array, 1/mm^2
        Gauss-Newton matrix before the step: the inverse of the covariance.
    cost : (n_points,) array
        Sum of the squared errors over the noise that is left after the step, were the views linear in the point.
    depth : (n_cameras, n_points) array, mm
        Before the step.
    squared : (n_cameras, n_points) array
        Squared errors over the noise, before the step.
    """

    points: FloatArray
    normal: FloatArray
    cost: FloatArray
    depth: FloatArray
    squared: FloatArray


def start_points(lenses: Lenses, pull: Pull) -> FloatArray:
    """Solve for points (3, n) linearly, rows weighted by the mean of both directions: a start for Gauss-Newton."""
    n = len(pull.x)
    columns = np.empty((4 * n, pull.x.shape[1]))
    w, wx, wy, wq = columns[:n], columns[n : 2 * n], columns[2 * n : 3 * n], columns[3 * n :]
    np.add(pull.p11, pull.p22, out=w)
    np.multiply(w, pull.x, out=wx)
    np.multiply(w, pull.y, out=wy)
    np.multiply(wx, pull.x, out=wq)
    wq += wy * pull.y
    sums = apply_table(lenses.linear, columns)
    with np.errstate(all="ignore"):
        return solve(sums[:6], sums[6:])


def step_points(lenses: Lenses, pull: Pull, points: FloatArray) -> Step:
    """Do one Gauss-Newton step on the reprojection, the lens taken to first order around each view.

    Parameters
    ----------
    lenses : Lenses
    pull : Pull
    points : (3, n_points) array, mm
    """
    n = len(pull.x)
    columns = np.empty((6 * n, points.shape[1]))
    h11, h12, h22, hu, hv, hh = (columns[k * n : (k + 1) * n] for k in range(6))
    slopes = np.empty((3 * n, points.shape[1]))
    by_u, by_v, by_depth = (slopes[k * n : (k + 1) * n] for k in range(3))
    with np.errstate(all="ignore"):
        depth, u, v = in_cameras(lenses, points)
        du, dv = u - pull.x, v - pull.y
        inverse = 1 / depth
        work = pull.p12 * dv
        np.multiply(pull.p11, du, out=by_u)
        by_u += work
        np.multiply(pull.p22, dv, out=by_v)
        np.multiply(pull.p12, du, out=work)
        by_v += work
        du *= by_u
        dv *= by_v
        squared = np.add(du, dv, out=du)
        by_u *= inverse
        by_v *= inverse
        np.multiply(u, by_u, out=by_depth)
        np.multiply(v, by_v, out=work)
        by_depth += work
        inverse *= inverse
        np.multiply(pull.p11, inverse, out=h11)
        np.multiply(pull.p12, inverse, out=h12)
        np.multiply(pull.p22, inverse, out=h22)
        np.multiply(h11, u, out=hu)
        np.multiply(h12, v, out=work)
        hu += work
        np.multiply(h12, u, out=hv)
        np.multiply(h22, v, out=work)
        hv += work
        np.multiply(hu, u, out=hh)
        np.multiply(hv, v, out=work)
        hh += work
        gradient = apply_table(lenses.gradient, slopes)
        normal = apply_table(lenses.hessian, columns)
        step = solve(normal, gradient)
        cost = squared.sum(0)
        gradient *= step
        cost -= gradient.sum(0)
        return Step(points - step, normal, cost, depth, squared)


def normal_of(lenses: Lenses, views: Views, precision: FloatArray, at: Fit) -> FloatArray:
    """Return the Gauss-Newton matrix (6, n), 1/mm^2, of points with reprojection `at`.

    Views of `precision` 0, in 1/px^2, take no part.
    """
    with np.errstate(all="ignore"):
        w = np.where(precision > 0, precision / (at.depth * at.depth), 0.0)
        m11, m12, m22 = w * views.m11, w * views.m12, w * views.m22
        mu, mv = m11 * at.u + m12 * at.v, m12 * at.u + m22 * at.v
        return apply_table(lenses.hessian, np.concatenate([m11, m12, m22, mu, mv, mu * at.u + mv * at.v]))


def gradient_of(lenses: Lenses, views: Views, precision: FloatArray, seen: Reprojection) -> FloatArray:
    """Return the gradient of half the weighted squared errors by each point, (3, n_points), 1/mm."""
    with np.errstate(all="ignore"):
        used = precision > 0
        w = np.where(used, precision / seen.at.depth, 0.0)
        across, down = np.where(used, w * seen.across, 0.0), np.where(used, w * seen.down, 0.0)
        by_u, by_v = views.a11 * across + views.a21 * down, views.a12 * across + views.a22 * down
        return apply_table(lenses.gradient, np.concatenate([by_u, by_v, seen.at.u * by_u + seen.at.v * by_v]))


def camera_normals(lenses: Lenses, pull: Pull, points: FloatArray) -> FloatArray:
    """Return what each camera adds to the Gauss-Newton matrix, (n_cameras, n_points, 3, 3) in 1/mm^2."""
    n = len(pull.x)
    with np.errstate(all="ignore"):
        depth, u, v = in_cameras(lenses, points)
        w = 1 / (depth * depth)
        m11, m12, m22 = w * pull.p11, w * pull.p12, w * pull.p22
        mu, mv = m11 * u + m12 * v, m12 * u + m22 * v
        columns = np.stack([m11, m12, m22, mu, mv, mu * u + mv * v])
        rows = np.einsum("mkc,kcn->mcn", lenses.hessian.reshape(6, 6, n), columns)
    square: FloatArray = np.moveaxis(rows[[0, 1, 2, 1, 3, 4, 2, 4, 5]], 0, -1).reshape(n, -1, 3, 3)
    return square


def squared_at(lenses: Lenses, pull: Pull, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return depth and squared error over the noise (n_cameras, n_points) of points (3, n_points) in all views."""
    with np.errstate(all="ignore"):
        depth, u, v = in_cameras(lenses, points)
        u -= pull.x
        v -= pull.y
        squared = pull.p12 * v
        squared *= 2
        squared += pull.p11 * u
        squared *= u
        v *= v
        v *= pull.p22
        squared += v
        return depth, squared


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
        covariance = inverse_matrix(normal_of(lenses, views, precision, at)).transpose(1, 2, 0)
        inverse = 1 / at.depth
        R = lenses.rotation[..., None]
        u_by, v_by = (
            np.stack([(R[:, row, i] - w * R[:, 2, i]) * inverse for i in range(3)]) for row, w in ((0, at.u), (1, at.v))
        )
        # Rows of the camera's derivative through the covariance: what a shift of the point does to the view.
        u_cov, v_cov = (np.stack([(covariance[i][:, None] * by).sum(0) for i in range(3)]) for by in (u_by, v_by))
        spread = views.m11 * (u_by * u_cov).sum(0) + views.m22 * (v_by * v_cov).sum(0)
        spread += 2 * views.m12 * (u_by * v_cov).sum(0)
        return np.asarray(precision * spread / 2)


def covariances(lenses: Lenses, views: Views, precision: FloatArray, points: FloatArray) -> FloatArray:
    """Return the covariance (n_points, 3, 3) in mm^2 of points (3, n_points) under the given precision of views."""
    with np.errstate(all="ignore"):
        return inverse_matrix(normal_of(lenses, views, precision, fit(lenses, views, points)))
