"""The types that flow down the chain: frozen dataclasses over numpy, validated once, read-only."""

from pose3d.data.angles import JointAngles
from pose3d.data.board import Board
from pose3d.data.camera import Camera, Rig
from pose3d.data.candidates import Candidates2D
from pose3d.data.detections import BoardDetections
from pose3d.data.keypoints import Keypoints2D, Keypoints3D, Status
from pose3d.data.rig_covariance import RigCovariance
from pose3d.data.samples import PosteriorSamples
from pose3d.data.skeleton import Skeleton

__all__ = [
    "Board",
    "BoardDetections",
    "Camera",
    "Candidates2D",
    "JointAngles",
    "Keypoints2D",
    "Keypoints3D",
    "PosteriorSamples",
    "Rig",
    "RigCovariance",
    "Skeleton",
    "Status",
]
