"""LiteRT on one thread, for the networks whose files others made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.errors import DependencyError, ModelError
from pose3d.io.files import require_file

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
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise DependencyError("ai-edge-litert is missing; `pip install ai-edge-litert`") from error
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=1)
            self._interpreter.allocate_tensors()
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
