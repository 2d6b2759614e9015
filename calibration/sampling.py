"""Some of many, evenly spread: where all instants or images would take too long and say no more."""

import numpy as np

from pose3d.geometry.arrays import IntArray

__all__ = ["spread_evenly"]


def spread_evenly(n: int, count: int) -> IntArray:
    """Choose some of `n` rows, evenly spread from the first to the last.

    Parameters
    ----------
    n, count : int

    Returns
    -------
    (at most count,) int array
        Ascending; all of them if there are no more.

    Examples
    --------
    >>> spread_evenly(9, 3)
    array([0, 4, 8])
    >>> spread_evenly(2, 3)
    array([0, 1])
    """
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(np.int64))
