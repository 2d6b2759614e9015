"""A board that is not as it was given is found out, in a sentence; one that is as given is left alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pose3d.calibration import draw_board
from pose3d.calibration.detection.marker_ratio import judge_marker_ratio, measure_marker_ratio
from pose3d.calibration.detection.variants import choose_variant
from pose3d.data import Board
from pose3d.errors import CalibrationError
from pose3d.io.video import open_frames

CHARUCO = Board("charuco", (6, 8), 30, 22.5, "4X4_50")
GRID = Board("aruco_grid", (4, 3), 50, 40, "4X4_50")


def photos(board, n=5, seed=0, size=(800, 600), blur=0.7):
    """Pictures of a board in several poses, as by a plain camera."""
    rng = np.random.default_rng(seed)
    sheet = draw_board(board, pixels_per_square=64)
    h, w = sheet.shape
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    fit = min(size[0] / w, size[1] / h) * 0.85
    images = []
    for _ in range(n):
        target = (corners - [w / 2, h / 2]) * fit * rng.uniform(0.9, 1.05, (4, 2)) + np.array(size) / 2
        H = np.diag([3.0, 3, 1]) @ cv2.getPerspectiveTransform(corners, target.astype(np.float32))
        image = cv2.warpPerspective(sheet, H, (3 * size[0], 3 * size[1]), borderValue=120, flags=cv2.INTER_LINEAR)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = cv2.GaussianBlur(image, (0, 0), blur).astype(np.float32) * 0.8 + 20
        images.append(np.clip(image + rng.normal(scale=2, size=image.shape), 0, 255).astype(np.uint8))
    return images


@pytest.fixture
def sources(tmp_path):
    def write(board, **options):
        for i, image in enumerate(photos(board, **options)):
            cv2.imwrite(str(tmp_path / f"{i:03d}.png"), image)
        return {"a": open_frames(tmp_path)}

    return write


@pytest.mark.parametrize("given", [CHARUCO, GRID, Board("apriltag_grid", (3, 4), 50, 36)])
def test_a_board_as_it_was_given_is_left_alone(sources, given):
    assert choose_variant(sources(given), given) == (given, ())


@pytest.mark.parametrize(
    ("printed", "given", "kinds"),
    [
        (CHARUCO, CHARUCO.transposed(), ["transposed"]),
        (replace(CHARUCO, inverted=True), CHARUCO, ["inverted"]),
        (CHARUCO, replace(CHARUCO, inverted=True), ["inverted"]),
        (replace(CHARUCO, legacy=True), CHARUCO, ["legacy"]),
        (CHARUCO, replace(CHARUCO, legacy=True), ["legacy"]),
        (replace(CHARUCO, legacy=True, inverted=True), CHARUCO.transposed(), ["transposed", "inverted", "legacy"]),
        (GRID, GRID.transposed(), ["transposed"]),
        (replace(GRID, inverted=True), GRID, ["inverted"]),
        (Board("apriltag_grid", (3, 4), 50, 36), Board("apriltag_grid", (4, 3), 50, 36), ["transposed"]),
        (Board("apriltag_grid", (3, 4), 50, 36, inverted=True), Board("apriltag_grid", (3, 4), 50, 36), ["inverted"]),
    ],
)
def test_a_variant_is_found_and_said(sources, printed, given, kinds):
    board, findings = choose_variant(sources(printed), given)
    assert board == printed
    assert [finding.kind for finding in findings] == kinds
    assert all(finding.grade == "WARN" for finding in findings)


def test_sentences(sources):
    _, (transposed,) = choose_variant(sources(CHARUCO), CHARUCO.transposed())
    assert transposed.line() == (
        "the board has 6x8 squares, not 8x6 as given: x and y are exchanged; set squares = [6, 8]"
    )


@pytest.mark.parametrize("factor", [0.7, 0.9, 1.1, 1.25])
def test_a_wrong_marker_size_is_measured(sources, factor):
    given = replace(CHARUCO, marker_mm=22.5 * factor)
    board, (finding,) = choose_variant(sources(CHARUCO), given)
    assert finding.kind == "marker_ratio"
    assert f"of its squares, not {0.75 * factor:.3f} as given" in finding.says
    assert "set marker_mm = 22." in finding.fix
    assert board.marker_mm == pytest.approx(22.5, rel=0.015)
    assert replace(board, marker_mm=22.5) == CHARUCO


def test_marker_size_of_faultless_boards():
    for seed in range(6):
        board = Board("charuco", (6, 8), 30, [18, 21, 24][seed % 3], "4X4_50", inverted=seed % 2 == 1)
        images = photos(board, n=3, seed=seed, blur=0.5 + 0.2 * seed)
        measured = measure_marker_ratio(images, board)
        assert measured.ratio == pytest.approx(board.marker_mm / 30, rel=0.02)
        assert judge_marker_ratio(measured, board) is None


@pytest.mark.parametrize("images", [[], [np.full((200, 300), 128, np.uint8)]])
def test_no_marker_size_without_markers(images):
    assert measure_marker_ratio(images, CHARUCO) is None


def test_a_grid_of_other_markers_is_named(sources):
    with pytest.raises(CalibrationError, match=r"no ArUco grid 4x3 .* try --dictionary 4X4_50"):
        choose_variant(sources(GRID), Board("aruco_grid", (4, 3), 50, 40, "6X6_250"))


@pytest.mark.slow
def test_recordings_have_markers_as_given(recordings):
    mouse = Board("charuco", (8, 11), 24, 18.75, "4X4_1000")
    folder = recordings / "mouse-4cam"
    clips = {c: open_frames(folder / c / f"minimal_session-{c}-calibration.MOV") for c in ("back", "top")}
    assert choose_variant(clips, mouse) == (mouse, ())
    webcams = Board("charuco", (4, 5), 54, 40.5, "4X4_1000")
    folder = recordings / "webcams-4cam" / "calibration" / "extrinsic"
    clips = {path.stem: open_frames(path) for path in sorted(folder.glob("*.mp4"))}
    board, findings = choose_variant(clips, webcams)
    assert board == replace(webcams, inverted=True)
    assert [finding.kind for finding in findings] == ["inverted"]
