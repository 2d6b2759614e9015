"""From an empty project to a trained network: frames are extracted, labelled by clicks, learnt from and found again."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pose3d.cli import app
from pose3d.data.labels import Mark
from pose3d.demo.rig import make_rig
from pose3d.io.calibration_toml import write_calibration
from pose3d.io.dlc import read_dlc
from pose3d.io.video import write_video
from pose3d.network.model_folder import read_model
from pose3d.project import Project, write_config
from pose3d.project.labels import load_labels

pytestmark = pytest.mark.slow

SIZE, N_FRAMES = (320, 240), 10
PARTS = ("nose", "hip_l", "hip_r")
COLOURS = ((40, 40, 220), (220, 60, 40), (40, 200, 60))
START = np.array([[100.0, 20, 1600], [20, 130, 900], [0, -130, 910]])


def command(*arguments):
    """Run a command in a process of its own: TensorFlow and a browser do not share one."""
    code = "import sys; from pose3d.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def recorded(tmp_path):
    """A project with four videos, a calibration, the keypoints' names, and nothing else; and where the points are."""
    rig = make_rig(seed=3, size=SIZE)
    steps = np.arange(N_FRAMES)[:, None, None] * np.array([20.0, 4.0, -3.0])
    places = rig.project(START + steps)  # (frames, keypoints, cameras, 2)
    root = tmp_path / "project"
    background = np.random.default_rng(0).integers(90, 130, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for c, name in enumerate(rig.names):
        images = []
        for frame in range(N_FRAMES):
            images.append(background.copy())
            for (x, y), colour in zip(places[frame, :, c], COLOURS, strict=True):
                cv2.circle(images[-1], (round(x), round(y)), 5, colour, -1)
        video = root / "session1" / "videos-raw" / f"walk_{name}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        write_video(video, images, fps=25)
    write_calibration(rig, root / "session1" / "calibration" / "calibration.toml")
    write_config(root, {"skeleton": {"keypoints": PARTS, "pairs": [["hip_l", "hip_r"]]}})
    return root, rig, places


def test_labels_just_clicked_train_a_network_that_finds_keypoints_in_the_videos(recorded, serve, visit):
    root, rig, places = recorded
    frames = (2, 8)
    done = CliRunner().invoke(app, ["extract", str(root), "--at", ",".join(map(str, frames))])
    assert done.exit_code == 0, done.stderr

    server = serve(root)
    page = visit(server.url)
    for instant, frame in enumerate(frames):
        page.wait(f"pose3dLabel.current === {instant}")
        order = page.value("pose3dLabel.views.map((view) => view.camera)")
        for keypoint in range(len(PARTS)):
            page.page.evaluate(f"() => pose3dLabel.choose({keypoint})")
            for view in (0, 3):
                page.click(view, places[frame, keypoint, rig.names.index(order[view])])
            page.press("Enter")
        page.page.keyboard.press("ArrowRight")
    assert server.end().count("written: ") == 4
    images = load_labels(Project.load(root))
    assert (images.labels.mark == Mark.VISIBLE).sum() == 2 * 4 * len(PARTS)

    said = command("train", root, "--steps", 3, "--batch-size", 2, "--threads", 1)
    assert "3 steps" in said
    model, _ = read_model(root / "models" / "default")
    assert model.spec.keypoints == PARTS
    assert model.spec.pairs == (("hip_l", "hip_r"),)

    command("analyze", root / "session1", "--workers", 1)
    for camera in rig.names:
        found = read_dlc(root / "session1" / "pose-2d" / f"walk_{camera}.h5", camera=camera)
        assert found.keypoints == PARTS
        assert found.xy.shape == (N_FRAMES, 1, 1, len(PARTS), 2)
        assert np.isfinite(found.xy).all()
