"""Covariances against the errors that are really made, and what the cameras' own uncertainty adds."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import RigCovariance, Status
from pose3d.demo.trials import TRIAL_SKELETON, make_ring, make_trial
from pose3d.reconstruction import RefinementSettings, ViewSettings, reconstruct
from pose3d.reconstruction.refinement.rig_uncertainty import moved_rig, rig_samples

LIMBS = RefinementSettings(limbs=TRIAL_SKELETON.edges)
CHI2_3_95 = 7.814727903251179


def squared_distances(points, truth):
    """Squared Mahalanobis distances of observed and of filled points from the truth."""
    there = np.isfinite(points.xyz[:, 0, :, 0])
    error = (points.xyz[:, 0] - truth)[there]
    covariance = points.covariance[:, 0][there]
    distance = np.einsum("ni,ni->n", error, np.linalg.solve(covariance, error[..., None])[..., 0])
    status = points.status[:, 0][there]
    return distance[status == Status.OBSERVED], distance[status == Status.FILLED]


def share(distances):
    return float((np.concatenate(distances) < CHI2_3_95).mean())


def ring(n_cameras):
    return make_ring(5).select(["cam_1", "cam_2"]) if n_cameras == 2 else make_ring(n_cameras)


@pytest.mark.parametrize(("n_cameras", "limbs"), [(2, True), (3, True), (4, True), (6, True), (2, False), (6, False)])
def test_ellipsoids_hold_the_truth(n_cameras, limbs):
    """Five walks: one recording's errors hang together over some ten frames and share its learnt weights."""
    observed, settings = [], LIMBS if limbs else RefinementSettings()
    for seed in range(5):
        trial = make_trial(300, rig=ring(n_cameras), seed=seed, outliers=0.02 if n_cameras < 4 else 0.05)
        observed.append(squared_distances(reconstruct(trial.keypoints, trial.rig, settings).points, trial.xyz)[0])
    assert sum(map(len, observed)) > 15_000
    assert 0.93 <= share(observed) <= 0.97


@pytest.mark.parametrize("settings", [LIMBS, RefinementSettings()], ids=["limbs", "free"])
@pytest.mark.parametrize("kind", ["half of the views missing", "bursts"])
def test_ellipsoids_of_filled_points_hold_the_truth(kind, settings):
    observed, filled = [], []
    for seed in range(4):
        if kind == "bursts":
            trial = burst(make_trial(300, seed=seed), np.random.default_rng(seed))
        else:
            trial = make_trial(300, seed=seed, missing=0.5)
        made = squared_distances(reconstruct(trial.keypoints, trial.rig, settings).points, trial.xyz)
        observed.append(made[0])
        filled.append(made[1])
    assert sum(map(len, filled)) > 500
    assert 0.90 <= share(filled) <= 0.98
    assert 0.93 <= share(observed) <= 0.97


def burst(trial, rng):
    """Hide each keypoint from all cameras for up to twelve frames, five times."""
    xy = trial.keypoints.xy.copy()
    for k in range(xy.shape[3]):
        for first in rng.integers(10, 280, 5):
            xy[first : first + rng.integers(2, 13), :, 0, k] = np.nan
    return replace(trial, keypoints=replace(trial.keypoints, xy=xy))


def test_error_bars_grow_with_the_distance_from_data():
    trial = make_trial(300, seed=1)
    xy = trial.keypoints.xy.copy()
    xy[100:115, :, 0, 6] = np.nan
    points = reconstruct(replace(trial.keypoints, xy=xy), trial.rig).points
    sd = np.sqrt(np.trace(points.covariance[:, 0, 6], axis1=-2, axis2=-1))
    assert (points.status[100:115, 0, 6] == Status.FILLED).all()
    assert (np.diff(sd[99:108]) > 0).all()
    assert (np.diff(sd[107:116]) < 0).all()
    assert sd[107] > 4 * np.median(sd[150:])


def test_fewer_views_have_larger_error_bars():
    trial = make_trial(200, seed=2, missing=0.0)
    few = replace(trial.keypoints, xy=trial.keypoints.xy.copy())
    xy = few.xy.copy()
    xy[:, 2:, 0, 3] = np.nan
    all_views, two = (reconstruct(k, trial.rig).points.covariance[:, 0] for k in (trial.keypoints, replace(few, xy=xy)))
    ratio = np.trace(two, axis1=-2, axis2=-1) / np.trace(all_views, axis1=-2, axis2=-1)
    assert np.median(ratio[:, 3]) > 2
    assert 0.8 < np.median(np.delete(ratio, 3, axis=1)) < 1.25


def test_covariances_are_covariances():
    trial = make_trial(120, seed=3, missing=0.4)
    points = reconstruct(trial.keypoints, trial.rig, LIMBS).points
    there = points.status != Status.MISSING
    covariance = points.covariance[there]
    assert np.allclose(covariance, covariance.swapaxes(-1, -2), rtol=1e-9)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    assert np.isnan(points.covariance[~there]).all()


# --- cameras that are not exactly known


def unsure(rig, *, turn_rad=1e-3, shift_mm=2.0, focal_px=2.0, held=()):
    """All cameras but the first are turned and shifted by so much, and all refocused, independently."""
    free = [(c, place, focal_px) for c in range(len(rig)) for place in (0, 1)]
    for c in range(1, len(rig)):
        free += [(c, place, turn_rad) for place in (12, 13, 14)] + [(c, place, shift_mm) for place in (15, 16, 17)]
    camera, parameter, sd = zip(*(each for each in free if each[0] not in held), strict=True)
    return replace(rig, covariance=RigCovariance(np.diag(np.square(sd)), camera, parameter, rig.names))


def test_a_camera_that_is_known_exactly():
    """The reference camera with given intrinsics: nothing about it is uncertain."""
    trial = make_trial(60, rig=make_ring(3), seed=7)
    exact = reconstruct(trial.keypoints, trial.rig).points
    unsure_of_two = unsure(trial.rig, held=(0,))
    found = reconstruct(trial.keypoints, unsure_of_two).points
    there = exact.status == Status.OBSERVED
    assert (np.trace(found.covariance - exact.covariance, axis1=-2, axis2=-1)[there] > 0).all()


def test_uncertain_cameras_add_to_the_covariance():
    trial = make_trial(200, rig=make_ring(4), seed=4)
    exact = reconstruct(trial.keypoints, trial.rig, LIMBS).points
    some, double = (
        reconstruct(trial.keypoints, unsure(trial.rig, turn_rad=f * 1e-3, shift_mm=f * 2, focal_px=f * 2), LIMBS).points
        for f in (1, 2)
    )
    assert np.array_equal(exact.xyz, some.xyz, equal_nan=True)
    there = exact.status == Status.OBSERVED
    added = (some.covariance - exact.covariance)[there]
    assert (np.linalg.eigvalsh(added) > 0).all()
    np.testing.assert_allclose((double.covariance - exact.covariance)[there], 4 * added, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("samples", [0, 300])
def test_uncertain_cameras_count_as_much_as_they_move_points(samples):
    """Recordings seen by cameras that differ from the calibrated ones as the covariance says."""
    rig = unsure(make_ring(4), turn_rad=2e-3, shift_mm=4.0, focal_px=4.0)
    base = make_trial(40, rig=rig, seed=5, outliers=0.0, missing=0.0, noise_px=0.2)
    settings = RefinementSettings(samples=samples)
    made = reconstruct(base.keypoints, rig, settings)
    if samples:
        shift = made.samples.xyz[:, :, 0] - made.points.xyz[:, None, 0]
        found = np.einsum("fskx,fsky->kxy", shift, shift) / (shift.shape[0] * shift.shape[1])
    else:
        found = made.points.covariance[:, 0].mean(0)
    error = []
    for moved in rig_samples(rig, 40, np.random.default_rng(6)):
        seen = np.moveaxis(moved_rig(rig, moved).project(base.xyz), 2, 1)[:, :, None]
        seen = seen + (base.keypoints.xy - np.moveaxis(rig.project(base.xyz), 2, 1)[:, :, None])
        points = reconstruct(replace(base.keypoints, xy=seen), rig, views=ViewSettings(max_error_px=500.0)).points
        error.append(points.xyz[:, 0] - base.xyz)
    error = np.array(error)
    real = np.einsum("nfkx,nfky->kxy", error, error) / (error.shape[0] * error.shape[1])
    ratio = np.trace(real, axis1=-2, axis2=-1) / np.trace(found, axis1=-2, axis2=-1)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.25)
