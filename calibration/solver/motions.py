"""Small motions of poses, a turn on the left and a shift: the six numbers in which the solvers take their steps."""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import exp_so3, skew
from pose3d.geometry.transforms import rigid

__all__ = ["motion_jacobian", "move_poses"]


def move_poses(poses: FloatArray, step: FloatArray) -> FloatArray:
    """Turn poses about their own origins, in the axes that they lead to, and shift them.

    Parameters
    ----------
    poses : (..., 4, 4) array, mm
    step : (..., 6) array, rad and mm

    Returns
    -------
    (..., 4, 4) array, mm
    """
    return rigid(exp_so3(step[..., :3]) @ poses[..., :3, :3], poses[..., :3, 3] + step[..., 3:])


def motion_jacobian(by_point: FloatArray, arm: FloatArray) -> FloatArray:
    """Return what a small motion of the points does to their pixels.

    Parameters
    ----------
    by_point : (..., 2, 3) array, px/mm
        Derivatives of the pixels by the points, in the axes of the motion.
    arm : (..., 3) array, mm
        From the centre of the turn to each point, in the same axes.

    Returns
    -------
    (..., 2, 6) array, px/rad and px/mm
    """
    return np.concatenate([-by_point @ skew(arm), by_point], axis=-1)
