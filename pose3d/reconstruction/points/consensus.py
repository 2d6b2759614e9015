"""Which views of a point agree: all pairs of cameras as hypotheses, judged by a truncated cost over all views."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.points.likelihood import Pull, squared_at, start_points, step_points
from pose3d.reconstruction.points.views import Lenses, Views, fit, in_cameras

__all__ = ["Consensus", "agree", "best_pairs", "find_consensus"]

_PAIRS = 40  # tried a point, all up to nine views; with half of the views wrong about ten of them are still right
_DROPS, _LEAST_KEPT = (
    2,
    3,
)  # views left out one by one, and what must stay: two views can nearly always be made to agree
_WELL = 2.0  # squared errors over the noise a degree of freedom: some 97 % of right choices stay below
_CLEAR = 0.9  # of a view left out: by so much the best of several pairs must beat the next to be believed alone
_COLUMNS = 8192  # hypotheses at once


class Consensus(NamedTuple):
    """Points and the views that agree on them.

    Attributes
    ----------
    points : (3, n_points) array, mm
        NaN where fewer than two views agree.
    normal : (6, n_points) array, 1/mm^2
        Inverse of the covariance.
    chosen : (n_cameras, n_points) bool array
        Views that agree.
    """

    points: FloatArray
    normal: FloatArray
    chosen: BoolArray


def best_pairs(
    lenses: Lenses, views: Views, noise_px: FloatArray, threshold_px: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Try the points of all pairs of views (40 of them at most) and keep the one that the views together like best.

    The point of a pair lies on the shortest segment between the rays, nearer to the camera that sees it at the finer
    scale, which is to first order the maximum-likelihood point of two views.

    Parameters
    ----------
    lenses : Lenses
    views : Views
    noise_px : (n_cameras,) array, px
    threshold_px : (n_cameras,) array, px, or None
        Error at which a view's squared cost stops growing (MSAC). None sums absolute errors, which needs no scale.

    Returns
    -------
    points : (3, n_points) array, mm
        NaN where no pair meets before its cameras.
    cost, second : (n_points,) array
        Of the best pair and of the next best.

    References
    ----------
    Torr & Zisserman (2000), MLESAC: a new robust estimator with application to estimating image geometry,
    Computer Vision and Image Understanding 78:138, eq. 17 (the truncated cost).
    """
    n_cameras, n_points = views.x.shape
    # Neighbours first, then next neighbours, so that the pairs of a rig with too many spread evenly over its cameras.
    order = sorted(combinations(range(n_cameras), 2), key=lambda pair: (pair[1] - pair[0], pair[0]))
    i, j = np.array(order).reshape(-1, 2).T
    used = views.used
    tried = used[i] & used[j]
    if len(order) > _PAIRS:
        tried &= np.cumsum(tried, axis=0) <= _PAIRS
    best = np.full((3, n_points), np.nan)
    least, second = np.full((2, n_points), np.inf)
    pairs = np.flatnonzero(tried.any(1))
    step = max(1, _COLUMNS // max(1, len(pairs)))
    for first in range(0, n_points if len(pairs) else 0, step):
        run = slice(first, min(first + step, n_points))
        points, cost = _try_pairs(lenses, views.run(run), (i[pairs], j[pairs]), noise_px, threshold_px)
        cost[~(tried[pairs, run] & np.isfinite(cost))] = np.inf
        winner, columns = cost.argmin(0), np.arange(cost.shape[1])
        least[run] = cost[winner, columns]
        best[:, run] = points[:, winner, columns]
        cost[winner, columns] = np.inf
        second[run] = cost.min(0)
    best[:, ~np.isfinite(least)] = np.nan
    return best, least, second


def _try_pairs(
    lenses: Lenses,
    views: Views,
    pairs: tuple[IntArray, IntArray],
    noise_px: FloatArray,
    threshold_px: FloatArray | None,
) -> tuple[FloatArray, FloatArray]:
    """Return the points (3, n_pairs, n) of pairs of cameras and what all views say to them (n_pairs, n)."""
    i, j = pairs
    R = lenses.rotation
    rays = np.stack(
        [R[:, 0, k, None] * views.x + R[:, 1, k, None] * views.y + R[:, 2, k, None] for k in range(3)], axis=1
    )
    centers = -np.einsum("cji,cj->ci", R, lenses.translation)
    fine = np.abs(views.a11 * views.a22 - views.a12 * views.a21) / noise_px[:, None] ** 2 * views.weight
    base = centers[i] - centers[j]
    with np.errstate(all="ignore"):
        p, q = rays[i], rays[j]  # (n_pairs, 3, n); of depth 1, so that lengths along them are depths
        squared = np.einsum("ckn,ckn->cn", rays, rays)
        pp, qq, pq = squared[i], squared[j], np.einsum("pkn,pkn->pn", p, q)
        along_p, along_q = (np.matmul(base[:, None], ray)[:, 0] for ray in (p, q))
        below = 1 / (pp * qq - pq * pq)
        z_i = (pq * along_q - qq * along_p) * below
        z_j = (pp * along_q - pq * along_p) * below
        a, b = fine[i] * z_j * z_j, fine[j] * z_i * z_i
        share = a / (a + b)
        points = centers[j][:, :, None] + z_j[:, None] * q
        points += share[:, None] * (centers[i][:, :, None] + z_i[:, None] * p - points)
        points = np.ascontiguousarray(points.swapaxes(0, 1))
        shape = (len(R), len(i), views.x.shape[1])
        depth, u, v = (each.reshape(shape) for each in in_cameras(lenses, points.reshape(3, -1)))
        u -= views.x[:, None]
        v -= views.y[:, None]
        inverse = 1 / (noise_px if threshold_px is None else threshold_px)[:, None] ** 2
        error = u * (2 * inverse * views.m12)[:, None]
        error *= v
        u *= u
        u *= (inverse * views.m11)[:, None]
        v *= v
        v *= (inverse * views.m22)[:, None]
        error += u
        error += v
        # In units of the threshold leaving out a view costs the same for every camera, however uneven they are.
        error = np.sqrt(error) if threshold_px is None else np.minimum(error, 1.0)
        error[~(depth > 0)] = 1e6 if threshold_px is None else 1.0
        cost = np.einsum("cn,cpn->pn", views.weight, error)
        cost[~((z_i > 0) & (z_j > 0))] = np.inf
    return points, cost


def agree(lenses: Lenses, views: Views, noise_px: FloatArray, threshold_px: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the points of :func:`find_consensus` (3, n_points) and their views (n_cameras, n_points)."""
    found = find_consensus(lenses, views, noise_px, threshold_px)
    return found.points, found.chosen


def find_consensus(
    lenses: Lenses, views: Views, noise_px: FloatArray, threshold_px: FloatArray, *, exhaustive: bool = False
) -> Consensus:
    """Find for every point the views that agree, and the maximum-likelihood point of these.

    First all views together: if that costs less than leaving out even one view would, no hypothesis can be cheaper
    and the point is done. Then all but the one or two views that fit worst, judged in the same way. The rest goes
    through :func:`best_pairs`, a fit to the views within the threshold of the best hypothesis, and a second choice of
    views around that fit. Where no more than two of several views agree in the end and another two would do as well,
    one frame cannot tell which are right, and there is no point.

    Parameters
    ----------
    lenses : Lenses
    views : Views
    noise_px, threshold_px : (n_cameras,) array, px
    exhaustive : bool
        Try all pairs for every point: slow, and the reference for the shorter ways.
    """
    used = views.used
    pull = Pull.of(views, views.weight / noise_px[:, None] ** 2)
    scale = (noise_px / threshold_px)[:, None] ** 2  # squared errors over the noise to those over the threshold
    n_used = used.sum(0)
    if exhaustive:
        open_ = np.flatnonzero(n_used >= 2)
        points, normal = np.full((3, len(n_used)), np.nan), np.full((6, len(n_used)), np.nan)
        chosen = np.zeros_like(used)
    else:
        points, normal, settled, all_cost, squared = _settle(lenses, pull, views.weight, used, scale)
        chosen = used & settled
        open_ = np.flatnonzero(~settled & (n_used >= 2))
        points[:, ~settled] = np.nan
        several = open_[n_used[open_] > _LEAST_KEPT]
        if len(several):
            error = squared[:, several] * scale
            part = pull.take(several), views.weight[:, several], error, all_cost[several]
            for settled_too in _leave_out_worst(lenses, *part, scale):
                done = several[settled_too.which]
                points[:, done], normal[:, done], chosen[:, done] = settled_too[1:]
            open_ = open_[~chosen[:, open_].any(0)]
    if len(open_):
        points[:, open_], normal[:, open_], chosen[:, open_] = _by_pairs(
            lenses, views.take(open_), pull.take(open_), noise_px, threshold_px
        )
    return Consensus(points, normal, chosen)


def _settle(
    lenses: Lenses, pull: Pull, weight: FloatArray, used: BoolArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray, FloatArray, FloatArray]:
    """Fit all views together: points, normal matrices, whether no view is better left out, cost, squared errors."""
    step = step_points(lenses, pull, start_points(lenses, pull))
    least = weight.min(0)
    if not least.all():
        least = np.where(used, weight, np.inf).min(0)
    with np.errstate(invalid="ignore"):
        # Never too small: the cost over the noise, at the most that it can be over the thresholds.
        cost = step.cost * scale.max()
        settled = cost <= least
        settled &= (step.depth > 0).all(0) | (~used | (step.depth > 0)).all(0)
    settled &= used.sum(0) >= 2
    return step.points, step.normal, settled, cost, step.squared


class _Settled(NamedTuple):
    """Some of the points of a chunk, by index, with their results."""

    which: IntArray
    points: FloatArray
    normal: FloatArray
    chosen: BoolArray


def _leave_out_worst(
    lenses: Lenses, pull: Pull, weight: FloatArray, error: FloatArray, all_cost: FloatArray, scale: FloatArray
) -> Iterator[_Settled]:
    """Leave out the view that fits worst, up to twice; yield the points of which the others agree, and it does not.

    `error` (n_cameras, n_points) and `all_cost` (n_points,) are those of all views together, over the thresholds.
    """
    index = np.arange(pull.x.shape[1])
    kept = weight > 0
    dropped = np.zeros(len(index))
    cost = all_cost
    for n_dropped in range(1, _DROPS + 1):
        enough = np.flatnonzero(kept.sum(0) > _LEAST_KEPT)
        if not len(enough):
            return
        if len(enough) < len(index):
            index, dropped, cost = index[enough], dropped[enough], cost[enough]
            pull, weight, kept, error = pull.take(enough), weight[:, enough], kept[:, enough], error[:, enough]
        columns = np.arange(len(index))
        worst = np.where(kept, np.nan_to_num(error, nan=np.inf), -1.0).argmax(0)
        kept[worst, columns] = False
        dropped = dropped + weight[worst, columns]
        part = pull.only(kept)
        step = step_points(lenses, part, start_points(lenses, part))
        left_out = (weight > 0) & ~kept
        with np.errstate(invalid="ignore", over="ignore"):
            depth, outside = squared_at(lenses, pull, step.points)
            misfit = step.cost * scale.max()
            before, cost = cost, misfit + dropped
            # Cheaper than with one view less left out; and than any other point could be, since two points share one
            # view at most, but for chance.
            agreeing = weight * kept
            clear = cost <= np.minimum(before, agreeing.sum(0) - agreeing.max(0))
            # An exact camera drags the fit to itself even where it is wrong, and the blame falls on another view;
            # but then the rest fits badly too.
            clear &= step.cost <= _WELL * (2 * kept.sum(0) - 3) + 3
            outside *= scale
            clear &= (~left_out | (outside > weight) | ~(depth > 0)).all(0)
            clear &= (~kept | (step.depth > 0)).all(0)
        yield _Settled(index[clear], step.points[:, clear], step.normal[:, clear], kept[:, clear])
        if n_dropped == _DROPS:
            return
        rest = np.flatnonzero(~clear)
        index, dropped, cost = index[rest], dropped[rest], cost[rest]
        pull, weight, kept = pull.take(rest), weight[:, rest], kept[:, rest]
        error = step.squared[:, rest] * scale


def _by_pairs(
    lenses: Lenses, views: Views, pull: Pull, noise_px: FloatArray, threshold_px: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    points, least, second = best_pairs(lenses, views, noise_px, threshold_px)
    used = views.used
    with np.errstate(invalid="ignore"):
        rivalled = second - least < _CLEAR * views.weight.max(0)
    limit = threshold_px[:, None] ** 2
    for _round in range(2):
        at = fit(lenses, views, points)
        with np.errstate(invalid="ignore"):
            inside = used & (at.squared_px <= limit) & (at.depth > 0)
        step = step_points(lenses, pull.only(inside), points)
        points = step.points
    n_inside = inside.sum(0)
    enough = (n_inside >= 2) & np.isfinite(points).all(0)
    enough &= (n_inside > 2) | (used.sum(0) == 2) | ~rivalled
    return np.where(enough, points, np.nan), step.normal, inside & enough
