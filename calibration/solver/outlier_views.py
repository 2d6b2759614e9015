"""The joint refinement, and whole views that do not fit it: boards placed at a planar twin, views of nothing."""

from dataclasses import replace

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.transforms import inverse
from pose3d.log import Progress

from .bundle import Bundle, Solution, refine, residuals, select_views
from .poses import board_poses, lower_median

__all__ = ["refine_views"]

_SUSPECT = 2.0  # median residual of a view, in units of its camera's noise (1.18 by chance), that asks for another look
_TURNED = 0.8  # another pose of the board must lower the misfit by this
_BAD_VIEW = 6.0  # a view whose median residual is this many times the camera's noise is left out


def refine_views(start: Bundle, own_sigma: FloatArray, progress: Progress) -> tuple[Solution, BoolArray]:
    """Refine all that is free; boards at a planar twin are turned, views that fit no pose are left out.

    Parameters
    ----------
    start : Bundle
    own_sigma : (n_cameras,) array, px
        Each camera's noise when it is calibrated alone.
    progress : callable

    Returns
    -------
    solution : Solution
    dropped : (n_frames, n_cameras) bool array
        Views that were left out.
    """
    dropped = np.zeros((len(start.world_from_board), len(start.lens)), dtype=bool)
    solution = refine(start, rounds=2, own_sigma=own_sigma, progress=progress)
    turned = _turn_twins(solution)
    if turned is not None:
        solution = refine(turned, rounds=2, own_sigma=own_sigma, progress=progress)
    for _ in range(3):
        bundle = solution.bundle
        bad = _view_misfit(bundle, solution.sigma) > _BAD_VIEW
        if not bad.any():
            break
        dropped[bundle.frame[bad], bundle.camera[bad]] = True
        solution = refine(select_views(bundle, ~bad), rounds=2, own_sigma=own_sigma, progress=progress)
    return solution, dropped


def _turn_twins(solution: Solution) -> Bundle | None:
    """Turn boards that were placed at a planar twin: where views fit badly, the pose is tried that each view suggests.

    Returns None where nothing fits better.
    """
    bundle = solution.bundle
    fit = _view_misfit(bundle, solution.sigma)
    suspects = np.unique(bundle.frame[fit > _SUSPECT])
    if not len(suspects):
        return None
    some = select_views(bundle, np.isin(bundle.frame, suspects))
    held = replace(some, free=np.zeros_like(bundle.free))
    poses, best = bundle.world_from_board.copy(), _frame_misfit(held, solution.sigma)
    for camera in np.unique(some.camera):
        mine = some.camera == camera
        found, _ = board_poses(
            some.xy[mine],
            bundle.points,
            bundle.matrix(camera),
            bundle.distortion(camera),
            fisheye=bool(bundle.fisheye[camera]),
        )
        for twin in range(2):
            tried = bundle.world_from_board.copy()
            there = np.isfinite(found[:, twin, 0, 0])
            frames = some.frame[mine][there]
            tried[frames] = inverse(bundle.cam_from_world[camera]) @ found[there, twin]
            tried = refine(replace(held, world_from_board=tried), rounds=1, tolerance=1.0).bundle.world_from_board
            misfit = _frame_misfit(replace(held, world_from_board=tried), solution.sigma)
            better = misfit < _TURNED * best
            poses[better], best[better] = tried[better], misfit[better]
    if (poses == bundle.world_from_board).all():
        return None
    return replace(bundle, world_from_board=poses)


def _view_misfit(bundle: Bundle, sigma: FloatArray) -> FloatArray:
    """Return each view's median residual, in units of its camera's noise, (n_views,)."""
    off = residuals(bundle)
    return np.sqrt(lower_median((off * off).sum(-1))) / sigma[bundle.camera]


def _frame_misfit(bundle: Bundle, sigma: FloatArray) -> FloatArray:
    """Return the sum of each instant's views' misfits, bounded, (n_frames,)."""
    capped = np.minimum(_view_misfit(bundle, sigma), _BAD_VIEW)
    total: FloatArray = np.bincount(bundle.frame, capped, minlength=len(bundle.world_from_board)).astype(np.float64)
    return total
