"""From a session's files to the study of a gait: a walker whose strides are known."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from pose3d.batch.events import choose_events
from pose3d.batch.gait import measure_walk
from pose3d.batch.gait_study import study_session, walk_files
from pose3d.data import Keypoints3D, Skeleton
from pose3d.data.events import LimbEvents
from pose3d.data.mocap import MocapRecording
from pose3d.data.norms import NormBand, Norms
from pose3d.demo.person import make_person
from pose3d.demo.walk import joint_truth, walk_body
from pose3d.errors import DataError
from pose3d.io.anipose_csv import read_pose3d, write_pose3d
from pose3d.io.events import write_events
from pose3d.io.samples import SamplesWriter, samples_path
from pose3d.project import Session, write_config

FPS, NOISE_MM = 100.0, 2.0


@dataclass
class Walks:
    """A session of points of a walker, and what is true of each recording."""

    folder: Path
    strides: dict
    angles: dict

    @property
    def session(self):
        return Session.load(self.folder)


@pytest.fixture
def make_walks(tmp_path):
    def make(names=("walk1", "walk2"), *, seconds=5.0, samples=40, turn=None, belt=None):
        settings = {"skeleton": {"preset": "halpe26"}, "gait": {"subject": "P07"}}
        write_config(tmp_path, settings, overwrite=True)
        folder = tmp_path / "monday"
        (folder / "pose-3d").mkdir(parents=True, exist_ok=True)
        skeleton, walks = Skeleton.preset("halpe26"), Walks(folder, {}, {})
        for i, name in enumerate(names):
            rng = np.random.default_rng(i)
            person = make_person(np.random.default_rng(7))
            stride, pose, frames = walk_body(person, n_frames=int(seconds * FPS), fps=FPS, rng=rng)
            walks.strides[name], walks.angles[name] = stride, joint_truth(pose, frames)
            xyz = frames.keypoints(skeleton)[:, None] + rng.normal(0, 0.3, (int(seconds * FPS), 1, 26, 3))
            drawn = xyz[:, None] + rng.normal(0, NOISE_MM, (1, samples, 1, 26, 3))  # each sample off by its own shift
            if belt is not None:
                way = np.array(belt) * (np.arange(len(xyz)) / FPS)[:, None]
                xyz, drawn = xyz + way[:, None, None], drawn + way[:, None, None, None]
            if turn is not None:
                xyz, drawn = xyz @ turn.T, drawn @ turn.T
            points = Keypoints3D.from_points(xyz, skeleton.keypoints, ("one",), fps=FPS)
            path = folder / "pose-3d" / f"{name}.csv"
            write_pose3d(points, path)
            if samples:
                writer = SamplesWriter(
                    samples_path(path), n_samples=samples, individuals=("one",), keypoints=skeleton.keypoints, fps=FPS
                )
                writer.append(drawn)
                writer.finish([path])
        return walks

    return make


def test_strides_and_angles_of_known_walks(make_walks):
    walks = make_walks()
    gait = study_session(walks.session, workers=2)
    study = gait.study
    assert (gait.name, gait.subject, gait.refused) == ("monday", "P07", ())
    assert [facts.name for facts in gait.recordings] == ["walk1", "walk2"]
    assert study.n_kept["L"] >= 4
    assert study.n_samples == 40
    lengths = np.array([stride.length for stride in walks.strides.values()]) / 1000
    periods = np.array([stride.period for stride in walks.strides.values()])
    row = study.row("stride_length").sides["L"]
    assert lengths.min() - 0.01 < row.value < lengths.max() + 0.01
    assert periods.min() - 0.01 < study.row("stride_time").sides["R"].value < periods.max() + 0.01
    true = np.mean([np.ptp(angles["knee_flexion_l"]) for angles in walks.angles.values()])
    knee = next(row for row in study.peaks if (row.angle, row.name) == ("knee_flexion", "range"))
    assert knee.sides["L"].value == pytest.approx(true, abs=2.0)
    facts = gait.recordings[0]
    assert (facts.n_frames, facts.fps, facts.duration_s) == (500, FPS, 5.0)
    assert facts.events == "found from heels and toes"
    assert facts.intervals.startswith("40 posterior samples")
    assert facts.coverage.observed.min() == 1.0
    assert len(facts.sha256) == 64


def test_samples_that_shift_the_whole_foot_change_no_length(make_walks):
    """Each sample moves every point by its own shift: lengths keep, places of feet relative to one another do not."""
    study = study_session(make_walks(("walk",)).session, workers=1).study
    length, width = (study.row(name).sides["L"].mean for name in ("stride_length", "step_width"))
    assert float(length.high - length.low) < 1e-5
    expected = 2 * 1.96 * np.sqrt(2) * NOISE_MM / 1000
    assert float(width.high - width.low) == pytest.approx(expected, rel=0.5)
    knee = study.curves["knee_flexion_l"].mean
    assert 0.3 < float(np.median(knee.high - knee.low)) < 4.0


def test_a_world_that_lies_on_its_side_gives_the_same_strides(make_walks):
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    upright = study_session(make_walks(("walk",)).session, workers=1)
    fallen = study_session(make_walks(("walk",), turn=turn).session, workers=1)
    assert upright.recordings[0].remarks == ()
    assert "90° off" in fallen.recordings[0].remarks[0]
    for name in ("stride_length", "stride_time", "step_width"):
        a, b = (gait.study.row(name).sides["L"].mean for gait in (upright, fallen))
        assert float(a.value) == pytest.approx(float(b.value), rel=0.01), name
        assert float(a.high - a.low) == pytest.approx(float(b.high - b.low), rel=0.2, abs=1e-5), name


def test_a_treadmill_gives_the_same_strides(make_walks):
    ground = study_session(make_walks(("walk",)).session, workers=1)
    speed = 1000 * ground.study.row("speed").sides["L"].value
    points = read_pose3d(make_walks(("walk",)).folder / "pose-3d" / "walk.csv")
    way = points.xyz[-1, 0, :, :2].mean(0) - points.xyz[0, 0, :, :2].mean(0)
    belt = study_session(make_walks(("walk",), belt=(*(-speed * way / np.linalg.norm(way)), 0)).session, workers=1)
    assert belt.recordings[0].remarks[0].startswith("On a treadmill: its belt moves at")
    assert belt.study.n_kept == ground.study.n_kept
    for name in ("stride_length", "step_length", "speed", "step_width"):
        a, b = (gait.study.row(name).sides["L"].mean for gait in (ground, belt))
        assert float(a.value) == pytest.approx(float(b.value), rel=0.02), name
        assert float(a.high - a.low) == pytest.approx(float(b.high - b.low), rel=0.3, abs=1e-4), name
        assert float(b.low) - 1e-4 < float(b.value) < float(b.high) + 1e-4


def test_events_that_somebody_corrected_are_used(make_walks):
    walks = make_walks(("walk",), samples=0)
    found = study_session(walks.session, workers=1)
    events = found.study.trials[0].gait.events
    moved = LimbEvents(events.time_s + 0.05, events.limbs, events.kinds)
    path = walks.session.events_of(walks.folder / "pose-3d" / "walk.csv")
    path.parent.mkdir()
    write_events(moved, path)
    again = study_session(walks.session, workers=1)
    assert again.recordings[0].events == "events/walk.csv"
    np.testing.assert_allclose(again.study.trials[0].gait.events.time_s, moved.time_s, atol=1e-4)
    assert found.study.n_samples == 0
    assert found.recordings[0].intervals == ""


def test_events_of_another_kind_are_no_steps(make_walks):
    """As a laboratory marks the beginning and the end of a trial."""
    walks = make_walks(("walk",), samples=0)
    path = walks.session.events_of(walks.folder / "pose-3d" / "walk.csv")
    path.parent.mkdir()
    marks = LimbEvents.from_times([("General", "start", 0.5), ("General", "end", 2.0)])
    write_events(marks, path)
    gait = study_session(walks.session, workers=1)
    assert gait.study.n_kept["L"] > 0
    assert gait.recordings[0].events == "found from heels and toes"
    assert "holds no strikes and offs of L and R" in gait.recordings[0].remarks[0]
    points = read_pose3d(walks.folder / "pose-3d" / "walk.csv")
    assert choose_events(MocapRecording(points, events=marks)).source == "heels and toes"
    with pytest.raises(DataError, match="the events are General end, General start; gait needs strike and off"):
        measure_walk(points, marks)


def test_recordings_that_cannot_be_used_are_listed_and_the_others_measured(make_walks):
    walks = make_walks(("bad", "empty", "seated", "walk"), samples=0)
    folder = walks.folder / "pose-3d"
    (folder / "empty.csv").write_text("")
    xyz = np.zeros((50, 1, 2, 3))
    write_pose3d(Keypoints3D.from_points(xyz, ("LKnee", "RKnee"), ("one",), fps=FPS), folder / "seated.csv")
    text = (folder / "bad.csv").read_text().splitlines()
    (folder / "bad.csv").write_text("\n".join([text[0], *text[1:-1], text[-1][: len(text[-1]) // 2]]))
    gait = study_session(walks.session, workers=1)
    assert [facts.name for facts in gait.recordings] == ["walk"]
    refused = dict(gait.refused)
    assert set(refused) == {"bad", "empty", "seated"}
    assert "gait needs both heels" in refused["seated"]
    assert gait.study.n_kept["L"] >= 2


def test_samples_of_other_points_are_refused(make_walks):
    walks = make_walks(("walk",))
    csv = walks.folder / "pose-3d" / "walk.csv"
    csv.write_text(csv.read_text() + "\n")
    with pytest.raises(DataError, match=r"no recording can be used.*triangulate again|no recording can be used"):
        study_session(walks.session, workers=1)


def test_a_session_without_points_says_what_to_do(tmp_path):
    write_config(tmp_path, {})
    (tmp_path / "monday" / "videos-raw").mkdir(parents=True)
    with pytest.raises(DataError, match="pose3d run"):
        walk_files(Session.load(tmp_path / "monday"))


def test_a_recording_that_is_not_there_is_named(make_walks):
    walks = make_walks(("walk",), samples=0)
    with pytest.raises(DataError, match=r"'run'.*there is walk"):
        walk_files(walks.session, ["run"])


def test_intervals_of_points_without_samples_say_what_they_rest_on(make_walks):
    walks = make_walks(("walk",), samples=0)
    write_config(walks.folder.parent, {"gait": {"noise_mm": 2.0}}, overwrite=True)
    gait = study_session(walks.session)
    assert gait.recordings[0].intervals.startswith("60 samples drawn from an assumed noise of 2 mm")
    width = gait.study.row("step_width").sides["L"].mean
    assert 0.001 < float(width.high - width.low) < 0.012
    time = gait.study.row("stride_time").sides["L"].mean
    assert 0.001 < float(time.high - time.low) < 0.05
    path = walks.folder / "pose-3d" / "walk.csv"
    points = read_pose3d(path)
    covariance = np.broadcast_to(4.0 * np.eye(3), (*points.xyz.shape, 3))
    write_pose3d(replace(points, covariance=covariance), path)
    write_config(walks.folder.parent, {}, overwrite=True)
    again = study_session(walks.session)
    assert again.recordings[0].intervals.startswith("60 samples drawn from the covariance of each point")
    other = again.study.row("step_width").sides["L"].mean
    assert float(other.high - other.low) == pytest.approx(float(width.high - width.low), rel=1e-6)


def test_angles_with_another_zero_are_not_compared_with_norms(make_walks):
    cycle = np.linspace(0, 100, 51)
    norms = Norms({name: NormBand(cycle, cycle * 0, cycle * 0 + 5) for name in ("ankle_dorsiflexion", "knee_flexion")})
    study = study_session(make_walks(("walk",), samples=0).session, norms=norms).study
    assert set(study.profile.scores) == {"knee_flexion_l", "knee_flexion_r"}
    assert set(study.norms.bands) == {"knee_flexion"}
    assert "ankle_dorsiflexion" in study.not_comparable
