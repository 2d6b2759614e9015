"""Which board is in the clips: the one that was given, or one that is easily mistaken for it."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from pose3d.data.board import Board
from pose3d.errors import CalibrationError
from pose3d.io.images import Image
from pose3d.io.video import FrameSource
from pose3d.log import logger

from .boards import charuco_board, charuco_variants, dictionary_names
from .corners import corner_finder

__all__ = ["choose_variant"]

_SAMPLES = (16, 96)  # frames a camera; the second time if the first shows no marker
_ENOUGH_MARKERS = 4
_LOOKED_AT = 24  # images with markers that decide
_FEW = 4  # images that tell what other markers there are


def choose_variant(sources: Mapping[str, FrameSource], board: Board) -> Board:
    """Return the variant of a ChArUco board that the cameras saw, and say so if it is not the one that was given.

    Parameters
    ----------
    sources : mapping of str to FrameSource
    board : Board

    Returns
    -------
    Board
        A checkerboard as it was given.

    Raises
    ------
    CalibrationError
        If a ChArUco board of no variant is there; it says which markers are.
    """
    if board.kind == "checkerboard":
        return board
    markers = cv2.aruco.ArucoDetector(charuco_board(board).getDictionary())
    images: list[Image] = []
    for count in _SAMPLES:
        images = [
            image
            for source in sources.values()
            for _, image in source.frames(indices=_sampled(source.n_frames, count), gray=True)
        ]
        with_markers = {inverted: _with_markers(images, markers, inverted=inverted) for inverted in (False, True)}
        if any(with_markers.values()):
            break
    best, most = board, 0
    for variant in charuco_variants(board):
        find = corner_finder(variant)
        seen = with_markers[variant.inverted]
        found = sum(int(np.isfinite(find(image)[:, 0]).sum()) for image in seen)
        if found > 1.2 * most + 2:  # the board as given is tried first: another must be clearly better
            best, most = variant, found
        if variant == board and found >= 0.25 * max(len(seen), 1) * board.n_corners:
            break
    if most == 0:
        raise CalibrationError(_nothing_found(images, board))
    if best != board:
        logger.warning("the board is %s, not as given: %s", _difference(best, board), best.describe())
    return best


def _sampled(n: int, count: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, count))}) if n else []


def _with_markers(images: Sequence[Image], detector: cv2.aruco.ArucoDetector, *, inverted: bool) -> list[Image]:
    def shows_some(image: Image) -> bool:
        ids = detector.detectMarkers(255 - image if inverted else image)[1]
        return ids is not None and len(ids) >= _ENOUGH_MARKERS

    some = [image for image in images if shows_some(image)]
    return [some[i] for i in _sampled(len(some), _LOOKED_AT)]


def _difference(found: Board, given: Board) -> str:
    words = []
    if found.squares != given.squares:
        words.append(f"{found.squares[0]}x{found.squares[1]} squares (x and y exchanged)")
    if found.inverted != given.inverted:
        words.append("inverted (white on black)" if found.inverted else "black on white")
    if found.legacy != given.legacy:
        words.append("of the legacy pattern (OpenCV before 4.6)" if found.legacy else "of today's pattern")
    return ", ".join(words)


def _nothing_found(images: Sequence[Image], board: Board) -> str:
    """Say what can be said about recordings in which the board was never found."""
    said = (
        f"no {board.describe()} was seen in any of {len(images)} sampled frames, "
        "nor inverted, of the legacy pattern or with x and y exchanged"
    )
    few = [images[i] for i in _sampled(len(images), _FEW)]
    ids: dict[str, list[int]] = {}
    for name in _one_dictionary_a_family():
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{name}"))
        detector = cv2.aruco.ArucoDetector(dictionary)
        found = [detector.detectMarkers(image)[1] for image in few]
        ids[name] = [int(i) for some in found if some is not None for i in np.ravel(some)]
    best = max(ids, key=lambda name: len(ids[name]))
    if len(ids[best]) < _ENOUGH_MARKERS:
        return f"{said}; there are no ArUco markers at all: are these the board's clips?"
    family = best.rsplit("_", 1)[0]
    if board.dictionary is not None and board.dictionary.rsplit("_", 1)[0] == family:
        return f"{said}; its markers are there, so check --squares, --square-mm and --marker-mm"
    return f"{said}; markers of {family} are there: try --dictionary {_smallest(best, ids[best])}"


def _one_dictionary_a_family() -> list[str]:
    """Name one dictionary of each family, large enough for any board: the smaller ones are its beginnings."""
    return [name for name in dictionary_names() if name.endswith("_250") or not name[0].isdigit()]


def _smallest(name: str, ids: Sequence[int]) -> str:
    """Name the smallest dictionary of a family that has the markers seen; single strays do not count."""
    family = name.removesuffix("_250")
    if family == name:
        return name
    highest = float(np.percentile(ids, 90))
    return next(f"{family}_{size}" for size in (50, 100, 250) if highest < size)
