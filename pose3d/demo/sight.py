"""Which keypoints of a rendered figure a camera sees."""

from collections.abc import Sequence

import numpy as np

from pose3d.demo.figure import Limb
from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["hidden_by_limbs", "keypoint_thickness"]

_THICKNESS = {  # of the flesh in front of a keypoint, as a share of the height
    "Hip": 0.085,
    "Neck": 0.050,
    "Head": 0.060,
    "Nose": 0.020,
    "Eye": 0.020,
    "Ear": 0.025,
    "Knee": 0.042,
    "Ankle": 0.032,
    "Heel": 0.030,
    "BigToe": 0.030,
    "SmallToe": 0.030,
    "Shoulder": 0.048,
    "Elbow": 0.030,
    "Wrist": 0.022,
}
_SLACK_MM = 35.0


def keypoint_thickness(keypoints: Sequence[str], height: float) -> FloatArray:
    """Return how deep keypoints lie below the skin, (n_keypoints,) in mm, for a body of a height in mm."""
    return np.array([height * _THICKNESS[name if name in _THICKNESS else name[1:]] for name in keypoints])


def hidden_by_limbs(limbs: Sequence[Limb], origin: FloatArray, points: FloatArray, thickness: FloatArray) -> BoolArray:
    """Say which keypoints other parts of the body, or other figures, hide from a camera.

    Parameters
    ----------
    limbs : sequence of Limb
        Of n_frames frames.
    origin : (3,) array, mm
        Where the camera stands.
    points : (n_frames, n_keypoints, 3) array, mm
    thickness : (n_keypoints,) array, mm
        A surface that lies no deeper than this before a keypoint is its own.

    Returns
    -------
    (n_frames, n_keypoints) bool array
    """
    sight = points - origin
    far = np.linalg.norm(sight, axis=-1)
    out = np.zeros(far.shape, dtype=bool)
    for limb in limbs:
        squeeze = np.array([1.0, 1 / limb.breadth, 1.0])
        to_limb = squeeze[:, None] * np.swapaxes(limb.axes, -1, -2)
        length = np.linalg.norm(limb.high - limb.low, axis=-1)[:, None]
        o = np.einsum("nij,nj->ni", to_limb, origin - limb.low)[:, None]
        d = np.einsum("nij,nkj->nki", to_limb, sight)
        flat = (d[..., :2] ** 2).sum(-1)
        t = -(o[..., :2] * d[..., :2]).sum(-1) / np.maximum(flat, 1e-9)
        s = np.clip(o[..., 2] + t * d[..., 2], 0, length)
        square = (d**2).sum(-1)
        foot = o - s[..., None] * np.array([0.0, 0.0, 1.0])
        t = -(foot * d).sum(-1) / square
        away = ((foot + t[..., None] * d) ** 2).sum(-1)
        radius = limb.radii[0] + (limb.radii[1] - limb.radii[0]) * s / np.maximum(length, 1e-6)
        hit = t - np.sqrt(np.maximum(radius**2 - away, 0) / square)
        out |= (away < radius**2) & (hit > 0) & ((1 - hit) * far > thickness + _SLACK_MM)
    return out
