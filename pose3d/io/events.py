"""Events as a table that people can read and correct: csv with ``time_s, limb, kind``."""

import csv
import io
import math
from pathlib import Path

import numpy as np

from pose3d.data.events import LimbEvents
from pose3d.errors import FormatError
from pose3d.io.files import require_file, require_suffix, write_text

__all__ = ["read_events", "write_events"]

_COLUMNS = ("time_s", "limb", "kind")


def write_events(events: LimbEvents, path: str | Path) -> None:
    """Write events as csv, a line each, in the order of their times; to a tenth of a millisecond.

    Raises
    ------
    DataError
        If `path` does not end in .csv.
    """
    require_suffix(path, ".csv")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for time, limb, kind in zip(events.time_s.tolist(), events.limbs, events.kinds, strict=True):
        writer.writerow([f"{time:.4f}", limb, kind])
    write_text(path, out.getvalue())


def read_events(path: str | Path) -> LimbEvents:
    """Read events from csv.

    Parameters
    ----------
    path : path
        With the columns ``time_s``, ``limb`` and ``kind``, in any order of lines; others are ignored, and so are empty
        lines.

    Raises
    ------
    FormatError
        If the file is no such table.
    """
    path = require_file(path, "file of events")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is no text; events are a csv with {', '.join(_COLUMNS)}") from error
    table = csv.DictReader(io.StringIO(text))
    try:
        lacking = [name for name in _COLUMNS if name not in [str(field).strip() for field in table.fieldnames or ()]]
        rows = [{str(key).strip(): value for key, value in row.items()} for row in table]
    except csv.Error as error:
        raise FormatError(f"{path}: cannot be read as a csv ({error})") from error
    if lacking:
        raise FormatError(f"{path}: lacks the columns {', '.join(lacking)}; events need {', '.join(_COLUMNS)}")
    times, limbs, kinds = [], [], []
    for number, row in enumerate(rows, start=2):
        limb, kind, time = (str(row.get(name) or "").strip() for name in ("limb", "kind", "time_s"))
        try:
            seconds = float(time)
        except ValueError:
            seconds = math.nan
        if not (math.isfinite(seconds) and limb and kind):
            raise FormatError(
                f"{path}: line {number} needs a time in seconds, a limb and a kind, such as 1.52,L,strike"
            )
        times.append(seconds)
        limbs.append(limb)
        kinds.append(kind)
    return LimbEvents(np.array(times), tuple(limbs), tuple(kinds))
