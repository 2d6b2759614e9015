"""pose3d report rehab: sessions of exercises become pages and tables, and what cannot be is one line."""

import numpy as np
import pytest

from pose3d.data import JointAngles
from pose3d.demo.exercise_scene import ExerciseScene, Occasion
from pose3d.demo.exercise_session import exercise_truth
from pose3d.io.anipose_csv import write_pose3d
from pose3d.project import write_config


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rehab")
    write_config(folder, {"project": {"fps": 25.0}, "gait": {"subject": "P07"}})
    days = {"week0": Occasion(), "again": Occasion(1), "week6": Occasion(2, 14.0), "other": Occasion(3)}
    for name, occasion in days.items():
        for exercise in ("squat", "reach"):
            truth = exercise_truth(ExerciseScene(2, exercise, 3, fps=25, occasion=occasion))
            trial = "morning" if name == "other" else exercise
            if name != "other" or exercise == "squat":
                write_pose3d(truth.points, folder / name / "pose-3d" / f"{trial}.csv")
    return folder


def test_sessions_become_a_report(project, pose3d, tmp_path):
    done = pose3d(
        *("report", "rehab", project / "week6", "--before", project / "week0", "-o", tmp_path, "--no-pdf", "--json"),
        *("--repeated", project / "week0", "--repeated", project / "again"),
        *("--earlier", f"2026-03-01={project / 'week0'}", "--date", "2026-04-12"),
    )
    assert done.code == 0, done.err
    told = done.json
    assert (told["subject"], told["grade"], told["session"]) == ("P07", "good", "week6")
    assert told["recordings"]["squat"]["repetitions"] == 3
    assert told["recordings"]["reach"]["repetitions"] == 6
    ranges = [each for each in told["changes"] if each["quantity"] == "range"]
    assert {each["exercise"] for each in ranges} == {"squat", "reach"}
    for each in ranges:
        assert 9 < each["difference"] < 19
        assert each["change"] == (each["difference"] > each["mdc"])
        assert "2 sessions of this person, 1 degree of freedom" in each["sem_source"]
    names = {path.name for path in tmp_path.iterdir()}
    assert {"rehab.html", "rehab.xlsx", "rehab-changes.csv", "rehab-trends.csv"} <= names
    assert "rehab.pdf" not in names
    page = (tmp_path / "rehab.html").read_text(encoding="utf-8")
    for title in ("Quality", "Squat", "Reach", "Before and after", "Over the sessions"):
        assert f"{title}</" in page


def test_without_a_standard_error_nothing_is_called_a_change(project, pose3d, tmp_path):
    done = pose3d(
        *("report", "rehab", project / "week6", "--before", project / "week0", "-o", tmp_path, "--no-pdf", "--json"),
    )
    assert {each["change"] for each in done.json["changes"]} == {None}
    assert "Whether anything changed cannot be told" in (tmp_path / "rehab.html").read_text(encoding="utf-8")
    given = pose3d(
        *("report", "rehab", project / "week6", "--before", project / "week0", "-o", tmp_path, "--no-pdf", "--json"),
        *("--sem", 9, "--sem-source", "retest of 12 people", "--trial", "squat"),
    )
    assert {each["change"] for each in given.json["changes"] if each["quantity"] == "range"} == {False}
    assert "retest of 12 people" in (tmp_path / "rehab.html").read_text(encoding="utf-8")


def test_a_recording_whose_name_tells_nothing_can_be_told(project, pose3d, tmp_path):
    done = pose3d("report", "rehab", project / "other", "-o", tmp_path, "--no-pdf")
    assert done.code == 1
    assert "morning: its name does not begin with squat" in done.err
    for told in ("morning=squat", "squat"):
        done = pose3d("report", "rehab", project / "other", "-o", tmp_path, "--no-pdf", "--exercise", told)
        assert done.code == 0, done.err
        assert "squat 3" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--sem", "3"], 2, "go together"),
        (["--repeated", "week0"], 2, "two sessions"),
        (["--exercise", "lunge"], 2, "no exercise here"),
        (["--earlier", "week0"], 2, "DATE=SESSION"),
        (["--date", "yesterday"], 2, "no day"),
        (["--earlier", "2026-03-01=week0"], 1, "needs the day of this one"),
        (["--trial", "lunges"], 1, "no recording 'lunges'"),
        (["--before", "nowhere"], 1, "nowhere"),
    ],
)
def test_wrong_use_is_told(project, pose3d, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(project)
    done = pose3d("report", "rehab", "week6", "-o", tmp_path, "--no-pdf", *arguments)
    assert done.code == code
    assert words in " ".join(done.err.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_angles_of_an_import_are_used(project, pose3d, tmp_path):
    from pose3d.io.anipose_csv import read_pose3d, write_angles
    from pose3d.io.imported import ImportRecord, import_path, write_import
    from pose3d.kinematics import joint_angles

    points = read_pose3d(project / "week0" / "pose-3d" / "squat.csv")
    write_pose3d(points, project / "vicon" / "pose-3d" / "squat.csv")
    angles = joint_angles(points)
    doubled = JointAngles(0.5 * np.array(angles.deg), angles.names, angles.individuals, fps=25.0)
    (project / "vicon" / "angles").mkdir(parents=True)
    write_angles(doubled, project / "vicon" / "angles" / "squat.csv")
    record = ImportRecord("squat.c3d", "0" * 64, "stored angles", 0, 25.0, ())
    write_import(record, import_path(project / "vicon" / "pose-3d" / "squat.csv"))
    ranges = []
    for session in ("vicon", "week0"):
        done = pose3d(
            "report", "rehab", project / session, "-o", tmp_path / session, "--no-pdf", "--json", "--trial", "squat"
        )
        assert done.code == 0, done.err
        ranges.append(done.json["recordings"]["squat"]["parts"]["both"]["range_deg"]["mean"])
    assert ranges[0] == pytest.approx(0.5 * ranges[1], rel=0.01)


def test_a_stretch_that_a_person_called_bad_loses_its_repetition(pose3d, tmp_path):
    write_config(tmp_path, {"project": {"fps": 25.0}})
    truth = exercise_truth(ExerciseScene(2, "squat", 3, fps=25))
    path = tmp_path / "monday" / "pose-3d" / "squat.csv"
    write_pose3d(truth.points, path)
    call = ("report", "rehab", tmp_path / "monday", "-o", tmp_path / "out", "--no-pdf", "--json")
    assert pose3d(*call).json["recordings"]["squat"]["repetitions"] == 3
    middle = truth.points.n_frames // 2
    stretch = f"{middle - 30}-{middle + 30}"
    assert pose3d("edits", path, "--bad", stretch, "--note", "the therapist stood there").code == 0
    done = pose3d(*call)
    assert done.json["recordings"]["squat"]["repetitions"] < 3
    page = (tmp_path / "out" / "rehab.html").read_text(encoding="utf-8")
    assert f"frames {middle - 30} to {middle + 30}: all keypoints bad (the therapist stood there)" in page
    assert "Corrected by a person: 1 bad stretch (61 frames)." in page
    assert pose3d("edits", path, "--undo").code == 0
    assert pose3d(*call).json["recordings"]["squat"]["repetitions"] == 3
