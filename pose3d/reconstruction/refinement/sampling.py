"""Samples of the joint posterior: whole recordings as they may have been, given the views."""

from dataclasses import dataclass

import numpy as np

from pose3d.data import Rig
from pose3d.geometry.arrays import FloatArray
from pose3d.reconstruction.points.likelihood import gradient_of
from pose3d.reconstruction.points.views import Fit as Seen
from pose3d.reconstruction.points.views import Lenses, Reprojection, in_cameras
from pose3d.reconstruction.refinement.problem import flat, tracks
from pose3d.reconstruction.refinement.rig_uncertainty import gradient_shift
from pose3d.reconstruction.refinement.solver import NormalMatrix
from pose3d.reconstruction.refinement.window import Refined

__all__ = ["RigShifts", "draw_samples"]

RigShifts = tuple[Rig, FloatArray]
"""A rig with a covariance, and samples (n_samples, n_parameters) of how its parameters may differ."""

_BLOCK = 64  # frames whose random numbers are drawn together


@dataclass(frozen=True, eq=False)
class _Draws:
    """Random numbers that belong to a sample and a frame, whatever run of frames asks for them."""

    seed: int
    sample: int
    first: int  # frame of the recording
    n_frames: int

    def normal(self, kind: int, *shape: int) -> FloatArray:
        """Return standard normal numbers (n_frames, *shape)."""
        low, high = self.first // _BLOCK, -(-(self.first + self.n_frames) // _BLOCK)
        blocks = [
            np.random.default_rng([self.seed, self.sample, kind, block]).standard_normal((_BLOCK, *shape))
            for block in range(low, high)
        ]
        start = self.first - low * _BLOCK
        return np.concatenate(blocks)[start : start + self.n_frames]


def draw_samples(
    refined: Refined, *, n_samples: int, seed: int, first: int, spread: float, rig_shifts: RigShifts | None
) -> FloatArray:
    """Draw from the joint posterior of a refined run.

    Every residual of the problem is given fresh noise of its own size, and the normal equations are solved for what
    that does to the points: the solutions are distributed as the posterior, with all that time and limbs tie together
    ("perturb and optimise"). One rig sample, the same in all frames, adds what the cameras' own uncertainty does.

    Parameters
    ----------
    refined : Refined
    n_samples : int
    seed : int
        Together with the frames' numbers it fixes the noise: neighbouring runs draw the same.
    first : int
        Number of the run's first frame in the recording.
    spread : float
        Real over computed variance.
    rig_shifts : (Rig, (n_samples, n_parameters) array), optional
        The detections' cameras and samples of their parameters.

    Returns
    -------
    (n_samples, n_tracks, n_frames, 3) array, mm
        Relative to the cameras' centroid; NaN where there is no point.

    References
    ----------
    Papandreou & Yuille (2010), Gaussian sampling by local perturbations, NIPS 23; Orieux, Feron, Giovannelli (2012),
    IEEE Signal Processing Letters 19:251.
    """
    problem, at = refined.problem, refined.at
    n_tracks, n_frames = problem.active.shape
    n_cameras = len(problem.precision)
    x = np.where(problem.active[..., None], refined.x, problem.start)
    matrix = NormalMatrix(at.blocks, problem.differences.couplings(), at.limbs)
    depth, u, v = in_cameras(problem.lenses, flat(x))
    where = Seen(depth, u, v, np.full_like(u, np.nan))
    precision = at.precision
    root = np.sqrt(np.where(precision > 0, 1 / np.where(precision > 0, precision, 1.0), 0.0))
    along = np.sqrt(at.limbs.weight)
    size = np.sqrt(spread)
    out = np.empty((n_samples, *x.shape))
    moved = _rig_pull(problem.lenses, x, precision, rig_shifts)
    for sample in range(n_samples):
        draws = _Draws(seed, sample, first, n_frames)
        pixel = np.moveaxis(draws.normal(0, n_cameras, n_tracks, 2), 0, 2).reshape(n_cameras, -1, 2) * root[..., None]
        noise = Reprojection(pixel[..., 0], pixel[..., 1], where)
        pull = tracks(gradient_of(problem.lenses, problem.views, precision, noise), problem.active.shape)
        n_rows = problem.differences.weight.shape[1]
        pull += problem.differences.pull(np.moveaxis(draws.normal(1, n_tracks, 3), 0, 1)[:, :n_rows])
        if len(along):
            pull += at.limbs.pull(along * draws.normal(2, len(along)).T)
        pull *= size
        if moved is not None:
            pull -= moved[sample]
        pull[~problem.active] = 0.0
        out[sample] = x + matrix.solve(pull, tolerance_mm=0.01)
    out[:, ~problem.active] = np.nan
    return out


def _rig_pull(lenses: Lenses, x: FloatArray, precision: FloatArray, rig_shifts: RigShifts | None) -> FloatArray | None:
    """Return what samples of the rig do to the gradient, (n_samples, n_tracks, n_frames, 3)."""
    if rig_shifts is None:
        return None
    rig, shifts = rig_shifts
    pull = gradient_shift(rig, x.reshape(-1, 3) + lenses.origin, precision, shifts)
    return np.asarray(pull.reshape(len(shifts), *x.shape))
