"""A person's corrections on the way from detections to points: run by run of frames, as the frames are read."""

from collections.abc import Sequence

import numpy as np

from pose3d.data import Keypoints2D, Keypoints3D, Skeleton
from pose3d.data.edited import (
    bad_points,
    bad_views,
    edit_views,
    erase_points,
    erase_views,
    exchange_partners,
    exchange_views,
    known_pairs,
    swapped_sides,
    unknown_names,
)
from pose3d.data.edits import Edits
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.reconstruction.association.swap_names import guess_pairs
from pose3d.reconstruction.refinement.sides import KnownSides
from pose3d.reconstruction.source import FrameSource

__all__ = ["EditedSource", "correct_views"]


class EditedSource:
    """A source whose views are corrected as they are read.

    Parameters
    ----------
    source : FrameSource
    edits : Edits
        Frames count as those of `source` do.
    pairs : sequence of (str, str)
        Left and right partners.
    searched : sequence of (str, str)
        Pairs of which exchanged views are looked for. What a person says of a single camera is not searched again; what
        she says of all cameras is said of the result, and is done after the search.
    """

    def __init__(
        self,
        source: FrameSource,
        edits: Edits,
        *,
        pairs: Sequence[tuple[str, str]] = (),
        searched: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.n_frames, self.fps, self.start = source.n_frames, source.fps, source.start
        self.cameras, self.individuals, self.keypoints = source.cameras, source.individuals, source.keypoints
        self.edits = edits.of_points
        self._source = source
        self._pairs = known_pairs(self.edits, (*searched, *pairs), source.keypoints)
        self._searched = [self._pairs.index(pair) for pair in self._searched_pairs(searched)]

    def _searched_pairs(self, searched: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        by_set = {frozenset(pair): pair for pair in self._pairs}
        return [by_set[frozenset(pair)] for pair in searched if frozenset(pair) in by_set]

    def lines(self) -> list[str]:
        """Say to people what is corrected, and what cannot be."""
        if not self.edits:
            return []
        strange = unknown_names(self.edits, self.keypoints, individuals=self.individuals, cameras=self.cameras)
        return [f"Corrected by a person: {self.edits.summary()}", *strange]

    def read(self, first: int, last: int) -> Keypoints2D:
        """Read from frame `first` to before frame `last`, counted from 0."""
        part = self._source.read(first, last)
        if not self.edits.touches(part.start, part.n_frames):
            return part
        shape = part.start, part.n_frames, self.cameras, self.individuals
        own, whole = self._exchanged(part.start, part.n_frames)
        now, later = own.copy(), np.zeros_like(whole)
        others = [p for p in range(len(self._pairs)) if p not in self._searched]
        now[..., others] ^= whole[..., others]
        later[..., self._searched] = whole[..., self._searched]
        # Bad is what carries the name in the end.
        bad = bad_views(self.edits, *shape, self.keypoints)
        exchange_partners(bad, later, self.keypoints, self._pairs)
        return erase_views(exchange_views(part, now, self._pairs), bad)

    def _exchanged(self, start: int, n_frames: int) -> tuple[BoolArray, BoolArray]:
        """Return what is exchanged in single cameras and in all, (n_frames, n_cameras, n_individuals, n_pairs)."""
        axes = start, n_frames, self.cameras, self.individuals, self._pairs
        swaps = self.edits.swaps
        own = swapped_sides([swap for swap in swaps if swap.camera is not None], *axes)
        return own, swapped_sides([swap for swap in swaps if swap.camera is None], *axes)

    def sides(self, runs: Sequence[tuple[int, int]], *, apart: int = 0) -> KnownSides:
        """Return what a person said of the pairs that are searched.

        Parameters
        ----------
        runs : sequence of (int, int)
            Runs of frames, counted from 0, one after the other.
        apart : int
            Empty frames between them.
        """
        parts: list[tuple[BoolArray, BoolArray]] = []
        for first, last in runs:
            found = self._exchanged(self.start + first, last - first)
            gap = np.zeros((apart, *found[0].shape[1:]), dtype=np.bool_)
            parts += [found, (gap, gap)]
        if len(parts) > 1:
            parts.pop()
        own, whole = (
            np.concatenate([part[which] for part in parts])[..., self._searched].swapaxes(0, 1) for which in (0, 1)
        )
        return KnownSides(own, whole)

    def erase(self, points: Keypoints3D) -> Keypoints3D:
        """Return points without those that are bad."""
        return erase_points(points, self._bad(points.start, points.n_frames))

    def erase_samples(self, xyz: FloatArray, first: int) -> FloatArray:
        """Return samples (n_frames, n_samples, n_individuals, n_keypoints, 3) without those of points that are bad.

        Parameters
        ----------
        xyz : array
        first : int
            Their first frame, counted from 0.
        """
        bad = self._bad(self.start + first, len(xyz))
        return np.where(bad[:, None, ..., None], np.nan, xyz) if bad.any() else xyz

    def _bad(self, start: int, n_frames: int) -> BoolArray:
        return bad_points(self.edits, start, n_frames, self.individuals, self.keypoints)


def correct_views(keypoints: Keypoints2D, edits: Edits, skeleton: Skeleton | None = None) -> Keypoints2D:
    """Correct views that are not searched for exchanged sides, by the pairs of a skeleton or of the names."""
    pairs = skeleton.pairs if skeleton is not None and skeleton.pairs else guess_pairs(keypoints.keypoints)
    return edit_views(keypoints, edits, pairs)
