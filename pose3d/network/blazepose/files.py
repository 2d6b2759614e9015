"""The two network files of BlazePose in a folder."""

from pathlib import Path

__all__ = ["DETECTOR_FILE", "LANDMARK_FILE", "is_blazepose"]

DETECTOR_FILE = "pose_detection.tflite"
LANDMARK_FILE = "pose_landmark.tflite"


def is_blazepose(folder: str | Path) -> bool:
    """Tell whether a folder holds BlazePose's networks, for :func:`pose3d.network.blazepose.analyze.analyze_people`."""
    return all((Path(folder) / name).is_file() for name in (DETECTOR_FILE, LANDMARK_FILE))
