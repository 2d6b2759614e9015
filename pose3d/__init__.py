"""From several cameras' videos to 3D skeletons and joint angles that people can trust.

The names below are the public surface; each is loaded when it is first used, so that ``import pose3d`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pose3d.calibration import calibrate_rig
    from pose3d.data import Board, Camera, JointAngles, Keypoints2D, Keypoints3D, Rig, Skeleton
    from pose3d.errors import Pose3DError
    from pose3d.io.keypoints import load_keypoints, save_keypoints
    from pose3d.io.rigs import load_rig, save_rig
    from pose3d.kinematics import joint_angles
    from pose3d.reconstruction import triangulate

    __version__: str

__all__ = [
    "Board",
    "Camera",
    "JointAngles",
    "Keypoints2D",
    "Keypoints3D",
    "Pose3DError",
    "Rig",
    "Skeleton",
    "__version__",
    "calibrate_rig",
    "joint_angles",
    "load_keypoints",
    "load_rig",
    "save_keypoints",
    "save_rig",
    "triangulate",
]

_HOMES = {
    "Board": "pose3d.data",
    "Camera": "pose3d.data",
    "JointAngles": "pose3d.data",
    "Keypoints2D": "pose3d.data",
    "Keypoints3D": "pose3d.data",
    "Pose3DError": "pose3d.errors",
    "Rig": "pose3d.data",
    "Skeleton": "pose3d.data",
    "calibrate_rig": "pose3d.calibration",
    "joint_angles": "pose3d.kinematics",
    "load_keypoints": "pose3d.io.keypoints",
    "load_rig": "pose3d.io.rigs",
    "save_keypoints": "pose3d.io.keypoints",
    "save_rig": "pose3d.io.rigs",
    "triangulate": "pose3d.reconstruction",
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
