"""What is installed is `pose3d` and nothing else, and a checkout runs uninstalled."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("pose3d", "calibration", "pyproject.toml", "README.md", "LICENSE")


def configuration() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def packages_in(folder: Path, name: str) -> set[str]:
    return {
        ".".join([name, *path.parent.relative_to(folder).parts])
        for path in folder.rglob("__init__.py")
        if "build" not in path.parts
    }


def test_the_list_of_packages_equals_the_folders() -> None:
    listed = configuration()["tool"]["setuptools"]["packages"]
    there = packages_in(ROOT / "pose3d", "pose3d") | packages_in(ROOT / "calibration", "pose3d.calibration")
    assert sorted(listed) == sorted(there)


def test_every_folder_of_modules_is_a_package() -> None:
    for top in ("pose3d", "calibration"):
        for path in (ROOT / top).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), f"{path.parent} has no __init__.py"


def build(kind: str, source: Path) -> Path:
    code = f"import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"
    out = source.parent / kind
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{kind} not built (setuptools of the test extra needed):\n{done.stderr[-2000:]}"
    return next(out.iterdir())


@pytest.mark.slow
def test_the_wheel_made_from_the_sdist_holds_pose3d_only(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    sdist = build("sdist", source)
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and later have it
        archive.extractall(tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    with zipfile.ZipFile(build("wheel", unpacked)) as wheel:
        names = set(wheel.namelist())
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"pose3d"}  # pose3d/ and pose3d-x.dist-info/
    modules = {name for name in names if name.endswith(".py")}
    expected = {f"pose3d/{path.relative_to(ROOT / 'pose3d').as_posix()}" for path in (ROOT / "pose3d").rglob("*.py")}
    inside = ROOT / "calibration"
    expected |= {f"pose3d/calibration/{path.relative_to(inside).as_posix()}" for path in inside.rglob("*.py")}
    assert modules == expected
    assert "pose3d/py.typed" in names
    assert "pose3d/calibration.pyi" not in names
    for path in (*(ROOT / "pose3d").rglob("*.toml"), *(ROOT / "pose3d").rglob("*.tflite")):
        assert f"pose3d/{path.relative_to(ROOT / 'pose3d').as_posix()}" in names


def run_uninstalled(*command: str) -> str:
    """Run Python with the dependencies but without what `pip install -e` put into the site."""
    site = sysconfig.get_paths()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([site["purelib"], site["platlib"]])}
    done = subprocess.run(
        [sys.executable, "-S", *command], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_launcher_runs_a_checkout_that_is_not_installed() -> None:
    assert run_uninstalled("cli.py", "--version").startswith("pose3d ")
    code = "import sys; sys.path.insert(0, ''); import cli, pose3d.calibration as c; print(c.__file__)"
    assert Path(run_uninstalled("-c", code)) == ROOT / "calibration" / "__init__.py"
