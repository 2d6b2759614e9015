"""Pictures as SVG: axes, marks and colours.

The pictures stand in the page itself: their text is text, they scale to a phone and to paper, and the same numbers give
the same bytes.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = [
    "COVERAGE_RAMP",
    "ERROR_RAMP",
    "Axes",
    "Drawing",
    "nice_ticks",
    "number",
    "ramp_levels",
    "shortened",
    "wide_range",
]

# ColorBrewer's YlOrBr and Blues: readable with every kind of colour blindness, and in grey
ERROR_RAMP = ("#fff8d5", "#fee9ab", "#fed777", "#febb47", "#fb9a2c", "#eb7215", "#cf5209", "#a43c03", "#732c05")
COVERAGE_RAMP = ("#e3eef9", "#cbdef0", "#abd0e6", "#82badb", "#59a1cf", "#3787c0", "#1b6aaf", "#084c95", "#083370")


def number(value: float, digits: int = 3) -> str:
    """Return a number in a few significant digits, without an exponent where people would not write one.

    Examples
    --------
    >>> number(0.06199), number(1250.4), number(397297.6), number(float("nan")), number(3.2e7)
    ('0.062', '1250', '397298', '-', '3.2e+07')
    """
    if not np.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-5:
        return f"{value:.{max(digits - 2, 1)}e}"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(size)))) if size else 0
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"


def shortened(name: str, most: int = 14) -> str:
    """Cut a long name, so that it fits beside its mark."""
    return name if len(name) <= most else name[: most - 1] + "…"


def nice_ticks(low: float, high: float, most: int = 5) -> FloatArray:
    """Return round numbers within a range.

    Examples
    --------
    >>> nice_ticks(0.0, 0.93).tolist()
    [0.0, 0.2, 0.4, 0.6, 0.8]
    """
    span = max(high - low, 1e-12)
    power = 10.0 ** np.floor(np.log10(span / most))
    step = power * next(f for f in (1, 2, 5, 10) if f * power * most >= span * 0.999)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return np.asarray(np.round(np.arange(first, last + 1) * step, 12) + 0.0)  # no -0


def ramp_levels(values: ArrayLike, low: float, high: float, n: int = len(ERROR_RAMP)) -> IntArray:
    """Return each value's place on a ramp of `n` colours; those outside the range take its ends."""
    scaled = (np.asarray(values, dtype=np.float64) - low) / max(high - low, 1e-12) * n
    return np.asarray(np.clip(np.nan_to_num(scaled), 0, n - 1e-9).astype(np.int64))


def wide_range(low: float, high: float, ratio: float) -> tuple[float, float]:
    """Widen a range of positive values about its middle to a ratio at least, so that small differences look small."""
    if high >= ratio * low:
        return low, high
    middle = float(np.sqrt(low * high))
    return middle / ratio**0.5, middle * ratio**0.5


def _pixels(values: ArrayLike) -> Any:
    """Return nested lists in tenths of a pixel: finer is not seen, and the file stays small."""
    return (np.asarray(values, dtype=np.float64).round(1) + 0.0).tolist()  # no -0


class Drawing:
    """An SVG picture that grows mark by mark.

    Parameters
    ----------
    width, height : float
        Of its coordinates; the page scales it.
    title : str
        What a screen reader says.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height = width, height
        size = f'viewBox="0 0 {width:g} {height:g}" style="max-width:{width * 1.35:.0f}px"'
        self._parts = [f'<svg {size} role="img" aria-label="{escape(title)}">']

    def add(self, element: str) -> None:
        """Append an element as it is."""
        self._parts.append(element)

    def text(self, x: float, y: float, words: str, kind: str = "", *, anchor: str = "start", turn: float = 0) -> None:
        """Write words, escaped, at a place."""
        turned = f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
        named = f' class="{kind}"' if kind else ""
        side = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.add(f'<text x="{x:.1f}" y="{y:.1f}"{named}{side}{turned}>{escape(words)}</text>')

    def box(self, x: float, y: float, width: float, height: float, style: str) -> None:
        """Draw one rectangle; `style` are attributes such as ``fill="none"``."""
        self.add(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" {style}/>')

    def boxes(self, corner: FloatArray, size: FloatArray, style: str) -> None:
        """Draw rectangles: upper left corners (n, 2) and sizes (n, 2) or (2,)."""
        if len(corner):
            rows = _pixels(np.hstack([corner, np.broadcast_to(size, corner.shape)]))
            path = "".join(f"M{x:g} {y:g}h{w:g}v{h:g}h{-w:g}z" for x, y, w, h in rows)
            self.add(f'<path d="{path}" {style}/>')

    def dots(self, xy: FloatArray, style: str) -> None:
        """Draw dots (n, 2); `style` gives their colour and ``stroke-width``, their diameter."""
        if len(xy):
            path = "".join(f"M{x:g} {y:g}h0" for x, y in _pixels(xy))
            self.add(f'<path d="{path}" stroke-linecap="round" fill="none" {style}/>')

    def segments(self, start: FloatArray, end: FloatArray, style: str) -> None:
        """Draw lines from (n, 2) to (n, 2)."""
        if len(start):
            path = "".join(f"M{x:g} {y:g}L{u:g} {v:g}" for x, y, u, v in _pixels(np.hstack([start, end])))
            self.add(f'<path d="{path}" fill="none" {style}/>')

    def crosses(self, xy: FloatArray, reach: float, style: str) -> None:
        """Draw crosses at (n, 2) that reach so far to each side."""
        both = np.array([[reach, reach], [reach, -reach]])
        ends = xy[:, None] + both
        self.segments((2 * xy[:, None] - ends).reshape(-1, 2), ends.reshape(-1, 2), style)

    def arrows(self, start: FloatArray, end: FloatArray, style: str) -> None:
        """Draw arrows from (n, 2) to (n, 2)."""
        along = end - start
        length = np.linalg.norm(along, axis=-1, keepdims=True)
        back = -along / np.maximum(length, 1e-9) * np.minimum(0.45 * length, 4.0)
        side = np.stack([-back[:, 1], back[:, 0]], axis=-1) * 0.6
        self.segments(start, end, style)
        self.segments(np.concatenate([end + back + side, end + back - side]), np.concatenate([end, end]), style)

    def polygons(self, outlines: FloatArray, style: str) -> None:
        """Draw closed outlines (n, n_corners, 2)."""
        if len(outlines):
            path = "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in outline) + "z" for outline in _pixels(outlines))
            self.add(f'<path d="{path}" {style}/>')

    def line(self, xy: FloatArray, style: str) -> None:
        """Draw one line through points (n, 2)."""
        if len(xy) > 1:
            path = "L".join(f"{x:g} {y:g}" for x, y in _pixels(xy))
            self.add(f'<path d="M{path}" fill="none" {style}/>')

    def svg(self) -> str:
        """Return the picture's markup."""
        return "".join([*self._parts, "</svg>"])


class Axes:
    """A rectangle of a drawing with a scale on x and on y.

    Parameters
    ----------
    drawing : Drawing
    left, top, width, height : float
        Where it lies in the drawing.
    x, y : (float, float)
        Values at its left and right, and at its bottom and top; for an image's axes give y from large to small.
    """

    def __init__(
        self, drawing: Drawing, box: tuple[float, float, float, float], x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        self.drawing = drawing
        self.left, self.top, self.width, self.height = box
        self.x, self.y = x, y

    @property
    def bottom(self) -> float:
        """The lower edge in the drawing."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """The right edge in the drawing."""
        return self.left + self.width

    def at(self, xy: ArrayLike) -> FloatArray:
        """Return where values (..., 2) lie in the drawing, those outside moved to the edge."""
        xy = np.asarray(xy, dtype=np.float64)
        u = np.clip((xy[..., 0] - self.x[0]) / ((self.x[1] - self.x[0]) or 1.0), 0, 1)
        v = np.clip((xy[..., 1] - self.y[0]) / ((self.y[1] - self.y[0]) or 1.0), 0, 1)
        return np.stack([self.left + u * self.width, self.bottom - v * self.height], axis=-1)

    def grid(
        self,
        x_label: str = "",
        y_label: str = "",
        *,
        n_x: int = 5,
        n_y: int = 4,
        y_ticks: Sequence[float] | None = None,
    ) -> None:
        """Draw grid lines, the numbers at them and the names of the axes."""
        draw = self.drawing
        for value in nice_ticks(min(self.x), max(self.x), n_x):
            place = float(self.at([value, self.y[0]])[0])
            here = np.array([[place, self.bottom]])
            draw.segments(here, here - np.array([0, self.height]), 'class="grid"')
            draw.text(place, self.bottom + 12, f"{value:g}", "tick", anchor="middle")
        for value in nice_ticks(min(self.y), max(self.y), n_y) if y_ticks is None else y_ticks:
            place = float(self.at([self.x[0], value])[1])
            here = np.array([[self.left, place]])
            draw.segments(here, here + np.array([self.width, 0]), 'class="grid"')
            draw.text(self.left - 4, place + 3.5, f"{value:g}", "tick", anchor="end")
        edge = np.array([[self.left, self.bottom]])
        draw.segments(edge, edge + np.array([self.width, 0]), 'class="axis"')
        if x_label:
            draw.text(self.left + self.width / 2, self.bottom + 26, x_label, "label", anchor="middle")
        if y_label:
            draw.text(11, self.top + self.height / 2, y_label, "label", anchor="middle", turn=-90)

    def cells(
        self, edges: tuple[FloatArray, FloatArray], level: IntArray, shown: BoolArray, ramp: Sequence[str]
    ) -> None:
        """Fill cells with the colours of a ramp.

        Parameters
        ----------
        edges : ((n_x + 1,) array, (n_y + 1,) array)
            Where the cells end.
        level : (n_x, n_y) int array
            Places on the ramp.
        shown : (n_x, n_y) bool array
        ramp : sequence of str
        """
        low = self.at(np.stack(np.meshgrid(edges[0][:-1], edges[1][:-1], indexing="ij"), axis=-1))
        high = self.at(np.stack(np.meshgrid(edges[0][1:], edges[1][1:], indexing="ij"), axis=-1))
        corner, size = np.minimum(low, high), np.abs(high - low)
        for i, colour in enumerate(ramp):
            mine = shown & (level == i)
            # a hair wider, or the seams show
            self.drawing.boxes(corner[mine], size[mine] + 0.2, f'fill="{colour}"')

    def color_scale(self, low: float, high: float, words: str, ramp: Sequence[str] = ERROR_RAMP) -> None:
        """Draw a ramp with its ends' numbers below the axes."""
        draw, n = self.drawing, len(ramp)
        width = min(self.width * 0.5, 130.0)
        x, y = self.left, self.bottom + 9
        for i, colour in enumerate(ramp):
            draw.box(x + i * width / n, y, width / n + 0.3, 8, f'fill="{colour}"')
        draw.text(x, y + 18, number(low, 2), "tick")
        draw.text(x + width, y + 18, number(high, 2), "tick", anchor="middle")
        draw.text(x + width + 8, y + 7.5, words, "label")
