"""init on projects of other programs, and extract."""

import json

import numpy as np
import pytest

from pose3d.io.video import write_video

DLC = "scorer: anna\nbodyparts: [snout, tail]\nskeleton: [[snout, tail]]\nvideo_sets: {}\n"


def put_video(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.full((40, 48, 64, 3), 80, np.uint8)
    for i, (x, y) in enumerate(np.random.default_rng(seed).integers(0, 38, (40, 2))):
        frames[i, y : y + 8, x : x + 8] = 220
    write_video(path, frames, fps=20)


@pytest.fixture
def folder(pose3d, tmp_path):
    root = tmp_path / "Projekt ü"
    assert pose3d("init", root, "--quiet").code == 0
    for session in ("mon", "tue"):
        for i, camera in enumerate(("left", "right")):
            put_video(root / session / "videos-raw" / f"walk_{camera}.mp4", seed=i)
    return root


def test_extract_says_what_it_did_and_what_comes_next(pose3d, folder) -> None:
    outcome = pose3d("extract", folder, "--n", 6)
    assert outcome.code == 0, outcome
    assert "mon/walk: 3 instants, 6 images" in outcome.out
    assert f"written: 12 images in {folder / 'labeled-data'}" in outcome.out
    assert f"next: pose3d label {folder}" in outcome.out
    assert len(list((folder / "labeled-data").rglob("img*.png"))) == 12


def test_extract_of_one_session_for_scripts(pose3d, folder) -> None:
    outcome = pose3d("extract", folder / "tue", "-n", 4, "--method", "uniform", "--json")
    assert outcome.code == 0, outcome
    (trial,) = outcome.json["trials"]
    assert trial["recording"] == "tue/walk"
    assert trial["instants"] == [4, 14, 24, 34]
    assert outcome.json["n_images"] == 8
    assert json.dumps(outcome.json["trials"][0]["images"])
    again = pose3d("extract", folder / "tue" / "videos-raw", "--at", "4,24", "--json").json
    assert (again["n_instants"], again["n_images"]) == (2, 0)
    at = pose3d("extract", folder / "mon", "--at", "0.5s,39", "--json").json
    assert at["trials"][0]["instants"] == [10, 39]


def test_extract_runs_in_the_projects_folder(pose3d, folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    outcome = pose3d("extract", ".", "--n", 2, "--json")
    assert [trial["recording"] for trial in outcome.json["trials"]] == ["mon/walk", "tue/walk"]
    monkeypatch.chdir(folder / "mon")
    outcome = pose3d("extract", ".", "--n", 2, "--json")
    assert [trial["recording"] for trial in outcome.json["trials"]] == ["mon/walk"]


def test_wrong_options_of_extract(pose3d, folder) -> None:
    for options, expected in (
        (["--method", "random"], "'kmeans', 'uniform'"),
        (["--n", "0"], "--n"),
        (["--at", " , "], "times are needed"),
    ):
        outcome = pose3d("extract", folder, *options)
        assert outcome.code == 2
        assert expected in outcome.err
    outcome = pose3d("extract", folder, "--at", "3")
    assert outcome.code == 1
    assert "name the one by --trial" in outcome.err


@pytest.mark.parametrize(
    ("options", "expected"),
    [(["--at", "soon"], "is no time"), (["--method", "uncertain"], "pose-2d"), (["--trial", "run"], "no trial 'run'")],
)
def test_extract_that_cannot_be_done_leaves_no_trace(refused, folder, options, expected) -> None:
    assert expected in refused("extract", folder / "mon", *options)


def test_a_folder_in_no_project(refused, tmp_path) -> None:
    (tmp_path / "lonely").mkdir()
    assert "pose3d init" in refused("extract", tmp_path / "lonely")
    assert "no such folder" in refused("extract", tmp_path / "none")


def test_init_adopts_the_deeplabcut_project_in_its_folder(pose3d, tmp_path) -> None:
    root = tmp_path / "reach-anna"
    put_video(root / "videos" / "m3.mp4")
    (root / "config.yaml").write_text(DLC, encoding="utf-8")
    outcome = pose3d("init", root)
    assert outcome.code == 0, outcome
    assert f"adopted DeepLabCut: {root / 'config.yaml'}" in outcome.out
    assert "2 keypoints; labels by anna" in outcome.out
    assert "next: pose3d extract" in outcome.out
    made = pose3d("extract", root, "-n", 3, "--json")
    assert made.code == 0, made
    assert made.json["labeled_data"] == str(root / "pose3d-labels")
    assert made.json["n_images"] == 3
    assert (root / "config.yaml").read_text(encoding="utf-8") == DLC


def test_init_from_another_place(pose3d, refused, tmp_path) -> None:
    root = tmp_path / "reach-anna"
    (root / "labeled-data").mkdir(parents=True)
    (root / "config.yaml").write_text(DLC, encoding="utf-8")
    outcome = pose3d("init", tmp_path / "new", "--from", root, "--cam-regex", "_(cam[0-9])$", "--json")
    assert outcome.code == 0, outcome
    assert outcome.json["config"] == str(tmp_path / "new" / "pose3d.toml")
    text = (tmp_path / "new" / "pose3d.toml").read_text(encoding="utf-8")
    assert 'cam_regex = "_(cam[0-9])$"' in text
    assert 'keypoints = ["snout", "tail"]' in text
    assert 'adopted = ["../reach-anna"]' in text
    assert "is no project of DeepLabCut" in refused("init", tmp_path / "third", "--from", tmp_path / "new")


def test_init_with_a_regex_alone(pose3d, refused, tmp_path) -> None:
    assert pose3d("init", tmp_path / "a", "--cam-regex", "-([A-Z])$").code == 0
    assert 'cam_regex = "-([A-Z])$"' in (tmp_path / "a" / "pose3d.toml").read_text(encoding="utf-8")
    assert "needs one group" in refused("init", tmp_path / "b", "--cam-regex", "x")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["train"], "labeled-data: nothing is labelled yet; begin with pose3d extract and pose3d label"),
        (["evaluate"], "default: is not trained yet; label frames and run pose3d train"),
        (["analyze"], "default: is not trained yet; label frames and run pose3d train"),
        (["refine"], "nothing is labelled and there is no network yet; begin with pose3d extract"),
        (["outliers"], "pose3d analyze"),
    ],
)
def test_what_comes_too_early_says_what_comes_first(pose3d, folder, command, told) -> None:
    assert pose3d("extract", folder, "-n", 2).code == 0
    outcome = pose3d(*command, folder)
    assert (outcome.code, outcome.out) == (1, "")
    assert told in outcome.err
    assert outcome.err.count("\n") == 1
