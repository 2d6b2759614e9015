"""TRC, the marker files of OpenSim: tab separated, seconds, metres or millimetres, Y up.

A point (x, y, z) of our world (X forward, Y left, Z up) is written as (x, z, -y), and read back by the inverse,
(x, y, z) as (x, -z, y). Both keep the frame right-handed with gravity where it belongs. Pose2Sim writes its own world
(X, Y, Z up) as (y, z, x) instead, so that a file of its reads as (y, -x, z): the same world, turned by 90 degrees about
the vertical.

The layout follows what OpenSim demands: all eight header keys, labels counted from X1, and the text ``NaN`` for a
missing value, since its readers count the columns of a line and an empty cell breaks them. Errors, scores, status and
covariance have no place in a TRC.
"""

import io
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pose3d.data import Keypoints3D
from pose3d.errors import DataError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import require_file, require_rate, require_suffix, write_text
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.io.rows import placed_by_frame
from pose3d.io.tables import individual_paths, read_csv_exactly
from pose3d.log import logger

__all__ = ["read_trc", "write_trc"]

_KEYS = (
    *("DataRate", "CameraRate", "NumFrames", "NumMarkers"),
    *("Units", "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
)
_MM = {"m": 1000.0, "cm": 10.0, "mm": 1.0, "meters": 1000.0, "millimeters": 1.0}


def write_trc(
    points: Keypoints3D,
    path: str | Path,
    *,
    unit: Literal["m", "mm"] = "m",
    up: Literal["y", "z"] = "z",
    fps: float | None = None,
) -> tuple[Path, ...]:
    """Write points as TRC.

    Frames are counted from 1, the time of the first frame of the recording is 0 s. White space in names becomes ``_``.

    Parameters
    ----------
    points : Keypoints3D
    path : path
        Several individuals go to one file each, ``<stem>_<individual>.trc``.
    unit : {"m", "mm"}
    up : {"z", "y"}
        Which axis of `points` points up; with ``"y"`` coordinates are written as they are.
    fps : float, optional
        Instead of ``points.fps``.

    Returns
    -------
    tuple of Path
        The files written, in the order of the individuals.

    Raises
    ------
    DataError
        If the frame rate is unknown, two names are the same without white space, or `path` is not named as a trc.
    ValueError
        If `unit` or `up` is another.
    """
    require_suffix(path, ".trc")
    rate = require_rate(path, points.fps if fps is None else fps, "a TRC")
    if unit not in ("m", "mm") or up not in ("y", "z"):
        raise ValueError(f"unit must be m or mm and up y or z, not {unit!r} and {up!r}")
    names = tuple(re.sub(r"\s+", "_", name.strip()) for name in points.keypoints)
    if len(set(names)) < len(names) or not all(names):
        raise DataError(f"{path}: keypoints need names that differ without their white space; rename one")
    if names != points.keypoints:
        logger.info("%s: white space in keypoint names is written as _", path)
    paths = individual_paths(path, points.individuals)
    frames = np.arange(points.start, points.start + points.n_frames)
    for i, file in enumerate(paths):
        xyz = points.xyz[:, i] / _MM[unit]
        if up == "z":
            xyz = np.stack([xyz[..., 0], xyz[..., 2], -xyz[..., 1]], axis=-1)
        table = pd.DataFrame(xyz.reshape(len(xyz), -1))
        table.insert(0, "time", frames / rate)
        table.insert(0, "frame", frames + 1)
        rows = table.to_csv(sep="\t", header=False, index=False, na_rep="NaN", lineterminator="\n")
        write_text(file, _head(file.name, names, unit, rate, (points.start, points.n_frames)) + rows)
    return paths


def read_trc(path: str | Path, *, up: Literal["y", "z"] = "y") -> Keypoints3D:
    """Read a TRC, whether of OpenSim, Pose2Sim or a motion-capture system.

    Parameters
    ----------
    path : path
    up : {"y", "z"}
        Which axis of the file points up. TRC does not say; OpenSim's and Pose2Sim's are Y up, some laboratories
        write Z up, which is read as it is.

    Returns
    -------
    Keypoints3D
        In mm, Z up. Empty cells and ``NaN`` are missing, as are frames that the file leaves out. `start` is the first
        time in frames; error and score are NaN.

    Raises
    ------
    FormatError
        If the file is no TRC or is damaged.
    """
    path = require_file(path, "TRC file")
    text = _text(path)
    lines = text.splitlines()
    if not re.match(r"\s*PathFileType\s", lines[0] if lines else "") or len(lines) < 6:
        raise FormatError(f"{path}: is no TRC file (its first line starts with PathFileType)")
    header = _header(lines[1], lines[2])
    mm_per_unit = _MM.get(header.get("Units", "").lower())
    if mm_per_unit is None:
        raise FormatError(f"{path}: Units {header.get('Units')!r} must be m or mm; correct its third line")
    names = tuple(name.strip() for name in lines[3].rstrip().split("\t")[2::3])
    try:
        n_markers, n_frames, fps = int(header["NumMarkers"]), int(header["NumFrames"]), float(header["DataRate"])
    except (KeyError, ValueError) as error:
        raise FormatError(f"{path}: its third line lacks NumMarkers, NumFrames or DataRate; correct it") from error
    if not names or not all(names) or len(names) > n_markers:
        raise FormatError(f"{path}: its fourth line must name {n_markers} markers, one every three columns")
    if not 0 < fps < np.inf:
        raise FormatError(f"{path}: DataRate is {fps:g}; correct its third line")
    table = _rows(text, path)
    unnamed = table[:, 2 + 3 * len(names) :]
    if np.isfinite(unnamed).any():
        if len(names) == n_markers:
            raise FormatError(
                f"{path}: its lines hold more numbers than its {n_markers} markers need; correct the file"
            )
        logger.warning("%s: what follows its %d named markers is not read", path, len(names))  # OrthoTrak's strays
    if len(table) < n_frames:
        raise FormatError(f"{path}: is cut short: {len(table)} of {n_frames} frames are there; make it again")
    number, time = table[:, 0], table[:, 1]
    if not (np.isfinite(table[:, :2]).all() and (number == np.round(number)).all() and (np.diff(number) > 0).all()):
        raise FormatError(f"{path}: frame numbers must be whole and rise from line to line, times must be numbers")
    if not np.abs(time[0] * fps) < 2**31:
        raise FormatError(f"{path}: its first time is {time[0]:g} s; correct the file")
    xyz = np.full((len(table), 3 * len(names)), np.nan)
    xyz[:, : table.shape[1] - 2] = table[:, 2 : 2 + 3 * len(names)]
    xyz = xyz.reshape(len(table), 1, len(names), 3) * mm_per_unit
    if up == "y":
        xyz = np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)
    xyz, _ = placed_by_frame(xyz, number, path)
    try:
        return Keypoints3D.from_points(xyz, names, (SINGLE_INDIVIDUAL,), fps=fps, start=round(float(time[0]) * fps))
    except ValueError as error:
        raise FormatError(f"{path}: {error}; rename the markers") from error


def _head(file_name: str, names: tuple[str, ...], unit: str, fps: float, span: tuple[int, int]) -> str:
    """Build the header: five lines and an empty one."""
    start, n_frames = span
    rate = repr(fps).removesuffix(".0")
    values = (rate, rate, n_frames, len(names), unit, rate, start + 1, n_frames)
    labels = "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(names) + 1))
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{file_name}",
        "\t".join(_KEYS),
        "\t".join(map(str, values)),
        "Frame#\tTime\t" + "".join(f"{name}\t\t\t" for name in names).removesuffix("\t"),
        f"\t\t{labels}",
        "",
    ]
    return "\n".join(lines) + "\n"


def _text(path: Path) -> str:
    data = path.read_bytes()
    if b"\0" in data:
        raise FormatError(f"{path}: is no TRC file but a binary one; give a .trc")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # older systems write names and paths in the code page of their country


def _header(keys: str, values: str) -> dict[str, str]:
    """Pair the second line with the third; an empty cell must not shift the others."""
    cells = [line.rstrip("\t ").split("\t") for line in (keys, values)]
    if len(cells[0]) != len(cells[1]):  # separated by blanks
        cells = [keys.split(), values.split()]
    return {key.strip(): value.strip() for key, value in zip(*cells, strict=False)}


def _rows(text: str, path: Path) -> FloatArray:
    """Parse the lines of numbers, exactly, to an array as wide as the longest."""
    lines = [line for line in text.splitlines()[5:] if line.strip()]
    n_cells = [line.count("\t") + 1 for line in lines]
    if not lines or min(n_cells) < 3 or (n_cells[-1] < n_cells[0] and not text.endswith("\n")):
        raise FormatError(f"{path}: is cut short; make it again")
    try:
        columns = list(range(max(n_cells)))
        table = read_csv_exactly(io.StringIO("\n".join(lines)), sep="\t", header=None, names=columns)
        return table.to_numpy(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: its lines are not all numbers ({reason[:100]}); correct the file") from error
