"""From a DeepLabCut project to a network and its keypoints, by the commands alone."""

import csv
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from pose3d.data.labels import Mark
from pose3d.io.dlc import read_dlc
from pose3d.io.video import write_video
from pose3d.network.model_folder import read_model
from pose3d.network.training_settings import TrainingSettings
from pose3d.project import Project
from pose3d.project.labels import load_labels, save_labels

pytestmark = pytest.mark.slow

PARTS = ("sun", "box")
CAMERAS = ("camA", "camB")
SIZE, N_FRAMES = (128, 96), 24
CONFIG = """\
Task: sky
scorer: anna
date: Jan31
multianimalproject: false
identity:
project_path: C:\\Users\\anna\\sky-anna-2024-01-31
video_sets:
  C:\\Users\\anna\\sky-anna-2024-01-31\\videos\\walk_camA.mp4:
    crop: 0, 128, 0, 96
  C:\\Users\\anna\\sky-anna-2024-01-31\\videos\\walk_camB.mp4:
    crop: 0, 128, 0, 96
bodyparts:
- sun
- box
start: 0
stop: 1
numframes2pick: 6
skeleton:
- - sun
  - box
TrainingFraction:
- 0.95
iteration: 0
default_net_type: resnet_50
"""


# A class of settings that looks at the error, and saves, every two steps; what no option sets is smaller too.
QUICK = """
import dataclasses
import pose3d.network.training as training

@dataclasses.dataclass(frozen=True)
class Quick(training.TrainingSettings):
    check_every: int = 2
    crop: int = 64
    frozen_share: float = 0.0

training.TrainingSettings = Quick
"""
# `pose3d train` that waits when it has saved its state, to be killed there.
HELD = """
import sys, time
from pose3d.cli import main

class Held(training.Checkpoints):
    def save(self, state):
        super().save(state)
        time.sleep(600)

training.Checkpoints = Held
sys.exit(main())
"""


def places(camera, frame):
    """Where the sun and the box are, px."""
    late = 7.0 * CAMERAS.index(camera)
    return np.array([[25 + 2.0 * frame, 30 + late], [100 - 2.5 * frame, 70 - late]])


def draw(camera, frame):
    rng = np.random.default_rng(CAMERAS.index(camera))
    image = cv2.GaussianBlur(rng.integers(60, 160, (SIZE[1], SIZE[0], 3)).astype(np.uint8), (0, 0), 2)
    (x, y), box = places(camera, frame)
    cv2.circle(image, (round(16 * x), round(16 * y)), 16 * 7, (250, 250, 250), -1, cv2.LINE_AA, 4)
    low, high = np.round(box - 7).astype(int), np.round(box + 7).astype(int)
    image[low[1] : high[1], low[0] : high[0]] = 10
    return image


@pytest.fixture
def dlc(tmp_path):
    """A project as DeepLabCut leaves it: two videos of one recording, six labelled frames of each."""
    root = tmp_path / "Größe" / "sky-anna-2024-01-31"
    names = ["scorer", "bodyparts", "coords"]
    columns = pd.MultiIndex.from_product([["anna"], PARTS, ["x", "y"]], names=names)
    for camera in CAMERAS:
        video = root / "videos" / f"walk_{camera}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        write_video(video, (draw(camera, frame) for frame in range(N_FRAMES)), fps=20)
        folder = root / "labeled-data" / video.stem
        folder.mkdir(parents=True)
        frames = range(1, N_FRAMES, 4)
        for frame in frames:
            (folder / f"img{frame:02d}.png").write_bytes(cv2.imencode(".png", draw(camera, frame))[1].tobytes())
        index = pd.MultiIndex.from_tuples([("labeled-data", video.stem, f"img{frame:02d}.png") for frame in frames])
        values = np.stack([places(camera, frame).ravel() for frame in frames])
        table = pd.DataFrame(values, columns=columns, index=index)
        table.to_csv(folder / "CollectedData_anna.csv")
        table.to_hdf(folder / "CollectedData_anna.h5", key="df_with_missing", mode="w")
    (root / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return root


def digests(root):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}


def train_and_kill(*arguments, state):
    """Train in a process of its own until a state is saved, then end it as a power cut would."""
    command = [sys.executable, "-c", QUICK + HELD, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
    try:
        deadline = time.monotonic() + 300
        while not state.exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()


def test_a_deeplabcut_project_becomes_a_network_and_keypoints_though_training_is_killed(pose3d, dlc, monkeypatch):
    theirs = digests(dlc)

    def run(*arguments):
        outcome = pose3d(*arguments, "--json")
        assert outcome.code == 0, outcome
        return outcome.json

    adopted = run("init", dlc)
    assert adopted["adopted"].startswith("DeepLabCut")
    picked = run("extract", dlc, "-n", 2, "--method", "uniform")
    (trial,) = picked["trials"]
    assert picked["n_images"] == 4

    project = Project.load(dlc)
    images = load_labels(project, unlabelled=True)
    assert len(images) == 16
    new = [i for i, image in enumerate(images.labels.images) if image.frame in trial["instants"]]
    labels = images.labels.take(new)
    xy = np.stack([places(images.cameras[i], int(images.frames[i])) for i in new])[:, None]
    save_labels(
        project, type(labels)(labels.images, labels.individuals, PARTS, xy, np.full(xy.shape[:3], Mark.VISIBLE))
    )

    command = ["train", dlc, "--steps", 4, "--batch-size", 2, "--threads", 1]
    model = dlc / "models" / "default"
    train_and_kill(*command, state=model / "training.partial" / "step-00000002.json")
    assert not (model / "model.toml").exists()
    metrics = (model / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert len(metrics) == 2
    monkeypatch.setattr("pose3d.network.training.TrainingSettings", TrainingSettings)  # to be put back
    exec(QUICK, {"__name__": "quick"})
    trained = run(*command)
    assert (trained["steps"], trained["resumed_at"]) == (4, 2)
    rows = (model / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert rows[:2] == metrics
    assert [row["step"] for row in csv.DictReader(rows)] == ["2", "4"]
    assert not (model / "training.partial").exists()
    assert trained["train_images"] + trained["held_out_images"] <= 16
    assert trained["held_out_images"] >= 2
    assert read_model(model)[0].spec.keypoints == PARTS

    measured = run("evaluate", dlc)
    assert Path(measured["table"]).is_file()
    assert Path(measured["page"]).stat().st_size > 10_000

    made = run("analyze", dlc)
    assert [video["n_frames"] for video in made["videos"]] == [N_FRAMES] * 2
    for camera in CAMERAS:
        found = read_dlc(dlc / "pose-2d" / f"walk_{camera}.h5", camera=camera)
        assert found.keypoints == PARTS
        assert np.isfinite(found.xy).all()
        assert list(pd.read_hdf(dlc / "pose-2d" / f"walk_{camera}.h5").columns.levels[0]) == ["pose3d_default"]
    assert {path: digest for path, digest in digests(dlc).items() if path in theirs} == theirs
