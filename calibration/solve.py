"""From board corners to cameras: lenses, poses, the joint refinement, and which lens model the views support."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from pose3d.data.camera import Rig
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.log import Progress, logger, no_progress

from .boards import symmetries
from .bundle import LENS_SIZE, Bundle, Solution, refine, residuals, select_views
from .extrinsics import Graph, Link, candidate_poses, link_cameras, place_boards
from .intrinsics import LENS_MODELS, MIN_VIEWS, Lens, calibrate_lenses, lens_bundle, set_model
from .poses import MIN_CORNERS, board_poses
from .selection import fit_lenses_apart, held_out_loss, significant, thin

__all__ = ["Solved", "solve_rig"]

_OUT_OF_STEP = 2.0  # times the cameras' own noise
_INSTANTS_FOR_SELECTION = 120
_PARSIMONY = 1.0  # standard errors by which a richer lens model must predict better
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
        The model of the lenses that were estimated; see :data:`pose3d.calibration.intrinsics.LENS_MODELS`.
    """

    solution: Solution
    detections: BoardDetections
    dropped: BoolArray
    own_sigma: FloatArray
    links: dict[tuple[str, str], Link]
    lost: dict[str, str]
    lens_covariance: FloatArray
    lens_model: str


def solve_rig(
    detections: BoardDetections,
    *,
    intrinsics: Rig | None = None,
    lens_model: str | None = None,
    fisheye: bool | None = None,
    progress: Progress = no_progress,
) -> Solved:
    """Solve for all cameras and boards; the parameters are those of :func:`pose3d.calibration.calibrate_detections`.

    Raises
    ------
    CalibrationError
        If no lens can be estimated, no two cameras can be linked, or `intrinsics` do not fit the clips.
    """
    with threadpool_limits(limits=1, user_api="blas"):  # its matrices are small: more threads only wait for each other
        return _solve_rig(detections, intrinsics, lens_model, fisheye, progress)


def _solve_rig(
    detections: BoardDetections,
    intrinsics: Rig | None,
    lens_model: str | None,
    fisheye: bool | None,
    progress: Progress,
) -> Solved:
    _check_intrinsics(detections, intrinsics)
    seen = detections.n_views > 0
    lost = {name: "it never saw the board" for name, some in zip(detections.cameras, seen, strict=True) if not some}
    names = [name for name, some in zip(detections.cameras, seen, strict=True) if some]
    detections = _of_cameras(detections, names)
    progress("calibrating lenses", 0, len(names))
    known = [intrinsics[name] if intrinsics is not None and name in intrinsics else None for name in names]
    found = calibrate_lenses(detections.xy, detections.board.points, detections.sizes, known=known, fisheye=fisheye)
    lenses = {name: lens for name, lens in zip(names, found, strict=True) if lens is not None}
    progress("calibrating lenses", len(names), len(names))
    for name in names:
        if name not in lenses:
            lost[name] = (
                f"fewer than {MIN_VIEWS} of its views show at least {MIN_CORNERS} corners of the board; record the "
                "board again in front of it, or give its intrinsics with --intrinsics"
            )
    if not lenses:
        raise CalibrationError("no camera could be calibrated: " + "; ".join(f"{n}: {w}" for n, w in lost.items()))
    start, used, links = _place(_of_cameras(detections, list(lenses)), lenses, lost)
    own_sigma = np.array([lenses[name].sigma for name in used.cameras])
    solution, dropped, lens_covariance, lens_model = _refine(start, own_sigma, used.sizes, lens_model, progress)
    return Solved(solution, used, dropped, own_sigma, links, dict(sorted(lost.items())), lens_covariance, lens_model)


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


def _of_cameras(detections: BoardDetections, names: list[str]) -> BoardDetections:
    index = [detections.cameras.index(name) for name in names]
    return replace(
        detections,
        cameras=tuple(names),
        sizes=tuple(detections.sizes[i] for i in index),
        xy=detections.xy[:, index],
    )


def _place(
    detections: BoardDetections, lenses: dict[str, Lens], lost: dict[str, str]
) -> tuple[Bundle, BoardDetections, dict[tuple[str, str], Link]]:
    """Link the cameras and place the boards: start values, the views that they explain, and the links."""
    points, names = detections.board.points, detections.cameras
    order, turns = symmetries(detections.board)
    found = [
        board_poses(detections.xy[:, i], points, lens.matrix, lens.distortion, fisheye=lens.fisheye)
        for i, lens in enumerate(lenses.values())
    ]
    candidates = np.stack([candidate_poses(poses, error, turns) for poses, error in found], axis=1)
    graph = link_cameras(candidates)
    for i, name in enumerate(names):
        if i not in graph.linked:
            lost[name] = "it never saw the board at the same instant as another camera of the group"
    if len(graph.linked) == 1 and len(names) + len(lost) > 1:
        raise CalibrationError(
            "no two cameras saw the board at the same instant: record a clip in which the board moves through the "
            f"space that the cameras share ({_shared_views(detections)})"
        )
    _say_links(graph, names)
    kept = sorted(graph.linked)
    world_from_board, choice = place_boards(candidates, graph.cam_from_root, graph.linked)
    xy = np.where(
        (choice >= 0)[..., None, None],
        np.take_along_axis(detections.xy, order[np.maximum(choice, 0) // 2][..., None], axis=2),
        np.nan,
    )
    placed = np.isfinite(world_from_board[:, 0, 0])
    used = _of_cameras(replace(detections, frames=detections.frames[placed], xy=xy[placed]), [names[i] for i in kept])
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


def _shared_views(detections: BoardDetections) -> str:
    views = ", ".join(f"{n} {c}" for n, c in zip(detections.cameras, detections.n_views, strict=True))
    return f"views of the board: {views}"


def _say_links(graph: Graph, names: tuple[str, ...]) -> None:
    for a, b in graph.tree:
        link = graph.links[a, b]
        if link.agreeing < 5:
            logger.warning(
                "%s and %s are linked by %d of %d shared views only", names[a], names[b], link.agreeing, link.shared
            )


def _solve(start: Bundle, own_sigma: FloatArray, progress: Progress) -> tuple[Solution, BoolArray]:
    """Refine all that is free; views that fit nothing are left out, and told as (n_frames, n_cameras) of bool."""
    dropped = np.zeros((len(start.world_from_board), len(start.lens)), dtype=bool)
    solution = refine(start, rounds=2, own_sigma=own_sigma, progress=progress)
    for _ in range(3):
        bundle = solution.bundle
        median = np.nanmedian(np.linalg.norm(residuals(bundle), axis=-1), axis=1)
        bad = median > _BAD_VIEW * solution.sigma[bundle.camera]
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
    chosen = set_model(sample, sizes, unknown, model)
    best = held_out_loss(chosen, solution.sigma, own_sigma=own_sigma)
    for name in richer:
        bundle = set_model(sample, sizes, unknown, name)
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
        if not (together and in_step):
            together = False
            bundle, covariance = fit_lenses_apart(bundle)
            logger.info("lenses are as each camera's own views give them: together they predict nothing clearly better")
        if not together or model != "full":
            solution, dropped = _solve(bundle, own_sigma, progress)
    excess = float(np.median(solution.sigma / own_sigma))
    if excess > _OUT_OF_STEP:
        logger.warning(
            "the cameras together fit %.0f times worse than each alone (%.2f px against %.2f px): they may not be in "
            "step, or one moved",
            excess,
            1.1774 * float(np.median(solution.sigma)),
            1.1774 * float(np.median(own_sigma)),
        )
    return solution, dropped, covariance, model or "full"
