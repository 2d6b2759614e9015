"""Which way is up, where the floor is, and which way somebody faces: whatever world the points come in."""

from dataclasses import dataclass

import numpy as np

from pose3d.data import Keypoints3D, Rig, Skeleton
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray, frozen_array
from pose3d.geometry.rotations import exp_so3
from pose3d.kinematics.floor import floor_from_feet
from pose3d.kinematics.gait import foot_points
from pose3d.viewer.anatomy import sides_of

__all__ = ["Ground", "find_ground"]

_UPRIGHT = 0.7  # cosine of the angle to Z up to which Z is taken to be up
_MOST_FRAMES = 2000  # of a long recording an even part is enough
_NEAR_ZERO_MM = (-60.0, 120.0)  # a lowest keypoint this far from z = 0 stands on a floor at 0


@dataclass(frozen=True, eq=False)
class Ground:
    """The floor, and the axes of a person's world on it.

    Attributes
    ----------
    origin : (3,) array, mm
        On the floor, below the middle of the motion.
    axes : (3, 3) array
        Rows: forward (where the subject faces, on the whole), leftward and up, unit vectors in the points' world.
    tilted : bool
        Whether up is not the world's Z, but was found from the subject or the cameras.
    """

    origin: FloatArray
    axes: FloatArray
    tilted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", frozen_array(self.origin, shape=(3,), what="origin"))
        object.__setattr__(self, "axes", frozen_array(self.axes, shape=(3, 3), what="axes"))

    @property
    def up(self) -> FloatArray:
        """(3,) unit vector."""
        return np.asarray(self.axes[2])

    def height(self, xyz: FloatArray) -> FloatArray:
        """Return how far points (..., 3) are above the floor, mm."""
        return np.asarray((xyz - self.origin) @ self.up)

    def below(self, xyz: FloatArray) -> FloatArray:
        """Return the points (..., 3) on the floor below others."""
        return np.asarray(xyz - self.height(xyz)[..., None] * self.up)


def find_ground(points: Keypoints3D, skeleton: Skeleton, rig: Rig | None = None) -> Ground:
    """Find the floor and the axes of a recording; the world's own where nothing tells otherwise.

    Parameters
    ----------
    points : Keypoints3D
    skeleton : Skeleton
    rig : Rig, optional
        Cameras stand upright on the whole, which tells where up is for animals and objects.
    """
    step = max(1, points.n_frames // _MOST_FRAMES)
    xyz = points.xyz[::step]
    seen = xyz[np.isfinite(xyz).all(-1)]
    if not len(seen):
        return Ground(np.zeros(3), np.eye(3))
    up = _up(points, xyz, rig, step)
    tilted = bool(up[2] < 1 - 1e-9)
    middle = np.median(seen, axis=0)
    lowest = _lowest(xyz @ up)
    if not tilted and _NEAR_ZERO_MM[0] < lowest < _NEAR_ZERO_MM[1]:
        lowest = 0.0
    origin = middle + (lowest - middle @ up) * up
    forward = _forward(xyz, skeleton, up)
    return Ground(origin, np.stack([forward, np.cross(up, forward), up]), tilted)


def _lowest(height: FloatArray) -> float:
    """Return the height of the floor: low among each frame's lowest points, so that a few wild ones do not count."""
    known = np.where(np.isfinite(height), height, np.inf).reshape(len(height), -1).min(1)
    return float(np.quantile(known[np.isfinite(known)], 0.1))


def _up(points: Keypoints3D, xyz: FloatArray, rig: Rig | None, step: int) -> FloatArray:
    z = np.array([0.0, 0.0, 1.0])
    body = _body_up(points, xyz)
    if body is not None:
        if body[2] >= _UPRIGHT:
            return z
        floor = _floor_normal(points, xyz, step)
        return body if floor is None or floor @ body < _UPRIGHT else floor
    if rig is not None:
        cameras = -np.mean([exp_so3(camera.rotation)[1] for camera in rig], axis=0)
        length = float(np.linalg.norm(cameras))
        if length > 0.3 and cameras[2] / length < 0.5:
            return np.asarray(cameras / length)
    return z


def _body_up(points: Keypoints3D, xyz: FloatArray) -> FloatArray | None:
    """Return the direction from feet to hips of a person; None of others."""
    names = points.keypoints
    for below in (("LHeel", "RHeel"), ("LAnkle", "RAnkle"), ("LHEE", "RHEE")):
        for above in (("LHip", "RHip"), ("LASI", "RASI"), ("LShoulder", "RShoulder")):
            if set(below) | set(above) <= set(names):
                at = [[names.index(name) for name in pair] for pair in (above, below)]
                legs = xyz[:, :, at[0]].mean(2) - xyz[:, :, at[1]].mean(2)
                known = legs[np.isfinite(legs).all(-1)]
                length = np.linalg.norm(known, axis=-1, keepdims=True)
                if len(known):
                    direction = np.median(known / np.maximum(length, 1e-9), axis=0)
                    return np.asarray(direction / max(float(np.linalg.norm(direction)), 1e-9))
    return None


def _floor_normal(points: Keypoints3D, xyz: FloatArray, step: int) -> FloatArray | None:
    try:
        names = foot_points(points.keypoints)
    except DataError:
        return None
    one = {name: xyz[:, 0, i] for i, name in enumerate(points.keypoints)}
    feet = [one[name] for name in (*names.heels.values(), *names.toes.values())]
    pelvis = np.mean([one[name] for name in names.pelvis], axis=0)
    rotation, _ = floor_from_feet(feet, pelvis, fps=(points.fps or 30.0) / step)
    return None if np.isnan(rotation).any() else np.asarray(rotation[2])


def _forward(xyz: FloatArray, skeleton: Skeleton, up: FloatArray) -> FloatArray:
    """Return where the subject faces, on the floor: across the line from right to left partners."""
    sides = sides_of(skeleton)
    index = {name: i for i, name in enumerate(skeleton.keypoints)}
    pairs = np.array([(index[a], index[b]) for a, b in skeleton.pairs], dtype=np.int64).reshape(-1, 2)
    if len(pairs) and sides.any():
        leftward = xyz[:, :, pairs[:, 0]] - xyz[:, :, pairs[:, 1]]
        leftward = leftward[np.isfinite(leftward).all(-1)]
        if len(leftward):
            facing = np.cross(leftward.sum(0), up)
            if np.linalg.norm(facing) > 0.3 * np.linalg.norm(leftward, axis=-1).sum():
                return np.asarray(facing / np.linalg.norm(facing))
    across = np.eye(3)[0] - up[0] * up
    if np.linalg.norm(across) < 0.3:
        across = np.eye(3)[1] - up[1] * up
    return np.asarray(across / np.linalg.norm(across))
