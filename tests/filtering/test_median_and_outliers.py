"""The median filter and the finder of jumps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import medfilt

from pose3d.errors import ConfigError
from pose3d.filtering import find_outliers, local_median, median_filter


@pytest.mark.parametrize("window", [1, 3, 13])
def test_inside_it_is_the_plain_median(window):
    values = np.random.default_rng(0).normal(size=(200, 2, 3))
    made = median_filter(values, window)
    for i in range(2):
        expected = medfilt(values[:, i, 0], window)
        np.testing.assert_array_equal(made[window:-window, i, 0], expected[window:-window])
        np.testing.assert_array_equal(local_median(values, window)[window:-window, i, 0], expected[window:-window])


@settings(max_examples=40, deadline=None)
@given(n=st.integers(0, 40), window=st.sampled_from([1, 3, 7, 21]), missing=st.lists(st.integers(0, 39), max_size=15))
def test_ramps_stay_ramps_whatever_is_missing(n, window, missing):
    ramp = np.arange(n)[:, None, None] * np.array([1.0, -3.0, 0.0]) + 5
    ramp[[i for i in missing if i < n]] = np.nan
    np.testing.assert_allclose(median_filter(ramp, window), ramp, atol=1e-12)


def test_even_counts_take_the_mean_of_two():
    values = np.array([1.0, np.nan, 3.0, 10.0])[:, None]
    np.testing.assert_array_equal(local_median(values, 3).ravel(), [1.0, 2.0, 6.5, 6.5])
    np.testing.assert_array_equal(local_median(values, 99).ravel(), [3.0, 3.0, 3.0, 3.0])


def test_single_jumps_go_and_missing_points_stay_missing():
    truth = np.sin(np.arange(100) / 10)[:, None] * 50
    values = truth.copy()
    values[[20, 50, 51]] += 400
    values[70:74] = np.nan
    made = median_filter(values, 7)
    assert np.isnan(made[70:74]).all()
    assert np.nanmax(np.abs(made - truth)) < 7


@pytest.mark.parametrize("shape", [(0, 2, 3), (1, 2, 3), (2, 2, 3), (9, 0, 2)])
def test_little_or_nothing(shape):
    values = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(median_filter(values, 5), values)
    assert np.isnan(median_filter(np.full(shape, np.nan), 5)).all()
    assert not find_outliers(values, 5).any()
    assert find_outliers(np.full(shape, np.nan), 5).shape == shape[:-1]


@pytest.mark.parametrize("window", [0, 4, -3, 2.5])
def test_windows_that_are_not_odd_are_refused(window):
    for call in (median_filter, local_median, find_outliers):
        with pytest.raises(ConfigError, match="odd"):
            call(np.zeros((5, 1)), window)


def test_blocks_do_not_show(monkeypatch):
    values = np.random.default_rng(0).normal(size=(300, 2, 3))
    values[np.random.default_rng(1).random((300, 2)) < 0.2] = np.nan
    whole = median_filter(values, 13), local_median(values, 13), find_outliers(values, 13)
    monkeypatch.setattr("pose3d.filtering.median._BLOCK", 1000)
    for one, other in zip(
        whole, (median_filter(values, 13), local_median(values, 13), find_outliers(values, 13)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_planted_jumps_are_found_and_motion_is_not():
    """A gait-like motion with noise: 5 % jumps of 25 to 250 units, of which nearly all are found."""
    rng = np.random.default_rng(4)
    t = np.arange(4000)[:, None, None] / 100
    phase = rng.uniform(0, 6, (1, 10, 2))
    values = 200 * np.sin(2 * np.pi * t + phase) + 60 * np.sin(4 * np.pi * t + 2 * phase)
    values = values + rng.normal(size=values.shape)
    jumped = rng.random(values.shape[:2]) < 0.05
    angle = rng.uniform(0, 2 * np.pi, jumped.sum())
    values[jumped] += rng.uniform(25, 250, (jumped.sum(), 1)) * np.stack([np.cos(angle), np.sin(angle)], -1)
    found = find_outliers(values, 11, min_distance=5.0)
    assert found[jumped].mean() > 0.95
    assert found[~jumped].mean() < 0.0005
    still = find_outliers(rng.normal(size=(5000, 4, 2)), 11)
    assert still.mean() < 0.02
    assert not find_outliers(rng.normal(size=(5000, 4, 2)), 11, min_distance=5.0).any()


def test_a_jump_in_one_coordinate_is_a_jump():
    values = np.arange(60.0).reshape(20, 3)
    values[7, 2] += 100
    assert find_outliers(values, 7).nonzero()[0].tolist() == [7]
