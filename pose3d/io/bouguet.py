"""Intrinsics of the Camera Calibration Toolbox for Matlab (Calib_Results.mat).

Pixels need no shift: although Matlab counts from 1, the toolbox subtracts it, so that ``cc`` is in our convention, with
the centre of the top-left pixel at (0, 0). Its manual says so ("pixel coordinates ... [0;0] is the center of the upper
left pixel", description of the calibration parameters), and the corners stored in its stereo example lie within a
thousandth of a pixel (mean, 28 photos) of those that OpenCV finds in the same photos; a test repeats this.

References
----------
J.-Y. Bouguet, Camera Calibration Toolbox for Matlab, description of the calibration parameters.
"""

import warnings
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.io import loadmat, savemat

from pose3d.data import Camera
from pose3d.errors import DataError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import atomic_path, require_file

__all__ = ["read_intrinsics", "write_intrinsics"]

_ERRORS = ("fc_error", "cc_error", "alpha_c_error", "kc_error", "err_std")
_HEADER = b"MATLAB 5.0 MAT-file, intrinsics written by pose3d"
_HEADER_BYTES = 116


def read_intrinsics(path: str | Path, *, name: str) -> Camera:
    """Read one camera's intrinsics; its pose is the identity.

    Parameters
    ----------
    path : path
        A .mat file of Matlab before 7.3 (its default format).
    name : str
        What to call the camera.

    Returns
    -------
    Camera
        The toolbox's uncertainties (three standard deviations), such as ``fc_error`` and ``kc_error``, are in `extra`.

    Raises
    ------
    FormatError
        If the file is no .mat file, of version 7.3, or holds no intrinsics.
    """
    path = require_file(path, ".mat file")
    found = _load(path)

    def numbers(key: str, lengths: tuple[int, ...], default: float | None = None) -> FloatArray:
        if key not in found and default is not None:
            return np.array([default])
        if key not in found:
            raise FormatError(f"{path}: {key} is missing; give a Calib_Results.mat of the Camera Calibration Toolbox")
        try:
            array = np.asarray(found[key]).astype(np.float64, casting="same_kind").ravel()
        except (TypeError, ValueError) as error:
            raise FormatError(f"{path}: {key} holds no numbers; save the calibration again") from error
        if len(array) not in lengths or not np.isfinite(array).all():
            wanted = " or ".join(map(str, lengths))
            raise FormatError(f"{path}: {key} must hold {wanted} finite numbers, not {_short(array)}")
        return array

    (fx, fy), (cx, cy) = numbers("fc", (2,)), numbers("cc", (2,))
    skew = fx * numbers("alpha_c", (1,), 0.0)[0]
    width, height = numbers("nx", (1,))[0], numbers("ny", (1,))[0]
    extra = {key: numbers(key, (1, 2, 4, 5)).tolist() for key in _ERRORS if key in found}
    try:
        return Camera(
            name,
            (int(width), int(height)),
            np.array([[fx, skew, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]),
            numbers("kc", (4, 5)),
            np.zeros(3),
            np.zeros(3),
            extra=MappingProxyType(extra),
        )
    except ValueError as error:
        raise FormatError(f"{path}: {error}; calibrate again") from error


def write_intrinsics(camera: Camera, path: str | Path) -> None:
    """Write one camera's intrinsics for the toolbox; the format has no place for its pose.

    Parameters
    ----------
    camera : Camera
    path : path

    Raises
    ------
    DataError
        If the toolbox does not know the lens.
    """
    distortion = np.concatenate([camera.distortion, np.zeros(8)])[:8]
    if camera.fisheye or distortion[5:].any():
        lens = "fisheye" if camera.fisheye else "rational"
        raise DataError(f"{path}: camera {camera.name} has a {lens} lens, the toolbox knows 5 Brown-Conrady terms")
    K = camera.matrix
    variables: dict[str, Any] = {
        "fc": K[[0, 1], [0, 1]][:, None],
        "cc": K[:2, 2:],
        "alpha_c": np.array([[K[0, 1] / K[0, 0]]]),
        "kc": distortion[:5, None],
        "KK": K,
        "nx": np.array([[float(camera.size[0])]]),
        "ny": np.array([[float(camera.size[1])]]),
    }
    variables |= {key: np.atleast_1d(camera.extra[key])[:, None] for key in _ERRORS if key in camera.extra}
    with atomic_path(path) as temporary:
        savemat(str(temporary), variables, appendmat=False)
        with temporary.open("r+b") as stream:  # scipy puts the time of day there: the same input is the same bytes
            stream.write(_HEADER.ljust(_HEADER_BYTES))


def _load(path: Path) -> dict[str, Any]:
    names = ["fc", "cc", "alpha_c", "kc", "nx", "ny", *_ERRORS]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(loadmat(path, variable_names=names, appendmat=False))
    except NotImplementedError as error:
        raise FormatError(f"{path}: is a Matlab 7.3 file; save it in Matlab with -v7") from error
    except Exception as error:  # scipy raises nearly every kind of error on damaged files
        raise FormatError(f"{path}: is no Matlab file, or is cut short; give a Calib_Results.mat") from error


def _short(array: FloatArray) -> str:
    return str(array.tolist()) if len(array) <= 5 else f"{len(array)}"
