"""Savitzky-Golay smoothing, with the frequency at which it is 3 dB down."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import correlate1d

from pose3d.errors import ConfigError
from pose3d.filtering.median import check_window
from pose3d.filtering.runs import Smoothed, as_tracks, find_runs, mask_of
from pose3d.geometry.arrays import FloatArray

__all__ = ["savgol_cutoff_hz", "savgol_filter", "savgol_matrix"]


def savgol_matrix(window: int, degree: int = 3) -> FloatArray:
    """Return the weights with which a window's samples make each of its smoothed samples.

    Parameters
    ----------
    window : int
        Frames, odd.
    degree : int
        Of the polynomial, at least 0 and less than the window.

    Returns
    -------
    (window, window) array
        Row i holds the weights of sample i; the middle row is the filter inside a run.

    Raises
    ------
    ConfigError
        If the window is not odd or too short for the degree.
    """
    window = check_window(window, "savgol")
    if degree != int(degree) or not 0 <= degree < window:
        raise ConfigError(
            f"savgol: a polynomial of degree {degree} needs a window of more frames than {window}; "
            f"give a degree from 0 to {window - 1}"
        )
    place = np.linspace(-1.0, 1.0, window) if window > 1 else np.zeros(1)
    basis = np.linalg.qr(np.polynomial.legendre.legvander(place, int(degree)))[0]
    return np.asarray(basis @ basis.T)


def savgol_filter(values: ArrayLike, window: int, *, degree: int = 3) -> Smoothed:
    """Fit a polynomial to every window of observations and take its middle; at the ends of a run, its other places.

    Parameters
    ----------
    values : (n_frames, ..., n_axes) array
        NaN where missing, which it stays.
    window : int
        Frames, odd.
    degree : int
        Motion that is a polynomial of this degree comes out unchanged.

    Returns
    -------
    Smoothed
        Runs shorter than the window are left as they are.

    Raises
    ------
    ConfigError
        If the window is not odd or too short for the degree.

    References
    ----------
    A. Savitzky, M. J. E. Golay: Smoothing and differentiation of data by simplified least squares procedures.
    Anal. Chem. 36 (1964), 1627-1639.
    P. A. Gorry: General least-squares smoothing and differentiation by the convolution method. Anal. Chem. 62 (1990),
    570-573 (the ends).
    """
    made, left = weigh_runs(values, savgol_matrix(window, degree))
    return Smoothed(made, left)


def weigh_runs(values: ArrayLike, weights: FloatArray) -> Smoothed:
    """Apply a matrix of :func:`savgol_matrix` (or its squares) along every run that is long enough."""
    window = len(weights)
    half = window // 2
    tracks, present = as_tracks(values)
    runs = find_runs(present)
    short = runs.length < window
    left = mask_of(runs.where(short), present.shape)
    whole = runs.where(~short)
    shape = np.shape(values)
    if not len(whole):
        return Smoothed(tracks.reshape(shape), left.reshape(shape[:-1]))
    # A window that reaches into a gap or over the end is NaN; those samples are made from their run's own ends.
    made = correlate1d(tracks, weights[half], axis=0, mode="constant", cval=np.nan)
    made[left] = tracks[left]
    column = whole.column[:, None]
    for first, rows in (
        (whole.first, np.arange(half)),
        (whole.first + whole.length - window, np.arange(half + 1, window)),
    ):
        piece = tracks[first[:, None] + np.arange(window), column]
        made[first[:, None] + rows, column] = np.einsum("ij,rja->ria", weights[rows], piece)
    return Smoothed(made.reshape(shape), left.reshape(shape[:-1]))


def savgol_cutoff_hz(window: int, degree: int = 3, *, fps: float) -> float:
    """Return the frequency at which the filter is 3 dB down.

    Parameters
    ----------
    window : int
        Frames, odd.
    degree : int
    fps : float
        Frames per second.

    Returns
    -------
    float, Hz
        NaN where the filter never is (a window of one frame, or a degree that changes nothing).

    Raises
    ------
    ConfigError
        If the window is not odd or too short for the degree, or the frame rate is unknown.

    References
    ----------
    R. W. Schafer: What is a Savitzky-Golay filter? IEEE Signal Process. Mag. 28 (2011), 111-117.

    Examples
    --------
    >>> round(savgol_cutoff_hz(21, 3, fps=100.0), 2)
    5.09
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"savgol: {fps} frames per second is no frame rate; give fps")
    weights = savgol_matrix(window, degree)[window // 2]
    lag = np.arange(window) - window // 2

    def gain(frequency: FloatArray) -> FloatArray:
        return np.asarray(np.cos(np.multiply.outer(2 * np.pi * frequency / fps, lag)) @ weights)

    grid = np.linspace(0.0, fps / 2, 8 * window + 2)
    below = np.flatnonzero(gain(grid) < math.sqrt(0.5))
    if not len(below):
        return math.nan
    low, high = grid[below[0] - 1], grid[below[0]]
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) >= math.sqrt(0.5) else (low, middle)
    return float((low + high) / 2)
