import json
import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose3d.data import JointAngles, Keypoints3D, Status
from pose3d.errors import DataError, FormatError
from pose3d.io.anipose_csv import read_angles, read_pose3d, write_angles, write_pose3d
from pose3d.io.uncertainty import uncertainty_path

FRAME = [f"M_{i}{j}" for i in range(3) for j in range(3)] + [f"center_{i}" for i in range(3)]
FIELDS = ("xyz", "error", "n_cameras", "score", "status")


def make(n_frames=6, keypoints=("hip", "knee"), individuals=("anna",), *, covariance=False, fps=60.0, start=0, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n_frames, len(individuals), len(keypoints))
    missing = rng.random(shape) < 0.2
    xyz = np.where(missing[..., None], np.nan, rng.normal(size=(*shape, 3)) * 1e3)
    A = rng.normal(size=(*shape, 3, 3))
    return Keypoints3D(
        xyz,
        np.where(missing, np.nan, rng.random(shape)),
        np.where(missing, 0, rng.integers(2, 5, shape)),
        np.where(missing, np.nan, rng.random(shape)),
        rng.integers(1, 3, shape).astype(np.uint8),
        individuals,
        keypoints,
        np.where(missing[..., None, None], np.nan, A @ A.swapaxes(-1, -2)) if covariance else None,
        fps,
        start,
    )


def same(a, b):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field), err_msg=field)
    assert (a.keypoints, a.individuals, a.fps, a.start) == (b.keypoints, b.individuals, b.fps, b.start)


@pytest.mark.parametrize("covariance", [False, True])
@pytest.mark.parametrize("fps", [None, 60000 / 1001])
@pytest.mark.parametrize("start", [0, 17])
def test_round_trip_is_exact(tmp_path, covariance, fps, start):
    points = make(covariance=covariance, fps=fps, start=start)
    write_pose3d(points, tmp_path / "trial.csv")
    again = read_pose3d(tmp_path / "trial.csv")
    same(again, points)
    if covariance:
        np.testing.assert_allclose(again.covariance, points.covariance, rtol=6e-9)  # 9 digits
    else:
        assert again.covariance is None


@settings(max_examples=40, deadline=None)
@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1), min_size=1, unique=True
    ),
    number=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_name_and_any_float_survive(tmp_path_factory, names, number):
    path = tmp_path_factory.mktemp("csv") / "trial.csv"
    shape = (2, 1, len(names))
    xyz = np.full((*shape, 3), number)
    points = Keypoints3D(
        xyz, np.ones(shape), np.full(shape, 2), np.ones(shape), np.ones(shape, np.uint8), ("a",), tuple(names)
    )
    write_pose3d(points, path)
    again = read_pose3d(path)
    assert again.keypoints == tuple(names)
    np.testing.assert_array_equal(again.xyz.view(np.int64), points.xyz.view(np.int64))


def test_names_that_look_like_columns(tmp_path):
    names = ("x_error_y", "a", "a_error", "M_00", "fnum", "center")
    points = make(keypoints=names)
    write_pose3d(points, tmp_path / "trial.csv")
    same(read_pose3d(tmp_path / "trial.csv"), points)


def test_columns_are_exactly_those_of_anipose(tmp_path):
    write_pose3d(make(covariance=True, start=3), tmp_path / "trial.csv")
    table = pd.read_csv(tmp_path / "trial.csv")
    wanted = [f"{name}_{end}" for name in ("hip", "knee") for end in ("x", "y", "z", "error", "ncams", "score")]
    assert list(table.columns) == [*wanted, *FRAME, "fnum"]
    assert (table[FRAME].to_numpy() == [*np.eye(3).ravel(), 0, 0, 0]).all()
    assert list(table["fnum"]) == [3, 4, 5, 6, 7, 8]
    assert b"\r" not in (tmp_path / "trial.csv").read_bytes()
    assert b"nan" not in (tmp_path / "trial.csv").read_bytes().lower().replace(b"_ncams", b"")


def test_error_is_empty_below_two_cameras(tmp_path):
    shape = (1, 1, 3)
    n_cameras = np.array([[[0, 1, 2]]])
    points = Keypoints3D(
        np.ones((*shape, 3)),
        np.ones(shape),
        n_cameras,
        np.ones(shape),
        np.full(shape, 2, np.uint8),
        ("i",),
        ("a", "b", "c"),
    )
    write_pose3d(points, tmp_path / "trial.csv")
    table = pd.read_csv(tmp_path / "trial.csv")
    assert table[["a_error", "b_error", "c_error"]].isna().to_numpy().tolist() == [[True, True, False]]
    assert table[["a_ncams", "b_ncams", "c_ncams"]].isna().to_numpy().tolist() == [[True, False, False]]
    np.testing.assert_array_equal(read_pose3d(tmp_path / "trial.csv").n_cameras, n_cameras)


def anipose_table(xyz, M, center):
    """Write as anipose's triangulate does: stored = X M^T - center."""
    stored = xyz @ M.T - center
    table = pd.DataFrame()
    for k, name in enumerate(("a", "b")):
        for j, axis in enumerate("xyz"):
            table[f"{name}_{axis}"] = stored[:, k, j]
        table[f"{name}_error"], table[f"{name}_ncams"], table[f"{name}_score"] = 0.5, 3.0, 0.9
    for i in range(3):
        for j in range(3):
            table[f"M_{i}{j}"] = M[i, j]
    for i in range(3):
        table[f"center_{i}"] = center[i]
    table["fnum"] = np.arange(len(xyz))
    return table


def test_a_sheared_frame_is_undone(tmp_path):
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(5, 2, 3)) * 100
    c = np.cos(np.radians(75))
    M = np.array([[1, 0, 0], [c, np.sqrt(1 - c * c), 0], [0, 0, 1]])  # axes 75 degrees apart, as anipose 1.1 makes them
    anipose_table(xyz, M, np.array([1.0, -2, 3])).to_csv(tmp_path / "trial.csv", index=False)
    points = read_pose3d(tmp_path / "trial.csv")
    np.testing.assert_allclose(points.xyz[:, 0], xyz, rtol=1e-12)
    transposed = (xyz @ M.T) @ M  # what a transpose would give
    assert np.abs(transposed - xyz).max() > 10
    assert points.individuals == ("individual_0",)
    assert points.fps is None


def test_frames_left_out_are_missing(tmp_path):
    write_pose3d(make(start=4), tmp_path / "trial.csv")
    table = pd.read_csv(tmp_path / "trial.csv").iloc[[0, 3, 2, 5]]
    table.to_csv(tmp_path / "other.csv", index=False)
    points = read_pose3d(tmp_path / "other.csv")
    assert (points.n_frames, points.start) == (6, 4)
    whole = read_pose3d(tmp_path / "trial.csv")
    np.testing.assert_array_equal(points.xyz[[0, 2, 3, 5]], whole.xyz[[0, 2, 3, 5]])
    assert np.isnan(points.xyz[[1, 4]]).all()
    assert (points.status[[1, 4]] == Status.MISSING).all()


def test_points_that_no_camera_made_are_filled(tmp_path):
    table = anipose_table(np.ones((3, 2, 3)), np.eye(3), np.zeros(3))
    table.loc[1, ["a_error", "a_ncams", "a_score"]] = np.nan  # as anipose's optimisation leaves it
    table.to_csv(tmp_path / "trial.csv", index=False)
    assert read_pose3d(tmp_path / "trial.csv").status[:, 0, 0].tolist() == [1, 2, 1]


def test_individuals_get_a_file_each(tmp_path):
    points = make(individuals=("anna", "bert"))
    paths = write_pose3d(points, tmp_path / "trial.csv")
    assert [path.name for path in paths] == ["trial_anna.csv", "trial_bert.csv"]
    assert not (tmp_path / "trial.csv").exists()
    bert = read_pose3d(paths[1])
    assert bert.individuals == ("bert",)
    np.testing.assert_array_equal(bert.xyz, points.xyz[:, 1:])
    for names in (("a/b", "c"), ("Anna", "anna")):
        with pytest.raises(DataError, match="rename"):
            write_pose3d(make(individuals=names), tmp_path / "trial.csv")


def test_side_file_says_what_the_csv_cannot(tmp_path):
    write_pose3d(make(covariance=True, fps=50.0, start=5), tmp_path / "trial.csv")
    text = (tmp_path / "trial.uncertainty.csv").read_text()
    facts = json.loads(text.splitlines()[0].removeprefix("# pose3d: "))
    assert (facts["fps"], facts["start"], facts["individual"]) == (50.0, 5, "anna")
    table = pd.read_csv(tmp_path / "trial.uncertainty.csv", skiprows=1)
    assert list(table["frame"]) == [5, 6, 7, 8, 9, 10]
    assert table["time_s"][0] == 0.1
    assert set(table["hip_status"]) <= {"observed", "filled", "missing"}
    assert [c for c in table if c.startswith("hip_")] == [
        "hip_status",
        "hip_gap",
        *(f"hip_{p}" for p in ("xx", "xy", "xz", "yy", "yz", "zz")),
    ]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace('"fps": 60.0', '"fps": -1'), "fps"),
        (lambda text: text.replace("# pose3d: {", "# pose3d: {{"), "first line"),
        (lambda text: text.split("\n", 1)[1], "no side file"),
        (lambda text: text.replace("hip_status", "hop_status"), "columns"),
        (lambda text: text.replace("observed", "guessed"), "status"),
        (lambda text: "\n".join(text.splitlines()[:-1]) + "\n", "frames"),
        (lambda text: text[: len(text) // 2], "."),
        (lambda text: text.split("\n", 2)[0] + "\n", "csv"),
        (lambda _: "", "empty"),
        (lambda text: text.replace('"sha256": "', '"sha256": "0'), "another version"),
    ],
)
def test_a_damaged_side_file_is_left_aside_with_a_word(tmp_path, caplog, damage, message):
    points = make(covariance=True)
    write_pose3d(points, tmp_path / "trial.csv")
    side = uncertainty_path(tmp_path / "trial.csv")
    side.write_text(damage(side.read_text()))
    with caplog.at_level(logging.WARNING, "pose3d"):
        again = read_pose3d(tmp_path / "trial.csv")
    assert again.fps is None
    assert again.covariance is None
    assert message in caplog.text
    assert len(caplog.records) == 1
    np.testing.assert_array_equal(again.xyz, points.xyz)


def test_the_side_file_of_another_csv_is_not_used(tmp_path, caplog):
    write_pose3d(make(seed=1), tmp_path / "trial.csv")
    old = uncertainty_path(tmp_path / "trial.csv").read_bytes()
    write_pose3d(make(seed=2), tmp_path / "trial.csv")
    uncertainty_path(tmp_path / "trial.csv").write_bytes(old)
    with caplog.at_level(logging.WARNING, "pose3d"):
        assert read_pose3d(tmp_path / "trial.csv").fps is None
    assert "another version" in caplog.text


def test_other_line_ends_are_the_same_csv(tmp_path, caplog):
    write_pose3d(make(), tmp_path / "trial.csv")
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_pose3d(tmp_path / "trial.csv").fps == 60.0
    assert not caplog.records


def test_the_same_points_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_pose3d(make(covariance=True), tmp_path / name / "trial.csv")
    for file in ("trial.csv", "trial.uncertainty.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="a_score"), "a_score missing"),
        (lambda t: t.drop(columns="M_11"), "M_11 missing"),
        (lambda t: t.drop(columns="fnum"), "fnum missing"),
        (lambda t: t.drop(columns=[c for c in t if c.endswith("_error")]), "missing"),
        (lambda t: t.assign(fnum=[0, 1, 1]), "twice"),
        (lambda t: t.assign(fnum=[0, 1, 1.5]), "whole"),
        (lambda t: t.assign(fnum=[0, 1, 2_000_000_000]), "run from"),
        (lambda t: t.assign(fnum=[0, 1, np.nan]), "cut short"),
        (lambda t: t.assign(a_x=["1", "two", "3"]), "column a_x holds 'two'"),
        (lambda t: t.assign(M_00=[1, 2, 1]), "every row"),
        (lambda t: t.assign(M_00=0), "singular"),
        (lambda t: t.iloc[:0], "no frame"),
    ],
)
def test_damage_is_one_line(tmp_path, change, message):
    path = tmp_path / "trial.csv"
    change(anipose_table(np.ones((3, 2, 3)), np.eye(3), np.zeros(3))).to_csv(path, index=False)
    with pytest.raises(FormatError, match=f"trial.csv: .*{message}") as caught:
        read_pose3d(path)
    assert "\n" not in str(caught.value)


def test_a_row_longer_than_the_header_does_not_shift_the_columns(tmp_path):
    table = anipose_table(np.ones((3, 2, 3)), np.eye(3), np.zeros(3)).to_csv(index=False).splitlines()
    (tmp_path / "trial.csv").write_text("\n".join([table[0], *(line + ",7" for line in table[1:])]) + "\n")
    with pytest.raises(FormatError, match="longer than the header"):
        read_pose3d(tmp_path / "trial.csv")


def test_columns_of_strangers_are_said(tmp_path, caplog):
    table = anipose_table(np.ones((3, 2, 3)), np.eye(3), np.zeros(3)).assign(a_speed="fast")
    table.to_csv(tmp_path / "trial.csv", index=False)
    with caplog.at_level(logging.WARNING, "pose3d"):
        assert read_pose3d(tmp_path / "trial.csv").keypoints == ("a", "b")
    assert "a_speed" in caplog.text


@pytest.mark.parametrize("read", [read_pose3d, read_angles])
@pytest.mark.parametrize(
    "data", [b"", b"\x89HDF\r\n\x1a\n\0\0", b"a,b\n1,2,3\n4\n", b"\0\0\0\0", b"\n\n\n", b"a;b\n1;2\n"]
)
def test_what_is_no_csv_is_one_line(tmp_path, read, data):
    (tmp_path / "trial.csv").write_bytes(data)
    with pytest.raises(FormatError, match=r"trial.csv") as caught:
        read(tmp_path / "trial.csv")
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FormatError, match="no such pose-3d csv"):
        read_pose3d(tmp_path / "none.csv")


def test_keypoints_need_names(tmp_path):
    with pytest.raises(DataError, match="name"):
        write_pose3d(make(keypoints=("hip", "")), tmp_path / "trial.csv")
    assert not list(tmp_path.iterdir())


def test_intervals_of_angles_round_trip(tmp_path):
    rng = np.random.default_rng(1)
    deg, sd = rng.normal(size=(7, 1, 2)) * 50, np.ones((7, 1, 2))
    deg[3] = np.nan
    angles = JointAngles(deg, ("knee", "hip"), ("anna",), sd, 50.0, 0, deg - 2 * sd, deg + 2 * sd)
    write_angles(angles, tmp_path / "trial.csv")
    side = pd.read_csv(tmp_path / "trial.uncertainty.csv", comment="#")
    assert list(side.columns)[2:] == ["knee_sd", "knee_low", "knee_high", "hip_sd", "hip_low", "hip_high"]
    again = read_angles(tmp_path / "trial.csv")
    for name in ("deg", "sd_deg", "low_deg", "high_deg"):
        np.testing.assert_array_equal(getattr(again, name), getattr(angles, name), err_msg=name)


@pytest.mark.parametrize("sd", [False, True])
def test_angles_round_trip(tmp_path, sd):
    rng = np.random.default_rng(0)
    deg = rng.normal(size=(7, 1, 2)) * 50
    deg[2, 0, 1] = np.nan
    spread = np.abs(rng.normal(size=(7, 1, 2)))
    angles = JointAngles(deg, ("knee_flex", "fnum_rot"), ("anna",), spread if sd else None, 29.97, 3)
    write_angles(angles, tmp_path / "trial.csv")
    table = pd.read_csv(tmp_path / "trial.csv")
    assert list(table.columns) == ["knee_flex", "fnum_rot", "fnum"]
    assert list(table["fnum"]) == list(range(3, 10))
    again = read_angles(tmp_path / "trial.csv")
    np.testing.assert_array_equal(again.deg, deg)
    assert (again.names, again.individuals, again.fps, again.start) == (angles.names, ("anna",), 29.97, 3)
    if sd:
        np.testing.assert_array_equal(again.sd_deg, spread)
    else:
        assert again.sd_deg is None


def test_angles_of_anipose_itself(tmp_path):
    pd.DataFrame({"knee": [10.0, np.nan], "hip_rot": [1.0, 2.0], "fnum": [0, 2]}).to_csv(
        tmp_path / "a.csv", index=False
    )
    angles = read_angles(tmp_path / "a.csv")
    np.testing.assert_array_equal(angles.deg[:, 0], [[10, 1], [np.nan, np.nan], [np.nan, 2]])
    assert (angles.fps, angles.individuals) == (None, ("individual_0",))


def test_angles_of_several_and_bad_names(tmp_path):
    angles = JointAngles(np.ones((2, 2, 1)), ("knee",), ("a", "b"))
    assert [path.name for path in write_angles(angles, tmp_path / "t.csv")] == ["t_a.csv", "t_b.csv"]
    for names in (("fnum",), ("",), ()):
        with pytest.raises(DataError, match="names"):
            write_angles(JointAngles(np.ones((2, 1, len(names))), names, ("a",)), tmp_path / "u.csv")


def test_points_are_no_angles(tmp_path):
    write_pose3d(make(), tmp_path / "trial.csv")
    with pytest.raises(FormatError, match="no angles csv"):
        read_angles(tmp_path / "trial.csv")
