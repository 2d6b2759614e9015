"""What is known of left and right before they are searched."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray

__all__ = ["KnownSides"]


class KnownSides(NamedTuple):
    """What a person said of left and right, (n_cameras, n_frames, n_individuals, n_pairs) bool arrays.

    Attributes
    ----------
    settled : array
        Views whose sides are right now: a search changes nothing about them.
    exchanged : array
        Views that are exchanged after the search.
    """

    settled: BoolArray
    exchanged: BoolArray

    def correct(self, found: BoolArray) -> BoolArray:
        """Return what is exchanged, from what a search found."""
        return np.asarray((found & ~self.settled) ^ self.exchanged)

    def afterwards(self) -> "KnownSides":
        """Return what is known of views in which all this was done."""
        return KnownSides(self.settled | self.exchanged, np.zeros_like(self.exchanged))
