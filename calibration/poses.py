"""The pose of a flat board in one view, with its twin: planar poses come in pairs that look almost alike."""

import cv2
import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.projection import undistort
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import rigid

__all__ = ["MIN_CORNERS", "board_poses"]

MIN_CORNERS = 6
"""A view with fewer says too little about its pose."""


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
        Root mean square reprojection error times the focal length, about px.

    References
    ----------
    Collins & Bartoli (2014), Infinitesimal plane-based pose estimation, IJCV 109:252.
    """
    poses = np.full((len(xy), 2, 4, 4), np.nan)
    error = np.full((len(xy), 2), np.inf)
    rays, converged = undistort(xy, matrix, distortion, fisheye=fisheye)
    usable = converged & np.isfinite(xy).all(-1)
    for view in np.flatnonzero(usable.sum(-1) >= MIN_CORNERS):
        here = usable[view]
        if np.linalg.matrix_rank(points[here] - points[here].mean(0), tol=1e-6 * np.ptp(points)) < 2:
            continue  # corners on one line
        _, turns, shifts, _ = cv2.solvePnPGeneric(
            points[here], rays[view, here], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
        for i, (turn, shift) in enumerate(zip(turns, shifts, strict=True)):
            poses[view, i] = rigid(np.ravel(turn), np.ravel(shift))
            X = points[here] @ exp_so3(np.ravel(turn)).T + np.ravel(shift)
            if (X[:, 2] > 0).all():
                miss = X[:, :2] / X[:, 2:] - rays[view, here]
                error[view, i] = np.sqrt((miss * miss).sum(-1).mean()) * matrix[0, 0]
    order = np.argsort(error, axis=1, kind="stable")
    poses = np.take_along_axis(poses, order[..., None, None], axis=1)
    error = np.take_along_axis(error, order, axis=1)
    poses[~np.isfinite(error)] = np.nan
    return poses, error
