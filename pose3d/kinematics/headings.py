"""The direction in which somebody walks, for angles that are measured against the room."""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.walking_angles import walking_frame

__all__ = ["lab_heading", "walker_heading"]

_WALKS_MM = 500.0  # a pelvis that went farther walked
_ALONG_DEG = 30.0  # a way that is nearer to an axis of the laboratory goes along it


def lab_heading(origin: FloatArray, forwards: FloatArray) -> FloatArray:
    """Return the frame of the direction in which somebody walks, or faces: the nearest axis of the laboratory.

    Parameters
    ----------
    origin : (n_frames, 3) array, mm
        Of the pelvis.
    forwards : (n_frames, 3) array
        Its axis forwards, by which is judged where it stays.

    Returns
    -------
    (3, 3) array
        Axes in columns, z up; NaN where nothing is known.
    """
    known = np.isfinite(origin).all(-1)
    way = np.full(2, np.nan)
    if known.any():
        rows = np.flatnonzero(known)
        way = (origin[rows[-1]] - origin[rows[0]])[:2]
        if np.linalg.norm(way) < _WALKS_MM:
            way = np.nanmean(forwards[known], axis=0)[:2]
    if not np.isfinite(way).all():
        return np.full((3, 3), np.nan)
    x = np.zeros(3)
    x[np.abs(way).argmax()] = np.sign(way[np.abs(way).argmax()])
    return np.stack([x, np.cross([0.0, 0.0, 1.0], x), [0.0, 0.0, 1.0]], axis=-1)


def walker_heading(origin: FloatArray, axes: FloatArray, *, fps: float) -> FloatArray:
    """Return the frame of the direction of walking as :func:`lab_heading`, but turning with who leaves that direction.

    Parameters
    ----------
    origin : (n_frames, 3) array, mm
        Of the pelvis.
    axes : (n_frames, 3, 3) array
        Of the pelvis, in columns.
    fps : float

    Returns
    -------
    (n_frames, 3, 3) array
        The laboratory's axis where the way is within 30 degrees of it, so that straight walks are measured as Vicon
        does; elsewhere the walker's own frame of :func:`pose3d.kinematics.walking_angles.walking_frame`.
    """
    fixed = lab_heading(origin, axes[..., 0])
    own = walking_frame(origin, axes[..., 1], fps=fps)
    along = np.einsum("nij,ik->njk", own, fixed)[:, 0, 0]
    with np.errstate(invalid="ignore"):
        away = along < np.cos(np.deg2rad(_ALONG_DEG))
    return np.where(away[:, None, None], own, fixed)
