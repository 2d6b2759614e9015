import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from pose3d.cli_analyze import analyze
from pose3d.cli_console import register
from pose3d.io.dlc import read_dlc
from pose3d.io.video import write_video
from pose3d.network.blazepose import analyze as people


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Outcome]:
    """Run the command in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("POSE3D_CACHE", str(tmp_path / "cache"))
    app = typer.Typer(rich_markup_mode="rich")
    register(app, panel="", examples=[])(analyze)

    def call(*arguments: object) -> Outcome:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture(scope="session")
def dots() -> Path:
    """A network that finds dots of four colours."""
    return Path(__file__).parents[1] / "network" / "dots"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red dot that walks."""
    path = tmp_path_factory.mktemp("clips") / "walk_camA.mp4"
    rows, columns = np.mgrid[:96, :128]
    images = []
    for i in range(20):
        blob = np.exp(-((columns - 30 - 3 * i) ** 2 + (rows - 50) ** 2) / 100)[..., None]
        images.append((90 * (1 - blob) + blob * [30, 30, 255]).round().astype(np.uint8))
    write_video(path, images, fps=30)
    return path


@pytest.fixture
def project(tmp_path: Path, dots: Path, clip: Path) -> Path:
    folder = tmp_path / "Größe 1"
    raw = folder / "monday" / "videos-raw"
    raw.mkdir(parents=True)
    (folder / "pose3d.toml").write_text('[project]\nfps = 30\n[analysis]\nn_peaks = 2\n[network]\nmodel = "mine"\n')
    shutil.copytree(dots, folder / "models" / "mine")
    for name in ("walk_camA.mp4", "walk_camB.mp4"):
        shutil.copyfile(clip, raw / name)
    return folder


def test_one_video_to_one_file(run: Callable[..., Outcome], clip: Path, dots: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "X.h5"
    done = run(clip, "--model", dots, "-o", output, "--json")
    assert done.code == 0, done.err
    (video,) = json.loads(done.out)["videos"]
    assert (video["n_frames"], video["output"], video["precision"]) == (20, str(output), "int8")
    red = read_dlc(output, camera="camA").xy[:, 0, 0, 0]
    np.testing.assert_allclose(red, np.stack([30 + 3 * np.arange(20), np.full(20, 50)], axis=1), atol=3)


def test_second_call_says_that_nothing_is_to_do(
    run: Callable[..., Outcome], clip: Path, dots: Path, tmp_path: Path
) -> None:
    arguments = (clip, "--model", dots, "-o", tmp_path / "X.h5")
    assert "20 frames at" in run(*arguments).out
    again = run(*arguments)
    assert again.code == 0
    assert "is up to date" in again.out


def test_session_gets_its_pose_2d(run: Callable[..., Outcome], project: Path) -> None:
    done = run(project / "monday", "--json")
    assert done.code == 0, done.err
    made = sorted(path.name for path in (project / "monday" / "pose-2d").iterdir())
    assert made == ["walk_camA.h5", "walk_camB.h5"]
    table = pd.read_hdf(project / "monday" / "pose-2d" / "walk_camB.h5")
    assert {"x2", "likelihood2"} <= set(table.columns.get_level_values("coords"))
    assert [Path(video["output"]).name for video in json.loads(done.out)["videos"]] == made


def test_files_of_other_programs_are_left_alone(run: Callable[..., Outcome], project: Path) -> None:
    pose = project / "monday" / "pose-2d"
    pose.mkdir()
    columns = pd.MultiIndex.from_product([["DLC"], ["nose"], ["x", "y", "likelihood"]])
    other = pose / "walk_camADLC_resnet50_gaitJan1shuffle1_100000.h5"
    pd.DataFrame(np.ones((3, 3)), columns=columns).to_hdf(other, key="df_with_missing")
    before = other.read_bytes()
    done = run(project, "--json")
    assert done.code == 0, done.err
    assert "walk_camA.mp4: left out" in done.err
    assert sorted(path.name for path in pose.iterdir()) == [other.name, "walk_camB.h5"]
    assert other.read_bytes() == before
    assert json.loads(done.out)["left_alone"] == [str(other)]


def test_video_of_a_project_finds_its_networks(run: Callable[..., Outcome], project: Path, tmp_path: Path) -> None:
    video = project / "monday" / "videos-raw" / "walk_camA.mp4"
    assert run(video, "--model", "mine", "-o", tmp_path / "X.h5").code == 0
    assert run(video, "-o", tmp_path / "Y.h5").code == 0


def test_unknown_network_names_those_there_are(run: Callable[..., Outcome], project: Path) -> None:
    done = run(project / "monday", "--model", "minne")
    assert done.code == 1
    assert "minne: no such network; trained here: mine; ready ones: blazepose-full" in done.err
    assert "imagenet" not in done.err
    assert not (project / "monday" / "pose-2d").exists()


def test_one_bad_video_does_not_keep_the_others(
    run: Callable[..., Outcome], clip: Path, dots: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(clip.read_bytes()[:2000])
    done = run(bad, clip, "--model", dots, "-o", tmp_path / "out", "--workers", 1, "--json")
    assert done.code == 1
    assert [line for line in done.err.splitlines() if "error" in line and "bad.mp4" in line]
    result = json.loads(done.out)
    assert [Path(video["output"]).name for video in result["videos"]] == ["walk_camA.h5"]
    assert result["failed"][0]["video"] == str(bad)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["walk_camA.h5"]


def test_wrong_usage_says_what_to_give(run: Callable[..., Outcome], clip: Path, dots: Path, project: Path) -> None:
    wrong = {
        ("--precision", "int4"): "int4",
        ("--device", "tpu"): "tpu",
        ("-o", "walk.csv"): "an .h5 is written",
    }
    for options, message in wrong.items():
        done = run(clip, "--model", dots, *options)
        assert done.code == 2
        assert message in done.err
    assert "a network is needed" in run(clip).err
    assert "would both become" in run(clip, clip, "--model", dots).err
    assert "name a folder" in run(clip, project, "--model", dots, "-o", "X.h5").err
    assert "knows where its files go" in run(project, "-o", "X.h5").err


def test_blazepose_is_given_videos_as_any_other(
    run: Callable[..., Outcome], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    for name in ("pose_detection.tflite", "pose_landmark.tflite"):
        (folder / name).write_bytes(b"x")
    asked = []

    def analyze_people(video: Path, output: Path, *, model: Path, progress: object) -> people.PeopleSummary:
        asked.append((video, output, model, callable(progress)))
        return people.PeopleSummary(video, output, 20, 33)

    monkeypatch.setattr(people, "analyze_people", analyze_people)
    done = run(clip, "--model", folder, "-o", tmp_path / "X.h5")
    assert done.code == 0, done.err
    assert asked == [(clip, tmp_path / "X.h5", folder, True)]
    assert "is for trained networks" in run(clip, "--model", folder, "-o", tmp_path / "X.h5", "--crop").err
