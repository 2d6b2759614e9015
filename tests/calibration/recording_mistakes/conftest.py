"""A hand-held board before a rig, at any moment: cameras may be late, mirrored, moved."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from pose3d.calibration.detection.boards import symmetries
from pose3d.calibration.mistakes.agreement import Sightings, sightings
from pose3d.calibration.solver.bundle import LENS_SIZE
from pose3d.calibration.solver.intrinsics import Lens
from pose3d.data import Board, BoardDetections, Camera, Rig
from pose3d.geometry.rotations import log_so3
from pose3d.geometry.transforms import apply, rigid

CHARUCO = Board("charuco", (7, 10), 60, 45, "4X4_100")
CHECKERBOARDS = (Board.checkerboard((8, 6), square_mm=70), Board.checkerboard((9, 6), square_mm=60))


@dataclass(frozen=True)
class Scene:
    rig: Rig
    detections: BoardDetections
    sigma: float

    @property
    def lenses(self) -> list[Lens]:
        """The true ones."""
        return lenses_of(self.rig, self.sigma)

    @property
    def sightings(self) -> Sightings:
        return sightings(self.detections, self.lenses)


def lenses_of(rig: Rig, sigma: float) -> list[Lens]:
    out = []
    for camera in rig:
        numbers = np.zeros(LENS_SIZE)
        numbers[:4] = camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
        numbers[4 : 4 + len(camera.distortion)] = camera.distortion
        out.append(Lens(numbers, len(camera.distortion), camera.fisheye, np.zeros(LENS_SIZE, dtype=bool), sigma))
    return out


def arc_of_cameras(n: int, rng: np.random.Generator) -> Rig:
    cameras = []
    for i in range(n):
        angle = 0.4 * i + rng.normal() * 0.05
        center = np.array([2500 * np.cos(angle), 2500 * np.sin(angle), 300.0 * (-1) ** i + rng.normal() * 100])
        forward = -center / np.linalg.norm(center)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        f = 1000.0 + 60 * i
        matrix = [[f, 0, 650.0 - 5 * i], [0, f * 1.001, 505.0 + 4 * i], [0, 0, 1]]
        lens = [-0.12 + 0.02 * i, 0.05, 0.0005, -0.0004, 0.0]
        cameras.append(Camera(f"cam_{i}", (1280, 1024), matrix, lens, log_so3(R), -R @ center))
    return Rig(tuple(cameras))


class Hand:
    """Carries the board: where it is at any moment, in frames."""

    def __init__(self, rig: Rig, n_frames: int, frames_a_stop: float, rng: np.random.Generator) -> None:
        n = int(np.ceil((n_frames + 40) / frames_a_stop)) + 4
        times = (np.arange(n) - 1) * frames_a_stop - 20.0
        where = rng.uniform(-400, 400, (n, 3)) * [1, 1, 0.7]
        watched = rig.centers[rng.integers(len(rig), size=n)] * 0.5 + rig.centers.mean(0) * 0.5
        z = where - watched
        z = z / np.linalg.norm(z, axis=1, keepdims=True) + rng.normal(scale=0.3, size=(n, 3))
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        x = np.cross([0.0, 0.0, 1.0], z) + rng.normal(scale=0.3, size=(n, 3))
        x -= (x * z).sum(1, keepdims=True) * z
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        self.where = CubicSpline(times, where)
        self.turned = RotationSpline(times, Rotation.from_matrix(np.stack([x, np.cross(z, x), z], axis=-1)))

    def __call__(self, times: np.ndarray) -> np.ndarray:
        return rigid(self.turned(times).as_matrix(), self.where(times))


def make_scene(
    seed: int,
    *,
    n_cameras: int = 4,
    n_frames: int = 80,
    board: Board = CHARUCO,
    sigma: float = 0.3,
    outliers: float = 0.0,
    frames_a_stop: float = 12.0,
    lag: dict[int, float] | None = None,
    jitter: float = 0.0,
    bend_mm: float = 0.0,
    moved: tuple[int, int, np.ndarray] | None = None,
) -> Scene:
    """What the cameras see; camera c is `lag[c]` frames late, and moves by a transform of the world at a frame."""
    rng = np.random.default_rng(seed)
    rig = arc_of_cameras(n_cameras, rng)
    hand = Hand(rig, n_frames, frames_a_stop, rng)
    frames = np.arange(n_frames)
    points = board.points - board.points.mean(0)
    bow = (points[:, 0] / np.abs(points[:, 0]).max()) ** 2
    points[:, 2] = bend_mm * (bow - bow.mean())
    views = []
    for i, camera in enumerate(rig):
        times = frames - (lag or {}).get(i, 0.0) - jitter * rng.normal(size=n_frames)
        poses = hand(times)
        world = apply(poses[:, None], points)
        if moved is not None and moved[0] == i:
            world = np.where((frames >= moved[1])[:, None, None], apply(moved[2], world), world)
        xy = camera.project(world) + rng.normal(scale=sigma, size=(n_frames, len(points), 2))
        wrong = rng.random(xy.shape[:-1]) < outliers
        angle = rng.uniform(0, 2 * np.pi, wrong.sum())
        xy[wrong] += 8 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        inside = ((xy > 0) & (xy < np.array(camera.size) - 1)).all(-1)
        if board.kind == "checkerboard":
            inside &= inside.all(1, keepdims=True)
        ray = world.mean(1) - camera.center
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        xy[~(inside & ((ray * poses[:, :3, 2]).sum(1) > 0.35)[:, None])] = np.nan
        if board.kind == "checkerboard":
            order, _ = symmetries(board)
            xy = np.take_along_axis(xy, order[rng.integers(len(order), size=n_frames)][..., None], axis=1)
        views.append(xy)
    xy = np.stack(views, axis=1)
    seen = np.isfinite(xy[..., 0]).any((1, 2))
    detections = BoardDetections(board, rig.names, tuple(c.size for c in rig), frames[seen], xy[seen])
    return Scene(rig, detections, sigma)


def any_scene(seed: int, **changes: object) -> Scene:
    """A session of its own for each seed: cameras, boards, noise, outliers, length and speed differ."""
    rng = np.random.default_rng([seed, 77])
    settings = {
        "n_cameras": int(rng.integers(2, 6)),
        "n_frames": int(rng.integers(50, 120)),
        "board": (CHARUCO, *CHECKERBOARDS)[seed % 3],
        "sigma": float(rng.uniform(0.1, 0.8)),
        "outliers": float(rng.choice([0.0, 0.02])),
        "frames_a_stop": float(rng.choice([6, 12, 25])),
    }
    return make_scene(seed, **{**settings, **changes})


def mirror(scene: Scene, camera: int) -> Scene:
    """Flip the clip of one camera; the corners are numbered as the detector numbers a board's front."""
    nx, ny = scene.detections.board.corners
    xy = scene.detections.xy.copy()
    view = xy[:, camera].reshape(-1, ny, nx, 2) * [-1, 1] + [scene.detections.sizes[camera][0] - 1, 0]
    view = view[:, ::-1] if nx % 2 else view[:, :, ::-1]
    xy[:, camera] = view.reshape(xy[:, camera].shape)
    return replace(scene, detections=replace(scene.detections, xy=xy))


def exchange(scene: Scene, a: int, b: int) -> Scene:
    xy = scene.detections.xy.copy()
    xy[:, [a, b]] = xy[:, [b, a]]
    sizes = list(scene.detections.sizes)
    sizes[a], sizes[b] = sizes[b], sizes[a]
    return replace(scene, detections=replace(scene.detections, xy=xy, sizes=tuple(sizes)))


@pytest.fixture
def scene() -> Callable[..., Scene]:
    return make_scene


@pytest.fixture
def session() -> Callable[..., Scene]:
    return any_scene


@pytest.fixture
def mirrored() -> Callable[[Scene, int], Scene]:
    return mirror


@pytest.fixture
def exchanged() -> Callable[[Scene, int, int], Scene]:
    return exchange


@pytest.fixture
def charuco() -> Board:
    return CHARUCO


@pytest.fixture
def checkerboards() -> tuple[Board, ...]:
    return CHECKERBOARDS


@pytest.fixture
def held() -> Callable[[Rig, float], list[Lens]]:
    return lenses_of
