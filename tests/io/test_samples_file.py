"""Files of joint posterior samples: written in parts, gone on with, mapped, and refused when damaged."""

import zipfile

import numpy as np
import pytest

from pose3d.data import PosteriorSamples
from pose3d.errors import DataError, FormatError, Pose3DError
from pose3d.io.samples import SamplesWriter, open_samples, read_samples, samples_path

NAMES = {"individuals": ("one", "zwei ü"), "keypoints": ("nose", "tail", "paw")}


@pytest.fixture
def xyz():
    values = np.random.default_rng(0).normal(scale=1000, size=(50, 4, 2, 3, 3)).astype(np.float32)
    values[3:5, :, 0, 1] = np.nan
    return values


@pytest.fixture
def write(tmp_path):
    def start(**changes):
        settings = {"n_samples": 4, "fps": 100, "start": 7, **NAMES}
        return SamplesWriter(tmp_path / "walk.samples.npz", **(settings | changes))

    return start


@pytest.fixture
def written(write, xyz):
    writer = write()
    for part in np.array_split(xyz, 6):
        writer.append(part)
    return writer.finish()


@pytest.mark.parametrize("read", [open_samples, read_samples])
def test_samples_come_back(written, xyz, read):
    found = read(written)
    assert isinstance(found, PosteriorSamples)
    assert found.xyz.dtype == np.float32
    assert np.array_equal(found.xyz, xyz, equal_nan=True)
    assert (found.individuals, found.keypoints) == (NAMES["individuals"], NAMES["keypoints"])
    assert (found.fps, found.start) == (100, 7)
    assert not found.xyz.flags.writeable
    assert [path.name for path in written.parent.iterdir()] == ["walk.samples.npz"]  # the parts are gone


def test_opened_samples_are_mapped_where_numbers_may_begin(written, xyz):
    found = open_samples(written)
    base = found.xyz
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert found.xyz.ctypes.data % 64 == 0
    assert np.array_equal(found.xyz[20:22, 1], xyz[20:22, 1])


def test_numpy_reads_it_as_it_is(written, xyz):
    with np.load(written, allow_pickle=False) as file:
        assert np.array_equal(file["samples"], xyz, equal_nan=True)
        assert file["keypoints"].tolist() == list(NAMES["keypoints"])
    with zipfile.ZipFile(written) as archive:
        assert archive.testzip() is None


def test_how_it_was_cut_makes_no_difference(write, written, xyz):
    first = written.read_bytes()
    writer = write()
    writer.append(xyz)
    assert writer.finish().read_bytes() == first


def test_an_interrupted_writer_is_gone_on_with(write, written, xyz):
    first = written.read_bytes()
    written.unlink()
    writer = write()
    writer.append(xyz[:10])
    writer.append(xyz[10:25])
    del writer
    again = write()
    assert again.n_frames == 25
    assert again.keep(24) == 10
    again.append(xyz[10:])
    assert write().n_frames == 50
    assert again.finish().read_bytes() == first
    assert write().n_frames == 0


def test_only_whole_parts_of_this_shape_are_gone_on_with(write, xyz):
    writer = write()
    for i in range(0, 50, 10):
        writer.append(xyz[i : i + 10])
    folder = writer.folder
    assert folder.name == "walk.samples.partial"
    part = folder / "samples-000000020.npy"
    part.write_bytes(part.read_bytes()[:-1])
    assert write().n_frames == 20
    assert sorted(path.name for path in folder.glob("s*")) == ["samples-000000000.npy", "samples-000000010.npy"]
    (folder / "chunk-0.csv").write_text("somebody else's", encoding="utf-8")
    assert write().n_frames == 20
    assert write(n_samples=5).n_frames == 0
    writer = write()
    writer.append(xyz)
    writer.finish()
    assert [path.name for path in folder.iterdir()] == ["chunk-0.csv"]


@pytest.mark.parametrize("changes", [{"fingerprint": "b"}, {"fps": 50}, {"start": 8}, {"keypoints": ("a", "b", "c")}])
def test_parts_of_other_work_are_not_gone_on_with(write, xyz, changes):
    same = {"fingerprint": "a"}
    writer = write(**same)
    writer.append(xyz)
    assert write(**same).n_frames == 50
    assert write(**(same | changes)).n_frames == 0
    assert write(**same).n_frames == 0
    writer = write(**same)
    writer.append(xyz)
    (writer.folder / "manifest.json").write_bytes(b"\xff{")
    assert write(**same).n_frames == 0


def test_a_single_small_point_can_be_gone_on_with(write, xyz):
    small = {"n_samples": 1, "individuals": ["a"], "keypoints": ["b"]}
    writer = write(**small)
    writer.append(xyz[:, :1, :1, :1])
    assert write(**small).n_frames == 50


def test_no_frames_are_a_file_as_well(write):
    path = write(fps=None).finish()
    for read in (open_samples, read_samples):
        assert read(path).n_frames == 0
        assert read(path).fps is None


def test_samples_know_their_points(write, xyz, tmp_path):
    csvs = [tmp_path / "walk_one.csv", tmp_path / "walk_two.csv"]
    for i, csv in enumerate(csvs):
        csv.write_bytes(b"x" * (1 << 20) + b"\r\n" + bytes([65 + i]) * 3 + b"\r")
    writer = write()
    writer.append(xyz)
    path = writer.finish(csvs)
    assert samples_path(tmp_path / "walk.csv") == path
    csvs[0].write_bytes(csvs[0].read_bytes().replace(b"\r\n", b"\n"))
    assert open_samples(path, csvs=csvs).n_frames == 50
    csvs[1].write_bytes(b"another")
    for read in (open_samples, read_samples):
        with pytest.raises(FormatError, match=r"another version of .*walk_two\.csv; triangulate again"):
            read(path, csvs=csvs)


def test_wrong_use_is_refused(write, xyz, tmp_path):
    writer = write()
    for wrong in (xyz[0], xyz[:, :3], xyz[..., :2]):
        with pytest.raises(ValueError, match=r"shape \(any, 4, 2, 3, 3\) expected"):
            writer.append(wrong)
    with pytest.raises(ValueError, match="at least 1"):
        write(n_samples=0)
    with pytest.raises(DataError, match="name one that ends so"):
        SamplesWriter(tmp_path / "walk.npz", n_samples=1, individuals=["a"], keypoints=["b"])
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(Pose3DError, match="cannot be made or read"):
        SamplesWriter(tmp_path / "file" / "a.samples.npz", n_samples=1, individuals=["a"], keypoints=["b"])


def other(path, **changes):
    with np.load(path) as file:
        values = {name: file[name] for name in file.files} | changes
    np.savez(path, **{name: value for name, value in values.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": None}, "holds no samples"),
        ({"samples": np.zeros((50, 4, 2, 3, 3))}, "not float32"),
        ({"samples": np.zeros((50, 4, 2, 3), np.float32)}, "expected"),
        ({"samples": np.array([{}], dtype=object)}, "no plain values|damaged"),
        ({"keypoints": np.array(["a", "a", "b"])}, "named twice"),
        ({"keypoints": np.array([["a", "b", "c"]])}, "keypoints is not what"),
        ({"fps": np.array("fast")}, "fps is not what"),
        ({"fps": np.array(-1.0)}, "fps"),
        ({"start": None}, "holds no start"),
    ],
)
@pytest.mark.parametrize("read", [open_samples, read_samples])
def test_foreign_files_are_refused(written, changes, message, read):
    other(written, **changes)
    with pytest.raises(FormatError, match=message) as caught:
        read(written)
    assert str(written) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_compressed_samples_are_read_but_not_mapped(written, xyz):
    with np.load(written) as file:
        values = dict(file)
    np.savez_compressed(written, **values)
    assert np.array_equal(read_samples(written).xyz, xyz, equal_nan=True)
    with pytest.raises(FormatError, match="compressed"):
        open_samples(written)


def test_damaged_files_are_refused_or_harmless(written, xyz):
    whole = written.read_bytes()
    rng = np.random.default_rng(0)
    broken = [b"", b"PK\x03\x04", b"no zip", whole[: len(whole) // 2], whole[:-40], whole[40:]]
    for _ in range(80):
        damaged = bytearray(whole)
        at = rng.integers(0, len(whole), 5) if rng.random() < 0.5 else rng.integers(len(whole) - 900, len(whole), 5)
        for i in at:
            damaged[i] = rng.integers(256)
        broken.append(bytes(damaged))
    messages = []
    for data in broken:
        written.write_bytes(data)
        for read in (open_samples, read_samples):
            try:
                found = read(written)
            except FormatError as error:
                messages.append(str(error))
            else:
                assert found.xyz.shape[1:] == xyz.shape[1:]
                assert read is open_samples or np.array_equal(found.xyz, xyz, equal_nan=True)  # by the checksum
    assert len(messages) > 60
    assert all(len(message.splitlines()) == 1 for message in messages)
    for path in (written.parent, written.parent / "absent.samples.npz"):
        with pytest.raises(FormatError):
            open_samples(path)
