"""The csv form of DeepLabCut's tables, of any length: found out once where its rows begin, then read by parts."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.tables import read_csv_exactly

__all__ = ["LEVELS", "CsvTable", "not_a_video"]

LEVELS = ("scorer", "individuals", "bodyparts", "coords")
"""First words of a DeepLabCut header's lines; single-animal tables have no individuals."""

_BYTES_AT_ONCE = 2**20
_HEADER_BYTES = 2**16
_MOST_HEADER_BYTES = 2**24
_BLANK = b", \t\r"
_PLAIN = b"0123456789+-.eE,\r\n"


def not_a_video(path: Path) -> str:
    """Return what is to be said of a table of images."""
    return f"{path}: rows are named by text, not numbered by frame; predictions of a video are needed, not of images"


class CsvTable:
    """A DeepLabCut csv.

    Attributes
    ----------
    columns : list of tuple of str
    at_once : int
        Rows that are read well together.

    Raises
    ------
    FormatError
        If it is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as stream:
            head = self._read(stream, _HEADER_BYTES)
            # Files of old Macs end lines with a carriage return alone.
            self._line_end = b"\n" if b"\n" in head or b"\r" not in head else b"\r"
            if head.count(self._line_end) <= len(LEVELS) + 1:
                head += self._read(stream, _MOST_HEADER_BYTES)
        self.columns, self._n_header = self._read_header(head)
        rows = head.split(self._line_end, self._n_header + 2)[self._n_header : -1]
        self.at_once = max(1, _BYTES_AT_ONCE // max(map(len, rows), default=1))
        self._places: list[int] = []  # byte at which every row begins whose number is a multiple of at_once
        self._end = 0

    def numbers(self) -> Iterator[FloatArray]:
        """Yield the frame number of each row, a block of rows at a time, and learn where the rows are."""
        width = len(self.columns)
        n_rows = 0
        self._places = []
        for lines in self._lines():
            numbers = []
            for place, line in lines:
                if n_rows == 0 and re.fullmatch(rb"[^0-9,][^,]*,+\r?", line):  # pandas' line for the name of the index
                    continue
                if line.count(b",") != width:
                    raise FormatError(
                        f"{self._path}: row {n_rows + 1} has {line.count(b',') + 1} places, not {width + 1}; "
                        "it is cut short or damaged"
                    )
                if n_rows % self.at_once == 0:
                    self._places.append(place)
                try:
                    numbers.append(float(line[: line.index(b",")]))
                except ValueError as error:
                    raise FormatError(not_a_video(self._path)) from error
                n_rows += 1
            yield np.array(numbers)
        if n_rows == 0:
            raise FormatError(f"{self._path}: holds a header but no frames")

    def rows(self, first: int, last: int) -> Iterator[FloatArray]:
        """Yield the values of some rows, a block at a time."""
        ends = [*self._places[1:], self._end]
        try:
            with self._path.open("rb") as stream:
                for first_row in range(first, last, self.at_once):
                    block = first_row // self.at_once
                    stream.seek(self._places[block])
                    data = stream.read(ends[block] - self._places[block])
                    lines = [line for line in data.split(self._line_end) if line.strip(_BLANK)]
                    if len(lines) != min(self.at_once, last - first_row):
                        raise FormatError(f"{self._path}: was changed while it was read; start again")
                    yield self._parse(lines)
        except OSError as error:
            raise FormatError(f"{self._path}: cannot be read ({error.strerror})") from error

    def _parse(self, lines: list[bytes]) -> FloatArray:
        if any(line.count(b",") != len(self.columns) for line in lines):
            raise FormatError(f"{self._path}: was changed while it was read; start again")
        try:
            return self._parse_quickly(lines)
        except (ValueError, OverflowError):
            rows = [line.decode("utf-8", "replace").rstrip("\r").split(",")[1:] for line in lines]
        try:
            return np.array([[float(cell) if cell else np.nan for cell in row] for row in rows])
        except ValueError as error:
            raise FormatError(
                f"{self._path}: a place that must hold a number holds something else ({error})"
            ) from error

    def _parse_quickly(self, lines: list[bytes]) -> FloatArray:
        text = b"\n".join(lines)
        if text.translate(None, _PLAIN):
            raise ValueError("pandas reads words, quotes and much else in its own way")
        table = read_csv_exactly(
            io.BytesIO(text),
            header=None,
            dtype=np.float64,
            quoting=csv.QUOTE_NONE,
            na_values=[""],
            keep_default_na=False,
        )
        if table.shape != (len(lines), len(self.columns) + 1):
            raise ValueError("lines were split in another way")
        return np.asarray(table.to_numpy()[:, 1:])

    def _read_header(self, head: bytes) -> tuple[list[tuple[str, ...]], int]:
        path = self._path
        try:
            text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
        except UnicodeDecodeError as error:
            raise FormatError(_no_text(path)) from error
        header: dict[str, list[str]] = {}
        try:
            for row in csv.reader(io.StringIO(text, newline=None)):
                if not row or row[0] not in LEVELS or row[0] in header:
                    break
                header[row[0]] = row[1:]
        except csv.Error as error:
            raise FormatError(f"{path}: is no csv ({error})") from error
        names = [level for level in LEVELS if level in header]
        if names not in (["scorer", "bodyparts", "coords"], list(LEVELS)):
            raise FormatError(
                f"{path}: is no DeepLabCut csv; its first lines must begin with scorer, [individuals,] bodyparts, "
                "coords"
            )
        columns = list(zip(*(header[level] for level in names), strict=False))
        if any(len(header[level]) != len(columns) for level in names):
            raise FormatError(f"{path}: the header's lines differ in length; the file is damaged")
        return columns, len(names)

    def _lines(self) -> Iterator[list[tuple[int, bytes]]]:
        """Yield the lines below the header that are not blank, and the byte at which each begins, a block at a time."""
        to_skip = self._n_header
        decoder = codecs.getincrementaldecoder("utf-8")()
        place = 0
        with self._path.open("rb") as stream:
            rest = b""
            while True:
                data = self._read(stream, _BYTES_AT_ONCE)
                try:
                    decoder.decode(data, final=not data)
                except UnicodeDecodeError as error:
                    raise FormatError(_no_text(self._path)) from error
                pieces = (rest + data).split(self._line_end)
                rest = pieces.pop() if data else b""
                if len(rest) > _MOST_HEADER_BYTES:
                    raise FormatError(f"{self._path}: a line is {len(rest) / 1e6:.0f} MB long; the file is damaged")
                lines = []
                for piece in pieces:
                    if to_skip:
                        to_skip -= 1
                    elif piece.strip(_BLANK):
                        lines.append((place, piece))
                    place += len(piece) + 1
                yield lines
                if not data:
                    self._end = place
                    return

    def _read(self, stream: BinaryIO, size: int) -> bytes:
        try:
            return stream.read(size)
        except OSError as error:
            raise FormatError(f"{self._path}: cannot be read ({error.strerror})") from error


def _no_text(path: Path) -> str:
    return f"{path}: is neither HDF5 nor UTF-8 text; DeepLabCut's .h5 or .csv is needed"
