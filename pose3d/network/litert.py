"""An exported network in LiteRT, for images of any size; no tensorflow is needed."""

import contextlib
import struct
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.errors import DependencyError, ModelError
from pose3d.io.files import require_file
from pose3d.io.images import Image
from pose3d.network.starting import quiet_stderr

__all__ = ["OFFSET_GAIN", "SIZE_MULTIPLE", "LiteRTNetwork", "make_interpreter"]

OFFSET_GAIN = 8.0
"""By which offsets in an exported network are larger than in the trained one: in whole numbers of 8 bits, scores and
offsets share one scale, and are to use it alike."""

SIZE_MULTIPLE = 32
"""Any network takes images whose width and height are multiples of it, px."""
_LEAST_MULTIPLE = 16  # some networks take these

_MOST_SIZES = 8  # interpreters kept, one a size of image


def make_interpreter(data: bytes, *, shape: tuple[int, ...] | None = None, threads: int = 1) -> Any:
    """Make a LiteRT interpreter that is ready to run; what LiteRT says when it first starts is not shown.

    Parameters
    ----------
    data : bytes
        Of a ``.tflite``.
    shape : tuple of int, optional
        Of its only input, if it is to be another than the file's.
    threads : int, optional

    Raises
    ------
    DependencyError
        If LiteRT is not installed.
    RuntimeError, ValueError
        If the file is none.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise DependencyError("ai-edge-litert is missing; `pip install ai-edge-litert`") from error
    with _silent_start():
        interpreter = Interpreter(model_content=data, num_threads=threads)
        if shape is not None:
            (taken,) = interpreter.get_input_details()
            interpreter.resize_tensor_input(taken["index"], shape)
        interpreter.allocate_tensors()
    return interpreter


_started: list[bool] = []


@contextlib.contextmanager
def _silent_start() -> Iterator[None]:
    """Send away a line that LiteRT writes to the standard error, once in a process, and has no setting for."""
    if _started:
        yield
        return
    _started.append(True)
    with quiet_stderr():
        yield


class LiteRTNetwork:
    """Runs an exported network.

    Parameters
    ----------
    path : path
        A ``.tflite``.
    threads : int, optional
        Of one run.

    Attributes
    ----------
    quantization : (float, int) or None
        Scale and zero point of the output's whole numbers; None for floating point.

    Raises
    ------
    ModelError
        If the file is no such network, or damaged.
    DependencyError
        If LiteRT is not installed.
    """

    def __init__(self, path: str | Path, *, threads: int = 1) -> None:
        self.path = require_file(path, "network")
        self.threads = threads
        self._data = self.path.read_bytes()
        self._kept: OrderedDict[tuple[int, int], tuple[Any, dict[str, Any], dict[str, Any]]] = OrderedDict()
        self._nominal, self._resizings = _resizings(self._data, self.path)
        _, taken, given = self._interpreter(self._nominal)
        n_channels = int(given["shape"][-1])
        if len(given["shape"]) != 4 or n_channels % 3 or tuple(taken["shape"][::3]) != (1, 3):
            raise ModelError(f"{self.path}: is no keypoint network of pose3d; its input or output has another shape")
        self.n_keypoints = n_channels // 3
        self.quantization: tuple[float, int] | None = None
        if given["dtype"] != np.float32:
            scale, zero_point = given["quantization"]
            self.quantization = float(scale), int(zero_point)

    def __repr__(self) -> str:
        return f"LiteRTNetwork({self.path.name!r}, {self.n_keypoints} keypoints)"

    def run(self, image: Image) -> NDArray[Any]:
        """Apply the network to one image.

        Parameters
        ----------
        image : (h, w, 3) uint8 array
            Red, green, blue; `h` and `w` are multiples of what the network needs, at least of 16.

        Returns
        -------
        (h / stride, w / stride, 3 n_keypoints) array
            Logits and offsets as the file gives them, the offsets :data:`OFFSET_GAIN` times as large.

        Raises
        ------
        ModelError
            If the network fails.
        """
        height, width, _ = image.shape
        if height % _LEAST_MULTIPLE or width % _LEAST_MULTIPLE:
            raise ValueError(f"an image of {width}x{height} px is no multiple of {_LEAST_MULTIPLE}")
        interpreter, taken, given = self._interpreter((height, width))
        interpreter.set_tensor(taken["index"], image[None].astype(taken["dtype"], copy=False))
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(given["index"])[0])

    def run_batch(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Apply the network to images of one size, one after the other: together they would leave the CPU's cache."""
        return np.stack([self.run(image) for image in images])

    def _interpreter(self, size: tuple[int, int]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        if size in self._kept:
            self._kept.move_to_end(size)
            return self._kept[size]
        try:
            interpreter = make_interpreter(self._sized(size), shape=(1, *size, 3), threads=self.threads)
            (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:120]
            raise ModelError(f"{self.path}: cannot be run ({reason}); export the network anew") from error
        self._kept[size] = interpreter, taken, given
        if len(self._kept) > _MOST_SIZES:
            self._kept.popitem(last=False)
        return self._kept[size]

    def _sized(self, size: tuple[int, int]) -> bytes:
        """Return the file for images of a size: the sizes to which features are scaled up stand in it as numbers."""
        if size == self._nominal:
            return self._data
        data = bytearray(self._data)
        for place, values in self._resizings:
            new = [value * now // nominal for value, now, nominal in zip(values, size, self._nominal, strict=True)]
            struct.pack_into("<2i", data, place, *new)
        return bytes(data)


def _resizings(data: bytes, path: Path) -> tuple[tuple[int, int], list[tuple[int, tuple[int, int]]]]:
    """Find the size of images that a network was exported for, and where it says to which sizes features are scaled.

    Returns
    -------
    nominal : (int, int)
        Height and width, px.
    resizings : list of (int, (int, int))
        Place in the file, and the height and width that stand there.
    """
    from ai_edge_litert import schema_py_generated as schema

    if data[4:8] != b"TFL3":
        raise ModelError(f"{path}: is no network for LiteRT; export it anew")
    # A copy that can be told from others: the views of its buffers lie within it.
    whole = np.frombuffer(bytearray(data), dtype=np.uint8)
    found = {}
    try:
        model = schema.Model.GetRootAs(whole.data, 0)
        graph = model.Subgraphs(0)
        height, width = (int(n) for n in graph.Tensors(graph.Inputs(0)).ShapeAsNumpy()[1:3])
        for i in range(graph.OperatorsLength()):
            operator = graph.Operators(i)
            code = model.OperatorCodes(operator.OpcodeIndex())
            kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            if kind in (schema.BuiltinOperator.RESIZE_BILINEAR, schema.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR):
                buffer = model.Buffers(graph.Tensors(operator.Inputs(1)).Buffer()).DataAsNumpy()
                place = buffer.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
                found[place] = struct.unpack_from("<2i", data, place)  # two may share one
    except (AttributeError, IndexError, TypeError, ValueError, struct.error) as error:
        raise ModelError(f"{path}: is damaged, or no network of pose3d; copy or export it anew") from error
    if height <= 0 or width <= 0 or height % _LEAST_MULTIPLE or width % _LEAST_MULTIPLE:
        raise ModelError(f"{path}: was exported for images of {width}x{height} px; export the network anew")
    return (height, width), list(found.items())
