"""A small project with four cameras, a server of its labelling page, and a browser."""

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from pose3d.data.labels import ImageName, LabelledImages, Labels
from pose3d.data.skeleton import Skeleton
from pose3d.demo.rig import make_rig
from pose3d.io.calibration_toml import write_calibration
from pose3d.labeling.queue import group_instants
from pose3d.labeling.task import LabelingTask
from pose3d.project import write_config

SKELETON = Skeleton("small", ("nose", "hip_l", "hip_r"), (("nose", "hip_l"), ("nose", "hip_r")), (("hip_l", "hip_r"),))
POINTS = np.array([[100.0, 20, 1600], [20, 130, 900], [0, -130, 910]])
SERVER = """
import typer
from pose3d.cli_console import register
from pose3d.cli_label import label
app = typer.Typer()
app.callback()(lambda: None)
register(app, panel="x", examples=[])(label)
app()
"""


@pytest.fixture(scope="session")
def rig() -> Any:
    return make_rig(seed=3, size=(640, 480))


@pytest.fixture(scope="session")
def truth(rig) -> Any:
    """(2 instants, 3 keypoints, 4 cameras, 2) px."""
    return rig.project(np.stack([POINTS, POINTS + np.array([150, 30, -20])]))


@pytest.fixture
def task(rig) -> LabelingTask:
    names = [ImageName(f"walk_{camera}", f"img{frame:03d}.png") for frame in (7, 19) for camera in rig.names]
    labels = Labels.empty(names, ("animal",), SKELETON.keypoints)
    paths = tuple(Path(*name) for name in names)
    images = LabelledImages(labels, paths, ("session1/walk",) * len(names), rig.names * 2)
    return LabelingTask("test", images, group_instants(images), SKELETON, {"session1/walk": rig})


@pytest.fixture
def project(tmp_path, rig, truth) -> Path:
    """A project with two instants of four extracted frames, and nothing labelled."""
    return make_project(tmp_path / "project", rig, truth)


def make_project(root: Path, rig: Any, truth: Any) -> Path:
    rng = np.random.default_rng(0)
    for c, camera in enumerate(rig):
        for instant, frame in enumerate((7, 19)):
            image = rng.integers(90, 130, (480, 640, 3), dtype=np.uint8)
            for x, y in truth[instant, :, c]:
                cv2.circle(image, (round(x), round(y)), 4, (40, 40, 220), -1)
            path = root / "labeled-data" / f"walk_{camera.name}" / f"img{frame:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)
        video = root / "session1" / "videos-raw" / f"walk_{camera.name}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        video.touch()
    write_calibration(rig, root / "session1" / "calibration" / "calibration.toml")
    skeleton = {"keypoints": SKELETON.keypoints, "edges": SKELETON.edges, "pairs": SKELETON.pairs}
    write_config(root, {"skeleton": skeleton})
    return root


class Server:
    """`pose3d label` in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, "label", str(folder), "--no-browser", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def wait(self) -> "Server":
        """Wait for its address; fail with what it says where it ends instead."""
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:([0-9]+)/(\S+)/", line):
                self.url, self.port, self.token = found[0], int(found[1]), found[2]
                return self
        return pytest.fail(f"the server ended: {''.join(said)}{self.process.stderr.read()}")

    def ask(self, path: str, body: Any = None, *, headers: Any = None, token: str | None = None) -> SimpleNamespace:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        prefix = f"/{self.token if token is None else token}"
        own = {"Content-Type": "application/json"} if body is not None else {}
        data = json.dumps(body) if isinstance(body, dict) else body
        connection.request("GET" if body is None else "POST", prefix + path, data, {**own, **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return SimpleNamespace(
            status=answer.status, headers=answer.headers, content=content, json=json.loads(content) if is_json else None
        )

    def act(self, **action: Any) -> Any:
        answer = self.ask("/api/action", {"instant": 0, "individual": 0, "keypoint": 0, **action})
        assert answer.status == 200, answer.content
        return answer.json

    def end(self, by: signal.Signals = signal.SIGINT) -> str:
        """End it, as Ctrl-C does unless told otherwise; what it said last."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, err
        return out + err


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    yield from _serve()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, rig, truth) -> Iterator[Server]:
    """One server for tests that change nothing, of a project with a file that nobody may see."""
    root = make_project(tmp_path_factory.mktemp("shared") / "project", rig, truth)
    folder = root / "labeled-data" / "walk_frontleft"
    (folder / "secret.txt").write_text("secret")
    (root.parent / "outside.png").write_bytes((folder / "img007.png").read_bytes())
    servers = _serve()
    yield next(servers)(root, "--allow-host", "Lab.example")
    next(servers, None)


def _serve() -> Iterator[Callable[..., Server]]:
    running: list[Server] = []

    def start(folder: Path, *options: str) -> Server:
        running.append(Server(folder, *options))
        return running[-1].wait()

    yield start
    for server in running:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()
        server.process.stdout.close()
        server.process.stderr.close()


class Page:
    """The labelling page in a browser; places are given in image px."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        page.goto(url)
        self.wait("window.pose3dLabel && pose3dLabel.panes.length > 0")
        self.wait("pose3dLabel.panes.every((pane) => pane.bitmap || pane.broken)")

    def value(self, expression: str) -> Any:
        return self.page.evaluate(f"() => {expression}")

    def wait(self, expression: str) -> None:
        # page.wait_for_function needs eval, which the page's own policy forbids
        for _ in range(300):
            if self.page.evaluate(f"() => Boolean({expression})"):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"never came true: {expression}")

    def screen(self, view: int, xy: Any) -> tuple[float, float]:
        x, y = self.page.evaluate(
            """([view, x, y]) => {
                const pane = pose3dLabel.panes[view], box = pane.marks.getBoundingClientRect();
                const [a, b] = pane.toScreen(x, y);
                return [a + box.left, b + box.top];
            }""",
            [view, float(xy[0]), float(xy[1])],
        )
        return x, y

    def click(self, view: int, xy: Any) -> None:
        before = self.value("pose3dLabel.state.revision")
        self.page.mouse.click(*self.screen(view, xy))
        self.wait(f"pose3dLabel.state.revision > {before}")

    def press(self, key: str, *, changes: bool = True) -> None:
        before = self.value("pose3dLabel.state.revision")
        self.page.keyboard.press(key)
        if changes:
            self.wait(f"pose3dLabel.state.revision !== {before}")

    def labels(self) -> Any:
        return self.value("pose3dLabel.state.labels[0]")


@pytest.fixture
def visit(browser) -> Iterator[Callable[..., Page]]:
    """Open the page, and hold at the end that nothing went wrong and nothing came from elsewhere."""
    contexts, wrong, fetched, allowed = [], [], [], []

    def open_page(url: str, *, width: int = 1400, height: int = 860, ignore: str = "^$") -> Page:
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        expected = f"{ignore}|willReadFrequently"  # the latter is about how these tests look at what was drawn
        page.on("console", lambda message: re.search(expected, message.text) or wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: fetched.append(request.url))
        allowed.append(url)
        return Page(page, url)

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
    assert [url for url in fetched if not url.startswith((*allowed, "blob:"))] == []
