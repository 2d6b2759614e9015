"""From board corners to cameras: lenses, poses, the joint refinement, and which lens model the views support."""

import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import ThreadpoolController

from pose3d.data.camera import Rig
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.projection import undistort
from pose3d.geometry.transforms import inverse
from pose3d.log import Progress, logger, no_progress

from ..detection.boards import symmetries
from .bundle import LENS_SIZE, Bundle, Solution, refine, residuals, select_views
from .extrinsics import Link, candidate_poses, link_cameras, place_boards
from .intrinsics import LENS_MODELS, MIN_VIEWS, Lens, calibrate_lenses, lens_bundle, set_model
from .poses import MIN_CORNERS, board_poses, lower_median
from .selection import fit_lenses_apart, held_out_loss, significant, thin

__all__ = ["Solved", "estimate_lenses", "hold_rig", "solve_rig"]

_OUT_OF_STEP = 2.0  # times the cameras' own noise
_INSTANTS_FOR_SELECTION = 120
_PARSIMONY = 1.0  # standard errors by which a richer lens model must predict better
_WEAK_LENS = 0.0025  # standard deviation of the focal length, as a part of it
_WIDEST = np.tan(np.deg2rad(85.0))
_PLENTY = 16  # corners of a view
_SUSPECT = 2.0  # median residual of a view, in units of its camera's noise (1.18 by chance), that asks for another look
_TURNED = 0.8  # another pose of the board must lower the misfit by this
_BAD_VIEW = 6.0  # a view whose median residual is this many times the camera's noise is left out


@dataclass(frozen=True, eq=False)
class Solved:
    """Cameras and boards, refined together.

    Attributes
    ----------
    solution : Solution
        The world is the first camera's frame.
    detections : BoardDetections
        The cameras and instants of the solution, each view's corners numbered as the board's.
    dropped : (n_frames, n_cameras) bool array
        Views that were left out, as they fit no pose of the board.
    own_sigma : (n_cameras,) array, px
        Each camera's noise when it is calibrated alone.
    links : dict of (str, str) to Link
        Pairs of cameras with shared views.
    lost : dict of str to str
        Cameras that could not be calibrated or linked, and why.
    lens_covariance : (n_cameras, 12, 12) array
        Of lenses that each camera's own views gave and that were held in the joint refinement; 0 for the others.
    lens_model : str
        The model of the lenses that were estimated; see :data:`pose3d.calibration.solver.intrinsics.LENS_MODELS`.
    """

    solution: Solution
    detections: BoardDetections
    dropped: BoolArray
    own_sigma: FloatArray
    links: dict[tuple[str, str], Link]
    lost: dict[str, str]
    lens_covariance: FloatArray
    lens_model: str


def estimate_lenses(
    detections: BoardDetections, *, intrinsics: Rig | None = None, fisheye: bool | None = None
) -> tuple[dict[str, Lens], dict[str, str]]:
    """Estimate the lens of each camera from its own views, for a start.

    Parameters
    ----------
    detections : BoardDetections
    intrinsics : Rig, optional
        Cameras whose lenses are held.
    fisheye : bool, optional

    Returns
    -------
    lenses : dict of str to Lens
    lost : dict of str to str
        Cameras that have none, and why.

    Raises
    ------
    CalibrationError
        If there is none at all, or `intrinsics` do not fit the clips.
    """
    _check_intrinsics(detections, intrinsics)
    known = [intrinsics[name] if intrinsics is not None and name in intrinsics else None for name in detections.cameras]
    with _one_thread():
        found = calibrate_lenses(detections.xy, detections.board.points, detections.sizes, known=known, fisheye=fisheye)
    lenses, lost = {}, {}
    for name, lens, n_views in zip(detections.cameras, found, detections.n_views, strict=True):
        if lens is not None:
            lenses[name] = lens
        elif n_views == 0:
            lost[name] = "it never saw the board"
        else:
            lost[name] = (
                f"fewer than {MIN_VIEWS} of its views show at least {MIN_CORNERS} corners of the board; record the "
                "board again in front of it, or give its intrinsics with --intrinsics"
            )
    if not lenses:
        raise CalibrationError("no camera could be calibrated: " + "; ".join(f"{n}: {w}" for n, w in lost.items()))
    return lenses, lost


def _one_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS has one thread: on matrices as small as these, more only wait for each other."""
    limited: AbstractContextManager[object] = _threads().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def solve_rig(
    detections: BoardDetections,
    lenses: Mapping[str, Lens],
    *,
    lens_covariance: Mapping[str, FloatArray] | None = None,
    lens_model: str | None = None,
    progress: Progress = no_progress,
) -> Solved:
    """Solve for all cameras and boards together.

    Parameters
    ----------
    detections : BoardDetections
    lenses : mapping of str to Lens
        From :func:`estimate_lenses`; cameras that are absent are left out.
    lens_covariance : mapping of str to (12, 12) array, optional
        How well lenses that are held are known; exactly, by default.
    lens_model, progress
        As in :func:`pose3d.calibration.calibrate_detections`.

    Raises
    ------
    CalibrationError
        If no two cameras can be linked.
    """
    lost: dict[str, str] = {}
    with _one_thread():
        start, used, links = _place(detections, lenses, lost)
        own_sigma = np.array([lenses[name].sigma for name in used.cameras])
        solution, dropped, covariance, model = _refine(start, own_sigma, used.sizes, lens_model, progress)
    for name, known in (lens_covariance or {}).items():
        if name in used.cameras:
            covariance[used.cameras.index(name)] = known
    return Solved(solution, used, dropped, own_sigma, links, lost, covariance, model)


def hold_rig(detections: BoardDetections, rig: Rig) -> Solved:
    """Place the boards before cameras that are all held, so that an existing calibration can be measured.

    Parameters
    ----------
    detections : BoardDetections
    rig : Rig
        Cameras that `detections` lacks are left out.

    Raises
    ------
    CalibrationError
        If no camera has both, or image sizes differ.
    """
    lost = {name: "it is not in the calibration" for name in detections.cameras if name not in rig}
    detections = detections.select([name for name in detections.cameras if name in rig])
    lenses, unseen = estimate_lenses(detections, intrinsics=rig)
    lost |= unseen
    with _one_thread():
        start, used, links = _place(detections, lenses, lost, rig=rig)
        own_sigma = np.array([lenses[name].sigma for name in used.cameras])
        solution, dropped = _solve(replace(start, free=np.zeros_like(start.free)), own_sigma, no_progress)
    none = np.zeros((len(used.cameras), LENS_SIZE, LENS_SIZE))
    return Solved(solution, used, dropped, own_sigma, links, lost, none, "")


def _check_intrinsics(detections: BoardDetections, intrinsics: Rig | None) -> None:
    if intrinsics is None:
        return
    if not set(intrinsics.names) & set(detections.cameras):
        raise CalibrationError(
            f"the known intrinsics are for {', '.join(intrinsics.names)}, the clips for "
            f"{', '.join(detections.cameras)}: no camera has both; name the clips as the calibration does"
        )
    for name, size in zip(detections.cameras, detections.sizes, strict=True):
        if name in intrinsics and intrinsics[name].size != size:
            width, height = intrinsics[name].size
            raise CalibrationError(
                f"camera {name}: the clip is {size[0]}x{size[1]}, but its known intrinsics are for {width}x{height}; "
                "record at that size or calibrate the lens anew"
            )


def _place(
    detections: BoardDetections, lenses: Mapping[str, Lens], lost: dict[str, str], *, rig: Rig | None = None
) -> tuple[Bundle, BoardDetections, dict[tuple[str, str], Link]]:
    """Link the cameras and place the boards: start values, the views that they explain, and the links."""
    n_given, detections = len(detections.cameras), detections.select(list(lenses))
    points, names = detections.board.points, detections.cameras
    order, turns = symmetries(detections.board)
    found = [_rough_poses(detections.xy[:, i], points, lens) for i, lens in enumerate(lenses.values())]
    detections = _before_cameras(detections, lenses)
    candidates = np.stack([candidate_poses(poses, error, turns) for poses, error in found], axis=1)
    graph = link_cameras(candidates)
    if rig is not None:  # the cameras stand where they stand
        graph = graph._replace(cam_from_root=rig.select(names).cam_from_world, linked=list(range(len(names))))
    for i, name in enumerate(names):
        if i not in graph.linked:
            lost[name] = "it never saw the board at the same instant as another camera of the group"
    if len(graph.linked) == 1 and n_given > 1:
        raise CalibrationError(
            "no two cameras saw the board at the same instant: record a clip in which the board moves through the "
            f"space that the cameras share ({_shared_views(detections)})"
        )
    kept = sorted(graph.linked)
    world_from_board, choice = place_boards(candidates, graph.cam_from_root, graph.linked)
    xy = np.where(
        (choice >= 0)[..., None, None],
        np.take_along_axis(detections.xy, order[np.maximum(choice, 0) // 2][..., None], axis=2),
        np.nan,
    )
    placed = np.isfinite(world_from_board[:, 0, 0])
    used = replace(detections, frames=detections.frames[placed], xy=xy[placed]).select([names[i] for i in kept])
    start = lens_bundle(
        [lenses[name] for name in used.cameras],
        used.sizes,
        points,
        used.xy,
        graph.cam_from_root[kept],
        world_from_board[placed],
    )
    links = {(names[a], names[b]): link for (a, b), link in graph.links.items() if a in kept and b in kept}
    return start, used, links


def _before_cameras(detections: BoardDetections, lenses: Mapping[str, Lens]) -> BoardDetections:
    """Leave out corners beside or behind a fisheye, which no model of points before the camera explains."""
    if not any(lens.fisheye for lens in lenses.values()):
        return detections
    xy = detections.xy.copy()
    for i, lens in enumerate(lenses.values()):
        if lens.fisheye:
            rays, _ = undistort(xy[:, i], lens.matrix, lens.distortion, fisheye=True)
            xy[:, i][~(np.linalg.norm(rays, axis=-1) < _WIDEST)] = np.nan
    return replace(detections, xy=xy)


def _rough_poses(xy: FloatArray, points: FloatArray, lens: Lens) -> tuple[FloatArray, FloatArray]:
    """Solve for the board's pose in each view; where there are plenty of corners every other one is enough."""
    half = xy[:, ::2]
    plenty = np.isfinite(half[..., 0]).sum(1) >= _PLENTY
    poses, error = np.full((len(xy), 2, 4, 4), np.nan), np.full((len(xy), 2), np.inf)
    for views, some, where in ((plenty, half, points[::2]), (~plenty, xy, points)):
        poses[views], error[views] = board_poses(some[views], where, lens.matrix, lens.distortion, fisheye=lens.fisheye)
    return poses, error


def _shared_views(detections: BoardDetections) -> str:
    views = ", ".join(f"{n} {c}" for n, c in zip(detections.cameras, detections.n_views, strict=True))
    return f"views of the board: {views}"


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


def _solve(start: Bundle, own_sigma: FloatArray, progress: Progress) -> tuple[Solution, BoolArray]:
    """Refine all that is free; views that fit nothing are left out, and told as (n_frames, n_cameras) of bool."""
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


def _select(
    solution: Solution, sizes: Sequence[tuple[int, int]], unknown: BoolArray, own_sigma: FloatArray
) -> tuple[str, bool]:
    """Choose the lens model that predicts held-out instants, and whether lenses are refined together or apart."""
    sample = thin(solution.bundle, _INSTANTS_FOR_SELECTION)
    model, *richer = LENS_MODELS

    def fitted(name: str) -> Bundle:
        return refine(set_model(sample, sizes, unknown, name), rounds=2, own_sigma=own_sigma).bundle

    chosen = fitted(model)
    best = held_out_loss(chosen, solution.sigma, own_sigma=own_sigma)
    for name in richer:
        bundle = fitted(name)
        loss = held_out_loss(bundle, solution.sigma, own_sigma=own_sigma)
        if significant(best - loss, _PARSIMONY):
            best, model, chosen = loss, name, bundle
    apart = held_out_loss(chosen, solution.sigma, own_sigma=own_sigma, apart=True)
    return model, significant(apart - best)


def _refine(
    start: Bundle,
    own_sigma: FloatArray,
    sizes: Sequence[tuple[int, int]],
    model: str | None,
    progress: Progress,
) -> tuple[Solution, BoolArray, FloatArray, str]:
    """Refine cameras and boards with the lens model that is asked for, or the one that the views support."""
    unknown = np.asarray(start.free[:, :LENS_SIZE].any(1))
    solution, dropped = _solve(set_model(start, sizes, unknown, model or "full"), own_sigma, progress)
    together, covariance = True, np.zeros((len(start.lens), LENS_SIZE, LENS_SIZE))
    if model is None and unknown.any():
        # what is no matter of lenses (shutters out of step) would only bend them
        in_step = bool(np.median(solution.sigma / own_sigma) <= _OUT_OF_STEP)
        model, together = _select(solution, sizes, unknown, own_sigma)
        logger.info("lens model %s predicts held-out instants best", model)
        bundle = set_model(replace(start, cam_from_world=solution.bundle.cam_from_world), sizes, unknown, model)
        alone, known = fit_lenses_apart(bundle)
        focal_sd = np.sqrt(np.maximum(known[:, 0, 0], 0.0)) / alone.lens[:, 0]
        # a lens that its own views hardly know is better left to all
        together = in_step and (together or bool((focal_sd[unknown] > _WEAK_LENS).any()))
        if not together:
            bundle, covariance = alone, known
            logger.info("lenses are as each camera's own views give them: together they predict nothing clearly better")
        if not together or model != "full":
            solution, dropped = _solve(bundle, own_sigma, progress)
    return solution, dropped, covariance, model or "full"
