"""How well a calibration is known, in a file beside it.

anipose and all who read its calibration.toml know nothing of a covariance, and a person who opens the file is better
off without hundreds of rows of it. It lies in ``calibration.uncertainty.npz``, which numpy reads:

- ``covariance`` (n, n), and of each parameter its ``name`` (``left.fx``, ``left.turn_x``), the index of its ``camera``
  in ``cameras`` and its place ``parameter``, 0 to 17: fx fy cx cy in px and up to eight coefficients of the lens, then
  the turn about the camera's own axes in rad and the shift along them in mm;
- ``reference``, the camera to which the poses are relative, empty if there is none;
- ``calibration_sha256`` of the calibration to which it belongs, line ends taken as line feeds.

A file whose calibration has changed since, or that is damaged, is left aside with a warning.
"""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.data.camera import Rig
from pose3d.data.rig_covariance import RigCovariance, parameter_words
from pose3d.errors import FormatError
from pose3d.io.digests import text_digest
from pose3d.io.files import atomic_path
from pose3d.io.npz import read_members, write_member
from pose3d.log import logger

__all__ = ["add_rig_covariance", "rig_covariance_path", "write_rig_covariance"]

_MOST_BYTES = 2**28  # some three hundred cameras
_KINDS = {  # kind of the values and number of axes
    "covariance": ("f", 2),
    "camera": ("i", 1),
    "parameter": ("i", 1),
    "cameras": ("U", 1),
    "reference": ("U", 0),
    "calibration_sha256": ("U", 0),
}


def rig_covariance_path(path: str | Path) -> Path:
    """Return where the covariance of a calibration lies."""
    path = Path(path)
    return path.with_name(f"{path.stem}.uncertainty.npz")


def write_rig_covariance(rig: Rig, path: str | Path) -> Path:
    """Write the covariance of a rig beside its calibration.

    Parameters
    ----------
    rig : Rig
        With a covariance.
    path : path
        The calibration, which has been written already.

    Returns
    -------
    Path
        The file written.
    """
    known = rig.covariance
    if known is None:
        raise ValueError("the rig has no covariance")
    words = [parameter_words(fisheye=camera.fisheye) for camera in rig]
    names = [f"{known.cameras[c]}.{words[c][place]}" for c, place in zip(known.camera, known.parameter, strict=True)]
    target = rig_covariance_path(path)
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        write_member(archive, "calibration_sha256", np.array(text_digest(path)))
        write_member(archive, "cameras", np.array(known.cameras))
        write_member(archive, "reference", np.array(known.reference))
        write_member(archive, "name", np.array(names))
        write_member(archive, "camera", known.camera)
        write_member(archive, "parameter", known.parameter)
        write_member(archive, "covariance", known.covariance)
    return target


def add_rig_covariance(rig: Rig, path: str | Path) -> Rig:
    """Return a rig with the covariance that lies beside its calibration, if there is one that belongs to it.

    Parameters
    ----------
    rig : Rig
        As read from `path`.
    path : path
        The calibration.

    Returns
    -------
    Rig
        As it was, with a warning, if the file is damaged or belongs to another version of the calibration.
    """
    file = rig_covariance_path(path)
    if not file.exists():
        return rig
    try:
        return replace(rig, covariance=_load(file, text_digest(path), rig.names))
    except (FormatError, OSError) as error:
        logger.warning("%s; left aside: how well the cameras of %s are known is unknown", error, Path(path).name)
    except ValueError as error:
        logger.warning(
            "%s: %s; left aside: how well the cameras of %s are known is unknown", file, error, Path(path).name
        )
    return rig


def _load(file: Path, digest: str, names: tuple[str, ...]) -> RigCovariance:
    values: dict[str, NDArray[Any]] = read_members(file, tuple(_KINDS), most_bytes=_MOST_BYTES)
    for name, (kind, n_axes) in _KINDS.items():
        if values[name].dtype.kind != kind or values[name].ndim != n_axes:
            raise FormatError(f"{file}: {name} is not what it should be")
    if values["calibration_sha256"].item() != digest:
        raise FormatError(f"{file}: was written for another version of the calibration beside it")
    known = RigCovariance(
        values["covariance"],
        values["camera"],
        values["parameter"],
        tuple(str(name) for name in values["cameras"]),
        values["reference"].item(),
    )
    if set(known.cameras) != set(names):
        raise FormatError(f"{file}: is about {', '.join(known.cameras)}, the calibration about {', '.join(names)}")
    return known.select(names)
