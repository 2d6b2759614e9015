"""What the views say about cameras and boards, and by how much independent corners would flatter them."""

from dataclasses import replace

import numpy as np
import scipy.linalg

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.transforms import apply

from .bundle import Bundle, Solution, reduced_equations, select_views
from .motions import motion_jacobian

__all__ = ["camera_information", "corners_by_board", "dispersion", "invert_information"]

_PIECES = 12  # into which a recording is cut to see how views disagree
_FEWEST_PIECES = 6


def camera_information(solution: Solution) -> tuple[FloatArray, IntArray, IntArray]:
    """Return what the views say about the cameras' free parameters, the boards' poses marginalised.

    Parameters
    ----------
    solution : Solution

    Returns
    -------
    information : (n, n) array
        Inverse of the parameters' covariance.
    camera, number : (n,) int arrays
        Each parameter's camera, and its place among the camera's 18.
    """
    bundle = solution.bundle
    information, _ = reduced_equations(bundle, solution.weight, solution.sigma)
    camera, number = np.nonzero(bundle.free)
    return information, camera, number


def invert_information(information: FloatArray) -> FloatArray:
    """Return the covariance (n, n) of parameters of very different units; what nothing is known of stays finite."""
    if not len(information):
        return np.zeros((0, 0))
    scale = 1 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    inner = scipy.linalg.inv(information * scale[:, None] * scale + 1e-14 * np.eye(len(scale)))
    return np.asarray((inner + inner.T) / 2 * scale[:, None] * scale)


def dispersion(solution: Solution) -> float:
    """Tell how much more the views disagree about the cameras than independent corners would.

    Errors of neighbouring corners, and of views soon after one another, go together: a board that is not flat, a lens
    that the model does not quite fit, edges that move with the light. So many corners then say less than they seem to.
    The recording is cut into pieces; what each would change about the cameras is held against what its corners' noise
    explains.

    Parameters
    ----------
    solution : Solution
        Converged.

    Returns
    -------
    float
        Factor by which variances are larger than independent corners give; 1 at least.

    References
    ----------
    Liang & Zeger (1986), Longitudinal data analysis using generalized linear models, Biometrika 73:13.
    """
    bundle = replace(solution.bundle, prior=np.zeros_like(solution.bundle.prior))
    known, instant = np.unique(bundle.frame, return_inverse=True)
    n_pieces = min(_PIECES, len(known))
    piece = instant * n_pieces // max(len(known), 1)
    if n_pieces < _FEWEST_PIECES or not bundle.free.any():
        return 1.0
    parts = [
        reduced_equations(select_views(bundle, piece == i), solution.weight[piece == i], solution.sigma)
        for i in range(n_pieces)
    ]
    each, score = np.stack([S for S, _ in parts]), np.stack([s for _, s in parts])
    score = score - each @ np.linalg.lstsq(each.sum(0), score.sum(0), rcond=None)[0]  # as if fully converged
    inverse = invert_information(camera_information(solution)[0])
    leverage = inverse @ each
    seen = float(np.einsum("gi,ij,gj->", score, inverse, score))
    expected = float(np.einsum("gii->", leverage) - np.einsum("gij,gji->", leverage, leverage))
    return max(1.0, seen / max(expected, 1e-9))


def corners_by_board(bundle: Bundle, camera: int, *, center: FloatArray | None = None) -> FloatArray:
    """Return what small motions of the boards, in the world's axes, do to a camera's corners.

    Parameters
    ----------
    bundle : Bundle
    camera : int
    center : (3,) array, mm, optional
        The point of the board about which it turns; by default its origin.

    Returns
    -------
    (n_views of the camera, n_corners, 2, 6) array, px/rad and px/mm
        0 for corners behind the camera.
    """
    center = np.zeros(3) if center is None else center
    boards = bundle.world_from_board[bundle.frame[bundle.camera == camera]]
    pose = bundle.cam_from_world[camera]
    arm = (bundle.points - center) @ np.swapaxes(boards[:, :3, :3], -1, -2)
    X = apply(pose, arm + apply(boards, center)[:, None])
    with np.errstate(all="ignore"):
        seen = project_camera_frame(
            X, bundle.matrix(camera), bundle.distortion(camera), fisheye=bool(bundle.fisheye[camera])
        )
    return motion_jacobian(np.where(X[..., 2, None, None] > 0, seen.by_point, 0.0) @ pose[:3, :3], arm)
