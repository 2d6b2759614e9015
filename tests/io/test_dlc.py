import io
import pickle
import time

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pose3d.errors import FormatError
from pose3d.io.dlc import read_dlc, write_dlc

SINGLE = pd.MultiIndex.from_product(
    [["DLC_resnet50"], ["nose", "tail é"], ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
)
MULTI = pd.MultiIndex.from_tuples(
    [
        ("DLC", owner, part, coord)
        for owner, part in (("m1", "nose"), ("m1", "tail"), ("m2", "nose"), ("m2", "tail"), ("single", "corner"))
        for coord in ("x", "y", "likelihood")
    ],
    names=["scorer", "individuals", "bodyparts", "coords"],
)


def table(columns, index):
    return pd.DataFrame(
        np.random.default_rng(0).uniform(0, 1, (len(index), len(columns))), columns=columns, index=index
    )


def same(a, b):
    np.testing.assert_array_equal(a.xy, b.xy)
    np.testing.assert_array_equal(a.score, b.score)
    assert (a.keypoints, a.start, a.n_frames) == (b.keypoints, b.start, b.n_frames)


def save(frame, path, form):
    if form == "csv":
        frame.to_csv(path)
    else:
        frame.to_hdf(path, key="df_with_missing", format=form, mode="w")
    return path


# pandas as the oracle


@pytest.mark.parametrize("form", ["table", "fixed", "csv"])
@pytest.mark.parametrize("columns", [SINGLE, MULTI], ids=["single", "multi"])
def test_what_pandas_wrote_is_read(tmp_path, form, columns):
    frame = table(columns, range(6))
    frame.iloc[2, :2] = np.nan
    points = read_dlc(save(frame, tmp_path / "prädiktion.dat", form), camera="left")
    assert points.cameras == ("left",)
    assert (points.n_frames, points.start, points.fps) == (6, 0, None)
    for owner, part in {column[1:-1] if len(column) == 4 else ("individual_0", column[1]) for column in columns}:
        i, k = points.individuals.index(owner), points.keypoints.index(part)
        key = ("DLC", owner, part) if columns is MULTI else ("DLC_resnet50", part)
        np.testing.assert_array_equal(points.xy[:, 0, i, k], frame[key][["x", "y"]].to_numpy())
        expected = frame[key]["likelihood"].where(frame[key]["x"].notna())
        np.testing.assert_array_equal(points.score[:, 0, i, k], expected)


@pytest.mark.parametrize("form", ["table", "fixed", "csv"])
def test_individuals_without_a_part_lack_it(tmp_path, form):
    points = read_dlc(save(table(MULTI, range(4)), tmp_path / "a.h5", form), camera="A")
    assert points.individuals == ("m1", "m2", "single")
    assert points.keypoints == ("nose", "tail", "corner")
    absent = np.isnan(points.xy[:, 0, :, :, 0])
    np.testing.assert_array_equal(absent[0], [[0, 0, 1], [0, 0, 1], [1, 1, 0]])


@pytest.mark.parametrize("form", ["table", "fixed", "csv"])
def test_frames_left_out_are_missing_and_the_start_is_kept(tmp_path, form):
    frame = table(SINGLE, [12, 10, 14])
    points = read_dlc(save(frame, tmp_path / "a.h5", form), camera="A")
    assert (points.start, points.n_frames) == (10, 5)
    np.testing.assert_array_equal(np.isnan(points.xy[:, 0, 0, 0, 0]), [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(points.xy[2, 0, 0, 0], frame.loc[12].to_numpy()[:2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("key", ["tracks", "whatever"])
def test_other_keys_and_number_types(tmp_path, key, dtype):
    frame = table(SINGLE, range(3)).astype(dtype)
    frame.to_hdf(tmp_path / "a.h5", key=key, mode="w")
    points = read_dlc(tmp_path / "a.h5", camera="A")
    np.testing.assert_array_equal(points.xy[:, 0, 0, 1], frame.to_numpy()[:, 3:5])


@pytest.mark.parametrize("form", ["table", "fixed"])
def test_columns_of_several_types_keep_their_names(tmp_path, form):
    frame = table(SINGLE, range(3))
    frame[SINGLE[3]] = np.arange(3)  # whole numbers make a block of their own
    points = read_dlc(save(frame, tmp_path / "a.h5", form), camera="A")
    np.testing.assert_array_equal(points.xy[:, 0, 0, 1, 0], [0, 1, 2])
    np.testing.assert_array_equal(points.xy[:, 0, 0, 1, 1], frame[SINGLE[4]])
    np.testing.assert_array_equal(points.score[:, 0, 0, 0], frame[SINGLE[2]])


def test_unknown_scores_are_one_and_wild_ones_are_clipped(tmp_path):
    frame = table(SINGLE, range(3))
    frame.iloc[:, 2] = [np.nan, 1.2, -0.1]
    points = read_dlc(save(frame, tmp_path / "a.csv", "csv"), camera="A")
    np.testing.assert_array_equal(points.score[:, 0, 0, 0], [1, 1, 0])


def test_zero_zero_is_a_place(tmp_path):
    frame = table(SINGLE, range(2))
    frame.iloc[0, :3] = 0
    assert read_dlc(save(frame, tmp_path / "a.csv", "csv"), camera="A").xy[0, 0, 0, 0].tolist() == [0, 0]


def test_ensemble_columns_beside_x_and_y_are_passed_over(tmp_path):
    columns = pd.MultiIndex.from_product([["eks"], ["nose"], ["x", "y", "likelihood", "x_ens_var"]], names=SINGLE.names)
    points = read_dlc(save(table(columns, range(3)), tmp_path / "a.csv", "csv"), camera="A")
    assert points.xy.shape == (3, 1, 1, 1, 2)


# writing

names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(names, min_size=1, max_size=4, unique=True),
    owners=st.lists(names, min_size=1, max_size=3, unique=True),
    start=st.integers(0, 10**6),
    seed=st.integers(0, 100),
    suffix=st.sampled_from([".csv", ".h5"]),
)
def test_round_trip(tmp_path, make_points, parts, owners, start, seed, suffix):
    points = make_points(individuals=tuple(owners), keypoints=tuple(parts), start=start, seed=seed)
    write_dlc(points, tmp_path / f"a{suffix}")
    back = read_dlc(tmp_path / f"a{suffix}", camera="A")
    same(back, points)
    assert back.individuals == (points.individuals if len(owners) > 1 else ("individual_0",))


@pytest.mark.parametrize("owners", [("m1",), ("m1", "m2")])
def test_pandas_reads_what_is_written(tmp_path, make_points, owners):
    points = make_points(individuals=owners, start=7)
    write_dlc(points, tmp_path / "a.h5", scorer="net")
    write_dlc(points, tmp_path / "a.csv", scorer="net")
    levels = ["scorer", "individuals", "bodyparts", "coords"]
    if len(owners) == 1:
        levels.remove("individuals")
    from_h5 = pd.read_hdf(tmp_path / "a.h5", "df_with_missing")
    from_csv = pd.read_csv(tmp_path / "a.csv", header=list(range(len(levels))), index_col=0)
    for frame in (from_h5, from_csv):
        assert list(frame.columns.names) == levels
        assert frame.index.tolist() == list(range(7, 27))
        key = ("net", "tail") if len(owners) == 1 else ("net", "m1", "tail")
        np.testing.assert_allclose(frame[key][["x", "y"]].to_numpy(), points.xy[:, 0, 0, 1], rtol=1e-14)


def test_many_columns_fit(tmp_path, make_points):
    points = make_points(n_frames=2, keypoints=tuple(f"point_{i}" for i in range(1200)))
    write_dlc(points, tmp_path / "a.h5")
    same(read_dlc(tmp_path / "a.h5", camera="A"), points)


def test_same_keypoints_give_the_same_bytes(tmp_path, make_points):
    points = make_points(n_frames=400)
    for suffix in (".csv", ".h5"):
        write_dlc(points, tmp_path / f"a{suffix}")
    time.sleep(1.1)  # HDF5 keeps times in whole seconds
    for suffix in (".csv", ".h5"):
        write_dlc(points, tmp_path / f"b{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_programming_mistakes(tmp_path, make_points):
    with pytest.raises(ValueError, match="one camera, not 2"):
        write_dlc(make_points(cameras=("A", "B")), tmp_path / "a.h5")
    with pytest.raises(ValueError, match=r"\.h5 or \.csv"):
        write_dlc(make_points(), tmp_path / "a.txt")


# bad input


def refused(path, words):
    with pytest.raises(FormatError, match=words) as caught:
        read_dlc(path, camera="A")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


class Payload:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (self.target, "w"))


@pytest.mark.parametrize("protocol", [0, 2])
@pytest.mark.parametrize("attribute", ["values_block_0_kind", "non_index_axes", "info"])
def test_a_hostile_pickle_is_not_executed(tmp_path, attribute, protocol):
    target, path = tmp_path / "executed", save(table(SINGLE, range(3)), tmp_path / "a.h5", "table")
    payload = pickle.dumps([Payload(str(target))], protocol)
    with h5py.File(path, "r+") as file:
        holder = file["df_with_missing/table"] if attribute.startswith("values") else file["df_with_missing"]
        holder.attrs[attribute] = payload if protocol == 0 else np.void(payload)
    if attribute.startswith("values"):
        refused(path, "damaged or unsafe")
    else:
        read_dlc(path, camera="A")
    assert not target.exists()
    pickle.loads(payload)[0].close()
    assert target.exists(), "the payload itself must work, or this test proves nothing"


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("form", ["table", "fixed"])
def test_truncated_h5(tmp_path, form, part):
    path = save(table(SINGLE, range(500)), tmp_path / "a.h5", form)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    refused(path, "cut short or damaged")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1), junk=st.binary(min_size=1, max_size=40), form=st.sampled_from(["table", "fixed", "csv"]))
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, at, junk, form):
    path = save(table(SINGLE, range(20)), tmp_path / "a.h5", form)
    content = bytearray(path.read_bytes())
    place = int(at * (len(content) - len(junk)))
    content[place : place + len(junk)] = junk
    path.write_bytes(content)
    error = None
    try:
        read_dlc(path, camera="A")
    except FormatError as caught:
        error = str(caught)
    assert error is None or "\n" not in error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "is no DeepLabCut csv"),
        ("nose_x,nose_y,nose_z,nose_error,fnum\n1,2,3,4,0\n", "is no DeepLabCut csv"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x,y\n", "no frames"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x,y\n0,1\n", "cut short"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x\n0,1,2\n", "differ in length"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x,y\n0,1,two\n", "must hold a number"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x,y\nimg0.png,1,2\nimg1.png,1,2\n", "predictions of a video"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x,y\n0,1,2\n0,3,4\n", "frame 0 is there twice"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x,y\n0,1,2\n1.5,3,4\n", "whole numbers"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x,y\n0,1,2\n99999999999,3,4\n", "numbers look wrong"),
        ("scorer,s,s\nbodyparts,a,a\ncoords,x,x\n0,1,2\n", "no x and y"),
        ("scorer,s,s,s\nbodyparts,a,a,a\ncoords,x,y,x\n0,1,2,3\n", "there twice"),
        ("scorer,s,s,s\nbodyparts,a,a,a\ncoords,x,y,z\n0,1,2,3\n", "holds 3D points"),
        ("scorer,s,t\nbodyparts,a,a\ncoords,x,y\n0,1,2\n", "2 scorers"),
        ("scorer,s,s\nbodyparts,,\ncoords,x,y\n0,1,2\n", "a keypoint has no name"),
    ],
)
def test_csv_that_is_not_deeplabcuts(tmp_path, text, words):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    refused(tmp_path / "a.csv", words)


def test_line_that_names_the_index_is_passed_over(tmp_path):
    (tmp_path / "a.csv").write_text(
        "scorer,s,s\nbodyparts,a,a\ncoords,x,y\nframe,,\n0,1,2\n1,,\n", encoding="utf-8-sig"
    )
    points = read_dlc(tmp_path / "a.csv", camera="A")
    assert points.n_frames == 2
    assert np.isnan(points.xy[1]).all()


def test_other_files(tmp_path):
    refused(tmp_path / "absent.h5", "no such file")
    (tmp_path / "a.h5").write_bytes(b"\xff\xfe\x00\x81 not text")
    refused(tmp_path / "a.h5", "neither HDF5 nor UTF-8 text")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["tracks"] = np.zeros(3)
    refused(tmp_path / "b.h5", "no DeepLabCut table")
    frame = table(SINGLE, ["img0.png", "img1.png"])
    refused(save(frame, tmp_path / "labels.h5", "fixed"), "predictions of a video")
    refused(save(frame, tmp_path / "labels.h5", "table"), "predictions of a video")
    buffer = io.BytesIO()
    pickle.dump({"a": 1}, buffer)
    (tmp_path / "full.pickle").write_bytes(buffer.getvalue())
    refused(tmp_path / "full.pickle", "neither HDF5 nor UTF-8 text")


def test_an_absurd_promise_of_size_is_refused(tmp_path):
    path = save(table(SINGLE, range(3)), tmp_path / "a.h5", "fixed")
    with h5py.File(path, "r+") as file:
        del file["df_with_missing/block0_values"]
        file.create_dataset("df_with_missing/block0_values", (10**9, 6), "f8", chunks=(1000, 6))
    refused(path, "too many to be true")


# real recordings


def test_lightning_pose_csv(recordings):
    path = next((recordings / "fly-3cam-ortho").glob("*Cam-A*rng=0.csv"))
    points = read_dlc(path, camera="A")
    assert (points.n_frames, len(points.keypoints), points.keypoints[0]) == (500, 12, "L1A")
    np.testing.assert_array_equal(points.xy[0, 0, 0, 0], [194.698, 161.2993])
    assert points.score[0, 0, 0, 0] == 0.9946


def test_labels_of_images_are_no_video(recordings):
    refused(recordings / "mirror-mouse-labels" / "CollectedData.csv", "predictions of a video")
