"""Numbers with intervals: one convention for samples of an angle, peaks, ranges and parameters."""

import numpy as np
import pytest

from pose3d.kinematics.estimates import Estimate, estimate


def test_an_interval_of_plain_values_holds_the_truth_and_says_how_wide_it_is():
    rng = np.random.default_rng(1)
    truth = rng.normal(0, 10, 4000)
    found = truth + rng.normal(0, 2, truth.shape)
    made = estimate(found, found + rng.normal(0, 2, (60, *truth.shape)))
    assert ((made.low <= truth) & (truth <= made.high)).mean() == pytest.approx(0.95, abs=0.012)
    assert np.mean(made.sd) == pytest.approx(2, rel=0.02)
    assert np.array_equal(made.value, found)


def drawn_errors(rng, shape, *, reach=2):
    """Errors of 1 degree that hang together over some frames, as those of refined points do."""
    white = rng.normal(0, 1, (*shape[:-1], shape[-1] + 2 * reach))
    window = np.hanning(2 * reach + 3)[1:-1]
    return np.lib.stride_tricks.sliding_window_view(white, 2 * reach + 1, axis=-1) @ (window / np.linalg.norm(window))


def peak_of_noisy_waves(*, extreme):
    rng = np.random.default_rng(2)
    wave = 30 * np.sin(np.linspace(0, 3 * np.pi, 80)) + rng.uniform(0, 5, (800, 1))
    found = wave + drawn_errors(rng, wave.shape)
    drawn = found + drawn_errors(rng, (60, *found.shape))
    made = estimate(np.ptp(found, axis=-1), np.ptp(drawn, axis=-1), extreme=extreme)
    truth = np.ptp(wave, axis=-1)
    return ((made.low <= truth) & (truth <= made.high)).mean()


def test_an_extreme_is_reflected():
    assert peak_of_noisy_waves(extreme=True) >= 0.91
    assert peak_of_noisy_waves(extreme=False) < 0.8  # noise has made the range larger, and twice so in samples


def test_nothing_is_known_without_samples():
    made = estimate(np.array([1.0, np.nan]))
    assert np.isnan([made.low, made.high, made.sd]).all()
    assert not made.is_known
    few = estimate(1.0, np.arange(20.0))
    assert np.isnan(few.low)
    assert few.sd == pytest.approx(np.std(np.arange(20), ddof=1))


def test_missing_values_stay_missing():
    drawn = np.random.default_rng(3).normal(size=(60, 3))
    drawn[:10, 1] = np.nan
    drawn[1:, 2] = np.nan
    made = estimate(np.array([np.nan, 0.0, 0.0]), drawn)
    assert np.isfinite(made.low).tolist() == [False, True, False]
    assert np.isfinite(made.sd).tolist() == [False, True, False]
    assert made.is_known


def test_an_interval_ends_where_the_quantity_does():
    drawn = np.random.default_rng(4).normal(1.0, 1.0, 100)
    made = estimate(1.0, drawn, least=0.0, most=2.0)
    assert (made.low, made.high) == (0.0, 2.0)


def test_parts_and_text():
    made = estimate(np.arange(6.0).reshape(2, 3), np.random.default_rng(5).normal(size=(50, 2, 3)), level=0.9)
    part = made[1]
    assert part.value.tolist() == [3.0, 4.0, 5.0]
    assert np.array_equal(part.high, made.high[1])
    assert part.level == 0.9
    assert repr(made) == "Estimate((2, 3), 90 %)"
    assert repr(Estimate(1.0, 0.5, 2.0, 0.1)) == "Estimate(1, 95 % 0.5 to 2)"


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="n_samples"):
        estimate(np.zeros(3), np.zeros((50, 4)))
    with pytest.raises(ValueError, match="level"):
        Estimate(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), level=1.0)


@pytest.mark.parametrize("bend", [0.0, 0.5, 1.0, 2.0, 5.0, 30.0])
def test_the_interval_of_a_size_without_sign_reaches_zero_where_it_may_be_zero(bend):
    """A bend has two components, each with an error of 1 degree: that of a straight elbow is never seen as 0."""
    rng = np.random.default_rng(6)
    seen = np.array([bend, 0.0]) + rng.normal(0, 1, (3000, 2))
    drawn = np.linalg.norm(seen + rng.normal(0, 1, (60, 3000, 2)), axis=-1)
    held = {}
    for unsigned in (False, True):
        made = estimate(np.linalg.norm(seen, axis=-1), drawn, unsigned=unsigned)
        held[unsigned] = ((made.low <= bend) & (bend <= made.high)).mean()
        assert made.low.min() >= 0
    assert 0.94 <= held[True] <= 1.0
    if bend < 1:
        assert held[False] < 0.85
    if bend > 4:
        assert held[False] == pytest.approx(held[True], abs=0.02)
        assert held[True] < 0.97
