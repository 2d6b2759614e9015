"""Which views of a chunk show the partners of a pair exchanged: the search on plain arrays."""

from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.association.swap_chain import Expected, orient, predict
from pose3d.reconstruction.association.swap_doubt import judge_views
from pose3d.reconstruction.association.swap_pairs import TRUNCATION, Costs, Pairs, Place, solve_pairs
from pose3d.reconstruction.points.likelihood import Pull
from pose3d.reconstruction.points.views import Lenses, Views

__all__ = ["exchange", "exchange_partners", "exchange_views", "find_swaps", "touched_points"]

_MARGIN = 12.0  # units of squared error by which exchanging must fit better, a view on its own
_POOLED_MARGIN = 4.0  # where all other pairs of the camera are exchanged around that time
_IN_DOUBT = 12.0  # below this lead of straight over exchanged a view is judged by the others alone
_CROWDED = 5.0  # mean squared error above which points are not yet those of the views: two, less what a fit takes
_WHOLE_BODY = 3  # exchanged pairs in one view, and none straight, from which an undecided pair follows them
_ELSEWHERE = 60.0  # squared distance of both points from where they are expected, in variances: surely not there
_HERE = 30.0  # surely there
_TELLING = 16.0  # if what is expected can tell the partners apart: squared distance between them, in variances
_MOST = 0.6  # share of the views of a pair that its points must explain
_UNANIMOUS, _DISPUTED = 6.0, 1.5  # weight of a vote, in units of squared error, without dissent and with
_REACH = 2  # frames on either side that are pooled
_BLOCK = 4096


def exchange_partners(values: NDArray[Any], swapped: BoolArray, pair_index: IntArray) -> NDArray[Any]:
    """Return a copy of an array with the partners exchanged where they are swapped.

    Parameters
    ----------
    values : (n_frames, n_cameras, n_individuals, n_keypoints, ...) array
    swapped : (n_frames, n_cameras, n_individuals, n_pairs) bool array
    pair_index : (n_pairs, 2) int array
        Keypoints of each pair; no keypoint is in two pairs.
    """
    out = values.copy()
    *view, pair = np.nonzero(swapped)
    a, b = (*view, pair_index[pair, 0]), (*view, pair_index[pair, 1])
    out[a], out[b] = values[b], values[a]
    return out


def exchange(values: FloatArray, swapped: BoolArray, pair_index: IntArray) -> FloatArray:
    """Exchange partners in an array of points.

    Parameters
    ----------
    values : (n_cameras, n_points, ...) array
        Points in the order frame, individual, keypoint.
    swapped : (n_cameras, n_frames, n_individuals, n_pairs) bool array
    pair_index : (n_pairs, 2) int array
    """
    apart = values.reshape(*swapped.shape[:3], -1, *values.shape[2:]).swapaxes(0, 1)
    return exchange_partners(apart, swapped.swapaxes(0, 1), pair_index).swapaxes(0, 1).reshape(values.shape)


def exchange_views(views: Views, swapped: BoolArray, pair_index: IntArray) -> Views:
    """Return views with the partners exchanged, as by :func:`exchange`, without undistorting them again."""
    return Views(*(exchange(getattr(views, field.name), swapped, pair_index) for field in fields(Views)))


def touched_points(swapped: BoolArray, pair_index: IntArray, n_keypoints: int) -> IntArray:
    """Return the positions of the points that have other views after :func:`exchange`: those to be made again."""
    touched = np.zeros((*swapped.shape[1:3], n_keypoints), dtype=np.bool_)
    pair = swapped.any(0)
    for side in (0, 1):
        touched[..., pair_index[:, side]] |= pair
    return np.flatnonzero(touched)


def find_swaps(
    lenses: Lenses,
    views: Views,
    points: FloatArray,
    noise_px: FloatArray,
    pair_index: IntArray,
    *,
    n_frames: int,
    n_individuals: int = 1,
) -> BoolArray:
    """Find the views that show the partners of a pair exchanged.

    1. Each view is compared with the points given, straight and exchanged. Pairs that three views or more explain on
       either side are settled; the others are solved again from all pairs of cameras, each view free in its labels.
    2. Which of the two points is which: the majority of views and continuity in time (:func:`orient`).
    3. Doubtful views are judged by points made without them, or, where the frame itself does not tell, by the frames
       around; exchanged are those that fit better by a clear margin, less of it where the other pairs of that camera
       and the frames around it say the same.

    Parameters
    ----------
    lenses : Lenses
    views : Views
        Of all keypoints of a run of frames, (n_cameras, n_points), points in the order frame, individual, keypoint.
    points : (3, n_points) array, mm
        Robust points of single frames, relative to the lenses' origin; NaN where there is none. They may be wrong
        where many views are exchanged.
    noise_px : (n_cameras,) array, px
    pair_index : (n_pairs, 2) int array
        Keypoints of each pair.
    n_frames, n_individuals : int

    Returns
    -------
    (n_cameras, n_frames, n_individuals, n_pairs) bool array
    """
    shape = (len(noise_px), n_frames, n_individuals, len(pair_index))
    if not n_frames * n_individuals * len(pair_index):
        return np.zeros(shape, dtype=np.bool_)
    n_keypoints = points.shape[1] // (n_frames * n_individuals)
    first = n_keypoints * np.arange(n_frames * n_individuals)[:, None]
    a, b = ((first + pair_index[:, side]).ravel() for side in (0, 1))
    pull = Pull.of(views, views.weight / noise_px[:, None] ** 2)
    chunk = _Chunk(lenses, pull, a, b, (pull.p11[:, a] > 0, pull.p11[:, b] > 0), (n_frames, shape[2] * shape[3]))
    sides, known = _orient(_sides(chunk, points), chunk.rows)
    lead = _judge(chunk, sides, known)
    return _decide(lead.reshape(shape), (chunk.there[0] | chunk.there[1]).reshape(shape))


class _Chunk(NamedTuple):
    """A run of frames.

    Attributes
    ----------
    lenses : Lenses
    pull : Pull
        All views of all keypoints.
    a, b : (n,) int array
        Points of the partners, in the order frame, individual, pair.
    there : tuple of (n_cameras, n) bool array
        Where the first and the second partner have a view.
    rows : (int, int)
        Frames, and pairs of all individuals.
    """

    lenses: Lenses
    pull: Pull
    a: IntArray
    b: IntArray
    there: tuple[BoolArray, BoolArray]
    rows: tuple[int, int]

    def pairs(self, items: IntArray) -> Pairs:
        """Return the views of some pairs."""
        return Pairs(self.pull.take(self.a[items]), self.pull.take(self.b[items]))

    def some(self, camera: IntArray, items: IntArray, crossed: BoolArray) -> Pairs:
        """Return views of pairs, their labels exchanged where `crossed`, in cameras that broadcast with the pairs."""
        a, b = self.a[items], self.b[items]
        first, second = np.where(crossed, b, a), np.where(crossed, a, b)
        n = self.pull.x.shape[1]
        return Pairs(*(Pull(*(part.ravel()[camera * n + k] for part in self.pull)) for k in (first, second)))

    def costs(self, points: FloatArray) -> Costs:
        """Compare all pairs with the points of all keypoints (3, n_points)."""
        own = Place.of(self.lenses, points)
        partner = np.arange(points.shape[1])
        partner[self.a], partner[self.b] = self.b, self.a
        straight = own.cost(self.pull)
        crossed = Place(*(np.take(part, partner, axis=1) for part in own)).cost(self.pull)
        return Costs(*(np.take(cost, k, axis=1) for cost in (straight, crossed) for k in (self.a, self.b)))

    def expect(self, p: FloatArray, q: FloatArray, known: BoolArray, items: IntArray) -> tuple[Expected, Expected]:
        """Predict the points of some pairs from the frames around in which they are `known` (n,)."""
        frame, column = np.divmod(items, self.rows[1])
        both = np.concatenate([x.reshape(3, *self.rows) for x in (p, q)], axis=-1)
        where = np.tile(known.reshape(self.rows), 2)
        found = predict(both, where, np.tile(frame, 2), np.concatenate([column, column + self.rows[1]]))
        n = len(items)
        return Expected(found.points[:, :n], found.variance[:n]), Expected(found.points[:, n:], found.variance[n:])


class _Sides(NamedTuple):
    """The two points of each pair and how the views stand to them.

    Attributes
    ----------
    p, q : (3, n) array, mm
    sure : (n,) bool array
        Views sort to these two points, and to no others.
    lead : (n_cameras, n) array
        By how much less it costs to exchange the labels of a view than to keep them.
    """

    p: FloatArray
    q: FloatArray
    sure: BoolArray
    lead: FloatArray


def _explained(costs: Costs, there: tuple[BoolArray, BoolArray], least: int) -> BoolArray:
    """Where both points explain half of `least` views, together `least`, most of all, and these well; (n,).

    Two points in one place, that of either partner, explain only half of the views.
    """
    crossed = costs.crossed < costs.straight
    count, total = [], []
    for (mine, other), at, at_other in (
        (there, costs.a_at_p, costs.b_at_p),
        (there[::-1], costs.b_at_q, costs.a_at_q),
    ):
        error = np.where(crossed, at_other, at)
        inside = np.where(crossed, other, mine) & (error < TRUNCATION)
        count.append(inside.sum(0))
        total.append(np.where(inside, error, 0.0).sum(0))
    both, seen = count[0] + count[1], there[0].sum(0) + there[1].sum(0)
    least = min(least, 2 * len(crossed))
    return np.asarray(
        (np.minimum(*count) >= least // 2) & (both >= np.maximum(least, _MOST * seen)) & (sum(total) < _CROWDED * both),
        dtype=np.bool_,
    )


def _away(p: FloatArray, q: FloatArray, expected: tuple[Expected, Expected]) -> FloatArray:
    """Squared distance of both points from where they are expected, in variances; NaN where nothing is expected."""
    with np.errstate(invalid="ignore"):
        total = sum(((x - near.points) ** 2).sum(0) / near.variance for x, near in zip((p, q), expected, strict=True))
    return np.asarray(total)


def _sides(chunk: _Chunk, points: FloatArray) -> _Sides:
    """Find the two points of each pair.

    They are those given where three views each say so, or where the frames around expect them there. The others are
    solved again, and believed if nothing contradicts, the frames around neither.
    """
    p, q = points[:, chunk.a], points[:, chunk.b]
    costs = chunk.costs(points)
    lead = costs.straight - costs.crossed
    one, two = chunk.there
    sure = _explained(costs, chunk.there, 6)
    open_ = np.flatnonzero(~sure & one.any(0) & two.any(0) & ((one | two).sum(0) >= 2))
    if not len(open_):
        return _Sides(p, q, sure, lead)
    expected = chunk.expect(p, q, sure, open_)
    with np.errstate(invalid="ignore"):
        apart = ((p[:, open_] - q[:, open_]) ** 2).sum(0)
        near = _away(p[:, open_], q[:, open_], expected) < _HERE
        near &= apart > _TELLING * (expected[0].variance + expected[1].variance)
    sure[open_[near]] = True
    open_, expected = open_[~near], (expected[0].take(~near), expected[1].take(~near))
    if not len(open_):
        return _Sides(p, q, sure, lead)
    pairs = chunk.pairs(open_)
    found = solve_pairs(chunk.lenses, pairs, p[:, open_], q[:, open_], _MARGIN / 2)
    costs = pairs.costs(chunk.lenses, found.p, found.q)
    certain = found.certain & _explained(costs, (one[:, open_], two[:, open_]), 5)
    ways = _away(found.p, found.q, expected), _away(found.q, found.p, expected)
    with np.errstate(invalid="ignore"):
        certain &= ~(np.minimum(*ways) > _ELSEWHERE)
    p[:, open_], q[:, open_], lead[:, open_], sure[open_] = found.p, found.q, costs.straight - costs.crossed, certain
    return _Sides(p, q, sure, lead)


def _orient(sides: _Sides, rows: tuple[int, int]) -> tuple[_Sides, BoolArray]:
    """Name the two points of each pair; and where the frame itself tells which they are."""
    straight, crossed = ((sign * sides.lead > _MARGIN / 2).sum(0) for sign in (-1, 1))
    # Views that err do so for many frames in a row, so that their votes hardly add up over time; but that all views
    # err together is far less likely.
    votes = (straight - crossed) * np.where(np.minimum(straight, crossed) > 0, _DISPUTED, _UNANIMOUS)
    apart = (sides.p - sides.q).reshape(3, *rows)
    evidence = orient(apart, votes.reshape(rows), sides.sure.reshape(rows)).ravel()
    turned = evidence < 0
    p, q = np.where(turned, sides.q, sides.p), np.where(turned, sides.p, sides.q)
    known = sides.sure & (np.abs(evidence) > 0.5)
    return _Sides(p, q, sides.sure, np.where(turned, -sides.lead, sides.lead)), known


def _judge(chunk: _Chunk, sides: _Sides, known: BoolArray) -> FloatArray:
    """Return the lead of exchanging over keeping, doubtful views judged by what is known without them."""
    present = chunk.there[0] | chunk.there[1]
    lead = np.where(present & known, sides.lead, 0.0)
    camera, item = np.nonzero(present & (~known | (sides.lead > -_IN_DOUBT)))
    if not len(camera):
        return lead
    crossed = known & (sides.lead > 0)
    expected = chunk.expect(sides.p, sides.q, known, item)
    every = np.arange(len(present))[:, None]
    for first in range(0, len(item), _BLOCK):
        cut = slice(first, first + _BLOCK)
        c, k = camera[cut], item[cut]
        p, q = (np.where(known[k], points[:, k], np.nan) for points in (sides.p, sides.q))
        own, others = chunk.some(c, k, np.zeros(len(k), dtype=np.bool_)), chunk.some(every, k, crossed[:, k])
        around = expected[0].take(cut), expected[1].take(cut)
        lead[c, k] = judge_views(chunk.lenses, own, others, c, (p, q), around)
    return lead


def _around(counts: FloatArray) -> FloatArray:
    """Sum over the frames (second axis) within reach, without the frame itself."""
    padded = np.pad(counts, ((0, 0), (_REACH, _REACH), (0, 0), (0, 0)))
    n_frames = counts.shape[1]
    return np.asarray(
        sum(padded[:, shift : shift + n_frames] for shift in range(2 * _REACH + 1) if shift != _REACH), dtype=np.float64
    )


def _decide(lead: FloatArray, present: BoolArray) -> BoolArray:
    """Choose the views to exchange; all (n_cameras, n_frames, n_individuals, n_pairs)."""
    crossed, straight = ((sign * lead > _MARGIN).astype(np.float64) for sign in (1, -1))
    others_crossed, others_straight = (votes.sum(-1, keepdims=True) - votes for votes in (crossed, straight))
    n_crossed, n_straight = others_crossed + _around(crossed), others_straight + _around(straight)
    share = n_crossed / (n_crossed + n_straight + 1.0)
    margin = _MARGIN + share * (_POOLED_MARGIN - _MARGIN)
    # Nothing speaks for either: it goes the way of the whole body.
    margin[(others_crossed >= _WHOLE_BODY) & (others_straight == 0)] = -1.0
    return np.asarray(present & (lead > margin), dtype=np.bool_)
