"""init and run, and the chain's commands on a session's folder."""

import shutil
import tomllib

import numpy as np
import pytest

from pose3d.io.anipose_csv import read_pose3d


@pytest.fixture
def session(pose3d, recording, tmp_path):
    """A project whose one session has a given calibration and one trial's 2D keypoints."""
    outcome = pose3d("init", tmp_path / "project", "--quiet")
    assert (outcome.code, outcome.out) == (0, "")
    folder = tmp_path / "project" / "monday"
    (folder / "calibration").mkdir(parents=True)
    (folder / "pose-2d").mkdir()
    shutil.copy(recording.calibration, folder / "calibration")
    for path in recording.views.values():
        shutil.copy(path, folder / "pose-2d")
    config = folder.parent / "pose3d.toml"
    text = config.read_text(encoding="utf-8").replace("# fps = 100.0", "fps = 100.0")
    config.write_text(text.replace("# preset = ", "preset = ").replace('"body25b"', '"body25"'), encoding="utf-8")
    return folder


def test_init_writes_a_commented_configuration_and_never_overwrites_it(pose3d, refused, tmp_path) -> None:
    outcome = pose3d("init", tmp_path / "new")
    config = tmp_path / "new" / "pose3d.toml"
    assert outcome.code == 0
    assert str(config) in outcome.out
    text = config.read_text(encoding="utf-8")
    assert "#" in text
    tomllib.loads(text)
    assert "pose3d.toml" in refused("init", tmp_path / "new")
    assert config.read_text(encoding="utf-8") == text


def statuses(outcome) -> dict[str, str]:
    return {step["step"]: step["status"] for step in outcome.json["steps"]}


def test_run_does_the_chain_then_nothing_then_what_depends_on_a_change(pose3d, session, figure) -> None:
    first = pose3d("run", session, "--json")
    assert first.code == 0, first
    assert statuses(first) == {"calibrate": "given", "triangulate": "done", "angles": "done", "export": "done"}
    points = read_pose3d(session / "pose-3d" / "walk.csv")
    assert np.abs(points.xyz[:, 0] - figure).max() < 0.05  # refined: a dozen frames tell little about smoothness
    second = statuses(pose3d("run", session, "--json"))
    assert set(second.values()) == {"given", "up to date"}
    config = session.parent / "pose3d.toml"
    text = config.read_text(encoding="utf-8")
    assert "# trc = true" in text
    text = text.replace("# score_threshold = 0.05", "score_threshold = 0.5")
    config.write_text(text, encoding="utf-8")
    third = statuses(pose3d("run", session, "--json"))
    assert third["calibrate"] == "given"
    assert third["triangulate"] == "done"
    for setting in ("refine", "robust"):
        text = text.replace(f"# {setting} = true", f"{setting} = false")
        config.write_text(text, encoding="utf-8")
        assert statuses(pose3d("run", session, "--json"))["triangulate"] == "done"
        points = read_pose3d(session / "pose-3d" / "walk.csv")
        np.testing.assert_allclose(points.xyz[:, 0], figure, atol=1e-3)


def test_a_trial_is_refined_and_says_how(pose3d, session) -> None:
    triangulate = pose3d("run", session, "--json").json["steps"][1]
    assert triangulate["summary"]["n_frames"] == 12
    assert triangulate["summary"]["fps"] == 100.0
    assert triangulate["summary"]["n_missing"] == 0
    assert "quality" in triangulate["summary"]
    (session / "sync.toml").write_text("[cameras.cam_1]\noffset_frames = 0.5\n", encoding="utf-8")
    outcome = pose3d("run", session)
    assert outcome.code == 1
    assert "no timing" in outcome.err
    config = session.parent / "pose3d.toml"
    text = config.read_text(encoding="utf-8").replace("# left = 3", "cam_1 = 3")
    config.write_text(text, encoding="utf-8")
    for arguments in (("run", session), ("run", session, "--dry-run"), ("triangulate", session)):
        outcome = pose3d(*arguments)
        assert outcome.code == 1
        assert "[offsets]" in outcome.err
        assert "sync.toml both say" in outcome.err


def test_people_read_a_line_for_each_step_with_its_reason(pose3d, session) -> None:
    outcome = pose3d("run", session)
    assert outcome.code == 0, outcome
    for step in ("calibrate", "triangulate walk", "angles walk", "export walk"):
        assert step in outcome.out


def test_dry_run_writes_nothing(pose3d, session) -> None:
    before = sorted(session.rglob("*"))
    outcome = pose3d("run", session, "--dry-run")
    assert outcome.code == 0, outcome
    assert "triangulate walk" in outcome.out
    assert sorted(session.rglob("*")) == before


def test_the_commands_of_the_chain_take_the_session(pose3d, session) -> None:
    for command, made in (
        ("triangulate", "pose-3d/walk.csv"),
        ("angles", "angles/walk.csv"),
        ("export", "exports/walk.trc"),
    ):
        outcome = pose3d(command, session)
        assert outcome.code == 0, outcome
        assert (session / made).is_file()


def test_a_setting_on_the_command_line_of_a_session_is_refused(pose3d, session) -> None:
    for command in (
        ["triangulate", "--min-cameras", "3"],
        ["angles", "-o", "a.csv"],
        ["calibrate", "--square-mm", "3"],
        ["calibrate", "--workers", "2"],
        ["export", "--up", "y"],
    ):
        outcome = pose3d(command[0], session, *command[1:])
        assert outcome.code == 2
        assert "pose3d.toml" in outcome.err


def test_a_stale_result_is_not_used(pose3d, session) -> None:
    assert pose3d("run", session).code == 0
    config = session.parent / "pose3d.toml"
    text = config.read_text(encoding="utf-8").replace("# min_cameras = 2", "min_cameras = 3")
    config.write_text(text, encoding="utf-8")
    outcome = pose3d("angles", session)
    assert outcome.code == 1
    assert "stale" in outcome.err


def test_a_video_of_the_wrong_size_for_the_calibration(pose3d, session) -> None:
    from pose3d.io.video import write_video

    (session / "videos-raw").mkdir()
    frames = (np.full((240, 320, 3), 90, dtype=np.uint8) for _ in range(12))
    write_video(session / "videos-raw" / "walk_cam_1.mp4", frames, fps=100)
    outcome = pose3d("run", session)
    assert outcome.code == 1
    (line,) = [line for line in outcome.err.splitlines() if "error" in line]
    assert "320x240" in line
    assert "640x480" in line
    assert not (session / "pose-3d" / "walk.csv").exists()


def test_a_misspelt_setting_is_told(pose3d, session) -> None:
    config = session.parent / "pose3d.toml"
    text = config.read_text(encoding="utf-8").replace("# score_threshold = 0.05", "score_treshold = 0.5")
    config.write_text(text, encoding="utf-8")
    outcome = pose3d("run", session)
    assert outcome.code == 1
    assert "did you mean score_threshold" in outcome.err


def test_a_folder_outside_any_project_is_refused(refused, tmp_path) -> None:
    (tmp_path / "lonely").mkdir()
    assert "pose3d init" in refused("run", tmp_path / "lonely")
