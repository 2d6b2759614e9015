"""What stands around a picture: name, time and quality of a recording, as words and as a strip."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Self, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.data.names import counted
from pose3d.viewer import palette
from pose3d.viewer.lettering import Box, text_size, write_text_on
from pose3d.viewer.palette import Colour, quality_colours
from pose3d.viewer.playback import Playback

__all__ = ["Words", "caption_words", "draw_captions", "quality_strip", "strip_height", "strip_margin"]

Image: TypeAlias = NDArray[np.uint8]

_MARGIN = 22.0  # px in a picture 720 px high


class Words(NamedTuple):
    """A line of text in a picture: where its upper left corner stands, and how it looks."""

    text: str
    at: tuple[float, float]
    size: float
    colour: Colour
    bold: bool = False

    @property
    def box(self) -> Box:
        """Left, upper, right and lower edge, px."""
        width, height = text_size(self.text, self.size, bold=self.bold)
        x, y = self.at
        return x, y, x + width, y + height

    def ending_at(self, right: float) -> Self:
        """Return them so that they end at a place."""
        return self._replace(at=(right - (self.box[2] - self.box[0] if self.text else 0), self.at[1]))

    def within(self, room: float) -> Self:
        """Return them cut off where there is no room for them, px."""

        def fits(text: str) -> bool:
            return text_size(text, self.size, bold=self.bold)[0] <= room

        if not self.text or fits(self.text):
            return self
        cut = (f"{self.text[:n].rstrip(' ·')}…" for n in range(len(self.text) - 1, 0, -1))
        return self._replace(text=next(filter(fits, cut), ""))


def caption_words(
    shape: tuple[int, int], playback: Playback, row: int, *, second: str = "", right: int | None = None, note: str = ""
) -> list[Words]:
    """Return what stands around a picture: name and facts on the left, time and error on the right.

    Parameters
    ----------
    shape : (int, int), px
        Height and width of the picture.
    playback : Playback
    row : int
    second : str
        Name of another recording in the same space.
    right : int, optional, px
        Where the words on the right end; the picture's edge by default.
    note : str
        One more line.
    """
    height, width = shape
    scale = min(height, width) / 720
    left, big, small = _MARGIN * scale, max(19 * scale, 11), max(13.5 * scale, 10)
    end = (width if right is None else right) - left
    tops = [0.75 * left, 0.75 * left + 1.45 * big, 0.75 * left + 1.45 * big + 1.4 * small]
    rights = [Words(_time(playback, row), (end, tops[0]), big, palette.TEXT, bold=True).ending_at(end)]
    for line, text in enumerate((_frame(playback, row), _error(playback, row)), start=1):
        rights.append(Words(text, (end, tops[line]), small, palette.DIM).ending_at(end))
    rooms = [each.at[0] - left - each.size for each in rights]
    name = Words(playback.name, (left, tops[0]), big, palette.TEXT, bold=True)
    lefts = [name.within(0.6 * rooms[0] if second else rooms[0])]
    if second:
        name_end = lefts[0].box[2]
        other = Words(f"  and {second}", (name_end, tops[0]), big, palette.SECOND, bold=True)
        lefts.append(other.within(left + rooms[0] - name_end))
    for line, text in enumerate((_facts(playback), note), start=1):
        lefts.append(Words(text, (left, tops[line]), small, palette.DIM).within(rooms[line]))
    return [each for each in (*lefts, *rights) if each.text.strip()]


def draw_captions(image: Image, playback: Playback, row: int, words: Sequence[Words]) -> None:
    """Write words into a picture, and below them the strip with the place in the recording.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
    playback : Playback
    row : int
    words : sequence of Words
        As of :func:`caption_words`.
    """
    for each in words:
        write_text_on(image, each.text, each.at, each.size, each.colour, bold=each.bold)
    if playback.n_frames:
        _draw_strip(image, playback, row, min(image.shape[:2]) / 720)


def _time(playback: Playback, row: int) -> str:
    return f"{(playback.points.start + row) / playback.fps:.2f} s" if playback.n_frames else ""


def _frame(playback: Playback, row: int) -> str:
    return f"frame {playback.points.start + row}" if playback.n_frames else ""


def _facts(playback: Playback) -> str:
    points = playback.points
    parts = [counted(len(playback.rig), "camera")] if playback.rig is not None else []
    if len(points.individuals) > 1:
        parts.append(counted(len(points.individuals), "individual"))
    parts += [counted(len(points.keypoints), "keypoint"), f"{playback.fps:g} fps"]
    return " · ".join(parts)


def _error(playback: Playback, row: int) -> str:
    if not playback.n_frames:
        return ""
    values, unit = playback.expected_error
    value = float(values[row])
    if not np.isfinite(value):
        return "no points" if not playback.seen[row].any() else ""
    return f"SD {value:.1f} mm" if unit == "mm" else f"reprojection {value:.1f} px"


def strip_height(scale: float) -> int:
    """Return how tall the strip with its margin is, px."""
    return round(44 * scale)


def strip_margin(scale: float) -> int:
    """Return how far from the picture's left and right edge the strip ends, px."""
    return round(_MARGIN * scale)


def _draw_strip(image: Image, playback: Playback, row: int, scale: float) -> None:
    height, width = image.shape[:2]
    left = strip_margin(scale)
    tall = max(6, round(9 * scale))
    strip = _strip(playback, width - 2 * left, tall)
    top = height - round(18 * scale) - tall
    image[top : top + tall, left : width - left] = strip
    at = left + round((row + 0.5) / playback.n_frames * (width - 2 * left))
    over = max(4, round(6 * scale))
    cv2.line(
        image, (at, top - over), (at, top + tall + over // 2), (255, 255, 255), max(1, round(2 * scale)), cv2.LINE_AA
    )
    cv2.circle(image, (at, top - over), max(2, round(4 * scale)), (255, 255, 255), -1, cv2.LINE_AA)


@lru_cache(maxsize=8)
def _strip(playback: Playback, width: int, height: int) -> Image:
    return quality_strip(playback, width, height)


def quality_strip(playback: Playback, width: int, height: int) -> Image:
    """Return the whole recording as a strip: above how doubtful each moment is, below what is missing or filled.

    Each column shows the worst of its frames, so that a single bad one is seen among 100,000.

    Returns
    -------
    (height, width, 3) uint8 array
        Blue, green, red.
    """
    n = playback.n_frames
    image = np.empty((height, width, 3), dtype=np.uint8)
    image[:] = _bgr(palette.PANEL)
    if n == 0 or width < 1:
        return image
    firsts = np.minimum(np.arange(width) * n // width, n - 1)
    heat = np.where(np.isfinite(playback.quality), playback.quality, -1.0)
    worst = np.maximum.reduceat(heat, firsts)
    missing = np.maximum.reduceat(playback.missing_share, firsts)
    filled = np.maximum.reduceat(playback.filled_share, firsts)
    split = max(1, round(0.68 * height))
    colours = quality_colours(np.where(worst < 0, np.nan, worst))
    image[:split] = np.round(255 * colours[:, ::-1]).astype(np.uint8)
    base = np.array(palette.PANEL)
    below = base + filled[:, None] * (np.array(palette.FILLED) - base)
    below = below + missing[:, None] * (np.array(palette.WEAKER) - below)
    image[split:] = np.round(255 * below[:, ::-1]).astype(np.uint8)
    return image


def _bgr(rgb: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in rgb)
    return blue, green, red
