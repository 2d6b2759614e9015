"""Corners of a board as cameras saw them."""

from dataclasses import dataclass

import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray, frozen_array

__all__ = ["BoardDetections"]


@dataclass(frozen=True, eq=False, repr=False)
class BoardDetections:
    """Board corners of several cameras at the same instants.

    Attributes
    ----------
    board : Board
        As it was found, with its variant (inverted, legacy).
    cameras : tuple of str
    sizes : tuple of (int, int)
        Image size of each camera, px.
    frames : (n_frames,) int array
        Index of each instant in the recordings; instants at which no camera saw the board may be absent.
    xy : (n_frames, n_cameras, n_corners, 2) array, px
        NaN where a corner was not seen.
    """

    board: Board
    cameras: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    frames: IntArray
    xy: FloatArray

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "cameras", tuple(self.cameras))
        put(self, "sizes", tuple((int(w), int(h)) for w, h in self.sizes))
        put(self, "frames", frozen_array(self.frames, shape=(None,), what="frames", dtype=np.int64))
        shape = (len(self.frames), len(self.cameras), self.board.n_corners, 2)
        put(self, "xy", frozen_array(self.xy, shape=shape, what="board corners"))
        if len(self.sizes) != len(self.cameras):
            raise ValueError(f"{len(self.sizes)} image sizes for {len(self.cameras)} cameras")

    def __repr__(self) -> str:
        views = ", ".join(f"{name} {n}" for name, n in zip(self.cameras, self.n_views, strict=True))
        return f"BoardDetections({len(self.frames)} instants; views: {views})"

    @property
    def seen(self) -> BoolArray:
        """(n_frames, n_cameras, n_corners) bool array."""
        return np.asarray(np.isfinite(self.xy).all(-1))

    @property
    def n_views(self) -> IntArray:
        """(n_cameras,) array: frames in which each camera saw any corner."""
        return np.asarray(self.seen.any(-1).sum(0))
