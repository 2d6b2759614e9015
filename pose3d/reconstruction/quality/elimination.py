"""Disagreement between cameras, whatever the points: residuals from which each point's own freedom is taken out.

How far a view lies from a *given* point says as much about how the point was made as about the view: a robust method
drops a bad camera and hides it, a plain one spreads its error over the good ones. So each point of the sample is fitted
anew to all of its views, with a loss that neither drops a view nor follows a gross error, and what a camera's fault
would explain of the rest is judged with the points free.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pose3d.data import Camera
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.symmetric import ENTRIES, inverse_matrix
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.reconstruction.quality.sample import Sample

__all__ = ["Fit", "Problem", "fit_points", "make_problem", "measure_noise"]

_HUBER = 2.0  # standard deviations from which an error counts no longer by its square
_ROUNDS = 4
_PLACES = 3  # times that points are fitted anew and linearised there
_DIAGONAL_PX = 1640.0  # of a 1280x1024 image: larger images have larger errors
_FLOOR_PX = 0.2
_START_PX = 2.0
_STEEP = 8.0  # times the median of px a mm
_STEP = 0.3  # of the distance to the nearest camera: a point moves no farther at once


@dataclass(frozen=True, eq=False)
class Problem:
    """Views of the sample's points, linearised; p runs over points with two views or more.

    Attributes
    ----------
    cameras : tuple of Camera
    unit : (n_cameras,) array
        Size of each image, 1 for 1280x1024: errors are compared as fractions of the image.
    frame : (n_points,) int array
        Row of the sample.
    n_rows : int
        Frames of the sample.
    individual, keypoint : (n_points,) int array
    seen : (n_points, n_cameras) bool array
    residual : (n_points, n_cameras, 2) array, px
        Projected point minus detection; 0 where unseen.
    by_point : (n_points, n_cameras, 2, 3) array, px / mm
    in_camera : (n_points, n_cameras, 3) array, mm
        Points in the cameras' frames.
    velocity : (n_points, n_reaches, 3) array, mm per frame
    sigma_px : float
        Noise per axis, at unit 1.
    """

    cameras: tuple[Camera, ...]
    unit: FloatArray
    frame: IntArray
    n_rows: int
    individual: IntArray
    keypoint: IntArray
    seen: BoolArray
    residual: FloatArray
    by_point: FloatArray
    in_camera: FloatArray
    velocity: FloatArray
    sigma_px: float = _START_PX

    def with_residual(self, residual: FloatArray) -> "Problem":
        """Return the problem with other residuals."""
        return replace(self, residual=residual)

    def with_seen(self, seen: BoolArray) -> "Problem":
        """Return the problem with other views."""
        return replace(self, seen=seen)

    def take(self, points: IntArray | BoolArray) -> "Problem":
        """Return some of the points."""
        names = ("frame", "individual", "keypoint", "seen", "residual", "by_point", "in_camera", "velocity")
        return replace(self, **{name: getattr(self, name)[points] for name in names})


class Fit(NamedTuple):
    """Points fitted to their views.

    Attributes
    ----------
    error : (n_points, n_cameras, 2) array, px
        What is left.
    shift : (n_points, 3) array, mm
        Of each point.
    weight : (n_points, n_cameras) array
        Precision that each view had, 1 / px^2.
    stiffness : (n_points, n_cameras, 2, 2) array, 1 / px^2
        Cost of moving one view, the point following: w (1 - w J N^-1 J').
    cost : float
        Sum of the views' losses, in squared standard deviations.
    """

    error: FloatArray
    shift: FloatArray
    weight: FloatArray
    stiffness: FloatArray
    cost: float


def make_problem(cameras: tuple[Camera, ...], sample: Sample) -> Problem:
    """Lay out a sample and fit its points to all of their views.

    Parameters
    ----------
    cameras : tuple of Camera
        In the order of the sample's axis.
    sample : Sample

    Returns
    -------
    Problem
        Linearised at the fitted points.
    """
    seen = np.isfinite(sample.xy[..., 0])
    frame, individual, keypoint = np.nonzero(seen.sum(1) >= 2)
    xy = sample.xy[frame, :, individual, keypoint]
    xyz = sample.xyz[frame, individual, keypoint].copy()
    lost = ~np.isfinite(xyz[:, 0])
    if lost.any():
        rays = np.stack([camera.undistort(xy[lost, c]) for c, camera in enumerate(cameras)], axis=1)
        xyz[lost] = triangulate_svd(rays, np.stack([camera.cam_from_world for camera in cameras]))
    there = np.isfinite(xyz[:, 0])
    frame, individual, keypoint = frame[there], individual[there], keypoint[there]
    xy, xyz = xy[there], xyz[there]
    velocity = np.moveaxis(sample.velocity, 1, -2)[frame, individual, keypoint]
    shape = xy.shape[:2]
    problem = Problem(
        cameras,
        np.array([np.hypot(*camera.size) / _DIAGONAL_PX for camera in cameras]),
        frame,
        len(sample.frames),
        individual,
        keypoint,
        np.zeros(shape, dtype=np.bool_),
        np.zeros((*shape, 2)),
        np.zeros((*shape, 2, 3)),
        np.zeros((*shape, 3)),
        velocity,
    )
    for _ in range(_PLACES):
        problem = _linearised(problem, xyz, xy)
        fit = fit_points(problem)
        problem = replace(problem, sigma_px=measure_noise(problem, fit))
        xyz = xyz + fit.shift
    return _linearised(problem, xyz, xy)


def _linearised(problem: Problem, xyz: FloatArray, xy: FloatArray) -> Problem:
    """Project the points (p, 3) and compare them with their views (p, n_cameras, 2)."""
    residual, by_point, in_camera = (np.zeros_like(a) for a in (problem.residual, problem.by_point, problem.in_camera))
    seen = np.zeros_like(problem.seen)
    for c, camera in enumerate(problem.cameras):
        pose = camera.cam_from_world
        at = xyz @ pose[:3, :3].T + pose[:3, 3]
        there = np.flatnonzero(np.isfinite(xy[:, c, 0]) & (at[:, 2] > 0))
        with np.errstate(all="ignore"):
            made = project_camera_frame(at[there], camera.matrix, camera.distortion, fisheye=camera.fisheye)
        steep = np.linalg.norm(made.by_point, axis=(-1, -2))
        sound = np.isfinite(made.pixels).all(-1) & np.isfinite(steep)
        # a point that strayed to the camera itself would move by whole images there
        sound &= steep < _STEEP * np.median(steep[sound]) if sound.any() else sound
        there = there[sound]
        residual[there, c] = made.pixels[sound] - xy[there, c]
        by_point[there, c] = made.by_point[sound] @ pose[:3, :3]
        in_camera[there, c] = at[there]
        seen[there, c] = True
    return replace(problem, seen=seen, residual=residual, by_point=by_point, in_camera=in_camera)


def fit_points(
    problem: Problem, *, without: int | None = None, start: FloatArray | None = None, rounds: int = _ROUNDS
) -> Fit:
    """Fit every point to its views under Huber's loss, the geometry linearised.

    Parameters
    ----------
    problem : Problem
    without : int, optional
        Camera whose views do not count; its errors are then those of prediction.
    start : (n_points, n_cameras) array, optional
        Weights of an earlier fit, from which few rounds are enough.
    rounds : int
        Times that the weights are found anew.

    Returns
    -------
    Fit
    """
    J, n, rows = problem.by_point, len(problem.by_point), 2 * len(problem.cameras)
    scale = problem.sigma_px * problem.unit
    counts = problem.seen.copy()
    if without is not None:
        counts[:, without] = False
    full = counts / scale**2
    weight = full if start is None else start
    for _ in range(rounds):
        shift, inverse = _solve(J, problem.residual, weight, problem.in_camera)
        error = problem.residual + (J.reshape(n, rows, 3) @ shift[..., None]).reshape(J.shape[:-1])
        size = np.hypot(error[..., 0], error[..., 1]) / scale
        weight = full * np.minimum(1.0, _HUBER / np.maximum(size, 1e-9))
    JN = J @ inverse[:, None]
    stiffness = -(weight**2)[..., None, None] * (JN @ np.swapaxes(J, -1, -2))
    stiffness[..., (0, 1), (0, 1)] += weight[..., None]
    loss = np.where(size < _HUBER, 0.5 * size * size, _HUBER * size - 0.5 * _HUBER**2)
    return Fit(error, shift, weight, stiffness, float(loss[counts].sum()))


def _solve(
    J: FloatArray, residual: FloatArray, weight: FloatArray, in_camera: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the shift (p, 3) of each point that its weighted views want, and the inverse normal matrix (p, 3, 3)."""
    n, n_rows = len(J), 2 * J.shape[1]
    rows = J.reshape(n, n_rows, 3)
    weighted = (J * weight[..., None, None]).reshape(n, n_rows, 3)
    N = np.swapaxes(weighted, -1, -2) @ rows
    trace = np.einsum("pii->p", N)
    N[:, (0, 1, 2), (0, 1, 2)] += (1e-9 * trace + 1e-300)[:, None] + (trace == 0)[:, None]
    inverse = inverse_matrix(np.moveaxis(N.reshape(n, 9)[:, [3 * i + j for i, j in ENTRIES]], -1, 0))
    shift = -(inverse @ (np.swapaxes(weighted, -1, -2) @ residual.reshape(n, n_rows, 1)))[..., 0]
    depth = np.where(weight > 0, in_camera[..., 2], np.inf).min(1)
    length = np.linalg.norm(shift, axis=-1)
    with np.errstate(invalid="ignore"):
        shift *= np.minimum(1.0, _STEP * depth / np.maximum(length, 1e-9))[:, None]
    return np.asarray(np.nan_to_num(shift)), np.asarray(inverse)


def measure_noise(problem: Problem, fit: Fit) -> float:
    """Estimate the noise per axis, at unit 1, from the median error and the freedom of the points."""
    n_views = problem.seen.sum(1)
    several = n_views >= (3 if (n_views >= 3).sum() > 0.1 * len(n_views) else 2)
    seen = problem.seen & several[:, None]
    if not seen.any():
        return problem.sigma_px
    size = (np.hypot(fit.error[..., 0], fit.error[..., 1]) / problem.unit)[seen]
    freedom = 1 - 3 / (2 * n_views[several].mean())
    return max(float(np.median(size) / np.sqrt(2 * np.log(2) * freedom)), _FLOOR_PX)
