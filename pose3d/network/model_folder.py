"""A trained network on disk: ``models/<name>/`` with ``model.toml`` and what it names."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pose3d.errors import ModelError
from pose3d.io.calibration_toml import dump_toml
from pose3d.io.files import write_text
from pose3d.network.spec import NetworkSpec

__all__ = ["ModelFolder", "NetworkFile", "file_digest", "read_model", "write_model"]

MODEL_FILE = "model.toml"


@dataclass(frozen=True)
class ModelFolder:
    """Where the parts of a trained network lie.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @property
    def toml(self) -> Path:
        """What the network is; written last, so that a folder with it is whole."""
        return self.folder / MODEL_FILE

    @property
    def weights(self) -> Path:
        """Weights to train on from, arrays by name."""
        return self.folder / "weights.npz"

    @property
    def fp32(self) -> Path:
        """For LiteRT, in floating point."""
        return self.folder / "network.tflite"

    @property
    def int8(self) -> Path:
        """For LiteRT, in whole numbers of 8 bits."""
        return self.folder / "network-int8.tflite"

    @property
    def metrics(self) -> Path:
        """Loss and errors over the training."""
        return self.folder / "metrics.csv"

    @property
    def evaluation(self) -> Path:
        """Errors per keypoint."""
        return self.folder / "evaluation.csv"

    @property
    def page(self) -> Path:
        """The evaluation for people."""
        return self.folder / "evaluation.html"

    @property
    def checkpoints(self) -> Path:
        """State of a training that was not finished."""
        return self.folder / "training.partial"


@dataclass(frozen=True)
class NetworkFile:
    """A trained network.

    Attributes
    ----------
    spec : NetworkSpec
    precision : str
        ``int8`` or ``fp32``: of the file with which recordings are analysed.
    temperature : float
        Logits are divided by it, so that a score is the probability to be right.
    digests : mapping
        File name to sha256 of the files that belong to it.
    notes : mapping
        Figures for people: numbers of images, errors, seed.
    """

    spec: NetworkSpec
    precision: str = "fp32"
    temperature: float = 1.0
    digests: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_model(model: NetworkFile, folder: str | Path) -> ModelFolder:
    """Write ``model.toml``; the digests of the weights and exports that lie there are taken anew."""
    place = ModelFolder(Path(folder))
    files = [path for path in (place.weights, place.fp32, place.int8) if path.is_file()]
    tables = {
        "format": 1,
        "network": {key: value for key, value in asdict(model.spec).items() if value not in ((), None)},
        "score": {"temperature": float(model.temperature)},
        "export": {"precision": model.precision},
        "sha256": {path.name: file_digest(path) for path in files},
        "notes": dict(model.notes),
    }
    write_text(place.toml, dump_toml(tables))
    return place


def read_model(folder: str | Path) -> tuple[NetworkFile, ModelFolder]:
    """Read ``model.toml`` and check that the files it names are the ones it was written for.

    Parameters
    ----------
    folder : path
        The model's folder, or its ``model.toml``.

    Raises
    ------
    ModelError
        If there is no model, its description is damaged or foreign, or a file is missing or has changed.
    """
    folder = Path(folder)
    place = ModelFolder(folder.parent if folder.name == MODEL_FILE else folder)
    try:
        table = tomllib.loads(place.toml.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ModelError(
            f"{place.folder}: holds no trained network ({MODEL_FILE} cannot be read: {error.strerror}); "
            "`pose3d train` makes one, `pose3d zoo list` names ready ones"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{place.toml}: is damaged ({error}); copy or train the network anew") from error
    try:
        if table["format"] != 1:
            raise ValueError(f"format {table['format']!r} is newer than this pose3d")
        known = {item.name for item in fields(NetworkSpec)}
        strangers = set(table["network"]) - known
        if strangers:
            raise ValueError(f"unknown setting {min(strangers)!r}")
        values = dict(table["network"])
        values["keypoints"] = tuple(values["keypoints"])
        values["pairs"] = tuple((a, b) for a, b in values.get("pairs", ()))
        model = NetworkFile(
            NetworkSpec(**values),
            str(table["export"]["precision"]),
            float(table["score"]["temperature"]),
            {str(name): str(digest) for name, digest in table["sha256"].items()},
            dict(table.get("notes", {})),
        )
        if model.precision not in ("int8", "fp32") or not 0 < model.temperature < 1e3:
            raise ValueError("precision or temperature is out of range")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{place.toml}: does not describe a network of pose3d ({error})") from error
    for name, digest in model.digests.items():
        path = place.folder / name
        if path.parent != place.folder or not path.is_file():
            raise ModelError(f"{path}: is missing; copy the model's folder whole")
        if file_digest(path) != digest:
            raise ModelError(f"{path}: is not the file that {MODEL_FILE} was written for; copy the model's folder anew")
    return model, place
