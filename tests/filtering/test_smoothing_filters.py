"""Butterworth and Savitzky-Golay: their response, their ends, and what they do around gaps."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import freqz, freqz_sos, savgol_coeffs, sosfiltfilt
from scipy.signal import savgol_filter as scipy_savgol

from pose3d.errors import ConfigError
from pose3d.filtering import (
    Smoothed,
    butterworth_covariance,
    butterworth_filter,
    design_butterworth,
    noise_gain,
    savgol_covariance,
    savgol_cutoff_hz,
    savgol_filter,
)

HALF = np.sqrt(0.5)


def butterworth(values: np.ndarray, cutoff_hz: float = 6.0, fps: float = 100.0) -> Smoothed:
    return butterworth_filter(values, design_butterworth(cutoff_hz, fps=fps))


def savgol(values: np.ndarray) -> Smoothed:
    return savgol_filter(values, 11, degree=2)


SMOOTHERS = pytest.mark.parametrize("smooth", [butterworth, savgol])


def measured_cutoff(smooth, around_hz: float, fps: float) -> float:
    """Filter sines of many frequencies and say where the amplitude is 3 dB down."""
    frequency = np.linspace(0.9, 1.1, 41) * around_hz
    n = int(max(40 * fps / around_hz, 400)) | 1
    wave = np.cos(2 * np.pi * (np.arange(n) - n // 2)[:, None] * frequency / fps)
    made = smooth(wave[..., None]).values[..., 0]
    inside = slice(n // 4, -(n // 4))
    gain = (made[inside] * wave[inside]).sum(0) / (wave[inside] ** 2).sum(0)
    return float(np.interp(-HALF, -gain, frequency))


@pytest.mark.parametrize(
    ("cutoff_hz", "fps"), [(6.0, 100.0), (6.0, 30.0), (10.0, 30.0), (12.0, 60.0), (6.0, 1000.0), (25.0, 240.0), (1, 50)]
)
@pytest.mark.parametrize("order", [2, 4, 6, 8, 16])
def test_response_is_3_db_down_at_the_nominal_frequency(cutoff_hz, fps, order):
    low = design_butterworth(cutoff_hz, fps=fps, order=order)
    measured = measured_cutoff(lambda wave: butterworth_filter(wave, low), cutoff_hz, fps)
    assert measured == pytest.approx(cutoff_hz, abs=0.05)
    gain = np.abs(freqz_sos(low.sections, worN=[cutoff_hz], fs=fps)[1]) ** 2
    assert gain == pytest.approx(HALF, abs=1e-9)
    assert low.response(cutoff_hz) == pytest.approx(HALF, abs=1e-9)


def test_a_filter_without_the_correction_would_be_found_out():
    low = design_butterworth(4.81, fps=100.0)  # what "6 Hz" is without it
    measured = measured_cutoff(lambda wave: butterworth_filter(wave, low), 4.8, 100.0)
    assert abs(measured - 6.0) > 1.0


def test_butterworth_is_scipys_far_from_the_ends():
    values = np.random.default_rng(3).normal(size=(600, 2, 3))
    low = design_butterworth(8.0, fps=100.0, order=6)
    expected = sosfiltfilt(low.sections, values, axis=0)
    made = butterworth_filter(values, low)
    np.testing.assert_allclose(made.values[150:-150], expected[150:-150], atol=1e-9)
    assert not made.left.any()


@pytest.mark.parametrize("window", [1, 3, 7, 21])
@pytest.mark.parametrize("degree", [0, 2, 3, 5])
def test_savgol_is_scipys(window, degree):
    values = np.random.default_rng(1).normal(size=(50, 3)).cumsum(0)
    if degree >= window:
        with pytest.raises(ConfigError, match="degree"):
            savgol_filter(values, window, degree=degree)
        return
    expected = scipy_savgol(values, window, degree, axis=0)
    np.testing.assert_allclose(savgol_filter(values, window, degree=degree).values, expected, atol=1e-8)


@pytest.mark.parametrize(("window", "degree", "fps"), [(5, 2, 30.0), (11, 3, 100.0), (21, 3, 100.0), (51, 4, 500.0)])
def test_savgol_tells_its_cutoff(window, degree, fps):
    told = savgol_cutoff_hz(window, degree, fps=fps)
    assert abs(freqz(savgol_coeffs(window, degree), worN=[told], fs=fps)[1][0]) == pytest.approx(HALF, abs=1e-6)
    measured = measured_cutoff(lambda wave: savgol_filter(wave, window, degree=degree), told, fps)
    assert measured == pytest.approx(told, abs=0.05)


def test_savgol_that_changes_nothing_has_no_cutoff():
    assert np.isnan(savgol_cutoff_hz(1, 0, fps=100.0))
    assert np.isnan(savgol_cutoff_hz(5, 4, fps=100.0))


@SMOOTHERS
@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 80),
    level=st.floats(-1e4, 1e4),
    slope=st.floats(-100, 100),
    missing=st.lists(st.integers(0, 79), max_size=12),
)
def test_constants_and_ramps_come_out_as_they_went_in(smooth, n, level, slope, missing):
    ramp = (level + slope * np.arange(n))[:, None, None] * np.array([1.0, -2.0, 0.0])
    ramp[[i for i in missing if i < n]] = np.nan
    np.testing.assert_allclose(smooth(ramp).values, ramp, atol=1e-8 * (1 + abs(level) + 80 * abs(slope)))


@SMOOTHERS
def test_each_run_is_filtered_for_itself_and_short_ones_are_left(smooth):
    rng = np.random.default_rng(5)
    values = rng.normal(size=(300, 2, 3))
    values[100:104, 0] = np.nan
    values[110, 0] = np.nan  # frames 104 to 109: too short
    values[200:, 1, 2] = np.inf  # one coordinate is enough to be missing
    made = smooth(values)
    np.testing.assert_allclose(made.values[:100, 0], smooth(values[:100, 0]).values, atol=1e-12)
    np.testing.assert_allclose(made.values[111:, 0], smooth(values[111:, 0]).values, atol=1e-12)
    np.testing.assert_array_equal(made.values[104:110, 0], values[104:110, 0])
    assert np.isnan(made.values[[100, 103, 110], 0]).all()
    assert np.isnan(made.values[200:, 1]).all()
    assert made.left.sum() == 6
    assert made.left[104:110, 0].all()


@SMOOTHERS
@pytest.mark.parametrize("shape", [(0, 3, 3), (1, 3, 3), (2, 3, 3), (30, 0, 3), (30, 1)])
def test_little_or_nothing_to_filter(smooth, shape):
    values = np.random.default_rng(0).normal(size=shape)
    assert smooth(values).values.shape == shape
    assert smooth(values).left.shape == shape[:-1]
    assert np.isnan(smooth(np.full(shape, np.nan)).values).all()
    if shape[0] == 2:
        np.testing.assert_array_equal(smooth(values).values, values)
        assert smooth(values).left.all()


@SMOOTHERS
def test_the_input_is_not_changed(smooth):
    values = np.random.default_rng(0).normal(size=(60, 2, 3))
    values.flags.writeable = False
    smooth(values)


def test_ends_are_not_pulled_and_do_not_ring():
    """A walk-like curve whose ends are in full motion: the worst error lies inside, not at an end."""
    t = np.arange(300) / 100.0
    truth = (400 * np.sin(2 * np.pi * 1.0 * t + 0.3) + 900 * t)[:, None]
    error = np.abs(butterworth(truth, 10.0).values - truth)[:, 0]
    assert error[50:-50].max() < 0.2
    assert error[:50].max() < 2.0
    assert error[-50:].max() < 2.0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cutoff_hz": 50.0, "fps": 100.0}, "below 50 Hz"),
        ({"cutoff_hz": 60.0, "fps": 100.0}, "half the frame rate"),
        ({"cutoff_hz": 0.0, "fps": 100.0}, "above 0"),
        ({"cutoff_hz": np.nan, "fps": 100.0}, "above 0"),
        ({"cutoff_hz": 6.0, "fps": 0.0}, "fps"),
        ({"cutoff_hz": 6.0, "fps": 100.0, "order": 3}, "order 3"),
        ({"cutoff_hz": 6.0, "fps": 100.0, "order": 18}, "order 18"),
    ],
)
def test_impossible_filters_are_refused_in_one_line(wrong, said):
    with pytest.raises(ConfigError, match=said) as caught:
        design_butterworth(**wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cutoff_hz", [0.05, 49.9])
def test_extreme_cutoffs_stay_stable(cutoff_hz):
    values = np.random.default_rng(2).normal(size=(400, 1))
    made = butterworth(values, cutoff_hz).values
    assert np.abs(made).max() < 1.5 * np.abs(values).max()


@pytest.mark.parametrize("n_frames", [20, 60, 200])
def test_noise_that_passes_is_the_noise_that_is_told(n_frames):
    noise = np.random.default_rng(7).normal(size=(n_frames, 6000, 1))
    here = np.ones((n_frames, 1), dtype=bool)
    unit = np.broadcast_to(np.eye(3), (n_frames, 1, 3, 3)).copy()
    low = design_butterworth(6.0, fps=100.0)
    passed = butterworth_filter(noise, low).values.var(axis=(1, 2))
    told = butterworth_covariance(unit, here, low)[:, 0, 0, 0]
    np.testing.assert_allclose(passed, told, rtol=0.08)
    passed = savgol_filter(noise, 11).values.var(axis=(1, 2))
    told = savgol_covariance(unit, here, 11)[:, 0, 0, 0]
    np.testing.assert_allclose(passed, told, rtol=0.08)
    assert noise_gain(low)[0] == pytest.approx(1.0)
    assert noise_gain(low)[-1] == pytest.approx(np.mean(low.response(np.linspace(0, 50, 20001)) ** 2), rel=1e-3)


def test_covariances_that_change_are_followed():
    noise = np.random.default_rng(8).normal(size=(300, 6000, 1))
    scale = np.linspace(1, 5, 300)
    low = design_butterworth(6.0, fps=100.0)
    passed = butterworth_filter(noise * scale[:, None, None], low).values.var(axis=(1, 2))
    spread = np.eye(3) * scale[:, None, None, None] ** 2
    told = butterworth_covariance(spread, np.ones((300, 1), dtype=bool), low)[:, 0, 1, 1]
    np.testing.assert_allclose(passed, told, rtol=0.1)


def test_time_grows_with_the_frames_and_not_with_the_gaps():
    rng = np.random.default_rng(0)

    def seconds(n: int, missing: float) -> float:
        values = rng.normal(size=(n, 10, 3))
        values[rng.random((n, 10)) < missing] = np.nan
        start = time.process_time()
        butterworth(values)
        return time.process_time() - start

    seconds(2000, 0.1)
    whole, gappy = seconds(20000, 0.0), seconds(20000, 0.1)  # 18,000 runs
    assert gappy < 20 * whole + 0.5
