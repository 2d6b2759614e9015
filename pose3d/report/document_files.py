"""A document as all the files that people ask for."""

from pathlib import Path

from .document import Document
from .document_html import write_html
from .document_pdf import write_pdf
from .document_tables import write_csv_tables, write_xlsx

__all__ = ["write_document"]


def write_document(document: Document, folder: str | Path, stem: str, *, pdf: bool = True) -> tuple[Path, ...]:
    """Write ``<stem>.html``, ``<stem>.pdf``, ``<stem>.xlsx`` and a ``<stem>-<table>.csv`` for each table.

    The same document gives the same bytes.

    Parameters
    ----------
    document : Document
    folder : path
    stem : str
        What the files' names begin with.
    pdf : bool

    Returns
    -------
    tuple of Path

    Raises
    ------
    Pose3DError
        If a file cannot be written.
    """
    folder = Path(folder)
    paths = [folder / f"{stem}.html"]
    write_html(document, paths[0])
    if pdf:
        paths.append(folder / f"{stem}.pdf")
        write_pdf(document, paths[-1])
    paths.append(folder / f"{stem}.xlsx")
    write_xlsx(document, paths[-1])
    return (*paths, *write_csv_tables(document, folder, stem))
