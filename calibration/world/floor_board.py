"""The world's frame from the board that lies on the floor."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.projection import undistort
from pose3d.geometry.rotations import mean_rotation, skew
from pose3d.geometry.transforms import apply, inverse
from pose3d.geometry.triangulation import triangulate_svd

from ..detection.boards import symmetries
from ..findings import Finding
from ..solver.bundle import Bundle, Solution, select_views
from ..solver.information import corners_by_board
from .alignment import WorldFrame, upright

if TYPE_CHECKING:
    from ..rig import Calibration

__all__ = ["frame_from_board", "put_on_floor"]

_STILL = 4.0  # times the noise: a board whose corners move less than this in all images lies still
_WORST_TILT_DEG = 2.0
_AXES = {"x": (0, 1.0), "y": (1, 1.0), "-x": (0, -1.0), "-y": (1, -1.0)}


def frame_from_board(
    calibration: "Calibration",
    frames: int | Sequence[int] | Literal["first", "last"] = "last",
    *,
    forward: Literal["x", "y", "-x", "-y"] = "x",
    thickness_mm: float = 0.0,
) -> WorldFrame:
    """Make a world from the board lying on the floor, its printed side up.

    Z is the board's normal towards the cameras that see it, X lies along one of the board's own axes, and the origin
    is below the board's first corner. (The frame of the board's own points has z into the paper, as OpenCV has it.)

    Parameters
    ----------
    calibration : Calibration
    frames : int, sequence of int, "first" or "last"
        When it lay there, as frame numbers of the recording. A single instant stands for all those next to it at which
        the board lay still in the same place.
    forward : {"x", "y", "-x", "-y"}
        The board's axis that becomes X. From the first corner, x runs to the second one, y to the next row.
    thickness_mm : float
        Of the board: the floor lies that much below its print.

    Returns
    -------
    WorldFrame

    Raises
    ------
    CalibrationError
        If no camera saw the board then, it moved, or it cannot be decided which of its sides is up.
    """
    solution, numbers = calibration.solution, calibration.detections.frames
    bundle = solution.bundle
    chosen = _chosen(solution, numbers, frames)
    where = f"frame {numbers[chosen[0]]}" + (f" to {numbers[chosen[-1]]}" if len(chosen) > 1 else "")
    poses = bundle.world_from_board[chosen]
    R = mean_rotation(poses[:, :3, :3], robust=True)
    middle = bundle.points.mean(0)
    corner = np.median(apply(poses, middle), axis=0) + R @ (bundle.points[0] - middle)
    views = np.isin(bundle.frame, chosen)
    cameras = inverse(bundle.cam_from_world[np.unique(bundle.camera[views])])[:, :3, 3]
    height = (cameras - corner) @ R[:, 2]
    if not ((height > 0).all() or (height < 0).all()):
        raise CalibrationError(
            f"board on the floor, {where}: the cameras that see its print are on both sides of it; choose another frame"
        )
    z = R[:, 2] * np.sign(height[0])
    column, sign = _AXES[forward]
    frame = upright(z, sign * R[:, column], corner - thickness_mm * z)
    tilt = _tilt_sd_deg(solution, chosen, z)
    if tilt > _WORST_TILT_DEG:
        raise CalibrationError(
            f"board on the floor, {where}: too little is seen of it, its tilt is open by {tilt:.1f} degrees; choose a "
            "frame in which two cameras see it"
        )
    rms = _flatness(solution, chosen, frame)
    flat = f"{rms:.1f} mm rms, " if np.isfinite(rms) else ""
    says = (
        f"Z up from the board on the floor at {where} ({flat}+- {tilt:.2f} deg), X forward along its "
        f"{forward.lstrip('-')} axis{' backwards' if sign < 0 else ''}, origin at its first corner"
        f"{f', {thickness_mm:g} mm below the print' if thickness_mm else ''}, mm"
    )
    if len(symmetries(calibration.board)[0]) > 1:
        says += "; which end of this checkerboard is the first cannot be told, so X may run the other way"
    return replace(frame, says=says, rms_mm=rms, tilt_sd_deg=tilt)


def _chosen(solution: Solution, numbers: IntArray, frames: int | Sequence[int] | str) -> IntArray:
    """Return which of the bundle's instants are meant."""
    bundle = solution.bundle
    n_views = np.bincount(bundle.frame, minlength=len(numbers))
    if isinstance(frames, str):
        if frames not in ("first", "last"):
            raise CalibrationError(f"board on the floor: {frames!r} is no instant; give frame numbers, first or last")
        usable = np.flatnonzero(n_views >= min(2, int(n_views.max())))
        return _still_around(bundle, solution.sigma, int(usable[0 if frames == "first" else -1]))
    wanted = np.atleast_1d(np.asarray(frames, dtype=np.int64))
    seen = numbers[n_views > 0]
    for number in wanted:
        if number not in seen:
            nearest = int(seen[np.abs(seen - number).argmin()])
            raise CalibrationError(
                f"board on the floor: no view of frame {number} takes part in the calibration; the nearest is {nearest}"
            )
    if len(wanted) == 0:
        raise CalibrationError("board on the floor: no frame is given; name one at which the board lay there")
    index = np.searchsorted(numbers, np.unique(wanted))
    if np.ndim(frames) == 0:
        return _still_around(bundle, solution.sigma, int(index[0]))
    moved = _moved_px(bundle, int(index[0]))[index]
    noise = float(solution.sigma.max())
    if (moved > 4 * _STILL * noise).any():
        worst = int(numbers[index[moved.argmax()]])
        raise CalibrationError(
            f"board on the floor: between frames {numbers[index[0]]} and {worst} it moved by {moved.max():.0f} px; "
            "give frames at which it lay still"
        )
    return np.asarray(index)


def _moved_px(bundle: Bundle, instant: int) -> FloatArray:
    """Return how far the board's corners lie from where they were at an instant, (n_frames,) px, the worst camera."""
    out = np.zeros(len(bundle.world_from_board))
    world = apply(bundle.world_from_board[:, None], bundle.points)
    shift = np.sqrt(((world - world[instant]) ** 2).sum(-1).mean(-1))
    for camera in np.unique(bundle.camera[bundle.frame == instant]):
        depth = float(apply(bundle.cam_from_world[camera], world[instant])[:, 2].mean())
        out = np.maximum(out, shift * float(np.sqrt(bundle.lens[camera, 0] * bundle.lens[camera, 1])) / depth)
    return out


def _still_around(bundle: Bundle, sigma: FloatArray, instant: int) -> IntArray:
    """Return the run of instants about one in which the board does not move."""
    still = _moved_px(bundle, instant) <= _STILL * float(sigma.max())
    still &= np.bincount(bundle.frame, minlength=len(still)) > 0
    breaks = np.flatnonzero(~still)
    first = breaks[breaks < instant].max(initial=-1) + 1
    last = breaks[breaks > instant].min(initial=len(still)) - 1
    return np.arange(first, last + 1)


def _tilt_sd_deg(solution: Solution, chosen: IntArray, normal: FloatArray) -> float:
    """Return the standard deviation of the normal about its worse axis, from the corners' noise."""
    views = np.isin(solution.bundle.frame, chosen)
    bundle = select_views(solution.bundle, views)
    weight = np.where(np.isfinite(bundle.xy[..., 0]), solution.weight[views], 0.0)
    information = np.zeros((6, 6))
    for camera in np.unique(bundle.camera):
        J = corners_by_board(bundle, camera)
        mine = weight[bundle.camera == camera] / solution.sigma[camera] ** 2
        information += np.einsum("vnki,vn,vnkj->ij", J, mine, J)
    scale = 1 / np.sqrt(np.diag(information))
    covariance = np.linalg.pinv(information * scale[:, None] * scale, hermitian=True) * scale[:, None] * scale
    tilt = skew(normal) @ covariance[:3, :3] @ skew(normal).T
    return float(np.degrees(np.sqrt(max(np.linalg.eigvalsh(tilt)[-1], 0.0))))


def _flatness(solution: Solution, chosen: IntArray, frame: WorldFrame) -> float:
    """Return how far triangulated corners lie from the plane of the print, rms mm; NaN with one camera."""
    bundle = solution.bundle
    views = np.isin(bundle.frame, chosen)
    rays = np.full((len(bundle.world_from_board), len(bundle.points), len(bundle.lens), 2), np.nan)
    for camera in np.unique(bundle.camera[views]):
        mine = views & (bundle.camera == camera)
        rays[bundle.frame[mine], :, camera], _ = undistort(
            bundle.xy[mine], bundle.matrix(camera), bundle.distortion(camera), fisheye=bool(bundle.fisheye[camera])
        )
    weights = np.sqrt(bundle.lens[:, 0] * bundle.lens[:, 1]) / solution.sigma
    rays = rays[chosen]
    points = triangulate_svd(rays, bundle.cam_from_world, weights=np.broadcast_to(weights, rays.shape[:-1]))
    print_height = frame.apply(apply(bundle.world_from_board[chosen[0]], bundle.points[0]))[2]
    height = frame.apply(points)[..., 2] - print_height
    height = height[np.isfinite(height)]
    return float(np.sqrt(np.median(height * height) / 0.4549)) if len(height) else float("nan")


def put_on_floor(
    calibration: "Calibration", frames: int | Sequence[int] | Literal["first", "last"] = "last"
) -> "Calibration":
    """Return the calibration in the world of the board lying on the floor; see :func:`frame_from_board`.

    Where the board does not tell the floor at these frames the world stays as it is, and a finding says so.
    """
    try:
        world = frame_from_board(calibration, frames)
    except CalibrationError as error:
        lost = Finding("floor", "FAIL", (), f"the world is still the first camera's: {error}", "name another frame")
        return replace(calibration, findings=(*calibration.findings, lost))
    moved = calibration.transformed(world.new_from_old)
    rig = replace(moved.rig, metadata={**moved.rig.metadata, "world": world.says})
    return replace(moved, rig=rig)
