"""Where the refinement starts: points of single frames, smoothed, and the views that agree with that."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.association.swap_search import exchange_partners, find_swaps
from pose3d.reconstruction.points.chunks import Resolved, resolve_chunk
from pose3d.reconstruction.points.noise import Noise
from pose3d.reconstruction.points.views import Lenses, Views, fit
from pose3d.reconstruction.refinement.gaps import with_short_gaps
from pose3d.reconstruction.refinement.problem import flat
from pose3d.reconstruction.refinement.sides import KnownSides
from pose3d.reconstruction.refinement.smoothness import Fixes

__all__ = ["Resolution", "SidePairs", "agreeing_views", "resolve"]


class SidePairs(NamedTuple):
    """Left and right partners that a network may exchange.

    Attributes
    ----------
    n_individuals : int
        Tracks are the keypoints of each in turn.
    keypoints : (n_pairs, 2) int array
        Positions among the keypoints.
    """

    n_individuals: int
    keypoints: IntArray


@dataclass(frozen=True, eq=False)
class Resolution:
    """What single frames say.

    Attributes
    ----------
    pixels : (n_cameras, n_points, 2) array, px
        Points are track, frame; left and right put right.
    views : Views
    fixes : Fixes
    used : (n_cameras, n_points) bool array
        Views behind the fixes.
    distance_px : (n_cameras, n_points) array, px
        Of every view from its fix; NaN without view or fix.
    swapped : (n_cameras, n_frames, n_individuals, n_pairs) bool array, optional
        Views whose left and right were exchanged.
    """

    pixels: FloatArray
    views: Views
    fixes: Fixes
    used: BoolArray
    distance_px: FloatArray
    swapped: BoolArray | None = None

    def first(self, n_frames: int) -> "Resolution":
        """Return the first frames."""
        n_tracks, whole = self.fixes.there.shape
        points = (np.arange(n_tracks)[:, None] * whole + np.arange(n_frames)).reshape(-1)
        fixes = self.fixes.first(n_frames)
        return Resolution(
            self.pixels[:, points],
            self.views.take(points),
            fixes,
            self.used[:, points],
            self.distance_px[:, points],
        )

    def places(self, max_gap: int) -> BoolArray:
        """Return which points (n_tracks, n_frames) are fixed or lie in a short gap."""
        return with_short_gaps(self.fixes.there, max_gap)


def resolve(
    lenses: Lenses,
    pixels: FloatArray,
    weight: FloatArray,
    noise: Noise,
    *,
    pairs: SidePairs | None = None,
    known: KnownSides | None = None,
) -> Resolution:
    """Triangulate every frame for itself, and put left and right right.

    Parameters
    ----------
    lenses : Lenses
    pixels : (n_cameras, n_tracks, n_frames, 2) array, px
    weight : (n_cameras, n_tracks, n_frames) array
    noise : Noise
    pairs : SidePairs, optional
        Look for exchanges of these.
    known : KnownSides, optional
        What a person said of them.
    """
    shape = weight.shape
    points, flat_weight = pixels.reshape(shape[0], -1, 2), weight.reshape(shape[0], -1)
    found = resolve_chunk(lenses, points, flat_weight, noise.noise_px, noise.threshold_px)
    swapped = None
    if pairs is not None and len(pairs.keypoints):
        swapped = _find_swaps(lenses, found, shape, noise, pairs)
        if known is not None:
            swapped = known.correct(swapped)
        if swapped.any():
            points = _exchange(points.reshape(*shape, 2), swapped, pairs).reshape(points.shape)
            flat_weight = _exchange(weight[..., None], swapped, pairs).reshape(flat_weight.shape)
            found = resolve_chunk(lenses, points, flat_weight, noise.noise_px, noise.threshold_px)
    x = (found.xyz - lenses.origin).reshape(*shape[1:], 3)
    fixes = Fixes(x, found.normal.reshape(6, *shape[1:]), found.used.sum(0).reshape(shape[1:]))
    return Resolution(points, found.views, fixes, found.used, found.residual_px, swapped)


def _find_swaps(lenses: Lenses, found: Resolved, shape: tuple[int, ...], noise: Noise, pairs: SidePairs) -> BoolArray:
    """Search a run for exchanged views; the search wants the points frame by frame."""

    def frame_first(values: FloatArray) -> FloatArray:
        return np.ascontiguousarray(values.reshape(-1, *shape[1:]).swapaxes(1, 2)).reshape(len(values), -1)

    views = Views(*(frame_first(getattr(found.views, field.name)) for field in fields(Views)))
    points = frame_first(np.ascontiguousarray((found.xyz - lenses.origin).T))
    return find_swaps(
        lenses,
        views,
        points,
        noise.noise_px,
        pairs.keypoints,
        n_frames=shape[2],
        n_individuals=pairs.n_individuals,
    )


def _exchange(values: FloatArray, swapped: BoolArray, pairs: SidePairs) -> FloatArray:
    """Exchange partners in an array (n_cameras, n_tracks, n_frames, k)."""
    n_cameras, _, n_frames, k = values.shape
    apart = values.reshape(n_cameras, pairs.n_individuals, -1, n_frames, k)
    by_frame = exchange_partners(np.moveaxis(apart, 3, 0), swapped.swapaxes(0, 1), pairs.keypoints)
    return np.ascontiguousarray(np.moveaxis(by_frame, 0, 3)).reshape(values.shape)


def agreeing_views(
    lenses: Lenses, views: Views, x: FloatArray, active: BoolArray, threshold_px: FloatArray
) -> BoolArray:
    """Return the views (n_cameras, n_points) that lie within the threshold of points (n_tracks, n_frames, 3)."""
    seen = fit(lenses, views, flat(x))
    with np.errstate(invalid="ignore"):
        near = seen.squared_px <= threshold_px[:, None] ** 2
    return np.asarray(near & views.used & (seen.depth > 0) & active.reshape(-1))
