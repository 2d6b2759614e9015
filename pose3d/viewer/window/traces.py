"""Joint angles over time with their error band, and over the gait cycle with the norm."""

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from pose3d.viewer import palette
from pose3d.viewer.angle_curves import Curve, curves_of, draw_curves, range_of, round_marks
from pose3d.viewer.angle_groups import AngleGroup, group_angles, usual_groups
from pose3d.viewer.playback import Playback
from pose3d.viewer.window.cycle_plot import CyclePlot
from pose3d.viewer.window.plotting import draw_cursor, draw_ground, y_in
from pose3d.viewer.window.theme import SIDE_COLOURS, font, qcolor

__all__ = ["Traces"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 148, 8, 18
_CYCLE_W = 250
_GAP = 8
_USUAL_S = 10.0
_LEAST_ROWS = 10


class Traces(QWidget):
    """Shows chosen angles.

    Signals
    -------
    sought(int)
        A row was clicked or dragged to.
    """

    sought = Signal(int)

    def __init__(self, playback: Playback) -> None:
        super().__init__()
        self.playback = playback
        self.row = 0
        self.individual = 0
        self.side = 1
        self.groups = group_angles(playback.angles.names) if playback.angles is not None else ()
        self.chosen = usual_groups(self.groups)
        self.focus = self.chosen[0] if self.chosen else ""
        self.selection: tuple[int, int] | None = None
        span = min(max(playback.n_frames, _LEAST_ROWS), _USUAL_S * playback.fps)
        self.part = (0.0, float(span))
        self._drawn: QPixmap | None = None
        self._cycle_plot: CyclePlot | None = None
        self._ranges: dict[str, tuple[float, float]] = {}
        self.setMinimumHeight(110)
        self.setMouseTracking(False)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setToolTip("Joint angles. Click or drag: go there. Wheel: zoom. Band: 95 % interval. Right: gait cycles.")

    def sizeHint(self) -> QSize:
        """Say how large the plots like to be."""
        return QSize(900, 210)

    @property
    def shown(self) -> tuple[AngleGroup, ...]:
        """The groups that are drawn."""
        return tuple(group for group in self.groups if group.name in self.chosen)

    @property
    def shown_names(self) -> tuple[str, ...]:
        """The angles that are drawn, with their sides."""
        names = () if self.playback.angles is None else self.playback.angles.names
        return tuple(names[i] for group in self.shown for i in group.members.values())

    def show_row(self, row: int) -> None:
        """Move the cursor; a window that it leaves turns over like a page."""
        self.row = row
        first, last = self.part
        span = last - first
        if not first <= row < last:
            first = row - 0.08 * span if row >= last else row - 0.92 * span
            self._look_at(first, span)
        self.update()

    def set_playback(self, playback: Playback) -> None:
        """Draw an edited recording."""
        self.playback = playback
        self.refresh()

    def choose(self, name: str, shown: bool) -> None:
        """Draw an angle or leave it out; by the name of its group."""
        self.chosen = tuple(n for n in self.chosen if n != name) + ((name,) if shown else ())
        if self.focus not in self.chosen:
            self.focus = self.chosen[0] if self.chosen else ""
        self.refresh()

    def set_side(self, side: int) -> None:
        """Show the cycles of the left (1) or right (2) side."""
        self.side = side
        self.refresh()

    def set_individual(self, individual: int) -> None:
        """Show the angles of another individual."""
        self.individual = individual
        self.refresh()

    def refresh(self) -> None:
        """Draw the curves anew."""
        self._drawn = self._cycle_plot = None
        self._ranges.clear()
        self.update()

    def _look_at(self, first: float, span: float) -> None:
        n = max(self.playback.n_frames, _LEAST_ROWS)
        span = min(max(span, _LEAST_ROWS), n)
        first = min(max(first, 0.0), n - span)
        self.part = (first, first + span)
        self._drawn = None

    def _room(self) -> QRectF:
        wide = self.width() - _LEFT - _RIGHT - (_CYCLE_W if self._has_cycles else 0)
        return QRectF(_LEFT, _TOP, max(wide, 10), max(self.height() - _TOP - _BOTTOM, 10))

    @property
    def _has_cycles(self) -> bool:
        return self.width() > 760 and self.playback.events is not None and bool(self.groups)

    def _plots(self) -> list[tuple[AngleGroup, QRectF]]:
        room, shown = self._room(), self.shown
        if not shown:
            return []
        each = (room.height() - _GAP * (len(shown) - 1)) / len(shown)
        return [
            (group, QRectF(room.left(), room.top() + i * (each + _GAP), room.width(), each))
            for i, group in enumerate(shown)
        ]

    def x_of(self, row: float) -> float:
        """Return where a row is, px."""
        room = self._room()
        return room.left() + (row - self.part[0]) / (self.part[1] - self.part[0]) * room.width()

    def row_at(self, x: float) -> int:
        """Return the row at a place, px."""
        room = self._room()
        row = self.part[0] + (x - room.left()) / room.width() * (self.part[1] - self.part[0])
        return min(max(int(row), 0), max(self.playback.n_frames - 1, 0))

    @property
    def _whose(self) -> str:
        names = self.playback.points.individuals
        return f", {names[self.individual]}" if len(names) > 1 else ""

    def _curves(self, group: AngleGroup) -> tuple[Curve, ...]:
        return curves_of(self.playback, group, self.individual)

    def range_of(self, group: AngleGroup) -> tuple[float, float]:
        """Return the lowest and highest degrees of a plot."""
        if group.name not in self._ranges:
            self._ranges[group.name] = range_of(self._curves(group))
        return self._ranges[group.name]

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the curves, which are kept, and the cursor over them."""
        if self._drawn is None:
            self._drawn = self._draw_all()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plots = self._plots()
        x = self.x_of(self.row)
        if plots:
            draw_cursor(painter, x, plots[0][1].top(), plots[-1][1].bottom())
        for group, place in plots:
            self._draw_values(painter, group, place, x)
        if cycles := self._cycles():
            cycles.draw_present(painter, self._cycle_place(), self.row)
        painter.end()

    def _draw_all(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(qcolor(palette.PANEL))
        painter = QPainter(pixmap)
        painter.setFont(font(10))
        plots = self._plots()
        if not plots:
            painter.setPen(qcolor(palette.DIM))
            painter.setFont(font(12))
            text = "No angle is chosen" if self.groups else "No joint angles: the keypoints' names tell of none"
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
        for group, place in plots:
            self._draw_plot(painter, group, place)
        if plots:
            self._draw_times(painter)
        if cycles := self._cycles():
            cycles.draw(painter, self._cycle_place())
        painter.end()
        return pixmap

    def _draw_plot(self, painter: QPainter, group: AngleGroup, place: QRectF) -> None:
        draw_ground(painter, place, *self.range_of(group))
        self._draw_curves(painter, group, place)
        painter.setFont(font(11, bold=group.name == self.focus))
        title = group.words + self._whose
        wide = painter.fontMetrics().horizontalAdvance(title) + 10
        painter.fillRect(QRectF(place.left() + 1, place.top() + 1, wide, 16), qcolor(palette.BACKGROUND, 0.6))
        painter.setPen(qcolor(palette.TEXT if group.name == self.focus else palette.DIM))
        painter.drawText(QPointF(place.left() + 6, place.top() + 13), title)
        painter.setFont(font(10))

    def _draw_curves(self, painter: QPainter, group: AngleGroup, place: QRectF) -> None:
        ratio = self.devicePixelRatioF()
        width, height = max(round(place.width() * ratio), 1), max(round(place.height() * ratio), 1)
        picture = draw_curves(
            self._curves(group),
            self.part,
            self.range_of(group),
            (width, height),
            width_px=max(1, round(1.4 * ratio)),
        )
        image = QImage(picture.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        painter.drawImage(place, image)

    def _draw_times(self, painter: QPainter) -> None:
        fps, start = self.playback.fps, self.playback.points.start
        painter.setPen(qcolor(palette.DIM))
        first, last = self.part
        for time_s in round_marks((first + start) / fps, (last + start) / fps, 8):
            place = QRectF(self.x_of(time_s * fps - start) - 30, self.height() - _BOTTOM + 2, 60, 14)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, f"{time_s:g} s")

    def _draw_values(self, painter: QPainter, group: AngleGroup, place: QRectF, x: float) -> None:
        low, high = self.range_of(group)
        painter.setFont(font(12, bold=True))
        for line, curve in enumerate(self._curves(group)):
            colour = SIDE_COLOURS[curve.side]
            painter.setPen(colour)
            painter.drawText(QPointF(place.right() + 10, place.top() + 13 + 16 * line), curve.text_at(self.row))
            value = curve.deg[self.row] if self.row < len(curve.deg) else np.nan
            if np.isfinite(value):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colour)
                painter.drawEllipse(QPointF(x, float(y_in(place, np.asarray(value), low, high))), 3.2, 3.2)

    def _cycle_place(self) -> QRectF:
        room = self._room()
        return QRectF(self.width() - _CYCLE_W + 24, room.top(), _CYCLE_W - 46, room.height())

    def _cycles(self) -> CyclePlot | None:
        group = next((group for group in self.groups if group.name == self.focus), None)
        if group is None or not self._has_cycles:
            return None
        if self._cycle_plot is None:
            self._cycle_plot = CyclePlot(self.playback, group, self.side, self.individual)
        return self._cycle_plot

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there; the plot that was clicked is the one whose cycles are shown."""
        at = event.position()
        for group, place in self._plots():
            if place.adjusted(-_LEFT, 0, _RIGHT, 0).contains(at) and group.name != self.focus:
                self.focus = group.name
                self.refresh()
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub."""
        room = self._room()
        if event.buttons() & Qt.MouseButton.LeftButton and event.position().x() < room.right() + 4:
            x = min(max(event.position().x(), room.left()), room.right() - 1)
            self.sought.emit(self.row_at(x))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Show a longer or shorter part, about the pointer."""
        factor = 1.25 ** (-event.angleDelta().y() / 120)
        at = self.row_at(event.position().x())
        first, last = self.part
        self._look_at(at - (at - first) * factor, (last - first) * factor)
        self.update()
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw anew."""
        super().resizeEvent(event)
        self._drawn = None
