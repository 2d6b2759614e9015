"""Samples of a motion of which only the size of the errors is known, such as markers, or points without samples."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import convolve1d

from pose3d.data import Keypoints3D, PosteriorSamples
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray

__all__ = ["LOW_PASSED_S", "samples_from_noise"]

LOW_PASSED_S = 0.05
"""After which errors of points that were low-passed at 6 Hz are alike to 1/e."""


def samples_from_noise(
    points: Keypoints3D,
    noise_mm: ArrayLike | None = None,
    *,
    n: int = 50,
    seed: int = 0,
    correlation_s: float = LOW_PASSED_S,
) -> PosteriorSamples:
    """Draw motions that differ from the points as much as their errors are said to be large.

    This is an assumption where the samples of the refinement are a result, and a report must say so: every coordinate
    of every keypoint errs for itself, by a stationary Gaussian process whose correlation over a time t is
    ``exp(-(t / correlation_s)^2)``. Nothing is known here of limbs, whose ends err together, nor of cameras, whose
    errors stay the same for the whole recording. Intervals of single instants depend on the size alone; those of
    velocities, extremes and event times on the correlation too.

    Parameters
    ----------
    points : Keypoints3D
    noise_mm : float or (n_keypoints,) array, mm, optional
        Standard deviation of each coordinate. None takes the points' covariance.
    n : int
        Of samples; 39 make the first 95 % interval.
    seed : int
    correlation_s : float, s
        0 for errors that are independent from frame to frame.

    Returns
    -------
    PosteriorSamples
        Missing points stay missing, and so do those whose covariance is not known: nothing would be drawn about them,
        and an interval of no width is a claim.

    Raises
    ------
    DataError
        If neither is known, or the frame rate is not, but is needed.
    """
    shape = points.xyz.shape
    spread = _spread(points, noise_mm)
    weights = _weights(points, correlation_s)
    margin = len(weights) // 2
    out = np.empty((shape[0], n, *shape[1:]), dtype=np.float32)
    for i in range(n):
        white = np.random.default_rng([seed, i]).standard_normal((shape[0] + 2 * margin, *shape[1:]))
        error = convolve1d(white, weights, axis=0)[margin : margin + shape[0]]
        out[:, i] = points.xyz + (spread @ error[..., None])[..., 0]
    return PosteriorSamples(out, points.individuals, points.keypoints, points.fps, points.start)


def _spread(points: Keypoints3D, noise_mm: ArrayLike | None) -> FloatArray:
    """Return matrices (..., 3, 3) that give standard normal errors their size."""
    if noise_mm is not None:
        size = np.asarray(noise_mm, dtype=np.float64)
        if not (np.isfinite(size) & (size >= 0)).all() or size.shape not in {(), (len(points.keypoints),)}:
            raise ValueError("noise_mm: one number that is not negative, or one for each keypoint")
        return np.broadcast_to(size, (len(points.keypoints),))[:, None, None] * np.eye(3)
    if points.covariance is None:
        raise DataError(
            "nothing is known of the errors of these points; give the noise in mm, or triangulate them anew"
        )
    known = np.isfinite(points.covariance).all((-2, -1), keepdims=True)
    values, vectors = np.linalg.eigh(np.where(known, points.covariance, 0.0))
    return np.where(known, vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :], np.nan)


def _weights(points: Keypoints3D, correlation_s: float) -> FloatArray:
    """Return the moving average that makes white noise a process of unit variance with the wanted correlation."""
    if correlation_s == 0:
        return np.ones(1)
    if not 0 < correlation_s < np.inf:
        raise ValueError(f"correlation_s {correlation_s} must not be negative")
    if points.fps is None:
        raise DataError("the frame rate of the points is unknown; give --fps")
    width = correlation_s * points.fps / np.sqrt(2)  # of exp(-(t/width)^2), whose self-convolution is as wanted
    reach = int(np.ceil(3.5 * width))
    weights = np.exp(-((np.arange(-reach, reach + 1) / width) ** 2))
    return np.asarray(weights / np.linalg.norm(weights))
