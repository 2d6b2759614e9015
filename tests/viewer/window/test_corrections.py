"""What is corrected in the player: on the disk at once, seen at once, undone, and the inputs as they were."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pose3d.batch.playing import load_recording, queue_of
from pose3d.io.edits import read_edits
from pose3d.labeling.queue import read_queue
from pose3d.viewer.corrections import Corrections


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("edits.toml")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def corrections(session_on_disk: Path) -> Corrections:
    playback, more = load_recording(session_on_disk)
    playback = more(playback)
    return Corrections(playback, queue_of(playback))


def test_a_bad_stretch_is_missing_at_once_and_back_after_undo(corrections: Corrections, session_on_disk: Path) -> None:
    before = digests(session_on_disk)
    assert "40 to 60" in corrections.mark_bad(40, 60)
    assert read_edits(session_on_disk / "edits.toml")["walk"].entries
    edited = corrections.edited()
    assert np.isnan(edited.points.xyz[40:61]).all()
    assert np.isnan(edited.angles.deg[40:61]).all()
    assert np.isnan(edited.angles.low_deg[40:61]).all()
    np.testing.assert_array_equal(edited.points.xyz[61:], corrections.original.points.xyz[61:])
    np.testing.assert_array_equal(edited.angles.deg[:40], corrections.original.angles.deg[:40])
    assert "undone" in corrections.undo()
    np.testing.assert_array_equal(corrections.edited().points.xyz, corrections.original.points.xyz)
    assert "again" in corrections.redo()
    assert np.isnan(corrections.edited().points.xyz[50]).all()
    assert digests(session_on_disk) == before, "nothing but the edits changes"


def test_swapped_sides_exchange_points_and_angles(corrections: Corrections) -> None:
    corrections.swap_sides(10, 20)
    edited, original = corrections.edited(), corrections.original
    names = original.points.keypoints
    left, right = names.index("LKnee"), names.index("RKnee")
    np.testing.assert_array_equal(edited.points.xyz[10:21, 0, left], original.points.xyz[10:21, 0, right])
    np.testing.assert_array_equal(edited.points.xyz[21:, 0, left], original.points.xyz[21:, 0, left])
    np.testing.assert_array_equal(edited.angles.deg[10:21, 0], original.angles.deg[10:21, 0, ::-1])
    np.testing.assert_array_equal(edited.angles.deg[21:], original.angles.deg[21:])


def test_bad_views_of_one_camera_leave_the_others(corrections: Corrections) -> None:
    camera = corrections.original.views.cameras[0]
    corrections.mark_bad(5, 9, camera)
    edited = corrections.edited()
    assert np.isnan(edited.detected(camera, 7)).all()
    assert np.isfinite(edited.detected(edited.views.cameras[1], 7)).any()
    np.testing.assert_array_equal(edited.points.xyz, corrections.original.points.xyz)


def test_events_are_moved_deleted_and_added(corrections: Corrections) -> None:
    events = corrections.original.events
    corrections.move_event(events, 0, 27)
    moved = corrections.edited().events
    assert (moved.limbs[0], moved.kinds[0]) == ("L", "strike")
    assert moved.time_s[0] == pytest.approx(27 / 50)
    corrections.delete_event(moved, 1)
    corrections.add_event("R", "off", 10)
    now = corrections.edited().events
    assert len(now) == len(events)
    assert now.times("R", "off").tolist() == pytest.approx([0.2])
    for _ in range(3):
        corrections.undo()
    np.testing.assert_array_equal(corrections.edited().events.time_s, events.time_s)
    assert corrections.undo() == "nothing to undo"


def test_an_instant_goes_to_the_head_of_the_labelling_queue(corrections: Corrections, session_on_disk: Path) -> None:
    labels = session_on_disk.parent / "labeled-data"
    assert "labelling queue" in corrections.send_to_queue(33)
    corrections.send_to_queue(40)
    corrections.send_to_queue(33)
    queue = sorted(read_queue(labels / "queue.csv"), key=lambda item: -item.score)
    assert [(item.recording, item.frame) for item in queue] == [("session1/walk", 33), ("session1/walk", 40)]
    assert len(list(labels.rglob("*.png"))) == 6


def test_what_cannot_be_saved_is_said(corrections: Corrections, session_on_disk: Path) -> None:
    (session_on_disk / "edits.toml").write_text("format = 99\n", encoding="utf-8")
    said = corrections.mark_bad(1, 2)
    assert "edits.toml" in said
    assert (session_on_disk / "edits.toml").read_text(encoding="utf-8") == "format = 99\n"
    again = Corrections(corrections.original)
    assert "edits.toml" in again.remark
    assert again.edited() is corrections.original
    assert again.send_to_queue(0) == "only a recording of a project has a labelling queue"


def test_points_in_no_file_are_not_corrected(corrections: Corrections) -> None:
    from dataclasses import replace

    free = Corrections(replace(corrections.original, path=None))
    assert free.mark_bad(1, 2) == free.remark != ""


def test_the_window_corrects_by_keys_and_drags(run_player, session_on_disk: Path) -> None:
    before = digests(session_on_disk)
    told = run_player(
        """
        window = opened(sys.argv[1])
        seen = {}
        window.seek(40); key(window, K.Key_I); window.seek(60); key(window, K.Key_O)
        key(window, K.Key_B)
        seen["missing"] = bool(np.isnan(window.playback.points.xyz[40:61]).all())
        seen["marked"] = window.timeline.marked
        seen["file"] = (Path(sys.argv[1]) / "edits.toml").is_file()
        seen["said"] = window.message.text()
        key(window, K.Key_Z, M.ControlModifier)
        seen["back"] = bool(np.isfinite(window.playback.points.xyz[40:61]).any())
        key(window, K.Key_Z, M.ControlModifier | M.ShiftModifier)
        seen["again"] = bool(np.isnan(window.playback.points.xyz[50]).all())
        line = window.timeline
        tick = line.events[0]
        y = 52
        x = round(line.x_of(tick.row))
        QTest.mousePress(line, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
        to = round(line.x_of(33))
        for at in (x + 4, (x + to) // 2, to):
            QTest.mouseMove(line, QPoint(at, y))
        QTest.mouseRelease(line, Qt.MouseButton.LeftButton, pos=QPoint(to, y))
        seen["moved to"] = min(t.row for t in window.timeline.events)
        x = round(line.x_of(window.timeline.events[1].row))
        QTest.mouseClick(line, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
        n = len(window.timeline.events)
        key(window, K.Key_Delete)
        seen["deleted"] = n - len(window.timeline.events)
        window.seek(100)
        key(window, K.Key_1, M.ControlModifier)
        seen["added"] = any(round(t.row) == 100 and t.side == 1 for t in window.timeline.events)
        window.select((5, 8))
        key(window, K.Key_Z)
        seen["swapped"] = window.timeline.swapped
        seen["lines"] = window.corrections.lines
        tell(**seen)
        os._exit(0)  # as a crash would: all must be on the disk
        """,
        session_on_disk,
    )
    assert told["missing"]
    assert told["back"]
    assert told["again"]
    assert told["file"]
    assert told["marked"] == [[40, 61]]
    assert "saved" in told["said"]
    assert abs(told["moved to"] - 33) <= 1
    assert told["deleted"] == 1
    assert told["added"]
    assert told["swapped"] == [[5, 9]]
    saved = read_edits(session_on_disk / "edits.toml")["walk"]
    assert [entry.words for entry in saved.entries] == told["lines"]
    assert len(saved.entries) == 5
    after = digests(session_on_disk)
    assert after == before
