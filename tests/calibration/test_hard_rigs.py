"""Rigs that other systems fail on, each against its truth."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration import calibrate_detections
from pose3d.data import Board, BoardDetections, Camera, Rig
from pose3d.demo.rig import look_at, roll_camera
from pose3d.geometry.rotations import exp_so3, log_so3
from pose3d.geometry.transforms import apply, inverse, rigid
from pose3d.io.calibration_toml import read_calibration, write_calibration

FISHEYE = (0.03, -0.01, 0.004, -0.001)


def aim(name, center, *, f=1000.0, lens=(-0.1, 0.05, 0.0, 0.0, 0.0), fisheye=False):
    """A camera that looks at the origin, its principal point a little off the centre."""
    rotation, translation = look_at(center, (0, 0, 0))
    matrix = [[f, 0, 644.0], [0, f * 1.001, 508.0], [0, 0, 1]]
    return Camera(name, (1280, 1024), matrix, lens, rotation, translation, fisheye=fisheye)


def show(rig, board, centers, toward, rng, *, sigma=0.3, cosine=0.2):
    """Corners of boards that lie at `centers` and face `toward`, one by one where they are in the image."""
    z = toward / np.linalg.norm(toward, axis=-1, keepdims=True)
    x = np.cross(z, rng.normal(size=z.shape))
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    poses = rigid(np.stack([x, np.cross(z, x), z], axis=-1), centers) @ rigid(np.zeros(3), -board.points.mean(0))
    world = apply(poses[:, None], board.points)
    xy = rig.project(world).transpose(0, 2, 1, 3)
    xy = xy + rng.normal(scale=sigma, size=xy.shape)
    ray = world[:, None] - rig.centers[:, None]
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    front = np.einsum("fcpk,fk->fc", ray, z) / board.n_corners > cosine
    axis = np.stack([exp_so3(camera.rotation)[2] for camera in rig])
    cone = np.einsum("fcpk,ck->fcp", ray, axis) > np.cos(np.radians(85))
    inside = ((xy > 0) & (xy < np.array([1279, 1023]))).all(-1)
    xy[~(inside & cone & front[..., None])] = np.nan
    return BoardDetections(board, rig.names, tuple(camera.size for camera in rig), np.arange(len(xy)), xy)


def pose_errors(found, truth):
    """Largest angle in degrees and largest distance in mm, the first cameras brought together."""
    truth = truth.select(found.names)
    a = found.cam_from_world @ inverse(found.cameras[0].cam_from_world)
    b = truth.cam_from_world @ inverse(truth.cameras[0].cam_from_world)
    angle = np.linalg.norm(log_so3(a[:, :3, :3] @ np.swapaxes(b[:, :3, :3], -1, -2)), axis=-1)
    apart = np.linalg.norm(inverse(a)[:, :3, 3] - inverse(b)[:, :3, 3], axis=-1)
    return np.degrees(angle.max()), apart.max()


@pytest.mark.slow
def test_two_cameras_that_face_each_other(board, volume_error):
    truth = Rig((aim("near", (-2500, 0, 0), f=700), aim("far", (2500, 0, 0), f=720)))
    axes = [exp_so3(camera.rotation)[2] for camera in truth]
    np.testing.assert_allclose(axes[0], -axes[1], atol=1e-12)
    rng = np.random.default_rng(5)
    n = 60
    around, away = rng.uniform(0, 2 * np.pi, n), rng.uniform(700, 1300, n)  # where both see the board's face, aslant
    centers = np.stack([rng.uniform(-400, 400, n), away * np.cos(around), 0.8 * away * np.sin(around)], axis=-1)
    toward = np.stack([rng.normal(0, 45, n), *(centers[:, 1:] + rng.normal(0, 150, (n, 2))).T], axis=-1)
    detections = show(truth, board, centers, toward, rng)
    result = calibrate_detections(detections)
    angle, apart = pose_errors(result.rig, truth)
    assert angle < 0.8
    assert apart < 40  # 5 m away, and with the focal lengths unknown
    assert volume_error(result.rig, truth) < 2.0
    known = calibrate_detections(detections, intrinsics=truth)
    assert max(pose_errors(known.rig, truth)) < 3.0  # degrees and mm
    assert volume_error(known.rig, truth) < 0.8


@pytest.mark.slow
def test_twelve_cameras_keep_their_order_in_the_file_too(make_ring, corners, board, volume_error, tmp_path):
    names = [f"cam_{i}" for i in range(1, 13)]
    truth = make_ring(12, names=names)
    rig = calibrate_detections(corners(truth, board, 60), intrinsics=truth).rig
    assert list(rig.names) == names
    write_calibration(rig, tmp_path / "calibration.toml")
    back = read_calibration(tmp_path / "calibration.toml")
    assert list(back.names) == names
    for one, other in zip(rig, back, strict=True):
        np.testing.assert_array_equal(one.translation, other.translation)
    assert volume_error(back, truth) < 0.1


@pytest.mark.slow
def test_sixteen_cameras(make_ring, corners, board, volume_error):
    truth = make_ring(16)
    result = calibrate_detections(corners(truth, board, 60))
    assert result.rig.names == truth.names
    assert result.unlinked == {}
    assert volume_error(result.rig, truth) < 0.3


def test_two_cameras(make_ring, corners, board, volume_error):
    truth = make_ring(2, arc=np.pi / 2)
    result = calibrate_detections(corners(truth, board, 40))
    assert result.links["cam_0", "cam_1"].shared >= 10
    assert volume_error(result.rig, truth) < 1.5


@pytest.mark.slow
def test_a_chain_in_which_only_neighbours_share_views(make_ring, corners, board, volume_error):
    truth = make_ring(4, arc=1.2 * np.pi)
    detections = corners(truth, board, 140)
    xy = detections.xy.copy()
    pair = np.arange(len(xy)) % 3
    for camera in range(4):
        xy[(pair != camera) & (pair != camera - 1), camera] = np.nan
    result = calibrate_detections(replace(detections, xy=xy))
    assert set(result.links) == {("cam_0", "cam_1"), ("cam_1", "cam_2"), ("cam_2", "cam_3")}
    assert result.rig.names == truth.names
    assert volume_error(result.rig, truth) < 0.5


def test_sensors_that_are_turned(make_ring, corners, board, volume_error):
    ring = make_ring(4)
    truth = Rig(tuple(roll_camera(camera, 90.0 * i) for i, camera in enumerate(ring)))
    result = calibrate_detections(corners(truth, board, 60), intrinsics=truth)
    assert max(pose_errors(result.rig, truth)) < 2.5
    assert volume_error(result.rig, truth) < 0.3


@pytest.mark.slow
def test_portrait_and_landscape_cameras(make_ring, corners, board, volume_error):
    cameras = []
    for i, camera in enumerate(make_ring(4)):
        upright = roll_camera(camera, 90.0 * i)
        if i % 2:
            order = [1, 0, 2]
            upright = replace(upright, size=(1024, 1280), matrix=camera.matrix[np.ix_(order, order)])
        cameras.append(upright)
    truth = Rig(tuple(cameras))
    result = calibrate_detections(corners(truth, board, 60))
    assert [camera.size for camera in result.rig] == [camera.size for camera in truth]
    assert volume_error(result.rig, truth) < 0.4


@pytest.mark.slow
def test_fisheye_cameras_that_see_nearly_half_of_all_directions(board, volume_error):
    cameras = (aim(n, (x, -600, 0), f=390, lens=FISHEYE, fisheye=True) for n, x in (("left", -150), ("right", 150)))
    truth = Rig(tuple(cameras))
    rng = np.random.default_rng(5)
    centers = rng.uniform(-1200, 1200, (100, 3)) * [1, 0.3, 0.8]
    toward = centers - [0, -600, 0] + rng.normal(0, 350, (100, 3))
    detections = show(truth, board, centers, toward, rng, cosine=0.3)
    rays = truth.undistort(detections.xy.transpose(0, 2, 1, 3))
    assert np.nanmax(np.linalg.norm(rays, axis=-1)) > np.tan(np.radians(75))
    result = calibrate_detections(detections, fisheye=True)
    assert all(camera.fisheye for camera in result.rig)
    assert max(pose_errors(result.rig, truth)) < 0.6
    assert volume_error(result.rig, truth) < 1.0
    for found, true in zip(result.rig, truth, strict=True):
        assert found.focal == pytest.approx(true.focal, rel=0.002)


@pytest.mark.slow
def test_a_known_fisheye_camera_among_others(make_ring, board, volume_error):
    wide = aim("wide", (0, 0.1, 1500), f=400, lens=FISHEYE, fisheye=True)
    truth = Rig((*make_ring(4).cameras[:3], wide))
    rng = np.random.default_rng(5)
    centers = rng.uniform(-500, 500, (70, 3)) * [1, 1, 0.6]
    detections = show(truth, board, centers, rng.normal(size=(70, 3)) * [1, 1, 0.3] - [0, 0, 0.5], rng)
    rig = calibrate_detections(detections, intrinsics=Rig((wide,))).rig
    assert [camera.fisheye for camera in rig] == [False, False, False, True]
    np.testing.assert_array_equal(rig["wide"].distortion, wide.distortion)
    assert volume_error(rig, truth) < 0.5
    pinholes = truth.select(truth.names[:3])
    rig = calibrate_detections(detections, intrinsics=pinholes, fisheye=True).rig
    assert [camera.fisheye for camera in rig] == [False, False, False, True]
    assert volume_error(rig, truth) < 0.3


@pytest.mark.slow
def test_cameras_that_nothing_links_are_named_and_the_rest_is_calibrated(make_ring, corners, board, volume_error):
    truth = make_ring(5)
    detections = corners(truth, board, 100)
    xy = detections.xy.copy()
    early = np.arange(len(xy)) < 50  # at first only two cameras record, then only the other three
    xy[np.ix_(early, [2, 3, 4])] = np.nan
    xy[np.ix_(~early, [0, 1])] = np.nan
    result = calibrate_detections(replace(detections, xy=xy))
    assert result.rig.names == ("cam_2", "cam_3", "cam_4")
    assert list(result.unlinked) == ["cam_0", "cam_1"]
    assert all("same instant" in reason for reason in result.unlinked.values())
    assert volume_error(result.rig, truth) < 1.5


@pytest.mark.slow
def test_a_camera_that_sees_little_of_the_board_does_not_harm_the_others(make_ring, corners, board, volume_error):
    truth = make_ring(4)
    detections = corners(truth, board, 70)
    xy = detections.xy.copy()
    views = np.flatnonzero(np.isfinite(xy[:, 3, 0, 0]))
    seen = np.zeros(xy.shape[:3:2], dtype=bool)
    seen[np.ix_(views[:6], [0, 1, 2, 6, 7, 8, 12, 13])] = True  # a corner of the board, six times
    xy[:, 3][~seen] = np.nan
    result = calibrate_detections(replace(detections, xy=xy))
    assert volume_error(result.rig.select(["cam_0", "cam_1", "cam_2"]), truth) < 1.5
    if "cam_3" not in result.unlinked:  # then it is known to be the weak one
        assert np.linalg.norm(result.uncertainty.translation_sd_mm, axis=1).argmax() == 3
        assert volume_error(result.rig, truth) < 2.5


@pytest.mark.parametrize(("side", "bound"), [(150, 5.0), (1200, 1.0)])  # mm: parallel cameras hardly know depth
def test_boards_that_only_face_the_cameras(volume_error, side, bound):
    """Small flat boards seen nearly straight on: each view has two poses that fit alike."""
    truth = Rig((aim("left", (-side, -2500, 0)), aim("right", (side, -2500, 0)), aim("top", (0, -2500, side))))
    rng = np.random.default_rng(5)
    toward = np.array([0, 1.0, 0]) + rng.normal(0, 0.12, (50, 3))
    board = Board("charuco", (5, 4), 25, 18, "4X4_50")
    centers = rng.uniform(-400, 400, (50, 3))
    result = calibrate_detections(show(truth, board, centers, toward, rng), intrinsics=truth)
    angle, apart = pose_errors(result.rig, truth)
    assert angle < 0.15
    assert apart < 7
    assert volume_error(result.rig, truth) < bound
    assert all(camera.dropped == 0 for camera in result.quality.cameras)
