"""The videos of the player's page: the frame that belongs to the row, at any speed and after any seek."""

import numpy as np
import pytest

START = 7


def test_every_pane_shows_the_frame_that_it_should(recording, page_url, show):
    page = show(page_url).ready()
    names = recording.cameras
    frames = {name: recording.video_frames(name) for name in names[:3]}
    for row in (0, 1, 2, 250, 29, 30, 31, 299, 100, 276, 277):
        page.go_to(row)
        for pane, name in enumerate(names[:3]):
            wanted = int(frames[name][row])
            inside = pane != 1 or wanted < 280
            assert page.value(f"pose3dPlayer.panes[{pane}].inside({row})") == inside
            if inside:
                assert page.burnt_number(pane) == wanted, (row, name)
    # Many seeks at once: the last one wins, everywhere.
    page.value("([...Array(60).keys()].forEach((i) => pose3dPlayer.goTo(i * 4)), 0)")
    page.go_to(143)
    assert [page.burnt_number(pane) for pane in range(3)] == [int(frames[name][143]) for name in names[:3]]
    # The second video is shorter than the recording, which its pane says.
    page.go_to(299)
    assert not page.value("pose3dPlayer.panes[1].inside(299)")
    assert "the video has frames 0 to 279" in page.value("pose3dPlayer.panes[1].blank.textContent")
    assert page.value("pose3dPlayer.panes[1].clip.element.style.visibility") == "hidden"
    assert page.value("pose3dPlayer.panes.map((pane) => pane.clip && pane.clip.constructor.name)") == [
        "PlayedClip",
        "PlayedClip",
        "PictureClip",
        None,
    ]


def test_a_far_seek_shows_the_key_frame_until_the_exact_one_is_there(page_url, show):
    page = show(page_url).ready()
    keys = page.value("pose3dPlayer.panes.slice(0, 3).map((pane) => [...pane.clip.keys])")
    assert [each[:3] for each in keys[:2]] == [[0, 16, 32], [0, 16, 32]]
    assert keys[0][4] == 92
    page.go_to(2)
    fetched = []
    page.page.on("request", lambda request: fetched.append(request.url.rsplit("/", 1)[-1]))
    page.page.evaluate(
        """() => {
            const { clip } = pose3dPlayer.panes[0];
            window.steps = [];
            clip.element.addEventListener("seeking", () => steps.push(clip.asked));
            Object.defineProperty(clip, "far", { value: 4, writable: true, configurable: true });
        }"""
    )
    for row, expected in ((103, [92, 110]), (105, [112]), (104, [111]), (85, [92]), (80, [87]), (40, [32, 47])):
        page.value("(steps.length = 0, 0)")
        page.go_to(row)
        assert page.value("steps") == expected, row
        assert page.burnt_number(0) == row + START
    assert [int(name) for name in fetched if name.isdigit()] == [row + START for row in (103, 105, 104, 85, 80, 40)]

    # What is decoded at once needs no picture before it, unless one wish follows the other.
    page.value("(steps.length = 0, pose3dPlayer.panes[0].clip.far = 100, 0)")
    page.go_to(103)
    assert page.value("steps") == [110]
    page.go_to(5)
    page.value("(steps.length = 0, delete pose3dPlayer.panes[0].clip.far, 0)")
    page.value("[47, 110].map((frame) => pose3dPlayer.panes[0].clip.goTo(frame))")
    page.go_to(103)
    assert page.value("steps")[-2:] == [92, 110]
    page.go_to(40)

    # Keypoints are those of the picture that is shown; over one that belongs to no row there are none.
    found = page.value(
        """[37, 47, 0].map((shown) => {
            const pane = pose3dPlayer.panes[0];
            pane.clip.shown = shown;
            pane.draw(pose3dPlayer.marks);
            const { data } = pane.canvas.getContext("2d").getImageData(0, 0, pane.canvas.width, pane.canvas.height);
            return [pane.drawn, data.some((value) => value > 0), pane.error.textContent !== "", pane.stale.textContent];
        })"""
    )
    assert found == [[30, True, True, "…"], [40, True, True, ""], [None, False, False, "…"]]


@pytest.mark.parametrize("speed", [0.25, 1, 4])
def test_what_is_drawn_over_a_playing_video_is_of_its_own_frame(recording, page_url, show, speed):
    page = show(page_url).ready()
    page.go_to(20)
    page.value(f"(pose3dPlayer.clock.setSpeed({speed}), pose3dPlayer.playOrPause(), 0)")
    page.page.wait_for_timeout(400)
    # Each new picture: its number, the frame that the player takes it for, and the frame of what is drawn over it.
    seen = page.page.evaluate(
        """async ([bits, block]) => {
            const found = [], context = new OffscreenCanvas(320, 240).getContext("2d", { willReadFrequently: true });
            const pane = pose3dPlayer.panes[0], element = pane.clip.element;
            while (found.length < 25 && pose3dPlayer.clock.playing) {
                await new Promise((done) => element.requestVideoFrameCallback(() => {
                    context.drawImage(element, 0, 0, 320, 240);
                    const { data } = context.getImageData(0, 8 + block / 2, 320, 1);
                    let number = 0;
                    for (let bit = 0; bit < bits; bit += 1) {
                        if (data[4 * (8 + bit * block + block / 2)] > 128) number += 1 << bit;
                    }
                    const shown = pane.clip.shown, row = pose3dPlayer.clock.row;
                    requestAnimationFrame(() => done(found.push([number, shown, pane.frames[pane.drawn], row])));
                }));
            }
            return found;
        }""",
        [12, 16],
    )
    picture, taken, overlay, row = np.array(seen).T
    assert len(picture) >= 5
    assert len(set(row)) > 3  # it does play
    assert (picture == taken).mean() > 0.7  # a browser under load may have gone on to the next picture by itself
    assert (overlay == taken).mean() > 0.7
    assert np.median(np.abs(picture - START - row)) <= max(3, 6 * speed)  # and keeps up with the clock
    page.value("(pose3dPlayer.clock.pause(), pose3dPlayer.refresh(), 0)")
    page.settle()
    row = page.value("pose3dPlayer.clock.row")
    assert page.burnt_number(0) == recording.video_frames(recording.cameras[0])[row]


def test_through_a_camera_the_scene_lies_over_its_video(recording, page_url, show):
    page = show(page_url).ready()
    page.go_to(60)
    page.page.keyboard.press("Alt+2")
    page.wait("pose3dPlayer.backdrop && pose3dPlayer.backdrop.clip && pose3dPlayer.backdrop.clip.shown >= 0")
    page.wait("pose3dPlayer.backdrop.shownRow === 60")
    page.settle()
    name = recording.cameras[1]
    left, top, width, _ = page.value("pose3dPlayer.stage.pictureRect()")
    expected = recording.rig[name].project(recording.points.xyz[60, 0])
    joints = page.value("pose3dPlayer.stage.joints")
    shown = np.array([[joint["x"], joint["y"]] for joint in joints])
    scale = width / recording.rig[name].size[0]
    assert np.allclose((shown - [left, top]) / scale - 0.5, expected[[joint["k"] for joint in joints]], atol=0.05)
    # A drag leaves it, and begins to turn from where the camera looked.
    page.page.mouse.move(300, 300)
    page.page.mouse.down()
    page.page.mouse.move(340, 300, steps=3)
    page.page.mouse.up()
    assert page.value("pose3dPlayer.stage.view.camera") is None
    assert page.value("document.querySelectorAll('#backdrop video').length") == 0
