"""Joint angles from keypoints in space."""

from pose3d.kinematics.angles import joint_angles
from pose3d.kinematics.human import HUMAN_ANGLES, HumanAngle

__all__ = ["HUMAN_ANGLES", "HumanAngle", "joint_angles"]
