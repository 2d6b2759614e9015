"""Labelled images of many people who walk and exercise, on which the demo's own network learns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.demo.body_scene import BodyScene
from pose3d.demo.exercise_scene import EXERCISES, ExerciseScene
from pose3d.demo.walk_scene import WalkScene
from pose3d.io.images import write_png
from pose3d.log import Progress, no_progress

__all__ = ["Shots", "exercise_shots", "walk_shots", "write_body_images", "write_walk_images"]

_SIZE = (960, 720)


@dataclass(frozen=True)
class Shots:
    """Instants of one recording.

    Attributes
    ----------
    recording : str
    frames : tuple of int
    make : callable
        Gives the scene that is rendered; it is made when its turn comes, and let go.
    """

    recording: str
    frames: tuple[int, ...]
    make: Callable[[], BodyScene]


def walk_shots(frames: Mapping[int, Sequence[int]], *, size: tuple[int, int] = _SIZE) -> list[Shots]:
    """List instants of the walks of several seeds.

    Parameters
    ----------
    frames : mapping of int to sequence of int
        Seed to indices of frames.
    size : (int, int), px
    """

    def maker(seed: int, last: int) -> Callable[[], BodyScene]:
        return lambda: WalkScene(seed, last + 1, size=size)

    return [Shots(f"seed{seed}", tuple(chosen), maker(seed, max(chosen))) for seed, chosen in frames.items()]


def exercise_shots(
    seeds: Iterable[int], n: int, *, exercises: Sequence[str] = EXERCISES, size: tuple[int, int] = _SIZE
) -> list[Shots]:
    """List instants of exercises, one exercise a seed in turns, spread over its repetitions.

    Parameters
    ----------
    seeds : iterable of int
    n : int
        Instants of each.
    exercises : sequence of str
        Which ones take turns.
    size : (int, int), px
    """

    def maker(seed: int, exercise: str) -> Callable[[], BodyScene]:
        return lambda: ExerciseScene(seed, exercise, 2, size=size)

    out = []
    for number, seed in enumerate(seeds):
        exercise = exercises[number % len(exercises)]
        last = len(ExerciseScene(seed, exercise, 2, size=size).xyz)
        part = (np.arange(n) + np.random.default_rng([seed, 73]).uniform(0, 1, n)) / n
        frames = tuple(int(frame) for frame in part * last)
        out.append(Shots(f"seed{seed}-{exercise}", frames, maker(seed, exercise)))
    return out


def write_body_images(
    folder: str | Path, shots: Sequence[Shots], *, progress: Progress = no_progress
) -> LabelledImages:
    """Render instants from all cameras, with every keypoint that lies in the image labelled.

    Those that the body or furniture hides are labelled as occluded.

    Parameters
    ----------
    folder : path
        Images go to ``seed1000_frontleft/img0042.png`` in it.
    shots : sequence of Shots
    progress : callable, optional

    Returns
    -------
    LabelledImages
    """
    folder = Path(folder)
    images: list[ImageName] = []
    recordings: list[str] = []
    cameras: list[str] = []
    places, marks = [], []
    keypoints: tuple[str, ...] = ()
    for done, shot in enumerate(shots):
        scene, chosen = shot.make(), list(shot.frames)
        keypoints = scene.skeleton.keypoints
        xy = scene.xy[chosen]
        size = np.array(scene.rig.cameras[0].size)
        outside = ((xy < 0) | (xy > size - 1)).any(-1)
        xy[outside] = np.nan
        for number, camera in enumerate(scene.rig.names):
            pictures = scene.frames(number, chosen, background=scene.background(number))
            for frame, picture in zip(chosen, pictures, strict=True):
                name = ImageName(f"{shot.recording}_{camera}", f"img{frame:04d}.png")
                write_png(folder.joinpath(*name), picture, compression=1)
                images.append(name)
                recordings.append(shot.recording)
                cameras.append(camera)
        places.append(xy.swapaxes(0, 1).reshape(-1, 1, *xy.shape[2:]))
        hidden = np.where(scene.hidden(np.array(chosen)), Mark.OCCLUDED, Mark.VISIBLE)
        marks.append(np.where(outside, Mark.ABSENT, hidden).swapaxes(0, 1).reshape(-1, 1, xy.shape[2]))
        progress("rendering", done + 1, len(shots))
    place, mark = np.concatenate(places), np.concatenate(marks).astype(np.uint8)
    labels = Labels(tuple(images), ("person",), keypoints, place, mark, "truth")
    return LabelledImages(labels, tuple(folder.joinpath(*name) for name in images), tuple(recordings), tuple(cameras))


def write_walk_images(
    folder: str | Path,
    frames: Mapping[int, Sequence[int]],
    *,
    size: tuple[int, int] = _SIZE,
    progress: Progress = no_progress,
) -> LabelledImages:
    """Render some frames of the walks of several seeds; see :func:`write_body_images`.

    Parameters
    ----------
    folder : path
    frames : mapping of int to sequence of int
        Seed to indices of frames.
    size : (int, int), px
    progress : callable, optional

    Returns
    -------
    LabelledImages
        One recording a seed.
    """
    return write_body_images(folder, walk_shots(frames, size=size), progress=progress)
