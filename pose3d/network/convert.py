"""The process in which TensorFlow converts a network: ``python -m pose3d.network.convert request.json``.

Beside the request lie ``images.npy`` and, afterwards, ``fp32.tflite`` and ``int8.tflite``, or ``error.txt``. See
:mod:`pose3d.network.export`, which calls it.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d.errors import Pose3DError
from pose3d.network.litert import OFFSET_GAIN
from pose3d.network.spec import NetworkSpec

__all__ = ["convert_model", "main"]


def convert_model(model: Any, images: NDArray[np.uint8], *, precision: str, gain: float = OFFSET_GAIN) -> bytes:
    """Convert a Keras model.

    Parameters
    ----------
    model : keras.Model
        Of :func:`pose3d.network.model.build_model`; its offsets are multiplied by `gain`.
    images : (n, h, w, 3) uint8 array
        Red, green, blue; the file is made for their size.
    precision : str
        ``fp32``: float32 in and out. ``int8``: uint8 in, int8 out, all between in whole numbers.
    gain : float, optional

    Returns
    -------
    bytes
        A ``.tflite``.

    Raises
    ------
    ValueError
        If the input does not take pixels as they are.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    _amplify(model, gain)
    try:
        signature = tf.TensorSpec((1, *images.shape[1:]), tf.float32)
        traced = tf.function(lambda image: model(image, training=False)).get_concrete_function(signature)
        # As it is, the converter would leave variables to be read at run time, at several times the cost.
        frozen = convert_variables_to_constants_v2(traced)
    finally:
        _amplify(model, 1 / gain)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if precision == "fp32":
        return bytes(converter.convert())

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for image in images:
            sample = image.astype(np.float32)[None]
            # Black and white in each, so that the input's scale is 1 and its zero 0: pixels enter as they are.
            sample[0, 0, 0], sample[0, -1, -1] = 0, 255
            yield [sample]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.int8
    data = bytes(converter.convert())
    _require_pixels(data)
    return data


def _amplify(model: Any, factor: float) -> None:
    """Multiply the offsets that a model gives."""
    output = model.layers[-1]
    kernel, bias = output.get_weights()
    n_scores = len(bias) // 3
    factors = np.repeat(np.array([1, factor], dtype=np.float32), [n_scores, 2 * n_scores])
    output.set_weights([kernel * factors, bias * factors])


def _require_pixels(data: bytes) -> None:
    from ai_edge_litert.interpreter import Interpreter

    scale, zero_point = Interpreter(model_content=data).get_input_details()[0]["quantization"]
    if abs(scale - 1) > 1e-4 or zero_point != 0:
        raise ValueError(f"the input takes {scale:g} (pixel - {zero_point}), not pixels as they are")


def main() -> int:
    """Convert what the request, the only argument, names."""
    request = Path(sys.argv[1])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # nothing here is worth a GPU's start
    try:
        facts = json.loads(request.read_text(encoding="utf-8"))
        images = np.load(request.with_name("images.npy"), allow_pickle=False)
        from pose3d.network.model import build_model, load_weights

        spec = NetworkSpec(**facts["spec"])
        model = build_model(spec, pretrained=False)
        load_weights(model, facts["weights"])
        for precision in facts["precisions"]:
            data = convert_model(model, images, precision=precision)
            request.with_name(f"{precision}.tflite").write_bytes(data)
    except Exception as error:  # TensorFlow's errors are of no one kind
        reason = str(error) if isinstance(error, Pose3DError) else f"{type(error).__name__}: {str(error)[:200]}"
        request.with_name("error.txt").write_text(" ".join(reason.split()), encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
