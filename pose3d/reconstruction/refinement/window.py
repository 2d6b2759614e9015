"""One run of frames, from views to refined points and their covariance."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.symmetric import inverse_matrix
from pose3d.reconstruction.points.views import Lenses
from pose3d.reconstruction.refinement.covariance import posterior_covariance
from pose3d.reconstruction.refinement.differences import Differences
from pose3d.reconstruction.refinement.gaps import with_short_gaps
from pose3d.reconstruction.refinement.motion import Motion
from pose3d.reconstruction.refinement.problem import Linearized, Problem
from pose3d.reconstruction.refinement.scipy_solver import minimize_with_scipy
from pose3d.reconstruction.refinement.settings import RefinementSettings
from pose3d.reconstruction.refinement.smoothness import smooth
from pose3d.reconstruction.refinement.solver import Minimum, minimize
from pose3d.reconstruction.refinement.start import Resolution, agreeing_views

__all__ = ["Refined", "Unrefined", "leave_unrefined", "refine_resolved", "solve_problem"]


class Refined(NamedTuple):
    """A refined run of frames.

    Attributes
    ----------
    x : (n_tracks, n_frames, 3) array, mm
        Relative to the cameras' centroid; NaN where missing.
    covariance : (n_tracks, n_frames, 3, 3) array, mm^2
        As the normal matrix has it: from the noise of the views, not of the cameras; NaN where missing.
    used : (n_cameras, n_tracks, n_frames) bool array
        Views behind each point.
    distance_px : (n_cameras, n_tracks, n_frames) array, px
        Reprojection error of every view, used or not; NaN where there is no view or no point.
    problem : Problem
        What was minimised.
    at : Linearized
        Around the minimum.
    converged : bool
    swapped : (n_cameras, n_frames, n_individuals, n_pairs) bool array, optional
        Views whose left and right were exchanged, and are repaired.
    """

    x: FloatArray
    covariance: FloatArray
    used: BoolArray
    distance_px: FloatArray
    problem: Problem
    at: Linearized
    converged: bool
    swapped: BoolArray | None = None


class Unrefined(NamedTuple):
    """A run of frames, each triangulated for itself; fields as in :class:`Refined`."""

    x: FloatArray
    covariance: FloatArray
    used: BoolArray
    distance_px: FloatArray
    swapped: BoolArray | None


def leave_unrefined(resolution: Resolution) -> Unrefined:
    """Return what single frames say in the form of a refined run."""
    fixes = resolution.fixes
    shape = (len(resolution.used), *fixes.there.shape)
    x = np.where(fixes.there[..., None], fixes.x + fixes.middle, np.nan)
    with np.errstate(all="ignore"):
        covariance = inverse_matrix(fixes.blocks.reshape(6, -1)).reshape(*shape[1:], 3, 3)
    covariance[~fixes.there] = np.nan
    return Unrefined(
        x, covariance, resolution.used.reshape(shape), resolution.distance_px.reshape(shape), resolution.swapped
    )


def refine_resolved(lenses: Lenses, resolution: Resolution, motion: Motion, settings: RefinementSettings) -> Refined:
    """Refine one run of frames.

    Parameters
    ----------
    lenses : Lenses
    resolution : Resolution
        Of the run's single frames.
    motion : Motion
    settings : RefinementSettings
    """
    order = settings.n_deriv_smooth
    active = resolution.places(settings.max_gap)
    n_tracks, n_frames = active.shape
    start, _, smooth_mm = smooth(
        resolution.fixes, active, order, motion.smooth_mm, reach=motion.reach, relax=settings.finds_smoothness
    )
    used = agreeing_views(lenses, resolution.views, start, active, motion.noise.threshold_px)
    if settings.anipose is not None:  # whose loss alone decides
        used = resolution.views.used & active.reshape(-1)
    # A fix with which no views agree now may have made a long gap look like two short ones.
    active &= with_short_gaps((used.sum(0) >= 2).reshape(active.shape), settings.max_gap)
    used &= active.reshape(-1)
    problem = Problem(
        lenses=lenses,
        pixels=resolution.pixels,
        views=resolution.views,
        precision=np.where(used, resolution.views.weight / motion.noise.noise_px[:, None] ** 2, 0.0),
        active=active,
        differences=Differences.of(order, smooth_mm, active),
        limbs=motion.limbs,
        start=start,
        loss=settings.loss if settings.anipose is None else "anipose",
        loss_scale=settings.loss_scale if settings.anipose is None else settings.anipose.reproj_error_threshold,
    )
    found = solve_problem(problem, start, settings)
    covariance = posterior_covariance(found.at.blocks, problem.differences, found.at.limbs, reach=motion.reach)
    shape = (len(used), n_tracks, n_frames)
    x = np.where(active[..., None], found.x, np.nan)
    covariance[~active] = np.nan
    distance = found.at.distance_px.reshape(shape)
    distance[:, ~active] = np.nan
    return Refined(x, covariance, used.reshape(shape), distance, problem, found.at, found.converged, resolution.swapped)


def solve_problem(problem: Problem, start: FloatArray, settings: RefinementSettings) -> Minimum:
    """Minimise with the chosen solver."""
    solver = minimize if settings.solver == "banded" else minimize_with_scipy
    return solver(problem, start, tolerance_mm=settings.tolerance_mm)
