"""Cameras without a common trigger: how far apart their exposures are, from a board that moved meanwhile."""

from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pose3d.data.detections import BoardDetections
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.rotations import log_so3, skew

from ..findings import Finding
from ..solver.bundle import NOISE_FLOOR, RAYLEIGH, Bundle, Solution, residuals
from ..solver.information import corners_by_board
from ..solver.poses import MIN_CORNERS

__all__ = ["Timing", "measure_timing", "timing_findings"]

_OUTLIER = 3.0  # times a camera's own noise
_MISFIT = 4.0  # times the variance that the cameras' own noise allows: below it nothing needs an explanation
_EXPLAINS = 0.6  # of the misfit; wrong lenses leave up to half of it to time where the board moves evenly
_LEAST = 8  # instants


@dataclass(frozen=True)
class Timing:
    """How far apart in time the cameras of a calibration are.

    Attributes
    ----------
    lag_frames : dict of str to float
        By how much each camera is late, in the mean over the recording; their sum is zero. Late is what shows an event
        in a later frame than the others do. A camera that never saw the moving board with another is absent.
    lag_sd : dict of str to float
    jitter_frames : float
        Standard deviation of a single exposure about its camera's lag.
    spread_frames : float
        Between the earliest and the latest camera of an instant, exceeded at one instant in twenty.
    misfit : float
        Variance of the cameras' disagreement about the board over what each camera's own noise allows; 1 is perfect.
    explains : float
        Part of what is above that noise that lags and jitter explain.
    joint_px, own_px : float
        Median distance between seen and reprojected corners, all cameras together and each camera by itself.
    """

    lag_frames: dict[str, float]
    lag_sd: dict[str, float]
    jitter_frames: float
    spread_frames: float
    misfit: float
    explains: float
    joint_px: float
    own_px: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a json file."""
        return {**asdict(self), "out_of_step": self.out_of_step}

    @property
    def out_of_step(self) -> bool:
        """Whether time explains why the cameras do not agree."""
        return self.misfit > _MISFIT and self.explains > _EXPLAINS


def timing_findings(timing: Timing | None, *, fps: float | None = None) -> tuple[Finding, ...]:
    """Say that the cameras are out of step, if time explains why they do not agree.

    Parameters
    ----------
    timing : Timing or None
    fps : float, optional
        Tells the spread in ms as well.

    Returns
    -------
    tuple of Finding
    """
    if timing is None or not timing.out_of_step:
        return ()
    spread = f"{timing.spread_frames:.2f} frames"
    if fps:
        spread += f" ({1000 * timing.spread_frames / fps:.0f} ms)"
    return (
        Finding(
            "out_of_step",
            "WARN",
            (),
            f"the cameras' shutters are up to {spread} apart: that is {100 * timing.explains:.0f} % of their "
            f"misfit, with a floor of {timing.joint_px:.1f} px where each camera alone reaches {timing.own_px:.1f} px",
            "use cameras with a common trigger, give the frames' times with --timestamps, or move the board slowly",
        ),
    )


def measure_timing(solution: Solution, detections: BoardDetections) -> Timing | None:
    """Estimate how late each camera is from the board's motion, a common pose of the board at each instant allowed for.

    A camera that is late sees the board where it was before: its residuals point along the corners' velocity in the
    image. The boards' poses and small shifts of the cameras, which would take up a part of that, are estimated with the
    lags.

    Parameters
    ----------
    solution : Solution
    detections : BoardDetections
        Of the solution's cameras and instants, in their order; views that the solution left out take part.

    Returns
    -------
    Timing or None
        None with one camera, or fewer than 8 instants at which two cameras saw the board and its velocity is known.
    """
    bundle = _all_views(solution.bundle, detections)
    n_frames, n_cameras = len(bundle.world_from_board), len(bundle.lens)
    H_view, g_view, sigma = _compress(bundle)
    velocity = _velocity(bundle, detections.frames)
    H, g = np.zeros((n_frames, n_cameras, 6, 6)), np.zeros((n_frames, n_cameras, 6))
    H[bundle.frame, bundle.camera], g[bundle.frame, bundle.camera] = H_view, g_view
    seen = np.zeros((n_frames, n_cameras), dtype=bool)
    seen[bundle.frame, bundle.camera] = True
    used = (seen.sum(1) > 1) & np.isfinite(velocity).all(1)
    if used.sum() < _LEAST:
        return None
    H, g, seen, velocity = H[used], g[used], seen[used], velocity[used]
    middle = bundle.world_from_board[used] @ np.append(bundle.points.mean(0), 1.0)
    by_camera = np.tile(np.eye(6), (len(H), 1, 1))  # a moved camera is a world that moved
    by_camera[:, 3:, :3] = -skew(middle[:, :3])
    P = np.concatenate([velocity[:, :, None], by_camera], axis=-1)
    weight = np.ones(len(H))
    for _ in range(4):
        theta, covariance = _solve_lags(H, g, P, weight)
        moved = g - np.einsum("fcij,fjk,ck->fci", H, P, theta)
        fit = _explained(H, moved, velocity, seen)
        level = np.maximum(fit.rest / np.maximum(fit.rest_dof, 1), 1e-9)
        weight = 1 / np.maximum(level / (3 * np.median(level)), 1.0)
    constant = np.concatenate([np.zeros((n_cameras, 1)), theta[:, 1:]], axis=1)
    before = _explained(H, g - np.einsum("fcij,fjk,ck->fci", H, P, constant), velocity, seen)
    noise = max(float(np.median(level)), 1.0)
    jitter2 = _jitter(fit, noise)
    gain = jitter2 / (noise + jitter2 * fit.strength)
    lags = theta[:, 0] + np.einsum("fci,fi->fc", fit.axes, gain * fit.score)
    spread = np.where(seen, lags, -np.inf).max(1) - np.where(seen, lags, np.inf).min(1)
    excess = float((weight * (before.total - before.total_dof)).sum())
    left = float((weight * (fit.rest - fit.rest_dof)).sum())
    names, told = detections.cameras, np.flatnonzero(np.isfinite(covariance))
    return Timing(
        lag_frames={names[i]: -float(theta[i, 0]) for i in told},
        lag_sd={names[i]: float(np.sqrt(covariance[i])) for i in told},
        jitter_frames=float(np.sqrt(jitter2)),
        spread_frames=float(np.percentile(spread, 95)),
        misfit=float(np.median(before.total / before.total_dof)),
        explains=float(np.clip(1 - left / excess, 0, 1)) if excess > 0 else 0.0,
        joint_px=float(np.nanmedian(np.linalg.norm(residuals(bundle), axis=-1))),
        own_px=float(RAYLEIGH * np.median(sigma)),
    )


def _all_views(bundle: Bundle, detections: BoardDetections) -> Bundle:
    """Return the bundle with every view: those that were left out are often those of the fastest board."""
    frame, camera = np.nonzero(np.isfinite(detections.xy[..., 0]).sum(-1) >= MIN_CORNERS)
    return replace(
        bundle, frame=frame.astype(np.int64), camera=camera.astype(np.int64), xy=detections.xy[frame, camera]
    )


def _solve_lags(H: FloatArray, g: FloatArray, P: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Solve for each camera's lag and shift (c, 7), the boards' poses eliminated, and the lags' variances (c,)."""
    n_frames, n_cameras = g.shape[:2]
    HP = np.einsum("fcij,fjk->fick", H, P, optimize=True).reshape(n_frames, 6, n_cameras * 7)
    B_inverse = np.linalg.inv(H.sum(1))
    own = np.einsum("fjk,fcjl->fckl", P, HP.reshape(n_frames, 6, n_cameras, 7).transpose(0, 2, 1, 3), optimize=True)
    A = -np.swapaxes(HP, -1, -2) @ B_inverse @ HP
    for c in range(n_cameras):
        A[:, 7 * c : 7 * c + 7, 7 * c : 7 * c + 7] += own[:, c]
    pull = (B_inverse @ g.sum(1)[..., None])[..., 0]
    a = np.einsum("fik,fci->fck", P, g).reshape(n_frames, -1) - np.einsum("fik,fi->fk", HP, pull)
    total = np.tensordot(weight, A, axes=1)
    diagonal = np.diag(total)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    # seven directions are free: all cameras late alike, and the world moved
    inverse = scale[:, None] * np.linalg.pinv(scale[:, None] * total * scale, rcond=1e-9, hermitian=True) * scale
    theta = inverse @ (weight @ a)
    score = weight[:, None] * (a - A @ theta)
    variance = np.diag(inverse @ (score.T @ score) @ inverse)
    out = theta.reshape(n_cameras, 7)
    told = diagonal.reshape(n_cameras, 7)[:, 0] > 0  # the others never saw a moving board together with a camera
    out[told, 0] -= out[told, 0].mean()
    return out, np.where(told, variance.reshape(n_cameras, 7)[:, 0], np.inf)


class _Explained(NamedTuple):
    total: FloatArray  # (f,) squared disagreement of the cameras about the board's pose
    total_dof: FloatArray
    rest: FloatArray  # what is left of it when every exposure has a time of its own
    rest_dof: FloatArray
    axes: FloatArray  # (f, c, c) independent combinations of the exposures' times, in columns
    score: FloatArray  # (f, c) what the views say about each
    strength: FloatArray  # (f, c) its information; 0 where nothing is said


def _explained(H: FloatArray, g: FloatArray, velocity: FloatArray, seen: BoolArray) -> _Explained:
    n_seen = seen.sum(1)
    B_inverse = np.linalg.inv(H.sum(1))
    G = g.sum(1)
    safe = np.where(seen[..., None, None], H, np.eye(6))
    total = np.einsum("fci,fci->f", g, np.linalg.solve(safe, g[..., None])[..., 0])
    total -= np.einsum("fi,fij,fj->f", G, B_inverse, G, optimize=True)
    Hv = np.einsum("fcij,fj->fci", H, velocity)
    M = -np.einsum("fci,fij,fdj->fcd", Hv, B_inverse, Hv, optimize=True)
    index = np.arange(H.shape[1])
    M[:, index, index] += np.einsum("fci,fi->fc", Hv, velocity)
    m = np.einsum("fci,fi->fc", g, velocity) - np.einsum("fci,fij,fj->fc", Hv, B_inverse, G, optimize=True)
    strength, axes = np.linalg.eigh(M)
    known = strength > 1e-6 * strength.max(1, keepdims=True)
    strength = np.where(known, strength, 0.0)
    score = np.where(known, np.einsum("fci,fc->fi", axes, m), 0.0)
    explained = (score**2 / np.where(known, strength, 1.0)).sum(1)
    dof = 6.0 * (n_seen - 1)
    return _Explained(total, dof, total - explained, dof - known.sum(1), axes, score, strength)


def _jitter(fit: _Explained, noise: float) -> float:
    """Estimate the variance of single exposures' times: scores spread by their noise and, beyond it, by jitter."""
    known = fit.strength > 0
    strength = fit.strength[known]
    squared = fit.score[known] ** 2 / strength
    jitter2 = 0.0
    for _ in range(12):
        expected = noise + jitter2 * strength
        trust = 1 / np.maximum(squared / (9 * expected), 1.0) / expected**2
        jitter2 = max(0.0, float((trust * strength * (squared - noise)).sum() / (trust * strength**2).sum()))
    return jitter2


def _velocity(bundle: Bundle, frames: IntArray) -> FloatArray:
    """Return the board's velocity a frame, (n_frames, 6): turn, and shift of its middle; NaN where it is not known."""
    pose = bundle.world_from_board
    middle = pose[:, :3, :3] @ bundle.points.mean(0) + pose[:, :3, 3]
    out = np.full((len(pose), 6), np.nan)
    if len(pose) < 3:
        return out
    step = np.gcd.reduce(np.diff(frames))
    before, after = frames[1:-1] - frames[:-2], frames[2:] - frames[1:-1]
    near = (before <= 2 * step) & (after <= 2 * step)
    span = (frames[2:] - frames[:-2])[:, None].astype(np.float64)
    turn = log_so3(pose[2:, :3, :3] @ np.swapaxes(pose[:-2, :3, :3], -1, -2)) / span
    out[1:-1] = np.where(near[:, None], np.concatenate([turn, (middle[2:] - middle[:-2]) / span], axis=-1), np.nan)
    return out


def _compress(bundle: Bundle) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return each view's information on the board's pose (v, 6, 6), its pull (v, 6), and each camera's own noise.

    Corners count by the noise that remains where every view has a board of its own.
    """
    r, J, middle = residuals(bundle), np.zeros((*bundle.xy.shape, 6)), bundle.points.mean(0)
    for camera in range(len(bundle.lens)):
        J[bundle.camera == camera] = corners_by_board(bundle, camera, center=middle)
    good = np.asarray(np.isfinite(r).all(-1))
    r = np.where(good[..., None], r, 0.0)
    J = np.where(good[..., None, None], J, 0.0)
    weight = good.astype(np.float64)
    sigma = np.ones(len(bundle.lens))
    for turn in range(4):
        scaled = J * (weight / sigma[bundle.camera][:, None] ** 2)[..., None, None]
        H = np.einsum("vkdi,vkdj->vij", scaled, J, optimize=True)
        g = np.einsum("vkdi,vkd->vi", scaled, r, optimize=True)
        H[:, range(6), range(6)] += 1e-12 * (1 + np.trace(H, axis1=1, axis2=2))[:, None]
        if turn == 3:
            break
        own = r - np.einsum("vkdi,vi->vkd", J, np.linalg.solve(H, g[..., None])[..., 0], optimize=True)
        length = np.where(good, np.linalg.norm(own, axis=-1), np.nan)
        n = np.maximum(good.sum(1), 4)
        length = length / np.sqrt(1 - 3 / n)[:, None]  # six of 2 n numbers went into the pose
        for camera in range(len(sigma)):
            sigma[camera] = max(np.nanmedian(length[bundle.camera == camera]) / RAYLEIGH, NOISE_FLOOR)
        ratio = np.nan_to_num(length, nan=np.inf) / (_OUTLIER * sigma[bundle.camera][:, None])
        weight = np.where(good, 1 / np.maximum(ratio, 1.0) ** 2, 0.0)
    return H, g, sigma
