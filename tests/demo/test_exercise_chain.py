"""Exercises through the chain against their truth: counted exactly, ranges within 2 degrees, tempo within 3 %."""

import numpy as np
import pytest

from pose3d import RefinementSettings, Skeleton, ViewSettings, load_keypoints, reconstruct
from pose3d.batch.exercises import exercise_from_points
from pose3d.demo import install_network
from pose3d.demo.exercise_evaluation import compare_exercise, true_study
from pose3d.demo.exercise_scene import EXERCISES, ExerciseScene
from pose3d.demo.exercise_session import exercise_truth, make_exercise_session, simulate_exercise
from pose3d.kinematics.exercises import EXERCISES as KNOWN
from pose3d.network.analysis import analyze_video

SKELETON = Skeleton.preset("halpe26")


def measured(keypoints, truth, samples=0):
    settings = RefinementSettings(limbs=SKELETON.edges, samples=samples)
    made = reconstruct(keypoints, truth.rig, settings, views=ViewSettings(pairs=SKELETON.pairs))
    return exercise_from_points(made.points, KNOWN[truth.exercise], samples=made.samples)


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("seed", [0, 1])
def test_from_detections_with_noise_and_gross_errors(exercise, seed):
    truth = exercise_truth(ExerciseScene(seed, exercise, 4))
    error = compare_exercise(truth, measured(simulate_exercise(truth), truth))
    assert (error.count, error.aborted) == (error.true_count, error.true_aborted) == (truth.count(), 1)
    assert error.range_deg < 2.0
    assert error.mean_range_deg < 1.0
    assert error.tempo_percent < 3.0
    assert error.side_is_right
    assert abs(error.difference_deg - error.true_difference_deg) < 1.0


@pytest.mark.slow
def test_intervals_of_ranges_hold_the_truth():
    held = []
    for seed in (2, 3, 4):
        truth = exercise_truth(ExerciseScene(seed, "squat", 4, fps=25))
        study, true = measured(simulate_exercise(truth), truth, samples=60), true_study(truth)
        for name in ("l", "r"):
            ranges, exact = study.parts[name].values["range"], true.parts[name].values["range"].value
            held.append((ranges.low <= exact) & (exact <= ranges.high))
        found, sides = study.compare(), true.compare()
        assert found.low <= sides.difference <= found.high
    assert 0.75 <= np.mean(held) <= 1.0


@pytest.mark.slow
def test_from_rendered_clips_by_the_demos_own_network(tmp_path):
    """The squat; the others take minutes, and are in benchmarks/exercises.py."""
    exercise = "squat"
    truth = make_exercise_session(tmp_path, seed=5, exercises=(exercise,), n=2, fps=20)[exercise]
    network = install_network(tmp_path / "network")
    files = {}
    for name in truth.rig.names:
        files[name] = tmp_path / f"{exercise}_{name}.h5"
        analyze_video(tmp_path / "exercises" / "videos-raw" / f"{exercise}_{name}.mp4", network, files[name])
    error = compare_exercise(truth, measured(load_keypoints(files, fps=20), truth))
    assert (error.count, error.aborted) == (error.true_count, error.true_aborted)
    assert error.side_is_right
    assert error.mean_range_deg < 2.0
    assert error.tempo_percent < 3.0
