"""The journal of the labelling page: every change is on the disk before the page hears that it was taken.

A line is a checksum and a JSON object. A line that a crash cut in half fails its checksum and is left out; since each
line says what the labels are after it, and not by how much they changed, reading one twice does no harm.
"""

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pose3d.errors import FormatError, Pose3DError
from pose3d.io.files import atomic_path
from pose3d.log import logger

__all__ = ["Journal", "read_journal"]

_HEAD = {"pose3d": "journal of the labelling page", "version": 1}
_MAX_BYTES = 1 << 30


def _line(entry: Mapping[str, Any]) -> bytes:
    text = json.dumps(entry, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return what a line says; None where it is damaged."""
    try:
        if int(line[:8], 16) != zlib.crc32(line[9:]):
            return None
        entry = json.loads(line[9:])
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def read_journal(path: str | Path) -> list[dict[str, Any]]:
    """Read the entries of a journal; what a crash left half written is left out.

    Returns
    -------
    list of dict
        Empty where there is no journal.

    Raises
    ------
    FormatError
        If the file is no journal.
    """
    return _read(Path(path))[0]


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the entries, and how many bytes of the file are whole lines."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FormatError(f"{path}: is too large for a journal; is it another file?")
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    *lines, rest = data.split(b"\n")
    if not lines:  # nothing, or the head itself was cut
        return [], 0
    if _parse(lines[0]) != _HEAD:
        raise FormatError(f"{path}: is no journal of the labelling page; move it away")
    entries = [_parse(line) for line in lines[1:]]
    damaged = sum(entry is None for entry in entries)
    if damaged:
        logger.warning("%s: %d of %d lines are damaged and left out", path, damaged, len(entries))
    return [entry for entry in entries if entry is not None], len(data) - len(rest)


class Journal:
    """An open journal.

    Parameters
    ----------
    path : path
        Made if it is absent; a line that was cut at its end is removed.

    Attributes
    ----------
    entries : list of dict
        What the file held when it was opened.

    Raises
    ------
    FormatError
        If the file is no journal.
    Pose3DError
        If it cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.entries, size = _read(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: BinaryIO = self.path.open("ab")
            self._stream.truncate(size)
            self._end = size
            if not size:
                self._write(_line(_HEAD))
                self._end = self._stream.tell()
        except OSError as error:
            raise self._error(error) from error
        self._start = len(_line(_HEAD))

    def _error(self, error: OSError) -> Pose3DError:
        return Pose3DError(f"{self.path}: cannot be written ({error.strerror}); nothing after this is kept")

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._stream.flush()
        os.fsync(self._stream.fileno())

    @property
    def position(self) -> int:
        """Where the journal ends now, for :meth:`forget`."""
        return self._end

    @property
    def is_empty(self) -> bool:
        """Whether it holds no entry."""
        return self._end <= self._start

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry; when this returns, the disk has it.

        Raises
        ------
        Pose3DError
            If it cannot be written; the journal is as before.
        """
        data = _line(entry)
        try:
            self._write(data)
        except OSError as error:
            self._reopen()
            raise self._error(error) from error
        self._end += len(data)

    def _reopen(self) -> None:
        """Cut off what a failed write left, whose bytes may still wait in the stream's buffer."""
        try:
            self._stream.close()
        except OSError as error:
            logger.debug("%s: %s", self.path, error)
        self._stream = self.path.open("ab")
        self._stream.truncate(self._end)

    def forget(self, position: int) -> None:
        """Drop the entries before a position, which are safe elsewhere.

        Raises
        ------
        Pose3DError
            If the journal cannot be written anew; then it keeps them.
        """
        head = _line(_HEAD)
        with self.path.open("rb") as stream:
            stream.seek(position)
            rest = stream.read()
        self._stream.close()  # a file that is open cannot be replaced on Windows
        try:
            with atomic_path(self.path) as temporary, temporary.open("wb") as out:
                out.write(head + rest)
                out.flush()
                os.fsync(out.fileno())
            self._end = len(head) + len(rest)
        finally:
            self._stream = self.path.open("ab")

    def close(self, *, remove_if_empty: bool = True) -> None:
        """Close the file, and remove it where it holds nothing."""
        self._stream.close()
        if remove_if_empty and self.is_empty:
            self.path.unlink(missing_ok=True)
