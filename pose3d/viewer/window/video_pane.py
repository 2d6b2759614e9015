"""A camera's video with what was detected and what the 3D points say: any distance between them is an error."""

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.io.images import FrameSource
from pose3d.viewer import palette
from pose3d.viewer.playback import Playback
from pose3d.viewer.view_camera import fit
from pose3d.viewer.window.theme import SIDE_COLOURS, font, qcolor
from pose3d.viewer.window.video_decoder import Decoded, VideoDecoder

__all__ = ["VideoPane"]

_CHIP = QColor(12, 15, 19, 215)


class VideoPane(QWidget):
    """Shows one camera.

    Signals
    -------
    enlarged(str)
        The pane was double-clicked.
    opened(str)
        It is known what the video is, or that there will be none.
    pictured(str)
        Another picture has come.
    """

    enlarged = Signal(str)
    opened = Signal(str)
    pictured = Signal(str)
    _came = Signal(object)
    _broke = Signal(str)
    _found = Signal(object)

    def __init__(self, playback: Playback, camera: str) -> None:
        super().__init__()
        self.playback, self.camera = playback, camera
        self.row = 0
        self.shown: Decoded | None = None
        self.message = "" if camera in playback.videos else "no video"
        self.overlay = True
        self.least_size = (0, 0)  # of pictures, px: more where somebody else shows them larger
        self._image: QImage | None = None
        self._source: FrameSource | None = None
        self._frames: IntArray = playback.video_frames(camera)
        self._decoder: VideoDecoder | None = None
        self.setMinimumSize(120, 80)
        self.setToolTip(f"{camera}: double-click to enlarge (keys 1 to 9)")
        self._came.connect(self._take)
        self._broke.connect(self._fail)
        self._found.connect(self._open)
        path = playback.videos.get(camera)
        if path is not None:
            self.message = "opening ..."
            self._decoder = VideoDecoder(path, self._came.emit, self._broke.emit, self._found.emit)
            self._decoder.start()

    @property
    def video_size(self) -> tuple[int, int]:
        """Width and height of the camera's images, px."""
        if self.playback.rig is not None and self.camera in self.playback.rig:
            return self.playback.rig[self.camera].size
        return self._source.size if self._source is not None else (16, 9)

    @property
    def wanted(self) -> int:
        """The video's frame of this row; it may lie outside."""
        return int(self._frames[self.row]) if len(self._frames) else -1

    @property
    def remark(self) -> str:
        """What does not fit between the video and the data, in words."""
        source, n = self._source, len(self._frames)
        if source is None or not n:
            return ""
        outside = int(((self._frames < 0) | (self._frames >= source.n_frames)).sum())
        said = []
        if outside:
            said.append(f"no picture for {outside} of {n} frames (the video has {source.n_frames})")
        if source.fps is not None and abs(source.fps / self.playback.fps - 1) > 0.01:
            said.append(f"the video has {source.fps:.4g} frames a second, the data {self.playback.fps:.4g}")
        return "; ".join(said)

    def show_row(self, row: int) -> None:
        """Show another row: the picture comes when it is decoded."""
        self.row = row
        if self._decoder is not None:
            ratio = self.devicePixelRatioF()
            size = round(self.width() * ratio), round(self.height() * ratio)
            # As large as it is drawn, so that nobody has to scale it again.
            wide, high = (max(a, b) for a, b in zip(size, self.least_size, strict=True))
            self._decoder.want(self.wanted, (wide, high))
        before = self.message
        if self._source is not None and not 0 <= self.wanted < self._source.n_frames:
            self.message = "no picture at this time"
        elif self._image is not None:
            self.message = ""
        # The picture brings its own keypoints along: until it comes nothing changes.
        if self.shown is None or self.shown.frame == self.wanted or self.message or before:
            self.update()

    def set_playback(self, playback: Playback) -> None:
        """Draw an edited recording."""
        self.playback = playback
        self.update()

    def stop(self) -> None:
        """End the thread."""
        if self._decoder is not None:
            self._decoder.stop()

    def _open(self, source: FrameSource) -> None:
        self._source = source
        self.show_row(self.row)
        self.opened.emit(self.camera)

    def _take(self, decoded: Decoded) -> None:
        height, width = decoded.bgra.shape[:2]
        self._image = QImage(decoded.bgra.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        self.shown = decoded
        self.message = self.message if self.message.startswith("no picture") else ""
        self.update()
        self.pictured.emit(self.camera)

    def _fail(self, message: str) -> None:
        self.message = message
        self.update()
        self.opened.emit(self.camera)

    @property
    def drawn_row(self) -> int | None:
        """The row whose keypoints are drawn: that of the picture, which for a moment may be another than wanted.

        None where the picture is of no row, as a video's first keyframe may lie before the data.
        """
        if self.shown is None or self.shown.frame == self.wanted or self.message:
            return self.row
        rows = np.flatnonzero(self._frames == self.shown.frame)
        return int(rows[0]) if len(rows) else None

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(6, 8, 10))
        scale, left, top = fit(self.video_size, (self.width(), self.height()))
        place = QRectF(left, top, scale * self.video_size[0], scale * self.video_size[1])
        if self._image is not None and not self.message:
            ratio = self.devicePixelRatioF()
            fits = abs(self._image.width() - ratio * place.width()) <= 1
            if fits and ratio == 1:
                painter.drawImage(round(place.left()), round(place.top()), self._image)
            else:
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(place, self._image)
        else:
            painter.fillRect(place, QColor(20, 24, 30))
        row = self.drawn_row
        if self.overlay and self.playback.n_frames and row is not None:
            self._draw_points(painter, row, scale, np.array([left, top]))
        self._draw_chip(painter)
        if self.message:
            painter.setPen(qcolor(palette.DIM))
            painter.setFont(font(12))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(12, 30, -12, -8), flags, self.message)
        painter.end()

    def _draw_points(self, painter: QPainter, row: int, scale: float, corner: FloatArray) -> None:
        playback = self.playback
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        made = (playback.reprojected(self.camera, row) + 0.5) * scale + corner
        seen = (playback.detected(self.camera, row) + 0.5) * scale + corner
        thick = min(max(0.0042 * min(self.width(), self.height() * 1.5), 1.3), 3.5)
        both = np.concatenate([made, seen], axis=-1).reshape(-1, 4)
        whiskers = both[np.isfinite(both).all(1)]
        if len(whiskers):
            painter.setPen(QPen(qcolor(palette.WEAKER, 0.95), max(1.0, 0.6 * thick)))
            painter.drawLines([QLineF(*ends) for ends in whiskers.tolist()])
        bones = made[:, playback.edges].reshape(-1, 4)
        sides = np.tile(playback.sides[playback.edges].max(1), len(made)) if len(playback.edges) else np.zeros(0)
        known = np.isfinite(bones).all(1)
        dots, dot_sides = made.reshape(-1, 2), np.tile(playback.sides, len(made))
        there = np.isfinite(dots).all(1)
        for side, colour in enumerate(SIDE_COLOURS):
            painter.setPen(QPen(colour, thick, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLines([QLineF(*ends) for ends in bones[known & (sides == side)].tolist()])
            painter.setPen(QPen(colour, 2.2 * thick, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPoints([QPointF(*at) for at in dots[there & (dot_sides == side)].tolist()])
        found = seen.reshape(-1, 2)
        found = found[np.isfinite(found).all(1)]
        painter.setPen(QPen(qcolor(palette.DETECTION, 0.8), max(0.8, 0.4 * thick)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        radius = 1.1 * thick + 0.8
        for x, y in found.tolist():
            painter.drawEllipse(QPointF(x, y), radius, radius)

    def error_px(self) -> float:
        """Return the mean distance between detections and the points of the drawn row, px of the video."""
        row = self.drawn_row
        if not self.playback.n_frames or row is None:
            return float("nan")
        away = self.playback.reprojected(self.camera, row) - self.playback.detected(self.camera, row)
        distance = np.hypot(away[..., 0], away[..., 1])
        distance = distance[np.isfinite(distance)]
        return float(distance.mean()) if len(distance) else float("nan")

    def _draw_chip(self, painter: QPainter) -> None:
        error = self.error_px()
        text = f"{error:.1f} px" if np.isfinite(error) else ""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bold = font(12, bold=True)
        painter.setFont(bold)
        metrics = painter.fontMetrics()
        name_w, text_w = metrics.horizontalAdvance(self.camera), metrics.horizontalAdvance(text)
        waits = self.shown is not None and not self.shown.exact and not self.message
        more = " ..." if waits else ""
        width = 16 + name_w + (12 + text_w if text else 0) + metrics.horizontalAdvance(more)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_CHIP)
        painter.drawRoundedRect(QRectF(6, 6, width, 22), 6, 6)
        painter.setPen(qcolor(palette.TEXT))
        painter.drawText(QPointF(14, 21), self.camera)
        painter.setPen(qcolor(palette.error_colour(error, self.video_size[0])))
        painter.drawText(QPointF(26 + name_w, 21), text)
        if more:
            painter.setPen(qcolor(palette.DIM))
            painter.drawText(QPointF(14 + name_w + (12 + text_w if text else 0), 21), more)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for a picture of the new size."""
        super().resizeEvent(event)
        self.show_row(self.row)

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Ask to be enlarged, or made small again."""
        self.enlarged.emit(self.camera)
