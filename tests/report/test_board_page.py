"""The page that is printed: rasterised as a printer would, and detected as a camera would."""

import cv2
import numpy as np
import pypdfium2
import pytest

from pose3d.calibration import find_corners
from pose3d.data import Board
from pose3d.errors import ConfigError
from pose3d.report.board_page import PAGES, board_lines, page_size, write_board_page

DPI = 300


def rasterise(path):
    document = pypdfium2.PdfDocument(path)
    try:
        assert len(document) == 1
        page = document[0]
        size_mm = tuple(side / 72 * 25.4 for side in page.get_size())
        image = cv2.cvtColor(page.render(scale=DPI / 72).to_numpy(), cv2.COLOR_BGR2GRAY)
        return image, page.get_textpage().get_text_range(), size_mm
    finally:
        document.close()


BOARDS = [
    (Board("charuco", (6, 8), 25, 18, "4X4_50"), "A4"),
    (Board("charuco", (5, 7), 15, 12, "4X4_50"), "A5"),
    (Board("charuco", (5, 6), 24, 17.3, "5X5_50", legacy=True), "Letter"),
    (Board("charuco", (4, 5), 30, 22.5, "4X4_50", inverted=True), "a4"),
    (Board("charuco", (4, 6), 22, 15, "6X6_250", legacy=True, inverted=True), "A4"),
    (Board("charuco", (12, 9), 30, 22.5, "4X4_100"), (500, 420)),
    (Board.checkerboard((9, 6), square_mm=20), "A4"),
    (Board("checkerboard", (8, 6), 20, inverted=True), "A4"),
    (Board("aruco_grid", (4, 5), 46, 36, "4X4_50"), "A4"),
    (Board("aruco_grid", (4, 5), 35, 28, "5X5_50", inverted=True), "A3"),
    (Board("apriltag_grid", (6, 6), 39, 30), "A3"),
    (Board("apriltag_grid", (4, 4), 32.5, 25, inverted=True), "A4"),
]


@pytest.mark.parametrize(("board", "page"), BOARDS, ids=lambda value: str(getattr(value, "kind", value)))
def test_a_printed_page_is_found_whole_and_of_true_size(board, page, tmp_path):
    write_board_page(board, tmp_path / "board.pdf", page=page)
    image, text, size_mm = rasterise(tmp_path / "board.pdf")
    assert sorted(size_mm) == pytest.approx(page_size(page), abs=0.01)
    xy = find_corners(image, board)
    assert np.isfinite(xy).all()
    if board.kind == "checkerboard":
        xy = xy[np.argsort(xy @ [1.0, 1e3])]  # its order is known up to turns; on paper it is not turned
    # the renderer makes the page a whole number of pixels
    mm = xy / image.shape[::-1] * size_mm
    x, y = (np.linalg.lstsq(np.c_[board.points[:, :2], np.ones(len(mm))], mm[:, i])[0] for i in (0, 1))
    assert np.hypot(x[0], y[0]) == pytest.approx(1, abs=5e-4)
    assert np.hypot(x[1], y[1]) == pytest.approx(1, abs=5e-4)
    assert np.abs(np.c_[board.points[:, :2], np.ones(len(mm))] @ np.c_[x, y] - mm).max() < 0.02
    flat = " ".join(text.split())
    assert " ".join(board.describe().split()) in flat
    assert "Print at 100 %" in flat
    assert "100 mm" in flat
    for line in board_lines(board):
        assert line in flat


def test_ruler_is_as_long_as_it_says(tmp_path):
    board = Board("charuco", (6, 8), 25, 18, "4X4_50")
    write_board_page(board, tmp_path / "board.pdf")
    image, _, size_mm = rasterise(tmp_path / "board.pdf")
    dark = image < 128
    below = int(dark[:, : dark.shape[1] // 4].any(1).nonzero()[0][-1])
    rows = slice(int(0.8 * dark.shape[0]), below)
    row = rows.start + int(dark[rows].sum(1).argmax())
    columns = dark[row].nonzero()[0]
    length = (columns[-1] - columns[0] + 1) / dark.shape[1] * size_mm[0]
    assert length == pytest.approx(100.2, abs=0.2)  # with the width of its last tick


def test_around_the_board_a_square_is_left_white(tmp_path):
    board = Board("charuco", (6, 8), 25, 18, "4X4_50")
    write_board_page(board, tmp_path / "board.pdf")
    image, _, size_mm = rasterise(tmp_path / "board.pdf")
    per_mm = image.shape[1] / size_mm[0]
    xy = find_corners(image, board)
    low, high = xy.min(0) - 2 * 25 * per_mm + 3, xy.max(0) + 2 * 25 * per_mm - 3
    assert (low > 0).all()
    x0, y0, x1, y1 = (int(v) for v in (*low, *high))
    frame = image[y0:y1, x0:x1].copy()
    side = int(25 * per_mm) - 6
    frame[side:-side, side:-side] = 255
    assert frame.min() == 255


def test_same_board_same_bytes(tmp_path):
    board = Board("apriltag_grid", (3, 4), 40, 30)
    for name in ("a.pdf", "b.pdf"):
        write_board_page(board, tmp_path / name, title="Lab (3) café \\ 長")
    one = (tmp_path / "a.pdf").read_bytes()
    assert one == (tmp_path / "b.pdf").read_bytes()
    assert b"Date" not in one
    _, text, _ = rasterise(tmp_path / "a.pdf")
    assert "Lab (3) café \\ ?" in text


def test_a_board_that_does_not_fit_is_told_its_page_and_the_squares_that_fit(tmp_path):
    board = Board("charuco", (8, 11), 24, 18.75, "4X4_1000")
    with pytest.raises(ConfigError, match="does not fit on A4; take page A3, or square_mm") as caught:
        write_board_page(board, tmp_path / "board.pdf")
    assert not (tmp_path / "board.pdf").exists()
    words = str(caught.value).replace(",", " ").split()
    suggested = float(words[len(words) - 1 - words[::-1].index("square_mm") + 1])
    marker = float(words[-1])
    write_board_page(Board("charuco", (8, 11), suggested, marker, "4X4_1000"), tmp_path / "board.pdf")
    with pytest.raises(ConfigError, match="does not fit"):
        write_board_page(Board("charuco", (8, 11), suggested + 0.2, marker, "4X4_1000"), tmp_path / "board.pdf")
    write_board_page(board, tmp_path / "board.pdf", page="A3")
    with pytest.raises(ConfigError, match=r"take a page of \d+ x \d+ mm"):
        write_board_page(Board.checkerboard((9, 6), square_mm=300), tmp_path / "board.pdf", page="A0")


def test_pages_are_named_or_measured():
    assert page_size("letter") == PAGES["Letter"]
    assert page_size((400, 300)) == (300, 400)
    with pytest.raises(ConfigError, match="page 'B4' is unknown: A5, Letter, A4"):
        page_size("B4")
    for side in (0, -5, float("nan")):
        with pytest.raises(ConfigError, match="both sides must be between"):
            page_size((300, side))
