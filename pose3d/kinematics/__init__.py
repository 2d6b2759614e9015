"""Joint angles from keypoints in space."""

from pose3d.kinematics.angles import joint_angles
from pose3d.kinematics.human import HUMAN_ANGLES, HumanAngle
from pose3d.kinematics.observable import body_angles, unobservable

__all__ = ["HUMAN_ANGLES", "HumanAngle", "body_angles", "joint_angles", "unobservable"]
