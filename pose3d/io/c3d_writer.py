"""C3D written: points, angles beside them, and events, so that gait laboratories' programs show them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data import Keypoints3D
from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.errors import DataError, Pose3DError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import atomic_path, require_rate, require_suffix
from pose3d.io.tables import individual_paths

__all__ = ["write_c3d"]

_LONGEST_NAME = 127
_LONGEST_LIST = 255  # a parameter holds no more; it goes on in NAME2, NAME3, ...
_MOST_FRAMES = 65535
_CONTEXTS = {"L": "Left", "R": "Right"}
_LABELS = {STRIKE: ("Foot Strike", 1), OFF: ("Foot Off", 2)}


def write_c3d(
    points: Keypoints3D,
    path: str | Path,
    *,
    angles: Mapping[str, FloatArray] | None = None,
    events: LimbEvents | None = None,
) -> tuple[Path, ...]:
    """Write points as C3D, in mm, Z up.

    A point that is missing has no number and the residual -1, as ezc3d writes it and others read it; none becomes a
    valid origin.

    Parameters
    ----------
    points : Keypoints3D
    path : path
        Several individuals go to one file each, ``<stem>_<individual>.c3d``.
    angles : mapping of str to (n_frames, 3) array, degrees, optional
        By names such as ``LKneeAngles``; of a single individual.
    events : LimbEvents, optional
        Of a single individual; strikes and offs of L and R get Vicon's names.

    Returns
    -------
    tuple of Path

    Raises
    ------
    DataError
        If the frame rate is unknown, a name is too long or stands there twice, there are too many frames, or angles or
        events are given for several individuals.
    Pose3DError
        If the file cannot be written.
    """
    require_suffix(path, ".c3d")
    rate = require_rate(path, points.fps, "a C3D")
    angles = dict(angles or {})
    if len(points.individuals) > 1 and (angles or events is not None):
        raise DataError(f"{path}: angles and events belong to one individual, the points are of several")
    names = (*points.keypoints, *angles)
    wrong = [name for name in names if not name or len(name.encode()) > _LONGEST_NAME]
    if wrong or len(set(names)) < len(names):
        raise DataError(f"{path}: names must differ and have 1 to {_LONGEST_NAME} letters; rename {wrong or 'them'}")
    if points.start < 0 or points.start + points.n_frames > _MOST_FRAMES:
        raise DataError(f"{path}: a C3D holds {_MOST_FRAMES} frames at most; write a part")
    for name, values in angles.items():
        if np.shape(values) != (points.n_frames, 3):
            raise DataError(f"{path}: {name} needs three angles in each of {points.n_frames} frames")
    paths = individual_paths(path, points.individuals)
    for i, file in enumerate(paths):
        xyz = np.concatenate([points.xyz[:, i], *(np.asarray(values)[:, None] for values in angles.values())], axis=1)
        with atomic_path(file) as temporary:
            _write(temporary, xyz, names, rate, points.start, list(angles), events)
    return paths


def _write(
    path: Path,
    xyz: FloatArray,
    names: tuple[str, ...],
    rate: float,
    start: int,
    angles: list[str],
    events: LimbEvents | None,
) -> None:
    import ezc3d

    file = ezc3d.c3d()
    point = file["parameters"]["POINT"]
    point["RATE"]["value"] = [rate]
    point["LABELS"]["value"] = list(names)
    point["UNITS"]["value"] = ["mm"]
    for name, value in (("X_SCREEN", "+X"), ("Y_SCREEN", "+Z"), ("ANGLE_UNITS", "deg")):
        file.add_parameter("POINT", name, [value])
    if angles:
        _add_list(file, "POINT", "ANGLES", angles)
        file.add_parameter("POINT", "TYPE_GROUPS", ["ANGLES", "ANGLE"])
    if events is not None and len(events):
        kinds = [_LABELS.get(kind, (kind, 0)) for kind in events.kinds]
        file.add_parameter("EVENT", "USED", [len(events)])
        _add_list(file, "EVENT", "CONTEXTS", [_CONTEXTS.get(limb, limb) for limb in events.limbs])
        _add_list(file, "EVENT", "LABELS", [label for label, _ in kinds])
        _add_list(file, "EVENT", "ICON_IDS", [icon for _, icon in kinds])
        _add_list(file, "EVENT", "TIMES", np.stack(np.divmod(events.time_s, 60.0)))
        for name in ("SUBJECTS", "DESCRIPTIONS"):
            _add_list(file, "EVENT", name, [""] * len(events))
        _add_list(file, "EVENT", "GENERIC_FLAGS", [0] * len(events))
    data = np.ones((4, len(names), len(xyz)))
    data[:3] = np.moveaxis(xyz, -1, 0).swapaxes(1, 2)
    nowhere = np.isnan(data[:3]).all(0)
    file["data"]["points"] = data
    file["data"]["meta_points"]["residuals"] = np.where(nowhere, -1.0, 0.0)[None]
    file["data"]["meta_points"]["camera_masks"] = np.zeros((7, len(names), len(xyz)), dtype=np.bool_)
    file["header"]["points"]["first_frame"] = start
    try:
        file.write(str(path))
    except (RuntimeError, OSError, ValueError) as error:
        raise Pose3DError(f"{path}: cannot be written ({' '.join(str(error).split())[:120]})") from error


def _add_list(file: Any, group: str, name: str, values: Sequence[str] | Sequence[int] | FloatArray) -> None:
    """Add a parameter with an item each (of an array, a column), in as many parts as it takes."""
    n = values.shape[-1] if isinstance(values, np.ndarray) else len(values)
    for number, first in enumerate(range(0, n, _LONGEST_LIST), start=1):
        part = slice(first, first + _LONGEST_LIST)
        own = values[:, part] if isinstance(values, np.ndarray) else values[part]
        file.add_parameter(group, name if number == 1 else f"{name}{number}", own)
