"""Times of the frames of several cameras, as recording programs write them beside their clips."""

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import require_file
from pose3d.io.names import natural_key
from pose3d.io.tables import read_csv_exactly
from pose3d.log import logger

__all__ = ["read_timestamps"]

_CAMERA_HEADS = ("camera", "cam", "cameraid", "camid", "cameraname", "camname", "port", "device", "view", "source")
_FRAME_HEADS = ("frame", "frameindex", "frameid", "frameno", "framenum", "framenumber", "index", "idx", "image", "")
_TIME_HEADS = (
    "frametime",
    "timestamp",
    "timestamps",
    "time",
    "times",
    "t",
    "seconds",
    "second",
    "sec",
    "s",
    "unixtime",
)
_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "usec": 1e-6, "ns": 1e-9}
_SLOWEST = 5.0  # s between frames; what lies wider apart is in a smaller unit
_TIME_TAIL = re.compile(r"[ _.-](?:(?:time(?:stamp)?|t)(?:[ _.-](?:s|ms|us|ns))?|s|ms|us|ns)$", re.IGNORECASE)
_SUFFIXES = (".csv", ".txt", ".tsv")


def read_timestamps(path: str | Path, *, cameras: Sequence[str]) -> dict[str, FloatArray]:
    r"""Read when each frame of each camera was taken.

    Three layouts are understood: a row a frame with a column that names the camera (as caliscope writes it); a column
    a camera, named as the camera; a folder with a file a camera, its name in the file's. Numbers are seconds on a clock
    that the cameras share, unless the header says otherwise (``time_ms``) or they lie more than 5 s apart: then the
    unit that fits is taken. Dates with times, and times of the day, are read as well.

    Parameters
    ----------
    path : path
        A csv (``,`` ``;`` or tab), or a folder of such files.
    cameras : sequence of str
        Names to find. A camera that the file calls ``3`` is the only one whose name ends in that number.

    Returns
    -------
    dict of str to (n_frames,) array, s
        In the order of `cameras`; NaN for a frame without a time. Where frames carry numbers, the first one's is the
        clip's first frame if it is not 0.

    Raises
    ------
    FormatError
        If a camera or a time is missing, or time runs backwards.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "timestamps.csv"
    ...     _ = file.write_text("cam_id,frame_index,frame_time\n1,0,10.02\n2,0,10.01\n1,1,10.22\n2,1,10.21\n")
    ...     times = read_timestamps(file, cameras=["cam_1", "cam_2"])
    >>> {name: some.tolist() for name, some in times.items()}
    {'cam_1': [10.02, 10.22], 'cam_2': [10.01, 10.21]}
    """
    path = Path(path)
    if path.is_dir():
        found = {name: _one_camera(file) for name, file in _files_of(path, cameras).items()}
    else:
        found = _one_file(require_file(path, "timestamps file"), cameras)
    for name, times in found.items():
        known = np.flatnonzero(np.isfinite(times))
        back = np.flatnonzero(np.diff(times[known]) < 0)
        if len(known) == 0:
            raise FormatError(f"{path}: camera {name} has no time at all; check the file")
        if len(back):
            raise FormatError(
                f"{path}: camera {name}: time runs backwards at frame {known[back[0] + 1]}; frames must be in the "
                "clip's order, or carry their numbers in a column frame_index"
            )
    return _in_seconds(path, found)


def _one_file(path: Path, cameras: Sequence[str]) -> dict[str, FloatArray]:
    table = _read(path, cameras)
    heads = [_plain(column) for column in table.columns]
    naming = next((i for i, head in enumerate(heads) if head in _CAMERA_HEADS), None)
    if naming is not None:
        return _by_rows(path, table, naming, cameras)
    columns = {_TIME_TAIL.sub("", str(column)): i for i, column in enumerate(table.columns)}
    if not any(_find_name(name, list(columns), cameras) for name in cameras):
        if len(cameras) == 1:
            return {cameras[0]: _frame_times(path, table)}
        raise FormatError(
            f"{path}: no column is named as a camera ({', '.join(cameras)}) and none tells the camera of a row; "
            f"columns are {_listed(columns)}"
        )
    out = {}
    for name in cameras:
        column = _find_name(name, list(columns), cameras)
        if column is None:
            raise FormatError(f"{path}: camera {name} has no column; columns are {_listed(columns)}")
        times = _seconds(path, table.iloc[:, columns[column]], str(table.columns[columns[column]]))
        known = np.flatnonzero(np.isfinite(times))
        out[name] = times[: known[-1] + 1 if len(known) else 0]  # a shorter clip's column ends early
    return out


def _by_rows(path: Path, table: pd.DataFrame, naming: int, cameras: Sequence[str]) -> dict[str, FloatArray]:
    told = table.iloc[:, naming].astype(str).str.strip()
    values = list(dict.fromkeys(told))
    rest = table.drop(columns=table.columns[naming])
    out = {}
    for name in cameras:
        value = _find_name(name, values, cameras)
        if value is None:
            raise FormatError(
                f"{path}: camera {name} is missing; the file has {_listed(values)}: name the cameras so in both"
            )
        out[name] = _frame_times(path, rest[(told == value).to_numpy()], what=f"camera {name}: ")
    return out


def _one_camera(path: Path) -> FloatArray:
    return _frame_times(path, _read(require_file(path, "timestamps file")))


def _frame_times(path: Path, table: pd.DataFrame, *, what: str = "") -> FloatArray:
    """Return the times of one camera's rows, in the order of their frame numbers if they have such."""
    heads = [_plain(str(column)) for column in table.columns]
    times_at = [i for i, head in enumerate(heads) if _without_unit(head) in _TIME_HEADS]
    times_at.sort(key=lambda i: _TIME_HEADS.index(_without_unit(heads[i])))
    frames_at = [i for i, head in enumerate(heads) if head in _FRAME_HEADS]
    if not times_at and table.shape[1] - len(frames_at) == 1:
        times_at = [i for i in range(table.shape[1]) if i not in frames_at]
    if not times_at:
        raise FormatError(f"{path}: {what}no column of times; columns are {_listed(table.columns)}")
    times = _seconds(path, table.iloc[:, times_at[0]], str(table.columns[times_at[0]]))
    if not frames_at:
        return times
    numbers = pd.to_numeric(table.iloc[:, frames_at[0]], errors="coerce").to_numpy(dtype=np.float64)
    column = table.columns[frames_at[0]]
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any() or np.abs(numbers).max() > 2**53:
        raise FormatError(f"{path}: {what}column {column} holds what is no frame number")
    order = np.argsort(numbers, kind="stable")
    numbers, times = numbers[order], times[order]
    twice = np.flatnonzero(np.diff(numbers) == 0)
    if len(twice):
        raise FormatError(f"{path}: {what}frame {numbers[twice[0]]:.0f} is there twice; keep one row a frame")
    if numbers[0] != 0:  # counted from the start of the recording: the clip holds the frames that are listed
        return np.asarray(times)
    if numbers[-1] > 100 * len(numbers):
        raise FormatError(f"{path}: {what}{len(numbers)} rows for {numbers[-1] + 1:.0f} frames; check column {column}")
    out = np.full(int(numbers[-1]) + 1, np.nan)
    out[numbers.astype(np.int64)] = times
    return out


def _read(path: Path, cameras: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of text, with plain names for its columns where it has no header."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is no text; a csv with the times of the frames is needed") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines or "\x00" in text:
        raise FormatError(f"{path}: holds no times; a csv with the times of the frames is needed")
    separator = max(";\t,", key=lambda mark: (lines[0].count(mark), mark == ";"))
    try:
        table: pd.DataFrame = read_csv_exactly(
            io.StringIO("\n".join(lines)), sep=separator, header=None, dtype=str, keep_default_na=False, quotechar='"'
        )
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: cannot be read as a csv ({reason[:100]}); is it another kind of file?") from error
    table = pd.DataFrame(table.apply(lambda column: column.str.strip()))
    if separator == ";":
        table = pd.DataFrame(table.apply(lambda column: column.str.replace(",", ".", regex=False)))
    first = table.iloc[0].astype(str)
    named = len(cameras) > 1 and all(_find_name(name, list(first), cameras) for name in cameras)  # bare numbers
    if not named and all(re.match(r"[-+.\d]", cell) or not cell for cell in first):
        names = ["frame", "time"] if table.shape[1] == 2 and _counts_up(table.iloc[:, 0]) else ["time"]
        table.columns = names + [f"column {i + 1}" for i in range(len(names), table.shape[1])]
        return table
    table.columns = list(first)
    table = table.iloc[1:].reset_index(drop=True)
    if table.empty:
        raise FormatError(f"{path}: holds a header only; a row for each frame is needed")
    return table


def _counts_up(column: pd.Series) -> bool:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    return bool((np.diff(numbers) == 1).all()) and bool(np.isfinite(numbers).all())


def _seconds(path: Path, column: pd.Series, name: str) -> FloatArray:
    """Read one column of times; blank cells are NaN."""
    text = column.astype(str).str.strip()
    blank = text.str.lower().isin(["", "nan", "na", "none", "null", "-"])
    numbers = pd.to_numeric(text.where(~blank), errors="coerce")
    if numbers.notna().sum() + blank.sum() == len(text):
        values = numbers.to_numpy(dtype=np.float64) * _UNITS.get(_unit_of(name), 1.0)
        if np.isinf(values).any():
            raise FormatError(f"{path}: column {name} holds an infinite time; correct the file")
        return np.asarray(values)
    wrong = text[numbers.isna() & ~blank]
    try:
        stamps = pd.to_datetime(text.where(~blank), format="ISO8601", utc=True)
    except (ValueError, OverflowError):
        try:
            passed = pd.to_timedelta(text.where(~blank))
        except (ValueError, OverflowError) as error:
            raise FormatError(f"{path}: column {name} holds {wrong.iloc[0]!r} where a time is needed") from error
        return np.asarray(passed.dt.total_seconds().to_numpy(dtype=np.float64))
    since = stamps - pd.Timestamp(0, tz="UTC")
    return np.asarray(since.dt.total_seconds().to_numpy(dtype=np.float64))


def _in_seconds(path: Path, found: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Take times that lie too far apart for frames in the unit that fits."""
    steps = [np.median(np.diff(times[np.isfinite(times)])) for times in found.values() if np.isfinite(times).sum() > 1]
    step = float(np.median(steps)) if steps else 0.0
    for unit, word in ((1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds")):
        if step > _SLOWEST and step * unit <= _SLOWEST:
            logger.info("%s: frames are %.4g apart: taken as %s", path, step, word)
            return {name: times * unit for name, times in found.items()}
    return found


def _files_of(folder: Path, cameras: Sequence[str]) -> dict[str, Path]:
    files = sorted(
        (file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES), key=lambda file: natural_key(file.name)
    )
    out = {}
    for name in cameras:
        # the name stands by itself: cam_1 is not in cam_10
        whole = re.compile(rf"(?<![0-9a-z]){re.escape(name.casefold())}(?![0-9a-z])")
        longer = [other for other in cameras if other != name and name.casefold() in other.casefold()]
        mine = [file for file in files if whole.search(file.stem.casefold())]
        mine = [file for file in mine if not any(other.casefold() in file.stem.casefold() for other in longer)]
        if len(mine) != 1:
            there = f"{mine[0].name} and {mine[1].name} both name it" if mine else f"there are {_listed(files)}"
            raise FormatError(f"{folder}: one csv is needed for camera {name}, its name in the file's; {there}")
        out[name] = mine[0]
    return out


def _find_name(camera: str, names: Sequence[str], cameras: Sequence[str]) -> str | None:
    """Return which of `names` means a camera: the same name, or the number that only its name ends in."""
    if camera in names:
        return camera
    alike = [name for name in names if _plain(name) == _plain(camera)]
    if len(alike) == 1:
        return alike[0]
    number = _last_number(camera)
    if number is None or sum(_last_number(other) == number for other in cameras) > 1:
        return None
    bare = [name for name in names if re.fullmatch(r"[0-9]{1,9}(\.0)?", name) and int(float(name)) == number]
    return bare[0] if len(bare) == 1 else None


def _last_number(name: str) -> int | None:
    match = re.search(r"([0-9]{1,9})$", name)
    return int(match.group(1)) if match else None


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", str(name).casefold())


def _unit_of(name: str) -> str:
    match = re.search(r"[^0-9a-z]([mun]?s|[mu]?sec|seconds)[^0-9a-z]*$", name.casefold())
    return match.group(1) if match else name.casefold().strip()


def _without_unit(head: str) -> str:
    """Return ``time`` for ``timems``: a head that is a known one with a unit behind it."""
    if head in _TIME_HEADS:
        return head
    for unit in sorted(_UNITS, key=len, reverse=True):
        if head.endswith(unit) and (head.removesuffix(unit) in _TIME_HEADS or head == unit):
            return head.removesuffix(unit) or "s"
    return head


def _listed(names: Iterable[object]) -> str:
    told = [str(getattr(name, "name", name)) for name in names]
    return (", ".join(told[:8]) + (", ..." if len(told) > 8 else "")) or "none"
