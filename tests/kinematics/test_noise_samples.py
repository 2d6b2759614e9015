"""Samples from a noise figure alone: as large as said, correlated as said, and nothing more is known."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import Keypoints3D
from pose3d.errors import DataError
from pose3d.kinematics.noise_samples import samples_from_noise


def still_points(n=400, fps=100.0):
    xyz = np.zeros((n, 1, 3, 3)) + np.arange(3)[:, None]
    return Keypoints3D.from_points(xyz, ("a", "b", "c"), ("one",), fps=fps, start=7)


def correlation(error, lag):
    return (error[lag:] * error[: len(error) - lag]).mean() / (error**2).mean()


def test_noise_is_as_large_and_lasts_as_long_as_was_said():
    points = still_points()
    made = samples_from_noise(points, 2.0, n=200, correlation_s=0.08)
    assert (made.fps, made.start, made.xyz.shape) == (100.0, 7, (400, 200, 1, 3, 3))
    error = made.xyz - points.xyz[:, None]
    assert error.std() == pytest.approx(2.0, rel=0.02)
    assert error[[0, -1]].std() == pytest.approx(2.0, rel=0.1)
    for lag in (2, 4, 8, 12):
        assert correlation(error, lag) == pytest.approx(np.exp(-((lag / 8) ** 2)), abs=0.02)
    assert abs((error[:, :, 0, 0] * error[:, :, 0, 1]).mean()) < 0.1


def test_low_passed_white_noise_is_correlated_like_the_default():
    from pose3d.filtering.butterworth import butterworth_filter, design_butterworth

    low = design_butterworth(6.0, fps=100.0)
    filtered = butterworth_filter(np.random.default_rng(0).normal(size=(20_000, 8, 3)), low).values
    assert correlation(filtered, 5) == pytest.approx(np.exp(-1), abs=0.08)


def test_independent_frames_and_keypoints_of_their_own():
    made = samples_from_noise(still_points(), [1.0, 0.0, 5.0], n=100, correlation_s=0.0)
    error = made.xyz - still_points().xyz[:, None]
    np.testing.assert_allclose(error.std(axis=(0, 1, 2, 4)), [1.0, 0.0, 5.0], rtol=0.03)
    assert abs(correlation(error, 1)) < 0.02


def test_the_points_own_covariance_is_taken():
    points = still_points()
    wanted = np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.25]])
    covariance = np.broadcast_to(wanted, (400, 1, 3, 3, 3)).copy()
    covariance[70:72, 0, 2] = np.nan  # filled in: nobody knows how well
    points = replace(points, covariance=covariance)
    xyz = points.xyz.copy()
    xyz[50:60, 0, 1] = np.nan
    made = samples_from_noise(replace(points, xyz=xyz), n=300)
    assert np.isnan(made.xyz[70:72, :, 0, 2]).all()
    error = (made.xyz - points.xyz[:, None])[:, :, 0, 0].reshape(-1, 3)
    np.testing.assert_allclose(np.cov(error.T), wanted, atol=0.12)
    assert np.isnan(made.xyz[50:60, :, 0, 1]).all()
    assert np.isfinite(np.delete(made.xyz, [*range(50, 60), 70, 71], axis=0)).all()


def test_the_same_seed_gives_the_same_samples():
    one, same, other = (samples_from_noise(still_points(), 1.0, n=3, seed=seed).xyz for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_is_not_known_is_said():
    with pytest.raises(DataError, match="nothing is known of the errors"):
        samples_from_noise(still_points())
    with pytest.raises(DataError, match="frame rate"):
        samples_from_noise(still_points(fps=None), 1.0)
    assert samples_from_noise(still_points(fps=None), 1.0, n=1, correlation_s=0.0).n_samples == 1
    for wrong in (-1.0, np.nan, [1.0, 2.0]):
        with pytest.raises(ValueError, match="noise_mm"):
            samples_from_noise(still_points(), wrong)
    with pytest.raises(ValueError, match="correlation_s"):
        samples_from_noise(still_points(), 1.0, correlation_s=-1.0)
