"""The same minimum by `scipy.optimize.least_squares`: slower, and somebody else's."""

from typing import Any

import numpy as np
import scipy.sparse
from scipy.optimize import least_squares

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.transforms import apply
from pose3d.reconstruction.refinement.losses import loss_weights
from pose3d.reconstruction.refinement.problem import HOLD_MM, Problem
from pose3d.reconstruction.refinement.solver import Minimum

__all__ = ["minimize_with_scipy"]

_MOST_EVALUATIONS = 200
_TINY = 1e-12


def minimize_with_scipy(problem: Problem, x: FloatArray, *, tolerance_mm: float) -> Minimum:
    """Minimise the problem with scipy's trust region method, on residuals whose squares are the robust cost.

    Parameters
    ----------
    problem : Problem
    x : (n_tracks, n_frames, 3) array, mm
        Start.
    tolerance_mm : float
        Relative to the points' coordinates it is scipy's `xtol`.

    Returns
    -------
    Minimum
    """
    shape = x.shape
    free = np.repeat(problem.active.reshape(-1), 3)
    columns = np.flatnonzero(free)
    held = x.reshape(-1).copy()

    def full(unknowns: FloatArray) -> FloatArray:
        out = held.copy()
        out[columns] = unknowns
        return out.reshape(shape)

    def residuals(unknowns: FloatArray) -> FloatArray:
        return _residuals(problem, full(unknowns))

    def jacobian(unknowns: FloatArray) -> Any:
        return _jacobian(problem, full(unknowns))[:, columns]

    size = float(np.linalg.norm(held[columns])) or 1.0
    done = least_squares(
        residuals,
        held[columns],
        jac=jacobian,
        method="trf",
        tr_solver="lsmr",
        tr_options={"atol": 1e-12, "btol": 1e-12, "maxiter": 2000},
        x_scale=1.0,
        xtol=max(1e-3 * tolerance_mm / size, 1e-14),
        ftol=1e-14,
        gtol=1e-14,
        max_nfev=_MOST_EVALUATIONS,
    )
    found = full(done.x)
    return Minimum(found, problem.linearize(found), int(done.nfev), bool(done.status > 0))


def _view_errors(problem: Problem, x: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return camera and point of the used views, and errors over their standard deviation (n, 2)."""
    camera, point = (np.asarray(index) for index in np.nonzero(problem.precision > 0))
    errors = np.empty((len(camera), 2))
    world = x.reshape(-1, 3) + problem.lenses.origin
    for c, lens in enumerate(problem.lenses.cameras):
        mine = camera == c
        X = apply(lens.cam_from_world, world[point[mine]])
        seen = project_camera_frame(X, lens.matrix, lens.distortion, fisheye=lens.fisheye)
        errors[mine] = seen.pixels - problem.pixels[c, point[mine]]
    return camera, point, errors * np.sqrt(problem.precision[camera, point])[:, None]


def _residuals(problem: Problem, x: FloatArray) -> FloatArray:
    _, _, error = _view_errors(problem, x)
    squared = (error * error).sum(-1)
    value, _ = loss_weights(problem.loss, squared, problem.loss_scale)
    with np.errstate(all="ignore"):
        shrink = np.where(squared > _TINY, np.sqrt(value / squared), 1.0)
    fit = problem.limbs.fit(x, problem.active)
    return np.concatenate(
        [
            (shrink[:, None] * error).ravel(),
            problem.differences.rows(x).ravel(),
            (np.sqrt(fit.weight) * fit.excess).ravel(),
            (x - problem.start).ravel() / HOLD_MM,
        ]
    )


def _jacobian(problem: Problem, x: FloatArray) -> Any:
    n_frames = x.shape[1]
    n = x.size
    parts = [_view_rows(problem, x)]
    stencil = problem.differences.stencil
    tracks, rows = problem.differences.weight.shape
    count = tracks * rows * 3
    if count:
        index = np.arange(n).reshape(x.shape)
        weight = np.repeat(np.sqrt(problem.differences.weight).reshape(-1), 3)
        values = np.concatenate([c * weight for c in stencil])
        at = np.concatenate([index[:, i : i + rows].reshape(-1) for i in range(len(stencil))])
        parts.append(scipy.sparse.csr_matrix((values, (np.tile(np.arange(count), len(stencil)), at)), shape=(count, n)))
    fit = problem.limbs.fit(x, problem.active)
    if len(problem.limbs.ends):
        value = (np.sqrt(fit.weight)[..., None] * fit.direction).reshape(-1)
        a, b = (
            (end[:, None, None] * n_frames + np.arange(n_frames)[:, None]) * 3 + np.arange(3)
            for end in problem.limbs.ends.T
        )
        row = np.repeat(np.arange(fit.weight.size), 3)
        parts.append(
            scipy.sparse.csr_matrix(
                (np.concatenate([value, -value]), (np.tile(row, 2), np.concatenate([a.reshape(-1), b.reshape(-1)]))),
                shape=(fit.weight.size, n),
            )
        )
    parts.append(scipy.sparse.identity(n, format="csr") / HOLD_MM)
    return scipy.sparse.vstack(parts, format="csr")


def _view_rows(problem: Problem, x: FloatArray) -> Any:
    """Differentiate the shrunk errors: along the error the loss's slope, across it its value over the error."""
    camera, point, error = _view_errors(problem, x)
    world = x.reshape(-1, 3) + problem.lenses.origin
    by_point = np.empty((len(camera), 2, 3))
    for c, lens in enumerate(problem.lenses.cameras):
        mine = camera == c
        pose = lens.cam_from_world
        seen = project_camera_frame(apply(pose, world[point[mine]]), lens.matrix, lens.distortion, fisheye=lens.fisheye)
        by_point[mine] = seen.by_point @ pose[:3, :3]
    by_point *= np.sqrt(problem.precision[camera, point])[:, None, None]
    squared = (error * error).sum(-1)
    value, weight = loss_weights(problem.loss, squared, problem.loss_scale)
    with np.errstate(all="ignore"):
        far = squared > _TINY
        shrink = np.where(far, np.sqrt(value / squared), 1.0)
        # residual R(t) e / t with R^2 = rho: dR/dt = rho' t / R
        slope = np.where(far, weight * np.sqrt(squared / value), 1.0)
        unit = np.where(far[:, None], error / np.sqrt(squared)[:, None], 0.0)
    along = np.einsum("ni,nij->nj", unit, by_point)
    rows = shrink[:, None, None] * by_point + ((slope - shrink)[:, None] * unit)[..., None] * along[:, None, :]
    count = len(camera)
    row = np.repeat(np.arange(2 * count), 3)
    column = np.broadcast_to((3 * point)[:, None, None] + np.arange(3), (count, 2, 3)).reshape(-1)
    return scipy.sparse.csr_matrix((rows.reshape(-1), (row, column)), shape=(2 * count, x.size))
