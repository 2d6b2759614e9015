"""DeepLabCut's tables of 2D keypoints, h5 and csv, single- and multi-animal; Lightning Pose writes the same csv.

Columns are (scorer, [individuals,] bodyparts, coords), rows are frames. Keypoints that belong to no individual stand
under the individual ``single``.
"""

import io
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.camera_keypoints import CameraKeypoints
from pose3d.io.dlc_csv import LEVELS, CsvTable, not_a_video
from pose3d.io.files import atomic_path, require_file, write_text
from pose3d.io.hdf5 import opened_h5, read_array, read_names, require_dataset, rows_at_once
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.io.rows import find_frame_rows, unique_names

__all__ = ["open_dlc", "read_dlc", "write_dlc"]

_KEY = "df_with_missing"
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
    return open_dlc(path).whole(camera)


def open_dlc(
    path: str | Path, *, rename: Callable[[Sequence[_Column]], Sequence[_Column]] | None = None
) -> CameraKeypoints:
    """Open what :func:`read_dlc` reads, to be read by parts.

    Parameters
    ----------
    path : path
    rename : callable, optional
        Gives all columns other names before they are looked at.

    Raises
    ------
    FormatError
        If the file is no such table, cut short or damaged. What can only be seen in the values themselves is found when
        they are read.
    """
    path = require_file(path)
    with path.open("rb") as stream:
        is_h5 = stream.read(8) == b"\x89HDF\r\n\x1a\n"
    table = _H5Table(path) if is_h5 else CsvTable(path)
    names, source, target = _layout(rename(table.columns) if rename else table.columns, path)
    frames = find_frame_rows(table.numbers(), len(table.columns), path)
    shape = (*map(len, names), 3)

    def read_rows(first: int, last: int) -> Iterator[FloatArray]:
        for rows in table.rows(first, last):
            values = np.full((len(rows), math.prod(shape)), np.nan)
            values[:, target] = rows[:, source]
            yield values.reshape(len(rows), *shape)

    return CameraKeypoints(path, names, frames, read_rows, rows_at_once=table.at_once)


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
    levels = ["scorer", "bodyparts", "coords"] if single else list(LEVELS)
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


def _layout(
    columns: Sequence[_Column], path: Path
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], list[int], list[int]]:
    """Return individuals and keypoints, which columns hold them, and the place of each in (individual, keypoint, 3)."""
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
    axes = {name: i for i, name in enumerate(("x", "y", "likelihood"))}
    places = [{name: i for i, name in enumerate(names)} for names in (individuals, parts)]
    found: dict[int, int] = {}  # which column comes to which place
    for i, (column, owner) in enumerate(zip(columns, owners, strict=True)):
        part, coord = column[-2:]
        if coord not in axes:  # such as an ensemble's variances
            continue
        place = (places[0][owner] * len(parts) + places[1][part]) * len(axes) + axes[coord]
        if place in found:
            raise FormatError(f'{path}: column "{part}" {coord} is there twice')
        found[place] = i
    return (individuals, parts), list(found.values()), list(found)


class _PlainUnpickler(pickle.Unpickler):
    """Decodes lists, tuples, dicts, texts and numbers. Whatever else a pickle can do goes through find_class."""

    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name} is refused")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError(f"persistent {pid!r} is refused")


class _H5Table:
    """A table that pandas wrote with ``to_hdf``, in either of its formats.

    Attributes
    ----------
    columns : list of tuple of str
    at_once : int
        Rows that are read well together.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with opened_h5(path) as file:
            group = _find_group(file, path)
            self._key = str(group.name)
            self._fixed = "table" not in group
            self.columns, self.at_once = (_inspect_fixed if self._fixed else _inspect_table)(group, path)
        names = {len(column) for column in self.columns}
        if not self.columns or names not in ({3}, {4}):
            raise FormatError(f"{path}: columns are not (scorer, [individuals,] bodyparts, coords)")

    def numbers(self) -> Iterator[NDArray[Any]]:
        """Yield the frame number of each row, a block of rows at a time."""
        with opened_h5(self._path) as file:
            group = file[self._key]
            if self._fixed:
                yield read_array(group["axis1"], self._path)
                return
            table = group["table"]
            for first in range(0, len(table), self.at_once):
                yield table[first : first + self.at_once]["index"]

    def rows(self, first: int, last: int) -> Iterator[FloatArray]:
        """Yield the values of some rows, a block at a time."""
        with opened_h5(self._path) as file:
            group = file[self._key]
            for begin in range(first, last, self.at_once):
                part = slice(begin, min(begin + self.at_once, last))
                if self._fixed:
                    blocks = [_frame_slice(dataset, part) for dataset in _fixed_blocks(group)]
                else:
                    table = group["table"][part]
                    blocks = [table[name].reshape(len(table), -1) for name in _value_fields(table.dtype)]
                yield np.concatenate([block.astype(np.float64) for block in blocks], axis=1)


def _find_group(file: Any, path: Path) -> Any:
    groups = {name: item for name, item in file.items() if item is not None and "pandas_type" in item.attrs}
    if not groups:
        inside = ", ".join(sorted(file)[:5]) or "nothing"
        raise FormatError(f"{path}: holds no DeepLabCut table (it holds {inside})")
    for key in (_KEY, "tracks"):
        if key in groups:
            return groups[key]
    if len(groups) > 1:
        raise FormatError(f"{path}: holds several tables ({', '.join(groups)}); {_KEY} is needed")
    return next(iter(groups.values()))


def _inspect_table(group: Any, path: Path) -> tuple[list[_Column], int]:
    table = require_dataset(group["table"], path)
    blocks = _value_fields(table.dtype)
    if "index" not in (table.dtype.names or ()) or not blocks:
        raise FormatError(not_a_video(path) if blocks else f"{path}: holds no DeepLabCut table")
    columns: list[_Column] = []
    for block in blocks:
        names = _unpickled(table.attrs.get(f"{block}_kind"), path)
        width = math.prod(table.dtype[block].shape)
        if len(names) != width:
            raise FormatError(f"{path}: {len(names)} names for {width} columns; the file is damaged")
        columns += names
        _require_kind(table.dtype[block].base, path)
    _require_numbered(table, table.dtype["index"], path)
    return columns, rows_at_once(table, 0, path)


def _value_fields(dtype: np.dtype[Any]) -> list[str]:
    return [name for name in dtype.names or () if name.startswith("values_block_")]


def _inspect_fixed(group: Any, path: Path) -> tuple[list[_Column], int]:
    columns: list[_Column] = []
    datasets = _fixed_blocks(group)
    for block, dataset in enumerate(datasets):
        require_dataset(dataset, path)
        names = _fixed_columns(group, f"block{block}_items", path)
        if dataset.ndim != 2 or len(names) != dataset.shape[1 - _frame_axis(dataset)]:
            raise FormatError(f"{path}: the names and the values of columns differ in number; the file is damaged")
        columns += names
        _require_kind(dataset.dtype, path)
    if "axis1" not in group:
        raise FormatError(not_a_video(path))
    _require_numbered(group["axis1"], group["axis1"].dtype, path)
    n_rows = len(group["axis1"])
    if not datasets or any(dataset.shape[_frame_axis(dataset)] != n_rows for dataset in datasets):
        raise FormatError(f"{path}: frames and values differ in number; the file is damaged")
    return columns, max(rows_at_once(dataset, _frame_axis(dataset), path) for dataset in datasets)


def _fixed_blocks(group: Any) -> list[Any]:
    return [group[f"block{block}_values"] for block in range(int(group.attrs.get("nblocks", 0)))]


def _frame_axis(dataset: Any) -> int:
    return 0 if dataset.attrs.get("transposed", 0) else 1


def _frame_slice(dataset: Any, part: slice) -> NDArray[Any]:
    return np.asarray(dataset[part] if _frame_axis(dataset) == 0 else dataset[:, part].T)


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


def _require_kind(dtype: np.dtype[Any], path: Path) -> None:
    if dtype.kind not in "fiub":
        raise FormatError(f"{path}: a place that must hold a number holds something else")


def _require_numbered(rows: Any, dtype: np.dtype[Any], path: Path) -> None:
    if rows.ndim != 1 or dtype.kind not in "fiu" or dtype.shape:
        raise FormatError(not_a_video(path))


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
