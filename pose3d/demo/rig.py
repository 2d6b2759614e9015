"""Cameras of the demo's laboratory, and what can be done to them."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.camera import Camera, Rig
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import exp_so3, log_so3
from pose3d.geometry.transforms import rigid, rotvec_translation

__all__ = ["focus_point", "look_at", "make_rig", "roll_camera"]

_PLACES = {  # m: corners of the room, above the walker's head
    "frontleft": (2.75, 2.65, 2.35),
    "backleft": (-2.80, 2.70, 2.15),
    "backright": (-2.75, -2.65, 2.45),
    "frontright": (2.80, -2.60, 2.20),
}


def look_at(center: ArrayLike, target: ArrayLike, *, roll_deg: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return rotation vector and translation of ``cam_from_world`` for a camera that looks at a point, head up.

    Parameters
    ----------
    center, target : (3,) array, mm
        World with Z up; `target` must not lie straight above or below `center`.
    roll_deg : float
        Turn about the optical axis.

    Returns
    -------
    rotation : (3,) array, rad
    translation : (3,) array, mm
    """
    c = np.asarray(center, dtype=np.float64)
    z = np.asarray(target, dtype=np.float64) - c
    z = z / np.linalg.norm(z)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x = x / np.linalg.norm(x)
    R = exp_so3([0.0, 0.0, np.radians(roll_deg)]) @ np.stack([x, np.cross(z, x), z])
    return log_so3(R), -R @ c


def roll_camera(camera: Camera, angle_deg: float) -> Camera:
    """Return the camera turned about its optical axis; 180 degrees mounts it upside down."""
    turn = rigid([0.0, 0.0, np.radians(angle_deg)], np.zeros(3))
    rotation, translation = rotvec_translation(turn @ camera.cam_from_world)
    return replace(camera, rotation=rotation, translation=translation)


def focus_point(rig: Rig, *, distance_mm: float) -> FloatArray:
    """Return the point that lies nearest to all optical axes.

    Parameters
    ----------
    rig : Rig
    distance_mm : float
        Where to look along an axis when the axes do not say (parallel cameras, or a single one).

    Returns
    -------
    (3,) array, mm
    """
    axes = np.stack([exp_so3(camera.rotation)[2] for camera in rig])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    weak = 0.02  # far smaller than the axes' own weight unless they are nearly parallel
    A = across.sum(0) + weak * len(rig) * np.eye(3)
    b = np.einsum("cij,cj->i", across, rig.centers) + weak * (rig.centers + distance_mm * axes).sum(0)
    return np.asarray(np.linalg.solve(A, b))


def make_rig(*, seed: int = 0, size: tuple[int, int] = (960, 720)) -> Rig:
    """Make the demo's four cameras: one in each corner of the room, with mild lens distortion.

    Neighbours see the walkway from about 85 to 95 degrees apart, diagonal ones from nearly opposite sides.

    Parameters
    ----------
    seed : int
    size : (int, int), px
        Focal lengths scale with the width.

    Returns
    -------
    Rig
        World in mm: X along the walkway, Y left, Z up, origin on the floor in its middle.
    """
    rng = np.random.default_rng([seed, 11])
    cameras = []
    for name, place in _PLACES.items():
        center = 1000 * np.array(place) + rng.normal(0, 60, 3)
        target = np.array([0.0, 0.0, 880.0]) + rng.normal(0, 50, 3)
        rotation, translation = look_at(center, target, roll_deg=float(rng.normal(0, 2)))
        focal = size[0] * rng.uniform(0.83, 0.90)
        cx, cy = (np.array(size) - 1) / 2 + rng.normal(0, 0.006 * size[0], 2)
        matrix = np.array([[focal, 0.0, cx], [0.0, focal * (1 + rng.normal(0, 0.001)), cy], [0.0, 0.0, 1.0]])
        distortion = np.array([rng.uniform(-0.12, -0.05), rng.uniform(0.01, 0.05), *rng.normal(0, 5e-4, 2), 0.0])
        cameras.append(Camera(name, size, matrix, distortion, rotation, translation))
    return Rig(tuple(cameras))
