"""Labels of images in DeepLabCut's files: what pandas writes is read, what is written pandas reads."""

import csv
import pickle
import time

import h5py
import numpy as np
import pandas as pd
import pytest

from pose3d.data.labels import ImageName, Labels, Mark
from pose3d.errors import DataError, FormatError
from pose3d.io.collected_data import find_tables, read_collected_data, write_collected_data

IMAGES = ["img003.png", "img010.png", "img120.png"]
PARTS = ["snout", "tail base", "pfote_ü"]


def table(individuals=None, unique=()):
    """A table as DeepLabCut makes it, a few labels missing."""
    rng, n = np.random.default_rng(0), len(IMAGES)
    if individuals is None:
        columns = [("anna", part, coord) for part in PARTS for coord in "xy"]
        names = ["scorer", "bodyparts", "coords"]
    else:
        owners = [(who, part) for who in individuals for part in PARTS] + [("single", part) for part in unique]
        columns = [("anna", who, part, coord) for who, part in owners for coord in "xy"]
        names = ["scorer", "individuals", "bodyparts", "coords"]
    values = rng.uniform(0, 600, (n, len(columns) // 2, 2))
    values[rng.random(values.shape[:2]) < 0.3] = np.nan
    frame = pd.DataFrame(values.reshape(n, -1), columns=pd.MultiIndex.from_tuples(columns, names=names))
    return frame, values


STYLES = {
    "three levels": lambda names: pd.MultiIndex.from_tuples([("labeled-data", "video 1", name) for name in names]),
    "slashes": lambda names: [f"labeled-data/video 1/{name}" for name in names],
    "backslashes": lambda names: [f"labeled-data\\video 1\\{name}" for name in names],
    "whole paths": lambda names: [rf"C:\Users\anna\proj-2020\labeled-data\video 1\{name}" for name in names],
    "two levels": lambda names: [f"video 1/{name}" for name in names],
    "bare": list,
}


@pytest.mark.parametrize("kind", ["csv", "fixed", "table"])
@pytest.mark.parametrize("style", STYLES)
def test_every_way_to_name_images(tmp_path, style, kind):
    if kind == "table" and style == "three levels":
        pytest.skip("pandas cannot write it")
    frame, values = table()
    order = [2, 0, 1]  # rows are in any order: images are known by their names
    frame.index = STYLES[style](IMAGES)
    folder = tmp_path / "video 1"
    folder.mkdir()
    path = folder / ("CollectedData_anna.csv" if kind == "csv" else "CollectedData_anna.h5")
    shuffled = frame.iloc[order]
    if kind == "csv":
        shuffled.to_csv(path)
    else:
        shuffled.to_hdf(path, key="df_with_missing", mode="w", format=kind)
    labels = read_collected_data(path)
    assert labels.images == tuple(ImageName("video 1", IMAGES[i]) for i in order)
    assert labels.keypoints == tuple(PARTS)
    assert labels.scorer == "anna"
    np.testing.assert_array_equal(labels.xy[:, 0], values[order])
    np.testing.assert_array_equal(labels.mark[:, 0] == Mark.VISIBLE, np.isfinite(values[order][..., 0]))


@pytest.mark.parametrize("kind", ["csv", "h5"])
def test_several_animals_and_keypoints_of_none(tmp_path, kind):
    frame, values = table(individuals=["m1", "m2"], unique=["corner"])
    frame.index = STYLES["three levels"](IMAGES)
    path = tmp_path / f"CollectedData_anna.{kind}"
    frame.to_csv(path) if kind == "csv" else frame.to_hdf(path, key="df_with_missing", mode="w")
    labels = read_collected_data(path)
    assert labels.individuals == ("m1", "m2", "single")
    assert labels.keypoints == (*PARTS, "corner")
    np.testing.assert_array_equal(labels.xy[:, :2, :3].reshape(3, 6, 2), values[:, :6])
    np.testing.assert_array_equal(labels.xy[:, 2, 3], values[:, 6])
    assert np.isnan(labels.xy[:, 2, :3]).all()
    csv_path, h5_path = write_collected_data(labels, tmp_path / "again", unique_keypoints=["corner"])
    pd.testing.assert_frame_equal(pd.read_hdf(h5_path), frame, check_index_type=False)
    again = pd.read_csv(csv_path, header=[0, 1, 2, 3], index_col=[0, 1, 2])
    np.testing.assert_array_equal(again.to_numpy(), frame.to_numpy())
    assert list(again.columns) == list(frame.columns)
    np.testing.assert_array_equal(read_collected_data(csv_path).xy, labels.xy)


def random_labels(n=6, individuals=("individual_0",), seed=1):
    rng = np.random.default_rng(seed)
    images = [ImageName("walk, left", f"img{i:04d}.png") for i in rng.permutation(100)[:n]]
    shape = (n, len(individuals), len(PARTS))
    return Labels(images, individuals, PARTS, rng.uniform(-5, 2000, (*shape, 2)), rng.integers(0, 4, shape), "o. k.")


def by_image(labels):
    return {image: (labels.xy[i], labels.mark[i]) for i, image in enumerate(labels.images)}


@pytest.mark.parametrize("individuals", [("individual_0",), ("a", "b, c")])
def test_written_labels_come_back_and_pandas_sees_deeplabcuts_table(tmp_path, individuals):
    labels = random_labels(individuals=individuals)
    paths = write_collected_data(labels, tmp_path)
    assert [path.name for path in paths] == ["CollectedData_o. k..csv", "CollectedData_o. k..h5"]
    for path in paths:
        again = read_collected_data(path)
        assert (again.individuals, again.keypoints, again.scorer) == (individuals, labels.keypoints, "o. k.")
        expected = by_image(labels)
        assert list(again.images) == sorted(expected)
        for image, (xy, mark) in by_image(again).items():
            np.testing.assert_array_equal(xy, expected[image][0])
            np.testing.assert_array_equal(mark, expected[image][1])
    frame = pd.read_hdf(paths[1], "df_with_missing")
    assert frame.columns.names == (
        ["scorer", "bodyparts", "coords"] if len(individuals) == 1 else ["scorer", "individuals", "bodyparts", "coords"]
    )
    assert frame.index[0][:2] == ("labeled-data", "walk, left")
    assert frame.index.nlevels == 3
    assert (frame.dtypes == np.float64).all()
    n_head = frame.columns.nlevels
    text = pd.read_csv(paths[0], header=list(range(n_head)), index_col=[0, 1, 2])
    np.testing.assert_array_equal(text.to_numpy(), frame.to_numpy())
    assert list(text.index) == list(frame.index)


def test_the_same_labels_give_the_same_bytes(tmp_path):
    labels = random_labels()
    reverse = labels.take(range(len(labels))[::-1])
    write_collected_data(labels, tmp_path / "a")
    time.sleep(1.1)  # HDF5 counts in seconds, and keeps them unless it is told not to
    write_collected_data(reverse, tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["CollectedData_o. k..csv", "CollectedData_o. k..h5", "CollectedData_o. k..marks.csv"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_marks_stand_beside_the_table_and_go_with_it(tmp_path):
    images = [ImageName("v", "img1.png"), ImageName("v", "img2.png")]
    mark = np.array([[[Mark.VISIBLE, Mark.OCCLUDED, Mark.ABSENT]], [[Mark.ABSENT, Mark.UNLABELLED, Mark.VISIBLE]]])
    labels = Labels(images, ("individual_0",), PARTS, np.full((2, 1, 3, 2), 7.0), mark)
    path, _ = write_collected_data(labels, tmp_path, scorer="x")
    marks = tmp_path / "CollectedData_x.marks.csv"
    with marks.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["image", "individual", "keypoint", "mark"],
            ["img1.png", "individual_0", "tail base", "occluded"],
            ["img1.png", "individual_0", "pfote_ü", "absent"],
            ["img2.png", "individual_0", "snout", "absent"],
        ]
    assert find_tables(tmp_path) == {"x": tmp_path / "CollectedData_x.h5"}
    assert np.isnan(pd.read_hdf(tmp_path / "CollectedData_x.h5").to_numpy()[0, 4:]).all()
    plain = Labels(images, ("individual_0",), PARTS, labels.xy, np.minimum(mark, 1))
    write_collected_data(plain, tmp_path, scorer="x")
    assert not marks.exists()
    np.testing.assert_array_equal(read_collected_data(path).mark, np.where(np.isfinite(plain.xy[..., 0]), 1, 0))


def test_no_image_at_all(tmp_path):
    frame, _ = table()
    frame.index = STYLES["three levels"](IMAGES)
    frame.iloc[:0].to_csv(tmp_path / "CollectedData_a.csv")
    assert len(read_collected_data(tmp_path / "CollectedData_a.csv")) == 0
    frame.iloc[:0].to_hdf(tmp_path / "CollectedData_a.h5", key="df_with_missing", mode="w")
    with pytest.raises(FormatError, match="a header but no rows"):
        read_collected_data(tmp_path / "CollectedData_a.h5")
    with pytest.raises(ValueError, match="one video"):
        write_collected_data(Labels.empty([], ["a"], PARTS), tmp_path)


def test_a_label_at_another_individuals_keypoint_is_not_lost(tmp_path):
    labels = random_labels(individuals=("m1", "single"))
    path, _ = write_collected_data(labels, tmp_path, scorer="x", unique_keypoints=["snout"])
    again = by_image(read_collected_data(path))
    for image, (_, mark) in by_image(labels).items():
        np.testing.assert_array_equal(again[image][1], mark)


def test_an_interrupted_writing_leaves_what_was_there(tmp_path, monkeypatch):
    labels = random_labels()
    _, h5 = write_collected_data(labels, tmp_path)
    before = h5.read_bytes()
    monkeypatch.setattr(pd.HDFStore, "put", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    from pose3d.errors import Pose3DError

    with pytest.raises(Pose3DError, match="cannot be written"):
        write_collected_data(labels.take([0]), tmp_path)
    assert h5.read_bytes() == before
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".h5"}


def test_what_cannot_be_written(tmp_path):
    labels = random_labels()
    with pytest.raises(DataError, match="scorer 'a/b' cannot be part of a file's name"):
        write_collected_data(labels, tmp_path, scorer="a/b")
    two = Labels.empty([ImageName("a", "i1.png"), ImageName("b", "i1.png")], ["x"], PARTS)
    with pytest.raises(ValueError, match="one video"):
        write_collected_data(two, tmp_path)
    assert not list(tmp_path.iterdir())


HEAD = "scorer,a,a\nbodyparts,p,p\ncoords,x,y\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the table of labels is empty"),
        ("hello\n", "is no table of labels"),
        ("scorer,a,a\nbodyparts,p,p\n", "is no table of labels"),
        (HEAD + "labeled-data/v/img1.png,1\n", "line 4 has 2 places, not 3; it is cut short or damaged"),
        (HEAD + "labeled-data/v/img1.png,1,2,3\n", "line 4 has 4 places"),
        (HEAD + "labeled-data/v/img1.png,1,2\nlabeled-data\\v\\img1.png,3,4\n", "img1.png of v is there twice"),
        (HEAD + "labeled-data/v/img1.png,1,left\n", "must hold a number"),
        (HEAD + "labeled-data/v/img1.png,1,inf\n", "img1.png: a coordinate is infinite"),
        (HEAD + "labeled-data/../img1.png,1,2\n", "names no image"),
        (HEAD + "labeled-data/v/..,1,2\n", "names no image"),
        (HEAD + "labeled-data/C:/img1.png,1,2\n", "names no image"),
        (HEAD + "labeled-data/v/img1,1,2\n", "names no image"),
        (HEAD + "0,1,2\n1,3,4\n", "rows are numbered, not named after images"),
        ("scorer,a,b\nbodyparts,p,p\ncoords,x,y\nv/i1.png,1,2\n", "of 2 scorers"),
        ("scorer,a,a,a\nbodyparts,p,p,p\ncoords,x,y,z\nv/i1.png,1,2,3\n", "holds 3D points"),
        ("scorer,a,a\nbodyparts,p\ncoords,x,y\nv/i1.png,1,2\n", "header's lines differ in length"),
        ("scorer,,a,a\nbodyparts,,p,p\ncoords,,x,y\nv,i1.png,1,2\n", "header's lines do not begin alike"),
        ("scorer,,,a,a\nbodyparts,q,,p,p\ncoords,,,x,y\nl,v,i1.png,1,2\n", "header's lines do not begin alike"),
        ("scorer,a,a\nbodyparts,,\ncoords,x,y\nv/i1.png,1,2\n", "a keypoint has no name"),
        ('scorer,a,a\nbodyparts,p,p\ncoords,x,y\n"' + "x" * 200_000 + '",1,2\n', "is no csv"),
    ],
)  # fmt: skip
def test_damaged_csv(tmp_path, text, expected):
    path = tmp_path / "CollectedData_a.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError) as caught:
        read_collected_data(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert expected in message
    assert "\n" not in message


def test_csv_of_windows_with_blank_lines_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "CollectedData.csv"
    text = HEAD + "\nlabeled-data\\v\\img1.png, 1.5 ,2\n,,\n\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    labels = read_collected_data(path)
    assert labels.images == (ImageName("v", "img1.png"),)
    assert labels.xy.ravel().tolist() == [1.5, 2.0]
    path.write_bytes(b"\xff\xfe\x00s")
    with pytest.raises(FormatError, match="neither HDF5 nor UTF-8 text"):
        read_collected_data(path)
    with pytest.raises(FormatError, match="no such table of labels"):
        read_collected_data(tmp_path / "none.csv")
    with pytest.raises(FormatError, match="is a folder"):
        read_collected_data(tmp_path)


def test_h5_cut_anywhere_is_one_clear_line(tmp_path):
    frame, _ = table()
    frame.index = STYLES["three levels"](IMAGES)
    whole = tmp_path / "CollectedData_a.h5"
    frame.to_hdf(whole, key="df_with_missing", mode="w")
    data = whole.read_bytes()
    cut = tmp_path / "cut.h5"
    for length in range(0, len(data) - 1, max(1, len(data) // 25)):
        cut.write_bytes(data[:length])
        with pytest.raises(FormatError) as caught:
            read_collected_data(cut)
        assert "\n" not in str(caught.value)


class Evil:
    """What a hostile pickle could be: it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("place", ["axis1_level2", "block0_items_level1"])
def test_h5_with_pickled_names_runs_no_code(tmp_path, place):
    frame, _ = table()
    frame.index = STYLES["three levels"](IMAGES)
    path = tmp_path / "CollectedData_a.h5"
    frame.to_hdf(path, key="df_with_missing", mode="w")
    trap = tmp_path / "trap"
    with h5py.File(path, "a") as file:
        group = file["df_with_missing"]
        del group[place]
        dataset = group.create_dataset(place, (1,), dtype=h5py.vlen_dtype(np.uint8))
        dataset[0] = np.frombuffer(pickle.dumps(Evil(trap)), dtype=np.uint8)
    with pytest.raises(FormatError, match="as a pickle"):
        read_collected_data(path)
    assert not trap.exists()


def test_h5_table_with_a_pickled_attribute_runs_no_code(tmp_path):
    frame, _ = table()
    frame.index = STYLES["slashes"](IMAGES)
    path = tmp_path / "CollectedData_a.h5"
    frame.to_hdf(path, key="df_with_missing", mode="w", format="table")
    trap = tmp_path / "trap"
    with h5py.File(path, "a") as file:
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(Evil(trap), protocol=0))
    with pytest.raises(FormatError, match="damaged or unsafe"):
        read_collected_data(path)
    assert not trap.exists()


def test_h5_of_a_video_is_told_from_labels(tmp_path, make_points):
    from pose3d.io.dlc import read_dlc, write_dlc

    path = tmp_path / "walk.h5"
    write_dlc(make_points(), path)
    with pytest.raises(FormatError, match="rows are numbered"):
        read_collected_data(path)
    frame, _ = table()
    for form in ("fixed", "table"):
        frame.to_hdf(path, key="df_with_missing", mode="w", format=form)
        with pytest.raises(FormatError, match="rows are numbered"):
            read_collected_data(path)
    frame.index = STYLES["slashes"](IMAGES)
    frame.to_hdf(path, key="df_with_missing", mode="w")
    with pytest.raises(FormatError, match="rows are named by text"):
        read_dlc(path, camera="a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,keypoint\n", "is no table of marks"),
        ("image,individual,keypoint,mark\nimg1.png,a,snout,hidden\n", "line 2 is no image, individual, keypoint"),
        ("image,individual,keypoint,mark\nimg1.png,a,snout\n", "line 2 is no image, individual, keypoint"),
        ("", "the table of marks is empty"),
    ],
)
def test_damaged_marks(tmp_path, text, expected):
    write_collected_data(random_labels(), tmp_path, scorer="x")
    (tmp_path / "CollectedData_x.marks.csv").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=expected):
        read_collected_data(tmp_path / "CollectedData_x.h5")


def test_marks_of_what_the_table_does_not_have_are_told(tmp_path, caplog):
    labels = random_labels()
    path, _ = write_collected_data(labels, tmp_path, scorer="x")
    head = "image,individual,keypoint,mark\n"
    name = labels.images[0].image
    lines = f"{name},whoever,snout,absent\nnone.png,individual_0,snout,absent\n{name},individual_0,ear,occluded\n"
    (tmp_path / "CollectedData_x.marks.csv").write_text(head + lines, encoding="utf-8")
    again = read_collected_data(path)
    assert "2 marks are of images or keypoints" in caplog.text
    # A table of one individual has no place for its name, so that the marks' may be another.
    assert again.mark[again.images.index(labels.images[0]), 0, 0] == Mark.ABSENT


def test_recorded_labels_of_a_mouse_and_its_mirror_image(recordings, tmp_path):
    path = recordings / "mirror-mouse-labels" / "CollectedData.csv"
    labels = read_collected_data(path)
    assert (len(labels), len(labels.keypoints), labels.scorer) == (90, 17, "rick")
    assert all((path.parent / image.video / image.image).is_file() for image in labels.images)
    expected = pd.read_csv(path, header=[0, 1, 2], index_col=0)
    np.testing.assert_array_equal(labels.xy.reshape(90, 34), expected.to_numpy())
    _, h5 = write_collected_data(labels, tmp_path)
    np.testing.assert_array_equal(pd.read_hdf(h5).to_numpy(), expected.to_numpy())
