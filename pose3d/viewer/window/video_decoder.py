"""A thread a camera that decodes what is looked at now: the latest wish wins, and nobody waits for it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import Interpolation

from pose3d.errors import VideoError
from pose3d.io.images import FrameSource, Image
from pose3d.io.scaled_frames import frame_scaler
from pose3d.io.video import VideoFile, open_frames
from pose3d.log import logger

__all__ = ["Decoded", "VideoDecoder"]

_HOP = 3  # frames so few that decoding them is finished, whatever is wanted by then
_FAR = 4  # frames to decode before the wanted one from which on the nearest key frame is shown first
_KEPT_BYTES = 12 << 20  # of pictures a camera, for stepping back and loops


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture for a pane.

    Attributes
    ----------
    frame : int
        Of the video.
    wanted : int
        The frame that was asked for; another than `frame` while that is being decoded.
    bgra : (h, w, 4) uint8 array
        Upright.
    """

    frame: int
    wanted: int
    bgra: Image

    @property
    def exact(self) -> bool:
        """Whether this is the frame that was asked for."""
        return self.frame == self.wanted


@dataclass(frozen=True)
class _Wish:
    frame: int
    size: tuple[int, int]


class VideoDecoder:
    """Decodes one camera's video in a thread of its own.

    Parameters
    ----------
    path : path
        A video or a folder of images.
    show : callable
        Called in the decoder's thread with each :class:`Decoded`.
    fail : callable
        Called there with one line, when there will be no more pictures.
    opened : callable, optional
        Called there when the video's length, rate and size are known.
    """

    def __init__(
        self,
        path: Path,
        show: Callable[[Decoded], None],
        fail: Callable[[str], None],
        opened: Callable[[FrameSource], None] | None = None,
    ) -> None:
        self.path = path
        self.source: FrameSource | None = None
        self._show, self._fail, self._opened = show, fail, opened
        self._news = threading.Condition()
        self._wish: _Wish | None = None
        self._served: _Wish | None = None
        self._ends = False
        self._current: _Wish | None = None
        self._keys = np.zeros(1, dtype=np.int64)
        self._at = self._goal = 0  # the frame decoded last, and the one to come to
        self._kept: OrderedDict[_Wish, Image] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name=f"decoder {path.name}", daemon=True)

    def start(self) -> None:
        """Begin to open the video."""
        self._thread.start()

    def want(self, frame: int, size: tuple[int, int]) -> None:
        """Ask for a frame at most `size` (width, height) px large; what was asked before is forgotten."""
        with self._news:
            self._wish = _Wish(int(frame), size)
            self._news.notify()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the thread."""
        with self._news:
            self._ends = True
            self._news.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self.source = open_frames(self.path)
            if self._opened is not None:
                self._opened(self.source)
            if isinstance(self.source, VideoFile):
                self._decode(self.source)
            else:
                self._read(self.source)
        except (VideoError, OSError, MemoryError, IndexError) as error:
            self._fail(str(error))
        except Exception as error:  # a thread that dies in silence leaves a pane that never changes
            logger.exception("%s: decoder ended", self.path)
            self._fail(f"{self.path.name}: {type(error).__name__}: {error}")

    def _decode(self, video: VideoFile) -> None:
        self._keys = video.key_frames
        turns = -video.rotation_deg // 90 % 4
        scaler = frame_scaler("bgra", Interpolation.FAST_BILINEAR)

        def picture(raw: Any) -> Image:
            size = (0, 0) if self._current is None else self._current.size
            made = scaler(raw, _fitted((raw.width, raw.height), size, turned=turns % 2 == 1))
            return np.ascontiguousarray(np.rot90(made, turns) if turns else made)

        wanted = self._frames_to_show(video)
        # Cameras are decoded side by side: threads of one decoder would only add to their work.
        for frame, shown in video.pictures(wanted, picture, given_up=self._gives_up, threads=1):
            self._at = frame
            if (wish := self._current) is not None:
                if frame == wish.frame:
                    self._served = wish
                self._keep(_Wish(frame, wish.size), shown)
                self._give(frame, wish, shown)

    def _frames_to_show(self, video: VideoFile) -> Iterator[int]:
        """Yield the frame of the latest wish, and before it the nearest key frame where decoding takes a while."""
        while (wish := self._next_wish(video)) is not None:
            self._current = wish
            key = self._key_before(wish.frame)
            if not key - _HOP <= self._at <= wish.frame and wish.frame - key >= _FAR:
                self._goal = key
                yield key
            if not self._newer():
                self._goal = wish.frame
                yield wish.frame

    def _key_before(self, frame: int) -> int:
        return int(self._keys[np.searchsorted(self._keys, frame, side="right") - 1])

    def _gives_up(self, found: int) -> bool:
        """Tell whether the wanted frame is not even on the way to what is wanted by now."""
        self._at = found
        with self._news:
            wish, ends = self._wish, self._ends
        if ends or wish is None or self._goal - found <= _HOP:
            return ends
        return wish.frame < self._goal or self._key_before(wish.frame) > self._goal

    def _read(self, source: FrameSource) -> None:
        import cv2

        while (wish := self._next_wish(source)) is not None:
            self._served = wish
            image = source.frame(wish.frame)
            width, height = _fitted((image.shape[1], image.shape[0]), wish.size, turned=False)
            small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            picture = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2BGRA), dtype=np.uint8)
            self._keep(wish, picture)
            self._give(wish.frame, wish, picture)

    def _next_wish(self, source: FrameSource) -> _Wish | None:
        """Wait for a wish that is not fulfilled; those whose picture is kept are fulfilled here. None ends."""
        while True:
            with self._news:
                while not self._ends and (self._wish is None or self._wish == self._served):
                    self._news.wait()
                if self._ends:
                    return None
                wish = self._wish
            assert wish is not None
            kept = self._kept.get(wish)
            if kept is not None:
                self._kept.move_to_end(wish)
            if kept is None and 0 <= wish.frame < source.n_frames:
                return wish
            self._served = wish
            if kept is not None:
                self._give(wish.frame, wish, kept)

    def _newer(self) -> bool:
        with self._news:
            return self._ends or self._wish != self._current

    def _keep(self, wish: _Wish, picture: Image) -> None:
        self._kept[wish] = picture
        while len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)

    def _give(self, frame: int, wish: _Wish, picture: Image) -> None:
        self._show(Decoded(frame, wish.frame, picture))


def _fitted(own: tuple[int, int], most: tuple[int, int], *, turned: bool) -> tuple[int, int]:
    """Return the size of a picture that fits into a pane, never larger than it is."""
    room = most[::-1] if turned else most
    scale = min(room[0] / own[0], room[1] / own[1], 1.0)
    return max(2, round(own[0] * scale)), max(2, round(own[1] * scale))
