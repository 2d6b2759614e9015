"""A report as a document: pages of text, tables and pictures that a browser and paper show alike.

Nothing here knows what the report is about, or how it is written: see :mod:`pose3d.report.document_html`,
:mod:`pose3d.report.document_pdf` and :mod:`pose3d.report.document_tables`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = [
    "WIDTH_MM",
    "Block",
    "Bullets",
    "Callout",
    "Cell",
    "DataTable",
    "Document",
    "Draw",
    "Flag",
    "Grade",
    "KeyValues",
    "Page",
    "Picture",
    "Table",
    "Text",
    "Value",
]

WIDTH_MM = 182.0
"""Width of what stands on a page of A4; a browser scales it."""

Value: TypeAlias = str | float | int | None
"""What a cell of a csv or xlsx file may hold; None and NaN are empty cells."""

Flag: TypeAlias = Literal["", "good", "warn", "bad", "soft", "strong", "left", "right"]
"""How a cell is marked: a colour, which never alone tells something, or a weight."""

Grade: TypeAlias = Literal["good", "warn", "bad", "plain"]

Draw: TypeAlias = "Callable[[Figure | SubFigure], None]"
"""Draws into an empty figure whose size is that of the picture."""


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes
    ----------
    text : str
    kind : str
        ``body``, ``note`` (small, for what need not be read) or ``heading`` (stays with what follows).
    """

    text: str
    kind: Literal["body", "note", "heading"] = "body"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Callout:
    """A box that is read first.

    Attributes
    ----------
    grade : str
    headline : str
        The verdict in a few words.
    lines : tuple of str
        Why, and what to do.
    """

    grade: Grade
    headline: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyValues:
    """Names and what they are, such as who, what and when; or terms and their definitions.

    Attributes
    ----------
    rows : tuple of (str, str)
    columns : int
        How many pairs stand side by side.
    """

    rows: tuple[tuple[str, str], ...]
    columns: int = 1


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    text : str
    value : str, float, int or None, optional
        Goes into csv and xlsx files instead of `text`.
    small : str
        Second line, in small letters: an interval, say.
    flag : str
    """

    text: str
    value: Value = None
    small: str = ""
    flag: Flag = ""


@dataclass(frozen=True)
class Table:
    """A table to be read by people.

    Attributes
    ----------
    header : tuple of str
    rows : tuple of tuple of Cell or str
        Each as long as `header`.
    alignment : str, optional
        A letter a column: ``l``, ``r`` or ``c``. By default the first column is left, the others right.
    title, note : str
        Above and below.
    name : str
        Where it is given, the table is written as csv and into the xlsx file too, under this name.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    alignment: str = ""
    title: str = ""
    note: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if not self.alignment:
            object.__setattr__(self, "alignment", "l" + "r" * (len(self.header) - 1))
        if len(self.alignment) != len(self.header) or not set(self.alignment) <= set("lrc"):
            raise ValueError(f"alignment {self.alignment!r} must have a letter l, r or c for each column")
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"a row of {len(row)} cells in a table of {len(self.header)} columns")

    def cells(self) -> Iterator[tuple[Cell, ...]]:
        """Give the rows, each cell as a Cell."""
        for row in self.rows:
            yield tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row)


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes
    ----------
    draw : callable
        Draws it into a figure of :data:`WIDTH_MM` times `width` by `height_mm`.
    height_mm : float
    alt : str
        What it shows, for those who do not see it.
    caption : str
    width : float
        Share of the page's width.
    """

    draw: Draw
    height_mm: float
    alt: str
    caption: str = ""
    width: float = 1.0


Block: TypeAlias = Text | Bullets | Callout | KeyValues | Table | Picture


@dataclass(frozen=True)
class Page:
    """What belongs together; on paper it begins a sheet, and may go on on the next.

    Attributes
    ----------
    title : str
    blocks : tuple of Block
    """

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class DataTable:
    """A table for programs, which no page shows: numbers in full, a row an observation.

    Attributes
    ----------
    name : str
        Of letters, digits, ``-`` and ``_``; the file's name ends in it.
    header : tuple of str
    rows : sequence of sequence of str, float, int or None
    """

    name: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[Value]]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes
    ----------
    title : str
        What it is: Gait report.
    subtitle : str
        Of whom, and when.
    pages : tuple of Page
    footer : str
        Stands at the foot of every sheet, beside title and number: the subject's code.
    data : tuple of DataTable
    """

    title: str
    subtitle: str
    pages: tuple[Page, ...]
    footer: str = ""
    data: tuple[DataTable, ...] = ()

    def tables(self) -> tuple[DataTable, ...]:
        """Return all tables for programs: the named ones of the pages, then `data`."""
        named = (
            DataTable(
                block.name,
                block.header,
                [[cell.text if cell.value is None else cell.value for cell in row] for row in block.cells()],
            )
            for page in self.pages
            for block in page.blocks
            if isinstance(block, Table) and block.name
        )
        return (*named, *self.data)
