"""Sampled pieces of a recording: gross errors left out, positions and velocities from short windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.data.keypoints import Keypoints2D
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["Tracks", "make_tracks", "sample_spans"]

_SPANS, _SPAN = 40, 60  # pieces of a long recording, and frames whose partners are searched in each
_WINDOW_S = 0.04  # half of the window that velocities are fitted in
_WINDOW = (3, 8)  # its least and largest, frames
_ROUNDS = 4  # of weights against fits
_GROSS = 5.0  # robust standard deviations beyond which a detection does not count
_LEAST_SCALE_PX = 0.05
_MAD = 1.1774  # of the length of a 2D error to its standard deviation per axis


@dataclass(frozen=True, eq=False)
class Tracks:
    """Smoothed detections; rows are frames of the pieces one after the other, with gaps between them.

    Attributes
    ----------
    frame : (n_rows,) int array
        Instant that a row stands for before any offset; -1 in the gaps.
    near : (n_cameras,) int array
        Offsets taken into account already: row r of camera c is its frame ``frame[r] + near[c]``.
    place, velocity : (n_cameras, n_rows, n_tracks, 2) array, px, px/frame
        Of the parabola through the window around the row; NaN where too few detections are near.
    bend, twist : (n_cameras, n_rows, n_tracks, 2) array, px/frame^2, px/frame^3
        For :meth:`at`.
    centre : float, frames^2
        How much slope a window's parabola shows for one unit of twist.
    spread : (n_cameras, n_rows, n_tracks) array
        Variance of `place` over that of one detection.
    window : int
        Frames that one place is made from.
    noise_px : (n_cameras,) array, px
        Standard deviation of a detection from the fit through its neighbours, per axis.
    speed_px : (n_cameras,) array, px/frame
        Root mean square of the velocity, noise taken off.
    """

    frame: IntArray
    near: IntArray
    place: FloatArray
    velocity: FloatArray
    bend: FloatArray
    twist: FloatArray
    centre: float
    spread: FloatArray
    window: int
    noise_px: FloatArray
    speed_px: FloatArray

    def at(self, camera: int, row: IntArray, track: IntArray, rest: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return places and velocities (n, 2) a fraction of a frame `rest` (n,) after the rows."""
        of, t = (camera, row, track), rest[:, None]
        slope, bend, twist = self.velocity[of], self.bend[of], self.twist[of]
        # Without the twist the places between frames would lead or lag by up to a hundredth of a frame.
        place = self.place[of] + t * (slope + t * bend + (t * t - self.centre) * twist)
        return place, slope + 2 * t * bend

    def row_at(self, rows: IntArray, lag: IntArray) -> IntArray:
        """Return the rows `lag` frames later; -1 where they are not in the same piece or outside it."""
        at = rows + lag
        inside = (at >= 0) & (at < len(self.frame))
        at = np.where(inside, at, 0)
        return np.asarray(np.where(inside & (self.frame[at] == self.frame[rows] + lag), at, -1))


def sample_spans(n_frames: int, *, max_offset_frames: int = 120) -> tuple[tuple[int, int], ...]:
    """Choose which frames of a recording to read for :func:`synchronize`.

    Parameters
    ----------
    n_frames : int
    max_offset_frames : int

    Returns
    -------
    tuple of (first, last)
        Half-open; all frames as one span where the recording is short.
    """
    length = _SPAN + 2 * max_offset_frames + 2 * _WINDOW[1]
    if n_frames <= _SPANS * length:
        return ((0, n_frames),)
    first = np.linspace(0, n_frames - length, _SPANS).astype(np.int64)
    return tuple((int(i), int(i) + length) for i in first)


def make_tracks(pieces: Sequence[Keypoints2D], *, near: IntArray, score_threshold: float) -> Tracks:
    """Smooth the tracks of all cameras.

    Parameters
    ----------
    pieces : sequence of Keypoints2D
        With the same cameras and keypoints.
    near : (n_cameras,) int array
    score_threshold : float
    """
    first = pieces[0]
    half = int(np.clip(round(_WINDOW_S * first.fps) if first.fps else _WINDOW[0], *_WINDOW))
    n_cameras = len(first.cameras)
    n_tracks = len(first.individuals) * len(first.keypoints)
    frames, views = [], []
    gap = np.full((half + 1, n_cameras, n_tracks, 2), np.nan)
    for piece in pieces:
        n = piece.n_frames
        view = piece.xy.reshape(n, n_cameras, n_tracks, 2)
        poor = piece.score.reshape(n, n_cameras, n_tracks) < score_threshold  # one without a score passes
        view = np.where(poor[..., None], np.nan, view)
        frames += [piece.start + np.arange(n), np.full(half + 1, -1)]
        views += [_shifted(view, near), gap]
    frame = np.concatenate(frames)
    xy = np.concatenate(views)
    shape = (n_cameras, len(frame), n_tracks)
    place, velocity, bend = (np.empty((*shape, 2)) for _ in range(3))
    spread = np.empty(shape)
    noise, speed = np.zeros(n_cameras), np.zeros(n_cameras)
    for c in range(n_cameras):
        place[c], velocity[c], bend[c], spread[c], slack, noise[c] = _smooth(xy[:, c], half)
        energy = (velocity[c] ** 2).sum(-1) - 2 * noise[c] ** 2 * slack
        energy = energy[np.isfinite(energy)]
        speed[c] = np.sqrt(max(0.0, float(energy.mean()))) if len(energy) else 0.0
    twist = np.zeros_like(bend)
    twist[:, 2:-2] = np.nan_to_num((bend[:, 4:] - bend[:, :-4]) / 12)
    steps = np.arange(-half, half + 1.0)
    centre = float((steps**4).sum() / (steps**2).sum())
    return Tracks(frame, near, place, velocity, bend, twist, centre, spread, 2 * half + 1, noise, speed)


def _shifted(view: FloatArray, near: IntArray) -> FloatArray:
    out = np.full_like(view, np.nan)
    n = len(view)
    for c, shift in enumerate(near):
        low, high = max(0, -shift), min(n, n - shift)
        if low < high:
            out[low:high, c] = view[low + shift : high + shift, c]
    return out


def _smooth(xy: FloatArray, half: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, float]:
    """Fit a parabola to the window around every row of one camera (n, t, 2), gross errors left out."""
    seen = np.isfinite(xy[..., 0])
    filled = np.where(seen[..., None], xy, 0.0)
    away = np.hypot(*np.moveaxis(xy - _running_median(xy, half), -1, 0))
    good = seen & (away <= 2 * _GROSS * _scale(away))  # the median lags where motion is fast: twice as lenient
    for _ in range(_ROUNDS):
        fit, spread, slack = _parabolas(filled, good, half)
        residual = np.hypot(*np.moveaxis(xy - fit[0], -1, 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            # A detection that took part pulled the fit towards itself.
            residual = residual / np.sqrt(np.where(good, np.maximum(1 - spread, 0.05), 1 + spread))
        scale = _scale(residual[good])
        good = np.where(np.isfinite(residual), residual <= _GROSS * scale, good)  # without a fit there is no verdict
    fit, spread, slack = _parabolas(filled, good, half)
    return fit[0], fit[1], fit[2], spread, slack, scale


def _scale(sizes: FloatArray) -> float:
    sizes = sizes[np.isfinite(sizes)]
    return max(_LEAST_SCALE_PX, float(np.median(sizes)) / _MAD) if len(sizes) else _LEAST_SCALE_PX


def _running_median(xy: FloatArray, half: int) -> FloatArray:
    n = len(xy)
    padded = np.concatenate([np.full((half, *xy.shape[1:]), np.nan), xy, np.full((half, *xy.shape[1:]), np.nan)])
    stack = np.sort(np.stack([padded[j : j + n] for j in range(2 * half + 1)], axis=-1), axis=-1)  # NaN goes last
    count = np.isfinite(stack).sum(-1)
    middle = (np.maximum(count - 1, 0) // 2, np.maximum(count // 2, 0))
    pick = [np.take_along_axis(stack, np.minimum(k, 2 * half)[..., None], axis=-1)[..., 0] for k in middle]
    return np.asarray(np.where(count > 0, (pick[0] + pick[1]) / 2, np.nan))


def _parabolas(
    filled: FloatArray, good: BoolArray, half: int
) -> tuple[tuple[FloatArray, FloatArray, FloatArray], FloatArray, FloatArray]:
    """Return the coefficients (n, t, 2) of each window's parabola, the variances of the first and of the second."""
    n = len(filled)
    m = np.zeros((5, *good.shape))
    s = np.zeros((3, *filled.shape))
    sides = np.zeros((2, *good.shape))
    weight = good.astype(np.float64)
    weighted = filled * weight[..., None]
    for j in range(-half, half + 1):
        to, of = slice(max(0, -j), min(n, n - j)), slice(max(0, j), min(n, n + j))
        if to.start >= to.stop:
            continue
        for p in range(5):
            m[p, to] += j**p * weight[of]
        for p in range(3):
            s[p, to] += j**p * weighted[of]
        if j:
            sides[int(j > 0), to] += weight[of]
    enough = (sides >= 2).all(0) & (m[0] >= 5)
    c00, c01, c02 = m[2] * m[4] - m[3] ** 2, m[2] * m[3] - m[1] * m[4], m[1] * m[3] - m[2] ** 2
    c11, c12, c22 = m[0] * m[4] - m[2] ** 2, m[1] * m[2] - m[0] * m[3], m[0] * m[2] - m[1] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(enough, 1 / (m[0] * c00 + m[1] * c01 + m[2] * c02), np.nan)
    rows = ((c00, c01, c02), (c01, c11, c12), (c02, c12, c22))
    fit = [sum((row[p] * inverse)[..., None] * s[p] for p in range(3)) for row in rows]
    return (np.asarray(fit[0]), np.asarray(fit[1]), np.asarray(fit[2])), c00 * inverse, c11 * inverse
