"""The real steps on the demo session: what a second run, a threshold, a deleted file and a touched file cause."""

import os
import shutil

import numpy as np
import pytest

from pose3d.batch import plan, require_current, run_session
from pose3d.errors import ProjectError
from pose3d.io.anipose_csv import read_angles, read_pose3d
from pose3d.io.rigs import load_rig
from pose3d.project import Project, cam_regex_for, write_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The demo session, calibrated, triangulated, with angles and exports: once for all tests here."""
    from pose3d.demo import make_session

    folder = tmp_path_factory.mktemp("demo") / "läufer 1"
    truth = make_session(folder, seed=0, n_frames=40)
    board = truth.board
    settings = {
        "project": {"cam_regex": cam_regex_for(truth.rig.names)},
        "board": {
            "kind": board.kind,
            "squares": board.squares,
            "square_mm": board.square_mm,
            "marker_mm": board.marker_mm,
            "dictionary": board.dictionary,
        },
    }
    write_config(folder, settings, overwrite=True)
    (session,) = Project.load(folder).sessions()
    outcomes = run_session(session)
    assert [outcome.status for outcome in outcomes] == ["done"] * len(outcomes), [str(item) for item in outcomes]
    assert [outcome.step for outcome in outcomes] == ["calibrate", "triangulate", "angles", "export"]
    return folder


@pytest.fixture
def session(made, tmp_path):
    """A copy of it."""
    shutil.copytree(made, tmp_path / made.name)
    (session,) = Project.load(tmp_path / made.name).sessions()
    return session


def done(session):
    return [outcome.step for outcome in run_session(session) if outcome.status == "done"]


def change(session, old, new):
    """Change a line of the project's settings and load the session again."""
    path = session.project.config_path
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return Project.load(path).session(session.folder)


def results(session):
    (trial,) = session.trials()
    side = trial.pose_3d.with_name("walk.uncertainty.csv")
    return [session.calibration_toml, session.calibration_uncertainty, trial.pose_3d, side, trial.angles, trial.trc]


def test_second_run_does_nothing(session):
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in results(session)]
    assert {outcome.status for outcome in run_session(session)} == {"up to date"}
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in results(session)] == before


def test_a_threshold_redoes_only_what_depends_on_it(session):
    session = change(session, "# score_threshold = 0.05", "score_threshold = 0.6")
    with pytest.raises(
        ProjectError,
        match=r"angles.walk\.csv: is stale: triangulate walk: setting triangulation\.score_threshold: 0\.05 -> 0\.6",
    ):
        require_current(session, "angles")
    assert done(session) == ["triangulate", "angles", "export"]
    assert done(session) == []


def test_deleted_results_come_back_the_same(session):
    for path in results(session):
        before = path.read_bytes()
        path.unlink()
        assert len(done(session)) == 1
        assert path.read_bytes() == before


def test_touched_files_cause_nothing(session):
    for path in session.folder.rglob("*"):
        os.utime(path)
    assert {item.reason for item in plan(session)} == {"up to date"}
    assert done(session) == []


def test_refinement_is_nearer_to_the_truth(session):
    """In every figure: points, and the angles of hips, knees and ankles."""
    from pose3d.demo import evaluate, load_truth

    truth, rig = load_truth(session.project.folder), load_rig(session.calibration_toml)
    assert rig.covariance is not None  # written by the calibration, and part of every point's
    (trial,) = session.trials()

    def judge():
        return evaluate(truth, rig=rig, points=read_pose3d(trial.pose_3d), angles=read_angles(trial.angles))

    refined = judge()
    assert done(change(session, "# refine = true", "refine = false")) == ["triangulate", "angles", "export"]
    alone = judge()
    assert refined.points.median_mm < 0.8 * alone.points.median_mm
    assert refined.points.p95_mm < 0.8 * alone.points.p95_mm
    assert refined.points.n_missing <= alone.points.n_missing
    better = [refined.angles[name].rms_deg / error.rms_deg for name, error in alone.angles.items()]
    assert len(better) == 6
    assert np.median(better) < 0.85
    assert max(better) < 1
