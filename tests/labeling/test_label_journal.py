import errno
import json
import os

import pytest

from pose3d.errors import FormatError, Pose3DError, ProjectError
from pose3d.labeling.journal import Journal, read_journal
from pose3d.labeling.locking import ProjectLock


def test_entries_come_back_in_order(tmp_path):
    path = tmp_path / "a" / "j.journal"
    journal = Journal(path)
    for i in range(5):
        journal.append({"do": "place", "name": "Knie, äußeres", "i": i})
    journal.close()
    assert [entry["i"] for entry in read_journal(path)] == [0, 1, 2, 3, 4]
    assert read_journal(path)[0]["name"] == "Knie, äußeres"


def test_a_line_is_on_the_disk_when_append_returns(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), real(number)))
    journal = Journal(tmp_path / "j")
    before = len(synced)
    journal.append({"do": "place"})
    assert len(synced) == before + 1
    assert len(read_journal(tmp_path / "j")) == 1
    journal.close()


def test_a_line_that_was_cut_is_left_out_and_written_over(tmp_path):
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append({"i": 0})
    journal.append({"i": 1})
    journal.close()
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        again = Journal(path)
        assert [entry["i"] for entry in again.entries] == [0]
        again.append({"i": 2})
        again.close()
        assert [entry["i"] for entry in read_journal(path)] == [0, 2]


def test_a_head_that_was_cut_is_an_empty_journal(tmp_path):
    path = tmp_path / "j"
    Journal(path).close(remove_if_empty=False)
    path.write_bytes(path.read_bytes()[:11])
    again = Journal(path)
    assert again.entries == []
    again.close()


def test_a_damaged_line_in_the_middle_costs_only_itself(tmp_path, caplog):
    path = tmp_path / "j"
    journal = Journal(path)
    for i in range(3):
        journal.append({"i": i})
    journal.close()
    path.write_bytes(path.read_bytes().replace(b'{"i":1}', b'{"i":7}'))
    assert [entry["i"] for entry in read_journal(path)] == [0, 2]
    assert "1 of 3 lines are damaged" in caplog.text


@pytest.mark.parametrize("content", [b"hello\nworld\n", b"\x89PNG\r\n\x1a\n", json.dumps([1]).encode() + b"\n"])
def test_a_foreign_file_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="no journal"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_full_disk_is_told_and_leaves_the_journal_whole(tmp_path, monkeypatch):
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append({"i": 0})

    def full(_number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Pose3DError, match="No space left"):
            journal.append({"i": 1})
    journal.append({"i": 2})
    journal.close()
    assert [entry["i"] for entry in read_journal(path)] == [0, 2]


def test_forgetting_keeps_what_came_later(tmp_path):
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append({"i": 0})
    position = journal.position
    journal.append({"i": 1})
    journal.forget(position)
    journal.append({"i": 2})
    assert [entry["i"] for entry in read_journal(path)] == [1, 2]
    journal.forget(journal.position)
    assert journal.is_empty
    journal.close()
    assert not path.exists()


def test_a_lock_is_free_again_after_its_owner(tmp_path):
    with ProjectLock(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(ProjectError, match=f"is being labelled already \\(process {os.getpid()}\\)"):
            ProjectLock(tmp_path / "lock").__enter__()
    assert not (tmp_path / "lock").exists()
    with ProjectLock(tmp_path / "lock"):
        pass


def test_a_lock_that_a_killed_process_left_is_taken_over(tmp_path):
    (tmp_path / "lock").write_text(f"{os.getppid()}\n")  # its number may even be in use again
    with ProjectLock(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
