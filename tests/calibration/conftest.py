"""A rig with known truth, and the corners that it would see."""

from collections.abc import Callable

import numpy as np
import pytest

from pose3d.calibration.detection.boards import symmetries
from pose3d.data import Board, BoardDetections, Camera, Rig
from pose3d.demo.rig import roll_camera
from pose3d.geometry.rotations import log_so3
from pose3d.geometry.transforms import apply, rigid

BOARD = Board("charuco", (7, 10), 60, 45, "4X4_100")


def ring(n: int, *, arc: float = 2 * np.pi, radius: float = 2500.0, names: list[str] | None = None) -> Rig:
    """Cameras on a ring that look at the middle, with lenses that differ."""
    cameras = []
    for i in range(n):
        angle = arc * i / n
        center = np.array([radius * np.cos(angle), radius * np.sin(angle), 300.0 * (-1) ** i])
        forward = -center / np.linalg.norm(center)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        f = 1000.0 + 25 * i
        cameras.append(
            Camera(
                names[i] if names else f"cam_{i}",
                (1280, 1024),
                [[f, 0, 650.0 - 5 * i], [0, f * 1.001, 505.0 + 4 * i], [0, 0, 1]],
                [-0.12 + 0.01 * i, 0.05, 0.0005, -0.0004, 0.0],
                log_so3(R),
                -R @ center,
            )
        )
    return Rig(tuple(cameras))


def see(
    rig: Rig, board: Board, n_frames: int, seed: int = 0, sigma: float = 0.3, outliers: float = 0.0
) -> BoardDetections:
    """Corners of a board that is moved and turned in the middle, as each camera in front of it sees them."""
    rng = np.random.default_rng(seed)
    toward = rng.normal(size=(n_frames, 3)) * [1, 1, 0.4]
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    x = np.cross(toward, rng.normal(size=(n_frames, 3)))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    R = np.stack([x, np.cross(toward, x), toward], axis=-1)
    t = rng.uniform(-500, 500, size=(n_frames, 3)) * [1, 1, 0.8]
    poses = rigid(R, t) @ rigid(np.zeros(3), -board.points.mean(0))
    world = apply(poses[:, None], board.points)
    xy = rig.project(world).transpose(0, 2, 1, 3)
    xy += rng.normal(scale=sigma, size=xy.shape)
    if outliers:
        wrong = rng.random(xy.shape[:-1]) < outliers
        angle = rng.uniform(0, 2 * np.pi, wrong.sum())
        xy[wrong] += 8 * np.stack([np.cos(angle), np.sin(angle)], -1)
    sizes = np.array([camera.size for camera in rig])[None, :, None]
    inside = ((xy > 0) & (xy < sizes - 1)).all(-1).all(-1)
    ray = world.mean(1)[:, None] - rig.centers
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    front = np.einsum("fck,fk->fc", ray, poses[:, :3, 2]) > 0.3
    xy[~(inside & front)] = np.nan
    return BoardDetections(board, rig.names, tuple(camera.size for camera in rig), np.arange(n_frames), xy)


def turn_randomly(detections: BoardDetections, seed: int = 0) -> BoardDetections:
    """Number the corners of each view from a random one of the ends that a checkerboard cannot tell apart."""
    order, _ = symmetries(detections.board)
    rng = np.random.default_rng(seed)
    pick = order[rng.integers(len(order), size=detections.xy.shape[:2])]
    xy = np.take_along_axis(detections.xy, pick[..., None], axis=2)
    return BoardDetections(detections.board, detections.cameras, detections.sizes, detections.frames, xy)


@pytest.fixture
def board() -> Board:
    return BOARD


@pytest.fixture
def make_ring() -> Callable[..., Rig]:
    return ring


@pytest.fixture
def corners() -> Callable[..., BoardDetections]:
    return see


@pytest.fixture
def shuffle_turns() -> Callable[..., BoardDetections]:
    return turn_randomly


@pytest.fixture
def volume_error() -> Callable[[Rig, Rig], float]:
    def measure(found: Rig, truth: Rig) -> float:
        """RMS mm of clean points triangulated with the found cameras, after rigid alignment."""
        from pose3d.geometry.transforms import umeyama
        from pose3d.geometry.triangulation import triangulate_svd

        truth = truth.select(found.names)
        points = np.stack(np.meshgrid(*[np.linspace(-500, 500, 6)] * 3), -1).reshape(-1, 3)
        weights = np.broadcast_to(found.focals, (len(points), len(found)))
        made = triangulate_svd(found.undistort(truth.project(points)), found.cam_from_world, weights=weights)
        fit = umeyama(made, points)
        return float(np.sqrt(((fit(made) - points) ** 2).sum(-1).mean()))

    return measure


@pytest.fixture
def rolled() -> Callable[[Rig, str], Rig]:
    def roll(rig: Rig, name: str) -> Rig:
        """Turn one camera upside down."""
        return Rig(tuple(roll_camera(camera, 180.0) if camera.name == name else camera for camera in rig))

    return roll
