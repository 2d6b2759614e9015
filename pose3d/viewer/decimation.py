"""Long signals on few pixels: what is drawn is the least and the greatest of each column, so that no peak is lost."""

import numpy as np

from pose3d.geometry.arrays import FloatArray

__all__ = ["column_extremes", "column_values", "trace_points"]


def column_extremes(values: FloatArray, first: float, last: float, n_columns: int) -> tuple[FloatArray, FloatArray]:
    """Return the least and the greatest value in each column of a picture.

    Parameters
    ----------
    values : (n_rows,) array
        NaN does not count.
    first, last : float
        Rows at the left and right edge of the picture; row i reaches from i to i + 1.
    n_columns : int

    Returns
    -------
    low, high : (n_columns,) array
        NaN in columns without a value. A row that is broader than a column is in all that it touches.
    """
    edges = np.linspace(first, last, n_columns + 1)
    begin = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    end = np.maximum(np.ceil(edges[1:] - 1e-9).astype(np.int64), begin + 1)
    low, high = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    a, b = max(int(begin[0]), 0), min(int(end[-1]), len(values))
    inside = (end > a) & (begin < b)
    if b <= a or not inside.any():
        return low, high
    part = np.asarray(values[a:b], dtype=np.float64)
    known = np.isfinite(part)
    # Two bounds a column: what lies between the end of one and the beginning of the next is thrown away.
    begin, end = np.clip(begin[inside] - a, 0, b - a - 1), np.clip(end[inside] - a, 1, b - a)
    bounds = np.stack([begin, end], axis=1).ravel()
    least = np.minimum.reduceat(np.append(np.where(known, part, np.inf), np.inf), bounds)[::2]
    most = np.maximum.reduceat(np.append(np.where(known, part, -np.inf), -np.inf), bounds)[::2]
    low[inside] = np.where(np.isfinite(least), least, np.nan)
    high[inside] = np.where(np.isfinite(most), most, np.nan)
    return low, high


def column_values(values: FloatArray, first: float, last: float, n_columns: int) -> FloatArray:
    """Return the greatest value of each column, (n_columns,): of a rate of errors the worst is what is looked for."""
    return column_extremes(values, first, last, n_columns)[1]


def trace_points(values: FloatArray, first: float, last: float, width_px: int) -> tuple[FloatArray, FloatArray]:
    """Return the line that draws a signal: where there are many rows a pixel, two points a pixel.

    Returns
    -------
    x : (n,) array, px
    y : (n,) array
        In the values' unit; NaN breaks the line.
    """
    span = max(last - first, 1e-9)
    a, b = max(int(np.floor(first)), 0), min(int(np.ceil(last)) + 1, len(values))
    if b <= a:
        return np.zeros(0), np.zeros(0)
    if b - a <= 2 * width_px:
        return np.asarray((np.arange(a, b) - first) / span * width_px, dtype=np.float64), np.asarray(
            values[a:b], dtype=np.float64
        )
    low, high = column_extremes(values, first, last, width_px)
    x = np.repeat(np.arange(width_px, dtype=np.float64) + 0.5, 2)
    y = np.stack([low, high], axis=1)
    y[1::2] = y[1::2, ::-1]  # down and up by turns: one line without a stroke across each column
    return x, np.asarray(y.ravel(), dtype=np.float64)
