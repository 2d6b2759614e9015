import cv2
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from pose3d.data import Camera
from pose3d.errors import DataError, FormatError
from pose3d.io.bouguet import read_intrinsics, write_intrinsics

GOOD = {
    "fc": np.array([[533.0], [534.5]]),
    "cc": np.array([[341.5], [234.25]]),
    "alpha_c": 0.01,
    "kc": np.array([[-0.29], [0.1], [1e-3], [-2e-4], [0.0]]),
    "nx": 640,
    "ny": 480,
    "fc_error": np.array([[1.0], [1.5]]),
}


def test_parameters_are_read(tmp_path):
    savemat(tmp_path / "a.mat", GOOD)
    camera = read_intrinsics(tmp_path / "a.mat", name="left")
    assert camera.name == "left"
    assert camera.size == (640, 480)
    np.testing.assert_array_equal(camera.matrix, [[533, 5.33, 341.5], [0, 534.5, 234.25], [0, 0, 1]])
    np.testing.assert_array_equal(camera.distortion, GOOD["kc"].ravel())
    np.testing.assert_array_equal(camera.cam_from_world, np.eye(4))
    assert camera.extra["fc_error"] == [1.0, 1.5]


def test_round_trip_and_same_bytes(tmp_path):
    savemat(tmp_path / "a.mat", GOOD)
    camera = read_intrinsics(tmp_path / "a.mat", name="left")
    write_intrinsics(camera, tmp_path / "b.mat")
    write_intrinsics(camera, tmp_path / "c.mat")
    assert (tmp_path / "b.mat").read_bytes() == (tmp_path / "c.mat").read_bytes()
    again = read_intrinsics(tmp_path / "b.mat", name="left")
    np.testing.assert_allclose(again.matrix, camera.matrix, rtol=1e-15)
    np.testing.assert_array_equal(again.distortion, camera.distortion)
    assert again.extra == camera.extra
    assert loadmat(tmp_path / "b.mat")["fc"].shape == (2, 1)  # columns, as the toolbox has them


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fc": None}, "fc is missing"),
        ({"kc": np.zeros(8)}, "kc must hold 4 or 5"),
        ({"fc": np.array([np.nan, 1])}, "fc must hold"),
        ({"fc": np.array([-500.0, 500])}, "focal"),
        ({"cc": "middle"}, "cc holds no numbers"),
        ({"nx": 0}, "image size"),
        ({"kc": np.array([1, 2, 3, 4j])}, "kc holds no numbers"),
    ],
)
def test_damage_is_one_line(tmp_path, changes, message):
    savemat(tmp_path / "a.mat", {key: value for key, value in (GOOD | changes).items() if value is not None})
    with pytest.raises(FormatError, match=f"a.mat: .*{message}") as caught:
        read_intrinsics(tmp_path / "a.mat", name="left")
    assert "\n" not in str(caught.value)


def test_what_is_no_mat_file_is_refused(tmp_path):
    savemat(tmp_path / "a.mat", GOOD)
    whole = (tmp_path / "a.mat").read_bytes()
    for data in (b"hello", b"\0" * 300, whole[:200], whole[:400], whole[:128] + b"\xff" * 64):
        (tmp_path / "b.mat").write_bytes(data)
        with pytest.raises(FormatError, match=r"b\.mat"):
            read_intrinsics(tmp_path / "b.mat", name="left")
    with pytest.raises(FormatError, match="no such"):
        read_intrinsics(tmp_path / "none.mat", name="left")


def test_matlab_7_3_is_named(tmp_path):
    (tmp_path / "new.mat").write_bytes(
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + b"\0" * 400
    )
    with pytest.raises(FormatError, match=r"7\.3"):
        read_intrinsics(tmp_path / "new.mat", name="left")


def test_a_lens_that_the_toolbox_lacks_is_refused(tmp_path):
    pose = (np.zeros(3), np.zeros(3))
    for lens in ({"distortion": [0.1] * 4, "fisheye": True}, {"distortion": [0, 0, 0, 0, 0, 0.1, 0, 0]}):
        fisheye = lens.get("fisheye", False)
        camera = Camera("a", (9, 9), np.diag([9.0, 9, 1]), lens["distortion"], *pose, fisheye=fisheye)
        with pytest.raises(DataError, match="camera a has a"):
            write_intrinsics(camera, tmp_path / "a.mat")
    assert not (tmp_path / "a.mat").exists()


@pytest.mark.parametrize(("side", "focal", "error"), [("left", 533.0037, 1.0763), ("right", 536.9826, 1.1979)])
def test_recorded_corners_and_pixel_convention(recordings, side, focal, error):
    """Project the toolbox's board with its poses; find the same corners in the photo: neither shows a shift."""
    folder = recordings / "stereo-checkerboard"
    camera = read_intrinsics(folder / f"Calib_Results_{side}.mat", name=side)
    assert camera.matrix[0, 0] == pytest.approx(focal, abs=1e-3)
    assert camera.size == (640, 480)
    assert camera.extra["fc_error"][0] == pytest.approx(error, abs=1e-4)
    stored = loadmat(folder / f"Calib_Results_{side}.mat")
    posed = Camera(side, camera.size, camera.matrix, camera.distortion, stored["omc_1"].ravel(), stored["Tc_1"].ravel())
    corners = stored["x_1"].T
    np.testing.assert_allclose(posed.project(stored["X_1"].T), corners, atol=1.0)
    assert np.abs((posed.project(stored["X_1"].T) - corners).mean(0)).max() < 0.05
    photo = cv2.imread(str(folder / f"{side}01.jpg"), cv2.IMREAD_GRAYSCALE)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 50, 1e-4)
    start = corners.astype(np.float32).reshape(-1, 1, 2).copy()
    found = cv2.cornerSubPix(photo, start, (7, 7), (-1, -1), stop).reshape(-1, 2)
    assert np.abs(np.median(found - corners, axis=0)).max() < 0.05  # a pixel counted from 1 would show as 1.0
