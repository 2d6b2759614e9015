"""Outliers: planted errors are found, for the right reason, spread over the recording."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data.keypoints import Keypoints2D
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.labeling.doubts import REASONS, DoubtSettings, judge_detections
from pose3d.labeling.outliers import find_outliers, spread_choice
from pose3d.labeling.queue import read_queue, write_queue
from pose3d.reconstruction import triangulate

EDGES = TRIAL_SKELETON.edges
KNEE = TRIAL_SKELETON.keypoints.index("LKnee")
PLANTED = [40, 120, 121, 210, 280]


@pytest.fixture(scope="module")
def trial():
    return make_trial(300, outliers=0.0, missing=0.03, noise_px=2.0, seed=4)


@pytest.fixture(scope="module")
def wrong(trial):
    """One knee in one camera is 70 px off in some instants."""
    xy, score = np.array(trial.keypoints.xy), np.array(trial.keypoints.score)
    xy[PLANTED, 2, 0, KNEE] = trial.rig.project(trial.xyz[PLANTED, KNEE])[:, 2] + [60.0, 35.0]
    score[PLANTED, 2, 0, KNEE] = 0.9
    return replace(trial.keypoints, xy=xy, score=score)


def test_views_that_disagree_come_first_and_are_named(trial, wrong):
    points = triangulate(wrong, trial.rig)
    found = find_outliers(wrong, n=4, points=points, rig=trial.rig, edges=EDGES)
    assert {40, 210, 280} < set(found.frames.tolist())
    assert set(found.frames.tolist()) <= set(PLANTED)
    assert (np.diff(found.score) <= 0).all()
    assert all(
        reason.startswith("LKnee in cam_3: ") and "px from where the other" in reason for reason in found.reasons
    )


def test_without_calibration_a_jump_tells_the_same(trial):
    xy = np.array(trial.keypoints.xy)
    xy[150, 1, 0, KNEE] += [80.0, 0.0]
    keypoints = replace(trial.keypoints, xy=xy, score=np.where(np.isnan(trial.keypoints.score), np.nan, 0.9))
    doubts = judge_detections(keypoints, edges=EDGES)
    assert doubts.by_reason[REASONS.index("jump"), 150, 1, 0, KNEE] > 0.6
    found = find_outliers(keypoints, n=2, edges=EDGES)
    reasons = dict(zip(found.frames.tolist(), found.reasons, strict=True))
    assert reasons[150].startswith("LKnee in cam_2: jumps")


def test_an_error_that_lasts_is_seen_by_the_other_views_only(trial):
    """From frame 100 to 199 a camera calls the left knee the right one, and is sure of it."""
    xy, names = np.array(trial.keypoints.xy), TRIAL_SKELETON.keypoints
    right = names.index("RKnee")
    xy[100:200, 0, 0, [KNEE, right]] = xy[100:200, 0, 0, [right, KNEE]]
    keypoints = replace(trial.keypoints, xy=xy, score=np.where(np.isnan(xy[..., 0]), np.nan, 0.95))
    doubts = judge_detections(keypoints, points=triangulate(keypoints, trial.rig), rig=trial.rig)
    disagree = doubts.by_reason[0, :, 0, 0, KNEE] > 0.5
    apart = np.linalg.norm(xy[:, 0, 0, KNEE] - xy[:, 0, 0, right], axis=-1) > 60
    assert disagree[100:200][apart[100:200]].mean() > 0.8
    assert disagree[:100].mean() < 0.02


def test_lengths_in_space_betray_a_point_that_all_views_agree_on(trial):
    xyz = np.array(trial.xyz)
    xyz[77, KNEE] += [0.0, 0.0, 220.0]
    xy = np.moveaxis(trial.rig.project(xyz), 2, 1)[:, :, None]
    keypoints = replace(trial.keypoints, xy=xy, score=np.full(xy.shape[:-1], 0.9))
    points = triangulate(keypoints, trial.rig)
    doubts = judge_detections(keypoints, points=points, rig=trial.rig, edges=EDGES)
    limb = REASONS.index("limb length")
    assert (doubts.by_reason[limb, 77, :, 0, KNEE] > 0.3).all()
    others = np.arange(300) != 77
    assert doubts.by_reason[limb, others].max() < 0.05


def test_what_a_camera_never_shows_is_not_missed(trial):
    score = np.full(trial.keypoints.score.shape, 0.9)
    score[:, 1, 0, 5] = 0.01
    score[10, 2, 0, 5] = 0.01
    doubts = judge_detections(replace(trial.keypoints, score=score))
    low = doubts.by_reason[REASONS.index("low score")]
    assert low[10, 2, 0, 5] > 0.2
    assert low[:, 1, 0, 5].max() == 0


def test_labelled_instants_and_their_neighbours_are_left_alone(trial, wrong):
    points = triangulate(wrong, trial.rig)
    allowed = np.ones(300, bool)
    allowed[[40, 210]] = False
    found = find_outliers(wrong, n=4, points=points, rig=trial.rig, known=[40, 210], allowed=allowed)
    assert not {40, 210} & set(found.frames.tolist())
    assert np.abs(found.frames[:, None] - [40, 210]).min() >= 8
    later = replace(wrong, start=1000)
    moved = find_outliers(later, n=4, points=replace(points, start=1000), rig=trial.rig, known=[1040, 1210])
    assert {1120, 1121} & set(moved.frames.tolist())
    assert moved.frames.min() >= 1000


def test_the_choice_is_spread_over_the_recording():
    rng = np.random.default_rng(0)
    score = rng.uniform(0, 1, 1000)
    score[500:520] = 5.0
    chosen = np.sort(spread_choice(score, 10))
    assert len(chosen) == 10
    assert np.diff(chosen).min() >= 10
    assert np.histogram(chosen, bins=5, range=(0, 1000))[0].min() >= 1
    assert ((chosen >= 500) & (chosen < 520)).sum() in (1, 2)


@pytest.mark.parametrize("n_frames", [0, 1, 2, 5])
def test_nothing_to_judge_chooses_nothing(n_frames):
    shape = (n_frames, 2, 1, 3)
    empty = Keypoints2D(np.full((*shape, 2), np.nan), np.full(shape, np.nan), ("a", "b"), ("one",), ("x", "y", "z"))
    found = find_outliers(empty, n=3, edges=[("x", "y")])
    assert len(found) == 0
    assert len(found.doubt) == n_frames
    assert "0 instants of 3" in found.lines()[0]


def test_one_frame_can_be_judged_by_its_views():
    trial = make_trial(1, outliers=0.0, missing=0.0, noise_px=0.5, seed=2)
    xy = np.array(trial.keypoints.xy)
    xy[0, 0, 0, 3] += 150
    keypoints = replace(trial.keypoints, xy=xy)
    found = find_outliers(keypoints, n=5, points=triangulate(keypoints, trial.rig), rig=trial.rig, edges=EDGES)
    assert found.frames.tolist() == [0]


def test_points_that_do_not_fit_are_a_mistake_of_the_program(trial):
    points = triangulate(trial.keypoints, trial.rig)
    with pytest.raises(ValueError, match="frames"):
        find_outliers(trial.keypoints.frames(0, 10), points=points, rig=trial.rig)
    with pytest.raises(ValueError, match="rig"):
        find_outliers(trial.keypoints, points=points)
    with pytest.raises(ValueError, match="weights"):
        DoubtSettings(weights=(1.0, 1.0))  # type: ignore[arg-type]


def test_the_labelling_page_reads_the_queue(trial, wrong, tmp_path):
    found = find_outliers(wrong, n=3, points=triangulate(wrong, trial.rig), rig=trial.rig)
    write_queue(found.items("monday/walk"), tmp_path / "queue.csv")
    back = read_queue(tmp_path / "queue.csv")
    assert [item.frame for item in back] == found.frames.tolist()
    assert [item.reason for item in back] == list(found.reasons)
