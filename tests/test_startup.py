"""Nothing is imported at start-up that a command does not need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "scipy", "pandas", "cv2", "av", "h5py", "tables", "aniposelib", "tensorflow", "matplotlib")


def modules_after(code: str) -> set[str]:
    report = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, encoding="utf-8")
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "code",
    [
        "import pose3d",
        "import pose3d.project",
        "import pose3d.cli; sys.argv = ['pose3d', '--help']; pose3d.cli.main()",
        "import pose3d.cli; sys.argv = ['pose3d', '--version']; pose3d.cli.main()",
        "import pose3d.cli; sys.argv = ['pose3d', 'calibrate', '--help']; pose3d.cli.main()",
    ],
)
def test_start_up_imports_nothing_heavy(code: str) -> None:
    assert not modules_after(code) & set(HEAVY)


def test_public_names_resolve_and_load_only_what_they_need() -> None:
    loaded = modules_after("import pose3d; [getattr(pose3d, name) for name in pose3d.__all__]")
    assert "pose3d.reconstruction" in loaded
    assert not loaded & {"tensorflow", "matplotlib", "vispy"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    import pose3d

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pose3d.nonsense
    assert set(pose3d.__all__) <= set(dir(pose3d))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not count the CPU time of children")
def test_help_takes_less_than_0_3_cpu_seconds(tmp_path: Path) -> None:
    # as it is installed, with its modules compiled: pip does that, a checkout may forbid it
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", "import sys; from pose3d.cli import main; sys.argv = ['pose3d', '--help']; main()"]

    def cpu_seconds() -> float:
        before = os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(cpu_seconds() for _ in range(5)) < 0.3  # the least: a busy machine makes all of them longer
