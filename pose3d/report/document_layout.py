"""Where everything of a document stands on paper: blocks flow down sheets of A4.

Places are mm from the upper left corner of a sheet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from .document import (
    WIDTH_MM,
    Block,
    Bullets,
    Callout,
    Cell,
    Document,
    Draw,
    Flag,
    Grade,
    KeyValues,
    Page,
    Picture,
    Table,
    Text,
)
from .document_columns import BOLD, CELL, SMALL, table_columns
from .document_style import INK, LINE, SOFT
from .document_text import line_height, text_width, wrap_text

__all__ = ["SHEET_MM", "Bar", "Frame", "Mark", "Sheet", "Words", "lay_out"]

SHEET_MM = (210.0, 297.0)
_LEFT, _TOP, _BOTTOM = (SHEET_MM[0] - WIDTH_MM) / 2, 15.0, SHEET_MM[1] - 17.0
_RIGHT = _LEFT + WIDTH_MM
_BODY, _NOTE = 8.4, 7.2  # points
_GAP = 3.0
_PAD = 1.15  # above and below a cell's text
_ASCENT = 0.93 * 25.4 / 72  # of a line's first baseline below its top, mm a point

_COLOURS: dict[Flag, str] = {
    "": INK,
    "strong": INK,
    "soft": SOFT,
    "good": "#00664e",
    "warn": "#8a5a00",
    "bad": "#a8321a",
    "left": "#a84300",
    "right": "#005f94",
}
_GRADES: dict[Grade, tuple[str, str, str]] = {  # edge, ground, words
    "good": ("#00664e", "#eef7f3", "#00664e"),
    "warn": ("#c98500", "#fdf6e3", "#8a5a00"),
    "bad": ("#a8321a", "#fdf0ec", "#a8321a"),
    "plain": ("#0072b2", "#eef5fb", "#0b4a73"),
}


@dataclass(frozen=True)
class Words:
    """A line of text: `y` is its baseline, `align` says which end of it is at `x`."""

    x: float
    y: float
    text: str
    size: float
    colour: str = INK
    bold: bool = False
    align: str = "l"


@dataclass(frozen=True)
class Bar:
    """A filled rectangle; a thin one is a line."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True)
class Frame:
    """A place for a picture."""

    x: float
    y: float
    width: float
    height: float
    draw: Draw


Mark: TypeAlias = Words | Bar | Frame


@dataclass(frozen=True)
class Sheet:
    """One side of paper.

    Attributes
    ----------
    title : str
        Of the page to which it belongs.
    continued : bool
        Whether the page began on an earlier sheet.
    marks : list of Mark
    """

    title: str
    continued: bool
    marks: list[Mark] = field(default_factory=list)


def lay_out(document: Document) -> tuple[Sheet, ...]:
    """Place all pages of a document on sheets, with heads and feet."""
    sheets: list[Sheet] = []
    for i, page in enumerate(document.pages):
        flow = _Flow(page, document if i == 0 else None)
        for j, block in enumerate(page.blocks):
            flow.place(block, page.blocks[j + 1] if j + 1 < len(page.blocks) else None)
        sheets += flow.sheets
    for i, sheet in enumerate(sheets, start=1):
        sheet.marks.extend(_foot(document, i, len(sheets)))
    return tuple(sheets)


def _foot(document: Document, number: int, total: int) -> list[Mark]:
    y = SHEET_MM[1] - 9.5
    words = ", ".join(text for text in (document.title, document.footer) if text)
    (line, *more) = wrap_text(words, WIDTH_MM - 25, _NOTE)
    return [
        Bar(_LEFT, y - 4.2, WIDTH_MM, 0.2, LINE),
        Words(_LEFT, y, line + ("…" if more else ""), _NOTE, SOFT),
        Words(_RIGHT, y, f"{number} / {total}", _NOTE, SOFT, align="r"),
    ]


class _Flow:
    """Puts blocks one below the other, and begins a new sheet where one is full."""

    def __init__(self, page: Page, opening: Document | None) -> None:
        self.page = page
        self.sheets: list[Sheet] = []
        self.y = 0.0
        self._begin(opening)

    @property
    def marks(self) -> list[Mark]:
        return self.sheets[-1].marks

    def _begin(self, opening: Document | None = None) -> None:
        continued = bool(self.sheets)
        self.sheets.append(Sheet(self.page.title, continued))
        self.y = _TOP
        if opening is not None:
            self._lines(opening.title, 19, bold=True)
            if opening.subtitle:
                self.y += 0.8
                self._lines(opening.subtitle, 9.5, colour=SOFT)
            self.y += 1.5
            self.marks.append(Bar(_LEFT, self.y, WIDTH_MM, 0.9, INK))
            self.y += 5
        self._lines(self.page.title + (" (continued)" if continued else ""), 13, bold=True)
        self.y += 0.8
        self.marks.append(Bar(_LEFT, self.y, WIDTH_MM, 0.4, LINE))
        self.y += 3.2
        self.top = self.y

    def _need(self, height: float) -> None:
        """Begin a new sheet if so much does not fit on this one, unless nothing stands on it yet."""
        if self.y + height > _BOTTOM and self.y > self.top:
            self._begin()

    def _lines(
        self,
        text: str,
        size: float,
        *,
        colour: str = INK,
        bold: bool = False,
        x: float = _LEFT,
        width: float = WIDTH_MM,
    ) -> None:
        """Write a paragraph at the cursor, line by line onto as many sheets as it takes."""
        for line in wrap_text(text, width, size, bold=bold):
            if self.sheets[-1].marks:
                self._need(line_height(size))
            self.marks.append(Words(x, self.y + _ASCENT * size, line, size, colour, bold))
            self.y += line_height(size)

    def place(self, block: Block, following: Block | None) -> None:
        match block:
            case Text(kind="heading"):
                self._need(9 + (_least_height(following) if following is not None else 0))
                self.y += 1.5 if self.y > self.top else 0
                self._lines(block.text, 10, bold=True)
                self.y += 1.0
            case Text(kind=kind):
                size = _BODY if kind == "body" else _NOTE
                self._need(min(2, len(wrap_text(block.text, WIDTH_MM, size))) * line_height(size))
                self._lines(block.text, size, colour=INK if kind == "body" else SOFT)
                self.y += _GAP
            case Bullets():
                self._bullets(block.items, _LEFT, WIDTH_MM)
                self.y += _GAP
            case Callout():
                self._callout(block)
            case KeyValues():
                self._pairs(block)
            case Table():
                self._table(block)
            case Picture():
                self._picture(block)

    def _bullets(self, items: Sequence[str], x: float, width: float) -> None:
        for item in items:
            self._need(line_height(_BODY))
            self.marks.append(Words(x, self.y + _ASCENT * _BODY, "•", _BODY, SOFT))
            self._lines(item, _BODY, x=x + 3.6, width=width - 3.6)
            self.y += 0.6

    def _callout(self, block: Callout) -> None:
        edge, ground, colour = _GRADES[block.grade]
        x, width = _LEFT + 6, WIDTH_MM - 10
        head = wrap_text(block.headline, width, 11.5, bold=True)
        lines = [wrap_text(line, width - 3.6, _BODY) for line in block.lines]
        height = 6.4 + len(head) * line_height(11.5) + sum(0.6 + len(each) * line_height(_BODY) for each in lines)
        self._need(height)
        if self.y + height <= _BOTTOM:  # a longer one than a sheet goes without its box
            self.marks.append(Bar(_LEFT, self.y, WIDTH_MM, height, ground))
            self.marks.append(Bar(_LEFT, self.y, 2.4, height, edge))
        self.y += 2.8
        self._lines(block.headline, 11.5, colour=colour, bold=True, x=x, width=width)
        self.y += 0.6
        self._bullets(block.lines, x, width)
        self.y += 2.4 + _GAP

    def _pairs(self, block: KeyValues) -> None:
        columns, between = block.columns, 6.0
        width = (WIDTH_MM - between * (columns - 1)) / columns
        name_width = max((text_width(name, _NOTE, bold=True) for name, _ in block.rows), default=0)
        name_width = min(name_width + 3, 0.42 * width)
        for i in range(0, len(block.rows), columns):
            row = block.rows[i : i + columns]
            cells = [
                (wrap_text(name, name_width - 2, _NOTE, bold=True), wrap_text(value, width - name_width, _NOTE))
                for name, value in row
            ]
            n = max(max(len(name), len(value)) for name, value in cells)
            fits = n * line_height(_NOTE) + 2 * _PAD <= _BOTTOM - self.top
            self._need((n if fits else 1) * line_height(_NOTE) + 2 * _PAD)
            self.y += _PAD
            for k in range(n):
                self._need(line_height(_NOTE))
                base = self.y + _ASCENT * _NOTE
                for j, (name, value) in enumerate(cells):
                    x = _LEFT + j * (width + between)
                    if k < len(name):
                        self.marks.append(Words(x, base, name[k], _NOTE, SOFT, bold=True))
                    if k < len(value):
                        self.marks.append(Words(x + name_width, base, value[k], _NOTE))
                self.y += line_height(_NOTE)
            self.y += _PAD
            for j in range(len(row)):
                self.marks.append(Bar(_LEFT + j * (width + between), self.y, width, 0.15, LINE))
        self.y += _GAP

    def _picture(self, block: Picture) -> None:
        width = WIDTH_MM * block.width
        height = min(block.height_mm, _BOTTOM - self.top)
        caption = wrap_text(block.caption, width, _NOTE) if block.caption else ()
        self._need(height + 1 + len(caption) * line_height(_NOTE))
        self.marks.append(Frame(_LEFT, self.y, width, height, block.draw))
        self.y += height + 1
        if block.caption:
            self._lines(block.caption, _NOTE, colour=SOFT, width=width)
        self.y += _GAP

    def _table(self, block: Table) -> None:
        size, places = table_columns(block)
        columns = [(_LEFT + x, width) for x, width in places]
        self._need(_least_height(block))
        self._table_head(block, size, columns, title=block.title)
        for row in block.cells():
            for part in _parts(_row_lines(row, size, columns), _BOTTOM - self.top - 30):
                height = max(sum(line_height(line.size) for line in lines) for lines in part) + 2 * _PAD
                if self.y + height > _BOTTOM:
                    self._begin()
                    self._table_head(block, size, columns, title=f"{block.title} (continued)" if block.title else "")
                for lines, (x, width), align in zip(part, columns, block.alignment, strict=True):
                    at, y = _aligned(x, width, align), self.y + _PAD
                    for line in lines:
                        self.marks.append(replace(line, x=at, y=y + _ASCENT * line.size, align=align))
                        y += line_height(line.size)
                self.y += height
            self.marks.append(Bar(_LEFT, self.y, _reach(columns), 0.15, LINE))
        self.y += 1.2
        if block.note:
            self._lines(block.note, _NOTE, colour=SOFT)
        self.y += _GAP

    def _table_head(self, block: Table, size: float, columns: Sequence[tuple[float, float]], *, title: str) -> None:
        if title:
            self._lines(title, 9, bold=True)
            self.y += 0.8
        head = [wrap_text(name, width, size, bold=True) for name, (_, width) in zip(block.header, columns, strict=True)]
        n = max(len(lines) for lines in head)
        for lines, (x, width), align in zip(head, columns, block.alignment, strict=True):
            y = self.y + (n - len(lines)) * line_height(size)
            for line in lines:
                at = _aligned(x, width, align)
                self.marks.append(Words(at, y + _ASCENT * size, line, size, SOFT, bold=True, align=align))
                y += line_height(size)
        self.y += n * line_height(size) + 0.8
        self.marks.append(Bar(_LEFT, self.y, _reach(columns), 0.35, "#9aa3b0"))
        self.y += 0.4


def _row_lines(row: Sequence[Cell], size: float, columns: Sequence[tuple[float, float]]) -> list[list[Words]]:
    """Return the lines of each cell, not yet placed."""
    small = size * SMALL
    found = []
    for cell, (_, width) in zip(row, columns, strict=True):
        colour, bold = _COLOURS[cell.flag], cell.flag in BOLD
        lines = [Words(0, 0, line, size, colour, bold) for line in wrap_text(cell.text, width, size, bold=bold)]
        if cell.small:
            lines += [Words(0, 0, line, small, SOFT) for line in wrap_text(cell.small, width, small)]
        found.append(lines)
    return found


def _parts(cells: list[list[Words]], room: float) -> Iterator[list[list[Words]]]:
    """Yield a row whole, or piece by piece where it is higher than a sheet."""
    most = max(max((len(lines) for lines in cells), default=1), 1)
    step = max(1, int(room / line_height(CELL)))
    for i in range(0, most, step):
        yield [lines[i : i + step] for lines in cells]


def _aligned(x: float, width: float, align: str) -> float:
    return x + {"l": 0.0, "c": width / 2, "r": width}[align]


def _reach(columns: Sequence[tuple[float, float]]) -> float:
    x, width = columns[-1]
    return x + width - _LEFT


def _least_height(block: Block) -> float:
    """Return the height that must be free for a block to begin."""
    match block:
        case Picture():
            return block.height_mm + 6
        case Table():
            return 24.0
        case Callout():
            return 20.0
    return 10.0
