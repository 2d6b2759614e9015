"""Which of a board's views are worth a calibration: such that differ, cover the images, and link the cameras."""

import numpy as np
from numpy.typing import NDArray

from pose3d.data.board import Board
from pose3d.data.detections import BoardDetections
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

from ..solver.poses import MIN_CORNERS

__all__ = ["choose_instants", "still_instants"]

_STILL_PX = 0.5
_LONGEST_STILL = 32  # instants: a board that stands still is kept every so often
_GRID = (8, 6)  # cells of an image
_TILTS = 8  # directions, at
_SLANTS = (0.75, 0.94)  # these ratios of the shorter to the longer axis of a foreshortened circle
_DISTANCE = 1.5  # the factor from one step of distance to the next
_DISTANCES = 8  # steps
_PAIR = 2.0  # worth of a shared view, against the parts of a camera's own view, which are 1 each


def still_instants(xy: FloatArray) -> BoolArray:
    """Tell at which instants the board is where it was at the last one that is kept.

    No corner moved by half a pixel in any camera, and no camera sees more of the board than it did.

    Parameters
    ----------
    xy : (n_frames, n_cameras, n_corners, 2) array, px
        In the order of time.

    Returns
    -------
    (n_frames,) bool array
        Of a board that stands still for long, every 32nd instant is kept.
    """
    n = len(xy)
    corners = np.isfinite(xy[..., 0])
    views = corners.sum(-1)
    following = np.arange(1, n + 1)  # the next instant to keep if this one is kept; n is the end
    same = np.arange(n - 1)
    for lag in range(1, min(_LONGEST_STILL, n)):
        same = same[same + lag < n]
        after = same + lag
        with np.errstate(invalid="ignore"):
            moved = (np.square(xy[after] - xy[same]).sum(-1) >= _STILL_PX**2).any((1, 2))
        common = (corners[after] & corners[same]).sum(-1)
        more = (views[after] > 1.1 * common + 1).any(1) | ((views[after] > 0) & (common == 0)).any(1)
        same = same[~moved & ~more]
        if len(same) == 0:
            break
        following[same] = np.minimum(same + lag + 1, n)
    kept = np.zeros(n + 1, dtype=bool)
    kept[0] = True
    jump = np.append(following, n)
    for _ in range(max(n, 1).bit_length()):  # what is reached in 1, 2, 4, ... steps from the first
        kept[jump[kept]] = True
        jump = jump[jump]
    return np.asarray(~kept[:n])


def choose_instants(detections: BoardDetections, count: int) -> IntArray:
    """Choose the instants that say most about the cameras.

    One after another, that is taken which adds most: parts of the image that have had few corners, tilts and distances
    that were rare, and pairs of cameras that have seen the board together seldom. So a board that lingers is not taken
    again and again, and a pair that shares few views keeps them.

    Parameters
    ----------
    detections : BoardDetections
    count : int

    Returns
    -------
    (at most count,) int array
        Indices into ``detections.frames``, ascending; all of them if there are no more.
    """
    n = len(detections.frames)
    if n <= count:
        return np.arange(n)
    features = _features(detections)
    times_had = np.zeros(features.shape[1], dtype=np.float32)
    chosen = np.zeros(n, dtype=bool)
    for _ in range(count):
        gain = features @ (1 / (1 + times_had))
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen[best] = True
        times_had += features[best]
    return np.flatnonzero(chosen)


def _features(detections: BoardDetections) -> NDArray[np.float32]:
    """Return how much each instant has of each feature, (n_frames, n_features)."""
    xy, sizes = detections.xy, detections.sizes
    corners = np.isfinite(xy[..., 0])
    count = corners.sum(-1)
    usable = count >= MIN_CORNERS
    part = np.where(usable, count / detections.board.n_corners, 0.0)
    slant, direction, distance = _attitudes(xy, detections.board)
    out = []
    for i, size in enumerate(sizes):
        out.append(_cells(xy[:, i], corners[:, i], size) * (1.0 * usable[:, i, None]) / detections.board.n_corners)
        out.append(_one_hot(slant[:, i] * _TILTS + direction[:, i], 3 * _TILTS) * part[:, i, None])
        out.append(_one_hot(distance[:, i], _DISTANCES) * part[:, i, None])
    a, b = np.triu_indices(len(sizes), 1)
    common = (corners[:, a] & corners[:, b]).sum(-1)
    out.append(_PAIR * np.where(usable[:, a] & usable[:, b], common / detections.board.n_corners, 0.0))
    return np.concatenate(out, axis=1).astype(np.float32)


def _one_hot(index: IntArray, n: int) -> FloatArray:
    return np.asarray(index[:, None] == np.arange(n), dtype=np.float64)


def _cells(xy: FloatArray, corners: BoolArray, size: tuple[int, int]) -> FloatArray:
    """Count the corners of each view in each cell of the image, (n_views, n_cells)."""
    n_views, n_cells = len(xy), _GRID[0] * _GRID[1]
    view, corner = np.nonzero(corners)
    column, row = (np.clip(xy[view, corner, k] / size[k] * _GRID[k], 0, _GRID[k] - 1).astype(np.int64) for k in (0, 1))
    cell = view * n_cells + row * _GRID[0] + column
    return np.bincount(cell, minlength=n_views * n_cells).reshape(n_views, n_cells).astype(np.float64)


def _attitudes(xy: FloatArray, board: Board) -> tuple[IntArray, IntArray, IntArray]:
    """Return each view's class of slant, of the direction in which the board recedes, and of distance.

    They come from the homography between board and image alone, so that no lens need be known.

    Parameters
    ----------
    xy : (n_frames, n_cameras, n_corners, 2) array, px
    board : Board

    Returns
    -------
    slant, direction, distance : (n_frames, n_cameras) int arrays
        Without meaning for views of too few corners.
    """
    shape = xy.shape[:2]
    xy = xy.reshape(-1, board.n_corners, 2)
    seen = np.isfinite(xy[..., 0])
    usable = seen.sum(-1) >= MIN_CORNERS
    center = np.where(seen[..., None], xy, 0.0).sum(1) / np.maximum(seen.sum(1), 1)[:, None]
    x, y = np.moveaxis(np.where(seen[..., None], xy - center[:, None], 0.0), -1, 0)
    scale = np.sqrt((x * x + y * y).sum(1) / np.maximum(seen.sum(1), 1)) + 1e-9
    x, y = x / scale[:, None], y / scale[:, None]
    X = board.points[:, :2] - board.points[:, :2].mean(0)
    extent = float(np.abs(X).max())
    p = np.concatenate([X / extent, np.ones((len(X), 1))], axis=1)
    products = (p[:, :, None] * p[:, None, :]).reshape(len(p), 9)
    # Normal equations of x (1 + g X) = a X + b, summed over corners by one product of matrices each
    flat, by_x, by_y, by_r = (
        (some @ products).reshape(-1, 3, 3) for some in (seen.astype(np.float64), x, y, x * x + y * y)
    )
    normal = np.zeros((len(xy), 8, 8))
    normal[:, :3, :3] = normal[:, 3:6, 3:6] = flat
    normal[:, :3, 6:] = -by_x[:, :, :2]
    normal[:, 3:6, 6:] = -by_y[:, :, :2]
    normal[:, 6:, :6] = np.swapaxes(normal[:, :6, 6:], -1, -2)
    normal[:, 6:, 6:] = by_r[:, :2, :2]
    normal += 1e-6 * np.eye(8)  # corners on one line leave it singular
    right = np.concatenate([by_x[:, :, 2], by_y[:, :, 2], -by_r[:, :2, 2]], axis=1)
    h = np.zeros((len(xy), 8))
    h[usable] = np.linalg.solve(normal[usable], right[usable, :, None])[..., 0]
    g = h[:, 6:]
    # What a small step on the board's middle is in the image, and the square of its longest and shortest length
    J = np.stack([h[:, :2] - h[:, 2:3] * g, h[:, 3:5] - h[:, 5:6] * g], axis=1) * scale[:, None, None]
    det = J[:, 0, 0] * J[:, 1, 1] - J[:, 0, 1] * J[:, 1, 0]
    half = 0.5 * (J * J).sum((1, 2))
    root = np.sqrt(np.maximum(half * half - det * det, 0.0))
    longest = np.sqrt(half + root) + 1e-12
    slant = np.searchsorted(_SLANTS, np.abs(det) / longest**2)
    away = np.stack([J[:, 1, 1] * g[:, 0] - J[:, 1, 0] * g[:, 1], J[:, 0, 0] * g[:, 1] - J[:, 0, 1] * g[:, 0]])
    away = away * np.sign(det)
    turn = np.arctan2(away[1], away[0]) / (2 * np.pi) * _TILTS
    direction = np.floor(turn).astype(np.int64) % _TILTS
    step = np.floor(np.log(longest / (longest.max(initial=1.0) + 1e-9)) / np.log(_DISTANCE)).astype(np.int64)
    distance = np.clip(-step, 0, _DISTANCES - 1)
    return slant.reshape(shape), direction.reshape(shape), distance.reshape(shape)
