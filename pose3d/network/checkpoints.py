"""The state of a training that is not finished, so that it goes on where it was ended."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pose3d.errors import Pose3DError
from pose3d.io.files import atomic_path, write_text
from pose3d.io.npz import read_members, write_member
from pose3d.log import logger

__all__ = ["Checkpoints", "State"]

_LARGEST = 1 << 32


@dataclass(frozen=True, eq=False)
class State:
    """Where a training stands.

    Attributes
    ----------
    step : int
        Steps done.
    arrays : mapping of str to array
        Weights, their average, the optimizer's, the best so far.
    record : mapping
        Everything else, as JSON has it.
    """

    step: int
    arrays: Mapping[str, NDArray[Any]]
    record: Mapping[str, Any]


class Checkpoints:
    """The folder of a training's states, of which the last two are kept.

    Parameters
    ----------
    folder : Path
    key : str
        Fingerprint of images, labels and settings: a state of other ones is not gone on with.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key

    def load(self) -> State | None:
        """Return the last whole state of this very training; None where there is none."""
        foreign = False
        for description in sorted(self.folder.glob("step-*.json"), reverse=True):
            try:
                record = json.loads(description.read_text(encoding="utf-8"))
                if record["key"] != self.key:
                    foreign = True
                    continue
                arrays = read_members(description.with_suffix(".npz"), record["arrays"], most_bytes=_LARGEST)
                return State(int(record["step"]), arrays, record["record"])
            except (OSError, ValueError, KeyError, TypeError, Pose3DError) as error:
                logger.warning("%s: cannot be gone on with (%s)", description, error)
        if foreign:
            logger.warning("%s: images, labels or settings have changed; training begins anew", self.folder)
        return None

    def save(self, state: State) -> None:
        """Keep a state; it counts once it is whole."""
        base = self.folder / f"step-{state.step:08d}"
        with atomic_path(base.with_suffix(".npz")) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name, array in state.arrays.items():
                write_member(archive, name, array)
        record = {"key": self.key, "step": state.step, "arrays": list(state.arrays), "record": dict(state.record)}
        write_text(base.with_suffix(".json"), json.dumps(record))
        for old in sorted(self.folder.glob("step-*.json"))[:-2]:
            old.unlink(missing_ok=True)
            old.with_suffix(".npz").unlink(missing_ok=True)
