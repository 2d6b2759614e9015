"""Calibration of rigs with known truth, from corners with known noise."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration import calibrate_detections, judge
from pose3d.data import Board
from pose3d.errors import CalibrationError
from pose3d.io.calibration_toml import write_calibration


@pytest.mark.slow
def test_six_cameras_reach_the_noise_floor(make_ring, corners, board, volume_error):
    truth = make_ring(6)
    result = calibrate_detections(corners(truth, board, 100))
    assert volume_error(result.rig, truth) < 0.25  # mm; the Cramer-Rao bound of 200 such frames is about 0.11
    assert result.quality.edge_error_mm < 1.0  # 0.3 px are 0.75 mm at 2.5 m; an edge has two ends
    assert abs(result.quality.edge_bias_mm) < 0.02
    assert result.unlinked == {}


def test_first_camera_is_the_world(make_ring, corners, board):
    rig = calibrate_detections(corners(make_ring(3, arc=np.pi), board, 40)).rig
    np.testing.assert_array_equal(rig.cameras[0].cam_from_world, np.eye(4))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_wrong_corners_do_little_harm(make_ring, corners, board, volume_error, seed):
    truth = make_ring(4)
    clean = calibrate_detections(corners(truth, board, 60, seed=seed))
    dirty = calibrate_detections(corners(truth, board, 60, seed=seed, outliers=0.02))
    assert volume_error(dirty.rig, truth) < 1.25 * volume_error(clean.rig, truth)


def test_same_corners_give_the_same_bytes(make_ring, corners, board, tmp_path):
    detections = corners(make_ring(3, arc=np.pi / 2), board, 30)
    written = set()
    for _ in range(3):
        write_calibration(calibrate_detections(detections).rig, tmp_path / "calibration.toml")
        written.add((tmp_path / "calibration.toml").read_bytes())
    assert len(written) == 1


@pytest.mark.slow
def test_eleven_cameras_keep_their_names(make_ring, corners, board, volume_error):
    names = [f"cam_{i}" for i in range(1, 12)]
    truth = make_ring(11, names=names)
    rig = calibrate_detections(corners(truth, board, 60)).rig
    assert list(rig.names) == names
    assert volume_error(rig, truth) < 0.3


@pytest.mark.slow
def test_cameras_that_only_neighbours_link(make_ring, corners, board, volume_error):
    truth = make_ring(6)
    detections = corners(truth, board, 150)
    xy = detections.xy.copy()
    pair = np.arange(len(xy)) % 5  # at each instant only two neighbours see the board
    for camera in range(6):
        xy[~((pair == camera) | (pair == camera - 1)), camera] = np.nan
    rig = calibrate_detections(replace(detections, xy=xy)).rig
    assert volume_error(rig, truth) < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("size", [(8, 6), (7, 5), (6, 6), (7, 7), (9, 6)])
def test_checkerboard_whose_ends_are_confused(make_ring, corners, shuffle_turns, volume_error, size):
    board = Board.checkerboard(size, square_mm=70)
    truth = make_ring(4, arc=np.pi)
    result = calibrate_detections(shuffle_turns(corners(truth, board, 40)))
    assert volume_error(result.rig, truth) < 0.5
    assert result.quality.edge_error_mm < 1.0  # 0.3 px are 0.75 mm at 2.5 m; an edge has two ends


def test_camera_that_never_shares_a_view_is_named(make_ring, corners, board):
    detections = corners(make_ring(4), board, 80)
    xy = detections.xy.copy()
    xy[np.isfinite(xy[:, 2]).all((1, 2))[:, None] & (np.arange(4) != 2)] = np.nan
    result = calibrate_detections(replace(detections, xy=xy))
    assert result.rig.names == ("cam_0", "cam_1", "cam_3")
    assert list(result.unlinked) == ["cam_2"]


def test_camera_that_never_saw_the_board_is_named(make_ring, corners, board):
    detections = corners(make_ring(3, arc=np.pi / 2), board, 30)
    xy = detections.xy.copy()
    xy[:, 1] = np.nan
    result = calibrate_detections(replace(detections, xy=xy))
    assert result.rig.names == ("cam_0", "cam_2")
    assert result.unlinked == {"cam_1": "it never saw the board"}


def test_two_cameras_without_a_common_view_are_refused(make_ring, corners, board):
    detections = corners(make_ring(2, arc=np.pi / 2), board, 40)
    xy = detections.xy.copy()
    xy[::2, 0] = np.nan
    xy[1::2, 1] = np.nan
    with pytest.raises(CalibrationError, match="same instant"):
        calibrate_detections(replace(detections, xy=xy))


def test_held_lenses_stay(make_ring, corners, board, volume_error):
    truth = make_ring(3, arc=np.pi / 2)
    rig = calibrate_detections(corners(truth, board, 30), intrinsics=truth).rig
    for found, true in zip(rig, truth, strict=True):
        np.testing.assert_array_equal(found.matrix, true.matrix)
        np.testing.assert_array_equal(found.distortion, true.distortion)
    assert volume_error(rig, truth) < 0.2


def test_held_lenses_of_another_size_are_refused(make_ring, corners, board):
    truth = make_ring(2, arc=np.pi / 2)
    smaller = replace(truth, cameras=tuple(replace(camera, size=(640, 512)) for camera in truth))
    with pytest.raises(CalibrationError, match="1280x1024, but its known intrinsics are for 640x512"):
        calibrate_detections(corners(truth, board, 20), intrinsics=smaller)


@pytest.mark.slow
def test_views_that_fit_nothing_are_left_out(make_ring, corners, board, volume_error):
    truth = make_ring(4)
    detections = corners(truth, board, 60)
    xy = detections.xy.copy()
    victim = np.flatnonzero(np.isfinite(xy[:, 1, 0, 0]))[:2]
    rng = np.random.default_rng(0)
    xy[victim, 1] += rng.normal(scale=40, size=xy[victim, 1].shape)
    result = calibrate_detections(replace(detections, xy=xy))
    assert set(result.quality.dropped_frames) <= {"cam_1"}
    assert volume_error(result.rig, truth) < 0.4


def test_fisheye_cameras(make_ring, corners, board, volume_error):
    matrix = [[420.0, 0, 645], [0, 421.0, 508], [0, 0, 1]]
    truth = make_ring(3, arc=np.pi / 2, radius=1200.0)
    lenses = {"matrix": matrix, "distortion": [0.03, -0.01, 0.004, -0.001], "fisheye": True}
    truth = replace(truth, cameras=tuple(replace(camera, **lenses) for camera in truth))
    rig = calibrate_detections(corners(truth, board, 60), fisheye=True).rig
    assert all(camera.fisheye for camera in rig)
    assert volume_error(rig, truth) < 0.4
    for camera in rig:
        assert camera.focal == pytest.approx(420.5, rel=0.005)


def test_cameras_that_do_not_fit_together_are_told(make_ring, corners, board):
    truth = make_ring(3, arc=np.pi / 2)
    detections = corners(truth, board, 60)
    rng = np.random.default_rng(1)
    shift = rng.normal(scale=3.0, size=(60, 3, 1, 2))  # px: the board moved on between the shutters
    verdict = judge(calibrate_detections(replace(detections, xy=detections.xy + shift)))
    assert verdict.grade != "PASS"
    assert any(reason.rule == "misfit" and "in step" in reason.fix for reason in verdict.reasons)
