"""What is written is read back, by us and by ezc3d, with gaps that stay gaps."""

import ezc3d
import numpy as np
import pytest

from pose3d.data import Keypoints3D
from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.errors import DataError
from pose3d.io.c3d import read_c3d
from pose3d.io.c3d_writer import write_c3d


def make(n=40, keypoints=("LHeel", "RHeel", "LHip"), individuals=("one",), *, fps=60.0, start=12, seed=0):
    rng = np.random.default_rng(seed)
    xyz = rng.normal(0, 1000, (n, len(individuals), len(keypoints), 3))
    xyz[rng.random(xyz.shape[:-1]) < 0.2] = np.nan
    unknown = np.full(xyz.shape[:-1], np.nan)
    ones = np.ones(unknown.shape)
    return Keypoints3D(xyz, unknown, ones, unknown, ones, individuals, keypoints, fps=fps, start=start)


def test_round_trip_with_angles_events_and_gaps(tmp_path):
    points = make()
    knee = np.random.default_rng(1).normal(0, 30, (40, 3))
    knee[3] = np.nan
    events = LimbEvents.from_times([("L", STRIKE, [0.25, 61.5]), ("R", OFF, 0.5), ("R", "slip", 0.6)])
    (path,) = write_c3d(points, tmp_path / "walk.c3d", angles={"LKneeAngles": knee}, events=events)
    again = read_c3d(path)
    assert again.points.keypoints == points.keypoints
    assert (again.points.fps, again.points.start) == (60.0, 12)
    np.testing.assert_allclose(again.points.xyz, points.xyz, rtol=1e-6)
    np.testing.assert_allclose(again.angles["LKneeAngles"], knee, rtol=1e-6)
    np.testing.assert_allclose(again.events.time_s, events.time_s, atol=1e-5)
    assert (again.events.limbs, again.events.kinds) == (events.limbs, events.kinds)


def test_another_reader_sees_gaps_as_gaps(tmp_path):
    points = make()
    (path,) = write_c3d(points, tmp_path / "walk.c3d")
    file = ezc3d.c3d(str(path))
    missing = np.isnan(points.xyz[:, 0, :, 0]).T
    assert (file["data"]["meta_points"]["residuals"][0] == -1).tolist() == missing.tolist()
    assert not (file["data"]["points"][:3] == 0).all(0)[missing].any()
    assert np.isnan(file["data"]["points"][:3, missing]).all()
    assert file["parameters"]["POINT"]["UNITS"]["value"] == ["mm"]
    assert file["parameters"]["POINT"]["Y_SCREEN"]["value"] == ["+Z"]
    assert file["header"]["points"]["first_frame"] == 12


def test_a_laboratorys_own_trial_comes_back(recordings, tmp_path):
    source = read_c3d(recordings / "gait-lab" / "plug-in-gait" / "PiG_Motion-FlatFoot-Full.c3d")
    (path,) = write_c3d(source.points, tmp_path / "again.c3d", angles=source.angles, events=source.events)
    again = read_c3d(path)
    np.testing.assert_allclose(again.points.xyz, source.points.xyz, rtol=1e-6)
    assert again.angles.keys() == source.angles.keys()
    np.testing.assert_allclose(again.events.time_s, source.events.time_s, atol=1e-5)


def test_more_names_than_one_list_holds(tmp_path):
    points = make(5, tuple(f"Mark{i}" for i in range(300)))
    (path,) = write_c3d(points, tmp_path / "many.c3d")
    assert read_c3d(path).points.keypoints == points.keypoints


def test_a_long_walk_has_more_events_and_a_model_more_angles_than_one_list_holds(tmp_path):
    points, time = make(), np.arange(600) * 0.5
    events = LimbEvents.from_times([("L", STRIKE, time), ("R", OFF, time + 0.1)])
    angles = {f"angle{i}": np.full((40, 3), float(i)) for i in range(300)}
    (path,) = write_c3d(points, tmp_path / "walk.c3d", angles=angles, events=events)
    again = read_c3d(path)
    np.testing.assert_allclose(again.events.time_s, events.time_s, atol=1e-4)
    assert (again.events.limbs, again.events.kinds) == (events.limbs, events.kinds)
    assert set(again.angles) == set(angles)
    assert again.points.keypoints == points.keypoints


def test_several_individuals_go_to_a_file_each(tmp_path):
    paths = write_c3d(make(individuals=("anna", "berta")), tmp_path / "two.c3d")
    assert [path.name for path in paths] == ["two_anna.c3d", "two_berta.c3d"]
    assert not np.array_equal(*(read_c3d(path).points.xyz for path in paths), equal_nan=True)


@pytest.mark.parametrize(
    ("points", "options", "told"),
    [
        (make(fps=None), {}, "frame rate"),
        (make(fps=0.0), {}, "frame rate"),
        (make(keypoints=("a" * 200, "b")), {}, "1 to 127 letters"),
        (make(), {"angles": {"LHip": np.zeros((40, 3))}}, "must differ"),
        (make(), {"angles": {"LHipAngles": np.zeros((40, 2))}}, "three angles"),
        (make(start=65530), {}, "frames at most"),
        (make(individuals=("a", "b")), {"events": LimbEvents.from_times([])}, "one individual"),
    ],
)
def test_what_a_c3d_cannot_hold(tmp_path, points, options, told):
    with pytest.raises(DataError, match=told):
        write_c3d(points, tmp_path / "x.c3d", **options)
    assert not list(tmp_path.iterdir())


def test_it_is_named_as_what_it_is(tmp_path):
    with pytest.raises(DataError, match=r"\.c3d"):
        write_c3d(make(), tmp_path / "x.trc")
