"""The side file of a csv: what anipose's columns have no room for.

Other programs accept the columns of anipose only (`movement` refuses a file with any other), so status, covariance,
frame rate and names go to ``<stem>.uncertainty.csv`` beside it. Its first line is ``# pose3d: `` and a JSON object: the
frame rate `fps` (null if unknown), the index `start` of the first frame, the name of the `individual`, the `sha256` of
the csv that it belongs to, and, where a person corrected the points, the `edits` that they hold. Below stands a table:
``frame``, ``time_s`` (empty without a frame rate) and

- for points: ``<keypoint>_status`` (``observed``, ``filled`` or ``missing``) of every keypoint, ``<keypoint>_gap`` of
  every keypoint, which is how far it lies from data: frames to the nearest one in which that keypoint was observed (0
  where it was, empty where it is missing or never observed), and, where there is a covariance, ``<keypoint>_xx``,
  ``_xy``, ``_xz``, ``_yy``, ``_yz``, ``_zz`` in mm^2, with 9 digits;
- for angles: ``<angle>_sd`` in degrees, where there are standard deviations, and ``<angle>_low``, ``<angle>_high``,
  between which the truth lies with 95 % probability, where there are intervals.

A side file whose csv has changed since, or that is damaged, is left aside with a warning.
"""

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from pose3d.data import Status
from pose3d.data.edits import Edits
from pose3d.errors import FormatError
from pose3d.io.edits import edit_tables, parse_edits
from pose3d.io.files import atomic_path, require_file, require_suffix
from pose3d.io.number_text import Cells, csv_rows, exact_text, integer_text
from pose3d.io.tables import read_table, require_numbers
from pose3d.log import logger

__all__ = [
    "STATUS_WORDS",
    "Rows",
    "SideFile",
    "SideHead",
    "read_held_edits",
    "read_side",
    "uncertainty_path",
    "write_both",
    "write_with_side",
]

Rows: TypeAlias = tuple[list[Cells], list[Cells]]
"""Some neighbouring rows of a csv and of its side file; each array is (n_rows, n_columns, width)."""

STATUS_WORDS = tuple(status.name.lower() for status in Status)
"""Names of the statuses, each at the place of its number."""

_MARK = "# pose3d: "
_MOST_LINE_BYTES = 1 << 24


def uncertainty_path(path: str | Path) -> Path:
    """Return where the side file of a csv lies."""
    path = Path(path)
    return path.with_name(f"{path.stem}.uncertainty.csv")


@dataclass(frozen=True)
class SideFile:
    """What a side file says."""

    individual: str
    fps: float | None
    table: pd.DataFrame


@dataclass(frozen=True)
class SideHead:
    """What the first line of a side file says of its recording, and which of a person's corrections it holds."""

    individual: str
    fps: float | None
    start: int
    edits: Edits = field(default_factory=Edits)


def write_with_side(
    path: Path, columns: Sequence[str], side_columns: Sequence[str], blocks: Iterable[Rows], head: SideHead
) -> None:
    """Write a csv and its side file, both or neither.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Of the csv; ``fnum`` is added at the end.
    side_columns : sequence of str
        Of the side file, beside ``frame`` and ``time_s``, which are added before them.
    blocks : iterable of (list of Cells, list of Cells)
        The rows of both files, in their order.
    head : SideHead

    Raises
    ------
    DataError
        If `path` is not named as a csv.
    """
    require_suffix(path, ".csv")
    # Both or neither: a csv whose old side file stayed would have lost its frame rate.
    with atomic_path(path) as main, atomic_path(uncertainty_path(path)) as beside:
        write_both((main, beside), columns, side_columns, blocks, head)


def read_held_edits(path: str | Path) -> Edits:
    """Return the corrections that a csv of points holds already, as its side file says; none where there is none.

    Parameters
    ----------
    path : path
        The csv.
    """
    try:
        with uncertainty_path(path).open("rb") as stream:
            line = stream.readline(_MOST_LINE_BYTES).decode()
        facts = json.loads(line.removeprefix(_MARK)) if line.startswith(_MARK) else {}
        return Edits(parse_edits(facts.get("edits", []), str(path)))
    except (OSError, ValueError, RecursionError, AttributeError, FormatError):
        return Edits()  # what is wrong with it, is said when it is read


def write_both(
    paths: tuple[Path, Path],
    columns: Sequence[str],
    side_columns: Sequence[str],
    blocks: Iterable[Rows],
    head: SideHead,
) -> None:
    """Write a csv and its side file to any two paths; only one block of rows is in memory.

    Parameters
    ----------
    paths : (Path, Path)
        Where the csv goes, and the side file.
    columns, side_columns, blocks, head
        As in :func:`write_with_side`.
    """
    digest = hashlib.sha256()
    frame = head.start
    with paths[0].open("wb") as main, paths[1].open("wb") as side:
        header = _header([*columns, "fnum"])
        main.write(header)
        digest.update(_same_line_ends(header))
        side.write(_first_line(head, "0" * 64) + _header(["frame", "time_s", *side_columns]))
        for cells, side_cells in blocks:
            frames = np.arange(frame, frame + len(cells[0]))[:, None]
            number, time = integer_text(frames), exact_text(frames / (head.fps or np.nan))
            rows = csv_rows([*cells, number])  # with line feeds alone
            main.write(rows)
            digest.update(rows)
            side.write(csv_rows([number, time, *side_cells]))
            frame += len(frames)
        side.seek(0)
        side.write(_first_line(head, digest.hexdigest()))


def read_side(
    path: Path, data: bytes, span: tuple[int, int], required: list[str], optional: Sequence[list[str]]
) -> SideFile | None:
    """Read the side file of a csv, if there is one that belongs to it.

    Parameters
    ----------
    path : Path
        The csv.
    data : bytes
        What is in it.
    span : (int, int)
        Its first frame and number of frames.
    required : list of str
        Columns that must all be there.
    optional : sequence of list of str
        Groups of columns, of each of which all or none must be there.

    Returns
    -------
    SideFile or None
        None, with a warning, if it is damaged or belongs to another version of the csv.
    """
    file = uncertainty_path(path)
    if not file.exists():
        return None
    try:
        return _load_side(file, data, span, required, optional)
    except FormatError as error:
        logger.warning("%s; left aside: status, uncertainty and frame rate of %s are unknown", error, path.name)
        return None


def _load_side(
    file: Path, data: bytes, span: tuple[int, int], required: list[str], optional: Sequence[list[str]]
) -> SideFile:
    """Read a side file and check that it belongs to `data`."""
    text = require_file(file).read_bytes()
    try:
        line = text.split(b"\n", 1)[0].decode()
        facts = json.loads(line.removeprefix(_MARK)) if line.startswith(_MARK) else None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file}: its first line is damaged") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("individual"), str):
        raise FormatError(f"{file}: is no side file of pose3d")
    if facts.get("sha256") != hashlib.sha256(_same_line_ends(data)).hexdigest():
        raise FormatError(f"{file}: was written for another version of the csv beside it")
    fps = facts.get("fps")
    if not (fps is None or (isinstance(fps, int | float) and 0 < fps < math.inf)):
        raise FormatError(f"{file}: fps is {fps!r}")
    table = read_table(text, file, skip=1)
    columns = set(table.columns) - {"frame", "time_s"}
    groups = [group for group in optional if not columns.isdisjoint(group)]
    if columns != set(required).union(*groups):
        raise FormatError(f"{file}: does not have the columns of the csv beside it")
    require_numbers(table[["frame", *(columns - set(required))]], file)
    if not np.array_equal(table["frame"], np.arange(span[0], span[0] + span[1])):
        raise FormatError(f"{file}: does not have the frames of the csv beside it")
    if required and not table[required].isin(list(STATUS_WORDS)).all(axis=None):
        raise FormatError(f"{file}: holds a status other than {', '.join(STATUS_WORDS)}")
    return SideFile(facts["individual"], None if fps is None else float(fps), table)


def _header(columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(columns)
    return text.getvalue().encode()


def _first_line(head: SideHead, digest: str) -> bytes:
    facts: dict[str, Any] = {"fps": head.fps, "start": head.start, "individual": head.individual, "sha256": digest}
    if head.edits:
        facts["edits"] = edit_tables(head.edits.entries)
    return f"{_MARK}{json.dumps(facts, ensure_ascii=False)}\n".encode()


def _same_line_ends(data: bytes) -> bytes:
    """Give a text file the bytes that it has on every system, for its digest."""
    return data.replace(b"\r\n", b"\n")
