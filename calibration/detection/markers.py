"""Finding a board's markers in one image, and where each of them says that the board lies."""

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.io.images import Image

from .boards import board_dictionary, border_bits, marker_corners
from .edges import refine_quads, sample

__all__ = ["Markers", "agreeing_markers", "homographies", "marker_finder", "project", "quiet_px"]

Markers = tuple[IntArray, FloatArray]
"""Ids (n,) and corners (n, 4, 2) in px, clockwise from the top left of the dictionary's marker."""

_WINDOW = 15  # px of the threshold: one size finds what three do, three times as fast
_DIM = 100.0  # grey levels between the dark and the bright parts of an image
_FAINT_WINDOW = 23
_FAINT_CONTRAST = 3.0  # grey levels
_FAINT_SMALLEST = 0.06  # perimeter over the length of the image
_WRONG_BITS = 0.1  # of a tag's
_TRIES = 300
_STRANGE = 0.5  # of a marker's edge: such markers do not lie where the others say


def marker_finder(board: Board, *, any_place: bool = False) -> Callable[[Image], Iterator[Markers]]:
    """Return a function that finds a board's markers, black on white; not to be shared between threads.

    It yields what it found again and again, the cheapest look at the image first: take the next if this was too little.
    Markers that contradict the others are left out, unless `any_place` is set. Corners are good to about a pixel.
    """
    where = marker_corners(board)
    dictionary = board_dictionary(board)
    looks: Callable[[Image], Iterator[Markers]]
    if board.kind == "apriltag_grid":
        looks = partial(_tags, detector=_detector(dictionary, 2, _WINDOW), board=board, codes=_codes(dictionary))
    else:
        looks = partial(
            _looks,
            coarse=_detector(dictionary, 1, _WINDOW // 2),
            fine=_detector(dictionary, 1, _WINDOW),
            faint=_detector(dictionary, 1, _FAINT_WINDOW, contrast=_FAINT_CONTRAST, smallest=_FAINT_SMALLEST),
        )

    def find(image: Image) -> Iterator[Markers]:
        ids, corners = np.zeros(0, np.int64), np.zeros((0, 4, 2))
        for more, places in looks(image):
            ids, first = np.unique(np.concatenate([ids, more]), return_index=True)
            corners = np.concatenate([corners, places])[first]
            if not any_place:
                agreeing = agreeing_markers(where[ids], corners)
                ids, corners = ids[agreeing], corners[agreeing]
            yield ids, corners

    return find


def _detector(
    dictionary: cv2.aruco.Dictionary, border: int, window: int, *, contrast: float = 7.0, smallest: float = 0.03
) -> cv2.aruco.ArucoDetector:
    parameters = cv2.aruco.DetectorParameters()
    parameters.adaptiveThreshWinSizeMin = parameters.adaptiveThreshWinSizeMax = window
    parameters.adaptiveThreshConstant = contrast
    parameters.markerBorderBits = border
    parameters.minMarkerPerimeterRate = smallest
    return cv2.aruco.ArucoDetector(dictionary, parameters)


def _detect(image: Image, detector: cv2.aruco.ArucoDetector, scale: float) -> Markers:
    corners, ids, _ = detector.detectMarkers(image)
    if ids is None or not len(ids):
        return np.zeros(0, np.int64), np.zeros((0, 4, 2))
    places = scale * (np.asarray(corners, np.float64).reshape(-1, 4, 2) + 0.5) - 0.5
    return np.asarray(ids, np.int64).ravel(), places


def _looks(
    image: Image,
    *,
    coarse: cv2.aruco.ArucoDetector,
    fine: cv2.aruco.ArucoDetector,
    faint: cv2.aruco.ArucoDetector,
) -> Iterator[Markers]:
    """Look at the image in half its size first, which costs a third and is less noisy."""
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    found = 0
    for place, detector, scale in ((half, coarse, 2.0), (image, fine, 1.0)):
        ids, corners = _detect(place, detector, scale)
        found += len(ids)
        yield ids, corners
    # Most frames without a board end here.
    dark, bright = np.percentile(half[::8, ::8], (5, 95))
    if found or bright - dark < _DIM:
        yield _detect(half, faint, 2.0)


def _codes(dictionary: cv2.aruco.Dictionary) -> BoolArray:
    """Return the bits of every marker, turned by 0, 90, 180 and 270 degrees clockwise, (n_markers, 4, n_bits)."""
    side = dictionary.markerSize
    bits = [cv2.aruco.Dictionary.getBitsFromByteList(one[None], side) for one in dictionary.bytesList]
    return np.array([[np.rot90(image, -turn).ravel() > 0 for turn in range(4)] for image in bits])


def _tags(image: Image, *, detector: cv2.aruco.ArucoDetector, board: Board, codes: BoolArray) -> Iterator[Markers]:
    """Find tags whose corners touch other black squares.

    Brightening the image parts a tag from its neighbours but changes its bits, so only its outline is taken from
    there; the bits are read in the image itself.
    """
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for place, scale in ((image, 1.0), (half, 2.0)):
        parted = cv2.dilate(place, np.ones((3, 3), np.uint8))
        found, _, rejected = detector.detectMarkers(parted)
        quads = scale * (np.asarray([*found, *rejected], np.float64).reshape(-1, 4, 2) + 0.5) - 0.5
        if len(quads):
            yield _identify(image, quads, board, codes)


def _identify(image: Image, quads: FloatArray, board: Board, codes: BoolArray) -> Markers:
    """Return those of some quadrangles that are tags of the board, their corners in the dictionary's order."""
    x, y = np.moveaxis(quads - np.roll(quads, 1, axis=1), -1, 0)
    clockwise = (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(1) > 0
    quads = np.where(clockwise[:, None, None], quads, quads[:, ::-1])
    quads = refine_quads(image, quads, reach=quiet_px(quads, board))
    quads = quads[np.isfinite(quads).all((1, 2))]
    ids, turns = _read(image, quads, codes)
    known = ids >= 0
    order = (np.arange(4) + turns[known, None]) % 4
    return ids[known], np.take_along_axis(quads[known], order[..., None], axis=1)


def _read(image: Image, quads: FloatArray, codes: BoolArray) -> tuple[IntArray, IntArray]:
    """Return each quadrangle's id, -1 if it is no tag of the board, and by how many corners it is turned."""
    border = 2
    side = round(float(np.sqrt(codes.shape[-1])))
    total = side + 2 * border
    centers = (np.arange(total) + 0.5) / total
    grid = np.stack(np.meshgrid(centers, centers), axis=-1)
    square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    H = homographies(np.broadcast_to(square, quads.shape), quads)
    levels = sample(image, project(H, grid.reshape(1, -1, 2))).reshape(-1, total, total)
    inner = levels[:, border:-border, border:-border].reshape(len(quads), -1)
    ring = np.ones((total, total), bool)
    ring[border:-border, border:-border] = False
    black = levels[:, ring].mean(1)
    white = inner.max(1, initial=0.0)
    bits = inner > ((black + white) / 2)[:, None]
    wrong = (bits[:, None, None] != codes).sum(-1).reshape(len(quads), -1)
    best = wrong.argmin(1)
    ids, turns = np.divmod(best, 4)
    seen = np.isfinite(levels).all((1, 2)) & (wrong.min(1) <= _WRONG_BITS * codes.shape[-1])
    return np.where(seen, ids, -1), turns


def quiet_px(quads: FloatArray, board: Board) -> FloatArray:
    """Return how far on both sides of markers' edges nothing else is printed, (n,) px."""
    assert board.marker_mm is not None
    outside = board.separation_mm * (1.0 if board.is_grid else 0.5)
    module = board.marker_mm * border_bits(board) / (board_dictionary(board).markerSize + 2 * border_bits(board))
    lengths = np.linalg.norm(quads - np.roll(quads, 1, axis=1), axis=-1).min(1)
    return np.asarray(0.8 * min(outside, module) / board.marker_mm * lengths)


def homographies(source: FloatArray, target: FloatArray) -> FloatArray:
    """Return the (n, 3, 3) matrices that take four points (n, 4, 2) each to four others."""
    x, y = source[..., 0], source[..., 1]
    one, zero = np.ones_like(x), np.zeros_like(x)
    u, v = target[..., 0], target[..., 1]
    rows = [
        np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], axis=-1),
        np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], axis=-1),
    ]
    A, b = np.concatenate(rows, axis=1), np.concatenate([u, v], axis=1)
    singular = np.abs(np.linalg.det(A)) < 1e-12
    h = np.linalg.solve(np.where(singular[:, None, None], np.eye(8), A), b[..., None])[..., 0]
    h = np.where(singular[:, None], np.nan, h)
    return np.concatenate([h, np.ones((len(h), 1))], axis=1).reshape(-1, 3, 3)


def project(H: FloatArray, points: FloatArray) -> FloatArray:
    """Apply (n, 3, 3) homographies to (n or 1, m, 2) points."""
    moved = points @ np.swapaxes(H[:, :2, :2], 1, 2) + H[:, None, :2, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(moved / (points @ H[:, 2, :2, None] + H[:, None, 2:, 2]))


def agreeing_markers(where: FloatArray, corners: FloatArray) -> BoolArray:
    """Tell which markers lie where most others say: a stranger with a known id lies elsewhere.

    Parameters
    ----------
    where : (n, 4, 2) array, mm
        Corners on the board.
    corners : (n, 4, 2) array, px

    Returns
    -------
    (n,) bool array
    """
    if len(corners) < 2:
        return np.ones(len(corners), bool)
    edge = np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1))
    limit = _STRANGE * float(edge)
    _, inliers = cv2.findHomography(
        where.reshape(-1, 2), corners.reshape(-1, 2), cv2.RANSAC, limit, maxIters=_TRIES, confidence=0.99
    )
    if inliers is None:
        return np.ones(len(corners), bool)
    return np.asarray(inliers.reshape(-1, 4).sum(1) >= 2)
