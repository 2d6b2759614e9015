"""2D keypoints of one camera in a file of any size, of which only the frames that are asked for are read."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import DataError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.rows import FrameRows, known_scores
from pose3d.log import logger

__all__ = ["CameraKeypoints", "RowReader"]

RowReader: TypeAlias = Callable[[int, int], Iterator[FloatArray]]
"""Called as ``read_rows(first, last)``, `first` a multiple of the rows at once; yields these rows so many at a time, as
(n, n_individuals, n_keypoints, 3) arrays of x, y and score, NaN where unknown."""

_LARGE_FILE = 2**26


class CameraKeypoints:
    """2D keypoints of one camera in a file, read by parts.

    Nothing stays open between two readings.

    Parameters
    ----------
    path : Path
    names : (tuple of str, tuple of str)
        Individuals and keypoints.
    frames : FrameRows
    read_rows : RowReader
    rows_at_once : int

    Attributes
    ----------
    path : Path
    individuals, keypoints : tuple of str
    start : int
        Number of the first frame.
    n_frames : int
    """

    def __init__(
        self,
        path: Path,
        names: tuple[tuple[str, ...], tuple[str, ...]],
        frames: FrameRows,
        read_rows: RowReader,
        *,
        rows_at_once: int,
    ) -> None:
        self.path = path
        self.individuals, self.keypoints = names
        self.start, self.n_frames = frames.start, frames.n_frames
        self._frames = frames
        self._read_rows = read_rows
        self._at_once = rows_at_once
        self._kept: tuple[int, FloatArray] = (0, np.empty((0, 0, 0, 3)))
        if frames.order is not None and (np.diff(frames.order) < 0).any():
            # Neighbouring frames may stand anywhere in the file: it is kept whole once it has been read.
            self._at_once = frames.n_rows
            n_bytes = frames.n_rows * len(self.individuals) * len(self.keypoints) * 24
            if n_bytes > _LARGE_FILE:
                logger.warning("%s: frames are out of order; %.0f MB are held in memory", path, n_bytes / 1e6)

    def __repr__(self) -> str:
        return f"CameraKeypoints({self.path}, {self.n_frames} frames from {self.start})"

    def read(self, first: int, last: int) -> tuple[FloatArray, FloatArray]:
        """Read the frames from `first` to before `last`, counted from 0.

        Returns
        -------
        xy : (n_frames, n_individuals, n_keypoints, 2) array, px
        score : (n_frames, n_individuals, n_keypoints) array
            Both NaN where absent.

        Raises
        ------
        FormatError
            If the file is cut short, damaged, or not what it was when it was opened.
        """
        frames = self._frames
        if frames.order is None or frames.frames is None:
            table = self._rows(first, last)
        else:
            table = np.full((last - first, len(self.individuals), len(self.keypoints), 3), np.nan)
            begin, end = np.searchsorted(frames.frames, (first, last))
            if end > begin:
                rows = frames.order[begin:end]
                lowest = int(rows.min())
                table[frames.frames[begin:end] - first] = self._rows(lowest, int(rows.max()) + 1)[rows - lowest]
        xy = table[..., :2]
        return xy, known_scores(xy, table[..., 2])

    def has_points(self, first: int, last: int) -> bool:
        """Tell whether any keypoint is there from frame `first` to before `last`; stops at the first one."""
        return any(
            bool(np.isfinite(self.read(i, min(i + self._at_once, last))[0]).all(-1).any())
            for i in range(first, last, self._at_once)
        )

    def whole(self, camera: str) -> Keypoints2D:
        """Read all frames.

        Raises
        ------
        DataError
            If they do not fit into memory.
        """
        try:
            xy, score = self.read(0, self.n_frames)
            return Keypoints2D(
                xy[:, None], score[:, None], (camera,), self.individuals, self.keypoints, start=self.start
            )
        except MemoryError as error:
            raise DataError(f"{self.path}: {self.n_frames:,} frames do not fit into memory at once") from error

    def _rows(self, first: int, last: int) -> FloatArray:
        """Read rows of the file; those that were read last are kept, since the next reading goes on from there."""
        rows = np.empty((last - first, len(self.individuals), len(self.keypoints), 3))
        at = first
        begin, kept = self._kept
        if begin <= at < begin + len(kept):
            part = kept[at - begin : last - begin]
            rows[: len(part)] = part
            at += len(part)
        if at < last:
            begin = at - at % self._at_once
            end = min(-(-last // self._at_once) * self._at_once, self._frames.n_rows)
            for piece in self._read_rows(begin, end):
                part = piece[at - begin : last - begin]
                rows[at - first : at - first + len(part)] = part
                at += len(part)
                self._kept = (begin, piece)
                begin += len(piece)
        if at < last:
            raise FormatError(f"{self.path}: ends at row {at}; was it changed while it was read?")
        return rows
