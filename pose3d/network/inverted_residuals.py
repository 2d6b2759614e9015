"""Backbones of inverted residual blocks, EfficientNet-Lite0 and MobileNetV2, with BN folded into the convolutions.

A block widens its input by a 1x1 convolution, filters each channel by itself, and narrows it again by another 1x1
convolution. Every layer runs in whole numbers of 8 bits in LiteRT.

References
----------
Sandler et al. 2018, MobileNetV2: inverted residuals and linear bottlenecks.
Tan and Le 2019, EfficientNet; Liu 2020, Higher accuracy on vision models with EfficientNet-Lite.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

__all__ = ["LAYOUTS", "Layout", "Stage", "build_inverted_residuals", "folded_weights"]

_MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # of the colours of ImageNet
_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
_GREY, _CONTRAST = 114.5, 57.6


@dataclass(frozen=True)
class Stage:
    """Blocks of one width.

    Attributes
    ----------
    kernel : int
        Of the filter of each channel.
    stride : int
        Of the first block.
    expansion : int
        By which a block widens its input.
    channels : int
    n_blocks : int
    """

    kernel: int
    stride: int
    expansion: int
    channels: int
    n_blocks: int


@dataclass(frozen=True)
class Layout:
    """A backbone.

    Attributes
    ----------
    stages : tuple of Stage
    symmetric : bool
        Whether strided filters pad both sides alike, as PyTorch does; else as TensorFlow does, the end first.
    epsilon : float
        Of the batch normalisation that is folded.
    torch_style : str
        How the file of PyTorch names its layers: ``efficientnet`` or ``torchvision``.
    """

    stages: tuple[Stage, ...]
    symmetric: bool
    epsilon: float
    torch_style: str


LAYOUTS: Mapping[str, Layout] = {
    "efficientnet-lite0": Layout(
        (
            Stage(3, 1, 1, 16, 1),
            Stage(3, 2, 6, 24, 2),
            Stage(5, 2, 6, 40, 2),
            Stage(3, 2, 6, 80, 3),
            Stage(5, 1, 6, 112, 3),
            Stage(5, 2, 6, 192, 4),
            Stage(3, 1, 6, 320, 1),
        ),
        symmetric=False,
        epsilon=1e-3,
        torch_style="efficientnet",
    ),
    # Cut at stride 16.
    "mobilenetv2": Layout(
        (
            Stage(3, 1, 1, 16, 1),
            Stage(3, 2, 6, 24, 2),
            Stage(3, 2, 6, 32, 3),
            Stage(3, 2, 6, 64, 4),
            Stage(3, 1, 6, 96, 3),
        ),
        symmetric=True,
        epsilon=1e-5,
        torch_style="torchvision",
    ),
}


def build_inverted_residuals(layout: Layout, name: str) -> keras.Model:
    """Build a backbone with random weights.

    Returns
    -------
    keras.Model
        From (n, h, w, 3) RGB of 0 to 255 to a list of features, at strides 4, 8, 16 and, where the layout goes so far,
        32.
    """
    image = keras.Input((None, None, 3), name="image")
    # The normalisation comes first, so that filters pad with grey, not black. It is alike for all colours, which costs
    # a tenth of one by colour in LiteRT; what colours differ by is in the weights of the stem.
    x = keras.layers.Rescaling(1 / _CONTRAST, offset=-_GREY / _CONTRAST, name="normalized")(image)
    x = _strided(x, layout, keras.layers.Conv2D(32, 3, 2, _padding(layout, 2), activation="relu6", name="stem"))
    width, stride = 32, 2
    features: dict[int, keras.KerasTensor] = {}
    for i, stage in enumerate(layout.stages, 1):
        for j in range(1, stage.n_blocks + 1):
            step = stage.stride if j == 1 else 1
            stride *= step
            label = f"stage{i}_block{j}"
            y = x
            if stage.expansion > 1:
                widen = keras.layers.Conv2D(width * stage.expansion, 1, activation="relu6", name=f"{label}_expand")
                y = widen(y)
            depthwise = keras.layers.DepthwiseConv2D(
                stage.kernel, step, _padding(layout, step), activation="relu6", name=f"{label}_depthwise"
            )
            y = _strided(y, layout, depthwise)
            y = keras.layers.Conv2D(stage.channels, 1, name=f"{label}_project")(y)
            same = step == 1 and width == stage.channels
            x = keras.layers.Add(name=f"{label}_add")([x, y]) if same else y
            width = stage.channels
        if stride >= 4:
            features[stride] = x
    return keras.Model(image, list(features.values()), name=name)


def folded_weights(layout: Layout, tensors: Mapping[str, NDArray[np.float32]]) -> dict[str, list[NDArray[np.float32]]]:
    """Turn the tensors of PyTorch into kernels and biases, each batch normalisation folded into its convolution.

    Returns
    -------
    dict
        Layer name to kernel and bias.

    Raises
    ------
    KeyError
        If a tensor is not there.
    """
    names = _torch_names(layout)
    folded = {}
    for layer, (convolution, normalization) in names.items():
        kernel = tensors[f"{convolution}.weight"]
        factor = tensors[f"{normalization}.weight"] / np.sqrt(
            tensors[f"{normalization}.running_var"] + np.float32(layout.epsilon)
        )
        bias = tensors[f"{normalization}.bias"] - tensors[f"{normalization}.running_mean"] * factor
        kernel = kernel * factor[:, None, None, None]
        # (out, in, h, w) becomes (h, w, in, out), and of a filter of each channel (h, w, channel, 1).
        order = (2, 3, 0, 1) if layer.endswith("_depthwise") else (2, 3, 1, 0)
        folded[layer] = [np.ascontiguousarray(kernel.transpose(order)), bias]
    kernel, bias = folded["stem"]
    shift = (_GREY - _MEAN) / _DEVIATION
    folded["stem"] = [kernel * (_CONTRAST / _DEVIATION)[:, None], bias + shift @ kernel.sum((0, 1))]
    return folded


def _padding(layout: Layout, stride: int) -> str:
    return "valid" if layout.symmetric and stride > 1 else "same"


def _strided(x: keras.KerasTensor, layout: Layout, layer: keras.layers.Layer) -> keras.KerasTensor:
    """Apply a convolution, behind padding of its own where it has none."""
    if layer.padding == "valid" and layout.symmetric:
        x = keras.layers.ZeroPadding2D(layer.kernel_size[0] // 2, name=f"{layer.name}_pad")(x)
    return layer(x)


def _torch_names(layout: Layout) -> dict[str, tuple[str, str]]:
    """Return layer name to the names of its convolution and of its batch normalisation in PyTorch's file."""
    efficient = layout.torch_style == "efficientnet"
    names = {"stem": ("_conv_stem", "_bn0") if efficient else ("features.0.0", "features.0.1")}
    blocks = [(i, j, stage) for i, stage in enumerate(layout.stages, 1) for j in range(1, stage.n_blocks + 1)]
    for n, (i, j, stage) in enumerate(blocks):
        parts = ("expand", "depthwise", "project") if stage.expansion > 1 else ("depthwise", "project")
        for k, part in enumerate(parts):
            if efficient:
                block = f"_blocks.{n}"
                pair = (f"{block}._{part}_conv", f"{block}._bn{('expand', 'depthwise', 'project').index(part)}")
            elif part == "project":
                pair = (f"features.{n + 1}.conv.{k}", f"features.{n + 1}.conv.{k + 1}")
            else:
                pair = (f"features.{n + 1}.conv.{k}.0", f"features.{n + 1}.conv.{k}.1")
            names[f"stage{i}_block{j}_{part}"] = pair
    return names
