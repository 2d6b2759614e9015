"""What is labelled at one sitting, and with what help: all that the labelling page knows of a project."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pose3d.data.camera import Rig
from pose3d.data.labels import LabelledImages
from pose3d.data.skeleton import Skeleton
from pose3d.geometry.arrays import FloatArray
from pose3d.labeling.queue import Instant

__all__ = ["Guess", "LabelingTask"]


class Guess(NamedTuple):
    """What a network says of an image.

    Attributes
    ----------
    xy : (n_individuals, n_keypoints, 2) array, px
    score : (n_individuals, n_keypoints) array, 0..1
    """

    xy: FloatArray
    score: FloatArray


def _nothing_known(_row: int) -> None:
    return None


@dataclass(frozen=True, eq=False)
class LabelingTask:
    """What is to be labelled, and with what help.

    Attributes
    ----------
    title : str
    images : LabelledImages
    instants : tuple of Instant
        In the order in which they are shown.
    skeleton : Skeleton
        For its edges and pairs; the keypoints are those of the labels.
    rigs : mapping of str to Rig
        Recording to its cameras; a recording without a calibration has none.
    guess : callable
        ``guess(row)`` tells what a network found in an image, as a start.
    size : callable
        ``size(row)`` tells width and height of an image in px. A camera whose image has not the size that was
        calibrated counts as not calibrated.
    """

    title: str
    images: LabelledImages
    instants: tuple[Instant, ...]
    skeleton: Skeleton
    rigs: Mapping[str, Rig] = field(default_factory=dict)
    guess: Callable[[int], Guess | None] = _nothing_known
    size: Callable[[int], tuple[int, int] | None] = _nothing_known
