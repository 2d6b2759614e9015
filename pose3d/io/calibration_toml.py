"""The calibration.toml of anipose: one section a camera, and what else a file says kept and written back.

The format is shared by many programs, each with habits of its own, so the reader is tolerant (any section name, 4 to 14
coefficients, sizes as floats, rotation as a vector or a matrix) and the writer strict: what it writes,
``aniposelib.CameraGroup.load`` reads with the same numbers.

Files are parsed with `tomllib`, because the `toml` package refuses arrays that mix integers and floats, and written
with `toml`, because that is what aniposelib parses them with.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import toml

from pose3d.data import Camera, Rig
from pose3d.errors import DataError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import log_so3
from pose3d.io.files import require_file, write_text
from pose3d.io.names import natural_key
from pose3d.log import logger

__all__ = [
    "FROM_METRES",
    "camera_from_table",
    "dump_toml",
    "read_calibration",
    "read_tables",
    "rig_from_cameras",
    "rig_from_tables",
    "split_sections",
    "stored_unit_mm",
    "write_calibration",
]

FROM_METRES: Mapping[str, str] = MappingProxyType({"converted": "m to mm"})
"""What a rig's metadata say where its file was in metres."""

_GEOMETRY = {"matrix", "distortions", "rotation", "translation"}
_KNOWN = _GEOMETRY | {"name", "size", "fisheye"}
_MAX_BYTES = 20_000_000  # a calibration has kilobytes; a gigabyte is something else and would fill the memory
_BROWN_LENGTHS = (0, 4, 5, 8)
_LARGEST = 1e15  # squares and cubes of such numbers still are numbers
_ORTHONORMAL = 1e-3  # matrices are stored with few digits here and there; a shear or a mirror is far beyond this


def read_calibration(path: str | Path) -> Rig:
    """Read a calibration.toml as anipose writes it, lengths in mm.

    Cameras come in the natural order of their sections (``cam_2`` before ``cam_10``). A camera's name is its ``name``,
    or else its section. Keys that pose3d does not use are kept in :attr:`Camera.extra <pose3d.data.Camera>` and
    ``Rig.metadata`` and written back by :func:`write_calibration`; ``metadata["format"]`` is ``"anipose"``.

    Parameters
    ----------
    path : path

    Returns
    -------
    Rig

    Raises
    ------
    FormatError
        If the file is no calibration, or a camera lacks something or holds nonsense.
    """
    return rig_from_tables(read_tables(path), path)


def write_calibration(rig: Rig, path: str | Path) -> None:
    """Write a calibration.toml that anipose, aniposelib and everything that follows them read.

    Numbers survive to the last bit. With more than ten cameras the sections are zero-padded (``cam_00``), because
    aniposelib sorts them as text. A lens without coefficients is written as five zeros, since aniposelib needs at
    least one. An extra value that the `toml` package cannot write and read back is left out with a warning.

    Parameters
    ----------
    rig : Rig
    path : path

    Raises
    ------
    DataError
        If a camera's name cannot be written.
    """
    width = len(str(len(rig) - 1))
    tables: dict[str, Any] = {}
    for i, camera in enumerate(rig):
        if not _survives(camera.name):
            raise DataError(f"{path}: the camera name {camera.name!r} cannot be written as toml; rename the camera")
        table: dict[str, Any] = {
            "name": camera.name,
            "size": list(camera.size),
            "matrix": camera.matrix.tolist(),
            "distortions": camera.distortion.tolist() or [0.0] * 5,
            "rotation": camera.rotation.tolist(),
            "translation": camera.translation.tolist(),
        }
        if camera.fisheye:  # anipose writes it for fisheye cameras only
            table["fisheye"] = True
        extra = {key: value for key, value in camera.extra.items() if key not in _KNOWN}
        tables[f"cam_{i:0{width}d}"] = table | _writable(extra, f"{path}: camera {camera.name}")
    metadata = {key: value for key, value in rig.metadata.items() if key != "format"}
    tables["metadata"] = _writable(metadata, f"{path}: metadata")
    write_text(path, dump_toml(tables))


def read_tables(path: str | Path) -> dict[str, Any]:
    """Parse a toml file.

    Raises
    ------
    FormatError
        If it is absent, empty or not toml.
    """
    path = require_file(path, "calibration")
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: is too large for a calibration; give the calibration.toml")
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is not a text file; a calibration.toml is needed") from error
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{path}: is not valid toml ({error}); a calibration.toml is needed") from error
    except RecursionError as error:
        raise FormatError(f"{path}: is nested too deeply for a calibration; give the calibration.toml") from error


def split_sections(tables: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Part the sections of cameras, in natural order, from everything else that a file says."""
    cameras = {key: tables[key] for key in sorted(tables, key=natural_key) if _is_camera(key, tables[key])}
    metadata = tables.get("metadata", {})
    rest = {key: value for key, value in tables.items() if key not in cameras and key != "metadata"}
    return cameras, rest | (metadata if isinstance(metadata, dict) else {"metadata": metadata})


def stored_unit_mm(rig: Rig) -> float:
    """Return the unit of the file that a rig was read from, mm: 1000 for metres, otherwise 1."""
    return 1000.0 if FROM_METRES.items() <= rig.metadata.items() else 1.0


def rig_from_tables(
    tables: Mapping[str, Any],
    path: str | Path,
    *,
    mm_per_unit: float = 1.0,
    metadata: Mapping[str, Any] = MappingProxyType({"format": "anipose"}),
) -> Rig:
    """Build a rig from parsed toml whose sections are cameras.

    Parameters
    ----------
    tables : mapping
        From :func:`read_tables`.
    path : path
        For messages.
    mm_per_unit : float
        Unit of the file's translations.
    metadata : mapping
        What to add to the file's own.

    Returns
    -------
    Rig
        In mm.

    Raises
    ------
    FormatError
        See :func:`read_calibration`.
    """
    sections, rest = split_sections(tables)
    if not sections:
        raise FormatError(f"{path}: holds no camera; give a calibration.toml with a section for each camera")
    cameras = [camera_from_table(table, section, path, mm_per_unit=mm_per_unit) for section, table in sections.items()]
    return rig_from_cameras(cameras, rest | dict(metadata), path)


def rig_from_cameras(cameras: list[Camera], metadata: Mapping[str, Any], path: str | Path) -> Rig:
    """Build a rig, and say a fault of its cameras as a fault of the file.

    Parameters
    ----------
    cameras : list of Camera
    metadata : mapping
    path : path
        For messages.

    Returns
    -------
    Rig

    Raises
    ------
    FormatError
        If there is no camera, or two have one name.
    """
    try:
        return Rig(tuple(cameras), MappingProxyType(dict(metadata)))
    except ValueError as error:
        raise FormatError(f"{path}: {error}; give each camera one section and a name of its own") from error


def camera_from_table(
    table: Mapping[str, Any],
    section: str,
    path: str | Path,
    *,
    mm_per_unit: float = 1.0,
    name: str | None = None,
) -> Camera:
    """Build a camera from one section.

    Parameters
    ----------
    table : mapping
    section : str
        Its name in the file.
    path : path
        For messages.
    mm_per_unit : float
    name : str, optional
        Instead of the table's own.

    Returns
    -------
    Camera
        In mm.

    Raises
    ------
    FormatError
        If something is missing or is not what it should be.
    """
    name = name or str(table.get("name", "")) or section
    where = f'{path}: camera "{name}"' + ("" if section == name else f" (section [{section}])")
    missing = [key for key in ("size", "matrix", "distortions", "rotation", "translation") if key not in table]
    if missing:
        raise FormatError(f"{where}: {' and '.join(missing)} missing; calibrate again or complete the file")
    fisheye = table.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise FormatError(f"{where}: fisheye must be true or false, not {fisheye!r}")
    size = _numbers(table["size"], f"{where}: size", (2,))
    if (size != np.round(size)).any() or (size < 1).any() or (size > 1e6).any():
        raise FormatError(f"{where}: size must be the width and height in px, not {table['size']}")
    matrix = _numbers(table["matrix"], f"{where}: matrix", (3, 3))
    if not np.array_equal(matrix[2], [0, 0, 1]):
        raise FormatError(f"{where}: the last row of matrix must be 0 0 1, not {matrix[2].tolist()}")
    offset = table.get("offset")
    if offset is not None and np.any(_numbers(offset, f"{where}: offset", None)):
        logger.warning("%s: offset %s is kept in the file but not applied to pixels", where, offset)
    try:
        return Camera(
            name,
            (int(size[0]), int(size[1])),
            matrix,
            _distortion(table["distortions"], where, fisheye=fisheye),
            _rotation(table["rotation"], where),
            _vector(table["translation"], f"{where}: translation") * mm_per_unit,
            fisheye,
            MappingProxyType({key: value for key, value in table.items() if key not in _KNOWN}),
        )
    except ValueError as error:
        raise FormatError(f"{path}: {error}; calibrate again or correct the file") from error


def dump_toml(tables: Mapping[str, Any]) -> str:
    """Turn plain tables into toml text."""
    return toml.dumps(dict(tables))


def _is_camera(section: str, table: Any) -> bool:
    if section == "metadata" or not isinstance(table, dict):
        return False
    return bool(_GEOMETRY & table.keys()) or {"name", "size"} <= table.keys()


def _numbers(value: Any, where: str, shape: tuple[int, ...] | None) -> FloatArray:
    """Turn nested lists of numbers into an array; text and truth values are no numbers."""
    if not _is_numeric(value):
        raise FormatError(f"{where} must hold numbers only, not {_short(value)}")
    try:
        array = np.array(value, dtype=np.float64)
    except (ValueError, OverflowError) as error:
        raise FormatError(f"{where} has rows of unequal length or a number out of range: {_short(value)}") from error
    if shape is not None and array.shape != shape:
        wanted = " x ".join(map(str, shape))
        raise FormatError(f"{where} must have {wanted} numbers, not {' x '.join(map(str, array.shape)) or 'one'}")
    if not (np.abs(array) < _LARGEST).all():
        raise FormatError(f"{where} holds NaN, infinity or a number out of range; calibrate again")
    return array


def _is_numeric(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_numeric(item) for item in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _vector(value: Any, where: str) -> FloatArray:
    array = _numbers(value, where, None)
    if array.size != 3:
        raise FormatError(f"{where} must have 3 numbers, not {array.size}")
    return array.ravel()


def _rotation(value: Any, where: str) -> FloatArray:
    """Rotation vector, from a vector or a 3 x 3 matrix."""
    if np.shape(_numbers(value, f"{where}: rotation", None)) != (3, 3):
        return _vector(value, f"{where}: rotation")
    matrix = _numbers(value, f"{where}: rotation", (3, 3))
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > _ORTHONORMAL or np.linalg.det(matrix) < 0:
        raise FormatError(f"{where}: rotation is a 3 x 3 matrix but no rotation (sheared, scaled or mirrored)")
    return log_so3(matrix)


def _distortion(value: Any, where: str, *, fisheye: bool) -> FloatArray:
    """Coefficients in a length that the lens model has; shorter lists mean that the rest is zero."""
    array = _numbers(value, f"{where}: distortions", None).ravel()
    lengths = (4,) if fisheye else _BROWN_LENGTHS
    kept = array[: lengths[-1]]
    if array[lengths[-1] :].any() or len(array) > 14:
        raise FormatError(
            f"{where}: {len(array)} distortions, of which those beyond the first {lengths[-1]} are not zero "
            f"({'fisheye' if fisheye else 'thin prism or tilt'}): no lens model here has them; calibrate again"
        )
    length = next(n for n in lengths if n >= len(kept))
    return np.concatenate([kept, np.zeros(length - len(kept))])


def _plain(value: Any) -> Any:
    """Turn numpy values, tuples and mappings into what `toml` knows; numbers that share a list become one type."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        if {type(item) for item in items} == {int, float}:
            return [float(item) for item in items]
        return items
    return value


def _writable(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Keep what `toml` writes such that both parsers read it back."""
    kept = {}
    for key, value in _plain(values).items():
        if _survives(key) and _survives(value, key):
            kept[key] = value
        else:
            logger.warning("%s: %r cannot be written as toml that anipose reads; left out", where, key)
    return kept


def _survives(value: Any, key: str = "key") -> bool:
    """Tell whether `toml` writes a value so that it and `tomllib` read the same back; it has gaps in both ways."""
    try:
        text = dump_toml({"table": {key: value}})
        read = [parse(text)["table"][key] for parse in (tomllib.loads, toml.loads)]
    except (ValueError, TypeError, LookupError, AttributeError):
        return False
    return all(item == value or repr(item) == repr(value) for item in read)
