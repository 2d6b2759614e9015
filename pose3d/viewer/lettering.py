"""Words in pictures: smooth letters of any size, with the signs that angles and errors need."""

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose3d.viewer.palette import Colour

__all__ = ["Box", "text_size", "write_text_on"]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, upper, right and lower edge, px."""

_FACES = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}
_MOST_LETTERS = 120
_DIGIT_OR_NOT = re.compile(r"\d|\D+")


@lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> Any:
    from PIL import ImageFont

    home = find_spec("matplotlib")  # which brings the letters; it is not loaded for that
    if home is not None and home.origin is not None:
        path = Path(home.origin).parent / "mpl-data" / "fonts" / "ttf" / _FACES[bold]
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


class _Letters(NamedTuple):
    """Coverage, (height, width) from 0 to 1; how far below the line's upper edge it begins; where the next begins."""

    cover: NDArray[np.float32]
    top: int
    advance: float


@lru_cache(maxsize=1024)
def _drawn(text: str, size: int, bold: bool) -> _Letters:
    from PIL import Image, ImageDraw

    font = _font(size, bold)
    _, top, right, bottom = font.getbbox(text)
    picture = Image.new("L", (max(int(right), 1) + 1, max(int(bottom - top), 1)))
    ImageDraw.Draw(picture).text((0, -top), text, fill=255, font=font)
    cover = np.asarray(picture, dtype=np.float32) / np.float32(255)
    return _Letters(np.asarray(cover, dtype=np.float32), int(top), float(font.getlength(text)))


@lru_cache(maxsize=256)
def _mask(text: str, size: int, bold: bool) -> tuple[NDArray[np.float32], int]:
    """Return the letters' coverage, (height, width) from 0 to 1, and how far its upper edge lies below the line's.

    Numbers that change with every picture are put together from their digits, which are drawn once.
    """
    parts = [_drawn(part, size, bold) for part in _DIGIT_OR_NOT.findall(text)]
    lefts = np.round(np.cumsum([0.0, *(part.advance for part in parts)])).astype(int).tolist()
    top = min(part.top for part in parts)
    height = max(part.top + len(part.cover) for part in parts) - top
    cover = np.zeros((height, lefts[-2] + parts[-1].cover.shape[1]), dtype=np.float32)
    for part, left in zip(parts, lefts, strict=False):
        tall, wide = part.cover.shape
        room = cover[part.top - top : part.top - top + tall, left : left + wide]
        np.maximum(room, part.cover[:, : room.shape[1]], out=room)
    return cover, top


def text_size(text: str, size: float, *, bold: bool = False) -> tuple[int, int]:
    """Return width and height of a line of text, px."""
    mask, _ = _mask(text[:_MOST_LETTERS], max(round(size), 6), bold)
    return mask.shape[1], round(size * 1.25)


def write_text_on(
    image: NDArray[np.uint8],
    text: str,
    at: tuple[float, float],
    size: float,
    colour: Colour,
    *,
    bold: bool = False,
    alpha: float = 1.0,
    halo: bool = False,
) -> int:
    """Write a line of text into a picture.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
        Blue, green, red; written to.
    text : str
    at : (float, float), px
        Left end and upper edge.
    size : float, px
        Height of the letters' body.
    colour : (float, float, float)
        Red, green, blue, 0..1.
    bold, halo : bool
        A halo darkens what lies behind the letters.
    alpha : float

    Returns
    -------
    int
        Width, px.
    """
    text = text[:_MOST_LETTERS]
    if not text.strip():
        return 0
    mask, top = _mask(text, max(round(size), 6), bold)
    x, y = round(at[0]), round(at[1]) + top
    height, width = mask.shape
    if halo:
        _darken(image, x - 3, y - 3, width + 6, height + 6)
    y0, y1, x0, x1 = max(y, 0), min(y + height, image.shape[0]), max(x, 0), min(x + width, image.shape[1])
    if y0 < y1 and x0 < x1:
        part = image[y0:y1, x0:x1]
        cover = alpha * mask[y0 - y : y1 - y, x0 - x : x1 - x, None]
        wanted = 255 * np.array(colour[::-1], dtype=np.float32)
        part[:] = (part + cover * (wanted - part) + 0.5).astype(np.uint8)
    return int(width)


def _darken(image: NDArray[np.uint8], x: int, y: int, width: int, height: int) -> None:
    part = image[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    part[:] = (part * np.float32(0.45)).astype(np.uint8)
