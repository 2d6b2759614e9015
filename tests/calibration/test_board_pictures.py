"""What is printed on boards, against OpenCV's and Kalibr's own."""

import cv2
import numpy as np
import pytest

from pose3d.calibration import draw_board
from pose3d.calibration.detection.boards import board_dictionary, board_variants, marker_corners
from pose3d.data import Board
from pose3d.errors import ConfigError


@pytest.mark.parametrize("squares", [(5, 7), (6, 8), (4, 5)])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("inverted", [False, True])
def test_charuco_as_opencv_draws_it(squares, legacy, inverted):
    board = Board("charuco", squares, 40, 30, "4X4_50", legacy=legacy, inverted=inverted)
    theirs = cv2.aruco.CharucoBoard(squares, 40, 30, board_dictionary(board))
    theirs.setLegacyPattern(legacy)
    image = theirs.generateImage((squares[0] * 48, squares[1] * 48), marginSize=0)
    np.testing.assert_array_equal(
        draw_board(board, pixels_per_square=48, margin_squares=0), 255 - image if inverted else image
    )
    corners = np.array(theirs.getObjPoints())[:, :, :2] - 40
    np.testing.assert_allclose(marker_corners(board), corners, atol=1e-4)


def test_grid_as_opencv_draws_it():
    board = Board("aruco_grid", (5, 4), 50, 40, "4X4_50")
    theirs = cv2.aruco.GridBoard((5, 4), 40, 10, board_dictionary(board))
    image = draw_board(board, pixels_per_square=60, margin_squares=0)
    assert image.shape == (228, 288)
    np.testing.assert_array_equal(image, theirs.generateImage((288, 228), marginSize=0))
    np.testing.assert_allclose(marker_corners(board), np.array(theirs.getObjPoints())[:, :, :2], atol=1e-4)


def test_kalibrs_grid_by_its_codes():
    board = Board("apriltag_grid", (3, 2), 130, 100)
    image = draw_board(board, pixels_per_square=130, margin_squares=0)  # a pixel a mm
    assert image.shape == (2 * 130 + 30, 3 * 130 + 30)
    codes = [0xD5D628584, 0xD97F18B49, 0xDD280910E, 0xE479E9C98]  # tag36h11: first bit at the upper left, 1 is white
    for tag, code in enumerate(codes):
        left, top = 30 + tag % 3 * 130, 30 + (1 - tag // 3) * 130  # tag 0 at the bottom left
        cells = image[top + 5 : top + 100 : 10, left + 5 : left + 100 : 10] > 0
        bits = np.array([int(bit) for bit in f"{code:036b}"]).reshape(6, 6)
        np.testing.assert_array_equal(cells, np.pad(bits, 2) > 0)
        x, y = board.points[4 * ((1 - tag // 3) * 3 + tag % 3), :2]
        assert (x + 30, y + 30) == (left, top)
    small = image[15::130, 15::130]
    assert small.shape == (3, 4)
    assert not small.any()
    assert image[15, 80] == image[80, 15] == 255


def test_edges_between_pixels_are_grey_by_what_they_cover():
    board = Board("aruco_grid", (2, 2), 50, 41, "4X4_50")
    image = draw_board(board, pixels_per_square=10, margin_squares=1)
    assert image[12, 18] == round(255 * 0.8)  # the marker ends at 8.2 px


def test_variants_of_a_grid():
    board = Board("aruco_grid", (5, 4), 50, 40, "4X4_50")
    assert {(v.squares, v.inverted) for v in board_variants(board)} == {
        (squares, inverted) for squares in ((5, 4), (4, 5)) for inverted in (False, True)
    }
    assert len(board_variants(board)) == 4


def test_dictionary_too_small():
    with pytest.raises(ConfigError, match="has 50 markers, a board of 8x7 markers needs 56"):
        board_dictionary(Board("aruco_grid", (8, 7), 50, 40, "4X4_50"))
    with pytest.raises(ConfigError, match="'9X9_50' is unknown"):
        board_dictionary(Board("charuco", (8, 7), 50, 40, "9X9_50"))
