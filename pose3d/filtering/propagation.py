"""What linear filters do to the covariance of their input, whose errors are independent from frame to frame."""

import numpy as np
from scipy.ndimage import correlate1d

from pose3d.filtering.butterworth import Butterworth
from pose3d.filtering.gaps import fill_gaps
from pose3d.filtering.runs import as_tracks, find_runs
from pose3d.filtering.savgol import savgol_matrix, weigh_runs
from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["butterworth_covariance", "noise_gain", "savgol_covariance"]

_ROWS = 400


def _impulse(low: Butterworth) -> FloatArray:
    """Weights of both passes from `-reach` to `reach`."""
    pulse = np.zeros((1, 4 * low.reach + 1))
    pulse[0, 2 * low.reach] = 1.0
    made = low.apply(pulse, np.array([pulse.shape[1]]))[0]
    return np.asarray(made[low.reach : 3 * low.reach + 1])


def noise_gain(low: Butterworth) -> FloatArray:
    """Return the share of white noise's variance that passes, by distance from the end of a run.

    Parameters
    ----------
    low : Butterworth

    Returns
    -------
    (reach + 1,) array
        Entry 0 is the last sample itself, through which the filter's continuation goes (1: its noise stays); the last
        entry holds everywhere inside.

    Notes
    -----
    With h the weights of both passes, sample i of a long run is made with weights h(i - j) - h(i + j) from the samples
    j >= 1, and the rest, so that the weights add up to 1, from sample 0.
    """
    weights, reach = _impulse(low), low.reach
    rows = np.unique(np.linspace(0, reach, min(_ROWS, reach + 1)).round().astype(np.int64))
    j = np.arange(1, 2 * reach + 1)
    padded = np.pad(weights, 3 * reach)
    middle = 4 * reach
    made = padded[middle + rows[:, None] - j] - padded[middle + rows[:, None] + j]
    gain = (made**2).sum(1) + (1 - made.sum(1)) ** 2
    return np.asarray(np.interp(np.arange(reach + 1), rows, gain))


def butterworth_covariance(covariance: FloatArray, present: BoolArray, low: Butterworth) -> FloatArray:
    """Return the covariance of filtered points whose errors were independent from frame to frame.

    Exact where the covariance changes slowly compared with the filter's length and runs are longer than its reach.

    Parameters
    ----------
    covariance : (n_frames, ..., 3, 3) array
        NaN where unknown.
    present : (n_frames, ...) bool array
        The points that were filtered.
    low : Butterworth

    Returns
    -------
    (n_frames, ..., 3, 3) array
        NaN where it was; as it was in runs that were too short.
    """
    tracks, there, known = _flat(covariance, present)
    squares = _impulse(low) ** 2
    gain = noise_gain(low)
    weight = correlate1d(there.astype(np.float64), squares, axis=0, mode="constant")
    mean = correlate1d(np.where(there[..., None], tracks, 0.0), squares, axis=0, mode="constant")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean /= weight[..., None]
    runs = find_runs(present.reshape(there.shape))
    frame, column = np.nonzero(there)
    run = _run_of(there)[frame, column]
    to_end = np.minimum(frame - runs.first[run], runs.first[run] + runs.length[run] - 1 - frame)
    short = runs.length[run] < low.min_run
    made = mean[frame, column] * gain[np.minimum(to_end, low.reach)][:, None]
    tracks[frame, column] = np.where(short[:, None], tracks[frame, column], made)
    tracks[~known] = np.nan
    return tracks.reshape(covariance.shape)


def savgol_covariance(covariance: FloatArray, present: BoolArray, window: int, degree: int = 3) -> FloatArray:
    """Return the covariance of smoothed points whose errors were independent from frame to frame.

    Parameters
    ----------
    covariance : (n_frames, ..., 3, 3) array
        NaN where unknown.
    present : (n_frames, ...) bool array
        The points that were smoothed.
    window, degree : int
        As in :func:`pose3d.filtering.savgol_filter`.

    Returns
    -------
    (n_frames, ..., 3, 3) array
        NaN where it was; as it was in runs that were too short.
    """
    tracks, _, known = _flat(covariance, present)
    made = weigh_runs(tracks, savgol_matrix(window, degree) ** 2).values
    made[~known] = np.nan
    return made.reshape(covariance.shape)


def _flat(covariance: FloatArray, present: BoolArray) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return covariances (frame, track, 9) with those of filled points taken from their neighbours, and two masks."""
    n_frames = len(covariance)
    tracks, known = as_tracks(covariance.reshape(*present.shape, 9))
    there = present.reshape(known.shape)
    tracks, _ = fill_gaps(tracks, n_frames, method="linear")  # only to have something to weigh
    tracks[~there] = np.nan
    return tracks, there & np.isfinite(tracks[..., 0]), known & there


def _run_of(there: BoolArray) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Index of the run, as find_runs orders them, to which each sample belongs."""
    start = there.copy()
    start[1:] &= ~there[:-1]
    return np.asarray(np.cumsum(start.T.ravel()).reshape(there.T.shape).T - 1)
