"""Pictures of a recording: its scene from any side, a camera's image with the points in it, or all of them together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.errors import ConfigError
from pose3d.viewer import palette
from pose3d.viewer.captions import draw_captions, strip_height
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


class SceneRenderer(Protocol):
    """What draws scenes: the painter, or OpenGL."""

    def paint(self, scene: Scene, view: ViewCamera, *, out: Image | None = None) -> Image:
        """Draw a scene, (h, w, 3) blue, green, red."""
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
        Name, time and the strip of quality.
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
        self._panes, self._scene_size, self._scene_at = self._layout()
        self.panes: Mapping[str, tuple[int, int]] = {pane.camera: pane.size for pane in self._panes}
        self._renderer = renderer(self._scene_size) if self._scene_size else None
        self._follows = self._follow()
        self._view = self._first_view() if self._scene_size else None
        self._blank = np.empty((self.settings.size[1], self.settings.size[0], 3), dtype=np.uint8)
        self._blank[:] = _bgr(palette.BACKGROUND)
        self._start = playback.path_of_subject[len(playback.path_of_subject) // 2] if playback.n_frames else np.zeros(3)

    def _layout(self) -> tuple[list[_Pane], tuple[int, int] | None, tuple[int, int]]:
        settings, playback = self.settings, self.playback
        width, height = settings.size
        if settings.view in STANDARD_VIEWS:
            return [], settings.size, (0, 0)
        if settings.view != GRID_VIEW:
            if settings.view not in playback.videos:
                return [], settings.size, (0, 0)
            return [_pane(settings.view, image_size(playback, settings.view), 0, 0, settings.size)], None, (0, 0)
        cameras = list(playback.cameras)
        if not cameras:
            return [], settings.size, (0, 0)
        gap = max(4, round(min(settings.size) / 120))
        bottom = strip_height(min(settings.size) / 720) if settings.captions else 0
        shapes = [image_size(playback, camera) for camera in cameras]
        choices = [
            (_area((width - left - gap, height - bottom - 2 * gap), columns, shapes, gap), columns, left)
            for left in {round(width * share) for share in _SCENE_SHARES}
            for columns in range(1, len(cameras) + 1)
        ]
        _, best, left = max(choices)
        room = width - left - gap, height - bottom - 2 * gap
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
        return panes, (left, height), (0, 0)

    def _follow(self) -> bool:
        if self.settings.follow is not None:
            return self.settings.follow
        narrow = self._scene_size is not None and self._scene_size[0] < self._scene_size[1]
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
        width, height = self.settings.size
        picture = np.empty((height, width, 3), dtype=np.uint8) if out is None else out
        view = self.view(row)
        if view is not None and self._renderer is not None and self._scene_size is not None:
            shown = self.settings.scene
            if view.camera is not None:
                shown = replace(shown, frusta=False)
            scene = build_scene(self.playback, row, shown, second=self.second)
            if self._scene_size == self.settings.size:
                self._renderer.paint(scene, view, out=picture)
            else:
                np.copyto(picture, self._blank)
                wide, tall = self._scene_size
                picture[:tall, :wide] = self._renderer.paint(scene, view)
        elif any(pane.size != self.settings.size for pane in self._panes):
            np.copyto(picture, self._blank)
        for pane in self._panes:
            self._draw_pane(picture, pane, row, (images or {}).get(pane.camera))
        if self.settings.captions:
            self._draw_captions(picture, row)
        return picture

    def _draw_captions(self, picture: Image, row: int) -> None:
        if self._scene_size is None:  # over a video only the strip's room would hide too much
            return
        draw_captions(
            picture,
            self.playback,
            row,
            second="" if self.second is None else self.second.name,
            right=self._scene_size[0],
            note=f"ellipsoids {self.settings.scene.magnify:g} times enlarged"
            if self.settings.scene.ellipsoids and self.settings.scene.magnify != 1
            else "",
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
