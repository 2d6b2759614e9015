import logging
import tomllib

import cv2
import numpy as np
import pytest

from pose3d.data import Camera, Rig
from pose3d.errors import DataError, FormatError
from pose3d.io.calibration_toml import read_calibration, write_calibration
from pose3d.io.pose2sim import is_pose2sim, read_pose2sim_calibration, write_pose2sim_calibration
from pose3d.io.rigs import load_rig


@pytest.fixture
def rig():
    matrix = [[1600.0, 0, 540], [0, 1601.0, 960], [0, 0, 1]]
    return Rig(
        tuple(
            Camera(f"cam_{i:02d}", (1080, 1920), matrix, [0.1, 0.01, 0, 0], [0.1 * i, 1, 2], [100.0 * i, -50, 3210.5])
            for i in range(3)
        )
    )


def test_round_trip(rig, tmp_path):
    write_pose2sim_calibration(rig, tmp_path / "Calib.toml")
    again = read_pose2sim_calibration(tmp_path / "Calib.toml")
    assert again.names == rig.names
    for a, b in zip(rig, again, strict=True):
        np.testing.assert_allclose(a.translation, b.translation, rtol=1e-15)
        np.testing.assert_array_equal(a.rotation, b.rotation)
        np.testing.assert_array_equal(a.distortion, b.distortion)
    assert again.metadata["converted"] == "m to mm"


def test_written_as_pose2sim_writes_it(rig, tmp_path):
    write_pose2sim_calibration(rig, tmp_path / "Calib.toml")
    tables = tomllib.loads((tmp_path / "Calib.toml").read_text())
    assert list(tables) == ["cam_00", "cam_01", "cam_02", "metadata"]
    assert tables["cam_02"]["translation"] == [0.2, -0.05, 3.2105]
    assert len(tables["cam_02"]["distortions"]) == 4
    assert tables["cam_02"]["fisheye"] is False
    assert tables["metadata"] == {"adjusted": False, "error": 0.0}
    assert is_pose2sim(tables)


def test_metres_are_told_from_mm_by_content(rig, tmp_path, caplog):
    write_pose2sim_calibration(rig, tmp_path / "metres.toml")
    write_calibration(rig, tmp_path / "mm.toml")
    with caplog.at_level(logging.INFO, "pose3d"):
        metres = load_rig(tmp_path / "metres.toml")
    assert "converted to mm" in caplog.text
    np.testing.assert_allclose(metres.centers, load_rig(tmp_path / "mm.toml").centers, rtol=1e-12)
    assert metres.metadata["format"] == "pose2sim"
    assert load_rig(tmp_path / "mm.toml").metadata["format"] == "anipose"


def test_converted_once_only(rig, tmp_path):
    write_pose2sim_calibration(rig, tmp_path / "metres.toml")
    write_calibration(load_rig(tmp_path / "metres.toml"), tmp_path / "mm.toml")
    np.testing.assert_allclose(load_rig(tmp_path / "mm.toml").centers, rig.centers, rtol=1e-12)


def test_such_habits_in_mm_are_taken_for_mm(rig, tmp_path):
    write_pose2sim_calibration(rig, tmp_path / "Calib.toml")
    text = (tmp_path / "Calib.toml").read_text().replace("3.2105", "3210.5")
    (tmp_path / "Calib.toml").write_text(text)
    assert load_rig(tmp_path / "Calib.toml").cameras[0].translation[2] == 3210.5


def test_fifth_coefficient_is_not_dropped(tmp_path):
    camera = Camera("a", (10, 10), np.diag([9.0, 9, 1]), [0.1, 0, 0, 0, 0.5], np.zeros(3), np.ones(3))
    write_pose2sim_calibration(Rig((camera,)), tmp_path / "Calib.toml")
    assert read_pose2sim_calibration(tmp_path / "Calib.toml")["a"].distortion[4] == 0.5


def test_what_pose2sim_does_not_know_is_refused(tmp_path):
    def one(name, **changes):
        return Rig((Camera(name, (10, 10), np.diag([9.0, 9, 1]), [0.0] * 4, np.zeros(3), np.zeros(3), **changes),))

    with pytest.raises(DataError, match="fisheye"):
        write_pose2sim_calibration(one("a", fisheye=True), tmp_path / "Calib.toml")
    with pytest.raises(DataError, match="charuco"):
        write_pose2sim_calibration(one("charuco"), tmp_path / "Calib.toml")
    assert not (tmp_path / "Calib.toml").exists()


def test_damage_names_file_and_camera(rig, tmp_path):
    path = tmp_path / "Calib.toml"
    write_pose2sim_calibration(rig, path)
    path.write_text(path.read_text().replace("translation = [ 0.1,", "translation = [", 1))
    with pytest.raises(FormatError, match=r'Calib.toml: camera "cam_01": translation must have 3 numbers'):
        load_rig(path)


def test_recorded_calibration(recordings):
    path = recordings / "balance-4cam" / "S00_Calibration" / "Calib_qualisys.toml"
    rig = load_rig(path)
    assert rig.metadata["format"] == "pose2sim"
    assert rig.names == ("cam_01", "cam_02", "cam_03", "cam_04")
    assert rig["cam_01"].size == (1088, 1920)
    raw = tomllib.loads(path.read_text())
    for camera in rig:
        table = raw[camera.name]
        rotation, _ = cv2.Rodrigues(np.array(table["rotation"]))
        np.testing.assert_allclose(camera.center, -rotation.T @ np.array(table["translation"]) * 1000, rtol=1e-12)
    assert (np.linalg.norm(rig.centers, axis=1) > 1000).all()
    assert read_calibration(path)["cam_01"].translation[2] == pytest.approx(2.89, abs=0.01)  # asked for mm: as it is
