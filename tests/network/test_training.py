"""A small network learns, stops, goes on and is exported; all on pictures that take no time to draw."""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.errors import DataError, ModelError
from pose3d.network.augmentation import Augmentation
from pose3d.network.learning import train_network
from pose3d.network.model_folder import read_model
from pose3d.network.prediction import Predictor
from pose3d.network.spec import NetworkSpec
from pose3d.network.training import Look, TrainingSettings, fit

SPEC = NetworkSpec(("sun", "box"), scale=1.0, stride=4, radius_px=6.0, channels=32)
SETTINGS = TrainingSettings(
    steps=90,
    batch_size=4,
    crop=96,
    learning_rate=2e-3,
    frozen_share=0.1,
    check_every=30,
    average=0.9,
    threads=2,
    augmentation=replace(Augmentation.none(), brightness=0.1),
)


def draw(folder: Path, n: int, *, seed: int = 0, first: int = 0) -> LabelledImages:
    """Draw a bright disc and a dark square each somewhere."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    images, paths, places = [], [], []
    for i in range(first, first + n):
        picture = cv2.GaussianBlur(rng.integers(60, 160, (96, 128, 3)).astype(np.uint8), (0, 0), 2)
        sun, box = rng.uniform((14, 14), (60, 80)), rng.uniform((70, 14), (112, 80))
        cv2.circle(picture, tuple(int(v) for v in np.round(16 * sun)), 16 * 8, (250, 250, 250), -1, cv2.LINE_AA, 4)
        corners = np.round(box + np.array([[-8, -8], [8, -8], [8, 8], [-8, 8]])).astype(np.int32)
        cv2.fillPoly(picture, [corners], (10, 10, 10))
        paths.append(folder / f"img{i:03d}.png")
        cv2.imwrite(str(paths[-1]), picture)
        images.append(ImageName(folder.name, paths[-1].name))
        places.append([sun, box])
    xy = np.array(places)[:, None]
    labels = Labels(tuple(images), ("one",), SPEC.keypoints, xy, np.full(xy.shape[:3], Mark.VISIBLE, np.uint8))
    return LabelledImages(labels, tuple(paths), (folder.name,) * n, ("cam",) * n)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledImages, LabelledImages]:
    folder = tmp_path_factory.mktemp("pictures")
    return draw(folder / "learn", 24), draw(folder / "unseen", 8, seed=9)


@pytest.mark.slow
def test_it_finds_what_it_learnt_in_images_it_never_saw(
    pictures: tuple[LabelledImages, LabelledImages], tmp_path: Path
) -> None:
    learn, unseen = pictures
    looks: list[Look] = []
    trained = train_network(learn, SPEC, tmp_path / "model", SETTINGS, held_out=unseen, report=looks.append)
    truth = unseen.labels.xy[:, 0]
    frozen = np.linalg.norm(truth - np.median(learn.labels.xy[:, 0], axis=0), axis=-1)
    for precision in ("fp32", "int8"):
        predictor = Predictor.open(tmp_path / "model", precision=precision)
        found = np.stack([predictor.predict_image(cv2.imread(str(path)))[0][:, 0] for path in unseen.paths])
        error = np.linalg.norm(found - truth, axis=-1)
        assert np.median(error) < 2.5, precision
        assert np.median(error) < np.median(frozen) / 6  # a network that always says the same fails
    assert trained.error_px["fp32"][0] < 2.5
    assert [look.step for look in looks] == [30, 60, 90]
    assert looks[-1].loss < looks[0].loss
    with (tmp_path / "model" / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows] == [30, 60, 90]
    model, place = read_model(tmp_path / "model")
    assert model.precision == trained.precision
    assert model.notes["train_images"] == 24
    assert not place.checkpoints.exists()
    assert not trained.result.resumed_at


@pytest.mark.slow
def test_ended_half_way_it_goes_on_and_ends_where_it_would_have(
    pictures: tuple[LabelledImages, LabelledImages], tmp_path: Path
) -> None:
    learn, unseen = pictures
    settings = replace(SETTINGS, steps=16, check_every=8, frozen_share=0.5, crop=64)
    whole = fit(learn, SPEC, tmp_path / "whole", settings, held_out=unseen)

    def stop(label: str, done: int, _: int) -> None:
        if label == "training" and done == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(learn, SPEC, tmp_path / "parts", settings, held_out=unseen, progress=stop)
    assert not (tmp_path / "parts" / "weights.npz").exists()
    parts = fit(learn, SPEC, tmp_path / "parts", settings, held_out=unseen)
    assert parts.resumed_at == 8
    assert [look.step for look in parts.looks] == [look.step for look in whole.looks]
    assert parts.looks[-1].loss == pytest.approx(whole.looks[-1].loss, rel=1e-3)
    assert parts.looks[-1].median_px == pytest.approx(whole.looks[-1].median_px, rel=0.02)


@pytest.mark.slow
def test_a_state_of_other_labels_is_not_gone_on_with(
    pictures: tuple[LabelledImages, LabelledImages], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    learn, _ = pictures
    settings = replace(SETTINGS, steps=4, check_every=2, crop=64)

    def stop(_: str, done: int, __: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(learn, SPEC, tmp_path / "model", settings, progress=stop)
    result = fit(learn.take(range(20)), SPEC, tmp_path / "model", settings)
    assert result.resumed_at == 0
    assert "begins anew" in caplog.text


@pytest.mark.slow
def test_training_begins_with_another_models_weights(
    pictures: tuple[LabelledImages, LabelledImages], tmp_path: Path
) -> None:
    learn, unseen = pictures
    settings = replace(SETTINGS, steps=1, check_every=1, crop=64)
    first = fit(learn, SPEC, tmp_path / "first", settings, held_out=unseen)
    other = replace(SPEC, keypoints=("sun", "box", "tree"))
    with pytest.raises(ModelError, match="weights of a network with 2 keypoints, this one has 3"):
        fit(learn, other, tmp_path / "second", settings, start=first.folder.folder)
    assert not (tmp_path / "second" / "weights.npz").exists()


def test_without_labels_there_is_nothing_to_learn(
    pictures: tuple[LabelledImages, LabelledImages], tmp_path: Path
) -> None:
    learn, _ = pictures
    bare = replace(learn, labels=Labels.empty(learn.labels.images, ("one",), SPEC.keypoints))
    with pytest.raises(DataError, match="there is no visible keypoint to learn from; label some images"):
        fit(bare, SPEC, tmp_path / "model", SETTINGS)
    assert not (tmp_path / "model").exists()
