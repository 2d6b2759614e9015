import json

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pose3d.errors import FormatError
from pose3d.io.sleap import read_sleap, write_sleap


@pytest.fixture
def analysis(tmp_path):
    """Write a file as SLEAP itself does: no names of axes, two tracks, three nodes, five frames."""
    rng = np.random.default_rng(0)
    tracks = rng.uniform(0, 500, (2, 2, 3, 5))
    tracks[0, :, 1, 2] = np.nan
    scores = rng.random((2, 3, 5))
    path = tmp_path / "maus größe.analysis.h5"
    with h5py.File(path, "w") as file:
        file["tracks"], file["point_scores"] = tracks, scores
        file["node_names"] = [b"nose", "ohr für".encode(), b"tail"]
        file["track_names"] = [b"a", b"b"]
    return path, tracks, scores


def change(path, **datasets):
    with h5py.File(path, "r+") as file:
        for name, values in datasets.items():
            if name in file:
                del file[name]
            if values is not None:
                file[name] = values


def test_axes_are_sleaps(analysis):
    path, tracks, scores = analysis
    points = read_sleap(path, camera="top")
    assert (points.cameras, points.individuals, points.keypoints) == (("top",), ("a", "b"), ("nose", "ohr für", "tail"))
    for track in range(2):
        for node in range(3):
            np.testing.assert_array_equal(points.xy[:, 0, track, node], tracks[track, :, node].T)
    absent = np.isnan(tracks[:, 0])
    np.testing.assert_array_equal(points.score[:, 0], np.where(absent, np.nan, scores).transpose(2, 0, 1))


@pytest.mark.parametrize("named", [True, False])
def test_axes_of_sleap_io_are_known(analysis, named):
    path, tracks, scores = analysis
    change(path, tracks=tracks.transpose(3, 0, 2, 1), point_scores=scores.transpose(2, 0, 1))
    expected = read_sleap(path, camera="A")
    if named:
        change(path, tracks=tracks.transpose(2, 1, 0, 3), point_scores=scores.transpose(1, 0, 2))
        with h5py.File(path, "r+") as file:
            file["tracks"].attrs["dims"] = json.dumps(["node", "xy", "track", "frame"])
            file["point_scores"].attrs["dims"] = json.dumps(["node", "track", "frame"])
    points = read_sleap(path, camera="A")
    np.testing.assert_array_equal(points.xy[:, 0], tracks.transpose(3, 0, 2, 1))
    np.testing.assert_array_equal(points.score, expected.score)


@pytest.mark.parametrize("scores", [None, np.full((2, 3, 5), np.nan)], ids=["absent", "NaN"])
def test_points_placed_by_hand_have_score_one(analysis, scores):
    path, tracks, _ = analysis
    change(path, point_scores=scores)
    points = read_sleap(path, camera="A")
    expected = np.where(np.isnan(tracks[:, 0]), np.nan, 1).transpose(2, 0, 1)
    np.testing.assert_array_equal(points.score[:, 0], expected)


@pytest.mark.parametrize("names", [None, np.zeros(0, "S1")], ids=["absent", "empty"])
def test_tracks_without_names(analysis, names):
    change(analysis[0], track_names=names)
    assert read_sleap(analysis[0], camera="A").individuals == ("track_0", "track_1")


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    nodes=st.lists(words, min_size=1, max_size=4, unique=True),
    tracks=st.lists(words, min_size=1, max_size=3, unique=True),
    start=st.integers(0, 5),
    seed=st.integers(0, 100),
)
def test_round_trip(tmp_path, make_points, nodes, tracks, start, seed):
    points = make_points(individuals=tuple(tracks), keypoints=tuple(nodes), start=start, seed=seed)
    write_sleap(points, tmp_path / "a.h5")
    back = read_sleap(tmp_path / "a.h5", camera="A")
    assert (back.individuals, back.keypoints, back.start) == (points.individuals, points.keypoints, 0)
    assert np.isnan(back.xy[:start]).all()
    np.testing.assert_array_equal(back.xy[start:], points.xy)
    np.testing.assert_array_equal(back.score[start:], points.score)


def test_same_keypoints_give_the_same_bytes(tmp_path, make_points):
    for name in ("a.h5", "b.h5"):
        write_sleap(make_points(), tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_sleap_io_reads_what_is_written(tmp_path, make_points):
    sleap_io = pytest.importorskip("sleap_io")
    points = make_points(individuals=("m1", "m2"))
    write_sleap(points, tmp_path / "a.analysis.h5")
    labels = sleap_io.load_analysis_h5(str(tmp_path / "a.analysis.h5"))
    assert labels.skeleton.node_names == list(points.keypoints)
    assert [track.name for track in labels.tracks] == ["m1", "m2"]
    np.testing.assert_allclose(labels.numpy(), points.xy[:, 0])


def test_two_cameras_are_a_mistake(tmp_path, make_points):
    with pytest.raises(ValueError, match="one camera, not 2"):
        write_sleap(make_points(cameras=("A", "B")), tmp_path / "a.h5")


# bad input


def refused(path, text):
    with pytest.raises(FormatError, match=text) as caught:
        read_sleap(path, camera="A")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"node_names": None}, "no SLEAP analysis"),
        ({"tracks": None}, "no SLEAP analysis"),
        ({"node_names": [b"nose", b"tail"]}, "do not fit"),
        ({"node_names": [b"nose", b"nose", b"tail"]}, '"nose" is there twice'),
        ({"node_names": [b"\xff\xfe", b"b", b"c"]}, "no utf-8 text"),
        ({"track_names": [b"a"]}, "1 track names for 2 tracks"),
        ({"track_names": [b"a", b"a"]}, 'track "a" is there twice'),
        ({"point_scores": np.zeros((2, 3, 4))}, "do not fit"),
        ({"tracks": np.zeros((2, 3))}, "2 axes"),
        ({"tracks": np.zeros((0, 2, 3, 5)), "point_scores": None, "track_names": None}, "holds no tracks"),
    ],
)
def test_files_that_do_not_fit(analysis, changes, text):
    change(analysis[0], **changes)
    refused(analysis[0], text)


def test_a_project_is_no_analysis(tmp_path):
    with h5py.File(tmp_path / "a.slp", "w") as file:
        file["points"], file["frames"] = [1.0], [1.0]
    refused(tmp_path / "a.slp", "SLEAP project; export it")


def test_damaged_names_of_axes(analysis):
    with h5py.File(analysis[0], "r+") as file:
        file["tracks"].attrs["dims"] = "[1,"
    refused(analysis[0], "axes of tracks are damaged")


def test_truncated_and_foreign_files(analysis, tmp_path):
    content = analysis[0].read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "cut.h5", "cut short or damaged")
    (tmp_path / "text.h5").write_text("no HDF5 at all")
    refused(tmp_path / "text.h5", "is no HDF5 file")
    refused(tmp_path / "absent.h5", "no such file")


# real recordings


@pytest.mark.parametrize(("camera", "missing"), [("back", 0.22), ("mid", 0), ("side", 0.13), ("top", 0)])
def test_proofread_mouse(recordings, camera, missing):
    points = read_sleap(next((recordings / "mouse-4cam" / camera).glob("*.analysis.h5")), camera=camera)
    assert points.xy.shape == (120, 1, 1, 15, 2)
    assert points.keypoints[:3] == ("Nose", "Ear_R", "Ear_L")
    assert np.isnan(points.xy[..., 0]).mean() == pytest.approx(missing, abs=0.005)
    assert np.nanmax(points.score) <= 1
    assert np.isfinite(points.score[np.isfinite(points.xy[..., 0])]).all()
