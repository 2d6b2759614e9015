"""OpenSim reads what we write, runs its inverse kinematics on it to the end, and finds our knee angles."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pose3d.data import Keypoints3D
from pose3d.io.c3d import read_c3d
from pose3d.io.mot import write_mot
from pose3d.io.trc import write_trc
from pose3d.kinematics import joint_angles
from pose3d.kinematics.joint_markers import with_joint_centres, with_midpoints

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("opensim") is None, reason="opensim has no wheel for this Python or system"
)
WORKER = Path(__file__).with_name("opensim_worker.py")
BODY = ("LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LShoulder", "RShoulder")


def solve(points, angles, folder):
    """Write TRC and MOT, let OpenSim work on them, and return what it says."""
    (trc,) = write_trc(points, folder / "walk.trc")
    (mot,) = write_mot(angles, folder / "walk.mot")
    command = [sys.executable, WORKER, trc, mot, folder / "told.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((folder / "told.json").read_text())


def rmse(told, angles, side):
    ours = angles.deg[:, 0, angles.names.index(f"knee_flexion_{side}")]
    away = np.array(told["solved"][f"knee_angle_{side}"]) - ours
    return np.sqrt(np.nanmean(away**2)), np.nanmax(np.abs(away))


def test_a_walk_of_known_size(make_walk, tmp_path):
    """Bones of constant length: what is left over is the solver's."""
    points = with_midpoints(make_walk())
    angles = joint_angles(points)
    told = solve(points, angles, tmp_path)
    assert told["labels"] == told["marker_names"] == list(points.keypoints)
    assert (told["rows"], told["marker_rows"]) == (points.n_frames, points.n_frames)
    assert (told["rate"], told["unit"], told["marker_unit"]) == (points.fps, "m", "meters")
    hip = points.xyz[:, 0, points.keypoints.index("LHip")]  # X forward, Y up, Z to the right
    np.testing.assert_allclose(told["hip"], np.stack([hip[:, 0], hip[:, 2], -hip[:, 1]], axis=-1) / 1000, atol=1e-6)
    assert told["ran"] is True
    assert told["solved_rows"] == points.n_frames
    for side in "lr":
        spread, worst = rmse(told, angles, side)
        assert spread < 0.5
        assert worst < 1.5
        assert np.ptp(told["solved"][f"knee_angle_{side}"]) > 40  # the knee does bend
    assert (told["motion_rows"], told["in_degrees"]) == (points.n_frames, True)
    for ours, theirs in (("knee_flexion_r", "knee_angle_r"), ("hip_adduction_l", "hip_adduction_l")):
        np.testing.assert_allclose(told["motion"][theirs], angles.deg[:, 0, angles.names.index(ours)], atol=1e-6)


def test_gaps_are_read_as_gaps(make_walk, tmp_path):
    source = make_walk()
    xyz = source.xyz.copy()
    rng = np.random.default_rng(0)
    xyz[rng.random(xyz.shape[:3]) < 0.1] = np.nan
    points = Keypoints3D.from_points(xyz, source.keypoints, source.individuals, fps=source.fps, start=37)
    told = solve(points, joint_angles(source), tmp_path)
    assert told["missing"] == np.isnan(xyz[..., 0]).sum() > 50
    assert told["ran"] is True
    spread, _ = rmse(told, joint_angles(source), "l")
    assert spread < 3


def test_a_laboratorys_walk(recordings, tmp_path):
    """Real joint centres, between which the distances vary by millimetres."""
    whole = with_joint_centres(read_c3d(recordings / "gait-lab/plug-in-gait/PiG_Motion-FlatFoot-Full.c3d").points)
    xyz = whole.xyz[:, :, [whole.keypoints.index(name) for name in BODY]]
    points = with_midpoints(Keypoints3D.from_points(xyz, BODY, ("one",), fps=whole.fps, start=whole.start))
    angles = joint_angles(points)
    told = solve(points, angles, tmp_path)
    assert told["solved_rows"] == points.n_frames
    for side in "lr":
        spread, worst = rmse(told, angles, side)
        assert spread < 3
        assert worst < 8
