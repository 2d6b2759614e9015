"""How long the errors of detections last, and over how many frames the smoothing averages them."""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.reconstruction.points.noise import Noise
from pose3d.reconstruction.points.views import Lenses, reproject
from pose3d.reconstruction.refinement.problem import flat
from pose3d.reconstruction.refinement.start import Resolution

__all__ = ["averaged_frames", "measure_persistence"]

_FREQUENCIES = 512
_WILD = 3.0  # standard deviations: what is farther off is no lasting error but a gross one
_FULL = 0.7  # of a window's frames
_FEW_WINDOWS = 20


def averaged_frames(ratio: FloatArray, order: int) -> FloatArray:
    """Return over how many frames the smoothing averages noise away: one over the sum of its squared weights.

    Parameters
    ----------
    ratio : (n_tracks,) array
        Noise of one frame over the size of an n-th difference.
    order : int

    References
    ----------
    Silverman (1984), Spline smoothing: the equivalent variable kernel method, Annals of Statistics 12:898.
    """
    difference = 2 * np.sin(np.linspace(0, np.pi / 2, _FREQUENCIES))
    with np.errstate(over="ignore"):
        passed = 1 / (1 + (ratio[:, None] * difference**order) ** 2)
    return np.asarray(1 / (passed**2).mean(1))


def measure_persistence(lenses: Lenses, noise: Noise, sample: Resolution, n_frames: int) -> float:
    """Return how much less is averaged away over so many frames than if every frame erred for itself.

    A network that puts a knee too high in one frame does so in the next ones; so does a camera that is not quite where
    it is said to be. What is left of a view's error by the other views of the same frame shows it.

    Parameters
    ----------
    lenses : Lenses
    noise : Noise
    sample : Resolution
    n_frames : int
        Over which the refinement averages.

    Returns
    -------
    float
        Real over expected variance of the mean error of `n_frames` frames: 1 for independent errors, up to `n_frames`
        for such as last. 1 too where there are too few frames to tell.
    """
    fixes = sample.fixes
    n_tracks, whole = fixes.there.shape
    n_windows = whole // n_frames
    seen = reproject(lenses, sample.pixels, flat(fixes.x + fixes.middle))
    scale = np.sqrt(np.where(sample.used, sample.views.weight, 0.0)) / noise.noise_px[:, None]
    there = sample.used.reshape(-1, n_tracks, whole)[..., : n_windows * n_frames]
    error = np.stack([np.where(sample.used, part * scale, 0.0) for part in (seen.across, seen.down)])
    error = np.clip(error, -_WILD, _WILD).reshape(2, -1, n_tracks, whole)[..., : n_windows * n_frames]
    windows = (*there.shape[:-1], n_windows, n_frames)
    count = there.reshape(windows).sum(-1)
    full = count >= _FULL * n_frames
    if full.sum() < _FEW_WINDOWS or not error.any():
        return 1.0
    together = error.reshape(2, *windows).sum(-1) ** 2 / np.maximum(count, 1)
    alone = (error**2).sum() / (2 * there.sum())
    return float(np.clip(together[:, full].mean() / alone, 1.0, n_frames))
