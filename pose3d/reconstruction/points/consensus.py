"""Which views of a point agree: all pairs of cameras as hypotheses, judged by a truncated cost over all views."""

from itertools import combinations

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.reconstruction.points.likelihood import linear_points, refine
from pose3d.reconstruction.points.views import Lenses, Views, fit

__all__ = ["agree", "best_pairs"]

_PAIRS = 40  # tried a point, all up to nine views; with half of the views wrong about ten of them are still right


def _pair_points(lenses: Lenses, rays: FloatArray, pull: FloatArray, i: int, j: int) -> tuple[FloatArray, BoolArray]:
    """Intersect the rays (3, 2, n) of cameras i and j; False where they meet behind one of them.

    The point lies on the shortest segment between the rays, nearer to the camera that sees it at the finer scale
    (`pull` over squared depth), which is to first order the maximum-likelihood point of two views.
    """
    c_i, c_j = (-lenses.rotation[k].T @ lenses.translation[k] for k in (i, j))
    base = c_i - c_j
    p, q = rays[:, 0], rays[:, 1]
    pp, qq, pq = ((a * b).sum(0) for a, b in ((p, p), (q, q), (p, q)))
    along_p, along_q = base @ p, base @ q
    # Rays have depth 1 in their cameras, so the parameters of the nearest points are their depths.
    below = 1 / (pp * qq - pq * pq)
    z_i = (pq * along_q - qq * along_p) * below
    z_j = (pp * along_q - pq * along_p) * below
    a, b = pull[0] * z_j * z_j, pull[1] * z_i * z_i
    share = a / (a + b)
    points = c_j[:, None] + z_j * q
    points += share * (c_i[:, None] + z_i * p - points)
    return points, (z_i > 0) & (z_j > 0)


def best_pairs(
    lenses: Lenses, views: Views, noise_px: FloatArray, threshold_px: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Try the points of all pairs of views (40 of them at most) and keep the one that the views together like best.

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
    cost : (n_points,) array

    References
    ----------
    Torr & Zisserman (2000), MLESAC: a new robust estimator with application to estimating image geometry,
    Computer Vision and Image Understanding 78:138, eq. 17 (the truncated cost).
    """
    n_cameras, n_points = views.x.shape
    used = views.used
    R = lenses.rotation
    rays = np.empty((3, n_cameras, n_points))
    for axis in range(3):
        rays[axis] = R[:, 0, axis, None] * views.x + R[:, 1, axis, None] * views.y + R[:, 2, axis, None]
    pull = np.abs(views.a11 * views.a22 - views.a12 * views.a21) / noise_px[:, None] ** 2 * views.weight
    # In units of the threshold leaving out a view costs the same for every camera, however uneven they are.
    inverse = 1 / (noise_px if threshold_px is None else threshold_px)[:, None] ** 2
    best = np.full((3, n_points), np.nan)
    least = np.full(n_points, np.inf)
    tried = np.zeros(n_points, dtype=np.int64)
    # Neighbours first, then next neighbours, so that the pairs of a rig with too many spread evenly over its cameras.
    for i, j in sorted(combinations(range(n_cameras), 2), key=lambda pair: (pair[1] - pair[0], pair[0])):
        both = used[i] & used[j] & (tried < _PAIRS)
        if not both.any():
            continue
        tried += both
        part = np.flatnonzero(both) if 2 * both.sum() < n_points else np.arange(n_points)
        some = views if len(part) == n_points else views.take(part)
        with np.errstate(all="ignore"):
            points, before = _pair_points(lenses, rays[:, (i, j)][..., part], pull[(i, j), :][:, part], i, j)
            seen = fit(lenses, some, points)
            error = seen.squared_px * inverse
            error = np.sqrt(error) if threshold_px is None else np.minimum(error, 1.0)
            error = np.where(seen.depth > 0, error, 1e6 if threshold_px is None else 1.0)
            cost = np.einsum("cn,cn->n", some.weight, error)
            better = both[part] & before & (cost < least[part])
        least[part[better]] = cost[better]
        best[:, part[better]] = points[:, better]
    return best, least


def agree(lenses: Lenses, views: Views, noise_px: FloatArray, threshold_px: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Find for every point the views that agree, and the point that they make.

    First all views together: if that costs less than leaving out even one view would, no hypothesis can be cheaper
    and the point is done. The others go through :func:`best_pairs`, a fit to the views within the threshold of the
    best hypothesis, and a second choice of views around that fit.

    Parameters
    ----------
    lenses : Lenses
    views : Views
    noise_px, threshold_px : (n_cameras,) array, px

    Returns
    -------
    points : (3, n_points) array, mm
        NaN where fewer than two views agree.
    chosen : (n_cameras, n_points) array
        Views that agree.
    """
    used = views.used
    precision = views.weight / noise_px[:, None] ** 2
    squared_limit = threshold_px[:, None] ** 2
    points = linear_points(lenses, views, precision)
    points = refine(lenses, views, precision, points, fit(lenses, views, points))
    seen = fit(lenses, views, points)
    with np.errstate(all="ignore"):
        cost = np.where(used, views.weight * seen.squared_px / squared_limit, 0.0).sum(0)
        bound = np.where(used, views.weight, np.inf).min(0)
        before = (~used | (seen.depth > 0)).all(0)
        settled = (cost <= bound) & before & (used.sum(0) >= 2)
    chosen = used & settled
    open_ = np.flatnonzero(~settled & (used.sum(0) >= 2))
    points[:, ~settled] = np.nan
    if len(open_):
        part = views.take(open_)
        start, _ = best_pairs(lenses, part, noise_px, threshold_px)
        part_used, part_precision = used[:, open_], precision[:, open_]
        for _round in range(2):
            seen = fit(lenses, part, start)
            with np.errstate(invalid="ignore"):
                inside = part_used & (seen.squared_px <= squared_limit) & (seen.depth > 0)
            start = refine(lenses, part, np.where(inside, part_precision, 0.0), start, seen)
        enough = (inside.sum(0) >= 2) & np.isfinite(start).all(0)
        points[:, open_] = np.where(enough, start, np.nan)
        chosen[:, open_] = inside & enough
    return points, chosen
