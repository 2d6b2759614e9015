"""The sync.toml of a session: when each camera saw what, for people to read and to correct."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data.timing import FOUND, Timing
from pose3d.errors import DataError, FormatError
from pose3d.io.files import require_file, write_text

__all__ = ["read_sync", "write_sync"]

_MAX_BYTES = 5_000_000
_LARGEST_FRAMES = 1e9
_LARGEST_PPM = 1e5
_KEYS = ("offset_frames", "sd_frames", "drift_ppm", "sd_ppm", "found")
_HEAD = """\
# When each camera saw what.
# A camera shows instant i of the recording at its own frame i + offset_frames + drift_ppm / 1e6 * (i - at_frame).
# sd_frames and sd_ppm are standard deviations. found: reference (the others count from it), motion (of the keypoints),
# given (by a person), assumed (nothing is known; sd_frames is absent).
"""


def read_sync(path: str | Path) -> Timing:
    """Read a sync.toml.

    Only ``offset_frames`` must be there: a file written by hand may consist of sections such as
    ``[cameras.left]`` with ``offset_frames = 3.4``. A camera without a section is not in the result.

    Parameters
    ----------
    path : path

    Returns
    -------
    Timing
        Cameras in the file's order.

    Raises
    ------
    FormatError
        If the file is none of these, or a value is not what it should be.
    """
    path = require_file(path, "sync file")
    tables = _parse(path)
    sections = tables.get("cameras")
    if not isinstance(sections, dict) or not sections:
        raise FormatError(
            f"{path}: has no section [cameras.NAME]; a sync.toml as pose3d sync writes it is needed, with "
            "offset_frames for each camera"
        )
    cameras = tuple(sections)
    values = {key: np.full(len(cameras), np.nan) for key in _KEYS[:-1]}
    found = []
    reference = tables.get("reference")
    if reference is not None and not (isinstance(reference, str) and reference in sections):
        raise FormatError(f"{path}: reference {reference!r} has no section; there are {', '.join(cameras)}")
    for c, (name, section) in enumerate(sections.items()):
        where = f"{path}: camera {name}"
        if not isinstance(section, dict) or "offset_frames" not in section:
            raise FormatError(f"{where}: offset_frames is missing; write [cameras.{name}] and offset_frames = 0")
        for key in _KEYS[:-1]:
            if key in section:
                most = _LARGEST_FRAMES if key.endswith("frames") else _LARGEST_PPM
                values[key][c] = _number(section[key], f"{where}: {key}", most, positive=key.startswith("sd"))
        word = section.get("found", "reference" if name == reference else "given")
        if not isinstance(word, str) or word not in FOUND:
            raise FormatError(f"{where}: found = {word!r} is not known; it is one of {', '.join(FOUND)}")
        found.append(word)
    if reference is None:
        reference = next((name for name, word in zip(cameras, found, strict=True) if word == "reference"), cameras[0])
    at_frame = _number(tables.get("at_frame", 0), f"{path}: at_frame", _LARGEST_FRAMES)
    return Timing(
        cameras,
        values["offset_frames"],
        np.nan_to_num(values["drift_ppm"]) / 1e6,
        values["sd_frames"],
        values["sd_ppm"] / 1e6,
        tuple(found),
        reference,
        at_frame,
    )


def write_sync(timing: Timing, path: str | Path) -> None:
    """Write a sync.toml.

    Offsets keep 6 decimals of a frame, drifts 6 decimals of a ppm.

    Parameters
    ----------
    timing : Timing
    path : path

    Raises
    ------
    DataError
        If a camera's name cannot be written.
    """
    lines = [_HEAD, f"reference = {_quoted(timing.reference, path)}", f"at_frame = {timing.at_frame!r}"]
    for c, name in enumerate(timing.cameras):
        lines += ["", f"[cameras.{_quoted(name, path)}]", f"offset_frames = {_decimal(timing.offset_frames[c])}"]
        if np.isfinite(timing.sd_frames[c]):
            lines.append(f"sd_frames = {_decimal(timing.sd_frames[c])}")
        lines.append(f"drift_ppm = {_decimal(1e6 * timing.drift[c])}")
        if np.isfinite(timing.sd_drift[c]):
            lines.append(f"sd_ppm = {_decimal(1e6 * timing.sd_drift[c])}")
        lines.append(f'found = "{timing.found[c]}"')
    write_text(path, "\n".join(lines) + "\n")


def _parse(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: is too large for a sync.toml; is it another file?")
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is no text; a sync.toml is needed") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(f"{path}: is no valid toml ({reason}); correct it, or run pose3d sync again") from error


def _number(value: Any, where: str, most: float, *, positive: bool = False) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise FormatError(f"{where} is {str(value)[:40]!r}, not a number")
    if not abs(value) <= most:
        raise FormatError(f"{where} is {str(value)[:40]}; a finite number up to {most:g} is needed")
    if positive and value < 0:
        raise FormatError(f"{where} is {value:g}; a standard deviation is not negative")
    return float(value)


def _decimal(value: float) -> str:
    text = f"{value:.6f}".rstrip("0")
    text = text + "0" if text.endswith(".") else text
    return "0.0" if text == "-0.0" else text


def _quoted(name: str, path: str | Path) -> str:
    """Return a basic toml string, or a bare key's text in quotes."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: the camera name {name!r} cannot be written; rename the camera") from error
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
