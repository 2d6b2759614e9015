"""What neighbouring frames say about a pair of keypoints: which of two points is which, and where both should be."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["Expected", "orient", "predict"]

_CHI2_3_P95 = 7.814727903251178
_TAIL = 0.95  # scales of motion by their 95th percentile: a swinging foot, not a standing one
_ENOUGH = 20  # frames below which a pair takes the scale of all pairs
_STRONGEST = 100.0  # squared-error units that one link between frames may weigh at most


def _previous(valid: BoolArray) -> IntArray:
    """Index of the last frame before each one where `valid` (n_frames, n) holds; -1 for none."""
    frames = np.arange(len(valid))[:, None]
    last = np.maximum.accumulate(np.where(valid, frames, -1), axis=0)
    return np.concatenate([np.full((1, valid.shape[1]), -1), last[:-1]]) if len(valid) else last


def _following(valid: BoolArray) -> IntArray:
    """Index of the first frame after each one where `valid` holds; -1 for none."""
    back = _previous(valid[::-1])[::-1]
    return np.where(back >= 0, len(valid) - 1 - back, -1)


def _tail_variance(squared: FloatArray, known: BoolArray) -> FloatArray:
    """Variance per axis of 3D differences, by column of (n_frames, n) squared lengths; infinite where unknown."""
    count = known.sum(0)
    total = int(count.sum())
    if total < _ENOUGH:
        return np.full(squared.shape[1], np.inf)
    each = np.sort(np.where(known, squared, np.inf), axis=0)
    own = each[np.floor(_TAIL * np.maximum(count - 1, 0)).astype(np.int64), np.arange(len(count))]
    common = np.sort(squared[known])[int(_TAIL * (total - 1))]
    return np.asarray(np.where(count >= _ENOUGH, own, common) / _CHI2_3_P95)


class _Steps(NamedTuple):
    """Functions x -> clip(sign * x + shift, low, high), closed under composition; all (n_steps, n)."""

    sign: FloatArray
    shift: FloatArray
    low: FloatArray
    high: FloatArray

    def after(self, first: "_Steps") -> "_Steps":
        """Return the composition: `first`, then this."""
        ends = [np.clip(self.sign * end + self.shift, self.low, self.high) for end in (first.low, first.high)]
        return _Steps(
            self.sign * first.sign, self.sign * first.shift + self.shift, np.minimum(*ends), np.maximum(*ends)
        )


def _running(vote: FloatArray, link: FloatArray) -> FloatArray:
    """Evidence for the labels as they are, from each frame and all before it.

    The recursion of min-sum messages along a chain of two states, ``x[t] = vote[t] + sign * clip(x[t-1], +-|link|)``,
    by doubling: log2(n_frames) passes over all frames.
    """
    strength = np.abs(link)
    steps = _Steps(np.where(link < 0, -1.0, 1.0), vote + 0.0, vote - strength, vote + strength)
    reach = 1
    while reach < len(vote):
        later, earlier = (_Steps(*(part[cut] for part in steps)) for cut in (slice(reach, None), slice(None, -reach)))
        for part, new in zip(later, later.after(earlier), strict=True):
            part[...] = new
        reach *= 2
    return np.clip(steps.shift, steps.low, steps.high)  # from x = 0 before the first frame


def orient(apart: FloatArray, votes: FloatArray, valid: BoolArray) -> FloatArray:
    """Decide frame by frame which of a pair's two points is which, by continuity and by the views' majority.

    The vector from one partner to the other hardly turns between frames; where it is reversed, more than half of the
    views had the partners exchanged. The most likely labels are those of a chain of two states.

    Parameters
    ----------
    apart : (3, n_frames, n_pairs) array, mm
        From the second to the first point.
    votes : (n_frames, n_pairs) array
        Views for the labels as they are, less those against, in units of squared error over noise.
    valid : (n_frames, n_pairs) bool array
        Where the two points are known.

    Returns
    -------
    (n_frames, n_pairs) array
        Evidence for the labels: positive to keep them, negative to exchange both points, 0 where it is open.
    """
    if not len(valid):
        return np.zeros(valid.shape)
    apart = np.where(valid, apart, 0.0)
    before = _previous(valid)
    known = valid & (before >= 0)
    last = np.take_along_axis(apart, np.maximum(before, 0)[None], axis=1)
    gap = np.where(known, np.arange(len(valid))[:, None] - before, 1)
    product = np.einsum("xtn,xtn->tn", apart, last)
    lengths = np.einsum("xtn,xtn->tn", apart, apart) + np.einsum("xtn,xtn->tn", last, last)
    variance = _tail_variance(lengths - 2 * np.abs(product), known & (gap == 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        link = np.nan_to_num(4 * product / (variance * gap**2), nan=0.0, posinf=_STRONGEST, neginf=-_STRONGEST)
    # A frame without points passes on what was before it unchanged.
    link = np.where(valid, np.where(known, np.clip(link, -_STRONGEST, _STRONGEST), 0.0), np.inf)
    vote = np.where(valid, votes, 0.0)
    onward = _running(vote, link)
    shifted = np.concatenate([link[1:], np.zeros((1, link.shape[1]))])
    back = _running(vote[::-1], shifted[::-1])[::-1]
    return np.where(valid, onward + back - vote, 0.0)


class Expected(NamedTuple):
    """Where points are expected, from the frames around.

    Attributes
    ----------
    points : (3, n) array, mm
        NaN where no other frame knows the point.
    variance : (n,) array, mm^2
        Per axis; infinite there.
    """

    points: FloatArray
    variance: FloatArray

    def take(self, which: BoolArray | slice) -> "Expected":
        """Return some of the points."""
        return Expected(self.points[:, which], self.variance[which])


def predict(points: FloatArray, valid: BoolArray, frames: IntArray, columns: IntArray) -> Expected:
    """Interpolate points from the nearest frames before and after, and say how far to trust that.

    Parameters
    ----------
    points : (3, n_frames, n_columns) array, mm
    valid : (n_frames, n_columns) bool array
        Where `points` may be used.
    frames, columns : (n,) int array
        Where to predict; a frame's own point plays no part.
    """
    if not len(valid):
        return Expected(np.empty((3, len(frames))), np.empty(len(frames)))
    points = np.where(valid, points, 0.0)
    before, after = _previous(valid), _following(valid)
    step = np.diff(points, axis=1)
    steps = valid[1:] & valid[:-1]
    stride = _tail_variance(np.einsum("xtn,xtn->tn", step, step), steps)
    bend = np.diff(step, axis=1) / 2
    bending = _tail_variance(np.einsum("xtn,xtn->tn", bend, bend), steps[1:] & steps[:-1])
    prior, later = before[frames, columns], after[frames, columns]
    one, two = prior >= 0, later >= 0
    past, future = (points[:, np.maximum(index, 0), columns] for index in (prior, later))
    g1, g2 = np.where(one, frames - prior, 0), np.where(two, later - frames, 0)
    share = np.where(one & two, g1 / np.maximum(g1 + g2, 1), np.where(two, 1.0, 0.0))
    nearest = np.where(one & two, np.minimum(g1, g2), g1 + g2)
    with np.errstate(invalid="ignore"):
        held = stride[columns] * nearest.astype(np.float64) ** 2
        bent = bending[columns] * (g1 * g2).astype(np.float64) ** 2
    variance = np.where(one & two, np.fmin(held, bent), held)
    expected = past + share * (future - past)
    sure = (one | two) & np.isfinite(variance)
    return Expected(np.where(sure, expected, np.nan), np.where(sure, variance, np.inf))
