"""Calibration from rendered clips with a known rig: detection and solver together."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration import (
    apply_world,
    calibrate_rig,
    changes_since,
    detect_board,
    frame_from_axes,
    judge,
    scale_from_length,
    search_board,
)
from pose3d.calibration.detection.boards import symmetries
from pose3d.data import Board, Keypoints2D, Rig
from pose3d.demo.board_session import render_board_session
from pose3d.demo.rig import make_rig
from pose3d.errors import CalibrationError
from pose3d.geometry.rotations import angle_between
from pose3d.geometry.transforms import apply, umeyama
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.reconstruction import triangulate

CHARUCO = Board("charuco", (7, 5), 120, 92, "4X4_50")


@pytest.fixture(scope="module")
def clips_of_charuco(tmp_path_factory):
    """Clips of a ChArUco board for tests that need no accuracy."""
    folder = tmp_path_factory.mktemp("charuco")
    return render_board_session(folder, CHARUCO, make_rig(), n_frames=70, seed=3)


@pytest.fixture(scope="module")
def calibrated(clips_of_charuco):
    return calibrate_rig(clips_of_charuco.videos, CHARUCO)


@pytest.mark.slow
def test_checkerboard_with_a_camera_upside_down(tmp_path, make_ring, rolled):
    truth = rolled(make_ring(4, arc=0.8 * np.pi, radius=2200.0), "cam_2")
    board = Board.checkerboard((8, 6), square_mm=80)  # its ends look alike
    session = render_board_session(tmp_path, board, truth, n_frames=50, seed=1)
    result = calibrate_rig(session.videos, board)
    assert result.unlinked == {}
    pairs = np.triu_indices(4, 1)
    true, found = (rig.centers[pairs[0]] - rig.centers[pairs[1]] for rig in (truth, result.rig.select(truth.names)))
    ratio = np.linalg.norm(found, axis=-1) / np.linalg.norm(true, axis=-1)
    assert np.abs(ratio - 1).max() <= 0.005
    # the upside-down camera numbers the corners from the other end; made one, they must be the true corners
    seen = result.detections.xy[:, :, None]
    names = tuple(f"corner_{i}" for i in range(board.n_corners))
    corners = Keypoints2D(seen, np.ones(seen.shape[:-1]), result.detections.cameras, ("board",), names)
    points = triangulate(corners, result.rig).xyz[:, 0]
    real = apply(session.world_from_board[result.detections.frames][:, None], board.points)
    _, turns = symmetries(board)
    turned = apply(session.world_from_board[result.detections.frames][:, None] @ turns[1], board.points)
    fit = umeyama(points, real)
    for _ in range(3):  # the end that an instant's corners are numbered from is free, but one for all cameras
        distance = np.stack([np.linalg.norm(fit(points) - x, axis=-1) for x in (real, turned)])
        nearer = np.nanmean(np.where(np.isnan(distance), 1e3, distance), axis=2).argmin(0)
        chosen = np.where(nearer[:, None, None] == 0, real, turned)
        fit = umeyama(points, chosen)
    distance = np.linalg.norm(fit(points) - chosen, axis=-1)
    assert np.isfinite(distance).sum() >= 1000
    rms = np.sqrt(np.nanmean(distance**2))
    assert rms <= 0.3


@pytest.mark.slow
def test_charuco_clips_give_the_rig(clips_of_charuco, calibrated):
    result, truth = calibrated, clips_of_charuco.rig
    assert result.findings == ()
    assert judge(result).grade != "FAIL"
    fit = umeyama(result.rig.select(truth.names).centers, truth.centers)
    assert np.linalg.norm(fit(result.rig.select(truth.names).centers) - truth.centers, axis=-1).max() < 10  # of 3.9 m
    for camera in truth:
        assert result.rig[camera.name].focal == pytest.approx(camera.focal, rel=0.01)


@pytest.mark.slow
def test_transposed_size_is_found_out(clips_of_charuco):
    detections, findings = search_board(clips_of_charuco.videos, Board("charuco", (5, 7), 120, 92, "4X4_50"))
    assert detections.board.squares == (7, 5)
    assert [finding.kind for finding in findings] == ["transposed"]


@pytest.mark.slow
def test_legacy_pattern_is_found_out(tmp_path):
    printed = Board("charuco", (5, 6), 120, 92, "4X4_50", legacy=True)
    rig = make_rig(size=(640, 480)).select(["frontleft", "frontright"])
    clips = render_board_session(tmp_path, printed, rig, n_frames=10, seed=4).videos
    detections, findings = search_board(clips, Board("charuco", (5, 6), 120, 92, "4X4_50"))
    assert detections.board.legacy
    assert [finding.kind for finding in findings] == ["legacy"]


@pytest.mark.slow
def test_wrong_dictionary_is_named(clips_of_charuco):
    with pytest.raises(CalibrationError, match="try --dictionary 4X4_50"):
        detect_board(dict(list(clips_of_charuco.videos.items())[:1]), Board("charuco", (7, 5), 120, 92, "6X6_250"))


@pytest.mark.slow
def test_wrong_size_is_said(clips_of_charuco):
    with pytest.raises(CalibrationError, match="check --squares"):
        detect_board(dict(list(clips_of_charuco.videos.items())[:1]), Board("charuco", (3, 3), 120, 92, "4X4_50"))


def test_no_board_at_all(tmp_path):
    from pose3d.io.video import write_video

    write_video(tmp_path / "grey.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 5, fps=10)
    with pytest.raises(CalibrationError, match="no ArUco markers at all"):
        detect_board({"a": tmp_path / "grey.mp4"}, CHARUCO)
    with pytest.raises(CalibrationError, match="no checkerboard"):
        detect_board({"a": tmp_path / "grey.mp4"}, Board.checkerboard((7, 5), square_mm=30))


def test_clips_of_different_length(tmp_path):
    from pose3d.io.video import write_video

    frame = np.full((240, 320, 3), 90, np.uint8)
    write_video(tmp_path / "a.mp4", [frame] * 5, fps=10)
    write_video(tmp_path / "b.mp4", [frame] * 7, fps=10)
    clips = {"a": tmp_path / "a.mp4", "b": tmp_path / "b.mp4"}
    with pytest.raises(CalibrationError, match="a 5, b 7"):
        detect_board(clips, CHARUCO)
    with pytest.raises(CalibrationError, match="a 5, b 6"):
        detect_board(clips, CHARUCO, offsets={"b": 1})
    for allowed in ({"truncate": True}, {"offsets": {"b": 2}}):
        with pytest.raises(CalibrationError, match="no ArUco"):  # past the check of the lengths
            detect_board(clips, CHARUCO, **allowed)


@pytest.mark.slow
def test_world_and_scale_from_named_points(clips_of_charuco, calibrated):
    """Points of the true world, as the true cameras see them, through the cameras that were found."""
    truth = clips_of_charuco.rig.select(calibrated.rig.names)
    names = {"origin": (0, 0, 0), "front": (600, 0, 0), "left": (0, 600, 0), "top": (0, 0, 900)}
    real = np.array(list(names.values()), dtype=float)
    seen = calibrated.rig.undistort(truth.project(real))
    points = dict(zip(names, triangulate_svd(seen, calibrated.rig.cam_from_world), strict=True))
    world = frame_from_axes(points, [["x", "origin", "front"], ["z", "origin", "top"]], "origin")
    aligned = apply_world(calibrated.rig, world)
    off = angle_between(aligned.cam_from_world[:, :3, :3], truth.cam_from_world[:, :3, :3])
    assert np.rad2deg(off).max() < 0.2
    assert scale_from_length(points, ("origin", "top"), 900).factor == pytest.approx(1, abs=0.002)


@pytest.mark.slow
def test_a_camera_that_moved_by_5_mm_is_named_and_no_other(clips_of_charuco, calibrated):
    truth = clips_of_charuco.rig.select(calibrated.rig.names)
    moved = truth.cameras[1]
    shift = np.array([3.0, 4.0, 0.0])  # in the camera's own axes
    before = Rig((truth.cameras[0], replace(moved, translation=moved.translation - shift), *truth.cameras[2:]))
    change = changes_since(calibrated, before)
    assert change.moved == (moved.name,)
    found = next(camera for camera in change.cameras if camera.name == moved.name)
    assert found.shift_mm == pytest.approx(5, abs=2)
    assert changes_since(calibrated, truth).moved == ()
