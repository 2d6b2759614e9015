"""The whole recording in one strip: where the error is large, what is missing or filled, events, what was corrected."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from pose3d.data.events import STRIKE
from pose3d.geometry.arrays import FloatArray
from pose3d.viewer import palette
from pose3d.viewer.decimation import column_values
from pose3d.viewer.playback import Playback
from pose3d.viewer.window.theme import SIDE_COLOURS, font, qcolor

__all__ = ["EventTick", "Timeline", "heat_image"]

_SIDE = 12  # px left and right
_HEAT = (14, 20)  # top and height
_GAPS = (36, 6)
_TICKS = (45, 12)
_HEIGHT = 62
_GRAB_PX = 6


@dataclass(frozen=True)
class EventTick:
    """An event on the strip.

    Attributes
    ----------
    row : float
    side : int
        0 neither, 1 left, 2 right.
    kind : str
    text : str
    """

    row: float
    side: int
    kind: str
    text: str


def heat_image(playback: Playback, width: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return heat, missing share and filled share of each column, (width,) each: the worst that is in it."""
    n = playback.n_frames
    return (
        column_values(playback.quality, 0, n, width),
        column_values(playback.missing_share, 0, n, width),
        column_values(playback.filled_share, 0, n, width),
    )


class Timeline(QWidget):
    """Shows and chooses the time.

    Signals
    -------
    sought(int)
        A row was clicked or dragged to.
    selected(int, int)
        Rows were dragged over with Shift or the right button; both included.
    event_chosen(int)
        An event was clicked, by its place in the list; -1 none.
    event_moved(int, float)
        An event was dragged to another row.
    """

    sought = Signal(int)
    selected = Signal(int, int)
    event_chosen = Signal(int)
    event_moved = Signal(int, float)

    def __init__(self, playback: Playback) -> None:
        super().__init__()
        self.playback = playback
        self.row = 0
        self.selection: tuple[int, int] | None = None
        self.marked: tuple[tuple[int, int], ...] = ()  # stretches marked bad, last row excluded
        self.swapped: tuple[tuple[int, int], ...] = ()
        self.events: Sequence[EventTick] = ()
        self.chosen = -1
        self._strip: QPixmap | None = None
        self._drag: str | None = None
        self._begin = 0
        self._event_row = 0.0
        self.setFixedHeight(_HEIGHT)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Say how large the strip likes to be."""
        return QSize(800, _HEIGHT)

    def show_row(self, row: int) -> None:
        """Move the cursor."""
        self.row = row
        self.update()

    def set_playback(self, playback: Playback) -> None:
        """Show an edited recording."""
        self.playback = playback
        self.refresh()

    def refresh(self) -> None:
        """Draw the strip anew, after its contents have changed."""
        self._strip = None
        self.update()

    def x_of(self, row: float) -> float:
        """Return where a row is, px."""
        n = max(self.playback.n_frames, 1)
        return _SIDE + (row + 0.5) / n * (self.width() - 2 * _SIDE)

    def row_at(self, x: float) -> int:
        """Return the row at a place, px."""
        n = max(self.playback.n_frames, 1)
        return min(max(int((x - _SIDE) / max(self.width() - 2 * _SIDE, 1) * n), 0), n - 1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the strip, which is kept, and what moves over it."""
        if self._strip is None:
            self._strip = self._draw_strip()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._strip)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.selection is not None:
            left, right = self._span(self.selection[0], self.selection[1] + 1)
            painter.setPen(QPen(qcolor(palette.LEFT), 1))
            painter.setBrush(qcolor(palette.LEFT, 0.16))
            painter.drawRect(QRectF(left, _HEAT[0] - 3, right - left, _TICKS[0] + _TICKS[1] - _HEAT[0] + 3))
        if 0 <= self.chosen < len(self.events):
            tick = self.events[self.chosen]
            row = self._event_row if self._drag == "event" else tick.row
            self._draw_tick(painter, tick, row, large=True)
        x = self.x_of(self.row)
        white = qcolor(palette.TEXT)
        painter.setPen(QPen(white, 1.5))
        painter.drawLine(QLineF(x, 9, x, _TICKS[0] + _TICKS[1] - 1))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(white)
        painter.drawEllipse(QPointF(x, 8), 5, 5)
        painter.end()

    def _span(self, first: float, last: float) -> tuple[float, float]:
        left, right = self.x_of(first - 0.5), self.x_of(last - 0.5)
        return left, max(right, left + 2.0)

    def _draw_strip(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(qcolor(palette.PANEL))
        width = max(round((self.width() - 2 * _SIDE) * ratio), 1)
        painter = QPainter(pixmap)
        room = QRectF(_SIDE, _HEAT[0], self.width() - 2 * _SIDE, _HEAT[1])
        if self.playback.n_frames:
            heat, missing, filled = heat_image(self.playback, width)
            painter.drawImage(room, _row_image(palette.quality_colours(heat)))
            strength = np.concatenate([missing[:, None], filled[:, None]], axis=1)
            gaps = np.full((width, 3), palette.BACKGROUND)
            for share, colour in ((strength[:, 1], palette.FILLED), (strength[:, 0], palette.WEAKER)):
                part = np.sqrt(np.clip(np.nan_to_num(share), 0, 1))[:, None]
                gaps = gaps * (1 - part) + np.array(colour) * part
            painter.drawImage(QRectF(_SIDE, _GAPS[0], room.width(), _GAPS[1]), _row_image(gaps))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for spans, colour, sign in (
            (self.marked, palette.WEAKER, Qt.BrushStyle.BDiagPattern),
            (self.swapped, palette.WEAK, Qt.BrushStyle.Dense5Pattern),
        ):
            for first, last in spans:
                left, right = self._span(first, last)
                place = QRectF(left, _HEAT[0], right - left, _HEAT[1])
                painter.fillRect(place, QColor(10, 12, 16, 150))
                painter.setPen(QPen(qcolor(colour), 1))
                painter.setBrush(QColor(qcolor(colour)))
                brush = painter.brush()
                brush.setStyle(sign)
                painter.setBrush(brush)
                painter.drawRect(place)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(qcolor(palette.WEAK, 0.9))
        for stretch in self.playback.bad_frames if self.playback.n_frames else ():
            x = self.x_of((stretch.first + stretch.last - 1) / 2)
            painter.drawPolygon(QPolygonF([QPointF(x - 3.5, 7), QPointF(x + 3.5, 7), QPointF(x, 13)]))
        for tick in self.events:
            self._draw_tick(painter, tick, tick.row, large=False)
        if not self.events:
            painter.setPen(qcolor(palette.DIM))
            painter.setFont(font(10))
            painter.drawText(QPointF(_SIDE, _TICKS[0] + 11), "no gait events")
        painter.end()
        return pixmap

    def _draw_tick(self, painter: QPainter, tick: EventTick, row: float, *, large: bool) -> None:
        x = self.x_of(row)
        colour = SIDE_COLOURS[tick.side]
        painter.setPen(QPen(colour, 2.5 if large else 1.5))
        low = _TICKS[0] + _TICKS[1]
        painter.drawLine(QLineF(x, _TICKS[0] - (3 if large else 0), x, low))
        painter.setBrush(colour if tick.kind == STRIKE else qcolor(palette.PANEL))
        radius = 4.5 if large else 2.6
        painter.drawEllipse(QPointF(x, low - 2), radius, radius)

    def _event_at(self, x: float, y: float) -> int:
        if y < _TICKS[0] - 3 or not len(self.events):
            return -1
        away = np.array([abs(self.x_of(tick.row) - x) for tick in self.events])
        nearest = int(away.argmin())
        return nearest if away[nearest] <= _GRAB_PX else -1

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there, begin to select, or take hold of an event."""
        x, y = event.position().x(), event.position().y()
        row = self.row_at(x)
        if event.button() == Qt.MouseButton.RightButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._drag, self._begin = "select", row
            self.selection = (row, row)
            self.update()
            return
        found = self._event_at(x, y)
        self.chosen = found
        self.event_chosen.emit(found)
        if found >= 0:
            self._drag, self._event_row = "event", self.events[found].row
            self._begin = round(x)
            self.sought.emit(min(max(round(self.events[found].row), 0), self.playback.n_frames - 1))
        else:
            self._drag = "seek"
            self.sought.emit(row)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub, select, or drag an event."""
        x = event.position().x()
        row = self.row_at(x)
        if self._drag == "seek":
            if row != self.row:
                self.sought.emit(row)
        elif self._drag == "select":
            self.selection = (min(self._begin, row), max(self._begin, row))
            self.update()
        elif self._drag == "event" and abs(x - self._begin) > 2:
            self._event_row = float(row)
            self.sought.emit(row)
            self.update()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """End the selection, or put the event down."""
        drag, self._drag = self._drag, None
        if drag == "select" and self.selection is not None:
            if self.selection[0] == self.selection[1]:
                self.selection = None
            first, last = self.selection or (-1, -1)
            self.selected.emit(first, last)
        elif drag == "event" and 0 <= self.chosen < len(self.events):
            moved = round(self._event_row) != round(self.events[self.chosen].row)
            if moved:
                self.event_moved.emit(self.chosen, self._event_row)
        self.update()

    def event(self, event: QEvent) -> bool:
        """Tell what is below the pointer."""
        if isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.told_at(event.pos().x(), event.pos().y()), self)
            return True
        return super().event(event)

    def told_at(self, x: float, y: float) -> str:
        """Return what is at a place, in words."""
        found = self._event_at(x, y)
        if found >= 0:
            return self.events[found].text
        playback = self.playback
        if not playback.n_frames:
            return "no frames"
        row = self.row_at(x)
        error, unit = playback.expected_error
        words = [f"frame {playback.points.start + row}"]
        if np.isfinite(error[row]):
            words.append(f"expected error {error[row]:.2g} {unit}")
        for share, name in ((playback.missing_share[row], "missing"), (playback.filled_share[row], "filled")):
            if share > 0:
                words.append(f"{share:.0%} {name}")
        words += [stretch.reason for stretch in playback.bad_frames if stretch.first <= row < stretch.last]
        return ", ".join(words)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw the strip anew."""
        super().resizeEvent(event)
        self.refresh()


def _row_image(colours: FloatArray) -> QImage:
    """Return an image one pixel high, which is drawn as high as needed."""
    rgba = np.full((1, len(colours), 4), 255, dtype=np.uint8)
    rgba[0, :, :3] = np.round(255 * np.clip(colours, 0, 1))
    return QImage(rgba.tobytes(), len(colours), 1, 4 * len(colours), QImage.Format.Format_RGBA8888).copy()
