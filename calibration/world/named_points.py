"""Positions, directions and lengths between points that are known by name, as medians over frames."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray

__all__ = [
    "KnownLength",
    "NamedPoints",
    "difference",
    "direction",
    "median_direction",
    "position",
    "scale_from_length",
    "unit",
]

NamedPoints: TypeAlias = Mapping[str, ArrayLike]
"""Positions by name: (3,) or (n_frames, 3) arrays, mm; NaN where a point is missing."""

_MAD = 1.4826  # times the median absolute deviation is the standard deviation of normal noise
_MEDIAN = 1.2533  # the median of normal noise scatters this much more than the mean
_RAYLEIGH = 1.1774  # the median of a two-dimensional deviation is this many standard deviations


class KnownLength(NamedTuple):
    """What a length that is known in mm says about the scale.

    Attributes
    ----------
    factor : float
        By which all lengths must be multiplied.
    relative_sd : float
        Of the factor; NaN with a single frame.
    measured_mm : float
        The length before.
    length_mm : float
    n_frames : int
        Frames that have both ends.
    says : str
        One sentence without its full stop.
    """

    factor: float
    relative_sd: float
    measured_mm: float
    length_mm: float
    n_frames: int
    says: str


def scale_from_length(points: NamedPoints, names: tuple[str, str], length_mm: float) -> KnownLength:
    """Compare a distance with its known length.

    Parameters
    ----------
    points : mapping of str to (3,) or (n_frames, 3) array, mm
    names : (str, str)
        Its ends.
    length_mm : float

    Returns
    -------
    KnownLength
        From the median over the frames that have both ends.

    Raises
    ------
    CalibrationError
        If a name is missing, no frame has both ends, or the length is not positive.
    """
    a, b = names
    if not 0 < length_mm < np.inf:
        raise CalibrationError(f"length {a}-{b}: {length_mm:g} mm is no length; give a positive number")
    lengths = np.linalg.norm(difference(points, a, b), axis=-1)
    lengths = lengths[np.isfinite(lengths)]
    measured = float(np.median(lengths)) if len(lengths) else 0.0
    if not measured > 0:
        why = "no frame has both ends" if a != b and not len(lengths) else "its ends are one point"
        raise CalibrationError(f"length {a}-{b}: {why}; name two points that are seen together")
    spread = _MAD * float(np.median(np.abs(lengths - measured)))
    sd = _MEDIAN * spread / np.sqrt(len(lengths)) / measured if len(lengths) > 1 else float("nan")
    factor = length_mm / measured
    percent = 100 * (factor - 1)
    within = f" (+- {100 * sd:.2f})" if np.isfinite(sd) else ""
    says = (
        f"scale {factor:.5f}: the known length {a}-{b} of {length_mm:g} mm is {abs(percent):.2f}{within} % "
        f"{'longer' if percent >= 0 else 'shorter'} than the calibration has it"
    )
    return KnownLength(factor, float(sd), measured, float(length_mm), len(lengths), says)


def unit(v: FloatArray) -> FloatArray:
    """Return a vector (3,) scaled to length 1."""
    return np.asarray(v / np.linalg.norm(v))


def _frames(points: NamedPoints, name: str) -> FloatArray:
    """Return a point's positions (n_frames, 3)."""
    if name not in points:
        known = ", ".join(list(points)[:8]) + (", ..." if len(points) > 8 else "")
        raise CalibrationError(f'there is no point "{name}"; there are {known or "none"}')
    return np.asarray(points[name], dtype=np.float64).reshape(-1, 3)


def position(points: NamedPoints, name: str) -> FloatArray:
    """Return a point's median position (3,).

    Raises
    ------
    CalibrationError
        If there is no such point, or it is never seen.
    """
    xyz = _frames(points, name)
    xyz = xyz[np.isfinite(xyz).all(-1)]
    if not len(xyz):
        raise CalibrationError(f'point "{name}" has no position in any frame; it must be seen by two cameras')
    return np.asarray(np.median(xyz, axis=0))


def difference(points: NamedPoints, start: str, end: str) -> FloatArray:
    """Return the way from one point to another in each frame (n_frames, 3).

    Raises
    ------
    CalibrationError
        If there is no such point, or their frames differ in number.
    """
    a, b = _frames(points, start), _frames(points, end)
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise CalibrationError(f'points "{start}" and "{end}" have {len(a)} and {len(b)} frames; give the same frames')
    return np.asarray(b - a)


def direction(points: NamedPoints, start: str, end: str, max_sd_deg: float = 20.0) -> tuple[FloatArray, float]:
    """Return the direction (3,) from one point to another and its standard deviation in degrees.

    Raises
    ------
    CalibrationError
        If there is no such point, or no direction that is about the same in most frames.
    """
    if start == end:
        raise CalibrationError(f"{start}>{end}: a direction needs two different points")
    ways = difference(points, start, end)
    if not np.isfinite(ways).all(-1).any():  # never in one frame: what remains is anipose's way
        ways = (position(points, end) - position(points, start))[None]
    return median_direction(ways, f"{start}>{end}", max_sd_deg)


def median_direction(ways: FloatArray, what: str, max_sd_deg: float) -> tuple[FloatArray, float]:
    """Return the median (3,) of directions (n, 3) and its standard deviation in degrees, NaN for one of them.

    Raises
    ------
    CalibrationError
        If there is none, or they scatter by more than `max_sd_deg`; `what` names them in the message.
    """
    length = np.linalg.norm(ways, axis=-1)
    ways = ways[np.isfinite(length) & (length > 0)]
    if not len(ways):
        raise CalibrationError(f"{what}: has no direction, as its two points are one or are never seen")
    units = ways / np.linalg.norm(ways, axis=-1, keepdims=True)
    middle = np.median(units, axis=0)
    if np.linalg.norm(middle) < 1e-6:
        raise CalibrationError(f"{what}: points in all directions; choose points that keep theirs")
    middle = unit(middle)
    off = np.degrees(np.arccos(np.clip(units @ middle, -1, 1)))
    scatter = float(np.median(off))
    if scatter > max_sd_deg:
        raise CalibrationError(
            f"{what}: its direction scatters by {scatter:.0f} degrees from frame to frame; choose points that keep "
            "theirs, or frames in which nothing moves"
        )
    return middle, float(_MEDIAN * scatter / _RAYLEIGH / np.sqrt(len(units))) if len(units) > 1 else float("nan")
