"""Cameras of one rig seen through the lenses of another: poses that can be compared, and how well they are known."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pose3d.data.camera import Camera, Rig
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.projection import Projected, project_camera_frame
from pose3d.geometry.rotations import exp_so3, log_so3, skew
from pose3d.geometry.transforms import apply, inverse, rigid

from ..solver.bundle import LENS_SIZE
from ..solver.motions import motion_jacobian, move_poses
from ..trust.uncertainty import Uncertainty
from .consensus import gauge_maps

__all__ = [
    "View",
    "center_map",
    "difference",
    "in_new_world",
    "pose_covariance",
    "scene_of",
    "settle",
    "start",
    "view_of",
]

_MIN_POINTS = 12
_CAP_PX = 5.0  # cameras farther off than this are all alike: they have moved
_RESCALED = 0.003  # a scale nearer to 1 is left to the refinement


class View(NamedTuple):
    """One camera, as it can be compared.

    Attributes
    ----------
    camera : Camera
        The lens that both poses have.
    pose : (4, 4) array, mm
        ``cam_from_world`` that explains with this lens what the new camera sees.
    points : (n, 3) array, mm
        Points of the scene before the camera.
    pixels : (n, 2) array, px
        Where the new camera sees them.
    information : (6, 6) array, px^2
        Mean over the points of what a turn and shift of the camera do to the pixels, squared.
    by_lens : (6, 12) array
        What a small change of the lens does to the pose that explains the same pixels.
    zoomed : bool
        The lenses differ, so `pose` is the new one as it is.
    """

    camera: Camera
    pose: FloatArray
    points: FloatArray
    pixels: FloatArray
    information: FloatArray
    by_lens: FloatArray
    zoomed: bool

    def error_px(self, pose: FloatArray) -> float:
        """Return the root mean square distance of the points' pixels from where another pose sees them."""
        X = apply(pose, self.points)
        if not (X[:, 2] > 0).all():
            return float("inf")
        off = _see(self.camera, X).pixels - self.pixels
        return float(np.sqrt((off * off).sum(-1).mean()))


def scene_of(rig: Rig) -> FloatArray:
    """Return points around the place at which a rig's cameras look, (n, 3) mm."""
    axes = np.stack([exp_so3(camera.rotation)[2] for camera in rig])
    centers = rig.centers
    away = float(np.linalg.norm(centers - centers.mean(0), axis=-1).mean())
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    weak = 0.02  # holds the point where the axes are parallel and do not say how far they look
    A = across.sum(0) + weak * len(rig) * np.eye(3)
    b = np.einsum("cij,cj->i", across, centers) + weak * (centers + max(away, 100.0) * axes).sum(0)
    focus = np.linalg.solve(A, b)
    reach = 0.3 * float(np.linalg.norm(centers - focus, axis=-1).mean())
    grid = np.stack(np.meshgrid(*[np.linspace(-reach, reach, 7)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return np.asarray(focus + grid[np.linalg.norm(grid, axis=-1) <= reach])


def view_of(new: Camera, old: Camera, to_world: FloatArray, scene: FloatArray, *, zoomed: bool) -> View:
    """See the scene with the new camera, and find the pose that explains it with the old camera's lens.

    Parameters
    ----------
    new, old : Camera
    to_world : (4, 4) array, mm
        From the new rig's world to that of `scene`.
    scene : (n, 3) array, mm
    zoomed : bool
        The lens is another one, so the new pose counts as it is.

    Returns
    -------
    View
    """
    pose = new.cam_from_world @ inverse(to_world)
    points = _before(new, pose, scene)
    X = apply(pose, points)
    truth = _see(new, X)
    lens = new if zoomed else old
    for _ in range(0 if zoomed else 10):
        seen = _see(lens, X)
        J = motion_jacobian(seen.by_point, X - pose[:3, 3]).reshape(-1, 6)
        step = _solve(J, (truth.pixels - seen.pixels).ravel())
        pose = move_poses(pose[None], step[None])[0]
        X = apply(pose, points)
        if not (np.isfinite(step).all() and (X[:, 2] > 0).all()):
            raise CalibrationError(
                f"camera {new.name}: its lens cannot be compared with the earlier one; are they the same camera?"
            )
    seen = _see(lens, X)
    J = motion_jacobian(seen.by_point, X - pose[:3, 3]).reshape(-1, 6)
    by_lens = np.zeros((6, LENS_SIZE))
    n_lens = truth.by_intrinsics.shape[-1]
    by_lens[:, :n_lens] = _solve(J, truth.by_intrinsics.reshape(-1, n_lens))
    return View(lens, pose, points, truth.pixels, J.T @ J / len(points), by_lens, zoomed)


def _see(camera: Camera, X: FloatArray) -> Projected:
    with np.errstate(all="ignore"):
        return project_camera_frame(X, camera.matrix, camera.distortion, fisheye=camera.fisheye)


def _solve(J: FloatArray, values: FloatArray) -> FloatArray:
    """Least squares with columns of very different units."""
    scale = 1 / np.linalg.norm(J, axis=0)
    solved = np.linalg.lstsq(J * scale, values, rcond=1e-10)[0]
    return np.asarray((solved.T * scale).T)


def _before(camera: Camera, pose: FloatArray, scene: FloatArray) -> FloatArray:
    """Return the points that lie in the camera's image, or, if they are few, points before it as far away."""
    X = apply(pose, scene)
    with np.errstate(all="ignore"):
        ray = camera.undistort(_see(camera, X).pixels)
        # beyond the image a lens model folds back, and would see what it cannot
        true = np.linalg.norm(ray - X[:, :2] / X[:, 2:], axis=-1) < 1e-3
        pixels = _see(camera, X).pixels
    inside = (X[:, 2] > 0) & (pixels > 0).all(-1) & (pixels < np.array(camera.size) - 1).all(-1) & true
    if inside.sum() >= _MIN_POINTS:
        return np.asarray(scene[inside])
    far = float(np.median(np.linalg.norm(X, axis=-1))) if len(X) else 1000.0
    at = np.stack(np.meshgrid(*[np.linspace(0.15, 0.85, 5)] * 2), -1).reshape(-1, 2) * np.array(camera.size)
    rays = camera.undistort(at)
    rays = rays[np.isfinite(rays).all(-1)]
    rays = np.concatenate([rays, np.ones((len(rays), 1))], axis=-1)
    return apply(inverse(pose), (rays[None] * far * np.array([0.8, 1.0, 1.2])[:, None, None]).reshape(-1, 3))


def in_new_world(old_poses: FloatArray, new_from_old: FloatArray, scale: float) -> FloatArray:
    """Return old poses (n, 4, 4) in the new world."""
    scaled = old_poses.copy()
    scaled[:, :3, 3] *= scale
    return np.asarray(scaled @ inverse(new_from_old))


def difference(new: FloatArray, old: FloatArray) -> FloatArray:
    """Return new minus old poses, (n, 6): turn in rad and shift in mm, in the cameras' axes."""
    turn = log_so3(new[:, :3, :3] @ np.swapaxes(old[:, :3, :3], -1, -2))
    return np.concatenate([turn, new[:, :3, 3] - old[:, :3, 3]], axis=-1)


def start(views: Sequence[View], old_poses: FloatArray) -> tuple[FloatArray, float]:
    """Lay the old world into the new one as one of the cameras has it, with which most others agree.

    Returns
    -------
    new_from_old : (4, 4) array, mm
    scale : float
    """
    poses = np.stack([view.pose for view in views])
    scales = [1.0]
    if len(views) > 2:
        a, b = np.triu_indices(len(views), 1)
        new, old = (inverse(p)[:, :3, 3] for p in (poses, old_poses))
        apart = np.linalg.norm(old[a] - old[b], axis=-1)
        ratio = np.linalg.norm(new[a] - new[b], axis=-1)[apart > 1e-6] / apart[apart > 1e-6]
        if len(ratio) and abs(np.median(ratio) - 1) > _RESCALED:
            scales.append(float(np.median(ratio)))
    best: tuple[float, FloatArray, float] | None = None
    for scale in scales:
        for i in range(len(views)):
            scaled = old_poses[i].copy()
            scaled[:3, 3] *= scale
            trial = inverse(poses[i]) @ scaled
            aligned = in_new_world(old_poses, trial, scale)
            cost = sum(min(view.error_px(pose), _CAP_PX) for view, pose in zip(views, aligned, strict=True))
            if best is None or cost < (0.5 if scale != best[2] else 1.0) * best[0]:
                best = cost, trial, scale
    assert best is not None
    return best[1], best[2]


def settle(
    views: Sequence[View],
    old_poses: FloatArray,
    new_from_old: FloatArray,
    scale: float,
    stayed: Sequence[int],
    *,
    scaled: bool,
) -> tuple[FloatArray, float]:
    """Lay the old world into the new one such that the images of the cameras that stayed agree best.

    Returns
    -------
    new_from_old : (4, 4) array, mm
    scale : float
    """
    poses = np.stack([view.pose for view in views])
    stayed = list(stayed)
    for _ in range(5):
        aligned = in_new_world(old_poses, new_from_old, scale)
        columns = gauge_maps(aligned[:, :3, :3])
        stretch = np.zeros((len(views), 6, 1))
        stretch[:, 3:, 0] = aligned[:, :3, 3]
        columns = np.concatenate([columns, stretch], axis=-1) if scaled else columns
        e = difference(poses, aligned)
        root = np.stack([np.linalg.cholesky(views[i].information).T for i in stayed])
        step = _solve((root @ columns[stayed]).reshape(-1, columns.shape[-1]), (root @ e[stayed, :, None]).ravel())
        if scaled:
            scale *= 1 + float(step[6])
            new_from_old = new_from_old.copy()
            new_from_old[:3, 3] *= 1 + float(step[6])
        new_from_old = rigid(step[:3], step[3:6]) @ new_from_old
    return new_from_old, scale


def pose_covariance(
    uncertainty: Uncertainty, rig: Rig, names: Sequence[str], views: Sequence[View], poses: FloatArray
) -> FloatArray:
    """Return the covariance (6 n, 6 n) of the named cameras' poses seen through the views' lenses.

    Parameters
    ----------
    uncertainty : Uncertainty
        Of `rig`: poses relative to its first camera.
    rig : Rig
    names : sequence of str
    views : sequence of View
        Of the names.
    poses : (n, 4, 4) array, mm
        In the world in which the covariance is wanted.
    """
    if uncertainty.n_cameras != len(rig):
        raise ValueError(f"uncertainty of {uncertainty.n_cameras} cameras for a rig of {len(rig)}")
    size = LENS_SIZE + 6
    place = uncertainty.camera * size + uncertainty.number
    full = np.zeros((len(rig) * size, len(rig) * size))
    # what the views do not determine comes with a variance that is huge or, by rounding, negative
    values, vectors = np.linalg.eigh(np.nan_to_num(uncertainty.covariance))
    full[np.ix_(place, place)] = (vectors * np.maximum(values, 0.0)) @ vectors.T
    relative = rig.cam_from_world @ inverse(rig.cameras[0].cam_from_world)
    to_pose = np.zeros((6 * len(names), len(rig) * size))
    for row, name in enumerate(names):
        column = rig.names.index(name)
        here = np.eye(6)
        # a turn about the camera's axes leaves the shift to the world's origin: another world, another shift
        here[3:, :3] = -skew(poses[row, :3, 3] - relative[column, :3, 3])
        block = to_pose[6 * row : 6 * row + 6, column * size : (column + 1) * size]
        block[:, :LENS_SIZE] = 0.0 if views[row].zoomed else views[row].by_lens
        block[:, LENS_SIZE:] = here
    return np.asarray(to_pose @ full @ to_pose.T)


def center_map(pose: FloatArray) -> FloatArray:
    """Return what a turn and shift of a camera do to its optical centre in the world, (3, 6)."""
    return np.asarray(-pose[:3, :3].T @ np.concatenate([skew(pose[:3, 3]), np.eye(3)], axis=1))
