"""Which frames of a track have a place: those that were observed, and gaps up to a limit."""

import numpy as np

from pose3d.geometry.arrays import BoolArray, IntArray

__all__ = ["with_short_gaps"]


def _neighbours(observed: BoolArray) -> tuple[IntArray, IntArray]:
    """Return for each frame how far back and how far on the nearest observed one lies; huge where there is none."""
    n_frames = observed.shape[-1]
    frame = np.arange(n_frames)
    far = 2 * n_frames + 2
    last = np.maximum.accumulate(np.where(observed, frame, -far), axis=-1)
    following = np.minimum.accumulate(np.where(observed, frame, 2 * far)[..., ::-1], axis=-1)[..., ::-1]
    return frame - last, following - frame


def with_short_gaps(observed: BoolArray, max_gap: int) -> BoolArray:
    """Return which frames are observed or lie in a gap of at most `max_gap` frames between observed ones.

    Parameters
    ----------
    observed : (..., n_frames) bool array
    max_gap : int

    Examples
    --------
    >>> with_short_gaps(np.array([0, 1, 0, 1, 0, 0, 1, 0], dtype=bool), 1).astype(int)
    array([0, 1, 1, 1, 0, 0, 1, 0])
    """
    back, on = _neighbours(observed)
    n_frames = observed.shape[-1]
    between = (back <= n_frames) & (on <= n_frames)
    return np.asarray(observed | (between & (back + on - 1 <= max_gap)))
