"""Finding a board's corners in the recordings of several cameras."""

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pose3d.data.board import Board
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.video import FrameSource, open_frames
from pose3d.log import Progress, logger, no_progress

from .corners import corner_finder
from .variants import choose_variant

__all__ = ["detect_board"]

_MAX_FRAMES = 1500  # instants to look at unless told otherwise


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
    last = min(counts.values())
    if last <= first:
        raise CalibrationError("with these offsets the clips have no instant in common")
    if len(set(counts.values())) > 1 and not truncate:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise CalibrationError(
            f"the clips differ in their number of frames ({told}); cut them, give offsets, or use --truncate if they "
            "start together"
        )
    stride = step or -(-(last - first) // _MAX_FRAMES)
    if stride > 1:
        logger.info("looking at every %d. of %d instants", stride, last - first)
    instants = list(range(first, last, stride))
    found_board = choose_variant(opened, board)
    xy = _detect_all(opened, found_board, instants, shift=shift, workers=workers, progress=progress)
    seen = np.isfinite(xy[..., 0]).any((1, 2))
    if not seen.any():
        hint = "count its inner corners for --corners" if board.kind == "checkerboard" else "check its settings"
        raise CalibrationError(
            f"no {board.describe()} was seen in any of {len(instants)} frames of any camera; {hint}, and show the "
            "whole board with its white border"
        )
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
        find = corner_finder(board)  # detectors are not shared between threads
        wanted = [instant + offset for instant in instants]
        for row, (_, image) in enumerate(source.frames(indices=wanted, gray=True)):
            if stop.is_set():
                break
            out[row] = find(image)
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
