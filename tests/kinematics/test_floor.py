"""The floor from the feet."""

import numpy as np
import pytest

from pose3d.kinematics.floor import floor_from_feet


def test_missing_frames_of_a_standing_foot_change_nothing():
    rng, n = np.random.default_rng(0), 120
    tilt = np.array([[1, 0, 0], [0, np.cos(0.2), -np.sin(0.2)], [0, np.sin(0.2), np.cos(0.2)]])
    steps = np.floor(np.arange(n) / 30) * 600  # both stand, and leap
    feet = [np.stack([steps + ahead, np.full(n, aside), rng.normal(0, 1, n)], -1) @ tilt.T for ahead, aside in
            ((0, 100), (0, -100), (200, 100), (200, -100))]  # fmt: skip
    body = np.stack([steps, np.zeros(n), np.full(n, 900.0)], -1) @ tilt.T
    for foot in feet:
        foot[3:115:7] = np.nan
    rotation, translation = floor_from_feet(feet, body, fps=50.0)
    assert rotation @ tilt[:, 2] == pytest.approx([0, 0, 1], abs=5e-3)
    assert np.isfinite(translation).all()
