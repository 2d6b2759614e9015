"""CPU time per frame of an exported network beside DeepLabCut's layouts, rebuilt in TensorFlow, in one run.

Run as ``python tests/benchmarks/network_speed.py [MODEL]``, where MODEL is a network's folder or a ``.tflite`` file;
without it the default backbones with random weights are exported, which cost the same. One thread everywhere; rounds of
all networks take turns and the fastest round counts, so quote the ratios: absolute times drift with the machine. Whole
numbers of 8 bits pay where the CPU multiplies them four at a time (VNNI, or dot products on ARM).

The layouts follow DeepLabCut's TensorFlow engine at inference: ResNet-50 whose strides lie in the last unit of a block
as in TF-Slim, output stride 16, the last block dilated; MobileNetV2-0.35 with output stride 16 and 1280 features at
its end; batch normalisation as layers; a 3x3 transposed convolution for the scores and one for the offsets.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from keras import layers

from pose3d.network.export import export_litert
from pose3d.network.litert import LiteRTNetwork
from pose3d.network.model import build_model, save_weights
from pose3d.network.model_folder import ModelFolder, read_model
from pose3d.network.padding import pad_image
from pose3d.network.spec import NetworkSpec

FULL, HALF = (640, 480), (320, 240)
ROUNDS = 6  # the fastest counts
ROUND_S = 0.5
AIMS = (("ResNet-50", FULL, 20.0), ("ResNet-50", HALF, 50.0), ("MobileNetV2-0.35", HALF, 5.0))


class Row(NamedTuple):
    label: str
    size: tuple[int, int]
    run: Callable[[], object]


def normalized(x: keras.KerasTensor, layer: layers.Layer, activation: str | None = None) -> keras.KerasTensor:
    """Apply a convolution without bias, batch normalisation and an activation."""
    layer.use_bias = False
    x = layers.BatchNormalization()(layer(x))
    return x if activation is None else layers.Activation(activation)(x)


def heads(x: keras.KerasTensor, n_keypoints: int) -> list[keras.KerasTensor]:
    return [layers.Conv2DTranspose(n, 3, 2, "same")(x) for n in (n_keypoints, 2 * n_keypoints)]


def deeplabcut_resnet(n_keypoints: int) -> keras.Model:
    image = keras.Input((None, None, 3))
    x = layers.Rescaling(1.0, [-123.68, -116.779, -103.939])(image)
    x = normalized(x, layers.Conv2D(64, 7, 2, "same"), "relu")
    x = layers.MaxPooling2D(3, 2, "same")(x)
    for width, n_units, stride, rate in ((64, 3, 2, 1), (128, 4, 2, 1), (256, 6, 1, 1), (512, 3, 1, 2)):
        for i in range(n_units):
            step = stride if i == n_units - 1 else 1
            if x.shape[-1] == 4 * width:
                shortcut = layers.MaxPooling2D(1, step)(x) if step > 1 else x
            else:
                shortcut = normalized(x, layers.Conv2D(4 * width, 1, step))
            y = normalized(x, layers.Conv2D(width, 1), "relu")
            y = normalized(y, layers.Conv2D(width, 3, step, "same", dilation_rate=rate), "relu")
            y = normalized(y, layers.Conv2D(4 * width, 1))
            x = layers.Activation("relu")(layers.Add()([shortcut, y]))
    return keras.Model(image, heads(x, n_keypoints))


def deeplabcut_mobilenet(n_keypoints: int) -> keras.Model:
    image = keras.Input((None, None, 3))
    x = layers.Rescaling(1.0, [-123.68, -116.779, -103.939])(image)
    x = normalized(x, layers.Conv2D(16, 3, 2, "same"), "relu6")
    stages = ((8, 1, 1, 1), (8, 2, 2, 6), (16, 3, 2, 6), (24, 4, 2, 6), (32, 3, 1, 6), (56, 3, 1, 6), (112, 1, 1, 6))
    for channels, n_blocks, stride, expansion in stages:
        for i in range(n_blocks):
            y, width, step = x, x.shape[-1], stride if i == 0 else 1
            if expansion > 1:
                y = normalized(y, layers.Conv2D(width * expansion, 1), "relu6")
            y = normalized(y, layers.DepthwiseConv2D(3, step, "same"), "relu6")
            y = normalized(y, layers.Conv2D(channels, 1))
            x = layers.Add()([x, y]) if step == 1 and width == channels else y
    return keras.Model(image, heads(normalized(x, layers.Conv2D(1280, 1), "relu6"), n_keypoints))


def tensorflow_row(label: str, model: keras.Model, size: tuple[int, int]) -> Row:
    image = tf.constant(picture(size)[None].astype(np.float32))
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(image)
    return Row(label, size, lambda: function(image))


def litert_row(label: str, network: LiteRTNetwork, size: tuple[int, int]) -> Row:
    multiple = 16 if label.startswith("mobilenetv2") else 32
    image = pad_image(picture(size), multiple=multiple)  # what it costs in use
    return Row(label, size, lambda: network.run(image))


def picture(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def measure(rows: list[Row]) -> list[float]:
    """Return CPU ms of each, the fastest round of several that take turns."""
    best = [np.inf] * len(rows)
    for row in rows:
        row.run()
    for _ in range(ROUNDS):
        for i, row in enumerate(rows):
            start, n = time.process_time(), 0
            while (spent := time.process_time() - start) < ROUND_S or n < 1:
                row.run()
                n += 1
            best[i] = min(best[i], 1e3 * spent / n)
    return best


def fresh_networks(folder: Path) -> dict[str, LiteRTNetwork]:
    """Export the default backbones with four keypoints and random weights."""
    networks = {}
    for backbone in ("efficientnet-lite0", "mobilenetv2"):
        spec = NetworkSpec(("nose", "left_ear", "right_ear", "tail"), backbone=backbone)
        place = ModelFolder(folder / backbone)
        place.folder.mkdir()
        save_weights(build_model(spec, pretrained=False), place.weights)
        files = export_litert(spec, place, [picture(HALF)])
        networks |= {f"{backbone} {precision}": LiteRTNetwork(path) for precision, path in files.items()}
    return networks


def given_networks(path: Path) -> dict[str, LiteRTNetwork]:
    place = ModelFolder(path)
    if path.is_file():
        return {path.name: LiteRTNetwork(path)}
    backbone = read_model(path)[0].spec.backbone
    files = [file for file in (place.int8, place.fp32) if file.is_file()]
    return {f"{backbone} {file.name}": LiteRTNetwork(file) for file in files}


def whole_numbers() -> str:
    """Say whether this CPU has instructions for whole numbers of 8 bits."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    return "yes" if "vnni" in flags or "asimddp" in flags else "no"


def main() -> int:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        given = len(sys.argv) > 1
        networks = given_networks(Path(sys.argv[1])) if given else fresh_networks(Path(folder))
        n_keypoints = next(iter(networks.values())).n_keypoints
        rows = [
            tensorflow_row("ResNet-50", deeplabcut_resnet(n_keypoints), FULL),
            tensorflow_row("MobileNetV2-0.35", deeplabcut_mobilenet(n_keypoints), FULL),
        ]
        n_peers = len(rows)
        rows += [litert_row(label, network, size) for label, network in networks.items() for size in (FULL, HALF)]
        times = measure(rows)
    print(f"{n_keypoints} keypoints, one thread; instructions for whole numbers of 8 bits: {whole_numbers()}")
    peers = dict(zip((row.label for row in rows[:n_peers]), times[:n_peers], strict=True))
    print(f"{'network':34s}{'image':>10s}{'CPU ms':>9s}" + "".join(f"{f'x {label}':>20s}" for label in peers))
    for row, ms in zip(rows, times, strict=True):
        ratios = "".join(f"{peer / ms:20.1f}" for peer in peers.values())
        print(f"{row.label:34s}{f'{row.size[0]}x{row.size[1]}':>10s}{ms:9.2f}{ratios}")
    missed = 0
    default = rows[n_peers].label.split(" ")[0]
    own = [(row, ms) for row, ms in zip(rows, times, strict=True) if row.label.startswith(default) or given]
    for label, size, aim in AIMS:
        ratio = peers[label] / min(ms for row, ms in own if row.size == size and row.label not in peers)
        missed += ratio < aim
        print(f"{label} at 640x480 over {default} at {size[0]}x{size[1]}: {ratio:.1f} x, aim {aim:g}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
