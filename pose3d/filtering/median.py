"""Median over a sliding window, and the jumps that it shows (Hampel)."""

import numpy as np
from numpy.typing import ArrayLike

from pose3d.errors import ConfigError
from pose3d.filtering.runs import as_tracks
from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["check_window", "find_outliers", "local_median", "median_filter"]

_BLOCK = 1 << 20
"""Window samples held at once (8 MB)."""
_MAD_TO_SD = 1.482602218505602


def check_window(window: int, what: str) -> int:
    """Return an odd window of at least one frame.

    Raises
    ------
    ConfigError
        If it is no odd whole number.
    """
    if window != int(window) or window < 1 or window % 2 == 0:
        raise ConfigError(f"{what}: {window} frames is no window; give an odd whole number such as 13")
    return int(window)


def _windows(tracks: FloatArray, half: int, start: int, stop: int) -> FloatArray:
    """Copy the windows around frames `start` to `stop`: (n, n_tracks, n_axes, window), NaN outside the recording."""
    first, last = max(start - half, 0), min(stop + half, len(tracks))
    piece = tracks[first:last]
    before, after = half - (start - first), half - (last - stop)
    padded = np.pad(piece, ((before, after), (0, 0), (0, 0)), constant_values=np.nan)
    return np.array(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0))


def _middle(windows: FloatArray) -> FloatArray:
    """Median along the last axis over what is there; NaN where nothing is. Sorts in place."""
    windows.sort(axis=-1)  # NaN last
    count = np.isfinite(windows).sum(-1, keepdims=True)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, windows.shape[-1] - 1)
    two = np.take_along_axis(windows, np.concatenate([low, high], axis=-1), axis=-1)
    return np.asarray(np.where(count[..., 0] > 0, two[..., 0] / 2 + two[..., 1] / 2, np.nan))


def _blocks(n_frames: int, width: int) -> list[tuple[int, int]]:
    step = max(_BLOCK // max(width, 1), 1)
    return [(start, min(start + step, n_frames)) for start in range(0, n_frames, step)]


def median_filter(values: ArrayLike, window: int) -> FloatArray:
    """Replace every coordinate by the median over a window around it.

    The window is symmetric: two frames at equal distances before and after count together or, where one of them is
    missing or outside the recording, not at all. So a steady motion is not dragged towards the inside at the ends and
    beside gaps, and the first and the last observation stay as they are. Missing points stay missing.

    Parameters
    ----------
    values : (n_frames, ..., n_axes) array
        NaN where missing.
    window : int
        Frames, odd.

    Returns
    -------
    array like `values`

    Raises
    ------
    ConfigError
        If the window is not odd.

    Examples
    --------
    >>> median_filter(np.array([[1.0], [2.0], [90.0], [4.0], [5.0]]), 3).ravel()
    array([1., 2., 4., 5., 5.])
    """
    half = check_window(window, "median") // 2
    tracks, present = as_tracks(values)
    made = np.empty_like(tracks)
    for start, stop in _blocks(len(tracks), tracks[:1].size * (2 * half + 1)):
        around = _windows(tracks, half, start, stop)
        around[np.isnan(around[..., ::-1])] = np.nan
        made[start:stop] = _middle(around)
    made[~present] = np.nan
    return made.reshape(np.shape(values))


def local_median(values: ArrayLike, window: int) -> FloatArray:
    """Return the median of what is there within a window, also where the point itself is missing.

    Parameters
    ----------
    values : (n_frames, ..., n_axes) array
        NaN where missing.
    window : int
        Frames, odd; cut off at the ends of the recording.

    Returns
    -------
    array like `values`
        NaN where the whole window is missing.

    Raises
    ------
    ConfigError
        If the window is not odd.
    """
    half = check_window(window, "median") // 2
    tracks, _ = as_tracks(values)
    made = np.empty_like(tracks)
    for start, stop in _blocks(len(tracks), tracks[:1].size * (2 * half + 1)):
        made[start:stop] = _middle(_windows(tracks, half, start, stop))
    return made.reshape(np.shape(values))


def find_outliers(
    values: ArrayLike, window: int = 11, *, n_sigmas: float = 4.0, min_distance: float = 0.0
) -> BoolArray:
    """Find points that jump away from their neighbours in time (Hampel's identifier).

    The window is first brought to rest by the median of its steps. A point is an outlier where a coordinate then lies
    farther from the window's median than `n_sigmas` times the spread of the window, which is the median absolute
    deviation scaled to a Gaussian's standard deviation; a sudden turn widens the spread and is no outlier. Jumps that
    fill a quarter of a window may hide each other.

    Parameters
    ----------
    values : (n_frames, ..., n_axes) array
        NaN where missing.
    window : int
        Frames, odd.
    n_sigmas : float
    min_distance : float, in the unit of `values`
        Distance below which nothing is an outlier: about three times the noise, since a short window can be still by
        chance.

    Returns
    -------
    (n_frames, ...) bool array

    Raises
    ------
    ConfigError
        If the window is not odd.

    References
    ----------
    L. Davies, U. Gather: The identification of multiple outliers. J. Am. Stat. Assoc. 88 (1993), 782-792.

    Examples
    --------
    >>> find_outliers(np.array([[1.0], [2.0], [3.0], [90.0], [5.0], [6.0], [7.0]]), 7).ravel().nonzero()
    (array([3]),)
    """
    half = check_window(window, "outlier window") // 2
    tracks, present = as_tracks(values)
    step = np.full_like(tracks, np.nan)
    step[1:] = np.diff(tracks, axis=0)
    velocity = np.nan_to_num(local_median(step, window))
    lag = np.arange(-half, half + 1)
    found = np.zeros(present.shape, dtype=bool)
    for start, stop in _blocks(len(tracks), tracks[:1].size * (2 * half + 1)):
        around = _windows(tracks, half, start, stop)
        around -= velocity[start:stop, ..., None] * lag
        middle = _middle(around.copy())
        spread = _MAD_TO_SD * _middle(np.abs(around - middle[..., None]))
        away = np.abs(tracks[start:stop] - middle)
        with np.errstate(invalid="ignore"):
            found[start:stop] = (away > np.maximum(n_sigmas * spread, min_distance)).any(-1)
    return (found & present).reshape(np.shape(values)[:-1])
