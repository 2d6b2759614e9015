"""Help, flags, wrong usage and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pose3d.cli_parsing import camera_files, parse_offsets, parse_size

COMMANDS = ("calibrate", "sync", "triangulate", "angles", "export", "filter", "quality", "reproject")
COMMANDS += ("demo", "init", "run", "import", "doctor", "render", "play")


def test_help_names_every_command(pose3d) -> None:
    outcome = pose3d("--help")
    assert outcome.code == 0
    assert all(command in outcome.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_common_flags_and_an_example(pose3d, command: str) -> None:
    outcome = pose3d(command, "--help")
    assert outcome.code == 0
    for flag in ("--json", "--quiet", "--debug", "--help", "Examples", f"pose3d {command}"):
        assert flag in outcome.out


def test_version_is_one_line(pose3d) -> None:
    import pose3d as package

    outcome = pose3d("--version")
    assert (outcome.code, outcome.out) == (0, f"pose3d {package.__version__}\n")


@pytest.mark.parametrize(
    ("text", "size"), [("8x11", (8, 11)), ("8X11", (8, 11)), (" 8 x 11 ", (8, 11)), ("8,11", (8, 11))]
)
def test_sizes_are_read(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text, "--squares") == size


def test_offsets_are_read() -> None:
    assert parse_offsets(["left=3", "a=b=-2"]) == {"left": 3, "a=b": -2}


BOARD = ("--board", "charuco", "--squares", "8x11", "--square-mm", "24", "--marker-mm", "18", "--dictionary", "4X4_50")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["calibrate"], "NAME=PATH"),
        (["calibrate", "a=1.mp4", "-o", "c.toml"], "--board"),
        (["calibrate", "a=1.mp4", "--board", "chess", "-o", "c.toml"], "charuco, checkerboard"),
        (["calibrate", "a=1.mp4", *BOARD[:4], "-o", "c.toml"], "needs --square-mm"),
        (["calibrate", "a=1.mp4", *BOARD[:2], "--squares", "8by11", "--square-mm", "2", "-o", "c.toml"], "8x11"),
        (["calibrate", "a=1.mp4", *BOARD[:6], "-o", "c.toml"], "--marker-mm"),
        (["calibrate", "a=1.mp4", *BOARD, "--corners", "7x10", "-o", "c.toml"], "either --squares or --corners"),
        (["calibrate", "a=1.mp4", *BOARD], "--output"),
        (["calibrate", "a=1.mp4", "a=2.mp4", *BOARD, "-o", "c.toml"], "given twice"),
        (["calibrate", "a=1.mp4", "2.mp4", *BOARD, "-o", "c.toml"], "NAME=PATH for all"),
        (["calibrate", "a=", *BOARD, "-o", "c.toml"], "names no file"),
        (["calibrate", "1.mp4", *BOARD, "--cam-regex", "(", "-o", "c.toml"], "no regular expression"),
        (["calibrate", "1.mp4", *BOARD, "--cam-regex", "cam", "-o", "c.toml"], "needs a group"),
        (["calibrate", "a=1.mp4", *BOARD, "--cam-regex", "(a)", "-o", "c.toml"], "--cam-regex"),
        (["triangulate", "a=1.h5", "b=2.h5", "-o", "t.csv"], "--calibration"),
        (["triangulate", "a=1.h5", "b=2.h5", "-c", "c.toml"], "--output"),
        (["triangulate", "a=1.h5", "-c", "c.toml", "-o", "t.csv", "--offset", "a"], "CAMERA=FRAMES"),
        (["triangulate", "a=1.h5", "-c", "c.toml", "-o", "t.csv", "--skeleton", "dog"], "body25"),
        (["triangulate", "a=1.h5", "-c", "c.toml", "-o", "t.csv", "--score-threshold", "2"], "--score-threshold"),
        (["angles", "t.csv"], "--output"),
        (["export", "t.csv"], "--trc"),
        (["export", "t.csv", "--trc", "t.trc", "--unit", "inch"], "--unit"),
        (["fly"], "fly"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_needed(pose3d, arguments: list[str], told: str) -> None:
    outcome = pose3d(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert told in " ".join(outcome.err.replace("│", " ").split())


def test_cameras_get_their_files_by_name_or_by_regex() -> None:
    named = camera_files(["b=x/2.h5", "a=C=D.h5"], None)
    assert {name: path.as_posix() for name, path in named.items()} == {"b": "x/2.h5", "a": "C=D.h5"}
    plain = camera_files(["./dir=1/walk_cam10.h5", "walk_cam9.h5"], None)
    assert list(plain) == ["cam9", "cam10"]
    assert list(camera_files(["A-walk.h5", "B-walk.h5"], r"^([A-Z])-")) == ["A", "B"]
    assert camera_files(["a=~/walk.h5"], None) == {"a": Path.home() / "walk.h5"}


def test_a_file_with_an_equals_sign_in_its_name_is_a_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["walk_A.rng=0.csv", "walk_B.rng=0.csv"]
    for name in names:
        Path(name).touch()
    assert list(camera_files(names, "_([AB])")) == ["A", "B"]
    assert camera_files([f"A={names[0]}"], None) == {"A": Path(names[0])}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch):
    """Make `pose3d doctor` meet an error."""

    def install(error: BaseException) -> None:
        def fail() -> None:
            raise error

        monkeypatch.setattr("pose3d.doctor.examine", fail)

    return install


def test_an_unexpected_error_is_one_line_with_a_hint(pose3d, broken) -> None:
    broken(RuntimeError("first\nsecond"))
    outcome = pose3d("doctor")
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert line.startswith("pose3d: error: unexpected RuntimeError: first second")
    assert "--debug" in line


def test_debug_shows_the_traceback(pose3d, broken) -> None:
    broken(RuntimeError("boom"))
    outcome = pose3d("doctor", "--debug")
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("pose3d: error: ")


def test_a_missing_system_library_is_told_with_its_package(pose3d, broken) -> None:
    broken(ImportError("libGL.so.1: cannot open shared object file: No such file or directory"))
    outcome = pose3d("doctor")
    (line,) = outcome.err.splitlines()
    assert outcome.code == 1
    assert "apt-get install -y libgl1" in line
    assert "pose3d doctor" in line


def test_ctrl_c_is_130(pose3d, broken) -> None:
    broken(KeyboardInterrupt())
    outcome = pose3d("doctor")
    assert (outcome.code, outcome.err) == (130, "pose3d: interrupted\n")


def test_stray_prints_do_not_reach_the_summary(pose3d, monkeypatch: pytest.MonkeyPatch) -> None:
    def chatty():
        print("hello from a library")
        return iter(())

    monkeypatch.setattr("pose3d.doctor.examine", chatty)
    outcome = pose3d("doctor", "--json")
    assert outcome.json == {"ok": True, "checks": []}
    assert "hello" in outcome.err


def test_the_installed_command_runs() -> None:
    command = [sys.executable, "-c", "from pose3d.cli import main; raise SystemExit(main())", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["ok"] is True
