"""render: from the command line, with its summary and its refusals."""

import cv2
import numpy as np
import pytest

from pose3d.data import Keypoints3D, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.io.anipose_csv import write_pose3d
from pose3d.io.video import VideoFile


@pytest.fixture
def walk_csv(tmp_path):
    skeleton, rng = Skeleton.preset("halpe26"), np.random.default_rng(0)
    _, _, frames = walk_body(make_person(rng), n_frames=30, fps=50.0, rng=rng)
    points = Keypoints3D.from_points(frames.keypoints(skeleton)[:, None], skeleton.keypoints, ("one",), fps=50.0)
    write_pose3d(points, tmp_path / "walk.csv")
    return tmp_path / "walk.csv"


SIZE = ("--size", "192x144", "--processes", "1")


def test_render_writes_a_video_and_says_so(pose3d, walk_csv, tmp_path) -> None:
    told = pose3d("render", walk_csv, "-o", tmp_path / "a.mp4", *SIZE, "--angles", "knee_flexion", "--json").json
    assert (told["n_pictures"], told["fps"], told["size"], told["renderer"]) == (30, 50, [192, 144], "painter")
    assert VideoFile(tmp_path / "a.mp4").n_frames == 30
    outcome = pose3d("render", walk_csv, "-o", tmp_path / "b.mp4", *SIZE, "--frames", "5:15", "--speed", "0.5")
    assert outcome.code == 0
    assert "20 pictures of walk" in outcome.out


@pytest.mark.parametrize("view", ["front", "side", "top", "grid"])
def test_render_writes_pictures_of_every_side(pose3d, walk_csv, tmp_path, view) -> None:
    more = ("--view", view, "--frames", "7", "--centre-of-mass", "--angles", "all", "--trail", "0", "--plain")
    assert pose3d("render", walk_csv, "-o", tmp_path / "a.png", *SIZE, *more).code == 0
    image = cv2.imread(str(tmp_path / "a.png"))
    assert image.shape == (144, 192, 3)
    assert image.max() > 150


def test_render_shows_two_recordings_at_once(pose3d, walk_csv, tmp_path) -> None:
    for name, more in (("one", ()), ("two", ("--second", walk_csv, "--shift", "500", "--raw", walk_csv))):
        assert pose3d("render", walk_csv, "-o", tmp_path / f"{name}.png", *SIZE, "--view", "front", *more).code == 0
    one, two = (cv2.imread(str(tmp_path / f"{name}.png")).astype(int) for name in ("one", "two"))
    assert (np.abs(one - two).max(-1) > 30).sum() > 100


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--view", "sideways"], "orbit, front"),
        (["--frames", "20:90"], "0:30"),
        (["--frames", "a:b"], "100:250"),
        (["--renderer", "crayon"], "painter"),
        (["--video", "left.mp4"], "CAM=FILE"),
        (["--size", "20x20"], "64"),
        (["--size", "large"], "--size"),
    ],
)
def test_render_refuses_what_it_cannot_do(pose3d, walk_csv, tmp_path, arguments, told) -> None:
    outcome = pose3d("render", walk_csv, "-o", tmp_path / "a.mp4", *arguments)
    assert outcome.code in (1, 2)
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "a.mp4").exists()


def test_render_says_what_is_missing_and_never_writes_over_an_input(pose3d, walk_csv, tmp_path) -> None:
    before = walk_csv.read_bytes()
    assert pose3d("render", walk_csv).code == 2
    assert pose3d("render", walk_csv, "-o", walk_csv).code == 2
    assert walk_csv.read_bytes() == before
    outcome = pose3d("render", walk_csv, "-o", tmp_path / "a.png", *SIZE, "-c", tmp_path / "none.toml")
    assert outcome.code == 0
    assert "cameras left out" in outcome.err
    broken = tmp_path / "broken.csv"
    broken.write_text("a,b\n1", encoding="utf-8")
    outcome = pose3d("render", broken, "-o", tmp_path / "b.mp4")
    assert outcome.code == 1
    assert len(outcome.err.strip().splitlines()) == 1
    assert "broken.csv" in outcome.err
