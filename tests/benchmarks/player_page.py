"""The player's page on a long recording: how soon it shows something, how fast it follows, and what it costs.

    python tests/benchmarks/player_page.py [N_FRAMES]

100,000 frames x 30 keypoints x 4 cameras in headless Chromium, with four 1080p H.264 videos that have a key frame
every 30 frames: seconds from the arrays to the first picture; memory of the server beyond the arrays, and of the page;
ms from a jump to the full numbers of a row; ms of drawing a frame of the whole page; from a seek in a video to a
picture near by and to the exact one, in one pane and in four together. CPU time is that of all of the browser's
processes. What the page holds after the jumps includes all answers it got, which the browser keeps for its inspector
as long as this script drives it; without one it held 137 MB, and 330 MB with the four videos, of which most are the
decoders' pictures.
"""

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from pose3d.viewer.web.server import BackgroundPage

CLIP_FRAMES = 600
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
    player.playOrPause();
    jumps.sort((a, b) => a - b);
    const [jump, slowest] = [jumps[30], jumps[59]];
    return { jump, slowest, followed: followed / 200, draw: drawing / drawn, rate: drawn / 4, pace };
}"""


SEEK = """async ([panes, rows]) => {
    const player = pose3dPlayer, shown = player.panes.slice(0, panes).map((pane) => pane.clip), found = [];
    for (const pane of player.panes.slice(panes)) { pane.clip?.close(); pane.clip = null; }
    for (const row of rows) {
        const from = performance.now(), first = [], exact = [];
        shown.forEach((clip, i) => {
            clip.changed = () => {
                first[i] ??= performance.now() - from;
                if (clip.shown === player.panes[i].frames[row]) exact[i] ??= performance.now() - from;
                player.touched.add(player.panes[i]);
            };
        });
        player.goTo(row);
        const late = from + 10000;
        while (performance.now() < late && exact.filter(Boolean).length < panes) {
            await new Promise((done) => setTimeout(done, 1));
        }
        found.push([Math.max(...first), Math.max(...exact)]);
    }
    return found;
}"""


def processes(session: Any) -> list[dict[str, Any]]:
    """The browser's processes: type, id, and s of CPU time so far."""
    found: list[dict[str, Any]] = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return found


def page_mb(session: Any) -> float:
    """Memory of the process that holds the page, beyond what it shares with others."""
    texts = [
        Path(f"/proc/{each['id']}/status").read_text() for each in processes(session) if each["type"] == "renderer"
    ]
    lines = [line.split() for text in texts for line in text.splitlines() if line.startswith("RssAnon")]
    return max((int(words[1]) / 1024 for words in lines), default=float("nan"))


def cpu_s(session: Any) -> float:
    return sum(float(each["cpuTime"]) for each in processes(session))


def measure_seeks(page: Any, session: Any, panes: int) -> None:
    rows = np.random.default_rng(0).integers(0, CLIP_FRAMES, 30).tolist()
    before = cpu_s(session)
    first, exact = np.array(page.evaluate(SEEK, [panes, rows]), dtype=float)[1:].T
    cpu = (cpu_s(session) - before) / len(rows) * 1e3
    near, far = np.quantile(first, 0.9), np.quantile(exact, 0.9)
    print(f"seek, 1080p, key frame every 30, {panes} at once: a picture after {np.median(first):.0f} ms (median),")
    print(f"    {near:.0f} ms (90 %), the exact one {np.median(exact):.0f} and {far:.0f} ms; {cpu:.0f} CPU ms a seek")


def main() -> None:
    from player import N_CAMERAS, make_clip, make_recording  # lies beside this one, where scripts look

    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        clip = make_clip(Path(folder) / "clip.mp4", CLIP_FRAMES)
        playback = make_recording(n, {f"cam{i}": clip for i in range(N_CAMERAS)})
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        page, session = browser.new_page(viewport={"width": 1400, "height": 860}), browser.new_browser_cdp_session()
        empty = page_mb(session)
        before, from_s = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        served = BackgroundPage(playback)
        page.goto(served.url)
        while not page.evaluate("() => Boolean(window.pose3dPlayer && pose3dPlayer.drawnRow >= 0)"):
            page.wait_for_timeout(5)
        print(f"first picture {time.perf_counter() - from_s:.2f} s")
        while not page.evaluate("() => pose3dPlayer.panes.every((pane) => pane.clip && pane.clip.shown >= 0)"):
            page.wait_for_timeout(5)
        start = page_mb(session) - empty
        print({name: round(value, 3) for name, value in page.evaluate(MEASURE).items()})
        server = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(
            f"memory: server +{server:.0f} MB (peak), page +{start:.0f} MB, +{page_mb(session) - empty:.0f} after jumps"
        )
        for panes in (N_CAMERAS, 1):
            measure_seeks(page, session, panes)
        browser.close()
        served.close()


if __name__ == "__main__":
    main()
