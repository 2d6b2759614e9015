"""The calibration toml of Pose2Sim: like anipose's, but in metres.

Nothing in such a file states its unit. It is known by its habits: the section is named like its camera, ``fisheye`` is
written although it is false, and the metadata say ``adjusted = false`` and ``error = 0.0``; anipose writes none of
these. caliscope's export "for aniposelib" has the same habits and the same unit.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data import Camera, Rig
from pose3d.errors import DataError
from pose3d.io.calibration_toml import FROM_METRES, dump_toml, read_tables, rig_from_tables, split_sections
from pose3d.io.files import write_text
from pose3d.log import logger

__all__ = [
    "is_pose2sim",
    "pose2sim_rig_from_tables",
    "read_pose2sim_calibration",
    "write_pose2sim_calibration",
]

_MM_PER_M = 1000.0
_LARGEST_ROOM = 100.0  # with such habits but larger translations, the numbers cannot be metres
_RESERVED = {"metadata", "capture_volume", "charuco", "checkerboard"}  # sections that Pose2Sim takes for no camera


def read_pose2sim_calibration(path: str | Path) -> Rig:
    """Read a calibration that is in metres, as Pose2Sim writes it.

    Parameters
    ----------
    path : path

    Returns
    -------
    Rig
        In mm; ``metadata["format"]`` is ``"pose2sim"`` and ``metadata["converted"]`` tells the change of unit.

    Raises
    ------
    FormatError
        If the file is no calibration, or a camera lacks something or holds nonsense.
    """
    return pose2sim_rig_from_tables(read_tables(path), path)


def write_pose2sim_calibration(rig: Rig, path: str | Path) -> None:
    """Write a calibration for Pose2Sim, in metres.

    Parameters
    ----------
    rig : Rig
        In mm.
    path : path

    Raises
    ------
    DataError
        If a camera has a lens or a name that Pose2Sim does not know.
    """
    tables: dict[str, Any] = {}
    for camera in rig:
        if camera.fisheye:
            raise DataError(f"{path}: camera {camera.name} is a fisheye, which Pose2Sim does not know; leave it out")
        if camera.name in _RESERVED:
            raise DataError(f"{path}: Pose2Sim takes no camera named {camera.name}; rename it")
        tables[camera.name] = {
            "name": camera.name,
            "size": [float(n) for n in camera.size],
            "matrix": camera.matrix.tolist(),
            "distortions": _distortions(camera),
            "rotation": camera.rotation.tolist(),
            "translation": (camera.translation / _MM_PER_M).tolist(),
            "fisheye": False,
        }
    tables["metadata"] = {"adjusted": False, "error": 0.0}
    write_text(path, dump_toml(tables))


def is_pose2sim(tables: Mapping[str, Any]) -> bool:
    """Tell from its habits whether a parsed calibration is in metres."""
    sections, rest = split_sections(tables)
    if not sections or rest.get("adjusted", False) is not False or rest.get("error", 0.0) != 0.0:
        return False
    habits = all(
        table.get("name", section) == section and table.get("fisheye") is False for section, table in sections.items()
    )
    try:
        far = np.abs(np.array([table.get("translation", 0.0) for table in sections.values()], dtype=np.float64)).max()
    except (ValueError, TypeError, OverflowError):
        return habits  # damaged: the reader says how
    return habits and not far > _LARGEST_ROOM


def pose2sim_rig_from_tables(tables: Mapping[str, Any], path: str | Path) -> Rig:
    """Build a rig in mm from parsed toml in metres.

    Raises
    ------
    FormatError
        See :func:`read_pose2sim_calibration`.
    """
    metadata = {"format": "pose2sim", **FROM_METRES}
    rig = rig_from_tables(tables, path, mm_per_unit=_MM_PER_M, metadata=metadata)
    logger.info("%s: in metres, as Pose2Sim writes it; converted to mm", path)
    return rig


def _distortions(camera: Camera) -> list[float]:
    """Four coefficients, as Pose2Sim writes them, unless more are needed."""
    padded = np.concatenate([camera.distortion, np.zeros(8)])[:8]
    return [float(k) for k in (camera.distortion if padded[4:].any() else padded[:4])]
