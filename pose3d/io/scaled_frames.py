"""Frames as networks see them: scaled and in the order red, green, blue, in one step from what the decoder gives."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from pose3d.io.images import FrameSource, Image
from pose3d.io.video import VideoFile

__all__ = ["frame_scaler", "scale_image", "scaled_frames", "scaled_size"]

# Waking threads for so little work costs half of it again; PyAV lets choose since version 17.
_ONE_THREAD: dict[str, Any] = {"threads": 1} if "threads" in str(VideoReformatter.reformat.__doc__) else {}


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return the width and height of a scaled image, px; at least 1.

    Examples
    --------
    >>> scaled_size((1281, 1024), 0.5)
    (640, 512)
    """
    width, height = size
    return max(1, round(width * scale)), max(1, round(height * scale))


def scale_image(image: Image, size: tuple[int, int]) -> Image:
    """Scale an image down by averaging over areas, so that its corners stay its corners.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
    size : (int, int)
        Width and height, px.
    """
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def scaled_frames(
    source: FrameSource, size: tuple[int, int], *, indices: Sequence[int] | None = None
) -> Iterator[tuple[int, Image]]:
    """Give the frames of a recording scaled, at a fraction of what full frames cost.

    Frames are the same ones, in the same order, as of ``source.frames()``, scaled as by :func:`scale_image`; colours
    are about one level of 255 darker, since the decoder's own scaler rounds down.

    Parameters
    ----------
    source : FrameSource
    size : (int, int)
        Width and height of the scaled upright image, px.
    indices : sequence of int, optional
        Frames wanted; ascending order is fastest. None is all of them.

    Yields
    ------
    index : int
    image : (h, w, 3) uint8 array
        Red, green, blue.

    Raises
    ------
    VideoError
        If the recording breaks off.
    IndexError
        If a frame does not exist.
    """
    if not isinstance(source, VideoFile):
        return _from_images(source, size, indices)
    wanted = range(source.n_frames) if indices is None else list(indices)
    if len(wanted) and not 0 <= min(wanted) <= max(wanted) < source.n_frames:
        raise IndexError(f"{source.path}: has {source.n_frames} frames, some that are asked for do not exist")
    return source.pictures(wanted, _converter(size, source.rotation_deg))


def _from_images(
    source: FrameSource, size: tuple[int, int], indices: Sequence[int] | None
) -> Generator[tuple[int, Image], None, None]:
    for index, image in source.frames(indices):
        yield index, np.ascontiguousarray(scale_image(image, size)[:, :, ::-1])


def frame_scaler(format: str, interpolation: Interpolation) -> Callable[[Any, tuple[int, int]], Image]:
    """Return what scales a decoder's frames and gives them their colours; one for all frames, as it keeps its tables.

    Parameters
    ----------
    format : str
        Of FFmpeg, such as ``bgr24``.
    interpolation : av.video.reformatter.Interpolation

    Returns
    -------
    callable
        Takes an ``av.VideoFrame``, and the width and height of its image, px, which is not turned upright.
    """
    reformatter = VideoReformatter()

    def scale(frame: Any, size: tuple[int, int]) -> Image:
        scaled = reformatter.reformat(frame, *size, format, interpolation=interpolation, **_ONE_THREAD)
        return np.asarray(scaled.to_ndarray(), dtype=np.uint8)

    return scale


def _converter(size: tuple[int, int], rotation_deg: int) -> Callable[[Any], Image]:
    scale, turns = frame_scaler("rgb24", Interpolation.AREA), -rotation_deg // 90 % 4
    stored = size if turns % 2 == 0 else size[::-1]

    def convert(frame: Any) -> Image:
        image = scale(frame, stored)
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image

    return convert
