"""The tables of a document as csv files and as sheets of one xlsx file, number for number the same."""

import csv
import io
import math
import re
import zipfile
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from pose3d.io.files import atomic_path, require_suffix, write_text

from .document import DataTable, Document, Value

__all__ = ["write_csv_tables", "write_xlsx"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # XML knows no such characters
_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
_MOST = 31  # characters of a sheet's name
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say


def write_csv_tables(document: Document, folder: str | Path, stem: str) -> tuple[Path, ...]:
    """Write each table as ``<stem>-<name>.csv``.

    Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers do not.

    Parameters
    ----------
    document : Document
    folder : path
    stem : str

    Returns
    -------
    tuple of Path

    Raises
    ------
    Pose3DError
        If a file cannot be written.
    """
    paths = []
    for table in document.tables():
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(table.header)
        writer.writerows([_guarded(value) for value in row] for row in table.rows)
        paths.append(Path(folder) / f"{stem}-{table.name}.csv")
        write_text(paths[-1], out.getvalue())
    return tuple(paths)


def write_xlsx(document: Document, path: str | Path) -> None:
    """Write all tables as sheets of a workbook; the same document gives the same bytes.

    Raises
    ------
    DataError
        If `path` does not end in .xlsx.
    Pose3DError
        If the file cannot be written.
    """
    require_suffix(path, ".xlsx")
    book = Workbook(write_only=True)
    taken: set[str] = set()
    for table in document.tables():
        _add_sheet(book, table, _sheet_name(table.name, taken))
    if not taken:
        book.create_sheet("empty")
    buffer = io.BytesIO()
    book.save(buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(_timeless(buffer.getvalue()))


def _add_sheet(book: Workbook, table: DataTable, name: str) -> None:
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    texts = [list(table.header), *([_shown(value) for value in row] for row in table.rows[:200])]
    for i, column in enumerate(zip(*texts, strict=True)):
        width = max(len(text) for text in column) + 2
        sheet.column_dimensions[get_column_letter(i + 1)].width = min(max(width, 8), 60)
    head = []
    for title in table.header:
        cell = WriteOnlyCell(sheet, _CONTROL.sub(" ", title))
        cell.data_type = "s"
        cell.font = Font(bold=True)
        head.append(cell)
    sheet.append(head)
    for row in table.rows:
        cells = []
        for value in row:
            plain = _plain(value)
            cell = WriteOnlyCell(sheet, _CONTROL.sub(" ", plain) if isinstance(plain, str) else plain)
            if isinstance(plain, str):
                cell.data_type = "s"  # whatever it begins with, it is text
            cells.append(cell)
        sheet.append(cells)


def _plain(value: Value) -> Value:
    """Return a value as files hold it: what is no number is an empty cell."""
    if isinstance(value, float):
        # Twelve digits, as the sixteenth is written otherwise in one kind of file than in the other.
        return float(f"{value:.12g}") if math.isfinite(value) else None
    return value


def _guarded(value: Value) -> Value:
    value = _plain(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _shown(value: Value) -> str:
    plain = _plain(value)
    return "" if plain is None else f"{plain:.6g}" if isinstance(plain, float) else str(plain)


def _sheet_name(name: str, taken: set[str]) -> str:
    """Return a name that a sheet may have and no other one has, in capitals or not."""
    base = _FORBIDDEN.sub("_", _CONTROL.sub(" ", name))[:_MOST].strip() or "table"
    found, n = base, 1
    while found.lower() in taken:
        n += 1
        found = f"{base[: _MOST - len(str(n)) - 1]}_{n}"
    taken.add(found.lower())
    return found


def _timeless(book: bytes) -> bytes:
    """Take the time of writing out of a workbook: the same tables are the same file."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", content)
            still = zipfile.ZipInfo(entry.filename, _EPOCH)
            still.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(still, content)
    return out.getvalue()
