"""Joint refinement of cameras and free points by Levenberg-Marquardt, the cameras' noise estimated on the way."""

from dataclasses import dataclass

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.log import Progress, no_progress

from ..solver.bundle import NOISE_FLOOR, RAYLEIGH
from .points_equations import equations_of, invert_symmetric, move, point_information, solve_step
from .points_views import PointsBundle, State, View, point_distances, state_of, views_of

__all__ = ["PointsSolution", "point_covariances", "refine_points", "settle_points"]

_ENOUGH = 20  # labels from which a camera's own noise is estimated


@dataclass(frozen=True, eq=False)
class PointsSolution:
    """A refined bundle.

    Attributes
    ----------
    bundle : PointsBundle
    sigma : (n_cameras,) array, px
        Noise of a label's coordinate with the weight 1.
    weight : (n_points, n_cameras) array, 0..1
        What the robust loss leaves of each label.
    iterations : int
    """

    bundle: PointsBundle
    sigma: FloatArray
    weight: FloatArray
    iterations: int


def _noise(bundle: PointsBundle, views: list[View], sigma: FloatArray, state: State) -> FloatArray:
    """Estimate each camera's noise from its residuals and what of them the points' freedom has taken away.

    The median of a residual's length (:data:`RAYLEIGH` sigma) over the root of its redundancy; without the redundancy
    the camera that the points follow would seem better and better. Points that two cameras see cannot tell which of
    the two is worse: cameras without others share one noise. None is trusted three times more than the typical one.
    """
    V, slopes = point_information(bundle, views, sigma, state)
    inverse = invert_symmetric(V)
    several = np.isfinite(bundle.ray[..., 0]).sum(1) >= 3
    out, everything = np.full(len(sigma), np.nan), []
    for i, view in enumerate(views):
        world, mine = slopes[i], inverse[:, :, view.point]
        taken = sum((world[:, row] * (mine * world[None, :, row]).sum(1)).sum(0) for row in (0, 1))
        length = np.linalg.norm(state.seen[i].r, axis=0) * view.root
        sure = length / np.sqrt(np.maximum(1 - np.asarray(taken) / 2, 0.02))
        counts = np.asarray(taken) > 0
        everything.append(sure[counts])
        if (counts & several[view.point]).sum() >= _ENOUGH:
            out[i] = np.median(sure[counts & several[view.point]]) / RAYLEIGH
    if np.isfinite(out).any():
        middle = float(np.nanmedian(out))
    else:
        pooled = np.concatenate(everything)
        middle = float(np.median(pooled)) / RAYLEIGH if len(pooled) else 1.0
    return np.asarray(np.clip(np.nan_to_num(out, nan=middle), max(middle / 3, NOISE_FLOOR), max(3 * middle, 0.03)))


def refine_points(
    bundle: PointsBundle,
    *,
    sigma: FloatArray | None = None,
    rounds: int = 6,
    max_iterations: int = 30,
    tolerance: float = 1e-5,
    progress: Progress = no_progress,
) -> PointsSolution:
    """Refine cameras and points together.

    Parameters
    ----------
    bundle : PointsBundle
        Start values; all points finite.
    sigma : (n_cameras,) array, px, optional
        Noise of each camera at the start; estimated if absent.
    rounds : int
        Solves; after each, the noise is estimated anew. It ends when the noise stays.
    max_iterations : int
        Steps of a round; the noise of a far start falls by an order within a round, so the first ones are short.
    tolerance : float
        A round ends when a step lowers the cost by less than this part of it.
    progress : callable, optional

    Returns
    -------
    PointsSolution

    References
    ----------
    Triggs, McLauchlan, Hartley, Fitzgibbon (2000), Bundle adjustment: a modern synthesis, sections 4 and 6; Foerstner
    & Wrobel (2016), Photogrammetric Computer Vision, section 4.2.4, for the noise of groups of observations.
    """
    n_units = 0 if bundle.limbs is None else len(bundle.limbs.log_unit)
    free = np.concatenate([bundle.free.ravel(), np.ones(n_units, dtype=bool)])
    views = views_of(bundle)
    if sigma is None:
        length = point_distances(bundle) * np.sqrt(bundle.weight)
        sigma = np.full(len(views), max(float(np.nanmedian(length)) / RAYLEIGH, NOISE_FLOOR))
    iterations = 0
    state = state_of(bundle, views, sigma)
    for turn in range(rounds):
        damping = 1e-3
        for _ in range(max_iterations if turn > 1 else min(5, max_iterations)):
            equations = equations_of(bundle, views, sigma, state)
            while damping < 1e9:
                candidate = move(bundle, *solve_step(equations, bundle.limbs, free, damping))
                new = state_of(candidate, views, sigma)
                if np.isfinite(new.cost) and new.cost <= state.cost:
                    break
                damping *= 8
            else:
                break
            iterations += 1
            gain = (state.cost - new.cost) / max(state.cost, 1e-300)
            bundle, state = candidate, new
            damping = max(damping / 8, 1e-9)
            progress("refining cameras and points", iterations, 0)
            if gain < tolerance:
                break
        before, sigma = sigma, _noise(bundle, views, sigma, state)
        state = state_of(bundle, views, sigma)
        if turn > 0 and np.abs(np.log(sigma / before)).max() < 0.01:
            break
    weight = np.zeros(bundle.weight.shape)
    for i, view in enumerate(views):
        weight[view.point, i] = state.weight[i]
    return PointsSolution(bundle, sigma, weight, iterations)


def point_covariances(solution: PointsSolution) -> FloatArray:
    """Return the covariance of each point, the cameras held and limbs left aside.

    Parameters
    ----------
    solution : PointsSolution

    Returns
    -------
    (n_points, 3, 3) array, mm^2
    """
    bundle = solution.bundle.still()
    views = views_of(bundle)
    V, _ = point_information(bundle, views, solution.sigma, state_of(bundle, views, solution.sigma))
    return invert_symmetric(V).transpose(2, 0, 1)


def settle_points(bundle: PointsBundle, sigma: FloatArray | None = None) -> PointsSolution:
    """Refine the points alone, cameras held and limbs left aside."""
    rounds = 1 if sigma is not None else 3
    return refine_points(bundle.still(), sigma=sigma, rounds=rounds, max_iterations=5, tolerance=1e-4)
