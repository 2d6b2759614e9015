import math

import numpy as np
import pytest

from pose3d.kinematics.changes import (
    fit_trend,
    judge_change,
    minimal_detectable_change,
    sem_from_sessions,
    session_trend,
    t_quantile,
)


def test_a_change_within_the_error_is_none():
    assert minimal_detectable_change(2.0) == pytest.approx(5.5437, abs=1e-3)
    small = judge_change(100.0, 105.0, sem=2.0, sem_source="two sessions of this person")
    large = judge_change(100.0, 94.0, sem=2.0, sem_source="two sessions of this person")
    assert (small.real, large.real) == (False, True)
    assert str(small) == (
        "+5.0: no change that could be told from error (minimal detectable change 5.5, two sessions of this person)"
    )
    assert str(large).startswith("-6.0: a change (")
    with pytest.raises(ValueError, match="negative"):
        minimal_detectable_change(-1.0)


def test_changes_of_nothing_are_called_changes_once_in_twenty():
    rng = np.random.default_rng(3)
    pairs = rng.normal(100, 2.5, (4000, 2))
    called = [judge_change(a, b, sem=2.5, sem_source="known").real for a, b in pairs]
    assert 0.04 < np.mean(called) < 0.06


def test_the_standard_error_is_that_within_people():
    rng = np.random.default_rng(0)
    people = [
        rng.normal(mean, 3.0, n) for mean, n in zip(rng.normal(90, 20, 300), rng.integers(2, 5, 300), strict=True)
    ]
    found = sem_from_sessions(people)
    assert found.sem == pytest.approx(3.0, rel=0.06)  # the 20 degrees between people are no error
    assert (found.n_people, found.n_free) == (300, sum(len(own) - 1 for own in people))
    assert found.interval[0] < 3.0 < found.interval[1]
    assert found.interval[1] - found.interval[0] < 0.7
    alone = sem_from_sessions([[96.0, np.nan, 100.0]])
    assert alone.sem == pytest.approx(math.sqrt(8))
    assert alone.source == "SEM 2.8 [1.3, 90] from 2 sessions of this person, 1 degree of freedom"
    with pytest.raises(ValueError, match="two sessions"):
        sem_from_sessions([[3.0], [4.0, np.nan]])


def test_the_interval_of_a_trend_holds_the_true_slope_in_95_percent():
    rng = np.random.default_rng(1)
    days = np.array([0, 7, 21, 28, 30, 49.0])
    held, real = [], []
    for _ in range(2000):
        trend = session_trend(days, 90 + 1.5 * days / 7 + rng.normal(0, 2, len(days)))
        held.append(trend.low <= 1.5 <= trend.high)
        real.append(trend.real)
    assert 0.935 < np.mean(held) < 0.965
    assert 0.5 < np.mean(real) < 1
    assert trend.n == 6


def test_few_numbers_have_no_interval():
    two = fit_trend([1, 2], [5.0, 8.0])
    assert (two.slope, two.n) == (3.0, 2)
    assert math.isnan(two.low)
    assert not two.real
    for x, y in (([1, 1, 1], [1.0, 2, 3]), ([1.0], [1.0]), ([], []), ([1, 2, 3], [np.nan] * 3)):
        assert math.isnan(fit_trend(x, y).slope)


def test_students_t():
    np.testing.assert_allclose(t_quantile([1, 4, 1e9]), [12.7062, 2.7764, 1.95996], atol=1e-4)
    assert np.isnan(t_quantile(0))
