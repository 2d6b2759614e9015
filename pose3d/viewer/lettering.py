"""Words in pictures: smooth letters of any size, with the signs that angles and errors need."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pose3d.viewer.palette import Colour

__all__ = ["Box", "text_size", "write_text_on"]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, upper, right and lower edge, px."""

_FACES = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}
_MOST_LETTERS = 120


@lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> Any:
    from PIL import ImageFont

    home = find_spec("matplotlib")  # which brings the letters; it is not loaded for that
    if home is not None and home.origin is not None:
        path = Path(home.origin).parent / "mpl-data" / "fonts" / "ttf" / _FACES[bold]
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def _mask(text: str, size: int, bold: bool) -> tuple[NDArray[np.float32], int]:
    """Return the letters' coverage, (height, width) from 0 to 1, and how far its upper edge lies below the line's."""
    from PIL import Image, ImageDraw

    font = _font(size, bold)
    left, top, right, bottom = font.getbbox(text)
    picture = Image.new("L", (max(int(right), 1) + 1, max(int(bottom - top), 1)))
    ImageDraw.Draw(picture).text((0, -top), text, fill=255, font=font)
    del left
    return np.asarray(np.asarray(picture, dtype=np.float32) / np.float32(255), dtype=np.float32), int(top)


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
