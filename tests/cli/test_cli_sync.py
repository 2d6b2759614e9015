"""pose3d sync: offsets found and written, refusals that say why, sessions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from pose3d.demo.trials import make_ring, make_trial, walk_in_circles
from pose3d.io.anipose_csv import read_pose3d
from pose3d.io.dlc import write_dlc
from pose3d.io.rigs import save_rig
from pose3d.io.sync_toml import read_sync

OFFSETS = {"cam_1": 0.0, "cam_2": 3.4, "cam_3": -7.25}
N_FRAMES, MARGIN = 300, 20


def film(motion, n_frames, rig, offsets):
    """What cameras see whose frame f shows the motion at f - offset."""
    frames = np.arange(n_frames, dtype=float)
    trial = make_trial(n_frames, rig=rig, xyz=motion(frames))
    xy = trial.keypoints.xy.copy()
    for c, camera in enumerate(rig):
        xy[:, c, 0] += camera.project(motion(frames - offsets[camera.name])) - camera.project(trial.xyz)
    return trial, replace(trial.keypoints, xy=xy)


def walk(n_frames):
    places = walk_in_circles(n_frames + 2 * MARGIN, rng=np.random.default_rng(5))
    return CubicSpline(np.arange(-MARGIN, n_frames + MARGIN), places)


@pytest.fixture(scope="module")
def filmed():
    return film(walk(N_FRAMES), N_FRAMES, make_ring(3), OFFSETS)


def write_views(keypoints, folder, stem="walk"):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stem}_{name}.h5" for name in keypoints.cameras]
    for name, path in zip(keypoints.cameras, paths, strict=True):
        write_dlc(keypoints.select([name]), path)
    return paths


@pytest.fixture
def files(filmed, tmp_path):
    """Files of late cameras: the arguments of `pose3d sync`."""
    trial, keypoints = filmed
    save_rig(trial.rig, tmp_path / "calibration.toml")
    return ["-c", tmp_path / "calibration.toml", *write_views(keypoints, tmp_path / "pose-2d")]


@pytest.fixture
def still_files(tmp_path):
    """Files of somebody who stands."""
    rig = make_ring(3)
    places = np.repeat(walk_in_circles(1, rng=np.random.default_rng(1)), 200, axis=0)
    save_rig(rig, tmp_path / "calibration.toml")
    views = make_trial(200, rig=rig, xyz=places).keypoints
    return ["-c", tmp_path / "calibration.toml", *write_views(views, tmp_path / "pose-2d")]


@pytest.fixture
def session(filmed, tmp_path):
    """A session with two trials, the longer of them late."""
    trial, keypoints = filmed
    folder = tmp_path / "project" / "day 1"
    (folder / "calibration").mkdir(parents=True)
    (folder.parent / "pose3d.toml").write_text("[project]\nfps = 100.0\n", encoding="utf-8")
    save_rig(trial.rig, folder / "calibration" / "calibration.toml")
    write_views(keypoints, folder / "pose-2d")
    write_views(keypoints.frames(0, 30), folder / "pose-2d", stem="brief")
    return folder


def offsets_of(path):
    timing = read_sync(path)
    return dict(zip(timing.cameras, timing.offset_frames, strict=True))


def test_offsets_are_written_and_triangulate_takes_them(pose3d, files, filmed, tmp_path) -> None:
    target = tmp_path / "out" / "sync.toml"
    outcome = pose3d("sync", *files, "--fps", 100, "-o", target)
    assert outcome.code == 0, outcome
    assert outcome.err == ""
    assert "cam_1  reference" in outcome.out
    assert f"written: {target}" in outcome.out
    assert offsets_of(target) == pytest.approx(OFFSETS, abs=0.05)
    errors = []
    for more in ([], ["--sync", target]):
        made = pose3d("triangulate", *files, *more, "--no-refine", "-o", tmp_path / "trial.csv")
        assert made.code == 0, made
        points = read_pose3d(tmp_path / "trial.csv")
        truth = filmed[0].xyz[points.start : points.start + points.n_frames]
        errors.append(np.nanmedian(np.linalg.norm(points.xyz[:, 0] - truth, axis=-1)))
    assert errors[1] < 0.6 * errors[0]


def test_without_output_nothing_is_written(pose3d, files, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    outcome = pose3d("sync", *files)
    assert outcome.code == 0, outcome
    assert "-o sync.toml" in outcome.out
    assert sorted(tmp_path.rglob("*")) == before


def test_json_holds_the_offsets(pose3d, files) -> None:
    outcome = pose3d("sync", *files, "--reference", "cam_2", "--no-drift", "--json")
    assert outcome.code == 0, outcome
    summary = outcome.json
    assert (summary["reference"], summary["complete"], summary["output"]) == ("cam_2", True, None)
    assert summary["cameras"]["cam_1"]["offset_frames"] == pytest.approx(-3.4, abs=0.05)
    assert summary["cameras"]["cam_3"]["sd_frames"] < 0.05


def test_near_is_where_the_search_begins(pose3d, files) -> None:
    missed = pose3d("sync", *files, "--max-offset", 2, "--json")
    assert missed.code == 3
    found = pose3d("sync", *files, "--max-offset", 2, "--near", "cam_2=3", "--near", "cam_3=-7", "--json")
    assert found.code == 0, found
    assert found.json["cameras"]["cam_3"]["offset_frames"] == pytest.approx(-7.25, abs=0.05)


def test_files_of_different_length_are_taken(pose3d, files, filmed) -> None:
    write_dlc(filmed[1].select(["cam_3"]).frames(0, 280), files[-1])
    outcome = pose3d("sync", *files, "--json")
    assert outcome.code == 0, outcome
    assert outcome.json["n_frames"] == 280


def test_long_recordings_are_read_in_pieces(pose3d, filmed, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pose3d.io.keypoint_stream import KeypointStream

    trial, keypoints = filmed
    n_frames = 8 * N_FRAMES
    back = np.concatenate([np.arange(N_FRAMES), np.arange(N_FRAMES)[::-1]] * 4)  # the walk there and back
    keypoints = replace(keypoints, xy=keypoints.xy[back], score=keypoints.score[back])
    save_rig(trial.rig, tmp_path / "calibration.toml")
    paths = write_views(keypoints, tmp_path)
    read = []
    kept = KeypointStream.read
    monkeypatch.setattr(KeypointStream, "read", lambda self, a, b: read.append(b - a) or kept(self, a, b))
    monkeypatch.setattr("pose3d.reconstruction.synchronization.tracks._SPANS", 4)
    pose3d("sync", "-c", tmp_path / "calibration.toml", *paths, "--max-offset", 15, "--json")
    assert len(read) == 4
    assert sum(read) < n_frames / 2


def test_where_the_motion_cannot_tell_nothing_is_written(pose3d, still_files, tmp_path) -> None:
    target = tmp_path / "sync.toml"
    target.write_text("# as it was\n", encoding="utf-8")
    outcome = pose3d("sync", *still_files, "-o", target)
    assert outcome.code == 3
    assert "record something that moves" in outcome.out
    (line,) = outcome.err.splitlines()
    assert "is not written" in line
    assert "cam_1, cam_2, cam_3" in line
    assert target.read_text(encoding="utf-8") == "# as it was\n"
    assert pose3d("sync", *still_files, "--json").json["complete"] is False


def test_a_session_gets_its_sync_toml_from_its_longest_trial(pose3d, session) -> None:
    outcome = pose3d("sync", session, "--json")
    assert outcome.code == 0, outcome
    assert outcome.err == ""
    assert (outcome.json["session"], outcome.json["trial"], outcome.json["fps"]) == ("day 1", "walk", 100)
    assert outcome.json["output"] == str(session / "sync.toml")
    assert offsets_of(session / "sync.toml") == pytest.approx(OFFSETS, abs=0.05)


def test_a_trial_of_a_session_may_be_named(pose3d, session) -> None:
    outcome = pose3d("sync", session, "--trial", "brief", "--max-offset", 10, "--json")
    assert (outcome.json["trial"], outcome.json["n_frames"]) == ("brief", 30)


def test_offsets_of_a_project_are_the_guess(pose3d, session) -> None:
    config = session.parent / "pose3d.toml"
    config.write_text("[offsets]\ncam_2 = 3\ncam_3 = -7\n", encoding="utf-8")
    outcome = pose3d("sync", session, "--max-offset", 2)
    assert outcome.code == 0, outcome
    (line,) = outcome.err.splitlines()
    assert "remove" in line
    assert offsets_of(session / "sync.toml") == pytest.approx(OFFSETS, abs=0.05)


def test_a_session_without_keypoints_is_refused(refused, session) -> None:
    assert "no trial 'run'" in refused("sync", session, "--trial", "run")
    for path in (session / "pose-2d").iterdir():
        path.unlink()
    assert "no 2D keypoints" in refused("sync", session)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--max-offset", 0], "--max-offset"),
        (["--near", "cam_2"], "--near"),
        (["--near", "cam_2=1.5"], "--near"),
        (["--trial", "walk"], "--trial"),
        (["-o", "sync.csv"], "--output"),
    ],
)
def test_wrong_usage(pose3d, files, options: list, told: str) -> None:
    outcome = pose3d("sync", *files, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err


def test_a_session_has_its_files_and_settings(pose3d, session) -> None:
    outcome = pose3d("sync", session, "-c", "calibration.toml", "--fps", 50)
    assert outcome.code == 2
    assert "--calibration" in outcome.err
    assert "--fps" in outcome.err


def test_files_without_calibration(pose3d, files) -> None:
    outcome = pose3d("sync", *files[2:])
    assert outcome.code == 2
    assert "--calibration" in outcome.err


def test_bad_input_is_one_line(refused, files, filmed, tmp_path) -> None:
    assert "no camera 'left'" in refused("sync", *files, "--near", "left=3")
    assert "no camera 'left'" in refused("sync", *files, "--reference", "left")
    assert "1 camera" in refused("sync", *files[:3])
    save_rig(filmed[0].rig.select(["cam_1", "cam_2"]), tmp_path / "calibration.toml")
    assert "cam_3" in refused("sync", *files)
    files[-1].write_bytes(b"\x89PNG\r\n\x1a\n")
    assert files[-1].name in refused("sync", *files)
