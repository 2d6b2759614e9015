"""The h5 form of DeepLabCut's tables, in either of pandas' formats, read without unpickling anything.

``pandas.read_hdf`` is not used: PyTables unpickles what it finds, so that a file from elsewhere could run code.
"""

import io
import math
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray

from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.dlc_csv import not_a_video
from pose3d.io.hdf5 import opened_h5, read_array, read_names, require_dataset, rows_at_once

__all__ = ["H5_KEY", "H5Table", "is_h5", "not_of_images"]

H5_KEY = "df_with_missing"
"""Name of DeepLabCut's tables within their files."""

_Names: TypeAlias = tuple[str, ...]
_RowCheck: TypeAlias = Callable[[Any, np.dtype[Any], Path], None]


def is_h5(path: Path) -> bool:
    """Tell from its first bytes whether a file is HDF5."""
    with path.open("rb") as stream:
        return stream.read(8) == b"\x89HDF\r\n\x1a\n"


class _PlainUnpickler(pickle.Unpickler):
    """Decodes lists, tuples, dicts, texts and numbers. Whatever else a pickle can do goes through find_class."""

    def find_class(self, module: str, name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name} is refused")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError(f"persistent {pid!r} is refused")


class H5Table:
    """A table that pandas wrote with ``to_hdf``, in either of its formats.

    Parameters
    ----------
    path : Path
    of_images : bool
        Rows are named after images, as labels are; otherwise they are numbered by frame.

    Attributes
    ----------
    columns : list of tuple of str
    at_once : int
        Rows that are read well together.

    Raises
    ------
    FormatError
        If it is none, cut short or damaged.
    """

    def __init__(self, path: Path, *, of_images: bool = False) -> None:
        self._path = path
        with opened_h5(path) as file:
            group = _find_group(file, path)
            self._key = str(group.name)
            self._fixed = "table" not in group
            inspect = _inspect_fixed if self._fixed else _inspect_table
            self.columns, self.at_once = inspect(group, path, None if of_images else _require_numbered)
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

    def images(self) -> list[_Names]:
        """Return the name of each row, in as many parts as it is stored in."""
        with opened_h5(self._path) as file:
            group = file[self._key]
            if self._fixed and "axis1" not in group:
                names = _fixed_names(group, "axis1", self._path)
                if names and not names[0]:
                    raise FormatError(not_of_images(self._path))
                return names
            rows = group["axis1"] if self._fixed else group["table"].fields("index")[:]
            encoding = _encoding(group)
            if rows.dtype.kind not in "SUO":
                raise FormatError(not_of_images(self._path))
            if self._fixed:
                return [(name,) for name in _text_names(rows, self._path, encoding)]
            return [(_decoded(name, self._path, encoding),) for name in rows.tolist()]

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
    for key in (H5_KEY, "tracks"):
        if key in groups:
            return groups[key]
    if len(groups) > 1:
        raise FormatError(f"{path}: holds several tables ({', '.join(groups)}); {H5_KEY} is needed")
    return next(iter(groups.values()))


def _inspect_table(group: Any, path: Path, check: _RowCheck | None) -> tuple[list[_Names], int]:
    table = require_dataset(group["table"], path)
    blocks = _value_fields(table.dtype)
    if "index" not in (table.dtype.names or ()) or not blocks:
        raise FormatError(not_a_video(path) if blocks else f"{path}: holds no DeepLabCut table")
    columns: list[_Names] = []
    for block in blocks:
        names = _unpickled(table.attrs.get(f"{block}_kind"), path)
        width = math.prod(table.dtype[block].shape)
        if len(names) != width:
            raise FormatError(f"{path}: {len(names)} names for {width} columns; the file is damaged")
        columns += names
        _require_kind(table.dtype[block].base, path)
    if check is not None:
        check(table, table.dtype["index"], path)
    return columns, rows_at_once(table, 0, path)


def _value_fields(dtype: np.dtype[Any]) -> list[str]:
    return [name for name in dtype.names or () if name.startswith("values_block_")]


def _inspect_fixed(group: Any, path: Path, check: _RowCheck | None) -> tuple[list[_Names], int]:
    columns: list[_Names] = []
    datasets = _fixed_blocks(group)
    for block, dataset in enumerate(datasets):
        require_dataset(dataset, path)
        if "value_type" in dataset.attrs:  # how pandas marks an array without values
            raise FormatError(f"{path}: holds a header but no rows")
        names = _fixed_names(group, f"block{block}_items", path)
        if dataset.ndim != 2 or len(names) != dataset.shape[1 - _frame_axis(dataset)]:
            raise FormatError(f"{path}: the names and the values of columns differ in number; the file is damaged")
        columns += names
        _require_kind(dataset.dtype, path)
    if check is not None:
        if "axis1" not in group:
            raise FormatError(not_a_video(path))
        check(group["axis1"], group["axis1"].dtype, path)
    n_rows = len(group["axis1" if "axis1" in group else "axis1_label0"])
    if not datasets or any(dataset.shape[_frame_axis(dataset)] != n_rows for dataset in datasets):
        raise FormatError(f"{path}: frames and values differ in number; the file is damaged")
    return columns, max(rows_at_once(dataset, _frame_axis(dataset), path) for dataset in datasets)


def _fixed_blocks(group: Any) -> list[Any]:
    return [group[f"block{block}_values"] for block in range(int(group.attrs.get("nblocks", 0)))]


def _frame_axis(dataset: Any) -> int:
    return 0 if dataset.attrs.get("transposed", 0) else 1


def _frame_slice(dataset: Any, part: slice) -> NDArray[Any]:
    return np.asarray(dataset[part] if _frame_axis(dataset) == 0 else dataset[:, part].T)


def _fixed_names(group: Any, prefix: str, path: Path) -> list[_Names]:
    """Read a MultiIndex: per level the distinct names, and per column (or row) the position of its name there."""
    levels = []
    encoding = _encoding(group)
    for i in range(int(group.attrs.get(f"{prefix}_nlevels", 0))):
        names = np.array(_text_names(group[f"{prefix}_level{i}"], path, encoding), dtype=object)
        labels = read_array(group[f"{prefix}_label{i}"], path)
        if labels.dtype.kind not in "iu" or (labels.size and not (0 <= labels.min() <= labels.max() < len(names))):
            raise FormatError(f"{path}: the names of columns or rows are damaged")
        levels.append(names[labels].tolist())
    return list(zip(*levels, strict=False))


def _require_kind(dtype: np.dtype[Any], path: Path) -> None:
    if dtype.kind not in "fiub":
        raise FormatError(f"{path}: a place that must hold a number holds something else")


def _require_numbered(rows: Any, dtype: np.dtype[Any], path: Path) -> None:
    if rows.ndim != 1 or dtype.kind not in "fiu" or dtype.shape:
        raise FormatError(not_a_video(path))


def _unpickled(attribute: Any, path: Path) -> list[_Names]:
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


def _text_names(dataset: Any, path: Path, encoding: str) -> tuple[str, ...]:
    if (
        getattr(dataset, "dtype", None) is not None
        and dataset.dtype.kind == "O"
        and h5py.check_string_dtype(dataset.dtype) is None
    ):
        raise FormatError(
            f"{path}: keeps names as a pickle, which could run code and is not read; give the .csv instead"
        )
    return read_names(dataset, path, encoding=encoding)


def _decoded(name: Any, path: Path, encoding: str) -> str:
    try:
        return name.decode(encoding) if isinstance(name, bytes) else str(name)
    except (UnicodeDecodeError, LookupError) as error:
        raise FormatError(f"{path}: an image's name is no {encoding} text") from error


def _encoding(group: Any) -> str:
    return _text(group.attrs.get("encoding", b"UTF-8")) or "utf-8"


def not_of_images(path: Path) -> str:
    """Return what is to be said of a table of a video."""
    return f"{path}: rows are numbered, not named after images; labels of images are needed, not predictions of a video"


def _text(attribute: Any) -> str:
    return attribute.decode("ascii", "replace") if isinstance(attribute, bytes) else str(attribute)
