"""Rigs as aniposelib's camera groups, with the same numbers, and aniposelib's solver on our corners."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration import from_anipose, to_anipose
from pose3d.calibration.anipose import solve_with_anipose
from pose3d.data import Board, Camera, Rig
from pose3d.errors import CalibrationError


@pytest.fixture
def rig():
    matrix = np.array([[900.0, 0, 640.5], [0, 905.0, 355.0], [0, 0, 1]])
    return Rig(
        (
            Camera("left", (1280, 720), matrix, [-0.1, 0.02, 1e-3, -1e-3, 0.0], [0.1, 0.7, 0.0], [10.0, -20.0, 2000.0]),
            Camera("right", (1280, 720), matrix, [-0.2, 0.1, 0.0, 0.0], [0.1, -0.7, 0.0], [0.0, 5.0, 2100.0]),
            Camera("wide", (640, 480), matrix / 2 + np.diag([0, 0, 0.5]), [0.05, 0, 0, 0], [0, 0, 0], [0, 0, 0], True),
        ),
        {"adjusted": True},
    )


def test_a_group_of_aniposelib_projects_as_the_rig(rig):
    points = np.random.default_rng(0).uniform([-300, -300, 800], [300, 300, 1200], (50, 3))
    seen = to_anipose(rig).project(points)  # camera, point, 2
    np.testing.assert_allclose(np.moveaxis(seen, 0, 1), rig.project(points), rtol=0, atol=1e-4)


def test_there_and_back(rig):
    back = from_anipose(to_anipose(rig))
    assert back.names == rig.names
    assert back.metadata == rig.metadata
    for camera, same in zip(rig, back, strict=True):
        assert (same.size, same.fisheye) == (camera.size, camera.fisheye)
        for what in ("matrix", "rotation", "translation"):
            np.testing.assert_array_equal(getattr(same, what), getattr(camera, what))
        n = len(camera.distortion)
        np.testing.assert_array_equal(same.distortion[:n], camera.distortion)
        assert not same.distortion[n:].any()


@pytest.fixture
def three(make_ring, corners, board):
    truth = make_ring(3, arc=np.pi / 2)
    return truth, corners(truth, board, 30)


@pytest.mark.slow
def test_its_solver_calibrates_our_corners(make_ring, corners, board, volume_error, capsys):
    plain = {"matrix": [[1000, 0, 639.5], [0, 1000, 511.5], [0, 0, 1]], "distortion": [-0.1, 0, 0, 0, 0]}
    truth = Rig(tuple(replace(camera, **plain) for camera in make_ring(2, arc=np.pi / 2)))
    rig = solve_with_anipose(corners(truth, board, 30, sigma=0.1))
    assert rig.names == truth.names
    assert [camera.size for camera in rig] == [camera.size for camera in truth]
    np.testing.assert_allclose(rig.cameras[0].cam_from_world, np.eye(4), atol=1e-12)
    assert volume_error(rig, truth) < 1.0
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_its_solver_holds_known_lenses(three, volume_error):
    truth, detections = three
    before = np.random.get_state()  # noqa: NPY002
    rig = solve_with_anipose(detections, intrinsics=Rig(truth.cameras[::-1]))
    again = solve_with_anipose(detections, intrinsics=truth)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    for found, true, same in zip(rig, truth, again, strict=True):
        np.testing.assert_array_equal(found.translation, same.translation)
        np.testing.assert_array_equal(found.matrix, true.matrix)
        np.testing.assert_array_equal(found.distortion, true.distortion)
    assert volume_error(rig, truth) < 0.3


def test_its_solver_takes_a_checkerboard(make_ring, corners, volume_error):
    truth = make_ring(2, arc=np.pi / 2)
    detections = corners(truth, Board.checkerboard((6, 5), square_mm=80), 30)
    xy = detections.xy.copy()
    xy[::7, 0, :3] = np.nan  # it knows no checkerboard that is seen in part
    rig = solve_with_anipose(replace(detections, xy=xy), intrinsics=truth)
    assert volume_error(rig, truth) < 0.5


def test_its_solver_fails_in_one_line(three):
    truth, detections = three
    xy = detections.xy.copy()
    xy[::2, 0] = np.nan
    xy[1::2, 1:] = np.nan
    with pytest.raises(CalibrationError, match=r"^aniposelib could not calibrate: Could not build .*$") as caught:
        solve_with_anipose(replace(detections, xy=xy), intrinsics=truth)
    assert "\n" not in str(caught.value)
    with pytest.raises(CalibrationError, match="all cameras or of none, and that of cam_2 is not known"):
        solve_with_anipose(detections, intrinsics=truth.select(["cam_0", "cam_1"]))
    smaller = Rig(tuple(replace(camera, size=(640, 512)) for camera in truth))
    with pytest.raises(CalibrationError, match="cam_0 is 1280x1024, its known lens is for 640x512"):
        solve_with_anipose(detections, intrinsics=smaller)
    xy = detections.xy.copy()
    xy[:, 1, 8:] = np.nan
    with pytest.raises(CalibrationError, match="cam_1 never saw 9 corners"):
        solve_with_anipose(replace(detections, xy=xy))
