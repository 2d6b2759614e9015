"""Angular velocity: how fast an angle changes, and how fast a segment turns."""

import numpy as np
from scipy.fft import dct, idct

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.rotations import log_so3

__all__ = ["angle_velocity", "frame_velocity", "smoothed_by_gcv"]

_LEAST_SMOOTHED = 8
_LEAST = 3
_SMOOTHINGS = np.logspace(-4, 12, 129)


def angle_velocity(deg: FloatArray, *, fps: float, smooth: bool = True) -> FloatArray:
    """Return the rate at which angles change.

    Parameters
    ----------
    deg : (..., n_frames) array, degrees
        Jumps of 360 degrees are none.
    fps : float
    smooth : bool
        Smooth each run without gaps first, by generalised cross-validation (:func:`smoothed_by_gcv`). Not for angles of
        points that were low-passed: take the plain difference of those.

    Returns
    -------
    (..., n_frames) array, degrees/s
        Half the difference of the neighbours; at the ends of a run the parabola through its last three frames. NaN in
        gaps, and in runs that are too short (8 frames, or 3 without smoothing).

    Notes
    -----
    The rate of a joint's Cardan angles is not the velocity at which its segments turn against each other: see
    :func:`frame_velocity`.
    """
    flat = np.asarray(deg, dtype=np.float64).reshape(-1, np.shape(deg)[-1])
    found = np.full(flat.shape, np.nan)
    least = _LEAST_SMOOTHED if smooth else _LEAST
    for row, signal in enumerate(flat):  # as many as there are angles
        for first, end in _runs(np.isfinite(signal)):
            if end - first >= least:
                own = np.unwrap(signal[first:end], period=360.0)
                own = smoothed_by_gcv(own) if smooth else own
                found[row, first:end] = np.gradient(own, edge_order=2) * fps
    return found.reshape(np.shape(deg))


def smoothed_by_gcv(values: FloatArray) -> FloatArray:
    """Smooth a signal as much as generalised cross-validation finds best.

    Parameters
    ----------
    values : (n,) array
        Without gaps, at even distances.

    Returns
    -------
    (n,) array

    Notes
    -----
    Second differences are penalised, which on a grid is the cubic smoothing spline; the discrete cosine transform
    makes it cheap. Beyond the ends the signal is continued by its point reflection, so that it may have a slope there.
    Cross-validation takes what is alike from frame to frame for motion: it smooths too little where noise is not
    independent, as after a low-pass or a refinement.

    References
    ----------
    Garcia (2010), Robust smoothing of gridded data in one and higher dimensions with missing values, Comput. Stat.
    Data Anal. 54:1167; Woltring (1986), Adv. Eng. Softw. 8:104.
    """
    n = len(values)
    before, after = 2 * values[0] - values[:0:-1], 2 * values[-1] - values[-2::-1]
    longer = np.concatenate([before, values, after])
    size = len(longer)
    line = np.linspace(longer[0], longer[-1], size)
    spectrum = dct(longer - line, norm="ortho")
    penalty = (2 - 2 * np.cos(np.pi * np.arange(size) / size)) ** 2
    kept = 1 / (1 + _SMOOTHINGS[:, None] * penalty)
    residual = (((1 - kept) * spectrum) ** 2).sum(-1) / size
    score = residual / (1 - kept.mean(-1)) ** 2
    smooth = idct(kept[score.argmin()] * spectrum, norm="ortho") + line
    return np.asarray(smooth[n - 1 : 2 * n - 1])


def frame_velocity(frames: FloatArray, *, fps: float) -> FloatArray:
    """Return how fast frames turn.

    Parameters
    ----------
    frames : (..., n_frames, 3, 3) array
        Axes in columns: a segment's in the world, or a joint's as ``proximal' @ distal``.
    fps : float

    Returns
    -------
    (..., n_frames, 3) array, degrees/s
        In the axes of the frame itself: log(R[t-1]' R[t+1]) fps / 2, at the ends log(R[t]' R[t+1]) fps. Its length is
        the speed of the turn. NaN where a frame is missing, and beside it. Exact where the axis of the turn stays; a
        segment must turn by less than 90 degrees from one frame to the next.
    """
    found = np.full(frames.shape[:-1], np.nan)
    if frames.shape[-3] < 2:
        return found
    here, there = frames[..., :-1, :, :], frames[..., 1:, :, :]
    single = _turn(here, there)
    found[..., 0, :], found[..., -1, :] = single[..., 0, :], single[..., -1, :]
    if frames.shape[-3] > 2:
        found[..., 1:-1, :] = _turn(frames[..., :-2, :, :], frames[..., 2:, :, :]) / 2
    seen = np.asarray(np.isfinite(frames).all((-2, -1)))
    return np.where(seen[..., None], np.degrees(found) * fps, np.nan)


def _turn(before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the rotation vectors that carry frames to others, rad; NaN where one is missing."""
    turn = np.swapaxes(before, -1, -2) @ after
    known = np.asarray(np.isfinite(turn).all((-2, -1)))
    vectors = log_so3(np.where(known[..., None, None], turn, np.eye(3)))
    return np.where(known[..., None], vectors, np.nan)


def _runs(valid: BoolArray) -> IntArray:
    return np.flatnonzero(np.diff(np.concatenate([[0], valid.astype(np.int8), [0]]))).reshape(-1, 2)
