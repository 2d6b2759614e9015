"""People in each frame by itself: combinations of detections, one a view, that make one body in space."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.association.people_sights import (
    FEWEST,
    Optics,
    Sights,
    compare,
    detection_pairs,
    epipolar_errors,
    mutual_places,
)

__all__ = ["AGREES", "People", "find_people"]

AGREES = 0.4
"""Agreement of a view with a person in space from which it shows that person."""

_ALIKE = 0.5  # agreement of two views from which they may show one person
_SEEDS = 8  # pairs of detections tried in a frame, for each individual that a view may show
_SKETCH = 12  # keypoints that the first search looks at
_TWIN = 0.5  # sizes of a body within which two hypotheses that share detections are the same person
_WIDTHS = (4.0, 1.0, 0.5)  # of the threshold: scales of the errors in successive fits


class People(NamedTuple):
    """A few hypotheses a frame, best first: who is there, and which detections show it.

    Two hypotheses may claim the same detection; time decides between them.

    Attributes
    ----------
    detection : (n_frames, n_hypotheses, n_cameras) int array
        Index of the individual in each view, -1 where none agrees; -1 everywhere where there is no hypothesis.
    xyz : (n_frames, n_hypotheses, n_keypoints, 3) array, mm
        NaN where unknown.
    support : (n_frames, n_hypotheses, n_cameras) array
        What each view adds to the score.
    score : (n_frames, n_hypotheses) array
        Sum over views of the share of keypoints that agree, weighted by their scores; 0 without a hypothesis.
    center : (n_frames, n_hypotheses, 3) array, mm
    size : (n_frames, n_hypotheses) array, mm
        Root mean square distance of the keypoints from the centre.
    """

    detection: IntArray
    xyz: FloatArray
    support: FloatArray
    score: FloatArray
    center: FloatArray
    size: FloatArray

    @property
    def there(self) -> BoolArray:
        """(n_frames, n_hypotheses) bool array."""
        return self.score > 0


class _Bodies(NamedTuple):
    """Hypotheses as rows, judged in all views."""

    frame: IntArray
    xyz: FloatArray
    detection: IntArray
    support: FloatArray
    score: FloatArray
    center: FloatArray
    size: FloatArray

    def take(self, rows: IntArray | BoolArray) -> "_Bodies":
        return _Bodies._make(part[rows] for part in self)


def _pair_bodies(optics: Optics, rays_i: FloatArray, rays_j: FloatArray, i: int, j: int) -> FloatArray:
    """Intersect the rays (n, n_keypoints, 2) of two cameras; NaN where they do not meet before both."""
    ones = np.ones((*rays_i.shape[:-1], 1))
    p = np.concatenate([rays_i, ones], axis=-1) @ optics.rotation[i]
    q = np.concatenate([rays_j, ones], axis=-1) @ optics.rotation[j]
    base = optics.centers[i] - optics.centers[j]
    pp, qq, pq = ((a * b).sum(-1) for a, b in ((p, p), (q, q), (p, q)))
    with np.errstate(all="ignore"):
        below = 1 / (pp * qq - pq * pq)
        z_i = (pq * (q @ base) - qq * (p @ base)) * below
        z_j = (pp * (q @ base) - pq * (p @ base)) * below
        X = (optics.centers[i] + z_i[..., None] * p + optics.centers[j] + z_j[..., None] * q) / 2
        good = (z_i > 0) & (z_j > 0) & np.isfinite(X).all(-1)
    return np.where(good[..., None], X, np.nan)


def _seeds(optics: Optics, sights: Sights, threshold_px: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return frame and body of pairs of detections that may be one person, the most alike of every frame first."""
    frames, bodies, masses = [], [], []
    n_keypoints = sights.weight.shape[-1]
    for i, j in combinations(range(len(optics.focal)), 2):
        pairs = detection_pairs(sights, i, j)
        if not len(pairs[0]):
            continue
        off, weight = epipolar_errors(optics, sights, i, j, pairs)
        limit = np.sqrt(threshold_px[i] * threshold_px[j])
        near = weight * np.maximum(0.0, 1 - (np.nan_to_num(off, nan=np.inf) / limit) ** 2)
        total, mass = weight.sum(1), near.sum(1)
        enough = (weight > 0).sum(1) >= min(FEWEST, n_keypoints)
        good = np.flatnonzero(enough & (mass >= _ALIKE * total) & (mass > 0))
        frame, a, b = (index[good] for index in pairs)
        X = _pair_bodies(optics, sights.rays[frame, i, a], sights.rays[frame, j, b], i, j)
        X[near[good] <= 0] = np.nan
        frames.append(frame)
        bodies.append(X)
        masses.append(mass[good])
    if not frames:
        return np.zeros(0, dtype=np.int64), np.zeros((0, n_keypoints, 3))
    frame, mass = np.concatenate(frames), np.concatenate(masses)
    order = np.lexsort((-mass, frame))
    frame = frame[order]
    rank = np.arange(len(frame)) - np.searchsorted(frame, frame)
    keep = rank < _SEEDS * (sights.present.shape[2] + 1)
    return frame[keep], np.concatenate(bodies)[order][keep]


def _judge(
    optics: Optics, sights: Sights, frame: IntArray, xyz: FloatArray, threshold_px: FloatArray, partner: IntArray | None
) -> _Bodies:
    """Find for each body the detection in each view that shows it; bodies that two views do not show are dropped."""
    support, agreement = compare(optics, sights, frame, xyz, threshold_px=threshold_px, partner=partner)
    support = np.where(sights.present[frame] & (agreement >= AGREES), support, 0.0)
    best = support.max(-1)
    detection = np.where(best > 0, support.argmax(-1), -1)
    known = np.isfinite(xyz[..., 0])
    n_known = np.maximum(known.sum(-1), 1)
    filled = np.where(known[..., None], xyz, 0.0)
    center = filled.sum(1) / n_known[:, None]
    size = np.sqrt((((filled - center[:, None]) ** 2).sum(-1) * known).sum(-1) / n_known)
    bodies = _Bodies(frame, xyz, detection, best, best.sum(-1), center, size)
    return bodies.take((detection >= 0).sum(-1) >= 2)


def _refit(optics: Optics, sights: Sights, bodies: _Bodies, threshold_px: FloatArray) -> FloatArray:
    """Triangulate each body from all of its detections, keypoints that are far off weighted down."""
    cameras = np.arange(len(optics.focal))
    index = np.maximum(bodies.detection, 0)
    rays = sights.rays[bodies.frame[:, None], cameras, index]
    weight = sights.weight[bodies.frame[:, None], cameras, index] * (bodies.detection >= 0)[..., None]
    far = np.einsum("ci,ni->nc", optics.rotation[:, 2], bodies.center) + optics.translation[:, 2]
    xyz = np.array(bodies.xyz)
    unknown = np.isnan(xyz[..., 0])  # the first search has not looked at it: begin with all views
    xyz[unknown] = mutual_places(optics, rays, weight, np.broadcast_to(far[..., None], weight.shape))[unknown]
    for width in _WIDTHS:
        local = np.einsum("cij,nkj->nick", optics.rotation, xyz) + optics.translation.T[:, :, None]
        z = local[:, 2]
        with np.errstate(all="ignore"):
            across, down = local[:, 0] / z - rays[..., 0], local[:, 1] / z - rays[..., 1]
            off = (across * across + down * down) * (optics.focal / (width * threshold_px))[:, None] ** 2
            near = np.nan_to_num(1 / (1 + off) ** 2, nan=0.0)
        xyz = mutual_places(optics, rays, weight * near, z)
    return xyz


def _distinct(bodies: _Bodies, n_frames: int, most: int) -> tuple[IntArray, BoolArray]:
    """Choose the best bodies of each frame, leaving out weaker copies of the same person.

    Returns
    -------
    row : (n_frames, most) int array
    there : (n_frames, most) bool array
    """
    order = np.lexsort((-bodies.score, bodies.frame))
    frame = bodies.frame[order]
    rank = np.arange(len(frame)) - np.searchsorted(frame, frame)
    width = int(rank.max()) + 1 if len(rank) else 1
    row = np.zeros((n_frames, width), dtype=np.int64)
    open_ = np.zeros((n_frames, width), dtype=bool)
    row[frame, rank], open_[frame, rank] = order, True
    detection, center = bodies.detection[row], bodies.center[row]
    chosen = np.zeros((n_frames, most), dtype=np.int64)
    there = np.zeros((n_frames, most), dtype=bool)
    every = np.arange(n_frames)
    for k in range(min(most, width)):
        first = open_.argmax(1)  # best of those left: rows are sorted by score
        there[:, k] = open_[every, first]
        chosen[:, k] = row[every, first]
        own, size = detection[every, first][:, None], bodies.size[chosen[:, k]][:, None]
        same = (detection == own) & (own >= 0)
        subset = (same | (detection < 0)).all(-1)
        apart = np.linalg.norm(center - center[every, first][:, None], axis=-1)
        mostly = 2 * same.sum(-1) >= (detection >= 0).sum(-1)
        open_ &= ~(subset | (mostly & (apart < _TWIN * size)))
        open_[every, first] = False
    return chosen, there


def find_people(
    optics: Optics,
    sights: Sights,
    threshold_px: FloatArray,
    *,
    partner: IntArray | None = None,
    most: int = 4,
) -> People:
    """Find who stands in space, in each frame by itself.

    Every pair of detections in two views that satisfies the epipolar constraint is a hypothesis; it is triangulated
    and judged by what all views show where it should be seen. The best of each frame are triangulated again from all
    views that agree.

    Parameters
    ----------
    optics : Optics
    sights : Sights
    threshold_px : (n_cameras,) array
    partner : (n_keypoints,) int array, optional
        Keypoint on the other side of the body, itself where there is none.
    most : int
        Hypotheses kept a frame.
    """
    n_frames, n_cameras, _, n_keypoints = sights.weight.shape
    out = People(
        np.full((n_frames, most, n_cameras), -1, dtype=np.int64),
        np.full((n_frames, most, n_keypoints, 3), np.nan),
        np.zeros((n_frames, most, n_cameras)),
        np.zeros((n_frames, most)),
        np.full((n_frames, most, 3), np.nan),
        np.full((n_frames, most), np.nan),
    )
    sketch = np.sort(np.argsort(-sights.weight.sum((0, 1, 2)), kind="stable")[:_SKETCH])
    few = sights._replace(rays=sights.rays[..., sketch, :], weight=sights.weight[..., sketch])
    frame, drawn = _seeds(optics, few, threshold_px)
    bodies = _judge(optics, few, frame, drawn, threshold_px, None)
    if not len(bodies.frame):
        return out
    row, there = _distinct(bodies, n_frames, most)
    bodies = bodies.take(row[there])
    xyz = np.full((len(bodies.frame), n_keypoints, 3), np.nan)
    xyz[:, sketch] = bodies.xyz
    bodies = bodies._replace(xyz=xyz)
    xyz = _refit(optics, sights, bodies, threshold_px)
    bodies = _judge(optics, sights, bodies.frame, xyz, threshold_px, partner)
    if not len(bodies.frame):
        return out
    row, there = _distinct(bodies, n_frames, most)
    rows = row[there]
    for field, target in out._asdict().items():
        target[there] = getattr(bodies, field)[rows]
    return out
