"""Angular velocity of known motions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pose3d.kinematics.angular_velocity import angle_velocity, frame_velocity, smoothed_by_gcv

FPS = 100.0
TIME = np.arange(400) / FPS


def bend(time=TIME):
    return 30 + 30 * np.sin(2 * np.pi * time) + 8 * np.cos(4 * np.pi * time)


def rate(time=TIME):
    return 60 * np.pi * np.cos(2 * np.pi * time) - 32 * np.pi * np.sin(4 * np.pi * time)


def test_the_rate_of_a_clean_angle():
    found = angle_velocity(bend(), fps=FPS, smooth=False)
    np.testing.assert_allclose(found[1:-1], rate()[1:-1], atol=0.6)
    np.testing.assert_allclose(found, rate(), atol=1.5)
    np.testing.assert_allclose(angle_velocity(bend(), fps=FPS)[1:-1], rate()[1:-1], atol=1.0)


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_smoothing_takes_the_noise_away(noise):
    rng = np.random.default_rng(0)
    noisy = bend() + rng.normal(0, noise, (5, 400))
    rough, found = (angle_velocity(noisy, fps=FPS, smooth=smooth) for smooth in (False, True))
    error = np.sqrt(((found - rate()) ** 2).mean())
    assert error < 0.25 * np.sqrt(((rough - rate()) ** 2).mean())
    assert error < 16 * noise**0.75  # of 250 degrees/s
    assert np.sqrt(((found[:, 20:-20] - rate()[20:-20]) ** 2).mean()) < 12 * noise**0.75


def test_gaps_stay_and_do_not_reach_farther():
    signal = np.stack([bend(), bend()])
    signal[0, 100:110] = np.nan
    signal[0, 115:120] = np.nan  # five frames are left between
    found = angle_velocity(signal, fps=FPS)
    np.testing.assert_array_equal(np.isnan(found[0]), (np.arange(400) >= 100) & (np.arange(400) < 120))
    plain = angle_velocity(signal, fps=FPS, smooth=False)
    np.testing.assert_array_equal(np.isnan(plain), np.isnan(signal))
    np.testing.assert_allclose(plain[0][np.isfinite(plain[0])], rate()[np.isfinite(plain[0])], atol=2.0)
    assert np.isnan(angle_velocity(np.full(20, np.nan), fps=FPS)).all()


def test_a_turn_past_180_degrees_is_no_jump():
    spins = (250.0 * TIME + 170 + 180) % 360 - 180
    np.testing.assert_allclose(angle_velocity(spins, fps=FPS), 250, atol=1e-6)


def test_what_is_straight_stays_and_noise_becomes_a_line():
    np.testing.assert_allclose(smoothed_by_gcv(3 + 2 * TIME), 3 + 2 * TIME, atol=1e-9)
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, 400)
    flat = smoothed_by_gcv(noise)
    assert flat.std() < 0.35
    np.testing.assert_allclose(smoothed_by_gcv(noise + 5000 * TIME), flat + 5000 * TIME, atol=0.2)


@given(st.integers(0, 10_000))
def test_segments_that_turn_evenly(seed):
    rng = np.random.default_rng(seed)
    omega = rng.normal(0, 200, 3)  # degrees/s, in the segment's own axes
    start = Rotation.random(rng=rng)
    frames = (start * Rotation.from_rotvec(np.deg2rad(omega) * TIME[:50, None])).as_matrix()
    np.testing.assert_allclose(frame_velocity(frames, fps=FPS), np.tile(omega, (50, 1)), atol=1e-6)


def test_the_velocity_of_a_joint_is_not_the_rates_of_its_angles():
    """Turns about y (flexion), then x, then z: omega by the formula of intrinsic rates."""
    angles = np.stack([bend(), 10 * np.sin(2 * np.pi * TIME), 15 * np.cos(2 * np.pi * TIME)], -1)
    rates = np.stack([rate(), 20 * np.pi * np.cos(2 * np.pi * TIME), -30 * np.pi * np.sin(2 * np.pi * TIME)], -1)
    turns = Rotation.from_euler("YXZ", angles, degrees=True)
    last = Rotation.from_euler("Z", angles[:, 2:], degrees=True)
    both = Rotation.from_euler("XZ", angles[:, 1:], degrees=True)
    omega = both.inv().apply([0, 1, 0]) * rates[:, :1] + last.inv().apply([1, 0, 0]) * rates[:, 1:2]
    omega = omega + np.array([0, 0, 1]) * rates[:, 2:]
    found = frame_velocity(turns.as_matrix(), fps=FPS)
    np.testing.assert_allclose(found[1:-1], omega[1:-1], atol=1.0)
    assert np.abs(omega - rates[:, [1, 0, 2]]).max() > 20


def test_missing_frames_and_short_recordings():
    frames = np.tile(np.eye(3), (2, 10, 1, 1))
    frames[0, 4] = np.nan
    found = frame_velocity(frames, fps=FPS)
    np.testing.assert_array_equal(np.isnan(found[0]).any(-1), np.isin(np.arange(10), [3, 4, 5]))
    np.testing.assert_array_equal(found[1], 0)
    assert np.isnan(frame_velocity(frames[:, :1], fps=FPS)).all()
