"""The floor, from the feet that stand on it: for recordings whose cameras were not aligned with it."""

from collections.abc import Sequence

import numpy as np

from pose3d.geometry.arrays import FloatArray

__all__ = ["floor_from_feet"]

_SLOWEST = 0.3  # of a foot's frames: in walking it stands in more than half
_ROUNDS = 5
_LEAST = 10


def floor_from_feet(feet: Sequence[FloatArray], body: FloatArray, *, fps: float) -> tuple[FloatArray, FloatArray]:
    """Find the floor, and the motion that brings it to z = 0 with the body above.

    Parameters
    ----------
    feet : sequence of (n_frames, 3) arrays, mm
        Points of both feet; heels and toes.
    body : (n_frames, 3) array, mm
        A point above the feet, such as the middle of the hips.
    fps : float

    Returns
    -------
    rotation : (3, 3) array
    translation : (3,) array, mm
        ``points @ rotation.T + translation`` has Z up, by the shortest turn that does it. NaN where too little is
        seen.

    Notes
    -----
    The plane lies where the points are while they are slowest, so at the mean height of heels and toes rather than
    under the soles. Across a straight way its tilt is known from the distance of the feet alone: about a degree.
    """
    standing = []
    for points in feet:
        known = np.isfinite(points).all(-1)
        if len(points) > 1:  # of a missing point too the speed would be known, by those before and after it
            speed = np.where(known, np.linalg.norm(np.gradient(points, axis=0), axis=-1) * fps, np.nan)
            known = speed <= np.nanquantile(speed, _SLOWEST) if np.isfinite(speed).any() else np.zeros_like(known)
        standing.append(points[known])
    cloud = np.concatenate([np.zeros((0, 3)), *standing])
    seen = body[np.isfinite(body).all(-1)]
    if len(cloud) < _LEAST or not len(seen):
        return np.full((3, 3), np.nan), np.full(3, np.nan)
    used = cloud
    for _ in range(_ROUNDS):
        centre = used.mean(0)
        normal = np.linalg.svd(used - centre, full_matrices=False)[2][2]
        away = np.abs((cloud - centre) @ normal)
        used = cloud[away <= max(3 * 1.4826 * float(np.median(away)), 1.0)]
    normal = normal * np.sign((np.median(seen, axis=0) - centre) @ normal)
    rotation = _shortest_turn(normal)
    return rotation, -rotation @ centre * np.array([0.0, 0.0, 1.0])


def _shortest_turn(normal: FloatArray) -> FloatArray:
    """Return the rotation that brings a unit vector to z (Rodrigues)."""
    cosine = float(normal[2])
    axis = np.cross(normal, [0.0, 0.0, 1.0])
    if cosine < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + cosine))
