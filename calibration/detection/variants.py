"""Which board is in the clips: the one that was given, or one that is easily mistaken for it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from pose3d.data.board import Board
from pose3d.errors import CalibrationError
from pose3d.io.images import Image
from pose3d.io.video import FrameSource

from ..findings import Finding
from ..sampling import spread_evenly
from .boards import board_variants, dictionary_names, marker_corners
from .marker_ratio import judge_marker_ratio, measure_marker_ratio
from .markers import Markers, agreeing_markers, marker_finder
from .mirrored import is_mirrored

__all__ = ["choose_variant"]

_SAMPLES = (16, 96)  # frames a camera; the second time if the first shows no marker
_ENOUGH_MARKERS = 4
_LOOKED_AT = 24  # images with markers that decide
_AGREEING = 0.6  # of the markers must lie where the board has them
_MEASURED = 12  # images that tell the markers' size
_FEW = 4  # images that tell what other markers there are


def choose_variant(sources: Mapping[str, FrameSource], board: Board) -> tuple[Board, tuple[Finding, ...]]:
    """Find out which variant of a board the cameras saw.

    Parameters
    ----------
    sources : mapping of str to FrameSource
    board : Board

    Returns
    -------
    board : Board
        What the corners are to be found with. A checkerboard as it was given.
    findings : tuple of Finding
        What it is otherwise than given: ``transposed``, ``legacy``, ``inverted``, ``marker_ratio``.

    Raises
    ------
    CalibrationError
        If a board with markers is there in no variant; it says which markers are.
    """
    if board.kind == "checkerboard":
        return board, ()
    images: list[Image] = []
    for count in _SAMPLES:
        images = [
            image
            for source in sources.values()
            for _, image in source.frames(indices=spread_evenly(source.n_frames, count), gray=True)
        ]
        shown = {inverted: _with_markers(images, board, inverted=inverted) for inverted in (False, True)}
        if any(shown.values()):
            break
    best, most = board, 0
    for variant in board_variants(board):
        where = marker_corners(variant)
        views = [markers for _, markers in shown[variant.inverted]]
        found = sum(int(agreeing_markers(where[ids], quads).sum()) for ids, quads in views)
        if found < _AGREEING * sum(len(ids) for ids, _ in views):
            continue
        if found > 1.2 * most + 2:  # the board as given is tried first: another must be clearly better
            best, most = variant, found
    if most == 0:
        raise CalibrationError(_nothing_found(images, board))
    findings = _differences(best, board)
    if board.kind == "charuco":
        images = [image for image, _ in shown[best.inverted]]
        measured = measure_marker_ratio([images[i] for i in spread_evenly(len(images), _MEASURED)], best)
        wrong = None if measured is None else judge_marker_ratio(measured, best)
        if measured is not None and wrong is not None:
            findings.append(wrong)
            best = replace(best, marker_mm=measured.ratio * best.square_mm)
    return best, tuple(findings)


def _with_markers(images: Sequence[Image], board: Board, *, inverted: bool) -> list[tuple[Image, Markers]]:
    """Return some of the images that show markers of the board's dictionary, wherever these are, and the markers."""
    find = marker_finder(replace(board, inverted=False), any_place=True)
    some = []
    for image in images:
        for ids, quads in find(255 - image if inverted else image):
            if len(ids) >= _ENOUGH_MARKERS:
                some.append((image, (ids, quads)))
                break
    return [some[i] for i in spread_evenly(len(some), _LOOKED_AT)]


def _differences(found: Board, given: Board) -> list[Finding]:
    """Say what is otherwise than given, each with the setting that is right."""
    said = []
    if found.squares != given.squares:
        what = "markers" if found.is_grid else "squares"
        (x, y), (a, b) = found.squares, given.squares
        says = f"the board has {x}x{y} {what}, not {a}x{b} as given: x and y are exchanged"
        said.append(Finding("transposed", "WARN", (), says, f"set squares = [{x}, {y}]"))
    if found.inverted != given.inverted:
        seen, told = ("white on black", "black on white") if found.inverted else ("black on white", "white on black")
        says = f"the board is {seen}, not {told} as given"
        said.append(Finding("inverted", "WARN", (), says, f"set inverted = {str(found.inverted).lower()}"))
    if found.legacy != given.legacy:
        seen = "of the legacy pattern (OpenCV before 4.6)" if found.legacy else "of today's pattern, not the legacy one"
        said.append(Finding("legacy", "WARN", (), f"the board is {seen}", f"set legacy = {str(found.legacy).lower()}"))
    return said


def _nothing_found(images: Sequence[Image], board: Board) -> str:
    """Say what can be said about recordings in which the board was never found."""
    if is_mirrored(images, board):
        return (
            "the clips are mirrored (left and right exchanged): the board is seen in a mirror only; switch mirroring "
            "off in the recording software, or flip the clips back"
        )
    said = (
        f"no {board.describe()} was seen in any of {len(images)} sampled frames, "
        f"nor inverted{', of the legacy pattern' if board.kind == 'charuco' else ''} or with x and y exchanged"
    )
    few = [images[i] for i in spread_evenly(len(images), _FEW)]
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
