"""What a network should answer: which cells of its grid lie near a keypoint, and where from them it is."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d.data.labels import Mark
from pose3d.geometry.arrays import IntArray
from pose3d.network.spec import NetworkSpec

__all__ = ["Targets", "make_targets", "pack_targets"]


class Targets(NamedTuple):
    """Targets of a batch on the network's grid.

    Attributes
    ----------
    score : (n, h, w, n_keypoints) float32 array
        1 in cells whose centre lies within the radius of the keypoint, else 0.
    score_weight : (n, h, w, n_keypoints) float32 array
        1 where the score is known, else 0.
    locref : (n, h, w, 2 n_keypoints) float32 array
        x and y by turns: from the cell's centre to the nearest of the individuals' keypoints, in units of
        ``spec.locref_px``. 0 away from it.
    locref_weight : (n, h, w, 2 n_keypoints) float32 array
        1 where the score is 1.
    """

    score: NDArray[np.float32]
    score_weight: NDArray[np.float32]
    locref: NDArray[np.float32]
    locref_weight: NDArray[np.float32]


def make_targets(xy: NDArray[Any], mark: NDArray[np.uint8], *, grid: tuple[int, int], spec: NetworkSpec) -> Targets:
    """Make the targets of a batch of labelled images.

    Of several individuals the cells around each count. A keypoint that one of them has unlabelled is masked in the
    whole image but for the cells around those that are labelled; an individual of which nothing is marked while
    another one is, is taken as not in the image. What is absent gives no positive cell. What lies outside of the grid
    neither: cells at the border within its radius are masked, the others are negative.

    Parameters
    ----------
    xy : (n, n_individuals, n_keypoints, 2) array, px of the network's input
    mark : (n, n_individuals, n_keypoints) array
        Of :class:`~pose3d.data.labels.Mark`.
    grid : (int, int)
        Rows and columns.
    spec : NetworkSpec

    References
    ----------
    Insafutdinov et al. 2016, DeeperCut, section 3.1; Mathis et al. 2018, DeepLabCut.
    """
    packed = pack_targets(xy, mark, grid=grid, spec=spec)
    state, locref = packed[..., : mark.shape[2]], packed[..., mark.shape[2] :]
    score = np.maximum(state, 0)
    return Targets(score, (state >= 0).astype(np.float32), locref, np.repeat(score, 2, axis=-1))


def pack_targets(
    xy: NDArray[Any], mark: NDArray[np.uint8], *, grid: tuple[int, int], spec: NetworkSpec
) -> NDArray[np.float32]:
    """Make the same targets as :func:`make_targets` in one array of the shape of the network's output.

    Returns
    -------
    (n, h, w, 3 n_keypoints) float32 array
        Per keypoint 1 near it, 0 away from it, -1 where nothing is known; then its offsets x and y, by turns, which
        count where the first is 1.
    """
    (n, n_individuals, n_keypoints), (rows, columns) = mark.shape, grid
    xy = np.asarray(xy, dtype=np.float32)
    packed = np.zeros((n, rows, columns, 3 * n_keypoints), dtype=np.float32)
    unlabelled = mark == Mark.UNLABELLED
    there = ~unlabelled.all(2)
    there |= ~there.any(1, keepdims=True)  # nothing is marked at all: everything is unknown
    image, keypoint = np.nonzero((unlabelled & there[:, :, None]).any(1))
    packed[image, :, :, keypoint] = -1

    placed = np.isin(mark, (Mark.VISIBLE, Mark.OCCLUDED)) & np.isfinite(xy).all(-1)
    inside = placed & ((xy >= -0.5) & (xy < np.array([columns, rows]) * spec.stride - 0.5)).all(-1)
    # Those that are seen last, as they prevail over the doubt around another one.
    seen = inside & (mark == Mark.VISIBLE)
    for state, chosen in ((-1, placed & ~seen), (1, seen)):
        points = np.nonzero(chosen)
        point, row, column, offset = _cells_around(xy[points], grid, spec)
        image, keypoint = points[0][point], points[2][point]
        if state == 1 and n_individuals > 1:  # the nearest is written last
            order = np.argsort(-(offset**2).sum(-1), kind="stable")
            image, keypoint, row, column = image[order], keypoint[order], row[order], column[order]
            offset = offset[order]
        packed[image, row, column, keypoint] = state
        if state == 1:
            packed[image, row, column, n_keypoints + 2 * keypoint] = offset[:, 0]
            packed[image, row, column, n_keypoints + 2 * keypoint + 1] = offset[:, 1]
    return packed


def _cells_around(
    xy: NDArray[np.float32], grid: tuple[int, int], spec: NetworkSpec
) -> tuple[IntArray, IntArray, IntArray, NDArray[np.float32]]:
    """Return the cells within the radius of (n, 2) points: which point, row, column, and offset in ``locref_px``."""
    # So that a keypoint always has the cell that it lies in, however small the radius.
    radius = max(spec.radius_px, spec.stride * np.sqrt(0.5))
    reach = int(np.ceil(radius / spec.stride))
    window = np.arange(-reach, reach + 1)
    middle = (spec.stride - 1) / 2
    # What lies far outside has no cells; bounded, as it may be too far for an integer.
    home = np.rint((xy.clip(-1e6, 1e6) - middle) / spec.stride).astype(np.int64)
    row, column = home[:, 1, None, None] + window[:, None], home[:, 0, None, None] + window
    dx, dy = xy[:, 0, None, None] - (spec.stride * column + middle), xy[:, 1, None, None] - (spec.stride * row + middle)
    near = dx * dx + dy * dy <= radius**2 * (1 + 1e-6)
    near &= (row >= 0) & (row < grid[0]) & (column >= 0) & (column < grid[1])
    point, j, i = np.nonzero(near)
    offset = np.stack([dx[point, 0, i], dy[point, j, 0]], axis=-1) / spec.locref_px
    return point, row[point, j, 0], column[point, 0, i], offset.astype(np.float32)
