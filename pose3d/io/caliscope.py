"""The camera_array.toml of caliscope: numbered cameras, in metres.

A camera is called ``cam_<id>`` here, as its video ``cam_<id>.mp4`` is. ``rotation_count`` turns the picture on
caliscope's screen only: its points and its calibration are those of the video as recorded, so it is kept and not used.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pose3d.data import Rig
from pose3d.errors import DataError, FormatError
from pose3d.io.calibration_toml import (
    FROM_METRES,
    camera_from_table,
    dump_toml,
    read_tables,
    rig_from_cameras,
    split_sections,
)
from pose3d.io.files import write_text
from pose3d.io.names import natural_key
from pose3d.log import logger

__all__ = [
    "caliscope_rig_from_tables",
    "is_caliscope",
    "read_camera_array",
    "write_camera_array",
]

_MM_PER_M = 1000.0


def read_camera_array(path: str | Path) -> Rig:
    """Read the cameras of a caliscope project.

    Cameras that caliscope ignores, or that have no pose yet, are left out, and a log line says so. Both layouts are
    read: today's ``[cameras.0]`` and the older ``[cam_0]``.

    Parameters
    ----------
    path : path

    Returns
    -------
    Rig
        In mm; ``metadata["format"]`` is ``"caliscope"`` and ``metadata["converted"]`` tells the change of unit.

    Raises
    ------
    FormatError
        If the file holds no calibrated camera, or a camera holds nonsense.
    """
    return caliscope_rig_from_tables(read_tables(path), path)


def write_camera_array(rig: Rig, path: str | Path) -> None:
    """Write a camera_array.toml for caliscope, in metres.

    Parameters
    ----------
    rig : Rig
        In mm, with cameras named ``cam_<number>``.
    path : path

    Raises
    ------
    DataError
        If a camera's name holds no number: caliscope knows cameras by number only.
    """
    tables = {}
    for camera in rig:
        number = re.fullmatch(r"(?:cam_)?([0-9]+)", camera.name)
        if number is None:
            raise DataError(f"{path}: caliscope numbers its cameras; rename {camera.name} to cam_<number>")
        kept = {key: camera.extra[key] for key in ("error", "exposure", "grid_count") if key in camera.extra}
        tables[str(int(number[1]))] = {
            "cam_id": int(number[1]),
            "size": list(camera.size),
            "rotation_count": int(camera.extra.get("rotation_count", 0)),
            "ignore": False,
            "fisheye": camera.fisheye,
            "matrix": camera.matrix.tolist(),
            "distortions": camera.distortion.tolist() or [0.0] * 5,
            "translation": (camera.translation / _MM_PER_M).tolist(),
            "rotation": camera.rotation.tolist(),
        } | kept
    if len(tables) < len(rig):
        raise DataError(f"{path}: two cameras have the same number: {', '.join(rig.names)}; rename one")
    write_text(path, dump_toml({"cameras": tables}))


def is_caliscope(tables: Mapping[str, Any]) -> bool:
    """Tell whether parsed toml is caliscope's, by its layout or by its ``rotation_count``."""
    return bool(_sections(tables))


def caliscope_rig_from_tables(tables: Mapping[str, Any], path: str | Path) -> Rig:
    """Build a rig in mm from parsed toml in metres.

    Raises
    ------
    FormatError
        See :func:`read_camera_array`.
    """
    cameras = []
    for section, table in _sections(tables).items():
        name = f"cam_{table.get('cam_id', table.get('port', re.sub(r'^cam_', '', section)))}"
        unposed = [key for key in ("rotation", "translation") if table.get(key, "null") == "null"]
        if table.get("ignore") is True or unposed:
            reason = f"without {' and '.join(unposed)}" if unposed else "ignored by caliscope"
            logger.info("%s: camera %s is %s: left out", path, name, reason)
            continue
        present = {key: value for key, value in table.items() if value != "null"}
        cameras.append(camera_from_table(present, section, path, mm_per_unit=_MM_PER_M, name=name))
    if not cameras:
        raise FormatError(f"{path}: holds no calibrated camera; finish the calibration in caliscope")
    logger.info("%s: in metres, as caliscope writes it; converted to mm", path)
    return rig_from_cameras(cameras, {"format": "caliscope", **FROM_METRES}, path)


def _sections(tables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sections of cameras in natural order; none if the file is not caliscope's."""
    numbered = tables.get("cameras")
    if isinstance(numbered, dict):
        return {key: numbered[key] for key in sorted(numbered, key=natural_key) if isinstance(numbered[key], dict)}
    sections, _ = split_sections(tables)
    # a calibration.toml keeps caliscope's keys, but in mm: it gives names, which caliscope does not
    older = all("rotation_count" in table and "name" not in table for table in sections.values())
    return sections if older else {}
