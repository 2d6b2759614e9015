"""Limbs: pairs of tracks whose distance stays, more or less, the same."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["LimbFit", "Limbs"]


class Limbs(NamedTuple):
    """Limbs with their lengths.

    Attributes
    ----------
    ends : (n_limbs, 2) int array
        Tracks.
    length_mm, sd_mm : (n_limbs,) array, mm
        Length, and how much it varies.
    """

    ends: IntArray
    length_mm: FloatArray
    sd_mm: FloatArray

    @classmethod
    def none(cls) -> "Limbs":
        """No limbs."""
        return cls(np.zeros((0, 2), dtype=np.int64), np.zeros(0), np.zeros(0))

    def fit(self, x: FloatArray, active: BoolArray) -> "LimbFit":
        """Measure the limbs of tracks (n_tracks, n_frames, 3) in mm, where both ends have a place."""
        a, b = self.ends.T
        both = active[a] & active[b]
        between = x[a] - x[b]
        length = np.sqrt(np.einsum("lfi,lfi->lf", between, between))
        there = both & (length > 0)
        direction = between / np.where(there, length, 1.0)[..., None]
        weight = there / np.square(self.sd_mm)[:, None]
        return LimbFit(self, direction, weight, np.where(there, length - self.length_mm[:, None], 0.0), len(x))


class LimbFit(NamedTuple):
    """Limbs at given places of their ends.

    Attributes
    ----------
    limbs : Limbs
    direction : (n_limbs, n_frames, 3) array
        Unit vector from the second to the first end: the derivative of the length.
    weight : (n_limbs, n_frames) array, 1/mm^2
        0 where an end has no place.
    excess : (n_limbs, n_frames) array, mm
        Length minus the limb's.
    n_tracks : int
    """

    limbs: Limbs
    direction: FloatArray
    weight: FloatArray
    excess: FloatArray
    n_tracks: int

    @property
    def cost(self) -> float:
        """Half the sum of squares."""
        return 0.5 * float((self.weight * self.excess * self.excess).sum())

    def pull(self, along: FloatArray) -> FloatArray:
        """Turn forces along the limbs (..., n_limbs, n_frames) into forces on tracks (..., n_tracks, n_frames, 3)."""
        incidence = np.zeros((self.n_tracks, len(self.limbs.ends)))
        rows = np.arange(len(self.limbs.ends))
        incidence[self.limbs.ends[:, 0], rows] += 1.0
        incidence[self.limbs.ends[:, 1], rows] -= 1.0
        forces = along[..., None] * self.direction
        shape = forces.shape
        out = incidence @ forces.reshape(*shape[:-3], shape[-3], -1)
        return np.asarray(out.reshape(*shape[:-3], self.n_tracks, *shape[-2:]))

    def stretch(self, step: FloatArray) -> FloatArray:
        """Return how much steps of the tracks (n_tracks, n_frames, 3) lengthen the limbs, (n_limbs, n_frames)."""
        a, b = self.limbs.ends.T
        return np.asarray(np.einsum("lfi,lfi->lf", self.direction, step[a] - step[b]))

    def gradient(self) -> FloatArray:
        """Return the gradient of the cost, (n_tracks, n_frames, 3)."""
        return self.pull(self.weight * self.excess)

    def curve(self, step: FloatArray) -> FloatArray:
        """Multiply the Gauss-Newton matrix of the limbs with steps (n_tracks, n_frames, 3)."""
        return self.pull(self.weight * self.stretch(step))
