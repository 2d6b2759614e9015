"""Points in space from rays: the SVD that is the reference, and the maximum-likelihood step.

Views are next to last: a point seen by C cameras is (..., C, 2). A view with a NaN does not take part.
"""

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import FloatArray

__all__ = ["triangulate_svd"]

_BATCH = 100_000  # points per SVD call: bounds the memory, costs no time


def triangulate_svd(
    xy: ArrayLike, cam_from_world: ArrayLike, *, weights: ArrayLike | None = None, length: float = 1.0
) -> FloatArray:
    """Triangulate by the direct linear transform, solved by SVD.

    Two rows a view, ``w (x p3 - p1)`` and ``w (y p3 - p2)``; the right singular vector of the smallest singular value
    is the homogeneous point. The algebraic error of a homogeneous system, and with it the answer from views that
    disagree, depends on the unit of length (views that agree give the same point in any). By default that is the
    unit of `cam_from_world`, as in OpenCV and aniposelib; to repeat a program that solved in another unit, give the
    length that was 1 there (1000 mm for Pose2Sim, which solves in metres).

    Parameters
    ----------
    xy : (..., n_cameras, 2) array
        Undistorted normalised coordinates; NaN where a camera has no view.
    cam_from_world : (n_cameras, 3, 4) or (n_cameras, 4, 4) array, mm
    weights : (..., n_cameras) array, optional
        Factor of each view's two rows: the score, or focal length over noise in px for near-optimal weighting.
        Views with a weight of zero or NaN do not take part.
    length : float
        Unit of length of the homogeneous system, mm.

    Returns
    -------
    (..., 3) array, mm
        NaN where fewer than two views take part, or the rays are parallel or coincide.

    Raises
    ------
    ValueError
        If the numbers of views and cameras differ, or `length` is not positive.

    References
    ----------
    Hartley & Zisserman (2004), Multiple View Geometry, 2nd ed., section 12.2.
    """
    xy = np.asarray(xy, dtype=np.float64)
    P = np.array(cam_from_world, dtype=np.float64)[:, :3, :]
    lead, n_cameras = xy.shape[:-2], len(P)
    if xy.shape[-2] != n_cameras:
        raise ValueError(f"{xy.shape[-2]} views, but {n_cameras} cameras")
    if not length > 0:
        raise ValueError(f"length must be positive, not {length}")
    P[:, :, 3] /= length
    w = np.ones(xy.shape[:-1]) if weights is None else np.broadcast_to(np.asarray(weights), xy.shape[:-1])
    flat, w = xy.reshape(-1, n_cameras, 2), np.array(w, dtype=np.float64).reshape(-1, n_cameras)
    used = np.isfinite(flat).all(-1) & np.isfinite(w) & (w > 0)
    w = np.where(used, w, 0.0)
    flat = np.where(used[..., None], flat, 0.0)
    out = np.full((len(flat), 3), np.nan)
    todo = np.flatnonzero(used.sum(-1) >= 2)
    for start in range(0, len(todo), _BATCH):
        part = todo[start : start + _BATCH]
        rows = flat[part][..., None] * P[:, None, 2, :] - P[:, :2, :]
        rows = (rows * w[part][..., None, None]).reshape(len(part), 2 * n_cameras, 4)
        _, S, Vt = np.linalg.svd(rows, full_matrices=False)
        X = Vt[:, 3, :]
        at_infinity = np.abs(X[:, 3]) < 1e-10
        on_one_ray = S[:, 2] < 1e-12 * S[:, 0]  # the depth is anything
        X = X[:, :3] / np.where(at_infinity | on_one_ray, np.nan, X[:, 3])[:, None]
        out[part] = X * length
    return out.reshape(*lead, 3)
