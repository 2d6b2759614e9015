"""How far each frame of a recording can be trusted, and which frames to look at first."""

from typing import NamedTuple

import numpy as np

from pose3d.data import Keypoints3D, Status
from pose3d.geometry.arrays import FloatArray

__all__ = ["Stretch", "expected_error", "find_bad_frames", "frame_shares", "heat_of"]

_AT_ONCE = 16384  # frames
_LOW, _HIGH = 0.05, 0.99  # percentiles between which the heat rises
_LEAST_RATIO = 2.0  # what is not twice as bad as the best is not hot, however even a recording is
_OUTSTANDING = 4.0  # robust standard deviations above the median
_MOST_MISSING, _MOST_FILLED = 0.25, 0.4
_JOIN_S = 0.1


class Stretch(NamedTuple):
    """Rows from `first` to before `last`, and why they are named."""

    first: int
    last: int
    reason: str


def expected_error(points: Keypoints3D) -> tuple[FloatArray, str]:
    """Return what is expected to be wrong in each frame, (n_frames,), and its unit ``mm`` or ``px``.

    The median over the points of a frame: of their standard deviation where they have a covariance, else of their
    reprojection error. NaN where nothing is known.
    """
    n = points.n_frames
    values = np.full(n, np.nan)
    for first in range(0, n, _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        if points.covariance is not None:
            with np.errstate(invalid="ignore"):
                each = np.sqrt(np.trace(points.covariance[rows], axis1=-2, axis2=-1))
        else:
            each = points.error[rows]
        each = np.where(np.isfinite(points.xyz[rows, ..., 0]), each, np.nan).reshape(len(each), -1)
        values[rows] = _median(each)
    return values, "px" if points.covariance is None else "mm"


def _median(values: FloatArray) -> FloatArray:
    """Return the median of each row of what is finite; NaN where nothing is."""
    ranked = np.sort(np.where(np.isfinite(values), values, np.inf), axis=1)
    count = np.isfinite(ranked).sum(1)
    at = np.maximum(count - 1, 0) // 2
    return np.asarray(np.where(count > 0, ranked[np.arange(len(ranked)), at], np.nan))


def heat_of(error: FloatArray) -> FloatArray:
    """Scale errors (n,) to a heat from 0 to 1, from the 5th percentile of the recording to its 99th."""
    known = error[np.isfinite(error)]
    if not len(known):
        return np.full(error.shape, np.nan)
    low, high = np.quantile(known, (_LOW, _HIGH))
    high = max(high, _LEAST_RATIO * max(low, 0.0), low + 1e-9)
    return np.asarray(np.clip((error - low) / (high - low), 0.0, 1.0))


def frame_shares(points: Keypoints3D) -> tuple[FloatArray, FloatArray]:
    """Return which share of the points is missing and which is filled in each frame, (n_frames,) each.

    Keypoints that are seen in no frame do not count, nor do individuals where they are not there at all, unless
    nobody is.
    """
    status = points.status
    ever = (status != Status.MISSING).any(0)
    there = (status != Status.MISSING).any(2)[..., None] & ever  # frame, individual, keypoint
    alone = len(points.individuals) == 1
    wanted = np.broadcast_to(ever, status.shape) if alone else there
    count = wanted.sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        missing = ((status == Status.MISSING) & wanted).sum((1, 2)) / count
        filled = ((status == Status.FILLED) & wanted).sum((1, 2)) / count
    return np.where(count > 0, missing, 1.0), np.where(count > 0, filled, 0.0)


def find_bad_frames(error: FloatArray, missing: FloatArray, filled: FloatArray, fps: float) -> tuple[Stretch, ...]:
    """Find the runs of frames that should be looked at.

    Parameters
    ----------
    error, missing, filled : (n_frames,) array
    fps : float
    """
    known = error[np.isfinite(error)]
    limit = np.inf
    if len(known):
        middle = float(np.median(known))
        limit = max(middle + _OUTSTANDING * 1.4826 * float(np.median(np.abs(known - middle))), 1.5 * middle)
    with np.errstate(invalid="ignore"):
        causes = [
            ("points missing", missing > _MOST_MISSING),
            ("points filled", filled > _MOST_FILLED),
            ("large error", error > limit),
        ]
    bad = np.any([cause for _, cause in causes], axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    firsts, lasts = edges[::2], edges[1::2]
    if not len(firsts):
        return ()
    apart = firsts[1:] - lasts[:-1] > _JOIN_S * fps
    firsts, lasts = firsts[np.append(True, apart)], lasts[np.append(apart, True)]
    counts = [np.append(0, np.cumsum(cause)) for _, cause in causes]
    shares = np.stack([(count[lasts] - count[firsts]) / (lasts - firsts) for count in counts])
    return tuple(
        Stretch(int(a), int(b), ", ".join(causes[i][0] for i in np.flatnonzero(shares[:, k] > 0.2)) or causes[2][0])
        for k, (a, b) in enumerate(zip(firsts, lasts, strict=True))
    )
