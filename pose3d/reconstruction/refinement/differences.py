"""The smoothness of tracks: differences in time, whose size is known."""

from math import comb
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["Differences"]


class Differences(NamedTuple):
    """Squared n-th differences in time of tracks, over their variance.

    Attributes
    ----------
    order : int
    weight : (n_tracks, n_frames - order) array, 1/mm^2
        One over the variance of each difference; 0 where one of its frames has no place.
    n_frames : int
    """

    order: int
    weight: FloatArray
    n_frames: int

    @classmethod
    def of(cls, order: int, smooth_mm: FloatArray, active: BoolArray) -> "Differences":
        """Weigh the differences of all frames that have a place.

        Parameters
        ----------
        order : int
            1 penalises velocity, 2 acceleration, 3 jerk.
        smooth_mm : (n_tracks,) or (n_tracks, n_frames) array, mm
            Standard deviation of a difference, per axis and frame to the power of `order`; infinite for none.
        active : (n_tracks, n_frames) bool array
        """
        n_rows = max(active.shape[1] - order, 0)
        whole = np.ones((len(active), n_rows), dtype=np.bool_)
        for i in range(order + 1):
            whole &= active[:, i : i + n_rows]
        if smooth_mm.ndim == 2:
            first = (order + 1) // 2
            smooth_mm = smooth_mm[:, first : first + n_rows]
        else:
            smooth_mm = smooth_mm[:, None]
        return cls(order, whole / np.square(smooth_mm), active.shape[1])

    @property
    def stencil(self) -> FloatArray:
        """Coefficients of a difference, oldest frame first."""
        n = self.order
        return np.array([(-1.0) ** (n - i) * comb(n, i) for i in range(n + 1)])

    def couplings(self) -> FloatArray:
        """Return how frames are tied in the normal matrix: (order + 1, n_tracks, n_frames), by lag."""
        n_tracks, n_rows = self.weight.shape
        out = np.zeros((self.order + 1, n_tracks, self.n_frames))
        stencil = self.stencil
        for lag in range(self.order + 1):
            for i in range(self.order + 1 - lag):
                out[lag, :, i : i + n_rows] += stencil[i] * stencil[i + lag] * self.weight
        return out

    def rows(self, x: FloatArray) -> FloatArray:
        """Return the differences of tracks (n_tracks, n_frames, 3) over their standard deviations."""
        return np.asarray(np.sqrt(self.weight)[..., None] * np.diff(x, n=self.order, axis=1))

    def pull(self, rows: FloatArray) -> FloatArray:
        """Return the transpose of :meth:`rows` applied to rows (..., n_tracks, n_frames - order, 3)."""
        n_rows = self.weight.shape[1]
        out = np.zeros((*rows.shape[:-2], self.n_frames, 3))
        weighted = np.sqrt(self.weight)[..., None] * rows
        for i, coefficient in enumerate(self.stencil):
            out[..., i : i + n_rows, :] += coefficient * weighted
        return out
