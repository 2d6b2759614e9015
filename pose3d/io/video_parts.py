"""Videos put together from parts that were encoded apart, without encoding them again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from pose3d.errors import VideoError
from pose3d.io.files import atomic_path, require_file

__all__ = ["join_videos"]


def join_videos(parts: Sequence[str | Path], path: str | Path, *, fps: float) -> None:
    """Put videos one after the other that :func:`pose3d.io.video.write_video` wrote with the same settings.

    Parameters
    ----------
    parts : sequence of path
        At least one.
    path : path
        Its suffix chooses the container.
    fps : float
        As the parts were written with.

    Raises
    ------
    VideoError
        If a part cannot be read, or no container has this suffix.
    Pose3DError
        If the file cannot be written.
    """
    step = 1 / Fraction(fps).limit_denominator(1001)
    # A packet is decoded before it is shown. Parts differ in by how much, as a short one needs no reordering; the whole
    # has the longest delay throughout, or time would run backwards where parts meet.
    delay = max(max(k - shown for k, shown in enumerate(_shown(part, step))) for part in parts)
    with atomic_path(path) as temporary:
        try:
            target = av.open(str(temporary), "w", options={"movflags": "+faststart"})
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"{path}: a video cannot be written under this name; choose .mp4") from error
        with target:
            stream, before = None, 0
            for part in parts:
                with _opened(part) as source:
                    own = source.streams.video[0]
                    stream = target.add_stream_from_template(own) if stream is None else stream
                    n = 0
                    for packet in source.demux(own):
                        if packet.size:
                            shown = _place(packet, step)
                            packet.pts = _ticks((before + shown) * step, own.time_base)
                            packet.dts = _ticks((before + n - delay) * step, own.time_base)
                            packet.duration = _ticks(step, own.time_base)
                            packet.stream = stream
                            target.mux(packet)
                            n += 1
                    before += n


@contextmanager
def _opened(part: str | Path) -> Iterator[Any]:
    try:
        source = av.open(str(require_file(part, "video")))
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"{part}: a part of a video cannot be read ({error})") from error
    with source:
        if not source.streams.video:
            raise VideoError(f"{part}: a part of a video holds no pictures")
        yield source


def _shown(part: str | Path, step: Fraction) -> list[int]:
    """Return which frame each packet is, in the order of decoding."""
    with _opened(part) as source:
        packets = [_place(packet, step) for packet in source.demux(source.streams.video[0]) if packet.size]
    if sorted(packets) != list(range(len(packets))) or not packets:
        raise VideoError(f"{part}: a part of a video lacks frames; make it anew")
    return packets


def _place(packet: Any, step: Fraction) -> int:
    return round(Fraction(packet.pts * packet.time_base) / step)


def _ticks(seconds: Fraction, time_base: Fraction) -> int:
    return round(seconds / time_base)
