"""The ray of every pixel, undistorted."""

import cv2
import numpy as np

from pose3d.data.camera import Camera

__all__ = ["pixel_rays"]

_STEP = 4  # px between exact rays; a lens bends so little in between that a straight line is right to 1e-3 px


def pixel_rays(camera: Camera, *, border: int = 0) -> np.ndarray:
    """Return x/z and y/z of each pixel's ray in the camera's frame.

    Parameters
    ----------
    camera : Camera
    border : int
        Pixels beyond the image on every side; a multiple of 4.

    Returns
    -------
    (h + 2 border, w + 2 border, 2) float32 array
        Zero where the lens model has no answer.

    Raises
    ------
    ValueError
        If `border` is no multiple of 4.
    """
    if border % _STEP:
        raise ValueError(f"border must be a multiple of {_STEP}, not {border}")
    w, h = camera.size
    x = np.arange(-border, w + border + _STEP, _STEP)
    y = np.arange(-border, h + border + _STEP, _STEP)
    coarse = np.nan_to_num(camera.undistort(np.stack(np.meshgrid(x, y), axis=-1))).astype(np.float32)
    u = np.arange(w + 2 * border, dtype=np.float32) / _STEP
    v = np.arange(h + 2 * border, dtype=np.float32) / _STEP
    fine = cv2.remap(coarse, *np.meshgrid(u, v), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(fine, dtype=np.float32)
