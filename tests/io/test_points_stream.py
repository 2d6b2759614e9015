import hashlib
import json
import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pose3d.data import Keypoints3D, Status
from pose3d.errors import DataError, FormatError, Pose3DError
from pose3d.io.anipose_csv import read_pose3d, write_pose3d
from pose3d.io.fingerprint import fingerprint
from pose3d.io.points_stream import PointsWriter, partial_folder


def make(n_frames=60, keypoints=("hip", "knee"), individuals=("anna",), *, covariance=True, start=5, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n_frames, len(individuals), len(keypoints))
    status = rng.choice([Status.MISSING, Status.OBSERVED, Status.FILLED], shape, p=[0.2, 0.1, 0.7]).astype(np.uint8)
    missing = status == Status.MISSING
    A = rng.normal(size=(*shape, 3, 3))
    return Keypoints3D(
        np.where(missing[..., None], np.nan, rng.normal(size=(*shape, 3)) * 1e3),
        np.where(missing, np.nan, rng.random(shape)),
        np.where(missing, 0, rng.integers(0, 5, shape)),
        np.where(missing, np.nan, rng.random(shape)),
        status,
        individuals,
        keypoints,
        np.where(missing[..., None, None], np.nan, A @ A.swapaxes(-1, -2)) if covariance else None,
        60.0,
        start,
    )


def part(points, first, last):
    span = slice(first, last)
    return replace(
        points,
        xyz=points.xyz[span],
        error=points.error[span],
        n_cameras=points.n_cameras[span],
        score=points.score[span],
        status=points.status[span],
        covariance=None if points.covariance is None else points.covariance[span],
        start=points.start + first,
    )


def writer_for(points, path, *, key="one", total=None):
    return PointsWriter(
        path,
        keypoints=points.keypoints,
        individuals=points.individuals,
        total_frames=points.n_frames if total is None else total,
        fingerprint=key,
        fps=points.fps,
        start=points.start,
    )


def fill(writer, points, size, until=None):
    until = points.n_frames if until is None else until
    while writer.done_frames < until:
        first = writer.done_frames
        writer.append(part(points, first, min(first + size, until)), {"sum": first, "text": ["a", "bc"]})


def same_files(a, b):
    names = sorted(path.name for path in a.iterdir())
    assert names == sorted(path.name for path in b.iterdir())
    for name in names:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


@pytest.mark.parametrize("covariance", [False, True])
@pytest.mark.parametrize("individuals", [("anna",), ("anna", "bört")])
@pytest.mark.parametrize("size", [1, 7, 60])
def test_chunks_make_the_bytes_of_the_whole(tmp_path, size, individuals, covariance):
    points = make(individuals=individuals, covariance=covariance)
    expected = write_pose3d(points, tmp_path / "whole" / "trial 1.csv")
    writer = writer_for(points, tmp_path / "parts" / "trial 1.csv")
    fill(writer, points, size)
    assert not list((tmp_path / "parts").glob("*.csv"))
    assert [path.name for path in writer.finish()] == [path.name for path in expected]
    same_files(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.parametrize("killed", [14, 20, 60])
def test_ended_work_goes_on_and_gives_the_same_bytes(tmp_path, caplog, killed):
    points = make(individuals=("anna", "bert"))
    write_pose3d(points, tmp_path / "whole" / "trial.csv")
    path = tmp_path / "parts" / "trial.csv"
    fill(writer_for(points, path), points, 7, killed)
    (partial_folder(path) / ".000000000014-000000000021.1a2b.npz").write_bytes(b"cut")  # as a kill leaves it
    (partial_folder(path) / "result_0.csv").write_bytes(b"cut")
    with caplog.at_level(logging.INFO, "pose3d"):
        writer = writer_for(points, path)
    assert f"{killed} of 60 frames are done already" in caplog.text
    assert writer.done_frames == killed
    assert writer.state["sum"] == 7 * ((killed - 1) // 7)
    assert writer.state["text"].tolist() == ["a", "bc"]
    fill(writer, points, 11)
    writer.finish()
    same_files(tmp_path / "parts", tmp_path / "whole")


def test_a_kill_while_the_files_are_moved(tmp_path, monkeypatch):
    points = make()
    path = tmp_path / "parts" / "trial.csv"
    write_pose3d(points, tmp_path / "whole" / "trial.csv")
    writer = writer_for(points, path)
    fill(writer, points, 25)
    move = type(path).replace

    def killed(self, target):
        if target == path:
            raise KeyboardInterrupt
        return move(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            writer.finish()
    again = writer_for(points, path)
    assert again.done_frames == 60
    again.finish()
    same_files(tmp_path / "parts", tmp_path / "whole")


def test_what_stood_there_stays_until_the_end(tmp_path):
    old, new = make(seed=1), make(seed=2)
    write_pose3d(old, tmp_path / "trial.csv")
    writer = writer_for(new, tmp_path / "trial.csv")
    fill(writer, new, 10)
    np.testing.assert_array_equal(read_pose3d(tmp_path / "trial.csv").xyz, old.xyz)
    writer.finish()
    np.testing.assert_array_equal(read_pose3d(tmp_path / "trial.csv").xyz, new.xyz)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["trial.csv", "trial.uncertainty.csv"]


def test_finished_frames_are_read_back(tmp_path):
    points = make(individuals=("anna", "bert"))
    writer = writer_for(points, tmp_path / "trial.csv")
    fill(writer, points, 7, 40)
    for w in (writer, writer_for(points, tmp_path / "trial.csv")):
        back = w.read(5, 33)
        for name in ("xyz", "error", "n_cameras", "score", "status", "covariance"):
            np.testing.assert_array_equal(getattr(back, name), getattr(points, name)[5:33])
        assert (back.start, back.fps, back.keypoints) == (10, 60.0, points.keypoints)
        assert [chunk.n_frames for chunk in w.chunks()] == [7, 7, 7, 7, 7, 5]


@pytest.mark.parametrize("change", ["fingerprint", "total", "manifest"])
def test_other_work_begins_anew(tmp_path, caplog, change):
    points, path = make(), tmp_path / "trial.csv"
    fill(writer_for(points, path), points, 10, 30)
    if change == "manifest":
        (partial_folder(path) / "manifest.json").write_text("{")
    with caplog.at_level(logging.WARNING, "pose3d"):
        writer = writer_for(
            points, path, key="two" if change == "fingerprint" else "one", total=50 if change == "total" else 60
        )
    assert writer.done_frames == 0
    assert "trial.partial: was begun with other inputs or settings; begun anew" in caplog.text
    assert [item.name for item in partial_folder(path).iterdir()] == ["manifest.json"]


def test_damaged_chunks_are_made_anew(tmp_path, caplog):
    points, path = make(), tmp_path / "parts" / "trial.csv"
    write_pose3d(points, tmp_path / "whole" / "trial.csv")
    fill(writer_for(points, path), points, 10)
    chunk = partial_folder(path) / "000000000030-000000000040.npz"
    chunk.write_bytes(chunk.read_bytes()[:500])
    with caplog.at_level(logging.WARNING, "pose3d"):
        writer = writer_for(points, path)
    assert writer.done_frames == 30
    assert "000000000030-000000000040.npz" in caplog.text
    fill(writer, points, 10)
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 0xFF
    chunk.write_bytes(content)
    with pytest.raises(FormatError, match=r"000000000030-000000000040\.npz.*before frame 30 is kept") as caught:
        writer.finish()
    assert "\n" not in str(caught.value)
    assert writer.done_frames == 30
    fill(writer, points, 10)
    writer.finish()
    same_files(tmp_path / "parts", tmp_path / "whole")


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "trial.partial").mkdir()
    (tmp_path / "trial.partial" / "thesis.docx").write_text("mine")
    with pytest.raises(Pose3DError, match=r"holds other files \(thesis\.docx\)"):
        writer_for(make(), tmp_path / "trial.csv")
    assert (tmp_path / "trial.partial" / "thesis.docx").exists()


def test_what_cannot_be_named_is_said_before_the_work(tmp_path):
    for points, path in (
        (make(keypoints=("a", "")), "t.csv"),
        (make(individuals=("a/b", "c")), "t.csv"),
        (make(), "t"),
    ):
        with pytest.raises(DataError):
            writer_for(points, tmp_path / path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Pose3DError, match="cannot be"):
        writer_for(make(), tmp_path / "file" / "trial.csv")


def test_programming_mistakes(tmp_path):
    points = make()
    writer = writer_for(points, tmp_path / "trial.csv")
    with pytest.raises(ValueError, match="needs frames from 5"):
        writer.append(part(points, 3, 9))
    with pytest.raises(ValueError, match="other keypoints"):
        writer.append(part(make(keypoints=("a", "b")), 0, 9))
    with pytest.raises(ValueError, match="not finished"):
        writer.finish()
    writer.append(part(points, 0, 9))
    with pytest.raises(ValueError, match="no covariance"):
        writer.append(part(replace(points, covariance=None), 9, 12))
    with pytest.raises(ValueError, match="not within"):
        writer.read(5, 10)
    with pytest.raises(ValueError, match="numbers and texts"):
        writer.append(part(points, 9, 12), {"a": object()})
    assert writer.done_frames == 9


def test_no_frames(tmp_path):
    points = make(n_frames=0)
    writer_for(points, tmp_path / "trial.csv").finish()
    assert len((tmp_path / "trial.csv").read_text().splitlines()) == 1


def test_gaps_reach_over_chunks(tmp_path):
    points = make(covariance=False)
    write_pose3d(points, tmp_path / "trial.csv")
    table = pd.read_csv(tmp_path / "trial.uncertainty.csv", skiprows=1)
    np.testing.assert_array_equal(
        table[["hip_gap", "knee_gap"]].to_numpy(),
        np.where(np.isinf(points.frames_from_data), np.nan, points.frames_from_data)[:, 0],
    )
    assert table["hip_gap"].max() > 7, "or the chunks of the other tests would not cut a gap"


@pytest.mark.parametrize("wrong", [None, "some", "no number"])
def test_side_files_without_gaps(tmp_path, caplog, wrong):
    """Older side files have none; half of them or text is damage."""
    points = make()
    write_pose3d(points, tmp_path / "trial.csv")
    side = tmp_path / "trial.uncertainty.csv"
    head = side.read_text().splitlines()[0]
    table = pd.read_csv(side, skiprows=1)
    if wrong == "no number":
        table = table.assign(hip_gap="far")
    else:
        table = table.drop(columns=["hip_gap", "knee_gap"] if wrong is None else ["hip_gap"])
    side.write_text(f"{head}\n{table.to_csv(index=False)}")
    with caplog.at_level(logging.WARNING, "pose3d"):
        again = read_pose3d(tmp_path / "trial.csv")
    assert (again.fps == 60.0) == (wrong is None)
    assert bool(caplog.records) == (wrong is not None)


def test_the_side_file_knows_its_csv(tmp_path):
    points = make()
    writer = writer_for(points, tmp_path / "trial.csv")
    fill(writer, points, 13)
    writer.finish()
    facts = json.loads((tmp_path / "trial.uncertainty.csv").read_text().splitlines()[0].removeprefix("# pose3d: "))
    assert facts["sha256"] == hashlib.sha256((tmp_path / "trial.csv").read_bytes()).hexdigest()


def test_a_fingerprint_follows_files_and_settings(tmp_path):
    file, folder = tmp_path / "a.csv", tmp_path / "json"
    file.write_bytes(b"x" * 200_000)
    folder.mkdir()
    (folder / "0.json").write_text("{}")
    inputs = {"A": file, "B": folder}
    first = fingerprint(inputs, {"smooth": 2.5, "limbs": [["a", "b"]]})
    assert first == fingerprint(dict(reversed(inputs.items())), {"limbs": [["a", "b"]], "smooth": 2.5})
    others = {fingerprint(inputs, {"smooth": 2.6, "limbs": [["a", "b"]]}), fingerprint({"A": file}, {})}
    file.write_bytes(b"x" * 199_999 + b"y")
    others.add(fingerprint(inputs, {"smooth": 2.5, "limbs": [["a", "b"]]}))
    (folder / "1.json").write_text("{}")
    others.add(fingerprint(inputs, {"smooth": 2.5, "limbs": [["a", "b"]]}))
    assert len(others - {first}) == 4
    with pytest.raises(FormatError, match="absent"):
        fingerprint({"A": tmp_path / "absent"}, {})
