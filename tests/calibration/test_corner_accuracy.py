"""Corners in rendered images, against the truth."""

import cv2
import numpy as np
import pytest

from pose3d.calibration import draw_board
from pose3d.calibration.detection.corners import corner_finder
from pose3d.data import Board
from pose3d.geometry.rotations import exp_so3

SIZE = (960, 720)
FOCAL = 900.0
TEXELS = 64


def shoot(board, *, seed, distance, blur=0.6, noise=2.0, tilt=0.9):
    """A picture of a board on a cluttered ground, and where its corners are."""
    rng = np.random.default_rng(seed)
    w, h = SIZE
    K = np.array([[FOCAL, 0, (w - 1) / 2], [0, FOCAL, (h - 1) / 2], [0, 0, 1]])
    axis = rng.normal(size=3) * [1, 1, 0.3]
    R = exp_so3(axis / np.linalg.norm(axis) * rng.uniform(0.1, tilt)) @ exp_so3(
        np.array([0, 0, rng.uniform(-np.pi, np.pi)])
    )
    t = np.array([rng.uniform(-0.15, 0.15), rng.uniform(-0.1, 0.1), 1]) * distance - R @ board.points.mean(0)
    to_image = K @ np.column_stack([R[:, :2], t])
    sheet = draw_board(board, pixels_per_square=TEXELS)
    scale = TEXELS / board.square_mm
    shift = TEXELS - 0.5 - board.extent[0] * scale
    to_board = np.linalg.inv([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1]])
    fine = np.array([[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1.0]])
    ground = cv2.resize(rng.integers(30, 220, (36, 48)).astype(np.uint8), (w * 4, h * 4), interpolation=cv2.INTER_CUBIC)
    H = fine @ to_image @ to_board
    paper = cv2.warpPerspective(sheet, H, (w * 4, h * 4), flags=cv2.INTER_LINEAR)
    cover = cv2.warpPerspective(np.full_like(sheet, 255), H, (w * 4, h * 4), flags=cv2.INTER_NEAREST) > 0
    image = np.where(cover, 20 + 0.8 * paper, ground).astype(np.float32)
    image = cv2.GaussianBlur(cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA), (0, 0), blur)
    image = np.clip(image + rng.normal(scale=noise, size=image.shape), 0, 255).astype(np.uint8)
    flat = to_image @ np.column_stack([board.points[:, :2], np.ones(board.n_corners)]).T
    return image, (flat[:2] / flat[2]).T


# The edges of squares and markers fall between texels.
CHARUCO = Board("charuco", (6, 8), 32, 24, "4X4_50")
BOARDS = {
    "charuco": (CHARUCO, 0.03),
    "legacy": (Board("charuco", (6, 8), 32, 24, "4X4_50", legacy=True), 0.03),
    "inverted": (Board("charuco", (6, 8), 32, 24, "4X4_50", inverted=True), 0.03),
    "aruco_grid": (Board("aruco_grid", (4, 5), 48, 36, "4X4_50"), 0.05),
    "inverted aruco_grid": (Board("aruco_grid", (4, 5), 48, 36, "4X4_50", inverted=True), 0.05),
    "apriltag_grid": (Board("apriltag_grid", (4, 5), 48, 36), 0.05),
    "inverted apriltag_grid": (Board("apriltag_grid", (4, 5), 48, 36, inverted=True), 0.05),
}


@pytest.mark.parametrize("name", BOARDS)
def test_corners_lie_where_they_are(name):
    board, limit = BOARDS[name]
    find = corner_finder(board)
    errors = []
    for seed in range(6):
        image, truth = shoot(board, seed=seed, distance=420)
        seen = ((truth > 3) & (truth < np.array(SIZE) - 4)).all(1)
        errors.append(np.linalg.norm(find(image) - truth, axis=-1)[seen])
    error = np.concatenate(errors)
    assert np.isfinite(error).mean() > 0.97
    error = error[np.isfinite(error)]
    assert np.sqrt((error**2).mean()) < limit
    assert error.max() < 10 * limit


@pytest.mark.parametrize("name", ["charuco", "aruco_grid", "apriltag_grid"])
def test_part_of_a_board_is_found(name):
    board, limit = BOARDS[name]
    image, truth = shoot(board, seed=3, distance=420)
    middle = int(truth[:, 0].mean())
    image[:, middle:] = 120  # a hand before the right half
    error = np.linalg.norm(corner_finder(board)(image) - truth, axis=-1)
    found = np.isfinite(error)
    assert found.sum() >= 0.5 * (truth[:, 0] < middle - 10).sum()
    assert not found[truth[:, 0] > middle + 3].any()
    assert np.median(error[found]) < limit


def test_charuco_beats_opencv_on_the_same_pictures():
    theirs = cv2.aruco.CharucoDetector(
        cv2.aruco.CharucoBoard((6, 8), 32, 24, cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50))
    )
    find = corner_finder(CHARUCO)
    ours, other = [], []
    for seed in range(6):
        image, truth = shoot(CHARUCO, seed=seed, distance=600)
        ours.append(np.linalg.norm(find(image) - truth, axis=-1))
        corners, ids, _, _ = theirs.detectBoard(image)
        other.append(np.linalg.norm(corners.reshape(-1, 2) - truth[ids.ravel()], axis=-1))
    ours, other = (np.concatenate(some) for some in (ours, other))
    ours = ours[np.isfinite(ours)]
    assert len(ours) >= len(other)
    assert np.sqrt((ours**2).mean()) < 0.7 * np.sqrt((other**2).mean())


@pytest.mark.parametrize("name", ["charuco", "aruco_grid", "apriltag_grid"])
def test_no_board_no_corner(name):
    board, _ = BOARDS[name]
    find = corner_finder(board)
    ground, _ = shoot(Board.checkerboard((5, 4), square_mm=50), seed=1, distance=420)
    for image in (ground, np.zeros((480, 640), np.uint8), np.full((64, 48), 200, np.uint8)):
        assert np.isnan(find(image)).all()
