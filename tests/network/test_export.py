from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose3d.errors import ModelError
from pose3d.network.convert import convert_model
from pose3d.network.export import choose_precision, export_litert
from pose3d.network.litert import OFFSET_GAIN, LiteRTNetwork
from pose3d.network.model import build_model, save_weights
from pose3d.network.model_folder import ModelFolder, NetworkFile, write_model
from pose3d.network.padding import pad_image
from pose3d.network.prediction import Predictor
from pose3d.network.spec import NetworkSpec
from pose3d.network.tensorflow_predictor import TensorFlowNetwork

SPEC = NetworkSpec(("nose", "ear_left", "ear_right"), backbone="mobilenetv2", scale=1.0, channels=16)


def images(n: int, size: tuple[int, int], *, seed: int = 0) -> list[np.ndarray]:
    """Smooth colours, as those of photos."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, size[1] // 16, size[0] // 16, 3), dtype=np.uint8)
    return list(coarse.repeat(16, axis=1).repeat(16, axis=2))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    made = ModelFolder(tmp_path_factory.mktemp("model"))
    save_weights(build_model(SPEC, pretrained=False, seed=3), made.weights)
    return made


@pytest.fixture(scope="module")
def exported(place: ModelFolder) -> ModelFolder:
    reports = []
    files = export_litert(
        SPEC, place, [*images(6, (160, 96)), *images(2, (128, 128))], progress=lambda *report: reports.append(report)
    )
    assert files == {"fp32": place.fp32, "int8": place.int8}
    assert reports[-1] == ("export", 2, 2)
    write_model(NetworkFile(SPEC, "int8"), place.folder)
    return place


@pytest.mark.slow
@pytest.mark.parametrize("size", [(160, 96), (96, 160), (320, 224), (176, 240)])
def test_exported_network_is_the_trained_one_at_any_size(exported: ModelFolder, size: tuple[int, int]) -> None:
    batch = np.stack(images(2, size, seed=7))
    trained = TensorFlowNetwork(SPEC, exported.weights, device="CPU").run_batch(batch)
    n = len(SPEC.keypoints)
    for path, tolerance in ((exported.fp32, 1e-4), (exported.int8, 0.08)):
        network = LiteRTNetwork(path)
        given = network.run_batch(batch).astype(np.float64)
        if network.quantization is not None:
            scale, zero_point = network.quantization
            given = scale * (given - zero_point)
        given[..., n:] /= OFFSET_GAIN
        assert given.shape == trained.shape == (2, size[1] // 4, size[0] // 4, 9)
        for part in (slice(0, n), slice(n, None)):
            spread = np.ptp(trained[..., part])
            error = np.abs(given - trained)[..., part]
            assert np.percentile(error, 95) < tolerance * spread


@pytest.mark.slow
def test_predictors_agree_on_where_keypoints_are(exported: ModelFolder) -> None:
    image = images(1, (160, 96), seed=9)[0]
    litert = Predictor.open(exported, precision="fp32")
    tensorflow = Predictor(
        NetworkFile(SPEC), TensorFlowNetwork(SPEC, exported.weights, device="CPU"), precision="fp32", device="gpu"
    )
    for one, other in zip(litert.predict([image]), tensorflow.predict([image]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-2)


@pytest.mark.slow
def test_weights_of_another_skeleton_are_one_clear_line(place: ModelFolder, tmp_path: Path) -> None:
    other = ModelFolder(tmp_path)
    other.weights.write_bytes(place.weights.read_bytes())
    with pytest.raises(ModelError, match="could not export the network") as error:
        export_litert(replace(SPEC, keypoints=("nose", "tail")), other, images(2, (64, 64)))
    assert "\n" not in str(error.value)
    assert "other.weights" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


@pytest.mark.slow
def test_offsets_of_the_model_itself_are_not_changed() -> None:
    model = build_model(SPEC, pretrained=False, seed=3)
    before = [np.array(value) for value in model.get_weights()]
    convert_model(model, np.stack(images(1, (64, 64))), precision="fp32")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_padding_is_the_mean_colour() -> None:
    image = np.full((40, 70, 3), 7, dtype=np.uint8)
    padded = pad_image(image)
    assert padded.shape == (64, 96, 3)
    assert (padded[:40, :70] == 7).all()
    assert (padded[40:] == (124, 116, 104)).all()
    assert (padded[:, 70:] == (124, 116, 104)).all()
    assert pad_image(padded) is padded
    assert pad_image(image, (32, 32)).shape == (32, 32, 3)


def test_whole_numbers_are_used_unless_they_lose_more_than_two_percent() -> None:
    assert choose_precision({"fp32": 4.0, "int8": 4.08}) == "int8"
    assert choose_precision({"fp32": 4.0, "int8": 4.09}) == "fp32"
    assert choose_precision({"fp32": 4.0, "int8": float("nan")}) == "fp32"
    assert choose_precision({"fp32": 4.0}) == "fp32"
    assert choose_precision({"int8": 4.0}) == "int8"


def test_images_are_needed_to_learn_ranges_from(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="images are needed"):
        export_litert(SPEC, ModelFolder(tmp_path), [])
