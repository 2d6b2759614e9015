"""Whether the markers of a ChArUco board are as large as they are said to be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import FloatArray
from pose3d.io.images import Image

from ..findings import Finding
from .boards import marker_corners
from .corners import corner_finder
from .edges import refine_quads
from .markers import Markers, homographies, marker_finder, project, quiet_px

__all__ = ["MarkerRatio", "judge_marker_ratio", "measure_marker_ratio"]

_ENOUGH = 12  # markers that tell the ratio
_TOLERANCE = 0.05  # of the given ratio: ink spreads, bright paper eats into the black, and less does no harm
_TOLERANCE_PX = 1.0  # of a marker's edge, for the same reason
_LARGEST = 0.5  # of the markers: the larger ones are measured better
_FAR = 0.03  # from the ratio that the corners were sought with: they are sought once more


@dataclass(frozen=True)
class MarkerRatio:
    """Edge of the markers over the edge of the squares, as measured.

    Attributes
    ----------
    ratio : float
    marker_px : float
        Median edge of the markers that were measured.
    """

    ratio: float
    marker_px: float


def measure_marker_ratio(images: Sequence[Image], board: Board) -> MarkerRatio | None:
    """Measure how large the markers are beside the squares, in images of a ChArUco board.

    A marker is compared with the corners of its own square, so that neither lens nor pose matter.

    Parameters
    ----------
    images : sequence of (height, width) uint8 arrays
    board : Board
        Its `marker_mm` may be wrong.

    Returns
    -------
    MarkerRatio or None
        None if fewer than 12 markers can be measured.
    """
    images = [255 - image for image in images] if board.inverted else list(images)
    board = replace(board, inverted=False)
    markers = marker_finder(board)
    seen = []
    for image in images:
        looks = list(markers(image))
        ids, quads = looks[-1] if looks else (np.zeros(0, np.int64), np.zeros((0, 4, 2)))
        seen.append((ids, refine_quads(image, quads, reach=quiet_px(quads, board))))
    rough = _from_centers(seen, board)
    if rough is None:
        return None
    found = None
    for _ in range(3):
        assert board.marker_mm is not None
        given = board.marker_mm / board.square_mm
        expected = rough.ratio if found is None else found.ratio
        if abs(expected / given - 1) > _FAR * (5 if found is None else 1):
            board = replace(board, marker_mm=min(expected, 0.98) * board.square_mm)
        elif found is not None:
            break
        found = _from_squares(images, seen, board)
        if found is None:
            break
    return found or rough


def judge_marker_ratio(measured: MarkerRatio, board: Board) -> Finding | None:
    """Say so if the markers of a ChArUco board are not as large as given.

    Parameters
    ----------
    measured : MarkerRatio
        From :func:`measure_marker_ratio`.
    board : Board

    Returns
    -------
    Finding or None
        Of kind ``marker_ratio``; None if the ratio is right.
    """
    assert board.marker_mm is not None
    given = board.marker_mm / board.square_mm
    off = abs(measured.ratio / given - 1)
    if off <= _TOLERANCE or off * measured.marker_px <= _TOLERANCE_PX:
        return None
    return Finding(
        "marker_ratio",
        "WARN",
        (),
        f"the board's markers measure {measured.ratio:.3f} of its squares, not {given:.3f} as given "
        f"(marker_mm {board.marker_mm:g}, square_mm {board.square_mm:g})",
        f"measure both on the board: if square_mm = {board.square_mm:g} is right, set marker_mm = "
        f"{measured.ratio * board.square_mm:.3g}, if marker_mm is right, all lengths are off and square_mm is "
        f"{board.marker_mm / measured.ratio:.3g}",
    )


def _median(ratios: Sequence[FloatArray], edges: Sequence[FloatArray]) -> MarkerRatio | None:
    """Return the median of the larger markers; None if there are too few."""
    ratio, edge = (np.concatenate(some) if some else np.zeros(0) for some in (ratios, edges))
    good = np.isfinite(ratio)
    if good.sum() < _ENOUGH:
        return None
    large = good & (edge >= np.quantile(edge[good], 1 - _LARGEST))
    return MarkerRatio(float(np.median(ratio[large])), float(np.median(edge[large])))


def _edges(quads: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(quads - np.roll(quads, 1, axis=-2), axis=-1))


def _from_centers(seen: Sequence[Markers], board: Board) -> MarkerRatio | None:
    """Return the ratio from the markers alone: their centers lie the squares' width apart, whatever their size."""
    where = marker_corners(board)
    ratios, edges = [], []
    for ids, quads in seen:
        good = np.isfinite(quads).all((1, 2))
        if good.sum() < 4:
            continue
        square = np.broadcast_to(np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]), quads[good].shape)
        centers = project(homographies(square, quads[good]), np.zeros((1, 1, 2)))[:, 0]
        H, _ = cv2.findHomography(centers, where[ids[good]].mean(1), cv2.RANSAC, 0.2 * board.square_mm)
        if H is None:
            continue
        flat = project(H[None], quads[good].reshape(1, -1, 2)).reshape(-1, 4, 2)
        ratios.append(_edges(flat).mean(1) / board.square_mm)
        edges.append(_edges(quads[good]).min(1))
    return _median(ratios, edges)


def _from_squares(images: Sequence[Image], seen: Sequence[Markers], board: Board) -> MarkerRatio | None:
    """Compare each marker with the four corners of its square."""
    find = corner_finder(board)
    where, points = marker_corners(board), board.points[:, :2]
    out = (
        where.mean(1, keepdims=True) + np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * board.square_mm
    )
    distance = np.linalg.norm(points - out[:, :, None], axis=-1)  # (n_markers, 4, n_corners)
    index, is_inner = distance.argmin(-1), (distance.min(-1) < 0.1 * board.square_mm).all(1)
    unit = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    ratios, edges = [], []
    for image, (ids, quads) in zip(images, seen, strict=True):
        corners = find(image)[index[ids]]
        good = is_inner[ids] & np.isfinite(corners).all((1, 2)) & np.isfinite(quads).all((1, 2))
        if not good.any():
            continue
        H = homographies(corners[good], np.broadcast_to(unit, corners[good].shape))
        flat = project(H, quads[good])
        ratios.append(_edges(flat).mean(1))
        edges.append(_edges(quads[good]).min(1))
    return _median(ratios, edges)
