"""What the board has reached, on scenes small enough to count by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pose3d.calibration import calibrate_detections
from pose3d.calibration.trust.coverage import cell_of, measure_coverage
from pose3d.geometry.transforms import rigid

SIZE = (1280, 960)


@pytest.mark.parametrize(
    ("size", "shape"), [((1280, 960), (6, 8)), ((1920, 1080), (5, 9)), ((1080, 1920), (10, 5)), ((100, 100), (7, 7))]
)
def test_cells_are_about_square(size, shape):
    cell, found = cell_of(np.array([[0.0, 0.0], [size[0] - 1, size[1] - 1], [np.nan, 3.0], [size[0], 0]]), size)
    assert found == shape
    assert cell.tolist() == [0, shape[0] * shape[1] - 1, -1, -1]


@pytest.fixture
def coverage_of(make_ring, corners, board):
    rig = make_ring(2, arc=0.5)
    solution = calibrate_detections(corners(rig, board, 6), intrinsics=rig).solution

    def measure(seen):
        """`seen` (n_frames, n_cameras): who sees a small board at which instant."""
        frame, camera = np.nonzero(np.asarray(seen))
        n_cameras = np.shape(seen)[1]
        xy = np.full((len(frame), board.n_corners, 2), np.nan)
        xy[:, :8] = np.array([[200.0, 300.0]]) + np.arange(8)[:, None] * [10, 0]
        bundle = replace(
            solution.bundle,
            camera=camera,
            frame=frame,
            xy=xy,
            cam_from_world=np.tile(np.eye(4), (n_cameras, 1, 1)),
            world_from_board=np.tile(rigid(np.zeros(3), np.array([0, 0, 1000.0])), (len(seen), 1, 1)),
        )
        names = tuple("ABCDEF"[:n_cameras])
        return measure_coverage(bundle, names=names, sizes=(SIZE,) * n_cameras)

    return measure


def test_pairs_share_instants_and_corners(coverage_of):
    coverage = coverage_of([[1, 1, 0], [1, 1, 1], [0, 1, 0]])
    assert {pair.cameras: (pair.instants, pair.corners) for pair in coverage.pairs} == {
        ("A", "B"): (2, 16),
        ("A", "C"): (1, 8),
        ("B", "C"): (1, 8),
    }
    assert [camera.shared for camera in coverage.cameras] == [2, 2, 1]
    assert [camera.views for camera in coverage.cameras] == [2, 3, 1]
    assert coverage.groups == (("A", "B", "C"),)
    assert coverage.hinges == ()


def test_a_camera_that_holds_two_others_together_is_named(coverage_of):
    coverage = coverage_of([[1, 1, 0], [1, 1, 0], [1, 0, 1], [0, 1, 0]])
    (hinge,) = coverage.hinges
    assert hinge.line() == "B and C are linked only through A"
    assert coverage.weakest.pair.cameras == ("A", "C")
    assert coverage.weakest.line() == "the weakest link is A - C with 1 shared instants, which joins A, B with C"


def test_the_weakest_link_is_the_one_that_things_hang_on(coverage_of):
    # A-B and C-D share much, B-C twice; A-C once, but B-C does better
    seen = [[1, 1, 0, 0]] * 5 + [[0, 0, 1, 1]] * 4 + [[0, 1, 1, 0]] * 2 + [[1, 0, 1, 0]]
    weakest = coverage_of(seen).weakest
    assert weakest.pair.cameras == ("B", "C")
    assert weakest.groups == (("A", "B"), ("C", "D"))
    assert weakest.instants == 3


def test_groups_without_a_common_view_are_told(coverage_of):
    coverage = coverage_of([[1, 1, 0, 0], [0, 0, 1, 1]])
    assert coverage.groups == (("A", "B"), ("C", "D"))
    assert "no shared view links A, B with C, D" in coverage.lines()


def test_a_camera_without_views_is_no_trouble(coverage_of):
    coverage = coverage_of([[1, 0], [1, 0]])
    assert coverage.cameras[1].covered == 0.0
    assert coverage.pairs == ()
    assert coverage.weakest is None
    assert len(coverage.lines()) == 4


def test_tilts_distances_and_image_parts(make_ring, corners, board):
    rig = make_ring(2, arc=0.5)
    detections = corners(rig, board, 40)
    solution = calibrate_detections(detections, intrinsics=rig).solution
    coverage = measure_coverage(solution.bundle, names=detections.cameras, sizes=detections.sizes)
    for i, camera in enumerate(coverage.cameras):
        seen = detections.xy[:, i][np.isfinite(detections.xy[:, i, :, 0])]
        assert camera.cells.sum() == len(seen)
        middle = (np.array(detections.sizes[i]) - 1) / 2
        reach = np.linalg.norm(seen - middle, axis=-1).max() / np.hypot(*detections.sizes[i]) * 2
        assert camera.reach == pytest.approx(reach)
        assert 0.15 < camera.covered < 0.6
        assert 25 < camera.tilt_deg < 90  # normals within 72 degrees of the line of sight, in all directions
        assert 15 < camera.tilt_spread_deg < 70
        assert 1.1 < camera.distance_ratio < 2.0
    json.dumps(coverage.to_dict(), allow_nan=False)
