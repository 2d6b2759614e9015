"""Finding a board's corners in the recordings of several cameras."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np

from pose3d.data.board import Board
from pose3d.data.detections import BoardDetections
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.io.video import FrameSource, Image, open_frames
from pose3d.log import Progress, logger, no_progress
from pose3d.threads import ThreadPool

from ..findings import Finding
from ..sampling import spread_evenly
from .corners import corner_finder
from .instants import first_look, line_up, second_look, source_findings
from .mirrored import is_mirrored, mirrored_finding
from .sharpness import blurred_views, edge_width
from .variants import choose_variant
from .views import still_instants

__all__ = ["detect_board", "detect_each", "search_board"]

_FEW = 0.1  # of the instants at which any camera saw the board
_MIRROR_SAMPLES = 24  # frames of a clip without a board that are looked at in a mirror
_MAX_FRAMES = 1500  # instants to look at unless told otherwise
_MAX_FRAMES_ALONE = 600  # of one camera by itself: a lens needs fewer

_Clip = tuple[FrameSource, IntArray]


def detect_board(
    sources: Mapping[str, str | Path],
    board: Board,
    *,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    timestamps: Mapping[str, FloatArray] | None = None,
    step: int | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> BoardDetections:
    """Find a board in the synchronised clips or image folders of several cameras.

    Frame i of every source is the same instant, shifted by `offsets`; or frames are matched by their `timestamps`.
    Folders of images are matched by the numbers in the images' names, where some camera lacks some. Of a long
    recording, instants near those at which cameras saw the board together are looked at. Views that are clearly more
    blurred than their camera's others, and instants at which the board stands where it stood, are left out.

    Parameters
    ----------
    sources : mapping of str to path
        Camera name to video or image folder.
    board : Board
        An inverted board, one of OpenCV's legacy pattern, or one with x and y exchanged is found out and
        returned in the result's `board`.
    offsets : mapping of str to int, optional
        Frame ``i + offset`` of that camera shows instant i.
    truncate : bool
        Use the frames that all cameras have, where their counts differ.
    timestamps : mapping of str to (n_frames,) array, s, optional
        From :func:`pose3d.io.timestamps.read_timestamps`. Numbers of frames may differ then.
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
    return search_board(
        sources,
        board,
        offsets=offsets,
        truncate=truncate,
        timestamps=timestamps,
        step=step,
        workers=workers,
        progress=progress,
    )[0]


def search_board(
    sources: Mapping[str, str | Path],
    board: Board,
    *,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    timestamps: Mapping[str, FloatArray] | None = None,
    step: int | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> tuple[BoardDetections, tuple[Finding, ...]]:
    """Find a board as :func:`detect_board` does, and say what was noticed on the way.

    Returns
    -------
    detections : BoardDetections
    findings : tuple of Finding
        About the board's variant and the clips' timing.
    """
    if not sources:
        raise CalibrationError("no camera was given")
    opened = {name: open_frames(path) for name, path in sources.items()}
    instants = line_up(opened, offsets=offsets, truncate=truncate, timestamps=timestamps)
    findings = source_findings(opened, timed=timestamps is not None)
    found_board, about_board = choose_variant(opened, board)
    looker = _Looker(found_board, workers=workers, progress=progress)
    n = len(instants.numbers)

    def look(rows: IntArray) -> tuple[FloatArray, FloatArray]:
        found = looker.look([(source, instants.frames[rows, i]) for i, source in enumerate(opened.values())])
        return np.stack([xy for xy, _ in found], axis=1), np.stack([width for _, width in found], axis=1)

    rows = first_look(n, _MAX_FRAMES) if step is None else np.arange(0, n, step)
    xy, width = look(rows)
    if step is None and len(rows) < n:
        rows, xy, width = _look_again(look, n, rows, xy, width, budget=_MAX_FRAMES - len(rows))
        logger.info("looked at %d of %d instants, most of them near those at which cameras saw the board", len(rows), n)
    elif len(rows) < n:
        logger.info("looked at every %d. of %d instants", step, n)
    if not np.isfinite(xy[..., 0]).any():
        raise CalibrationError(_nothing_seen(found_board, f"{len(rows)} frames of any camera"))
    own = instants.own_frames(tuple(opened)) if (instants.frames != instants.numbers[:, None]).any() else None
    detections = BoardDetections(
        found_board,
        tuple(opened),
        tuple(source.size for source in opened.values()),
        instants.numbers[rows],
        xy,
        own_frames=own,
    )
    return _without_useless(detections, width), (*findings, *about_board, *_mirrored(opened, detections))


def _mirrored(opened: Mapping[str, FrameSource], detections: BoardDetections) -> tuple[Finding, ...]:
    """Look whether clips in which no board was found are mirrored; markers cannot be read then."""
    names = []
    for name, n_views in zip(detections.cameras, detections.n_views, strict=True):
        source = opened[name]
        if n_views < _FEW * len(detections.frames) and source.n_frames:  # stray markers are read now and then
            wanted = spread_evenly(source.n_frames, _MIRROR_SAMPLES).tolist()
            if is_mirrored((image for _, image in source.frames(indices=wanted, gray=True)), detections.board):
                names.append(name)
    return tuple(mirrored_finding(name) for name in names)


def detect_each(
    sources: Mapping[str, str | Path | Sequence[str | Path]],
    board: Board,
    *,
    step: int | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> dict[str, BoardDetections]:
    """Find a board in clips that each camera recorded by itself, for its lens.

    Parameters
    ----------
    sources : mapping of str to path or sequence of paths
        Camera name to one or more clips or image folders. They need nothing in common with the other cameras'.
    board : Board
        As for :func:`detect_board`.
    step : int, optional
        Look at every step-th frame; by default at most 600 a camera are looked at.
    workers : int, optional
        Threads; by default one a processor.
    progress : callable, optional

    Returns
    -------
    dict of str to BoardDetections
        Each with one camera; its frames are counted through the camera's clips. A camera that never saw the board
        has no frames.

    Raises
    ------
    CalibrationError
        If a camera's clips differ in size, or no camera saw the board.
    VideoError
        If a clip cannot be read.
    """
    paths = {name: [some] if isinstance(some, str | Path) else list(some) for name, some in sources.items()}
    if not paths or not all(paths.values()):
        raise CalibrationError("no camera was given" if not paths else "a camera was given without a clip")
    opened = {name: [open_frames(path) for path in some] for name, some in paths.items()}
    for name, clips in opened.items():
        other = next((clip for clip in clips if clip.size != clips[0].size), None)
        if other is not None:
            raise CalibrationError(
                f"{other.path}: is {other.size[0]}x{other.size[1]}, {clips[0].path.name} of camera {name} is "
                f"{clips[0].size[0]}x{clips[0].size[1]}; a lens is calibrated at one size"
            )
    sampled = {f"{name} {i}" if i else name: clip for name, some in opened.items() for i, clip in enumerate(some)}
    found_board, _ = choose_variant(sampled, board)
    looker = _Looker(found_board, workers=workers, progress=progress)
    out = {}
    for name, clips in opened.items():
        out[name] = _search_alone(name, clips, looker, step)
        if len(out[name].frames) == 0:
            logger.warning("camera %s never saw the board in its own clips", name)
    if not any(len(found.frames) for found in out.values()):
        raise CalibrationError(_nothing_seen(found_board, "the frames of any camera"))
    return out


def _search_alone(name: str, clips: Sequence[FrameSource], looker: "_Looker", step: int | None) -> BoardDetections:
    n = sum(clip.n_frames for clip in clips)
    starts = np.cumsum([0] + [clip.n_frames for clip in clips])

    def look(rows: IntArray) -> tuple[FloatArray, FloatArray]:
        split = [rows[(rows >= a) & (rows < b)] - a for a, b in pairwise(starts)]
        found = looker.look(list(zip(clips, split, strict=True)))
        xy, width = (np.concatenate([some[k] for some in found])[:, None] for k in (0, 1))
        return xy, width

    rows = first_look(n, _MAX_FRAMES_ALONE) if step is None else np.arange(0, n, step)
    xy, width = look(rows)
    if step is None and len(rows) < n:
        rows, xy, width = _look_again(look, n, rows, xy, width, budget=_MAX_FRAMES_ALONE - len(rows))
    return _without_useless(BoardDetections(looker.board, (name,), (clips[0].size,), rows, xy), width)


def _look_again(
    look: Callable[[IntArray], tuple[FloatArray, FloatArray]],
    n: int,
    rows: IntArray,
    xy: FloatArray,
    width: FloatArray,
    *,
    budget: int,
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Spend the rest of the budget near the instants at which the board was seen."""
    more = second_look(n, rows, np.asarray(np.isfinite(xy[..., 0]).any(-1)), budget=budget)
    more_xy, more_width = look(more)
    rows = np.concatenate([rows, more])
    order = np.argsort(rows)
    return rows[order], np.concatenate([xy, more_xy])[order], np.concatenate([width, more_width])[order]


def _without_useless(detections: BoardDetections, width: FloatArray) -> BoardDetections:
    """Leave out views that are blurred, and instants that show nothing new."""
    xy, frames = detections.xy.copy(), detections.frames
    blurred = blurred_views(width)
    xy[blurred] = np.nan
    seen = np.isfinite(xy[..., 0]).any((1, 2))
    xy, frames = xy[seen], frames[seen]
    still = still_instants(xy)
    names = detections.cameras
    by_camera = {name: detections.frames[blurred[:, i]] for i, name in enumerate(names) if blurred[:, i].any()}
    if by_camera:
        told = ", ".join(f"{name} {len(some)}" for name, some in by_camera.items())
        logger.info("blurred views left out: %s", told)
    if still.any():
        logger.info("%d of %d instants left out: the board had not moved since the one before", still.sum(), len(still))
    return BoardDetections(
        detections.board,
        names,
        detections.sizes,
        frames[~still],
        xy[~still],
        own_frames=detections.own_frames,
        blurred=by_camera,
        still=frames[still],
    )


def _nothing_seen(board: Board, where: str) -> str:
    hint = "count its inner corners for --corners" if board.kind == "checkerboard" else "check its settings"
    return f"no {board.describe()} was seen in any of {where}; {hint}, and show the whole board with its white border"


class _Looker:
    """Looks for a board in clips, each read by one thread; threads without a clip help with the images."""

    def __init__(self, board: Board, *, workers: int | None, progress: Progress) -> None:
        self.board = board
        self.edges = board.edges
        self.workers = workers or os.cpu_count() or 1
        self.progress = progress
        self.done = self.total = 0
        self.lock = threading.Lock()
        self.mine = threading.local()

    def look(self, clips: Sequence[_Clip]) -> list[tuple[FloatArray, FloatArray]]:
        """Find the corners (n, n_corners, 2) and the width of the board's edges (n,) in some frames of each clip.

        A frame of -1 is none.
        """
        self.total += sum(int((frames >= 0).sum()) for _, frames in clips)
        out = [
            (np.full((len(frames), self.board.n_corners, 2), np.nan), np.full(len(frames), np.nan))
            for _, frames in clips
        ]
        n_readers = min(len(clips), self.workers)
        self.waiting = len(clips) - n_readers
        self.idle = threading.Semaphore(self.workers - n_readers)
        self.stop = threading.Event()
        with ThreadPool(self.workers) as pool:
            try:
                # Readers first in the queue: each has a thread before any image is handed on.
                jobs = [pool.submit(self._read, pool, *clip, *arrays) for clip, arrays in zip(clips, out, strict=True)]
                for job in jobs:
                    for handed_on in job.result():
                        handed_on.result()
            except BaseException:
                self.stop.set()
                raise
        return out

    def _read(
        self, pool: ThreadPool, source: FrameSource, frames: IntArray, xy: FloatArray, width: FloatArray
    ) -> list[Future[None]]:
        handed_on = []
        rows = np.flatnonzero(frames >= 0)
        try:
            with closing(source.frames(indices=frames[rows], gray=True)) as images:
                for row, (_, image) in zip(rows.tolist(), images, strict=True):
                    if self.stop.is_set():
                        break
                    if self.idle.acquire(blocking=False):
                        handed_on.append(pool.submit(self._help, row, image, xy, width))
                    else:
                        self._find(row, image, xy, width)
        finally:
            with self.lock:
                self.waiting -= 1
                thread_is_free = self.waiting < 0  # no clip waits for it
            if thread_is_free:
                self.idle.release()
        return handed_on

    def _help(self, row: int, image: Image, xy: FloatArray, width: FloatArray) -> None:
        try:
            self._find(row, image, xy, width)
        finally:
            self.idle.release()

    def _find(self, row: int, image: Image, xy: FloatArray, width: FloatArray) -> None:
        if not hasattr(self.mine, "find"):
            self.mine.find = corner_finder(self.board)  # detectors are not shared between threads
        xy[row] = self.mine.find(image)
        width[row] = edge_width(image, xy[row], self.edges)
        with self.lock:
            self.done += 1
            self.progress("finding the board", self.done, self.total)
