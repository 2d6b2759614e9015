"""report gait: from a session's folder to pages and tables, whatever the recordings are like."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pose3d.data import Keypoints3D, Skeleton
from pose3d.demo.person import make_person
from pose3d.demo.walk import walk_body
from pose3d.io.anipose_csv import write_pose3d
from pose3d.io.c3d import read_c3d
from pose3d.io.samples import SamplesWriter, samples_path
from pose3d.project import write_config

FPS = 100.0


@pytest.fixture
def make_session(tmp_path):
    """Write walks of the demo's person into a session; returns what writes one, and its folder."""
    write_config(tmp_path, {"skeleton": {"preset": "halpe26"}, "gait": {"subject": "P07"}}, overwrite=True)
    folder = tmp_path / "monday"
    skeleton = Skeleton.preset("halpe26")

    def add(name, *, seconds=5.0, samples=0, change=None, keep=None):
        person, rng = make_person(np.random.default_rng(7)), np.random.default_rng(len(name))
        _, _, frames = walk_body(person, n_frames=int(seconds * FPS), fps=FPS, rng=rng)
        xyz = frames.keypoints(skeleton)[:, None] + rng.normal(0, 0.3, (int(seconds * FPS), 1, 26, 3))
        names = [point for point in skeleton.keypoints if keep is None or keep(point)]
        xyz = xyz[:, :, [skeleton.keypoints.index(point) for point in names]]
        if change is not None:
            xyz = change(xyz, names)
        path = folder / "pose-3d" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_pose3d(Keypoints3D.from_points(xyz, tuple(names), ("one",), fps=FPS), path)
        if samples:
            writer = SamplesWriter(
                samples_path(path), n_samples=samples, individuals=("one",), keypoints=tuple(names), fps=FPS
            )
            writer.append(xyz[:, None] + rng.normal(0, 2, (1, samples, 1, len(names), 3)))
            writer.finish([path])
        return folder

    return add


def stand(xyz, _):
    return np.repeat(xyz[:1], len(xyz), axis=0)


def verdict_of(outcome):
    return " ".join([outcome.json["verdict"], *outcome.json["remarks"]])


def test_a_session_becomes_a_report(pose3d, make_session, tmp_path):
    folder = make_session("walk1", samples=40)
    outcome = pose3d("report", "gait", folder, "--date", "2026-11-23")
    assert outcome.code == 0, outcome
    assert "Nothing speaks against these numbers" in outcome.out
    assert f"written: {folder / 'reports' / 'gait.pdf'}" in outcome.out
    there = {path.name for path in (folder / "reports").iterdir()}
    assert {"gait.html", "gait.pdf", "gait.xlsx", "gait-parameters.csv", "gait-curves.csv", "gait-strides.csv"} <= there
    page = (folder / "reports" / "gait.html").read_text(encoding="utf-8")
    for words in ("P07, session monday, 2026-11-23, 1 recording", "not observable", "40 posterior samples"):
        assert words in page
    with (folder / "reports" / "gait-parameters.csv").open(encoding="utf-8") as stream:
        speed = next(row for row in csv.DictReader(stream) if row["parameter"] == "speed")
    assert float(speed["left_low_95"]) <= float(speed["left_mean"]) <= float(speed["left_high_95"])

    again = pose3d(
        *("report", "gait", folder, "-o", tmp_path / "out", "--no-pdf", "--json"),
        *("--subject", "X1", "--trial", "walk1"),
    )
    assert again.code == 0, again
    assert again.json["subject"] == "X1"
    assert again.json["grade"] == "good"
    assert again.json["strides"]["kept"]["L"] == int(speed["left_n"])
    assert again.json["parameters"]["speed"]["L"]["unit"] == "m/s"
    assert not (tmp_path / "out" / "gait.pdf").exists()


def test_bad_recordings_are_named_and_the_others_are_reported(pose3d, make_session):
    folder = make_session("good")
    make_session("still", change=stand)
    make_session("barefoot", keep=lambda name: "Heel" not in name)
    (folder / "pose-3d" / "empty.csv").touch()
    (folder / "pose-3d" / "foreign.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    outcome = pose3d("report", "gait", folder, "--no-pdf", "--json")
    assert outcome.code == 0, outcome
    refused = outcome.json["refused"]
    assert set(refused) == {"barefoot", "empty", "foreign"}
    assert "needs both heels" in refused["barefoot"]
    assert "is empty" in refused["empty"]
    assert "3 recordings could not be used" in verdict_of(outcome)
    assert "Without a stride, and so in no number: still." in verdict_of(outcome)
    assert outcome.err.count("pose3d: warning: ") == 3
    page = (folder / "reports" / "gait.html").read_text(encoding="utf-8")
    assert "needs both heels" in page
    assert str(folder.parent) not in page


def test_somebody_who_stands_has_a_report_that_says_so(pose3d, make_session):
    folder = make_session("stands", change=stand)
    outcome = pose3d("report", "gait", folder, "--no-pdf", "--json")
    assert outcome.code == 3, outcome
    assert "No stride can be measured" in verdict_of(outcome)
    assert "does somebody walk" in verdict_of(outcome)
    assert "no complete cycle" in (folder / "reports" / "gait.html").read_text(encoding="utf-8")


def test_a_walker_out_of_view_in_mid_cycle_loses_those_strides_only(pose3d, make_session):
    def hide(xyz, _):
        xyz = xyz.copy()
        xyz[220:310] = np.nan
        return xyz

    whole = pose3d("report", "gait", make_session("walk"), "--no-pdf", "--json").json["strides"]["kept"]
    outcome = pose3d("report", "gait", make_session("walk", change=hide), "--no-pdf", "--json")
    assert outcome.code == 0, outcome
    kept = outcome.json["strides"]["kept"]
    assert 0 < kept["L"] < whole["L"]
    assert outcome.json["parameters"]["stride_time"]["L"]["sd"] < 0.05  # no two strides taken for one
    page = next(iter(Path(path) for path in outcome.json["outputs"] if path.endswith(".html"))).read_text("utf-8")
    assert "a foot is out of view for part of it" in page


def test_exchanged_sides_fail(pose3d, make_session):
    def exchange(xyz, names):
        other = [names.index({"L": "R", "R": "L"}.get(name[0], name[0]) + name[1:]) for name in names]
        return xyz[:, :, other]

    outcome = pose3d("report", "gait", make_session("walk", change=exchange), "--no-pdf", "--json")
    assert outcome.code == 3, outcome
    assert "left and right are exchanged" in verdict_of(outcome)


def test_one_stride_is_reported_with_a_caveat(pose3d, make_session):
    outcome = pose3d("report", "gait", make_session("walk", seconds=2.6), "--no-pdf", "--json")
    assert outcome.code == 0, outcome
    assert outcome.json["grade"] == "warn"
    assert "a second walk may give other means" in verdict_of(outcome)


def test_wrong_use_of_report(pose3d, refused, make_session, tmp_path):
    folder = make_session("walk", seconds=2.6)
    assert pose3d("report").code == 2
    assert pose3d("report", "gait").code == 2
    assert pose3d("report", "gait", folder, "--norms-group", "Free").code == 2
    assert "no such" in refused("report", "gait", tmp_path / "tuesday")
    assert "no recording 'x'" in refused("report", "gait", folder, "--trial", "x")
    (tmp_path / "norms.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert "lacks the columns" in refused("report", "gait", folder, "--norms", tmp_path / "norms.csv")
    (folder / "pose-3d" / "walk.csv").write_text("", encoding="utf-8")
    assert "no recording can be used" in refused("report", "gait", folder)
    assert not (folder / "reports").exists()
    help_text = pose3d("report", "gait", "--help").out
    for words in ("--json", "Examples", "pose3d report gait", "--norms", "--no-pdf"):
        assert words in help_text


@pytest.mark.slow
def test_a_laboratorys_recordings_are_reported_with_norms(pose3d, recordings, tmp_path):
    children = recordings / "gait-lab" / "children" / "HC030A"
    write_config(tmp_path, {}, overwrite=True)
    (tmp_path / "flat.c3d").write_bytes(b"")
    assert pose3d("import", tmp_path / "visit", *sorted(children.glob("*.c3d"))).code == 0
    norms = recordings / "norms" / "Schwartz2008.json"
    outcome = pose3d(
        *("report", "gait", tmp_path / "visit", "--norms", norms, "--norms-group", "Free", "--no-pdf", "--json")
    )
    assert outcome.code == 0, outcome
    page = (tmp_path / "visit" / "reports" / "gait.html").read_text(encoding="utf-8")
    assert "Plug-in Gait" in page
    assert "not observable" not in page.split('id="page-4"')[0].split('id="page-3"')[1]
    with (tmp_path / "visit" / "reports" / "gait-scores.csv").open(encoding="utf-8") as stream:
        scores = {row["score"]: row for row in csv.DictReader(stream)}
    assert scores["overall"]["kind"] == "GPS"
    assert 3 < float(scores["overall"]["value_deg"]) < 12
    stored = read_c3d(children / "Straight_HC030A05.c3d").events
    with (tmp_path / "visit" / "reports" / "gait-events.csv").open(encoding="utf-8") as stream:
        told = [float(row["time_s"]) for row in csv.DictReader(stream) if row["recording"].startswith("Straight")]
    np.testing.assert_allclose(sorted(told), sorted(stored.time_s), atol=1e-3)
