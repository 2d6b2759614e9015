"""Cameras from boards. Knows nothing of poses."""

from .anipose import from_anipose, solve_with_anipose, to_anipose
from .detection.boards import board_cells, draw_board
from .detection.corners import find_corners
from .detection.search import detect_board, detect_each, search_board
from .findings import Finding
from .recording import CalibrationRequest, JudgedCalibration, calibrate_recording
from .rig import SOLVERS, Calibration, calibrate_detections, calibrate_rig
from .solver.lens_models import LENS_MODELS
from .subject.epipolar_poses import calibrate_from_keypoints
from .subject.refine import pose_information, refine_from_keypoints
from .subject.result import SubjectCalibration
from .trust.quality import CameraQuality, Quality
from .trust.uncertainty import Uncertainty, VolumeError
from .trust.verdict import CameraVerdict, Verdict, judge
from .world.alignment import (
    WorldFrame,
    apply_world,
    frame_from_axes,
    frame_from_floor,
    frame_from_plumb,
    frame_from_points,
    frame_from_up,
)
from .world.changes import Comparison
from .world.comparison import changes_since, compare_calibration, compare_rigs, moved_since
from .world.floor_board import frame_from_board, put_on_floor
from .world.named_points import KnownLength, scale_from_length

__all__ = [
    "LENS_MODELS",
    "SOLVERS",
    "Calibration",
    "CalibrationRequest",
    "CameraQuality",
    "CameraVerdict",
    "Comparison",
    "Finding",
    "JudgedCalibration",
    "KnownLength",
    "Quality",
    "SubjectCalibration",
    "Uncertainty",
    "Verdict",
    "VolumeError",
    "WorldFrame",
    "apply_world",
    "board_cells",
    "calibrate_detections",
    "calibrate_from_keypoints",
    "calibrate_recording",
    "calibrate_rig",
    "changes_since",
    "compare_calibration",
    "compare_rigs",
    "detect_board",
    "detect_each",
    "draw_board",
    "find_corners",
    "frame_from_axes",
    "frame_from_board",
    "frame_from_floor",
    "frame_from_plumb",
    "frame_from_points",
    "frame_from_up",
    "from_anipose",
    "judge",
    "moved_since",
    "pose_information",
    "put_on_floor",
    "refine_from_keypoints",
    "scale_from_length",
    "search_board",
    "solve_with_anipose",
    "to_anipose",
]
