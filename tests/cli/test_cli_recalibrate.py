"""The command recalibrate, on files of a subject that walks before a rig that was displaced."""

import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pose3d.cli_console import QUALITY, register
from pose3d.cli_subject import recalibrate
from pose3d.data import Keypoints2D, Rig
from pose3d.geometry.rotations import exp_so3, log_so3
from pose3d.io.dlc import write_dlc
from pose3d.io.rigs import load_rig, save_rig

NAMES = ("head", "left-hip", "left-knee", "right-hip", "right-knee", "tail")


@pytest.fixture(scope="module")
def walking(rig):
    rng = np.random.default_rng(2)
    t = np.arange(150) / 10
    root = np.stack([500 * np.sin(t / 1.3), 500 * np.sin(t / 2.1 + 1), 900 + 300 * np.sin(t)], axis=-1)
    swing = exp_so3(np.stack([np.sin(3 * t), np.cos(2 * t), t / 2], axis=-1))
    body = np.array([[0, 0, 300], [0, 100, 0], [0, 100, -400], [0, -100, 0], [100, -100, -390], [-200, 0, 50.0]])
    points = root[:, None] + (swing @ body.T).swapaxes(1, 2)
    xy = np.moveaxis(rig.project(points), 2, 1)
    xy = xy + rng.normal(scale=0.5, size=xy.shape)
    inside = ((xy > 0) & (xy < [639, 479])).all(-1)
    xy = np.where(inside[..., None], xy, np.nan)[:, :, None]
    return Keypoints2D(xy, np.where(np.isnan(xy[..., 0]), np.nan, 0.9), rig.names, ("one",), NAMES, fps=30.0)


@pytest.fixture
def files(tmp_path, rig, walking):
    rng = np.random.default_rng(3)
    cameras = []
    for camera in rig:
        R = exp_so3(rng.normal(scale=0.01, size=3)) @ camera.cam_from_world[:3, :3]
        cameras.append(replace(camera, rotation=log_so3(R), translation=-R @ (camera.center + rng.normal(0, 15, 3))))
    save_rig(Rig(tuple(cameras)), tmp_path / "old.toml")
    save_rig(rig, tmp_path / "true.toml")
    for name in rig.names:
        write_dlc(walking.select([name]), tmp_path / f"walk_{name}.csv")
    return tmp_path


@pytest.fixture
def run(files, rig):
    app = typer.Typer(pretty_exceptions_enable=False)
    register(app, panel="Chain", examples=[])(recalibrate)
    app.command("other")(lambda: None)
    views = [f"{name}={files / f'walk_{name}.csv'}" for name in rig.names]

    def invoke(*options, sources=views):
        command = ["recalibrate", *sources, *map(str, options)]
        result = CliRunner().invoke(app, command, prog_name="pose3d", env={"COLUMNS": "200", "NO_COLOR": "1"})
        return result.exit_code, result.stdout, result.stderr

    return invoke


def test_refined_with_the_scale_of_a_thigh(run, files, rig):
    new = files / "new.toml"
    code, out, err = run("-c", files / "old.toml", "-o", new, "--length", "left-hip-left-knee=400", "--json")
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert summary["improved"]
    assert summary["lengths_mm"]["left-hip-left-knee"] == pytest.approx(400, rel=0.002)
    before, after = ([camera[f"{when}_px"] for camera in summary["cameras"]] for when in ("before", "after"))
    assert max(after) < 0.7
    assert np.median(before) > 2
    found = load_rig(new)
    first, second = np.triu_indices(4, 1)
    lengths = (np.linalg.norm(r.centers[first] - r.centers[second], axis=1) for r in (found, rig))
    assert np.abs(np.divide(*lengths) - 1).max() <= 0.003


def test_the_table_names_before_and_after(run, files):
    code, out, _ = run("-c", files / "old.toml", "-o", files / "new.toml")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split()[:3] == ["camera", "labels", "before"]
    assert [line.split()[0] for line in lines[1:5]] == ["cam_1", "cam_2", "cam_3", "cam_10"]
    assert any(line.startswith("scale: as in the old calibration") for line in lines)
    assert lines[-1] == f"written: {files / 'new.toml'}"


def test_no_improvement_is_exit_code_3_and_the_old_calibration(run, files):
    code, out, err = run("-c", files / "true.toml", "-o", files / "new.toml")
    assert code == QUALITY
    assert "(the old calibration)" in out
    assert "predict held-out keypoints no better" in err
    for camera in load_rig(files / "new.toml"):
        np.testing.assert_array_equal(camera.rotation, load_rig(files / "true.toml")[camera.name].rotation)


def test_from_scratch(run, files, rig):
    apart = float(np.linalg.norm(rig["cam_1"].center - rig["cam_10"].center))
    options = ("-c", files / "old.toml", "-o", files / "new.toml", "--from-scratch", "--json")
    code, out, _ = run(*options, "--camera-distance", f"cam_1-cam_10={apart}")
    assert code == 0
    assert json.loads(out)["scale"] == "cameras"
    found = load_rig(files / "new.toml")
    for a, b in (("cam_1", "cam_2"), ("cam_2", "cam_3"), ("cam_3", "cam_10")):
        lengths = (np.linalg.norm(r[a].center - r[b].center) for r in (found, rig))
        assert np.divide(*lengths) == pytest.approx(1, abs=0.003)
    code, out, _ = run(*options)
    assert code == 0
    assert json.loads(out)["scale"] == load_rig(files / "new.toml").metadata["scale"] == "arbitrary"


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--length", "head=3"), 2, "is no distance"),
        (("--length", "head-tail=many"), 2, "is no distance"),
        (("--length", "head-tail=-5"), 2, "is no distance"),
        (("--length", "head-tail=5", "--length", "tail-head=5"), 2, "given twice"),
        (("--length", "head-nose=5"), 1, "no keypoint 'nose'"),
        (("--camera-distance", "cam_1-cam_2=900"), 2, "--from-scratch only"),
        (("--from-scratch", "--camera-distance", "cam_1-cam_2"), 2, "is no distance"),
        (("--from-scratch", "--refine-focal"), 2, "lenses must be known"),
        (("--score-threshold", "0.95"), 1, "lower the score threshold"),
    ],
)
def test_wrong_use_is_one_clear_line_and_writes_nothing(run, files, options, code, says):
    got, out, err = run("-c", files / "old.toml", "-o", files / "new.toml", *options)
    assert got == code
    assert says in " ".join(err.replace("│", " ").split())
    assert out == ""
    assert not (files / "new.toml").exists()


def test_inputs_are_needed_and_not_overwritten(run, files):
    assert run("-o", files / "new.toml")[0] == 2
    assert run("-c", files / "old.toml")[0] == 2
    before = (files / "old.toml").read_bytes()
    assert run("-c", files / "old.toml", "-o", files / "old.toml")[0] == 2
    assert (files / "old.toml").read_bytes() == before
