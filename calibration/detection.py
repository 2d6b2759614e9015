"""Finding a board's corners in the recordings of several cameras."""

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.data.board import Board
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.video import FrameSource, open_frames
from pose3d.log import Progress, logger, no_progress

from .boards import charuco_board, charuco_variants, dictionary_names

__all__ = ["detect_board", "find_corners"]

Image: TypeAlias = NDArray[np.uint8]

_MIN_CORNERS = 6  # a view with fewer says too little about its pose
_SAMPLES = 16  # frames a camera that decide on the board's variant
_MAX_FRAMES = 1500  # instants to look at unless told otherwise


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
    if board.inverted:
        image = 255 - image
    return _finder(board)(image)


def _finder(board: Board) -> Callable[[Image], FloatArray]:
    if board.kind == "checkerboard":
        return lambda image: _find_checkerboard(image, board)
    detector = cv2.aruco.CharucoDetector(charuco_board(board))

    def find(image: Image) -> FloatArray:
        out = np.full((board.n_corners, 2), np.nan)
        corners, ids, _, _ = detector.detectBoard(image)
        if ids is not None and len(ids) >= _MIN_CORNERS:
            out[np.asarray(ids).ravel()] = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
        return out

    return find


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


def _sampled(n: int, count: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, count))}) if n else []


def _choose_variant(sources: Mapping[str, FrameSource], board: Board) -> Board:
    """Return the variant of `board` that the cameras saw, and say so if it is not the one that was given."""
    if board.kind == "checkerboard":
        return board
    images = [
        image
        for source in sources.values()
        for _, image in source.frames(indices=_sampled(source.n_frames, _SAMPLES), gray=True)
    ]
    best, most = board, 0
    for variant in charuco_variants(board):
        find = _finder(variant)
        count = sum(int(np.isfinite(find(255 - image if variant.inverted else image)[:, 0]).sum()) for image in images)
        # the board as given is tried first: another must be clearly better
        if count > 1.2 * most + 2:
            best, most = variant, count
        if variant == board and count >= 0.25 * len(images) * board.n_corners:
            break
    if most == 0:
        raise CalibrationError(_nothing_found(images, board))
    if best != board:
        logger.warning("the board is %s, not as given: %s", _difference(best, board), best.describe())
    return best


def _difference(found: Board, given: Board) -> str:
    words = []
    if found.squares != given.squares:
        words.append(f"{found.squares[0]}x{found.squares[1]} squares (x and y exchanged)")
    if found.inverted != given.inverted:
        words.append("inverted (white on black)" if found.inverted else "black on white")
    if found.legacy != given.legacy:
        words.append("of the legacy pattern (OpenCV before 4.6)" if found.legacy else "of today's pattern")
    return ", ".join(words)


def _nothing_found(images: list[Image], board: Board) -> str:
    """Say what can be said about recordings in which the board was never found."""
    said = (
        f"no {board.describe()} was seen in any of {len(images)} sampled frames, "
        "nor inverted, of the legacy pattern or with x and y exchanged"
    )
    counts: dict[str, int] = {}
    for name in dictionary_names():
        detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{name}")))
        ids = [detector.detectMarkers(image)[1] for image in images[:: max(1, len(images) // 8)]]
        counts[name] = sum(0 if found is None else len(found) for found in ids)
    best = max(counts, key=lambda name: (counts[name], name == board.dictionary))
    if counts[best] == 0:
        return f"{said}; there are no ArUco markers at all: are these the board's clips?"
    if counts[best] > 2 * counts.get(board.dictionary or "", 0):
        return f"{said}; markers of {best} are there: try --dictionary {best}"
    return f"{said}; its markers are there, so check --squares, --square-mm and --marker-mm"


def detect_board(
    sources: Mapping[str, str | Path],
    board: Board,
    *,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    step: int | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> BoardDetections:
    """Find a board in the synchronised clips or image folders of several cameras.

    Cameras are searched in parallel. Frame i of every source is the same instant, shifted by `offsets`.

    Parameters
    ----------
    sources : mapping of str to path
        Camera name to video or image folder.
    board : Board
        An inverted board, one of OpenCV's legacy pattern, or one with x and y exchanged is found out (a warning is
        logged) and returned in the result's `board`.
    offsets : mapping of str to int, optional
        Frame ``i + offset`` of that camera shows instant i.
    truncate : bool
        Use the frames that all cameras have, where their counts differ.
    step : int, optional
        Look at every step-th instant, the same in all cameras; by default chosen so that at most 1500 are looked at.
    workers : int, optional
        Threads; by default one a processor.
    progress : callable, optional

    Returns
    -------
    BoardDetections
        With the instants at which at least one camera saw the board.

    Raises
    ------
    CalibrationError
        If frame counts differ, or nothing is found anywhere.
    VideoError
        If a clip cannot be read.
    """
    if not sources:
        raise CalibrationError("no camera was given")
    opened = {name: open_frames(path) for name, path in sources.items()}
    shift = dict(offsets or {})
    strangers = sorted(set(shift) - set(sources))
    if strangers:
        raise CalibrationError(f"an offset is given for {', '.join(strangers)}, but there is no such camera")
    first = max(0, *(-shift.get(name, 0) for name in opened)) if shift else 0
    counts = {name: source.n_frames - shift.get(name, 0) for name, source in opened.items()}
    if len(set(counts.values())) > 1 and not truncate:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise CalibrationError(
            f"the clips differ in their number of frames ({told}); cut them, give offsets, or use --truncate if they "
            "start together"
        )
    last = min(counts.values())
    if last <= first:
        raise CalibrationError("with these offsets the clips have no instant in common")
    stride = step or -(-(last - first) // _MAX_FRAMES)
    if stride > 1:
        logger.info("looking at every %d. of %d instants", stride, last - first)
    instants = list(range(first, last, stride))
    found_board = _choose_variant(opened, board)
    xy = _detect_all(opened, found_board, instants, shift=shift, workers=workers, progress=progress)
    seen = np.isfinite(xy[..., 0]).any((1, 2))
    if not seen.any():
        raise CalibrationError(f"no {board.describe()} was seen in any of {len(instants)} frames of any camera")
    return BoardDetections(
        found_board,
        tuple(opened),
        tuple(source.size for source in opened.values()),
        np.array(instants)[seen],
        xy[seen],
    )


def _detect_all(
    opened: Mapping[str, FrameSource],
    board: Board,
    instants: list[int],
    *,
    shift: Mapping[str, int],
    workers: int | None,
    progress: Progress,
) -> FloatArray:
    stop = threading.Event()
    lock = threading.Lock()
    done = 0
    total = len(opened) * len(instants)

    def search(name: str, source: FrameSource) -> FloatArray:
        nonlocal done
        offset = shift.get(name, 0)
        out = np.full((len(instants), board.n_corners, 2), np.nan)
        find = _finder(board)  # detectors are not shared between threads
        wanted = [instant + offset for instant in instants]
        for row, (_, image) in enumerate(source.frames(indices=wanted, gray=True)):
            if stop.is_set():
                break
            out[row] = find(255 - image if board.inverted else image)
            with lock:
                done += 1
                progress("finding the board", done, total)
        return out

    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
    try:
        jobs = [pool.submit(search, name, source) for name, source in opened.items()]
        return np.stack([job.result() for job in jobs], axis=1)
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
