"""Finding a board's corners in one image."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.io.images import Image

from ..solver.poses import MIN_CORNERS
from .boards import marker_corners
from .edges import refine_crossings, refine_quads
from .markers import homographies, marker_finder, project, quiet_px

__all__ = ["corner_finder", "find_corners"]

_MIN_MARKERS = 2
_ENOUGH_MARKERS = 0.9  # of a grid's
_MISSING = 0.03  # of the corners may be missing before more is done to find them
_ARM = 0.45  # of a square: how far from a corner its edges are looked at
_ARM_PX = 14.0  # at most: farther away a lens bends them
_ENOUGH = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 0.02)
_NARROW_PX = 1.5  # between an edge and the next marker: too little to measure the edge
_FAR_PX = 2.0  # from where the markers say that a corner is


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
        corners is known up to :func:`pose3d.calibration.detection.boards.symmetries`.
    """
    return corner_finder(board)(image)


def corner_finder(board: Board) -> Callable[[Image], FloatArray]:
    """Return :func:`find_corners` for one board, which sets its detector up once; not to be shared between threads."""
    find: Callable[[Image], FloatArray]
    if board.kind == "checkerboard":
        find = partial(_find_checkerboard, board=board)
    elif board.kind == "charuco":
        find = _charuco_finder(board)
    else:
        find = _grid_finder(board)
    return lambda image: find(255 - image if board.inverted else image)


def _grid_finder(board: Board) -> Callable[[Image], FloatArray]:
    find_markers = marker_finder(board)
    where = marker_corners(board)
    # Which of the board's corners each marker's corners are.
    index = np.linalg.norm(board.points[:, :2] - where[:, :, None], axis=-1).argmin(-1)

    def find(image: Image) -> FloatArray:
        out = np.full((board.n_corners, 2), np.nan)
        for ids, quads in find_markers(image):
            if len(ids) < _MIN_MARKERS:
                continue
            out[index[ids]] = refine_quads(image, quads, reach=quiet_px(quads, board))
            if len(ids) >= _ENOUGH_MARKERS * len(where):
                break
        return out

    return find


def _charuco_finder(board: Board) -> Callable[[Image], FloatArray]:
    find_markers = marker_finder(board)
    where = marker_corners(board)
    points = board.points[:, :2]
    nx, ny = board.corners
    # A marker's square has four of the board's corners, half a square away each way.
    neighbours = np.abs(points - where.mean(1)[:, None]).max(-1) < 0.6 * board.square_mm
    swapped = board.legacy and board.squares[1] % 2 == 0
    dark = (np.arange(nx)[None, :] + np.arange(ny)[:, None]).ravel() % 2 == int(swapped)
    axes = np.array([[1.0, 0], [0, 1.0]]) * board.square_mm / 2
    gap_part = board.separation_mm / 2 / board.square_mm
    # The corner, and half a square along x, y, -x, -y.
    around = points[:, None] + np.concatenate([np.zeros((1, 2)), axes, -axes])

    def refine(image: Image, seen: FloatArray, upper_left: BoolArray, sure: BoolArray) -> FloatArray:
        xy, square = seen[:, 0], seen[:, 1:3] - seen[:, 3:]
        length = np.linalg.norm(square, axis=-1)
        area = np.abs(square[:, 0, 0] * square[:, 1, 1] - square[:, 0, 1] * square[:, 1, 0])
        gap = gap_part * area / length.max(1)  # px from an edge to the next marker
        arms = square * np.minimum(_ARM, _ARM_PX / length)[..., None]
        rough = _subpix(image, xy, gap)
        found = refine_crossings(image, rough, arms, reach=0.8 * gap, dark=upper_left)
        unsure = sure & (np.isnan(found[:, 0]) | (gap < _NARROW_PX))
        found[unsure] = rough[unsure]
        found[np.linalg.norm(found - xy, axis=-1) > np.maximum(gap, _FAR_PX)] = np.nan
        return found

    def expected(found: FloatArray, shape: tuple[int, ...]) -> tuple[IntArray, FloatArray]:
        """Return the missing corners that must be in the image, and where, as the found ones let expect them."""
        known, missing = np.flatnonzero(np.isfinite(found[:, 0])), np.flatnonzero(np.isnan(found[:, 0]))
        H, _ = cv2.findHomography(points[known], found[known])
        if H is None or not len(missing):
            return missing[:0], around[:0]
        bent = found[known] - project(H[None], points[None, known])[0]  # by the lens
        nearest = np.linalg.norm(points[missing, None] - points[known], axis=-1).argmin(1)
        seen = project(H[None], around[missing]) + bent[nearest, None]
        inside = ((seen >= 0) & (seen <= np.array(shape[::-1]) - 1)).all((1, 2))
        return missing[inside], seen[inside]

    def find(image: Image) -> FloatArray:
        best = np.full((board.n_corners, 2), np.nan)
        most = 0
        for ids, quads in find_markers(image):
            if len(ids) < _MIN_MARKERS:
                continue
            marker, corner = np.nonzero(neighbours[ids])
            counts = np.bincount(corner, minlength=board.n_corners)
            total = np.zeros((board.n_corners, 5, 2))
            np.add.at(total, corner, project(homographies(where[ids], quads)[marker], around[corner]))
            there = np.flatnonzero(counts)
            found = np.full_like(best, np.nan)
            found[there] = refine(image, total[there] / counts[there, None, None], dark[there], counts[there] == 2)
            if np.isfinite(found[:, 0]).sum() < MIN_CORNERS:
                continue
            missing, seen = expected(found, image.shape)
            found[missing] = refine(image, seen, dark[missing], np.zeros(len(missing), bool))
            n_found = int(np.isfinite(found[:, 0]).sum())
            if n_found > most:
                best, most = found, n_found
            if np.isnan(found[missing, 0]).sum() <= _MISSING * board.n_corners:
                break
        return best

    return find


def _subpix(image: Image, xy: FloatArray, gap: FloatArray) -> FloatArray:
    """Bring corners from where the markers say to within a fraction of a pixel; windows hold no marker."""
    out = xy.copy()
    windows = np.clip(gap, 2, 5).astype(int)
    for window in np.unique(windows):
        some = np.flatnonzero((windows == window) & ((xy >= 0) & (xy <= np.array(image.shape[::-1]) - 1)).all(1))
        if len(some):
            start = np.ascontiguousarray(xy[some, None], dtype=np.float32)
            out[some] = cv2.cornerSubPix(image, start, (int(window),) * 2, (-1, -1), _ENOUGH)[:, 0]
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
