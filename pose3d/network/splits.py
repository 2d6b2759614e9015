"""Which labelled images are learnt from, and which are held out to measure on."""

from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pose3d.data.labels import LabelledImages
from pose3d.errors import DataError
from pose3d.geometry.arrays import IntArray
from pose3d.log import logger

__all__ = ["SplitBy", "group_instants", "learnt_images", "split_images"]

_GAP = 5  # frames

SplitBy = Literal["block", "recording"]


def split_images(
    images: LabelledImages,
    *,
    test_fraction: float = 0.1,
    by: SplitBy = "block",
    gap: int = _GAP,
    seed: int = 0,
    times: IntArray | None = None,
) -> tuple[IntArray, IntArray]:
    """Choose images to hold out, so that none of them is a neighbour of one that is learnt from.

    The images of all cameras at one instant stay together. Neighbours in time look alike: with some of them on each
    side, the error on held-out images would tell how well a network remembers.

    Parameters
    ----------
    images : LabelledImages
    test_fraction : float, optional
        Share of the instants to hold out; at least one is.
    by : str, optional
        ``block``: a block of time of each recording, or of the longest ones where there are few labels. ``recording``:
        whole recordings; with only one, a block of it.
    gap : int, optional
        Instants to learn from that lie fewer frames than this from a held-out one are on neither side, unless nothing
        would be left.
    seed : int, optional
        Of the choice.
    times : (n_images,) int array, optional
        Frame of each image on the time line that all cameras of its recording share; by default the number in its name.

    Returns
    -------
    train, test : (n,) int arrays
        Indices of the images, ascending.

    Raises
    ------
    DataError
        If there are fewer than two instants.
    """
    if not 0 < test_fraction < 1:
        raise ValueError("test_fraction lies between 0 and 1")
    if by not in ("block", "recording"):
        raise ValueError(f"images are split by block or by recording, not by {by!r}")
    rng = np.random.default_rng(seed)
    moments, moment = _moments(images, times)
    n_recordings = len(set(images.recordings))
    if len(moments) < 2:
        raise DataError(
            f"labelled images: {len(moments)} instant is too few to hold one out; label images of another instant"
        )
    if by == "recording" and n_recordings > 1:
        chosen = _whole_recordings(np.bincount(moments[:, 0]), test_fraction, rng)
        held_out = chosen[moments[:, 0]]
        learnt = ~held_out
    else:
        if by == "recording":
            logger.info("all labels are of one recording: a block of it is held out")
        held_out = _blocks(moments[:, 0], test_fraction, rng)
        learnt = _learnt(moments, held_out, gap)
    return np.flatnonzero(learnt[moment]), np.flatnonzero(held_out[moment])


def learnt_images(images: LabelledImages, held_out: IntArray, *, times: IntArray | None = None) -> IntArray:
    """Return the indices of the images to learn from where others are held out.

    Instants that lie fewer than five frames from a held-out one are left out, unless nothing would be left; `times` as
    for :func:`split_images`.
    """
    if not len(images):
        return np.arange(0)
    moments, moment = _moments(images, times)
    held = np.zeros(len(moments), dtype=bool)
    held[moment[held_out]] = True
    learnt = _learnt(moments, held, _GAP)[moment]
    learnt[held_out] = False
    return np.flatnonzero(learnt)


def group_instants(images: LabelledImages, times: IntArray | None = None) -> IntArray:
    """Return the instant that each image shows: (n_images,) numbers from 0, by recording and time.

    The same for all cameras of a recording; `times` as for :func:`split_images`.
    """
    return _moments(images, times)[1]


def _moments(images: LabelledImages, times: IntArray | None) -> tuple[IntArray, IntArray]:
    """Return all instants as (n, 2): number of the recording, and when; and the instant of each image."""
    when = _times(images, times)
    _, recording = np.unique(np.array(images.recordings, dtype=str), return_inverse=True)
    moments, moment = np.unique(np.stack([recording.reshape(-1), when], axis=1), axis=0, return_inverse=True)
    return moments, moment.reshape(-1)


def _times(images: LabelledImages, times: IntArray | None) -> IntArray:
    """Return when each image was taken; images whose names tell no frame come after all others, by name."""
    frames = images.frames
    when = frames if times is None else np.asarray(times, dtype=np.int64)
    if not len(when):
        return when
    names = [image.image for image in images.labels.images]
    _, by_name = np.unique(names, return_inverse=True)
    return np.where(frames < 0, when.max() + 2**32 + by_name.reshape(-1) * 2**20, when)


def _whole_recordings(sizes: IntArray, fraction: float, rng: Generator) -> NDArray[np.bool_]:
    """Tell which recordings are held out: those that come nearest to the share, never all."""
    order = rng.permutation(len(sizes))[:-1]
    n = int(np.abs(np.cumsum(sizes[order]) - fraction * sizes.sum()).argmin()) + 1
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[order[:n]] = True
    return chosen


def _blocks(recording: IntArray, fraction: float, rng: Generator) -> NDArray[np.bool_]:
    """Tell which instants, sorted by recording and time, are held out: a run of each recording."""
    sizes = np.bincount(recording)
    wanted = sizes * fraction
    n = np.floor(wanted).astype(int)
    total = min(max(1, round(float(wanted.sum()))), len(recording) - 1)
    # What rounding down left goes to those from which it took most; equals by lot.
    rest = np.lexsort((rng.permutation(len(sizes)), -(wanted - n)))
    n[rest[: total - int(n.sum())]] += 1
    held_out = np.zeros(len(recording), dtype=bool)
    starts = np.cumsum(sizes) - sizes
    for start, size, length in zip(starts, sizes, n, strict=True):
        if length:
            first = start + rng.integers(size - length + 1)
            held_out[first : first + length] = True
    return held_out


def _learnt(moments: IntArray, held_out: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """Tell which instants are learnt from."""
    learnt = ~held_out
    if held_out.any() and (apart := learnt & ~_near(moments, held_out, gap)).any():
        return apart
    return learnt


def _near(moments: IntArray, held_out: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """Tell which instants lie fewer than `gap` frames from a held-out one of their recording."""
    # Recordings far apart on one axis of time.
    time = moments[:, 1] + moments[:, 0] * (moments[:, 1].max() + gap + 1)
    others = np.sort(time[held_out])
    after = np.searchsorted(others, time)
    before = np.abs(time - others[np.maximum(after - 1, 0)])
    return np.asarray(np.minimum(before, np.abs(others[np.minimum(after, len(others) - 1)] - time)) < gap)
