"""Fingerprints see contents, and read them no more often than they must."""

import os
from dataclasses import replace

import pytest

from pose3d.project.state import Fingerprint, Record, fingerprint, load_state, save_record

OLD = (1_600_000_000, 1_600_000_000)


@pytest.fixture
def settled(monkeypatch):
    """Let ten seconds go by, so that time stamps count."""
    import time

    real = time.time_ns
    monkeypatch.setattr("pose3d.project.state.time.time_ns", lambda: real() + 10_000_000_000)


def test_content_decides(tmp_path):
    path = tmp_path / "ä b.txt"
    path.write_bytes(b"one")
    first = fingerprint(path)
    os.utime(path, OLD)
    assert fingerprint(path).sha256 == first.sha256
    path.write_bytes(b"two")
    assert fingerprint(path).sha256 != first.sha256
    path.unlink()
    assert fingerprint(path) is None


def test_fresh_stamps_prove_nothing(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert fingerprint(path).stamp == ""


@pytest.mark.usefixtures("settled")
def test_unchanged_stamp_spares_reading(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    known = fingerprint(path)
    assert known.stamp
    marked = replace(known, sha256="taken over")
    assert fingerprint(path, marked).sha256 == "taken over"
    os.utime(path, OLD)
    assert fingerprint(path, marked).sha256 == known.sha256


@pytest.mark.usefixtures("settled")
def test_forged_time_is_seen(tmp_path):
    """As `cp -p` and archives do: same size, same time of change, other content."""
    path = tmp_path / "a"
    path.write_bytes(b"one")
    os.utime(path, OLD)
    known = fingerprint(path)
    if os.name == "nt":
        pytest.skip("Windows keeps no time of the last change of a file's entry")
    import time

    time.sleep(0.02)
    path.write_bytes(b"two")
    os.utime(path, OLD)
    assert fingerprint(path, known).sha256 != known.sha256


@pytest.mark.usefixtures("settled")
def test_folders(tmp_path):
    folder = tmp_path / "json"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.json").write_bytes(b"{}")
    known = fingerprint(folder)
    assert fingerprint(folder, known) is known
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "Thumbs.db").write_bytes(b"x")
    assert fingerprint(folder) == known
    (folder / "1.json").write_bytes(b"[]")
    assert fingerprint(folder, known).sha256 != known.sha256
    (folder / "1.json").write_bytes(b"{}")
    assert fingerprint(folder, known).sha256 == known.sha256
    (folder / "2.json").rename(folder / "3.json")
    assert fingerprint(folder, known).sha256 != known.sha256


def test_records_survive(tmp_path):
    first = Record("1", {"a.b": [1, None], "é": 0.1}, {"x": Fingerprint("00", "1:2:3")}, {}, ("y",), True)
    second = Record("2", {}, {}, {"x": Fingerprint("11")})
    save_record(tmp_path, "calibrate", first)
    save_record(tmp_path, "angles/é", second)
    assert load_state(tmp_path).records == {"calibrate": first, "angles/é": second}
    save_record(tmp_path, "calibrate", None)
    assert load_state(tmp_path).records == {"angles/é": second}
    assert load_state(tmp_path).problem == ""


def test_record_of_another_format(tmp_path):
    (tmp_path / "pose3d-state.json").write_text('{"format": 7, "steps": {}}', encoding="utf-8")
    assert load_state(tmp_path).problem == "pose3d-state.json has format 7, this pose3d knows 1"
