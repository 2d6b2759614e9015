"""Filters in a row over the keypoints of a recording, and what they did to it."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from pose3d.data.keypoints import Keypoints2D, Keypoints3D, Status
from pose3d.errors import ConfigError
from pose3d.filtering.butterworth import Butterworth, butterworth_filter, design_butterworth
from pose3d.filtering.gaps import Interpolation, fill_gaps
from pose3d.filtering.median import check_window, find_outliers, median_filter
from pose3d.filtering.propagation import butterworth_covariance, savgol_covariance
from pose3d.filtering.savgol import savgol_cutoff_hz, savgol_filter, savgol_matrix
from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["FilterSummary", "Filters", "filter_2d", "filter_3d", "margin_frames"]


@dataclass(frozen=True)
class Filters:
    """Filters to apply, in this order; those that are None or 0 are left out.

    Attributes
    ----------
    score_threshold : float, 0..1
        2D detections with lower scores are taken away.
    max_error_px : float, px, optional
        3D points with larger reprojection errors are taken away.
    outlier_window : int, frames, optional
        Points that jump away from the median over this window are taken away (Hampel).
    outlier_sigmas : float
        How far, in standard deviations of the window.
    outlier_distance : float, px or mm
        Nearer than this nothing is an outlier.
    max_gap : int, frames
        Gaps of at most this length are filled; longer ones stay.
    max_gap_s : float, s, optional
        The same limit as a time, instead of `max_gap`; rounded down to frames.
    interpolation : {"pchip", "cubic", "linear"}
    median : int, frames, optional
        Window of the median filter, odd.
    butterworth_hz : float, Hz, optional
        Where the zero-lag low-pass is 3 dB down.
    butterworth_order : int
        Of both passes together, even.
    savgol : int, frames, optional
        Window of the Savitzky-Golay filter, odd; not with `butterworth_hz`.
    savgol_degree : int

    Raises
    ------
    ConfigError
        If one is out of range.

    Examples
    --------
    >>> Filters(max_gap=10, butterworth_hz=6.0).names
    ('gaps', 'butterworth')
    """

    score_threshold: float = 0.0
    max_error_px: float | None = None
    outlier_window: int | None = None
    outlier_sigmas: float = 4.0
    outlier_distance: float = 0.0
    max_gap: int = 0
    max_gap_s: float | None = None
    interpolation: Interpolation = "pchip"
    median: int | None = None
    butterworth_hz: float | None = None
    butterworth_order: int = 4
    savgol: int | None = None
    savgol_degree: int = 3

    def __post_init__(self) -> None:
        for name, above in (
            ("score_threshold", -1e-300),
            ("max_error_px", 0.0),
            ("outlier_sigmas", 0.0),
            ("outlier_distance", -1e-300),
            ("max_gap_s", -1e-300),
            ("butterworth_hz", 0.0),
        ):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > above):
                raise ConfigError(f"filters: {name} = {value} is out of range; give a number above 0")
        if self.score_threshold > 1:
            raise ConfigError(f"filters: score_threshold = {self.score_threshold} is no score; give one from 0 to 1")
        for window, what in ((self.median, "median"), (self.outlier_window, "outlier_window")):
            if window is not None:
                check_window(window, what)
        fill_gaps(np.zeros((0, 1, 1)), self.max_gap, method=self.interpolation)
        if self.max_gap and self.max_gap_s is not None:
            raise ConfigError("filters: max_gap (frames) and max_gap_s (seconds) are one limit; give one of them")
        if self.butterworth_hz is not None and self.savgol is not None:
            raise ConfigError("filters: butterworth_hz and savgol both smooth; take one of them")
        if self.savgol is not None:
            savgol_matrix(self.savgol, self.savgol_degree)
        # the cutoff itself is checked where the frame rate is known
        design_butterworth(1.0, fps=10.0, order=self.butterworth_order)

    @property
    def names(self) -> tuple[str, ...]:
        """Filters that will be applied, in order."""
        asked = {
            "scores": self.score_threshold > 0,
            "errors": self.max_error_px is not None,
            "outliers": self.outlier_window is not None,
            "gaps": self.max_gap > 0 or bool(self.max_gap_s),
            "median": self.median is not None,
            "butterworth": self.butterworth_hz is not None,
            "savgol": self.savgol is not None,
        }
        return tuple(name for name, wanted in asked.items() if wanted)

    def gap_frames(self, fps: float | None) -> int:
        """Return the longest gap that is filled, in frames.

        Raises
        ------
        ConfigError
            If it is given in seconds and the frame rate is not known.
        """
        if self.max_gap_s is None:
            return self.max_gap
        if fps is None:
            raise ConfigError(
                "gaps: a limit in seconds needs a frame rate, which the recording does not tell; give fps"
            )
        return math.floor(self.max_gap_s * fps + 1e-6)

    def low_pass(self, fps: float | None) -> Butterworth | None:
        """Design the low-pass; None where none is asked for.

        Raises
        ------
        ConfigError
            If the frame rate is not known, or too low for the cutoff.
        """
        if self.butterworth_hz is None:
            return None
        if fps is None:
            raise ConfigError("butterworth: the recording does not tell its frame rate; give fps")
        return design_butterworth(self.butterworth_hz, fps=fps, order=self.butterworth_order)


@dataclass(frozen=True)
class FilterSummary:
    """What filters did.

    Attributes
    ----------
    filters : tuple of str
        In order.
    n_points : int
        Frames times cameras (2D), individuals and keypoints.
    n_before : int
        Points that were there.
    n_removed : int
        Of these, taken away for a low score, a large error or a jump (some may have been filled again).
    n_filled : int
        Points that gaps were filled with.
    n_left : int
        Points that were not smoothed, because their run of frames is too short.
    n_missing : int
        Points that are missing now.
    cutoff_hz : float, optional
        Where the smoothing filter is 3 dB down; None without one or where the frame rate is not known.
    """

    filters: tuple[str, ...]
    n_points: int
    n_before: int
    n_removed: int
    n_filled: int
    n_left: int
    n_missing: int
    cutoff_hz: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "filters": list(self.filters)}

    def lines(self) -> Iterator[str]:
        """Yield the figures for people."""
        share = 100 / max(self.n_points, 1)
        yield f"filters: {', '.join(self.filters) or 'none'}"
        if self.n_removed:
            yield f"taken away: {self.n_removed} of {self.n_before} points"
        if self.n_filled:
            yield f"filled: {self.n_filled} points ({share * self.n_filled:.1f} %), marked as filled"
        if self.cutoff_hz is not None:
            yield f"smoothed: 3 dB down at {self.cutoff_hz:.2f} Hz"
        if self.n_left:
            yield f"not smoothed: {self.n_left} points in runs too short for it; fill gaps first"
        yield f"missing: {share * self.n_missing:.1f} % of the points"


@dataclass(frozen=True, eq=False)
class _Filtered:
    values: FloatArray
    filled: BoolArray
    left: BoolArray


def _apply(values: FloatArray, keep: BoolArray, filters: Filters, fps: float | None) -> _Filtered:
    """Apply what 2D and 3D have in common to the points that are to be kept."""
    low, max_gap = filters.low_pass(fps), filters.gap_frames(fps)
    values = np.where(keep[..., None], values, np.nan)
    if filters.outlier_window is not None:
        jumps = find_outliers(
            values,
            filters.outlier_window,
            n_sigmas=filters.outlier_sigmas,
            min_distance=filters.outlier_distance,
        )
        values[jumps] = np.nan
    values, filled = fill_gaps(values, max_gap, method=filters.interpolation)
    if filters.median is not None:
        values = median_filter(values, filters.median)
    left = np.zeros_like(keep)
    if low is not None:
        values, left = butterworth_filter(values, low)
    elif filters.savgol is not None:
        values, left = savgol_filter(values, filters.savgol, degree=filters.savgol_degree)
    return _Filtered(values, filled, left)


def _summarize(filters: Filters, before: BoolArray, made: _Filtered, fps: float | None) -> FilterSummary:
    here = np.isfinite(made.values[..., 0])
    cutoff = filters.butterworth_hz
    if filters.savgol is not None and fps is not None:
        found = savgol_cutoff_hz(filters.savgol, filters.savgol_degree, fps=fps)
        cutoff = None if math.isnan(found) else found
    count = np.count_nonzero
    return FilterSummary(
        filters=filters.names,
        n_points=before.size,
        n_before=int(count(before)),
        n_removed=int(count(before & (made.filled | ~here))),
        n_filled=int(count(made.filled)),
        n_left=int(count(made.left)),
        n_missing=int(count(~here)),
        cutoff_hz=cutoff,
    )


def filter_2d(keypoints: Keypoints2D, filters: Filters) -> tuple[Keypoints2D, FilterSummary]:
    """Filter keypoints in images.

    A filled point is no detection: its score is 0, so that it can be seen and drawn, but a triangulation with any
    score threshold leaves it out. Scores of the other points stay what the network said.

    Parameters
    ----------
    keypoints : Keypoints2D
    filters : Filters

    Returns
    -------
    filtered : Keypoints2D
    summary : FilterSummary

    Raises
    ------
    ConfigError
        If the filters ask for a frame rate that the recording does not tell or that is too low.
    """
    before = np.isfinite(keypoints.xy[..., 0])
    with np.errstate(invalid="ignore"):
        keep = before & ~(keypoints.score < filters.score_threshold)
    made = _apply(keypoints.xy, keep, filters, keypoints.fps)
    score = np.where(made.filled, 0.0, keypoints.score)
    return replace(keypoints, xy=made.values, score=score), _summarize(filters, before, made, keypoints.fps)


def filter_3d(points: Keypoints3D, filters: Filters, *, independent: bool = False) -> tuple[Keypoints3D, FilterSummary]:
    """Filter keypoints in space.

    Filled points get the status FILLED, no cameras, no error and no score. `error` and `score` of the others stay what
    they were before the filter moved the points. A covariance that the filters make wrong is not kept.

    Parameters
    ----------
    points : Keypoints3D
    filters : Filters
    independent : bool
        Whether the points' errors are independent from frame to frame, as after triangulation frame by frame and not
        after a refinement over time. Then smoothing propagates the covariance; otherwise smoothing takes it away, as
        the median always does. It tells of noise that passes, not of motion that is taken away. That of filled points
        is not known (NaN).

    Returns
    -------
    filtered : Keypoints3D
    summary : FilterSummary

    Raises
    ------
    ConfigError
        If the filters ask for a frame rate that the recording does not tell or that is too low.
    """
    before = np.isfinite(points.xyz[..., 0])
    keep = before
    if filters.max_error_px is not None:
        with np.errstate(invalid="ignore"):
            keep = before & ~(points.error > filters.max_error_px)
    low = filters.low_pass(points.fps)
    made = _apply(points.xyz, keep, filters, points.fps)
    here = np.isfinite(made.values[..., 0])
    status = np.where(here, points.status, Status.MISSING)
    status[made.filled] = Status.FILLED
    unseen = made.filled | ~here
    smooth = low is not None or filters.savgol is not None
    covariance = points.covariance
    if covariance is not None:
        covariance = np.where(unseen[..., None, None], np.nan, covariance)
        if filters.median is not None or (smooth and not independent):
            covariance = None
        elif low is not None:
            covariance = butterworth_covariance(covariance, here, low)
        elif filters.savgol is not None:
            covariance = savgol_covariance(covariance, here, filters.savgol, filters.savgol_degree)
    filtered = replace(
        points,
        xyz=made.values,
        error=np.where(unseen, np.nan, points.error),
        n_cameras=np.where(unseen, 0, points.n_cameras),
        score=np.where(unseen, np.nan, points.score),
        status=status.astype(np.uint8),
        covariance=covariance,
    )
    return filtered, _summarize(filters, before, made, points.fps)


def margin_frames(filters: Filters, fps: float | None = None) -> int:
    """Return the frames that a part of a recording needs before and after it to be filtered as within the whole.

    Parameters
    ----------
    filters : Filters
    fps : float, optional
        Frames per second, for the Butterworth filter and a gap limit in seconds.

    Returns
    -------
    int
        Exact for all but the Butterworth filter, of which 1e-7 of what lies beyond is still felt.

    Raises
    ------
    ConfigError
        If the filters ask for a frame rate that is not given or too low.

    Examples
    --------
    >>> margin_frames(Filters(max_gap=10, median=13, butterworth_hz=6.0), fps=100.0)
    88
    """
    margin = 0
    if filters.outlier_window is not None:
        margin += filters.outlier_window // 2 + 1
    max_gap = filters.gap_frames(fps)
    if max_gap:
        margin += 2 * (max_gap + 1) + 2  # to the second observation beyond, and that the gap before it is short
    if filters.median is not None:
        margin += filters.median // 2
    low = filters.low_pass(fps)
    if low is not None:
        margin += low.reach + low.min_run
    if filters.savgol is not None:
        margin += filters.savgol
    return margin
