"""Calibration of real recordings, against what others measured on them."""

from pathlib import Path

import numpy as np
import pytest

from pose3d.calibration import calibrate_rig, judge
from pose3d.data import Board
from pose3d.geometry.transforms import umeyama
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.io.calibration_toml import write_calibration
from pose3d.io.caliscope import read_camera_array
from pose3d.io.sleap import read_sleap

MOUSE = ("back", "mid", "side", "top")


@pytest.fixture(scope="module")
def mouse(recordings: Path):
    folder = recordings / "mouse-4cam"
    clips = {name: folder / name / f"minimal_session-{name}-calibration.MOV" for name in MOUSE}
    return calibrate_rig(clips, Board("charuco", (8, 11), 24, 18.75, "4X4_1000"))


@pytest.mark.slow
def test_mouse_reaches_the_published_points(mouse, recordings):
    import h5py

    folder = recordings / "mouse-4cam"
    views = [read_sleap(folder / c / f"minimal_{c}_proofread.analysis.h5", camera=c) for c in MOUSE]
    assert len({view.keypoints for view in views}) == 1
    xy = np.concatenate([view.xy for view in views], axis=1)[:, :, 0].transpose(0, 2, 1, 3)
    with h5py.File(folder / "points3d.h5") as file:
        published = file["tracks"][:, 0]
    rig = mouse.rig
    weights = np.broadcast_to(rig.focals, xy.shape[:-1])
    points = triangulate_svd(rig.undistort(xy), rig.cam_from_world, weights=weights)
    distance = np.linalg.norm(umeyama(points, published)(points) - published, axis=-1)
    distance = distance[np.isfinite(distance)]
    assert len(distance) >= 1790
    assert np.median(distance) <= 2.0
    assert np.percentile(distance, 90) <= 4.5
    assert mouse.quality.edge_error_mm <= 0.5


@pytest.mark.slow
def test_mouse_side_camera_keeps_its_place_among_outliers(mouse):
    errors = {camera.name: camera.median_px for camera in mouse.quality.cameras}
    assert max(errors.values()) < 0.5
    assert mouse.unlinked == {}
    assert mouse.findings == ()
    assert judge(mouse).grade in ("PASS", "WARN")


@pytest.mark.slow
def test_webcams_find_the_inverted_board_and_the_published_baselines(recordings):
    folder = recordings / "webcams-4cam"
    published = read_camera_array(folder / "camera_array.toml")
    clips = {name: folder / "calibration" / "extrinsic" / f"{name}.mp4" for name in published.names}
    result = calibrate_rig(clips, Board("charuco", (4, 5), 54, 40.5, "4X4_1000"), intrinsics=published)
    assert result.board.inverted
    assert {"inverted", "out_of_step"} <= {finding.kind for finding in result.findings}
    sync = next(finding for finding in result.findings if finding.kind == "out_of_step")
    assert "shutters" in sync.says  # those of these webcams differ by up to 43 ms
    assert {camera.grade for camera in judge(result).cameras} <= {"PASS", "WARN"}
    pairs = np.triu_indices(4, 1)

    def baselines(rig):
        return np.linalg.norm(rig.centers[pairs[0]] - rig.centers[pairs[1]], axis=-1)

    off = np.sort(np.abs(baselines(result.rig) / baselines(published) - 1))
    assert off[-2] <= 0.015
    assert off[-1] <= 0.03
    assert result.quality.edge_error_mm <= 0.8


@pytest.mark.slow
def test_stereo_checkerboard_from_photos(recordings, tmp_path):
    source = recordings / "stereo-checkerboard"
    folders = {}
    for name in ("left", "right"):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        for photo in source.glob(f"{name}*.jpg"):
            (folders[name] / photo.name).write_bytes(photo.read_bytes())
    result = calibrate_rig(folders, Board.checkerboard((9, 6), square_mm=30))
    assert result.rig["left"].matrix[0, 0] == pytest.approx(532.99, abs=0.1)
    assert result.rig["right"].matrix[0, 0] == pytest.approx(536.94, abs=0.1)
    rms = np.sqrt(np.mean([camera.rms_px**2 for camera in result.quality.cameras]))
    assert rms <= 0.25
    assert all(camera.outliers < 0.01 for camera in result.quality.cameras)
    assert np.linalg.norm(result.rig["right"].translation) == pytest.approx(99.82, abs=0.3)


@pytest.mark.slow
def test_aniposelib_reads_the_written_calibration(mouse, tmp_path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's imports
        from aniposelib.cameras import CameraGroup

    write_calibration(mouse.rig, tmp_path / "calibration.toml")
    group = CameraGroup.load(str(tmp_path / "calibration.toml"))
    assert group.get_names() == list(mouse.rig.names)
    for theirs, ours in zip(group.cameras, mouse.rig, strict=True):
        np.testing.assert_array_equal(theirs.get_camera_matrix(), ours.matrix)
        np.testing.assert_array_equal(theirs.get_distortions(), ours.distortion)
        np.testing.assert_array_equal(theirs.get_rotation(), ours.rotation)
        np.testing.assert_array_equal(theirs.get_translation(), ours.translation)
        assert tuple(theirs.get_size()) == ours.size
