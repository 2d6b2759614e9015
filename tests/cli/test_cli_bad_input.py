"""Each bad input is answered by one clear line and exit code 1, and nothing is left half written."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose3d.data import Board
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.points_stream import PointsWriter, partial_folder
from pose3d.io.rigs import load_rig, save_rig
from pose3d.reconstruction import Reconstructor

BOARD = Board("charuco", (7, 5), 120, 92, "4X4_50")
BOARD_OPTIONS = ("--board", "charuco", "--squares", "7x5", "--square-mm", 120, "--marker-mm", 92)
BOARD_OPTIONS += ("--dictionary", "4X4_50")


def test_a_missing_file(refused, recording) -> None:
    recording.views["cam_2"].unlink()
    line = refused(*recording.triangulate())
    assert f"{recording.views['cam_2']}: no such" in line


def test_a_missing_calibration(refused, recording) -> None:
    recording.calibration.unlink()
    assert "calibration.toml: no such" in refused(*recording.triangulate())


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"just some text\n", b"", b"\x89HDF\r\n\x1a\n"])
@pytest.mark.parametrize("suffix", [".h5", ".csv", ".json"])
def test_keypoints_that_are_not_what_their_name_claims(refused, recording, suffix: str, content: bytes) -> None:
    path = recording.views["cam_3"].with_suffix(suffix)
    path.write_bytes(content)
    recording.views["cam_3"] = path
    assert path.name in refused(*recording.triangulate())


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n", b"[cam_0]\nname = ", b"answer = 42\n", b"[cam_0]\nname = 'a'\n"]
)
def test_a_calibration_that_is_none(refused, recording, content: bytes) -> None:
    recording.calibration.write_bytes(content)
    assert "calibration.toml" in refused(*recording.triangulate())


def test_points_that_are_not_what_their_name_claims(refused, tmp_path) -> None:
    for name in ("points.csv", "points.trc"):
        (tmp_path / name).write_bytes(b"\0\1\2\3")
        assert name in refused("angles", tmp_path / name, "-o", tmp_path / "angles.csv")
        assert name in refused("export", tmp_path / name, "--trc", tmp_path / "out.trc")


def test_a_camera_that_the_rig_lacks(refused, recording, rig) -> None:
    save_rig(rig.select(["cam_1", "cam_2", "cam_3"]), recording.calibration)
    line = refused(*recording.triangulate())
    assert "cam_10" in line
    assert "cam_3" in line  # what there is instead


def test_views_whose_keypoints_differ_in_name(refused, recording, keypoints) -> None:
    view = keypoints.select(["cam_2"])
    names = ["Knie" if name == "RKnee" else name for name in view.keypoints]
    recording.write("cam_2", replace(view, keypoints=tuple(names)))
    line = refused(*recording.triangulate())
    assert "RKnee" in line
    assert "walk_cam_2" in line or "cam_2" in line


def test_views_whose_keypoints_differ_in_order_are_matched_by_name(pose3d, recording, keypoints, figure) -> None:
    view = keypoints.select(["cam_2"])
    turned = replace(view, xy=view.xy[..., ::-1, :], score=view.score[..., ::-1], keypoints=view.keypoints[::-1])
    recording.write("cam_2", turned)
    assert pose3d(*recording.triangulate()).code == 0
    np.testing.assert_allclose(read_pose3d(recording.output).xyz[:, 0], figure, atol=1e-3)


@pytest.fixture
def late(recording, keypoints):
    """A recording in which cam_2 misses the first two frames."""
    view = keypoints.select(["cam_2"])
    recording.write("cam_2", replace(view, xy=view.xy[2:], score=view.score[2:]))
    return recording


def test_unequal_frame_counts(refused, late) -> None:
    line = refused(*late.triangulate())
    assert "12" in line
    assert "10" in line
    assert "truncate" in line


def test_truncate_cuts_to_the_shortest(pose3d, late) -> None:
    outcome = pose3d(*late.triangulate("--truncate", "--json"))
    assert outcome.code == 0, outcome
    assert outcome.json["n_frames"] == 10


def test_an_offset_puts_frames_together(pose3d, late, figure) -> None:
    outcome = pose3d(*late.triangulate("--offset", "cam_2=-2", "--json"))
    assert outcome.code == 0, outcome
    points = read_pose3d(late.output)
    np.testing.assert_allclose(points.xyz[-10:, 0], figure[2:], atol=1e-3)


def test_one_camera_only(refused, recording) -> None:
    source = recording.sources[0]
    line = refused("triangulate", "-c", recording.calibration, source, "-o", recording.output)
    assert "1 camera (cam_1)" in line


def test_an_all_nan_view(refused, recording, keypoints) -> None:
    view = keypoints.select(["cam_2"])
    recording.write("cam_2", replace(view, xy=np.full_like(view.xy, np.nan), score=np.full_like(view.score, np.nan)))
    line = refused(*recording.triangulate())
    assert "cam_2" in line


def test_spaces_and_other_letters_in_paths_work(pose3d, recording) -> None:
    assert " " in str(recording.output.parent.parent)
    assert not str(recording.output).isascii()
    assert pose3d(*recording.triangulate()).code == 0
    assert recording.output.stat().st_size > 1000


def test_a_read_only_output_folder(refused, recording, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = recording.output.parent
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):  # root, or Windows: nothing is read-only there
        touch = Path.touch

        def deny(path: Path, *arguments: object, **options: object) -> None:
            if folder in path.parents:
                raise PermissionError(13, "Permission denied", str(path))
            touch(path, *arguments, **options)

        monkeypatch.setattr(Path, "touch", deny)
    line = refused(*recording.triangulate())
    folder.chmod(0o755)
    assert "cannot be written" in line
    assert "choose another place" in line


def test_an_output_below_a_file(refused, recording) -> None:
    recording.output.parent.write_text("in the way", encoding="utf-8")
    assert "cannot be written" in refused(*recording.triangulate())


def test_ctrl_c_before_the_end_goes_on_the_next_time(pose3d, recording, monkeypatch: pytest.MonkeyPatch) -> None:
    pose3d(*recording.refine())
    whole = recording.output.read_bytes()
    recording.output.unlink()

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(PointsWriter, "finish", interrupted)
        outcome = pose3d(*recording.refine())
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "pose3d: interrupted\n")
    assert not recording.output.exists()
    assert partial_folder(recording.output).is_dir()
    with monkeypatch.context() as patched:
        patched.setattr(Reconstructor, "run", interrupted)  # nothing is left to be computed
        assert pose3d(*recording.refine()).code == 0
    assert recording.output.read_bytes() == whole
    assert not partial_folder(recording.output).exists()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, two_cameras):
    """Short clips of a board in two cameras."""
    from pose3d.demo.board_session import render_board_session

    return render_board_session(tmp_path_factory.mktemp("board"), BOARD, two_cameras, n_frames=30, workers=1)


@pytest.fixture
def own_clips(clips, tmp_path) -> dict[str, Path]:
    """Copies of the clips that a test may damage."""
    return {name: Path(shutil.copy(path, tmp_path / f"{name}.mp4")) for name, path in clips.videos.items()}


def calibrate(clips: dict[str, Path], output: Path, *options: object) -> list[object]:
    sources = [f"{name}={path}" for name, path in clips.items()]
    return ["calibrate", *sources, *BOARD_OPTIONS, "--workers", 1, "-o", output, *options]


@pytest.mark.slow
def test_calibrate_works_on_the_clips_as_they_are(pose3d, own_clips, clips, tmp_path) -> None:
    outcome = pose3d(*calibrate(own_clips, tmp_path / "Kameras ä" / "calibration.toml", "--json"))
    assert outcome.code == 0, outcome
    assert [camera["name"] for camera in outcome.json["cameras"]] == ["left", "right"]
    assert outcome.json["edge_error_mm"] < 2
    found = load_rig(tmp_path / "Kameras ä" / "calibration.toml")
    apart = np.linalg.norm(found.centers[0] - found.centers[1])
    true = np.linalg.norm(clips.rig.centers[0] - clips.rig.centers[1])
    assert abs(apart / true - 1) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.03, 0.5, 0.9])
def test_a_truncated_video(refused, own_clips, tmp_path, part: float) -> None:
    path = next(iter(own_clips.values()))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    assert path.name in refused(*calibrate(own_clips, tmp_path / "calibration.toml"))


def test_a_video_that_is_none(refused, own_clips, tmp_path) -> None:
    path = next(iter(own_clips.values()))
    path.write_bytes(b"this is no video\n" * 100)
    assert path.name in refused(*calibrate(own_clips, tmp_path / "calibration.toml"))


@pytest.mark.slow
def test_a_video_of_the_wrong_size_for_the_known_intrinsics(refused, own_clips, clips, tmp_path) -> None:
    known = tmp_path / "known.toml"
    name = clips.rig.names[0]
    wrong = replace(clips.rig, cameras=tuple(replace(c, size=(960, 720)) for c in clips.rig))
    save_rig(wrong, known)
    line = refused(*calibrate(own_clips, tmp_path / "calibration.toml", "--intrinsics", known))
    assert name in line
    assert "640x480" in line
    assert "960x720" in line


def plain_clip(path: Path, *, n_frames: int = 5) -> Path:
    from pose3d.io.video import write_video

    write_video(path, (np.full((240, 320, 3), 90, dtype=np.uint8) for _ in range(n_frames)), fps=10)
    return path


def test_a_calibration_in_which_no_board_is_seen(refused, tmp_path) -> None:
    empty = {name: plain_clip(tmp_path / f"{name}.mp4") for name in ("left", "right")}
    line = refused(*calibrate(empty, tmp_path / "calibration.toml"))
    assert "board" in line


INTERRUPTED_AT_WORK = """
import os, signal, time
import pose3d.calibration.recording as recording
from pose3d.cli import main

detect = recording.search_board
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell starts with it ignored

def interrupted(*arguments, progress, **options):
    def report(label, done, total):
        for _ in range(3 if done else 0):  # impatiently
            os.killpg(0, signal.SIGINT)  # as a terminal does: to the process and its workers
            time.sleep(0.003)

    return detect(*arguments, progress=report, **options)

recording.search_board = interrupted
raise SystemExit(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_in_the_middle_of_a_calibration(own_clips, tmp_path) -> None:
    output = tmp_path / "calibration.toml"
    arguments = [str(part) for part in calibrate(own_clips, output)]
    arguments[arguments.index("--workers") + 1] = "2"
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED_AT_WORK, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines() == ["pose3d: interrupted"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in own_clips.values())


@pytest.mark.slow
def test_a_camera_that_cannot_be_linked_is_named_and_the_rest_is_written(pose3d, own_clips, tmp_path) -> None:
    own_clips["blind"] = plain_clip(tmp_path / "blind.mp4", n_frames=30)
    output = tmp_path / "calibration.toml"
    outcome = pose3d(*calibrate(own_clips, output, "--json"))
    assert outcome.code == 3, outcome
    assert list(outcome.json["unlinked"]) == ["blind"]
    assert load_rig(output).names == ("left", "right")
    blind = next(camera for camera in outcome.json["verdict"]["cameras"] if camera["camera"] == "blind")
    assert blind["grade"] == "FAIL"
