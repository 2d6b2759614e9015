"""Offsets to a fraction of a frame: all cameras together, Gauss-Newton with every point free in space.

Each sampled point at each sampled instant has a place of its own, eliminated from the normal equations. What is left
are a few numbers a camera: its offset and drift, which move its views along their velocity, and a constant shift of its
image, which takes up what a calibration is off so that it does not pass for lateness.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pose3d.data.camera import Camera
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.log import Progress, no_progress
from pose3d.reconstruction.points.consensus import agree
from pose3d.reconstruction.points.noise import Noise, estimate_noise
from pose3d.reconstruction.points.views import Lenses, reproject, views_of
from pose3d.reconstruction.synchronization.tracks import Tracks

__all__ = ["Fitted", "fit_timing"]

_SAMPLES, _NOISE_SAMPLES = 36000, 3000
_MOST_INSTANTS = 2400
_START_SAMPLES, _START_ROUNDS = 5000, 3
_ROUNDS = 8
_STILL = 1e-4  # frames
_LARGEST_STEP = 2.0  # frames
_HUBER = 3.0  # standard deviations
_IMAGE_SHIFT_PX = 2.0  # what calibrations are off, a prior
_BLOCKS = 32
_FEW_WINDOWS = 2
_LEAST_SHARE = 0.05  # of the apparent information that must be left once the noise of velocities is taken off
_FLOOR_FRAMES = 0.001  # windows are parabolas and motion is not


class Fitted(NamedTuple):
    """Result of the fit.

    Attributes
    ----------
    offset : (n_cameras,) array, frames
        At the middle.
    drift : (n_cameras,) array, frames per frame
    sd_offset, sd_drift : (n_cameras,) array
        0 for the reference; infinite where the motion tells nothing.
    noise_px : (n_cameras,) array, px
        Of smoothed views around the points.
    across : (n_cameras,) array, 0..1
        Part of the motion's energy that lies across the lines on which the other cameras see the points.
    n_samples : (n_cameras,) int array
        Views that took part.
    few : bool
        Whether there are too few instants to tell standard deviations.
    """

    offset: FloatArray
    drift: FloatArray
    sd_offset: FloatArray
    sd_drift: FloatArray
    noise_px: FloatArray
    across: FloatArray
    n_samples: IntArray
    few: bool


class _Sample(NamedTuple):
    row: IntArray
    track: IntArray
    instant: FloatArray
    block: IntArray
    overlap: float  # how many samples of a track are made from the same detections

    def thinned(self, most: int) -> "_Sample":
        few = np.linspace(0, len(self.row) - 1, min(most, len(self.row))).astype(np.int64)
        return _Sample(self.row[few], self.track[few], self.instant[few], self.block[few], self.overlap)


class _System(NamedTuple):
    """Normal equations of the parameters: offset, drift over half a span, image shift x and y of each camera."""

    matrix: FloatArray
    gradient: FloatArray
    noise: FloatArray  # what the noise of velocities adds to the matrix
    block_gradients: FloatArray
    across: FloatArray
    n_samples: IntArray
    noise_px: FloatArray


def fit_timing(
    tracks: Tracks,
    cameras: Sequence[Camera],
    *,
    offset: FloatArray,
    drift: FloatArray,
    middle: float,
    half_span: float,
    with_drift: bool,
    reference: int = 0,
    progress: Progress = no_progress,
) -> Fitted:
    """Fit offsets, and drift if wanted, from a start that is right to a frame or two.

    Parameters
    ----------
    tracks : Tracks
    cameras : sequence of Camera
    offset, drift : (n_cameras,) array
        Start.
    middle : float
        Instant at which the offsets hold.
    half_span : float, frames
        Half of the recording.
    with_drift : bool
        False keeps `drift` as it is.
    reference : int
        Camera that stays.
    progress : Progress

    Returns
    -------
    Fitted
    """
    n_cameras = len(cameras)
    lenses = Lenses.of(cameras)
    sample = _choose(tracks, offset)
    start = sample.thinned(_START_SAMPLES)
    theta = np.zeros((4, n_cameras))
    theta[0], theta[1] = offset - offset[reference], (drift - drift[reference]) * half_span
    free = np.ones((4, n_cameras), dtype=bool)
    free[:2, reference] = False
    free[1] &= with_drift
    index = np.flatnonzero(free.ravel())
    prior: FloatArray = np.zeros(4 * n_cameras)
    prior[2 * n_cameras :] = 1 / _IMAGE_SHIFT_PX**2
    noise: Noise | None = None
    for done in range(_ROUNDS):
        part = start if done < _START_ROUNDS else sample
        tau = (part.instant - middle) / max(half_span, 1.0)
        system, noise = _system(tracks, lenses, part, tau, theta, noise if done > _START_ROUNDS else None)
        # A shift of all images moves all points and no error: the prior keeps this and nothing else in place.
        H = system.matrix + np.diag(prior)
        g = system.gradient + prior * theta.ravel()
        change = np.zeros(4 * n_cameras)
        change[index] = -np.linalg.lstsq(H[np.ix_(index, index)], g[index], rcond=1e-12)[0]
        step = change.reshape(4, n_cameras)
        step[:2] = np.clip(step[:2], -_LARGEST_STEP, _LARGEST_STEP)
        theta += step
        progress("fit offsets", done + 1, _ROUNDS)
        if done > _START_ROUNDS and np.abs(step[:2]).max() < _STILL:
            break
    progress("fit offsets", _ROUNDS, _ROUNDS)
    sd = _deviations(system, prior, index, sample.overlap).reshape(4, n_cameras)
    present = system.n_samples > 0
    sd[:2, ~present] = np.inf
    few = len(np.unique(sample.row)) < _FEW_WINDOWS * tracks.window
    if few:
        sd[:2] = np.inf  # all errors hang together: there is nothing to tell how large they are
    sd[:2, reference] = 0.0
    return Fitted(
        theta[0].copy(),
        theta[1] / max(half_span, 1.0),
        sd[0],
        sd[1] / max(half_span, 1.0),
        system.noise_px,
        system.across,
        system.n_samples,
        few,
    )


def _choose(tracks: Tracks, offset: FloatArray) -> _Sample:
    """Spread samples evenly over the rows at which two cameras or more see something."""
    rows = np.flatnonzero(tracks.frame >= 0)
    seen = np.zeros((len(rows), tracks.place.shape[2]), dtype=np.int64)
    for c, shift in enumerate(offset):
        at = tracks.row_at(rows, np.full(len(rows), int(np.rint(shift))))
        seen += (at >= 0)[:, None] & np.isfinite(tracks.place[c, at, :, 0])
    useful = rows[(seen >= 2).any(1)]
    useful = useful[np.linspace(0, len(useful) - 1, min(_MOST_INSTANTS, len(useful))).astype(np.int64)]
    row, track = np.nonzero((seen >= 2)[np.searchsorted(rows, useful)])
    row = useful[row]
    if len(row) > _SAMPLES:
        few = np.linspace(0, len(row) - 1, _SAMPLES).astype(np.int64)
        row, track = row[few], track[few]
    instants, of = np.unique(row, return_inverse=True)
    step = float(np.median(np.diff(instants))) if len(instants) > 1 else 1.0
    # Blocks of whole instants, two windows long at least: only neighbours among them have errors in common.
    n_blocks = int(np.clip(len(instants) * step / (2 * tracks.window), 2, _BLOCKS))
    block = of * n_blocks // max(len(instants), 1)
    spread = tracks.spread[:, rows]
    spread = spread[np.isfinite(spread)]
    overlap = max(1.0, 1 / (step * float(np.median(spread)))) if len(spread) else 1.0
    return _Sample(row, track, tracks.frame[row].astype(np.float64), block, overlap)


def _views_at(
    tracks: Tracks, sample: _Sample, tau: FloatArray, theta: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return pixels and velocities (n_cameras, n, 2) at the samples' instants, and weights (n_cameras, n)."""
    shape = (theta.shape[1], len(sample.row))
    pixels, velocity = np.full((*shape, 2), np.nan), np.full((*shape, 2), np.nan)
    weight = np.zeros(shape)
    for c in range(theta.shape[1]):
        own = theta[0, c] + theta[1, c] * tau
        whole = np.rint(own)
        at = tracks.row_at(sample.row, whole.astype(np.int64))
        place, slope = tracks.at(c, at, sample.track, own - whole)
        there = (at >= 0) & np.isfinite(place[:, 0])
        pixels[c] = np.where(there[:, None], place, np.nan)
        velocity[c] = np.where(there[:, None], slope, np.nan)
        weight[c] = np.where(there, 1 / np.maximum(tracks.spread[c, at, sample.track], 1e-3), 0.0)
    total = weight[weight > 0]
    return pixels, velocity, weight / (total.mean() if len(total) else 1.0)


def _system(
    tracks: Tracks, lenses: Lenses, sample: _Sample, tau: FloatArray, theta: FloatArray, noise: Noise | None
) -> tuple[_System, Noise]:
    pixels, velocity, weight = _views_at(tracks, sample, tau, theta)
    pixels = pixels - theta[2:].T[:, None]
    views = views_of(lenses, pixels, weight)
    if noise is None:
        few = np.linspace(0, len(tau) - 1, min(_NOISE_SAMPLES, len(tau))).astype(np.int64)
        noise = estimate_noise(lenses, views.take(few))
    points, chosen = agree(lenses, views, *noise)
    at = reproject(lenses, pixels, points)
    residual = np.stack([at.across, at.down])  # (2, n_cameras, n): point minus view
    with np.errstate(invalid="ignore", divide="ignore"):
        size = at.distance_px * np.sqrt(views.weight) / noise.noise_px[:, None]
        robust = np.minimum(1.0, _HUBER / np.maximum(size, 1e-9))
    used = chosen & np.isfinite(residual).all(0) & np.isfinite(velocity[..., 0])
    used &= used.sum(0) >= 2
    W = np.where(used, views.weight * robust / noise.noise_px[:, None] ** 2, 0.0)
    residual = np.where(used, residual, 0.0)
    speed = np.where(used, np.moveaxis(velocity, -1, 0), 0.0)
    J = _by_point(lenses, views, at.at.depth, at.at.u, at.at.v, used)  # (n, n_cameras, 2, 3)
    return _normal_equations(W, residual, speed, J, tau, sample.block, used), noise


def _by_point(
    lenses: Lenses, views: object, depth: FloatArray, u: FloatArray, v: FloatArray, used: BoolArray
) -> FloatArray:
    """Return the derivative of pixels by the point, per metre."""
    R = lenses.rotation[:, None]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        by_u = 1000 * (R[:, :, 0] - u[..., None] * R[:, :, 2]) / depth[..., None]
        by_v = 1000 * (R[:, :, 1] - v[..., None] * R[:, :, 2]) / depth[..., None]
        a11, a12, a21, a22 = (getattr(views, name)[..., None] for name in ("a11", "a12", "a21", "a22"))
        J = np.stack([a11 * by_u + a12 * by_v, a21 * by_u + a22 * by_v], axis=-2)
    return np.moveaxis(np.where(used[..., None, None], J, 0.0), 1, 0)


def _normal_equations(
    W: FloatArray,
    residual: FloatArray,
    speed: FloatArray,
    J: FloatArray,
    tau: FloatArray,
    block: IntArray,
    used: BoolArray,
) -> _System:
    n, n_cameras = J.shape[:2]
    Wn, r, v = W.T, np.moveaxis(residual, 0, -1).swapaxes(0, 1), np.moveaxis(speed, 0, -1).swapaxes(0, 1)
    JW = J * Wn[..., None, None]
    K = np.swapaxes(JW, -1, -2) @ J  # (n, n_cameras, 3, 3)
    total = K.sum(1)
    mean = np.trace(total, axis1=-2, axis2=-1)
    sound = (used.sum(0) >= 2) & (mean > 0)
    eye = np.eye(3)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.where(sound[:, None, None], total / np.where(sound, mean, 1.0)[:, None, None], eye)
        sound &= np.linalg.det(scaled) > 1e-12
    S = np.linalg.inv(np.where(sound[:, None, None], scaled, eye)) / np.where(sound, mean, np.inf)[:, None, None]
    keep = sound.astype(np.float64)
    Wn, JW, K = Wn * keep[:, None], JW * keep[:, None, None, None], K * keep[:, None, None, None]
    # Velocities that a point moving in space would show: views that do not agree in it are noise.
    pull = np.einsum("nckp,nck->np", JW, v)
    z = np.einsum("nckp,np->nck", J, np.einsum("npq,nq->np", S, pull))
    off = v - z
    freedom = float((2 * used.sum(0) - 3)[sound].sum())
    unrest = float((Wn * (off * off).sum(-1)).sum() / freedom) if freedom > 0 else 0.0
    # Views minus points change by +z with the offset, +z tau with the drift and -1 with the image's shift.
    A = np.zeros((n, n_cameras, 2, 4))
    A[..., 0], A[..., 1] = z, z * tau[:, None, None]
    A[..., 0, 2] = A[..., 1, 3] = -1.0
    e = -r
    WA = A * Wn[..., None, None]
    own = np.einsum("nckp,nckq->cpq", WA, A)
    B = np.einsum("nckp,nckq->npcq", JW, A).reshape(n, 3, 4 * n_cameras)
    L = np.linalg.cholesky(np.where(sound[:, None, None], S, eye))
    M = np.swapaxes(L, -1, -2) @ B
    flat = M.reshape(-1, 4 * n_cameras)
    H = -(flat.T @ flat)
    camera = np.arange(n_cameras)
    blocks = H.reshape(n_cameras, 4, n_cameras, 4)
    blocks[camera, :, camera, :] += own
    moved = np.einsum("nckp,nck->np", JW, e)
    score = np.einsum("nckq,nck->ncq", WA, e).reshape(n, -1) - np.einsum(
        "npq,np->nq", M, np.einsum("npq,np->nq", L, moved)
    )
    by_block = np.zeros((int(block.max(initial=0)) + 1, 4 * n_cameras))
    np.add.at(by_block, block, score)
    order = np.arange(4 * n_cameras).reshape(n_cameras, 4).T.ravel()  # parameter by parameter
    alone = np.einsum("nc,nck,nck->c", Wn, z, z)
    diagonal = np.diagonal(blocks[:, 0, :, 0])
    extra, alone_extra = _noise_matrix(S, K, tau, unrest)
    with np.errstate(invalid="ignore", divide="ignore"):
        across = np.clip((diagonal - np.diagonal(extra)[:n_cameras]) / (alone - alone_extra), 0.0, 1.0)
    there = Wn > 0
    squared = np.where(there.T, (residual**2).sum(0), 0.0).sum(1)
    noise_px = np.sqrt(squared / np.maximum(2 * there.sum(0), 1))
    gradient = by_block.sum(0)[order]
    return _System(H[np.ix_(order, order)], gradient, extra, by_block[:, order], across, there.sum(0), noise_px)


def _noise_matrix(S: FloatArray, K: FloatArray, tau: FloatArray, unrest: float) -> tuple[FloatArray, FloatArray]:
    """Return what the noise of the points' velocities adds to the normal matrix, and to each camera's own energy."""
    n, n_cameras = K.shape[:2]
    T = S[:, None] @ K
    one = T.reshape(n, n_cameras, 9).transpose(1, 0, 2)
    other = T.swapaxes(-1, -2).reshape(n, n_cameras, 9).transpose(1, 0, 2).reshape(n_cameras, -1)
    trace = np.trace(T, axis1=-2, axis2=-1)
    out = np.zeros((4 * n_cameras, 4 * n_cameras))
    for i in range(2):
        for j in range(2):
            by = tau ** (i + j)
            part = np.diag(by @ trace) - (one * by[:, None]).reshape(n_cameras, -1) @ other.T
            out[i * n_cameras : (i + 1) * n_cameras, j * n_cameras : (j + 1) * n_cameras] = unrest * part
    return out, unrest * trace.sum(0)


def _deviations(system: _System, prior: FloatArray, index: IntArray, overlap: float) -> FloatArray:
    """Return standard deviations from how much the blocks' gradients differ; infinite where nothing is known.

    They are no smaller than what the noise of the detections alone gives.

    References
    ----------
    Newey & West (1987), A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent covariance
    matrix, Econometrica 55:703, eq. 5, with blocks for single observations.
    """
    at = np.ix_(index, index)
    H = system.matrix[at] + np.diag(prior[index])
    scale = 1 / np.sqrt(np.maximum(np.diag(H), 1e-300))
    H = H * scale[:, None] * scale
    true = H - system.noise[at] * scale[:, None] * scale
    # In the directions of the whole information: what is left of it once the noise is taken off.
    values, vectors = np.linalg.eigh(H)
    root = vectors / np.sqrt(np.maximum(values, 1e-12 * values.max()))
    left, directions = np.linalg.eigh(root.T @ true @ root)
    basis = root @ directions
    unknown = left < _LEAST_SHARE
    inverse = (basis / np.maximum(left, _LEAST_SHARE)) @ basis.T
    scores = system.block_gradients[:, index] * scale
    n_blocks = len(scores)
    beside = scores[1:].T @ scores[:-1]
    meat = scores.T @ scores + 0.5 * (beside + beside.T)
    own = np.diag(prior[index] * scale**2)
    covariance = inverse @ (meat + own) @ inverse
    from_noise = inverse @ (overlap * (H - own) + own) @ inverse
    few = n_blocks / max(n_blocks - 2, 1)  # what so few blocks say of their spread is uncertain itself
    variance = np.maximum(np.diag(covariance), np.diag(from_noise)) * scale**2 * few
    hidden = (basis[:, unknown] ** 2).sum(1) > 0.1 * (basis**2).sum(1)
    out = np.zeros(len(prior))
    out[index] = np.where(hidden, np.inf, np.sqrt(variance + _FLOOR_FRAMES**2))
    return out
