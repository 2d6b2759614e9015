"""Moments of a movement side by side, as reports show them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose3d.viewer.painter import Painter
from pose3d.viewer.playback import Playback
from pose3d.viewer.scene import SceneSettings, build_scene
from pose3d.viewer.view_camera import StandardView, frame_camera

__all__ = ["film_strip"]

Image: TypeAlias = NDArray[np.uint8]

_LOOK = SceneSettings(trails=False, frusta=False, events=False)
_EXCHANGED = np.array([0, 2, 1])
_GOES = 0.3  # body sizes between the first and the last moment, from which the subject is seen from its way's side


def film_strip(playback: Playback, rows: Sequence[int], size: tuple[int, int], *, view: StandardView = "side") -> Image:
    """Paint moments side by side, each with the subject in its middle.

    Left is orange and right is blue, as in the curves of reports, and not as in the player.

    Parameters
    ----------
    playback : Playback
    rows : sequence of int
    size : (int, int), px
        Of one moment.
    view : str
        ``side`` is that of the way from the first row to the last, where the subject goes on.

    Returns
    -------
    (h, n * w, 3) uint8 array
        Blue, green, red.
    """
    path, ground = playback.path_of_subject, playback.ground
    framed = [frame_camera(playback, view, row=row, aspect=size[0] / size[1]) for row in rows]
    widest = max(framed, key=lambda camera: camera.distance_mm)
    ahead, left, _ = ground.axes @ (path[rows[-1]] - path[rows[0]])
    goes = view == "side" and np.hypot(ahead, left) > _GOES * playback.size_mm
    camera = widest.turned(float(np.degrees(np.arctan2(left, ahead))), 0.0) if goes else widest
    playback = replace(playback)
    vars(playback)["sides"] = _EXCHANGED[playback.sides]
    painter, moments = Painter(size), []
    for row, own in zip(rows, framed, strict=True):
        rise = (own.target - widest.target) @ ground.up  # the floor stays where it is
        looking = camera.looking_at(own.target - rise * ground.up)
        moments.append(painter.paint(build_scene(playback, row, _LOOK), looking))
    return np.hstack(moments)
