"""HDF5 files opened with care: damaged and hostile ones end in one clear line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pose3d.errors import FormatError
from pose3d.io.files import require_file

__all__ = ["opened_h5", "read_array", "read_names"]

# A few bytes of a hostile file can promise a dataset of any size.
_MOST_BYTES = 2**33


@contextmanager
def opened_h5(path: str | Path) -> Iterator[Any]:
    """Open an HDF5 file for reading; what fails inside the block becomes a FormatError.

    Raises
    ------
    FormatError
        If the file is no HDF5, cut short or damaged.
    """
    path = require_file(path)
    if not h5py.is_hdf5(path):
        raise FormatError(f"{path}: is no HDF5 file; check that it is what its name says")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        # Of a damaged file h5py gives objects that are None, types that it does not know, and whatever follows.
        raise FormatError(f"{path}: is cut short or damaged; copy it anew") from error


def read_array(dataset: Any, path: Path) -> NDArray[Any]:
    """Read a dataset whole.

    Raises
    ------
    FormatError
        If it is no dataset of a size that one would hold in memory.
    """
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise FormatError(f"{path}: {getattr(dataset, 'name', 'a part')} is no table of values")
    if dataset.size * max(dataset.dtype.itemsize, 1) > _MOST_BYTES:
        raise FormatError(f"{path}: {dataset.name} claims {dataset.size:,} values, too many to be true")
    return np.asarray(dataset[()])


def read_names(dataset: Any, path: Path, *, encoding: str = "utf-8") -> tuple[str, ...]:
    """Read a list of texts.

    Parameters
    ----------
    dataset : h5py.Dataset
    path : Path
        For messages.
    encoding : str

    Raises
    ------
    FormatError
        If it is none.
    """
    items = read_array(dataset, path).reshape(-1).tolist()
    try:
        return tuple(item.decode(encoding) if isinstance(item, bytes) else str(item) for item in items)
    except (UnicodeDecodeError, LookupError) as error:
        raise FormatError(f"{path}: {dataset.name} holds names that are no {encoding} text") from error
