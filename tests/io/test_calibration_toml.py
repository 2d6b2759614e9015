import logging
import tomllib

import aniposelib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose3d.data import Camera, Rig
from pose3d.errors import DataError, FormatError
from pose3d.io.calibration_toml import read_calibration, write_calibration

GOOD = """
[cam_0]
name = "left"
size = [1280, 720]
matrix = [[900.5, 0, 640], [0, 901, 360.25], [0, 0, 1]]
distortions = [-0.1, 0.02, 0, 0.001, 0]
rotation = [0.1, -0.2, 0.3]
translation = [10, 20.5, 2000]
[cam_1]
name = "right"
size = [1280, 720]
matrix = [[900, 0, 640], [0, 900, 360], [0, 0, 1]]
distortions = [0.0, 0.0, 0.0, 0.0, 0.0]
rotation = [0.0, 0.0, 0.0]
translation = [0.0, 0.0, 2000.0]
"""


def camera(name="a", distortion=(0.1, -0.2, 1e-3, 2e-3, 0.01), **changes):
    values = {
        "size": (1280, 720),
        "matrix": [[900.1, 0, 640.2], [0, 901.3, 360.4], [0, 0, 1]],
        "rotation": [0.1, -0.2, 0.3],
        "translation": [10.1, -20.2, 2000.3],
    }
    return Camera(name, distortion=distortion, **values | changes)


def same(a, b):
    assert a.names == b.names
    for one, other in zip(a, b, strict=True):
        assert one.size == other.size
        assert one.fisheye == other.fisheye
        for field in ("matrix", "distortion", "rotation", "translation"):
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def written(tmp_path, text):
    path = tmp_path / "calibration.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_names_and_order_are_read(tmp_path):
    rig = read_calibration(written(tmp_path, GOOD))
    assert rig.names == ("left", "right")
    assert rig["left"].size == (1280, 720)
    np.testing.assert_array_equal(rig["left"].translation, [10, 20.5, 2000])
    assert rig.metadata["format"] == "anipose"


finite = st.floats(-1e6, 1e6, allow_nan=False, width=64)


@settings(max_examples=30, deadline=None)
@given(
    numbers=arrays(np.float64, 8 + 6, elements=finite),
    n=st.sampled_from([4, 5, 8]),
    name=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1),
)
def test_round_trip_is_exact(tmp_path_factory, numbers, n, name):
    path = tmp_path_factory.mktemp("rig") / "calibration.toml"
    rig = Rig((camera(name, numbers[:n], rotation=numbers[8:11], translation=numbers[11:]),))
    try:
        write_calibration(rig, path)
    except DataError:
        assert "\\" in name or not name.isprintable()  # a gap of the toml package: refused, not mangled
        return
    same(read_calibration(path), rig)


@pytest.mark.parametrize("n_cameras", [1, 10, 12])
@pytest.mark.parametrize("n", [4, 5, 8])
def test_aniposelib_reads_the_same_cameras_in_the_same_order(tmp_path, n_cameras, n):
    rng = np.random.default_rng(n)
    rig = Rig(
        tuple(
            camera(f"view {i}", rng.normal(size=n) * 0.01, translation=[*rng.normal(size=2), 2000])
            for i in range(n_cameras)
        )
    )
    write_calibration(rig, tmp_path / "calibration.toml")
    group = aniposelib.cameras.CameraGroup.load(str(tmp_path / "calibration.toml"))
    assert tuple(group.get_names()) == rig.names
    points = rng.normal(size=(5, 3)) * 100
    for theirs, ours in zip(group.cameras, rig, strict=True):
        assert tuple(theirs.get_size()) == ours.size
        np.testing.assert_array_equal(theirs.get_camera_matrix(), ours.matrix)
        np.testing.assert_array_equal(theirs.get_distortions(), ours.distortion)
        np.testing.assert_array_equal(theirs.get_rotation(), ours.rotation)
        np.testing.assert_array_equal(theirs.get_translation(), ours.translation)
        np.testing.assert_allclose(theirs.project(points).reshape(-1, 2), ours.project(points), atol=1e-9)
    same(read_calibration(tmp_path / "calibration.toml"), rig)


def test_aniposelib_reads_a_fisheye_and_a_lens_without_coefficients(tmp_path):
    rig = Rig((camera("round", [0.1, 0.01, 0.0, 0.0], fisheye=True), camera("flat", [])))
    write_calibration(rig, tmp_path / "calibration.toml")
    fisheye, pinhole = aniposelib.cameras.CameraGroup.load(str(tmp_path / "calibration.toml")).cameras
    assert type(fisheye).__name__ == "FisheyeCamera"
    point = np.array([[50.0, 60.0, 300.0]])
    np.testing.assert_allclose(fisheye.project(point).ravel(), rig["round"].project(point).ravel(), atol=1e-9)
    np.testing.assert_allclose(pinhole.project(point).ravel(), rig["flat"].project(point).ravel(), atol=1e-9)
    assert read_calibration(tmp_path / "calibration.toml")["round"].fisheye


def test_what_aniposelib_writes_is_read(tmp_path):
    rig = Rig((camera("b"), camera("a", [0.1, 0.0, 0.0, 0.0], fisheye=True)))
    write_calibration(rig, tmp_path / "ours.toml")
    aniposelib.cameras.CameraGroup.load(str(tmp_path / "ours.toml")).dump(str(tmp_path / "theirs.toml"))
    same(read_calibration(tmp_path / "theirs.toml"), rig)


def test_sections_come_in_natural_order(tmp_path):
    section = GOOD[GOOD.index("size") : GOOD.index("[cam_1]")]
    text = "".join(f'[cam_{i}]\nname = "n{i}"\n{section}' for i in (10, 2, 0, 1))
    assert read_calibration(written(tmp_path, text)).names == ("n0", "n1", "n2", "n10")


def test_habits_of_other_programs(tmp_path):
    text = """
    CreationDate = 2023-03-31T09:56:43
    [GoPro.1]
    size = [1920.0, 1080.0]
    matrix = [[900, 0.0, 960], [0.0, 900, 540], [0, 0, 1.0]]
    distortions = [0.1, 0.2]
    rotation = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    translation = [[1], [2], [3]]
    world_position = [1, 2.5]
    [charuco]
    columns = 4
    """.replace("[GoPro.1]", '["GoPro.1"]')
    rig = read_calibration(written(tmp_path, text))
    (only,) = rig
    assert only.name == "GoPro.1"
    np.testing.assert_array_equal(only.distortion, [0.1, 0.2, 0, 0])
    np.testing.assert_allclose(only.rotation, [np.pi / 2, 0, 0], atol=1e-15)
    np.testing.assert_array_equal(only.translation, [1, 2, 3])
    assert only.extra == {"world_position": [1, 2.5]}
    assert rig.metadata["charuco"] == {"columns": 4}


@pytest.mark.parametrize("n", [12, 14])
def test_long_distortions_only_if_the_rest_is_zero(tmp_path, n):
    eight = [0.1, 0.2, 0.0, 0.0, 0.3, 0.01, 0.02, 0.03]
    long = eight + [0.0] * (n - 8)
    old = "distortions = [-0.1, 0.02, 0, 0.001, 0]"
    rig = read_calibration(written(tmp_path, GOOD.replace(old, f"distortions = {long}")))
    np.testing.assert_array_equal(rig["left"].distortion, eight)
    long[-1] = 1e-3
    with pytest.raises(FormatError, match=r'camera "left".*thin prism'):
        read_calibration(written(tmp_path, GOOD.replace(old, f"distortions = {long}")))


def test_extra_keys_survive(tmp_path):
    extra = {"world_orientation": [[1.0, 0.0], [0.0, 1.0]], "id": 'x"y\\z', "index": 3, "mixed": [1, 2.5]}
    metadata = {"adjusted": True, "error": np.float64(0.1), "board": {"squares": (8, 11)}, "stage": np.int64(2)}
    write_calibration(Rig((camera(extra=extra),), metadata), tmp_path / "calibration.toml")
    rig = read_calibration(tmp_path / "calibration.toml")
    assert dict(rig["a"].extra) == {**extra, "mixed": [1.0, 2.5]}
    assert rig.metadata == {
        "adjusted": True,
        "error": 0.1,
        "board": {"squares": [8, 11]},
        "stage": 2,
        "format": "anipose",
    }
    group = aniposelib.cameras.CameraGroup.load(str(tmp_path / "calibration.toml"))
    assert group.metadata["board"] == {"squares": [8, 11]}
    write_calibration(rig, tmp_path / "again.toml")
    assert (tmp_path / "again.toml").read_bytes() == (tmp_path / "calibration.toml").read_bytes()


def test_an_extra_that_toml_cannot_write_is_left_out_with_a_word(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "pose3d"):
        rig = Rig((camera(extra={"mixed": [1, "a"], "fine": 1}),))
        write_calibration(rig, tmp_path / "calibration.toml")
    assert "'mixed'" in caplog.text
    aniposelib.cameras.CameraGroup.load(str(tmp_path / "calibration.toml"))
    assert read_calibration(tmp_path / "calibration.toml")["a"].extra == {"fine": 1}


def test_an_offset_of_the_pixels_is_not_overlooked(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "pose3d"):
        read_calibration(written(tmp_path, GOOD.replace('name = "left"', 'name = "left"\noffset = [3, 4]')))
    assert "[3, 4]" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("matrix = [[900.5, 0, 640], [0, 901, 360.25], [0, 0, 1]]", "", "matrix missing"),
        ("rotation = [0.1, -0.2, 0.3]", "", "rotation missing"),
        ("size = [1280, 720]\nmatrix = [[900.5", "matrix = [[900.5", "size missing"),
        ("[[900.5, 0, 640]", "[[nan, 0, 640]", "NaN"),
        ("[[900.5, 0, 640]", "[[-900.5, 0, 640]", "focal"),
        ("[[900.5, 0, 640]", "[[900.5, 640]", "unequal length"),
        ("[[900.5, 0, 640], ", "[", "3 x 3"),
        ("[0, 0, 1]]\ndistortions = [-0.1", "[0, 0, 2]]\ndistortions = [-0.1", "last row"),
        ("[10, 20.5, 2000]", "[10, 20.5]", "3 numbers"),
        ("[10, 20.5, 2000]", '["10", "20", "30"]', "numbers only"),
        ("[10, 20.5, 2000]", "[true, false, true]", "numbers only"),
        ("[10, 20.5, 2000]", '"far"', "numbers only"),
        ("[10, 20.5, 2000]", "[1e400, 0, 0]", "infinity"),
        ("[10, 20.5, 2000]", f"[{'9' * 400}, 0, 0]", "out of range"),
        ("[0.1, -0.2, 0.3]", "[[1, 0, 0], [0, 1, 0], [0, 0, -1]]", "no rotation"),
        ("[0.1, -0.2, 0.3]", "[[1, 0, 0], [0, 2, 0], [0, 0, 1]]", "no rotation"),
        ("distortions = [-0.1, 0.02, 0, 0.001, 0]", "distortions = [0, 0, 0, 0, 1]\nfisheye = true", "fisheye"),
        ('name = "left"', 'name = "left"\nfisheye = "no"', "fisheye"),
        ("size = [1280, 720]\nmatrix = [[900.5", "size = [0, 720]\nmatrix = [[900.5", "width and height"),
        ("size = [1280, 720]\nmatrix = [[900.5", "size = [1280.5, 720]\nmatrix = [[900.5", "width and height"),
    ],
)
def test_damage_is_one_line_with_file_and_camera(tmp_path, old, new, message):
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    path = written(tmp_path, text)
    with pytest.raises(FormatError, match=message) as caught:
        read_calibration(path)
    assert str(path) in str(caught.value)
    assert "left" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"[metadata]\nerror = 1.0\n", "holds no camera"),
        (b"left: {}\n", "not valid toml"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "not a text file"),
        (GOOD.encode()[:120], "not valid toml"),
        (GOOD.replace("right", "left").encode(), "cameras named twice: left"),
        (b"x = " + b"[" * 100_000, "(nested too deeply|not valid toml)"),
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path, data, message):
    path = tmp_path / "calibration.toml"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message) as caught:
        read_calibration(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FormatError, match="no such"):
        read_calibration(tmp_path / "none.toml")
    with pytest.raises(FormatError, match="is a folder"):
        read_calibration(tmp_path)


@pytest.mark.parametrize("file", ["mouse-4cam/published_calibration.toml", "fly-3cam-ortho/calibration.toml"])
def test_published_calibrations_survive(recordings, tmp_path, file):
    rig = read_calibration(recordings / file)
    raw = tomllib.loads((recordings / file).read_text())
    for i, one in enumerate(rig):
        np.testing.assert_array_equal(one.translation, raw[f"cam_{i}"]["translation"])
        np.testing.assert_array_equal(one.distortion, raw[f"cam_{i}"]["distortions"])
    write_calibration(rig, tmp_path / "calibration.toml")
    again = tomllib.loads((tmp_path / "calibration.toml").read_text())
    assert again == {"metadata": {}} | raw
