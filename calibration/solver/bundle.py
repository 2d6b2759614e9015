"""Joint refinement of cameras and rigid boards: Levenberg-Marquardt with the boards eliminated (Schur complement).

Unknown are, for each camera, fx fy cx cy, the lens coefficients and the pose (small rotation on the left, shift), and,
for each instant, the pose of one rigid board: six numbers, however many corners. Each corner counts with its camera's
noise; outliers lose their weight by a robust loss. Parameters that the views say little about are kept near what lenses
are like by weak priors (:func:`~pose3d.calibration.solver.lens_models.lens_prior`), so that one lens model serves
strong and weak recordings.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.rotations import skew
from pose3d.log import Progress, no_progress

from .linearize import Views, misfit, robust_loss, view_equations
from .motions import move_poses

__all__ = [
    "LENS_SIZE",
    "NOISE_FLOOR",
    "RAYLEIGH",
    "Bundle",
    "Solution",
    "lens_matrix",
    "reduced_equations",
    "refine",
    "residuals",
    "select_views",
]

NOISE_FLOOR = 0.01  # px: exact corners, as in tests, must not weigh infinitely
RAYLEIGH = 1.1774  # median length of a 2D error of standard deviation 1
_EXACT = 0.01  # of the cost: a tenth of a standard deviation in one parameter
LENS_SIZE = 12  # fx fy cx cy and up to eight coefficients; fewer are padded with zeros that stay fixed


def lens_matrix(lens: FloatArray) -> FloatArray:
    """Return the camera matrix (3, 3) of a lens that begins with fx fy cx cy."""
    fx, fy, cx, cy = lens[:4]
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, eq=False)
class Bundle:
    """Cameras, boards and the corners that tie them.

    Attributes
    ----------
    lens : (n_cameras, 12) array
        fx fy cx cy in px, then the distortion's coefficients.
    cam_from_world : (n_cameras, 4, 4) array, mm
    world_from_board : (n_frames, 4, 4) array, mm
    points : (n_corners, 3) array, mm
        In the board's frame.
    camera, frame : (n_views,) int array
        Which camera saw the board at which instant.
    xy : (n_views, n_corners, 2) array, px
        NaN where a corner was not seen.
    n_lens : (n_cameras,) int array
        Coefficients of each camera's lens.
    fisheye : (n_cameras,) bool array
    free : (n_cameras, 18) bool array
        Which numbers of a camera move: the lens's 12, the pose's 6.
    prior : (n_cameras, 12, 12) array
        Information matrix of the lens around `prior_mean`.
    prior_mean : (n_cameras, 12) array
    """

    lens: FloatArray
    cam_from_world: FloatArray
    world_from_board: FloatArray
    points: FloatArray
    camera: IntArray
    frame: IntArray
    xy: FloatArray
    n_lens: IntArray
    fisheye: BoolArray
    free: BoolArray
    prior: FloatArray
    prior_mean: FloatArray

    def matrix(self, camera: int) -> FloatArray:
        """Return the camera matrix (3, 3)."""
        return lens_matrix(self.lens[camera])

    def distortion(self, camera: int) -> FloatArray:
        """Return the camera's coefficients (n,)."""
        return self.lens[camera, 4 : 4 + self.n_lens[camera]]


@dataclass(frozen=True, eq=False)
class Solution:
    """A refined bundle.

    Attributes
    ----------
    bundle : Bundle
    sigma : (n_cameras,) array, px
        Noise of a corner's coordinate in each camera, estimated from the residuals.
    weight : (n_views, n_corners) array, 0..1
        What the robust loss leaves of each corner; 0 where there is none.
    iterations : int
    converged : bool
    """

    bundle: Bundle
    sigma: FloatArray
    weight: FloatArray
    iterations: int
    converged: bool


def select_views(bundle: Bundle, views: BoolArray) -> Bundle:
    """Return the bundle with some of its views; cameras and boards stay."""
    return replace(bundle, camera=bundle.camera[views], frame=bundle.frame[views], xy=bundle.xy[views])


def _views(bundle: Bundle) -> list[Views]:
    """Sort the corners by camera."""
    seen = np.isfinite(bundle.xy[..., 0])
    xy = np.where(seen[..., None], bundle.xy, 0.0)
    out = []
    for camera in range(len(bundle.lens)):
        index = np.flatnonzero(bundle.camera == camera)
        x, y = np.ascontiguousarray(xy[index, :, 0]), np.ascontiguousarray(xy[index, :, 1])
        out.append(Views(index, bundle.frame[index], x, y, seen[index].astype(float)))
    return out


def _misfits(bundle: Bundle, views: list[Views]) -> list[tuple[FloatArray, FloatArray]]:
    """Return each camera's residuals in px, x and y apart, 0 where there is no corner."""
    return [
        misfit(
            mine,
            bundle.lens[camera],
            bundle.distortion(camera),
            bundle.cam_from_world[camera] @ bundle.world_from_board[mine.frame],
            bundle.points,
            fisheye=bool(bundle.fisheye[camera]),
        )
        for camera, mine in enumerate(views)
    ]


def residuals(bundle: Bundle) -> FloatArray:
    """Return observed minus reprojected corners, (n_views, n_corners, 2) px; NaN where there is no corner."""
    out = np.full(bundle.xy.shape, np.nan)
    views = _views(bundle)
    for mine, off in zip(views, _misfits(bundle, views), strict=True):
        out[mine.rows] = np.stack(off, axis=-1)
    out[np.isnan(bundle.xy)] = np.nan
    return out


class _State(NamedTuple):
    """A bundle's misfit: its cost, each camera's residuals in px, and each corner's weight."""

    cost: float
    off: list[tuple[FloatArray, FloatArray]]
    weight: list[FloatArray]


def _evaluate(bundle: Bundle, views: list[Views], sigma: FloatArray, scale: float, *, convex: bool) -> _State:
    off = _misfits(bundle, views)
    weights = []
    cost = 0.0
    for camera, (x, y) in enumerate(off):
        loss, weight = robust_loss((x * x + y * y) / sigma[camera] ** 2, scale, convex=convex)
        cost += float(loss.sum())
        weights.append(weight * views[camera].seen)
    away = bundle.lens - bundle.prior_mean
    cost += float(np.einsum("ci,cij,cj->", away, bundle.prior, away))
    return _State(0.5 * cost, off, weights)


class _Equations(NamedTuple):
    """Blocks of the normal equations, over the parameters that move: cameras, boards, and between.

    A (n, n) and a (n,) of the cameras, B (f, 6, 6) and b (f, 6) of the boards, W (f, n, 6) between.
    """

    A: FloatArray
    a: FloatArray
    B: FloatArray
    b: FloatArray
    W: FloatArray


def _normal_equations(bundle: Bundle, views: list[Views], state: _State, sigma: FloatArray) -> _Equations:
    n_frames, size = len(bundle.world_from_board), LENS_SIZE + 6
    place = np.cumsum(bundle.free.ravel()).reshape(bundle.free.shape) - 1
    n = int(bundle.free.sum())
    A, a = np.zeros((n, n)), np.zeros(n)
    B, b = np.zeros((n_frames, 6, 6)), np.zeros((n_frames, 6))
    W = np.zeros((n_frames, n, 6))
    away = np.einsum("cij,cj->ci", bundle.prior, bundle.lens - bundle.prior_mean)
    for camera, mine in enumerate(views):
        pose = bundle.cam_from_world[camera]
        cam_from_board = pose @ bundle.world_from_board[mine.frame]
        moving = np.flatnonzero(bundle.free[camera, :LENS_SIZE])
        k = len(moving)
        H, g = view_equations(
            mine,
            bundle.lens[camera],
            bundle.distortion(camera),
            cam_from_board,
            bundle.points,
            fisheye=bool(bundle.fisheye[camera]),
            moving=moving,
            root=np.sqrt(state.weight[camera]) / sigma[camera],
            off=state.off[camera],
        )
        # the board's own turn and shift, in the world's axes
        by_board = np.zeros((6, 6))
        by_board[:3, :3] = by_board[3:, 3:] = pose[:3, :3]
        B[mine.frame] += by_board.T @ H[:, k:, k:] @ by_board
        b[mine.frame] += g[:, k:] @ by_board
        if not bundle.free[camera].any():
            continue
        # the camera's turn moves the board about the camera's origin, not its own: it shifts the board as well
        turn, shift = slice(k, k + 3), slice(k + 3, k + 6)
        lever = -skew(cam_from_board[:, :3, 3] - pose[:3, 3])
        H[:, turn] += np.swapaxes(lever, -1, -2) @ H[:, shift]
        g[:, turn] += (g[:, None, shift] @ lever)[:, 0]
        by_pose = H[:, :, k:] @ by_board
        H[:, :, turn] += H[:, :, shift] @ lever
        mine_of = np.concatenate([moving, np.arange(LENS_SIZE, size)])
        rows = bundle.free[camera, mine_of]
        here = place[camera, mine_of[rows]]
        A[np.ix_(here, here)] += H.sum(0)[np.ix_(rows, rows)]
        a[here] += g.sum(0)[rows]
        W[mine.frame[:, None], here] = by_pose[:, rows]
        lens = place[camera, moving]
        A[np.ix_(lens, lens)] += bundle.prior[camera][np.ix_(moving, moving)]
        a[lens] -= away[camera, moving]
    return _Equations(A, a, B, b, W)


def _reduced(equations: _Equations, damping: float = 0.0) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Eliminate the boards: the cameras' matrix (n, n) and gradient (n,), B's inverses, and W times them."""
    A, a, B, b, W = equations
    diagonal = np.einsum("fii->fi", B)
    damped = B + (damping * diagonal + 1e-12 * (1 + diagonal.max(initial=0.0)))[:, :, None] * np.eye(6)
    inverse = np.linalg.inv(damped)
    WB = W @ inverse
    S = A - np.tensordot(WB, W, axes=([0, 2], [0, 2]))
    S[np.diag_indices(len(S))] += damping * np.diag(A)
    return S, a - np.einsum("fnk,fk->n", WB, b), inverse, WB


def reduced_equations(bundle: Bundle, weight: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the normal equations of the cameras' free parameters, (n, n) and (n,), the boards' poses eliminated.

    Parameters
    ----------
    bundle : Bundle
    weight : (n_views, n_corners) array, 0..1
    sigma : (n_cameras,) array, px
    """
    views = _views(bundle)
    state = _State(0.0, _misfits(bundle, views), [weight[mine.rows] for mine in views])
    S, s, _, _ = _reduced(_normal_equations(bundle, views, state, sigma))
    return S, s


def _step(equations: _Equations, damping: float) -> tuple[FloatArray, FloatArray, float]:
    """Solve the damped normal equations.

    Returns the steps of the cameras' moving parameters (n,) and of the boards (f, 6), and by how much the cost is
    expected to fall.
    """
    S, s, inverse, WB = _reduced(equations, damping)
    cameras = np.zeros(len(S))
    if len(S):
        scale = 1 / np.sqrt(np.maximum(np.diag(S), 1e-300))  # focal lengths and radians side by side
        part = S * scale[:, None] * scale + 1e-14 * np.eye(len(S))
        cameras = scale * np.linalg.solve(part, scale * s)
    boards = (inverse @ equations.b[..., None])[..., 0] - np.einsum("fnk,n->fk", WB, cameras)
    fall = 0.5 * float(equations.a @ cameras + (equations.b * boards).sum())
    return cameras, boards, fall


def _moved(bundle: Bundle, step: FloatArray, boards: FloatArray) -> Bundle:
    cameras = np.zeros(bundle.free.shape)
    cameras[bundle.free] = step
    return replace(
        bundle,
        lens=bundle.lens + cameras[:, :LENS_SIZE],
        cam_from_world=move_poses(bundle.cam_from_world, cameras[:, LENS_SIZE:]),
        world_from_board=move_poses(bundle.world_from_board, boards),
    )


def _noise(bundle: Bundle, views: list[Views], state: _State, own: FloatArray | None) -> FloatArray:
    """Estimate each camera's noise from the median of its residuals' lengths (:data:`RAYLEIGH`).

    With each camera's own noise known, what the cameras together do not explain beyond it (shutters that are not quite
    in step, a board that bends) is shared by all. To estimate it for each camera would let one camera explain
    everything and the others nothing, as the boards follow whichever counts most.
    """
    seen_by = np.bincount(bundle.frame, minlength=len(bundle.world_from_board))
    only_shared = own is not None and (seen_by > 1).any()  # the others do not tell whether cameras agree
    variance = np.full(len(views), np.nan)
    for camera, (mine, (x, y)) in enumerate(zip(views, state.off, strict=True)):
        counts = mine.seen > 0
        if only_shared:
            counts &= (seen_by[mine.frame] > 1)[:, None]
        if counts.any():
            variance[camera] = np.median((x * x + y * y)[counts]) / RAYLEIGH**2
    if own is not None:
        known = np.isfinite(variance)
        excess = variance[known] - own[known] ** 2
        variance = own**2 + (max(0.0, float(np.median(excess))) if len(excess) else 0.0)
    return np.asarray(np.maximum(np.sqrt(np.nan_to_num(variance, nan=0.0)), NOISE_FLOOR))


def refine(
    bundle: Bundle,
    *,
    loss_scale: float = 3.0,
    rounds: int = 3,
    max_iterations: int = 60,
    tolerance: float = _EXACT,
    own_sigma: FloatArray | None = None,
    progress: Progress = no_progress,
) -> Solution:
    """Refine cameras and boards together.

    Parameters
    ----------
    bundle : Bundle
        Start values; :attr:`Bundle.free` says what moves. Fix one camera's pose, or the world floats.
    loss_scale : float
        Where the robust loss leaves the square, in units of each camera's noise.
    rounds : int
        Solves; before each, each camera's noise is estimated anew from the residuals.
    max_iterations : int
        Steps a round.
    tolerance : float
        The last round ends when the next step is expected to lower the cost (half the sum of squared standardised
        residuals) by less than this; the rounds before, which only serve the noise, end earlier.
    own_sigma : (n_cameras,) array, px, optional
        Each camera's noise when it is calibrated alone.
    progress : callable, optional

    Returns
    -------
    Solution

    References
    ----------
    Triggs, McLauchlan, Hartley, Fitzgibbon (2000), Bundle adjustment: a modern synthesis, sections 4 and 6.
    """
    iterations, converged = 0, False
    seen = np.bincount(bundle.camera, minlength=len(bundle.lens)) > 0
    bundle = replace(bundle, free=bundle.free & seen[:, None])
    views = _views(bundle)
    state = _evaluate(bundle, views, np.ones(len(bundle.lens)), loss_scale, convex=False)
    damping = 1e-4
    for turn in range(rounds):
        last = turn == rounds - 1
        sigma = _noise(bundle, views, state, own_sigma if last else None)
        state = _evaluate(bundle, views, sigma, loss_scale, convex=not last)
        enough = tolerance if last else max(tolerance, 0.01 * state.cost)
        fall_before, converged = 0.0, False
        for _ in range(max_iterations):
            equations = _normal_equations(bundle, views, state, sigma)
            while damping < 1e9:
                cameras, boards, fall = _step(equations, damping)
                candidate = _moved(bundle, cameras, boards)
                new = _evaluate(candidate, views, sigma, loss_scale, convex=not last)
                if np.isfinite(new.cost) and new.cost <= state.cost and (candidate.lens[:, :2] > 0).all():
                    break
                if fall < 1e-2 * enough:
                    damping = 1e9
                damping *= 8
            else:
                damping, converged = 1e-4, True  # no step helps: this is the floor of double precision
                break
            iterations += 1
            damping = damping / 10 if state.cost - new.cost > 0.5 * fall else damping * 2
            damping = max(damping, 1e-9)
            bundle, state = candidate, new
            progress("refining cameras and boards", turn * max_iterations + iterations, 0)
            shrinks = min(1.0, fall / fall_before) if fall_before else 1.0
            if fall * shrinks < enough:  # what the next step may gain, as they shrink from step to step
                converged = True
                break
            fall_before = fall
    weight = np.zeros(bundle.xy.shape[:2])
    for mine, part in zip(views, state.weight, strict=True):
        weight[mine.rows] = part
    return Solution(bundle, sigma, weight, iterations, converged)
