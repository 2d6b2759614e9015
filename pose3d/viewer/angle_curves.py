"""Joint angles over time as lines with their error bands, for the window's plots and those in rendered pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.viewer import palette
from pose3d.viewer.angle_groups import AngleGroup
from pose3d.viewer.decimation import trace_points
from pose3d.viewer.playback import Playback

__all__ = ["Curve", "curves_of", "draw_curves", "range_of", "round_marks", "runs_of"]

_FINE_BITS = 4
_FINE = 1 << _FINE_BITS
_BAND_ALPHA = 0.24
_FAR_DEG = 500.0  # beyond the plot: what lies farther out would overflow OpenCV's numbers


class Curve(NamedTuple):
    """One side's angle.

    Attributes
    ----------
    side : int
        0 neither, 1 left, 2 right.
    deg : (n_frames,) array, degrees
    low, high : (n_frames,) array, degrees, optional
        Ends of the 95 % interval.
    """

    side: int
    deg: FloatArray
    low: FloatArray | None
    high: FloatArray | None

    def text_at(self, row: int) -> str:
        """Return the side, the value and half the interval's width in one row, for people."""
        value = self.deg[row] if row < len(self.deg) else np.nan
        if not np.isfinite(value):
            return "–"
        text = f"{'LR'[self.side - 1] + ' ' if self.side else ''}{value:.0f}°"
        if self.low is None or self.high is None:
            return text
        half = (self.high[row] - self.low[row]) / 2
        return f"{text} ± {half:.1f}°" if np.isfinite(half) else text


def curves_of(playback: Playback, group: AngleGroup, individual: int = 0) -> tuple[Curve, ...]:
    """Return the sides of a joint's angle with their intervals."""
    angles = playback.angles
    if angles is None:
        return ()
    who = min(individual, angles.deg.shape[1] - 1)
    low, high = angles.low_deg, angles.high_deg
    if low is None and angles.sd_deg is not None:
        low, high = angles.deg - 1.96 * angles.sd_deg, angles.deg + 1.96 * angles.sd_deg
    return tuple(
        Curve(
            side,
            angles.deg[:, who, i],
            None if low is None else low[:, who, i],
            None if high is None else high[:, who, i],
        )
        for side, i in group.members.items()
    )


def range_of(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return the lowest and the highest degrees of a plot, which single outliers do not stretch."""
    known = np.concatenate([np.zeros(0), *(curve.deg[np.isfinite(curve.deg)] for curve in curves)])
    if not len(known):
        return -10.0, 10.0
    low, high = np.quantile(known, (0.002, 0.998))
    margin = max(0.1 * (high - low), 3.0)
    return float(low - margin), float(high + margin)


def draw_curves(
    curves: Sequence[Curve],
    rows: tuple[float, float],
    degrees: tuple[float, float],
    size: tuple[int, int],
    *,
    width_px: int = 1,
) -> NDArray[np.uint8]:
    """Draw lines and bands, by OpenCV, which takes a tenth of the time that Qt does.

    Parameters
    ----------
    curves : sequence of Curve
    rows : (float, float)
        At the left and right edge.
    degrees : (float, float)
        At the lower and upper edge.
    size : (int, int), px
    width_px : int

    Returns
    -------
    (h, w, 4) uint8 array
        Blue, green, red and alpha, with which the colours are multiplied already.
    """
    (width, height), (low, high) = size, degrees
    picture = np.zeros((height, width, 4), dtype=np.uint8)

    def at(x: FloatArray, deg: FloatArray) -> NDArray[np.int32]:
        y = height - 1 - (np.clip(deg, low - _FAR_DEG, high + _FAR_DEG) - low) / (high - low) * height
        return np.round(_FINE * np.stack([x, y], axis=1)).astype(np.int32)

    # On transparent black what OpenCV mixes is premultiplied with its own alpha.
    for side, _, below, above in curves:
        if below is not None and above is not None:
            x, lower = trace_points(below, *rows, width)
            _, upper = trace_points(above, *rows, width)
            for run in runs_of(np.isfinite(lower) & np.isfinite(upper)):
                outline = np.concatenate([at(x[run], lower[run]), at(x[run], upper[run])[::-1]])
                cv2.fillPoly(picture, [outline], _bgra(side, _BAND_ALPHA), cv2.LINE_8, _FINE_BITS)
    for curve in curves:
        x, y = trace_points(curve.deg, *rows, width)
        lines = [at(x[run], y[run]) for run in runs_of(np.isfinite(y))]
        cv2.polylines(picture, lines, False, _bgra(curve.side, 1.0), width_px, cv2.LINE_AA, _FINE_BITS)
    return picture


def round_marks(low: float, high: float, most: float) -> list[float]:
    """Return round numbers (steps of 1, 2, 5, 10, ...) from low to high, about as many as `most`.

    Examples
    --------
    >>> round_marks(-3, 62, 4)
    [0.0, 20.0, 40.0, 60.0]
    """
    least = max((high - low) / max(most, 1.0), 1e-9)
    power = 10.0 ** np.floor(np.log10(least))
    step = float(next(power * n for n in (1, 2, 5, 10) if power * n >= least * 0.999))
    return [step * i for i in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def runs_of(known: BoolArray) -> list[slice]:
    """Return the unbroken runs of at least one true value."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _bgra(side: int, alpha: float) -> tuple[float, float, float, float]:
    red, green, blue = (255 * alpha * part for part in palette.SIDES[side])
    return blue, green, red, 255 * alpha
