"""The pose of a flat board in each view, with its twin: planar poses come in pairs that look almost alike."""

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.projection import undistort
from pose3d.geometry.transforms import rigid

__all__ = ["MIN_CORNERS", "board_poses", "homographies", "lower_median", "poses_from_homographies"]

MIN_CORNERS = 6
"""A view with fewer says too little about its pose."""

_ON_A_LINE = 1e-3  # narrowest to widest spread of corners that lie on one line


def board_poses(
    xy: FloatArray, points: FloatArray, matrix: FloatArray, distortion: FloatArray, *, fisheye: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Solve for the pose of a flat board in each of a camera's views.

    Parameters
    ----------
    xy : (n_views, n_corners, 2) array, px
        NaN where a corner was not seen.
    points : (n_corners, 3) array, mm
        With z = 0.
    matrix : (3, 3) array
    distortion : (n,) array
    fisheye : bool

    Returns
    -------
    cam_from_board : (n_views, 2, 4, 4) array, mm
        The better solution first; NaN where there is none.
    error : (n_views, 2) array
        Root mean square reprojection error times the focal length, about px, of the half of the corners that fit best.
    """
    poses, error = np.full((len(xy), 2, 4, 4), np.nan), np.full((len(xy), 2), np.inf)
    views = np.flatnonzero(np.isfinite(xy[..., 0]).sum(1) >= MIN_CORNERS)
    rays, converged = undistort(xy[views], matrix, distortion, fisheye=fisheye)
    usable = converged & np.isfinite(xy[views]).all(-1)
    H, solved = homographies(rays, usable, points)
    poses[views], error[views] = poses_from_homographies(H, rays, usable & solved[:, None], points)
    return poses, error * matrix[0, 0]


def homographies(xy: FloatArray, usable: BoolArray, points: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Fit the homography from board to image in each view by the direct linear transform, outliers weighed down.

    Parameters
    ----------
    xy : (n_views, n_corners, 2) array
    usable : (n_views, n_corners) bool array
    points : (n_corners, 3) array, mm

    Returns
    -------
    H : (n_views, 3, 3) array
        ``xy ~ H @ (X, Y, 1)``.
    solved : (n_views,) bool array
        False where too few corners, or corners on one line, leave it open.

    References
    ----------
    Hartley & Zisserman (2004), Multiple view geometry, algorithm 4.2.
    """
    flat, spread = _scaled(points[:, :2])
    weight = usable.astype(float)
    seen = np.where(usable[..., None], xy, 0.0)
    count = np.maximum(weight.sum(-1), 1.0)
    middle = seen.sum(1) / count[:, None]
    offset = np.where(usable[..., None], seen - middle[:, None], 0.0)
    size = np.sqrt((offset * offset).sum((1, 2)) / count) + 1e-300
    u, v = offset[..., 0] / size[:, None], offset[..., 1] / size[:, None]
    P = np.column_stack([flat, np.ones(len(flat))])
    PP = (P[:, :, None] * P[:, None, :]).reshape(len(P), 9)
    spreads = np.linalg.eigvalsh(
        (weight @ PP).reshape(-1, 3, 3)[:, :2, :2] / count[:, None, None] - _means(weight, P, count)
    )
    solved = (usable.sum(-1) >= MIN_CORNERS) & (spreads[:, 0] > _ON_A_LINE**2 * np.maximum(spreads[:, 1], 1e-300))
    for _ in range(2):
        moments = np.stack([weight, weight * u, weight * v, weight * (u * u + v * v)]) @ PP
        one, by_u, by_v, by_uv = moments.reshape(4, -1, 3, 3)
        M, m = np.zeros((len(xy), 8, 8)), np.empty((len(xy), 8))
        M[:, 0:3, 0:3] = M[:, 3:6, 3:6] = one
        M[:, 0:3, 6:] = -by_u[:, :, :2]
        M[:, 3:6, 6:] = -by_v[:, :, :2]
        M[:, 6:] = np.swapaxes(np.concatenate([M[:, :6, 6:], by_uv[:, :2, :2]], axis=1), -1, -2)
        m[:, 0:3], m[:, 3:6], m[:, 6:] = by_u[:, :, 2], by_v[:, :, 2], -by_uv[:, :2, 2]
        M[~solved] = np.eye(8)
        h = np.linalg.solve(M + 1e-12 * np.eye(8), m[..., None])[..., 0]
        # the last entry may be 1, as the board's middle is before the camera
        H = np.concatenate([h, np.ones((len(h), 1))], axis=1).reshape(-1, 3, 3)
        image = H @ P.T
        with np.errstate(all="ignore"):
            miss = (image[:, 0] / image[:, 2] - u) ** 2 + (image[:, 1] / image[:, 2] - v) ** 2
        miss = np.where(usable & np.isfinite(miss), miss, np.nan)
        typical = lower_median(miss)[:, None] + 1e-18
        weight = np.where(np.isnan(miss), 0.0, np.minimum(1.0, 9 * typical / np.maximum(miss, 1e-300)) ** 2)
    to_image = np.zeros((len(xy), 3, 3))
    to_image[:, 0, 0] = to_image[:, 1, 1] = size
    to_image[:, :2, 2], to_image[:, 2, 2] = middle, 1.0
    return to_image @ H @ spread, solved


def _scaled(flat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return points about their middle, of unit size, and the matrix (3, 3) that makes them so."""
    middle = flat.mean(0)
    size = float(np.sqrt(((flat - middle) ** 2).sum(-1).mean()))
    return (flat - middle) / size, np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, size]]) / size


def _means(weight: FloatArray, P: FloatArray, count: FloatArray) -> FloatArray:
    mean = weight @ P[:, :2] / count[:, None]
    return np.asarray(mean[:, :, None] * mean[:, None, :])


def lower_median(values: FloatArray) -> FloatArray:
    """Return the median along the last axis, NaN left out; 0 where all are."""
    ordered = np.sort(values, axis=-1)  # NaN last
    count = np.isfinite(values).sum(-1)
    middle = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[..., None], axis=-1)[..., 0]
    return np.where(count > 0, middle, 0.0)


def poses_from_homographies(
    H: FloatArray, rays: FloatArray, usable: BoolArray, points: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Turn homographies between a board and normalised images into the two poses that each allows.

    Parameters
    ----------
    H : (n_views, 3, 3) array
    rays : (n_views, n_corners, 2) array
        Undistorted normalised coordinates.
    usable : (n_views, n_corners) bool array
    points : (n_corners, 3) array, mm

    Returns
    -------
    cam_from_board : (n_views, 2, 4, 4) array, mm
        The better one first; NaN where there is none.
    error : (n_views, 2) array
        Root mean square of the half of the corners that fit best; infinite where there is no pose.

    References
    ----------
    Collins & Bartoli (2014), Infinitesimal plane-based pose estimation, IJCV 109:252, section 4.
    """
    middle = points.mean(0)
    flat = points - middle
    with np.errstate(all="ignore"):
        H = H @ np.array([[1, 0, middle[0]], [0, 1, middle[1]], [0, 0, 1.0]])
        H = H / H[:, 2:, 2:]
        v = H[:, :2, 2]
        J = H[:, :2, :2] - v[:, :, None] * H[:, None, 2, :2]
        turn = _turn_to(v)  # takes the optical axis to the board's middle
        B = turn[:, :2, :2] - v[:, :, None] * turn[:, None, 2, :2]
        A = np.linalg.solve(np.where(np.isfinite(B), B, np.eye(2)), np.where(np.isfinite(J), J, 0.0))
        AA = A @ np.swapaxes(A, -1, -2)
        gap = np.sqrt((AA[:, 0, 0] - AA[:, 1, 1]) ** 2 + 4 * AA[:, 0, 1] ** 2)
        gamma = np.sqrt((AA[:, 0, 0] + AA[:, 1, 1] + gap) / 2)
        upper = A / gamma[:, None, None]
        rest = np.eye(2) - np.swapaxes(upper, -1, -2) @ upper
        c = np.sqrt(np.maximum(rest[:, 0, 0], 0.0))
        d = np.copysign(np.sqrt(np.maximum(rest[:, 1, 1], 0.0)), rest[:, 0, 1])
        R = np.empty((len(H), 2, 3, 3))
        for i, sign in enumerate((1.0, -1.0)):
            R[:, i, :2, :2] = upper
            R[:, i, 2, 0], R[:, i, 2, 1] = sign * c, sign * d
            R[:, i, :, 2] = np.cross(R[:, i, :, 0], R[:, i, :, 1])
        R = turn[:, None] @ R
        t = np.concatenate([v, np.ones((len(v), 1))], axis=1) / gamma[:, None]
        X = R @ flat.T + t[:, None, :, None]  # (n_views, 2, 3, n_corners)
        miss = (X[:, :, :2] / X[:, :, 2:] - np.swapaxes(rays, -1, -2)[:, None]) ** 2
        miss = np.where(usable[:, None], miss.sum(2), np.nan)
    enough = np.asarray(usable.sum(-1, keepdims=True) >= MIN_CORNERS)
    good = enough & (np.where(usable[:, None], X[:, :, 2], 1.0) > 0).all(-1)
    good &= np.isfinite(t).all(-1, keepdims=True)
    half = np.sort(miss, axis=-1)
    count = (usable.sum(-1) + 1) // 2
    inner = np.arange(half.shape[-1]) < count[:, None, None]
    error = np.sqrt(np.where(inner, half, 0.0).sum(-1) / np.maximum(count, 1)[:, None])
    error = np.where(good & np.isfinite(error), error, np.inf)
    poses = rigid(R, t[:, None] - R @ middle)
    order = np.argsort(error, axis=1, kind="stable")
    poses = np.take_along_axis(poses, order[..., None, None], axis=1)
    error = np.take_along_axis(error, order, axis=1)
    poses[~np.isfinite(error)] = np.nan
    return poses, error


def _turn_to(v: FloatArray) -> FloatArray:
    """Return the least rotations (n, 3, 3) that take the z axis to the rays (v, 1)."""
    length = np.sqrt(1 + (v * v).sum(-1))
    x, y = v[:, 0] / length, v[:, 1] / length
    z = 1 / length
    out = np.empty((len(v), 3, 3))
    out[:, 0, 0], out[:, 0, 1], out[:, 0, 2] = 1 - x * x / (1 + z), -x * y / (1 + z), x
    out[:, 1, 0], out[:, 1, 1], out[:, 1, 2] = out[:, 0, 1], 1 - y * y / (1 + z), y
    out[:, 2, 0], out[:, 2, 1], out[:, 2, 2] = -x, -y, z
    return out
