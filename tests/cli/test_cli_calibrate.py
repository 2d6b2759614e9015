"""`pose3d calibrate` on the clips of a small rendered rig, right and wrong."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pose3d.data import Board, Camera, Rig
from pose3d.demo import render_board_session
from pose3d.demo.rig import look_at
from pose3d.io.rigs import load_rig, save_rig
from pose3d.io.video import open_frames, write_video

BOARD = Board("charuco", (5, 4), 150.0, 105.0, "5X5_50")
SIZE = (480, 360)


@dataclass(frozen=True)
class Clips:
    """Board clips of three cameras, wrong copies of the right one's, and the true rig."""

    folder: Path
    good: dict[str, Path]
    late: Path
    mirrored: Path
    truth: Path


def camera(name: str, azimuth_deg: float, focal: float) -> Camera:
    a = np.radians(azimuth_deg)
    rotation, translation = look_at([2400 * np.cos(a), 2400 * np.sin(a), 1300.0], [0, 0, 900.0])
    matrix = [[focal, 0, 241.0], [0, focal, 178.0], [0, 0, 1]]
    return Camera(name, SIZE, matrix, [-0.1, 0.02, 0, 0, 0], rotation, translation)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    folder = tmp_path_factory.mktemp("board clips")
    rig = Rig((camera("left", -30, 400.0), camera("mid", 0, 430.0), camera("right", 30, 460.0)))
    good = render_board_session(folder, BOARD, rig, n_frames=40, seed=3).videos
    right = [image.copy() for _, image in open_frames(good["right"]).frames()]
    made = Clips(folder, good, folder / "late.mp4", folder / "mirrored.mp4", folder / "truth.toml")
    write_video(made.late, [*[right[0]] * 3, *right[:-3]], fps=10)
    write_video(made.mirrored, [np.ascontiguousarray(image[:, ::-1]) for image in right], fps=10)
    save_rig(rig, made.truth)
    return made


@pytest.fixture
def calibrate(pose3d: Callable, clips: Clips, tmp_path: Path) -> Callable:
    """Calibrate from the clips, some of them replaced, into ``tmp_path``."""

    def run(*options: object, marker_mm: float = 105, squares: str = "5x4", **replaced: Path):
        files = {**clips.good, **replaced}
        board = ["--board", "charuco", "--squares", squares, "--square-mm", 150, "--dictionary", "5X5_50"]
        named = [f"{name}={path}" for name, path in files.items()]
        output = tmp_path / "calibration.toml"
        return pose3d("calibrate", *named, *board, "--marker-mm", marker_mm, "-o", output, *options)

    return run


def test_the_verdict_is_printed_and_the_report_is_written(calibrate, clips, tmp_path) -> None:
    outcome = calibrate("--compare", clips.truth)
    assert (outcome.code, outcome.err) == (0, ""), outcome
    *_, verdict, output, report = outcome.out.splitlines()
    assert verdict.startswith("verdict: PASS"), outcome.out
    assert (output, report) == tuple(
        f"written: {tmp_path / name}" for name in ("calibration.toml", "calibration-report.html")
    )
    assert "no camera has moved" in outcome.out
    assert load_rig(tmp_path / "calibration.toml").names == ("left", "mid", "right")
    assert verdict.split()[1].rstrip(",") in (tmp_path / "calibration-report.html").read_text("utf-8")


def test_a_late_clip_is_named_and_fails(calibrate, clips, tmp_path) -> None:
    outcome = calibrate(right=clips.late)
    assert outcome.code == 3
    assert "FAIL camera right is 3 frames late: its frame i+3 shows what frame i of left and mid shows" in outcome.out
    assert "--offset right=3" in outcome.out
    assert (tmp_path / "calibration-report.html").exists()


def test_the_offset_that_was_advised_mends_a_late_clip(calibrate, clips) -> None:
    outcome = calibrate("--offset", "right=3", right=clips.late)
    assert outcome.code == 0, outcome
    assert "frames late" not in outcome.out


def test_a_mirrored_clip_is_said_in_strict_json(calibrate, clips) -> None:
    outcome = calibrate("--json", right=clips.mirrored)
    assert outcome.code == 3, outcome

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    summary = json.loads(outcome.out, parse_constant=refuse)
    assert summary["verdict"]["grade"] == "FAIL"
    assert {"output", "report", "cameras"} <= summary.keys()
    said = [finding["says"] for finding in summary["findings"]]
    assert "the clip of camera right is mirrored (left and right exchanged)" in said


def test_exchanged_clips_are_said(calibrate, clips) -> None:
    held = ("--intrinsics", clips.truth)
    outcome = calibrate(*held, left=clips.good["right"], right=clips.good["left"])
    assert outcome.code == 3
    assert "FAIL the clips of cameras left and right are exchanged" in outcome.out


def test_a_board_that_is_not_as_given_is_said(calibrate) -> None:
    outcome = calibrate(marker_mm=120, squares="4x5")
    assert outcome.code == 0
    assert (
        "WARN the board has 5x4 squares, not 4x5 as given: x and y are exchanged; set squares = [5, 4]" in outcome.out
    )
    assert "WARN the board's markers measure 0.70" in outcome.out
    assert "not 0.800 as given (marker_mm 120, square_mm 150)" in outcome.out


def test_one_clip_for_two_cameras_is_refused(calibrate, clips) -> None:
    outcome = calibrate(left=clips.good["mid"])
    assert outcome.code == 2
    assert "is given for camera 'left' and for 'mid'" in outcome.err


@pytest.mark.parametrize("options", [("-o", "calibration.json"), ("--report", "report.pdf")])
def test_names_that_cannot_be_written_are_refused_before_the_work(calibrate, tmp_path, options) -> None:
    option, name = options
    outcome = calibrate(option, tmp_path / name)
    assert outcome.code == 2
    assert not list(tmp_path.iterdir())
