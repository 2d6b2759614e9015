"""Cameras that fall silent, and cameras that show the same."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.reconstruction.quality.sample import Sample

__all__ = ["Silence", "find_copies", "find_silences"]

_LEAST_VIEWS = 30  # that the silent stretch would usually have held
_LEAST_SHARE = 0.1  # of the recording
_SAME_PX = 1e-3
_COPIED = 0.5  # share of the common views
_LEAST_COMMON = 20


class Silence(NamedTuple):
    """A camera without views.

    Attributes
    ----------
    camera : int
    first, stop : int
        Blocks.
    """

    camera: int
    first: int
    stop: int


def find_silences(views: IntArray) -> list[Silence]:
    """Find cameras that see nothing from some block on, or up to one, while others go on.

    Parameters
    ----------
    views : (n_blocks, n_cameras) int array
        Detections.
    """
    out = []
    n_blocks, n_cameras = views.shape
    for c in range(n_cameras):
        mine = views[:, c]
        others = np.delete(views, c, axis=1).max(axis=1, initial=0)
        seen = np.flatnonzero(mine)
        if not len(seen):
            if others.sum() >= _LEAST_VIEWS:
                out.append(Silence(c, 0, n_blocks))
            continue
        busy = slice(seen[0], seen[-1] + 1)
        usual = mine[busy].sum() / max(others[busy].sum(), 1)
        for first, stop in ((int(seen[-1]) + 1, n_blocks), (0, int(seen[0]))):
            missed = usual * others[first:stop].sum()
            if missed >= _LEAST_VIEWS and stop - first >= _LEAST_SHARE * n_blocks:
                out.append(Silence(c, first, stop))
    return out


def find_copies(sample: Sample) -> list[tuple[int, int]]:
    """Find pairs of cameras whose detections are the same to the last digits."""
    xy = sample.xy
    out = []
    for a in range(xy.shape[1]):
        for b in range(a + 1, xy.shape[1]):
            apart: FloatArray = np.abs(xy[:, a] - xy[:, b]).max(-1)
            common = np.isfinite(apart)
            if common.sum() >= _LEAST_COMMON and (apart[common] < _SAME_PX).mean() > _COPIED:
                out.append((a, b))
    return out
