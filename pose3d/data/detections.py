"""Corners of a board as cameras saw them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
    own_frames : mapping of str to (n_instants,) int array, optional
        Where cameras number their frames differently: the frame of a camera's own file by the number of the instant
        (that of `frames`, of whole recordings), -1 where it has none.
    blurred : mapping of str to (n,) int array
        Instants at which a camera's view of the board was left out, as it is blurred; cameras without such may be
        absent.
    still : (n,) int array
        Instants that were left out as the board had not moved since the one before.
    """

    board: Board
    cameras: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    frames: IntArray
    xy: FloatArray
    own_frames: Mapping[str, IntArray] | None = None
    blurred: Mapping[str, IntArray] = field(default_factory=dict)
    still: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "cameras", tuple(self.cameras))
        put(self, "sizes", tuple((int(w), int(h)) for w, h in self.sizes))
        put(self, "frames", frozen_array(self.frames, shape=(None,), what="frames", dtype=np.int64))
        shape = (len(self.frames), len(self.cameras), self.board.n_corners, 2)
        put(self, "xy", frozen_array(self.xy, shape=shape, what="board corners"))
        if len(self.sizes) != len(self.cameras):
            raise ValueError(f"{len(self.sizes)} image sizes for {len(self.cameras)} cameras")
        for name, some in (("own_frames", self.own_frames), ("blurred", self.blurred)):
            if some is not None:
                arrays = {
                    k: frozen_array(v, shape=(None,), what=f"{name} of {k}", dtype=np.int64) for k, v in some.items()
                }
                put(self, name, arrays)
        put(self, "still", frozen_array(self.still, shape=(None,), what="still", dtype=np.int64))
        if self.own_frames is not None and len(self.frames):
            last = int(self.frames.max())
            if any(name not in self.own_frames or len(self.own_frames[name]) <= last for name in self.cameras):
                raise ValueError(f"own_frames must have each camera's frames up to instant {last}")

    def __repr__(self) -> str:
        views = ", ".join(f"{name} {n}" for name, n in zip(self.cameras, self.n_views, strict=True))
        return f"BoardDetections({len(self.frames)} instants; views: {views})"

    @property
    def seen(self) -> BoolArray:
        """(n_frames, n_cameras, n_corners) bool array."""
        return np.asarray(np.isfinite(self.xy).all(-1))

    @property
    def camera_frames(self) -> IntArray:
        """(n_frames, n_cameras) array: frame of each camera's own file at each instant, -1 where it has none."""
        if self.own_frames is None:
            return np.repeat(self.frames[:, None], len(self.cameras), axis=1)
        if not self.cameras:
            return np.zeros((len(self.frames), 0), dtype=np.int64)
        return np.stack([self.own_frames[name][self.frames] for name in self.cameras], axis=1)

    @property
    def n_views(self) -> IntArray:
        """(n_cameras,) array: frames in which each camera saw any corner."""
        return np.asarray(self.seen.any(-1).sum(0))

    def select(self, names: Sequence[str]) -> "BoardDetections":
        """Return the named cameras, in that order."""
        index = [self.cameras.index(name) for name in names]
        return replace(
            self, cameras=tuple(names), sizes=tuple(self.sizes[i] for i in index), xy=self.xy[:, index].copy()
        )
