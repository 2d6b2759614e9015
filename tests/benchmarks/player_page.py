"""The player's page on a long recording: how soon it shows something, and how fast it follows.

    python tests/benchmarks/player_page.py [N_FRAMES]

100,000 frames x 30 keypoints x 4 cameras in headless Chromium: seconds from the arrays to the first picture, memory of
the server beyond the arrays, ms from a jump to the full numbers of a row, CPU ms of drawing a frame of the whole page.
"""

import resource
import shutil
import sys
import time

import numpy as np
from playwright.sync_api import sync_playwright

from pose3d.data import JointAngles, Keypoints2D, Keypoints3D
from pose3d.demo.rig import make_rig
from pose3d.viewer.loading import make_playback
from pose3d.viewer.playback import Playback
from pose3d.viewer.web.server import BackgroundPage

FPS, KEYPOINTS = 60.0, 30
MEASURE = """async () => {
    const player = pose3dPlayer, n = player.recording.meta.n_frames, jumps = [];
    const frame = () => new Promise(requestAnimationFrame);
    let drawing = 0, drawn = 0;
    const draw = player.draw.bind(player);
    player.draw = (row) => {
        const from = performance.now();
        draw(row);
        drawing += performance.now() - from;
        drawn += 1;
    };
    for (let i = 0; i < 60; i += 1) {
        const row = (i * 7919 * 13) % n, from = performance.now();
        player.goTo(row);
        while (!player.recording.field(row, "xyz")) await new Promise((done) => setTimeout(done, 1));
        jumps.push(performance.now() - from);
    }
    let followed = 0;
    for (let i = 0; i < 200; i += 1) {
        const row = Math.floor(i * n / 200);
        player.goTo(row);
        await frame();
        followed += player.drawnRow === row;
    }
    player.goTo(0);
    drawing = drawn = 0;
    player.clock.play();
    const from = performance.now(), place = player.clock.place;
    await new Promise((done) => setTimeout(done, 4000));
    const pace = (player.clock.place - place) / ((performance.now() - from) / 1000 * player.clock.fps);
    jumps.sort((a, b) => a - b);
    const [jump, slowest] = [jumps[30], jumps[59]];
    return { jump, slowest, followed: followed / 200, draw: drawing / drawn, rate: drawn / 4, pace };
}"""


def make_recording(n: int) -> Playback:
    rng = np.random.default_rng(0)
    rig = make_rig(seed=3, size=(1280, 960))
    time_s = np.arange(n)[:, None] / FPS
    xyz = rng.uniform([-300, -300, 0], [300, 300, 1800], (KEYPOINTS, 3)) + np.zeros((n, 1, 1))
    xyz[..., 0] += 400 * np.sin(time_s + np.arange(KEYPOINTS))
    names = tuple(f"{side}{i}" for i in range(KEYPOINTS // 2) for side in "LR")
    points = Keypoints3D.from_points(xyz[:, None], names, ("a",), fps=FPS)
    xy = np.empty((n, 4, 1, KEYPOINTS, 2))
    for first in range(0, n, 5000):
        xy[first : first + 5000] = rig.project(xyz[first : first + 5000, None]).transpose(0, 3, 1, 2, 4)
    views = Keypoints2D(xy, np.ones(xy.shape[:-1]), rig.names, ("a",), names, fps=FPS)
    deg = np.cumsum(rng.normal(0, 1, (n, 1, 12)), axis=0)
    angles = JointAngles(deg, tuple(f"angle{i}_{side}" for i in range(6) for side in "lr"), ("a",), fps=FPS)
    return make_playback(points, name="long", rig=rig, views=views, angles=angles)


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    playback = make_recording(n)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1400, "height": 860})
        before, from_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        served = BackgroundPage(playback)
        page.goto(served.url)
        while not page.evaluate("() => Boolean(window.pose3dPlayer && pose3dPlayer.drawnRow >= 0)"):
            page.wait_for_timeout(5)
        print(f"first picture {time.perf_counter() - from_s:.2f} s")
        print({name: round(value, 3) for name, value in page.evaluate(MEASURE).items()})
        print(f"memory +{(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.0f} MB (peak)")
        browser.close()
        served.close()


if __name__ == "__main__":
    main()
