"""Rendered boards: the corners lie where the camera model says."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pose3d.data.board import Board
from pose3d.data.camera import Camera, Rig
from pose3d.demo.board import BoardPainter, pose_from_axes
from pose3d.demo.board_motion import move_board
from pose3d.demo.board_session import BoardSession, render_board_session
from pose3d.demo.noise import SensorNoise
from pose3d.demo.rays import pixel_rays
from pose3d.demo.rig import look_at, make_rig, roll_camera
from pose3d.errors import Pose3DError
from pose3d.io.video import open_frames

CHARUCO = Board("charuco", (7, 5), 120.0, 84.0, "4X4_50")
CHECKERS = Board.checkerboard((8, 6), square_mm=40.0)


def strong_lens(**changes):
    matrix = [[520.0, 0, 318.3], [0, 517.0, 242.1], [0, 0, 1]]
    camera = Camera("a", (640, 480), matrix, [-0.28, 0.09, 1e-3, -8e-4, 0.0], np.zeros(3), [0, 0, 0.0])
    return replace(camera, **changes)


def detect_checkers(image, board):
    found, xy = cv2.findChessboardCorners(image, board.corners)
    if not found:
        return None
    return cv2.cornerSubPix(image, xy, (5, 5), (-1, -1), (3, 100, 1e-4)).reshape(-1, 2)


def errors(camera, board, poses, *, noise):
    painter = BoardPainter(camera, board)
    sensor = SensorNoise(camera.size, sigma=noise, rng=np.random.default_rng(5))
    out = []
    for pose in poses:
        image = np.full((*camera.size[::-1], 3), 105, np.uint8)
        painter.paint(image, pose)
        found = detect_checkers(cv2.cvtColor(sensor.add(image), cv2.COLOR_BGR2GRAY), board)
        if found is None:
            continue
        truth = camera.project(board.points @ pose[:3, :3].T + pose[:3, 3])
        if np.linalg.norm(found[0] - truth[0]) > np.linalg.norm(found[-1] - truth[0]):
            found = found[::-1]
        out.append(found - truth)
    return np.stack(out)


@pytest.mark.parametrize("fisheye", [False, True])
def test_corners_are_where_the_lens_puts_them(fisheye):
    camera = strong_lens(fisheye=True, distortion=np.array([0.05, -0.01, 0.0, 0.0])) if fisheye else strong_lens()
    rng = np.random.default_rng(1)
    poses = []
    for _ in range(12):
        center = np.array([rng.uniform(-180, 180), rng.uniform(-120, 120), rng.uniform(700, 1100)])
        normal = -center / np.linalg.norm(center) + rng.normal(0, 0.25, 3)
        poses.append(pose_from_axes(normal, np.array([rng.normal(0, 0.2), 1.0, 0.0]), center, CHECKERS))
    found = errors(camera, CHECKERS, poses, noise=2.0)
    assert len(found) >= 8
    assert np.abs(found.mean(axis=(0, 1))).max() < 0.03  # px: half a pixel amiss would show as 0.5
    assert np.abs(np.median(found, axis=(0, 1))).max() < 0.03
    assert np.sqrt((found**2).sum(-1).mean()) < 0.15


def test_charuco_corners_are_unbiased_after_the_video(tmp_path):
    rig = make_rig(seed=1, size=(640, 480)).select(["frontleft", "backleft"])
    session = render_board_session(tmp_path, CHARUCO, rig, n_frames=10, seed=2, floor_mm=40)
    truth = session.corners()
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    pattern = cv2.aruco.CharucoBoard(CHARUCO.squares, CHARUCO.square_mm, CHARUCO.marker_mm, dictionary)
    detector = cv2.aruco.CharucoDetector(pattern)
    found = []
    for number, name in enumerate(rig.names):
        source = open_frames(session.videos[name])
        assert source.n_frames == 10
        assert source.size == (640, 480)
        for index, gray in source.frames(gray=True):
            xy, ids, _, _ = detector.detectBoard(gray)
            if ids is not None and len(ids):
                found.append(xy.reshape(-1, 2) - truth[index, number][ids.ravel()])
    found = np.concatenate(found)
    assert len(found) > 60
    assert np.isfinite(found).all()
    assert np.abs(np.median(found, axis=0)).max() < 0.05
    assert np.median(np.linalg.norm(found, axis=-1)) < 0.25


def test_most_frames_are_seen_by_two_cameras():
    rig = make_rig(seed=0)
    poses = move_board(CHARUCO, rig, n_frames=60, rng=np.random.default_rng(3), floor_mm=40)
    seen = np.isfinite(BoardSession({}, CHARUCO, rig, poses).corners()[..., 0]).sum(-1) >= 12
    assert (seen.sum(1) >= 2).mean() > 0.6
    assert (seen.sum(0) >= 15).all()


def test_a_camera_upside_down_sees_the_same_turned():
    rig = make_rig(seed=0)
    camera = rig.cameras[0]
    turned = roll_camera(camera, 180)
    np.testing.assert_allclose(turned.center, camera.center, atol=1e-9)
    point = np.array([200.0, -100, 900])
    a = turned.undistort(turned.project(point))
    np.testing.assert_allclose(a, -camera.undistort(camera.project(point)), atol=1e-9)


def test_cameras_stand_head_up_and_look_at_the_target():
    rotation, translation = look_at([3000, 2000, 2000], [0, 0, 900])
    camera = strong_lens(rotation=rotation, translation=translation)
    ahead, above = camera.project([[0, 0, 900.0], [0, 0, 1000.0]])
    np.testing.assert_allclose(ahead, camera.matrix[:2, 2], atol=1e-6)
    assert above[1] < ahead[1]
    assert above[0] == pytest.approx(ahead[0], abs=0.5)


def test_inverted_and_legacy_boards_are_painted_so():
    camera = strong_lens()
    even = Board("charuco", (6, 4), 60, 46, "4X4_50")
    pose = pose_from_axes(np.array([0, 0, -1.0]), np.array([0, 1.0, 0]), np.array([0, 0, 900.0]), even)
    images = []
    for board in (even, replace(even, inverted=True), replace(even, legacy=True)):
        image = np.full((480, 640), 105, np.uint8)
        BoardPainter(camera, board, blur_px=0).paint(image, pose)
        images.append(image.astype(int))
    sheet = images[0] != 105
    assert np.abs((images[0] + images[1])[sheet] - 250).mean() < 2  # 18 + 232: black for white
    assert np.abs(images[0] - images[2]).mean() > 3
    with pytest.raises(Pose3DError, match="9X9_7"):
        BoardPainter(camera, replace(even, dictionary="9X9_7"))


def test_the_back_of_a_board_shows_no_pattern():
    camera = strong_lens()
    front = pose_from_axes(np.array([0, 0, -1.0]), np.array([0, 1.0, 0]), np.array([0, 0, 900.0]), CHECKERS)
    back = pose_from_axes(np.array([0, 0, 1.0]), np.array([0, 1.0, 0]), np.array([0, 0, 900.0]), CHECKERS)
    images = []
    for pose in (front, back):
        image = np.full((480, 640), 105, np.uint8)
        BoardPainter(camera, CHECKERS).paint(image, pose)
        images.append(image)
    middle = (slice(190, 290), slice(270, 370))
    assert np.ptp(images[0][middle]) > 150
    assert np.ptp(images[1][middle]) < 3
    assert (images[1] != 105).any()


def test_pixel_rays_are_exact_enough_for_corners():
    camera = strong_lens()
    rays = pixel_rays(camera, border=4)
    assert rays.shape == (488, 648, 2)
    y, x = np.mgrid[1:480:17, 3:640:13]
    exact = camera.undistort(np.stack([x, y], axis=-1))
    assert np.abs(rays[y + 4, x + 4] - exact).max() * camera.focal < 0.01  # px
    with pytest.raises(ValueError, match="multiple of 4"):
        pixel_rays(camera, border=3)


def test_one_camera_alone_and_parallel_cameras_work():
    camera = strong_lens()
    beside = replace(camera, name="b", translation=np.array([-100.0, 0, 0]))
    for cameras in ((camera,), (camera, beside)):
        rig = Rig(cameras)
        poses = move_board(CHECKERS, rig, n_frames=20, rng=np.random.default_rng(0))
        seen = np.isfinite(BoardSession({}, CHECKERS, rig, poses).corners()[..., 0]).all(-1)
        assert seen.mean() > 0.6
