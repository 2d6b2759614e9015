"""Exercises of the demo: bodies that hold together, and repetitions as they were planned."""

import numpy as np
import pytest

from pose3d.batch.exercises import exercise_from_points
from pose3d.demo.exercise_scene import EXERCISES, ExerciseScene
from pose3d.demo.exercise_session import exercise_truth
from pose3d.demo.furniture import hidden_by_boxes
from pose3d.kinematics import joint_angles
from pose3d.kinematics.exercises import EXERCISES as KNOWN

LIMBS = [("Hip", "Knee"), ("Knee", "Ankle"), ("Ankle", "Heel"), ("Shoulder", "Elbow"), ("Elbow", "Wrist")]


def place(scene, name):
    return scene.xyz[:, scene.skeleton.keypoints.index(name)]


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("seed", range(5))
def test_limbs_keep_their_length_and_feet_their_place(exercise, seed):
    scene = ExerciseScene(seed, exercise, 2)
    for side in "LR":
        for a, b in LIMBS:
            length = np.linalg.norm(place(scene, side + a) - place(scene, side + b), axis=-1)
            assert np.ptp(length) < 1e-6
        assert np.ptp(place(scene, side + "Ankle"), axis=0).max() < 1e-6
        toe = place(scene, side + "BigToe")
        assert np.ptp(toe, axis=0).max() < 25  # feet turn a little below knees that go outwards
        assert 0 < toe[:, 2].min() < toe[:, 2].max() < 60
    angles = joint_angles(exercise_truth(scene).points)
    deg = {name: angles.deg[:, 0, i] for i, name in enumerate(angles.names)}
    for side in "lr":
        assert deg[f"knee_flexion_{side}"].min() > -1  # legs reach the floor
        assert np.abs(deg[f"hip_adduction_{side}"]).max() < 20
        assert -15 < deg[f"ankle_dorsiflexion_{side}"].min() < deg[f"ankle_dorsiflexion_{side}"].max() < 45


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("seed", range(5))
def test_true_repetitions_are_those_that_were_planned(exercise, seed):
    scene = ExerciseScene(seed, exercise, 3)
    truth = exercise_truth(scene)
    study = exercise_from_points(truth.points, KNOWN[exercise], cutoff_hz=None)
    assert (study.count, study.aborted, study.cut_off) == (truth.count(), 1, 0)
    for part in study.leading:
        planned = [each for each in scene.repetitions if each.side in (None, part.name)]
        own = part.repetitions
        assert own.aborted.tolist() == [each.aborted for each in planned]
        # half-way out and back, where sway matters least, is half-way in time
        middle = [each.start_s + each.out_s / 2 for each in planned], [each.end_s - each.back_s / 2 for each in planned]
        np.testing.assert_allclose((own.start_s + own.hold_s) / 2, middle[0], atol=0.08)
        np.testing.assert_allclose((own.end_s + own.back_s) / 2, middle[1], atol=0.08)
    difference = study.compare().difference
    assert abs(difference) > 4
    assert (difference < 0) == (scene.habits.weaker == 0)


def test_the_seat_is_under_the_person_and_hides_what_is_behind():
    scene = ExerciseScene(3, "sit_to_stand", 2)
    (stool,) = scene._boxes
    hips = place(scene, "Hip")[0]
    assert abs(hips[2] - stool.size[2] - 0.055 * scene._height) < 10
    assert np.linalg.norm(hips[:2] - stool.center[:2]) < 60
    frames = np.array([0, 60])
    hidden = scene.hidden(frames)
    behind = np.stack([hidden_by_boxes(scene._boxes, camera.center, scene.xyz[frames]) for camera in scene.rig], 1)
    assert behind.any()
    assert hidden[behind].all()
    camera = scene.rig.cameras[0]
    image = next(scene.frames(0, [60], background=scene.background(0)))
    empty = scene.background(0)
    x, y = camera.project(stool.center + np.array([0, 0, stool.size[2] / 2 - 20])).astype(int)
    assert np.abs(image[y, x].astype(int) - empty[y, x]).max() > 15


def test_the_same_seed_is_the_same_exercise_and_another_is_not():
    a, b, c = (ExerciseScene(seed, "squat", 2).xyz for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert a.shape != c.shape or not np.array_equal(a, c)
    assert np.abs(ExerciseScene(1, "reach", 2).xyz[0] - a[0]).max() > 1
