"""pose3d repetitions: from points or angles to counted repetitions, and one line where that cannot be."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import JointAngles, Keypoints3D
from pose3d.demo.exercise_scene import ExerciseScene
from pose3d.demo.exercise_session import exercise_truth
from pose3d.io.anipose_csv import write_angles, write_pose3d
from pose3d.io.c3d_writer import write_c3d


@pytest.fixture(scope="module")
def squats(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squats")
    truth = exercise_truth(ExerciseScene(2, "squat", 3, fps=25))
    write_pose3d(truth.points, folder / "squat.csv")
    write_angles(truth.angles, folder / "angles.csv")
    shutil.copy(folder / "angles.csv", folder / "bare.csv")  # without what lies beside
    return folder, truth


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_joint_centres_of_a_laboratory_become_repetitions(squats, pose3d, tmp_path):
    """A C3D whose points are the hip, knee and ankle centres of another model, without segment axes."""
    _, truth = squats
    kept = [i for i, name in enumerate(truth.points.keypoints) if name[1:] in ("Hip", "Knee", "Ankle")]
    ends = {"Hip": "HJC", "Knee": "KJC", "Ankle": "AJC"}
    names = [name[0] + ends[name[1:]] for name in (truth.points.keypoints[i] for i in kept)]
    markers = Keypoints3D.from_points(truth.points.xyz[:, :, kept], names, ("one",), fps=truth.points.fps)
    write_c3d(markers, tmp_path / "squat.c3d")
    done = pose3d("repetitions", tmp_path / "squat.c3d", "--exercise", "squat", "-o", tmp_path / "r.csv")
    assert done.code == 0, done.err
    assert "squat: 3 repetitions, 1 broken off" in done.out


def test_points_become_repetitions(squats, pose3d, tmp_path):
    folder, truth = squats
    done = pose3d("repetitions", folder / "squat.csv", "--exercise", "squat", "-o", tmp_path / "r.csv")
    assert done.code == 0
    assert "squat: 3 repetitions, 1 broken off" in done.out
    assert "broken off, not counted" in done.out
    assert "down" in done.out
    assert "bends less by" in done.out
    table = rows(tmp_path / "r.csv")
    assert len(table) == 4 * 3
    assert [row["counted"] for row in table[:4]] == ["no" if each.aborted else "yes" for each in truth.repetitions]
    both = [row for row in table if row["part"] == "both"]
    for row, planned in zip(both, truth.repetitions, strict=True):
        assert (
            planned.start_s < float(row["start_s"]) < float(row["turn_s"]) < float(row["end_s"]) < planned.end_s + 0.1
        )
        assert row["range_deg_low"] == ""  # no samples
        assert float(row["out_s"]) + float(row["hold_s"]) + float(row["back_s"]) == pytest.approx(
            float(row["time_s"]), abs=3e-4
        )


def test_angles_give_the_same_and_json_says_it(squats, pose3d, tmp_path):
    folder, _ = squats
    first = pose3d("repetitions", folder / "squat.csv", "--exercise", "squat", "-o", tmp_path / "a.csv", "--json")
    second = pose3d(
        "repetitions", folder / "bare.csv", "--exercise", "squat", "-o", tmp_path / "b.csv", "--json", "--fps", 25
    )
    a, b = (json.loads(done.out)["individuals"] for done in (first, second))
    (a,), (b,) = a.values(), b.values()
    assert (a["repetitions"], a["aborted"], a["cut_off"], a["samples"]) == (3, 1, 0, 0)
    assert a["parts"]["both"]["range_deg"]["mean"] == pytest.approx(b["parts"]["both"]["range_deg"]["mean"], abs=0.05)
    assert a["left_minus_right"]["range_deg"]["real"] == b["left_minus_right"]["range_deg"]["real"]
    assert a["parts"]["left"]["peak_deg"]["cv_percent"] is None
    assert len(a["each"]) == 12


def test_an_exercise_of_ones_own_by_its_angle(pose3d, tmp_path):
    time = np.arange(0, 8, 0.02)
    deg = 60 + 30 * np.cos(2 * np.pi * time / 2)
    write_angles(JointAngles(deg[:, None, None], ("beak",), ("bird",), fps=50), tmp_path / "beak.csv")
    done = pose3d(
        "repetitions", tmp_path / "beak.csv", "--angle", "beak", "--smaller", "--fps", 50, "-o", tmp_path / "r.csv"
    )
    assert done.code == 0
    assert "beak: 4 repetitions" in done.out
    assert [float(row["peak_deg"]) for row in rows(tmp_path / "r.csv")] == pytest.approx([30] * 4, abs=0.5)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["squat.csv"], 2, "which one"),
        (["squat.csv", "--exercise", "squat", "--smaller"], 2, "goes with --angle"),
        (["squat.csv", "--exercise", "lunge"], 1, "'lunge' is not known"),
        (["squat.csv", "--angle", "tail"], 1, "needs tail; there is hip_flexion_trunk_l"),
        (["bare.csv", "--exercise", "squat"], 1, "frame rate is unknown"),
        (["absent.csv", "--exercise", "squat"], 1, "absent.csv"),
        (["squat.csv", "--exercise", "squat", "--cutoff-hz", "40"], 1, "cutoff"),
    ],
)
def test_what_cannot_be_is_one_line(squats, pose3d, tmp_path, arguments, code, words):
    folder, _ = squats
    done = pose3d("repetitions", folder / arguments[0], *arguments[1:], "-o", tmp_path / "r.csv")
    assert done.code == code
    assert words in done.err.replace("\n", " ")
    if code == 1:
        assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "r.csv").exists()


def test_somebody_who_stands_still_has_no_repetition(squats, pose3d, tmp_path):
    _, truth = squats
    still = truth.points.xyz[:1].repeat(100, axis=0)
    shape = still.shape[:3]
    points = replace(
        truth.points,
        xyz=still,
        error=np.zeros(shape),
        n_cameras=np.full(shape, 4),
        score=np.ones(shape),
        status=truth.points.status[:1].repeat(100, axis=0),
    )
    write_pose3d(points, tmp_path / "still.csv")
    done = pose3d("repetitions", tmp_path / "still.csv", "--exercise", "reach", "-o", tmp_path / "r.csv")
    assert done.code == 0
    assert "no repetition of shoulder_flexion" in done.out
    assert (tmp_path / "r.csv").read_text(encoding="utf-8").startswith("exercise,part,repetition")
