"""The buttons' signs, drawn here: fonts of bare machines have none."""

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPen, QPixmap, QPolygonF

from pose3d.viewer import palette
from pose3d.viewer.window.theme import qcolor

__all__ = ["SIGNS", "sign"]

_TRIANGLE = [(6.0, 4.0), (19.0, 12.0), (6.0, 20.0)]
SIGNS = ("play", "pause", "next", "previous", "first", "last", "weak", "loop", "undo", "redo")


def sign(name: str) -> QIcon:
    """Return one of :data:`SIGNS`."""
    pixmap = QPixmap(48, 48)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(2, 2)
    if name in ("previous", "first", "undo"):  # mirrored
        painter.translate(24, 0)
        painter.scale(-1, 1)
    colour = qcolor(palette.WEAK if name == "weak" else palette.TEXT)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    if name == "play":
        painter.drawPolygon(QPolygonF([QPointF(*at) for at in _TRIANGLE]))
    elif name == "pause":
        painter.drawRoundedRect(QRectF(6, 4, 4, 16), 1, 1)
        painter.drawRoundedRect(QRectF(14, 4, 4, 16), 1, 1)
    elif name in ("next", "previous"):
        painter.drawRoundedRect(QRectF(5, 5, 3, 14), 1, 1)
        painter.drawPolygon(QPolygonF([QPointF(10, 5), QPointF(20, 12), QPointF(10, 19)]))
    elif name in ("last", "first"):
        painter.drawPolygon(QPolygonF([QPointF(4, 5), QPointF(15, 12), QPointF(4, 19)]))
        painter.drawRoundedRect(QRectF(16, 5, 3, 14), 1, 1)
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        if name == "weak":
            painter.drawPolygon(QPolygonF([QPointF(12, 4), QPointF(21, 20), QPointF(3, 20)]))
            painter.drawLine(QLineF(12, 10, 12, 14))
            painter.drawPoint(QPointF(12, 17))
        elif name == "loop":
            painter.drawRoundedRect(QRectF(3, 8, 18, 10), 5, 5)
            painter.drawPolyline([QPointF(10, 5), QPointF(13, 8), QPointF(10, 11)])
        else:  # an arrow that turns back; redo as it stands, undo mirrored
            painter.drawArc(QRectF(5, 8, 13, 11), 20 * 16, 200 * 16)
            painter.drawPolyline([QPointF(13, 8), QPointF(18, 12), QPointF(20, 6)])
    painter.end()
    return QIcon(pixmap)
