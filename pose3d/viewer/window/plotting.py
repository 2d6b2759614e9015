"""What the window's plots share: their ground with round numbers, and where values lie in them."""

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from pose3d.geometry.arrays import FloatArray
from pose3d.viewer import palette
from pose3d.viewer.angle_curves import round_marks
from pose3d.viewer.window.theme import EDGE, qcolor

__all__ = ["draw_cursor", "draw_ground", "polygon", "y_in"]


def draw_ground(painter: QPainter, place: QRectF, low: float, high: float) -> None:
    """Draw the ground of a plot with a few round numbers of degrees."""
    painter.fillRect(place, qcolor(palette.BACKGROUND))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    for deg in round_marks(low, high, max(place.height() / 24, 2)):
        y = float(y_in(place, np.asarray(deg), low, high))
        painter.setPen(QPen(QColor(EDGE), 1))
        painter.drawLine(QLineF(place.left(), y, place.right(), y))
        painter.setPen(qcolor(palette.DIM))
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(place.left() - 44, y - 7, 38, 14), flags, f"{deg:g}°")


def draw_cursor(painter: QPainter, x: float, top: float, bottom: float) -> None:
    """Draw the line at the row that is looked at."""
    painter.setPen(QPen(qcolor(palette.TEXT, 0.9), 1.2))
    painter.drawLine(QLineF(x, top, x, bottom))


def y_in(place: QRectF, deg: FloatArray, low: float, high: float) -> FloatArray:
    """Return where degrees lie in a plot, px."""
    return np.asarray(place.bottom() - (deg - low) / (high - low) * place.height())


def polygon(points: FloatArray) -> QPolygonF:
    """Return points (n, 2) as Qt takes them."""
    return QPolygonF([QPointF(x, y) for x, y in points.tolist()])
