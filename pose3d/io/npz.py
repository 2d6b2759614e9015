"""The npz files of numpy, opened with care: no pickle, no size that is not there, one clear line for damage."""

import io
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pose3d.errors import FormatError
from pose3d.io.files import require_file

__all__ = ["MappedMember", "array_header", "map_member", "member_gap", "read_members", "write_member"]

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_LOCAL_MARK = b"PK\x03\x04"
_ZIP64_EXTRA = 20  # bytes that zipfile adds to the local header of a member that may be larger than 4 GB
_PADDING = struct.Struct("<HH")
_PADDING_ID = 0xD935  # as Android's zipalign pads
_ALIGNED = 64
_LONGEST_HEADER = 10_000


class MappedMember(NamedTuple):
    """Where an array lies uncompressed within a file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int


def read_members(path: str | Path, names: Sequence[str], *, most_bytes: int) -> dict[str, NDArray[Any]]:
    """Read arrays of an npz file.

    Parameters
    ----------
    path : path
    names : sequence of str
        Of the arrays, all of which must be there.
    most_bytes : int
        That an array may have.

    Raises
    ------
    FormatError
        If the file is no npz, damaged, or lacks an array.
    """
    path = require_file(path)
    with _opened(path) as archive:
        return {name: _read(archive, path, name, most_bytes) for name in names}


def map_member(path: str | Path, name: str) -> MappedMember:
    """Find an array that is stored uncompressed, so that it can be mapped into memory.

    Raises
    ------
    FormatError
        If the file is no npz, damaged, or the array is compressed or not there.
    """
    path = require_file(path)
    with _opened(path) as archive:
        member = _member(archive, path, name)
        if member.compress_type != zipfile.ZIP_STORED:
            raise FormatError(f"{path}: {name} is compressed; write the file anew with pose3d")
        with archive.open(member) as stream:
            dtype, shape, in_columns, length = _array_header(stream, path, name)
        with path.open("rb") as file:
            file.seek(member.header_offset)
            local = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            start = member.header_offset + _LOCAL_HEADER.size + local[-2] + local[-1] + length
            size = math.prod(shape) * dtype.itemsize
            whole = member.file_size == member.compress_size == length + size
            if local[0] != _LOCAL_MARK or in_columns or not whole or start + size > file.seek(0, os.SEEK_END):
                raise FormatError(f"{path}: {name} is cut short or damaged; copy the file anew")
    return MappedMember(dtype, shape, start)


def array_header(dtype: DTypeLike, shape: tuple[int, ...]) -> bytes:
    """Return the header of a npy file whose array follows in C order."""
    stream = io.BytesIO()
    facts = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, facts)
    return stream.getvalue()


def write_member(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    """Add an array to an npz file, without a time of its own: the same arrays make the same bytes."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), version=(1, 0), allow_pickle=False)
    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), stream.getvalue())


def member_gap(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Describe a member of unlimited size that is written next, so that its array begins at a multiple of 64 bytes."""
    member = zipfile.ZipInfo(f"{name}.npy")
    assert archive.fp is not None
    before = archive.fp.tell() + _LOCAL_HEADER.size + len(member.filename.encode()) + _ZIP64_EXTRA + _PADDING.size
    padding = -before % _ALIGNED
    member.extra = _PADDING.pack(_PADDING_ID, padding) + bytes(padding)
    return member


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("error")
            yield archive
    except (
        EOFError,
        LookupError,
        MemoryError,
        NotImplementedError,
        OSError,
        OverflowError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
        Warning,
        struct.error,
        tokenize.TokenError,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
    ) as error:
        raise FormatError(f"{path}: is no npz file, or is cut short or damaged; copy it anew") from error


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(f"{name}.npy")
    except KeyError as error:
        raise FormatError(f"{path}: holds no {name}; check that it is what its name says") from error


def _array_header(stream: IO[bytes], path: Path, name: str) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Return dtype, shape, whether columns come first, and the header's length."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise FormatError(f"{path}: {name} is of a version that is not read here; write the file anew with pose3d")
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_LONGEST_HEADER)
    if dtype.hasobject or dtype.itemsize == 0 or any(n < 0 for n in shape):
        raise FormatError(f"{path}: {name} holds no plain values; check that the file is what its name says")
    return dtype, shape, in_columns, stream.tell()


def _read(archive: zipfile.ZipFile, path: Path, name: str, most_bytes: int) -> NDArray[Any]:
    with archive.open(_member(archive, path, name)) as stream:
        dtype, shape, in_columns, _ = _array_header(stream, path, name)
        size = math.prod(shape) * dtype.itemsize
        if size > most_bytes:
            raise FormatError(f"{path}: {name} claims {size:,} bytes, too many to be true")
        data = stream.read(size)
        if len(data) < size or stream.read(1):  # reading to the end checks the sum as well
            raise FormatError(f"{path}: {name} is cut short or damaged; copy the file anew")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if in_columns else "C")
