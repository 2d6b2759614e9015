"""A board found in clips and folders of several cameras: what belongs together, what is left out."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pose3d.calibration.detection import search
from pose3d.calibration.detection.boards import draw_board
from pose3d.calibration.detection.instants import match_instants
from pose3d.calibration.detection.search import detect_board, detect_each, search_board
from pose3d.calibration.solver.solve import estimate_lenses, solve_rig
from pose3d.data import Board, BoardDetections
from pose3d.errors import CalibrationError
from pose3d.io.caliscope import read_camera_array
from pose3d.io.timestamps import read_timestamps
from pose3d.io.video import write_video

BOARD = Board("charuco", (5, 4), 40, 30, "4X4_50")
TURNS = np.random.default_rng(0).uniform(-0.4, 0.4, (12, 3))


def photo(turn, x, size=(320, 240)):
    paper = draw_board(BOARD, pixels_per_square=40)
    f = 0.78 * size[0]
    matrix = np.array([[f, 0, size[0] / 2], [0, f, size[1] / 2], [0, 0, 1]])
    pose = np.column_stack([cv2.Rodrigues(np.array(turn))[0][:, :2], [x - 10, -30, 420]])
    return cv2.warpPerspective(paper, matrix @ pose @ [[1, 0, -79.5], [0, 1, -79.5], [0, 0, 1]], size, borderValue=255)


@pytest.fixture
def folder(tmp_path):
    """Make a folder of photos of a camera at `x`, an image for each number."""

    def make(name, x, numbers, turns=TURNS, **kwargs):
        path = tmp_path / name
        path.mkdir()
        for number, turn in zip(numbers, turns, strict=False):
            cv2.imwrite(str(path / f"{name}_{number:03d}.png"), photo(turn, x, **kwargs))
        return path

    return make


def test_timestamps_line_up_what_started_late_and_lost_frames(folder):
    whole = {"a": folder("a", 40, range(12)), "b": folder("b", -40, range(12))}
    all_of_it = detect_board(whole, BOARD)
    kept = [i for i in range(12) if i > 2 and i != 7]
    cut = {"a": whole["a"], "b": folder("b_cut", -40, range(12), TURNS[kept])}
    times = {"a": np.arange(12) / 10, "b": np.array(kept) / 10 + 0.011}
    found = detect_board(cut, BOARD, timestamps=times)
    np.testing.assert_array_equal(found.xy[:, 1], all_of_it.xy[kept, 1])
    np.testing.assert_array_equal(found.xy[:, 0], all_of_it.xy[kept, 0])
    np.testing.assert_array_equal(found.camera_frames, np.stack([kept, np.arange(8)], axis=1))
    with pytest.raises(CalibrationError, match="a 12, b 8"):
        detect_board(cut, BOARD, offsets={"b": 0})


def test_folders_in_which_images_are_missing(folder):
    sources = {"a": folder("a", 40, range(12)), "b": folder("b", -40, [0, 2, 11], TURNS[[0, 2, 11]])}
    found = detect_board(sources, BOARD)
    np.testing.assert_array_equal(np.flatnonzero(found.seen[:, 1].any(-1)), [0, 2, 11])
    assert found.camera_frames[11].tolist() == [11, 2]
    assert found.camera_frames[1].tolist() == [1, -1]
    whole = detect_board({"a": sources["a"], "c": folder("c", -40, range(12))}, BOARD)
    np.testing.assert_array_equal(found.xy[[0, 2, 11]], whole.xy[[0, 2, 11]])


def test_each_camera_by_itself(folder, tmp_path):
    write_video(tmp_path / "b.mp4", [photo(turn, -40, size=(400, 300)) for turn in TURNS[:7]], fps=10, crf=10)
    found = detect_each({"a": [folder("a", 40, range(12)), folder("a2", 0, range(4))], "b": tmp_path / "b.mp4"}, BOARD)
    assert list(found) == ["a", "b"]
    assert found["a"].cameras == ("a",)
    assert found["a"].xy.shape == (16, 1, 12, 2)
    np.testing.assert_array_equal(found["a"].frames, np.arange(16))
    assert found["b"].xy.shape == (7, 1, 12, 2)
    assert found["b"].sizes == ((400, 300),)
    np.testing.assert_array_equal(found["a"].xy[:12], detect_board({"a": tmp_path / "a"}, BOARD).xy)


def test_clips_of_one_camera_that_do_not_fit(folder):
    with pytest.raises(CalibrationError, match=r"c: is 400x300, a of camera cam is 320x240"):
        detect_each({"cam": [folder("a", 0, range(2)), folder("c", 0, range(2), size=(400, 300))]}, BOARD)
    with pytest.raises(CalibrationError, match="without a clip"):
        detect_each({"cam": []}, BOARD)
    with pytest.raises(CalibrationError, match="no camera"):
        detect_each({}, BOARD)


def test_a_camera_that_saw_nothing_alone_is_kept_empty(folder, tmp_path, caplog):
    write_video(tmp_path / "b.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 3, fps=10)
    with caplog.at_level("WARNING", logger="pose3d"):
        found = detect_each({"a": folder("a", 0, range(3)), "b": tmp_path / "b.mp4"}, BOARD)
    assert len(found["b"].frames) == 0
    assert "camera b never saw the board" in caplog.text


def test_blurred_views_and_a_resting_board_are_left_out(tmp_path, caplog):
    rng = np.random.default_rng(0)
    path = tmp_path / "a"
    path.mkdir()
    moving = rng.uniform(-0.4, 0.4, (16, 3))
    turns = np.concatenate([moving, np.repeat(moving[-1:], 5, axis=0)])
    for i, turn in enumerate(turns):
        image = photo(turn, 0, size=(640, 480)).astype(float)
        if i in (4, 9):
            image = cv2.GaussianBlur(image, (0, 0), 1.6)
        image = np.uint8(np.clip(image + rng.normal(scale=1, size=image.shape), 0, 255))
        cv2.imwrite(str(path / f"{i}.png"), image)
    with caplog.at_level("INFO", logger="pose3d"):
        found = detect_board({"a": path}, BOARD)
    assert found.blurred["a"].tolist() == [4, 9]
    assert found.still.tolist() == [16, 17, 18, 19, 20]
    np.testing.assert_array_equal(found.frames, np.setdiff1d(np.arange(16), [4, 9]))
    assert "blurred views left out: a 2" in caplog.text
    assert "5 of 19 instants left out" in caplog.text


def test_long_recordings_are_searched_in_two_stages(folder, monkeypatch, caplog):
    """The board is shown in a third of the frames only."""
    blank = np.full((240, 320), 255, np.uint8)
    sources = {"a": folder("a", 40, range(40, 52)), "b": folder("b", -40, range(40, 52))}
    for name, path in sources.items():
        for i in [*range(30), *range(52, 62)]:
            cv2.imwrite(str(path / f"{name}_{i:03d}.png"), blank)
    whole = detect_board(sources, BOARD)
    assert len(whole.frames) == 12
    monkeypatch.setattr(search, "_MAX_FRAMES", 24)
    with caplog.at_level("INFO", logger="pose3d"):
        found = detect_board(sources, BOARD)
    assert "looked at 24 of 52 instants" in caplog.text
    assert len(found.frames) == 12
    np.testing.assert_array_equal(found.xy, whole.xy)
    stepped = detect_board(sources, BOARD, step=3)
    np.testing.assert_array_equal(stepped.frames, whole.frames[whole.frames % 3 == 0])


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_any_number_of_threads_finds_the_same(tmp_path, workers):
    clips = {name: tmp_path / f"{name}.mp4" for name in ("a", "b", "c")}
    for i, path in enumerate(clips.values()):
        write_video(path, [photo(turn, 40 * i - 40) for turn in TURNS], fps=10)
    calls = []
    found, findings = search_board(clips, BOARD, workers=workers, progress=lambda *told: calls.append(told))
    assert findings == ()
    assert calls[-1] == ("finding the board", 36, 36)
    assert len(calls) == 36
    alone = detect_board({"b": clips["b"]}, BOARD, workers=1)
    np.testing.assert_array_equal(found.xy[:, 1:2], alone.xy)


def test_clips_of_different_rates_are_told(tmp_path):
    for name, fps in (("a", 10), ("b", 25)):
        write_video(tmp_path / f"{name}.mp4", [photo(turn, 0) for turn in TURNS[:4]], fps=fps)
    _, findings = search_board({"a": tmp_path / "a.mp4", "b": tmp_path / "b.mp4"}, BOARD)
    assert [finding.kind for finding in findings] == ["rates_differ"]


@pytest.mark.slow
def test_webcams_of_which_one_started_late(recordings: Path):
    """Two webcams; the second one's clip lacks its first frames and one in the middle."""
    source = recordings / "webcams-4cam"
    lenses = read_camera_array(source / "camera_array.toml").select(["cam_0", "cam_3"])
    clips = {name: source / f"calibration/extrinsic/{name}.mp4" for name in lenses.names}
    times = read_timestamps(source / "calibration/extrinsic/timestamps.csv", cameras=lenses.names)
    board = Board("charuco", (4, 5), 54, 40.5, "4X4_1000", inverted=True)
    whole = detect_board(clips, board, timestamps=times)
    xy = np.full((112, 2, board.n_corners, 2), np.nan)  # the last row for frames that are none
    xy[whole.frames] = whole.xy
    kept = np.setdiff1d(np.arange(3, 111), [60])
    rows = match_instants({"cam_0": times["cam_0"], "cam_3": times["cam_3"][kept]})

    def noise(frames, kept):
        cut = np.stack([xy[frames[:, 0], 0], xy[np.append(kept, 111)[frames[:, 1]], 1]], axis=1)
        found = BoardDetections(board, lenses.names, whole.sizes, np.arange(len(frames)), cut)
        return solve_rig(found, estimate_lenses(found, intrinsics=lenses)[0]).solution.sigma

    in_step = noise(np.repeat(np.arange(111)[:, None], 2, axis=1), np.arange(111))
    np.testing.assert_allclose(noise(rows, kept), in_step, rtol=0.1)
    by_number = np.repeat(np.arange(107)[:, None], 2, axis=1)
    assert noise(by_number, kept).min() > 2 * in_step.max()
