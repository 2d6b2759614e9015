"""Labelled images of many walking people, on which the demo's own network learns."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.demo.walk_scene import WalkScene
from pose3d.io.images import write_png
from pose3d.log import Progress, no_progress

__all__ = ["write_walk_images"]


def write_walk_images(
    folder: str | Path,
    frames: Mapping[int, Sequence[int]],
    *,
    size: tuple[int, int] = (960, 720),
    progress: Progress = no_progress,
) -> LabelledImages:
    """Render some frames of the walks of several seeds, with every keypoint that lies in the image labelled.

    Those that the body hides are labelled as occluded.

    Parameters
    ----------
    folder : path
        Images go to ``seed1000_frontleft/img0042.png`` in it.
    frames : mapping of int to sequence of int
        Seed to indices of frames.
    size : (int, int), px
    progress : callable, optional

    Returns
    -------
    LabelledImages
        One recording a seed.
    """
    folder = Path(folder)
    images: list[ImageName] = []
    recordings: list[str] = []
    cameras: list[str] = []
    places, marks = [], []
    keypoints: tuple[str, ...] = ()
    for done, (seed, chosen) in enumerate(frames.items()):
        scene = WalkScene(seed, max(chosen) + 1, size=size)
        keypoints = scene.skeleton.keypoints
        xy = scene.xy[list(chosen)]
        outside = ((xy < 0) | (xy > np.array(size) - 1)).any(-1)
        xy[outside] = np.nan
        for number, camera in enumerate(scene.rig.names):
            pictures = scene.frames(number, chosen, background=scene.background(number))
            for frame, picture in zip(chosen, pictures, strict=True):
                name = ImageName(f"seed{seed}_{camera}", f"img{frame:04d}.png")
                write_png(folder.joinpath(*name), picture, compression=1)
                images.append(name)
                recordings.append(f"seed{seed}")
                cameras.append(camera)
        places.append(xy.swapaxes(0, 1).reshape(-1, 1, *xy.shape[2:]))
        hidden = np.where(scene.hidden(np.array(chosen)), Mark.OCCLUDED, Mark.VISIBLE)
        marks.append(np.where(outside, Mark.ABSENT, hidden).swapaxes(0, 1).reshape(-1, 1, xy.shape[2]))
        progress("rendering", done + 1, len(frames))
    place, mark = np.concatenate(places), np.concatenate(marks).astype(np.uint8)
    labels = Labels(tuple(images), ("person",), keypoints, place, mark, "truth")
    return LabelledImages(labels, tuple(folder.joinpath(*name) for name in images), tuple(recordings), tuple(cameras))
