"""How sharp a view of a board is: the width of the edges between its squares."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.io.images import Image

__all__ = ["blurred_views", "edge_width"]

_MOST_EDGES = 60
_FEWEST_EDGES = 4
_REACH = np.arange(-2.5, 3.0)  # px across an edge, one apart
_WORSE = 1.6  # times the camera's usual width at least, and
_DEVIATIONS = 4.0  # this many robust standard deviations beyond it
_KEPT_VIEWS = 10


def edge_width(image: Image, xy: FloatArray, edges: IntArray) -> float:
    """Measure how wide the edges between dark and bright squares are in an image.

    Parameters
    ----------
    image : (height, width) uint8 array
    xy : (n_corners, 2) array, px
        NaN where a corner was not seen.
    edges : (n, 2) int array
        Pairs of neighbouring corners, from :attr:`pose3d.data.Board.edges`.

    Returns
    -------
    float, px
        Contrast over the steepest slope, of the half of the edges (by their direction) that are more blurred, since
        motion smears across one direction only. About 1.5 where the image is sharp; NaN if too few edges were seen.
    """
    seen = edges[np.isfinite(xy[edges, 0]).all(1)]
    if len(seen) < 2 * _FEWEST_EDGES:
        return float("nan")
    seen = seen[:: -(-len(seen) // _MOST_EDGES)]
    a, b = xy[seen[:, 0]], xy[seen[:, 1]]
    along = b - a
    along /= np.sqrt((along * along).sum(-1, keepdims=True)) + 1e-9
    middle = (a + b) / 2
    x = middle[:, :1] - along[:, 1:] * _REACH
    y = middle[:, 1:] + along[:, :1] * _REACH
    grey = cv2.remap(
        image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    contrast = _quantile(grey.ravel(), 0.9) - _quantile(grey.ravel(), 0.1)
    slope = np.abs(np.diff(grey, axis=1)).max(1)
    # Two directions of the board; the angle doubled, so that opposite ones are one.
    turn = along[:, 0] + 1j * along[:, 1]
    first = (turn * turn * np.conj(turn[0] * turn[0])).real > 0
    # A grid of markers has no edge in the gaps between them, hence no median.
    slopes = [_quantile(slope[some], 0.7) for some in (first, ~first) if some.sum() >= _FEWEST_EDGES]
    steepest = min(slopes, default=0.0)
    return contrast / steepest if steepest > 0 else float("nan")


def _quantile(values: NDArray[np.float32], part: float) -> float:
    """Return the nearest value to a quantile; of a few hundred values many times faster than numpy's."""
    return float(np.sort(values)[int(part * (len(values) - 1))])


def blurred_views(width: FloatArray) -> BoolArray:
    """Tell which views are clearly more blurred than their camera's others.

    Parameters
    ----------
    width : (n_frames, n_cameras) array, px
        From :func:`edge_width`; NaN where there is no view or nothing was measured.

    Returns
    -------
    (n_frames, n_cameras) bool array
        Never more than half of a camera's views, nor any of its 10 sharpest.
    """
    out = np.zeros(width.shape, dtype=bool)
    for camera in range(width.shape[1]):
        mine = np.flatnonzero(np.isfinite(width[:, camera]))
        if len(mine) <= _KEPT_VIEWS:
            continue
        log = np.log(width[mine, camera])
        usual = np.median(log)
        spread = 1.4826 * np.median(np.abs(log - usual))
        worse = log > usual + max(np.log(_WORSE), _DEVIATIONS * spread)
        worse[np.argsort(log, kind="stable")[:_KEPT_VIEWS]] = False
        out[mine[worse], camera] = True
    return out
