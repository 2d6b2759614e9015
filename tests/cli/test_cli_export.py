"""export: many formats in one call, and what is said where one cannot be."""

import json

import numpy as np
import pytest

from pose3d.data import Keypoints3D, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.io.anipose_csv import write_pose3d
from pose3d.io.c3d import read_c3d
from pose3d.io.trc import read_trc

FORMATS = ("trc", "mot", "c3d", "nwb", "bvh", "glb", "parquet")


@pytest.fixture
def walk(tmp_path):
    rng = np.random.default_rng(1)
    _, _, frames = walk_body(make_person(rng), n_frames=20, fps=60.0, rng=rng)
    named = Skeleton.preset("halpe26")
    xyz = frames.keypoints(named)[:, None]
    write_pose3d(Keypoints3D.from_points(xyz, named.keypoints, ("one",), fps=60.0), tmp_path / "walk.csv")
    return tmp_path / "walk.csv"


def test_every_format_in_one_call(pose3d, walk, tmp_path) -> None:
    pytest.importorskip("pynwb", reason="pynwb is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    options = [part for name in FORMATS for part in (f"--{name}", tmp_path / "out" / f"walk.{name}")]
    outcome = pose3d("export", walk, *options, "--tidy", tmp_path / "out" / "walk.csv", "--json", "--midpoints")
    assert outcome.code == 0, outcome
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == sorted(
        [f"walk.{name}" for name in FORMATS] + ["walk.csv", "walk.csv.schema.json", "walk.parquet.schema.json"]
    )
    assert sorted(outcome.json["outputs"]) == [str(tmp_path / "out" / name) for name in files]
    assert "CHip" in read_trc(tmp_path / "out" / "walk.trc").keypoints
    assert json.loads((tmp_path / "out" / "walk.csv.schema.json").read_text())["source"] == "walk.csv"


def test_subjects_are_told(pose3d, walk, tmp_path) -> None:
    pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed")
    who = ("--subject-id", "m7", "--species", "Mus musculus", "--sex", "F", "--age", "P90D")
    when = ("--session-start", "2024-05-31T14:00+02:00")
    assert pose3d("export", walk, "--nwb", tmp_path / "a.nwb", *who, *when, "--limb", "LHip,LKnee").code == 0
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as stream:
        content = stream.read()
        assert content.session_start_time.isoformat() == "2024-05-31T14:00:00+02:00"
        told = content.subject
        assert (told.subject_id, told.species, told.sex, told.age) == ("m7", "Mus musculus", "F", "P90D")
        assert len(content.processing["behavior"]["Skeletons"].skeletons["skeleton"].edges) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "--trc"),
        (["--trc", "a.c3d"], ".trc"),
        (["--mot", "a.trc"], ".mot"),
        (["--tidy", "a.parquet"], ".csv"),
        (["--glb", "a.gltf"], ".glb"),
        (["--trc", "a.trc", "--events", "e.csv"], "--c3d"),
        (["--nwb", "a.nwb", "--sex", "x"], "M, F, O"),
        (["--nwb", "a.nwb", "--session-start", "yesterday"], "is no time"),
        (["--bvh", "a.bvh", "--limb", "LHip"], "no pair"),
        (["--trc", "a.trc", "--unit", "cm"], "m or mm"),
        (["--trc", "a.trc", "--up", "x"], "z or y"),
    ],
)
def test_wrong_use_of_the_formats(pose3d, walk, tmp_path, monkeypatch, options, told) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = pose3d("export", walk, *options)
    assert (outcome.code, told in outcome.err) == (2, True), outcome
    assert {path.name for path in tmp_path.iterdir()} == {"walk.csv", "walk.uncertainty.csv"}


def test_an_export_never_overwrites_what_it_reads(pose3d, walk) -> None:
    outcome = pose3d("export", walk, "--tidy", walk)
    assert (outcome.code, "would be overwritten" in outcome.err) == (2, True)


def test_what_is_missing_is_said_in_one_line(refused, tmp_path) -> None:
    xyz = np.random.default_rng(0).normal(size=(9, 1, 2, 3))
    write_pose3d(Keypoints3D.from_points(xyz, ("nose", "tail"), ("mouse",)), tmp_path / "mouse.csv")
    for name in ("trc", "c3d", "bvh", "glb", "nwb"):
        assert "--fps" in refused("export", tmp_path / "mouse.csv", f"--{name}", tmp_path / f"a.{name}")
    assert "no angle" in refused("export", tmp_path / "mouse.csv", "--mot", tmp_path / "a.mot", "--fps", 50)
    (tmp_path / "angles.csv").write_text("nonsense")
    refused("export", tmp_path / "mouse.csv", "--mot", tmp_path / "a.mot", "--angles", tmp_path / "angles.csv")


def test_a_c3d_keeps_its_own_events(pose3d, recordings, tmp_path) -> None:
    source = recordings / "gait-lab" / "children" / "HC030A" / "Straight_HC030A05.c3d"
    assert pose3d("export", source, "--c3d", tmp_path / "a.c3d").code == 0
    assert len(read_c3d(tmp_path / "a.c3d").events) == 8
    (tmp_path / "none.csv").write_text("time_s,limb,kind\n3.0,L,strike\n")
    outcome = pose3d("export", source, "--c3d", tmp_path / "b.c3d", "--events", tmp_path / "none.csv")
    assert outcome.code == 0, outcome
    assert read_c3d(tmp_path / "b.c3d").events.time_s.tolist() == [3.0]
