"""pose3d play on machines that have no window to give."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("PySide6", "vispy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
"""
WEB = """
import pose3d.viewer.web.server as server
def serve(playback, **options):
    options["ready"]("http://127.0.0.1:1/?token=x")
server.serve_playback = serve
"""
RUN = "import sys\nsys.argv[0] = 'pose3d'\nfrom pose3d.cli import main\nmain()\n"


def play(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    own = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    own["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-c", code + RUN, "play", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**own, **environment},
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there are machines without a display")
@pytest.mark.parametrize("display", ["", ":98765"])
def test_no_display_is_one_line_with_three_ways_on(session_on_disk: Path, display: str) -> None:
    pytest.importorskip("PySide6")
    done = play("", session_on_disk, DISPLAY=display)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    for way in ("Xvfb", "pose3d render", "pose3d play --web"):
        assert way in line


def test_without_pyside_it_says_what_to_install_and_serves_the_page(session_on_disk: Path) -> None:
    pytest.importorskip("pose3d.viewer.web.server")
    done = play(BLOCKED + WEB, session_on_disk, "--no-browser")
    assert done.returncode == 0, done.stderr
    assert "pip install 'pose3d[gui]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "http://127.0.0.1:1/?token=x" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [(["missing.csv"], 1, "missing.csv"), ([".", "--video", "left.mp4", "--web"], 2, "CAM=FILE")],
)
def test_wrong_arguments_are_one_line(arguments: list[str], code: int, told: str) -> None:
    done = play("", *arguments, "--web")
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
