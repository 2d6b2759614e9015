"""Imports point downwards, siblings do not know each other, and heavy libraries have one home each."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = [  # from the floor up
    {"geometry", "errors", "log", "threads"},
    {"data"},
    {"io"},
    {"project"},
    {"calibration", "labeling", "network", "tracking", "filtering", "reconstruction", "kinematics"},
    {"report", "viewer", "demo"},
    {"batch"},
    {"cli"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
HOMES = {  # library: where alone it may be imported
    "tensorflow": ("pose3d.network",),
    "keras": ("pose3d.network",),
    "ai_edge_litert": ("pose3d.network",),
    "starlette": ("pose3d.io.local_page", "pose3d.labeling", "pose3d.viewer.web"),
    "uvicorn": ("pose3d.io.local_page",),
    "vispy": ("pose3d.viewer",),
    "PySide6": ("pose3d.viewer",),
    "PyQt6": ("pose3d.viewer",),
    "aniposelib": ("pose3d.calibration.anipose",),
    "dask": ("pose3d.batch",),
    "ezc3d": ("pose3d.io",),
    "distributed": ("pose3d.batch",),
    "pandas": ("pose3d.io", "pose3d.report"),
    "matplotlib": ("pose3d.report",),
    "openpyxl": ("pose3d.report",),
    "scipy.optimize": ("pose3d.calibration.solver.bundle", "pose3d.reconstruction"),
    "typer": ("pose3d.cli",),
    "rich": ("pose3d.cli",),
}


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the library by its name."""
    found = {}
    for folder, package in ((ROOT / "pose3d", "pose3d"), (ROOT / "calibration", "pose3d.calibration")):
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


@functools.cache
def imports(name: str, path: Path) -> set[str]:
    """Everything that a module imports at any depth: in functions and under TYPE_CHECKING too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{source}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):  # import_module("x"), __import__("x")
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return found


def part(name: str) -> str:
    """The part of the library to which a module belongs."""
    inner = name.split(".")[1] if "." in name else "cli"  # pose3d/__init__.py stands above all
    return "cli" if inner.startswith("cli_") or inner == "doctor" else inner


def within(name: str, place: str) -> bool:
    return name == place or name.startswith((f"{place}.", f"{place}_"))


@pytest.mark.parametrize("name", modules())
def test_imports_point_downwards(name: str) -> None:
    here = part(name)
    assert here in LEVEL, f"{name} belongs to no layer: add it to the table in CONTRIBUTING.md and here"
    for target in imports(name, modules()[name]):
        if not target.startswith("pose3d.") or target == "pose3d.__version__":
            continue
        there = part(target)
        if there not in LEVEL:  # a name of pose3d/__init__.py, such as `from pose3d import Rig`
            there = "cli"
        assert there == here or LEVEL[there] < LEVEL[here], f"{name} imports {target}: not below it"


@pytest.mark.parametrize("name", modules())
def test_libraries_stay_in_their_homes(name: str) -> None:
    for target in imports(name, modules()[name]):
        for library, homes in HOMES.items():
            if target == library or target.startswith(f"{library}."):
                assert any(within(name, home) for home in homes), f"{name} imports {target}, whose home is {homes}"
        assert target.split(".")[0] != "calibration", f"{name}: import pose3d.calibration, never calibration"


def test_the_reader_of_imports_sees_every_form(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "import scipy.optimize as so\ndef f():\n    from pandas import DataFrame\n    from . import b\n"
        "    from ..io.files import write_text\n    import_module('tensorflow')\n",
        encoding="utf-8",
    )
    expected = {"scipy.optimize", "pandas.DataFrame", "pose3d.batch.b", "pose3d.io.files.write_text", "tensorflow"}
    assert imports("pose3d.batch.a", path) == expected
