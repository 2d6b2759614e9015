"""The player's page in Chromium: the same frame, angles and videos as the playback, by real keys and clicks."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d.data import JointAngles, Keypoints3D
from pose3d.viewer import palette
from pose3d.viewer.arcs import AngleArcs
from pose3d.viewer.loading import make_playback
from pose3d.viewer.view_camera import ViewCamera, frame_camera
from pose3d.viewer.web.packing import SecondRecording
from pose3d.viewer.web.server import BackgroundPage

START = 7


def near(page, canvas, x, y, colour, reach=4):
    """How many pixels about a place of a canvas have about a colour."""
    return page.page.evaluate(
        """([selector, x, y, rgb, reach]) => {
            const canvas = document.querySelector(selector), ratio = canvas.width / canvas.clientWidth;
            const box = [x - reach, y - reach, 2 * reach, 2 * reach].map((value) => value * ratio);
            const data = canvas.getContext("2d").getImageData(...box).data;
            let count = 0;
            for (let i = 0; i < data.length; i += 4) {
                if (rgb.every((value, c) => Math.abs(data[i + c] - value) < 60) && data[i + 3] > 200) count += 1;
            }
            return count;
        }""",
        [canvas, float(x), float(y), list(colour), reach],
    )


def test_the_same_joints_as_the_playback_stand_where_its_view_sees_them(recording, page_url, show):
    page = show(page_url).ready()
    for row in (0, 150, 257, 299):
        page.go_to(row)
        width, height = page.value("[pose3dPlayer.stage.width, pose3dPlayer.stage.height]")
        view = frame_camera(recording)
        view = ViewCamera(view.target, view.axes, view.azimuth_deg, view.elevation_deg, 1.1 * view.distance_mm)
        expected, _ = view.project(recording.points.xyz[row, 0], (width, height))
        joints = page.value("pose3dPlayer.stage.joints")
        shown = np.array([[joint["x"], joint["y"]] for joint in joints])
        assert np.allclose(shown - 0.5, expected[[joint["k"] for joint in joints]], atol=0.05)
    page.value("(pose3dPlayer.stage.shown.trails = false, 0)")
    page.go_to(150)
    for name, colour in (("LWrist", (76, 195, 240)), ("RWrist", (247, 154, 60))):
        k = recording.points.keypoints.index(name)
        joint = next(one for one in page.value("pose3dPlayer.stage.joints") if one["k"] == k)
        assert near(page, "#scene", joint["x"], joint["y"], colour) > 10
    page.go_to(45)  # the left wrist is missing there
    missing = recording.points.keypoints.index("LWrist")
    assert missing not in [joint["k"] for joint in page.value("pose3dPlayer.stage.joints")]
    assert len(page.value("pose3dPlayer.stage.joints")) == 16


def test_angles_errors_and_marks_are_those_of_the_playback(recording, page_url, show):
    page = show(page_url).ready()
    for row in (0, 77, 299):
        page.go_to(row)
        for i in range(3):
            assert page.value(f"pose3dPlayer.plots.value({row}, {i})") == pytest.approx(
                recording.angles.deg[row, 0, i], abs=1e-4
            )
            assert page.value(f"pose3dPlayer.plots.value({row}, {i}, 'low')") == pytest.approx(
                recording.angles.low_deg[row, 0, i], abs=1e-4
            )
        chips = page.page.eval_on_selector_all(".pane .chip b", "(all) => all.map((one) => one.textContent)")
        assert chips == [f"{value:.2f} px" for value in recording.residual_px[row]]
        for pane, name in enumerate(recording.cameras):
            shown = page.value(f"[...pose3dPlayer.panes[{pane}].keypoints({row}, 'reprojected')]")
            assert np.allclose(np.reshape(shown, (-1, 2)), recording.reprojected(name, row)[0], atol=1e-2)
            shown = page.value(f"[...pose3dPlayer.panes[{pane}].keypoints({row}, 'detected')]")
            assert np.allclose(
                np.array(shown).reshape(-1, 2), recording.detected(name, row)[0], atol=1e-2, equal_nan=True
            )
    plots = page.value(
        "pose3dPlayer.plots.groups.map((one) => [one.title, one.lines.map((line) => [line.side, Boolean(line.norm)])])"
    )
    assert plots == [["knee flexion", [["left", True], ["right", True]]], ["trunk tilt", [["", False]]]]
    page.expect("#frame").to_have_text(f"frame {299 + START} / {299 + START}")
    page.expect("#time").to_have_text("5.980 s")


def test_angles_stand_at_their_joints_with_their_intervals(recording, page_url, show):
    page = show(page_url).ready()
    page.page.keyboard.press("a")
    page.page.keyboard.press("Shift+T")
    page.go_to(150)
    arcs = AngleArcs(recording)
    lines, labels = arcs.draw(150, np.array([0]), arcs.names)
    numbers = page.value("pose3dPlayer.stage.numbers")
    assert sorted(one["words"] for one in numbers) == sorted(labels.text) == ["30° ±4", "30° ±4"]
    size = page.value("[pose3dPlayer.stage.width, pose3dPlayer.stage.height]")
    view = frame_camera(recording)
    view = ViewCamera(view.target, view.axes, view.azimuth_deg, view.elevation_deg, 1.1 * view.distance_mm)
    at = view.project(labels.xyz, size)[0] + 0.5
    assert np.allclose([[one["x"], one["y"]] for one in sorted(numbers, key=lambda one: one["angle"])], at, atol=0.05)
    angle = tuple(round(255 * part) for part in palette.ANGLE)
    ends = view.project(lines.xyz[[4, 9, 18, 23], 0], size)[0] + 0.5  # within both arcs
    assert all(near(page, "#scene", *end, angle) > 2 for end in ends)
    page.page.keyboard.press("p")  # the next angles: of those in the plots
    page.page.keyboard.press("p")
    page.settle()
    shown = page.value("pose3dPlayer.plots.chosen.map((group) => group.title)")
    assert bool(page.value("pose3dPlayer.stage.numbers.length")) == ("knee flexion" in shown)


def test_a_second_recording_stands_over_the_first_or_beside_it(recording, walker, show):
    other = make_playback(replace(walker(140, seed=2), fps=25.0), name="before")
    raw = walker(300)
    raw = replace(raw, xyz=raw.xyz - 700.0 * recording.ground.axes[1])
    served = BackgroundPage(replace(recording, videos={}, raw=raw), second=SecondRecording(other, 1200.0))
    try:
        page = show(served.url).ready()
        page.go_to(101)
        page.expect("#second").to_have_text("and before")
        there = np.reshape(page.value("[...pose3dPlayer.recording.field(101, 'second')]"), (-1, 3))
        assert np.allclose(there, other.points.xyz[50, 0], atol=1e-3)  # at the same time after its beginning
        size = page.value("[pose3dPlayer.stage.width, pose3dPlayer.stage.height]")
        view = frame_camera(recording)
        view = ViewCamera(view.target, view.axes, view.azimuth_deg, view.elevation_deg, 1.1 * view.distance_mm)
        thigh = [other.points.keypoints.index(name) for name in ("LHip", "LKnee")]
        colour = tuple(round(255 * part) for part in palette.SECOND)

        def drawn(shift):
            middle = other.points.xyz[50, 0, thigh].mean(0) + shift * recording.ground.axes[1]
            return near(page, "#scene", *view.project(middle, size)[0] + 0.5, colour) > 8

        assert drawn(1200.0)
        for expected in (False, False, True):  # hidden, over the first, and beside it again
            page.page.keyboard.press("x")
            page.settle()
            assert drawn(1200.0) == expected
        page.expect("#show-second").to_have_text("Second beside")
        page.page.keyboard.press("Shift+R")  # and the points before refinement
        page.settle()
        lines = view.project(raw.xyz[101, 0, thigh], size)[0] + 0.5
        places = lines[0] + np.linspace(0, 1, 30)[:, None] * (lines[1] - lines[0])
        grey = tuple(round(255 * part) for part in palette.RAW)
        assert sum(near(page, "#scene", *place, grey, 2) for place in places) > 20
    finally:
        served.close()


def test_keys_go_where_they_say(recording, page_url, show):
    page = show(page_url).ready()
    row = lambda: page.value("pose3dPlayer.clock.row")  # noqa: E731
    press = page.page.keyboard.press
    press("ArrowRight"), press("ArrowRight"), press("ArrowLeft")
    assert row() == 1
    press("Shift+ArrowRight")
    assert row() == 51
    press("End")
    assert row() == 299
    press("Home")
    assert row() == 0
    firsts = [stretch.first for stretch in recording.bad_frames]
    assert 200 in firsts
    for first in firsts:
        if first > 0:
            press("n")
            assert row() == first
    press("n")
    assert row() == firsts[-1]
    page.expect("#note").to_contain_text("no doubtful frames")
    page.go_to(0)
    press("e")
    assert row() == np.floor(recording.event_rows()[0] + 0.5)
    press("2")
    assert page.value("pose3dPlayer.large === pose3dPlayer.panes[1]")
    press("2")
    press("c")
    assert page.value("pose3dPlayer.viewName") == recording.cameras[0]
    press("v")
    page.go_to(202)
    reason = next(one.reason for one in recording.bad_frames if one.first <= 202 < one.last)
    page.expect("#reason").to_have_text(f"look here: {reason}")
    page.go_to(40)
    press("i")
    page.go_to(60)
    press("o")
    page.settle()
    page.expect("#loop").to_have_text(f"loop {40 + START}–{60 + START}")
    for _ in range(3):
        press("]")
    assert page.value("pose3dPlayer.clock.speed") == 8
    press(" ")
    rows = []
    for _ in range(12):
        page.page.wait_for_timeout(40)
        rows.append(row())
    press(" ")
    assert min(rows) >= 40
    assert max(rows) <= 60
    assert len(set(rows)) > 3
    press("Escape")
    assert page.value("pose3dPlayer.clock.loop") is None
    press("?")
    said = page.page.locator("#help").inner_text()
    assert "One frame back" in said
    assert "a remark <b>with</b> signs" in said  # as text
    press("?")
    assert not page.value("document.getElementById('help').open")
    for action in page.value(
        "pose3dPlayer.actions.filter((one) => one.button).map((one) => [one.id, one.key, one.button.title])"
    ):
        assert action[1], f"{action[0]} has no key"
        assert action[2], f"{action[0]} has no tooltip"
    keys = page.value("pose3dPlayer.actions.map((one) => one.key)")
    assert len(set(keys)) == len(keys)
    page.expect("#help kbd").to_have_count(len(keys))
    controls = "[...document.querySelectorAll('button, select, .pane')].filter((one) => !one.hidden)"
    assert page.value(f"{controls}.filter((one) => !/\\(.+\\)$/.test(one.title)).map((one) => one.id)") == []


def test_clicks_on_strip_plots_and_panes(page_url, show):
    page = show(page_url).ready()
    box = page.page.locator("#strip").bounding_box()
    page.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 20)
    assert page.value("pose3dPlayer.clock.row") == 150
    page.page.mouse.move(box["x"] + box["width"] * 202.5 / 300, box["y"] + 20)
    page.expect("#tip").to_contain_text("large error")
    page.page.mouse.move(box["x"] + box["width"] * 60.5 / 300, box["y"] + 20)
    page.page.keyboard.down("Shift")
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + box["width"] * 90.5 / 300, box["y"] + 20, steps=4)
    page.page.mouse.up()
    page.page.keyboard.up("Shift")
    assert page.value("pose3dPlayer.clock.loop") == [60, 90]
    box = page.page.locator("#traces").bounding_box()
    page.page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + 60)
    row = page.value("pose3dPlayer.clock.row")
    assert 65 < row < 75  # a quarter of the plot of the whole recording
    first = page.page.locator(".pane").first
    before = first.bounding_box()
    first.click()
    page.wait("pose3dPlayer.large === pose3dPlayer.panes[0]")
    assert first.bounding_box()["width"] > 1.3 * before["width"]
    first.click()
    assert first.bounding_box() == before
    for pane in range(4):  # no black bars: a pane has the shape of its picture
        box = page.page.locator(".pane").nth(pane).bounding_box()
        assert box["width"] / box["height"] == pytest.approx(4 / 3, abs=0.01)


def test_angles_of_each_of_several_individuals(walker, show):
    one, two = walker(40), walker(40, seed=1)
    xyz = np.concatenate([one.xyz, two.xyz + np.array([0.0, 900.0, 0.0])], axis=1)
    points = Keypoints3D.from_points(xyz, one.keypoints, ("anna", "ben"), fps=50.0)
    deg = np.stack([np.full((40, 2), 10.0), np.full((40, 2), 20.0)], axis=1)
    angles = JointAngles(deg, ("elbow_l", "elbow_r"), points.individuals, fps=50.0)
    served = BackgroundPage(make_playback(points, name="two", angles=angles))
    try:
        page = show(served.url)
        page.go_to(20)
        assert len(page.value("pose3dPlayer.stage.joints")) == 34
        page.expect("#whose button").to_have_text("of anna")
        assert page.value("pose3dPlayer.plots.value(20, 1)") == 10
        page.page.keyboard.press("w")
        page.settle()
        page.expect("#whose button").to_have_text("of ben")
        assert page.value("pose3dPlayer.plots.value(20, 1)") == 20
    finally:
        served.close()


@pytest.mark.parametrize("case", ["one keypoint", "nothing", "one frame", "two people, odd names"])
def test_poor_recordings_are_shown_too(case, show):
    rng = np.random.default_rng(0)
    xyz = {
        "one keypoint": rng.normal(0, 100, (30, 1, 1, 3)),
        "nothing": np.full((30, 1, 3, 3), np.nan),
        "one frame": rng.normal(0, 100, (1, 1, 4, 3)),
        "two people, odd names": rng.normal(0, 100, (30, 2, 4, 3)),
    }[case]
    names = tuple(f"<odd {i}>" for i in range(xyz.shape[2]))
    points = Keypoints3D.from_points(xyz, names, tuple("ab"[: xyz.shape[1]]))
    served = BackgroundPage(make_playback(points, name=case))
    try:
        page = show(served.url)
        for key in ("ArrowRight", "End", " ", "n", "t", "c", "Shift+U", "Shift+K", "y", "e", "1", "?", "?"):
            page.page.keyboard.press(key)
        page.settle()
        assert len(page.value("pose3dPlayer.stage.joints")) == int(np.isfinite(xyz[-1, ..., 0]).sum())
        if case == "nothing":
            assert (
                "no point in any frame"
                in page.page.locator("#note").inner_text() + page.page.locator("#help").inner_text()
            )
    finally:
        served.close()


def test_a_long_recording_is_scrubbed_without_waiting(walker, show):
    points = walker(20_000)
    served = BackgroundPage(make_playback(points, name="long"))
    try:
        page = show(served.url)
        shown = page.page.evaluate(
            """async () => {
                const found = [];
                for (let i = 0; i < 40; i += 1) {
                    const row = (i * 7919) % 20000;
                    pose3dPlayer.goTo(row);
                    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
                    const joint = pose3dPlayer.stage.joints[0];
                    found.push([row, pose3dPlayer.drawnRow, joint.x]);
                }
                return found;
            }"""
        )
        assert all(row == drawn for row, drawn, _ in shown)  # the 3D view follows within a frame, whatever has come
        page.go_to(15_873)
        page.wait("pose3dPlayer.recording.field(15873, 'xyz')")
        values = page.value("[...pose3dPlayer.recording.field(15873, 'xyz')]")
        assert np.allclose(np.reshape(values, (-1, 3)), points.xyz[15_873, 0], atol=1e-3, equal_nan=True)
        assert page.value("pose3dPlayer.recording.blocks.size") <= 96
    finally:
        served.close()
