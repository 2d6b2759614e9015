"""Which camera has moved since an earlier calibration, and by how much.

Two calibrations have each a world of their own, so only cameras relative to one another can be compared: those that
stayed agree on how the old world lies in the new one, and one that does not share that view has moved. Compared are the
poses that explain the new images with the old lenses, because a principal point that came out a little differently
turns the camera in the file and not in the room.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.camera import Rig
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.transforms import apply, inverse
from pose3d.log import Progress, logger, no_progress

from ..rig import Calibration, calibrate_detections
from ..solver.bundle import LENS_SIZE, Solution
from ..solver.lens_models import lens_prior
from ..trust.uncertainty import Uncertainty, parameter_uncertainty
from .changes import CameraChange, Comparison, Verdict
from .consensus import find_moved, gauge_maps
from .equivalent import (
    View,
    center_map,
    difference,
    in_new_world,
    pose_covariance,
    scene_of,
    settle,
    start,
    view_of,
)

__all__ = ["changes_since", "compare_calibration", "compare_rigs", "moved_since"]


_SYSTEMATIC_PX = 0.05  # what two faultless calibrations differ by beyond their noise
_USUAL_PX = 0.15  # about what two calibrations differ by in a camera's image, where no covariance is known
_CENTER_PX = 10.0  # two estimates of a principal point, of different lenses, may differ so much
_FOCAL_SDS = 6.0
_ZOOM_PERCENT = 0.5, 1.5  # least change of a focal length that is called one: with and without its sd
_APART_PX = 2.0  # cameras that stayed agree better than this, or more than one can tell has moved


def changes_since(
    calibration: Calibration,
    old: Rig,
    *,
    tolerance_mm: float = 1.0,
    tolerance_deg: float = 0.05,
    progress: Progress = no_progress,
) -> Comparison:
    """Tell what has changed between an earlier calibration and a new one whose views are at hand.

    Where the lenses are the same the new views are held against the old calibration (:func:`moved_since`), which tells
    more than to compare two calibrations with each one's errors.

    Parameters
    ----------
    calibration : Calibration
    old : Rig
    tolerance_mm, tolerance_deg : float
        As in :func:`compare_rigs`.
    progress : callable, optional

    Returns
    -------
    Comparison

    Raises
    ------
    CalibrationError
        If fewer than two cameras have a common name, or an image has another size.
    """
    calibration = calibration.transformed(calibration.rig.cameras[0].cam_from_world)  # where its uncertainty began
    found = compare_rigs(
        calibration.rig,
        old,
        uncertainty=calibration.uncertainty,
        scene=calibration.volume.xyz,
        tolerance_mm=tolerance_mm,
        tolerance_deg=tolerance_deg,
    )
    if any(camera.zoomed for camera in found.cameras):
        return found
    try:
        held = moved_since(
            calibration.detections, old, tolerance_mm=tolerance_mm, tolerance_deg=tolerance_deg, progress=progress
        )
    except CalibrationError as error:
        logger.debug("the new views do not fit the earlier lenses: %s", error)
        return found
    return replace(held, gone=found.gone)


def compare_calibration(
    calibration: Calibration, old: Rig, *, progress: Progress = no_progress
) -> tuple[Calibration, Comparison | None]:
    """Hold a calibration against an earlier one, and add what is found to its findings.

    Returns
    -------
    calibration : Calibration
    comparison : Comparison or None
        None where clips are exchanged: cameras under each other's name are not to be compared.
    """
    if any(finding.kind == "exchanged" for finding in calibration.findings):
        return calibration, None
    comparison = changes_since(calibration, old, progress=progress)
    return replace(calibration, findings=(*calibration.findings, *comparison.findings)), comparison


def moved_since(
    detections: BoardDetections,
    old: Rig,
    *,
    tolerance_mm: float = 1.0,
    tolerance_deg: float = 0.05,
    progress: Progress = no_progress,
) -> Comparison:
    """Tell from new views of a board which camera of an earlier calibration has moved.

    The new views are solved with the old lenses, so that nothing but the poses can differ.

    Parameters
    ----------
    detections : BoardDetections
    old : Rig
    tolerance_mm, tolerance_deg : float
        As in :func:`compare_rigs`.
    progress : callable, optional

    Returns
    -------
    Comparison

    Raises
    ------
    CalibrationError
        If the views do not link the cameras, or fewer than two are in `old`.
    """
    new = calibrate_detections(detections, intrinsics=old, progress=progress)
    common = [name for name in new.rig.names if name in old]
    # the old cameras were found from views of the same kind, if all of them are here to tell
    like_old = parameter_uncertainty(_with_free_lenses(new)) if len(common) == len(new.rig) else None
    return compare_rigs(
        new.rig,
        old if like_old is None else old.select(common),
        uncertainty=new.uncertainty,
        old_uncertainty=like_old,
        scene=new.volume.xyz,
        tolerance_mm=tolerance_mm,
        tolerance_deg=tolerance_deg,
    )


def _with_free_lenses(calibration: Calibration) -> Solution:
    """Return the solution as if the lenses had been unknown, as they were in the earlier calibration."""
    solution, cameras = calibration.solution, calibration.rig
    bundle = solution.bundle
    priors = [
        lens_prior(c.size, c.focal, n_lens=int(n), fisheye=c.fisheye)[0]
        for c, n in zip(cameras, bundle.n_lens, strict=True)
    ]
    free = bundle.free.copy()
    free[:, :LENS_SIZE] = np.arange(LENS_SIZE) < 4 + bundle.n_lens[:, None]
    return replace(solution, bundle=replace(bundle, free=free, prior=np.stack(priors)))


def compare_rigs(
    new: Rig,
    old: Rig,
    *,
    uncertainty: Uncertainty | None = None,
    old_uncertainty: Uncertainty | None = None,
    scene: ArrayLike | None = None,
    tolerance_mm: float = 1.0,
    tolerance_deg: float = 0.05,
) -> Comparison:
    """Tell which cameras have moved between two calibrations.

    Parameters
    ----------
    new, old : Rig
        Matched by the cameras' names; each in any world.
    uncertainty, old_uncertainty : Uncertainty, optional
        Of `new` and of `old`, if their calibrations are at hand. Where one is missing the other stands for it; where
        both are, the cameras that stayed tell how large the errors are.
    scene : (n, 3) array, mm, optional
        Points of what is recorded, in the world of `new`; by default around the place that the cameras look at.
    tolerance_mm, tolerance_deg : float
        A camera has moved if that is certain and it is by at least one of the two.

    Returns
    -------
    Comparison

    Raises
    ------
    CalibrationError
        If fewer than two cameras have a common name, or an image has another size.
    """
    names = tuple(name for name in new.names if name in old)
    _check(new, old, names)
    to_first = new.cameras[0].cam_from_world  # uncertainties are those of poses relative to the first camera
    points = scene_of(new.select(names)) if scene is None else np.asarray(scene, dtype=np.float64).reshape(-1, 3)
    points = apply(to_first, points[np.isfinite(points).all(-1)])
    zoomed = [_zoomed(new, old, name, uncertainty, old_uncertainty) for name in names]
    views = [view_of(new[n], old[n], to_first, points, zoomed=z) for n, z in zip(names, zoomed, strict=True)]
    poses, old_poses = np.stack([view.pose for view in views]), old.select(names).cam_from_world
    new_from_old, scale = start(views, old_poses)
    aligned = in_new_world(old_poses, new_from_old, scale)
    covariance = _covariance(views, poses, (new, uncertainty), (old, old_uncertainty))
    known = uncertainty is not None or old_uncertainty is not None
    stretch = np.concatenate([np.zeros((len(names), 3)), aligned[:, :3, 3]], axis=-1)
    answer = find_moved(
        difference(poses, aligned),
        covariance,
        poses[:, :3, :3],
        stretch=stretch if len(names) > 2 else None,
        known=known,
        typical=1.0 if known else _USUAL_PX**2,
    )
    suspects = {i for group in (answer.moved, *answer.alternatives) for i in group}
    stayed = [i for i in range(len(names)) if i not in answer.moved]
    if len([i for i in stayed if not zoomed[i]]) > 1:  # a new lens is a weak witness
        stayed = [i for i in stayed if not zoomed[i]]
    new_from_old, scale = settle(views, old_poses, new_from_old, scale, stayed, scaled=answer.scaled)
    aligned = in_new_world(old_poses, new_from_old, scale)
    effect = [view.error_px(pose) for view, pose in zip(views, aligned, strict=True)]
    lost = len(names) > 2 and float(np.median([effect[i] for i in stayed])) > _APART_PX
    changes = []
    for i, change in enumerate(_measure(views, poses, aligned, covariance * answer.variance_factor, stayed)):
        far = change["shift_mm"] >= tolerance_mm or change["turn_deg"] >= tolerance_deg
        alone = not answer.alternatives and not lost
        verdict: Verdict = "same"
        if lost or (i in suspects and far) or (i in suspects and not alone):
            verdict = "moved" if alone else "unclear"
        focal_percent = 100 * (new[names[i]].focal / old[names[i]].focal - 1)
        changes.append(
            CameraChange(
                names[i], verdict, **change, focal_percent=focal_percent, zoomed=zoomed[i], effect_px=effect[i]
            )
        )
    groups = (answer.moved, *answer.alternatives) if answer.alternatives else ()
    return Comparison(
        tuple(changes),
        inverse(to_first) @ new_from_old,
        scale,
        tuple(name for name in new.names if name not in old),
        tuple(name for name in old.names if name not in new),
        tuple(tuple(names[i] for i in group) for group in groups),
    )


def _check(new: Rig, old: Rig, names: tuple[str, ...]) -> None:
    if len(names) < 2:
        raise CalibrationError(
            f"the calibrations have {len(names)} cameras of the same name ({', '.join(new.names)}; earlier "
            f"{', '.join(old.names)}), two are needed to compare; name the cameras alike"
        )
    for name in names:
        if new[name].size != old[name].size:
            (w, h), (old_w, old_h) = new[name].size, old[name].size
            raise CalibrationError(
                f"camera {name}: its image is {w}x{h} and was {old_w}x{old_h} in the earlier calibration; compare "
                "calibrations of one image size"
            )


def _zoomed(
    new: Rig, old: Rig, name: str, uncertainty: Uncertainty | None, old_uncertainty: Uncertainty | None
) -> bool:
    """Tell whether a focal length differs by more than its errors."""
    change = abs(new[name].focal / old[name].focal - 1)
    known = [
        float(np.mean(u.lens_sd[rig.names.index(name), :2])) / rig[name].focal
        for rig, u in ((new, uncertainty), (old, old_uncertainty))
        if u is not None
    ]
    if not known:
        return change > _ZOOM_PERCENT[1] / 100
    sd = float(np.sqrt(np.square(known).sum() * 2 / len(known)))
    return change > max(_ZOOM_PERCENT[0] / 100, _FOCAL_SDS * sd)


def _covariance(
    views: list[View],
    poses: FloatArray,
    new: tuple[Rig, Uncertainty | None],
    old: tuple[Rig, Uncertainty | None],
) -> FloatArray:
    """Return the covariance (6 n, 6 n) of the difference of the poses, or its shape for an error of 1 px."""
    n = len(views)
    shape = np.zeros((6 * n, 6 * n))
    for i, view in enumerate(views):
        shape[6 * i : 6 * i + 6, 6 * i : 6 * i + 6] = np.linalg.inv(view.information)
    names = [view.camera.name for view in views]
    parts = [pose_covariance(u, rig, names, views, poses) for rig, u in (new, old) if u is not None]
    if not parts:
        for i, view in enumerate(views):
            if view.zoomed:
                center = _CENTER_PX * view.by_lens[:, 2:4]
                shape[6 * i : 6 * i + 6, 6 * i : 6 * i + 6] += center @ center.T / _USUAL_PX**2
        return shape
    return np.asarray(sum(parts) * 2 / len(parts) + shape * _SYSTEMATIC_PX**2)


def _measure(
    views: list[View], poses: FloatArray, aligned: FloatArray, covariance: FloatArray, stayed: list[int]
) -> list[dict[str, float]]:
    """Measure how far each camera is from where it was, the world laid by those that stayed."""
    n = len(views)
    gauge = gauge_maps(poses[:, :3, :3])
    pull = np.zeros((6, 6 * n))
    total = np.zeros((6, 6))
    for i in stayed:
        part = gauge[i].T @ views[i].information
        pull[:, 6 * i : 6 * i + 6] = part
        total += part @ gauge[i]
    keep = np.eye(6 * n) - gauge.reshape(6 * n, 6) @ np.linalg.solve(total, pull)
    spread = keep @ covariance @ keep.T
    out = []
    off = difference(poses, aligned)
    for i in range(n):
        mine = spread[6 * i : 6 * i + 6, 6 * i : 6 * i + 6]
        to_center = center_map(poses[i])
        shift = inverse(poses[i])[:3, 3] - inverse(aligned[i])[:3, 3]
        turn = off[i, :3]
        out.append(
            {
                "shift_mm": float(np.linalg.norm(shift)),
                "shift_sd_mm": _sd_along(shift, to_center @ mine @ to_center.T),
                "turn_deg": float(np.degrees(np.linalg.norm(turn))),
                "turn_sd_deg": float(np.degrees(_sd_along(turn, mine[:3, :3]))),
            }
        )
    return out


def _sd_along(v: FloatArray, covariance: FloatArray) -> float:
    length = float(np.linalg.norm(v))
    variance = v @ covariance @ v / length**2 if length > 0 else np.trace(covariance) / 3
    return float(np.sqrt(max(variance, 0.0)))
