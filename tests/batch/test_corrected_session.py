"""A session with an edits.toml: its steps know of it, points and reports hold it, and the inputs stay as they are."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.batch import run_session
from pose3d.batch.corrections import correct_angles, correct_points
from pose3d.batch.gait_report import report_gait
from pose3d.batch.gait_study import study_session
from pose3d.batch.importing import import_recording
from pose3d.batch.walks import WalkFiles, measure_files
from pose3d.data import Keypoints3D, Skeleton, Status
from pose3d.data.edited import edit_views
from pose3d.data.edits import AddedEvent, BadStretch, DeletedEvent, Edits, MovedEvent, Remark, SwappedSides
from pose3d.data.samples import PosteriorSamples
from pose3d.demo.person import make_person
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.demo.walk import walk_body
from pose3d.errors import FormatError
from pose3d.io.anipose_csv import read_pose3d, write_pose3d
from pose3d.io.calibration_toml import write_calibration
from pose3d.io.dlc import write_dlc
from pose3d.io.edits import EditLog, read_edits, write_edits
from pose3d.project import Project, Session, write_config
from pose3d.project.edits import PointEdits, locate_edits, point_edits

N, FIRST, LAST = 90, 30, 59
NAMES = TRIAL_SKELETON.keypoints
SKELETON = {
    "keypoints": list(NAMES),
    "edges": [list(edge) for edge in TRIAL_SKELETON.edges],
    "pairs": [list(pair) for pair in TRIAL_SKELETON.pairs],
}


@pytest.fixture(scope="module")
def walk():
    return make_trial(N, seed=5)


@pytest.fixture
def folder(tmp_path, walk):
    """A session with two trials, in one of which all cameras show the sides exchanged for a while."""
    folder = tmp_path / "Projekt ß" / "monday"
    (folder / "calibration").mkdir(parents=True)
    write_calibration(walk.rig, folder / "calibration" / "calibration.toml")
    crossed = edit_views(walk.keypoints, Edits().add(SwappedSides(FIRST, LAST)), TRIAL_SKELETON.pairs)
    for trial, keypoints in (("walk", crossed), ("walk_2", walk.keypoints)):
        for name in keypoints.cameras:
            write_dlc(keypoints.select([name]), folder / "pose-2d" / f"{trial}_{name}.csv")
    settings(folder)
    return folder


def settings(folder, **views):
    tables = {
        "project": {"fps": 100.0, "cam_regex": "_(cam_[0-9]+)$"},
        "skeleton": SKELETON,
        "triangulation": {"samples": 0, **views},
    }
    write_config(folder.parent, tables, overwrite=True)


def run(folder):
    """Triangulate; return what was done, by trial."""
    outcomes = run_session(Session.load(folder), only=("triangulate",))
    for outcome in outcomes:
        assert outcome.error is None, outcome
    return {outcome.trial: outcome for outcome in outcomes}


def sided(folder, walk):
    """Errors of the keypoints with a side, in the stretch."""
    found = read_pose3d(folder / "pose-3d" / "walk.csv")
    error = np.linalg.norm(found.xyz[:, 0] - walk.xyz, axis=-1)
    return error[FIRST : LAST + 1, [name[0] in "LR" for name in NAMES]]


@pytest.mark.parametrize("robust", [True, False])
def test_a_trial_is_done_anew_when_its_own_corrections_change(folder, walk, robust):
    settings(folder, robust=robust)
    inputs = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {outcome.status for outcome in run(folder).values()} == {"done"}
    assert np.nanmedian(sided(folder, walk)) > 100
    made = {path: path.read_bytes() for path in (folder / "pose-3d").iterdir()}
    log = EditLog(Session.load(folder).edits_toml, "walk")
    log.append(SwappedSides(FIRST, LAST, note="crossed in all cameras"))
    log.append(BadStretch(70, 75, ("Nose",)))
    done = run(folder)
    assert (done["walk"].status, done["walk_2"].status) == ("done", "up to date")
    assert done["walk"].reason == "corrections in edits.toml changed"
    assert "Corrected by a person: 1 bad stretch (6 frames), 1 stretch with left" in " ".join(done["walk"].lines)
    assert np.nanmedian(sided(folder, walk)) < (2 if robust else 10)
    points = read_pose3d(folder / "pose-3d" / "walk.csv")
    assert (points.status[70:76, 0, NAMES.index("Nose")] == Status.MISSING).all()
    log.append(Remark("nothing to be done", 3, 4))
    log.append(MovedEvent("L", "strike", 0.2, 0.25))
    EditLog(log.path, "another").append(BadStretch(0, 5))
    assert {outcome.status for outcome in run(folder).values()} == {"up to date"}
    while log.undo():
        pass
    assert run(folder)["walk"].status == "done"
    assert made == {path: path.read_bytes() for path in (folder / "pose-3d").iterdir()}
    assert inputs == {path: path.read_bytes() for path in inputs}


def test_a_damaged_file_stops_the_run_in_one_line(folder):
    (folder / "edits.toml").write_text("format = 1\n[[trials.walk.edits]]\nwhat = 'bad'\n")
    with pytest.raises(FormatError, match="trial walk: edits: entry 1: what = 'bad' is not known"):
        run(folder)
    assert not (folder / "pose-3d").exists()


def test_what_the_points_do_not_hold_is_found(folder):
    run(folder)
    csv = folder / "pose-3d" / "walk.csv"
    swap, bad = SwappedSides(FIRST, LAST), BadStretch(70, 75, ("Nose",))
    log = EditLog(*locate_edits(csv)[:2])
    assert log.path == folder / "edits.toml"
    log.append(swap)
    assert point_edits(csv).due.entries == (swap,)
    run(folder)
    assert point_edits(csv).due == Edits()
    assert len(point_edits(csv).edits) == 1
    log.append(bad)
    stale = ("The points were made before the last corrections; pose3d run brings them up to date",)
    assert point_edits(csv) == PointEdits(log.edits, Edits().add(bad), stale)
    log.undo()
    log.undo()
    assert point_edits(csv).due.entries == (swap,)  # exchanged once more, as before
    log.append(BadStretch(1, 2, camera="cam_1"))
    found = point_edits(csv)
    assert found.remarks == stale
    assert found.due.entries == (swap,)
    assert locate_edits(folder / "pose-3d" / "walk_2.csv").trial == "walk_2"
    assert locate_edits(folder / "pose-3d" / "walk_2_anna.csv")[1:3] == ("walk_2", "anna")
    assert locate_edits(folder / "elsewhere.csv").path.name == "elsewhere.edits.toml"


FPS, HALPE = 100.0, Skeleton.preset("halpe26")


@pytest.fixture
def gait(tmp_path):
    """A session with a walk that no triangulation made, as imported ones."""
    write_config(tmp_path, {"skeleton": {"preset": "halpe26"}}, overwrite=True)
    rng = np.random.default_rng(0)
    _, _, frames = walk_body(make_person(np.random.default_rng(7)), n_frames=500, fps=FPS, rng=rng)
    xyz = frames.keypoints(HALPE)[:, None] + rng.normal(0, 0.3, (500, 1, 26, 3))
    folder = tmp_path / "tuesday"
    (folder / "pose-3d").mkdir(parents=True)
    write_pose3d(Keypoints3D.from_points(xyz, HALPE.keypoints, ("one",), fps=FPS), folder / "pose-3d" / "walk.csv")
    return folder


def study(folder):
    found = study_session(Session.load(folder))
    return found.study.trials[0].gait, found.recordings[0]


def test_a_moved_event_changes_the_strides_beside_it(gait, tmp_path):
    before, facts = study(gait)
    assert facts.edits == ()
    strikes = before.events.times("L", "strike")
    edits = Edits().add(MovedEvent("L", "strike", strikes[1], strikes[1] + 0.04, note="toe first"))
    write_edits({"walk": edits}, gait / "edits.toml")
    inputs = {path: path.read_bytes() for path in gait.rglob("*") if path.is_file()}
    after, facts = study(gait)
    times = [own.sides["L"].parameters["stride_time"] for own in (before, after)]
    np.testing.assert_allclose(times[1][:2] - times[0][:2], [0.04, -0.04], atol=1e-6)
    np.testing.assert_allclose(times[1][2:], times[0][2:])
    right = [own.sides["R"].parameters["stride_time"] for own in (before, after)]
    np.testing.assert_array_equal(*right)
    assert facts.events == "found from heels and toes, corrected by a person"
    made = report_gait(Session.load(gait), tmp_path / "out", pdf=False)
    page = (tmp_path / "out" / "gait.html").read_text("utf-8")
    line = f"L strike moved from {strikes[1]:.3f} s to {strikes[1] + 0.04:.3f} s (toe first)"
    assert line in page
    assert "Corrected by a person" in page
    assert page.count("<image") == 1, "the walker, who is painted"
    assert "walk: the first right stride that counts" in page
    assert any(path.name == "gait-corrections.csv" and line in path.read_text("utf-8") for path in made.outputs)
    assert "Corrected by a person: 1 event moved." in " ".join(made.verdict.lines)
    assert inputs == {path: path.read_bytes() for path in inputs}


def test_strides_are_lost_and_found_with_their_events(gait):
    before, _ = study(gait)
    strikes = before.events.times("R", "strike")
    n = len(before.sides["R"].strides)
    log = EditLog(gait / "edits.toml", "walk")
    log.append(DeletedEvent("R", "strike", strikes[1]))
    assert len(study(gait)[0].sides["R"].strides) == n - 1
    log.append(AddedEvent("R", "strike", strikes[1] + 0.01))
    again = study(gait)[0]
    assert len(again.sides["R"].strides) == n
    assert again.events.times("R", "strike")[1] == pytest.approx(strikes[1] + 0.01)
    log.append(MovedEvent("R", "strike", 1000.0, 1001.0))  # beyond the end
    beyond, facts = study(gait)
    assert any("there is none any more at 1000.000 s" in remark for remark in facts.remarks)
    assert beyond.sides["R"].strides.kept.sum() == again.sides["R"].strides.kept.sum()


def test_points_that_were_given_are_corrected_in_the_report(gait):
    whole, _ = study(gait)
    middle = whole.events.times("L", "strike")[1]
    first = int(middle * FPS)
    log = EditLog(gait / "edits.toml", "walk")
    log.append(BadStretch(first, first + 60))
    holed, facts = study(gait)
    assert facts.coverage.missing.max() == pytest.approx(61 / 500)
    assert holed.sides["L"].strides.kept.sum() < whole.sides["L"].strides.kept.sum()
    log.undo()
    log.append(SwappedSides(0, 499))
    crossed, facts = study(gait)
    np.testing.assert_allclose(crossed.events.times("R", "strike"), whole.events.times("L", "strike"))
    log.append(BadStretch(0, 9, camera="left"))
    _, facts = study(gait)
    assert "Corrections of single cameras' views are not applied: the points come without views" in facts.remarks


def test_samples_are_corrected_with_their_points(gait):
    points = read_pose3d(gait / "pose-3d" / "walk.csv")
    xyz = np.repeat(points.xyz[:, None], 4, axis=1)
    samples = PosteriorSamples(xyz, points.individuals, points.keypoints, FPS)
    due = Edits().add(BadStretch(10, 19, ("LKnee",))).add(SwappedSides(30, 39))
    done = correct_points(points, PointEdits(due, due), samples)
    np.testing.assert_allclose(done.samples.xyz, np.repeat(done.points.xyz[:, None], 4, axis=1), rtol=1e-6)
    assert np.isnan(done.samples.xyz).sum() == 10 * 4 * 3
    assert np.isfinite(samples.xyz).all()
    held = correct_points(points, PointEdits(due, Edits()), samples)
    assert held.samples is samples
    np.testing.assert_array_equal(held.points.xyz[20:], points.xyz[20:])  # sides are not exchanged twice
    assert np.isnan(held.points.xyz).sum() == 10 * 3  # what a filter has filled since is bad still


def test_markers_have_sides_too_and_names_without_are_told():
    markers = ("LKNE", "RKNE", "C7")
    points = Keypoints3D.from_points(np.arange(90.0).reshape(10, 1, 3, 3), markers, ("one",), fps=FPS)
    swap = Edits().add(SwappedSides(2, 4))
    done = correct_points(points, PointEdits(swap, swap))
    np.testing.assert_array_equal(done.points.xyz[2:5, 0, 0], points.xyz[2:5, 0, 1])
    assert done.remarks == ("Corrected by a person: 1 stretch with left and right exchanged",)
    odd = replace(points, keypoints=("a", "b", "c"))
    assert "the names of the points tell no pairs" in correct_points(odd, PointEdits(swap, swap)).remarks[1]


def test_angles_that_came_with_points_follow():
    angles = {"knee_flexion_l": np.arange(10.0), "knee_flexion_r": -np.arange(10.0), "pelvis_tilt": np.ones(10)}
    due = Edits().add(BadStretch(101, 102)).add(SwappedSides(105, 106))
    done, remarks = correct_angles(angles, due, start=100)
    np.testing.assert_array_equal(done["knee_flexion_l"], [0, np.nan, np.nan, 3, 4, -5, -6, 7, 8, 9])
    np.testing.assert_array_equal(np.isnan(done["pelvis_tilt"]), np.isin(np.arange(10), [1, 2]))
    assert remarks == ()
    done, remarks = correct_angles(angles, Edits().add(BadStretch(101, 102, ("LKNE",))), start=100)
    assert "stay as they are" in remarks[0]
    np.testing.assert_array_equal(done["knee_flexion_l"], angles["knee_flexion_l"])


def test_a_walk_without_a_session_takes_corrections_from_its_caller(gait):
    points = gait / "pose-3d" / "walk.csv"
    edits = Edits().add(BadStretch(0, 9, ("LKnee",)))
    made = measure_files(WalkFiles("walk", points, corrections=PointEdits(edits, edits)))
    assert made.facts.edits == ("frames 0 to 9: LKnee bad",)
    assert read_edits(gait / "edits.toml") == {}


def test_an_imported_walk_is_corrected_in_the_report_alone(recordings, tmp_path):
    write_config(tmp_path, {})
    session = Project.load(tmp_path).place(tmp_path / "anna")
    import_recording(session, recordings / "gait-lab" / "children" / "HC030A" / "Straight_HC030A05.c3d")
    inputs = {path: path.read_bytes() for path in session.folder.rglob("*") if path.is_file()}
    name = session.imported()[0].name
    before, facts = study(session.folder)
    assert facts.events == f"events/{name}.csv"
    last = float(before.events.times("R", "strike")[-1])
    log = EditLog(*locate_edits(session.folder / "pose-3d" / f"{name}.csv")[:2])
    log.append(MovedEvent("R", "strike", last, last - 0.05))
    after, facts = study(session.folder)
    times = [own.sides["R"].parameters["stride_time"][-1] for own in (before, after)]
    assert times[1] - times[0] == pytest.approx(-0.05, abs=1e-6)
    assert facts.events == f"events/{name}.csv, corrected by a person"
    log.append(BadStretch(0, 10**6))
    nothing, facts = study(session.folder)
    assert (facts.coverage.missing == 1).all()
    assert np.isnan(nothing.sides["R"].parameters["stride_length"]).all()
    assert np.isnan(nothing.sides["R"].cycles["knee_flexion_r"]).all()
    assert inputs == {path: path.read_bytes() for path in inputs}
