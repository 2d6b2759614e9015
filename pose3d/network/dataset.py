"""Labelled images as a network is fed with them: read once, made different each time, with their targets packed."""

import os
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.data.labels import LabelledImages, Mark
from pose3d.errors import DataError
from pose3d.geometry.arrays import IntArray
from pose3d.io.images import Image, read_image
from pose3d.log import Progress, no_progress
from pose3d.network.augmentation import Augmentation, augment
from pose3d.network.padding import pad_image
from pose3d.network.spec import NetworkSpec
from pose3d.network.targets import pack_targets

__all__ = [
    "ImageCache",
    "make_dataset",
    "sample_batch",
    "scale_image",
    "unpack_targets",
]


def scale_image(image: Image, scale: float) -> Image:
    """Return an image at the scale of a network, whose pixels lie where :meth:`NetworkSpec.to_network` has them."""
    if scale == 1:
        return image
    # The factors rather than the size: that of an odd number of pixels would change them.
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class ImageCache:
    """Labelled images at the scale of a network, read once as long as memory allows.

    All are read at once, so that one that cannot be read is found before training begins.

    Parameters
    ----------
    images : LabelledImages
    spec : NetworkSpec
    gib : float, optional
        Memory for them; others are read again each time.
    progress : callable, optional

    Attributes
    ----------
    images : LabelledImages
    xy : (n_images, n_individuals, n_keypoints, 2) array, px of the network's input
        Of the keypoints of the network.
    mark : (n_images, n_individuals, n_keypoints) array
    labelled : (n,) array
        Index of the images in which anything is marked.

    Raises
    ------
    FormatError
        If an image cannot be read.
    DataError
        If there is none.
    """

    def __init__(
        self, images: LabelledImages, spec: NetworkSpec, *, gib: float = 2.0, progress: Progress = no_progress
    ) -> None:
        if not len(images):
            raise DataError("there are no labelled images; label some with `pose3d label`")
        self.images = images
        labels = images.labels.with_keypoints(spec.keypoints)
        self.xy, self.mark = spec.to_network(labels.xy), labels.mark
        self.labelled: IntArray = np.flatnonzero((labels.mark != Mark.UNLABELLED).any((1, 2)))
        self._scale, self._multiple = spec.scale, spec.multiple
        self._kept: dict[int, Image] = {}
        self._sizes: list[tuple[int, int]] = []
        free = gib * 2**30
        for i in range(len(images)):
            image = self._read(i)
            self._sizes.append((image.shape[1], image.shape[0]))
            if image.nbytes <= free:
                self._kept[i] = image
                free -= image.nbytes
            progress("reading images", i + 1, len(images))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image:
        """Return one image, (h, w, 3) in the order red, green, blue; not to be written to."""
        kept = self._kept.get(index)
        return self._read(index) if kept is None else kept

    def size(self, index: int) -> tuple[int, int]:
        """Return width and height of an image at the scale of the network."""
        return self._sizes[index]

    def batches(self, batch_size: int) -> Iterator[tuple[IntArray, NDArray[np.uint8]]]:
        """Give whole images, those of one size together and padded.

        Yields
        ------
        index : (n,) array
        images : (n, h, w, 3) uint8 array
        """
        sizes = np.array(self._sizes)
        for size in np.unique(sizes, axis=0):
            alike = np.flatnonzero((sizes == size).all(1))
            for first in range(0, len(alike), batch_size):
                index = alike[first : first + batch_size]
                yield index, np.stack([pad_image(self[int(i)], multiple=self._multiple) for i in index])

    def _read(self, index: int) -> Image:
        image = scale_image(read_image(self.images.paths[index]), self._scale)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def unpack_targets(packed: Any) -> tuple[Any, Any, Any, Any]:
    """Take what :func:`~pose3d.network.targets.pack_targets` packed apart, in Keras.

    Returns
    -------
    score, score_weight, locref, locref_weight : tensors
        See :class:`~pose3d.network.targets.Targets`.
    """
    from keras import ops

    n = packed.shape[-1] // 3
    mark, locref = packed[..., :n], packed[..., n:]
    score = ops.maximum(mark, 0.0)
    return score, ops.cast(mark >= 0, "float32"), locref, ops.repeat(score, 2, axis=-1)


def sample_batch(
    images: ImageCache,
    step: int,
    *,
    spec: NetworkSpec,
    settings: Augmentation,
    size: tuple[int, int],
    batch: int,
    seed: int,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Make the batch of one step of training.

    Sample `i` depends on `seed`, `step` and `i` alone, so that a training that is gone on with sees what it would have
    seen. Images come in a new order each time when all have been seen.

    Parameters
    ----------
    images : ImageCache
    step : int
    spec : NetworkSpec
    settings : Augmentation
    size : (int, int)
        Width and height of the crops, multiples of 32.
    batch, seed : int

    Returns
    -------
    pixels : (batch, size[1], size[0], 3) uint8 array
        Red, green, blue.
    targets : (batch, size[1] / stride, size[0] / stride, 3 n_keypoints) float32 array
        Packed.

    Raises
    ------
    DataError
        If nothing is labelled.
    """
    candidates = images.labelled
    if not len(candidates):
        raise DataError("no keypoint is labelled in any image; label some with `pose3d label`")
    epoch, place = np.divmod(step * batch + np.arange(batch), len(candidates))
    orders = {int(e): np.random.default_rng([seed, int(e)]).permutation(candidates) for e in np.unique(epoch)}
    pixels = np.empty((batch, size[1], size[0], 3), dtype=np.uint8)
    xy, mark = np.empty((batch, *images.xy.shape[1:])), np.empty((batch, *images.mark.shape[1:]), dtype=np.uint8)
    for i in range(batch):
        index = int(orders[int(epoch[i])][place[i]])
        rng = np.random.default_rng([seed, step, i])
        pixels[i], xy[i], mark[i] = augment(
            images[index], images.xy[index], mark=images.mark[index], rng=rng, spec=spec, settings=settings, size=size
        )
    grid = (size[1] // spec.stride, size[0] // spec.stride)
    return pixels, pack_targets(xy, mark, grid=grid, spec=spec)


def make_dataset(
    images: ImageCache,
    spec: NetworkSpec,
    *,
    settings: Augmentation,
    size: tuple[int, int],
    batch: int,
    seed: int,
    first_step: int,
    n_steps: int,
) -> Any:
    """Return the batches of some steps of training as a ``tf.data.Dataset`` of (pixels, packed targets).

    See :func:`sample_batch`, which makes each of them, some at a time and in order.
    """
    import tensorflow as tf

    def make(step: Any) -> Any:
        return sample_batch(images, int(step), spec=spec, settings=settings, size=size, batch=batch, seed=seed)

    def make_one(step: Any) -> tuple[Any, Any]:
        pixels, targets = tf.numpy_function(make, [step], (tf.uint8, tf.float32))
        grid = (size[1] // spec.stride, size[0] // spec.stride)
        return (
            tf.ensure_shape(pixels, (batch, size[1], size[0], 3)),
            tf.ensure_shape(targets, (batch, *grid, 3 * len(spec.keypoints))),
        )

    steps = tf.data.Dataset.range(first_step, first_step + n_steps)
    return steps.map(make_one, num_parallel_calls=min(4, os.cpu_count() or 1), deterministic=True).prefetch(2)
