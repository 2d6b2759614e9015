"""A document as PDF: A4 upright, its fonts within it, pictures as lines rather than pixels."""

from pathlib import Path
from typing import Literal

from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Rectangle
from matplotlib.text import Text as Label
from matplotlib.transforms import Affine2D

from pose3d.io.files import atomic_path, require_suffix

from .document import Document
from .document_layout import SHEET_MM, Bar, Frame, Sheet, Words, lay_out
from .document_style import MM_PER_INCH, drawing_style
from .document_text import FONT_FILES, printable

__all__ = ["write_pdf"]

_SIDES: dict[str, Literal["left", "center", "right"]] = {"l": "left", "c": "center", "r": "right"}


def write_pdf(document: Document, path: str | Path) -> None:
    """Write a document as PDF; the same document gives the same bytes.

    Parameters
    ----------
    document : Document
    path : path
        Ends in ``.pdf``.

    Raises
    ------
    DataError
        If `path` does not end in ``.pdf``.
    Pose3DError
        If the file cannot be written.
    """
    require_suffix(path, ".pdf")
    title = printable(": ".join(text for text in (document.title, document.subtitle) if text))
    told = {"Title": title, "Creator": "pose3d", "Producer": "pose3d", "CreationDate": None}
    with drawing_style(), atomic_path(path) as temporary, PdfPages(temporary, metadata=told) as pages:
        for sheet in lay_out(document):
            pages.savefig(_drawn(sheet))


def _drawn(sheet: Sheet) -> Figure:
    figure = Figure(figsize=(SHEET_MM[0] / MM_PER_INCH, SHEET_MM[1] / MM_PER_INCH))
    FigureCanvasPdf(figure)
    fonts = {bold: FontProperties(fname=str(path)) for bold, path in FONT_FILES.items()}
    place = Affine2D().scale(1 / SHEET_MM[0], -1 / SHEET_MM[1]).translate(0, 1) + figure.transFigure
    for mark in sheet.marks:
        match mark:
            case Bar():
                box = Rectangle((mark.x, mark.y), mark.width, mark.height, color=mark.colour, linewidth=0)
                box.set_transform(place)
                figure.add_artist(box)
            case Words():
                label = Label(
                    mark.x,
                    mark.y,
                    mark.text,
                    color=mark.colour,
                    fontproperties=fonts[mark.bold],
                    horizontalalignment=_SIDES[mark.align],
                    verticalalignment="baseline",
                    transform=place,
                )
                label.set_fontsize(mark.size)
                figure.add_artist(label)
            case Frame():
                _draw_picture(figure, mark)
    return figure


def _draw_picture(figure: Figure, frame: Frame) -> None:
    """Give the picture a figure of its own within the sheet: the middle of three by three unequal cells."""
    right, below = SHEET_MM[0] - frame.x - frame.width, SHEET_MM[1] - frame.y - frame.height
    grid = GridSpec(
        3, 3, width_ratios=[frame.x, frame.width, right], height_ratios=[frame.y, frame.height, below], figure=figure
    )
    part = figure.add_subfigure(grid[1, 1])
    part.patch.set_visible(False)
    frame.draw(part)
