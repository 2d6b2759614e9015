"""Rows of keypoints as files hold them, put in place: frames by their number, scores made known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray

__all__ = ["known_scores", "placed_by_frame", "unique_names"]

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


def placed_by_frame(values: FloatArray, numbers: ArrayLike, path: Path) -> tuple[FloatArray, int]:
    """Put the row of each frame at its number; frames without a row become NaN.

    Parameters
    ----------
    values : (n_rows, ...) array
    numbers : (n_rows,) array
        Frame number of each row, in any order; negative ones lie before a recording's frame 0.
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
    exact = np.asarray(numbers, dtype=np.float64)
    if len(exact) == 0:
        raise FormatError(f"{path}: holds no frames")
    if not (np.isfinite(exact).all() and (exact == np.round(exact)).all() and (np.abs(exact) < 2**53).all()):
        raise FormatError(f"{path}: frame numbers must be whole numbers, one for each row; is the file cut short?")
    index = exact.astype(np.int64)
    start, end = int(index.min()), int(index.max())
    ordered = np.sort(index)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice):
        raise FormatError(f"{path}: frame {twice[0]} is there twice")
    n_frames = end - start + 1
    if n_frames == len(index) and index[0] == start and (np.diff(index) == 1).all():
        return values, start
    if n_frames > 100 * len(index) and n_frames * values[0].size > _MOST_VALUES:
        raise FormatError(f"{path}: frames run from {start} to {end} in {len(index)} rows; the numbers look wrong")
    placed = np.full((n_frames, *values.shape[1:]), np.nan)
    placed[index - start] = values
    return placed, start


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
