"""Pairs of partners in all views: how well each view fits straight and exchanged, and which two points explain most."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.points.likelihood import Pull, step_points
from pose3d.reconstruction.points.views import Lenses, in_cameras

__all__ = ["TRUNCATION", "Costs", "Pairs", "Place", "Solution", "solve_pairs"]

TRUNCATION = 25.0
"""Squared error, in noise variances, beyond which a view says nothing more: five standard deviations."""

_CLEAR = 4.0  # units of squared error from which a hypothesis takes a view as decided
_PRICE = 6.0  # of each exchanged view in a hypothesis: exchanging fits two more numbers
_HYPOTHESES = 28  # pairs of cameras tried, all up to eight cameras
_BLOCK = 256


class Place(NamedTuple):
    """Where points project to in the cameras: depth in mm and normalised coordinates, (n_cameras, ...)."""

    depth: FloatArray
    u: FloatArray
    v: FloatArray

    @classmethod
    def of(cls, lenses: Lenses, points: FloatArray) -> "Place":
        """Project points (3, ...)."""
        with np.errstate(all="ignore"):
            places = in_cameras(lenses, points.reshape(3, -1))
        return cls(*(part.reshape(-1, *points.shape[1:]) for part in places))

    def cost(self, pull: Pull) -> FloatArray:
        """Return the truncated squared errors of views (n_cameras, n), 0 where there is none; axes between are free."""
        x, y, p11, p12, p22 = (part.reshape(len(part), *(1,) * (self.u.ndim - 2), -1) for part in pull)
        with np.errstate(all="ignore"):
            du, dv = self.u - x, self.v - y
            squared = (2 * p12) * dv
            squared += p11 * du
            squared *= du
            dv *= dv
            dv *= p22
            squared += dv
            # A point behind the camera or none at all explains nothing.
            np.fmin(squared, TRUNCATION, out=squared)
            np.copyto(squared, TRUNCATION, where=~(self.depth > 0))
        np.copyto(squared, 0.0, where=~(p11 > 0))
        return squared


class Costs(NamedTuple):
    """Truncated squared errors of views `a` and `b` against points `p` and `q`; (n_cameras, n), 0 without a view."""

    a_at_p: FloatArray
    b_at_q: FloatArray
    a_at_q: FloatArray
    b_at_p: FloatArray

    @property
    def straight(self) -> FloatArray:
        """Of both views with labels as they are."""
        return self.a_at_p + self.b_at_q

    @property
    def crossed(self) -> FloatArray:
        """Of both views with labels exchanged."""
        return self.a_at_q + self.b_at_p


class Pairs(NamedTuple):
    """Views labelled as the first and the second partner, (n_cameras, n) each."""

    a: Pull
    b: Pull

    def take(self, items: IntArray) -> "Pairs":
        """Return some of the pairs."""
        return Pairs(self.a.take(items), self.b.take(items))

    def costs(self, lenses: Lenses, p: FloatArray, q: FloatArray) -> Costs:
        """Compare the views with points `p` and `q` (3, ..., n) of the partners."""
        at_p, at_q = Place.of(lenses, p), Place.of(lenses, q)
        return Costs(at_p.cost(self.a), at_q.cost(self.b), at_q.cost(self.a), at_p.cost(self.b))


def _meet(
    lenses: Lenses, cameras: tuple[IntArray, IntArray], rays: tuple[FloatArray, ...], pulls: tuple[FloatArray, ...]
) -> FloatArray:
    """Intersect rays (n_pairs, 3, n) of pairs of cameras, nearer to the finer view: (3, n_pairs, n).

    NaN where a view is absent (its pull is 0), or where they meet behind a camera.
    """
    centers = -np.einsum("cji,cj->ci", lenses.rotation, lenses.translation)
    from_, to = (centers[camera] for camera in cameras)
    p, q = rays
    pp, qq, pq = (np.einsum("hxn,hxn->hn", u, v) for u, v in ((p, p), (q, q), (p, q)))
    along_p, along_q = (np.matmul((from_ - to)[:, None], ray)[:, 0] for ray in rays)
    below = 1 / (pp * qq - pq * pq)
    z_p = (pq * along_q - qq * along_p) * below
    z_q = (pp * along_q - pq * along_p) * below
    toward_p, toward_q = pulls[0] * z_q * z_q, pulls[1] * z_p * z_p
    share = toward_p / (toward_p + toward_q)
    points = to[:, :, None] + z_q[:, None] * q
    points += share[:, None] * (from_[:, :, None] + z_p[:, None] * p - points)
    met = (z_p > 0) & (z_q > 0) & (pulls[0] > 0) & (pulls[1] > 0)
    return np.ascontiguousarray(np.where(met[:, None], points, np.nan).swapaxes(0, 1))


def _guesses(lenses: Lenses, pairs: Pairs, p: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points (3, n_hypotheses, n) of both partners: those given, then from pairs of cameras, straight and crossed."""
    n_cameras = len(lenses.rotation)
    order = sorted(combinations(range(n_cameras), 2), key=lambda pair: (pair[1] - pair[0], pair[0]))
    i, j = np.array(order[:_HYPOTHESES]).T
    R = lenses.rotation
    rays, pulls = [], []
    for pull in pairs:
        along = [R[:, 0, k, None] * pull.x + R[:, 1, k, None] * pull.y + R[:, 2, k, None] for k in range(3)]
        rays.append(np.stack(along, axis=1))
        pulls.append(np.sqrt(pull.p11 * pull.p22 - pull.p12 * pull.p12))
    out = []
    for own, points in ((0, p), (1, q)):
        found = [points[:, None]]
        for other in (own, 1 - own):
            with np.errstate(all="ignore"):
                met = _meet(lenses, (i, j), (rays[own][i], rays[other][j]), (pulls[own][i], pulls[other][j]))
            found.append(np.where(np.isnan(met), points[:, None], met))
        out.append(np.concatenate(found, axis=1))
    return out[0], out[1]


class Solution(NamedTuple):
    """Two points a pair, and how far they are certain; labels are those of the majority of views.

    Attributes
    ----------
    p, q : (3, n) array, mm
    certain : (n,) bool array
        No other way to sort the views explains them nearly as well.
    """

    p: FloatArray
    q: FloatArray
    certain: BoolArray


def solve_pairs(lenses: Lenses, pairs: Pairs, p: FloatArray, q: FloatArray, margin: float) -> Solution:
    """Find the two points that explain the views of both partners best, whichever label each view bears.

    Hypotheses are the points given and those of all pairs of cameras, the second camera's labels as they are and
    exchanged; each is judged by the views of all cameras, every camera free to be straight or exchanged.

    Parameters
    ----------
    lenses : Lenses
    pairs : Pairs
    p, q : (3, n) array, mm
        Best guess so far, NaN where there is none.
    margin : float
        By how much the best must beat every contradicting hypothesis to be certain.
    """
    n = p.shape[1]
    parts = [
        _solve_block(lenses, pairs.take(np.arange(first, min(first + _BLOCK, n))), p[:, cut], q[:, cut], margin)
        for first in range(0, n, _BLOCK)
        for cut in (slice(first, first + _BLOCK),)
    ]
    if not parts:
        return Solution(p, q, np.zeros(0, dtype=np.bool_))
    return Solution(*(np.concatenate(kind, axis=-1) for kind in zip(*parts, strict=True)))


def _solve_block(lenses: Lenses, pairs: Pairs, p: FloatArray, q: FloatArray, margin: float) -> Solution:
    n_cameras, n = pairs.a.x.shape
    all_p, all_q = _guesses(lenses, pairs, p, q)
    costs = pairs.costs(lenses, all_p, all_q)
    straight, crossed = costs.straight, costs.crossed
    better = straight - crossed
    for_crossed, for_straight = better > _CLEAR, better < -_CLEAR
    cost = np.minimum(straight, crossed).sum(0) + _PRICE * np.minimum(for_crossed.sum(0), for_straight.sum(0))
    bits = 1 << np.arange(n_cameras, dtype=np.int64)
    crossed_by, straight_by = (np.tensordot(bits, votes.astype(np.int64), 1) for votes in (for_crossed, for_straight))
    best, items = cost.argmin(0), np.arange(n)
    p, q = all_p[:, best, items], all_q[:, best, items]
    x, s = crossed_by[best, items], straight_by[best, items]
    alike = (((crossed_by & s) | (straight_by & x)) == 0) | (((crossed_by & x) | (straight_by & s)) == 0)
    rival = np.where(alike, np.inf, cost).min(0)
    crosswise = better[:, best, items] > 0
    p = _improve(lenses, _either(pairs.a, pairs.b, crosswise), p)
    q = _improve(lenses, _either(pairs.b, pairs.a, crosswise), q)
    return Solution(p, q, rival - cost[best, items] > margin)


def _either(one: Pull, other: Pull, which: BoolArray) -> Pull:
    return Pull(*(np.where(which, theirs, ours) for ours, theirs in zip(one, other, strict=True)))


def _improve(lenses: Lenses, pull: Pull, points: FloatArray) -> FloatArray:
    """Fit points to the views that they explain; as they were where those are fewer than two."""
    inside = (pull.p11 > 0) & (Place.of(lenses, points).cost(pull) < TRUNCATION)
    better = step_points(lenses, pull.only(inside), points).points
    return np.where((inside.sum(0) >= 2) & np.isfinite(better).all(0), better, points)
