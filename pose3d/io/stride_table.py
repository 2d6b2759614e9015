"""Strides of animals as a csv: a row for each."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from pose3d.io.files import require_suffix, write_text

__all__ = ["write_strides"]

_COLUMNS = ("limb", "start_s", "stride_time_s", "duty_factor", "phase", "stride_length_mm", "speed_mm_s")


def write_strides(rows: Sequence[Mapping[str, str | float]], path: str | Path) -> None:
    """Write strides, to a tenth of a millisecond and of a millimetre; what is not known is an empty cell.

    Parameters
    ----------
    rows : sequence of mapping
        With ``limb``, ``start_s``, ``stride_time_s``, ``duty_factor``, ``phase``, ``stride_length_mm``, ``speed_mm_s``.
    path : path

    Raises
    ------
    DataError
        If `path` does not end in .csv.
    """
    require_suffix(path, ".csv")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[name], name) for name in _COLUMNS])
    write_text(path, out.getvalue())


def _cell(value: str | float, name: str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.{1 if 'mm' in name else 4}f}" if math.isfinite(value) else ""
