"""Gaps: which there are, which are filled, and from what."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from pose3d.errors import ConfigError
from pose3d.filtering import fill_gaps, find_gaps
from pose3d.filtering.gaps import inner_gaps

METHODS = pytest.mark.parametrize("method", ["pchip", "cubic", "linear"])


def holes(n: int, share: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3, 2)).cumsum(0)
    values[rng.random((n, 3)) < share] = np.nan
    return values


def test_the_table_lists_every_gap(make_points, make_views):
    xyz = np.ones((10, 2, 3))
    xyz[[0, 1, 5, 9], 1] = np.nan
    table = find_gaps(make_points(xyz))
    assert len(table) == 3
    assert table.to_dict() == {
        "camera": ["", "", ""],
        "individual": ["one"] * 3,
        "keypoint": ["k1"] * 3,
        "first": [0, 5, 9],
        "last": [1, 5, 9],
        "length": [2, 1, 1],
        "inner": [False, True, False],
    }
    table = find_gaps(make_views(xyz[..., :2]))
    assert table.camera.tolist() == ["A"] * 3
    assert table.first.tolist() == [100, 105, 109]
    assert len(find_gaps(make_points(np.ones((0, 2, 3))))) == 0
    assert find_gaps(make_points(np.full((4, 1, 3), np.nan))).inner.tolist() == [False]


def test_pchip_is_scipys():
    values = holes(400, 0.5)
    filled, where = fill_gaps(values, 400)
    for k in range(3):
        known, wanted = np.flatnonzero(np.isfinite(values[:, k, 0])), np.flatnonzero(where[:, k])
        expected = PchipInterpolator(known, values[known, k], axis=0)(wanted)
        np.testing.assert_allclose(filled[wanted, k], expected, atol=1e-12)


def test_each_method_is_exact_for_what_it_can_follow():
    t = np.arange(60.0)[:, None]
    missing = [3, 7, 8, 20, 21, 22, 23, 40, 58]
    for method, curve in (("linear", 3 * t - 7), ("pchip", 3 * t - 7), ("cubic", 0.5 * t**2 - 9 * t)):
        values = curve.copy()
        values[missing] = np.nan
        np.testing.assert_allclose(fill_gaps(values, 4, method=method)[0], curve, atol=1e-9)


@METHODS
@settings(max_examples=60, deadline=None)
@given(present=st.lists(st.booleans(), max_size=40), limit=st.integers(0, 12))
def test_nothing_is_invented_beyond_the_limit(method, present, limit):
    here = np.array(present, dtype=bool)[:, None]
    values = np.where(here, np.arange(len(here))[:, None] ** 1.5, np.nan)[..., None]
    filled, where = fill_gaps(values, limit, method=method)
    gaps = inner_gaps(here)
    expected = np.zeros(len(here), dtype=bool)
    for first, length in zip(gaps.first, gaps.length, strict=True):
        expected[first : first + length] = length <= limit
    np.testing.assert_array_equal(where[:, 0], expected)
    np.testing.assert_array_equal(np.isfinite(filled[:, 0, 0]), expected | here[:, 0])
    np.testing.assert_array_equal(filled[here[:, 0]], values[here[:, 0]])
    ends = np.flatnonzero(here)
    assert not where[: ends[0] if len(ends) else None].any()
    assert not where[ends[-1] if len(ends) else 0 :].any()


def test_pchip_stays_between_the_observations_beside_a_gap():
    values = holes(2000, 0.4, seed=2)
    filled, where = fill_gaps(values, 20)
    for k in range(3):
        known = np.flatnonzero(np.isfinite(values[:, k, 0]))
        wanted = np.flatnonzero(where[:, k])
        after = np.searchsorted(known, wanted)
        beside = np.stack([values[known[after - 1], k], values[known[after], k]])
        assert (filled[wanted, k] >= beside.min(0) - 1e-9).all()
        assert (filled[wanted, k] <= beside.max(0) + 1e-9).all()


@METHODS
def test_what_lies_beyond_a_longer_gap_does_not_matter(method):
    values = holes(100, 0.3)
    values[40:60] = np.nan
    near = fill_gaps(values, 5, method=method)[0][60:]
    values[:40] += 1000
    np.testing.assert_array_equal(fill_gaps(values, 5, method=method)[0][60:], near)


@METHODS
@pytest.mark.parametrize("shape", [(0, 2, 3), (1, 2, 3), (2, 2, 3), (7, 0, 3)])
def test_little_or_nothing(method, shape):
    for values in (np.ones(shape), np.full(shape, np.nan)):
        filled, where = fill_gaps(values, 3, method=method)
        np.testing.assert_array_equal(filled, values)
        assert not where.any()


def test_two_observations_are_joined_by_a_line():
    values = np.array([0.0, np.nan, np.nan, 6.0])[:, None]
    for method in ("pchip", "cubic", "linear"):
        np.testing.assert_allclose(fill_gaps(values, 2, method=method)[0].ravel(), [0, 2, 4, 6])


def test_wrong_limits_and_methods_are_refused():
    with pytest.raises(ConfigError, match="limit"):
        fill_gaps(np.zeros((3, 1)), -1)
    with pytest.raises(ConfigError, match="limit"):
        fill_gaps(np.zeros((3, 1)), 1.5)
    with pytest.raises(ConfigError, match="spline"):
        fill_gaps(np.zeros((3, 1)), 1, method="spline")
