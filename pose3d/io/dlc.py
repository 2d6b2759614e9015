"""DeepLabCut's tables of 2D keypoints, h5 and csv, single- and multi-animal; Lightning Pose writes the same csv.

Columns are (scorer, [individuals,] bodyparts, coords), rows are frames. Keypoints that belong to no individual stand
under the individual ``single``.
"""

import csv
import io
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import atomic_path, require_file, write_text
from pose3d.io.hdf5 import opened_h5, read_array, read_names
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.io.rows import known_scores, placed_by_frame, unique_names

__all__ = ["read_dlc", "write_dlc"]

_KEY = "df_with_missing"
_LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_Column: TypeAlias = tuple[str, ...]


def read_dlc(path: str | Path, *, camera: str) -> Keypoints2D:
    """Read DeepLabCut's or Lightning Pose's predictions of one camera's video.

    Parameters
    ----------
    path : path
        ``.h5`` (either of pandas' formats) or ``.csv``. Found out from the content.
    camera : str
        Name that the camera gets.

    Returns
    -------
    Keypoints2D
        One camera. The likelihood is the score; a point without one (filtered or labelled by hand) gets 1. The first
        frame may have any number, and frames left out are missing. DeepLabCut writes NaN for what is absent, and for
        a point that it is unsure of a place with a low likelihood, so nothing but NaN counts as missing: (0, 0) is a
        place like any other.

    Raises
    ------
    FormatError
        If the file is no such table, cut short or damaged.

    Notes
    -----
    ``pandas.read_hdf`` is not used: PyTables unpickles what it finds, so that a file from elsewhere could run code.
    """
    path = require_file(path)
    with path.open("rb") as stream:
        is_h5 = stream.read(8) == b"\x89HDF\r\n\x1a\n"
    columns, numbers, values = _read_h5(path) if is_h5 else _read_csv(path)
    return _keypoints(columns, numbers, values, path, camera)


def write_dlc(keypoints: Keypoints2D, path: str | Path, *, scorer: str = "pose3d") -> None:
    """Write the keypoints of one camera as DeepLabCut would.

    The same keypoints give the same bytes (but for h5 of more than 1000 columns, in which pandas keeps the time). One
    individual gives a single-animal table, in which its name has no place.

    Parameters
    ----------
    keypoints : Keypoints2D
        Of one camera.
    path : path
        ``.h5`` (key ``df_with_missing``) or ``.csv``.
    scorer : str, optional

    Raises
    ------
    ValueError
        If there are several cameras, or the suffix is another.
    Pose3DError
        If the file cannot be written.
    """
    path = Path(path)
    if len(keypoints.cameras) != 1:
        raise ValueError(f"a DeepLabCut file holds one camera, not {len(keypoints.cameras)}")
    if path.suffix.lower() not in (".h5", ".csv"):
        raise ValueError(f"{path}: DeepLabCut's tables are .h5 or .csv")
    single = len(keypoints.individuals) == 1
    names = [
        ((scorer, part, coord) if single else (scorer, individual, part, coord))
        for individual in keypoints.individuals
        for part in keypoints.keypoints
        for coord in ("x", "y", "likelihood")
    ]
    levels = ["scorer", "bodyparts", "coords"] if single else list(_LEVELS)
    values = np.concatenate([keypoints.xy[:, 0], keypoints.score[:, 0, ..., None]], axis=-1)
    frame = pd.DataFrame(
        values.reshape(keypoints.n_frames, -1),
        columns=pd.MultiIndex.from_tuples(names, names=levels),
        index=np.arange(keypoints.start, keypoints.start + keypoints.n_frames),
    )
    if path.suffix.lower() == ".csv":
        write_text(path, frame.to_csv(lineterminator="\n"))
        return
    # The table format keeps all column names in one attribute, which HDF5 limits to 64 KiB.
    form: Literal["table", "fixed"] = "table" if len(names) <= 1000 else "fixed"
    with atomic_path(path) as temporary, pd.HDFStore(str(temporary), "w") as store:
        # Times and PyTables' own index would differ from one writing to the next.
        store.put(_KEY, frame, format=form, index=False, track_times=False)


def _keypoints(columns: Sequence[_Column], numbers: Any, values: FloatArray, path: Path, camera: str) -> Keypoints2D:
    scorers = list(dict.fromkeys(column[0] for column in columns))
    if len(scorers) > 1:
        raise FormatError(f"{path}: holds predictions of {len(scorers)} scorers ({', '.join(scorers)}); keep one")
    coords = {column[-1] for column in columns}
    if "z" in coords:
        raise FormatError(f"{path}: holds 3D points; the 2D predictions of each camera are needed")
    if not {"x", "y"} <= coords:
        raise FormatError(f"{path}: the columns hold no x and y")
    owners = [column[1] if len(column) == 4 else SINGLE_INDIVIDUAL for column in columns]
    individuals = unique_names(list(dict.fromkeys(owners)), "individual", path)
    parts = unique_names(list(dict.fromkeys(column[-2] for column in columns)), "keypoint", path)
    rows, start = placed_by_frame(values, numbers, path)

    axes = {name: i for i, name in enumerate(("x", "y", "likelihood"))}
    table = np.full((len(rows), len(individuals), len(parts), 3), np.nan)
    filled: set[tuple[str, str, str]] = set()
    for i, (column, owner) in enumerate(zip(columns, owners, strict=True)):
        part, coord = column[-2:]
        if coord not in axes:  # such as an ensemble's variances
            continue
        if (owner, part, coord) in filled:
            raise FormatError(f'{path}: column "{part}" {coord} is there twice')
        filled.add((owner, part, coord))
        table[:, individuals.index(owner), parts.index(part), axes[coord]] = rows[:, i]
    xy = table[..., :2]
    return Keypoints2D(
        xy[:, None], known_scores(xy, table[..., 2])[:, None], (camera,), individuals, parts, start=start
    )


def _read_csv(path: Path) -> tuple[list[_Column], NDArray[Any], FloatArray]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is neither HDF5 nor UTF-8 text; DeepLabCut's .h5 or .csv is needed") from error
    lines = io.StringIO(text)
    header: dict[str, list[str]] = {}
    try:
        for row in csv.reader(lines):
            if not row or row[0] not in _LEVELS or row[0] in header:
                break
            header[row[0]] = row[1:]
    except csv.Error as error:
        raise FormatError(f"{path}: is no csv ({error})") from error
    names = [level for level in _LEVELS if level in header]
    if names not in (["scorer", "bodyparts", "coords"], list(_LEVELS)):
        raise FormatError(
            f"{path}: is no DeepLabCut csv; its first lines must begin with scorer, [individuals,] bodyparts, coords"
        )
    columns = list(zip(*(header[level] for level in names), strict=False))
    if any(len(header[level]) != len(columns) for level in names):
        raise FormatError(f"{path}: the header's lines differ in length; the file is damaged")
    return (columns, *_read_csv_body(text, len(names), len(columns), path))


def _read_csv_body(text: str, n_header: int, n_columns: int, path: Path) -> tuple[NDArray[Any], FloatArray]:
    lines = [line for line in text.splitlines()[n_header:] if line.strip(", \t")]
    if lines and re.fullmatch(r"[^0-9,][^,]*,+", lines[0]):  # pandas' line for the name of the index
        del lines[0]
    if not lines:
        raise FormatError(f"{path}: holds a header but no frames")
    rows = [line.split(",") for line in lines]
    uneven = next((i for i, row in enumerate(rows) if len(row) != n_columns + 1), None)
    if uneven is not None:
        raise FormatError(
            f"{path}: row {uneven + 1} has {len(rows[uneven])} places, not {n_columns + 1}; it is cut short or damaged"
        )
    try:
        numbers = np.array([float(row[0]) for row in rows])
    except ValueError as error:
        raise FormatError(_not_a_video(path)) from error
    try:
        # Python's own reading of numbers gives back to the last bit what was written; pandas' does not.
        values = np.array([[float(cell) if cell else np.nan for cell in row[1:]] for row in rows])
    except ValueError as error:
        raise FormatError(f"{path}: a place that must hold a number holds something else ({error})") from error
    return numbers, values


def _not_a_video(path: Path) -> str:
    return f"{path}: rows are named by text, not numbered by frame; predictions of a video are needed, not of images"


class _PlainUnpickler(pickle.Unpickler):
    """Decodes lists, tuples, dicts, texts and numbers. Whatever else a pickle can do goes through find_class."""

    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name} is refused")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError(f"persistent {pid!r} is refused")


def _read_h5(path: Path) -> tuple[list[_Column], NDArray[Any], FloatArray]:
    with opened_h5(path) as file:
        groups = {name: item for name, item in file.items() if item is not None and "pandas_type" in item.attrs}
        if not groups:
            inside = ", ".join(sorted(file)[:5]) or "nothing"
            raise FormatError(f"{path}: holds no DeepLabCut table (it holds {inside})")
        for key in (_KEY, "tracks"):
            if key in groups:
                group = groups[key]
                break
        else:
            if len(groups) > 1:
                raise FormatError(f"{path}: holds several tables ({', '.join(groups)}); {_KEY} is needed")
            group = next(iter(groups.values()))
        columns, numbers, values = _read_table(group, path) if "table" in group else _read_fixed(group, path)
    names = {len(column) for column in columns}
    if not columns or names not in ({3}, {4}):
        raise FormatError(f"{path}: columns are not (scorer, [individuals,] bodyparts, coords)")
    return columns, numbers, values


def _read_table(group: Any, path: Path) -> tuple[list[_Column], NDArray[Any], FloatArray]:
    table = group["table"]
    rows = read_array(table, path)
    fields = rows.dtype.names or ()
    blocks = [name for name in fields if name.startswith("values_block_")]
    if "index" not in fields or not blocks:
        raise FormatError(_not_a_video(path) if blocks else f"{path}: holds no DeepLabCut table")
    columns: list[_Column] = []
    values = []
    for block in blocks:
        names = _unpickled(table.attrs.get(f"{block}_kind"), path)
        part = rows[block].reshape(len(rows), -1)
        if len(names) != part.shape[1]:
            raise FormatError(f"{path}: {len(names)} names for {part.shape[1]} columns; the file is damaged")
        columns += names
        values.append(_numbers(part, path))
    return columns, _frame_numbers(rows["index"], path), np.concatenate(values, axis=1)


def _read_fixed(group: Any, path: Path) -> tuple[list[_Column], NDArray[Any], FloatArray]:
    columns: list[_Column] = []
    values = []
    for block in range(int(group.attrs.get("nblocks", 0))):
        part = _oriented(group[f"block{block}_values"], path)
        names = _fixed_columns(group, f"block{block}_items", path)
        if part.ndim != 2 or len(names) != part.shape[0]:
            raise FormatError(f"{path}: the names and the values of columns differ in number; the file is damaged")
        columns += names
        values.append(_numbers(part.T, path))
    if "axis1" not in group:
        raise FormatError(_not_a_video(path))
    numbers = _frame_numbers(_oriented(group["axis1"], path), path)
    if not values or any(len(part) != len(numbers) for part in values):
        raise FormatError(f"{path}: frames and values differ in number; the file is damaged")
    return columns, numbers, np.concatenate(values, axis=1)


def _fixed_columns(group: Any, prefix: str, path: Path) -> list[_Column]:
    """Read the names of a MultiIndex: per level the distinct ones, and per column the position of its name there."""
    levels = []
    encoding = _text(group.attrs.get("encoding", b"UTF-8")) or "utf-8"
    for i in range(int(group.attrs.get(f"{prefix}_nlevels", 0))):
        names = np.array(read_names(group[f"{prefix}_level{i}"], path, encoding=encoding), dtype=object)
        labels = read_array(group[f"{prefix}_label{i}"], path)
        if labels.dtype.kind not in "iu" or (labels.size and not (0 <= labels.min() <= labels.max() < len(names))):
            raise FormatError(f"{path}: the names of columns are damaged")
        levels.append(names[labels].tolist())
    return list(zip(*levels, strict=False))


def _oriented(dataset: Any, path: Path) -> NDArray[Any]:
    array = read_array(dataset, path)
    return array.T if dataset.attrs.get("transposed", 0) else array


def _numbers(values: NDArray[Any], path: Path) -> FloatArray:
    if values.dtype.kind not in "fiub":
        raise FormatError(f"{path}: a place that must hold a number holds something else")
    return values.astype(np.float64)


def _frame_numbers(index: NDArray[Any], path: Path) -> NDArray[Any]:
    if index.ndim != 1 or index.dtype.kind not in "fiu":
        raise FormatError(_not_a_video(path))
    return index


def _unpickled(attribute: Any, path: Path) -> list[_Column]:
    """Decode the names of columns, which PyTables stores as a pickle.

    They are tuples of text, so that a decoder that knows no classes and calls no functions is enough, and a hostile
    file gets no further.
    """
    if isinstance(attribute, str):
        attribute = attribute.encode()
    try:
        if not isinstance(attribute, bytes):
            raise pickle.UnpicklingError("no pickle")
        names = _PlainUnpickler(io.BytesIO(attribute), encoding="utf-8").load()
    except Exception as error:  # a hostile pickle can raise anything
        raise FormatError(f"{path}: the names of columns are damaged or unsafe ({error})") from error
    right = isinstance(names, list) and all(
        isinstance(name, tuple) and all(isinstance(word, str) for word in name) for name in names
    )
    if not right:
        raise FormatError(f"{path}: columns are not (scorer, [individuals,] bodyparts, coords)")
    return list(names)


def _text(attribute: Any) -> str:
    return attribute.decode("ascii", "replace") if isinstance(attribute, bytes) else str(attribute)
