"""Keypoints that people marked in single images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d.data.names import counted, different_names
from pose3d.geometry.arrays import FloatArray, IntArray, frozen_array

__all__ = ["ImageName", "LabelledImages", "Labels", "Mark"]


class Mark(IntEnum):
    """What a person said of a keypoint in an image."""

    UNLABELLED = 0
    """Nothing: it was not looked at, and a network learns nothing from it."""
    VISIBLE = 1
    OCCLUDED = 2
    """Its place is known though something hides it. A network need not answer, and errors are reported apart."""
    ABSENT = 3
    """It cannot be placed: out of the image, or hidden altogether. A network learns to stay silent."""


class ImageName(NamedTuple):
    """An image as DeepLabCut names it: ``labeled-data/<video>/<image>``.

    Examples
    --------
    >>> ImageName("walk_left", "img0042.png").frame
    42
    """

    video: str
    image: str

    @property
    def frame(self) -> int | None:
        """Index of the frame in its video, from the digits at the end of the name; None where there are none."""
        stem = self.image.rpartition(".")[0] or self.image
        digits = stem[len(stem.rstrip("0123456789")) :]
        return int(digits) if digits.isascii() and digits else None


@dataclass(frozen=True, eq=False, repr=False)
class Labels:
    """Labelled keypoints of images, matched by the images' names.

    Attributes
    ----------
    images : tuple of ImageName
    individuals, keypoints : tuple of str
    xy : (n_images, n_individuals, n_keypoints, 2) array, px
        NaN where there is no place.
    mark : (n_images, n_individuals, n_keypoints) uint8 array
        Of :class:`Mark`. A place without a mark is visible; a mark that promises a place where there is none counts as
        unlabelled, and what is absent has no place.
    scorer : str
        Who labelled.
    """

    images: tuple[ImageName, ...]
    individuals: tuple[str, ...]
    keypoints: tuple[str, ...]
    xy: FloatArray
    mark: NDArray[np.uint8]
    scorer: str = "pose3d"

    def __post_init__(self) -> None:
        put = object.__setattr__
        images = tuple(ImageName(*image) for image in self.images)
        if len(set(images)) != len(images):
            raise ValueError("an image is named twice")
        put(self, "images", images)
        put(self, "individuals", different_names("individuals", self.individuals))
        put(self, "keypoints", different_names("keypoints", self.keypoints))
        shape = (len(images), len(self.individuals), len(self.keypoints))
        xy = np.array(self.xy, dtype=np.float64)
        mark = np.array(self.mark, dtype=np.uint8)
        if xy.shape != (*shape, 2) or mark.shape != shape:
            raise ValueError(f"xy {xy.shape} and mark {mark.shape} do not fit {shape} images, individuals, keypoints")
        if mark.size and mark.max() > max(Mark):
            raise ValueError(f"mark {mark.max()} means nothing")
        placed = np.isfinite(xy).all(-1) & (mark != Mark.ABSENT)
        xy[~placed] = np.nan
        mark[placed & (mark == Mark.UNLABELLED)] = Mark.VISIBLE
        mark[~placed & (mark != Mark.ABSENT)] = Mark.UNLABELLED
        put(self, "xy", frozen_array(xy, shape=(*shape, 2), what="xy"))
        put(self, "mark", frozen_array(mark, shape=shape, what="mark", dtype=np.uint8))

    def __repr__(self) -> str:
        n = int((self.mark != Mark.UNLABELLED).sum())
        return (
            f"Labels({counted(len(self.images), 'image')}, {counted(len(self.individuals), 'individual')}, "
            f"{counted(len(self.keypoints), 'keypoint')}, {counted(n, 'label')})"
        )

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def empty(
        cls,
        images: Sequence[ImageName],
        individuals: Sequence[str],
        keypoints: Sequence[str],
        *,
        scorer: str = "pose3d",
    ) -> "Labels":
        """Return images of which nothing is labelled."""
        shape = (len(images), len(individuals), len(keypoints))
        return cls(
            tuple(images),
            tuple(individuals),
            tuple(keypoints),
            np.full((*shape, 2), np.nan),
            np.zeros(shape, dtype=np.uint8),
            scorer,
        )

    def take(self, index: Sequence[int] | IntArray) -> "Labels":
        """Return some of the images, in the order of `index`."""
        rows = np.asarray(index, dtype=np.int64)
        return replace(self, images=tuple(self.images[i] for i in rows), xy=self.xy[rows], mark=self.mark[rows])

    def visible(self) -> "Labels":
        """Return what the images show: what is occluded becomes unlabelled."""
        return replace(self, mark=self.mark, xy=np.where((self.mark == Mark.OCCLUDED)[..., None], np.nan, self.xy))

    def with_keypoints(self, keypoints: Sequence[str]) -> "Labels":
        """Return the named keypoints in that order; those that are not here are unlabelled."""
        there = {name: i for i, name in enumerate(self.keypoints)}
        shape = (*self.mark.shape[:2], len(keypoints))
        xy, mark = np.full((*shape, 2), np.nan), np.zeros(shape, dtype=np.uint8)
        for column, name in enumerate(keypoints):
            if name in there:
                xy[:, :, column], mark[:, :, column] = self.xy[:, :, there[name]], self.mark[:, :, there[name]]
        return replace(self, keypoints=tuple(keypoints), xy=xy, mark=mark)

    def updated(self, other: "Labels") -> "Labels":
        """Return these labels with those of `other` in the place of theirs, image by image; new images come last.

        Raises
        ------
        ValueError
            If individuals or keypoints differ.
        """
        if other.individuals != self.individuals or other.keypoints != self.keypoints:
            raise ValueError("individuals and keypoints of labels that are joined must be the same")
        at = {image: i for i, image in enumerate(self.images)}
        new = [i for i, image in enumerate(other.images) if image not in at]
        old = [i for i, image in enumerate(other.images) if image in at]
        xy = np.concatenate([self.xy, other.xy[new]])
        mark = np.concatenate([self.mark, other.mark[new]])
        rows = [at[other.images[i]] for i in old]
        xy[rows], mark[rows] = other.xy[old], other.mark[old]
        return replace(self, images=(*self.images, *(other.images[i] for i in new)), xy=xy, mark=mark)


@dataclass(frozen=True, eq=False, repr=False)
class LabelledImages:
    """Labels with the images that they are of, and where these come from.

    Attributes
    ----------
    labels : Labels
    paths : tuple of Path
        The images, one a row of the labels.
    recordings : tuple of str
        The recording that each image is from, the same for all cameras of one trial: ``monday/walk``.
    cameras : tuple of str
    """

    labels: Labels
    paths: tuple[Path, ...]
    recordings: tuple[str, ...]
    cameras: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.paths) == len(self.recordings) == len(self.cameras):
            raise ValueError("labels, paths, recordings and cameras differ in number")

    def __repr__(self) -> str:
        n = counted(len(set(self.recordings)), "recording")
        return f"LabelledImages({n}, {counted(len(set(self.cameras)), 'camera')}, {self.labels!r})"

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def frames(self) -> IntArray:
        """(n_images,) index of each image's frame in its video; -1 where its name tells none."""
        numbers = [image.frame for image in self.labels.images]
        return np.array([-1 if number is None else number for number in numbers], dtype=np.int64)

    def take(self, index: Sequence[int] | IntArray) -> "LabelledImages":
        """Return some of the images, in the order of `index`."""
        rows = [int(i) for i in index]
        return LabelledImages(
            self.labels.take(rows),
            tuple(self.paths[i] for i in rows),
            tuple(self.recordings[i] for i in rows),
            tuple(self.cameras[i] for i in rows),
        )
