import numpy as np
import pytest

from pose3d.data import Board, BoardDetections, Skeleton


def test_charuco_board():
    board = Board("charuco", (8, 11), 24, 18.75, "dict_4x4_1000")
    assert board.dictionary == "4X4_1000"
    assert board.corners == (7, 10)
    assert board.n_corners == 70
    assert board.describe() == "ChArUco 8x11 squares of 24 mm, markers 18.75 mm of 4X4_1000"
    inverted = Board("charuco", (8, 11), 24, 18.75, "4X4_1000", legacy=True, inverted=True)
    assert inverted.describe().endswith("(legacy, inverted)")
    assert board.transposed() == Board("charuco", (11, 8), 24, 18.75, "4X4_1000")
    assert board.transposed().transposed() == board


def test_checkerboard_corners_are_squares_less_one():
    board = Board.checkerboard((9, 6), square_mm=30)
    assert board.squares == (10, 7)
    assert board.describe() == "checkerboard 9x6 corners, 30 mm"
    points = board.points
    assert points.shape == (54, 3)
    assert points[0].tolist() == [0, 0, 0]
    assert points[1].tolist() == [30, 0, 0]  # x fastest
    assert points[9].tolist() == [0, 30, 0]
    assert points[-1].tolist() == [240, 150, 0]
    edges = board.edges
    assert len(edges) == 8 * 6 + 9 * 5
    assert len({tuple(sorted(edge)) for edge in edges.tolist()}) == len(edges)
    assert np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=-1) == pytest.approx(30)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("chessboard", (9, 6), 30), "'chessboard' is unknown; known are charuco, checkerboard"),
        (("checkerboard", (2, 6), 30), "at least 3 x 3 squares, not 2 x 6"),
        (("checkerboard", (9, 6), 0), "square_mm must be a positive number"),
        (("checkerboard", (9, 6), float("nan")), "square_mm must be a positive number"),
        (("checkerboard", (9, 6), float("inf")), "square_mm must be a positive number"),
        (("charuco", (8, 11), 24), "needs marker_mm and dictionary"),
        (("charuco", (8, 11), 24, 24, "4X4_50"), "must lie between 0 and square_mm"),
    ],
)
def test_boards_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Board(*arguments)


def test_detections():
    board = Board.checkerboard((3, 2), square_mm=10)
    xy = np.ones((3, 2, 6, 2))
    xy[:, 1] = np.nan
    xy[2, 1, :3] = 5
    xy[0, 0, 0, 1] = np.nan
    made = BoardDetections(board, ["left", "right"], [(640, 480), (800, 600)], [0, 20, 40], xy)
    assert made.n_views.tolist() == [3, 1]
    assert made.seen.sum() == 3 * 6 - 1 + 3
    assert repr(made) == "BoardDetections(3 instants; views: left 3, right 1)"
    with pytest.raises(ValueError, match="read-only"):
        made.xy[...] = 0
    with pytest.raises(ValueError, match="board corners: shape"):
        BoardDetections(board, ["left", "right"], [(1, 1)] * 2, [0, 20], xy)
    with pytest.raises(ValueError, match="1 image sizes for 2 cameras"):
        BoardDetections(board, ["left", "right"], [(640, 480)], [0, 20, 40], xy)


COUNTS = {"coco17": 17, "halpe26": 26, "body25": 25, "body25b": 25, "blazepose33": 33}
FIRST_TO_LAST = {
    "coco17": ("Nose", "RAnkle"),
    "halpe26": ("Nose", "RHeel"),
    "body25": ("Nose", "RHeel"),
    "body25b": ("Nose", "RHeel"),
    "blazepose33": ("Nose", "RBigToe"),
}


def test_presets_are_complete():
    assert set(Skeleton.presets()) == set(COUNTS)
    for name, count in COUNTS.items():
        skeleton = Skeleton.preset(name)
        assert len(skeleton.keypoints) == count
        assert (skeleton.keypoints[0], skeleton.keypoints[-1]) == FIRST_TO_LAST[name]
        # every keypoint hangs on another, and every left one has its right one
        assert {point for edge in skeleton.edges for point in edge} == set(skeleton.keypoints)
        sided = {point for point in skeleton.keypoints if point[0] in "LR" and point[1].isupper()}
        assert {point for pair in skeleton.pairs for point in pair} == sided
        assert all(left[0] == "L" and right == "R" + left[1:] for left, right in skeleton.pairs)
        assert len(set(map(frozenset, skeleton.edges))) == len(skeleton.edges)


def test_order_of_the_networks_outputs():
    body25 = Skeleton.preset("body25").keypoints
    assert [body25.index(name) for name in ("Neck", "RWrist", "CHip", "LAnkle", "LEar", "LBigToe")] == [
        1,
        4,
        8,
        14,
        18,
        19,
    ]
    body25b = Skeleton.preset("body25b").keypoints
    assert [body25b.index(name) for name in ("LEye", "RShoulder", "RAnkle", "Neck", "LHeel")] == [1, 6, 16, 17, 21]
    halpe = Skeleton.preset("halpe26").keypoints
    assert [halpe.index(name) for name in ("RAnkle", "Head", "Neck", "Hip", "LSmallToe", "LHeel")] == [
        16,
        17,
        18,
        19,
        22,
        24,
    ]
    blazepose = Skeleton.preset("blazepose33").keypoints
    assert [blazepose.index(name) for name in ("RMouth", "LShoulder", "RWrist", "LHip", "RAnkle", "LHeel")] == [
        10,
        11,
        16,
        23,
        28,
        29,
    ]


def test_presets_are_found_however_they_are_written():
    for spelling in ("HALPE-26", "halpe_26", "Halpe26"):
        assert Skeleton.preset(spelling) == Skeleton.preset("halpe26")
    for unknown in ("body135", "../secrets", ""):
        with pytest.raises(KeyError, match="there are blazepose33, body25, body25b, coco17, halpe26"):
            Skeleton.preset(unknown)


def test_skeleton_checks_its_links():
    with pytest.raises(ValueError, match="a keypoint is named twice"):
        Skeleton("mouse", ("nose", "nose"))
    with pytest.raises(ValueError, match=r"edge .* names unknown tail"):
        Skeleton("mouse", ("nose", "ear"), edges=(("nose", "tail"),))
    with pytest.raises(ValueError, match=r"pair .* names unknown paw"):
        Skeleton("mouse", ("nose", "ear"), pairs=(("paw", "ear"),))
