import tracemalloc
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest

from pose3d.data import Skeleton
from pose3d.errors import DataError, FormatError
from pose3d.io import camera_keypoints, dlc_csv, hdf5, openpose
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.io.keypoint_stream import open_keypoints
from pose3d.io.keypoints import load_keypoints
from pose3d.io.openpose import write_openpose
from pose3d.io.sleap import write_sleap

BODY = Skeleton("two", ("nose", "tail"))
NAMES = ("A.h5", "A.csv", "A.analysis.h5", "A")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch, request):
    """Read some rows at a time, so that short files have many blocks."""
    if "large_blocks" not in request.keywords and not request.node.name.startswith("test_hours"):
        monkeypatch.setattr(hdf5, "_BYTES_AT_ONCE", 300)
        monkeypatch.setattr(dlc_csv, "_BYTES_AT_ONCE", 300)
        monkeypatch.setattr(openpose, "_FILES_AT_ONCE", 4)
        monkeypatch.setattr(openpose, "_NUMBERS_AT_ONCE", 7)
        monkeypatch.setattr(openpose, "_MOST_KEPT_BYTES", 100)


def save(points, path):
    if path.name.endswith("analysis.h5"):
        write_sleap(points, path)
    elif path.suffix:
        write_dlc(points, path)
    else:
        write_openpose(points, path)
    return path


def same(a, b):
    np.testing.assert_array_equal(a.xy, b.xy)
    np.testing.assert_array_equal(a.score, b.score)
    assert (a.cameras, a.individuals, a.keypoints) == (b.cameras, b.individuals, b.keypoints)
    assert (a.start, a.fps) == (b.start, b.fps)


def check_reading(stream, whole, seed=0):
    """Sequential, overlapping and random reading give what the whole has there."""
    assert (stream.n_frames, stream.cameras, stream.individuals, stream.keypoints, stream.fps, stream.start) == (
        whole.n_frames,
        whole.cameras,
        whole.individuals,
        whole.keypoints,
        whole.fps,
        whole.start,
    )
    n = whole.n_frames
    rng = np.random.default_rng(seed)
    spans = [(i, min(i + 7, n)) for i in range(0, n, 5)] + [(0, n), (n, n)]
    spans += [tuple(sorted(rng.integers(0, n + 1, 2).tolist())) for _ in range(20)]
    for first, last in spans:
        part = slice(first, last)
        same(
            stream.read(first, last),
            replace(whole, xy=whole.xy[part], score=whole.score[part], start=whole.start + first),
        )


@pytest.mark.parametrize("name", NAMES)
def test_parts_are_those_of_the_whole(tmp_path, make_points, name):
    people = ("person_0", "person_1")
    points = make_points(n_frames=61, individuals=people)
    path = save(points, tmp_path / name)
    with open_keypoints({"A": path}, skeleton=BODY, fps=50) as stream:
        check_reading(stream, replace(points, fps=50))
        same(load_keypoints({"A": path}, skeleton=BODY, fps=50), replace(points, fps=50))


@pytest.mark.parametrize("form", ["fixed", "table"])
def test_both_forms_of_pandas(tmp_path, make_points, form):
    points = make_points(n_frames=61, start=3)
    write_dlc(points, tmp_path / "a.h5")
    pd.read_hdf(tmp_path / "a.h5").to_hdf(tmp_path / "A.h5", key="df_with_missing", format=form, mode="w")
    with open_keypoints(tmp_path / "A.h5") as stream:
        check_reading(stream, points)


@pytest.mark.parametrize("more", [{"offsets": {"B": 3, "D": -2}}, {"truncate": True}])
def test_views_of_all_formats_with_offsets(tmp_path, make_points, more):
    points = {
        "B": make_points(cameras=("B",), n_frames=50, keypoints=("tail", "nose"), seed=1),
        "C": make_points(cameras=("C",), n_frames=41, seed=2),
        "A": make_points(cameras=("A",), n_frames=45, seed=3),
        "D": make_points(cameras=("D",), n_frames=44, seed=4),
    }
    sources = {
        c: save(p, tmp_path / f"{c}{end}")
        for (c, p), end in zip(points.items(), (".csv", ".h5", ".analysis.h5", ""), strict=True)
    }
    offsets = more.get("offsets", {})
    first = max(-offsets.get(c, 0) for c in points)
    last = min(p.n_frames - offsets.get(c, 0) for c, p in points.items())
    with open_keypoints(sources, skeleton=BODY, **more) as stream:
        assert (stream.start, stream.n_frames) == (first, last - first)
        whole = stream.read(0, stream.n_frames)
        check_reading(stream, whole)
    for i, (camera, p) in enumerate(points.items()):
        shift = offsets.get(camera, 0)
        order = [p.keypoints.index(name) for name in points["B"].keypoints]
        np.testing.assert_array_equal(whole.xy[:, i], p.xy[first + shift : last + shift, 0][:, :, order])


@pytest.mark.parametrize("form", ["csv", "table", "fixed"])
@pytest.mark.parametrize("index", ["gaps", "shuffled"])
def test_frames_left_out_or_out_of_order(tmp_path, make_points, form, index, caplog, monkeypatch):
    points = make_points(n_frames=90, start=4)
    write_dlc(points, tmp_path / "a.h5")
    frame = pd.read_hdf(tmp_path / "a.h5")
    rng = np.random.default_rng(0)
    keep = np.sort(rng.choice(np.arange(1, 89), 40, replace=False))
    keep = np.concatenate([[0], keep, [89]])
    frame = frame.iloc[rng.permutation(keep) if index == "shuffled" else keep]
    path = tmp_path / ("A.csv" if form == "csv" else "A.h5")
    if form == "csv":
        frame.to_csv(path)
    else:
        frame.to_hdf(path, key="df_with_missing", format=form, mode="w")
    xy, score = points.xy.copy(), points.score.copy()
    gone = np.setdiff1d(np.arange(90), keep)
    xy[gone], score[gone] = np.nan, np.nan
    monkeypatch.setattr(camera_keypoints, "_LARGE_FILE", 100)
    with open_keypoints(path) as stream:
        check_reading(stream, replace(points, xy=xy, score=score))
    assert ("out of order" in caplog.text) == (index == "shuffled")


def test_openpose_folders_with_gaps_and_people_who_come_late(tmp_path, make_points):
    points = make_points(n_frames=40, individuals=("person_0", "person_1", "person_2"), start=98)
    xy, score = points.xy.copy(), points.score.copy()
    xy[:30, :, 1:], score[:30, :, 1:] = np.nan, np.nan
    xy[[5, 17]], score[[5, 17]] = np.nan, np.nan
    points = replace(points, xy=xy, score=score)
    path = save(points, tmp_path / "A")
    for i in (5, 17):
        (path / f"A_{98 + i:012d}_keypoints.json").unlink()
    for i in (20, 25):  # names of another form
        (path / f"A_{98 + i:012d}_keypoints.json").rename(path / f"other.{98 + i}.json")
    with open_keypoints(path, skeleton=BODY) as stream:
        check_reading(stream, points)


def test_views_with_fewer_people_are_padded(tmp_path, make_points):
    a = save(make_points(cameras=("A",), n_frames=20, individuals=("person_0",)), tmp_path / "A")
    people = ("person_0", "person_1", "person_2")
    b = save(make_points(cameras=("B",), n_frames=20, individuals=people, seed=1), tmp_path / "B")
    with open_keypoints({"A": a, "B": b}, skeleton=BODY) as stream:
        assert stream.individuals == people
        part = stream.read(3, 9)
    assert np.isnan(part.xy[:, 0, 1:]).all()
    assert np.isfinite(part.xy[:, 1, 2]).any()


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_sleap_in_pieces(tmp_path, make_points, compression):
    points = make_points(n_frames=100, individuals=("m1", "m2"))
    write_sleap(points, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as source, h5py.File(tmp_path / "A.h5", "w") as target:
        for name, data in source.items():
            chunks = (1, 2, 1, 33) if name == "tracks" else None
            more = {"chunks": chunks, "compression": compression} if chunks else {}
            target.create_dataset(name, data=data[()], **more)
    with open_keypoints(tmp_path / "A.h5") as stream:
        check_reading(stream, points)


# checks


def test_a_keypoint_that_comes_late_is_enough(tmp_path, make_points):
    points = make_points(n_frames=80)
    xy = np.full_like(points.xy, np.nan)
    xy[70] = 5
    a = save(replace(points, xy=xy, score=np.ones_like(points.score)), tmp_path / "A.h5")
    b = save(make_points(n_frames=60, cameras=("B",)), tmp_path / "B.csv")
    with open_keypoints({"A": a}) as stream:
        assert np.isfinite(stream.read(70, 71).xy).all()
    with pytest.raises(DataError, match="view A has no keypoint in the frames that all views have"):
        open_keypoints({"A": a, "B": b}, truncate=True)
    xy[70] = np.nan
    save(replace(points, xy=xy), tmp_path / "A.h5")
    with pytest.raises(DataError, match="view A has no keypoint in any frame"):
        open_keypoints({"A": a})


def test_unequal_frames_are_refused_when_opened(tmp_path, make_points):
    a = save(make_points(n_frames=60), tmp_path / "A.csv")
    b = save(make_points(n_frames=61, cameras=("B",)), tmp_path / "B.h5")
    with pytest.raises(DataError, match=r"view B has 61 frames \(0 to 60\), view A has 60 frames .*--truncate"):
        open_keypoints({"A": a, "B": b})


def test_programming_mistakes(tmp_path, make_points):
    path = save(make_points(), tmp_path / "A.csv")
    stream = open_keypoints(path)
    for first, last in ((-1, 3), (3, 2), (0, 21)):
        with pytest.raises(ValueError, match="not within 0 to 20"):
            stream.read(first, last)
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        stream.read(0, 1)


# damage


def one_line(error):
    assert "\n" not in str(error.value)


def test_damage_in_the_middle_of_a_csv(tmp_path, make_points):
    path = save(make_points(n_frames=200), tmp_path / "A.csv")
    lines = path.read_text().splitlines()
    lines[150] = lines[150][: lines[150].rindex(",")] + ",broken"
    path.write_text("\n".join(lines) + "\n")
    with open_keypoints(path) as stream:
        assert stream.read(0, 100).n_frames == 100
        with pytest.raises(FormatError, match=r"A\.csv: a place that must hold a number .*'broken'") as caught:
            stream.read(100, 200)
        one_line(caught)
    with pytest.raises(FormatError, match="'broken'"):
        load_keypoints(path)
    path.write_text("\n".join(lines)[: -len(lines[-1]) // 2])
    with pytest.raises(FormatError, match=r"row 200 has . places, not 7; it is cut short or damaged") as caught:
        open_keypoints(path)
    one_line(caught)
    (tmp_path / "B.csv").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe,1,2\n")
    with pytest.raises(FormatError, match="neither HDF5 nor UTF-8 text"):
        open_keypoints(tmp_path / "B.csv")


@pytest.mark.parametrize(("name", "n_frames"), [("A.h5", 3000), ("A.csv", 200), ("A", 200)])
def test_files_that_change_while_they_are_read(tmp_path, make_points, name, n_frames):
    points = make_points(n_frames=n_frames)
    path = save(points, tmp_path / name)
    with open_keypoints({"A": path}, skeleton=BODY) as stream:
        stream.read(0, 20)
        if path.is_dir():
            (path / "A_000000000150_keypoints.json").unlink()
        else:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(FormatError, match=path.name) as caught:
            stream.read(0, n_frames)
        one_line(caught)


def test_a_damaged_json_is_found_when_opened(tmp_path, make_points):
    path = save(make_points(n_frames=60), tmp_path / "A")
    (path / "A_000000000044_keypoints.json").write_text('{"people": [')
    with pytest.raises(FormatError, match=r"A_000000000044_keypoints\.json: is no OpenPose json, or is cut short"):
        open_keypoints(path, skeleton=BODY)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines(tmp_path, make_points, line_end):
    points = make_points(n_frames=50)
    path = save(points, tmp_path / "A.csv")
    lines = path.read_text().splitlines()
    text = line_end.join([*lines[:20], "", *lines[20:], ",,,,,,", ""])
    path.write_bytes(text.encode("utf-8-sig"))
    with open_keypoints(path) as stream:
        check_reading(stream, points)


def test_numbers_are_read_as_python_reads_them(tmp_path):
    cells = ["0.1", " 2.5", "1e3", "", "nan", "1_0", "1e400", "-0.0", "123456789.123456789", "4.35"]
    head = "scorer,s,s\nbodyparts,a,a\ncoords,x,y\n"
    (tmp_path / "a.csv").write_text(head + "".join(f"{i},{cell},1\n" for i, cell in enumerate(cells)))
    x = read_dlc(tmp_path / "a.csv", camera="A").xy[:, 0, 0, 0, 0]
    expected = np.array([float(cell) if cell else np.nan for cell in cells])
    np.testing.assert_array_equal(x, np.where(np.isinf(expected), np.nan, expected))
    for bad in ("True", "0x10", "NA", '"1"', "1\x00"):
        (tmp_path / "a.csv").write_text(head + f"0,{bad},1\n")
        with pytest.raises(FormatError, match="must hold a number"):
            read_dlc(tmp_path / "a.csv", camera="A")


def test_an_absurd_promise_of_size_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("tracks", (1, 2, 3, 10**10), "f8", chunks=(1, 2, 3, 1000))
        file["node_names"], file["track_names"] = [b"a", b"b", b"c"], [b"m"]
    with pytest.raises(FormatError, match="too many to be true"):
        open_keypoints(tmp_path / "a.h5")


# real recordings


def test_recordings_by_parts(recordings):
    trial = recordings / "balance-4cam/S00_P00_SingleParticipant/S00_P00_T01_BalancingTrial"
    cameras = ("back", "mid", "side", "top")
    each = [
        ({c: next((recordings / "mouse-4cam" / c).glob("*.analysis.h5")) for c in cameras}, None),
        ({c: next((recordings / "fly-3cam-ortho").glob(f"*Cam-{c}*rng=0.csv")) for c in "CAB"}, None),
        (trial / "pose", Skeleton.preset("body25b")),
    ]
    for sources, skeleton in each:
        whole = load_keypoints(sources, skeleton=skeleton, offsets=None, truncate=True)
        with open_keypoints(sources, skeleton=skeleton, truncate=True) as stream:
            parts = [stream.read(i, min(i + 33, stream.n_frames)) for i in range(0, stream.n_frames, 33)]
        np.testing.assert_array_equal(np.concatenate([part.xy for part in parts]), whole.xy)
        np.testing.assert_array_equal(np.concatenate([part.score for part in parts]), whole.score)


# hours


@pytest.mark.parametrize("name", ["A.h5", "A.csv", "A.analysis.h5"])
def test_hours_are_never_in_memory(tmp_path, name):
    """A recording that takes 29 MB as an array is read with a few blocks in memory."""
    n_frames, parts = 100_000, tuple(f"p{i}" for i in range(12))
    path = tmp_path / name
    small = 1000
    rng = np.random.default_rng(0)
    values = np.round(rng.uniform(0, 999, (small, len(parts) * 3)), 3)
    values[:, 2::3] /= 1000
    if name == "A.csv":
        head = ["scorer" + ",s" * values.shape[1], "bodyparts," + ",".join(p for p in parts for _ in range(3))]
        head.append("coords" + ",x,y,likelihood" * len(parts))
        rows = [",".join(map(repr, row)) for row in values.tolist()]
        with path.open("w") as file:
            file.write("\n".join(head) + "\n")
            file.writelines(f"{i},{rows[i % small]}\n" for i in range(n_frames))
    elif name == "A.h5":
        columns = pd.MultiIndex.from_product(
            [["s"], parts, ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
        )
        frame = pd.DataFrame(np.tile(values, (n_frames // small, 1)), columns=columns)
        frame.to_hdf(path, key="df_with_missing", format="table", index=False)
        del frame
    else:
        with h5py.File(path, "w") as file:
            tracks = np.tile(values.reshape(small, 12, 3).T[:2], n_frames // small)
            file.create_dataset("tracks", data=tracks[None], compression="gzip", compression_opts=1)
            file["node_names"], file["track_names"] = [p.encode() for p in parts], [b"m"]
            del tracks
    tracemalloc.start()
    try:
        with open_keypoints(path) as stream:
            assert stream.n_frames == n_frames
            for first in range(0, n_frames, small):
                part = stream.read(first, first + small)
                np.testing.assert_array_equal(part.xy[::100, 0, 0, 3], values[::100, 9:11])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6
