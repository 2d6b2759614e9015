"""A synthetic recording as files: a rig, a moving figure, and what four cameras saw of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pose3d.cli import app
from pose3d.data import Camera, Keypoints2D, Rig, Skeleton
from pose3d.geometry.rotations import log_so3
from pose3d.io.dlc import write_dlc
from pose3d.io.rigs import save_rig

SIZE = (640, 480)
N_FRAMES = 12


@dataclass(frozen=True)
class Outcome:
    """What one call of the command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


@pytest.fixture
def pose3d(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run the command line in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: object) -> Outcome:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="pose3d")
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


def looking_at(name: str, center: np.ndarray, target: np.ndarray) -> Camera:
    forward = (target - center) / np.linalg.norm(target - center)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = [[600.0, 0, 319.5], [0, 600.0, 239.5], [0, 0, 1]]
    return Camera(name, SIZE, matrix, [-0.1, 0.02, 0, 0, 0], log_so3(rotation), -rotation @ center)


@pytest.fixture(scope="session")
def rig() -> Rig:
    angles = np.radians([20, 110, 200, 290])
    centers = np.stack([3000 * np.cos(angles), 3000 * np.sin(angles), np.full(4, 1500.0)], axis=-1)
    names = ("cam_1", "cam_2", "cam_3", "cam_10")
    return Rig(tuple(looking_at(n, c, np.array([0, 0, 900.0])) for n, c in zip(names, centers, strict=True)))


@pytest.fixture(scope="session")
def two_cameras() -> Rig:
    """Cameras that see a board at the same time."""
    angles = np.radians([0, 40])
    centers = np.stack([2200 * np.cos(angles), 2200 * np.sin(angles), np.full(2, 1100.0)], axis=-1)
    target = np.array([0, 0, 900.0])
    return Rig(tuple(looking_at(n, c, target) for n, c in zip(("left", "right"), centers, strict=True)))


@pytest.fixture(scope="session")
def figure() -> np.ndarray:
    """(n_frames, n_keypoints, 3) array, mm: the 25 keypoints of body25 on a slow wave."""
    rng = np.random.default_rng(1)
    start = rng.uniform([-300, -300, 100], [300, 300, 1700], (25, 3))
    return start + 100 * np.sin(np.arange(N_FRAMES) / 4)[:, None, None]


@pytest.fixture(scope="session")
def keypoints(rig: Rig, figure: np.ndarray) -> Keypoints2D:
    """The figure in four cameras, without noise."""
    xy = rig.project(figure).swapaxes(1, 2)[:, :, None]
    score = np.full(xy.shape[:-1], 0.9)
    return Keypoints2D(xy, score, rig.names, ("one",), Skeleton.preset("body25").keypoints, fps=100.0)


@dataclass(frozen=True)
class Recording:
    """Files of a recording, and the command lines that take them."""

    folder: Path
    calibration: Path
    views: dict[str, Path]

    @property
    def sources(self) -> list[str]:
        return [f"{name}={path}" for name, path in self.views.items()]

    def triangulate(self, *options: object) -> list[object]:
        """Each frame for itself: a dozen frames without noise come back to the last digit then."""
        return [*self.refine(*options), "--no-refine"]

    def refine(self, *options: object) -> list[object]:
        return ["triangulate", "--calibration", self.calibration, *self.sources, "-o", self.output, *options]

    @property
    def output(self) -> Path:
        return self.folder / "out" / "trial.csv"

    def write(self, camera: str, view: Keypoints2D) -> None:
        write_dlc(view, self.views[camera])


@pytest.fixture
def recording(tmp_path: Path, rig: Rig, keypoints: Keypoints2D) -> Recording:
    folder = tmp_path / "Versuch 1 – Größe"
    (folder / "pose 2d").mkdir(parents=True)
    views = {name: folder / "pose 2d" / f"walk_{name}.csv" for name in rig.names}
    made = Recording(folder, folder / "calibration.toml", views)
    save_rig(rig, made.calibration)
    for name in rig.names:
        made.write(name, keypoints.select([name]))
    return made


@pytest.fixture
def refused(pose3d: Callable[..., Outcome], tmp_path: Path) -> Callable[..., str]:
    """Run a command that must fail with one clear line, exit code 1, and no trace on the disk."""

    def files() -> dict[Path, bytes | None]:
        return {path: path.read_bytes() if path.is_file() else None for path in sorted(tmp_path.rglob("*"))}

    def run(*arguments: object, code: int = 1) -> str:
        before = files()
        outcome = pose3d(*arguments)
        assert outcome.code == code, outcome
        assert outcome.out == ""
        after = {path: content for path, content in files().items() if content is not None or path in before}
        assert after == before, "something was written"
        (line,) = outcome.err.splitlines()
        assert line.startswith("pose3d: error: ")
        assert "unexpected" not in line, line
        return line

    return run
