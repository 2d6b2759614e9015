"""The 3D view: turned, moved and zoomed by the mouse, or looking through one of the recording's cameras."""

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QShowEvent, QWheelEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from pose3d.geometry.arrays import FloatArray
from pose3d.io.images import Image
from pose3d.viewer.playback import Playback
from pose3d.viewer.scene import Scene, SceneSettings, build_scene
from pose3d.viewer.view_camera import StandardView, ViewCamera, fit, follows, frame_camera
from pose3d.viewer.window.gl_canvas import GlCanvas, draw_letters, opengl_works
from pose3d.viewer.window.sprites import SpriteMaker, picture_sprite

__all__ = ["View3D"]

_TURN_DEG_PER_PX = 0.35
_ZOOM_PER_STEP = 1.15
_BACKDROP = 0.75  # how light the video is behind the skeleton


class View3D(QWidget):
    """Draws a playback at one row.

    Signals
    -------
    changed()
        The view was turned, moved, zoomed or chosen.
    """

    changed = Signal()

    def __init__(self, playback: Playback, second: Playback | None = None) -> None:
        super().__init__()
        self.playback, self.second = playback, second
        self.settings = SceneSettings()
        self.row = 0
        self.follows = follows(playback)
        self.scene: Scene | None = None
        self.has_opengl = opengl_works()
        letters, glyphs = draw_letters()
        self._maker = SpriteMaker(glyphs)
        self._canvas = GlCanvas(letters, self.redraw) if self.has_opengl else None
        self._surface = QWidget(self) if self._canvas is None else QWidget.createWindowContainer(self._canvas, self)
        self._camera = frame_camera(playback)
        self._anchor: FloatArray | None = None
        self._picture_place: tuple[float, float, float, float] | None = None
        self._pressed: QPointF | None = None
        self.view: str = "orbit"
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._surface)
        # The surface itself is passive: the mouse is this widget's, also where a system gives it to the surface.
        self._surface.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._surface.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        if self._canvas is not None:
            self._canvas.installEventFilter(self)
        self.setMinimumSize(240, 180)
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.frame_subject("orbit")

    @property
    def camera(self) -> ViewCamera:
        """What is looked from at this row: a view that follows goes with the subject."""
        if self._anchor is None or not self.follows or self._camera.camera is not None or not self.playback.n_frames:
            return self._camera
        return self._camera.looking_at(self.playback.path_of_subject[self.row] + self._anchor)

    @property
    def pixels(self) -> tuple[int, int]:
        """Size of the drawing, px of the screen."""
        if self._canvas is not None:
            return self._canvas.pixels
        ratio = self.devicePixelRatioF()
        return max(round(self.width() * ratio), 1), max(round(self.height() * ratio), 1)

    @property
    def through(self) -> str | None:
        """The camera that is looked through."""
        return self.view.removeprefix("camera ") if self.view.startswith("camera ") else None

    @property
    def n_drawn(self) -> int:
        """How many pictures have been drawn."""
        return 0 if self._canvas is None else self._canvas.n_drawn

    def picture(self) -> QImage:
        """Return what is drawn."""
        return QImage() if self._canvas is None else self._canvas.grabFramebuffer()

    def cover(self, covered: bool) -> None:
        """Take the surface away, for what is to be seen over it, and bring it back."""
        self._surface.setVisible(not covered)

    def say(self, line: str) -> None:
        """Show words instead of the scene."""
        label = QLabel(line, self)
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setObjectName("dim")
        layout = self.layout()
        assert layout is not None
        self._surface.hide()
        layout.addWidget(label)

    def show_row(self, row: int) -> None:
        """Draw another row."""
        self.row = row
        self.redraw()

    def set(self, settings: SceneSettings) -> None:
        """Show other things."""
        self.settings = settings
        self.redraw()

    def set_playback(self, playback: Playback) -> None:
        """Draw an edited recording from the same place."""
        self.playback = playback
        self.redraw()

    def frame_subject(self, view: StandardView | None = None) -> None:
        """Frame the subject by itself; from the same side without a view."""
        width, height = (max(side, 1) for side in self.pixels)
        chosen: StandardView = view or "orbit"
        camera = frame_camera(self.playback, chosen, aspect=width / height, follow=self.follows)
        if view is None and self.through is None:
            camera = replace(camera, azimuth_deg=self._camera.azimuth_deg, elevation_deg=self._camera.elevation_deg)
        else:
            self.view = chosen
        self._anchor = None  # it is framed about the middle of the path, wherever the subject is now
        self._take(camera)

    def look_through(self, name: str) -> None:
        """Take a camera's own pose and lens."""
        rig = self.playback.rig
        if rig is not None and name in rig:
            self.view = f"camera {name}"
            self._take(ViewCamera.from_camera(rig[name], self.playback.ground.axes))

    def set_follows(self, follow: bool) -> None:
        """Go with the subject, or stay."""
        here = self.camera
        self.follows = follow
        self._take(here)

    def show_picture(self, bgra: Image) -> None:
        """Lay a video's picture behind, where its camera is looked through."""
        if self._canvas is not None:
            self._canvas.show_picture(bgra)
        self._picture_place = (0, 0, 0, 0)
        self.redraw()

    def redraw(self) -> None:
        """Build the scene anew and draw it."""
        if self.width() < 2 or self.height() < 2 or self._canvas is None:
            return
        size, camera = self.pixels, self.camera
        settings = self.settings
        if camera.camera is not None:  # over a video the floor and the other cameras would hide what is compared
            settings = replace(settings, frusta=False, floor=False, shadow=False)
        self.scene = build_scene(self.playback, self.row, settings, second=self.second)
        vertices = self._maker.make(self.scene, camera, size)
        if camera.camera is not None and self._picture_place is not None:
            own = camera.camera.size
            scale, left, top = fit(own, size)
            place = (left - 0.5, top - 0.5, left + scale * own[0] - 0.5, top + scale * own[1] - 0.5)
            self._picture_place = place
            vertices = np.concatenate([picture_sprite(place, _BACKDROP), vertices])
        self._canvas.show_vertices(vertices)

    def place_of(self, individual: int, keypoint: int) -> tuple[float, float]:
        """Return where a keypoint is drawn, px from the upper left corner of this widget."""
        pixels, _ = self.camera.project(self.playback.points.xyz[self.row, individual, keypoint], self.pixels)
        ratio = self.pixels[0] / max(self.width(), 1)
        return float((pixels[0] + 0.5) / ratio), float((pixels[1] + 0.5) / ratio)

    def _take(self, camera: ViewCamera) -> None:
        self._camera = camera
        path = self.playback.path_of_subject
        if camera.camera is not None or not len(path):
            self._anchor = None
        else:
            middle = path[self.row] if self._anchor is not None and self.follows else path[len(path) // 2]
            self._anchor = camera.target - middle
        if camera.camera is None:
            self._picture_place = None
        self.redraw()
        self.changed.emit()

    def _released(self) -> ViewCamera:
        self.view = "free" if self.through is not None else self.view
        camera = self.camera
        self._anchor = np.zeros(3)
        return camera

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the surface's mouse."""
        if isinstance(event, QWheelEvent):
            self.wheelEvent(event)
        elif isinstance(event, QMouseEvent):
            takers = {
                QEvent.Type.MouseButtonPress: self.mousePressEvent,
                QEvent.Type.MouseButtonRelease: self.mouseReleaseEvent,
                QEvent.Type.MouseMove: self.mouseMoveEvent,
                QEvent.Type.MouseButtonDblClick: self.mouseDoubleClickEvent,
            }
            taker = takers.get(event.type())
            if taker is not None:
                taker(event)
        else:
            return super().eventFilter(watched, event)
        return True

    def showEvent(self, event: QShowEvent) -> None:
        """Frame the subject once the size is known."""
        super().showEvent(event)
        if not self.n_drawn and self.view == "orbit":
            self.frame_subject("orbit")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to turn or to move."""
        self._pressed = event.position()
        self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """End it."""
        self._pressed = None
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Turn with the left button, move with another one or with Shift."""
        if self._pressed is None:
            return
        moved = event.position() - self._pressed
        self._pressed = event.position()
        moves = event.buttons() & (Qt.MouseButton.MiddleButton | Qt.MouseButton.RightButton)
        camera = self._released()
        if moves or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            ratio = self.pixels[0] / max(self.width(), 1)
            self._take(camera.panned(moved.x() * ratio, moved.y() * ratio, self.pixels))
        else:
            self._take(camera.turned(-_TURN_DEG_PER_PX * moved.x(), _TURN_DEG_PER_PX * moved.y()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Come nearer or go away."""
        self.zoom(_ZOOM_PER_STEP ** (event.angleDelta().y() / 120))
        event.accept()

    def zoom(self, factor: float) -> None:
        """Come nearer by a factor."""
        self._take(self._released().zoomed(factor))

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Frame the subject again."""
        self.frame_subject()
