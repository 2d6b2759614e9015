"""Cameras from boards. Knows nothing of poses."""

from .anipose import from_anipose, to_anipose
from .boards import draw_board
from .corners import find_corners
from .detection import detect_board
from .quality import CameraQuality, Quality
from .rig import Calibration, calibrate_detections, calibrate_rig

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
