"""`pose3d play --web` and `--save`, as people start them."""

import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from pose3d.io.anipose_csv import write_pose3d

COMMAND = [sys.executable, "-c", "import sys; from pose3d.cli import main; sys.exit(main())", "play"]


@pytest.fixture
def points(recording, tmp_path):
    path = tmp_path / "walk.csv"
    write_pose3d(recording.points, path)
    return path


def test_the_page_is_served_until_ctrl_c(points):
    process = subprocess.Popen(
        [*COMMAND, str(points), "--web", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        found = (re.search(r"http://127\.0\.0\.1:\d+/\S+/", line) for line in process.stdout)
        url = next((one[0] for one in found if one), None)
        assert url, process.stderr.read()
        with urllib.request.urlopen(url) as answer:
            assert b"pose3d play" in answer.read()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_a_file_is_written_and_bad_input_is_one_line(points, tmp_path):
    target = tmp_path / "walk.html"
    second = ["--second", str(points), "--shift", "500"]
    subprocess.run([*COMMAND, str(points), "--save", str(target), *second], check=True, capture_output=True)
    assert target.stat().st_size > 100_000
    assert '"shift_mm": 500.0' in target.read_text(encoding="utf-8")
    done = subprocess.run(
        [*COMMAND, str(tmp_path / "none.csv"), "--web", "--no-browser"],
        capture_output=True,
        check=False,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "none.csv" in done.stderr
