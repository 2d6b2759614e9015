"""Videos, frame by frame: frame `i` is always the same picture, however it was reached."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import cv2
import numpy as np

from pose3d.errors import VideoError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.io.files import atomic_path, require_file
from pose3d.io.images import Frames, FrameSource, Image, ImageFolder, is_pattern
from pose3d.io.names import IMAGE_SUFFIXES
from pose3d.io.video_stream import OpenVideo
from pose3d.log import logger

__all__ = ["FrameSource", "Image", "ImageFolder", "VideoFile", "open_frames", "write_video"]

_Picture = TypeVar("_Picture")

# Decoding on costs less than a seek, which empties the decoder's threads, up to about this many frames.
_WORTH_A_SEEK = 8
# x264's macroblock tree decides by memory that it never filled, on processors with AVX-512.
_SAME_BYTES = {"mbtree": "0"}


class VideoFile(FrameSource):
    """A video. Opening it reads the index of frames, not the pictures.

    Frames are told apart by their presentation times as the packets carry them, so leading offsets, edit lists and
    B-frames do not shift the numbering. Where a container keeps no such times (B-frames in avi), frames are counted
    from the start. The object holds no open file and can be sent to another process.

    Raises
    ------
    VideoError
        If the file is no video, or ends before its header says.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = require_file(path, "video")
        with OpenVideo(self.path) as video:
            self._scan(video.container, video.stream)
            video.begin()
            first = next(video.decode(), None)
            if first is None or self.n_frames == 0:
                raise VideoError(f"{self.path}: no frame can be decoded; export the video anew")
            degrees = getattr(first, "rotation", None)
            if degrees is None:  # before PyAV 14
                degrees = getattr(video.stream, "side_data", {}).get("DISPLAYMATRIX", 0)
            self._turns = round(degrees / 90) % 4
            if abs(degrees / 90 - round(degrees / 90)) > 1e-3:
                logger.warning("%s: is turned by %g degrees; shown turned by the nearest 90", self.path, degrees)
            self.rotation_deg = -90 * self._turns % 360
            size = (first.width, first.height)
            self.size = size if self._turns % 2 == 0 else size[::-1]

    def _scan(self, container: Any, stream: Any) -> None:
        # (presentation time, decoding time, begins a group, makes no picture of its own) of every packet
        packets: list[tuple[int | None, int | None, bool, bool]] = []
        damaged = None
        try:
            for packet in container.demux(stream):
                if packet.size == 0:  # PyAV's sign to flush the decoder, and avi's dropped frames
                    continue
                if packet.is_corrupt:
                    damaged = damaged or f"packet {len(packets)} is incomplete"
                    continue
                packets.append((packet.pts, packet.dts, packet.is_keyframe, packet.is_discard))
        except av.FFmpegError as error:
            damaged = str(error.strerror or error)
        promised = int(stream.frames)
        if damaged or (promised > len(packets) and _is_cut(container, self.path)):
            of = f" of {promised}" if promised else ""
            raise VideoError(
                f"{self.path}: is cut short or damaged after {len(packets)}{of} frames; copy it anew, or keep the good "
                f"part with `ffmpeg -i {self.path.name} -c copy repaired{self.path.suffix}`"
            )
        if promised and promised != len(packets):
            logger.warning("%s: the header says %d frames, there are %d", self.path, promised, len(packets))
        if not packets:
            raise VideoError(f"{self.path}: holds no frames")

        shown = [p for p in packets if not p[3]]
        times = [p[0] for p in shown]
        b_frames_in_avi = container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
        self._by_time = None not in times and len(set(times)) == len(times) and not b_frames_in_avi
        if not self._by_time:
            times = [p[1] for p in shown]
        ticks = np.sort(np.array(range(len(shown)) if None in times else times, dtype=np.int64))
        keys = [(p[0], p[0] if p[1] is None else min(p[0], p[1])) for p in packets if p[2] and p[0] is not None]
        # Where decoding can begin: (presentation time, decoding time or the same) in ascending order.
        self._starts = np.array(sorted(keys) if self._by_time else [], dtype=np.int64).reshape(-1, 2)
        if len(self._starts):
            # Pictures shown before the first one that stands alone lean on pictures that were cut away.
            ticks = ticks[ticks >= self._starts[0, 0]]
        self._ticks = ticks
        self.n_frames = len(ticks)
        self.fps, self.times_s, self.variable_rate = _timing(ticks, stream)
        if self.variable_rate:
            logger.warning("%s: frames are not evenly spaced (mean rate %.4g fps)", self.path, self.fps)

    def _read(self, wanted: Sequence[int], gray: bool) -> Frames:
        return self.pictures(wanted, lambda frame: self._image(frame, gray))

    def pictures(
        self,
        wanted: Iterable[int],
        convert: Callable[[Any], _Picture],
        *,
        given_up: Callable[[int], bool] = lambda _: False,
        threads: int | None = None,
    ) -> Generator[tuple[int, _Picture], None, None]:
        """Give frames as `convert` makes them of the decoder's own, which are not turned upright.

        Of the frames on the way those that no other leans on are not decoded.

        Parameters
        ----------
        wanted : iterable of int
            Frames that exist; ascending order is fastest. One is asked for when the one before has been taken, so a
            player can say at that moment which it wants next.
        convert : callable
            Takes an ``av.VideoFrame``.
        given_up : callable, optional
            Told each frame that was decoded on the way; True gives up the wanted one, and the next is asked for.
        threads : int, optional
            Of the decoder; by default as many as the machine has cores.

        Raises
        ------
        VideoError
            If the recording breaks off.
        """
        latest: tuple[int, Any] | None = None
        with OpenVideo(self.path, threads) as video:
            for index in wanted:
                if latest is None or latest[0] != index:
                    frame = self._find(index, video, given_up)
                    if frame is None:
                        continue
                    latest = index, frame
                yield index, convert(latest[1])

    def _find(self, index: int, video: OpenVideo, given_up: Callable[[int], bool]) -> Any:
        """Decode on, or from a start that is nearer, to a frame; None where it was given up on the way."""
        start = self._group_of(index)
        if video.frames is None or index < video.at or start > video.at + _WORTH_A_SEEK:
            video.read(self._decoded(start, video), start)
        assert video.frames is not None
        video.needed_from = int(self._ticks[index]) if self._by_time else None
        for found, frame in video.frames:
            video.at = found + 1
            if found == index:
                video.leaves_out = True
                return frame
            if found > index:
                if not video.leaves_out:
                    raise VideoError(f"{self.path}: frame {index} is damaged and cannot be decoded; copy it anew")
                video.leaves_out = False  # as it was, on the way to one that was given up: once more, with all
                return self._find(index, video, given_up)
            if given_up(found):
                return None
        raise VideoError(
            f"{self.path}: breaks off after {video.at} of {self.n_frames} frames; copy it anew, or keep the good "
            f"part with `ffmpeg -i {self.path.name} -c copy repaired{self.path.suffix}`"
        )

    @property
    def key_frames(self) -> IntArray:
        """(n,) frames at which decoding can begin, ascending; frame 0 alone where the container does not tell."""
        found = np.searchsorted(self._ticks, self._starts[:, 0])
        return np.asarray(np.unique(np.append(found[found < self.n_frames], 0)), dtype=np.int64)

    def _group_of(self, index: int) -> int:
        """Return the latest frame, not after `index`, at which decoding can begin."""
        if not len(self._starts):
            return 0
        group = np.searchsorted(self._starts[:, 0], self._ticks[index], side="right") - 1
        return int(np.searchsorted(self._ticks, self._starts[max(group, 0), 0]))

    def _decoded(self, start: int, video: OpenVideo) -> Generator[tuple[int, Any], None, None]:
        if start > 0 or (video.used and len(self._starts)):
            # Some containers seek by the time at which a picture is shown, where the other lands a group earlier; to
            # others only the time at which it is decoded is known.
            for column in (0, 1):
                seeker = self._decoded_from(start, video, column)
                first = next(seeker, None)
                if first is not None and first[0] <= start:
                    yield first
                    yield from seeker
                    return
            logger.debug("%s: a seek to frame %d missed; decoding from the start", self.path, start)
        yield from self._decoded_from(0, video, None)

    def _decoded_from(self, start: int, video: OpenVideo, column: int | None) -> Iterator[tuple[int, Any]]:
        landed = None
        if column is None:
            video.begin()
        else:
            group = np.searchsorted(self._starts[:, 0], self._ticks[start], side="right") - 1
            video.seek(int(self._starts[group, column]))
        for count, frame in enumerate(video.decode()):
            if not self._by_time:
                yield count, frame
                continue
            if frame.pts is None:
                continue
            index = int(np.searchsorted(self._ticks, frame.pts))
            if index == self.n_frames or self._ticks[index] != frame.pts:
                continue
            if column is not None and landed is None:
                # Pictures before the one that stands alone, in an open group, miss what they lean on.
                if not frame.key_frame:
                    continue
                landed = index
            yield index, frame

    def _image(self, frame: Any, gray: bool) -> Image:
        image = frame.to_ndarray(format="bgr24")
        if gray:  # from the colours, as cv2.imread does; the stored luma has another range
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        return np.ascontiguousarray(np.rot90(image, self._turns)) if self._turns else np.asarray(image)


def open_frames(path: str | Path) -> FrameSource:
    """Open a video, or a folder of images, or those of a folder that a pattern such as ``left*.jpg`` names.

    Parameters
    ----------
    path : path

    Returns
    -------
    FrameSource

    Raises
    ------
    VideoError, FormatError
        If it is neither, or damaged.
    """
    path = Path(path)
    if path.is_dir() or is_pattern(path):
        return ImageFolder(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise VideoError(f"{path}: is one image; give the folder of images, or a video")
    return VideoFile(path)


def write_video(
    path: str | Path,
    frames: Iterable[Image],
    *,
    fps: float,
    crf: int = 18,
    preset: str = "fast",
    options: Mapping[str, str] | None = None,
    threads: int = 4,
) -> int:
    """Write an H.264 video that any player shows; the same frames give the same bytes.

    Parameters
    ----------
    path : path
        Its suffix chooses the container, as a rule ``.mp4``.
    frames : iterable of (h, w, 3) or (h, w) uint8 array
        Blue, green, red. An odd width or height is made even by repeating the last column or row.
    fps : float
    crf : int, optional
        Quality, 0 (lossless) to 51.
    preset : str, optional
        Of x264: ``veryfast`` takes half the time of ``fast``, and some more bytes.
    options : mapping of str to str, optional
        More of FFmpeg's options for x264, which come before `crf` and `preset`.
    threads : int, optional
        The bytes depend on it, and so it is never the machine's choice.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    ValueError
        If there are no frames, or they differ in size.
    VideoError
        If no container of video has this suffix.
    Pose3DError
        If the file cannot be written.
    """
    has_x264 = "libx264" in av.codecs_available
    rate = Fraction(fps).limit_denominator(1001)
    n, stream, shape = 0, None, None
    with atomic_path(path) as temporary:
        try:
            container = av.open(str(temporary), "w", options={"movflags": "+faststart"})
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"{path}: a video cannot be written under this name; choose .mp4") from error
        with container:
            for image in frames:
                if stream is None:
                    shape = image.shape[:2]
                    stream = container.add_stream("libx264" if has_x264 else "mpeg4", rate=rate)
                    stream.width, stream.height = shape[1] + shape[1] % 2, shape[0] + shape[0] % 2
                    stream.pix_fmt = "yuv420p"
                    stream.codec_context.thread_count = threads
                    own = {"crf": str(crf), "preset": preset, **_SAME_BYTES, **(options or {})}
                    stream.options = own if has_x264 else {"q:v": "3"}
                    stream.codec_context.gop_size = 30
                if image.shape[:2] != shape:
                    raise ValueError(f"frame {n} is {image.shape}, the first was {shape}")
                for packet in stream.encode(_even_frame(image, n, rate)):
                    container.mux(packet)
                n += 1
            if stream is None:
                raise ValueError("no frames to write")
            for packet in stream.encode():
                container.mux(packet)
    return n


def _even_frame(image: Image, index: int, rate: Fraction) -> Any:
    height, width = image.shape[:2]
    if image.ndim == 2:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    padded = image
    if height % 2 or width % 2:
        padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    # OpenCV rounds; FFmpeg's own conversion darkens by up to 3 levels.
    planes = cv2.cvtColor(np.ascontiguousarray(padded), cv2.COLOR_BGR2YUV_I420)
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = index, 1 / rate
    return frame


def _is_cut(container: Any, path: Path) -> bool:
    # mp4 lists every frame in its index; an avi header's count is often wrong, its length in bytes is not.
    if "mp4" in container.format.name:
        return True
    with path.open("rb") as stream:
        head = stream.read(8)
    return head[:4] == b"RIFF" and int.from_bytes(head[4:8], "little") + 8 > path.stat().st_size


def _timing(ticks: IntArray, stream: Any) -> tuple[float, FloatArray, bool]:
    """Return the frame rate, the frames' times in s, and whether they are unevenly spaced.

    Of the rates that the container knows, the one that the frames' own times confirm; else their mean.
    """
    tick_s = float(stream.time_base)
    known = [float(rate) for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate) if rate]
    span = float(ticks[-1] - ticks[0]) * tick_s
    if span <= 0:
        fps = known[0] if known else 1.0
        return fps, np.arange(len(ticks)) / fps, False
    times = (ticks - ticks[0]) * tick_s
    mean = (len(times) - 1) / span
    fps = min(known, key=lambda rate: abs(rate / mean - 1), default=mean)
    if abs(fps / mean - 1) > 1.5 * tick_s / span + 1e-4:
        fps = mean
    # Uneven: an interval, or the sum of many, strays further than rounding to the time base explains.
    intervals = np.diff(times)
    uneven: BoolArray = np.abs(intervals - np.median(intervals)) > 0.1 * np.median(intervals) + 1.5 * tick_s
    drift = np.abs(times - np.arange(len(times)) / mean)
    return fps, times, bool(uneven.any() or drift.max() > 0.5 / mean + 1.5 * tick_s)
