"""Whether the computed uncertainty is right: the sample refined once more, from views made from its own result."""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.reconstruction.points.views import reproject, views_of
from pose3d.reconstruction.refinement.motion import Motion
from pose3d.reconstruction.refinement.problem import flat
from pose3d.reconstruction.refinement.settings import RefinementSettings
from pose3d.reconstruction.refinement.window import Refined, solve_problem

__all__ = ["check_spread"]

_BOUNDS = (0.5, 3.0)
_SEED = 7
_FRAMES = 120


def check_spread(refined: Refined, motion: Motion, settings: RefinementSettings) -> float:
    """Return by how much the real variance of refined points differs from the computed one.

    The computed covariance takes the differences in time for white noise. Real motion is smoother than that above the
    frequencies that the smoothing passes, so the covariance is too large; or it is rougher. A parametric bootstrap
    tells: a refined sample is taken for the truth, seen by the same cameras with fresh noise, and refined again.

    Parameters
    ----------
    refined : Refined
        A sample, whose covariance is as computed.
    motion : Motion
    settings : RefinementSettings

    Returns
    -------
    float
        Between a half and three.

    References
    ----------
    Efron & Tibshirani (1993), An introduction to the bootstrap, section 6.5.
    """
    problem = refined.problem.first(_FRAMES)
    n_frames = problem.active.shape[1]
    truth = np.where(problem.active[..., None], refined.x[:, :n_frames], problem.start)
    used = problem.precision > 0
    rng = np.random.default_rng(_SEED)
    seen = reproject(problem.lenses, np.zeros_like(problem.pixels), flat(truth))
    sigma = motion.noise.noise_px[:, None] / np.sqrt(np.where(used, problem.views.weight, 1.0))
    pixels = np.stack([seen.across, seen.down], axis=-1) + sigma[..., None] * rng.standard_normal(problem.pixels.shape)
    pixels[~used] = np.nan
    views = views_of(problem.lenses, pixels, np.where(used, problem.views.weight, 0.0))
    again = solve_problem(problem.seen_as(pixels, views), truth, settings)
    observed = refined.used[:, :, :n_frames].sum(0) >= 2
    return _ratio((again.x - truth)[observed], refined.covariance[:, :n_frames][observed])


def _ratio(error: FloatArray, covariance: FloatArray) -> float:
    if len(error) < 100:
        return 1.0
    squared = np.einsum("ni,ni->n", error, np.linalg.solve(covariance, error[..., None])[..., 0])
    return float(np.clip(squared.mean() / 3, *_BOUNDS))
