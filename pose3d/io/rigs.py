"""Any calibration file: which of the formats it is, is found from what is in it."""

import re
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from pose3d.data import Rig
from pose3d.errors import DataError
from pose3d.io.bouguet import read_intrinsics, write_intrinsics
from pose3d.io.calibration_toml import read_tables, rig_from_tables, write_calibration
from pose3d.io.caliscope import caliscope_rig_from_tables, is_caliscope, write_camera_array
from pose3d.io.files import require_file
from pose3d.io.pose2sim import is_pose2sim, pose2sim_rig_from_tables, write_pose2sim_calibration
from pose3d.io.rig_covariance import add_rig_covariance, rig_covariance_path, write_rig_covariance
from pose3d.log import logger

__all__ = ["RigFormat", "load_rig", "save_rig"]

RigFormat = Literal["anipose", "pose2sim", "caliscope", "bouguet"]

_NARROWEST_RIG_MM = 20.0  # the housings of two cameras do not fit closer


def load_rig(path: str | Path) -> Rig:
    """Read the cameras of a calibration file, whichever program wrote it.

    Formats: calibration.toml of anipose (and all who write it likewise, such as freemocap), Pose2Sim's calibration
    toml, caliscope's camera_array.toml, and Calib_Results.mat of the Camera Calibration Toolbox for Matlab (one camera
    in the origin, named by what follows ``Calib_Results_`` in the file's name). Metres become mm. How well the cameras
    are known is read from the file beside a calibration.toml, if pose3d wrote one (:mod:`pose3d.io.rig_covariance`).

    Parameters
    ----------
    path : path

    Returns
    -------
    Rig
        In mm; ``metadata["format"]`` is ``"anipose"``, ``"pose2sim"``, ``"caliscope"`` or ``"bouguet"``.

    Raises
    ------
    FormatError
        If the file is none of these or is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from pose3d import Camera, Rig, load_rig, save_rig
    >>> matrix = [[900, 0, 640], [0, 900, 360], [0, 0, 1]]
    >>> rig = Rig((Camera("left", (1280, 720), matrix, np.zeros(5), np.zeros(3), [0, 0, 2000]),))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_rig(rig, Path(folder) / "calibration.toml")
    ...     load_rig(Path(folder) / "calibration.toml")
    Rig(1 camera: left)
    """
    path = require_file(path, "calibration")
    with path.open("rb") as stream:
        start = stream.read(6)
    if start == b"MATLAB" or path.suffix.lower() == ".mat":
        name = re.sub(r"(?i)^calib_results_?", "", path.stem) or path.stem
        return Rig((read_intrinsics(path, name=name),), MappingProxyType({"format": "bouguet"}))
    tables = read_tables(path)
    if is_caliscope(tables):
        return caliscope_rig_from_tables(tables, path)
    if is_pose2sim(tables):
        return pose2sim_rig_from_tables(tables, path)
    rig = rig_from_tables(tables, path)
    span = float(np.linalg.norm(np.ptp(rig.centers, axis=0)))
    if len(rig) > 1 and span < _NARROWEST_RIG_MM:
        logger.warning(
            "%s: all cameras lie within %.3g mm; if the file is in metres, multiply its translations by 1000",
            path,
            span,
        )
    return add_rig_covariance(rig, path)


def save_rig(rig: Rig, path: str | Path, *, format: RigFormat | None = None) -> None:
    """Write the cameras of a rig.

    Where the rig tells how well it is known, anipose's format gets ``<stem>.uncertainty.npz`` beside it; the others
    have none. Such a file of the calibration that stood there before is removed.

    Parameters
    ----------
    rig : Rig
    path : path
    format : {"anipose", "pose2sim", "caliscope", "bouguet"}, optional
        By default anipose's calibration.toml, or bouguet for a file that ends in .mat.

    Raises
    ------
    DataError
        If the format has no room for the rig, or the file name does not fit the format.
    """
    suffix = Path(path).suffix.lower()
    if format is None:
        format = "bouguet" if suffix == ".mat" else "anipose"
    wanted = ".mat" if format == "bouguet" else ".toml"
    if suffix != wanted:
        raise DataError(f"{path}: a calibration for {format} is a {wanted} file; choose another name")
    if format == "bouguet":
        if len(rig) != 1:
            raise DataError(f"{path}: a .mat file holds one camera, the rig has {len(rig)}; write a .toml")
        write_intrinsics(rig.cameras[0], path)
        return
    {
        "anipose": write_calibration,
        "pose2sim": write_pose2sim_calibration,
        "caliscope": write_camera_array,
    }[format](rig, path)
    if format == "anipose" and rig.covariance is not None:
        write_rig_covariance(rig, path)
    else:
        _remove(rig_covariance_path(path))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s: cannot be removed (%s); it belongs to a calibration that is no more", path, error.strerror)
