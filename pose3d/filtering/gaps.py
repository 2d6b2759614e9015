"""Gaps in tracks: where they are, and filling the short ones from what lies around them."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.keypoints import Keypoints2D, Keypoints3D
from pose3d.errors import ConfigError
from pose3d.filtering.runs import Runs, as_tracks, find_runs, mask_of
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["GapTable", "Interpolation", "fill_gaps", "find_gaps", "inner_gaps"]

Interpolation = Literal["pchip", "cubic", "linear"]


@dataclass(frozen=True, eq=False)
class GapTable:
    """Gaps of a recording, one row each: columns of equal length.

    Attributes
    ----------
    camera : (n_gaps,) array of str
        Empty for points in space.
    individual, keypoint : (n_gaps,) array of str
    first, last : (n_gaps,) int array
        Frames of the video (the recording's `start` is counted in), both missing.
    length : (n_gaps,) int array
        Frames.
    inner : (n_gaps,) bool array
        Whether there is an observation before and one after; no other gap is ever filled.
    """

    camera: np.ndarray[Any, np.dtype[np.str_]]
    individual: np.ndarray[Any, np.dtype[np.str_]]
    keypoint: np.ndarray[Any, np.dtype[np.str_]]
    first: IntArray
    last: IntArray
    length: IntArray
    inner: BoolArray

    def __len__(self) -> int:
        return len(self.first)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return plain columns."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}


def find_gaps(points: Keypoints2D | Keypoints3D) -> GapTable:
    """List the gaps of a recording, by camera, individual, keypoint and frame.

    Parameters
    ----------
    points : Keypoints2D or Keypoints3D

    Returns
    -------
    GapTable
    """
    values = points.xy if isinstance(points, Keypoints2D) else points.xyz
    cameras = points.cameras if isinstance(points, Keypoints2D) else ("",)
    absent = np.isnan(values[..., 0])
    shape = (len(cameras), len(points.individuals), len(points.keypoints))
    runs = find_runs(absent.reshape(points.n_frames, int(np.prod(shape))))
    camera, individual, keypoint = np.unravel_index(runs.column, shape)
    last = runs.first + runs.length - 1
    return GapTable(
        camera=np.array(cameras, dtype=np.str_)[camera],
        individual=np.array(points.individuals, dtype=np.str_)[individual],
        keypoint=np.array(points.keypoints, dtype=np.str_)[keypoint],
        first=runs.first + points.start,
        last=last + points.start,
        length=runs.length,
        inner=(runs.first > 0) & (last < points.n_frames - 1),
    )


def inner_gaps(present: BoolArray) -> Runs:
    """Find the gaps between observations: none before the first, none after the last.

    Parameters
    ----------
    present : (n_frames, n_tracks) bool array

    Returns
    -------
    Runs
    """
    gaps = find_runs(~present)
    return gaps.where((gaps.first > 0) & (gaps.first + gaps.length < len(present)))


def fill_gaps(values: ArrayLike, max_gap: int, *, method: Interpolation = "pchip") -> tuple[FloatArray, BoolArray]:
    """Fill gaps of at most `max_gap` frames from the observations around them.

    A longer gap stays wholly empty, and so does what lies before the first and after the last observation.

    Parameters
    ----------
    values : (n_frames, ..., n_axes) array
        NaN where missing.
    max_gap : int
        Frames; 0 fills nothing.
    method : {"pchip", "cubic", "linear"}
        "pchip" never leaves the range of the two observations beside the gap; "cubic" (Bessel's tangents: exact for a
        parabola) follows curved motion better and overshoots where observations are noisy. Both look at the two
        nearest observations on either side, as far as no longer gap lies between.

    Returns
    -------
    filled : array like `values`
    where : (n_frames, ...) bool array
        The points that were made.

    Raises
    ------
    ConfigError
        If the limit is negative or there is no such method.

    References
    ----------
    F. N. Fritsch, J. Butland: A method for constructing local monotone piecewise cubic interpolants. SIAM J. Sci.
    Stat. Comput. 5 (1984), 300-304.

    Examples
    --------
    >>> values, where = fill_gaps(np.array([[np.nan], [1.0], [np.nan], [3.0], [np.nan], [np.nan], [6.0]]), 1)
    >>> values.ravel(), where.ravel().nonzero()
    (array([nan,  1.,  2.,  3., nan, nan,  6.]), (array([2]),))
    """
    if max_gap != int(max_gap) or max_gap < 0:
        raise ConfigError(f"gaps: {max_gap} frames is no limit; give a whole number, 0 to fill nothing")
    if method not in ("pchip", "cubic", "linear"):
        raise ConfigError(f"gaps: there is no interpolation {method!r}; take pchip, cubic or linear")
    tracks, present = as_tracks(values)
    gaps = inner_gaps(present)
    where = mask_of(gaps.where(gaps.length <= max_gap), present.shape)
    shape = np.shape(values)
    if where.any():
        _interpolate(tracks, present, where, int(max_gap), method)
    return tracks.reshape(shape), where.reshape(shape[:-1])


def _interpolate(tracks: FloatArray, present: BoolArray, where: BoolArray, max_gap: int, method: Interpolation) -> None:
    """Put values where they are wanted. All observations of all tracks stand in one row of knots."""
    track, knot = np.nonzero(present.T)
    value = tracks[knot, track]
    step = np.diff(knot)
    linked = (np.diff(track) == 0) & (step <= max_gap + 1)  # what a longer gap separates says nothing about a shorter
    step = np.where(linked, step, 1)
    secant = np.where(linked[:, None], np.diff(value, axis=0) / step[:, None], 0.0)
    wanted_track, wanted = np.nonzero(where.T)
    n_frames = len(tracks)
    left = np.searchsorted(track * n_frames + knot, wanted_track * n_frames + wanted) - 1
    length = step[left].astype(np.float64)
    s = (wanted - knot[left]) / length
    line = value[left] + secant[left] * (s * length)[:, None]
    if method != "linear":
        slope = _slopes(step.astype(np.float64), secant, linked, monotone=method == "pchip")
        # Hermite's cubic, as its distance from the line between the two knots
        line += (length * s * (1 - s) ** 2)[:, None] * (slope[left] - secant[left])
        line -= (length * s**2 * (1 - s))[:, None] * (slope[left + 1] - secant[left])
    tracks[wanted, wanted_track] = line


def _slopes(step: FloatArray, secant: FloatArray, linked: BoolArray, *, monotone: bool) -> FloatArray:
    """Return the slope at each knot: (n_knots, n_axes), from the two secants beside it or, at an end, the next two."""
    n_axes = secant.shape[1]
    none, zero = np.zeros(2, dtype=bool), np.zeros((2, n_axes))
    link = np.concatenate([none, linked, none])  # secant i lies after knot i - 2 here
    h = np.concatenate([[1.0, 1.0], step, [1.0, 1.0]])[:, None]
    m = np.concatenate([zero, secant, zero])
    n = len(step) + 1
    before, after = slice(1, n + 1), slice(2, n + 2)
    h0, h1, m0, m1 = h[before], h[after], m[before], m[after]
    if monotone:
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = 3 * (h0 + h1) / ((2 * h1 + h0) / m0 + (h1 + 2 * h0) / m1)
        inner = np.where(m0 * m1 > 0, inner, 0.0)
    else:
        inner = (m0 * h1 + m1 * h0) / (h0 + h1)
    first = _end_slope(h1, np.roll(h, -3, 0)[:n], m1, np.roll(m, -3, 0)[:n], link[3 : n + 3], monotone)
    last = _end_slope(h0, h[:n], m0, m[:n], link[:n], monotone)
    here, there = link[before, None], link[after, None]
    return np.asarray(np.where(here & there, inner, np.where(there, first, np.where(here, last, 0.0))))


def _end_slope(
    h0: FloatArray, h1: FloatArray, m0: FloatArray, m1: FloatArray, second: BoolArray, monotone: bool
) -> FloatArray:
    """Slope at an end of linked knots, of the parabola through three of them, or of the line where there are two."""
    slope = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    if monotone:
        slope = np.where((m0 * m1 <= 0) & (np.abs(slope) > 3 * np.abs(m0)), 3 * m0, slope)
        slope = np.where(slope * m0 <= 0, 0.0, slope)
    return np.asarray(np.where(second[:, None], slope, m0))
