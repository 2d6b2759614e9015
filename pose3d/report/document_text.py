"""How wide words are on paper, and where lines break."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.font_manager import get_font
from matplotlib.ft2font import FT2Font, LoadFlags

__all__ = ["FONT_FILES", "MM_PER_POINT", "line_height", "printable", "text_width", "wrap_text"]

MM_PER_POINT = 25.4 / 72
_LINE = 1.32  # line height in sizes of the font
_FOLDER = Path(mpl.get_data_path()) / "fonts" / "ttf"
FONT_FILES = {False: _FOLDER / "DejaVuSans.ttf", True: _FOLDER / "DejaVuSans-Bold.ttf"}
"""By whether it is bold; matplotlib brings them, so that paper looks the same on every machine."""
_REPLACEMENT = "\ufffd"
_BREAKABLE = "/_-.,:;)]"  # a long word may be broken behind these


@functools.cache
def _font(bold: bool) -> FT2Font:
    font = get_font(str(FONT_FILES[bold]))
    font.set_size(100, 72)
    return font


@functools.cache
def _advance(character: str, bold: bool) -> float:
    """Return a character's width in sizes of the font."""
    character = character if _known(character) else _REPLACEMENT
    return float(_font(bold).load_char(ord(character), LoadFlags.NO_HINTING).linearHoriAdvance) / 65536 / 100


@functools.cache
def _known(character: str) -> bool:
    return bool(_font(False).get_char_index(ord(character)))


def printable(text: str) -> str:
    """Return a text in one line of characters that the font has; others become a mark of replacement."""
    return "".join(c if _known(c) else _REPLACEMENT for c in " ".join(text.split()))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text is, mm, at a font size in points."""
    return sum(_advance(character, bold) for character in text) * size * MM_PER_POINT


def line_height(size: float) -> float:
    """Return the distance of lines, mm, at a font size in points."""
    return size * _LINE * MM_PER_POINT


def wrap_text(text: str, width: float, size: float, *, bold: bool = False) -> tuple[str, ...]:
    """Break a text into lines.

    Parameters
    ----------
    text : str
        Line ends in it stay.
    width : float, mm
    size : float, points
    bold : bool

    Returns
    -------
    tuple of str
        At least one. A word that is longer than a line is broken, where it can behind a sign such as ``_`` or ``/``.
    """
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        words = printable(paragraph).split(" ")
        lines += _fill(words, width, lambda part: text_width(part, size, bold=bold))
    return tuple(lines)


def _fill(words: Sequence[str], width: float, measure: Callable[[str], float]) -> list[str]:
    lines, line, used, space = [], "", 0.0, measure(" ")
    for word in words:
        wide = measure(word)
        if line and used + space + wide <= width:
            line, used = f"{line} {word}", used + space + wide
            continue
        if line:
            lines.append(line)
        *full, line = _broken(word, width, measure) if wide > width else [word]
        lines += full
        used = measure(line)
    return [*lines, line]


def _broken(word: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break a word that is too long for a line."""
    parts = []
    while measure(word) > width and len(word) > 1:
        n = max(1, next(i for i in range(1, len(word) + 1) if measure(word[:i]) > width) - 1)
        sign = max(word.rfind(sign, n // 2, n) for sign in _BREAKABLE) + 1
        n = sign or n
        parts.append(word[:n])
        word = word[n:]
    return [*parts, word]
