"""Synthetic recordings are what they say."""

import numpy as np

from pose3d.demo.trials import TRIAL_SKELETON, make_trial


def test_noise_outliers_gaps_and_swaps_have_the_asked_shares():
    trial = make_trial(400, noise_px=np.array([0.5, 1, 1, 1, 1, 2.0]), swaps=0.05, seed=3)
    error = trial.keypoints.xy[:, :, 0] - np.moveaxis(trial.rig.project(trial.xyz), 2, 1)
    sd = [error[:, c][trial.clean[:, c]].std() for c in range(6)]
    assert np.allclose(sd, trial.noise_px, rtol=0.03)
    assert abs(np.isnan(error[..., 0]).mean() - 0.15) < 0.01
    assert abs(trial.swapped.mean() - 0.05 * 0.85 * 16 / 20) < 0.004
    assert abs(trial.clean.mean() - 0.85 * 0.95 * (1 - 0.05 * 16 / 20)) < 0.01


def test_limbs_are_rigid_and_the_motion_is_smooth():
    trial = make_trial(300, seed=1)
    index = {name: i for i, name in enumerate(TRIAL_SKELETON.keypoints)}
    a, b = (np.array([index[edge[end]] for edge in TRIAL_SKELETON.edges]) for end in (0, 1))
    length = np.linalg.norm(trial.xyz[:, a] - trial.xyz[:, b], axis=-1)
    assert length.std(0).max() < 0.5
    assert np.abs(np.diff(trial.xyz, axis=0)).max() < 60
    assert np.abs(trial.xyz[..., :2]).max() < 2000


def test_the_same_seed_gives_the_same_recording():
    first, second = make_trial(20, seed=5), make_trial(20, seed=5)
    assert np.array_equal(first.keypoints.xy, second.keypoints.xy, equal_nan=True)
    assert not np.array_equal(first.xyz, make_trial(20, seed=6).xyz)
