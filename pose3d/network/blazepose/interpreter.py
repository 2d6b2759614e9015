"""LiteRT on one thread, for the networks whose files others made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.errors import ModelError
from pose3d.io.files import require_file
from pose3d.network.litert import make_interpreter

__all__ = ["Network"]


class Network:
    """A network file for LiteRT.

    Parameters
    ----------
    path : path
    inputs : tuple of int
        Shape that its only input must have.
    outputs : mapping of str to tuple of int
        Names and shapes of the outputs that are read.

    Raises
    ------
    ModelError
        If the file is no network, or another one than is expected.
    DependencyError
        If LiteRT is not installed.
    """

    def __init__(self, path: str | Path, *, inputs: tuple[int, ...], outputs: Mapping[str, tuple[int, ...]]) -> None:
        path = require_file(path, "network")
        try:
            self._interpreter = make_interpreter(path.read_bytes())
            (given,) = self._interpreter.get_input_details()
            found = {item["name"]: item for item in self._interpreter.get_output_details()}
            shapes = {name: tuple(found[name]["shape"].tolist()) for name in outputs}
        except (RuntimeError, ValueError, KeyError) as error:
            raise ModelError(f"{path}: is no network that is known here ({_short(error)}); fetch it anew") from error
        if tuple(given["shape"].tolist()) != inputs or shapes != dict(outputs):
            raise ModelError(f"{path}: is another network than its name says; fetch it anew")
        self._input = given["index"]
        self._outputs = [found[name]["index"] for name in outputs]

    def __call__(self, image: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Apply it to one image; returns copies of the outputs, in the order they were asked for."""
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:80]
