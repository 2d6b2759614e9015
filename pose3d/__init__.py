"""From several cameras' videos to 3D skeletons and joint angles that people can trust.

The names below are the public surface; each is loaded when it is first used, so that ``import pose3d`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pose3d.batch.notebook import play
    from pose3d.calibration import calibrate_rig
    from pose3d.data import (
        Board,
        Camera,
        JointAngles,
        Keypoints2D,
        Keypoints3D,
        PosteriorSamples,
        Rig,
        Skeleton,
        Status,
    )
    from pose3d.data.edits import AddedEvent, BadStretch, DeletedEvent, Edits, MovedEvent, SwappedSides
    from pose3d.data.labels import LabelledImages, Labels
    from pose3d.data.samples import interval
    from pose3d.errors import Pose3DError
    from pose3d.filtering import Filters, filter_2d, filter_3d
    from pose3d.io.edits import EditLog, read_edits
    from pose3d.io.keypoints import load_keypoints, save_keypoints
    from pose3d.io.rigs import load_rig, save_rig
    from pose3d.io.samples import read_samples
    from pose3d.kinematics import joint_angles
    from pose3d.labeling.extraction import extract_frames
    from pose3d.labeling.outliers import find_outliers
    from pose3d.network.analysis import analyze_video
    from pose3d.network.learning import train_network
    from pose3d.network.prediction import Predictor
    from pose3d.network.spec import NetworkSpec
    from pose3d.network.training_settings import TrainingSettings
    from pose3d.project.labels import load_labels
    from pose3d.reconstruction import RefinementSettings, ViewSettings, reconstruct, triangulate
    from pose3d.reconstruction.association.people import select_subject
    from pose3d.reconstruction.association.swaps import repair_swaps
    from pose3d.reconstruction.from_files import TriangulationRequest, triangulate_files
    from pose3d.reconstruction.quality import measure_quality, reproject_points
    from pose3d.reconstruction.synchronization import synchronize

    __version__: str

__all__ = [
    "AddedEvent",
    "BadStretch",
    "Board",
    "Camera",
    "DeletedEvent",
    "EditLog",
    "Edits",
    "Filters",
    "JointAngles",
    "Keypoints2D",
    "Keypoints3D",
    "LabelledImages",
    "Labels",
    "MovedEvent",
    "NetworkSpec",
    "Pose3DError",
    "PosteriorSamples",
    "Predictor",
    "RefinementSettings",
    "Rig",
    "Skeleton",
    "Status",
    "SwappedSides",
    "TrainingSettings",
    "TriangulationRequest",
    "ViewSettings",
    "__version__",
    "analyze_video",
    "calibrate_rig",
    "extract_frames",
    "filter_2d",
    "filter_3d",
    "find_outliers",
    "interval",
    "joint_angles",
    "load_keypoints",
    "load_labels",
    "load_rig",
    "measure_quality",
    "play",
    "read_edits",
    "read_samples",
    "reconstruct",
    "repair_swaps",
    "reproject_points",
    "save_keypoints",
    "save_rig",
    "select_subject",
    "synchronize",
    "train_network",
    "triangulate",
    "triangulate_files",
]

_HOMES = {
    "AddedEvent": "pose3d.data.edits",
    "BadStretch": "pose3d.data.edits",
    "Board": "pose3d.data",
    "Camera": "pose3d.data",
    "DeletedEvent": "pose3d.data.edits",
    "EditLog": "pose3d.io.edits",
    "Edits": "pose3d.data.edits",
    "Filters": "pose3d.filtering",
    "JointAngles": "pose3d.data",
    "Keypoints2D": "pose3d.data",
    "Keypoints3D": "pose3d.data",
    "LabelledImages": "pose3d.data.labels",
    "Labels": "pose3d.data.labels",
    "MovedEvent": "pose3d.data.edits",
    "NetworkSpec": "pose3d.network.spec",
    "Pose3DError": "pose3d.errors",
    "PosteriorSamples": "pose3d.data",
    "Predictor": "pose3d.network.prediction",
    "RefinementSettings": "pose3d.reconstruction",
    "Rig": "pose3d.data",
    "Skeleton": "pose3d.data",
    "Status": "pose3d.data",
    "SwappedSides": "pose3d.data.edits",
    "TrainingSettings": "pose3d.network.training_settings",
    "TriangulationRequest": "pose3d.reconstruction",
    "ViewSettings": "pose3d.reconstruction",
    "analyze_video": "pose3d.network.analysis",
    "calibrate_rig": "pose3d.calibration",
    "extract_frames": "pose3d.labeling.extraction",
    "filter_2d": "pose3d.filtering",
    "filter_3d": "pose3d.filtering",
    "find_outliers": "pose3d.labeling.outliers",
    "interval": "pose3d.data.samples",
    "joint_angles": "pose3d.kinematics",
    "load_keypoints": "pose3d.io.keypoints",
    "load_labels": "pose3d.project.labels",
    "load_rig": "pose3d.io.rigs",
    "measure_quality": "pose3d.reconstruction.quality",
    "play": "pose3d.batch.notebook",
    "read_edits": "pose3d.io.edits",
    "read_samples": "pose3d.io.samples",
    "reconstruct": "pose3d.reconstruction",
    "repair_swaps": "pose3d.reconstruction.association.swaps",
    "reproject_points": "pose3d.reconstruction.quality",
    "save_keypoints": "pose3d.io.keypoints",
    "save_rig": "pose3d.io.rigs",
    "select_subject": "pose3d.reconstruction.association.people",
    "synchronize": "pose3d.reconstruction.synchronization",
    "train_network": "pose3d.network.learning",
    "triangulate": "pose3d.reconstruction",
    "triangulate_files": "pose3d.reconstruction",
}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pose3d")
    except PackageNotFoundError:
        return "0+checkout"  # run from a checkout that is not installed


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = _version()
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'pose3d' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
