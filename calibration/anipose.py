"""Rigs as aniposelib's camera groups and back, for programs that stand on aniposelib, and aniposelib's own solver."""

import contextlib
import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from pose3d.data.board import Board
from pose3d.data.camera import Camera, Rig
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError

__all__ = ["from_anipose", "solve_with_anipose", "to_anipose"]

_ZERO = np.zeros(3)
_MIN_CORNERS = 9  # of a view that aniposelib takes for a lens
_OWN = "calibrate with pose3d's own solver"


def to_anipose(rig: Rig) -> Any:
    """Turn a rig into an ``aniposelib.cameras.CameraGroup`` with the same numbers.

    Parameters
    ----------
    rig : Rig

    Returns
    -------
    aniposelib.cameras.CameraGroup
        Importing aniposelib takes seconds (it brings JAX along).
    """
    from aniposelib.cameras import Camera as AniposeCamera
    from aniposelib.cameras import CameraGroup, FisheyeCamera

    group = []
    for camera in rig:
        kind = FisheyeCamera if camera.fisheye else AniposeCamera
        distortion = camera.distortion
        if not camera.fisheye and len(distortion) < 5:
            distortion = np.concatenate([distortion, np.zeros(5 - len(distortion))])
        group.append(
            kind(
                matrix=camera.matrix.copy(),
                dist=distortion.copy(),
                size=camera.size,
                rvec=camera.rotation.copy(),
                tvec=camera.translation.copy(),
                name=camera.name,
            )
        )
    return CameraGroup(group, dict(rig.metadata))


def from_anipose(group: Any) -> Rig:
    """Turn an ``aniposelib.cameras.CameraGroup`` into a rig with the same numbers.

    Parameters
    ----------
    group : aniposelib.cameras.CameraGroup

    Returns
    -------
    Rig
    """
    cameras = []
    for index, camera in enumerate(group.cameras):
        cameras.append(
            Camera(
                str(camera.get_name() or f"cam_{index}"),
                tuple(camera.get_size()),
                camera.get_camera_matrix(),
                camera.get_distortions(),
                camera.get_rotation(),
                camera.get_translation(),
                fisheye=type(camera).__name__ == "FisheyeCamera",
            )
        )
    return Rig(tuple(cameras), dict(group.metadata))


def solve_with_anipose(
    detections: BoardDetections, *, intrinsics: Rig | None = None, fisheye: bool = False, seed: int = 0
) -> Rig:
    """Calibrate with aniposelib's own solver, ``CameraGroup.calibrate_rows``, for comparison.

    Its lens has one focal length and one coefficient, the principal point is the image's centre.

    Parameters
    ----------
    detections : BoardDetections
    intrinsics : Rig, optional
        Lenses to hold. aniposelib holds all or none, so every camera must be there.
    fisheye : bool
    seed : int
        aniposelib draws the corners that it uses from numpy's global generator, which is seeded for the call and left
        as it was.

    Returns
    -------
    Rig
        The world is the first camera's frame.

    Raises
    ------
    CalibrationError
        If aniposelib does not know the board, or fails.
    """
    if detections.board.kind not in ("charuco", "checkerboard"):
        raise CalibrationError(f"aniposelib could not calibrate: it knows no {detections.board.kind} board; {_OWN}")
    group = to_anipose(_start(detections, intrinsics, fisheye))
    state = np.random.get_state()  # noqa: NPY002 - aniposelib's own choice
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            group.triangulate(np.zeros((len(detections.cameras), 1, 2)))  # imports JAX, which draws numbers too
            np.random.seed(seed)  # noqa: NPY002
            error = group.calibrate_rows(
                [_rows(detections, i) for i in range(len(detections.cameras))],
                _board(detections.board),
                init_intrinsics=intrinsics is None,
                only_extrinsics=intrinsics is not None,
                verbose=False,
            )
        found = from_anipose(group)
    except Exception as problem:  # it raises whatever its arrays run into
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise CalibrationError(f"aniposelib could not calibrate: {reason}; {_OWN}") from problem
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return replace(
        found.transformed(found.cameras[0].cam_from_world), metadata={"adjusted": True, "error": float(error)}
    )


def _start(detections: BoardDetections, intrinsics: Rig | None, fisheye: bool) -> Rig:
    cameras = []
    for i, (name, size) in enumerate(zip(detections.cameras, detections.sizes, strict=True)):
        problem = None
        if not (detections.seen[:, i].sum(-1) >= _MIN_CORNERS).any():
            problem = f"{name} never saw {_MIN_CORNERS} corners of the board; leave the camera out, or {_OWN}"
        elif intrinsics is None:
            cameras.append(Camera(name, size, np.eye(3), np.zeros(4 if fisheye else 5), _ZERO, _ZERO, fisheye=fisheye))
        elif name not in intrinsics:
            problem = f"it holds the lenses of all cameras or of none, and that of {name} is not known; {_OWN}"
        elif intrinsics[name].size != size:
            width, height = intrinsics[name].size
            problem = f"{name} is {size[0]}x{size[1]}, its known lens is for {width}x{height}; record at that size"
        else:
            cameras.append(replace(intrinsics[name], rotation=_ZERO, translation=_ZERO, extra={}))
        if problem:
            raise CalibrationError(f"aniposelib could not calibrate: {problem}")
    return Rig(tuple(cameras))


def _board(board: Board) -> Any:
    from aniposelib.boards import CharucoBoard, Checkerboard

    if board.kind == "checkerboard":
        return Checkerboard(*board.corners, square_length=board.square_mm)
    # nothing is detected any more: any dictionary with enough markers will do
    return CharucoBoard(*board.squares, board.square_mm, board.marker_mm, marker_bits=4, dict_size=1000)


def _rows(detections: BoardDetections, camera: int) -> list[dict[str, Any]]:
    """Return what ``aniposelib.boards.CalibrationObject.detect_video`` would have returned."""
    rows = []
    whole = detections.board.kind == "checkerboard"  # aniposelib poses a checkerboard from all its corners only
    for frame, xy in zip(detections.frames, detections.xy[:, camera], strict=True):
        ids = np.flatnonzero(np.isfinite(xy).all(-1))
        if len(ids) == len(xy) or (len(ids) > 0 and not whole):
            corners = xy[ids, None].astype(np.float32)
            row = {"framenum": (0, int(frame)), "corners": corners, "ids": ids[:, None].astype(np.int32)}
            row["filled"] = np.where(np.isfinite(xy).all(-1)[:, None], xy, np.nan)[:, None]  # only made with the lenses
            rows.append(row)
    return rows
