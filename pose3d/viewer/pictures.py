"""Pictures of a recording: its scene from any side, a camera's image with the points in it, or all of them together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.errors import ConfigError
from pose3d.viewer import palette
from pose3d.viewer.angle_panel import AnglePanel
from pose3d.viewer.captions import Words, caption_words, draw_captions, strip_height, strip_margin
from pose3d.viewer.lettering import Box
from pose3d.viewer.overlay import draw_chip, draw_overlay, fitted, image_size
from pose3d.viewer.painter import Painter
from pose3d.viewer.playback import Playback
from pose3d.viewer.scene import Scene, SceneSettings, build_scene
from pose3d.viewer.view_camera import STANDARD_VIEWS, ViewCamera, fit, follows, frame_camera

__all__ = ["GRID_VIEW", "PictureMaker", "PictureSettings", "SceneRenderer", "check_view"]

Image: TypeAlias = NDArray[np.uint8]

GRID_VIEW = "grid"
"""The view of the scene beside all cameras."""

_SCENE_SHARES = (0.36, 0.4, 0.44, 0.48, 0.52)  # of the width of a grid: what leaves the cameras largest
_LEAST_SIDE, _MOST_SIDE = 64, 8192
_PANEL_SHARE, _LEAST_PANEL = 0.19, 60  # of the lesser side of a grid with its angles; px
_NARROW = 1.2  # width to height of a scene in which a whole walk would be small


class SceneRenderer(Protocol):
    """What draws scenes: the painter, or OpenGL."""

    def paint(self, scene: Scene, view: ViewCamera, *, out: Image | None = None, taken: Sequence[Box] = ()) -> Image:
        """Draw a scene, (h, w, 3) blue, green, red; no label stands in what is taken."""
        ...


@dataclass(frozen=True)
class PictureSettings:
    """How pictures look.

    Attributes
    ----------
    view : str
        One of :data:`pose3d.viewer.view_camera.STANDARD_VIEWS`, ``grid``, or a camera: its image with the points in
        it, or the scene as it sees it where there is no video.
    size : (int, int)
        Width and height, px; made even for videos.
    scene : SceneSettings
    captions : bool
        Name, time and the strip of quality; in a grid the angles over time, where the recording has some.
    turn_deg_s : float, degrees/s
        How fast the view goes around the subject.
    follow : bool, optional
        Whether the view follows the subject; by default where it goes far.
    detections : bool
        Rings and whiskers in the images of cameras.
    """

    view: str = "orbit"
    size: tuple[int, int] = (1280, 720)
    scene: SceneSettings = field(default_factory=SceneSettings)
    captions: bool = True
    turn_deg_s: float = 0.0
    follow: bool | None = None
    detections: bool = True

    def __post_init__(self) -> None:
        if not all(_LEAST_SIDE <= side <= _MOST_SIDE for side in self.size):
            width, height = self.size
            raise ConfigError(f"size {width}x{height}: a picture has {_LEAST_SIDE} to {_MOST_SIDE} px on each side")


def check_view(playback: Playback, view: str) -> None:
    """Check that there is such a view of a recording.

    Raises
    ------
    ConfigError
    """
    if view in STANDARD_VIEWS or view == GRID_VIEW or view in playback.cameras:
        return
    cameras = f", or a camera: {', '.join(playback.cameras)}" if playback.cameras else ""
    raise ConfigError(f"view {view!r}: there are {', '.join((*STANDARD_VIEWS, GRID_VIEW))}{cameras}")


class _Pane(NamedTuple):
    """Where a camera's image stands in the picture."""

    camera: str
    x: int
    y: int
    size: tuple[int, int]


class PictureMaker:
    """Makes pictures of one recording, all alike.

    Parameters
    ----------
    playback : Playback
    settings : PictureSettings
    second : Playback, optional
        Drawn in the same space.
    renderer : callable, optional
        Makes what draws scenes of a size (width and height, px).

    Attributes
    ----------
    panes : mapping of str to (int, int)
        The cameras whose images are wanted, and how large.
    """

    def __init__(
        self,
        playback: Playback,
        settings: PictureSettings | None = None,
        *,
        second: Playback | None = None,
        renderer: Callable[[tuple[int, int]], SceneRenderer] = Painter,
    ) -> None:
        self.playback, self.second = playback, second
        self.settings = settings or PictureSettings()
        check_view(playback, self.settings.view)
        self._panel = self._make_panel()
        self._panes, self._scene_size = self._layout()
        self.panes: Mapping[str, tuple[int, int]] = {pane.camera: pane.size for pane in self._panes}
        self._renderer = renderer(self._scene_size) if self._scene_size else None
        self._follows = self._follow()
        self._view = self._first_view() if self._scene_size else None
        self._blank = np.empty((self.settings.size[1], self.settings.size[0], 3), dtype=np.uint8)
        self._blank[:] = _bgr(palette.BACKGROUND)
        self._start = playback.path_of_subject[len(playback.path_of_subject) // 2] if playback.n_frames else np.zeros(3)

    @property
    def _below(self) -> int:
        """How tall what stands below the scene and the panes is, px."""
        strip = strip_height(min(self.settings.size) / 720) if self.settings.captions else 0
        return strip + (0 if self._panel is None else self._panel.size[1])

    def _make_panel(self) -> AnglePanel | None:
        settings, playback = self.settings, self.playback
        height = round(_PANEL_SHARE * min(settings.size))
        if settings.view != GRID_VIEW or not settings.captions or height < _LEAST_PANEL or not playback.n_frames:
            return None
        if not AnglePanel.groups_of(playback, settings.scene.angles):
            return None
        margin = strip_margin(min(settings.size) / 720)
        return AnglePanel(playback, (settings.size[0] - 2 * margin, height), settings.scene.angles)

    def _layout(self) -> tuple[list[_Pane], tuple[int, int] | None]:
        settings, playback = self.settings, self.playback
        width, height = settings.size
        if settings.view in STANDARD_VIEWS:
            return [], settings.size
        if settings.view != GRID_VIEW:
            if settings.view not in playback.videos:
                return [], settings.size
            return [_pane(settings.view, image_size(playback, settings.view), 0, 0, settings.size)], None
        cameras = list(playback.cameras)
        below = self._below
        scene_height = height - below if self._panel is not None else height
        if not cameras:
            return [], (width, scene_height)
        gap = max(4, round(min(settings.size) / 120))
        shapes = [image_size(playback, camera) for camera in cameras]
        choices = [
            (_area((width - left - gap, height - below - 2 * gap), columns, shapes, gap), columns, left)
            for left in {round(width * share) for share in _SCENE_SHARES}
            for columns in range(1, len(cameras) + 1)
        ]
        _, best, left = max(choices)
        room = width - left - gap, height - below - 2 * gap
        rows = -(-len(cameras) // best)
        cell = (room[0] - (best - 1) * gap) // best, (room[1] - (rows - 1) * gap) // rows
        # Cells as low as the images in them: no black bars.
        tall = max(round(shape[1] * fit(shape, cell)[0]) for shape in shapes)
        above = gap + (room[1] - rows * tall - (rows - 1) * gap) // 2
        panes = [
            _pane(
                camera,
                shapes[i],
                left + (i % best) * (cell[0] + gap),
                above + (i // best) * (tall + gap),
                (cell[0], tall),
            )
            for i, camera in enumerate(cameras)
        ]
        return panes, (left, scene_height)

    def _follow(self) -> bool:
        if self.settings.follow is not None:
            return self.settings.follow
        narrow = self._scene_size is not None and self._scene_size[0] < _NARROW * self._scene_size[1]
        return narrow or follows(self.playback)

    def _first_view(self) -> ViewCamera:
        settings, playback = self.settings, self.playback
        assert self._scene_size is not None
        if settings.view in playback.cameras and playback.rig is not None and settings.view in playback.rig:
            return ViewCamera.from_camera(playback.rig[settings.view], playback.ground.axes)
        aspect = self._scene_size[0] / self._scene_size[1]
        view = settings.view if settings.view in STANDARD_VIEWS else "orbit"
        return frame_camera(playback, view, aspect=aspect, follow=self._follows)

    def view(self, row: int) -> ViewCamera | None:
        """Return where the scene is looked at from in a row; None where only a camera's image is shown."""
        view = self._view
        if view is None or view.camera is not None or not self.playback.n_frames:
            return view
        if self._follows:
            view = view.looking_at(view.target + self.playback.path_of_subject[row] - self._start)
        if self.settings.turn_deg_s:
            view = view.turned(self.settings.turn_deg_s * row / self.playback.fps, 0.0)
        return view

    def make(self, row: int, images: Mapping[str, Image | None] | None = None, *, out: Image | None = None) -> Image:
        """Make the picture of a row.

        Parameters
        ----------
        row : int
        images : mapping of str to array or None
            The cameras' images at that row, of any size; None where the video has none.
        out : (h, w, 3) uint8 array, optional
            Drawn into, instead of a new picture.

        Returns
        -------
        (h, w, 3) uint8 array
            Blue, green, red.
        """
        settings = self.settings
        width, height = settings.size
        picture = np.empty((height, width, 3), dtype=np.uint8) if out is None else out
        view = self.view(row)
        if self._scene_size != settings.size and [pane.size for pane in self._panes] != [settings.size]:
            np.copyto(picture, self._blank)
        words = self._words(row)
        if view is not None and self._renderer is not None and self._scene_size is not None:
            shown = replace(settings.scene, frusta=False) if view.camera is not None else settings.scene
            scene, taken = build_scene(self.playback, row, shown, second=self.second), [each.box for each in words]
            if self._scene_size == settings.size:
                self._renderer.paint(scene, view, out=picture, taken=taken)
            else:
                wide, tall = self._scene_size
                picture[:tall, :wide] = self._renderer.paint(scene, view, taken=taken)
        for pane in self._panes:
            self._draw_pane(picture, pane, row, (images or {}).get(pane.camera))
        if self._panel is not None:
            wide, tall = self._panel.size
            top, left = height - self._below, (width - wide) // 2
            self._panel.draw(picture[top : top + tall, left : left + wide], row)
        if words:
            draw_captions(picture, self.playback, row, words)
        return picture

    def _words(self, row: int) -> list[Words]:
        settings = self.settings
        if not settings.captions or self._scene_size is None:  # over a video only the strip would hide too much
            return []
        enlarged = settings.scene.ellipsoids and settings.scene.magnify != 1
        return caption_words(
            (settings.size[1], settings.size[0]),
            self.playback,
            row,
            second="" if self.second is None else self.second.name,
            right=self._scene_size[0],
            note=f"ellipsoids {settings.scene.magnify:g} times enlarged" if enlarged else "",
        )

    def _draw_pane(self, picture: Image, pane: _Pane, row: int, image: Image | None) -> None:
        width, height = pane.size
        part = picture[pane.y : pane.y + height, pane.x : pane.x + width]
        fitting, (left, above) = (None, (0, 0)) if image is None else fitted(image, pane.size)
        if fitting is None or fitting.shape[:2] != (height, width):
            cv2.rectangle(part, (0, 0), (width, height), _bgr(palette.PANEL), -1)
        if fitting is not None:
            part[above : above + fitting.shape[0], left : left + fitting.shape[1]] = fitting
        full = image_size(self.playback, pane.camera)
        draw_overlay(
            part,
            self.playback,
            pane.camera,
            row,
            full_size=full,
            detections=self.settings.detections,
            chip=image is not None,
        )
        if image is None:
            note = "no video" if pane.camera not in self.playback.videos else "no frame here"
            draw_chip(part, pane.camera, float("nan"), full[0], note=note)


def _pane(camera: str, shape: tuple[int, int], x: int, y: int, cell: tuple[int, int]) -> _Pane:
    scale, left, above = fit(shape, cell)
    size = min(round(shape[0] * scale), cell[0]), min(round(shape[1] * scale), cell[1])
    return _Pane(camera, x + int(left), y + int(above), size)


def _area(room: tuple[int, int], columns: int, shapes: list[tuple[int, int]], gap: int) -> float:
    rows = -(-len(shapes) // columns)
    cell = (room[0] - (columns - 1) * gap) // columns, (room[1] - (rows - 1) * gap) // rows
    if min(cell) < 8:
        return 0.0
    return sum(shape[0] * shape[1] * fit(shape, cell)[0] ** 2 for shape in shapes)


def _bgr(rgb: palette.Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in rgb)
    return blue, green, red
