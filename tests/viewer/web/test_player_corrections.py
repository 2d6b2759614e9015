"""Corrections by the page: on the disk when they are seen, and the inputs unchanged."""

import hashlib
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
    playback = replace(load_playback(path), angles=recording.angles, events=recording.events)
    page = BackgroundPage(playback, framed=False)
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
    assert page.page.locator("#corrected").inner_text() == "1 correction"
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


def test_wishes_that_make_no_sense_change_nothing(corrected, show):
    served, path = corrected
    page = show(served.url, ignore="status of 4")
    for wish in (
        {"do": "bad", "first": 5, "last": 2},
        {"do": "bad", "first": -1, "last": 2},
        {"do": "bad", "first": 0, "last": 300},
        {"do": "swap", "first": True, "last": 1},
        {"do": "remove everything", "first": 0, "last": 1},
        {},
        [],
    ):
        status = page.page.evaluate(
            """async (wish) => (await fetch("api/correct", { method: "POST", body: JSON.stringify(wish),
                headers: { "Content-Type": "application/json" } })).status""",
            wish,
        )
        assert status == 400, wish
    form = """async () => (await fetch("api/correct", { method: "POST", body: "do=undo" })).status"""
    assert page.page.evaluate(form) == 400
    assert not path.with_suffix(".edits.toml").exists()


def test_points_in_no_file_have_no_corrections(page_url, show):
    page = show(page_url)
    assert page.value("pose3dPlayer.corrections") is None
    assert page.page.locator("#correct button").count() == 0
