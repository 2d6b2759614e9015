"""Videos for the page: their files as they are, when each frame is shown, and single frames as pictures."""

import asyncio
from pathlib import Path

import cv2
import numpy as np

from pose3d.errors import VideoError
from pose3d.io.images import FrameSource
from pose3d.io.video import VideoFile, open_frames

__all__ = ["Clip"]

_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
}
_QUALITY = 85  # of JPEG


class Clip:
    """One camera's video.

    Browsers play few kinds of video. Any other is shown too: frame by frame, as pictures that are decoded here.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.media_type = _TYPES.get(path.suffix.lower())
        self._lock = asyncio.Lock()
        self._source: FrameSource | None = None

    async def open(self) -> FrameSource:
        """Read the index of frames, once.

        Raises
        ------
        VideoError
            If it is none, or damaged.
        """
        async with self._lock:
            if self._source is None:
                self._source = await asyncio.to_thread(open_frames, self.path)
            return self._source

    async def describe(self) -> dict[str, object]:
        """Return what the page must know to seek: when each frame is shown, s from the first, and the key frames."""
        source = await self.open()
        if isinstance(source, VideoFile):
            times, keys = source.times_s, source.key_frames
        else:
            keys = np.arange(source.n_frames)
            times = keys / (source.fps or 1.0)
        return {
            "n_frames": source.n_frames,
            "size": list(source.size),
            "plays": self.media_type is not None and isinstance(source, VideoFile),
            "keys": keys.tolist(),
            "times_s": np.round(times, 6).tolist(),
        }

    async def picture(self, index: int) -> bytes:
        """Return one frame as JPEG.

        Raises
        ------
        VideoError
            If there is no such frame, or it cannot be decoded.
        """
        source = await self.open()
        if not 0 <= index < source.n_frames:
            raise VideoError(f"{self.path}: has no frame {index}; there are {source.n_frames}")
        async with self._lock:
            return await asyncio.to_thread(_encode, source, index)


def _encode(source: FrameSource, index: int) -> bytes:
    _, data = cv2.imencode(".jpg", source.frame(index), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
