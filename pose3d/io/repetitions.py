"""Repetitions of an exercise as a table: csv with a row for each repetition of each side."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pose3d.io.files import require_suffix, write_text

__all__ = ["write_repetitions"]


def write_repetitions(
    rows: Iterable[Mapping[str, str | bool | float]], path: str | Path, *, columns: Sequence[str]
) -> None:
    """Write rows as csv: numbers to four decimals, what is not known empty, yes and no as words.

    Parameters
    ----------
    rows : iterable of mapping
        Column to cell.
    path : path
    columns : sequence of str
        In their order.

    Raises
    ------
    DataError
        If `path` does not end in .csv.
    """
    require_suffix(path, ".csv")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    write_text(path, out.getvalue())


def _cell(value: str | bool | float) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return f"{value:.4f}" if math.isfinite(value) else ""
