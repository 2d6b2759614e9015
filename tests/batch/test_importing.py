"""Recordings of motion-capture systems in a session: what is written, and what is never overwritten."""

import shutil

import ezc3d
import numpy as np
import pytest

from pose3d.batch import plan, run_session
from pose3d.batch.importing import import_recording, import_recordings
from pose3d.errors import FormatError, Pose3DError, ProjectError
from pose3d.io.anipose_csv import read_angles, read_pose3d
from pose3d.io.c3d import read_c3d
from pose3d.io.events import read_events
from pose3d.io.imported import read_import
from pose3d.io.trc import write_trc
from pose3d.kinematics.stored_angles import angles_from_stored
from pose3d.project import Project, Session, create_project

FIGURE = {"LHip": (0, 100, 900), "RHip": (0, -100, 900), "LKnee": (30, 100, 500), "RKnee": (10, -100, 500)}
FIGURE |= {"LAnkle": (0, 100, 100), "RAnkle": (-50, -100, 100)}


@pytest.fixture
def place(tmp_path):
    create_project(tmp_path / "project", {})
    return Project.load(tmp_path / "project").place(tmp_path / "project" / "patient 7")


def make(path, labels, *, n=5, events=(), flat=False, angles=()):
    """Write a C3D of one pose; events are (seconds, context, label)."""
    file = ezc3d.c3d()
    points = np.ones((4, len(labels), n))
    for i, label in enumerate(labels):
        points[:3, i] = np.array(FIGURE.get(label.rpartition(":")[2], (i, 2 * i, 3 * i + 1)), dtype=float)[:, None]
    file["parameters"]["POINT"]["RATE"]["value"] = [50.0]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(labels)
    if angles:
        file.add_parameter("POINT", "ANGLES", list(angles))
    if events:
        times = np.array([(0.0, event[0]) for event in events])
        file.add_parameter("EVENT", "USED", [len(events)])
        file.add_parameter("EVENT", "CONTEXTS", [event[1] for event in events])
        file.add_parameter("EVENT", "LABELS", [event[2] for event in events])
        file.add_parameter("EVENT", "TIMES", times.ravel() if flat else times.T)
    file["data"]["points"] = points
    file.write(str(path))
    return path


def files_of(place):
    return sorted(path.relative_to(place.folder).as_posix() for path in place.folder.rglob("*") if path.is_file())


def test_a_laboratorys_trial_with_axes(place, recordings):
    source = recordings / "gait-lab" / "children" / "HC030A" / "Straight_HC030A05.c3d"
    report = import_recording(place, source)
    name, known = source.stem, read_c3d(source)
    assert [path.relative_to(place.folder).as_posix() for path in sorted(report.outputs)] == files_of(place)
    record = read_import(place.folder / "pose-3d" / f"{name}.import.toml")
    assert (record.source, record.angles, record.events, record.fps) == (source.name, "segment axes", 8, 100.0)
    points = read_pose3d(place.folder / "pose-3d" / f"{name}.csv")
    np.testing.assert_allclose(points.xyz, known.points.xyz, atol=1e-9)
    assert (points.fps, points.start) == (known.points.fps, known.points.start)
    angles = read_angles(place.folder / "angles" / f"{name}.csv")
    knee = angles.deg[:, 0, angles.names.index("knee_flexion_l")]
    assert np.nanmax(np.abs(knee - known.angles["LKneeAngles"][:, 0])) < 1e-3
    events = read_events(place.folder / "events" / f"{name}.csv")
    np.testing.assert_allclose(events.time_s, known.events.time_s, atol=1e-4)
    assert "68 angles, from the segment axes" in " ".join(report.lines)
    assert [trial.name for trial in Session.load(place.folder).imported()] == [name]
    assert [session.folder for session in place.project.sessions()] == [place.folder]


def test_without_axes_the_stored_angles_are_used(place, recordings, tmp_path):
    """The same trial without the points of the axes: its stored angles are the same to a thousandth of a degree."""
    source = recordings / "gait-lab" / "plug-in-gait" / "PiG_Motion3_FF.c3d"
    file = ezc3d.c3d(str(source))
    labels = [
        label if label[-1] not in "OALP" or "Angle" in label else f"{label}x"
        for label in file["parameters"]["POINT"]["LABELS"]["value"]
    ]
    file["parameters"]["POINT"]["LABELS"]["value"] = labels
    file.write(str(tmp_path / "bare.c3d"))
    report = import_recordings(place, [source, tmp_path / "bare.c3d"])[1]
    assert report.summary["angles"] == "stored angles"
    whole, bare = (read_angles(place.folder / "angles" / f"{name}.csv") for name in (source.stem, "bare"))
    assert set(whole.names) == set(bare.names) == set(angles_from_stored(read_c3d(source).angles))
    order = [bare.names.index(name) for name in whole.names]
    assert np.abs((whole.deg - bare.deg[..., order] + 180) % 360 - 180).max() < 1e-3


def test_a_trc_gives_angles_by_keypoints(place, recordings, tmp_path):
    source = read_c3d(recordings / "gait-lab" / "plug-in-gait" / "PiG_Motion-FlatFoot-Full.c3d").points
    names = {"LFEP": "LHip", "RFEP": "RHip", "LFEO": "LKnee", "RFEO": "RKnee", "LTIO": "LAnkle", "RTIO": "RAnkle"}
    index = [source.keypoints.index(name) for name in names]
    centres = type(source).from_points(source.xyz[:, :, index], list(names.values()), ("x",), fps=source.fps)
    write_trc(centres, tmp_path / "walk.trc")
    report = import_recording(place, tmp_path / "walk.trc")
    assert (report.summary["angles"], report.summary["events"]) == ("keypoints", 0)
    assert "angles/walk.csv" in files_of(place)
    assert "events/walk.csv" not in files_of(place)
    written = read_pose3d(place.folder / "pose-3d" / "walk.csv")
    np.testing.assert_allclose(written.xyz, centres.xyz, atol=1e-9)


@pytest.mark.parametrize("flat", [False, True])
def test_prefixes_flat_times_and_a_second_list_of_labels(place, tmp_path, flat):
    labels = [f"Anna:{name}" for name in (*FIGURE, *(f"M{i}" for i in range(280)))]
    events = [(0.06, "Right", "Foot Off"), (0.02, "Left", "Foot Strike")]
    report = import_recording(place, make(tmp_path / "a.c3d", labels, events=events, flat=flat))
    assert (report.summary["angles"], report.summary["events"]) == ("keypoints", 2)
    found = read_events(place.folder / "events" / "a.csv")
    assert list(zip(found.time_s.round(4), found.limbs, found.kinds, strict=True)) == [
        (0.02, "L", "strike"),
        (0.06, "R", "off"),
    ]
    assert read_pose3d(place.folder / "pose-3d" / "a.csv").keypoints == tuple(name.split(":")[1] for name in labels)


def test_no_angles_are_said_not_made_up(place, tmp_path):
    report = import_recording(place, make(tmp_path / "a.c3d", ["M1", "M2"]))
    assert report.summary["angles"] == "none"
    assert "no angles" in " ".join(report.lines)
    assert not (place.folder / "angles").exists()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.c3d", b"", "is empty"),
        ("a.c3d", b"\x02\x50" + bytes(600), "cut short"),
        ("a.c3d", b"PathFileType", "is no C3D"),
        ("a.trc", b"time,x\n", "is no TRC"),
        ("a.trc", b"\x00" * 50, "binary"),
        ("a.csv", b"time,x\n", r"a \.c3d or \.trc"),
    ],
)
def test_a_bad_file_is_refused_and_nothing_is_written(place, tmp_path, name, content, told):
    good = make(tmp_path / "good.c3d", list(FIGURE))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=told) as trouble:
        import_recordings(place, [good, tmp_path / name])
    assert str(trouble.value).startswith(str(tmp_path / name))
    assert not place.folder.exists()


def test_an_import_again_is_the_same_and_keeps_what_people_corrected(place, tmp_path):
    source = make(tmp_path / "a.c3d", list(FIGURE), events=[(0.02, "Left", "Foot Strike")])
    import_recording(place, source)
    before = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    import_recording(place, source)
    assert {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()} == before
    events = place.folder / "events" / "a.csv"
    events.write_text("time_s,limb,kind\n0.03,L,strike\n")
    with pytest.raises(ProjectError, match=r"events.a\.csv: was changed by hand"):
        import_recording(place, source)
    report = import_recording(place, source, force=True)
    assert "kept as a.csv.bak" in " ".join(report.lines)
    assert events.with_name("a.csv.bak").read_text() == "time_s,limb,kind\n0.03,L,strike\n"
    assert events.read_bytes() == before[events]


def test_what_an_import_no_longer_has_goes_away(place, tmp_path):
    import_recording(place, make(tmp_path / "a.c3d", list(FIGURE), events=[(0.02, "Left", "Foot Strike")]))
    import_recording(place, make(tmp_path / "a.c3d", ["M1", "M2"]))
    assert files_of(place) == ["pose-3d/a.csv", "pose-3d/a.import.toml", "pose-3d/a.uncertainty.csv"]


def test_an_import_cut_short_is_done_anew(place, tmp_path, monkeypatch):
    source = make(tmp_path / "a.c3d", list(FIGURE))

    def fail(*_):
        raise Pose3DError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("pose3d.io.anipose_csv.write_angles", fail)
        with pytest.raises(Pose3DError, match="full"):
            import_recording(place, source)
    assert "pose-3d/a.csv" in files_of(place)
    import_recording(place, source)
    assert "angles/a.csv" in files_of(place)


def test_one_trial_comes_from_one_file(place, tmp_path):
    source = make(tmp_path / "a.c3d", list(FIGURE))
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(source, other / "A.c3d")
    with pytest.raises(ProjectError, match="would become the trial"):
        import_recordings(place, [source, other / "A.c3d"])
    import_recording(place, source)
    write_trc(read_c3d(source).points, tmp_path / "a.trc")
    with pytest.raises(ProjectError, match=r"from a\.c3d"):
        import_recording(place, tmp_path / "a.trc")


def test_what_was_not_imported_is_not_overwritten(place, tmp_path):
    source = make(tmp_path / "a.c3d", list(FIGURE))
    (place.folder / "pose-3d").mkdir(parents=True)
    (place.folder / "pose-3d" / "a.csv").write_text("mine")
    with pytest.raises(ProjectError, match="not from an import"):
        import_recording(place, source)
    (place.folder / "pose-3d" / "a.csv").unlink()
    (place.folder / "pose-2d").mkdir()
    (place.folder / "pose-2d" / "a_left.csv").write_text("")
    with pytest.raises(ProjectError, match="videos or 2D keypoints"):
        import_recording(place, source)


def test_a_run_leaves_imports_alone(place, tmp_path):
    import_recording(place, make(tmp_path / "a.c3d", list(FIGURE)))
    session = Session.load(place.folder)
    before = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    assert run_session(session, force=True) == []
    (place.folder / "pose-2d").mkdir()
    (place.folder / "pose-2d" / "a_left.csv").write_text("")
    (place.folder / "calibration").mkdir()
    (place.folder / "calibration" / "calibration.toml").write_text("")
    for step in plan(session, force=True)[1:]:
        assert (step.action, "was imported" in step.reason) == ("skip", True)
    statuses = {outcome.label: outcome.status for outcome in run_session(session, force=True)}
    assert {statuses["triangulate a"], statuses["angles a"]} == {"given"}
    assert {path: path.read_bytes() for path in before} == before


def test_a_damaged_record_is_said_and_can_be_made_anew(place, tmp_path):
    source = make(tmp_path / "a.c3d", list(FIGURE))
    import_recording(place, source)
    record = place.folder / "pose-3d" / "a.import.toml"
    record.write_text("no toml")
    with pytest.raises(FormatError, match="--force"):
        import_recording(place, source)
    import_recording(place, source, force=True)
    assert read_import(record).source == "a.c3d"
