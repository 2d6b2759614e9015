"""Errors of predictions against plain loops, in images and in space."""

import csv
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from pose3d.data.camera import Camera, Rig
from pose3d.data.labels import ImageName, LabelledImages, Labels, Mark
from pose3d.errors import DataError
from pose3d.network.evaluation import (
    ALL,
    OCCLUDED,
    SECOND,
    evaluate_predictions,
    label_errors,
    second_errors,
    write_evaluation,
)

KEYPOINTS = ("nose", "ear", "tail")
CAMERAS = ("c", "a", "b")


def rig():
    matrix = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    cameras = []
    for i, name in enumerate(("a", "b", "c")):
        rotation = np.array([0, 0.5 * (i - 1), 0])
        cameras.append(
            Camera(name, (640, 480), matrix, np.array([-0.1, 0.02, 0, 0, 0]), rotation, np.array([0, 0, 900.0]))
        )
    return Rig(tuple(cameras))


@pytest.fixture
def scene():
    """Twelve instants of three points from three cameras, in a mixed order, and the points in space."""
    rng = np.random.default_rng(2)
    xyz = rng.uniform(-100, 100, (12, 3, 3))
    pixels = rig().project(xyz)  # instant, keypoint, camera a b c
    rows = [(instant, camera) for instant in range(12) for camera in CAMERAS]
    rows = [rows[i] for i in rng.permutation(len(rows))]
    xy = np.stack([pixels[instant, :, "abc".index(camera)] for instant, camera in rows])[:, None]
    names = tuple(ImageName(f"walk_{camera}", f"img{instant:03d}.png") for instant, camera in rows)
    labels = Labels(names, ("mouse",), KEYPOINTS, xy, np.full(xy.shape[:-1], Mark.VISIBLE, np.uint8))
    images = LabelledImages(
        labels, tuple(Path(name.image) for name in names), ("walk",) * len(rows), tuple(camera for _, camera in rows)
    )
    return images, xyz


def evaluated(images, xy, score=None, **options):
    score = np.full(xy.shape[:-1], 0.9) if score is None else score
    frames = images.frames
    parts = {"train": np.flatnonzero(frames < 8), "test": np.flatnonzero(frames >= 8)}
    return evaluate_predictions(xy, score, images=images, parts=parts, **{"tolerance_px": 10.0, **options})


def test_errors_are_distances_to_the_nearest_individual():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 100, (30, 2, 3, 2))
    mark = rng.choice(list(Mark), (30, 2, 3)).astype(np.uint8)
    labels = Labels(tuple(ImageName("v", f"{i}.png") for i in range(30)), ("x", "y"), KEYPOINTS, xy, mark)
    found = rng.uniform(0, 100, (30, 3, 2))
    found[rng.random((30, 3)) < 0.1] = np.nan
    error = label_errors(found, labels)
    kinds = set()
    for i in range(30):
        for k in range(3):
            placed = [math.dist(p, found[i, k]) for p in labels.xy[i, :, k] if np.isfinite(p).all()]
            if placed:
                expected = math.inf if np.isnan(found[i, k, 0]) else min(placed)
            else:
                absent = Mark.ABSENT in labels.mark[i, :, k] and np.isfinite(found[i, k, 0])
                expected = math.inf if absent else math.nan
            assert error[i, k] == pytest.approx(expected, nan_ok=True)
            kinds.add("inf" if math.isinf(expected) else "nan" if math.isnan(expected) else "number")
    assert len(kinds) == 3


def test_predictions_of_other_images_are_refused(scene):
    with pytest.raises(ValueError, match="do not fit"):
        label_errors(np.zeros((3, 3, 2)), scene[0].labels)


def test_what_is_occluded_is_counted_apart_but_in_the_scores(scene):
    images, _ = scene
    mark = images.labels.mark.copy()
    mark[:, :, 1] = Mark.OCCLUDED
    hidden = dataclasses.replace(images, labels=dataclasses.replace(images.labels, mark=mark))
    off = np.zeros((36, 3, 2))
    off[:, 1, 0] = 40
    evaluation = evaluated(hidden, images.labels.xy[:, 0] + off)
    assert evaluation.row("test").n == 12 * 2
    assert evaluation.row("test").mean == 0
    assert evaluation.row("test" + OCCLUDED).median == pytest.approx(40)
    assert evaluation.row("test", keypoint=KEYPOINTS[1]).n == 0
    assert evaluation.reliability.n.sum() == 12 * 3
    assert any(line.startswith("test, occluded") for line in evaluation.lines())
    assert evaluated(images, images.labels.xy[:, 0]).row("test" + OCCLUDED) is None


def test_rows_hold_the_figures_of_their_part(scene):
    images, _ = scene
    rng = np.random.default_rng(1)
    off = rng.normal(0, 5, (36, 3, 2))
    score = rng.random((36, 3))
    evaluation = evaluated(images, images.labels.xy[:, 0] + off, score, cutoff=0.4)
    distance = np.linalg.norm(off, axis=-1)
    for part, chosen in (("train", images.frames < 8), ("test", images.frames >= 8)):
        for cutoff in (0.0, 0.4):
            for k, keypoint in [(slice(None), ALL), *enumerate(KEYPOINTS)]:
                mine, sure = distance[chosen][:, k], score[chosen][:, k] >= cutoff
                row = evaluation.row(part, keypoint=keypoint, cutoff=cutoff)
                assert row.n == sure.sum()
                assert row.n_missed == (~sure).sum()
                assert row.mean == pytest.approx(mine[sure].mean())
                assert row.median == pytest.approx(np.median(mine[sure]))
                assert row.p90 == pytest.approx(np.quantile(mine[sure], 0.9))
                assert row.pck5 == pytest.approx((mine[sure] <= 5).mean())
                assert row.pck10 == pytest.approx((mine[sure] <= 10).mean())
    assert evaluation.main_part == "test"
    assert evaluation.reliability.n.sum() == 12 * 3
    worst = evaluation.worst_images(4)
    most = distance.max(1)
    assert worst.tolist() == sorted(np.flatnonzero(images.frames >= 8), key=lambda i: -most[i])[:4]


def test_absent_keypoints_count_for_scores_and_not_for_errors(scene):
    images, _ = scene
    mark = images.labels.mark.copy()
    mark[:, :, 1] = Mark.ABSENT
    absent = dataclasses.replace(images, labels=dataclasses.replace(images.labels, mark=mark))
    evaluation = evaluated(absent, images.labels.xy[:, 0])
    assert evaluation.row("train", keypoint="ear").n == evaluation.row("train", keypoint="ear").n_missed == 0
    assert evaluation.reliability.n.sum() == 36
    assert np.nanmax(evaluation.reliability.right) == pytest.approx(2 / 3)


def test_labels_and_predictions_are_compared_in_space(scene):
    images, xyz = scene
    moved = xyz + np.array([3.0, 0, 4.0])
    xy = np.stack(
        [rig().project(moved)[f, :, "abc".index(c)] for f, c in zip(images.frames, images.cameras, strict=True)]
    )
    score = np.full(xy.shape[:-1], 0.9)
    row = evaluated(images, xy, score, rig=rig()).row("test", unit="mm")
    assert row.n == 12
    assert row.median == pytest.approx(5, abs=1e-6)
    assert row.pck5 > 0.2
    assert row.pck10 == 1
    wrong = np.flatnonzero(np.array(images.cameras) == "b")
    xy[wrong] += 50
    score[wrong] = 0.1
    evaluation = evaluated(images, xy, score, rig=rig())
    assert evaluation.row("test", unit="mm").p90 > 8
    assert evaluation.row("test", unit="mm", cutoff=0.5).median == pytest.approx(5, abs=1e-6)
    alone = np.array(images.cameras) == "c"
    evaluation = evaluated(images, xy, np.where(alone[:, None], score, 0.1), rig=rig())
    assert evaluation.row("test", unit="mm", cutoff=0.5).n_missed == 12, "one view is no point in space"


def test_the_cameras_of_a_calibration_must_be_those_of_the_labels(scene):
    images, _ = scene
    other = Rig(tuple(dataclasses.replace(camera, name=camera.name + "x") for camera in rig()))
    with pytest.raises(DataError, match="has cameras ax, bx, cx, labels are of a, b, c"):
        evaluated(images, images.labels.xy[:, 0], rig=other)


def test_second_labels_give_the_error_of_people(scene):
    images, _ = scene
    order = np.random.default_rng(4).permutation(20)
    second = images.labels.take(order)
    second = dataclasses.replace(second, xy=second.xy + np.array([3.0, 4.0]), individuals=("Maus",), scorer="anna")
    second = second.with_keypoints(("tail", "nose"))
    distance = second_errors(images.labels, second)
    assert np.isfinite(distance).sum() == 20 * 2
    evaluation = evaluated(images, images.labels.xy[:, 0], second=second, rig=rig())
    row = evaluation.row(SECOND)
    assert (row.n, row.n_missed) == (40, 0)
    assert row.median == pytest.approx(5)
    assert evaluation.row(SECOND, keypoint="ear").n == 0
    assert 0 < evaluation.row(SECOND, unit="mm").median < 30


def test_second_labels_of_two_individuals_are_matched_by_name():
    names = tuple(ImageName("v", f"{i}.png") for i in range(3))
    xy = np.arange(3 * 2 * 3 * 2).reshape(3, 2, 3, 2).astype(float)
    labels = Labels(names, ("x", "y"), KEYPOINTS, xy, np.ones((3, 2, 3), np.uint8))
    swapped = Labels(names, ("y", "x"), KEYPOINTS, xy[:, ::-1], np.ones((3, 2, 3), np.uint8))
    assert (second_errors(labels, swapped) == 0).all()
    other = Labels(
        tuple(ImageName("w", n.image) for n in names), ("x", "y"), KEYPOINTS, xy, np.ones((3, 2, 3), np.uint8)
    )
    with pytest.raises(DataError, match="no keypoint of an image is labelled by both"):
        second_errors(labels, other)


def test_the_table_is_written(scene, tmp_path):
    images, _ = scene
    evaluation = evaluated(images, images.labels.xy[:, 0] + (3.0, 4.0))
    path = tmp_path / "evaluation.csv"
    write_evaluation(evaluation, path)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(evaluation.rows) == 2 * 2 * 4
    assert rows[0]["part"] == "train"
    assert rows[0]["keypoint"] == "all"
    assert float(rows[0]["median"]) == pytest.approx(5)
    assert any("5.00 px" in line for line in evaluation.lines())
    assert evaluation.to_dict()["images"] == {"train": 24, "test": 12}


def test_nothing_to_evaluate_is_an_error(scene):
    images, _ = scene
    with pytest.raises(DataError, match="no labelled images"):
        evaluate_predictions(
            images.labels.xy[:, 0], np.ones((36, 3)), images=images, parts={"test": []}, tolerance_px=10
        )
