"""Uninterrupted runs of samples, which smoothing filters treat one by one."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["Runs", "Smoothed", "as_tracks", "find_runs", "mask_of"]


@dataclass(frozen=True, eq=False)
class Runs:
    """Stretches of frames in columns, ordered by column and frame.

    Attributes
    ----------
    column : (n_runs,) int array
    first : (n_runs,) int array
        First frame.
    length : (n_runs,) int array
        Frames, at least 1.
    """

    column: IntArray
    first: IntArray
    length: IntArray

    def __len__(self) -> int:
        return len(self.column)

    def where(self, chosen: BoolArray | IntArray) -> "Runs":
        """Return the chosen runs."""
        return Runs(self.column[chosen], self.first[chosen], self.length[chosen])


class Smoothed(NamedTuple):
    """What a smoothing filter hands back.

    Attributes
    ----------
    values : (n_frames, ..., n_axes) array
        NaN where it was.
    left : (n_frames, ...) bool array
        Observations that stand as they were, because their run is too short to be filtered.
    """

    values: FloatArray
    left: BoolArray


def find_runs(present: BoolArray) -> Runs:
    """Find the runs of True along the frames.

    Parameters
    ----------
    present : (n_frames, n_columns) bool array

    Returns
    -------
    Runs

    Examples
    --------
    >>> runs = find_runs(np.array([[True, False], [True, True], [False, True]]))
    >>> runs.column.tolist(), runs.first.tolist(), runs.length.tolist()
    ([0, 1], [0, 1], [2, 2])
    """
    n_columns = present.shape[1]
    edge = np.zeros((n_columns, present.shape[0] + 2), dtype=np.int8)
    edge[:, 1:-1] = present.T
    step = np.diff(edge, axis=1)
    column, first = np.nonzero(step == 1)
    stop = np.nonzero(step == -1)[1]
    return Runs(column.astype(np.int64), first.astype(np.int64), (stop - first).astype(np.int64))


def mask_of(runs: Runs, shape: tuple[int, int]) -> BoolArray:
    """Mark the frames of runs, which do not overlap.

    Parameters
    ----------
    runs : Runs
    shape : (n_frames, n_columns)

    Returns
    -------
    (n_frames, n_columns) bool array
    """
    step = np.zeros((shape[0] + 1, shape[1]), dtype=np.int8)
    np.add.at(step, (runs.first, runs.column), 1)
    np.add.at(step, (runs.first + runs.length, runs.column), -1)
    return np.asarray(np.cumsum(step[:-1], axis=0, dtype=np.int8) > 0)


def as_tracks(values: ArrayLike) -> tuple[FloatArray, BoolArray]:
    """Return values as tracks of points, and where they are present.

    Parameters
    ----------
    values : (n_frames, ..., n_axes) array
        A point is absent where any coordinate is not finite.

    Returns
    -------
    tracks : (n_frames, n_tracks, n_axes) array
        A copy; NaN in all coordinates where absent.
    present : (n_frames, n_tracks) bool array

    Raises
    ------
    ValueError
        If there is no axis of coordinates.
    """
    tracks = np.array(values, dtype=np.float64)
    if tracks.ndim < 2:
        raise ValueError(f"values (frame, ..., coordinate) expected, not shape {tracks.shape}")
    n_tracks = int(np.prod(tracks.shape[1:-1]))
    tracks = tracks.reshape(tracks.shape[0], n_tracks, tracks.shape[-1])
    present = np.asarray(np.isfinite(tracks).all(-1))
    tracks[~present] = np.nan
    return tracks, present
