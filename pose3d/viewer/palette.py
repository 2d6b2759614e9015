"""The colours of everything that is looked at: on dark, and safe for colour-blind eyes.

Blue and orange are told apart by all common kinds of colour blindness. The ramp of quality rises in lightness from
trusted to doubtful, so that it reads in grey too. Colours are red, green, blue from 0 to 1.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import FloatArray

__all__ = [
    "ANGLE",
    "AXES",
    "BACKGROUND",
    "CAMERA",
    "CENTRE_OF_MASS",
    "DETECTION",
    "DIM",
    "FILLED",
    "GOOD",
    "GRID",
    "LEFT",
    "MIDLINE",
    "MISSING",
    "PANEL",
    "RAW",
    "RIGHT",
    "SECOND",
    "SHADOW",
    "SIDES",
    "TEXT",
    "UNKNOWN",
    "WEAK",
    "WEAKER",
    "Colour",
    "error_colour",
    "hex_colour",
    "quality_colours",
]

Colour: TypeAlias = tuple[float, float, float]


def _of(text: str) -> Colour:
    red, green, blue = bytes.fromhex(text)
    return red / 255, green / 255, blue / 255


BACKGROUND = _of("0f1217")
PANEL = _of("171c24")
GRID = _of("46505e")
TEXT = _of("e8ecf1")
DIM = _of("8d97a5")
SHADOW = _of("000000")
LEFT = _of("4cc3f0")
RIGHT = _of("f79a3c")
MIDLINE = _of("f1f3f5")
SIDES: tuple[Colour, Colour, Colour] = (MIDLINE, LEFT, RIGHT)
"""By a keypoint's side: 0 neither, 1 left, 2 right."""
RAW = _of("8f98a5")
SECOND = _of("b9a5e8")
CAMERA = _of("7d93ad")
DETECTION = _of("ffffff")
CENTRE_OF_MASS = _of("ffe27a")
ANGLE = _of("d8dde4")
AXES: tuple[Colour, Colour, Colour] = (_of("e0606e"), _of("6fbf8b"), _of("4c8df0"))

GOOD, WEAK, WEAKER = _of("a9d8c0"), _of("f6d55c"), _of("ff7fb0")
"""Of numbers in words: trusted, to be looked at, not to be trusted."""
UNKNOWN = _of("2b323d")
MISSING = _of("5a4048")
FILLED = _of("6b5fa8")

_RAMP = np.array([_of("22344c"), _of("5a4a80"), _of("b0537f"), _of("f0805a"), _of("ffe28a")])


def quality_colours(heat: ArrayLike) -> FloatArray:
    """Return the colour of each heat, 0 (trusted) to 1 (doubtful).

    Parameters
    ----------
    heat : (...) array
        NaN where nothing is known, which gets a neutral colour.

    Returns
    -------
    (..., 3) array, 0..1
    """
    heat = np.asarray(heat, dtype=np.float64)
    place = np.clip(np.nan_to_num(heat), 0, 1) * (len(_RAMP) - 1)
    below = np.minimum(place.astype(np.int64), len(_RAMP) - 2)
    part = (place - below)[..., None]
    colours = _RAMP[below] * (1 - part) + _RAMP[below + 1] * part
    return np.asarray(np.where(np.isfinite(heat)[..., None], colours, np.array(UNKNOWN)))


def error_colour(error_px: float, width_px: float = 1000.0) -> Colour:
    """Return the colour of a pixel error: trusted below 3 px in an image 1000 px wide, not to be trusted above 8.

    Parameters
    ----------
    error_px : float, px
    width_px : float, px
        Width of the image.
    """
    per_thousand = error_px * 1000 / max(width_px, 1.0)
    if not np.isfinite(per_thousand):
        return DIM
    return GOOD if per_thousand < 3 else WEAK if per_thousand < 8 else WEAKER


def hex_colour(colour: Colour) -> str:
    """Return ``#rrggbb``, for pages and style sheets.

    Examples
    --------
    >>> hex_colour((1.0, 0.5, 0.0))
    '#ff8000'
    """
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
