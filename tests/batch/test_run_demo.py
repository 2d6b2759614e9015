"""The real steps on the demo session: what a second run, a threshold, a deleted file and a touched file cause."""

import os
import shutil

import pytest

from pose3d.batch import plan, require_current, run_session
from pose3d.errors import ProjectError
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
    return [session.calibration_toml, trial.pose_3d, trial.angles, trial.trc]


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
