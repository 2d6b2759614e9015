"""Points in the image of a camera, through its lens, for drawing."""

import numpy as np

from pose3d.data import Camera
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.lenses import distort

__all__ = ["through_lens", "to_image"]

_BEYOND = 1.25  # of the angle at which the image's farthest corner lies; a fisheye's knows no such fold
_NEAREST_MM = 1.0


def through_lens(camera: Camera, ray: FloatArray) -> FloatArray:
    """Distort normalised rays (..., 2); NaN far outside of the image.

    There a lens polynomial turns back, and would draw what is behind one's shoulder inside the picture.
    """
    if not camera.distortion.any():
        return ray
    with np.errstate(all="ignore"):
        bent = distort(ray, camera.distortion, fisheye=camera.fisheye)
        if camera.fisheye:
            return np.asarray(bent)
        corner = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * np.asarray(camera.size) - camera.matrix[:2, 2]
        farthest = _BEYOND * np.hypot(*(corner / np.diag(camera.matrix)[:2]).T).max()
        near = np.hypot(ray[..., 0], ray[..., 1]) <= farthest
    return np.asarray(np.where(near[..., None], bent, np.nan))


def to_image(camera: Camera, xyz: FloatArray) -> FloatArray:
    """Project points (..., 3) of the world to pixels (..., 2); NaN behind the camera and far outside of the image."""
    pose = camera.cam_from_world
    at = xyz @ pose[:3, :3].T + pose[:3, 3]
    with np.errstate(all="ignore"):
        ray = at[..., :2] / np.where(at[..., 2:] > _NEAREST_MM, at[..., 2:], np.nan)
    return through_lens(camera, ray) @ camera.matrix[:2, :2].T + camera.matrix[:2, 2]
