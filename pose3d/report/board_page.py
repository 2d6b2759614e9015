"""A calibration board as a page to print: a PDF of true scale, with a ruler and the board's settings on it."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose3d.calibration import board_cells
from pose3d.data.board import Board
from pose3d.errors import ConfigError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.io.files import atomic_path

__all__ = ["PAGES", "board_lines", "page_size", "write_board_page"]

PAGES: dict[str, tuple[float, float]] = {
    "A5": (148, 210),
    "Letter": (215.9, 279.4),
    "A4": (210, 297),
    "Legal": (215.9, 355.6),
    "Tabloid": (279.4, 431.8),
    "A3": (297, 420),
    "A2": (420, 594),
    "A1": (594, 841),
    "A0": (841, 1189),
}
"""Sizes of paper in mm, upright, the smaller first."""

_PT = 72 / 25.4
_EDGE_MM = 8.0  # what printers may leave white at the edge of the paper
_LINE_MM = 4.0
_FONT_PT = 8.0
_LETTER_MM = 0.56 * _FONT_PT / _PT  # wider than Helvetica's letters are on average
_RULER_MM = 10.0  # height of the ruler with its numbers
_LONGEST_RULER_MM = 100.0


@dataclass(frozen=True)
class _Layout:
    """Where things are on the page, mm from its upper left corner."""

    page: tuple[float, float]
    board: tuple[float, float]  # upper left corner of the print
    strip: tuple[float, float]  # where ruler and words begin
    strip_length: float
    sideways: bool  # the strip stands at the right, to be read with the page turned
    lines: tuple[str, ...]


def page_size(page: str | tuple[float, float]) -> tuple[float, float]:
    """Return a page's width and height in mm, upright.

    Parameters
    ----------
    page : str or (float, float)
        A name of `PAGES` in any case, or a width and a height in mm.

    Raises
    ------
    ConfigError
        If there is no such page.
    """
    if isinstance(page, str):
        known = {name.lower(): size for name, size in PAGES.items()}
        if page.lower() not in known:
            raise ConfigError(f"page {page!r} is unknown: {', '.join(PAGES)}, or a width and a height in mm")
        return known[page.lower()]
    width, height = (float(side) for side in page)
    if not (0 < width < 1e4 and 0 < height < 1e4):
        raise ConfigError(f"page {width:g} x {height:g} mm: both sides must be between 0 and 10000 mm")
    return min(width, height), max(width, height)


def board_lines(board: Board) -> list[str]:
    """Return the lines of ``pose3d.toml`` that describe a board, with their heading."""
    return ["[board]", *(f"{key} = {_toml(value)}" for key, value in board.settings.items())]


def _toml(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def write_board_page(
    board: Board,
    path: str | Path,
    *,
    page: str | tuple[float, float] = "A4",
    title: str = "pose3d calibration board",
) -> None:
    """Write a board as a PDF of one page, to be printed at 100 %.

    The board has an empty border around it (black, where the board is inverted): a square wide, or as wide as the gaps
    of a grid. Beside it are a ruler, to be measured on the paper, and the board's settings. The page is upright or
    turned, as the board fits. The same board makes the same bytes.

    Parameters
    ----------
    board : Board
    path : path
    page : str or (float, float)
        A name of `PAGES`, or a width and a height in mm.
    title : str
        First of the printed lines; letters that are not of Latin-1 become question marks.

    Raises
    ------
    ConfigError
        If the board does not fit; it names a page on which it does and the largest squares that fit on this one. If
        there is no such page, or the board's dictionary is unknown or too small.
    """
    size = page_size(page)
    cells = board_cells(board)
    layout = _arrange(board, size, title)
    if layout is None:
        raise ConfigError(_too_large(board, page, size, title))
    content = "\n".join([*_draw(board, cells, layout), *_write_strip(layout)]) + "\n"
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(_pdf(content, layout.page, title))


def _lines(board: Board, title: str, length: float) -> tuple[str, ...]:
    """Break the words into lines that fit beside a board."""
    texts = [
        title,
        board.describe(),
        "Print at 100 %, no scaling, not fit to page. Then measure the ruler: if it is off, so are all lengths.",
        "pose3d.toml:  " + "   ".join(board_lines(board)),
    ]
    room = max(int(length / _LETTER_MM), 12)
    lines = []
    for text in texts:
        line = ""
        for word in text.split(" "):
            if line and len(line) + 1 + len(word) > room:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return tuple(lines)


def _border_mm(board: Board) -> float:
    """Return the width of the empty border: a square, or as much as there is between a grid's markers."""
    return board.separation_mm if board.is_grid else board.square_mm


def _frame_mm(board: Board) -> FloatArray:
    """Return width and height of the print with its border."""
    low, high = board.extent
    return np.asarray(high - low + 2 * _border_mm(board))


def _arrange(board: Board, size: tuple[float, float], title: str) -> _Layout | None:
    """Find a place for the board and the strip: upright or turned, the strip below or at the right."""
    frame = _frame_mm(board)
    # White paper may end where the border ends; a black border must be printed.
    spare = _EDGE_MM if board.inverted else 0.0
    for page in (size, size[::-1]):
        for sideways in (False, True):
            room = np.array(page) - frame - 2 * spare
            length = page[1 if sideways else 0] - 2 * _EDGE_MM
            lines = _lines(board, title, length)
            depth = spare / 2 + _RULER_MM + len(lines) * _LINE_MM + _EDGE_MM - spare
            across, along = (1, 0) if sideways else (0, 1)
            if room[across] < -1e-9 or room[along] < depth - 1e-9 or length < 2 * _RULER_MM:
                continue
            at = np.empty(2)
            at[across] = room[across] / 2
            at[along] = min((room[along] - depth) / 2, room[across] / 2)
            begin = at[along] + frame[along] + 1.5 * spare + (room[along] - depth - at[along]) / 2
            board_at = at + spare + _border_mm(board)
            strip = (float(begin), page[1] - _EDGE_MM) if sideways else (_EDGE_MM, float(begin))
            return _Layout(page, (float(board_at[0]), float(board_at[1])), strip, float(length), sideways, lines)
    return None


def _too_large(board: Board, page: str | tuple[float, float], size: tuple[float, float], title: str) -> str:
    named = page if isinstance(page, str) else f"{size[0]:g} x {size[1]:g} mm"
    width, height = _frame_mm(board)
    says = (
        f"{board.describe()} with its border of {_border_mm(board):g} mm is {width:.4g} x {height:.4g} mm and does not "
        f"fit on {named}"
    )
    american = named.lower() in ("letter", "legal", "tabloid")
    fitting = [
        name
        for name, other in PAGES.items()
        if name.startswith("A") != american and _arrange(board, other, title) is not None
    ]
    what = f"take page {fitting[0]}" if fitting else f"take a page of {width + 60:.0f} x {height + 60:.0f} mm"
    tenths = math.floor(board.square_mm * 10)
    for square in range(tenths, 9, -1):
        smaller = _scaled(board, square / 10)
        if _arrange(smaller, size, title) is not None:
            what += f", or square_mm {smaller.square_mm:g}"
            what += f" and marker_mm {smaller.marker_mm:g}" if smaller.marker_mm is not None else ""
            break
    return f"{says}; {what}"


def _scaled(board: Board, square_mm: float) -> Board:
    if board.marker_mm is None:
        return replace(board, square_mm=square_mm)
    marker_mm = round(board.marker_mm / board.square_mm * square_mm, 1)
    return replace(board, square_mm=square_mm, marker_mm=marker_mm)


def _outlines(dark: BoolArray) -> Iterator[list[tuple[int, int]]]:
    """Yield closed outlines (column, row) of the dark cells, the dark side on their right.

    Neighbouring cells have no edge between them, so that no printer can leave a hairline there.
    """
    inside = np.pad(dark, 1).astype(np.int8)
    down, right = np.diff(inside, axis=0)[:, 1:-1], np.diff(inside, axis=1)[1:-1]
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, column in np.argwhere(down).tolist():
        a, b = (column, row), (column + 1, row)
        start, end = (a, b) if down[row, column] > 0 else (b, a)
        steps.setdefault(start, []).append(end)
    for row, column in np.argwhere(right).tolist():
        a, b = (column, row + 1), (column, row)
        start, end = (a, b) if right[row, column] > 0 else (b, a)
        steps.setdefault(start, []).append(end)
    while steps:
        start = min(steps)
        outline, at, before = [start], start, (0, 0)
        while True:
            ends = steps[at]
            # Where two cells touch at a corner, turn right: each keeps an outline of its own.
            turns = [before[0] * (end[1] - at[1]) - before[1] * (end[0] - at[0]) for end in ends]
            end = ends.pop(int(np.argmax(turns)))
            if not ends:
                del steps[at]
            before, at = (end[0] - at[0], end[1] - at[1]), end
            if at == start:
                break
            outline.append(at)
        points = np.array(outline)
        ahead, behind = np.roll(points, -1, axis=0) - points, points - np.roll(points, 1, axis=0)
        corner = ahead[:, 0] * behind[:, 1] != ahead[:, 1] * behind[:, 0]
        yield [(int(x), int(y)) for x, y in points[corner]]


def _draw(board: Board, cells: tuple[FloatArray, FloatArray, BoolArray], layout: _Layout) -> list[str]:
    """Return the drawing of the board, in mm from the page's upper left corner."""
    x, y, dark = cells
    low = board.extent[0]
    x, y = x - low[0] + layout.board[0], y - low[1] + layout.board[1]
    out = []
    ink = "0 g"
    if board.inverted:
        (left, top), (width, height) = layout.board, _frame_mm(board)
        corner = (left - _border_mm(board), top - _border_mm(board))
        out += ["0 g", f"{_n(corner[0])} {_n(corner[1])} {_n(width)} {_n(height)} re", "f"]
        ink = "1 g"
    out.append(ink)
    for outline in _outlines(dark):
        points = [f"{_n(x[column])} {_n(y[row])}" for column, row in outline]
        out += [f"{points[0]} m", *(f"{point} l" for point in points[1:]), "h"]
    return [*out, "f*"]


def _write_strip(layout: _Layout) -> list[str]:
    """Return ruler and words; the strip's own x runs along it and its y away from the board."""
    x0, y0 = layout.strip
    # Sideways, its x runs up the page.
    turn = f"0 -1 1 0 {_n(x0)} {_n(y0)} cm" if layout.sideways else f"1 0 0 1 {_n(x0)} {_n(y0)} cm"
    out = ["q", turn, "0 g 0 G 0.2 w"]
    length = min(_LONGEST_RULER_MM, math.floor((layout.strip_length - 12) / 10) * 10)
    ticks = np.arange(0, length + 0.5)
    for tick in ticks:
        tall = 4.0 if tick % 10 == 0 else 3.0 if tick % 5 == 0 else 2.0
        out.append(f"{_n(tick)} 0 m {_n(tick)} {_n(tall)} l S")
    out.append(f"0 0 m {_n(length)} 0 l S")
    out += [_text(f"{tick:g}", (tick + 0.5, 6.0), 6) for tick in ticks[::10][:-1]]
    out.append(_text(f"{length:g} mm", (length + 0.5, 6.0), 6))
    for i, line in enumerate(layout.lines):
        out.append(_text(line, (0.0, _RULER_MM + i * _LINE_MM), _FONT_PT, bold=i == 0))
    return [*out, "Q"]


def _text(text: str, at: tuple[float, float], points: float, *, bold: bool = False) -> str:
    """Return words whose baseline begins at a place; y points down, so letters are turned upright again."""
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    font = "/F2" if bold else "/F1"
    return f"BT {font} {_n(points / _PT)} Tf 1 0 0 -1 {_n(at[0])} {_n(at[1])} Tm ({escaped}) Tj ET"


def _n(value: float) -> str:
    """Write a number of mm for a PDF, exact to a hundredth of a micrometre."""
    text = f"{value:.5f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _pdf(content: str, page: tuple[float, float], title: str) -> bytes:
    """Wrap drawing commands in mm, y down, into a PDF of one page without a date."""
    width, height = (side * _PT for side in page)
    body = f"{_PT:.9f} 0 0 {-_PT:.9f} 0 {height:.6f} cm\n{content}".encode("latin-1", "replace")
    name = title.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("latin-1", "replace")
    fonts = " ".join(
        f"/F{i} << /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>"
        for i, font in enumerate(("Helvetica", "Helvetica-Bold"), start=1)
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:.6f} {height:.6f}] "
            f"/Resources << /Font << {fonts} >> >> /Contents 4 0 R >>"
        ).encode("ascii"),
        b"<< /Length %d >>\nstream\n%sendstream" % (len(body), body),
        b"<< /Title (%s) /Producer (pose3d) >>" % name,
    ]
    out = bytearray(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content_ in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content_)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)
