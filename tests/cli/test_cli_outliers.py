"""pose3d outliers and pose3d refine: what they say, and what they refuse."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pose3d.cli_console import register
from pose3d.cli_outliers import outliers, refine
from pose3d.data.keypoints import Keypoints2D
from pose3d.demo.hard_recording import make_hard_recording
from pose3d.io.dlc import write_dlc
from pose3d.labeling.queue import read_queue


@pytest.fixture(scope="module")
def app():
    made = typer.Typer()
    made.callback()(lambda: None)
    register(made, panel="x", examples=[])(outliers)
    register(made, panel="x", examples=[])(refine)
    return made


@pytest.fixture
def call(app, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments], prog_name="pose3d")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    truth = make_hard_recording(tmp_path_factory.mktemp("project"), seed=2, n_frames=16, size=(160, 120))
    xy = np.moveaxis(truth.rig.project(truth.xyz), 2, 1)[:, :, None].copy()
    xy[11, 2, 0, 6] += 50.0
    for number, name in enumerate(truth.rig.names):
        score = np.full((len(xy), 1, 1, xy.shape[3]), 0.9)
        view = Keypoints2D(xy[:, [number]], score, (name,), ("one",), truth.skeleton.keypoints)
        write_dlc(view, truth.folder / truth.session / "pose-2d" / f"walk_{name}.h5")
    return truth.folder


def test_outliers_are_told_and_then_prepared(call, folder):
    told = call("outliers", folder, "-n", 1, "--no-extract")
    assert told.exit_code == 0, told.stderr
    assert "session1/walk 11: LAnkle in cam3: " in told.stdout
    assert not (folder / "labeled-data").exists()
    made = json.loads(call("outliers", folder / "session1", "-n", 1, "--json").stdout)
    assert made["instants"][0]["frame"] == 11
    assert made["n_images"] == 4
    assert [item.frame for item in read_queue(folder / "labeled-data" / "queue.csv")] == [11]
    assert (folder / "labeled-data" / "walk_cam3" / "img11.png").is_file()


def test_bad_input_is_one_line(call, folder, tmp_path):
    for arguments, words in (
        (("outliers", tmp_path), "pose3d.toml"),
        (("outliers", folder, "--trial", "jump"), "no trial 'jump'"),
        (("refine", tmp_path), "pose3d.toml"),
        (("refine", folder, "--self-train"), "pose3d train"),
    ):
        result = call(*arguments)
        assert result.exit_code not in (0, None), arguments
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        assert len(lines) == 1, lines
        assert words in lines[0]
