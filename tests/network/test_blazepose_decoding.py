"""What BlazePose's networks give, turned into people and landmarks; against plain loops."""

import numpy as np
import pytest

from pose3d.errors import FormatError, ModelError
from pose3d.network.blazepose.detector import Detector, decode_boxes, make_anchors, merge_boxes
from pose3d.network.blazepose.landmarks import LandmarkNetwork, decode_landmarks, refine_by_heatmap


def test_anchors():
    anchors = make_anchors()
    assert anchors.shape == (2254, 2)
    expected = [
        ((column + 0.5) / n, (row + 0.5) / n)
        for n, n_each in ((28, 2), (14, 2), (7, 6))
        for row in range(n)
        for column in range(n)
        for _ in range(n_each)
    ]
    np.testing.assert_allclose(anchors, expected)


def test_boxes_are_relative_to_their_anchors():
    anchors = make_anchors()
    raw, logits = np.zeros((2254, 12), np.float32), np.full(2254, -30, np.float32)
    raw[100] = [22.4, -11.2, 44.8, 67.2, 0, 0, 0, -112, 5, 5, 6, 6]
    logits[[100, 200]] = [2, 0.5]
    boxes, score = decode_boxes(raw, logits, anchors, threshold=0.7)
    assert score == pytest.approx([1 / (1 + np.exp(-2))])
    center = anchors[100]
    assert boxes[0, :2] == pytest.approx(center + np.array([0.1, -0.05]))
    assert boxes[0, 2:4] == pytest.approx([0.2, 0.3])
    assert boxes[0, 4:8] == pytest.approx([*center, center[0], center[1] - 0.5])
    none, no_score = decode_boxes(raw, logits, anchors, threshold=0.99)
    assert none.shape == (0, 12)
    assert [len(part) for part in merge_boxes(none, no_score)] == [0, 0]


def overlap(a, b):
    low = np.maximum(a[:2] - a[2:4] / 2, b[:2] - b[2:4] / 2)
    high = np.minimum(a[:2] + a[2:4] / 2, b[:2] + b[2:4] / 2)
    shared = np.prod(np.clip(high - low, 0, None))
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def test_boxes_that_overlap_are_merged_as_by_a_loop():
    rng = np.random.default_rng(3)
    boxes = np.concatenate([rng.uniform(0, 1, (60, 2)), rng.uniform(0.1, 0.4, (60, 2)), rng.normal(size=(60, 8))], 1)
    score = rng.uniform(0.5, 1, 60)
    left, expected = sorted(range(60), key=lambda i: -score[i]), []
    while left:
        group = [i for i in left if overlap(boxes[left[0]], boxes[i]) > 0.3]
        expected.append((sum(score[i] * boxes[i] for i in group) / sum(score[group]), score[left[0]]))
        left = [i for i in left if i not in group]
    merged, best = merge_boxes(boxes, score)
    assert 5 < len(expected) < 40
    np.testing.assert_allclose(merged, [box for box, _ in expected])
    np.testing.assert_allclose(best, [value for _, value in expected])


def refined_by_loop(point, logits):
    height, width = logits.shape
    column, row = int(point[0] * width), int(point[1] * height)
    total = x = y = peak = 0.0
    for i in range(max(0, row - 3), min(height, row + 4)):
        for j in range(max(0, column - 3), min(width, column + 4)):
            weight = 1 / (1 + np.exp(-float(logits[i, j])))
            total, x, y, peak = total + weight, x + weight * j, y + weight * i, max(peak, weight)
    return ((x / total / width, y / total / height) if peak >= 0.5 else tuple(point)), peak


def test_refinement_is_that_of_a_loop():
    rng = np.random.default_rng(5)
    points = np.concatenate([rng.uniform(0, 1, (35, 2)), [[0.0, 0.0], [0.999, 0.5], [0.5, 0.999], [0.02, 0.97]]])
    heatmap = rng.normal(-4, 2, (64, 48, 39)).astype(np.float32)
    xy, peak = refine_by_heatmap(points, heatmap)
    for i in range(39):
        place, height = refined_by_loop(points[i], heatmap[..., i])
        assert xy[i] == pytest.approx(place)
        assert peak[i] == pytest.approx(height)
    moved = (xy != points).any(-1)
    assert 0 < moved.sum() < 39


@pytest.mark.parametrize("place", [(-0.7, 0.5), (1.6, 3.0), (np.nextafter(1, 2), 0.5)])
def test_points_outside_the_region_stay(place):
    xy, peak = refine_by_heatmap(np.array([place]), np.full((64, 64, 1), -9, np.float32))
    assert xy[0].tolist() == list(place)
    assert 0 <= peak[0] < 0.5


def test_scores_are_of_what_is_in_view_and_found_exactly():
    raw, heatmap = np.zeros((39, 5), np.float32), np.full((64, 64, 39), -9, np.float32)
    raw[:, :2], raw[:, 3], raw[:, 4] = 128, 2, 3
    heatmap[32, 32] = 1
    heatmap[32, 32, 1] = -3
    raw[2, 3] = -3
    points, score = decode_landmarks(raw.ravel(), heatmap)
    sure = 1 / (1 + np.exp(-np.array([2, 3, 1.0])))
    assert score[0] == pytest.approx(sure.prod())
    assert score[1] < 0.05
    assert score[2] < 0.05
    np.testing.assert_allclose(points[[0, 1]], 0.5, atol=0.01)


@pytest.mark.parametrize("network", [Detector, LandmarkNetwork])
def test_files_that_are_no_network(tmp_path, network):
    with pytest.raises(FormatError, match="no such network"):
        network(tmp_path / "absent.tflite")
    (tmp_path / "empty.tflite").touch()
    with pytest.raises(FormatError, match="is empty"):
        network(tmp_path / "empty.tflite")
    (tmp_path / "text.tflite").write_text("I am a network, believe me. " * 50)
    with pytest.raises(ModelError, match=r"text\.tflite: is no network that is known here"):
        network(tmp_path / "text.tflite")
