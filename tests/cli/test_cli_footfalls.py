"""footfalls: from points of a trotting animal to a table of strides and a diagram."""

import csv

import numpy as np
import pytest

from pose3d.data import Keypoints3D
from pose3d.io.anipose_csv import write_pose3d
from pose3d.io.events import read_events

LIMBS = "LH=hind_l,LF=fore_l,RH=hind_r,RF=fore_r"
PHASES = {"hind_l": 0.0, "fore_l": 0.5, "hind_r": 0.5, "fore_r": 0.0}


@pytest.fixture
def trot(tmp_path):
    """A trot of 0.28 s a stride, 300 mm/s, duty factor 0.45."""
    fps, d, duty = 250.0, 0.28, 0.45
    time, rng = np.arange(1000) / fps, np.random.default_rng(0)
    places = []
    for paw, phase in PHASES.items():
        n = np.floor(time / d - phase)
        part = np.clip((time / d - phase - n - duty) / (1 - duty), 0, 1)
        x = 300 * d * (n + phase + duty / 2 + (1 - np.cos(np.pi * part)) / 2) + 30 * ("fore" in paw)
        y = np.full(len(time), 15.0 if paw.endswith("l") else -15.0)
        places.append(np.stack([x, y, 8 * np.sin(np.pi * part)], -1) + rng.normal(0, 0.2, (len(time), 3)))
    places.append(np.stack([300 * time, 0 * time, 0 * time + 40], -1))
    xyz = np.stack(places, axis=1)[:, None]
    path = tmp_path / "mouse.csv"
    write_pose3d(Keypoints3D.from_points(xyz, (*PHASES, "back"), ("mouse",), fps=fps), path)
    return path


def test_footfalls_of_a_trot(pose3d, trot, tmp_path) -> None:
    target, steps, picture = tmp_path / "strides.csv", tmp_path / "events.csv", tmp_path / "steps.svg"
    outcome = pose3d(
        *("footfalls", trot, "--limbs", LIMBS, "--body", "back", "-o", target),
        *("--write-events", steps, "--diagram", picture),
    )
    assert outcome.code == 0, outcome
    assert "duty factor" in outcome.out
    assert "####" in outcome.out
    with target.open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 40
    for limb, paw in (pair.split("=") for pair in LIMBS.split(",")):
        own = [row for row in rows if row["limb"] == limb]
        assert np.mean([float(row["duty_factor"]) for row in own]) == pytest.approx(0.45, abs=0.02)
        assert np.mean([float(row["stride_length_mm"]) for row in own]) == pytest.approx(84, abs=1)
        phases = np.array([float(row["phase"]) for row in own if row["phase"]])
        assert abs((phases - PHASES[paw] + 0.5) % 1 - 0.5).max() < 0.02
    assert len(read_events(steps)) > 80
    assert picture.read_text().lstrip().startswith("<?xml")
    again = pose3d("footfalls", trot, "--limbs", LIMBS, "--events", steps, "-o", tmp_path / "b.csv", "--json")
    told = again.json["individuals"]["mouse"]
    assert list(told) == ["LH", "LF", "RH", "RF"]
    assert told["LF"]["phase"] == pytest.approx(0.5, abs=0.01)
    assert told["LF"]["phase_alike"] > 0.99
    assert told["LF"]["n_strides"] == sum(row["limb"] == "LF" for row in rows)


def test_wrong_use_of_footfalls(pose3d, refused, trot, tmp_path) -> None:
    target = tmp_path / "strides.csv"
    for limbs in ("LF", "LF=", "LF=fore_l", "LF=fore_l,LF=fore_r"):
        assert pose3d("footfalls", trot, "--limbs", limbs, "-o", target).code == 2
    assert pose3d("footfalls", trot, "--limbs", LIMBS).code == 2
    assert pose3d("footfalls", trot, "--limbs", LIMBS, "-o", trot).code == 2
    assert "'paw' is not in the data" in refused("footfalls", trot, "--limbs", "A=paw,B=hind_l", "-o", target)
    assert "same keypoint" in refused("footfalls", trot, "--limbs", "A=hind_l,B=hind_l", "-o", target)
    assert pose3d("footfalls", trot, "--limbs", LIMBS, "--diagram", tmp_path / "a.txt", "-o", target).code == 2
    assert not target.exists()


def test_an_animal_that_stands_has_no_strides(pose3d, tmp_path) -> None:
    rng = np.random.default_rng(0)
    xyz = np.array([[0, 15, 0], [30, 15, 0], [0, -15, 0]]) + rng.normal(0, 0.2, (300, 1, 3, 3))
    path = tmp_path / "still.csv"
    write_pose3d(Keypoints3D.from_points(xyz, ("a", "b", "c"), ("mouse",), fps=100.0), path)
    outcome = pose3d("footfalls", path, "--limbs", "A=a,B=b,C=c", "-o", tmp_path / "strides.csv")
    assert outcome.code == 0, outcome
    assert "no stride" in outcome.out
    assert (tmp_path / "strides.csv").read_text().count("\n") == 1
