"""A session on disk whose videos tell their frames, a display nobody sees, and the window in its own process."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pose3d.data import JointAngles, Keypoints2D, Keypoints3D, Rig, Skeleton
from pose3d.data.events import LimbEvents
from pose3d.demo.person import make_person
from pose3d.demo.rig import make_rig
from pose3d.demo.walk import walk_body
from pose3d.io.anipose_csv import write_angles, write_pose3d
from pose3d.io.dlc import write_dlc
from pose3d.io.events import write_events
from pose3d.io.rigs import save_rig
from pose3d.io.video import write_video

FPS, N, SIZE, BITS, BLOCK = 50.0, 150, (320, 240), 10, 30
OFFSET, SHORT = 4, 90  # the second camera began 4 frames earlier, the third ended at frame 90

PRELUDE = """
import json, os, sys, time
import numpy as np
from pathlib import Path
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pose3d.batch.playing import load_recording, queue_of
from pose3d.viewer.view_camera import fit
from pose3d.viewer.window.application import check_display, open_window
check_display()
app = QApplication([])
K, M = Qt.Key, Qt.KeyboardModifier

def opened(source, whole=True, **parts):
    playback, more = load_recording(source, **parts)
    playback = more(playback) if whole else playback
    window = open_window(playback, queue=queue_of(playback))
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window, 10000)
    wait(lambda: window.view.n_drawn > 0 and all(p.shown or p.message for p in window.panes.values()))
    wait(lambda: all(p.message != "opening ..." for p in window.panes.values()))
    return window

def wait(condition, seconds=30):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "nothing happened"
        QTest.qWait(5)

def key(window, which, modifiers=M.NoModifier):
    QTest.keyClick(window, which, modifiers)

def settle(window):
    wait(lambda: all(p.shown is None or p.message or p.shown.frame == p.wanted for p in window.panes.values()))

def pixels(widget):
    image = widget.grab().toImage().convertToFormat(widget.grab().toImage().Format.Format_RGB32)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return flat[:, : image.width(), 2::-1].copy()

def screen(window):
    image = app.primaryScreen().grabWindow(window.winId()).toImage()
    image = image.convertToFormat(image.Format.Format_RGB32)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return flat[:, : image.width(), 2::-1].copy()

def number_in(pane):
    "The number that a pane shows, read from its pixels."
    picture = pixels(pane)
    scale, left, top = fit(pane.video_size, (pane.width(), pane.height()))
    y = round(top + scale * 220)
    at = [round(left + scale * (10 + 30 * (bit + 0.5))) for bit in range(10)]
    return sum(1 << bit for bit, x in enumerate(at) if picture[y, x].mean() > 120)

def tell(**results):
    print("RESULT " + json.dumps(results, default=str))
"""


def numbered(index: int) -> np.ndarray:
    """A picture whose blocks at the lower edge are the bits of its number."""
    image = np.full((SIZE[1], SIZE[0], 3), 70, dtype=np.uint8)
    image[:, :, 2] = 40 + index % 100
    for bit in range(BITS):
        image[205:235, 10 + BLOCK * bit : 10 + BLOCK * (bit + 1)] = 230 if index >> bit & 1 else 10
    return image


@pytest.fixture(scope="session")
def display() -> Iterator[dict[str, str]]:
    """Environment of a display: Xvfb."""
    if not sys.platform.startswith("linux") or shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed: there is no display to open windows on")
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL) as server:
        os.close(writer)
        with os.fdopen(reader) as stream:
            number = stream.readline().strip()
        if not number:
            pytest.skip("Xvfb does not start here")
        yield {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1"}
        server.terminate()


@pytest.fixture(scope="session")
def run_player(display: dict[str, str]) -> Callable[..., dict[str, Any]]:
    """Run lines with a window in a process of its own, as OpenGL must be, and return what they tell."""

    def run(lines: str, *arguments: object, **environment: str) -> dict[str, Any]:
        code = PRELUDE + textwrap.dedent(lines)
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**display, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment},
            timeout=180,
            check=False,
        )
        told = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        assert done.returncode == 0, done.stderr[-3000:]
        assert told, done.stdout + done.stderr[-3000:]
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        return json.loads(told[-1].removeprefix("RESULT "))

    return run


@pytest.fixture(scope="session")
def walking() -> Keypoints3D:
    skeleton, rng = Skeleton.preset("halpe26"), np.random.default_rng(0)
    _, _, frames = walk_body(make_person(rng), n_frames=N, fps=FPS, rng=rng)
    xyz = frames.keypoints(skeleton)[:, None]
    return Keypoints3D.from_points(xyz, skeleton.keypoints, ("anna",), fps=FPS)


def swinging(n: int) -> JointAngles:
    time_s = np.arange(n)[:, None, None] / FPS
    deg = 30 + 25 * np.sin(2 * np.pi * time_s + np.array([0.0, np.pi]))
    names = ("knee_flexion_l", "knee_flexion_r")
    return JointAngles(
        deg, names, ("anna",), np.full(deg.shape, 2.0), fps=FPS, low_deg=deg - 4, high_deg=deg + 4
    )  # fmt: skip


@pytest.fixture(scope="session")
def _session_made(tmp_path_factory: pytest.TempPathFactory, walking: Keypoints3D) -> Path:
    project = tmp_path_factory.mktemp("player") / "project"
    session = project / "session1"
    for name in ("pose-3d", "pose-2d", "calibration", "videos-raw", "angles", "events"):
        (session / name).mkdir(parents=True)
    rig = make_rig(seed=3, size=SIZE)
    rig = Rig(tuple(rig)[:3])
    _, b, c = rig.names
    (project / "pose3d.toml").write_text(
        f'[project]\nfps = {FPS}\n[skeleton]\npreset = "halpe26"\n[offsets]\n{b} = {OFFSET}\n', encoding="utf-8"
    )
    write_pose3d(walking, session / "pose-3d" / "walk.csv")
    write_angles(swinging(N), session / "angles" / "walk.csv")
    strikes = np.array([0.5, 1.5, 2.5])
    events = LimbEvents.from_times([("L", "strike", strikes), ("R", "strike", strikes[:2] + 0.5)])
    write_events(events, session / "events" / "walk.csv")
    save_rig(rig, session / "calibration" / "calibration.toml")
    for camera in rig:
        xy = camera.project(walking.xyz) + np.array([3.0, 4.0])  # 5 px away from what the points say
        late = OFFSET if camera.name == b else 0
        xy = np.concatenate([np.full((late, *xy.shape[1:]), np.nan), xy])[:, None]
        views = Keypoints2D(xy, np.ones(xy.shape[:-1]), (camera.name,), ("anna",), walking.keypoints, fps=FPS)
        write_dlc(views, session / "pose-2d" / f"walk_{camera.name}.h5")
        n = SHORT if camera.name == c else N + late
        write_video(session / "videos-raw" / f"walk_{camera.name}.mp4", [numbered(i) for i in range(n)], fps=FPS)
    return session


@pytest.fixture
def session_on_disk(_session_made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(_session_made.parent, tmp_path / "project")
    return tmp_path / "project" / "session1"
