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
from pose3d.log import logger

__all__ = ["opened_h5", "read_array", "read_names", "require_dataset", "rows_at_once"]

# A few bytes of a hostile file can promise a dataset of any size.
_MOST_BYTES = 2**33
# Deflate cannot do better, so that a file that claims more than this for each stored byte holds nothing.
_MOST_COMPRESSION = 1100
# Reading a few rows makes HDF5 unpack the whole piece in which they are stored: what is read at once is as much.
_BYTES_AT_ONCE = 2**20
_LARGE_PIECE = 2**26


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


def require_dataset(dataset: Any, path: Path) -> Any:
    """Return `dataset` if it is one that can be read by parts.

    Raises
    ------
    FormatError
        If it is none, or claims more values than its file can hold.
    """
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise FormatError(f"{path}: {getattr(dataset, 'name', 'a part')} is no table of values")
    n_bytes = dataset.size * max(dataset.dtype.itemsize, 1)
    if n_bytes > _MOST_BYTES and n_bytes > _MOST_COMPRESSION * dataset.id.get_storage_size():
        raise FormatError(f"{path}: {dataset.name} claims {dataset.size:,} values, too many to be true")
    return dataset


def rows_at_once(dataset: Any, axis: int, path: Path) -> int:
    """Return how many frames of a dataset are read well together: whole pieces of storage, about a megabyte.

    Parameters
    ----------
    dataset : h5py.Dataset
    axis : int
        That of the frames.
    path : Path
        For the log, where the file was stored in pieces so large that they fill the memory.
    """
    n_frames = max(dataset.shape[axis], 1)
    row_bytes = max(dataset.size * dataset.dtype.itemsize // n_frames, 1)
    piece = dataset.chunks[axis] if dataset.chunks else 1
    if piece * row_bytes > _LARGE_PIECE:
        megabytes = piece * row_bytes / 1e6
        logger.warning("%s: is stored in pieces of %.0f MB, which are each read whole", path, megabytes)
    return int(piece * max(1, _BYTES_AT_ONCE // (piece * row_bytes)))


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
