"""Joint angles over time with their error band, and over the gait cycle with the norm."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.viewer import palette
from pose3d.viewer.playback import Playback
from pose3d.viewer.window.angle_groups import AngleGroup, Cycles, cycles_of, group_angles, usual_groups
from pose3d.viewer.window.decimation import trace_points
from pose3d.viewer.window.theme import EDGE, SIDE_COLOURS, font, qcolor

__all__ = ["Traces"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 148, 8, 18
_CYCLE_W = 250
_GAP = 8
_USUAL_S = 10.0
_LEAST_ROWS = 10
_FINE_BITS = 4
_FINE = 1 << _FINE_BITS
_BAND_ALPHA = 0.24


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
        self._cycles: Cycles | None = None
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
        self._drawn = self._cycles = None
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

    def _values(self, group: AngleGroup) -> list[tuple[int, FloatArray, FloatArray | None, FloatArray | None]]:
        """Return side, degrees and the interval of a group's angles."""
        angles = self.playback.angles
        if angles is None:
            return []
        who = min(self.individual, angles.deg.shape[1] - 1)
        low, high = angles.low_deg, angles.high_deg
        if low is None and angles.sd_deg is not None:
            low, high = angles.deg - 1.96 * angles.sd_deg, angles.deg + 1.96 * angles.sd_deg
        return [
            (
                side,
                angles.deg[:, who, i],
                None if low is None else low[:, who, i],
                None if high is None else high[:, who, i],
            )
            for side, i in group.members.items()
        ]

    def range_of(self, group: AngleGroup) -> tuple[float, float]:
        """Return the lowest and highest degrees of a plot."""
        if group.name not in self._ranges:
            self._ranges[group.name] = self._find_range(group)
        return self._ranges[group.name]

    def _find_range(self, group: AngleGroup) -> tuple[float, float]:
        values = [deg[np.isfinite(deg)] for _, deg, _, _ in self._values(group)]
        known = np.concatenate([np.zeros(0), *values])
        if not len(known):
            return -10.0, 10.0
        low, high = np.quantile(known, (0.002, 0.998))
        margin = max(0.1 * (high - low), 3.0)
        return float(low - margin), float(high + margin)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the curves, which are kept, and the cursor over them."""
        if self._drawn is None:
            self._drawn = self._draw_all()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plots = self._plots()
        x = self.x_of(self.row + 0.0)
        if plots:
            painter.setPen(QPen(qcolor(palette.TEXT, 0.9), 1.2))
            painter.drawLine(QLineF(x, plots[0][1].top(), x, plots[-1][1].bottom()))
        for group, place in plots:
            self._draw_values(painter, group, place, x)
        if self._has_cycles:
            self._draw_cycle_cursor(painter)
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
        if self._has_cycles:
            self._draw_cycles(painter)
        painter.end()
        return pixmap

    def _draw_plot(self, painter: QPainter, group: AngleGroup, place: QRectF) -> None:
        low, high = self.range_of(group)
        _draw_frame(painter, place, low, high)
        self._draw_curves(painter, group, place, low, high)
        painter.setFont(font(11, bold=group.name == self.focus))
        wide = painter.fontMetrics().horizontalAdvance(group.words) + 10
        painter.fillRect(QRectF(place.left() + 1, place.top() + 1, wide, 16), qcolor(palette.BACKGROUND, 0.6))
        painter.setPen(qcolor(palette.TEXT if group.name == self.focus else palette.DIM))
        painter.drawText(QPointF(place.left() + 6, place.top() + 13), group.words)
        painter.setFont(font(10))

    def _draw_curves(self, painter: QPainter, group: AngleGroup, place: QRectF, low: float, high: float) -> None:
        """Draw lines and bands by OpenCV, which takes a tenth of the time that Qt does."""
        ratio = self.devicePixelRatioF()
        width, height = max(round(place.width() * ratio), 1), max(round(place.height() * ratio), 1)
        picture = np.zeros((height, width, 4), dtype=np.uint8)

        def at(x: FloatArray, deg: FloatArray) -> NDArray[np.int32]:
            y = height - 1 - (np.clip(deg, low - 500, high + 500) - low) / (high - low) * height
            return np.round(_FINE * np.stack([x, y], axis=1)).astype(np.int32)

        # On transparent black what OpenCV mixes is premultiplied with its own alpha.
        for side, _, below, above in self._values(group):
            if below is not None and above is not None:
                x, lower = trace_points(below, *self.part, width)
                _, upper = trace_points(above, *self.part, width)
                for run in _runs(np.isfinite(lower) & np.isfinite(upper)):
                    outline = np.concatenate([at(x[run], lower[run]), at(x[run], upper[run])[::-1]])
                    cv2.fillPoly(picture, [outline], _bgra(side, _BAND_ALPHA), cv2.LINE_8, _FINE_BITS)
        for side, deg, _, _ in self._values(group):
            x, y = trace_points(deg, *self.part, width)
            runs = [at(x[run], y[run]) for run in _runs(np.isfinite(y))]
            thick = max(1, round(1.4 * ratio))
            cv2.polylines(picture, runs, False, _bgra(side, 1.0), thick, cv2.LINE_AA, _FINE_BITS)
        image = QImage(picture.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        painter.drawImage(place, image)

    def _draw_times(self, painter: QPainter) -> None:
        fps = self.playback.fps
        first, last = (edge / fps for edge in self.part)
        offset = self.playback.points.start / fps
        step = _nice((last - first) / 8)
        painter.setPen(qcolor(palette.DIM))
        n = int(np.floor((last + offset) / step))
        for i in range(int(np.ceil((first + offset) / step)), n + 1):
            x = self.x_of((i * step - offset) * fps)
            painter.drawText(
                QRectF(x - 30, self.height() - _BOTTOM + 2, 60, 14), Qt.AlignmentFlag.AlignCenter, f"{i * step:g} s"
            )

    def _draw_values(self, painter: QPainter, group: AngleGroup, place: QRectF, x: float) -> None:
        low, high = self.range_of(group)
        painter.setFont(font(12, bold=True))
        y = place.top() + 13
        for side, deg, below, above in self._values(group):
            value = deg[self.row] if self.row < len(deg) else np.nan
            colour = SIDE_COLOURS[side]
            text = f"{'LR'[side - 1] + ' ' if side else ''}{value:.0f}°" if np.isfinite(value) else "–"
            if below is not None and above is not None and np.isfinite(value):
                half = (above[self.row] - below[self.row]) / 2
                text += f" ± {half:.1f}°" if np.isfinite(half) else ""
            painter.setPen(colour)
            painter.drawText(QPointF(place.right() + 10, y), text)
            y += 16
            if np.isfinite(value):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colour)
                dot = float(_y_in(place, np.asarray(value), low, high))
                painter.drawEllipse(QPointF(x, dot), 3.2, 3.2)

    def _cycle_place(self) -> QRectF:
        room = self._room()
        left = self.width() - _CYCLE_W + 24
        return QRectF(left, room.top() + 18, _CYCLE_W - 46, room.height() - 18)

    def _cycles_now(self) -> Cycles | None:
        group = next((group for group in self.groups if group.name == self.focus), None)
        if group is None:
            return None
        if self._cycles is None:
            self._cycles = cycles_of(self.playback, group, self.side, self.individual)
        return self._cycles

    def _cycle_range(self, cycles: Cycles) -> tuple[float, float]:
        known = [cycles.deg[np.isfinite(cycles.deg)]]
        if cycles.norm is not None:
            mean, sd = cycles.norm.at()
            known += [mean - sd, mean + sd]
        values = np.concatenate(known)
        if not len(values):
            return -10.0, 10.0
        margin = max(0.06 * float(np.ptp(values)), 2.0)
        return float(values.min() - margin), float(values.max() + margin)

    def _draw_cycles(self, painter: QPainter) -> None:
        place, cycles = self._cycle_place(), self._cycles_now()
        if cycles is None:
            return
        low, high = self._cycle_range(cycles)
        _draw_frame(painter, place, low, high)
        painter.setPen(qcolor(palette.TEXT))
        painter.setFont(font(11))
        side = {1: "left", 2: "right"}.get(self.side, "")
        words = next(group.words for group in self.groups if group.name == self.focus)
        n = int(np.isfinite(cycles.deg).any(1).sum())
        title = f"{words}, {side} cycle ({n})" if n else f"No whole {side} cycle"
        painter.drawText(QPointF(place.left(), place.top() - 6), title)
        painter.setFont(font(10))
        painter.setPen(qcolor(palette.DIM))
        for percent in (0, 50, 100):
            x = place.left() + percent / 100 * place.width()
            painter.drawText(
                QRectF(x - 24, self.height() - _BOTTOM + 2, 48, 14), Qt.AlignmentFlag.AlignCenter, f"{percent} %"
            )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.save()
        painter.setClipRect(place)
        if cycles.norm is not None:
            mean, sd = cycles.norm.at()
            along = np.linspace(place.left(), place.right(), len(mean))
            outline = np.concatenate(
                [
                    np.stack([along, _y_in(place, mean + sd, low, high)], axis=1),
                    np.stack([along, _y_in(place, mean - sd, low, high)], axis=1)[::-1],
                ]
            )
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(qcolor(palette.DIM, 0.3))
            painter.drawPolygon(_polygon(outline))
        thin = QColor(SIDE_COLOURS[self.side])
        thin.setAlphaF(0.4)
        painter.setPen(QPen(thin, 1.2))
        for deg in cycles.deg[-60:]:
            self._draw_cycle(painter, place, deg, low, high)
        painter.restore()

    def _draw_cycle(self, painter: QPainter, place: QRectF, deg: FloatArray, low: float, high: float) -> None:
        x = np.linspace(place.left(), place.right(), len(deg))
        y = _y_in(place, deg, low, high)
        for run in _runs(np.isfinite(y)):
            painter.drawPolyline(_polygon(np.stack([x[run], y[run]], axis=1)))

    def _draw_cycle_cursor(self, painter: QPainter) -> None:
        cycles = self._cycles_now()
        here = None if cycles is None else cycles.at(self.row)
        if cycles is None or here is None:
            return
        place = self._cycle_place()
        low, high = self._cycle_range(cycles)
        painter.setPen(QPen(SIDE_COLOURS[self.side], 2.2))
        self._draw_cycle(painter, place, cycles.deg[here[0]], low, high)
        x = place.left() + here[1] / 100 * place.width()
        painter.setPen(QPen(qcolor(palette.TEXT, 0.9), 1.2))
        painter.drawLine(QLineF(x, place.top(), x, place.bottom()))

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


def _draw_frame(painter: QPainter, place: QRectF, low: float, high: float) -> None:
    """Draw the ground of a plot with two or three round numbers of degrees."""
    painter.fillRect(place, qcolor(palette.BACKGROUND))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    step = _nice((high - low) / max(place.height() / 24, 2))
    for i in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1):
        y = float(_y_in(place, np.array(i * step), low, high))
        painter.setPen(QPen(QColor(EDGE), 1))
        painter.drawLine(QLineF(place.left(), float(y), place.right(), float(y)))
        painter.setPen(qcolor(palette.DIM))
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(place.left() - 44, float(y) - 7, 38, 14), flags, f"{i * step:g}°")


def _bgra(side: int, alpha: float) -> tuple[float, float, float, float]:
    red, green, blue = (255 * alpha * part for part in palette.SIDES[side])
    return blue, green, red, 255 * alpha


def _y_in(place: QRectF, deg: FloatArray, low: float, high: float) -> FloatArray:
    return np.asarray(place.bottom() - (deg - low) / (high - low) * place.height())


def _nice(step: float) -> float:
    """Return the next of 1, 2, 5, 10, ..."""
    power = 10.0 ** np.floor(np.log10(max(step, 1e-9)))
    return float(next(power * n for n in (1, 2, 5, 10) if power * n >= step * 0.999))


def _runs(known: BoolArray) -> list[slice]:
    """Return the unbroken runs of at least one value."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _polygon(points: FloatArray) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in points.tolist()])
