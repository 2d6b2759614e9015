"""Boards in OpenCV's terms: dictionaries, where the markers are, what is black, the turns that cannot be told."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.data.board import Board
from pose3d.errors import ConfigError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply, rigid

__all__ = [
    "board_cells",
    "board_dictionary",
    "board_variants",
    "border_bits",
    "dictionary_names",
    "draw_board",
    "marker_corners",
    "symmetries",
]


def dictionary_names() -> tuple[str, ...]:
    """Names of the ArUco dictionaries that OpenCV has, without their prefix."""
    names = {name.removeprefix("DICT_").upper() for name in dir(cv2.aruco) if name.startswith("DICT_")}
    return tuple(sorted(names))


def border_bits(board: Board) -> int:
    """Width of the markers' black border, in modules."""
    return 2 if board.kind == "apriltag_grid" else 1


def board_dictionary(board: Board) -> cv2.aruco.Dictionary:
    """Return the markers of a board's dictionary that are on the board.

    Only they are looked for: eight times as fast as a dictionary of 1000, and no strangers.

    Raises
    ------
    ConfigError
        If the board has no markers, or the dictionary is unknown or too small for it.
    """
    if board.marker_mm is None:
        raise ConfigError(f"a {board.kind} has no markers")
    if board.dictionary not in dictionary_names():
        known = ", ".join(dictionary_names())
        raise ConfigError(f"dictionary {board.dictionary!r} is unknown; OpenCV has {known}")
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{board.dictionary}"))
    n_markers = board.squares[0] * board.squares[1]
    if board.kind == "charuco":
        n_markers //= 2
    what = "markers" if board.is_grid else "squares"
    if n_markers > len(dictionary.bytesList):
        raise ConfigError(
            f"dictionary {board.dictionary} has {len(dictionary.bytesList)} markers, "
            f"a board of {board.squares[0]}x{board.squares[1]} {what} needs {n_markers}"
        )
    return cv2.aruco.Dictionary(dictionary.bytesList[:n_markers], dictionary.markerSize, dictionary.maxCorrectionBits)


def marker_corners(board: Board) -> FloatArray:
    """Where the markers are.

    Returns
    -------
    (n_markers, 4, 2) array, mm
        In the board's frame, by the markers' ids; clockwise from the top left as OpenCV's dictionary has the marker.
        Its tags stand on their heads on Kalibr's grid.
    """
    nx, ny = board.squares
    if board.kind == "charuco":
        drawn = cv2.aruco.CharucoBoard(board.squares, 2.0, 1.0, board_dictionary(board))
        drawn.setLegacyPattern(board.legacy)
        corners = np.asarray(drawn.getObjPoints(), dtype=np.float64)[:, :, :2]
        places = np.floor(corners.min(1) / 2)
        assert board.marker_mm is not None
        around = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * board.marker_mm
        return np.asarray((places[:, None] - 0.5) * board.square_mm + around)
    by_place = board.points[:, :2].reshape(ny, nx, 4, 2)
    if board.kind == "apriltag_grid":
        by_place = np.roll(by_place[::-1], 2, axis=2)
    return by_place.reshape(-1, 4, 2)


def board_variants(board: Board) -> tuple[Board, ...]:
    """Return `board` and what is easily mistaken for it: inverted, of the legacy pattern, of transposed size."""
    shapes = (board,) if board.squares[0] == board.squares[1] else (board, board.transposed())
    patterns = (board.legacy, not board.legacy) if board.kind == "charuco" else (False,)
    return tuple(
        replace(shape, legacy=legacy, inverted=inverted)
        for shape in shapes
        for inverted in (board.inverted, not board.inverted)
        for legacy in patterns
    )


def symmetries(board: Board) -> tuple[IntArray, FloatArray]:
    """Return the turns after which a board's corners cannot be told from what they were.

    A board with markers has none but the identity. A checkerboard may be turned by 180 degrees, and by 90 if it is
    square, unless the colours of its squares tell the turn (they do where a turn exchanges black and white).

    Returns
    -------
    order : (n, n_corners) int array
        ``points[order[i]] == apply(turn[i], points)``; the first is the identity.
    turn : (n, 4, 4) array, mm
    """
    points = board.points
    identity = np.arange(board.n_corners)[None], np.eye(4)[None]
    if board.kind != "checkerboard":
        return identity
    nx, ny = board.corners
    quarters = [0]
    if (nx + ny) % 2 == 0:  # else the turn exchanges black and white
        quarters.append(2)
        if nx == ny and nx % 2 == 0:
            quarters += [1, 3]
    turns, orders = [], []
    center = points.mean(0)
    for quarter in quarters:
        R = exp_so3([0, 0, quarter * np.pi / 2])
        turn = rigid(R, center - R @ center)
        moved = apply(turn, points)
        distance = np.linalg.norm(points[None] - moved[:, None], axis=-1)
        orders.append(distance.argmin(1))
        turns.append(turn)
    return np.array(orders), np.array(turns)


def _modules(board: Board) -> list[BoolArray]:
    """Return what is black in each marker, by its id, as it stands on the board."""
    dictionary, border = board_dictionary(board), border_bits(board)
    side = dictionary.markerSize + 2 * border
    drawn = (
        cv2.aruco.generateImageMarker(dictionary, i, side, borderBits=border) == 0
        for i in range(len(dictionary.bytesList))
    )
    return [np.rot90(image, 2) if board.kind == "apriltag_grid" else image for image in drawn]


def board_cells(board: Board) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return what is black on a board that is not inverted.

    Returns
    -------
    x : (n_columns + 1,) array, mm
        Edges of the cells, in the board's frame; they are not all of one width.
    y : (n_rows + 1,) array, mm
    dark : (n_rows, n_columns) bool array
    """
    (nx, ny), (low, high) = board.squares, board.extent
    if board.kind == "checkerboard":
        dark = (np.arange(nx)[None, :] + np.arange(ny)[:, None]) % 2 == 0
        x, y = (low[axis] + np.arange(n + 1) * board.square_mm for axis, n in enumerate((nx, ny)))
        return x, y, dark
    assert board.marker_mm is not None
    modules = _modules(board)
    side = len(modules[0])
    steps = np.arange(side + 1) * (board.marker_mm / side)  # edges of a marker's cells from its left or upper edge
    places = np.rint((marker_corners(board).min(1) - low) / board.square_mm - 1e-3).astype(int)
    if board.kind == "charuco":
        # a square: gap, marker, gap
        before, cells = board.separation_mm / 2, side + 2
        tile = np.concatenate([[0.0], before + steps])
        at = 1
        squares = np.ones((ny, nx), bool)
        squares[places[:, 1], places[:, 0]] = False
        dark = np.kron(squares, np.ones((cells, cells), bool)).astype(bool)
    else:
        tile, cells, at = steps, side + 1, 0  # marker, gap
        dark = np.zeros((ny * cells, nx * cells), bool)
    for (column, row), marker in zip(places, modules, strict=True):
        dark[row * cells + at : row * cells + at + side, column * cells + at : column * cells + at + side] = marker
    start = board.separation_mm if board.kind == "apriltag_grid" else 0.0
    x, y = (
        low[axis] + start + (np.arange(n)[:, None] * board.square_mm + tile).ravel() for axis, n in enumerate((nx, ny))
    )
    if board.kind == "aruco_grid":
        return x, y, dark[:-1, :-1]
    if board.kind == "charuco":
        return np.append(x, high[0]), np.append(y, high[1]), dark
    dark = np.pad(dark, ((1, 0), (1, 0)))
    dark[::cells, ::cells] = True  # the small squares between the tags
    return np.concatenate([low[:1], x, high[:1]]), np.concatenate([low[1:], y, high[1:]]), dark


def draw_board(board: Board, *, pixels_per_square: int = 100, margin_squares: float = 1.0) -> NDArray[np.uint8]:
    """Draw a board as it would be printed, its edges smoothed by the parts of pixels that they cover.

    Parameters
    ----------
    board : Board
    pixels_per_square : int
    margin_squares : float
        Empty border; detectors need about one square.

    Returns
    -------
    (height, width) uint8 array
        The board's point (x, y) in mm (first corner at the origin) lies at pixel ``(margin_squares + ((x, y) -
        board.extent[0]) / square_mm) * pixels_per_square - 0.5``.
    """
    margin = round(margin_squares * pixels_per_square)
    scale = pixels_per_square / board.square_mm
    x, y, dark = board_cells(board)
    columns, rows = (_coverage((edges - low) * scale) for edges, low in zip((x, y), board.extent[0], strict=True))
    cover = np.pad(rows @ dark.astype(np.float64) @ columns.T, margin)
    level = np.rint(255 * (cover if board.inverted else 1 - cover))
    return np.asarray(level, dtype=np.uint8)


def _coverage(edges: FloatArray) -> FloatArray:
    """Return the part of each pixel that each cell covers, (n_pixels, n_cells), from the cells' edges in px."""
    n = int(np.ceil(edges[-1] - 1e-6))
    pixel = np.arange(n)[:, None]
    return np.asarray(np.clip(edges[None, 1:], pixel, pixel + 1) - np.clip(edges[None, :-1], pixel, pixel + 1))
