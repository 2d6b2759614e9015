"""Which cutoff a recording suggests: Winter's residual analysis."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pose3d.errors import ConfigError, DataError
from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.filtering.runs import as_tracks, find_runs, mask_of
from pose3d.geometry.arrays import FloatArray

__all__ = ["CutoffSuggestion", "suggest_cutoff"]

_TAIL = 0.5
"""Share of half the frame rate above which the residual is taken to be noise alone."""
_MIN_SAMPLES = 50


@dataclass(frozen=True, eq=False)
class CutoffSuggestion:
    """Outcome of a residual analysis.

    Attributes
    ----------
    cutoff_hz : (...) array, Hz
        Of each track; NaN where there is too little to judge by.
    noise : (...) array
        Standard deviation of the white noise per coordinate, in the unit of the values.
    frequency_hz : (n_frequencies,) array, Hz
        Cutoffs that were tried.
    residual : (n_frequencies, ...) array
        Root mean square per coordinate of what each filter takes away.
    """

    cutoff_hz: FloatArray
    noise: FloatArray
    frequency_hz: FloatArray
    residual: FloatArray

    @property
    def overall_hz(self) -> float:
        """Median over the tracks; NaN where there is none."""
        known = self.cutoff_hz[np.isfinite(self.cutoff_hz)]
        return float(np.median(known)) if known.size else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: None where a figure does not exist."""
        overall = self.overall_hz
        return {
            "cutoff_hz": None if np.isnan(overall) else overall,
            "tracks_hz": [None if np.isnan(value) else float(value) for value in self.cutoff_hz.ravel()],
            "noise": [None if np.isnan(value) else float(value) for value in self.noise.ravel()],
        }


def suggest_cutoff(
    values: ArrayLike, *, fps: float, order: int = 4, frequency_hz: ArrayLike | None = None
) -> CutoffSuggestion:
    """Suggest a cutoff for each track by residual analysis.

    Above the motion's frequencies what a low-pass takes away is noise alone. Fitted there, the noise is continued to 0
    Hz; the cutoff is the frequency where the filter takes away as much as the whole noise, so that the motion that is
    lost equals the noise that is let through. Where Winter continues a straight line drawn by eye, the residual of
    white noise under this filter is known exactly and is used here.

    It is a help for choosing, no optimum: Yu et al. found no relation between the two, and noise that is not white (a
    network's is not) makes the suggestion too high. The frequencies of the motion studied count for more.

    Parameters
    ----------
    values : (n_frames, ..., n_axes) array
        NaN where missing.
    fps : float
        Frames per second.
    order : int
        Of the zero-lag Butterworth filter.
    frequency_hz : (n,) array, Hz, optional
        Cutoffs to try, ascending; default 60 from 1 % to 45 % of the frame rate.

    Returns
    -------
    CutoffSuggestion

    Raises
    ------
    ConfigError
        If a cutoff cannot be had at this frame rate, or too few are above a quarter of it.
    DataError
        If no track has 50 observations in runs that are long enough.

    References
    ----------
    D. A. Winter: Biomechanics and motor control of human movement, 4th ed. (2009), section 3.5.3.3 (p. 70-73).
    B. Yu, D. Gabriel, L. Noble, K.-N. An: Estimate of the optimum cutoff frequency for the Butterworth low-pass digital
    filter. J. Appl. Biomech. 15 (1999), 318-329.
    """
    if frequency_hz is None:
        design_butterworth(0.25 * fps, fps=fps, order=order)  # says what is wrong with them
        frequency = np.geomspace(0.01, 0.45, 60) * fps
    else:
        frequency = np.asarray(frequency_hz, dtype=np.float64)
    tail = frequency >= _TAIL * fps / 2
    if np.count_nonzero(tail) < 3 or (np.diff(frequency) <= 0).any():
        raise ConfigError(
            f"cutoff: the residual analysis needs ascending frequencies, three of them above {_TAIL * fps / 2:g} Hz"
        )
    tracks, present = as_tracks(values)
    filters = [design_butterworth(float(value), fps=fps, order=order) for value in frequency]
    runs = find_runs(present)
    used = mask_of(runs.where(runs.length >= filters[0].min_run), present.shape)
    tracks[~used] = np.nan
    count = used.sum(0)
    if not (count >= _MIN_SAMPLES).any():
        raise DataError(
            f"cutoff: no keypoint has {_MIN_SAMPLES} frames in runs of {filters[0].min_run} or more; fill gaps first"
        )
    squares = np.empty((len(frequency), tracks.shape[1]))
    noise_share = np.empty(len(frequency))
    circle = (np.arange(4096) + 0.5) / 4096 * fps / 2
    for i, low in enumerate(filters):
        taken = np.nansum((tracks - butterworth_filter(tracks, low).values) ** 2, axis=(0, 2))
        squares[i] = taken / np.maximum(count * tracks.shape[2], 1)
        noise_share[i] = np.mean((1 - low.response(circle)) ** 2)
    variance = noise_share[tail] @ squares[tail] / (noise_share[tail] ** 2).sum()
    cutoff = _crossing(frequency, squares, variance)
    cutoff[count < _MIN_SAMPLES] = np.nan
    shape = np.shape(values)[1:-1]
    noise = np.where(count < _MIN_SAMPLES, np.nan, np.sqrt(variance))
    return CutoffSuggestion(
        cutoff.reshape(shape), noise.reshape(shape), frequency, np.sqrt(squares).reshape(-1, *shape)
    )


def _crossing(frequency: FloatArray, squares: FloatArray, level: FloatArray) -> FloatArray:
    """Return the frequency above which each curve stays below its level, between the neighbours linearly."""
    above = squares > level
    last = len(frequency) - 1 - above[::-1].argmax(0)
    last = np.minimum(np.where(above.any(0), last, 0), len(frequency) - 2)
    track = np.arange(squares.shape[1])
    here, there = squares[last, track], squares[last + 1, track]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.clip((here - level) / (here - there), 0, 1)
    return np.asarray(frequency[last] + np.nan_to_num(part) * (frequency[last + 1] - frequency[last]))
