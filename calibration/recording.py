"""From clips to a judged calibration: the whole way, as the command and the sessions of a project go it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pose3d.data.board import Board
from pose3d.data.camera import Rig
from pose3d.geometry.arrays import FloatArray
from pose3d.log import Progress, no_progress

from .detection.search import detect_each, search_board
from .rig import Calibration, calibrate_detections
from .trust.verdict import Verdict, judge
from .world.changes import Comparison
from .world.comparison import compare_calibration
from .world.floor_board import put_on_floor

__all__ = ["CalibrationRequest", "JudgedCalibration", "calibrate_recording"]


@dataclass(frozen=True, eq=False)
class CalibrationRequest:
    """What is known of a recording, and what is wanted of its calibration.

    Attributes
    ----------
    offsets, truncate, timestamps
        As in :func:`pose3d.calibration.search_board`.
    lens_sources : mapping of str to path
        Cameras with a clip of the board of their own, for their lens.
    intrinsics, lens_model, fisheye, solver
        As in :func:`pose3d.calibration.calibrate_detections`.
    earlier : Rig, optional
        An earlier calibration of the same cameras: which has moved since?
    floor_frame : int, "first" or "last", optional
        When the board lies on the floor; see :func:`pose3d.calibration.put_on_floor`.
    """

    offsets: Mapping[str, int] | None = None
    truncate: bool = False
    timestamps: Mapping[str, FloatArray] | None = None
    lens_sources: Mapping[str, str | Path | Sequence[str | Path]] = field(default_factory=dict)
    intrinsics: Rig | None = None
    lens_model: str | None = None
    fisheye: bool | None = None
    solver: str = "pose3d"
    earlier: Rig | None = None
    floor_frame: int | Literal["first", "last"] | None = None


@dataclass(frozen=True, eq=False)
class JudgedCalibration:
    """A calibration with its verdict.

    Attributes
    ----------
    calibration : Calibration
    verdict : Verdict
    comparison : Comparison or None
        With the earlier calibration, if one was given.
    """

    calibration: Calibration
    verdict: Verdict
    comparison: Comparison | None

    def lines(self) -> list[str]:
        """Return lines for people."""
        found = self.calibration
        lines = [found.board.describe(), *found.quality.lines()]
        if self.comparison is not None:
            lines += self.comparison.lines()
        lines += self.verdict.lines()
        if "world" in found.rig.metadata:
            lines.append(f"world: {found.rig.metadata['world']}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a json summary."""
        summary = {**self.calibration.to_dict(), "verdict": self.verdict.to_dict()}
        if self.comparison is not None:
            summary["comparison"] = self.comparison.to_dict()
        return summary


def calibrate_recording(
    sources: Mapping[str, str | Path],
    board: Board,
    request: CalibrationRequest,
    *,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> JudgedCalibration:
    """Search clips for the board, calibrate, compare with an earlier calibration, set the world, and judge.

    Parameters
    ----------
    sources : mapping of str to path
        Camera name to its clip or folder of photos.
    board : Board
    request : CalibrationRequest
    workers : int, optional
        Threads that search the clips.
    progress : callable, optional

    Returns
    -------
    JudgedCalibration

    Raises
    ------
    CalibrationError, VideoError
        As the steps raise them.
    """
    detections, findings = search_board(
        sources,
        board,
        offsets=request.offsets or None,
        truncate=request.truncate,
        timestamps=request.timestamps,
        workers=workers,
        progress=progress,
    )
    lens_clips = {}
    if request.lens_sources:
        lens_clips = detect_each(request.lens_sources, detections.board, workers=workers, progress=progress)
    found = calibrate_detections(
        detections,
        intrinsics=request.intrinsics,
        lens_clips=lens_clips,
        lens_model=request.lens_model,
        fisheye=request.fisheye,
        earlier=request.earlier,
        solver=request.solver,
        progress=progress,
    )
    found = replace(found, findings=(*findings, *found.findings))
    comparison = None
    if request.earlier is not None:
        found, comparison = compare_calibration(found, request.earlier, progress=progress)
    if request.floor_frame is not None:
        found = put_on_floor(found, request.floor_frame)
    return JudgedCalibration(found, judge(found), comparison)
