"""Scores become probabilities."""

import numpy as np
import pytest

from pose3d.network.decoding import score_of
from pose3d.network.reliability import fit_temperature, measure_reliability


def keypoints(temperature, n=40_000, seed=0):
    """Scores whose logits are `temperature` times those of the true probabilities, and errors."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(1.5, 2, n)
    right = rng.random(n) < score_of(logit)
    return score_of(logit * temperature), np.where(right, 3.0, 30.0)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.5])
def test_the_temperature_of_known_probabilities_is_found(temperature):
    score, error = keypoints(temperature)
    assert fit_temperature(score, error, tolerance_px=10) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_is_the_likeliest_one():
    score, error = keypoints(2.0, n=200)
    found = fit_temperature(score, error, tolerance_px=10)
    logit, right = np.log(score / (1 - score)), error <= 10
    wanted = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    every = np.exp(np.linspace(np.log(0.05), np.log(50), 4000))
    p = score_of(logit / every[:, None]).clip(1e-12, 1 - 1e-12)
    cost = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).sum(1)
    assert found == pytest.approx(every[cost.argmin()], rel=0.005)


def test_a_few_that_are_all_right_do_not_make_scores_of_one():
    score = np.full(20, 0.9)
    temperature = fit_temperature(score, np.zeros(20), tolerance_px=5)
    assert 0.94 < score_of(np.log(9.0), temperature) < 0.97


def test_what_is_not_known_does_not_count_and_what_is_absent_is_wrong():
    score, error = keypoints(2.0)
    some = np.concatenate([error, np.full(500, np.nan)])
    found = fit_temperature(np.concatenate([score, np.full(500, 0.99)]), some, tolerance_px=10)
    assert found == fit_temperature(score, error, tolerance_px=10)
    absent = np.concatenate([error, np.full(20_000, np.inf)])
    assert fit_temperature(np.concatenate([score, np.full(20_000, 0.99)]), absent, tolerance_px=10) > 2 * found
    assert fit_temperature([], [], tolerance_px=1) == 1
    assert np.isfinite(fit_temperature([0.0, 1.0, 1.0], [1.0, 1.0, 50.0], tolerance_px=10))


def test_reliability_is_that_of_a_plain_loop():
    score, error = keypoints(2.0, n=3000)
    error[:100] = np.nan
    found = measure_reliability(score, error, tolerance_px=10, n_bins=5)
    expected = 0.0
    for i in range(5):
        mine = [(s, e <= 10) for s, e in zip(score, error, strict=True) if i / 5 <= s < (i + 1) / 5 and not np.isnan(e)]
        assert found.n[i] == len(mine)
        mean, right = np.mean(mine, axis=0)
        assert found.score[i] == pytest.approx(mean)
        assert found.right[i] == pytest.approx(right)
        expected += len(mine) * abs(mean - right) / 2900
    assert found.expected_error == pytest.approx(expected)


def test_the_fitted_temperature_makes_scores_honest():
    score, error = keypoints(3.0)
    before = measure_reliability(score, error, tolerance_px=10)
    temperature = fit_temperature(score, error, tolerance_px=10)
    after = measure_reliability(score, error, tolerance_px=10, temperature=temperature)
    assert before.expected_error > 0.05
    assert after.expected_error < 0.01
    high = after.score > 0.9
    assert after.right[high] == pytest.approx(after.score[high], abs=0.02)


def test_no_labels_say_nothing():
    nothing = measure_reliability([0.5, np.nan], [np.nan, 1.0], tolerance_px=10)
    assert np.isnan(nothing.expected_error)
    assert nothing.n.sum() == 0
    with pytest.raises(ValueError, match="do not fit"):
        measure_reliability([0.5], [1.0, 2.0], tolerance_px=10)
