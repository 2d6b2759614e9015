"""`pose3d doctor` works where little works, and names the line that mends it."""

import ctypes
import subprocess
import sys

import pytest

from pose3d import doctor
from pose3d.doctor import examine, missing_dependency

BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("numpy", "cv2", "av"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
from pose3d.cli import main
raise SystemExit(main())
"""


def test_it_works_without_numpy_and_opencv() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, "doctor"], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 1
    lines = {line.split()[1].rstrip(":"): line for line in done.stdout.splitlines() if line}
    for name in ("numpy", "opencv-contrib-python", "av"):
        assert lines[name].startswith("missing")
        assert f"-m pip install {name}" in lines[name]
    assert lines["toml"].startswith("ok")
    assert done.stdout.splitlines()[-1].startswith("missing: numpy")
    assert done.stderr == ""


def test_a_command_says_which_package_is_missing(tmp_path) -> None:
    arguments = ["triangulate", "a=1.h5", "b=2.h5", "-c", "c.toml", "-o", str(tmp_path / "t.csv")]
    done = subprocess.run([sys.executable, "-c", BLOCKED, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "pip install numpy" in line


@pytest.mark.parametrize(
    ("message", "package"),
    [
        ("libGL.so.1: cannot open shared object file: No such file or directory", "libgl1"),
        ("libgthread-2.0.so.0: cannot open shared object file: No such file or directory", "libglib2.0-0"),
        ("Error loading shared library libxcb.so.1: No such file or directory (needed by cv2.so)", "libxcb1"),
        ("libstrange-x.so.3: cannot open shared object file", "libstrange-x.so.3"),
        ("DLL load failed while importing cv2: The specified module could not be found.", "Visual C++"),
    ],
)
def test_a_missing_library_is_named(message: str, package: str) -> None:
    assert package in str(missing_dependency(ImportError(message)))


def test_a_mistake_in_the_code_is_no_missing_library() -> None:
    assert missing_dependency(ImportError("cannot import name 'x' from 'pose3d.io'")) is None
    assert missing_dependency(ModuleNotFoundError("No module named 'pose3d.y'", name="pose3d.y")) is None


def test_a_package_that_breaks_in_its_own_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("numpy.dtype size changed,\n may indicate binary incompatibility")

    monkeypatch.setattr(doctor, "import_module", fail)
    (line,) = [check.line for check in examine() if check.name == "pandas"]
    assert line.startswith("missing pandas: numpy.dtype size changed, may indicate")
    assert "--force-reinstall pandas" in line


def test_a_missing_system_library_fails_the_check(monkeypatch: pytest.MonkeyPatch, pose3d) -> None:
    load = ctypes.CDLL

    def refuse(name: str, *arguments: object, **options: object) -> ctypes.CDLL:
        if name in ("libGL.so.1", "libEGL.so.1"):
            raise OSError(f"{name}: cannot open shared object file")
        return load(name, *arguments, **options)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(doctor.ctypes, "CDLL", refuse)
    checks = {check.name: check for check in examine()}
    assert not checks["libGL.so.1"].ok
    assert "apt-get install -y libgl1" in checks["libGL.so.1"].line
    assert "dnf install -y mesa-libGL" in checks["libGL.so.1"].line
    assert not checks["libEGL.so.1"].needed
    outcome = pose3d("doctor", "--json")
    assert outcome.code == 1
    assert outcome.json["ok"] is False
