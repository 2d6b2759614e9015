"""Errors that last: limbs whose length drifts, and detections that err alike in many frames."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from pose3d.data import Status
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.reconstruction import Reconstructor, RefinementSettings, reconstruct
from pose3d.reconstruction.refinement.persistence import averaged_frames
from pose3d.reconstruction.refinement.smoothness import Fixes, Smoothed
from pose3d.reconstruction.source import InMemory

LIMBS = RefinementSettings(limbs=TRIAL_SKELETON.edges)
NAMES = TRIAL_SKELETON.keypoints
CHI2_3_95 = 7.814727903251179


def lasting(rng, shape, frames):
    """Draw errors of unit size (n_frames, ...) that last some frames."""
    white = gaussian_filter1d(rng.standard_normal(shape), frames, axis=0, mode="wrap")
    return white / white.std(axis=0)


def held(points, truth, keypoints):
    """Tell which observed points' 95 % ellipsoids hold the truth."""
    error = (points.xyz[:, 0] - truth)[:, keypoints]
    covariance = points.covariance[:, 0][:, keypoints]
    seen = (points.status[:, 0] == Status.OBSERVED)[:, keypoints]
    distance = np.einsum("fki,fki->fk", error, np.linalg.solve(covariance, error[..., None])[..., 0])
    return (distance < CHI2_3_95)[seen]


@pytest.mark.parametrize("ratio", [0.5, 4.0, 30.0, 1000.0])
@pytest.mark.parametrize("order", [2, 3])
def test_noise_is_averaged_over_as_many_frames_as_computed(ratio, order):
    rng = np.random.default_rng(0)
    n = 4000
    blocks = np.zeros((6, 1, n))
    blocks[[0, 3, 5]] = 1.0
    fixes = Fixes(rng.standard_normal((1, n, 3)), blocks, np.full((1, n), 4.0))
    done = Smoothed(fixes, np.ones((1, n)), np.ones((1, n), dtype=bool), order, np.array([1 / ratio]))
    wanted = averaged_frames(np.array([ratio]), order)[0]
    assert 1 / done.x[:, 200:-200].var() == pytest.approx(wanted, rel=0.15)


def test_limbs_that_drift_do_not_count_as_rigid():
    """The knees wander along the shanks, as joint centres do: 4 mm, for some 20 frames."""
    knees = [NAMES.index("LKnee"), NAMES.index("RKnee")]
    ankles = [NAMES.index("LAnkle"), NAMES.index("RAnkle")]
    inside, errors = [], {"limbs": [], "free": []}
    for seed in range(4):
        trial = make_trial(300, seed=50 + seed)
        rng = np.random.default_rng(seed)
        shank = trial.xyz[:, knees] - trial.xyz[:, ankles]
        away = 4.0 * lasting(rng, (300, 2, 1), 12) * shank / np.linalg.norm(shank, axis=-1, keepdims=True)
        xyz = trial.xyz.copy()
        xyz[:, knees] += away
        shift = np.moveaxis(trial.rig.project(xyz) - trial.rig.project(trial.xyz), 2, 1)[:, :, None]
        keypoints = replace(trial.keypoints, xy=trial.keypoints.xy + shift)
        for kind, settings in (("limbs", LIMBS), ("free", RefinementSettings())):
            points = reconstruct(keypoints, trial.rig, settings).points
            errors[kind].append(np.sqrt(np.nanmean((points.xyz[:, 0] - xyz)[:, knees] ** 2)))
            if kind == "limbs":
                inside.append(held(points, xyz, knees + ankles))
    assert 0.92 <= np.concatenate(inside).mean() <= 0.98
    assert np.mean(errors["limbs"]) < 1.03 * np.mean(errors["free"])


@pytest.mark.parametrize("frames", [0, 6], ids=["independent", "lasting"])
def test_detections_that_err_alike_for_some_frames_have_larger_error_bars(frames):
    inside, found = [], []
    for seed in range(3):
        trial = make_trial(300, seed=60 + seed, outliers=0.0, missing=0.0)
        clean = np.moveaxis(trial.rig.project(trial.xyz), 2, 1)[:, :, None]
        rng = np.random.default_rng(seed)
        noise = lasting(rng, clean.shape, frames) if frames else rng.standard_normal(clean.shape)
        keypoints = replace(trial.keypoints, xy=clean + 2.0 * noise)
        worker = Reconstructor(InMemory(keypoints), trial.rig, LIMBS)
        found.append(worker.learn().motion.persistence)
        inside.append(held(reconstruct(keypoints, trial.rig, LIMBS).points, trial.xyz, list(range(len(NAMES)))))
    if frames:
        assert np.mean(found) > 3
        assert 0.88 <= np.concatenate(inside).mean() <= 0.99
    else:
        assert np.mean(found) < 1.1
        assert 0.93 <= np.concatenate(inside).mean() <= 0.97
