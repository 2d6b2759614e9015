"""What this machine has and lacks for pose3d. Works where numpy or OpenCV cannot be imported."""

import ctypes
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from pose3d.errors import DependencyError

__all__ = ["Check", "examine", "missing_dependency"]

# soname -> package of Debian and Ubuntu, package of Fedora
_SYSTEM_PACKAGES = {
    "libGL.so.1": ("libgl1", "mesa-libGL"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libgthread-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libxcb.so.1": ("libxcb1", "libxcb"),
    "libXau.so.6": ("libxau6", "libXau"),
    "libEGL.so.1": ("libegl1 libegl-mesa0 libgl1-mesa-dri", "mesa-libEGL mesa-dri-drivers"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig"),
}
_FOR_OPENCV = ("libGL.so.1", "libglib-2.0.so.0", "libgthread-2.0.so.0", "libxcb.so.1")

# module -> distribution, where pip knows it by another name
_DISTRIBUTIONS = {"cv2": "opencv-contrib-python", "ai_edge_litert": "ai-edge-litert", "yaml": "pyyaml"}
_MODULES = (
    "numpy",
    "scipy",
    "pandas",
    "cv2",
    "av",
    "h5py",
    "tables",
    "aniposelib",
    "toml",
    "pydantic",
    "rich",
    "typer",
    "yaml",
    "starlette",
    "uvicorn",
    "ai_edge_litert",
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
    ok : bool
    detail : str
        What was found, or what does not work without it.
    fix : str
        The command that mends it, where it is not ok.
    needed : bool
        Whether pose3d cannot do its work without it.
    """

    name: str
    ok: bool
    detail: str = ""
    fix: str = ""
    needed: bool = True

    @property
    def line(self) -> str:
        """The check in one line."""
        word = "ok" if self.ok else "missing" if self.needed else "absent"
        parts = [part for part in (self.detail, "" if self.ok else self.fix) if part]
        return f"{word:8}{self.name}" + (f": {'; '.join(parts)}" if parts else "")


def _system_fix(library: str) -> str:
    debian, fedora = _SYSTEM_PACKAGES[library]
    return f"Debian, Ubuntu: apt-get install -y {debian}; Fedora: dnf install -y {fedora}"


def _pip_fix(distribution: str) -> str:
    return f"{sys.executable} -m pip install {distribution}"


def missing_dependency(error: ImportError) -> DependencyError | None:
    """Turn a failed import into the line that tells what to install.

    Returns
    -------
    DependencyError or None
        None where the import failed for another reason, such as a mistake in the code.
    """
    text = str(error)
    library = re.search(r"\blib[\w+-][\w.+-]*?\.so(?:\.\d+)*", text)
    if library is not None:
        name = library.group()
        fix = _system_fix(name) if name in _SYSTEM_PACKAGES else "install the system package that holds it"
        return DependencyError(f"{name}: this system library is missing; {fix} (`pose3d doctor` checks all)")
    if "DLL load failed" in text:
        return DependencyError(f"{text}; install the Microsoft Visual C++ Redistributable (`pose3d doctor` checks all)")
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("pose3d"):
        module = error.name.partition(".")[0]
        return DependencyError(
            f"{module}: this Python package is missing; {_pip_fix(_DISTRIBUTIONS.get(module, module))}"
            " (`pose3d doctor` checks all)"
        )
    return None


def examine() -> Iterator[Check]:
    """Look at the machine, one check at a time."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    yield Check("Python", (3, 11) <= sys.version_info < (3, 14), found, "install Python 3.11, 3.12 or 3.13")
    yield _pose3d()
    yield from (_module(name) for name in _MODULES)
    yield _tensorflow()
    if sys.platform.startswith("linux"):
        yield from (_library(name, "OpenCV cannot be imported without it") for name in _FOR_OPENCV)
        yield _library("libEGL.so.1", "only 3D drawing without a screen wants it", needed=False)
    yield from _codecs()
    yield _temporary_folder()
    yield _current_folder()
    yield Check("CPU cores", True, str(os.cpu_count() or "unknown"))


def _pose3d() -> Check:
    try:
        return Check("pose3d", True, version("pose3d"))
    except PackageNotFoundError:
        return Check("pose3d", True, "run from a checkout that is not installed")


def _tensorflow() -> Check:
    try:  # it takes seconds to import
        return Check("tensorflow", True, version("tensorflow"), needed=False)
    except PackageNotFoundError:
        return Check("tensorflow", False, "networks cannot be trained without it", _pip_fix("tensorflow"), False)


def _module(name: str) -> Check:
    distribution = _DISTRIBUTIONS.get(name, name)
    try:
        module = import_module(name)
    except Exception as error:  # what a damaged or unfit package raises is not up to us
        missing = missing_dependency(error) if isinstance(error, ImportError) else None
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            return Check(distribution, False, fix=_pip_fix(distribution))
        reason = " ".join(str(missing or error).partition(" (`pose3d")[0].split())
        return Check(distribution, False, reason, "" if missing else _pip_fix(f"--force-reinstall {distribution}"))
    try:
        return Check(distribution, True, version(distribution))
    except PackageNotFoundError:
        return Check(distribution, True, str(getattr(module, "__version__", "version unknown")))


def _library(name: str, why: str, *, needed: bool = True) -> Check:
    try:
        ctypes.CDLL(name)
    except OSError:
        return Check(name, False, why, _system_fix(name), needed)
    return Check(name, True, needed=needed)


def _codecs() -> Iterator[Check]:
    try:
        from av.codec import Codec, codecs_available
    except (ImportError, OSError):
        return  # the line of `av` tells it
    for name, mode, why in (
        ("h264", "r", "H.264 videos cannot be read"),
        ("hevc", "r", "HEVC videos cannot be read"),
        ("mpeg4", "r", "MPEG-4 videos cannot be read"),
        ("libx264", "w", "videos cannot be written"),
    ):
        try:
            ok = name in codecs_available and bool(Codec(name, mode))
        except ValueError:
            ok = False
        what = "decoder" if mode == "r" else "encoder"
        yield Check(f"{what} {name}", ok, "" if ok else why, _pip_fix("--force-reinstall av"))


def _temporary_folder() -> Check:
    try:
        with tempfile.TemporaryFile():
            return Check("temporary folder", True, tempfile.gettempdir())
    except OSError as error:
        return Check("temporary folder", False, str(error), "set TMPDIR to a folder that can be written to")


def _current_folder() -> Check:
    try:
        with tempfile.TemporaryFile(dir="."):
            return Check("current folder", True, "can be written to")
    except OSError as error:
        reason = f"cannot be written to ({error.strerror})"
        return Check("current folder", False, reason, "give --output in another folder", needed=False)
