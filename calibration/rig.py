"""From board clips to a calibrated rig."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pose3d.data.board import Board
from pose3d.data.camera import Camera, Rig
from pose3d.data.detections import BoardDetections
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.transforms import apply, inverse, rotvec_translation
from pose3d.log import Progress, no_progress

from .bundle import Solution
from .detection import detect_board
from .extrinsics import Link
from .findings import Finding
from .quality import Quality, measure
from .solve import solve_rig
from .uncertainty import Uncertainty, VolumeError, parameter_uncertainty, volume_error

__all__ = ["Calibration", "calibrate_detections", "calibrate_rig"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated rig and how it came about.

    Attributes
    ----------
    rig : Rig
        Cameras that could be linked; the world is the first one's frame.
    board : Board
        As it was found.
    quality : Quality
    unlinked : dict of str to str
        Cameras that are not in the rig, and why.
    detections : BoardDetections
        What took part: the cameras of the rig, the instants of ``solution.bundle.world_from_board``.
    solution : Solution
        The refined bundle, in the rig's world; cameras in the rig's order.
    uncertainty : Uncertainty
    volume : VolumeError
    links : dict of (str, str) to Link
        Pairs of cameras with shared views.
    findings : tuple of Finding
        What is wrong with the recording or its result.
    """

    rig: Rig
    board: Board
    quality: Quality
    unlinked: dict[str, str]
    detections: BoardDetections
    solution: Solution
    uncertainty: Uncertainty
    volume: VolumeError
    links: dict[tuple[str, str], Link]
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a json summary."""
        return {
            "cameras": list(self.rig.names),
            "board": self.board.describe(),
            "n_instants": len(self.detections.frames),
            "unlinked": self.unlinked,
            **self.quality.to_dict(),
            **self.volume.to_dict(),
            "parameters": self.uncertainty.to_dict(self.rig.names, tuple(camera.fisheye for camera in self.rig)),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def transformed(self, new_from_old: FloatArray) -> "Calibration":
        """Return the calibration in another world.

        Parameters
        ----------
        new_from_old : (4, 4) array, mm
            A rigid transform.
        """
        bundle = self.solution.bundle
        poses = bundle.cam_from_world @ inverse(new_from_old)
        moved = replace(bundle, cam_from_world=poses, world_from_board=new_from_old @ bundle.world_from_board)
        rotation, translation = rotvec_translation(poses)
        cameras = [replace(c, rotation=rotation[i], translation=translation[i]) for i, c in enumerate(self.rig)]
        return replace(
            self,
            rig=Rig(tuple(cameras), self.rig.metadata),
            solution=replace(self.solution, bundle=moved),
            uncertainty=self.uncertainty.transformed(poses, new_from_old),
            volume=replace(self.volume, xyz=apply(new_from_old, self.volume.xyz)),
        )


def calibrate_rig(
    sources: Mapping[str, str | Path],
    board: Board,
    *,
    intrinsics: Rig | None = None,
    lens_model: str | None = None,
    fisheye: bool | None = None,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> Calibration:
    """Calibrate several cameras from synchronised clips (or image folders) of a board.

    Parameters
    ----------
    sources : mapping of str to path
        Camera name to its clip or folder.
    board : Board
    intrinsics : Rig, optional
        Cameras whose lenses are known; they are held. Matched by name, sizes must agree.
    lens_model, fisheye
        As in :func:`calibrate_detections`.
    offsets, truncate, workers
        As in :func:`pose3d.calibration.detect_board`.
    progress : callable, optional

    Returns
    -------
    Calibration

    Raises
    ------
    CalibrationError
        If the board is not found, or no two cameras can be linked.
    VideoError
        If a clip cannot be read.

    Examples
    --------
    Photos of a board in six attitudes before two cameras that stand 150 mm apart:

    >>> import tempfile
    >>> from pathlib import Path
    >>> import cv2
    >>> import numpy as np
    >>> from pose3d import Board, calibrate_rig
    >>> from pose3d.calibration import draw_board
    >>> board = Board("charuco", (5, 4), 40, 30, "4X4_50")
    >>> paper = draw_board(board, pixels_per_square=40)  # a pixel is a millimetre
    >>> mm_from_paper = np.array([[1, 0, -79.5], [0, 1, -79.5], [0, 0, 1]])
    >>> matrix = np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1]])
    >>> turns = [(0.4, 0, 0), (0, 0.4, 0), (-0.4, 0.2, 0), (0.2, -0.4, 0.3), (-0.2, -0.3, 0.6), (0.5, 0.3, -0.3)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, x in (("left", 0), ("right", -150)):
    ...         (Path(folder) / name).mkdir()
    ...         for i, turn in enumerate(turns):
    ...             pose = np.column_stack([cv2.Rodrigues(np.array(turn))[0][:, :2], [x + 15, -40, 500]])
    ...             photo = cv2.warpPerspective(paper, matrix @ pose @ mm_from_paper, (640, 480), borderValue=255)
    ...             _ = cv2.imwrite(f"{folder}/{name}/{i}.png", photo)
    ...     calibration = calibrate_rig({"left": f"{folder}/left", "right": f"{folder}/right"}, board)
    >>> calibration.rig
    Rig(2 cameras: left, right)
    >>> left, right = calibration.rig.centers
    >>> bool(abs(np.linalg.norm(right - left) - 150) < 1)
    True
    """
    detections = detect_board(sources, board, offsets=offsets, truncate=truncate, workers=workers, progress=progress)
    return calibrate_detections(
        detections, intrinsics=intrinsics, lens_model=lens_model, fisheye=fisheye, progress=progress
    )


def calibrate_detections(
    detections: BoardDetections,
    *,
    intrinsics: Rig | None = None,
    lens_model: str | None = None,
    fisheye: bool | None = None,
    progress: Progress = no_progress,
) -> Calibration:
    """Calibrate several cameras from a board's corners.

    Parameters
    ----------
    detections : BoardDetections
    intrinsics : Rig, optional
        Cameras whose lenses are known; they are held.
    lens_model : {"k1", "k2", "full", "k3"}, optional
        See :data:`pose3d.calibration.intrinsics.LENS_MODELS`; by default the one that predicts held-out instants.
    fisheye : bool, optional
        Whether lenses are fisheyes; by default the views of a wide lens decide.
    progress : callable, optional

    Returns
    -------
    Calibration
        The same detections give the same numbers.

    Raises
    ------
    CalibrationError
        If no lens can be estimated, no two cameras can be linked, or `intrinsics` do not fit the clips.
    """
    solved = solve_rig(detections, intrinsics=intrinsics, lens_model=lens_model, fisheye=fisheye, progress=progress)
    solution, used = solved.solution, solved.detections
    quality = measure(solution, used.board, names=used.cameras, frames=used.frames, dropped=solved.dropped)
    uncertainty = parameter_uncertainty(solution, solved.lens_covariance)
    return Calibration(
        rig=_make_rig(solution, used, quality),
        board=used.board,
        quality=quality,
        unlinked=solved.lost,
        detections=used,
        solution=solution,
        uncertainty=uncertainty,
        volume=volume_error(solution, uncertainty, used.sizes),
        links=solved.links,
    )


def _make_rig(solution: Solution, used: BoardDetections, quality: Quality) -> Rig:
    bundle = solution.bundle
    rotation, translation = rotvec_translation(bundle.cam_from_world)
    cameras = tuple(
        Camera(
            name,
            used.sizes[i],
            bundle.matrix(i),
            bundle.distortion(i),
            rotation[i],
            translation[i],
            fisheye=bool(bundle.fisheye[i]),
        )
        for i, name in enumerate(used.cameras)
    )
    return Rig(cameras, {"adjusted": True, "error": quality.error_px})
