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
from pose3d.log import Progress, logger, no_progress

from .bundle import LENS_SIZE, Bundle, Solution
from .extrinsics import Link
from .intrinsics import MIN_VIEWS, Lens, calibrate_lenses
from .lens_models import set_model
from .outlier_views import refine_views
from .placement import place_cameras
from .poses import MIN_CORNERS
from .selection import choose_lenses, fit_lenses_apart

__all__ = ["Solved", "estimate_lenses", "hold_rig", "solve_rig"]

_OUT_OF_STEP = 2.0  # times the cameras' own noise
_WEAK_LENS = 0.0025  # standard deviation of the focal length, as a part of it


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
        The model of the lenses that were estimated; see :data:`pose3d.calibration.LENS_MODELS`.
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
        start, used, links = place_cameras(detections, lenses, lost)
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
        start, used, links = place_cameras(detections, lenses, lost, rig=rig)
        own_sigma = np.array([lenses[name].sigma for name in used.cameras])
        solution, dropped = refine_views(replace(start, free=np.zeros_like(start.free)), own_sigma, no_progress)
    none = np.zeros((len(used.cameras), LENS_SIZE, LENS_SIZE))
    return Solved(solution, used, dropped, own_sigma, links, lost, none, "")


def _refine(
    start: Bundle,
    own_sigma: FloatArray,
    sizes: Sequence[tuple[int, int]],
    model: str | None,
    progress: Progress,
) -> tuple[Solution, BoolArray, FloatArray, str]:
    """Refine cameras and boards with the lens model that is asked for, or the one that the views support."""
    unknown = np.asarray(start.free[:, :LENS_SIZE].any(1))
    solution, dropped = refine_views(set_model(start, sizes, unknown, model or "full"), own_sigma, progress)
    together, covariance = True, np.zeros((len(start.lens), LENS_SIZE, LENS_SIZE))
    if model is None and unknown.any():
        # what is no matter of lenses (shutters out of step) would only bend them
        in_step = bool(np.median(solution.sigma / own_sigma) <= _OUT_OF_STEP)
        model, together = choose_lenses(solution, sizes, unknown, own_sigma)
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
            solution, dropped = refine_views(bundle, own_sigma, progress)
    return solution, dropped, covariance, model or "full"


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


def _one_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS has one thread: on matrices as small as these, more only wait for each other."""
    limited: AbstractContextManager[object] = _threads().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()
