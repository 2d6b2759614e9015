"""Boards in OpenCV's terms: its board objects, pictures of boards, and the turns that leave a checkerboard the same."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.data.board import Board
from pose3d.errors import ConfigError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply, rigid

__all__ = ["charuco_board", "charuco_variants", "dictionary_names", "draw_board", "symmetries"]


def dictionary_names() -> tuple[str, ...]:
    """Names of the ArUco dictionaries that OpenCV has, without their prefix."""
    names = {name.removeprefix("DICT_").upper() for name in dir(cv2.aruco) if name.startswith("DICT_")}
    return tuple(sorted(names))


def charuco_board(board: Board) -> cv2.aruco.CharucoBoard:
    """Make OpenCV's ChArUco board.

    Raises
    ------
    ConfigError
        If the dictionary is unknown or too small for the board.
    """
    if board.marker_mm is None:
        raise ConfigError(f"a {board.kind} has no markers")
    if board.dictionary not in dictionary_names():
        known = ", ".join(dictionary_names())
        raise ConfigError(f"dictionary {board.dictionary!r} is unknown; OpenCV has {known}")
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{board.dictionary}"))
    n_markers = board.squares[0] * board.squares[1] // 2
    if n_markers > len(dictionary.bytesList):
        raise ConfigError(
            f"dictionary {board.dictionary} has {len(dictionary.bytesList)} markers, "
            f"a board of {board.squares[0]}x{board.squares[1]} squares needs {n_markers}"
        )
    # Only the board's own markers are looked for: eight times as fast as a dictionary of 1000, and no strangers.
    own = cv2.aruco.Dictionary(dictionary.bytesList[:n_markers], dictionary.markerSize, dictionary.maxCorrectionBits)
    made = cv2.aruco.CharucoBoard(board.squares, board.square_mm, board.marker_mm, own)
    made.setLegacyPattern(board.legacy)
    return made


def charuco_variants(board: Board) -> tuple[Board, ...]:
    """Return `board` and what is easily mistaken for it: inverted, of the legacy pattern, of transposed size."""
    shapes = (board,) if board.squares[0] == board.squares[1] else (board, board.transposed())
    return tuple(
        replace(shape, legacy=legacy, inverted=inverted)
        for shape in shapes
        for inverted in (board.inverted, not board.inverted)
        for legacy in (board.legacy, not board.legacy)
    )


def symmetries(board: Board) -> tuple[IntArray, FloatArray]:
    """Return the turns after which a board's corners cannot be told from what they were.

    A ChArUco board has none but the identity. A checkerboard may be turned by 180 degrees, and by 90 if it is square,
    unless the colours of its squares tell the turn (they do where a turn exchanges black and white).

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


def draw_board(board: Board, *, pixels_per_square: int = 100, margin_squares: float = 1.0) -> NDArray[np.uint8]:
    """Draw a board as it would be printed.

    Parameters
    ----------
    board : Board
    pixels_per_square : int
    margin_squares : float
        White border; detectors need about one square.

    Returns
    -------
    (height, width) uint8 array
        The board's point (x, y) in mm (first inner corner at the origin) lies at pixel
        ``(margin_squares + 1 + (x, y) / square_mm) * pixels_per_square - 0.5``.
    """
    nx, ny = board.squares
    margin = round(margin_squares * pixels_per_square)
    if board.kind == "charuco":
        image = charuco_board(board).generateImage((nx * pixels_per_square, ny * pixels_per_square), marginSize=0)
    else:
        dark = (np.arange(nx)[None, :] + np.arange(ny)[:, None]) % 2 == 0
        cells = np.where(dark, 0, 255).astype(np.uint8)
        image = np.kron(cells, np.ones((pixels_per_square, pixels_per_square), np.uint8))
    image = np.pad(image, margin, constant_values=255)
    return np.asarray(255 - image if board.inverted else image, dtype=np.uint8)
