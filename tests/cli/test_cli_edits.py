"""edits: corrections listed, made and taken back; and triangulate and events that are given them."""

import numpy as np
import pytest

from pose3d.data import Keypoints3D, Skeleton
from pose3d.data.edits import BadStretch, Edits, MovedEvent, SwappedSides
from pose3d.demo.person import make_person
from pose3d.demo.trials import TRIAL_SKELETON, make_trial
from pose3d.demo.walk import walk_body
from pose3d.io.anipose_csv import read_pose3d, write_pose3d
from pose3d.io.edits import read_edits, write_edits
from pose3d.io.events import read_events
from pose3d.io.keypoints import save_keypoints
from pose3d.io.rigs import save_rig
from pose3d.project import write_config
from pose3d.project.edits import PointEdits, point_edits

FPS, HALPE = 100.0, Skeleton.preset("halpe26")


@pytest.fixture
def session(tmp_path):
    """A session of two walks whose points are there."""
    write_config(tmp_path, {"skeleton": {"preset": "halpe26"}}, overwrite=True)
    folder = tmp_path / "monday"
    (folder / "pose-3d").mkdir(parents=True)
    _, _, frames = walk_body(make_person(np.random.default_rng(7)), n_frames=400, fps=FPS, rng=np.random.default_rng(0))
    for name in ("walk", "run"):
        points = Keypoints3D.from_points(frames.keypoints(HALPE)[:, None], HALPE.keypoints, ("one",), fps=FPS)
        write_pose3d(points, folder / "pose-3d" / f"{name}.csv")
    return folder


def test_corrections_are_made_listed_and_taken_back(pose3d, session):
    assert "nothing is corrected" in pose3d("edits", session).out
    made = pose3d(
        *("edits", session, "--trial", "walk", "--bad", "120-140", "--keypoints", "LKnee, LAnkle"),
        *("--camera", "left", "--note", "behind a bench"),
    )
    assert made.out == "corrected: walk: frames 120 to 140: LKnee, LAnkle not used from camera left\n"
    for options in (
        ("--swap", "7", "--pair", "LKnee,RKnee"),
        ("--move", "L,strike,1.52,1.48"),
        ("--delete", "R,off,2"),
        ("--add", "R,off,2.1"),
        ("--note", "ask the therapist"),
    ):
        assert pose3d("edits", session / "pose-3d" / "walk.csv", *options).code == 0, options
    listed = pose3d("edits", session)
    events = "1 event moved, 1 event deleted, 1 event added"
    assert listed.out.splitlines() == [
        f"walk: 1 bad stretch (21 frames), 1 stretch with left and right exchanged, {events}, 1 note",
        "  frames 120 to 140: LKnee, LAnkle not used from camera left (behind a bench)",
        "  frame 7: left and right exchanged (LKnee/RKnee)",
        "  L strike moved from 1.520 s to 1.480 s",
        "  R off at 2.000 s deleted",
        "  R off at 2.100 s added",
        "  note: ask the therapist",
    ]
    assert "taken back: walk: note: ask the therapist" in pose3d("edits", session, "--undo").out
    undone = pose3d("edits", session / "edits.toml", "--undo", "--json")
    assert undone.json["changed"] == "R off at 2.100 s added"
    assert undone.json["left"] == 4
    summary = pose3d("edits", session, "--json").json
    assert [edit["what"] for edit in summary["trials"]["walk"]["undone"]] == ["note", "event added"]
    assert summary["trials"]["walk"]["edits"][0]["words"].startswith("frames 120 to 140")
    assert "done again: walk: R off at 2.100 s added" in pose3d("edits", session / "edits.toml", "--redo").out
    assert "nothing to be taken back" in pose3d("edits", session, "--trial", "run", "--undo").out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--bad", "140"), "name one; there is"),
        (("--bad", "140", "--trial", "jump"), "no trial 'jump'; there is"),
        (("--bad", "5-4", "--trial", "walk"), "no stretch"),
        (("--bad", "abc", "--trial", "walk"), "FIRST-LAST"),
        (("--swap", "5-6", "--keypoints", "a", "--trial", "walk"), "goes with --bad"),
        (("--move", "L,strike,1.5,1.6", "--camera", "a", "--trial", "walk"), "goes with --bad and --swap"),
        (("--move", "L,strike,1.5", "--trial", "walk"), "L,strike,1.52,1.48 is needed"),
        (("--add", "L,strike,nan", "--trial", "walk"), "number of seconds"),
        (("--add", "L,strike,x", "--trial", "walk"), "is no event"),
        (("--bad", "1", "--swap", "2", "--trial", "walk"), "one correction at a time"),
        (("--bad", "1", "--undo", "--trial", "walk"), "one at a time"),
        (("--undo", "--redo", "--trial", "walk"), "one at a time"),
    ],
)
def test_wrong_use_of_edits(pose3d, session, options, words):
    outcome = pose3d("edits", session, *options)
    assert outcome.code == 2
    assert words in " ".join(outcome.err.replace("│", " ").split())
    assert not (session / "edits.toml").exists()


def test_what_is_no_file_of_edits_is_said(pose3d, refused, session):
    assert "no such file of edits" in refused("edits", session / "none.toml")
    assert "no such csv of points" in refused("edits", session / "none.csv")
    (session / "edits.toml").write_text("format = 1\nx = 3\n")
    assert "x is not known" in refused("edits", session)
    assert "x is not known" in refused("edits", session, "--trial", "walk", "--bad", "3")
    assert "x is not known" in refused("report", "gait", session)
    assert "x is not known" in refused("events", session / "pose-3d" / "walk.csv", "-o", session / "e.csv")
    write_edits({"wlak": Edits().add(BadStretch(1, 2))}, session / "edits.toml")
    assert "there is no trial 'wlak'; there is" in pose3d("edits", session).err


def test_events_take_corrections_of_the_session_or_of_a_file(pose3d, session, tmp_path):
    csv, output = session / "pose-3d" / "walk.csv", tmp_path / "events.csv"
    assert pose3d("events", csv, "-o", output).code == 0
    before = read_events(output)
    second = float(before.times("L", "strike")[1])
    edits = {"walk": Edits().add(MovedEvent("L", "strike", second, second + 0.05))}
    write_edits(edits, tmp_path / "given.toml")
    outcome = pose3d("events", csv, "--edits", tmp_path / "given.toml", "-o", output)
    assert "Corrected by a person: 1 event moved" in outcome.out
    moved = read_events(output).times("L", "strike") - before.times("L", "strike")
    np.testing.assert_allclose(moved, [0, 0.05, *[0] * (len(moved) - 2)], atol=2e-4)
    write_edits(edits, session / "edits.toml")
    own = pose3d("events", csv, "-o", tmp_path / "own.csv", "--json")
    assert own.json["corrections"] == [f"L strike moved from {second:.3f} s to {second + 0.05:.3f} s"]
    assert (tmp_path / "own.csv").read_bytes() == output.read_bytes()
    assert pose3d("events", session / "pose-3d" / "run.csv", "-o", output).code == 0
    np.testing.assert_array_equal(read_events(output).time_s, before.time_s)


@pytest.mark.parametrize("robust", ["--robust", "--no-robust"])
def test_triangulate_takes_a_file_of_edits(pose3d, refused, tmp_path, robust):
    trial = make_trial(40, seed=1)
    save_keypoints(trial.keypoints, tmp_path / "pose-2d")
    save_rig(trial.rig, tmp_path / "calibration.toml")
    sources = [f"{name}={tmp_path / 'pose-2d' / name}.h5" for name in trial.rig.names]
    call = ("triangulate", "-c", tmp_path / "calibration.toml", *sources, "-o", tmp_path / "walk.csv", "--fps", 100)
    edits = {"walk": Edits().add(BadStretch(10, 14, ("LKnee",))).add(SwappedSides(20, 30))}
    write_edits(edits, tmp_path / "edits.toml")
    write_edits(edits, tmp_path / "walk.edits.toml")
    outcome = pose3d(*call, robust, "--edits", tmp_path / "edits.toml")
    assert outcome.code == 0, outcome
    knee = read_pose3d(tmp_path / "walk.csv").xyz[:, 0, TRIAL_SKELETON.keypoints.index("LKnee"), 0]
    assert np.flatnonzero(np.isnan(knee)).tolist() == [10, 11, 12, 13, 14]
    found = point_edits(tmp_path / "walk.csv")
    assert found == PointEdits(edits["walk"], Edits())  # nothing is left to be done, or done twice
    assert pose3d("filter", tmp_path / "walk.csv", "--median", 5, "-o", tmp_path / "smooth.csv").code == 0
    assert point_edits(tmp_path / "smooth.csv") == PointEdits()
    write_edits({"smooth": edits["walk"]}, tmp_path / "smooth.edits.toml")
    assert point_edits(tmp_path / "smooth.csv").due == Edits()
    assert "no such file of edits" in refused(*call, "--edits", tmp_path / "none.toml")
    before = read_edits(tmp_path / "edits.toml")
    assert pose3d(*call[:-4], "-o", tmp_path / "edits.toml", "--edits", tmp_path / "edits.toml").code == 2
    assert read_edits(tmp_path / "edits.toml") == before
