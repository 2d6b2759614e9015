"""The session that the demo makes: complete, repeatable, and its truth is true."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest

from pose3d.data.angles import JointAngles
from pose3d.data.camera import Rig
from pose3d.data.skeleton import Skeleton
from pose3d.demo import evaluate, load_truth, make_session
from pose3d.demo.detections import simulate_detections
from pose3d.demo.person import make_person
from pose3d.demo.rig import make_rig
from pose3d.demo.walk import walk_body
from pose3d.errors import FormatError
from pose3d.geometry.transforms import apply, rigid
from pose3d.io.dlc import read_dlc
from pose3d.io.video import open_frames
from pose3d.kinematics import joint_angles

SMALL = {"n_frames": 8, "n_board_frames": 6, "size": (320, 240)}


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_the_session_is_laid_out_as_anipose_does(demo):
    names = ("frontleft", "backleft", "backright", "frontright")
    assert demo.rig.names == names
    for name in names:
        board = open_frames(demo.session_folder / "calibration" / f"board_{name}.mp4")
        walk = open_frames(demo.session_folder / "videos-raw" / f"walk_{name}.mp4")
        assert (board.n_frames, board.size, board.fps) == (6, (320, 240), 10)
        assert (walk.n_frames, walk.size, walk.fps) == (8, (320, 240), 50)
        keypoints = read_dlc(demo.session_folder / "pose-2d" / f"walk_{name}.h5", camera=name)
        assert keypoints.n_frames == 8
        assert keypoints.keypoints == Skeleton.preset("halpe26").keypoints
    assert not [name for name in files_of(demo.folder) if name.split("/")[0] not in (demo.session, "truth")]


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(demo, tmp_path):
    make_session(tmp_path, seed=3, workers=1, **SMALL)
    again, first = files_of(tmp_path), files_of(demo.folder)
    assert again.keys() == first.keys()
    assert [name for name in first if first[name] != again[name]] == []


def test_another_seed_is_another_person_room_and_rig(demo, tmp_path):
    seen = []
    other = make_session(tmp_path, seed=4, progress=lambda *step: seen.append(step), **SMALL)
    assert np.abs(other.points.xyz - demo.points.xyz).max() > 20
    assert np.linalg.norm(other.rig.centers - demo.rig.centers, axis=-1).min() > 10
    assert seen[-1] == ("rendering", 56, 56)
    assert [done for _, done, _ in seen] == list(range(1, 57))


def test_the_truth_is_read_back(demo):
    read = load_truth(demo.folder)
    assert (read.seed, read.session, read.trial, read.board) == (3, demo.session, "walk", demo.board)
    assert read.rig.names == demo.rig.names
    np.testing.assert_allclose(read.rig.cam_from_world, demo.rig.cam_from_world, rtol=0, atol=1e-9)
    np.testing.assert_allclose(read.points.xyz, demo.points.xyz, rtol=0, atol=1e-6)
    np.testing.assert_allclose(read.angles.deg, demo.angles.deg, rtol=0, atol=1e-6)
    assert read.angles.names == demo.angles.names


@pytest.mark.parametrize(
    "text", ["", "seed = 1\n", "seed = [", 'seed = 0\nsession = "a"\ntrial = "b"\n[board]\nkind = "x"\n']
)
def test_a_damaged_truth_is_one_clear_line(tmp_path, text):
    (tmp_path / "truth").mkdir()
    path = tmp_path / "truth" / "truth.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=r"truth\.toml") as caught:
        load_truth(tmp_path)
    assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(FormatError, match="no such truth"):
        load_truth(tmp_path)


def test_the_truth_file_says_what_it_is(demo):
    text = (demo.folder / "truth" / "truth.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["board"]["squares"] == [7, 5]
    assert "no command reads it" in text


def test_simulated_detections_have_the_errors_they_claim():
    rig, skeleton = make_rig(seed=0), Skeleton.preset("halpe26")
    rng = np.random.default_rng(0)
    _, _, frames = walk_body(make_person(rng), n_frames=150, fps=50, rng=rng)
    xyz = frames.keypoints(skeleton)
    detections = simulate_detections(xyz, rig, skeleton, fps=50, rng=np.random.default_rng(1))
    truth = rig.project(xyz).swapaxes(1, 2)
    away = np.linalg.norm(detections.xy[:, :, 0] - truth, axis=-1)
    have = np.isfinite(away)
    gross = have & (away > 15)
    fine = have & (away < 8)
    assert 0.8 < np.sqrt((away[fine] ** 2).mean() / 2) < 1.3  # px a coordinate
    assert 0.02 < gross.sum() / have.sum() < 0.06
    assert away[have].max() < 500
    assert 0.01 < 1 - have.mean() < 0.12
    score = detections.score[:, :, 0]
    assert np.nanmin(score) >= 0
    assert np.nanmax(score) <= 1
    assert np.median(score[gross]) < 0.6
    assert np.median(score[fine]) > 0.85
    assert 0.15 < (score[gross] > 0.6).mean() < 0.6  # the score does not tell all
    size = np.array(rig.cameras[0].size)
    inside = ((truth >= 0) & (truth <= size - 1)).all(-1)
    assert not have[~inside].any()


def test_perfect_results_have_no_error_in_any_world(demo):
    turn = rigid([0.3, -0.2, 1.1], [500.0, -200, 90])
    rig = demo.rig.transformed(turn)
    points = replace(demo.points, xyz=apply(turn, demo.points.xyz))
    result = evaluate(demo, rig=rig, points=points, angles=joint_angles(demo.points))
    assert result.rig.volume_rms_mm < 1e-6
    assert max(result.rig.center_mm.values()) < 1e-6
    assert max(result.rig.angle_deg.values()) < 1e-6
    assert result.rig.baseline_percent < 1e-9
    assert result.points.alignment == "rig"
    assert result.points.p95_mm < 1e-6
    assert (result.points.n_points, result.points.n_missing) == (8 * 26, 0)
    assert {"knee_flexion_l", "hip_flexion_trunk_r", "ankle_dorsiflexion_l"} <= result.angles.keys()
    for name, error in result.angles.items():
        assert error.rms_deg < 1e-9, name
        assert error.model_rms_deg < 0.6, name  # what the keypoints' definition costs
    assert evaluate(demo, points=points).points.alignment == "points"


def test_errors_are_reported_at_their_size(demo):
    cameras = [
        replace(camera, translation=camera.translation * 1.01) if camera.name == "backleft" else camera
        for camera in demo.rig
    ]
    result = evaluate(demo, rig=Rig(tuple(cameras)))
    assert 20 < max(result.rig.center_mm.values()) < 80  # 1 % of 4 m
    assert 1.0 < result.rig.volume_rms_mm < 10
    assert 0.1 < result.rig.baseline_percent < 2

    xyz = demo.points.xyz.copy()
    xyz[0] = np.nan
    xyz[1:, 0, 0] += [0, 0, 300]
    points = evaluate(demo, points=replace(demo.points, xyz=xyz)).points
    assert points.n_missing == 26
    assert points.median_mm < 5  # the alignment leaves out what lies far off
    assert points.rms_mm == pytest.approx(300 / np.sqrt(26), rel=0.1)

    angles = joint_angles(demo.points)
    found = evaluate(demo, angles=replace(angles, deg=angles.deg + 3.0)).angles
    assert found["knee_flexion_l"].rms_deg == pytest.approx(3.0)
    assert found["knee_flexion_l"].model_bias_deg == pytest.approx(3.0, abs=0.5)
    lines = evaluate(demo, rig=demo.rig, points=demo.points, angles=angles).lines()
    assert any(line.startswith("cameras:") for line in lines)
    assert not any("\n" in line for line in lines)


def test_results_with_another_start_are_compared_frame_by_frame(demo):
    points = replace(
        demo.points,
        xyz=demo.points.xyz[3:],
        error=demo.points.error[3:],
        start=3,
        n_cameras=demo.points.n_cameras[3:],
        score=demo.points.score[3:],
        status=demo.points.status[3:],
    )
    assert evaluate(demo, points=points).points.p95_mm < 1e-6
    angles = joint_angles(demo.points)
    later = JointAngles(angles.deg[3:], angles.names, angles.individuals, fps=50, start=3)
    assert evaluate(demo, angles=later).angles["knee_flexion_r"].rms_deg < 1e-9


def test_the_summary_is_plain(demo):
    import json

    result = evaluate(demo, rig=demo.rig, points=demo.points, angles=joint_angles(demo.points))
    back = json.loads(json.dumps(result.to_dict()))
    assert back["points"]["n_points"] == 8 * 26
    assert back["angles"]["knee_flexion_l"]["rms_deg"] < 1e-9
