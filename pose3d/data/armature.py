"""A body as joints that hang on one another: constant offsets, and turns over time."""

from dataclasses import dataclass

import numpy as np

from pose3d.data.names import different_names
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray, frozen_array

__all__ = ["Armature"]


@dataclass(frozen=True, eq=False, repr=False)
class Armature:
    """The motion of one individual as a tree of joints, as animation programs have it.

    Attributes
    ----------
    names : tuple of str
        Keypoints; and joints without length, ``<parent>_<child>``, where several bones leave one point.
    parents : (n_joints,) int array
        Index of each joint's parent, which stands before it; -1 of the root, which is the first.
    offsets : (n_joints, 3) array, mm
        From the parent, in the parent's axes; zero of the root.
    rotations : (n_frames, n_joints, 3, 3) array
        From each joint's axes to its parent's; of the root to the world's.
    root : (n_frames, 3) array, mm
    filled : (n_frames, n_joints) bool array
        Where a turn, or the place of the root, was not seen and lies between its neighbours.
    fps : float
    start : int
    """

    names: tuple[str, ...]
    parents: IntArray
    offsets: FloatArray
    rotations: FloatArray
    root: FloatArray
    filled: BoolArray
    fps: float
    start: int = 0

    def __post_init__(self) -> None:
        put, n = object.__setattr__, len(self.names)
        put(self, "names", different_names("joints", self.names))
        put(self, "parents", frozen_array(self.parents, shape=(n,), what="parents", dtype=np.int64))
        put(self, "offsets", frozen_array(self.offsets, shape=(n, 3), what="offsets"))
        put(self, "rotations", frozen_array(self.rotations, shape=(None, n, 3, 3), what="rotations"))
        n_frames = len(self.rotations)
        put(self, "root", frozen_array(self.root, shape=(n_frames, 3), what="root"))
        put(self, "filled", frozen_array(self.filled, shape=(n_frames, n), what="filled", dtype=np.bool_))
        if not n or self.parents[0] != -1 or (self.parents[1:] < 0).any() or (self.parents >= np.arange(n)).any():
            raise ValueError("the root is the first joint, and a parent stands before its children")
        if not 0 < self.fps < np.inf:
            raise ValueError(f"fps {self.fps} must be positive")

    def __repr__(self) -> str:
        return f"Armature({len(self.rotations)} frames at {self.fps:g} fps, {len(self.names)} joints)"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.rotations)

    @property
    def leaves(self) -> BoolArray:
        """Which joints have no child, (n_joints,)."""
        leaf = np.ones(len(self.names), dtype=np.bool_)
        leaf[self.parents[1:]] = False
        return leaf

    def places(self) -> FloatArray:
        """Return where the joints are, (n_frames, n_joints, 3) mm, going from parents to children."""
        where = np.empty((self.n_frames, len(self.names), 3))
        turned = np.empty_like(self.rotations)
        where[:, 0], turned[:, 0] = self.root, self.rotations[:, 0]
        for joint in range(1, len(self.names)):
            parent = self.parents[joint]
            where[:, joint] = where[:, parent] + turned[:, parent] @ self.offsets[joint]
            turned[:, joint] = turned[:, parent] @ self.rotations[:, joint]
        return where
