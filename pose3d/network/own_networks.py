"""A user's own network, checked and copied to where the zoo finds it.

Nothing is read that could run code: no pickle (``.pth``, ``.pt``), no Keras archive, no SavedModel.
"""

import secrets
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.errors import ModelError, Pose3DError
from pose3d.io.files import require_file
from pose3d.network.blazepose.files import DETECTOR_FILE, LANDMARK_FILE
from pose3d.network.model_folder import MODEL_FILE, ModelFolder, NetworkFile, read_model, write_model
from pose3d.network.spec import NetworkSpec

__all__ = ["keep_network"]

_REFUSED = {
    ".pth": "PyTorch",
    ".pt": "PyTorch",
    ".ckpt": "PyTorch",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".keras": "Keras",
    ".h5": "Keras",
    ".hdf5": "Keras",
    ".pb": "TensorFlow",
}
_KINDS = ("keypoints", "blazepose")
_EXAMPLE = 'kind = "keypoints" with a table [network] (keypoints, scale, stride, locref_px), or kind = "blazepose"'


def keep_network(path: str | Path, folder: str | Path, *, detector: Callable[[], Path]) -> None:
    """Copy a network into a new folder, which appears whole or not at all.

    Parameters
    ----------
    path : path
        The folder of a network that pose3d trained, or a ``.tflite`` beside which a ``.toml`` of the same name tells
        its ``kind``. That is ``keypoints``: one input of RGB, 0 to 255, (1, height, width, 3), sides multiples of 32;
        one output (1, height / stride, width / stride, 3 n), first the logits of the n keypoints, then their offsets
        from the cells' centres as x, y, x, y, ... in units of `locref_px`; in the table ``[network]`` stand
        `keypoints`, `pairs`, `scale`, `stride`, `locref_px` and `radius_px`. Or it is ``blazepose``: another landmark
        network of that family, which is used with the detector of blazepose-full.
    folder : path
    detector : callable
        Gives BlazePose's detector, where that is needed.

    Raises
    ------
    ModelError
        If it is no network that can be used.
    FormatError
        If a file is missing or empty.
    Pose3DError
        If the folder cannot be written.
    """
    path, folder = Path(path), Path(folder)
    if path.is_dir() or path.name == MODEL_FILE:
        _keep_trained(path, folder)
        return
    path = require_file(path, "network")
    suffix = path.suffix.lower()
    if suffix in _REFUSED:
        raise ModelError(
            f"{path}: is a file of {_REFUSED[suffix]}, which could run code when it is read; export the network as "
            ".tflite, or give the folder of one that pose3d trained"
        )
    if suffix != ".tflite":
        raise ModelError(f"{path}: is no network that can be added; give a .tflite, or a folder that pose3d trained")
    table = _description(path)
    with _new_folder(folder) as temporary:
        if table["kind"] == "blazepose":
            _keep_landmarks(path, detector(), temporary)
        else:
            _keep_keypoints(path, table, temporary)


def _keep_trained(path: Path, folder: Path) -> None:
    model, place = read_model(path)
    exported = [file for file in (place.fp32, place.int8) if file.name in model.digests]
    if not exported:
        raise ModelError(f"{place.folder}: holds no exported network (network.tflite); finish its training first")
    for file in exported:
        _check_keypoints(file, model.spec)
    with _new_folder(folder) as temporary:
        for name in (*model.digests, MODEL_FILE, place.evaluation.name):
            if (place.folder / name).is_file():
                shutil.copyfile(place.folder / name, temporary / name)


def _keep_keypoints(path: Path, table: dict[str, Any], folder: Path) -> None:
    from pose3d.network.litert import OFFSET_GAIN

    spec = _spec(table, path)
    _check_keypoints(path, spec)
    shutil.copyfile(path, ModelFolder(folder).fp32)
    # Offsets in files that pose3d exports are larger by this gain.
    spec = replace(spec, locref_px=spec.locref_px * OFFSET_GAIN)
    write_model(NetworkFile(spec, notes={"added_from": path.name}), folder)


def _keep_landmarks(path: Path, detector: Path, folder: Path) -> None:
    from pose3d.network.blazepose.landmarks import LandmarkNetwork

    LandmarkNetwork(path)
    shutil.copyfile(detector, folder / DETECTOR_FILE)
    shutil.copyfile(path, folder / LANDMARK_FILE)


def _description(path: Path) -> dict[str, Any]:
    toml = path.with_suffix(".toml")
    if not toml.is_file():
        raise ModelError(f"{path}: needs {toml.name} beside it that says what the network is: {_EXAMPLE}")
    try:
        table = tomllib.loads(toml.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ModelError(f"{toml}: cannot be read as toml ({error})") from error
    if table.get("kind") not in _KINDS:
        raise ModelError(f"{toml}: kind is {table.get('kind')!r}; write {_EXAMPLE}")
    return table


def _spec(table: dict[str, Any], path: Path) -> NetworkSpec:
    toml = path.with_suffix(".toml")
    given = table.get("network")
    known = {item.name for item in fields(NetworkSpec)} - {"backbone", "channels"}
    if not isinstance(given, dict) or "keypoints" not in given:
        raise ModelError(f"{toml}: has no table [network] with keypoints; write {_EXAMPLE}")
    strangers = sorted(set(given) - known)
    if strangers:
        raise ModelError(f"{toml}: unknown setting {strangers[0]!r}; there are {', '.join(sorted(known))}")
    try:
        keypoints = tuple(str(name) for name in given["keypoints"])
        pairs = tuple((a, b) for a, b in given.get("pairs", ()))
        return NetworkSpec(**given | {"keypoints": keypoints, "pairs": pairs})
    except (TypeError, ValueError) as error:
        raise ModelError(f"{toml}: does not describe a network ({error})") from error


def _check_keypoints(path: Path, spec: NetworkSpec) -> None:
    """Apply the network once, so that it fails now rather than before a night of videos."""
    from pose3d.network.litert import SIZE_MULTIPLE, LiteRTNetwork

    network = LiteRTNetwork(path)
    size = 8 * SIZE_MULTIPLE
    shape = network.run(np.zeros((size, size, 3), np.uint8)).shape
    wanted = (size // spec.stride, size // spec.stride, 3 * len(spec.keypoints))
    if shape != wanted:
        raise ModelError(
            f"{path}: gives {shape} for an image of {size}x{size} px; {len(spec.keypoints)} keypoints at stride "
            f"{spec.stride} need {wanted}"
        )


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.replace(folder)
    except OSError as error:
        raise Pose3DError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
