"""Finding a board's corners in one image."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import FloatArray
from pose3d.io.images import Image

from .boards import charuco_board
from .poses import MIN_CORNERS

__all__ = ["corner_finder", "find_corners"]


def find_corners(image: Image, board: Board) -> FloatArray:
    """Find a board's corners in one image, to a fraction of a pixel.

    Parameters
    ----------
    image : (height, width) uint8 array
    board : Board

    Returns
    -------
    (n_corners, 2) array, px
        NaN for corners that were not found. A checkerboard is found whole or not at all, and the order of its
        corners is known up to :func:`pose3d.calibration.boards.symmetries`.
    """
    return corner_finder(board)(image)


def corner_finder(board: Board) -> Callable[[Image], FloatArray]:
    """Return :func:`find_corners` for one board, which sets its detector up once; not to be shared between threads."""
    if board.kind == "checkerboard":
        find = partial(_find_checkerboard, board=board)
    else:
        find = partial(_find_charuco, board=board, detector=cv2.aruco.CharucoDetector(charuco_board(board)))
    return lambda image: find(255 - image if board.inverted else image)


def _find_charuco(image: Image, board: Board, detector: cv2.aruco.CharucoDetector) -> FloatArray:
    out = np.full((board.n_corners, 2), np.nan)
    corners, ids, _, _ = detector.detectBoard(image)
    if ids is not None and len(ids) >= MIN_CORNERS:
        out[np.asarray(ids).ravel()] = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
    return out


def _find_checkerboard(image: Image, board: Board) -> FloatArray:
    nx, ny = board.corners
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
    found, corners = cv2.findChessboardCorners(image, (nx, ny), flags=flags)
    if not found:
        return np.full((board.n_corners, 2), np.nan)
    grid = np.asarray(corners, dtype=np.float64).reshape(ny, nx, 2)
    steps = (np.linalg.norm(np.diff(grid, axis=axis), axis=-1).min() for axis in (0, 1))
    half_window = int(np.clip(0.25 * min(steps), 2, 11))  # well inside the four squares around a corner
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-4)
    corners = cv2.cornerSubPix(image, np.float32(corners), (half_window, half_window), (-1, -1), criteria)
    return _ordered(np.asarray(corners, dtype=np.float64).reshape(ny, nx, 2), image).reshape(-1, 2)


def _ordered(grid: FloatArray, image: Image) -> FloatArray:
    """Bring a grid of corners into the order that the board's front and its colours define.

    The board is seen from its front, so x and y turn as they do in the image; and the first inner square is dark
    where the turns of the board change that.
    """
    ny, nx = grid.shape[:2]
    along_x, along_y = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
    if along_x[0] * along_y[1] - along_x[1] * along_y[0] < 0:
        grid = grid[::-1] if nx != ny else grid.transpose(1, 0, 2)
    centers = (grid[:-1, :-1] + grid[1:, 1:] + grid[:-1, 1:] + grid[1:, :-1]) / 4
    columns, rows = np.rint(centers).astype(int).reshape(-1, 2).T
    height, width = image.shape
    grey = image[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)].astype(float)
    parity = (np.arange(nx - 1)[None, :] + np.arange(ny - 1)[:, None]).ravel() % 2
    first_is_dark = grey[parity == 0].mean() < grey[parity == 1].mean()
    if first_is_dark:
        return grid
    if (nx + ny) % 2:
        return grid[::-1, ::-1]
    if nx == ny and nx % 2:
        return np.rot90(grid)
    return grid  # no turn makes the first square dark: the colours tell nothing
