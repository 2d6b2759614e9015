"""Joint angles over time in a rendered picture: curves with their error bands, and where the present frame is."""

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.viewer import palette
from pose3d.viewer.angle_curves import Curve, curves_of, draw_curves, range_of, round_marks
from pose3d.viewer.angle_groups import AngleGroup, group_angles, usual_groups
from pose3d.viewer.lettering import text_size, write_text_on
from pose3d.viewer.palette import Colour
from pose3d.viewer.playback import Playback

__all__ = ["AnglePanel"]

Image: TypeAlias = NDArray[np.uint8]

_PAGE_S = 10.0  # of the recording on one page; it is turned when the frame leaves it
_MOST_PLOTS = 3
_LETTERS_WIDE = 31  # that a plot's title and values need


class _Plot(NamedTuple):
    """One joint's angle and where it stands in the panel."""

    words: str
    curves: tuple[Curve, ...]
    degrees: tuple[float, float]
    left: int
    top: int
    width: int
    height: int

    def y_of(self, deg: float) -> int:
        low, high = self.degrees
        return round(self.top + (self.height - 1) * (1 - (deg - low) / (high - low)))

    def x_of(self, row: float, rows: tuple[float, float]) -> int:
        return round(self.left + (row - rows[0]) / (rows[1] - rows[0]) * (self.width - 1))


class AnglePanel:
    """Plots of a few angles side by side.

    Parameters
    ----------
    playback : Playback
    size : (int, int), px
    wanted : tuple of str
        Angles, with or without the side; by default the usual ones.
    """

    def __init__(self, playback: Playback, size: tuple[int, int], wanted: tuple[str, ...] = ()) -> None:
        self.playback, self.size = playback, size
        groups = self.groups_of(playback, wanted)
        self._letters = max(min(0.1 * size[1], size[0] / max(len(groups), 1) / _LETTERS_WIDE), 9.0)
        span = min(max(playback.n_frames, 2), round(_PAGE_S * playback.fps))
        self._pages = [
            (float(first), float(first + span))
            for first in np.minimum(np.arange(0, playback.n_frames, span), max(playback.n_frames - span, 0)).tolist()
        ]
        self._span = span
        self._plots = self._place(groups)
        self._page = lru_cache(maxsize=2)(self._draw_page)

    @staticmethod
    def groups_of(playback: Playback, wanted: tuple[str, ...] = ()) -> tuple[AngleGroup, ...]:
        """Return the angles that are shown; none where the recording has none."""
        if playback.angles is None:
            return ()
        names = playback.angles.names
        groups = group_angles(names)
        asked = [g.name for g in groups if g.name in wanted or any(names[i] in wanted for i in g.members.values())]
        shown = asked or usual_groups(groups)
        return tuple(group for group in groups if group.name in shown)[:_MOST_PLOTS]

    def _place(self, groups: tuple[AngleGroup, ...]) -> list[_Plot]:
        (width, height), letters = self.size, self._letters
        left, above, below, gap = round(3.2 * letters), round(1.9 * letters), round(1.7 * letters), round(letters)
        each = (width - (len(groups) - 1) * gap) // max(len(groups), 1)
        who = f", {self.playback.points.individuals[0]}" if len(self.playback.points.individuals) > 1 else ""
        plots = []
        for i, group in enumerate(groups):
            curves = curves_of(self.playback, group)
            at = i * (each + gap) + left, above, each - left, height - above - below
            plots.append(_Plot(group.words + who, curves, range_of(curves), *at))
        return plots

    def draw(self, image: Image, row: int) -> None:
        """Draw into a picture of the panel's size, (h, w, 3), blue, green, red."""
        page = row // self._span
        rows = self._pages[page]
        np.copyto(image, self._page(page))
        for plot in self._plots:
            self._draw_row(image, plot, row, rows)

    def _draw_row(self, image: Image, plot: _Plot, row: int, rows: tuple[float, float]) -> None:
        letters = self._letters
        x, bottom = plot.x_of(row, rows), plot.top + plot.height - 1
        thick = max(1, round(letters / 12))
        cv2.line(image, (x, plot.top), (x, bottom), _bgr(palette.TEXT), thick)
        right = float(plot.left + plot.width)
        for curve in reversed(plot.curves):
            text, colour = curve.text_at(row), palette.SIDES[curve.side]
            right -= text_size(text, letters, bold=True)[0]
            write_text_on(image, text, (right, 0.3 * letters), letters, colour, bold=True)
            right -= letters
            if np.isfinite(curve.deg[row]):
                at = x, int(np.clip(plot.y_of(curve.deg[row]), plot.top, bottom))
                cv2.circle(image, at, max(2, round(0.28 * letters)), _bgr(colour), -1, cv2.LINE_AA)

    def _draw_page(self, page: int) -> Image:
        """Draw what does not change from frame to frame."""
        image = np.empty((self.size[1], self.size[0], 3), dtype=np.uint8)
        image[:] = _bgr(palette.BACKGROUND)
        for plot in self._plots:
            self._draw_plot(image, plot, self._pages[page])
        return image

    def _draw_plot(self, image: Image, plot: _Plot, rows: tuple[float, float]) -> None:
        letters, small = self._letters, 0.85 * self._letters
        part = image[plot.top : plot.top + plot.height, plot.left : plot.left + plot.width]
        part[:] = _bgr(palette.PANEL)
        write_text_on(image, plot.words, (plot.left, 0.3 * letters), letters, palette.TEXT)
        for deg in round_marks(*plot.degrees, plot.height / (2.2 * letters)):
            y, text = plot.y_of(deg), f"{deg:g}°"
            cv2.line(image, (plot.left, y), (plot.left + plot.width - 1, y), _bgr(palette.UNKNOWN), 1)
            at = plot.left - text_size(text, small)[0] - 0.4 * letters, y - 0.62 * small
            write_text_on(image, text, at, small, palette.DIM)
        drawn = draw_curves(
            plot.curves, rows, plot.degrees, (plot.width, plot.height), width_px=max(1, round(0.13 * letters))
        )
        part[:] = drawn[..., :3] + (part * (1 - drawn[..., 3:] / np.float32(255)) + 0.5).astype(np.uint8)
        fps, start = self.playback.fps, self.playback.points.start
        for time_s in round_marks((rows[0] + start) / fps, (rows[1] + start) / fps, plot.width / (6 * letters)):
            text = f"{time_s:g} s"
            x = plot.x_of(time_s * fps - start, rows) - text_size(text, small)[0] / 2
            x = min(x, plot.left + plot.width - text_size(text, small)[0])
            write_text_on(image, text, (x, plot.top + plot.height + 0.25 * letters), small, palette.DIM)


def _bgr(rgb: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in rgb)
    return blue, green, red
