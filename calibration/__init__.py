"""Cameras from boards. Knows nothing of poses."""

from pose3d.calibration.anipose import from_anipose, to_anipose
from pose3d.calibration.boards import draw_board
from pose3d.calibration.detection import detect_board, find_corners
from pose3d.calibration.quality import CameraQuality, Quality
from pose3d.calibration.rig import Calibration, calibrate_detections, calibrate_rig

__all__ = [
    "Calibration",
    "CameraQuality",
    "Quality",
    "calibrate_detections",
    "calibrate_rig",
    "detect_board",
    "draw_board",
    "find_corners",
    "from_anipose",
    "to_anipose",
]
