import numpy as np
import pytest

from pose3d.data import Board


def test_grid_of_markers():
    board = Board("aruco_grid", (3, 2), 50, 40, "4x4_50")
    assert board.n_corners == 24
    assert board.separation_mm == pytest.approx(10)
    assert board.points[:5].tolist() == [[0, 0, 0], [40, 0, 0], [40, 40, 0], [0, 40, 0], [50, 0, 0]]
    assert board.points[-2].tolist() == [140, 90, 0]
    assert board.extent.tolist() == [[0, 0], [140, 90]]
    assert board.describe() == "ArUco grid 3x2 markers of 40 mm, 10 mm apart, of 4X4_50"
    edges = {tuple(sorted(edge)) for edge in board.edges.tolist()}
    assert len(edges) == len(board.edges) == 5 * 4 + 6 * 3
    assert {(0, 1), (1, 2), (2, 3), (0, 3), (1, 4), (3, 12)} <= edges
    assert sorted(set(np.round(board.edge_lengths, 9))) == [10, 40]


def test_kalibrs_grid():
    board = Board("apriltag_grid", (6, 6), 114.4, 88)
    assert board.dictionary == "APRILTAG_36H11"
    assert board.extent == pytest.approx(np.array([[-26.4, -26.4], [6 * 114.4, 6 * 114.4]]))
    assert board.transposed() == board


@pytest.mark.parametrize(
    "board",
    [
        Board("charuco", (5, 4), 40, 30, "4X4_50"),
        Board.checkerboard((9, 6), square_mm=30),
        Board("aruco_grid", (5, 4), 40, 31, "4X4_50", inverted=True),
        Board("apriltag_grid", (2, 3), 40, 30.5),
    ],
)
def test_edges_lengths_and_settings_of_every_kind(board):
    lengths = board.edge_lengths
    ends = board.points[board.edges]
    assert lengths == pytest.approx(np.abs(ends[:, 1] - ends[:, 0]).sum(1))
    assert (lengths > 0).all()
    nx, ny = board.corners
    assert len(lengths) == nx * (ny - 1) + ny * (nx - 1)
    assert Board.from_settings(**board.settings) == board
    assert (board.points[:, :2] >= board.extent[0]).all()
    assert (board.points[:, :2] <= board.extent[1]).all()


def test_settings_as_people_know_them():
    grid = Board.from_settings("Aruco_Grid", squares=(5, 4), marker_mm=40, separation_mm=10, dictionary="4X4_50")
    assert grid == Board("aruco_grid", (5, 4), 50, 40, "4X4_50")
    assert Board.from_settings("checkerboard", corners=(9, 6), square_mm=30).squares == (10, 7)
    assert Board.from_settings("apriltag_grid", squares=(6, 6), marker_mm=30, separation_mm=9).square_mm == 39


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "chess", "squares": (5, 4)}, "'chess' is unknown; known are charuco, checkerboard, aruco_grid"),
        ({"kind": "charuco"}, "needs either squares or corners"),
        ({"kind": "charuco", "squares": (5, 4), "corners": (4, 3)}, "needs either squares or corners"),
        ({"kind": "aruco_grid", "corners": (5, 4)}, "ArUco grid needs squares"),
        ({"kind": "aruco_grid", "squares": (5, 4)}, "needs square_mm or separation_mm"),
        ({"kind": "checkerboard", "squares": (5, 4)}, "needs square_mm$"),
        ({"kind": "charuco", "squares": (5, 4), "separation_mm": 3}, "only a grid"),
        ({"kind": "aruco_grid", "squares": (5, 4), "separation_mm": 3}, "separation_mm goes with marker_mm"),
        (
            {"kind": "aruco_grid", "squares": (5, 4), "marker_mm": 9, "separation_mm": -3},
            "separation_mm must be a positive",
        ),
        ({"kind": "aruco_grid", "squares": (1, 4), "square_mm": 50}, "a grid needs at least 2 x 2 markers, not 1 x 4"),
        (
            {"kind": "aruco_grid", "squares": (3, 4), "square_mm": 50, "marker_mm": 9},
            "ArUco grid needs marker_mm and dictionary",
        ),
        ({"kind": "checkerboard", "squares": (3, 4), "square_mm": 50, "marker_mm": 9}, "has no marker_mm"),
        ({"kind": "checkerboard", "squares": (3, 4), "square_mm": 50, "legacy": True}, "only a ChArUco board"),
    ],
)
def test_settings_that_make_no_board(settings, message):
    with pytest.raises(ValueError, match=message):
        Board.from_settings(**settings)
