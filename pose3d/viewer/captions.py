"""What stands around a picture: name, time and quality of a recording, as words and as a strip."""

from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.data.names import counted
from pose3d.viewer import palette
from pose3d.viewer.lettering import text_size, write_text_on
from pose3d.viewer.palette import Colour, quality_colours
from pose3d.viewer.playback import Playback

__all__ = ["draw_captions", "quality_strip", "strip_height"]

Image: TypeAlias = NDArray[np.uint8]

_MARGIN = 22.0  # px in a picture 720 px high


def draw_captions(
    image: Image, playback: Playback, row: int, *, second: str = "", right: int | None = None, note: str = ""
) -> None:
    """Write name, facts and time into a picture, and below them the strip with the place in the recording.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
    playback : Playback
    row : int
    second : str
        Name of another recording in the same space.
    right : int, optional, px
        Where the words on the right end; the picture's edge by default.
    note : str
        One more line.
    """
    height, width = image.shape[:2]
    scale = min(height, width) / 720
    left, size = _MARGIN * scale, max(19 * scale, 11)
    at = left + write_text_on(image, playback.name, (left, 0.75 * left), size, palette.TEXT, bold=True)
    if second:
        at += write_text_on(image, f"  and {second}", (at, 0.75 * left), size, palette.SECOND, bold=True)
    small = max(13.5 * scale, 10)
    write_text_on(image, _facts(playback), (left, 0.75 * left + 1.45 * size), small, palette.DIM)
    if note:
        write_text_on(image, note, (left, 0.75 * left + 1.45 * size + 1.4 * small), small, palette.DIM)
    if playback.n_frames == 0:
        return
    time = f"{(playback.points.start + row) / playback.fps:.2f} s"
    frame = f"frame {playback.points.start + row}"
    right = (width if right is None else right) - round(left)
    write_text_on(
        image, time, (right - text_size(time, size, bold=True)[0], 0.75 * left), size, palette.TEXT, bold=True
    )
    place = right - text_size(frame, small)[0], 0.75 * left + 1.45 * size
    write_text_on(image, frame, place, small, palette.DIM)
    error = _error(playback, row)
    if error:
        place = right - text_size(error, small)[0], 0.75 * left + 1.45 * size + 1.4 * small
        write_text_on(image, error, place, small, palette.DIM)
    _draw_strip(image, playback, row, scale)


def _facts(playback: Playback) -> str:
    points = playback.points
    parts = [counted(len(playback.rig), "camera")] if playback.rig is not None else []
    if len(points.individuals) > 1:
        parts.append(counted(len(points.individuals), "individual"))
    parts += [counted(len(points.keypoints), "keypoint"), f"{playback.fps:g} fps"]
    return " · ".join(parts)


def _error(playback: Playback, row: int) -> str:
    values, unit = playback.expected_error
    value = float(values[row])
    if not np.isfinite(value):
        return "no points" if not playback.seen[row].any() else ""
    return f"SD {value:.1f} mm" if unit == "mm" else f"reprojection {value:.1f} px"


def strip_height(scale: float) -> int:
    """Return how tall the strip with its margin is, px."""
    return round(44 * scale)


def _draw_strip(image: Image, playback: Playback, row: int, scale: float) -> None:
    height, width = image.shape[:2]
    left = round(_MARGIN * scale)
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
