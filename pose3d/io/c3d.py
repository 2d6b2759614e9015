"""C3D, the files of motion-capture systems: points, stored angles, events, values and force plates.

ezc3d parses them. Its traps, and those of the files, end here: names may carry a subject's prefix and go on in
``LABELS2``; a point that was not seen has a negative residual or lies exactly in the origin; events may be one flat
list, in any order, in minutes and seconds; the axis that points up is told by ``Y_SCREEN``.
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data import Keypoints3D
from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.data.mocap import ForcePlate, MocapRecording, StoredValue
from pose3d.errors import DependencyError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.c3d_layout import check_layout
from pose3d.io.files import require_file
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.log import logger

__all__ = ["read_c3d"]

_LONGEST_S = 600.0
_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
_SIDES = {"left": "L", "right": "R"}
_KINDS = {"foot strike": STRIKE, "heel strike": STRIKE, "foot off": OFF, "toe off": OFF}
_COMPUTED = ("FORCES", "MOMENTS", "POWERS", "SCALARS")  # by a model: no places in space

_Parameters = Mapping[str, Mapping[str, Any]]


def read_c3d(path: str | Path) -> MocapRecording:
    """Read a C3D file.

    Parameters
    ----------
    path : path

    Returns
    -------
    MocapRecording
        In mm, Z up. `start` of the points is the index of the file's first frame in the trial, so that events and
        points have the same clock. Of names that are there twice, the first keeps it and the others get ``_2``, ``_3``.

    Raises
    ------
    FormatError
        If the file is no C3D, damaged, cut short, or holds more than one subject.
    DependencyError
        If ezc3d is not installed.
    """
    path = require_file(path, "C3D file")
    check_layout(path, path.read_bytes())
    arrays, told = _parsed(path)
    parameters: _Parameters = told["parameters"]
    point = parameters.get("POINT", {})
    labels, rate = _labels(point, path), _number(point.get("RATE"))
    xyz = np.moveaxis(arrays["points"], 0, -1)  # point, frame, space
    if len(labels) < len(xyz):
        labels += [f"point{i + 1}" for i in range(len(labels), len(xyz))]
    labels = _different(_without_prefix(labels[: len(xyz)], path))
    if rate is None or not 0 < rate < np.inf:
        raise FormatError(f"{path}: says no frame rate (POINT:RATE); export it again")
    unit = str(_first(point.get("UNITS"), "mm")).strip().lower()
    if unit not in _MM:
        raise FormatError(f"{path}: its lengths are in {unit!r}; mm, cm or m are read")
    xyz = np.where((xyz == 0).all(-1, keepdims=True), np.nan, xyz)
    stored, rest = _groups(point, labels)
    start = int(arrays["first_frame"])
    turned = str(_first(point.get("Y_SCREEN"), "+Z")).strip().upper() == "+Y"
    where = _z_up(xyz[rest] * _MM[unit], turned)
    try:
        points = Keypoints3D.from_points(
            np.moveaxis(where, 0, 1)[:, None], [labels[i] for i in rest], (SINGLE_INDIVIDUAL,), fps=rate, start=start
        )
        return MocapRecording(
            points,
            {labels[i]: xyz[i] for i in stored},
            _events(parameters.get("EVENT", {}), path),
            _values(parameters.get("ANALYSIS", {})),
            _plates(arrays, told, turned, path),
        )
    except ValueError as error:
        raise FormatError(f"{path}: {error}") from error


def _parsed(path: Path) -> tuple[dict[str, FloatArray], dict[str, Any]]:
    """Let ezc3d read the file in a process of its own, which may crash."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "parsed.npz"
        # -P: nothing is imported from the folder in which somebody happens to work.
        worker = str(Path(__file__).with_name("c3d_worker.py"))
        command = [sys.executable, "-P", worker, str(path.resolve()), str(target)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise FormatError(f"{path}: is damaged: reading it does not come to an end; export it again") from error
        if "No module named 'ezc3d'" in done.stderr:
            raise DependencyError("C3D files need the package ezc3d: pip install ezc3d")
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or ["the reader crashed"]
            raise FormatError(f"{path}: cannot be read as C3D, it is damaged or unusual ({reason[0]}); export it again")
        with np.load(io.BytesIO(target.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(arrays.pop("json").tobytes().decode("utf-8"))


def _first(value: Any, default: Any) -> Any:
    if isinstance(value, list):
        return value[0] if value else default
    return default if value is None else value


def _number(value: Any) -> float | None:
    first = _first(value, None)
    return float(first) if isinstance(first, int | float) else None


def _parts(group: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list that goes on in NAME2, NAME3, ..., part by part."""
    parts, number = [group.get(name, [])], 2
    while f"{name}{number}" in group:
        parts.append(group[f"{name}{number}"])
        number += 1
    return parts


def _continued(group: Mapping[str, Any], name: str) -> list[str]:
    """Read a list of names that goes on in NAME2, NAME3, ..."""
    return [str(item).strip() for part in _parts(group, name) for item in part]


def _times(part: Any) -> FloatArray:
    """Return minutes and seconds (2, n); some files have one flat list: minutes, seconds, minutes, ..."""
    times = np.asarray(part, dtype=np.float64)
    return times[: len(times) // 2 * 2].reshape(-1, 2).T if times.ndim == 1 else times


def _labels(point: Mapping[str, Any], path: Path) -> list[str]:
    labels = _continued(point, "LABELS")
    if not labels:
        raise FormatError(f"{path}: holds no points")
    return labels


def _without_prefix(labels: Sequence[str], path: Path) -> list[str]:
    """Take ``Subject:`` from the names of one subject."""
    prefixes = {label.rpartition(":")[0] for label in labels if ":" in label}
    if len(prefixes) > 1:
        raise FormatError(
            f"{path}: holds {len(prefixes)} subjects ({', '.join(sorted(prefixes))}); export each to a file of its own"
        )
    return [label.rpartition(":")[2] for label in labels]


def _different(labels: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    out = []
    for number, label in enumerate(labels):
        name = label or f"point{number + 1}"
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out


def _groups(point: Mapping[str, Any], labels: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the indices of stored angles, and of what lies in space."""
    members = {group: set(_without_prefixes(_continued(point, group))) for group in ("ANGLES", *_COMPUTED)}
    angles = [i for i, label in enumerate(labels) if label in members["ANGLES"]]
    computed = set().union(*(members[group] for group in _COMPUTED))
    return angles, [i for i, label in enumerate(labels) if label not in members["ANGLES"] | computed]


def _without_prefixes(labels: Sequence[str]) -> list[str]:
    return [label.rpartition(":")[2] for label in labels]


def _z_up(xyz: FloatArray, turned: bool) -> FloatArray:
    return np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1) if turned else xyz


def _events(event: Mapping[str, Any], path: Path) -> LimbEvents:
    """Read events; their clock is that of the trial, whose frame 0 is at 0 s."""
    contexts, labels = _continued(event, "CONTEXTS"), _continued(event, "LABELS")
    if not labels:
        return LimbEvents(np.zeros(0), (), ())
    times = np.concatenate([_times(part) for part in _parts(event, "TIMES")], axis=1)
    n = min(len(labels), len(contexts), times.shape[-1])
    if n < max(len(labels), len(contexts)):
        logger.warning("%s: of %d events only %d have a side and a time", path, max(len(labels), len(contexts)), n)
    seconds = 60 * times[0, :n] + times[1, :n]
    keep = np.flatnonzero(np.isfinite(seconds))
    return LimbEvents(
        seconds[keep],
        tuple(_SIDES.get(contexts[i].lower(), contexts[i]) for i in keep),
        tuple(_KINDS.get(labels[i].lower(), labels[i].lower()) for i in keep),
    )


def _values(analysis: Mapping[str, Any]) -> tuple[StoredValue, ...]:
    names, sides, units = (_continued(analysis, key) for key in ("NAMES", "CONTEXTS", "UNITS"))
    values = np.asarray(analysis.get("VALUES", []), dtype=np.float64).ravel().tolist()
    return tuple(
        StoredValue(name, _SIDES.get(side.lower(), ""), value, unit)
        for name, side, value, unit in zip(names, sides, values, units, strict=False)
    )


def _plates(
    arrays: Mapping[str, FloatArray], told: Mapping[str, Any], turned: bool, path: Path
) -> tuple[ForcePlate, ...]:
    if told["plate_trouble"] and not told["plates"]:
        logger.warning("%s: its force plates are not read (%s)", path, " ".join(told["plate_trouble"].split())[:120])
    plates = []
    for i, (force_unit, length_unit) in enumerate(told["plates"]):
        scale = _MM.get(str(length_unit).strip().lower(), 1.0)
        newton = 1000.0 if str(force_unit).strip().lower() == "kn" else 1.0
        corners, force, centre = (
            np.asarray(arrays[f"plate{i}_{key}"], dtype=np.float64).T
            for key in ("corners", "force", "center_of_pressure")
        )
        plates.append(
            ForcePlate(
                _z_up(corners, turned) * scale,
                _z_up(force, turned) * newton,
                _z_up(centre, turned) * scale,
                float(arrays["analog_rate"]),
            )
        )
    return tuple(plates)
