"""A document as one HTML file that needs no network, no other file and no script."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from pose3d.io.files import require_suffix, write_text

from .document import Block, Bullets, Callout, Document, KeyValues, Picture, Table, Text
from .document_style import picture_svg
from .page_environment import POLICY, page_environment, read_styles

__all__ = ["write_html"]


def write_html(document: Document, path: str | Path) -> None:
    """Write a document as HTML; the same document gives the same bytes.

    Parameters
    ----------
    document : Document
    path : path
        Ends in ``.html``.

    Raises
    ------
    DataError
        If `path` does not end in ``.html``.
    Pose3DError
        If the file cannot be written.
    """
    require_suffix(path, ".html")
    pages = []
    for i, page in enumerate(document.pages, start=1):
        blocks = [_block(block, f"p{i}b{j}") for j, block in enumerate(page.blocks, start=1)]
        pages.append({"anchor": f"page-{i}", "number": i, "title": page.title, "blocks": blocks})
    filled = {
        "policy": POLICY,
        "style": read_styles("calibration.css", "document.css"),
        "title": document.title,
        "subtitle": document.subtitle,
        "footer": document.footer,
        "pages": pages,
    }
    write_text(path, page_environment().get_template("document.html").render(filled) + "\n")


def _block(block: Block, prefix: str) -> dict[str, Any]:
    """Return what the template needs of a block; `kind` says which it is."""
    match block:
        case Text():
            return {"kind": block.kind, "text": block.text}
        case Bullets():
            return {"kind": "bullets", "items": block.items}
        case Callout():
            return {"kind": "callout", "grade": block.grade, "headline": block.headline, "lines": block.lines}
        case KeyValues():
            return {"kind": "pairs", "rows": block.rows, "columns": block.columns}
        case Table():
            return {
                "kind": "table",
                "title": block.title,
                "note": block.note,
                "header": list(zip(block.alignment, block.header, strict=True)),
                "rows": [list(zip(block.alignment, row, strict=True)) for row in block.cells()],
            }
        case Picture():
            return {
                "kind": "picture",
                "svg": Markup(picture_svg(block, prefix)),
                "caption": block.caption,
                "percent": f"{100 * block.width:g}",
            }
