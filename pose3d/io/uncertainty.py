"""The side file of a csv: what anipose's columns have no room for.

Other programs accept the columns of anipose only (`movement` refuses a file with any other), so status, covariance,
frame rate and names go to ``<stem>.uncertainty.csv`` beside it. Its first line is ``# pose3d: `` and a JSON object: the
frame rate `fps` (null if unknown), the index `start` of the first frame, the name of the `individual`, and the `sha256`
of the csv that it belongs to. Below stands a table: ``frame``, ``time_s`` (empty without a frame rate) and

- for points: ``<keypoint>_status`` (``observed``, ``filled`` or ``missing``) of every keypoint and then, where there is
  a covariance, ``<keypoint>_xx``, ``_xy``, ``_xz``, ``_yy``, ``_yz``, ``_zz`` in mm^2;
- for angles: ``<angle>_sd`` in degrees, where there are standard deviations.

A side file whose csv has changed since, or that is damaged, is left aside with a warning.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pose3d.data import Status
from pose3d.errors import FormatError
from pose3d.io.files import atomic_path, require_file, require_suffix
from pose3d.io.tables import read_table, require_numbers
from pose3d.log import logger

__all__ = ["STATUS_WORDS", "SideFile", "read_side", "uncertainty_path", "write_with_side"]

STATUS_WORDS = tuple(status.name.lower() for status in Status)
"""Names of the statuses, each at the place of its number."""

_MARK = "# pose3d: "


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


def write_with_side(
    path: Path, table: pd.DataFrame, side: list[pd.DataFrame], individual: str, timing: tuple[float | None, int]
) -> None:
    """Write a csv and its side file.

    Parameters
    ----------
    path : Path
    table : DataFrame
        Columns of the csv; ``fnum`` is added at the end.
    side : list of DataFrame
        Columns of the side file, beside ``frame`` and ``time_s``.
    individual : str
    timing : (float or None, int)
        Frame rate and index of the first frame.

    Raises
    ------
    DataError
        If `path` is not named as a csv.
    """
    require_suffix(path, ".csv")
    fps, start = timing
    frames = np.arange(start, start + len(table))
    text = pd.concat([table, pd.DataFrame({"fnum": frames})], axis=1).to_csv(index=False, lineterminator="\n")
    facts = {"fps": fps, "start": start, "individual": individual, "sha256": _digest(text.encode())}
    time = pd.DataFrame({"frame": frames, "time_s": frames / (fps or np.nan)})
    rows = pd.concat([time, *side], axis=1).to_csv(index=False, lineterminator="\n")
    # Both or neither: a csv whose old side file stayed would have lost its frame rate.
    with atomic_path(path) as main, atomic_path(uncertainty_path(path)) as beside:
        main.write_text(text, encoding="utf-8", newline="\n")
        head = _MARK + json.dumps(facts, ensure_ascii=False)
        beside.write_text(f"{head}\n{rows}", encoding="utf-8", newline="\n")


def read_side(
    path: Path, data: bytes, span: tuple[int, int], required: list[str], optional: list[str]
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
    required, optional : list of str
        Columns that must all be there, and columns of which all or none must be.

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


def _load_side(file: Path, data: bytes, span: tuple[int, int], required: list[str], optional: list[str]) -> SideFile:
    """Read a side file and check that it belongs to `data`."""
    text = require_file(file).read_bytes()
    try:
        line = text.split(b"\n", 1)[0].decode()
        facts = json.loads(line.removeprefix(_MARK)) if line.startswith(_MARK) else None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file}: its first line is damaged") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("individual"), str):
        raise FormatError(f"{file}: is no side file of pose3d")
    if facts.get("sha256") != _digest(data):
        raise FormatError(f"{file}: was written for another version of the csv beside it")
    fps = facts.get("fps")
    if not (fps is None or (isinstance(fps, int | float) and 0 < fps < math.inf)):
        raise FormatError(f"{file}: fps is {fps!r}")
    table = read_table(text, file, skip=1)
    columns = set(table.columns) - {"frame", "time_s"}
    if columns not in (set(required), set(required + optional)):
        raise FormatError(f"{file}: does not have the columns of the csv beside it")
    require_numbers(table[["frame", *(columns - set(required))]], file)
    if not np.array_equal(table["frame"], np.arange(span[0], span[0] + span[1])):
        raise FormatError(f"{file}: does not have the frames of the csv beside it")
    if required and not table[required].isin(list(STATUS_WORDS)).all(axis=None):
        raise FormatError(f"{file}: holds a status other than {', '.join(STATUS_WORDS)}")
    return SideFile(facts["individual"], None if fps is None else float(fps), table)


def _digest(data: bytes) -> str:
    """Digest of a text file, the same after a change of its line ends."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()
