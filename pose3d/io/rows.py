"""Rows of keypoints as files hold them, put in place: frames by their number, scores made known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["FrameRows", "find_frame_rows", "known_scores", "placed_by_frame", "unique_names"]

# A wrong frame number must not ask for more memory than the machine has.
_MOST_VALUES = 100_000_000


def known_scores(xy: FloatArray, score: FloatArray) -> FloatArray:
    """Return scores within 0..1, and 1 for a point that is there without a score.

    A person placed or proofread such a point, or the network writes no scores. Peaks of confidence maps may lie a
    little outside 0..1; they are clipped.

    Parameters
    ----------
    xy : (..., 2) array, px
    score : (...) array
        NaN where unknown.

    Returns
    -------
    (...) array
        NaN where the point is absent.
    """
    present = np.isfinite(xy).all(-1)
    clipped = np.clip(np.where(np.isfinite(score), score, 1.0), 0.0, 1.0)
    return np.where(present, clipped, np.nan)


@dataclass(frozen=True)
class FrameRows:
    """Which row of a file holds which frame.

    Attributes
    ----------
    start : int
        The lowest frame number.
    n_frames, n_rows : int
    order : (n_rows,) int array or None
        Rows by ascending frame. None where each row stands at its frame: then no array is needed for hours of frames.
    frames : (n_rows,) int array or None
        Their frames, counted from `start`.
    """

    start: int
    n_frames: int
    n_rows: int
    order: IntArray | None = None
    frames: IntArray | None = None


def find_frame_rows(blocks: Iterable[ArrayLike], row_size: int, path: Path) -> FrameRows:
    """Find out which row holds which frame.

    Parameters
    ----------
    blocks : iterable of (n,) array
        Frame number of each row, in any order, some rows after the others; negative ones lie before a recording's
        frame 0.
    row_size : int
        How many values a row holds.
    path : Path
        For messages.

    Raises
    ------
    FormatError
        If numbers are not whole, given twice, or absurdly far apart, or there are none.
    """
    start, n_rows = 0, 0
    pieces: list[IntArray] = []
    for block in blocks:
        exact = np.asarray(block, dtype=np.float64)
        if not (np.isfinite(exact).all() and (exact == np.round(exact)).all() and (np.abs(exact) < 2**53).all()):
            raise FormatError(f"{path}: frame numbers must be whole numbers, one for each row; is the file cut short?")
        index = exact.astype(np.int64)
        if n_rows == 0 and len(index):
            start = int(index[0])
        following = np.arange(start + n_rows, start + n_rows + len(index))
        if pieces or (index != following).any():
            pieces = pieces or [np.arange(start, start + n_rows)]
            pieces.append(index)
        n_rows += len(index)
    if n_rows == 0:
        raise FormatError(f"{path}: holds no frames")
    if not pieces:
        return FrameRows(start, n_rows, n_rows)
    index = np.concatenate(pieces)
    order = np.argsort(index, kind="stable")
    frames = index[order]
    twice = frames[1:][frames[1:] == frames[:-1]]
    if len(twice):
        raise FormatError(f"{path}: frame {twice[0]} is there twice")
    start, end = int(frames[0]), int(frames[-1])
    n_frames = end - start + 1
    if n_frames > 100 * n_rows and n_frames * row_size > _MOST_VALUES:
        raise FormatError(f"{path}: frames run from {start} to {end} in {n_rows} rows; the numbers look wrong")
    return FrameRows(start, n_frames, n_rows, order, frames - start)


def placed_by_frame(values: FloatArray, numbers: ArrayLike, path: Path) -> tuple[FloatArray, int]:
    """Put the row of each frame at its number; frames without a row become NaN.

    Parameters
    ----------
    values : (n_rows, ...) array
    numbers : (n_rows,) array
        Frame number of each row, as :func:`find_frame_rows` takes them.
    path : Path
        For messages.

    Returns
    -------
    values : (n_frames, ...) array
        From the lowest to the highest number.
    start : int
        The lowest number.

    Raises
    ------
    FormatError
        If numbers are not whole, given twice, or absurdly far apart.
    """
    rows = find_frame_rows([numbers], int(np.prod(values.shape[1:])), path)
    if rows.order is None:
        return values, rows.start
    placed = np.full((rows.n_frames, *values.shape[1:]), np.nan)
    placed[rows.frames] = values[rows.order]
    return placed, rows.start


def unique_names(names: Sequence[str], what: str, path: Path) -> tuple[str, ...]:
    """Return `names`, each of which must be given and differ from the others.

    Parameters
    ----------
    names : sequence of str
    what : str
        What they name, for messages.
    path : Path
        For messages.

    Raises
    ------
    FormatError
        If a name is empty or given twice.
    """
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise FormatError(f"{path}: a {what} has no name")
        if name in seen:
            raise FormatError(f'{path}: {what} "{name}" is there twice')
        seen.add(name)
    return tuple(names)
