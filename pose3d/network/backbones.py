"""The pretrained half of a network: from an image to features at strides 4, 8, 16 and, of most, 32."""

import contextlib
import io
from typing import Any

import keras
import numpy as np

from pose3d.errors import DependencyError
from pose3d.network.inverted_residuals import LAYOUTS, build_inverted_residuals, folded_weights
from pose3d.network.pretrained import read_pretrained

__all__ = ["FEATURE_SPREAD", "build_backbone", "initialize_weights"]

FEATURE_SPREAD = {
    "efficientnet-lite0": (10.9, 10.1, 7.2, 2.8),
    "mobilenetv2": (0.7, 0.8, 0.5),
    "resnet50": (1.0, 1.0, 1.0, 1.0),
    "efficientnetb0": (1.0, 1.0, 1.0, 1.0),
}
"""About the standard deviation of each feature, from fine to coarse, on photographs and renderings; 1 where it was not
measured."""

_FEATURES = {
    "resnet50": ("conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"),
    "efficientnetb0": ("block2b_add", "block3b_add", "block5c_add", "block7a_project_bn"),
}


def build_backbone(name: str, *, weights: str | None = "imagenet", seed: int = 0) -> keras.Model:
    """Build a backbone.

    Parameters
    ----------
    name : str
        Of :data:`pose3d.network.spec.BACKBONES`.
    weights : str, optional
        ``imagenet``, or None for random ones.
    seed : int
        Of random weights.

    Returns
    -------
    keras.Model
        From (n, h, w, 3) RGB of 0 to 255 to a list of features, from fine to coarse. It holds its own normalisation.

    Raises
    ------
    DependencyError
        If the weights are neither here nor to be downloaded.
    ModelError
        If they are not the ones this backbone was made with.
    """
    if weights not in ("imagenet", None):
        raise ValueError("weights are 'imagenet' or None")
    if name not in LAYOUTS:
        return _build_application(name, weights, seed)
    layout = LAYOUTS[name]
    model = build_inverted_residuals(layout, name)
    if weights is None:
        initialize_weights(model.layers, seed)
    else:
        for layer, values in folded_weights(layout, read_pretrained(name)).items():
            model.get_layer(layer).set_weights(values)
    return model


def initialize_weights(layers: list[keras.layers.Layer], seed: int) -> None:
    """Draw the kernels of convolutions (He), the same ones on every backend, and set their biases to zero."""
    rng = np.random.default_rng(seed)
    for layer in layers:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            continue
        shape = tuple(layer.kernel.shape)
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        fan = shape[0] * shape[1] * (1 if depthwise else shape[2])
        gain = 2.0 if layer.activation is not keras.activations.linear else 1.0
        layer.kernel.assign(rng.normal(0, np.sqrt(gain / fan), shape).astype(np.float32))
        if layer.bias is not None:
            layer.bias.assign(np.zeros(layer.bias.shape, np.float32))


def _build_application(name: str, weights: str | None, seed: int) -> keras.Model:
    image = keras.Input((None, None, 3), name="image")
    settings: dict[str, Any] = {"include_top": False, "weights": weights}
    try:
        # Keras writes the progress of a download to the standard output, which may be a program's input.
        with contextlib.redirect_stdout(io.StringIO()):
            if name == "resnet50":
                x = keras.layers.Rescaling(1.0, offset=[-123.68, -116.779, -103.939], name="normalized")(image)
                whole = keras.applications.ResNet50(input_tensor=x, **settings)
            else:
                whole = keras.applications.EfficientNetB0(input_tensor=image, **settings)
    except Exception as error:  # what a failed download raises is of no one kind
        if weights is None:
            raise
        raise DependencyError(
            f"{name}: its pretrained weights cannot be downloaded ({str(error)[:80]}); "
            "connect to the internet once, or train efficientnet-lite0, whose weights are installed"
        ) from error
    model = keras.Model(image, [whole.get_layer(layer).output for layer in _FEATURES[name]], name=name)
    if weights is None:
        initialize_weights(model.layers, seed)
    elif name == "resnet50":  # whose weights take blue first
        first = model.get_layer("conv1_conv")
        first.kernel.assign(np.asarray(first.kernel)[:, :, ::-1])
    return model
