"""NWB: read back by pynwb, and inspected."""

from datetime import UTC, datetime

import numpy as np
import pytest

from pose3d.data import Keypoints3D
from pose3d.errors import DataError, DependencyError
from pose3d.io.nwb import NwbSubject, write_nwb
from pose3d.kinematics import joint_angles

pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed: pip install 'pose3d[nwb]'")
nwbinspector = pytest.importorskip("nwbinspector", reason="nwbinspector is not installed")
START = datetime(2024, 5, 31, 14, tzinfo=UTC)
TOLD = NwbSubject(START, "P-07", "Homo sapiens", "F", "P30Y")


@pytest.fixture
def walk(make_walk):
    made = make_walk(n_frames=40, skeleton="coco17", start=5)
    xyz, score = made.xyz.copy(), np.random.default_rng(0).uniform(size=made.score.shape)
    xyz[7:11, 0, 3] = np.nan
    return Keypoints3D(
        xyz, made.error, made.n_cameras + 2, score, made.status, ("walker",), made.keypoints, fps=60.0, start=5
    )


def critical(path, config=None):
    settings = nwbinspector.load_config(config) if config else None
    found = nwbinspector.inspect_nwbfile(nwbfile_path=str(path), config=settings)
    return [item for item in found if item.importance.name in ("CRITICAL", "ERROR", "PYNWB_VALIDATION")]


def test_what_is_written_is_read_by_pynwb(walk, tmp_path):
    angles = joint_angles(walk)
    edges = [("LHip", "LKnee"), ("LKnee", "LAnkle"), ("LHip", "nobody")]
    (path,) = write_nwb(walk, tmp_path / "walk.nwb", angles=angles, subject=TOLD, edges=edges, source="walk.csv")
    with pynwb.NWBHDF5IO(str(path), "r") as stream:
        content = stream.read()
        assert (content.session_start_time, content.subject.subject_id) == (START, "P-07")
        assert (content.subject.species, content.subject.sex, content.subject.age) == ("Homo sapiens", "F", "P30Y")
        behavior = content.processing["behavior"]
        pose = behavior["PoseEstimation"]
        skeleton = behavior["Skeletons"].skeletons["skeleton"]
        assert tuple(skeleton.nodes) == walk.keypoints == tuple(pose.skeleton.nodes)
        assert [[walk.keypoints[i] for i in edge] for edge in skeleton.edges] == [list(edge) for edge in edges[:2]]
        assert skeleton.subject is content.subject
        for i, name in enumerate(walk.keypoints):
            series = pose.pose_estimation_series[name]
            np.testing.assert_allclose(series.data[:], walk.xyz[:, 0, i] / 1000, rtol=1e-12)
            np.testing.assert_allclose(series.confidence[:], walk.score[:, 0, i])
            np.testing.assert_allclose(series.timestamps[:], np.arange(5, 45) / 60)
            assert series.unit == "meters"
        knee = behavior["JointAngles"].time_series["knee_flexion_l"]
        np.testing.assert_allclose(knee.data[:], angles.deg[:, 0, angles.names.index("knee_flexion_l")])
        assert (knee.unit, knee.rate, knee.starting_time) == ("degrees", 60.0, 5 / 60)
        assert "not known" not in content.notes


@pytest.mark.parametrize("subject", [TOLD, NwbSubject()])
@pytest.mark.parametrize("config", [None, "dandi"])
def test_the_inspector_finds_nothing_critical(walk, tmp_path, subject, config):
    (path,) = write_nwb(walk, tmp_path / "walk.nwb", angles=joint_angles(walk), subject=subject)
    assert critical(path, config) == []


def test_the_inspector_would_find_it(walk, tmp_path):
    """A file that lacks what NWB asks for is found out, so that the test above can fail."""
    (path,) = write_nwb(walk, tmp_path / "walk.nwb", subject=NwbSubject(age="old", species="human"))
    assert {item.check_function_name for item in critical(path, "dandi")} >= {"check_subject_age"}


def test_what_is_not_known_is_said(walk, tmp_path):
    (path,) = write_nwb(walk, tmp_path / "walk.nwb", written=START)
    with pynwb.NWBHDF5IO(str(path), "r") as stream:
        content = stream.read()
        assert content.session_start_time == START
        assert "session's start is not known" in content.notes
        assert (content.subject.sex, content.subject.age, content.subject.subject_id) == ("U", "P0D/", "walker")


def test_missing_packages_are_named(walk, tmp_path, monkeypatch):
    monkeypatch.setattr("pose3d.io.nwb.find_spec", lambda _name: None)
    with pytest.raises(DependencyError, match=r"pose3d\[nwb\]"):
        write_nwb(walk, tmp_path / "a.nwb")
    assert not list(tmp_path.iterdir())


def test_one_subject_a_file(make_walk, tmp_path):
    one = make_walk(n_frames=5)
    two = Keypoints3D.from_points(np.repeat(one.xyz, 2, axis=1), one.keypoints, ("a", "b"), fps=60.0)
    paths = write_nwb(two, tmp_path / "walk.nwb")
    assert [path.name for path in paths] == ["walk_a.nwb", "walk_b.nwb"]
    with pytest.raises(DataError, match="one identity for 2"):
        write_nwb(two, tmp_path / "x.nwb", subject=TOLD)
    with pytest.raises(DataError, match="time zone"):
        write_nwb(one, tmp_path / "x.nwb", subject=NwbSubject(datetime(2024, 1, 1)))
    with pytest.raises(DataError, match="other frames"):
        write_nwb(one, tmp_path / "x.nwb", angles=joint_angles(make_walk(n_frames=6)))
    with pytest.raises(DataError, match="frame rate"):
        write_nwb(Keypoints3D.from_points(one.xyz, one.keypoints, ("a",)), tmp_path / "x.nwb")
    assert not (tmp_path / "x.nwb").exists()
