"""triangulate, angles and export on files, and what they print."""

import numpy as np
import pytest

from pose3d.data import Keypoints2D
from pose3d.io.anipose_csv import read_angles, read_pose3d
from pose3d.io.trc import read_trc


@pytest.fixture
def trial(pose3d, recording):
    """3D keypoints that the command line made."""
    outcome = pose3d(*recording.triangulate("--fps", 100, "--quiet"))
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    return recording.output


def test_triangulate_writes_the_figure(trial, figure, keypoints) -> None:
    points = read_pose3d(trial)
    assert points.keypoints == keypoints.keypoints
    assert points.fps == 100
    np.testing.assert_allclose(points.xyz[:, 0], figure, atol=1e-3)


def test_refinement_is_the_default_and_stays_near(pose3d, recording, figure) -> None:
    outcome = pose3d(*recording.refine())
    assert outcome.code == 0, outcome
    assert "12 frames: 100.0 % of the points observed" in outcome.out
    points = read_pose3d(recording.output)
    assert points.covariance is not None
    np.testing.assert_allclose(points.xyz[:, 0], figure, atol=0.2)


def test_json_is_all_that_stdout_holds(pose3d, recording) -> None:
    summary = pose3d(*recording.triangulate("--json")).json
    assert summary["n_frames"] == 12
    assert summary["n_reconstructed"] == summary["n_points"] == 12 * 25
    assert [camera["name"] for camera in summary["quality"]["cameras"]] == ["cam_1", "cam_2", "cam_3", "cam_10"]
    assert summary["outputs"] == [str(recording.output)]


def test_people_get_lines(pose3d, recording) -> None:
    outcome = pose3d(*recording.triangulate())
    assert outcome.code == 0
    assert "cam_10" in outcome.out
    assert f"written: {recording.output}" in outcome.out


def test_cameras_are_found_in_file_names(pose3d, recording, figure) -> None:
    plain = recording.views.values()
    outcome = pose3d("triangulate", "-c", recording.calibration, *plain, "-o", recording.output, "--no-refine")
    assert outcome.code == 0, outcome
    np.testing.assert_allclose(read_pose3d(recording.output).xyz[:, 0], figure, atol=1e-3)


def test_the_same_input_gives_the_same_bytes(pose3d, recording) -> None:
    pose3d(*recording.triangulate())
    first = recording.output.read_bytes()
    pose3d(*recording.triangulate())
    assert recording.output.read_bytes() == first


@pytest.mark.parametrize("command", [["angles", "-o"], ["export", "--trc"]])
def test_what_is_read_is_not_overwritten(pose3d, trial, tmp_path, command: list[str]) -> None:
    before = trial.read_bytes()
    outcome = pose3d(command[0], trial, command[1], tmp_path / trial.parent / "." / trial.name)
    assert outcome.code == 2
    assert "would be overwritten" in outcome.err
    assert trial.read_bytes() == before


def test_views_and_calibration_are_not_overwritten(pose3d, recording) -> None:
    for path in (recording.calibration, recording.views["cam_2"]):
        before = path.read_bytes()
        assert pose3d(*recording.triangulate("-o", path)).code == 2
        assert path.read_bytes() == before


def test_each_individual_has_a_file_that_is_told(pose3d, recording, keypoints) -> None:
    for name in recording.views:
        view = keypoints.select([name])
        both = Keypoints2D(
            view.xy.repeat(2, axis=2), view.score.repeat(2, axis=2), (name,), ("ann", "bob"), view.keypoints, fps=100.0
        )
        recording.write(name, both)
    made = pose3d(*recording.triangulate("--json")).json["outputs"]
    assert made == [str(recording.output.with_name(f"trial_{name}.csv")) for name in ("ann", "bob")]
    assert all(len(read_pose3d(path).individuals) == 1 for path in made)


def test_angles_that_cannot_be_computed_name_the_file(refused, trial, tmp_path) -> None:
    config = tmp_path / "own.toml"
    config.write_text('[angles]\nknee = ["RHip", "RKneee", "RAnkle"]\n', encoding="utf-8")
    line = refused("angles", trial, "--config", config, "-o", tmp_path / "angles.csv")
    assert line.startswith(f"pose3d: error: {config}: ")
    assert "RKneee" in line


def test_angles_and_trc_follow(pose3d, trial, figure, tmp_path) -> None:
    angles, trc = tmp_path / "angles.csv", tmp_path / "trial.trc"
    outcome = pose3d("angles", trial, "--skeleton", "body25", "-o", angles, "--json")
    assert outcome.code == 0, outcome
    assert read_angles(angles).names == tuple(outcome.json["angles"])
    assert pose3d("export", trial, "--trc", trc, "--json").json == {"outputs": [str(trc)]}
    np.testing.assert_allclose(read_trc(trc).xyz[:, 0], figure, atol=2e-3)


def test_angles_of_an_anipose_configuration(pose3d, trial, figure, keypoints, tmp_path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'project = "from anipose"\n[angles]\nknee = ["flex", "RHip", "RKnee", "RAnkle"]\n[triangulation]\nram = 5\n',
        encoding="utf-8",
    )
    outcome = pose3d("angles", trial, "--config", config, "-o", tmp_path / "angles.csv")
    assert outcome.code == 0, outcome
    hip, knee, ankle = (figure[:, keypoints.keypoints.index(name)] for name in ("RHip", "RKnee", "RAnkle"))
    a, b = hip - knee, ankle - knee
    expected = np.degrees(np.arccos((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)))
    np.testing.assert_allclose(read_angles(tmp_path / "angles.csv").deg[:, 0, 0], expected, atol=1e-3)


def test_angles_of_a_strange_skeleton_are_refused(pose3d, trial, tmp_path) -> None:
    text = trial.read_text(encoding="utf-8")
    other = tmp_path / "other.csv"
    names = read_pose3d(trial).keypoints
    for index, name in enumerate(names):
        text = text.replace(f"{name}_", f"part{index}_") if name != "" else text
    other.write_text(text, encoding="utf-8")
    outcome = pose3d("angles", other, "--skeleton", "body25", "-o", tmp_path / "angles.csv")
    assert outcome.code == 1
    assert outcome.err.startswith("pose3d: error: ")
    assert "--config" in outcome.err


def test_an_angle_of_unknown_keypoints_is_refused(pose3d, trial, tmp_path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[angles]\ntail = ["tail1", "tail2", "tail3"]\n', encoding="utf-8")
    outcome = pose3d("angles", trial, "--config", config, "-o", tmp_path / "angles.csv")
    assert outcome.code == 1
    assert "tail1" in outcome.err
    assert not (tmp_path / "angles.csv").exists()
