"""Levenberg-Marquardt with a block-banded matrix: the limbs, which tie tracks together, by conjugate gradients.

Without limbs the normal matrix falls apart into one narrow band a track, which LAPACK factorises in a few microseconds
a frame. Limbs would widen the band to all keypoints of three frames, thirty times the work; conjugate gradients with
the narrow band as preconditioner need about ten cheap steps instead.
"""

from typing import NamedTuple

import numpy as np

from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.banded import BandedFactor, BandedMatrix
from pose3d.geometry.symmetric import ENTRIES
from pose3d.reconstruction.refinement.limbs import LimbFit
from pose3d.reconstruction.refinement.problem import Linearized, Problem

__all__ = ["Minimum", "NormalMatrix", "minimize"]

_DAMPING_START, _DAMPING_GROWTH, _DAMPING_MOST = 1e-3, 10.0, 1e8
_MOST_STEPS = 30
_MOST_INNER = 200
_INNER = 0.3  # of the tolerance: how exactly conjugate gradients solve


class Minimum(NamedTuple):
    """Where a minimisation ended.

    Attributes
    ----------
    x : (n_tracks, n_frames, 3) array, mm
    at : Linearized
        Around a point no farther than the tolerance from `x`.
    n_steps : int
    converged : bool
    """

    x: FloatArray
    at: Linearized
    n_steps: int
    converged: bool


class NormalMatrix:
    """Gauss-Newton matrix of one linearised problem: a band along time, and limbs across.

    Parameters
    ----------
    blocks : (6, n_tracks, n_frames) array
    couplings : (order + 1, n_tracks, n_frames) array
    limbs : LimbFit
    near : NormalMatrix, optional
        Of a place nearby: its factor serves as preconditioner once more.
    """

    def __init__(
        self, blocks: FloatArray, couplings: FloatArray, limbs: LimbFit, *, near: "NormalMatrix | None" = None
    ) -> None:
        self.limbs = limbs
        self.has_limbs = len(limbs.limbs.ends) > 0
        self.band = BandedMatrix.of(blocks, couplings)
        self._factor: BandedFactor
        if not self.has_limbs:
            self._factor = self.band.factor()
        elif near is not None:
            self._factor = near._factor
        else:
            self._factor = BandedMatrix.of(blocks + limb_blocks(limbs), couplings).factor()

    def solve(self, right: FloatArray, *, tolerance_mm: float) -> FloatArray:
        """Solve for right sides (n_tracks, n_frames, 3), by conjugate gradients where there are limbs."""
        if not self.has_limbs:
            return self._factor.solve(right)
        x = np.zeros_like(right)
        residual = right.copy()
        ahead = self._factor.solve(residual)
        direction = ahead
        fit = np.vdot(residual, ahead)
        for _ in range(_MOST_INNER):
            if fit == 0:
                break
            curved = self.band @ direction + self.limbs.curve(direction)
            length = fit / np.vdot(direction, curved)
            x += length * direction
            residual -= length * curved
            ahead = self._factor.solve(residual)
            # The preconditioner is about the matrix, so this is about the error that is left.
            if np.abs(ahead).max() < tolerance_mm:
                x += ahead
                break
            former, fit = fit, np.vdot(residual, ahead)
            direction = ahead + (fit / former) * direction
        return x


def limb_blocks(limbs: LimbFit) -> FloatArray:
    """Return the limbs' part of each point's own block, (6, n_tracks, n_frames)."""
    u = limbs.direction
    n_limbs, n_frames = limbs.weight.shape
    own = np.empty((6, n_limbs, n_frames))
    for entry, (i, j) in enumerate(ENTRIES):
        own[entry] = limbs.weight * u[..., i] * u[..., j]
    incidence = np.zeros((limbs.n_tracks, n_limbs))
    incidence[limbs.limbs.ends.T, np.arange(n_limbs)] = 1.0
    return np.asarray(incidence @ own)


def minimize(problem: Problem, x: FloatArray, *, tolerance_mm: float) -> Minimum:
    """Minimise by damped Gauss-Newton steps.

    Parameters
    ----------
    problem : Problem
    x : (n_tracks, n_frames, 3) array, mm
        Start.
    tolerance_mm : float
        The last step moves no coordinate farther.

    Returns
    -------
    Minimum

    Raises
    ------
    DataError
        If the cost at the start is not finite.

    References
    ----------
    Madsen, Nielsen, Tingleff (2004), Methods for non-linear least squares problems, 2nd ed., section 3.2.
    """
    couplings = problem.differences.couplings()
    at = problem.linearize(x)
    if not np.isfinite(at.cost):
        raise DataError("refinement: the cost of the start is not finite; are the cameras or the views damaged?")
    damping = 0.0
    matrix: NormalMatrix | None = None
    for step in range(1, _MOST_STEPS + 1):
        while True:
            blocks = at.blocks.copy()
            blocks[[0, 3, 5]] *= 1 + damping
            matrix = NormalMatrix(blocks, couplings, at.limbs, near=matrix if damping == 0 else None)
            move = matrix.solve(-at.gradient, tolerance_mm=_INNER * tolerance_mm)
            size = float(np.abs(move).max(initial=0.0))
            if size <= tolerance_mm:
                return Minimum(x + move, at, step, converged=True)
            ahead = problem.linearize(x + move)
            if ahead.cost <= at.cost * (1 + 1e-12):
                break
            damping = max(damping * _DAMPING_GROWTH, _DAMPING_START)
            if damping > _DAMPING_MOST:
                return Minimum(x, at, step, converged=False)
        x, at = x + move, ahead
        damping /= _DAMPING_GROWTH
        if damping < _DAMPING_START:
            damping = 0.0
    return Minimum(x, at, _MOST_STEPS, converged=False)
