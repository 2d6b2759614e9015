"""One angle over the gait cycle: every cycle of a side, the present one, and the norm behind them."""

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from pose3d.geometry.arrays import FloatArray
from pose3d.viewer import palette
from pose3d.viewer.angle_curves import runs_of
from pose3d.viewer.angle_groups import AngleGroup, Cycles, cycles_of
from pose3d.viewer.playback import Playback
from pose3d.viewer.window.plotting import draw_cursor, draw_ground, polygon, y_in
from pose3d.viewer.window.theme import SIDE_COLOURS, font, qcolor

__all__ = ["CyclePlot"]

_MOST_DRAWN = 60
_TITLE, _PERCENTS = 18.0, 2.0  # px above the plot, and from it to the numbers below


class CyclePlot:
    """The cycles of one side's angle, made once and drawn often."""

    def __init__(self, playback: Playback, group: AngleGroup, side: int, individual: int) -> None:
        self.words, self.side = group.words, side
        self.cycles: Cycles = cycles_of(playback, group, side, individual)
        self.band = None if self.cycles.norm is None else self.cycles.norm.at()
        self.low, self.high = self._range()

    def _range(self) -> tuple[float, float]:
        deg = self.cycles.deg
        known = [deg[np.isfinite(deg)]]
        if self.band is not None:
            mean, sd = self.band
            known += [mean - sd, mean + sd]
        values = np.concatenate(known)
        if not len(values):
            return -10.0, 10.0
        margin = max(0.06 * float(np.ptp(values)), 2.0)
        return float(values.min() - margin), float(values.max() + margin)

    @staticmethod
    def _inner(place: QRectF) -> QRectF:
        return place.adjusted(0, _TITLE, 0, 0)

    def draw(self, painter: QPainter, place: QRectF) -> None:
        """Draw what does not change with the row: ground, title, norm and all cycles."""
        inner = self._inner(place)
        draw_ground(painter, inner, self.low, self.high)
        self._draw_words(painter, inner)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.save()
        painter.setClipRect(inner)
        if self.band is not None:
            mean, sd = self.band
            above, below = self._line(inner, mean + sd), self._line(inner, mean - sd)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(qcolor(palette.DIM, 0.3))
            painter.drawPolygon(polygon(np.concatenate([above, below[::-1]])))
        thin = QColor(SIDE_COLOURS[self.side])
        thin.setAlphaF(0.4)
        painter.setPen(QPen(thin, 1.2))
        for deg in self.cycles.deg[-_MOST_DRAWN:]:
            self._draw_cycle(painter, inner, deg)
        painter.restore()

    def draw_present(self, painter: QPainter, place: QRectF, row: float) -> None:
        """Draw the cycle in which a row lies, and the cursor; nothing between cycles."""
        here = self.cycles.at(row)
        if here is None:
            return
        which, percent = here
        inner = self._inner(place)
        painter.setPen(QPen(SIDE_COLOURS[self.side], 2.2))
        self._draw_cycle(painter, inner, self.cycles.deg[which])
        draw_cursor(painter, inner.left() + percent / 100 * inner.width(), inner.top(), inner.bottom())

    def _draw_words(self, painter: QPainter, inner: QRectF) -> None:
        side = {1: "left", 2: "right"}.get(self.side, "")
        n = int(np.isfinite(self.cycles.deg).any(1).sum())
        painter.setPen(qcolor(palette.TEXT))
        painter.setFont(font(11))
        title = f"{self.words}, {side} cycle ({n})" if n else f"No whole {side} cycle"
        painter.drawText(QPointF(inner.left(), inner.top() - 6), title)
        painter.setFont(font(10))
        painter.setPen(qcolor(palette.DIM))
        for percent in (0, 50, 100):
            x = inner.left() + percent / 100 * inner.width()
            below = QRectF(x - 24, inner.bottom() + _PERCENTS, 48, 14)
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, f"{percent} %")

    def _line(self, inner: QRectF, deg: FloatArray) -> FloatArray:
        along = np.linspace(inner.left(), inner.right(), len(deg))
        return np.stack([along, y_in(inner, deg, self.low, self.high)], axis=1)

    def _draw_cycle(self, painter: QPainter, inner: QRectF, deg: FloatArray) -> None:
        line = self._line(inner, deg)
        for run in runs_of(np.isfinite(line[:, 1])):
            painter.drawPolyline(polygon(line[run]))
