"""The layout of a C3D file, checked before a parser follows it: a parser that trusts a damaged file may crash.

Only lengths and types are looked at: where the header says that the parameters lie, whether each record of them ends
where the next begins, and whether the file is as long as the frames that it announces. The format: www.c3d.org.
"""

import struct
from pathlib import Path
from typing import NamedTuple

from pose3d.errors import FormatError

__all__ = ["C3DLayout", "check_layout"]

_BLOCK = 512
_SIGN_BYTE = {84: 3, 85: 1, 86: 0}
"""Processors (Intel, DEC, MIPS), and which of the four bytes of a number holds its sign."""
_MIPS = 86
_WIDTHS = {-1: 1, 1: 1, 2: 2, 4: 4}


class C3DLayout(NamedTuple):
    """What the header of a C3D file says.

    Attributes
    ----------
    n_points : int
    first_frame, last_frame : int
        As written, from 1; files of more than 65535 frames say otherwise elsewhere.
    frame_bytes : int
        Length of one frame with its analog samples.
    data_start : int
        Where the frames begin, bytes.
    """

    n_points: int
    first_frame: int
    last_frame: int
    frame_bytes: int
    data_start: int


def check_layout(path: Path, data: bytes) -> C3DLayout:
    """Check that the parts of a C3D file lie where they must.

    Parameters
    ----------
    path : Path
        For messages.
    data : bytes
        The whole file.

    Raises
    ------
    FormatError
        If it is no C3D file, cut short or damaged.
    """
    if len(data) < 2 * _BLOCK or data[1] != 0x50 or data[0] < 2:
        raise FormatError(f"{path}: is no C3D file, or is cut short within its header")
    start = (data[0] - 1) * _BLOCK
    if start + 4 > len(data):
        raise FormatError(f"{path}: is cut short: its parameters are not there; copy it again")
    n_blocks, processor = data[start + 2], data[start + 3]
    if processor not in _SIGN_BYTE:
        raise FormatError(f"{path}: is damaged: its numbers are of an unknown kind ({processor}); export it again")
    order = ">" if processor == _MIPS else "<"
    n_points, n_analog, first, last = struct.unpack_from(f"{order}4H", data, 2)
    (data_block,) = struct.unpack_from(f"{order}H", data, 16)
    _check_parameters(path, data, start, n_blocks, order)
    width = 4 if data[12 + _SIGN_BYTE[processor]] & 0x80 else 2  # a negative scale means real numbers
    layout = C3DLayout(n_points, first, last, width * (4 * n_points + n_analog), (data_block - 1) * _BLOCK)
    if not start < layout.data_start <= len(data) or last < first:
        raise FormatError(f"{path}: is damaged: its header tells of no place for the frames; export it again")
    n_frames = last - first + 1
    if last < 65535 and layout.data_start + n_frames * layout.frame_bytes > len(data):
        there = (len(data) - layout.data_start) // max(1, layout.frame_bytes)
        raise FormatError(f"{path}: is cut short: {there} of {n_frames} frames are there; copy or export it again")
    return layout


def _check_parameters(path: Path, data: bytes, start: int, n_blocks: int, order: str) -> None:
    """Follow the records of the parameter section from the first to the last."""
    end = min(len(data), start + n_blocks * _BLOCK) if n_blocks else len(data)
    at, groups, owners = start + 4, set(), set()
    damaged = FormatError(f"{path}: is damaged: its parameters do not follow one another; export it again")
    while True:
        if at + 2 > end:
            break  # some programs write no last record
        n_name, group = struct.unpack_from("bb", data, at)
        if n_name == 0:
            break
        body = at + 2 + abs(n_name)
        if body + 3 > end or group == 0:
            raise damaged
        (offset,) = struct.unpack_from(f"{order}H", data, body)
        following = body + offset if offset else end
        if following > end or (offset and offset < 3):
            raise damaged
        if group < 0:
            groups.add(-group)
            described = body + 2
        else:
            owners.add(group)
            described = _after_values(data, body + 2, following, order)
        if described < 0 or described + 1 > following or described + 1 + data[described] > following:
            raise damaged
        if not offset:
            break
        at = following
    if not groups or not owners <= groups:
        raise damaged


def _after_values(data: bytes, at: int, end: int, order: str) -> int:
    """Return where the values of a parameter end; -1 if they do not fit."""
    if at + 2 > end:
        return -1
    kind, n_dimensions = struct.unpack_from(f"{order}bB", data, at)
    at += 2
    if kind not in _WIDTHS or n_dimensions > 7 or at + n_dimensions > end:
        return -1
    size = _WIDTHS[kind]
    for extent in data[at : at + n_dimensions]:
        size *= extent
    at += n_dimensions + size
    return at if at <= end else -1
