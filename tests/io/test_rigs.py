import logging
import math

import numpy as np
import pytest

from pose3d.data import Camera, Rig
from pose3d.errors import DataError, FormatError
from pose3d.io.rigs import load_rig, save_rig


@pytest.fixture
def rig():
    matrix = [[900.0, 0, 640], [0, 910.0, 360], [0, 0, 1]]
    return Rig(
        tuple(
            Camera(f"cam_{i}", (1280, 720), matrix, [0.1, 0.0, 0.0, 0.0, 0.0], [0, i / 3, 0], [100.0 * i, 0, 1500])
            for i in range(3)
        )
    )


@pytest.mark.parametrize("format", ["anipose", "pose2sim", "caliscope"])
def test_each_format_is_known_by_its_content(rig, tmp_path, format):
    path = tmp_path / "ein Ordner mit Ümlaut" / "rig.toml"
    save_rig(rig, path, format=format)
    again = load_rig(path)
    assert again.metadata["format"] == format
    assert again.names == rig.names
    np.testing.assert_allclose(again.centers, rig.centers, rtol=1e-12)


def test_bouguet_by_its_file_name(rig, tmp_path):
    save_rig(rig.select(["cam_1"]), tmp_path / "Calib_Results_left.mat")
    again = load_rig(tmp_path / "Calib_Results_left.mat")
    assert again.names == ("left",)
    assert again.metadata["format"] == "bouguet"
    (tmp_path / "Calib_Results_left.mat").rename(tmp_path / "renamed")
    assert load_rig(tmp_path / "renamed").names == ("renamed",)
    with pytest.raises(DataError, match="one camera, the rig has 3"):
        save_rig(rig, tmp_path / "all.mat")


def test_anipose_is_the_default_and_names_must_fit(rig, tmp_path):
    save_rig(rig, tmp_path / "calibration.toml")
    assert load_rig(tmp_path / "calibration.toml").metadata["format"] == "anipose"
    with pytest.raises(DataError, match=r"is a .toml file"):
        save_rig(rig, tmp_path / "calibration.yaml")
    with pytest.raises(DataError, match=r"is a .mat file"):
        save_rig(rig, tmp_path / "calibration.toml", format="bouguet")


def test_the_same_rig_is_the_same_bytes(rig, tmp_path):
    for format in ("anipose", "pose2sim", "caliscope"):
        save_rig(rig, tmp_path / "a.toml", format=format)
        save_rig(rig, tmp_path / "b.toml", format=format)
        assert (tmp_path / "a.toml").read_bytes() == (tmp_path / "b.toml").read_bytes()


def test_cameras_too_close_for_mm_are_pointed_out(rig, tmp_path, caplog):
    save_rig(rig.transformed(np.eye(4), 1e-3), tmp_path / "calibration.toml")
    with caplog.at_level(logging.WARNING, "pose3d"):
        load_rig(tmp_path / "calibration.toml")
    assert "metres" in caplog.text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("board.toml", b'[board]\nkind = "charuco"\nsize = [8, 11]\n'),
        ("calib.yml", b"%YAML:1.0\n---\ncam: 1\n"),
        ("calib.json", b'{"cameras": []}'),
        ("calib.pickle", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c"),
        ("points.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100),
        ("empty.toml", b""),
        ("cameras.toml", b"[cameras]\n"),
        ("half.toml", b"[cameras.0]\ncam_id = 0\nsize = [1"),
    ],
)
def test_what_is_no_calibration_is_one_line(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=name) as caught:
        load_rig(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_recorded_calibrations_and_what_they_are(recordings, caplog):
    expected = {
        "mouse-4cam/published_calibration.toml": "anipose",
        "fly-3cam-ortho/calibration.toml": "anipose",
        "balance-4cam/S00_Calibration/Calib_qualisys.toml": "pose2sim",
        "webcams-4cam/camera_array.toml": "caliscope",
        "stereo-checkerboard/Calib_Results_right.mat": "bouguet",
    }
    with caplog.at_level(logging.WARNING, "pose3d"):
        rigs = {file: load_rig(recordings / file) for file in expected}
    assert {file: rig.metadata["format"] for file, rig in rigs.items()} == expected
    assert not caplog.records
    for rig in rigs.values():  # every room is between a hand and a hall wide, once in mm
        width = math.dist(rig.centers.min(0), rig.centers.max(0))
        assert len(rig) == 1 or 50 < width < 20_000
    for other in ("webcams-4cam/charuco.toml", "balance-4cam/Config.toml", "stereo-checkerboard/left01.jpg"):
        with pytest.raises(FormatError):
            load_rig(recordings / other)
