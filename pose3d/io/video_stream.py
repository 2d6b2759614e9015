"""A video while it is open: where its decoder has come to, and what it may leave out."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import av

from pose3d.errors import VideoError
from pose3d.log import logger

__all__ = ["OpenVideo"]

# Only true containers: FFmpeg would also open a text file as a "video" of its letters, and playlists name other files.
_CONTAINERS = "mov,avi,matroska,mpegts,mpeg,asf,flv,ogg,h264,hevc,m4v,mjpeg,dv,gif,mxf"

# Where a picture marked so is leant on by no other, whatever is shown; HEVC's own mark holds within one layer only.
_MARKS_UNUSED = ("h264",)


class OpenVideo:
    """A video that stays open between seeks: opening it again would take longer than most of them.

    Parameters
    ----------
    path : path
    threads : int, optional
        Of the decoder; by default as many as the machine has cores.

    Attributes
    ----------
    needed_from : int or None
        Presentation time before which no picture is looked at: those that no other leans on are not decoded.
    leaves_out : bool
        Whether any are left out.
    frames : generator or None
        What is being decoded, as frame and picture.
    at : int
        The frame that comes next, or a later one.

    Raises
    ------
    VideoError
        If the file is no video.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self.path, self.threads = path, threads
        self.needed_from: int | None = None
        self.leaves_out = True
        self.frames: Generator[tuple[int, Any], None, None] | None = None
        self.at = 0
        self._closing = ExitStack()
        self._held: tuple[Any, Any] | None = None

    def __enter__(self) -> "OpenVideo":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.read(None)
        self._close()

    @property
    def used(self) -> bool:
        """Whether it is open already."""
        return self._held is not None

    @property
    def container(self) -> Any:
        """PyAV's container."""
        return self._get()[0]

    @property
    def stream(self) -> Any:
        """Its stream of pictures."""
        return self._get()[1]

    def read(self, frames: Generator[tuple[int, Any], None, None] | None, at: int = 0) -> None:
        """Read other frames from now on, from frame `at`."""
        if self.frames is not None:
            self.frames.close()
        self.frames, self.at, self.needed_from = frames, at, None

    def begin(self) -> None:
        """Go to the very beginning, to which not every container can seek."""
        self._close()
        self._get()

    def seek(self, time: int) -> None:
        """Go to a presentation or decoding time at which decoding can begin."""
        self.container.seek(time, stream=self.stream, backward=True, any_frame=False)

    def decode(self) -> Iterator[Any]:
        """Decode from here to the end.

        Raises
        ------
        VideoError
            If the recording breaks off.
        """
        container, stream = self._get()
        context, count = stream.codec_context, 0
        may = context.name in _MARKS_UNUSED
        try:
            for packet in container.demux(stream):
                if may:
                    context.skip_frame = "NONREF" if self._leaves_out(packet) else "DEFAULT"
                for frame in packet.decode():
                    if frame.is_corrupt:
                        logger.warning("%s: a picture about frame %d is damaged", self.path, count)
                    count += 1
                    yield frame
        except av.FFmpegError as error:
            raise VideoError(
                f"{self.path}: breaks after {count} decoded frames ({error.strerror or error}); copy it anew, or keep "
                f"the good part with `ffmpeg -i {self.path.name} -c copy repaired{self.path.suffix}`"
            ) from error

    def _leaves_out(self, packet: Any) -> bool:
        """Tell whether a packet's picture is left out where no other leans on it."""
        time, needed = packet.pts, self.needed_from
        return self.leaves_out and None not in (time, needed) and time < needed and not packet.is_keyframe

    def _get(self) -> tuple[Any, Any]:
        if self._held is None:
            self._held = self._closing.enter_context(_opened(self.path, self.threads))
        return self._held

    def _close(self) -> None:
        self._closing.close()
        self._held = None


@contextmanager
def _opened(path: Path, threads: int | None) -> Iterator[tuple[Any, Any]]:
    try:
        container = av.open(str(path), options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"})
    except (av.FFmpegError, ValueError, OSError) as error:
        raise VideoError(_why_unreadable(path)) from error
    with container:
        if not container.streams.video:
            raise VideoError(f"{path}: holds no pictures (sound only?)")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        if threads is not None:
            stream.codec_context.thread_count = threads
        yield container, stream


def _why_unreadable(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return f"{path}: its index is missing or damaged (a recording or copy that was cut short); copy it anew"
    return f"{path}: is no video that can be read (mp4, mov, avi, mkv are); check that it is what its name says"
