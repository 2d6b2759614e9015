"""Decoding against targets that were drawn, and against the definition, peak by peak."""

import math
import time

import numpy as np
import pytest

from pose3d.network.decoding import decode
from pose3d.network.spec import NetworkSpec
from pose3d.network.targets import pack_targets

SPEC = NetworkSpec(("nose", "ear"), scale=0.5, stride=4, radius_px=8.5)


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def plain_decode(output, spec, n_peaks, temperature):
    """One image, from what the documentation says."""
    rows, columns, channels = output.shape
    n = channels // 3
    reach = spec.radius_px / spec.stride + math.sqrt(0.5)
    middle = (spec.stride - 1) / 2
    xy, score = np.full((n, n_peaks, 2), np.nan), np.zeros((n, n_peaks))
    for k in range(n):
        logits = output[..., k]
        order = sorted(np.ndindex(rows, columns), key=lambda cell: -logits[cell])
        taken, suppressed = [], []
        for cell in order:
            around = [(r, c) for r in range(cell[0] - 1, cell[0] + 2) for c in range(cell[1] - 1, cell[1] + 2)]
            around = [(r, c) for r, c in around if 0 <= r < rows and 0 <= c < columns]
            if any(logits[other] > logits[cell] for other in around):
                continue
            if any(math.dist(cell, other) <= reach for other in suppressed) or cell in taken:
                continue

            def votes(cell, k=k):
                """Weight and place of each of nine cells."""
                for r in range(cell[0] - 1, cell[0] + 2):
                    for c in range(cell[1] - 1, cell[1] + 2):
                        if 0 <= r < rows and 0 <= c < columns:
                            x = spec.stride * c + middle + spec.locref_px * output[r, c, n + 2 * k]
                            y = spec.stride * r + middle + spec.locref_px * output[r, c, n + 2 * k + 1]
                            yield sigmoid(output[r, c, k]), (x, y)

            weights, places = zip(*votes(cell), strict=True)
            rough = np.average(places, axis=0, weights=weights)
            home = ((rough[::-1] - middle) / spec.stride).round().clip(0, (rows - 1, columns - 1)).astype(int)
            asked = cell if max(abs(home - cell)) <= 1 else tuple(home)
            near = [(weight, place) for weight, place in votes(asked) if math.dist(place, rough) <= spec.stride]
            place = np.average([p for _, p in near], axis=0, weights=[w for w, _ in near]) if near else rough
            xy[k, len(taken)] = (place + 0.5) / spec.scale - 0.5
            row, column = ((place[::-1] - middle) / spec.stride).clip(0, (rows - 1, columns - 1)).round()
            suppressed.append((row, column))
            score[k, len(taken)] = sigmoid(logits[cell] / temperature)
            taken.append(cell)
            if len(taken) == n_peaks:
                break
    return xy, score


@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("n_peaks", [1, 2, 40])
def test_decoding_is_that_of_a_plain_loop(stride, n_peaks):
    spec = NetworkSpec(("nose", "ear", "tail"), scale=0.5, stride=stride)
    output = np.random.default_rng(stride).normal(0, 2, (4, 9, 11, 9)).astype(np.float32)
    xy, score = decode(output, spec=spec, n_peaks=n_peaks, temperature=1.7)
    assert xy.shape == (4, 3, n_peaks, 2)
    for image in range(4):
        expected_xy, expected_score = plain_decode(output[image], spec, n_peaks, 1.7)
        np.testing.assert_allclose(score[image], expected_score, atol=1e-6)
        np.testing.assert_allclose(xy[image], expected_xy, atol=1e-4)
    if n_peaks == 40:
        assert np.isnan(xy).any(), "there are not so many peaks"


@pytest.mark.parametrize("peaks", [1, 2])
def test_what_targets_say_is_found_where_it_was(peaks):
    rng = np.random.default_rng(3)
    spec = NetworkSpec(tuple(f"k{i}" for i in range(8)), scale=0.5)
    truth = rng.uniform(0, 159, (16, 1, 8, 2))
    packed = pack_targets(truth, np.ones((16, 1, 8), np.uint8), grid=(40, 40), spec=spec)
    packed[..., :8] = 20 * packed[..., :8] - 10
    xy, score = decode(packed, spec=spec, n_peaks=peaks)
    np.testing.assert_allclose(xy[:, :, 0], spec.to_image(truth[:, 0]), atol=0.01)
    assert score[:, :, 0].min() > 0.999


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("n_peaks", [1, 3])
def test_whole_numbers_say_what_the_numbers_say_that_they_stand_for(dtype, n_peaks):
    raw = np.random.default_rng(5).integers(np.iinfo(dtype).min + 1, np.iinfo(dtype).max, (3, 9, 11, 6)).astype(dtype)
    scale, zero = 0.07, 12
    numbers = (raw.astype(np.float32) - zero) * np.float32(scale)
    found = decode(raw, spec=SPEC, n_peaks=n_peaks, quantization=(scale, zero))
    expected = decode(numbers, spec=SPEC, n_peaks=n_peaks)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_two_of_a_kind_are_two_peaks_and_a_broad_one_is_one():
    packed = pack_targets(np.array([[[[30.0, 30.0]] * 2], [[[90.0, 60.0]] * 2]]).reshape(1, 2, 2, 2),
                          np.ones((1, 2, 2), np.uint8), grid=(32, 32), spec=SPEC)  # fmt: skip
    packed[..., :2] = 12 * packed[..., :2] - 6
    packed[..., 1] = np.where(np.arange(32)[:, None] < 12, packed[..., 1], -6)  # of the ear, one is left
    xy, score = decode(packed, spec=SPEC, n_peaks=2)
    assert score[0, 0].min() > 0.99
    np.testing.assert_allclose(sorted(xy[0, 0, :, 0]), SPEC.to_image(np.array([30, 90])), atol=0.2)
    assert score[0, 1, 0] > 0.99
    assert score[0, 1, 1] < 0.01, "its shoulder is no second peak"


def test_no_numbers_are_no_keypoint():
    output = np.zeros((1, 6, 6, 6), np.float32)
    output[0, 2, 3, 0] = np.nan
    xy, score = decode(output, spec=SPEC)
    assert np.isnan(xy[0, 0]).all()
    assert score[0, 0] == 0
    assert np.isfinite(xy[0, 1]).all()


def test_a_scoremap_far_below_zero_still_has_a_place():
    packed = pack_targets(np.full((1, 1, 2, 2), 30.0), np.ones((1, 1, 2), np.uint8), grid=(16, 16), spec=SPEC)
    packed[..., :2] = packed[..., :2] * 50 - 400
    xy, score = decode(packed, spec=SPEC)
    np.testing.assert_allclose(xy, SPEC.to_image(np.full((1, 2, 1, 2), 30.0)), atol=1e-4)
    assert (score < 1e-9).all()


def test_outputs_of_another_network_are_refused():
    with pytest.raises(ValueError, match="9 channels"):
        decode(np.zeros((1, 4, 4, 9), np.float32), spec=SPEC)
    with pytest.raises(ValueError, match="quantization"):
        decode(np.zeros((1, 4, 4, 6), np.int8), spec=SPEC)


def test_decoding_costs_little():
    spec = NetworkSpec(tuple(f"k{i}" for i in range(20)))
    output = np.random.default_rng(0).integers(-128, 128, (8, 60, 80, 60)).astype(np.int8)
    costs = []
    for _ in range(10):
        began = time.process_time()
        decode(output, spec=spec, quantization=(0.1, 0))
        costs.append((time.process_time() - began) / 8)
    assert min(costs) < 0.4e-3, "of a frame"
