"""Samples and the intervals that they give."""

import numpy as np
import pytest

from pose3d.data import PosteriorSamples
from pose3d.data.samples import interval


def test_samples_are_taken_as_they_are():
    xyz = np.zeros((5, 3, 1, 2, 3), dtype=np.float32)
    made = PosteriorSamples(xyz, ("one",), ("nose", "tail"), 100, 7)
    assert np.shares_memory(made.xyz, xyz)
    assert not made.xyz.flags.writeable
    assert xyz.flags.writeable
    assert (made.n_frames, made.n_samples, made.start) == (5, 3, 7)
    assert made.sample(1).shape == (5, 1, 2, 3)
    assert repr(made) == "PosteriorSamples(3 samples, 5 frames at 100 fps, 1 individual, 2 keypoints)"


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        ((5, 3, 1, 1, 3), {}, r"shape \(any, any, 1, 2, 3\) expected"),
        ((5, 1, 2, 3), {}, "expected"),
        ((5, 3, 1, 2, 3), {"fps": 0}, "must be positive"),
        ((5, 3, 1, 2, 3), {"fps": np.inf}, "must be positive"),
        ((5, 3, 1, 2, 3), {"keypoints": ("a", "a")}, "named twice"),
    ],
)
def test_nonsense_is_refused(shape, changes, message):
    values = {"individuals": ("one",), "keypoints": ("nose", "tail")}
    with pytest.raises(ValueError, match=message):
        PosteriorSamples(np.zeros(shape), **(values | changes))


@pytest.mark.parametrize(("n", "level"), [(39, 0.95), (50, 0.95), (50, 0.9), (200, 0.8)])
def test_the_interval_holds_the_truth_as_often_as_it_says(n, level):
    rng = np.random.default_rng(n)
    truth, values = rng.gumbel(size=20_000), rng.gumbel(size=(n, 20_000))
    low, high = interval(values, level)
    assert ((low < truth) & (truth < high)).mean() == pytest.approx(level, abs=4 * 0.5 / np.sqrt(20_000))
    assert (truth < low).mean() == pytest.approx((1 - level) / 2, abs=0.006)


def test_too_few_samples_give_no_interval():
    values = np.arange(38.0)[:, None] + np.zeros((38, 2))
    assert np.isnan(interval(values)).all()
    assert np.isfinite(interval(values, 0.9)).all()
    assert np.isnan(interval(np.zeros((0, 3)))).all()


def test_missing_values_are_left_out():
    values = np.random.default_rng(0).normal(size=(100, 4))
    holes = np.concatenate([values, np.full((20, 4), np.nan)])[np.random.default_rng(1).permutation(120)]
    assert np.array_equal(interval(holes), interval(values))
    values[:, 1] = np.nan
    assert np.isnan(interval(values)[0]).tolist() == [False, True, False, False]
    assert np.array_equal(interval(values.T, axis=1), interval(values), equal_nan=True)


def test_levels_lie_between_0_and_1():
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match="between 0 and 1"):
            interval(np.zeros(5), level)
