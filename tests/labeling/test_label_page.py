"""The labelling page by real clicks and keys, in Chromium."""

import numpy as np
import pandas as pd
import pytest

from pose3d.data.labels import Mark
from pose3d.project import Project
from pose3d.project.labels import load_labels

ABSENT, OCCLUDED = int(Mark.ABSENT), int(Mark.OCCLUDED)


def cameras(page):
    return page.value("pose3dLabel.views.map((view) => view.camera)")


def shown(page, view):
    """The colours that a view's marks are drawn in: how many pixels of left, right and midline."""
    return page.value(
        f"""(() => {{
            const {{ width, height }} = pose3dLabel.panes[{view}].marks;
            const data = pose3dLabel.panes[{view}].marks.getContext("2d").getImageData(0, 0, width, height).data;
            const colours = {{ left: [76, 194, 255], right: [255, 159, 67], middle: [244, 244, 245] }};
            const count = {{ left: 0, right: 0, middle: 0 }};
            for (let i = 0; i < data.length; i += 4) {{
                for (const [name, rgb] of Object.entries(colours)) {{
                    const near = rgb.every((value, c) => Math.abs(data[i + c] - value) < 12);
                    if (near && data[i + 3] > 200) count[name] += 1;
                }}
            }}
            return count;
        }})()"""
    )


def settle(page):
    page.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_an_instant_is_labelled_by_clicks_from_an_empty_project(project, serve, visit, rig, truth):
    server = serve(project)
    page = visit(server.url)
    order = cameras(page)
    assert order == ["backleft", "backright", "frontleft", "frontright"]

    def place(keypoint, camera):
        return truth[0, keypoint, rig.names.index(camera)]

    # One click draws the line in the three other views, and it runs through the point.
    page.page.keyboard.press("ArrowDown")
    assert page.value("pose3dLabel.keypoints[pose3dLabel.chosen].name") == "hip_l"
    settle(page)
    assert shown(page, 1)["left"] == 0
    page.click(0, place(1, order[0]))
    page.wait("pose3dLabel.curves.size === 1 && pose3dLabel.curvesIn(1).length === 1")
    settle(page)
    for view in (1, 2, 3):
        line = np.array(page.value(f"pose3dLabel.curvesIn({view})[0].points[0]"))
        a, b = line[:-1], line[1:]
        wanted = place(1, order[view])
        part = np.clip(((wanted - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1), 0, 1)
        assert np.linalg.norm(a + part[:, None] * (b - a) - wanted, axis=-1).min() < 1.5
        assert shown(page, view)["left"] > 100
    assert "second view, along the line" in page.page.inner_text("#hint")

    # Two clicks suggest the rest.
    page.click(3, place(1, order[3]))
    for view in (1, 2):
        suggested = page.value(f"pose3dLabel.suggestion({view}, 1)")
        assert np.linalg.norm(np.array(suggested) - place(1, order[view])) < 1.0
    assert "2 suggested" in page.page.inner_text("#hint")
    errors = page.page.eval_on_selector_all(".error", "(chips) => chips.map((chip) => chip.textContent)")
    assert errors[1:3] == ["suggested", "suggested"]
    assert all(float(errors[i].removesuffix(" px")) < 1 for i in (0, 3))

    # Enter accepts, and goes to the next keypoint that is not done.
    page.press("Enter")
    assert page.value("pose3dLabel.keypoints[pose3dLabel.chosen].name") == "hip_r"
    assert all(view[1] for view in page.labels())
    assert page.page.inner_text("#total") == "4 / 12"

    # Undo takes the two accepted ones back together, redo brings them again.
    page.press("Control+z")
    assert [bool(view[1]) for view in page.labels()] == [True, False, False, True]
    page.press("Control+Shift+Z")
    assert all(view[1] for view in page.labels())

    # Occluded and absent, by keys, in the view under the pointer.
    page.page.keyboard.press("ArrowUp")
    page.page.mouse.move(*page.screen(2, place(1, order[2])))
    page.press("o")
    assert page.labels()[2][1][2] == OCCLUDED
    page.page.keyboard.press("ArrowDown")
    page.press("x")
    assert page.labels()[2][2] == [None, None, ABSENT]

    # The others, at another zoom: a click means the same image px.
    x, y = page.screen(0, place(2, order[0]))
    page.page.mouse.move(x, y)
    page.page.mouse.wheel(0, -800)
    page.wait("pose3dLabel.panes[0].view.scale > 2.5 * pose3dLabel.panes[0].fitScale")
    page.click(0, place(2, order[0]))
    page.click(3, place(2, order[3]))
    page.press("Enter")
    assert page.value("pose3dLabel.keypoints[pose3dLabel.chosen].name") == "nose"
    page.page.keyboard.press("f")
    for view in (1, 2):
        page.click(view, place(0, order[view]))
    page.press("Shift+Enter")
    assert page.page.inner_text("#total") == "12 / 12"
    page.page.keyboard.press("n")
    page.wait("pose3dLabel.current === 1")
    assert "frame 19" in page.page.inner_text("#where")

    server.end()
    labels = load_labels(Project.load(project)).labels
    assert len(labels) == 4
    for row, image in enumerate(labels.images):
        camera = image.video.removeprefix("walk_")
        wanted = truth[0, :, rig.names.index(camera)].copy()
        wanted[2 if camera == order[2] else []] = np.nan
        assert np.nanmax(np.linalg.norm(labels.xy[row, 0] - wanted, axis=-1)) < 1.0
        assert np.isnan(labels.xy[row, 0]).any() == (camera == order[2])
    table = pd.read_hdf(project / "labeled-data" / "walk_frontleft" / "CollectedData_pose3d.h5")
    assert table.columns.get_level_values("bodyparts").unique().tolist() == ["nose", "hip_l", "hip_r"]
    assert table.shape == (1, 6)


def test_clicks_survive_a_killed_server(project, serve, visit, rig, truth):
    server = serve(project)
    page = visit(server.url, ignore="ERR_")
    for view in range(4):
        page.click(view, truth[0, 0, rig.names.index(cameras(page)[view])])
    before = page.labels()
    server.process.kill()
    server.process.wait()
    page.page.mouse.click(*page.screen(0, (300, 200)))
    page.wait("!document.getElementById('trouble').hidden")
    assert "the last click is not kept" in page.page.inner_text("#trouble")
    again = visit(serve(project).url)
    assert again.labels() == before


def test_dragging_moves_marks_and_images(project, serve, visit, rig, truth):
    page = visit(serve(project).url)
    xy = truth[0, 0, rig.names.index(cameras(page)[0])]
    page.click(0, xy)
    mouse = page.page.mouse
    mouse.move(*page.screen(0, xy))
    mouse.down()
    mouse.move(*page.screen(0, xy + np.array([10, 10])))
    mouse.move(*page.screen(0, xy + np.array([30, -20])))
    before = page.value("pose3dLabel.state.revision")
    mouse.up()
    page.wait(f"pose3dLabel.state.revision > {before}")
    assert np.allclose(page.labels()[0][0][:2], xy + np.array([30, -20]), atol=0.6)

    corner = page.screen(0, (20, 20))
    mouse.move(*corner)
    mouse.down()
    mouse.move(corner[0] + 40, corner[1] + 25, steps=4)
    mouse.up()
    assert np.allclose(page.screen(0, (20, 20)), np.add(corner, [40, 25]), atol=0.6)
    assert page.value("pose3dLabel.state.revision") == before + 1  # that was no click
    page.page.keyboard.press("f")
    assert np.allclose(page.screen(0, (20, 20)), corner, atol=0.6)


def test_everything_by_keys_alone(project, serve, visit):
    page = visit(serve(project).url)
    page.page.keyboard.press("2")
    page.press(" ")
    x, y, _ = page.labels()[1][0]
    assert (x, y) == pytest.approx((319.5, 239.5), abs=0.6)  # the middle of the view
    for key, move in {"d": (1, 0), "s": (0, 1), "Shift+A": (-10, 0), "Shift+W": (0, -10)}.items():
        page.press(key)
        new = page.labels()[1][0]
        assert np.allclose(new[:2], [x + move[0], y + move[1]], atol=0.02)
        x, y, _ = new
    for _ in range(12):  # faster than the server answers
        page.page.keyboard.press("d")
    page.wait(f"Math.abs(pose3dLabel.state.labels[0][1][0][0] - {x + 12}) < 0.02 && pose3dLabel.pending === 0")
    page.press("o")
    assert page.labels()[1][0][2] == OCCLUDED
    page.press("Delete")
    assert page.labels()[1][0] is None
    page.press("Shift+X")
    assert [view[0][2] for view in page.labels()] == [ABSENT] * 4
    page.press("u")
    page.page.keyboard.press("Tab")
    assert page.value("pose3dLabel.chosen") == 1
    page.page.keyboard.press("Shift+Tab")
    page.page.keyboard.press("m")
    assert page.page.locator(".pane:visible").count() == 1
    page.page.keyboard.press("Escape")
    assert page.page.locator(".pane:visible").count() == 4
    page.page.keyboard.press("ArrowRight")
    page.wait("pose3dLabel.current === 1")
    page.page.keyboard.press("ArrowLeft")
    page.wait("pose3dLabel.current === 0")
    for option, key in {"skeleton": "g", "lines": "e", "loupe": "l", "hidden": "h", "advance": "t"}.items():
        before = page.value(f"pose3dLabel.options.{option}")
        page.page.keyboard.press(key)
        assert page.value(f"pose3dLabel.options.{option}") is not before
    page.page.keyboard.press("b")
    assert "brightness" in page.value("pose3dLabel.panes[0].picture.style.filter")
    page.page.keyboard.press("?")
    assert page.page.locator("#help").is_visible()
    assert "accept the other views' suggestion" in page.page.inner_text("#help")
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#help").is_visible()
    page.page.keyboard.press("Control+s")
    page.wait("document.getElementById('save').textContent === 'saved · files'")


def test_the_view_that_disagrees_is_named(project, serve, visit, rig, truth):
    page = visit(serve(project).url)
    order = cameras(page)
    for view, camera in enumerate(order):
        page.click(view, truth[0, 0, rig.names.index(camera)] + (view == 1) * np.array([25.0, 18.0]))
    warning = page.page.inner_text("#warning")
    assert warning.startswith(f"{order[1]} disagrees by 3")
    assert "suspect" in page.value("pose3dLabel.panes[1].root.className")
    assert "suspect" not in page.value("pose3dLabel.panes[0].root.className")
    page.click(1, truth[0, 0, rig.names.index(order[1])])
    assert page.page.inner_text("#warning") == ""


def test_without_a_calibration(project, serve, visit):
    (project / "session1" / "calibration" / "calibration.toml").unlink()
    page = visit(serve(project).url)
    assert page.value("pose3dLabel.options.advance")  # nothing to wait for: a click goes to the next keypoint
    page.click(0, (100, 100))
    assert page.value("pose3dLabel.chosen") == 1
    page.click(0, (120, 100))
    page.click(0, (140, 100))
    assert [bool(label) for label in page.labels()[0]] == [True] * 3
    assert not page.page.locator("#accept").is_visible()
    page.page.keyboard.press("ArrowRight")
    page.wait("pose3dLabel.current === 1")
    page.press("Shift+C")
    assert [label[:2] for label in page.labels()[0]] == [[100, 100], [120, 100], [140, 100]]


def test_one_camera(project, serve, visit):
    for camera in ("backleft", "backright", "frontright"):
        for path in (project / "labeled-data" / f"walk_{camera}").iterdir():
            path.unlink()
    page = visit(serve(project).url)
    assert page.page.locator(".pane").count() == 1
    page.click(0, (300, 200))
    page.press("u")
    assert page.labels() == [[None, None, None]]


def test_a_damaged_image_has_a_placeholder_and_the_rest_works(project, serve, visit, rig, truth):
    path = project / "labeled-data" / "walk_backleft" / "img007.png"
    path.write_bytes(path.read_bytes()[:3000])
    page = visit(serve(project).url, ignore="status of 422")
    assert "This image cannot be shown" in page.page.inner_text(".broken")
    assert "cut short" in page.page.inner_text(".broken")
    order = cameras(page)
    for view in (1, 2):
        page.click(view, truth[0, 0, rig.names.index(order[view])])
    page.press("Enter")
    assert all(view[0] for view in page.labels())
    path.unlink()


def test_marks_are_seen_on_dark_and_bright_images(project, serve, visit):
    import cv2

    for i, path in enumerate(sorted(project.rglob("*.png"))):
        cv2.imwrite(str(path), np.full((480, 640, 3), 255 * (i % 2), np.uint8))
    page = visit(serve(project, "--calibration", str(project / "session1/calibration/calibration.toml")).url)
    for k in range(3):
        page.page.evaluate(f"() => pose3dLabel.choose({k})")
        page.click(0, (100 + 100 * k, 200))
    page.page.mouse.move(*page.screen(1, (500, 400)))
    settle(page)
    count = shown(page, 0)
    assert all(value > 15 for value in count.values()), count
    dark = page.value(
        """(() => {
            const canvas = pose3dLabel.panes[0].marks;
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let n = 0;
            for (let i = 0; i < data.length; i += 4) n += data[i] < 30 && data[i + 2] < 40 && data[i + 3] > 150;
            return n;
        })()"""
    )
    assert dark > 60  # the rim that sets them off from a bright image
