"""The scoremap network: a pretrained backbone, a decoder from coarse to fine, and one output."""

import math
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pose3d.errors import FormatError, ModelError
from pose3d.io.files import atomic_path
from pose3d.io.npz import read_members, write_member
from pose3d.network.backbones import FEATURE_SPREAD, build_backbone, initialize_weights
from pose3d.network.spec import NetworkSpec

__all__ = ["backbone_layers", "build_model", "load_weights", "save_weights", "stages"]

_DECODER = "decoder_"
_OUTPUT = "output"
_LAYOUT = "layout"
_COARSE = 16  # stride from which on cells are so few that more channels cost little
_RARE = -4.0  # logit of a score before training: a keypoint lies in few cells
_MOST_BYTES = 2**28


def build_model(spec: NetworkSpec, *, pretrained: bool = True, seed: int = 0) -> keras.Model:
    """Build the network of a specification.

    Parameters
    ----------
    spec : NetworkSpec
    pretrained : bool
        Whether the backbone starts from ImageNet weights; where weights are loaded afterwards, False saves time.
    seed : int
        Of what starts at random.

    Returns
    -------
    keras.Model
        From (n, h, w, 3) RGB of 0 to 255, `h` and `w` multiples of 32, to (n, h / stride, w / stride, 3 K): the
        logits of the scores of K keypoints, then the offsets x, y of each in turn.

    Raises
    ------
    DependencyError
        If pretrained weights are not to be had.
    """
    backbone = build_backbone(spec.backbone, weights="imagenet" if pretrained else None, seed=seed)
    n_keypoints = len(spec.keypoints)
    first = {4: 0, 8: 1}[spec.stride]
    features, spreads = backbone.outputs[first:], FEATURE_SPREAD[spec.backbone][first:]
    x = None
    for i in range(len(features) - 1, -1, -1):
        stride = spec.stride * 2**i
        name, channels = f"{_DECODER}{stride}", spec.channels * (2 if stride >= _COARSE else 1)
        # Brought to one size: else the fine features drown what the coarse ones know, and saturate what follows.
        even = keras.layers.Rescaling(1 / spreads[i], name=f"{name}_even")(features[i])
        lateral = keras.layers.Conv2D(channels, 1, name=f"{name}_lateral")(even)
        if x is None:
            x = lateral
        else:
            x = keras.layers.Conv2D(channels, 1, name=f"{name}_narrow")(x)
            x = keras.layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up")(x)
            x = keras.layers.Add(name=f"{name}_add")([lateral, x])
        for block in range(2 if stride >= _COARSE else 1):
            # Of stride 4 there are so many cells that little can be afforded.
            kernel, expansion = (5, 2) if stride > 4 else (3, 1)
            x = _look_around(x, kernel=kernel, expansion=expansion, name=f"{name}_block{block + 1}")
    x = keras.layers.Conv2D(3 * n_keypoints, 1, name=_OUTPUT)(x)
    model = keras.Model(backbone.input, x, name="pose3d")
    decoder = [layer for layer in model.layers if not _of_backbone(layer)]
    initialize_weights(decoder, seed + 1)
    output = model.get_layer(_OUTPUT)
    output.kernel.assign(0.1 * output.kernel)
    output.bias.assign(np.repeat(np.array([_RARE, 0], np.float32), [n_keypoints, 2 * n_keypoints]))
    for layer in model.layers:  # statistics of so small batches would be worse than those of ImageNet
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    return model


def backbone_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the backbone's layers that can be trained, from the image on; batch normalisation stays as it is."""
    return [layer for layer in model.layers if _of_backbone(layer) and _can_train(layer)]


def stages(model: keras.Model) -> dict[int, list[keras.layers.Layer]]:
    """Group the backbone's layers that can be trained by the stride of the feature that they lead to.

    Returns
    -------
    dict
        Stride to layers, from fine to coarse: freezing the first groups freezes the early stages.
    """
    ends = {}
    for layer in model.layers:
        if layer.name.startswith(_DECODER) and layer.name.endswith("_even"):
            ends[int(layer.name.removeprefix(_DECODER).removesuffix("_even"))] = layer.input
    groups: dict[int, list[keras.layers.Layer]] = {stride: [] for stride in sorted(ends)}
    left = list(groups)
    for layer in model.layers:
        if not _of_backbone(layer):
            continue
        if left and _can_train(layer):
            groups[left[0]].append(layer)
        if left and layer.output is ends[left[0]]:
            left.pop(0)
    return groups


def save_weights(model: keras.Model, path: str | Path) -> None:
    """Write all weights to an npz file, arrays by the path of the variable; the same weights make the same bytes.

    Raises
    ------
    Pose3DError
        If the file cannot be written.
    """
    arrays = {variable.path: _value(variable) for variable in model.weights}
    layout = "\n".join(f"{name} {' '.join(map(str, array.shape))}" for name, array in arrays.items())
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        write_member(archive, _LAYOUT, np.frombuffer(layout.encode(), np.uint8))
        for name, array in arrays.items():
            write_member(archive, name, array)


def load_weights(model: keras.Model, path: str | Path) -> None:
    """Read weights that :func:`save_weights` wrote; either all are set or none.

    Raises
    ------
    ModelError
        If they are of another network: another backbone, or another number of keypoints; or are no numbers.
    FormatError
        If the file is missing, damaged or foreign.
    """
    variables = {variable.path: variable for variable in model.weights}
    layout = read_members(path, [_LAYOUT], most_bytes=_MOST_BYTES)[_LAYOUT]
    try:
        lines = layout.tobytes().decode().splitlines()
        shapes = {name: tuple(map(int, sizes)) for name, *sizes in (line.split(" ") for line in lines)}
    except ValueError as error:
        raise FormatError(f"{path}: holds no weights of a network of pose3d") from error
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    if shapes != expected:
        raise ModelError(f"{path}: {_difference(shapes, expected)}; use the weights that lie beside its model.toml")
    arrays = read_members(path, list(variables), most_bytes=_MOST_BYTES)
    for name, array in arrays.items():
        if array.dtype != np.float32 or array.shape != expected[name] or not np.isfinite(array).all():
            raise ModelError(f"{path}: {name} holds no usable numbers; train the network anew")
    for name, variable in variables.items():
        variable.assign(arrays[name])


def _look_around(x: Any, *, kernel: int, expansion: int, name: str) -> Any:
    """Add to each cell what follows from those around it: whose limb this is, is told by the rest of the body."""
    channels = x.shape[-1]
    y = keras.layers.DepthwiseConv2D(kernel, padding="same", name=f"{name}_depthwise")(x)
    y = keras.layers.Conv2D(expansion * channels, 1, activation="relu6", name=f"{name}_expand")(y)
    y = keras.layers.Conv2D(channels, 1, name=f"{name}_project")(y)
    return keras.layers.Add(name=f"{name}_add")([x, y])


def _difference(shapes: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, ...]]) -> str:
    """Say how weights differ from those that a network needs."""
    outputs = [each.get(f"{_OUTPUT}/bias", ()) for each in (shapes, expected)]
    if shapes.keys() == expected.keys() and outputs[0] != outputs[1]:
        have, need = (math.prod(output) // 3 for output in outputs)
        return f"weights of a network with {have} keypoints, this one has {need}"
    strangers = sorted(shapes.keys() ^ expected.keys()) or [name for name in expected if shapes[name] != expected[name]]
    return f"weights of a network of another backbone or decoder (they differ in {strangers[0]:.60})"


def _value(variable: Any) -> NDArray[np.float32]:
    return np.asarray(variable).astype(np.float32)


def _of_backbone(layer: keras.layers.Layer) -> bool:
    return not layer.name.startswith(_DECODER) and layer.name != _OUTPUT


def _can_train(layer: keras.layers.Layer) -> bool:
    return bool(layer.weights) and not isinstance(layer, keras.layers.BatchNormalization | keras.layers.Normalization)
