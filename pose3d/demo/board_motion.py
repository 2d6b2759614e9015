"""How a hand carries a board before cameras: near and far, tilted, turned, shared between neighbours."""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from pose3d.data.board import Board
from pose3d.data.camera import Camera, Rig
from pose3d.demo.board import board_outline, faces_camera, inside_image, pose_from_axes
from pose3d.demo.rig import focus_point
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply

__all__ = ["move_board"]

_CANDIDATES = 150
_FRAMES_A_STOP = 5
_MIN_SQUARE_PX = 11.0
_MIN_FACING = 0.45  # cosine: 63 degrees of slant


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
    for k in range(n):  # two shared stops to every close one
        targets += [pairs[2 * k % len(pairs)], (k,), pairs[(2 * k + 1) % len(pairs)]]
    return targets


def _down(rig: Rig, target: tuple[int, ...]) -> FloatArray:
    """Return which way the board's y axis hangs by default: down, as most cameras have it."""
    downs = np.stack([exp_so3(camera.rotation)[1] for camera in rig])
    signs = np.sign(downs @ downs.T).sum(1)
    usual = downs[np.argmax(signs)]
    aligned = downs * np.sign(downs @ usual)[:, None]
    return np.asarray(aligned[list(target)].mean(0) + 0.5 * aligned.mean(0))


def _stop(
    rig: Rig, board: Board, target: tuple[int, ...], focus: FloatArray, rng: np.random.Generator, floor: float | None
) -> FloatArray:
    """Choose one pose that the cameras of `target` see."""
    cameras = [rig.cameras[i] for i in target]
    n = _CANDIDATES
    diagonal = float(np.linalg.norm(board_outline(board)[2] - board_outline(board)[0]))
    first = cameras[0]
    if len(target) == 1:
        w, h = first.size
        fill = rng.uniform(0.45, 0.85, n)
        distance = first.focal * diagonal / (fill * min(w, h) * 1.25)
        pixel = np.stack([rng.uniform(0.25, 0.75, n) * w, rng.uniform(0.25, 0.75, n) * h], axis=-1)
        ray = np.concatenate([first.undistort(pixel), np.ones((n, 1))], axis=-1)
        centers = first.center + (ray * distance[:, None]) @ exp_so3(first.rotation)
        tilt_deg = 40.0
    else:
        away = np.linalg.norm(rig.centers - focus, axis=-1).mean()
        centers = focus + rng.normal(0, 0.16 * away, (n, 3))
        tilt_deg = 22.0
    poses = np.empty((n, 4, 4))
    down = _down(rig, target)
    for k in range(n):
        normal = _unit(np.stack([camera.center - centers[k] for camera in cameras])).sum(0)
        pose = pose_from_axes(normal, down, centers[k], board)
        slant = np.radians(rng.uniform(0.2, 1.0) * tilt_deg)
        around = rng.uniform(0, 2 * np.pi)
        turn = exp_so3([slant * np.cos(around), slant * np.sin(around), 0.0])
        turn = turn @ exp_so3([0.0, 0.0, rng.uniform(-0.6, 0.6)])
        pose[:3, :3] = pose[:3, :3] @ turn
        pose[:3, 3] = centers[k] - pose[:3, :3] @ board.points.mean(0)
        poses[k] = pose
    if floor is not None:
        lowest = apply(poses[:, None], board_outline(board))[..., 2].min(-1)
        poses[:, 2, 3] += np.maximum(floor - lowest, 0)
    good = np.stack([_seen(camera, board, poses) for camera in rig])
    wanted = good[list(target)].sum(0) * 10 + good.sum(0)
    return np.asarray(poses[np.argmax(wanted)])


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
    board_size = float(np.linalg.norm(board_outline(board)[2] - board_outline(board)[0]))
    reach = float(np.median([camera.focal * board_size / (0.4 * camera.size[0]) for camera in rig]))
    focus = focus_point(rig, distance_mm=reach)
    targets = _targets(rig, focus)
    n_stops = max(4, -(-n_frames // _FRAMES_A_STOP))
    stops = np.stack([_stop(rig, board, targets[k % len(targets)], focus, rng, floor_mm) for k in range(n_stops)])
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
