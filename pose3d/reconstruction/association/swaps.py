"""Left and right exchanged by the network: found view by view, repaired, counted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pose3d.data import Keypoints2D, Rig
from pose3d.errors import ConfigError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray, frozen_array
from pose3d.log import Progress, logger, no_progress
from pose3d.reconstruction.association.swap_search import exchange_partners, find_swaps
from pose3d.reconstruction.points.chunks import learn_noise
from pose3d.reconstruction.points.consensus import agree
from pose3d.reconstruction.points.inputs import check_scores, check_settings, match_cameras, view_weights
from pose3d.reconstruction.points.noise import Noise
from pose3d.reconstruction.points.views import Lenses, views_of

__all__ = ["SwapRepair", "exchange_sides", "index_pairs", "repair_swaps"]

_POINTS = 16384  # at once
_MARGIN_FRAMES = 32  # of the neighbouring chunks, so that no frame lies at an edge
_COARSE = 0.9  # noise that falls below this share once swaps are repaired was blown up by them: search again
_MANY = 0.5  # share of a camera's views from which its names as a whole are in question


@dataclass(frozen=True, eq=False)
class SwapRepair:
    """Detections with left and right put right.

    Attributes
    ----------
    keypoints : Keypoints2D
        Repaired.
    swapped : (n_frames, n_cameras, n_individuals, n_pairs) bool array
        Views in which the partners of a pair were exchanged.
    present : (n_frames, n_cameras, n_individuals, n_pairs) bool array
        Views that show at least one of the two.
    pairs : tuple of (str, str)
    """

    keypoints: Keypoints2D
    swapped: BoolArray
    present: BoolArray
    pairs: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        k = self.keypoints
        shape = (k.n_frames, len(k.cameras), len(k.individuals), len(self.pairs))
        for name in ("swapped", "present"):
            object.__setattr__(self, name, frozen_array(getattr(self, name), shape=shape, what=name, dtype=np.bool_))

    @property
    def n_views(self) -> IntArray:
        """Views that show a pair, (n_cameras, n_pairs)."""
        return np.asarray(self.present.sum((0, 2)), dtype=np.int64)

    @property
    def n_swapped(self) -> IntArray:
        """Those in which it was exchanged, (n_cameras, n_pairs)."""
        return np.asarray(self.swapped.sum((0, 2)), dtype=np.int64)

    @property
    def longest_run(self) -> IntArray:
        """Most frames in a row that showed a pair exchanged, (n_cameras, n_pairs)."""
        frames = np.arange(1, len(self.swapped) + 1)[:, None, None, None]
        since = np.maximum.accumulate(np.where(self.swapped, 0, frames), axis=0)
        return np.asarray((frames - since).max((0, 2), initial=0), dtype=np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; only pairs that were exchanged at least once."""
        n_views, n_swapped, longest = self.n_views, self.n_swapped, self.longest_run
        cameras = [
            {
                "name": name,
                "n_views": int(n_views[c].sum()),
                "n_swapped": int(n_swapped[c].sum()),
                "pairs": [
                    {
                        "pair": list(self.pairs[m]),
                        "n_views": int(n_views[c, m]),
                        "n_swapped": int(n_swapped[c, m]),
                        "longest_run": int(longest[c, m]),
                    }
                    for m in np.flatnonzero(n_swapped[c])
                ],
            }
            for c, name in enumerate(self.keypoints.cameras)
        ]
        return {"n_views": int(n_views.sum()), "n_swapped": int(n_swapped.sum()), "cameras": cameras}

    def lines(self) -> list[str]:
        """Return the counts as lines for people."""
        n_views, n_swapped, longest = self.n_views, self.n_swapped, self.longest_run
        total, found = int(n_views.sum()), int(n_swapped.sum())
        share = 100 * found / total if total else 0.0
        out = [f"left and right exchanged in {found} of {total} views of a pair ({share:.2g} %)"]
        for c, name in enumerate(self.keypoints.cameras):
            if not n_swapped[c].any():
                continue
            parts = [
                f"{'/'.join(self.pairs[m])} {n_swapped[c, m]}"
                + (f" (up to {longest[c, m]} frames in a row)" if longest[c, m] > 1 else "")
                for m in np.argsort(-n_swapped[c], kind="stable")
                if n_swapped[c, m]
            ]
            line = f"{name}: {n_swapped[c].sum()} of {n_views[c].sum()}: {', '.join(parts)}"
            if n_swapped[c].sum() > _MANY * n_views[c].sum():
                line += "; most of this camera's: is its video mirrored, or are its names exchanged?"
            out.append(line)
        return out


def index_pairs(keypoints: Sequence[str], pairs: Sequence[tuple[str, str]]) -> IntArray:
    """Return the positions (n_pairs, 2) of named pairs.

    Raises
    ------
    ConfigError
        If a pair names a keypoint that is not there, or one that another pair has.
    """
    seen: set[str] = set()
    for pair in pairs:
        for name in pair:
            if name not in keypoints:
                raise ConfigError(
                    f"pair {'/'.join(pair)}: there is no keypoint {name!r}; there are {', '.join(keypoints)}"
                )
            if name in seen:
                raise ConfigError(
                    f"pair {'/'.join(pair)}: {name!r} is in a pair already; give each keypoint one partner"
                )
            seen.add(name)
    position = {name: k for k, name in enumerate(keypoints)}
    return np.array([[position[name] for name in pair] for pair in pairs], dtype=np.int64).reshape(-1, 2)


def repair_swaps(
    keypoints: Keypoints2D,
    rig: Rig,
    pairs: Sequence[tuple[str, str]],
    *,
    score_threshold: float = 0.05,
    weighted: bool = True,
    noise_px: FloatArray | None = None,
    progress: Progress = no_progress,
) -> SwapRepair:
    """Find the views in which a network has exchanged left and right, and exchange them back.

    Each view of each pair is compared with what the other cameras see, labels as they are and exchanged; where a
    frame leaves that open, with the frames around it. Exchanged is what fits better by a clear margin: a pair whose
    partners lie within a few pixels of each other stays as it is. A view that shows one of the two only can be
    exchanged as well.

    What no method can know: if all cameras exchange a pair all the time, everything fits, and the names are wrong.
    If most cameras do, for long, the others are taken for the wrong ones, unless the labels are seen to change over
    between two frames. With two cameras, only that continuity tells which of the two is wrong.

    Parameters
    ----------
    keypoints : Keypoints2D
    rig : Rig
        Cameras are matched by name.
    pairs : sequence of (str, str)
        Left and right partners, such as `Skeleton.pairs`.
    score_threshold : float
        Views with a lower score are no evidence; they are exchanged with their partners.
    weighted : bool
        Weight views by their score.
    noise_px : (n_cameras,) array, px, optional
        Standard deviation of each camera's detections, per axis; by default estimated.
    progress : Progress

    Returns
    -------
    SwapRepair

    Raises
    ------
    ConfigError
        If a pair names an unknown keypoint or one that another pair has, or if a setting is out of range.
    DataError
        If detections and rig do not fit, as in :func:`~pose3d.reconstruction.triangulate`.
    """
    index = index_pairs(keypoints.keypoints, pairs)
    check_settings(keypoints, score_threshold, 2, None)
    lenses = Lenses.of(match_cameras(keypoints, rig))
    weight = view_weights(keypoints, score_threshold=score_threshold, weighted=weighted)
    check_scores(keypoints, weight, score_threshold)
    if weight.any():
        weight *= np.count_nonzero(weight) / weight.sum()
    if noise_px is not None:
        noise_px = np.asarray(noise_px, dtype=np.float64)
        if noise_px.shape != (len(keypoints.cameras),) or not (noise_px > 0).all():
            raise ConfigError(
                f"noise_px: one positive number a camera expected, not {noise_px}; leave it out to estimate"
            )
    noise = learn_noise(lenses, keypoints.xy, weight)
    if noise_px is not None:
        noise = Noise(noise_px, noise.threshold_px * noise_px / noise.noise_px)
    swapped = _search(lenses, keypoints.xy, weight, index, noise, progress)
    if noise_px is None and swapped.any():
        xy, repaired_weight = (exchange_partners(values, swapped, index) for values in (keypoints.xy, weight))
        finer = learn_noise(lenses, xy, repaired_weight)
        if (finer.noise_px < _COARSE * noise.noise_px).any():
            swapped = _search(lenses, keypoints.xy, weight, index, finer, progress)
    xy, score = (exchange_partners(values, swapped, index) for values in (keypoints.xy, keypoints.score))
    there = np.isfinite(keypoints.xy[..., 0])
    present = there[..., index[:, 0]] | there[..., index[:, 1]]
    repair = SwapRepair(
        replace(keypoints, xy=xy, score=score), swapped, present, tuple((left, right) for left, right in pairs)
    )
    logger.info("exchanged left and right in %d of %d views of a pair", swapped.sum(), present.sum())
    return repair


def exchange_sides(keypoints: Keypoints2D, swapped: BoolArray, pairs: Sequence[tuple[str, str]]) -> Keypoints2D:
    """Return the detections with the partners exchanged where they are swapped.

    Parameters
    ----------
    keypoints : Keypoints2D
    swapped : (n_frames, n_cameras, n_individuals, n_pairs) bool array
    pairs : sequence of (str, str)
    """
    if not swapped.any():
        return keypoints
    index = index_pairs(keypoints.keypoints, pairs)
    xy, score = (exchange_partners(values, swapped, index) for values in (keypoints.xy, keypoints.score))
    return replace(keypoints, xy=xy, score=score)


def _runs(n_frames: int, points_a_frame: int) -> Iterator[tuple[slice, slice]]:
    """Frames to look at and, within these, frames to decide."""
    step = max(_MARGIN_FRAMES, _POINTS // max(1, points_a_frame))
    for first in range(0, n_frames, step):
        last = min(first + step, n_frames)
        start = max(0, first - _MARGIN_FRAMES)
        yield slice(start, min(n_frames, last + _MARGIN_FRAMES)), slice(first - start, last - start)


def _search(
    lenses: Lenses, xy: FloatArray, weight: FloatArray, index: IntArray, noise: Noise, progress: Progress
) -> BoolArray:
    n_frames, n_cameras, n_individuals, n_keypoints = weight.shape
    swapped = np.zeros((n_frames, n_cameras, n_individuals, len(index)), dtype=np.bool_)
    for look, decide in _runs(n_frames, n_individuals * n_keypoints):
        pixels, part = (np.ascontiguousarray(np.moveaxis(values[look], 1, 0)) for values in (xy, weight))
        views = views_of(lenses, pixels.reshape(n_cameras, -1, 2), part.reshape(n_cameras, -1))
        points, _ = agree(lenses, views, noise.noise_px, noise.threshold_px)
        shape = {"n_frames": pixels.shape[1], "n_individuals": n_individuals}
        exchanged = find_swaps(lenses, views, points, noise.noise_px, index, **shape)
        done = slice(look.start + decide.start, look.start + decide.stop)
        swapped[done] = np.moveaxis(exchanged, 0, 1)[decide]
        progress("left and right", done.stop, n_frames)
    return swapped
