"""Filters of 2D and 3D keypoints, and their gaps.

Functions over arrays with frames first, any axes between, and coordinates last, NaN where a point is missing; over
recordings, :func:`filter_2d` and :func:`filter_3d`. All are linear in the number of frames, none invents a point but
:func:`fill_gaps`, and that no further than it is told.
"""

from pose3d.filtering.anipose_settings import AniposeFilter, AniposeFilter3D, filter_settings
from pose3d.filtering.butterworth import Butterworth, butterworth_filter, design_butterworth
from pose3d.filtering.cutoff import CutoffSuggestion, suggest_cutoff
from pose3d.filtering.filters import Filters, FilterSummary, filter_2d, filter_3d, margin_frames
from pose3d.filtering.gaps import GapTable, Interpolation, fill_gaps, find_gaps
from pose3d.filtering.median import find_outliers, local_median, median_filter
from pose3d.filtering.propagation import butterworth_covariance, noise_gain, savgol_covariance
from pose3d.filtering.runs import Smoothed
from pose3d.filtering.savgol import savgol_cutoff_hz, savgol_filter, savgol_matrix
from pose3d.filtering.viterbi import VITERBI_MARGIN_FRAMES, choose_peaks, viterbi_filter

__all__ = [
    "VITERBI_MARGIN_FRAMES",
    "AniposeFilter",
    "AniposeFilter3D",
    "Butterworth",
    "CutoffSuggestion",
    "FilterSummary",
    "Filters",
    "GapTable",
    "Interpolation",
    "Smoothed",
    "butterworth_covariance",
    "butterworth_filter",
    "choose_peaks",
    "design_butterworth",
    "fill_gaps",
    "filter_2d",
    "filter_3d",
    "filter_settings",
    "find_gaps",
    "find_outliers",
    "local_median",
    "margin_frames",
    "median_filter",
    "noise_gain",
    "savgol_covariance",
    "savgol_cutoff_hz",
    "savgol_filter",
    "savgol_matrix",
    "suggest_cutoff",
    "viterbi_filter",
]
