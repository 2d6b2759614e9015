"""edits.toml: what is written is read again, what is damaged is said, and a kill loses nothing."""

import signal
import subprocess
import sys
import time

import pytest

from pose3d.data.edits import AddedEvent, BadStretch, DeletedEvent, Edits, MovedEvent, Remark, SwappedSides
from pose3d.errors import FormatError, Pose3DError
from pose3d.io.edits import EditLog, edits_beside, read_edits, require_edits, write_edits
from pose3d.io.file_lock import locked

ENTRIES = (
    BadStretch(120, 140, ("knee_l", "größe \x7f"), camera='le"ft', note='behind\nthe "bench"'),
    BadStretch(-3, 0, individual="anna"),
    SwappedSides(1, 2, (("a", "b"),), camera="top"),
    MovedEvent("L", "strike", 1.234567891, 2),
    DeletedEvent("R", "off", 0.0),
    AddedEvent("LF", "strike", -0.5),
    Remark("nothing", 4, 5),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "été 1" / "edits.toml"


def test_what_is_written_is_read_again(path):
    every = {"walk 1.a": Edits(ENTRIES[:4], ENTRIES[4:]), "länger": Edits(ENTRIES)}
    write_edits(every, path)
    assert read_edits(path) == every
    first = path.read_bytes()
    write_edits(read_edits(path), path)
    assert path.read_bytes() == first
    assert b"\r" not in first
    assert read_edits(path.with_name("none.toml")) == {}
    assert edits_beside("a/walk.csv").name == "walk.edits.toml"


def test_a_log_writes_each_change_at_once(path):
    log, other = EditLog(path, "walk"), EditLog(path, "run")
    log.append(ENTRIES[0])
    other.append(ENTRIES[1])
    log.append(ENTRIES[2])
    found = read_edits(path)
    assert [entry.words for entry in found["walk"].entries] == [ENTRIES[0].words, ENTRIES[2].words]
    assert len(found["run"]) == 1
    assert found["walk"].entries[0].made[:2] == "20"
    assert log.undo().words == ENTRIES[2].words
    again = EditLog(path, "walk")  # after a restart
    assert again.redo().words == ENTRIES[2].words
    assert again.redo() is None
    assert log.reload()
    assert not log.reload()
    assert log.edits == again.edits
    assert len(log.remove(log.edits.entries[0])) == 1
    assert [log.undo() is None, log.undo() is None] == [False, True]
    assert [entry.name for entry in path.parent.iterdir()] == ["edits.toml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 2\n", "format = 2"),
        ("format = true\n", "format = True"),
        ("trials = {}\n", "format = None"),
        ("format = 1\nx = [\n", "no valid toml"),
        ("format = 1\n[trial.walk]\n", "trial is not known"),
        ("format = 1\ntrials = 3\n", "trials is no table"),
        ("format = 1\n[trials]\nwalk = 3\n", "trial walk: a table"),
        ("format = 1\n[trials.walk]\nedit = []\n", "edit is not known; there is edits and undone"),
        ("format = 1\n[trials.walk]\nedits = 3\n", "a list of entries"),
        ("format = 1\n[trials.walk]\nedits = [3]\n", "entry 1: a table"),
        ("format = 1\n[[trials.walk.edits]]\nwhat = 'good stretch'\n", "'good stretch' is not known; it is one of bad"),
        ("format = 1\n[[trials.walk.edits]]\nwhat = ['bad']\n", "is not known"),
        ("format = 1\n[[trials.walk.edits]]\nwhat = 'bad stretch'\nfirst = 1\n", "last is missing"),
        ("format = 1\n[[trials.walk.edits]]\nwhat = 'bad stretch'\nfirst = 1\nlast = 2\ncam = 'a'\n", "cam is not"),
        ("format = 1\n[[trials.walk.edits]]\nwhat = 'bad stretch'\nfirst = 1.5\nlast = 2\n", "not a whole number"),
        ("format = 1\n[[trials.walk.edits]]\nwhat = 'bad stretch'\nfirst = 3\nlast = 2\n", "are no stretch"),
        ("format = 1\n[[trials.walk.edits]]\nwhat = 'sides exchanged'\nfirst = 1\nlast = 2\npairs = [[]]\n", "pairs"),
        ("format = 1\n[[trials.walk.edits]]\nwhat = 'bad stretch'\nfirst = 1\nlast = 2\nkeypoints = ''\n", "of names"),
        (
            "format = 1\n[[trials.walk.edits]]\nwhat = 'event added'\nlimb = 'L'\nkind = 'off'\ntime_s = nan\n",
            "number of seconds",
        ),
        ("format = 1\n[[trials.walk.edits]]\nwhat = 'note'\ntext = 3\n", "not a text"),
        ("", "is empty"),
        ("\x00\x01", "no valid toml"),
    ],
)  # fmt: skip
def test_damaged_files_are_said_in_a_line_and_left_alone(path, text, words):
    path.parent.mkdir()
    path.write_bytes(text.encode())
    for call in (lambda: read_edits(path), lambda: EditLog(path, "walk")):
        with pytest.raises(FormatError) as caught:
            call()
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    assert path.read_bytes() == text.encode()


def test_a_file_damaged_meanwhile_is_not_overwritten(path):
    log = EditLog(path, "walk")
    log.append(ENTRIES[1])
    path.write_text("format = ")
    with pytest.raises(FormatError, match="no valid toml"):
        log.append(ENTRIES[2])
    assert path.read_text() == "format = "


def test_a_file_that_is_given_must_have_the_trial(path):
    with pytest.raises(FormatError, match="no such file of edits"):
        require_edits(path, "walk")
    write_edits({"walk": Edits(ENTRIES[:1])}, path)
    assert require_edits(path, "another name") == Edits(ENTRIES[:1])
    write_edits({"walk": Edits(ENTRIES[:1]), "run": Edits(ENTRIES[1:])}, path)
    with pytest.raises(FormatError, match="no trial 'jump'; there is walk, run"):
        require_edits(path, "jump")
    write_edits({}, path)
    assert require_edits(path, "walk") == Edits()


_WINDOW = """
import sys
from pose3d.data.edits import BadStretch
from pose3d.io.edits import EditLog
log = EditLog(sys.argv[1], sys.argv[2])
for frame in range(int(sys.argv[3])):
    log.append(BadStretch(frame, frame))
    print(frame, flush=True)
"""


def open_window(path, trial, n):
    return subprocess.Popen([sys.executable, "-c", _WINDOW, path, trial, str(n)], stdout=subprocess.PIPE, text=True)


def test_windows_at_once_lose_nothing(path):
    windows = [open_window(path, trial, 12) for trial in ("walk", "walk", "run")]
    for window in windows:
        window.communicate(timeout=60)
        assert window.returncode == 0
    assert {name: len(own) for name, own in read_edits(path).items()} == {"walk": 24, "run": 12}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_kill_leaves_a_whole_file_and_all_that_was_acknowledged(path):
    window = open_window(path, "walk", 100_000)
    for _ in range(6):
        last = int(window.stdout.readline())
    time.sleep(0.03)  # in the midst of some later one
    window.kill()
    last = max([last, *(int(line) for line in window.communicate(timeout=60)[0].split())])
    entries = read_edits(path)["walk"].entries
    assert [entry.first for entry in entries] == list(range(len(entries)))
    assert len(entries) > last
    log = EditLog(path, "walk")  # the lock of the dead is no obstacle
    assert len(log.append(ENTRIES[0])) == len(entries) + 1


def test_a_lock_that_is_kept_is_said(path):
    with locked(path), pytest.raises(Pose3DError, match="changed by another program"), locked(path, timeout_s=0.05):
        pass
    with locked(path, timeout_s=0.05):
        assert path.parent.is_dir()
    assert list(path.parent.iterdir()) == []
