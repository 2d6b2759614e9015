"""Mirrored clips, exchanged clips, a camera that moved."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pose3d.calibration.detection.boards import draw_board
from pose3d.calibration.detection.corners import find_corners
from pose3d.calibration.detection.mirrored import is_mirrored
from pose3d.calibration.mistakes.agreement import sightings
from pose3d.calibration.mistakes.exchanged import find_exchanged, find_exchanged_places
from pose3d.calibration.mistakes.mirrors import find_mirrored
from pose3d.calibration.mistakes.moves import find_moved
from pose3d.calibration.mistakes.timing import find_offsets, offset_findings
from pose3d.calibration.solver.extrinsics import Link
from pose3d.data import Board, BoardDetections, Camera, Rig
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import inverse, rigid

SIZE = (640, 480)
MATRIX = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])


def photos(board, x_mm, n=12):
    """Photos of a board of 40 mm squares in several attitudes, from a camera at x that looks ahead."""
    paper = draw_board(board, pixels_per_square=40)
    middle = board.points.mean(0)
    mm_from_paper = np.array([[1, 0, -79.5], [0, 1, -79.5], [0, 0, 1]])
    for i in range(n):
        turn = exp_so3(0.5 * np.array([np.sin(2.1 * i), np.cos(1.3 * i), np.sin(0.7 * i)]))
        shift = np.array([40 * np.cos(i) - x_mm, 30 * np.sin(2 * i), 560 + 60 * np.cos(3 * i)]) - turn @ middle
        homography = MATRIX @ np.column_stack([turn[:, :2], shift]) @ mm_from_paper
        yield cv2.warpPerspective(paper, homography, SIZE, borderValue=255)


def test_mirrored_markers_are_found_after_a_flip():
    board = Board("charuco", (6, 5), 40, 30, "4X4_50")
    images = list(photos(board, 0.0, 4))
    assert is_mirrored([image[:, ::-1] for image in images], board)
    assert is_mirrored([image[::-1] for image in images], board)
    assert not is_mirrored(images, board)
    assert not is_mirrored([np.full((480, 640), 128, np.uint8)] * 3, board)


@pytest.mark.parametrize("corners", [(8, 6), (9, 6), (7, 5)])
def test_a_mirrored_checkerboard_in_photos(corners, held):
    board = Board.checkerboard(corners, square_mm=40)
    xy = np.stack([[find_corners(image, board) for image in photos(board, x)] for x in (-60, 0, 60)], axis=1)
    flipped = [find_corners(np.ascontiguousarray(image[:, ::-1]), board) for image in photos(board, 0)]
    rig = Rig(tuple(Camera(name, SIZE, MATRIX, np.zeros(5), np.zeros(3), np.zeros(3)) for name in "ABC"))
    lenses = held(rig, 0.1)
    straight = BoardDetections(board, rig.names, (SIZE,) * 3, np.arange(len(xy)), xy)
    assert straight.n_views.min() >= 10
    assert find_mirrored(sightings(straight, lenses), board) == ()
    xy[:, 1] = flipped
    (finding,) = find_mirrored(sightings(replace(straight, xy=xy), lenses), board)
    assert (finding.kind, finding.grade, finding.cameras) == ("mirrored", "FAIL", ("B",))
    assert "camera B is mirrored" in finding.says


@pytest.mark.slow
def test_mirrored_clips_in_nineteen_of_twenty_sessions(session, mirrored, checkerboards):
    found = 0
    for seed in range(20):
        board = checkerboards[seed % 2]
        made = session(seed, board=board)
        findings = find_mirrored(mirrored(made, 1).sightings, board)
        found += [f.cameras for f in findings] == [("cam_0", "cam_1") if len(made.rig) == 2 else ("cam_1",)]
    assert found >= 19


@pytest.mark.slow
def test_exchanged_lenses_in_nineteen_of_twenty_sessions(session, exchanged):
    found = 0
    for seed in range(20):
        made = session(seed, sigma=0.2)
        other = len(made.rig) - 1
        known = made.rig
        if other == 1:  # two cameras must differ more than neighbours do
            known = session(seed, sigma=0.2, n_cameras=4).rig
            made = session(seed, sigma=0.2, n_cameras=4)
            other = 3
        findings = find_exchanged(exchanged(made, 0, other).detections, known)
        found += [f.cameras for f in findings] == [("cam_0", f"cam_{other}")]
    assert found >= 19


def test_lenses_that_are_a_little_off_are_not_exchanged(scene):
    rng = np.random.default_rng(0)
    for seed in range(5):
        made = scene(seed)
        near = [
            replace(c, matrix=c.matrix * [[1 + 0.004 * rng.normal(), 1, 1.005], [1, 1, 0.995], [1, 1, 1]])
            for c in made.rig
        ]
        assert find_exchanged(made.detections, Rig(tuple(near))) == ()


def test_clips_of_each_others_size_are_exchanged(scene, exchanged):
    made = scene(0)
    sizes = ((1280, 1024), (1920, 1080), (1280, 1024), (1280, 1024))
    rig = Rig(tuple(replace(c, size=size) for c, size in zip(made.rig, sizes, strict=True)))
    made = replace(made, rig=rig, detections=replace(made.detections, sizes=sizes))
    (finding,) = find_exchanged(exchanged(made, 1, 3).detections, rig)
    assert finding.cameras == ("cam_1", "cam_3")
    assert finding.says.startswith("the clips of cameras cam_1 and cam_3 are exchanged")


def links_of(rig, names, rng):
    """The pairs of a rig whose cameras go by other names, as roughly as boards give them."""
    out = {}
    for i, a in enumerate(rig):
        for j, b in enumerate(rig):
            if i < j:
                noise = rigid(rng.normal(scale=0.01, size=3), rng.normal(scale=30, size=3))
                out[names[i], names[j]] = Link(noise @ b.cam_from_world @ inverse(a.cam_from_world), 40, 40)
    return out


@pytest.mark.parametrize("n", [2, 3, 6])
def test_cameras_in_each_others_places(scene, n):
    rng = np.random.default_rng(n)
    rig = scene(n, n_cameras=n).rig
    names = list(rig.names)
    assert find_exchanged_places(links_of(rig, names, rng), rig) == ()
    names[0], names[1] = names[1], names[0]
    (finding,) = find_exchanged_places(links_of(rig, names, rng), rig)
    assert finding.cameras == ("cam_0", "cam_1")


def test_a_camera_that_was_put_elsewhere_is_not_exchanged(scene):
    rng = np.random.default_rng(0)
    rig = scene(0).rig
    away = replace(
        rig.cameras[1], rotation=rig.cameras[1].rotation + np.array([0, 0.4, 0]), translation=[900.0, 100, 1500]
    )
    now = Rig((rig.cameras[0], away, *rig.cameras[2:]))
    assert find_exchanged_places(links_of(now, list(rig.names), rng), rig) == ()


@pytest.mark.slow
def test_twenty_faultless_sessions_get_no_sentence(session):
    for seed in range(20):
        made = session(seed, n_frames=(20, 60, 100, 150)[seed % 4])
        seen = made.sightings
        said = [
            *offset_findings(find_offsets(seen)),
            *find_mirrored(seen, made.detections.board),
            *find_moved(seen),
            *find_exchanged(made.detections, made.rig),
        ]
        assert said == []


MOVE = rigid(np.array([0.0, 0.01, 0.004]), np.array([8.0, -5.0, 6.0]))


def test_a_camera_that_moved_is_named_with_its_frame(scene):
    (finding,) = find_moved(scene(0, n_frames=120, moved=(2, 70, MOVE)).sightings)
    assert (finding.kind, finding.grade, finding.cameras) == ("moved", "FAIL", ("cam_2",))
    frame = int(finding.says.partition("at about frame ")[2].partition(",")[0])
    assert abs(frame - 70) <= 5


def test_of_two_cameras_either_may_have_moved(scene):
    (finding,) = find_moved(scene(1, n_cameras=2, n_frames=120, moved=(1, 50, MOVE)).sightings)
    assert finding.cameras == ("cam_0", "cam_1")


@pytest.mark.slow
def test_moves_in_nineteen_of_twenty_sessions(session):
    found = 0
    for seed in range(20):
        made = session(seed, n_frames=120, moved=(1, 60, MOVE))
        expected = ("cam_0", "cam_1") if len(made.rig) == 2 else ("cam_1",)
        found += [f.cameras for f in find_moved(made.sightings)] == [expected]
    assert found >= 19
