"""What is filled, what stays missing, and that both are said."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pose3d.data import Status
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.reconstruction import RefinementSettings, ViewSettings, reconstruct
from pose3d.reconstruction.refinement.gaps import with_short_gaps

OBSERVED, FILLED, MISSING = int(Status.OBSERVED), int(Status.FILLED), int(Status.MISSING)
N = 200
HOLES = {  # keypoint: frames that no camera shows
    0: [(0, 7)],
    1: [(190, N)],
    2: [(50, 55), (56, 66)],  # 5 and 10 frames with one between
    3: [(80, 101)],
    4: [(80, 102)],
    5: [(0, N)],
    6: [(0, 60), (61, N)],  # seen once
    7: [(100, 140)],
}


@pytest.fixture(scope="module")
def holed():
    trial = make_trial(N, seed=8, outliers=0.0, missing=0.0)
    xy = trial.keypoints.xy.copy()
    for keypoint, holes in HOLES.items():
        for first, last in holes:
            xy[first:last, :, 0, keypoint] = np.nan
    return trial, replace(trial.keypoints, xy=xy, start=40)


def expected_status(max_gap):
    status = np.full((N, 20), OBSERVED)
    for keypoint, holes in HOLES.items():
        for first, last in holes:
            inside = first > 0 and last < N and last - first <= max_gap
            status[first:last, keypoint] = FILLED if inside else MISSING
    return status


@pytest.mark.parametrize("limbs", [(), TRIAL_SKELETON.edges], ids=["free", "limbs"])
@pytest.mark.parametrize("max_gap", [0, 4, 5, 21, 22, 500])
def test_gaps_up_to_the_limit_are_filled_and_no_others(holed, max_gap, limbs):
    trial, seen = holed
    points = reconstruct(seen, trial.rig, RefinementSettings(max_gap=max_gap, limbs=limbs)).points
    expected = expected_status(max_gap)
    assert np.array_equal(points.status[:, 0], expected)
    there = expected != MISSING
    for name in ("xyz", "covariance"):
        known = np.isfinite(getattr(points, name)[:, 0]).reshape(N, 20, -1)
        assert np.array_equal(known, np.broadcast_to(there[..., None], known.shape))
    assert np.array_equal(points.n_cameras[:, 0] > 0, expected == OBSERVED)
    assert np.array_equal(np.isfinite(points.error[:, 0]), expected == OBSERVED)


def test_no_gap_at_all_is_filled_where_none_may_be():
    trial = make_trial(150, seed=9, missing=0.5)
    points = reconstruct(trial.keypoints, trial.rig, RefinementSettings(max_gap=0)).points
    assert not (points.status == FILLED).any()
    assert (points.status == MISSING).sum() > 20
    assert np.array_equal(points.status == OBSERVED, np.isfinite(points.xyz[..., 0]))


def test_frames_from_data(holed):
    trial, seen = holed
    points = reconstruct(seen, trial.rig, RefinementSettings(max_gap=21)).points
    away = points.frames_from_data[:, 0]
    assert away[50:67, 2].tolist() == [1, 2, 3, 2, 1, 0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0]
    assert away[79:102, 3].tolist() == [0, *range(1, 12), *range(10, 0, -1), 0]
    assert np.isnan(away[:7, 0]).all()
    assert np.isnan(away[100:140, 7]).all()
    assert (away[:, 8:] == 0).all()
    assert points.start == 40


def test_filled_points_are_near_the_truth(holed):
    trial, seen = holed
    made = reconstruct(seen, trial.rig, RefinementSettings(max_gap=21, limbs=TRIAL_SKELETON.edges)).points
    error = np.linalg.norm(made.xyz[:, 0] - trial.xyz, axis=-1)
    filled = made.status[:, 0] == FILLED
    assert error[filled].max() < 25
    assert np.median(error[filled]) < 8


@pytest.mark.parametrize("max_gap", [0, 3, 10])
def test_random_holes(max_gap):
    """Whatever is missing: a point is filled in gaps of at most so many frames between observed ones, else missing."""
    trial = make_trial(220, seed=max_gap, missing=0.65, outliers=0.1)
    status = reconstruct(trial.keypoints, trial.rig, RefinementSettings(max_gap=max_gap)).points.status[:, 0]
    assert ((status == OBSERVED).mean(0) > 0.5).all()
    for track in status.T:
        expected = np.full(len(track), MISSING)
        at = np.flatnonzero(track == OBSERVED)
        expected[at] = OBSERVED
        for a, b in pairwise(at):
            if 0 < b - a - 1 <= max_gap:
                expected[a + 1 : b] = FILLED
        assert np.array_equal(track, expected)


def test_more_cameras_can_be_asked_for():
    """Points of fewer views are then no observed ones, but they are there."""
    trial = make_trial(120, seed=2, missing=0.4)
    two, three = (reconstruct(trial.keypoints, trial.rig, views=ViewSettings(min_cameras=n)).points for n in (2, 3))
    assert np.array_equal(two.xyz, three.xyz, equal_nan=True)
    changed = two.status != three.status
    assert changed.any()
    assert (two.status[changed] == OBSERVED).all()
    assert (three.status[changed] == FILLED).all()
    assert (three.n_cameras[changed] == 2).all()


@pytest.mark.parametrize("n_frames", [0, 1, 2, 7])
def test_gap_arithmetic_of_few_frames(n_frames):
    none = np.zeros((3, n_frames), dtype=bool)
    assert not with_short_gaps(none, 100).any()
    assert with_short_gaps(~none, 0).all()
