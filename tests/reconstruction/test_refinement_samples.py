"""Samples of the joint posterior: distributed as the covariances say, the same whichever run asks, and intervals."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data.samples import interval
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.reconstruction import Reconstructor, RefinementSettings, reconstruct
from pose3d.reconstruction.source import InMemory

NAMES = TRIAL_SKELETON.keypoints
SETTINGS = {
    "free": RefinementSettings(samples=200),
    "limbs": RefinementSettings(limbs=TRIAL_SKELETON.edges, samples=200),
}


@pytest.fixture(scope="module", params=["free", "limbs"])
def drawn(request):
    """A worker on a recording that is longer than its sample, and one run of it."""
    trial = make_trial(260, seed=20)
    worker = Reconstructor(InMemory(trial.keypoints), trial.rig, SETTINGS[request.param])
    learnt = worker.learn()
    return trial, worker, learnt, worker.run(20, 120, learnt)


def test_mean_and_covariance_are_those_of_the_points(drawn):
    _, _, _, run = drawn
    samples, points = run.samples, run.points
    assert samples.shape == (100, 200, 1, 20, 3)
    off = samples - points.xyz[:, None]
    sd = np.sqrt(np.trace(points.covariance, axis1=-2, axis2=-1))
    assert np.nanmax(np.linalg.norm(np.nanmean(off, axis=1), axis=-1) / sd) < 5 / np.sqrt(200)
    covariance = np.einsum("fsikx,fsiky->fikxy", off, off) / 200
    ratio = np.trace(covariance, axis1=-2, axis2=-1) / sd**2
    assert np.nanmean(ratio) == pytest.approx(1, abs=0.1)
    # each keypoint for itself, over 100 frames of which about twenty stand for themselves
    assert np.all(np.abs(np.nanmean(ratio, axis=(0, 1)) - 1) < 0.15)
    # the shape of the ellipsoids, not their size alone
    root = np.linalg.inv(np.linalg.cholesky(points.covariance))
    white = np.nanmean(root @ covariance @ root.swapaxes(-1, -2), axis=(0, 1, 2))
    np.testing.assert_allclose(white, np.eye(3), atol=0.12)


def test_neighbouring_frames_err_together(drawn):
    """Differences between frames are far better known than places."""
    _, _, _, run = drawn
    off = run.samples - run.points.xyz[:, None]
    step = np.diff(off, axis=0)
    assert np.nanmean(step**2) < 0.5 * np.nanmean(off**2)
    far = off[40:] - off[:-40]
    assert np.nanmean(far**2) == pytest.approx(2 * np.nanmean(off**2), rel=0.15)


def test_overlapping_runs_draw_the_same(drawn):
    _, worker, learnt, run = drawn
    other = worker.run(90, 200, learnt)
    assert np.nanmax(np.abs(other.samples[:30] - run.samples[70:])) < 0.1
    sd = np.nanstd(run.samples[70:], axis=1)
    assert np.nanmean(sd) > 0.3  # that they are near each other is not for want of a spread


def test_limbs_are_as_long_in_samples_as_in_truth():
    trial = make_trial(240, seed=21)
    pair = [NAMES.index("LHip"), NAMES.index("LKnee")]
    true_mm = np.linalg.norm(trial.xyz[:, pair[0]] - trial.xyz[:, pair[1]], axis=-1)
    spread = {}
    for kind, settings in SETTINGS.items():
        made = reconstruct(trial.keypoints, trial.rig, replace(settings, samples=60))
        xyz = made.samples.xyz[:, :, 0]
        length = np.linalg.norm(xyz[:, :, pair[0]] - xyz[:, :, pair[1]], axis=-1)
        spread[kind] = length.std(axis=1).mean()
        error = np.linalg.norm(made.points.xyz[:, 0, pair[0]] - made.points.xyz[:, 0, pair[1]], axis=-1) - true_mm
        assert 0.5 < np.sqrt(np.mean(error**2)) / spread[kind] < 1.6
    assert spread["limbs"] < 0.7 * spread["free"]


def test_seeds(drawn):
    trial, _, _, _ = drawn
    seen = trial.keypoints.frames(0, 60)
    one, same, other = (
        reconstruct(seen, trial.rig, RefinementSettings(samples=3, seed=seed)).samples.xyz for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same, equal_nan=True)
    assert np.nanmedian(np.abs(one - other)) > 0.1
    assert np.nanmedian(np.abs(one[:, 0] - one[:, 1])) > 0.1


def test_more_samples_begin_with_the_same_ones():
    trial = make_trial(50, seed=22)
    few, many = (reconstruct(trial.keypoints, trial.rig, RefinementSettings(samples=n)).samples.xyz for n in (2, 5))
    assert np.array_equal(few, many[:, :2], equal_nan=True)


def test_none_are_drawn_unless_asked_for():
    trial = make_trial(30, seed=22)
    assert reconstruct(trial.keypoints, trial.rig).samples is None


def test_missing_points_are_missing_in_all_samples():
    trial = make_trial(80, seed=23)
    xy = trial.keypoints.xy.copy()
    xy[30:, :, 0, 4] = np.nan
    made = reconstruct(replace(trial.keypoints, xy=xy), trial.rig, RefinementSettings(samples=4))
    gone = np.isnan(made.points.xyz)
    assert gone[30:, 0, 4].all()
    assert np.array_equal(np.isnan(made.samples.xyz), np.broadcast_to(gone[:, None], made.samples.xyz.shape))


def bends_deg(xyz):
    """Angles at knees, elbows and shoulders of points (..., 20, 3)."""
    out = []
    for side in "LR":
        for names in (("Hip", "Knee", "Ankle"), ("Shoulder", "Elbow", "Wrist"), ("Knee", "Ankle", "BigToe")):
            a, b, c = (xyz[..., NAMES.index(side + name), :] for name in names)
            u, v = a - b, c - b
            cosine = (u * v).sum(-1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)
            out.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.stack(out, axis=-1)


@pytest.fixture(scope="module", params=["free", "limbs"])
def many(request):
    """Angles of twelve walks: true, of the refined points, and of samples."""
    out = []
    for seed in range(12):
        trial = make_trial(150, seed=30 + seed)
        made = reconstruct(trial.keypoints, trial.rig, replace(SETTINGS[request.param], samples=40))
        angles = (trial.xyz, made.points.xyz[:, 0], np.moveaxis(made.samples.xyz[:, :, 0], 1, 0))
        out.append([bends_deg(xyz[..., 5:145, :, :]) for xyz in angles])  # what lies before the first view is missing
        assert all(np.isfinite(values).all() for values in out[-1])
    return out


@pytest.mark.slow
def test_angles_lie_within_their_intervals(many):
    held = []
    for truth, _, drawn in many:
        low, high = interval(drawn)
        held.append((low < truth) & (truth < high))
    assert 0.92 <= np.mean(held) <= 0.98


@pytest.mark.slow
def test_changes_of_angles_lie_within_their_intervals(many):
    """Between frames a tenth of a second apart, whose errors hang together."""
    held = []
    for truth, _, drawn in many:
        low, high = interval(drawn[:, 10:] - drawn[:, :-10])
        change = truth[10:] - truth[:-10]
        held.append((low < change) & (change < high))
    assert 0.91 <= np.mean(held) <= 0.99


@pytest.mark.slow
def test_ranges_of_motion_lie_within_their_intervals(many):
    """An extreme of what is uncertain is too far out, and a sample's farther: the interval is reflected.

    What samples add to the estimate's range is what the estimate has added to the true one (the basic bootstrap).
    """
    held, width, off = [], [], []
    for truth, estimate, drawn in many:
        low, high = interval(np.ptp(drawn, axis=1))
        at, true = np.ptp(estimate, axis=0), np.ptp(truth, axis=0)
        held.append((2 * at - high < true) & (true < 2 * at - low))
        width.append(high - low)
        off.append(at - true)
    assert 0.86 <= np.mean(held) <= 1.0  # of 72, which hang together a little
    assert np.median(width) < 6 * np.median(np.abs(off))  # one that is far too wide would hold it too
