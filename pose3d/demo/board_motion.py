"""How a hand carries a board before cameras: near and far, tilted, turned, shared between neighbours."""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from pose3d.data.board import Board
from pose3d.data.camera import Camera, Rig
from pose3d.demo.board import board_outline, faces_camera, inside_image, pose_from_axes
from pose3d.demo.rig import focus_point
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply

__all__ = ["move_board"]

_CANDIDATES = 300
_GRID = (10, 8)  # cells of an image, to spread the views over
_FRAMES_A_STOP = 4
_SHARED = 2
_SPREAD = 0.2  # of the cameras' mean distance, 1 SD: where shared stops lie about the middle
_MIN_SQUARE_PX = 11.0
_MIN_FACING = 0.5  # cosine: 60 degrees of slant


def _unit(v: FloatArray) -> FloatArray:
    return np.asarray(v / np.linalg.norm(v, axis=-1, keepdims=True))


def _seen(camera: Camera, board: Board, poses: FloatArray) -> BoolArray:
    """Say in which poses (n, 4, 4) the camera sees the whole sheet well enough to detect it."""
    corners = apply(poses[:, None], board_outline(board))
    inside = inside_image(camera, corners, margin_px=6).all(-1)
    distance = np.linalg.norm(poses[:, :3, 3] - camera.center, axis=-1)
    facing = faces_camera(camera, poses)
    square = camera.focal * board.square_mm / distance * np.clip(facing, 0, 1)
    return np.asarray(inside & (facing > _MIN_FACING) & (square > _MIN_SQUARE_PX))


def _targets(rig: Rig, focus: FloatArray) -> list[tuple[int, ...]]:
    """List which cameras each stop serves: neighbouring pairs in turn, and each camera alone."""
    views = _unit(rig.centers - focus)
    n = len(rig)
    angles = np.degrees(np.arccos(np.clip(views @ views.T, -1, 1)))
    # a chain over the smallest angles links everybody (Prim); further pairs below 115 degrees close loops
    linked, pairs = {0}, []
    while len(linked) < n:
        _, i, j = min((angles[i, j], i, j) for i in linked for j in range(n) if j not in linked)
        pairs.append((i, j))
        linked.add(j)
    extra = [(i, j) for i in range(n) for j in range(i + 1, n) if angles[i, j] < 100]
    pairs += [pair for pair in extra if pair not in pairs and pair[::-1] not in pairs]
    if not pairs:
        return [(0,)]
    targets: list[tuple[int, ...]] = []
    for k in range(n):  # _SHARED shared stops to every close one
        targets += [pairs[(_SHARED * k + j) % len(pairs)] for j in range(_SHARED)]
        targets.append((k,))
    return targets


def _down(rig: Rig, target: tuple[int, ...]) -> FloatArray:
    """Return which way the board's y axis hangs by default: down, as most cameras have it."""
    downs = np.stack([exp_so3(camera.rotation)[1] for camera in rig])
    signs = np.sign(downs @ downs.T).sum(1)
    usual = downs[np.argmax(signs)]
    aligned = downs * np.sign(downs @ usual)[:, None]
    return np.asarray(aligned[list(target)].mean(0) + 0.5 * aligned.mean(0))


class _Hand:
    """Chooses where to hold the board next."""

    def __init__(self, rig: Rig, board: Board, *, rng: np.random.Generator, floor_mm: float | None) -> None:
        self.rig, self.board, self.rng, self.floor_mm = rig, board, rng, floor_mm
        outline = board_outline(board)
        self.diagonal = float(np.linalg.norm(outline[2] - outline[0]))
        reach = float(np.median([camera.focal * self.diagonal / (0.4 * camera.size[0]) for camera in rig]))
        self.focus = focus_point(rig, distance_mm=reach)
        self.covered = np.zeros((len(rig), _GRID[0] * _GRID[1]), dtype=bool)

    def stop(self, target: tuple[int, ...]) -> FloatArray:
        """Return a pose (4, 4) that the cameras of `target` see, where they have seen little so far."""
        rig, board = self.rig, self.board
        poses = self._candidates(target)
        if self.floor_mm is not None:
            lowest = apply(poses[:, None], board_outline(board))[..., 2].min(-1)
            poses[:, 2, 3] += np.maximum(self.floor_mm - lowest, 0)
        good = np.stack([_seen(camera, board, poses) for camera in rig])
        cells = np.stack([_cells(camera, board, poses) for camera in rig])  # camera, pose, corner
        fresh = ~np.take_along_axis(self.covered, cells.reshape(len(rig), -1), axis=1).reshape(cells.shape)
        worth = 10 * good[list(target)].sum(0) + (good * (0.3 + fresh.mean(-1))).sum(0)
        best = int(np.argmax(worth))
        for seen, row, hit in zip(good[:, best], self.covered, cells[:, best], strict=True):
            row[hit] |= seen
        return np.asarray(poses[best])

    def _candidates(self, target: tuple[int, ...]) -> FloatArray:
        """Return random poses (n, 4, 4) that face the cameras of `target`."""
        rng, n = self.rng, _CANDIDATES
        cameras = [self.rig.cameras[i] for i in target]
        if len(cameras) == 1:
            camera, tilt_deg = cameras[0], 40.0
            size = np.array(camera.size)
            distance = camera.focal * self.diagonal / (rng.uniform(0.45, 0.85, n) * size.min() * 1.25)
            pixel = rng.uniform(0.15, 0.85, (n, 2)) * size
            ray = np.concatenate([camera.undistort(pixel), np.ones((n, 1))], axis=-1)
            centers = camera.center + (ray * distance[:, None]) @ exp_so3(camera.rotation)
        else:
            tilt_deg = 14.0  # two neighbours at right angles see it at 45 degrees already
            away = np.linalg.norm(self.rig.centers - self.focus, axis=-1).mean()
            centers = self.focus + rng.normal(0, _SPREAD * away, (n, 3))
        normal = sum((_unit(camera.center - centers) for camera in cameras), np.zeros(3))
        slant, around = np.radians(rng.uniform(0.2, 1.0, n) * tilt_deg), rng.uniform(0, 2 * np.pi, n)
        tilt = exp_so3(np.stack([slant * np.cos(around), slant * np.sin(around), np.zeros(n)], axis=-1))
        turn = exp_so3(rng.uniform(-0.6, 0.6, n)[:, None] * np.array([0.0, 0.0, 1.0]))
        poses = pose_from_axes(normal, _down(self.rig, target), centers, self.board)
        poses[:, :3, :3] = poses[:, :3, :3] @ tilt @ turn
        poses[:, :3, 3] = centers - poses[:, :3, :3] @ self.board.points.mean(0)
        return poses


def _cells(camera: Camera, board: Board, poses: FloatArray) -> IntArray:
    """Return in which cell of the image each corner lies, (n_poses, n_corners)."""
    pixels = np.nan_to_num(camera.project(apply(poses[:, None], board.points)))
    column, row = (
        np.clip(pixels[..., axis] / camera.size[axis] * n, 0, n - 1).astype(np.int64) for axis, n in enumerate(_GRID)
    )
    return np.asarray(row * _GRID[0] + column)


def move_board(
    board: Board, rig: Rig, *, n_frames: int, rng: np.random.Generator, floor_mm: float | None = None
) -> FloatArray:
    """Make a smooth motion of a board through what the cameras share.

    Stops alternate between poses that two neighbouring cameras both see and poses near to one camera and strongly
    tilted, which fix its focal length; between the stops position and attitude follow splines.

    Parameters
    ----------
    board : Board
    rig : Rig
    n_frames : int
    rng : numpy Generator
    floor_mm : float, optional
        No stop reaches below this height (world z).

    Returns
    -------
    (n_frames, 4, 4) array, mm
        ``world_from_board``.
    """
    hand = _Hand(rig, board, rng=rng, floor_mm=floor_mm)
    targets = _targets(rig, hand.focus)
    n_stops = max(4, -(-n_frames // _FRAMES_A_STOP))
    stops = np.stack([hand.stop(targets[k % len(targets)]) for k in range(n_stops)])
    times = np.linspace(0, n_stops - 1, n_frames)
    times = times - 0.9 / (2 * np.pi) * np.sin(2 * np.pi * times)  # the hand lingers at its stops
    at = np.arange(n_stops)
    # the middle of the sheet is what the hand steers; the frame's origin would swing with every turn
    middle = board.points.mean(0)
    centers = CubicSpline(at, apply(stops, middle))(times)
    turned = RotationSpline(at, Rotation.from_matrix(stops[:, :3, :3]))(times).as_matrix()
    poses = np.tile(np.eye(4), (n_frames, 1, 1))
    poses[:, :3, :3] = turned
    poses[:, :3, 3] = centers - turned @ middle
    return poses
