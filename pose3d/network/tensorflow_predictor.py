"""A trained network in TensorFlow, for GPUs. Imported only where one is to be used."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pose3d.errors import DependencyError
from pose3d.network.model import build_model, load_weights
from pose3d.network.spec import NetworkSpec

__all__ = ["TensorFlowNetwork", "count_gpus"]


def count_gpus() -> int:
    """Return how many GPUs TensorFlow sees."""
    return len(tf.config.list_physical_devices("GPU"))


class TensorFlowNetwork:
    """Runs trained weights on the first GPU that TensorFlow sees.

    Parameters
    ----------
    spec : NetworkSpec
    weights : path
        Of :func:`pose3d.network.model.save_weights`.
    device : str, optional
        TensorFlow's name for it.

    Raises
    ------
    DependencyError
        If TensorFlow sees no such device.
    ModelError, FormatError
        If the weights are of another network, or damaged.
    """

    quantization: tuple[float, int] | None = None

    def __init__(self, spec: NetworkSpec, weights: str | Path, *, device: str = "GPU") -> None:
        if not tf.config.list_physical_devices(device):
            raise DependencyError(
                "TensorFlow sees no GPU; `pip install tensorflow[and-cuda]` on Linux, or leave --device out"
            )
        for gpu in tf.config.list_physical_devices("GPU"):
            # Otherwise TensorFlow takes all memory, and the process of the next view finds none.
            tf.config.experimental.set_memory_growth(gpu, True)
        self._device = f"/{device}:0"
        with tf.device(self._device):
            model = build_model(spec, pretrained=False)
            load_weights(model, weights)
            # Traced anew for each shape: Keras cannot scale features up whose size it does not know.
            self._run = tf.function(
                lambda images: model(tf.cast(images, tf.float32), training=False), reduce_retracing=False
            )

    def run_batch(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Apply the network to images of one size, whose sides are multiples of 32.

        Parameters
        ----------
        images : (n, h, w, 3) uint8 array
            Red, green, blue.

        Returns
        -------
        (n, h / stride, w / stride, 3 n_keypoints) float32 array
        """
        with tf.device(self._device):
            return np.asarray(self._run(tf.constant(images)).numpy())
