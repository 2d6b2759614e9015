"""Joint refinement of cameras and rigid boards: Levenberg-Marquardt with the boards eliminated (Schur complement).

Unknown are, for each camera, fx fy cx cy, the lens coefficients and the pose (small rotation on the left, shift), and,
for each instant, the pose of one rigid board: six numbers, however many corners. Each corner counts with its camera's
noise; outliers lose their weight by a robust loss. Parameters that the views say little about are kept near what lenses
are like by weak priors (:func:`lens_prior`), so that one lens model serves strong and weak recordings.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.rotations import exp_so3, skew
from pose3d.geometry.transforms import rigid
from pose3d.log import Progress, no_progress

__all__ = [
    "LENS_SIZE",
    "Bundle",
    "Solution",
    "camera_information",
    "lens_matrix",
    "lens_prior",
    "refine",
    "residuals",
    "robust_loss",
    "select_views",
]

_NOISE_FLOOR = 0.01  # px: exact corners, as in tests, must not weigh infinitely
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


def lens_prior(
    size: tuple[int, int], focal: float, *, n_lens: int = 5, fisheye: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Return what is known of a lens before any view: an information matrix and its centre.

    The principal point lies within 4 % of the image's width of the centre, pixels are square to 0.5 %, and the
    coefficients are of the size that real lenses have. A few dozen good views outweigh all of it by far.

    Parameters
    ----------
    size : (int, int), px
    focal : float, px
    n_lens : int
    fisheye : bool

    Returns
    -------
    information : (12, 12) array
    mean : (12,) array
    """
    width = max(size)
    information = np.zeros((LENS_SIZE, LENS_SIZE))
    aspect = np.zeros(LENS_SIZE)
    aspect[:2] = 1.0, -1.0
    information += np.outer(aspect, aspect) / (0.005 * focal) ** 2
    deviation = [0.04 * width, 0.04 * width]
    deviation += [0.1, 0.05, 0.05, 0.05] if fisheye else [0.5, 0.3, 0.003, 0.003, 0.2, 0.2, 0.2, 0.2][:n_lens]
    index = np.arange(2, 2 + len(deviation))
    information[index, index] = 1 / np.square(deviation)
    mean = np.zeros(LENS_SIZE)
    mean[:4] = focal, focal, (size[0] - 1) / 2, (size[1] - 1) / 2
    return information, mean


def select_views(bundle: Bundle, views: BoolArray) -> Bundle:
    """Return the bundle with some of its views; cameras and boards stay."""
    return replace(bundle, camera=bundle.camera[views], frame=bundle.frame[views], xy=bundle.xy[views])


def _in_camera(bundle: Bundle, views: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the corners of some views in the world's axes from the board's origin, and in the camera's frame."""
    board = bundle.world_from_board[bundle.frame[views]]
    turned = bundle.points @ np.swapaxes(board[:, :3, :3], -1, -2)
    world = turned + board[:, None, :3, 3]
    pose = bundle.cam_from_world[bundle.camera[views]]
    return turned, world @ np.swapaxes(pose[:, :3, :3], -1, -2) + pose[:, None, :3, 3]


def residuals(bundle: Bundle) -> FloatArray:
    """Return observed minus reprojected corners, (n_views, n_corners, 2) px; NaN where there is no corner."""
    out = np.full(bundle.xy.shape, np.nan)
    for camera in range(len(bundle.lens)):
        views = np.flatnonzero(bundle.camera == camera)
        _, X = _in_camera(bundle, views)
        with np.errstate(all="ignore"):
            seen = project_camera_frame(
                X, bundle.matrix(camera), bundle.distortion(camera), fisheye=bool(bundle.fisheye[camera])
            )
        # a board behind the camera is no explanation of what it saw
        out[views] = np.where(X[..., 2:] > 0, bundle.xy[views] - seen.pixels, 1e6)
    out[np.isnan(bundle.xy)] = np.nan
    return out


def robust_loss(squared: FloatArray, scale: float) -> tuple[FloatArray, FloatArray]:
    """Return the loss and weight of squared standardised residuals: quadratic up to `scale`, beyond it Cauchy's.

    Good corners count in full, so that nothing is lost where there are no outliers; far ones lose all their pull.
    """
    limit = scale * scale
    beyond = np.maximum(squared / limit, 1.0)
    loss = np.where(squared <= limit, squared, limit * (1 + np.log(beyond)))
    return loss, 1 / beyond


def _cost(bundle: Bundle, sigma: FloatArray, scale: float) -> tuple[float, FloatArray, FloatArray]:
    """Return the cost, the residuals in units of noise and the weights."""
    r = residuals(bundle) / sigma[bundle.camera][:, None, None]
    r = np.where(np.isnan(r), 0.0, r)
    loss, weight = robust_loss((r * r).sum(-1), scale)
    off = bundle.lens - bundle.prior_mean
    prior = float(np.einsum("ci,cij,cj->", off, bundle.prior, off))
    return 0.5 * (float(loss.sum()) + prior), r, np.where(np.isfinite(bundle.xy[..., 0]), weight, 0.0)


def _normal_equations(
    bundle: Bundle, sigma: FloatArray, r: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the blocks of the normal equations: cameras, their gradient, boards, their gradient, and between.

    Shapes (c, 18, 18), (c, 18), (f, 6, 6), (f, 6) and (f, c, 18, 6): a camera sees one board an instant, so this is
    all there is.
    """
    n_cameras, n_frames, size = len(bundle.lens), len(bundle.world_from_board), LENS_SIZE + 6
    A, a = np.zeros((n_cameras, size, size)), np.zeros((n_cameras, size))
    B, b = np.zeros((n_frames, 6, 6)), np.zeros((n_frames, 6))
    W = np.zeros((n_frames, n_cameras, size, 6))
    for camera in range(n_cameras):
        views = np.flatnonzero(bundle.camera == camera)
        frames = bundle.frame[views]
        turned, X = _in_camera(bundle, views)
        pose = bundle.cam_from_world[camera]
        with np.errstate(all="ignore"):
            seen = project_camera_frame(
                X, bundle.matrix(camera), bundle.distortion(camera), fisheye=bool(bundle.fisheye[camera])
            )
        by_world = seen.by_point @ pose[:3, :3]
        n_lens = 4 + int(bundle.n_lens[camera])
        J = np.zeros((*X.shape[:2], 2, size + 6))
        J[..., :n_lens] = seen.by_intrinsics
        J[..., LENS_SIZE : LENS_SIZE + 3] = -seen.by_point @ skew(X - pose[:3, 3])
        J[..., LENS_SIZE + 3 : size] = seen.by_point
        J[..., size : size + 3] = -by_world @ skew(turned)
        J[..., size + 3 :] = by_world
        root = np.sqrt(weight[views])[..., None]
        J = np.where(root[..., None] > 0, J * root[..., None] / sigma[camera], 0.0)
        J[..., :size] *= bundle.free[camera]
        J = J.reshape(len(views), 2 * X.shape[1], size + 6)
        e = (r[views] * root).reshape(len(views), 2 * X.shape[1])
        H = np.swapaxes(J, -1, -2) @ J
        g = (e[:, None] @ J)[:, 0]
        A[camera], a[camera] = H[:, :size, :size].sum(0), g[:, :size].sum(0)
        B[frames] += H[:, size:, size:]
        b[frames] += g[:, size:]
        W[frames, camera] = H[:, :size, size:]
    off = bundle.lens - bundle.prior_mean
    A[:, :LENS_SIZE, :LENS_SIZE] += bundle.prior
    a[:, :LENS_SIZE] -= np.einsum("cij,cj->ci", bundle.prior, off)
    a *= bundle.free
    A *= bundle.free[:, :, None] & bundle.free[:, None, :]
    return A, a, B, b, W


def _step(
    equations: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray], free: BoolArray, damping: float
) -> tuple[FloatArray, FloatArray]:
    """Solve the damped normal equations; returns the steps of cameras (c, 18) and boards (f, 6)."""
    A, a, B, b, W = equations
    n_cameras, size = a.shape
    diagonal = np.einsum("fii->fi", B)
    B = B + (damping * diagonal + 1e-12 * (1 + diagonal.max()))[:, :, None] * np.eye(6)
    WB = np.linalg.solve(B[:, None], np.swapaxes(W, -1, -2))  # (f, c, 6, 18)
    flat_W = W.reshape(len(B), n_cameras * size, 6)
    flat_WB = WB.transpose(0, 2, 1, 3).reshape(len(B), 6, n_cameras * size)
    S = -np.tensordot(flat_W, flat_WB, axes=([0, 2], [0, 1]))
    for camera in range(n_cameras):
        here = slice(camera * size, (camera + 1) * size)
        S[here, here] += A[camera] + damping * np.diag(np.diag(A[camera]))
    s = a.ravel() - np.einsum("fki,fk->i", flat_WB, b)
    moving = np.flatnonzero(free.ravel())
    cameras = np.zeros(n_cameras * size)
    if len(moving):
        part = S[np.ix_(moving, moving)]
        scale = 1 / np.sqrt(np.maximum(np.diag(part), 1e-300))  # focal lengths and radians side by side
        part = part * scale[:, None] * scale + 1e-14 * np.eye(len(moving))
        cameras[moving] = scale * scipy.linalg.solve(part, scale * s[moving], assume_a="sym", check_finite=False)
    boards = np.linalg.solve(B, (b - np.einsum("fik,i->fk", flat_W, cameras))[..., None])[..., 0]
    return cameras.reshape(n_cameras, size), boards


def _moved(bundle: Bundle, cameras: FloatArray, boards: FloatArray) -> Bundle:
    def turn(poses: FloatArray, step: FloatArray) -> FloatArray:
        return rigid(exp_so3(step[:, :3]) @ poses[:, :3, :3], poses[:, :3, 3] + step[:, 3:])

    return replace(
        bundle,
        lens=bundle.lens + cameras[:, :LENS_SIZE],
        cam_from_world=turn(bundle.cam_from_world, cameras[:, LENS_SIZE:]),
        world_from_board=turn(bundle.world_from_board, boards),
    )


def _noise(bundle: Bundle, own: FloatArray | None) -> FloatArray:
    """Estimate each camera's noise from the median of its residuals' lengths (Rayleigh: median = 1.1774 sigma).

    With each camera's own noise known, what the cameras together do not explain beyond it (shutters that are not quite
    in step, a board that bends) is shared by all. To estimate it for each camera would let one camera explain
    everything and the others nothing, as the boards follow whichever counts most.
    """
    length = np.linalg.norm(residuals(bundle), axis=-1)
    if own is not None:  # only instants that two cameras saw tell whether cameras agree
        views_of_frame = np.bincount(bundle.frame, minlength=len(bundle.world_from_board))
        shared = views_of_frame[bundle.frame] > 1
        length = np.where(shared[:, None] | ~shared.any(), length, np.nan)
    variance = np.full(len(bundle.lens), np.nan)
    for camera in range(len(variance)):
        mine = length[bundle.camera == camera]
        mine = mine[np.isfinite(mine)]
        if len(mine):
            variance[camera] = (np.median(mine) / 1.1774) ** 2
    if own is not None:
        excess = variance[np.isfinite(variance)] - own[np.isfinite(variance)] ** 2
        variance = own**2 + (max(0.0, float(np.median(excess))) if len(excess) else 0.0)
    return np.asarray(np.maximum(np.sqrt(np.nan_to_num(variance, nan=0.0)), _NOISE_FLOOR))


def refine(
    bundle: Bundle,
    *,
    loss_scale: float = 3.0,
    rounds: int = 3,
    max_iterations: int = 60,
    tolerance: float = 1e-7,
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
        A round ends when a step lowers the cost by less than this part of it.
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
    sigma = _noise(bundle, own_sigma)
    for turn in range(rounds):
        damping, converged = 1e-3, False
        cost, r, weight = _cost(bundle, sigma, loss_scale)
        for _ in range(max_iterations):
            equations = _normal_equations(bundle, sigma, r, weight)
            while damping < 1e9:
                candidate = _moved(bundle, *_step(equations, bundle.free, damping))
                new_cost, new_r, new_weight = _cost(candidate, sigma, loss_scale)
                if np.isfinite(new_cost) and new_cost <= cost and (candidate.lens[:, :2] > 0).all():
                    break
                damping *= 8
            else:
                converged = True  # no step helps: this is the floor of double precision
                break
            iterations += 1
            gain = (cost - new_cost) / max(cost, 1e-300)
            bundle, cost, r, weight = candidate, new_cost, new_r, new_weight
            damping = max(damping / 6, 1e-9)
            progress("refining cameras and boards", turn * max_iterations + iterations, 0)
            if gain < tolerance:
                converged = True
                break
        sigma = _noise(bundle, own_sigma)
    _, _, weight = _cost(bundle, sigma, loss_scale)
    return Solution(bundle, sigma, weight, iterations, converged)


def camera_information(solution: Solution) -> tuple[FloatArray, IntArray, IntArray]:
    """Return what the views say about the cameras' free parameters, the boards' poses marginalised.

    Parameters
    ----------
    solution : Solution

    Returns
    -------
    information : (n, n) array
        Inverse of the parameters' covariance.
    camera, number : (n,) int arrays
        Each parameter's camera, and its place among the camera's 18.
    """
    bundle = solution.bundle
    r = np.nan_to_num(residuals(bundle)) / solution.sigma[bundle.camera][:, None, None]
    A, _, B, _, W = _normal_equations(bundle, solution.sigma, r, solution.weight)
    n_cameras, size = A.shape[:2]
    known = np.bincount(bundle.frame, minlength=len(B)) > 0
    flat_W = W[known].reshape(int(known.sum()), n_cameras * size, 6)
    B_inverse = np.linalg.inv(B[known])
    S = -np.einsum("fik,fkl,fjl->ij", flat_W, B_inverse, flat_W, optimize=True)
    for i in range(n_cameras):
        here = slice(i * size, (i + 1) * size)
        S[here, here] += A[i]
    free = np.flatnonzero(bundle.free.ravel())
    return S[np.ix_(free, free)], free // size, free % size
