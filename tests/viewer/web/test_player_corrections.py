"""Corrections by the page: on the disk when they are seen, and the inputs unchanged."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from pose3d.io.anipose_csv import write_pose3d
from pose3d.io.edits import read_edits
from pose3d.viewer.loading import load_playback
from pose3d.viewer.web.server import BackgroundPage


@pytest.fixture
def corrected(recording, tmp_path):
    """A page of points in a file, and the file."""
    path = tmp_path / "walk.csv"
    write_pose3d(recording.points, path)
    playback = replace(
        load_playback(path), angles=recording.angles, events=recording.events, rig=recording.rig, views=recording.views
    )
    page = BackgroundPage(playback, framed=False, queue=lambda frame: f"frame {frame} is in the labelling queue")
    yield page, path
    page.close()


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def joints(page):
    return {joint["k"]: (joint["x"], joint["y"]) for joint in page.value("pose3dPlayer.stage.joints")}


def press(page, key):
    before = page.value("pose3dPlayer.recording.revision")
    page.page.keyboard.press(key)
    page.wait(f"pose3dPlayer.recording.revision > {before} && pose3dPlayer.corrections.revision > {before}")
    page.settle()


def test_a_stretch_is_marked_bad_and_sides_are_exchanged(corrected, recording, show):
    served, path = corrected
    before = digests(path.parent)
    page = show(served.url)
    page.value("(pose3dPlayer.clock.setLoop([60, 90]), 0)")
    page.go_to(70)
    assert len(joints(page)) == 17
    press(page, "b")
    assert joints(page) == {}
    page.expect("#corrected").to_have_text("1 correction")
    edits = read_edits(path.with_suffix(".edits.toml"))["walk"]
    assert [(one.first, one.last) for one in edits.entries] == [(67, 97)]  # frames of the recording, which starts at 7
    assert np.isnan(page.value("pose3dPlayer.plots.value(70, 0)") or np.nan)
    page.go_to(95)
    assert len(joints(page)) == 17

    page.value("(pose3dPlayer.clock.setLoop([120, 130]), 0)")
    page.go_to(125)
    there = joints(page)
    press(page, "z")
    names = recording.points.keypoints
    left, right = names.index("LKnee"), names.index("RKnee")
    assert joints(page)[left] == pytest.approx(there[right])
    assert joints(page)[right] == pytest.approx(there[left])
    assert page.value("pose3dPlayer.plots.value(125, 0)") == pytest.approx(recording.angles.deg[125, 0, 1], abs=1e-4)

    # Undo, redo, and what another page shows that opens later.
    press(page, "Control+z")
    assert joints(page)[left] == pytest.approx(there[left])
    page.page.locator("#redo").click()
    page.wait("pose3dPlayer.corrections.lines.length === 2")
    later = show(served.url)
    later.go_to(70)
    assert joints(later) == {}
    assert "frames 127 to 137: left and right exchanged" in later.page.locator("#corrected").get_attribute("title")
    press(later, "Control+z")
    press(later, "Control+z")
    assert len(joints(later)) == 17
    assert digests(path.parent).items() >= before.items()


def test_events_are_moved_deleted_and_added(corrected, recording, show):
    served, path = corrected
    before = digests(path.parent)
    page = show(served.url)
    page.settle()
    rows = recording.event_rows()

    def events():
        return [(one["limb"], one["kind"], one["row"]) for one in page.value("pose3dPlayer.recording.meta.events")]

    def x_of(row):
        box = page.page.locator("#strip").bounding_box()
        return box["x"] + (row + 0.5) / recording.n_frames * box["width"], box["y"] + 6

    def changed(act):
        revision = page.value("pose3dPlayer.corrections.revision")
        act()
        page.wait(f"pose3dPlayer.corrections.revision > {revision}")
        page.settle()

    mouse = page.page.mouse
    mouse.move(*x_of(rows[1]))
    page.expect("#tip").to_contain_text("right strike at frame")
    mouse.down()
    for row in (rows[1] + 6, rows[1] + 11, 50):
        mouse.move(*x_of(row))
    assert page.value("pose3dPlayer.clock.row") == 50  # what is dragged to is seen
    changed(mouse.up)
    assert events()[1] == ("R", "strike", pytest.approx(50, abs=1e-3))

    page.page.keyboard.press("Delete")
    page.expect("#note").to_contain_text("choose an event")
    mouse.click(*x_of(rows[0]))
    assert page.value("pose3dPlayer.corrections.chosen.limb") == "L"
    page.go_to(20)
    changed(lambda: page.page.keyboard.press("m"))
    assert events()[0] == ("L", "strike", pytest.approx(20, abs=1e-3))
    page.page.keyboard.press("Home")
    page.page.keyboard.press("e")  # goes to the first, and chooses it
    changed(lambda: page.page.keyboard.press("Delete"))
    assert events()[0][0] == "R"
    page.go_to(100)
    changed(lambda: page.page.keyboard.press("Shift+Digit4"))
    changed(lambda: page.page.locator("#add-event").select_option("Left strike"))
    assert {("R", "off", 100), ("L", "strike", 100)} <= {(limb, kind, round(row)) for limb, kind, row in events()}
    saved = read_edits(path.with_suffix(".edits.toml"))["walk"]
    assert [type(one).__name__ for one in saved.entries] == [
        *("MovedEvent", "MovedEvent", "DeletedEvent", "AddedEvent", "AddedEvent")
    ]
    assert saved.entries[0].to_s == pytest.approx((50 + 7) / 50)  # from frame 0 of the recording, which starts at 7
    for _ in saved.entries:
        changed(lambda: page.page.keyboard.press("Control+z"))
    assert np.allclose([row for *_, row in events()], rows, atol=1e-3)
    page.expect("#undo").to_be_disabled()
    page.expect("#redo").to_be_enabled()
    assert digests(path.parent).items() >= before.items()


def test_one_view_is_not_used_and_an_instant_is_to_be_labelled(corrected, recording, show):
    served, path = corrected
    page = show(served.url)
    page.go_to(33)
    page.page.keyboard.press("Shift+B")
    page.expect("#note").to_contain_text("enlarge a video first")
    page.page.keyboard.press("2")
    press(page, "Shift+B")
    detected = "[0, 1].map((pane) => pose3dPlayer.panes[pane].keypoints(33, 'detected').some((value) => value > 0))"
    assert page.value(detected) == [True, False]
    assert len(joints(page)) == 17
    saved = read_edits(path.with_suffix(".edits.toml"))["walk"].entries
    assert [(one.first, one.last, one.camera) for one in saved] == [(40, 40, recording.cameras[1])]
    press(page, "Control+z")
    assert page.value(detected) == [True, True]
    page.page.keyboard.press("q")
    page.wait("document.getElementById('note').textContent === 'frame 40 is in the labelling queue'")


def test_wishes_that_make_no_sense_change_nothing(corrected, show):
    served, path = corrected
    page = show(served.url, ignore="status of 4")
    for wish in (
        {"do": "bad", "first": 5, "last": 2},
        {"do": "bad", "first": -1, "last": 2},
        {"do": "bad", "first": 0, "last": 300},
        {"do": "swap", "first": True, "last": 1},
        {"do": "remove everything", "first": 0, "last": 1},
        {"do": "bad", "first": 0, "last": 1, "camera": "none"},
        {"do": "add", "event": {"limb": "L", "kind": "jump", "row": 3}},
        {"do": "add", "event": {"limb": "L", "kind": "strike", "row": 2.5}},
        {"do": "move", "event": {"limb": "L", "kind": "strike", "row": 12.5}, "to": 900},
        {"do": "delete", "event": {"limb": "L", "kind": "strike", "row": "1"}},
        {"do": "delete", "event": 3},
        {},
        [],
    ):
        status = page.page.evaluate(
            """async (wish) => (await fetch("api/correct", { method: "POST", body: JSON.stringify(wish),
                headers: { "Content-Type": "application/json" } })).status""",
            wish,
        )
        assert status == 400, wish
    gone = {"do": "delete", "event": {"limb": "L", "kind": "strike", "row": 99.5}}
    page.value(f"(pose3dPlayer.corrections.make({json.dumps(gone)}), 0)")
    page.wait("document.getElementById('note').textContent.startsWith('there is no such event')")
    form = """async () => (await fetch("api/correct", { method: "POST", body: "do=undo" })).status"""
    assert page.page.evaluate(form) == 400
    assert not path.with_suffix(".edits.toml").exists()


def test_points_in_no_file_have_no_corrections(page_url, show):
    page = show(page_url)
    assert page.value("pose3dPlayer.corrections") is None
    page.expect("#correct button").to_have_count(0)
