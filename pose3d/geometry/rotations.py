"""Rotations: exponential and logarithm of SO(3), angles, and means on the manifold."""

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import FloatArray

__all__ = ["angle_between", "exp_so3", "left_jacobian", "log_so3", "mean_rotation", "skew"]

_SMALL = 1e-4  # rad; below it the series are exact to double precision (next term ~ angle^4 / 120)


def skew(v: ArrayLike) -> FloatArray:
    """Return the matrix [v]x with ``skew(v) @ u == cross(v, u)``.

    Parameters
    ----------
    v : (..., 3) array

    Returns
    -------
    (..., 3, 3) array
    """
    v = np.asarray(v, dtype=np.float64)
    out = np.zeros((*v.shape, 3))
    out[..., 0, 1], out[..., 0, 2] = -v[..., 2], v[..., 1]
    out[..., 1, 0], out[..., 1, 2] = v[..., 2], -v[..., 0]
    out[..., 2, 0], out[..., 2, 1] = -v[..., 1], v[..., 0]
    return out


def _sin_cos_terms(angle: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return sin(a)/a, (1-cos a)/a^2 and (a - sin a)/a^3, by their series near zero."""
    small = angle < _SMALL
    a = np.where(small, 1.0, angle)
    a2 = angle * angle
    first = np.where(small, 1 - a2 / 6, np.sin(a) / a)
    half = np.sin(a / 2)
    second = np.where(small, 0.5 - a2 / 24, 2 * half * half / (a * a))
    third = np.where(small, 1 / 6 - a2 / 120, (a - np.sin(a)) / (a * a * a))
    return first, second, third


def exp_so3(rotvec: ArrayLike) -> FloatArray:
    """Turn rotation vectors into rotation matrices (Rodrigues' formula).

    Parameters
    ----------
    rotvec : (..., 3) array, rad
        Axis times angle, as OpenCV's ``rvec``.

    Returns
    -------
    (..., 3, 3) array
    """
    w = np.asarray(rotvec, dtype=np.float64)
    first, second, _ = _sin_cos_terms(np.linalg.norm(w, axis=-1))
    K = skew(w)
    return np.eye(3) + first[..., None, None] * K + second[..., None, None] * (K @ K)


def log_so3(matrix: ArrayLike) -> FloatArray:
    """Turn rotation matrices into rotation vectors, exact up to and at pi.

    The way goes through the unit quaternion with the largest component as pivot (Shepperd 1978, J. Guidance and
    Control 1:223), which loses no digits near pi, where formulas with the antisymmetric part alone break down.

    Parameters
    ----------
    matrix : (..., 3, 3) array

    Returns
    -------
    (..., 3) array, rad
        Of length at most pi.
    """
    R = np.asarray(matrix, dtype=np.float64)
    xx, yy, zz = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    # Rows of 4 * q q^T for q = (w, x, y, z); the row with the largest diagonal is the best conditioned.
    outer = np.empty((*R.shape[:-2], 4, 4))
    outer[..., 0, 0] = 1 + xx + yy + zz
    outer[..., 1, 1] = 1 + xx - yy - zz
    outer[..., 2, 2] = 1 - xx + yy - zz
    outer[..., 3, 3] = 1 - xx - yy + zz
    for i, j, value in (
        (0, 1, R[..., 2, 1] - R[..., 1, 2]),
        (0, 2, R[..., 0, 2] - R[..., 2, 0]),
        (0, 3, R[..., 1, 0] - R[..., 0, 1]),
        (1, 2, R[..., 0, 1] + R[..., 1, 0]),
        (1, 3, R[..., 0, 2] + R[..., 2, 0]),
        (2, 3, R[..., 1, 2] + R[..., 2, 1]),
    ):
        outer[..., i, j] = outer[..., j, i] = value
    diagonal = np.einsum("...ii->...i", outer)
    pivot = np.argmax(np.nan_to_num(diagonal), axis=-1)
    q = np.take_along_axis(outer, pivot[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1)
    small = sine < 1e-9
    scale = np.where(small, 2.0, 2 * np.arctan2(sine, q[..., 0]) / np.where(small, 1.0, sine))
    return np.asarray(scale[..., None] * q[..., 1:])


def left_jacobian(rotvec: ArrayLike) -> FloatArray:
    """Return J with ``exp(w + d) ~ exp(J d) exp(w)`` for small d.

    Parameters
    ----------
    rotvec : (..., 3) array, rad

    Returns
    -------
    (..., 3, 3) array

    References
    ----------
    Sola, Deray, Atchuthan (2018), A micro Lie theory for state estimation in robotics, eq. 145.
    """
    w = np.asarray(rotvec, dtype=np.float64)
    _, second, third = _sin_cos_terms(np.linalg.norm(w, axis=-1))
    K = skew(w)
    return np.eye(3) + second[..., None, None] * K + third[..., None, None] * (K @ K)


def angle_between(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return the angle of the rotation from `a` to `b`.

    Parameters
    ----------
    a, b : (..., 3, 3) array

    Returns
    -------
    (...) array, rad
    """
    relative = np.swapaxes(np.asarray(a, dtype=np.float64), -1, -2) @ np.asarray(b, dtype=np.float64)
    return np.asarray(np.linalg.norm(log_so3(relative), axis=-1))


def mean_rotation(
    matrices: ArrayLike, weights: ArrayLike | None = None, *, robust: bool = False, iterations: int = 50
) -> FloatArray:
    """Average rotations on SO(3).

    Starts at the chordal mean (SVD of the summed matrices) and iterates to the geodesic mean; `robust` gives the
    geodesic median (Weiszfeld), which a minority of wrong rotations cannot move far. Averaging rotation vectors
    instead is wrong by up to 180 degrees near pi.

    Parameters
    ----------
    matrices : (n, 3, 3) array
    weights : (n,) array, optional
    robust : bool
    iterations : int
        Upper bound; it stops at a step below 1e-12 rad.

    Returns
    -------
    (3, 3) array

    Raises
    ------
    ValueError
        If there is no rotation or no positive weight.

    References
    ----------
    Hartley, Trumpf, Dai, Li (2013), Rotation averaging, IJCV 103:267, sections 5.1 and 5.3; the median is
    Hartley, Aftab, Trumpf (2011), L1 rotation averaging using the Weiszfeld algorithm, CVPR.
    """
    R = np.asarray(matrices, dtype=np.float64)
    w = np.ones(len(R)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(R) == 0 or not w.sum() > 0:
        raise ValueError("mean_rotation needs at least one rotation with a positive weight")
    if robust:
        # The chordal mean can be pulled far off; the rotation with the least sum of distances is a safe start. As
        # Weiszfeld's iteration cannot leave a given rotation, it starts from the mean of the half that lies closest.
        flat = R.reshape(-1, 9)
        distance = np.arccos(np.clip((flat @ flat.T - 1) / 2, -1, 1))
        best = int(np.argmin(np.where(w > 0, distance @ w, np.inf)))
        step = log_so3(R @ R[best].T)
        near = w * (distance[best] <= np.median(distance[best][w > 0]))
        mean = exp_so3(near @ step / near.sum()) @ R[best]
    else:
        U, _, Vt = np.linalg.svd(np.einsum("n,nij->ij", w, R))
        mean = U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt
    for _ in range(iterations):
        step = log_so3(R @ mean.T)
        weight = w / np.maximum(np.linalg.norm(step, axis=-1), 1e-9) if robust else w
        delta = weight @ step / weight.sum()
        mean = exp_so3(delta) @ mean
        if np.linalg.norm(delta) < 1e-12:
            break
    return np.asarray(mean)
