"""How wide the columns of a table are on paper, and how large its letters."""

from collections.abc import Sequence

from .document import WIDTH_MM, Flag, Table
from .document_text import text_width

__all__ = ["BOLD", "CELL", "SMALL", "table_columns"]

CELL = 7.4
"""Font size of tables, points, where there is room."""
SMALL = 0.84
"""Of a cell's size: that of its second line."""
BOLD: tuple[Flag, ...] = ("strong", "warn", "bad")
"""Flags whose cells are bold."""
_LEAST_CELL = 5.6
_BETWEEN = 2.6  # mm between columns


def table_columns(block: Table) -> tuple[float, list[tuple[float, float]]]:
    """Return the font size of a table, and of each column left edge and width, mm."""
    room = WIDTH_MM - _BETWEEN * (len(block.header) - 1)
    wishes = {size: _wishes(block, size, room) for size in (CELL, 7.0, 6.6, 6.2, _LEAST_CELL)}
    # A little smaller rather than broken; where cells are long texts, broken rather than small.
    size = next((size for size, (most, _) in wishes.items() if size > 6.5 and sum(most) <= room), None)
    size = size or next((size for size, (_, least) in wishes.items() if sum(least) <= room), _LEAST_CELL)
    places, x = [], 0.0
    for width in _shared(*wishes[size], room):
        places.append((x, width))
        x += width + _BETWEEN
    return size, places


def _wishes(block: Table, size: float, room: float) -> tuple[list[float], list[float]]:
    """Return how wide each column would be, and how narrow it can be, at a font size."""
    rows = list(block.cells())
    most, least = [], []
    for i, name in enumerate(block.header):
        cells = [row[i] for row in rows]
        texts = [(cell.text, size, cell.flag in BOLD) for cell in cells]
        texts += [(cell.small, size * SMALL, False) for cell in cells]
        heads = [(word, size, True) for word in name.split()]
        words = [(word, s, bold) for text, s, bold in texts for word in text.split()]
        if block.alignment[i] == "r":  # a number is not broken
            words = texts
        longest = max((_width(*text) for text in [*words, *heads]), default=0.0)
        most.append(max([_width(*text) for text in [*texts, (name, size, True)]] + [longest]))
        least.append(min(longest, 0.4 * room))
    return most, least


def _width(text: str, size: float, bold: bool) -> float:
    return text_width(text, size, bold=bold) + 0.05  # what just fits is not broken


def _shared(most: Sequence[float], least: Sequence[float], room: float) -> list[float]:
    """Share the room among columns: as wide as they wish, else as narrow as they can be, else narrower."""
    if sum(most) <= room:
        # A table that nearly fills the width fills it.
        spare = room - sum(most) if sum(most) > 0.55 * room else 0.0
        return [width + spare / len(most) for width in most]
    if sum(least) >= room:
        return [width * room / sum(least) for width in least]
    give = (room - sum(least)) / (sum(most) - sum(least))
    return [low + give * (high - low) for high, low in zip(most, least, strict=True)]
