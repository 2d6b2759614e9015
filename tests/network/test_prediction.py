import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose3d.errors import DependencyError, ModelError, Pose3DError
from pose3d.network import prediction
from pose3d.network.litert import LiteRTNetwork
from pose3d.network.model_folder import read_model, write_model
from pose3d.network.prediction import Predictor

Draw = Callable[[np.ndarray, tuple[int, int]], np.ndarray]


@pytest.fixture
def model(dot_model: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(dot_model, tmp_path / "dots"))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("size", [(480, 360), (397, 301), (250, 100)])
def test_dots_are_found_in_images_of_any_size(dot_model: Path, draw: Draw, precision: str, size: tuple) -> None:
    predictor = Predictor.open(dot_model, precision=precision)
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(12):
        centre = rng.uniform(40, np.array(size) - 40)
        places = np.full((4, 2), np.nan)
        places[rng.integers(4)] = centre
        xy, score = predictor.predict_image(draw(places, size))
        (one,) = np.flatnonzero(np.isfinite(places[:, 0]))
        assert score[one, 0] == score.max()
        errors.append(np.linalg.norm(xy[one, 0] - centre))
    assert max(errors) < 2.5  # cells are 8 px wide
    # A shift of the convention would show in the mean: half a pixel of the network is 1 px here.
    assert np.mean(errors) < 1.4


def test_whole_numbers_agree_with_floating_point(dot_model: Path, draw: Draw, dot_places: np.ndarray) -> None:
    image = draw(dot_places[0], (480, 360))
    exact, exact_score = Predictor.open(dot_model, precision="fp32").predict_image(image)
    whole, score = Predictor.open(dot_model, precision="int8").predict_image(image)
    np.testing.assert_allclose(whole, exact, atol=1.5)
    np.testing.assert_allclose(score, exact_score, atol=0.1)


def test_rounded_sizes_are_corrected(dot_model: Path) -> None:
    predictor = Predictor.open(dot_model)
    # 301 px become 150: a pixel of the network is 301 / 150 px, and the right edge of both images is the same.
    corner = predictor.spec.to_image(np.array([149.5, 149.5]))
    np.testing.assert_allclose(predictor.to_frame(corner, (301, 301)), [300.5, 300.5])


def test_the_best_of_several_peaks_comes_first(dot_model: Path, draw: Draw, dot_places: np.ndarray) -> None:
    image = draw(dot_places[0], (480, 360))
    image[40:60, 400:420] = [30, 30, 255]  # a smaller red one
    xy, score = Predictor.open(dot_model).predict_image(image, n_peaks=3)
    assert xy.shape == (4, 3, 2)
    assert (np.diff(score, axis=1) <= 0).all()
    distances = np.linalg.norm(xy[0] - [[409.5, 49.5]], axis=1)
    assert distances.min() < 6
    np.testing.assert_allclose(xy[:, 0], Predictor.open(dot_model).predict_image(image)[0][:, 0])


def test_temperature_flattens_scores(model: Path, draw: Draw, dot_places: np.ndarray) -> None:
    image = draw(dot_places[0], (480, 360))
    xy, score = Predictor.open(model).predict_image(image)
    file, place = read_model(model)
    write_model(replace(file, temperature=3.0), place.folder)
    again, flat = Predictor.open(model).predict_image(image)
    np.testing.assert_array_equal(again, xy)
    np.testing.assert_allclose(np.log(flat / (1 - flat)) * 3, np.log(score / (1 - score)), atol=1e-6)


def test_other_precision_must_have_been_exported(model: Path) -> None:
    file, place = read_model(model)
    place.fp32.unlink()
    write_model(file, model)
    assert Predictor.open(model).precision == "int8"
    with pytest.raises(ModelError, match="was not exported in fp32"):
        Predictor.open(model, precision="fp32")


def test_network_of_other_keypoints_is_refused(model: Path) -> None:
    file, _ = read_model(model)
    write_model(replace(file, spec=replace(file.spec, keypoints=("nose", "tail"))), model)
    with pytest.raises(ModelError, match=r"finds 4 keypoints, model\.toml names 2"):
        Predictor.open(model)


def test_damaged_networks_are_one_clear_line(model: Path) -> None:
    file, place = read_model(model)
    data = place.int8.read_bytes()
    rng = np.random.default_rng(0)
    broken = [b"x", data[:9], data[: len(data) // 2], data[:4] + b"ABCD" + data[8:], b"\0" * 40]
    broken += [data[:4] + b"TFL3" + bytes(rng.integers(0, 256, 200, dtype=np.uint8))]
    for content in broken:
        place.int8.write_bytes(content)
        with pytest.raises(ModelError, match="copy the model's folder anew"):
            Predictor.open(model)  # told by its digest
        write_model(file, model)
        with pytest.raises(Pose3DError) as error:  # and where the digest is a liar's
            Predictor.open(model)
        assert "\n" not in str(error.value)


def test_gpu_that_is_asked_for_must_be_there(dot_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "_has_gpu", lambda: False)
    assert Predictor.open(dot_model, device="auto").device == "cpu"


def test_images_must_fill_the_grid(dot_model: Path) -> None:
    network = LiteRTNetwork(dot_model / "network.tflite")
    with pytest.raises(ValueError, match="multiple of 16"):
        network.run(np.zeros((100, 64, 3), dtype=np.uint8))
    shapes = {network.run(np.zeros((32 * n, 64, 3), dtype=np.uint8)).shape for n in range(1, 12)}
    assert shapes == {(8 * n, 16, 12) for n in range(1, 12)}
    first = network.run(np.full((64, 64, 3), 200, dtype=np.uint8))
    fresh = LiteRTNetwork(dot_model / "network.tflite").run(np.full((64, 64, 3), 200, dtype=np.uint8))
    np.testing.assert_array_equal(first, fresh)


def test_litert_that_is_missing_is_named(dot_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(DependencyError, match="pip install ai-edge-litert"):
        LiteRTNetwork(dot_model / "network.tflite")
