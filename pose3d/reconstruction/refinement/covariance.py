"""How well each refined point is known: its views, the frames around it, and the limbs that tie it to others."""

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.banded import BandedMatrix
from pose3d.geometry.symmetric import ENTRIES, inverse
from pose3d.reconstruction.refinement.differences import Differences
from pose3d.reconstruction.refinement.limbs import LimbFit

__all__ = ["limb_information", "moving_mean", "posterior_covariance"]

_SWEEPS = 5


def posterior_covariance(blocks: FloatArray, differences: Differences, limbs: LimbFit, *, reach: int) -> FloatArray:
    """Return the covariance of each point.

    Without limbs it is exact: the diagonal blocks of the inverse of the normal matrix. Limbs enter by what they tell of
    each point in each frame (:func:`limb_information`), which is as good as exact where neighbours in time are about as
    well seen as the frame itself.

    Parameters
    ----------
    blocks : (6, n_tracks, n_frames) array, 1/mm^2
        Information of the views.
    differences : Differences
    limbs : LimbFit
    reach : int
        Frames over which the smoothing averages.

    Returns
    -------
    (n_tracks, n_frames, 3, 3) array, mm^2
    """
    if len(limbs.limbs.ends):
        blocks = blocks + limb_information(moving_mean(blocks, reach), limbs)
    factor = BandedMatrix.of(blocks, differences.couplings()).factor()
    margin = max(16, 6 * reach)
    return factor.inverse_blocks(margin=margin, run=max(64, 2 * margin))


def moving_mean(blocks: FloatArray, reach: int) -> FloatArray:
    """Average over 2 * reach + 1 frames, fewer at the ends."""
    n_frames = blocks.shape[-1]
    total = np.concatenate([np.zeros((*blocks.shape[:-1], 1)), np.cumsum(blocks, axis=-1)], axis=-1)
    frame = np.arange(n_frames)
    low, high = np.maximum(frame - reach, 0), np.minimum(frame + reach + 1, n_frames)
    return np.asarray((total[..., high] - total[..., low]) / (high - low))


def limb_information(blocks: FloatArray, limbs: LimbFit) -> FloatArray:
    """Return what limbs tell of each of their ends, frame by frame, given what views tell of the other ends.

    Belief propagation: over a limb an end learns, along the limb only, what the other end knows without it and how
    constant the limb is. Exact for limbs that form trees; where they form rings a close approximation.

    Parameters
    ----------
    blocks : (6, n_tracks, n_frames) array, 1/mm^2
        Information of the views.
    limbs : LimbFit

    Returns
    -------
    (6, n_tracks, n_frames) array, 1/mm^2

    References
    ----------
    Weiss & Freeman (2001), Correctness of belief propagation in Gaussian graphical models of arbitrary topology, Neural
    Computation 13:2173.
    """
    ends = limbs.limbs.ends
    n_limbs = len(ends)
    u = limbs.direction
    outer = np.stack([u[..., i] * u[..., j] for i, j in ENTRIES])
    doubled = outer * np.array([1.0, 2.0, 2.0, 1.0, 2.0, 1.0])[:, None, None]
    there = limbs.weight > 0
    variance = np.square(limbs.limbs.sd_mm)[:, None]
    incidence = np.zeros((2, limbs.n_tracks, n_limbs))
    incidence[0, ends[:, 0], np.arange(n_limbs)] = 1.0
    incidence[1, ends[:, 1], np.arange(n_limbs)] = 1.0
    message = np.zeros((2, *there.shape))  # what the first and the second end learn
    told = np.zeros_like(blocks)
    for _sweep in range(_SWEEPS):
        known = inverse(blocks + told)
        with np.errstate(divide="ignore", invalid="ignore"):
            for end in (0, 1):
                other = ends[:, 1 - end]
                spread = np.einsum("slf,slf->lf", doubled, known[:, other])
                alone = spread / np.maximum(1 - message[1 - end] * spread, 1e-9)
                message[end] = np.where(there, 1 / (variance + alone), 0.0)
        told = incidence[0] @ (message[0] * outer) + incidence[1] @ (message[1] * outer)
    return np.asarray(told)
