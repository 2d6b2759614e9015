"""Which part of the next frame a network need look at: where the subject is, and some room around it."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.network.litert import SIZE_MULTIPLE

__all__ = ["CropSettings", "SubjectWindow", "Window"]

_GRID = 8  # px; windows begin at multiples of it, so that the cells of one and of another lie alike
_ROOM = 24  # px of the scaled image, on each side at least: what the network must see around a keypoint
_EDGE = 6  # px; a keypoint this near to a window's edge may belong outside
_WORTH_IT = 0.75  # of the image's area; a larger window saves nothing


class Window(NamedTuple):
    """A part of a scaled image, px."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class CropSettings:
    """How the subject is followed.

    Attributes
    ----------
    margin : float
        Room around the subject, as a part of its longer side.
    score_threshold : float
        Of keypoints that tell where the subject is.
    whole_every : int
        Frames after which the whole image is looked at again.
    """

    margin: float = 0.25
    score_threshold: float = 0.3
    whole_every: int = 100

    def __post_init__(self) -> None:
        if not (self.margin >= 0 and 0 < self.score_threshold < 1 and self.whole_every >= 1):
            raise ValueError("margin is at least 0, score_threshold within 0 to 1, whole_every at least 1")


class SubjectWindow:
    """Follows the subject from frame to frame.

    Parameters
    ----------
    size : (int, int)
        Width and height of the scaled image, px.
    settings : CropSettings

    Attributes
    ----------
    window : Window or None
        What to look at in the next frame; None is the whole image.
    """

    def __init__(self, size: tuple[int, int], settings: CropSettings) -> None:
        self._settings = settings
        self._size = size[0], size[1]
        self.window: Window | None = None
        self._since_whole = 0
        self._expected = 0
        self._middle = np.full(2, np.nan)

    def trusts(self, xy: FloatArray, score: FloatArray) -> bool:
        """Tell whether keypoints found within the window are those of the whole image.

        They are not if many are gone that were there, or some lie at an edge that is none of the image.

        Parameters
        ----------
        xy : (n, 2) array, px of the scaled image
        score : (n,) array
        """
        assert self.window is not None
        sure = self._confident(xy, score)
        if len(sure) < self._expected - max(1, self._expected // 4) or not len(sure):
            return False
        x, y, width, height = self.window
        low = np.where(np.array([x, y]) > 0, np.array([x, y]) + _EDGE, -np.inf)
        ends = np.array([x + width, y + height])
        high = np.where(ends < np.array(self._size), ends - 1 - _EDGE, np.inf)
        return bool(((sure >= low) & (sure <= high)).all())

    def update(self, xy: FloatArray, score: FloatArray, *, whole: bool) -> None:
        """Take what was found in a frame, and choose the window for the next.

        Parameters
        ----------
        xy : (n, 2) array, px of the scaled image
        score : (n,) array
        whole : bool
            Whether the whole image was looked at.
        """
        sure = self._confident(xy, score)
        self._since_whole = 0 if whole else self._since_whole + 1
        if whole:
            self._expected = len(sure)
        last, middle = self._middle, np.full(2, np.nan)
        if len(sure):
            middle = (sure.min(0) + sure.max(0)) / 2
        self._middle = middle
        if not len(sure) or self._since_whole + 1 >= self._settings.whole_every:
            self.window = None
            return
        motion = np.nan_to_num(middle - last)
        room = max(_ROOM, self._settings.margin * float(np.ptp(sure, axis=0).max()))
        low = sure.min(0) + np.minimum(motion, 0) - room
        high = sure.max(0) + np.maximum(motion, 0) + room
        # Between two looks at the whole image a window only grows: a new size costs a new set-up of the network.
        kept = (0, 0) if whole or self.window is None else (self.window.width, self.window.height)
        spans = [_span(low[i], high[i], kept[i], self._size[i]) for i in (0, 1)]
        (x, width), (y, height) = spans
        too_large = width * height > _WORTH_IT * math.prod(self._size)
        self.window = None if too_large else Window(x, y, width, height)

    def state(self) -> dict[str, IntArray | FloatArray]:
        """Return what :meth:`restore` needs to go on."""
        window = (-1, -1, -1, -1) if self.window is None else self.window
        numbers = np.array([*window, self._since_whole, self._expected], dtype=np.int64)
        return {"window": numbers, "middle": self._middle}

    def restore(self, state: dict[str, IntArray | FloatArray]) -> None:
        """Go on from a :meth:`state`."""
        *window, self._since_whole, self._expected = (int(n) for n in state["window"])
        self.window = None if window[0] < 0 else Window(*window)
        self._middle = np.array(state["middle"], dtype=np.float64)

    def _confident(self, xy: FloatArray, score: FloatArray) -> FloatArray:
        return np.asarray(xy[(score >= self._settings.score_threshold) & np.isfinite(xy).all(-1)])


def _span(low: float, high: float, kept: int, size: int) -> tuple[int, int]:
    """Return begin and length along one axis: the length a multiple of 32 unless it is the whole axis."""
    needed = math.ceil((high - low + _GRID) / SIZE_MULTIPLE) * SIZE_MULTIPLE
    length = max(needed, kept)
    if length >= size:
        return 0, size
    begin = math.floor((low + high - length) / 2 / _GRID) * _GRID
    # At the far end the length may reach beyond the image, where the network's input is filled up.
    last = math.ceil((size - length) / _GRID) * _GRID
    return min(max(begin, 0), last), length
