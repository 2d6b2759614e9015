"""One camera by itself: focal length and lens from the board's views."""

import numpy as np

from pose3d.calibration.bundle import LENS_SIZE, Bundle, lens_prior, refine
from pose3d.calibration.poses import MIN_CORNERS, board_poses
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["calibrate_lens", "spread_views"]

_FOCAL_GRID = np.geomspace(0.3, 5.0, 25)  # of the image's width: 118 to 11 degrees of view
_VIEWS_FOR_FOCAL = 24
_VIEWS_FOR_LENS = 80


def spread_views(xy: FloatArray, count: int) -> IntArray:
    """Choose views with many corners, spread over the recording.

    Parameters
    ----------
    xy : (n_views, n_corners, 2) array, px
    count : int

    Returns
    -------
    (at most count,) int array
        Indices in time order.
    """
    corners = np.isfinite(xy[..., 0]).sum(-1)
    if not (corners >= MIN_CORNERS).any():
        return np.zeros(0, dtype=np.int64)
    enough = max(MIN_CORNERS, 0.6 * np.percentile(corners[corners >= MIN_CORNERS], 90))
    good = np.flatnonzero(corners >= enough)
    return good[np.unique(np.linspace(0, len(good) - 1, min(count, len(good))).round().astype(int))]


def calibrate_lens(
    xy: FloatArray, points: FloatArray, size: tuple[int, int], *, name: str, fisheye: bool = False
) -> tuple[FloatArray, float]:
    """Estimate a camera's focal length and lens from its own views of the board.

    The focal length is searched on a grid first, so that no closed form has to survive outliers and strong lenses;
    then the lens is refined with the boards' poses.

    Parameters
    ----------
    xy : (n_views, n_corners, 2) array, px
    points : (n_corners, 3) array, mm
    size : (int, int), px
    name : str
        The camera's, for messages.
    fisheye : bool

    Returns
    -------
    lens : (12,) array
        fx fy cx cy and coefficients, padded with zeros.
    error : float
        Median reprojection error, px.

    Raises
    ------
    CalibrationError
        If too few views show enough of the board.
    """
    views = spread_views(xy, _VIEWS_FOR_FOCAL)
    if len(views) < 3:
        raise CalibrationError(
            f"camera {name}: {len(views)} views show at least {MIN_CORNERS} corners of the board, 3 are needed for its "
            "lens; record the board again in front of it, or give its intrinsics with --intrinsics"
        )
    center = (np.array(size, dtype=np.float64) - 1) / 2
    none = np.zeros(4 if fisheye else 0)

    def ideal(focal: float) -> FloatArray:
        return np.array([[focal, 0, center[0]], [0, focal, center[1]], [0, 0, 1.0]])

    def error_at(focal: float) -> float:
        _, error = board_poses(xy[views], points, ideal(focal), none, fisheye=fisheye)
        return float(np.median(error[:, 0]))

    grid = _FOCAL_GRID * max(size)
    focal = float(grid[np.argmin([error_at(f) for f in grid])])
    n_lens = 4 if fisheye else 5
    lens = np.zeros(LENS_SIZE)
    lens[:4] = focal, focal, *center
    views = spread_views(xy, _VIEWS_FOR_LENS)
    poses, error = board_poses(xy[views], points, ideal(focal), none, fisheye=fisheye)
    known = np.isfinite(error[:, 0])
    views, poses = views[known], poses[known, 0]
    free = np.zeros((1, LENS_SIZE + 6), dtype=bool)
    free[0, : 4 + n_lens] = True
    prior, mean = lens_prior(size, focal, n_lens=n_lens, fisheye=fisheye)
    bundle = Bundle(
        lens=lens[None],
        cam_from_world=np.eye(4)[None],
        world_from_board=poses,
        points=points,
        camera=np.zeros(len(views), dtype=np.int64),
        frame=np.arange(len(views)),
        xy=xy[views],
        n_lens=np.array([n_lens]),
        fisheye=np.array([fisheye]),
        free=free,
        prior=prior[None],
        prior_mean=mean[None],
    )
    solution = refine(bundle, rounds=4)
    return solution.bundle.lens[0], float(solution.sigma[0] * 1.1774)
