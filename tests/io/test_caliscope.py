import logging
import tomllib

import numpy as np
import pytest

from pose3d.data import Camera, Rig
from pose3d.errors import DataError, FormatError
from pose3d.io.calibration_toml import write_calibration
from pose3d.io.caliscope import read_camera_array, write_camera_array
from pose3d.io.rigs import load_rig

ONE = """
[cameras.10]
cam_id = 10
rotation_count = 2
ignore = false
size = [1280, 720]
matrix = [[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]]
distortions = [0.1, 0.0, 0.0, 0.0, 0.0]
rotation = [0.0, 0.1, 0.0]
translation = [0.1, 0.2, 1.5]
"""


def written(tmp_path, text):
    (tmp_path / "camera_array.toml").write_text(text)
    return tmp_path / "camera_array.toml"


def test_metres_become_mm_and_videos_give_the_name(tmp_path):
    rig = read_camera_array(written(tmp_path, ONE + ONE.replace("10", "2")))
    assert rig.names == ("cam_2", "cam_10")
    np.testing.assert_allclose(rig["cam_10"].translation, [100, 200, 1500])
    assert rig["cam_10"].extra["rotation_count"] == 2
    assert rig.metadata == {"format": "caliscope", "converted": "m to mm"}


def test_ignored_and_unposed_cameras_are_left_out_with_a_word(tmp_path, caplog):
    ignored = ONE.replace("10", "3").replace("ignore = false", "ignore = true")
    unposed = ONE.replace("10", "4").replace("rotation = [0.0, 0.1, 0.0]", 'rotation = "null"')
    with caplog.at_level(logging.INFO, "pose3d"):
        rig = read_camera_array(written(tmp_path, ONE + ignored + unposed))
    assert rig.names == ("cam_10",)
    assert "cam_3 is ignored" in caplog.text
    assert "cam_4 is without rotation" in caplog.text


def test_round_trip(tmp_path):
    matrix = [[900.0, 0, 640], [0, 910.0, 360], [0, 0, 1]]
    extra = {"rotation_count": 1, "error": 0.3}
    rig = Rig(
        tuple(
            Camera(f"cam_{i}", (1280, 720), matrix, [0.1] * 4, [0.3, 1, i], [i, 2, 3.3], i == 1, extra)
            for i in range(3)
        )
    )
    write_camera_array(rig, tmp_path / "camera_array.toml")
    again = load_rig(tmp_path / "camera_array.toml")
    assert again.names == rig.names
    for a, b in zip(rig, again, strict=True):
        np.testing.assert_allclose(a.translation, b.translation, rtol=1e-15)
        np.testing.assert_array_equal(a.rotation, b.rotation)
        np.testing.assert_array_equal(a.distortion, b.distortion)
        assert a.fisheye == b.fisheye
        assert b.extra["error"] == 0.3
        assert b.extra["rotation_count"] == 1


def test_converted_once_only(tmp_path):
    rig = load_rig(written(tmp_path, ONE))
    write_calibration(rig, tmp_path / "calibration.toml")  # keeps caliscope's keys
    again = load_rig(tmp_path / "calibration.toml")
    assert again["cam_10"].extra["rotation_count"] == 2
    np.testing.assert_array_equal(again.centers, rig.centers)


def test_names_without_a_number_are_refused(tmp_path):
    def rig(*names):
        return Rig(tuple(Camera(n, (9, 9), np.diag([9.0, 9, 1]), [], np.zeros(3), np.zeros(3)) for n in names))

    with pytest.raises(DataError, match="rename left"):
        write_camera_array(rig("left"), tmp_path / "camera_array.toml")
    with pytest.raises(DataError, match="same number"):
        write_camera_array(rig("cam_1", "1"), tmp_path / "camera_array.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("matrix", "matrices", r'camera "cam_10" \(section \[10\]\): matrix missing'),
        ("[0.1, 0.2, 1.5]", "[0.1, 0.2]", 'camera "cam_10".*3 numbers'),
        ("ignore = false", "ignore = true", "no calibrated camera"),
    ],
)
def test_damage_names_file_and_camera(tmp_path, old, new, message):
    with pytest.raises(FormatError, match=f"camera_array.toml: .*{message}|{message}"):
        load_rig(written(tmp_path, ONE.replace(old, new)))


def test_recorded_baselines_agree_with_the_matrices(recordings):
    path = recordings / "webcams-4cam" / "camera_array.toml"
    rig = load_rig(path)
    tables = tomllib.loads(path.read_text())["cameras"]
    centers = np.array([-np.array(t["rotation"]).T @ np.array(t["translation"]) * 1000 for t in tables.values()])
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=-1)
    ours = np.linalg.norm(rig.centers[:, None] - rig.centers[None], axis=-1)
    np.testing.assert_allclose(ours, distances, atol=1e-6)
    assert rig.names == ("cam_0", "cam_1", "cam_2", "cam_3")
    assert ours[0, 1] == pytest.approx(1131.8, abs=0.1)


def test_the_older_layout_says_the_same(recordings):
    new = load_rig(recordings / "webcams-4cam" / "camera_array.toml")
    old = load_rig(recordings / "webcams-4cam" / "config.toml")
    assert old.metadata["format"] == "caliscope"
    np.testing.assert_array_equal(new.centers, old.centers)
