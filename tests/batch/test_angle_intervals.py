"""Angles of points that have samples beside them, as a step and as a command."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from pose3d.batch.angle_intervals import intervals_beside
from pose3d.cli import app
from pose3d.data import Keypoints3D, Skeleton
from pose3d.io.anipose_csv import read_angles, read_pose3d, write_pose3d
from pose3d.io.samples import SamplesWriter, samples_path
from pose3d.kinematics import joint_angles
from pose3d.kinematics.noise_samples import samples_from_noise

COCO = Skeleton.preset("coco17")


@pytest.fixture
def sampled_points(tmp_path):
    """A csv of points with a file of samples that belongs to it."""
    rng = np.random.default_rng(0)
    body = rng.uniform(-500, 500, (17, 3)) + np.array([0, 0, 1000.0])
    xyz = body + np.cumsum(rng.normal(0, 0.5, (30, 1, 17, 3)), axis=0)
    points = Keypoints3D.from_points(xyz, COCO.keypoints, ("one",), fps=50.0)
    path = tmp_path / "walk.csv"
    write_pose3d(points, path)
    drawn = samples_from_noise(points, 2.0, n=50)
    writer = SamplesWriter(
        samples_path(path), n_samples=50, individuals=("one",), keypoints=COCO.keypoints, fps=50.0, start=0
    )
    writer.append(drawn.xyz)
    writer.finish([path])
    return path


def test_samples_beside_the_points_give_intervals(sampled_points):
    points = read_pose3d(sampled_points)
    found = joint_angles(points)
    made, remark = intervals_beside(sampled_points, found, points, joint_angles)
    assert remark == "95 % intervals from 50 samples (walk.samples.npz)"
    assert np.isfinite(made.high_deg).all()
    assert ((made.low_deg <= made.deg) & (made.deg <= made.high_deg)).mean() > 0.98


def test_points_without_samples_or_with_those_of_others_have_angles_all_the_same(sampled_points):
    points = read_pose3d(sampled_points)
    found = joint_angles(points)
    assert intervals_beside(sampled_points.with_suffix(".trc"), found, points, joint_angles) == (found, "")
    with sampled_points.open("a", encoding="utf-8") as stream:
        stream.write("\n")
    same, remark = intervals_beside(sampled_points, found, points, joint_angles)
    assert same is found
    assert remark.startswith("no intervals: ")
    assert "another version of" in remark
    samples_path(sampled_points).unlink()
    assert intervals_beside(sampled_points, found, points, joint_angles) == (found, "")


def test_the_command_writes_intervals_and_says_so(sampled_points, tmp_path):
    output = tmp_path / "angles.csv"
    said, told = (
        CliRunner().invoke(app, ["angles", str(sampled_points), "-o", str(output), *more]) for more in ((), ("--json",))
    )
    assert (said.exit_code, told.exit_code) == (0, 0), said.output
    assert "95 % intervals from 50 samples" in " ".join(said.output.split())
    assert json.loads(told.stdout)["intervals"] is True
    again = read_angles(output)
    assert np.isfinite(again.high_deg[..., again.names.index("knee_flexion_l")]).all()
