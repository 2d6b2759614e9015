import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose3d.data import Keypoints3D, Status
from pose3d.errors import DataError, FormatError
from pose3d.io.trc import read_trc, write_trc


def make(n_frames=5, keypoints=("RHip", "RKnee", "RAnkle"), individuals=("anna",), *, fps=60.0, start=0, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n_frames, len(individuals), len(keypoints))
    xyz = rng.normal(size=(*shape, 3)) * 1000
    xyz[rng.random(shape) < 0.2] = np.nan
    nothing = np.full(shape, np.nan)
    return Keypoints3D(
        xyz, nothing, np.zeros(shape), nothing, np.ones(shape, np.uint8), individuals, keypoints, fps=fps, start=start
    )


def test_layout_is_what_opensim_demands(tmp_path):
    points = make(2, ("RHip", "left knee"))
    xyz = points.xyz.copy()
    xyz[0, 0] = [[1000.0, 2000.0, 3000.0], [np.nan] * 3]
    write_trc(
        Keypoints3D(
            xyz,
            *(getattr(points, f) for f in ("error", "n_cameras", "score", "status", "individuals", "keypoints")),
            fps=60.0,
        ),
        tmp_path / "walk.trc",
    )
    lines = (tmp_path / "walk.trc").read_bytes().decode().split("\n")
    assert lines[0] == "PathFileType\t4\t(X/Y/Z)\twalk.trc"
    assert lines[1] == (
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
    )
    assert lines[2] == "60\t60\t2\t2\tm\t60\t1\t2"
    assert lines[3] == "Frame#\tTime\tRHip\t\t\tleft_knee\t\t"
    assert lines[4] == "\t\tX1\tY1\tZ1\tX2\tY2\tZ2"
    assert lines[5] == ""
    assert lines[6] == "1\t0.0\t1.0\t3.0\t-2.0\tNaN\tNaN\tNaN"
    assert {line.count("\t") for line in lines[3:5] + lines[6:8]} == {7}
    assert lines[8:] == [""]


@pytest.mark.parametrize("unit", ["m", "mm"])
@pytest.mark.parametrize("start", [0, 12])
@pytest.mark.parametrize("fps", [60.0, 60000 / 1001])
def test_round_trip(tmp_path, unit, start, fps):
    points = make(start=start, fps=fps)
    write_trc(points, tmp_path / "a.trc", unit=unit)
    again = read_trc(tmp_path / "a.trc")
    np.testing.assert_allclose(again.xyz, points.xyz, rtol=1e-15)
    if unit == "mm":
        np.testing.assert_array_equal(again.xyz, points.xyz)
    assert (again.keypoints, again.fps, again.start) == (points.keypoints, fps, start)
    np.testing.assert_array_equal(again.status == Status.MISSING, np.isnan(points.xyz[..., 0]))


@settings(max_examples=30, deadline=None)
@given(number=st.floats(-1e8, 1e8), fps=st.floats(0.1, 1e4), n=st.integers(1, 4))
def test_numbers_survive(tmp_path_factory, number, fps, n):
    path = tmp_path_factory.mktemp("trc") / "a.trc"
    points = make(2, tuple(f"m{i}" for i in range(n)))
    points = Keypoints3D(
        np.full_like(points.xyz, number),
        points.error,
        points.n_cameras,
        points.score,
        points.status,
        ("a",),
        points.keypoints,
    )
    write_trc(points, path, unit="mm", fps=fps)
    again = read_trc(path)
    np.testing.assert_array_equal(again.xyz, points.xyz)
    assert again.fps == fps


def test_axes_that_are_up(tmp_path):
    points = make()
    write_trc(points, tmp_path / "a.trc", unit="mm", up="y")
    np.testing.assert_array_equal(read_trc(tmp_path / "a.trc", up="z").xyz, points.xyz)
    x, y, z = np.moveaxis(points.xyz, -1, 0)
    np.testing.assert_array_equal(read_trc(tmp_path / "a.trc").xyz, np.stack([x, -z, y], axis=-1))


def test_frame_rate_must_be_known(tmp_path):
    with pytest.raises(DataError, match="--fps"):
        write_trc(make(fps=None), tmp_path / "a.trc")
    with pytest.raises(DataError, match="--fps"):
        write_trc(make(), tmp_path / "a.trc", fps=0.0)
    assert not list(tmp_path.iterdir())
    write_trc(make(fps=None), tmp_path / "a.trc", fps=25.0)
    assert read_trc(tmp_path / "a.trc").fps == 25.0


def test_names_lose_their_white_space_and_must_differ(tmp_path):
    write_trc(make(keypoints=("left knee", "b\tc", "d")), tmp_path / "a.trc")
    assert read_trc(tmp_path / "a.trc").keypoints == ("left_knee", "b_c", "d")
    with pytest.raises(DataError, match="rename"):
        write_trc(make(keypoints=("left knee", "left_knee", "d")), tmp_path / "a.trc")


def test_individuals_get_a_file_each(tmp_path):
    points = make(individuals=("anna", "bert"))
    paths = write_trc(points, tmp_path / "walk.trc", unit="mm")
    assert [path.name for path in paths] == ["walk_anna.trc", "walk_bert.trc"]
    np.testing.assert_array_equal(read_trc(paths[1]).xyz, points.xyz[:, 1:])


def text(tmp_path):
    write_trc(make(), tmp_path / "a.trc", unit="mm")
    return (tmp_path / "a.trc").read_text()


def test_empty_cells_and_frames_left_out_are_missing(tmp_path):
    lines = text(tmp_path).splitlines()
    cells = lines[7].split("\t")
    lines[7] = "\t".join([*cells[:2], "", "", "", *cells[5:]])
    lines[2] = lines[2].replace("\t5\t", "\t4\t")
    del lines[8]
    (tmp_path / "a.trc").write_bytes("\r\n".join(lines).encode() + b"\r\n")
    points = read_trc(tmp_path / "a.trc")
    whole = make()
    assert np.isnan(points.xyz[1, 0, 0]).all()
    assert np.isnan(points.xyz[2]).all()
    np.testing.assert_array_equal(points.xyz[[0, 3, 4]], whole.xyz[[0, 3, 4]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PathFileType", "PathType", "no TRC"),
        ("\tmm\t", "\tinch\t", "Units 'inch'"),
        ("\t5\t3\tmm", "\t5\t4\tmm", None),
        ("\t5\t3\tmm", "\t5\t2\tmm", "must name 2 markers"),
        ("\t5\t3\tmm", "\t9\t3\tmm", "5 of 9 frames"),
        ("60\t60\t5", "0\t60\t5", "DataRate is 0"),
        ("60\t60\t5", "fast\t60\t5", "third line"),
        ("RKnee", "", "fourth line"),
        ("RKnee", "RHip", "named twice"),
        ("\n3\t", "\n2\t", "rise"),
        ("\n3\t", "\n3.5\t", "rise"),
        ("\n5\t", "\n5000000000\t", "run from"),
        ("NaN", "none", "not all numbers"),
        ("\n2\t", "\n2\t\t", "more numbers"),
    ],
)
def test_damage_is_one_line(tmp_path, old, new, message):
    good = text(tmp_path)
    assert old in good
    (tmp_path / "a.trc").write_text(good.replace(old, new, 1))
    if message is None:
        assert read_trc(tmp_path / "a.trc").keypoints == ("RHip", "RKnee", "RAnkle")
        return
    with pytest.raises(FormatError, match=f"a.trc: .*{message}") as caught:
        read_trc(tmp_path / "a.trc")
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_anywhere_is_noticed(tmp_path):
    good = text(tmp_path).encode()
    last_number = len(good) - good.rindex(b"\t")
    for n in range(0, len(good) - last_number, 7):
        (tmp_path / "a.trc").write_bytes(good[:n])
        with pytest.raises(FormatError, match=r"a\.trc"):
            read_trc(tmp_path / "a.trc")


@pytest.mark.parametrize("data", [b"\0\1\2" * 50, b"\xff\xd8\xff\xe0" * 50, b"PathFileType\t4\n" * 9, b"a,b\n1,2\n"])
def test_what_is_no_trc_is_one_line(tmp_path, data):
    (tmp_path / "a.trc").write_bytes(data)
    with pytest.raises(FormatError, match=r"a\.trc") as caught:
        read_trc(tmp_path / "a.trc")
    assert "\n" not in str(caught.value)


def test_recorded_files_of_pose2sim(recordings):
    folder = recordings / "balance-4cam" / "S00_P00_SingleParticipant" / "S00_P00_T01_BalancingTrial" / "pose-3d"
    raw = read_trc(folder / "S00_P00_T01_BalancingTrial_0-100.trc")
    assert (raw.n_frames, raw.fps, len(raw.keypoints), raw.keypoints[:2]) == (100, 60.0, 21, ("RHip", "RKnee"))
    first = np.array([-0.06497214796810755, 0.9015045550714222, -1.4005886926185436]) * 1000
    np.testing.assert_array_equal(raw.xyz[0, 0, 0], [first[0], -first[2], first[1]])
    names = dict(zip(raw.keypoints, np.nanmedian(raw.xyz[:, 0], axis=0), strict=True))
    assert 1100 < names["Nose"][2] - names["RHeel"][2] < 1900  # a person stands up along z
    augmented = read_trc(folder / "S00_P00_T01_BalancingTrial_0-100_filt_butterworth_LSTM.trc")
    assert (augmented.n_frames, len(augmented.keypoints)) == (100, 64)
    assert augmented.keypoints[:21] == raw.keypoints
    assert augmented.keypoints[21] == "r.ASIS_study"


def test_every_recorded_trc_survives(recordings, tmp_path):
    files = sorted((recordings / "balance-4cam").rglob("*.trc"))
    assert len(files) == 6
    for file in files:
        points = read_trc(file)
        write_trc(points, tmp_path / "a.trc", unit="mm")
        again = read_trc(tmp_path / "a.trc")
        np.testing.assert_array_equal(again.xyz, points.xyz)
        assert (again.keypoints, again.fps, again.start) == (points.keypoints, points.fps, points.start)


def test_recorded_file_of_a_laboratory(recordings, caplog):
    """OrthoTrak: CRLF, mm, empty cells, and trajectories without a name behind those with one."""
    with caplog.at_level(logging.WARNING, "pose3d"):
        points = read_trc(recordings / "gait-lab" / "plug-in-gait" / "Gait.trc")
    assert "33 named markers" in caplog.text
    assert (points.n_frames, points.fps, points.start, len(points.keypoints)) == (487, 100.0, 0, 33)
    shoulder = points.xyz[193, 0, points.keypoints.index("R.Shoulder")]
    np.testing.assert_array_equal(shoulder, [1388.38232, -1379.49219, 110.73420])
