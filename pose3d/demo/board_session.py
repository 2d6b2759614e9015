"""Board clips of a whole rig, with the truth: what the calibration is tested on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose3d.data.board import Board
from pose3d.data.camera import Camera, Rig
from pose3d.demo.board import BoardPainter, faces_camera, inside_image, light_on
from pose3d.demo.board_motion import move_board
from pose3d.demo.noise import SensorNoise
from pose3d.demo.rendering import FrameCounter, run_all
from pose3d.demo.room import Room
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.transforms import apply
from pose3d.log import Progress, no_progress

__all__ = ["BOARD_FPS", "CLIP_CRF", "BoardSession", "render_board_frames", "render_board_session"]

BOARD_FPS = 10.0
CLIP_CRF = 22
"""H.264 quality of all clips: as an ordinary camera compresses."""


@dataclass(frozen=True, eq=False)
class BoardSession:
    """Rendered board clips and what is true of them.

    Attributes
    ----------
    videos : dict of str to Path
        Clip of each camera, by the camera's name.
    board : Board
    rig : Rig
        The true cameras.
    world_from_board : (n_frames, 4, 4) array, mm
        The true poses of the board.
    """

    videos: dict[str, Path]
    board: Board
    rig: Rig
    world_from_board: FloatArray

    def corners(self) -> FloatArray:
        """Return the true corners in all images, (n_frames, n_cameras, n_corners, 2) px.

        NaN where a corner lies outside the image or the board shows its back.
        """
        points = apply(self.world_from_board[:, None], self.board.points)
        views = []
        for camera in self.rig:
            seen = inside_image(camera, points) & (faces_camera(camera, self.world_from_board) > 0)[:, None]
            views.append(np.where(seen[..., None], camera.project(points), np.nan))
        return np.stack(views, axis=1)


def render_board_frames(
    camera: Camera,
    board: Board,
    world_from_board: FloatArray,
    *,
    background: np.ndarray,
    seed: int = 0,
    noise: float = 2.0,
) -> Iterator[np.ndarray]:
    """Yield the frames of one camera's clip.

    Parameters
    ----------
    camera : Camera
    board : Board
    world_from_board : (n_frames, 4, 4) array, mm
    background : (h, w, 3) uint8 array
    seed : int
        Of the sensor's noise.
    noise : float
        Its standard deviation, grey levels.
    """
    painter = BoardPainter(camera, board)
    sensor = SensorNoise(camera.size, sigma=noise, rng=np.random.default_rng([seed, 23]))
    for pose, light in zip(world_from_board, light_on(world_from_board), strict=True):
        image = background.copy()
        painter.paint(image, pose, light=float(light))
        yield sensor.add(image)


def render_board_session(
    folder: str | Path,
    board: Board,
    rig: Rig,
    *,
    n_frames: int = 80,
    seed: int = 0,
    floor_mm: float | None = None,
    workers: int = 2,
    progress: Progress = no_progress,
) -> BoardSession:
    """Render clips of a moving board for every camera of a rig.

    Parameters
    ----------
    folder : path
        Made if it is absent; the clips are ``board_<camera>.mp4``.
    board : Board
        Any kind, inverted or legacy as well.
    rig : Rig
        The true cameras; any lens model, any roll.
    n_frames : int
        At 10 fps.
    seed : int
        Of the motion, the room and the noise; the same seed gives the same frames.
    floor_mm : float, optional
        Keeps the board above this world height.
    workers : int
        Cameras rendered at a time.
    progress : callable, optional

    Returns
    -------
    BoardSession
    """
    from pose3d.io.video import write_video

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    poses = move_board(board, rig, n_frames=n_frames, rng=np.random.default_rng([seed, 21]), floor_mm=floor_mm)
    room = Room.around(rig, seed=seed)
    videos = {camera.name: folder / f"board_{camera.name}.mp4" for camera in rig}
    counter = FrameCounter(progress, "board clips", n_frames * len(rig))

    def render(number: int) -> None:
        camera = rig.cameras[number]
        frames = render_board_frames(camera, board, poses, background=room.paint(camera), seed=seed * 1000 + number)
        write_video(videos[camera.name], counter.follow(frames), fps=BOARD_FPS, crf=CLIP_CRF)

    run_all(render, len(rig), workers=workers, counter=counter)
    return BoardSession(videos, board, rig, poses)
