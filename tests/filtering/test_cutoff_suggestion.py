"""Winter's residual analysis."""

import numpy as np
import pytest

from pose3d.errors import ConfigError, DataError
from pose3d.filtering import butterworth_filter, design_butterworth, suggest_cutoff


def motion(n: int, fps: float, highest_hz: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(n)[:, None] / fps
    rate = np.linspace(0.5, highest_hz, 8)
    return (100 / rate * np.sin(2 * np.pi * rate * t + rng.uniform(0, 6, 8))).sum(1)


@pytest.mark.parametrize("fps", [60.0, 100.0, 240.0])
def test_the_noise_is_found_and_the_cutoff_follows_the_motion(fps):
    rng = np.random.default_rng(0)
    truth = np.stack([motion(3000, fps, hz, rng) for hz in (2.0, 5.0)], axis=-1)[..., None]
    noisy = truth + np.array([2.0, 0.5])[:, None] * rng.normal(size=truth.shape)
    found = suggest_cutoff(noisy, fps=fps)
    np.testing.assert_allclose(found.noise, [2.0, 0.5], rtol=0.1)
    assert 2.0 < found.cutoff_hz[0] < 6.0
    assert 5.0 < found.cutoff_hz[1] < 15.0
    assert found.cutoff_hz[0] < found.overall_hz < found.cutoff_hz[1]
    for k in range(2):
        error = [
            np.sqrt(
                np.mean((butterworth_filter(noisy[:, k], design_butterworth(hz, fps=fps)).values - truth[:, k]) ** 2)
            )
            for hz in (found.cutoff_hz[k], *np.arange(1.0, 20.0, 0.5))
        ]
        assert error[0] < 2.0 * min(error[1:])  # a help for choosing, no optimum


def test_gaps_and_empty_tracks_do_no_harm():
    rng = np.random.default_rng(1)
    values = np.repeat(motion(2000, 100.0, 4.0, rng)[:, None, None], 3, axis=1) + rng.normal(size=(2000, 3, 2))
    values[rng.random((2000, 3)) < 0.02] = np.nan
    values[:, 1] = np.nan
    found = suggest_cutoff(values, fps=100.0)
    assert np.isnan(found.cutoff_hz[1])
    assert np.isnan(found.noise[1])
    np.testing.assert_allclose(found.noise[[0, 2]], 1.0, rtol=0.1)
    told = found.to_dict()
    assert told["tracks_hz"][1] is None
    assert told["cutoff_hz"] == pytest.approx(found.overall_hz)
    assert found.residual.shape == (60, 3)


def test_too_little_is_said():
    with pytest.raises(DataError, match="50 frames"):
        suggest_cutoff(np.zeros((20, 1, 3)), fps=100.0)
    with pytest.raises(DataError, match="fill gaps"):
        suggest_cutoff(np.full((2000, 1, 3), np.nan), fps=100.0)
    with pytest.raises(ConfigError, match="ascending"):
        suggest_cutoff(np.zeros((200, 1, 3)), fps=100.0, frequency_hz=[2.0, 4.0])
    with pytest.raises(ConfigError, match="frame rate"):
        suggest_cutoff(np.zeros((200, 1, 3)), fps=0.0)


def test_motion_without_noise_needs_no_filter():
    truth = motion(2000, 100.0, 3.0, np.random.default_rng(2))[:, None, None]
    assert suggest_cutoff(truth, fps=100.0).noise[0] < 0.01
