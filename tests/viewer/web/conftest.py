"""A recording of which everything is known, its page, and a browser."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose3d.data import JointAngles, Keypoints2D, Keypoints3D, Skeleton, Status
from pose3d.data.events import LimbEvents
from pose3d.data.norms import NormBand, Norms
from pose3d.demo.rig import make_rig
from pose3d.io.video import write_video
from pose3d.viewer.loading import make_playback
from pose3d.viewer.playback import Playback
from pose3d.viewer.web.server import BackgroundPage

N, FPS, START = 300, 50.0, 7
SIZE = (320, 240)
BITS, BLOCK = 12, 16


def burnt(index: int) -> np.ndarray:
    """A picture that says its number: white blocks for the bits that are set."""
    image = np.full((SIZE[1], SIZE[0], 3), 90, dtype=np.uint8)
    for bit in range(BITS):
        image[8 : 8 + BLOCK, 8 + bit * BLOCK : 8 + (bit + 1) * BLOCK] = 255 * (index >> bit & 1)
    image[120:, :, index % 3] = 40 + index % 100
    return image


def make_walker(n: int, *, seed: int = 0) -> Keypoints3D:
    """A body of COCO's keypoints that walks along x and swings its limbs."""
    skeleton = Skeleton.preset("coco17")
    rng = np.random.default_rng(seed)
    sides = np.array([1 if name[0] == "L" else -1 if name[0] == "R" else 0 for name in skeleton.keypoints])
    heights = {"Shoulder": 1450, "Elbow": 1150, "Wrist": 900, "Hip": 950, "Knee": 500, "Ankle": 90}
    z = np.array([next((h for word, h in heights.items() if word in name), 1650.0) for name in skeleton.keypoints])
    base = np.stack([np.zeros(len(sides)), 150.0 * sides, z], axis=-1)
    time = np.arange(n)[:, None] / FPS
    swing = 250 * np.sin(2 * np.pi * time) * sides * (1 - z / 1700)
    xyz = np.repeat(base[None], n, axis=0)
    xyz[..., 0] += swing + 300 * np.sin(0.3 * time)
    xyz += rng.normal(0, 1.0, xyz.shape)
    xyz[40:50, 9] = np.nan
    shape = (n, 1, len(sides))
    status = np.full(shape, Status.OBSERVED, dtype=np.uint8)
    status[100:110, 0, 13] = Status.FILLED
    error = np.full(shape, 1.0)
    error[200:205] = 12.0
    covariance = np.tile(np.diag([9.0, 4.0, 1.0]), (*shape, 1, 1))
    covariance[200:205] *= 100
    return Keypoints3D(
        xyz[:, None],
        error,
        np.full(shape, 4),
        np.ones(shape),
        status,
        ("anna",),
        skeleton.keypoints,
        covariance=covariance,
        fps=FPS,
        start=START,
    )


def make_recording(folder: Path, n: int = N) -> Playback:
    """A recording with three videos: one in step, one with an offset and another rate's times, one no browser plays."""
    rig = make_rig(seed=3, size=SIZE)
    names = rig.names
    points = make_walker(n)
    xy = rig.project(points.xyz).transpose(0, 3, 1, 2, 4).copy()
    xy[:, 0] += np.array([3.0, -4.0])  # 5 px in the first view
    views = Keypoints2D(xy, np.ones(xy.shape[:-1]), names, points.individuals, points.keypoints, fps=FPS, start=START)
    videos = {names[0]: folder / "a.mp4", names[1]: folder / "b.mp4", names[2]: folder / "c.avi"}
    frames = [burnt(i) for i in range(n + START)]
    write_video(videos[names[0]], frames, fps=FPS)
    write_video(videos[names[1]], frames[: n - 20], fps=29.97)
    write_video(videos[names[2]], frames, fps=FPS)
    time = np.arange(n) / FPS
    deg = np.stack([30 + 25 * np.sin(2 * np.pi * time), 30 - 25 * np.sin(2 * np.pi * time), 10 * np.cos(time)], axis=-1)
    angles = JointAngles(
        deg[:, None],
        ("knee_flexion_l", "knee_flexion_r", "trunk_tilt"),
        points.individuals,
        sd_deg=np.full((n, 1, 3), 2.0),
        fps=FPS,
        start=START,
        low_deg=deg[:, None] - 4,
        high_deg=deg[:, None] + 4,
    )
    strikes = START / FPS + np.arange(0.25, n / FPS, 1.0)
    return make_playback(
        points,
        name="synthetic walk",
        rig=rig,
        views=views,
        videos=videos,
        offsets={names[1]: 3.0},
        angles=angles,
        events=LimbEvents.from_times([("L", "strike", strikes), ("R", "strike", strikes + 0.5)]),
        norms=Norms({"knee_flexion": NormBand(np.array([0.0, 50, 100]), np.array([5.0, 55, 5]), np.full(3, 6.0))}),
        remarks=("a remark <b>with</b> signs",),
    )


@pytest.fixture(scope="session")
def recording(tmp_path_factory) -> Playback:
    return make_recording(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="session")
def walker() -> Callable[..., Keypoints3D]:
    return make_walker


@pytest.fixture(scope="session")
def page_url(recording) -> Iterator[str]:
    page = BackgroundPage(recording, framed=False)
    yield page.url
    page.close()


class PlayerPage:
    """The player in a browser."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.wait("window.pose3dPlayer")

    def expect(self, selector: str) -> Any:
        """What an element is to say or be within a while: what is refreshed is drawn with the browser's next frame."""
        from playwright.sync_api import expect

        return expect(self.page.locator(selector))

    def value(self, expression: str) -> Any:
        return self.page.evaluate(f"() => {expression}")

    def wait(self, expression: str) -> None:
        for _ in range(400):  # page.wait_for_function needs eval, which the page's own policy forbids
            if self.page.evaluate(f"() => Boolean({expression})"):
                return
            self.page.wait_for_timeout(25)
        pytest.fail(f"never came true: {expression}")

    def ready(self) -> "PlayerPage":
        self.wait(
            "pose3dPlayer.panes.every((pane) => !pane.camera.video || pane.message"
            " || (pane.clip && pane.clip.shown >= 0))"
        )
        return self

    def go_to(self, row: int) -> None:
        self.value(f"(pose3dPlayer.goTo({row}), 0)")
        self.settle()

    def settle(self) -> None:
        """Wait until every video shows what was asked for, and everything is drawn."""
        self.wait(
            "pose3dPlayer.panes.every((pane) => !pane.clip || !pane.inside(pane.row)"
            " || (pane.row === pose3dPlayer.clock.row && pane.clip.shown === pane.frames[pane.row]"
            " && !pane.clip.seeking))"
        )
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def burnt_number(self, pane: int) -> int:
        """The number in the picture that a pane shows."""
        levels = self.page.evaluate(
            """([pane, bits, block, width, height]) => {
                const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
                context.drawImage(pose3dPlayer.panes[pane].clip.element, 0, 0, width, height);
                return [...Array(bits).keys()].map((bit) =>
                    context.getImageData(8 + bit * block + block / 2, 8 + block / 2, 1, 1).data[1]);
            }""",
            [pane, BITS, BLOCK, *SIZE],
        )
        return sum(1 << bit for bit, level in enumerate(levels) if level > 128)


@pytest.fixture
def show(browser) -> Iterator[Callable[..., PlayerPage]]:
    """Open the player, and hold at the end that nothing went wrong and nothing came from elsewhere."""
    contexts, wrong, fetched, allowed = [], [], [], []

    def open_page(url: str, *, width: int = 1400, height: int = 860, ignore: str = "^$") -> PlayerPage:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        expected = f"{ignore}|willReadFrequently"  # the latter is about how these tests look at what was drawn
        page.on("console", lambda message: re.search(expected, message.text) or wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: fetched.append(request.url))
        allowed.append(url)
        page.goto(url)
        return PlayerPage(page)

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
    assert [url for url in fetched if not url.startswith((*allowed, "blob:", "data:"))] == []
