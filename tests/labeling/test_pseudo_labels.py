"""Pseudo labels: what the other views agree on lies where the truth is, and what they do not is not learnt from."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data.labels import Mark
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.labeling.pseudo_labels import PseudoLabelSettings, find_pseudo_labels
from pose3d.reconstruction import triangulate

WRIST = TRIAL_SKELETON.keypoints.index("RWrist")


@pytest.fixture(scope="module")
def trial():
    made = make_trial(200, outliers=0.0, missing=0.0, noise_px=1.0, seed=9)
    return replace(made, keypoints=replace(made.keypoints, score=np.full(made.keypoints.score.shape, 0.9)))


def test_a_view_that_missed_gets_the_place_that_the_others_agree_on(trial):
    xy, score = np.array(trial.keypoints.xy), np.array(trial.keypoints.score)
    xy[50:80, 1, 0, WRIST] += 90.0  # sure, and wrong
    score[120:140, 4, 0, WRIST] = 0.05  # not found
    keypoints = replace(trial.keypoints, xy=xy, score=score)
    found = find_pseudo_labels(keypoints, triangulate(keypoints, trial.rig), trial.rig)
    assert found.missed[50:80, 1, 0, WRIST].mean() > 0.9
    assert found.missed[120:140, 4, 0, WRIST].mean() > 0.9
    true = np.moveaxis(trial.rig.project(trial.xyz), 2, 1)[:, :, None]
    off = np.linalg.norm(found.xy - true, axis=-1)
    assert np.nanmax(off[found.missed]) < 6
    assert np.nanmedian(off[found.missed]) < 1.5
    others = found.missed.copy()
    others[50:80, 1, 0, WRIST] = others[120:140, 4, 0, WRIST] = False
    assert others.mean() < 0.002


def test_few_views_or_views_that_disagree_teach_nothing(trial):
    pair = trial.keypoints.select(trial.keypoints.cameras[:2])
    assert not find_pseudo_labels(pair, triangulate(pair, trial.rig), trial.rig).believed.any()
    believed = find_pseudo_labels(
        pair, triangulate(pair, trial.rig), trial.rig, settings=PseudoLabelSettings(min_cameras=2)
    ).believed
    assert believed.mean() > 0.8
    rng = np.random.default_rng(1)
    xy = np.array(trial.keypoints.xy)
    xy[:, :, 0, WRIST] += rng.normal(0, 60, xy[:, :, 0, WRIST].shape)
    noisy = replace(trial.keypoints, xy=xy)
    found = find_pseudo_labels(noisy, triangulate(noisy, trial.rig), trial.rig)
    assert found.believed[..., WRIST].mean() < 0.02


def test_a_point_that_jumps_is_not_believed(trial):
    xyz = np.array(trial.xyz)
    xyz[90, WRIST] += [300.0, 0.0, 0.0]
    xy = np.moveaxis(trial.rig.project(xyz), 2, 1)[:, :, None]
    keypoints = replace(trial.keypoints, xy=xy)
    found = find_pseudo_labels(keypoints, triangulate(keypoints, trial.rig), trial.rig)
    assert not found.believed[90, 0, WRIST]
    assert found.believed[:80, 0, WRIST].all()


def test_what_lies_out_of_an_image_is_left_unlabelled(trial):
    camera = trial.rig.cameras[0]
    narrow = replace(trial.rig, cameras=(replace(camera, size=(640, 1024)), *trial.rig.cameras[1:]))
    found = find_pseudo_labels(trial.keypoints, triangulate(trial.keypoints, trial.rig), narrow)
    outside = trial.rig.project(trial.xyz)[:, :, 0, 0] > 640
    assert outside.any()
    assert (found.mark[:, 0, 0][outside] == Mark.UNLABELLED).all()
    assert np.nanmax(found.xy[:, 0, ..., 0]) <= 639


def test_instants_are_chosen_where_views_missed_most(trial):
    score = np.array(trial.keypoints.score)
    score[30, 2, 0, :12] = score[160, 3, 0, :12] = 0.01
    keypoints = replace(trial.keypoints, score=score)
    found = find_pseudo_labels(keypoints, triangulate(keypoints, trial.rig), trial.rig)
    assert found.choose(2).tolist() == [30, 160]
    assert 160 not in found.choose(2, known=(160,))
    assert "missed" in found.lines()[0]


def test_wrong_names_are_mistakes_of_the_program(trial):
    points = triangulate(trial.keypoints, trial.rig)
    with pytest.raises(ValueError, match="frames"):
        find_pseudo_labels(trial.keypoints.frames(0, 5), points, trial.rig)
    with pytest.raises(ValueError, match="not in the rig"):
        find_pseudo_labels(trial.keypoints, points, replace(trial.rig, cameras=trial.rig.cameras[1:]))
    with pytest.raises(ValueError, match="two views"):
        PseudoLabelSettings(min_cameras=1)
