"""How smooth each track is, found from the data: the evidence of a Gaussian process with white n-th differences."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.banded import BandedMatrix
from pose3d.geometry.symmetric import multiply
from pose3d.reconstruction.refinement.differences import Differences

__all__ = ["Fixes", "Start", "find_smoothness", "smooth"]

_FINEST, _ROUGHEST = 0.003, 30.0  # of the noise of one frame
_COARSE_STEPS = 7
_CLOSER = 0.5  # in the logarithm
_ROUGH_STARTS = (0.7, 3.0, 12.0)  # of the noise of one frame
_FAR_SHARE = 0.3  # of the fixes, above which it is not they that are wrong but the start that is too smooth
_HOLD = 1e-6  # 1/mm^2: keeps what nothing fixes, and moves nothing that anything does
_MOST_TOLD = 30.0  # of a squared distance: one wrong fix is no rough motion
_UNLIKELY = 3.0  # standard deviations of a sum of squared distances above its mean
_RELAX, _MOST_RELAX = 4.0, 3
_GATE = 30.0  # squared Mahalanobis distance, three degrees of freedom: one in a million
_GATE_MANY = 900.0  # where three views or more agree, it is the motion that is rough; exchanged limbs are farther off
_DOUBTFUL = 1e-3  # weight of points of two views before anything else is known


class Fixes:
    """Places that single frames give, as measurements for a smoother.

    Parameters
    ----------
    x : (n_tracks, n_frames, 3) array, mm
        NaN where there is none.
    blocks : (6, n_tracks, n_frames) array, 1/mm^2
        Their information.
    n_views : (n_tracks, n_frames) int array
        Views behind each.
    """

    def __init__(self, x: FloatArray, blocks: FloatArray, n_views: FloatArray) -> None:
        self.there = np.isfinite(x[..., 0])
        # Third differences of numbers of some metres cost digits: each track is relative to its own middle.
        count = np.maximum(self.there.sum(1), 1)
        self.x = np.where(self.there[..., None], x, 0.0)
        self.middle = (self.x.sum(1) / count[:, None])[:, None]
        self.x -= np.where(self.there[..., None], self.middle, 0.0)
        self.blocks = np.where(self.there, blocks, 0.0)
        self.pull = multiply(self.blocks, self.x)
        many = self.there & (n_views >= 3)
        self.many = many
        # Two views can agree on a wrong point, three hardly; but a rig may have no more.
        enough = 2 * many.sum(1) > self.there.sum(1)
        self.gate = np.where(many, _GATE_MANY, _GATE)
        self.trust = np.where(many | ~enough[:, None], 1.0, _DOUBTFUL) * self.there

    def first(self, n_frames: int) -> "Fixes":
        """Return the first frames."""
        part = object.__new__(Fixes)
        for name in ("there", "x", "pull", "trust", "gate", "many"):
            setattr(part, name, getattr(self, name)[:, :n_frames])
        part.blocks, part.middle = self.blocks[:, :, :n_frames], self.middle
        return part

    def scale_mm(self) -> FloatArray:
        """Return the typical noise of one frame, per axis, of each track, (n_tracks,)."""
        trace = self.blocks[[0, 3, 5]].sum(0) / 3
        there = trace > 0
        mean = trace.sum(1) / np.maximum(there.sum(1), 1)
        return np.asarray(1 / np.sqrt(np.where(mean > 0, mean, 1.0)))


def _quadratic(blocks: FloatArray, x: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("pfi,pfi->pf", multiply(blocks, x), x))


class Smoothed:
    """Tracks smoothed with given weights.

    Attributes
    ----------
    x : (n_tracks, n_frames, 3) array, mm
        Relative to the tracks' middles.
    distance : (n_tracks, n_frames) array
        Squared Mahalanobis distance of the fixes from it.
    """

    def __init__(self, fixes: Fixes, weight: FloatArray, active: BoolArray, order: int, smooth_mm: FloatArray) -> None:
        differences = Differences.of(order, smooth_mm, active)
        blocks = fixes.blocks * weight
        hold = np.where(weight > 0, 0.0, _HOLD) + np.where(active, 0.0, 1.0)
        blocks[[0, 3, 5]] += hold
        self._factor = BandedMatrix.of(blocks, differences.couplings()).factor()
        self.x = self._factor.solve(fixes.pull * weight[..., None])
        self.distance = _quadratic(fixes.blocks, self.x - fixes.x)
        self._weight, self._differences = weight, differences

    def deviance(self) -> FloatArray:
        """Return minus twice the log evidence of each track, up to a constant, (n_tracks,)."""
        rows = self._differences.rows(self.x)
        fit = (self._weight * self.distance).sum(1) + (rows * rows).sum((1, 2))
        w = self._differences.weight
        prior = -3 * np.log(np.where(w > 0, w, 1.0)).sum(1)
        return np.asarray(self._factor.log_determinants() + prior + fit)


class Start(NamedTuple):
    """Tracks smoothed with given weights, the fixes that lie far off left out.

    Attributes
    ----------
    x : (n_tracks, n_frames, 3) array, mm
    kept : (n_tracks, n_frames) bool array
        Fixes that were used.
    smooth_mm : (n_tracks, n_frames) array, mm
        The smoothness, relaxed where the motion is much rougher than usual: impacts, jumps.
    """

    x: FloatArray
    kept: BoolArray
    smooth_mm: FloatArray


def smooth(
    fixes: Fixes, active: BoolArray, order: int, smooth_mm: FloatArray, *, reach: int, relax: bool = True
) -> Start:
    """Smooth the fixes, leaving out those that lie far off the others, and less where that would bend the motion.

    Parameters
    ----------
    fixes : Fixes
    active : (n_tracks, n_frames) bool array
    order : int
    smooth_mm : (n_tracks,) array, mm
    reach : int
        Frames over which the smoothing averages.
    relax : bool
        False keeps the given smoothness everywhere.
    """
    local = np.broadcast_to(smooth_mm[:, None], active.shape)
    weight = fixes.trust
    relaxed = 0 if relax else _MOST_RELAX
    while True:
        done = Smoothed(fixes, weight, active, order, local)
        kept = fixes.there & (done.distance < fixes.gate)
        tight = _misfits(done.distance, kept & fixes.many, reach)
        if relaxed < _MOST_RELAX and tight.any():
            local = np.where(tight, _RELAX * local, local)
            relaxed += 1
        elif np.array_equal(kept, weight == 1.0) or (weight is not fixes.trust and relaxed >= _MOST_RELAX):
            break
        weight = kept.astype(np.float64)
    return Start(done.x + fixes.middle, kept, local)


def _misfits(distance: FloatArray, trusted: BoolArray, reach: int) -> BoolArray:
    """Return the frames around which trusted fixes lie farther off, together, than chance has it."""
    capped = np.where(trusted, np.minimum(distance, _MOST_TOLD), 0.0)
    total = _around(capped, reach)
    count = _around(trusted.astype(np.float64), reach)
    return np.asarray(total > 3 * count + _UNLIKELY * np.sqrt(6 * count))


def _around(values: FloatArray, reach: int) -> FloatArray:
    """Sum over `reach` frames to either side."""
    n_frames = values.shape[1]
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
    frame = np.arange(n_frames)
    return np.asarray(total[:, np.minimum(frame + reach + 1, n_frames)] - total[:, np.maximum(frame - reach, 0)])


def find_smoothness(fixes: Fixes, active: BoolArray, order: int) -> FloatArray:
    """Find the size of the n-th differences of each track that makes its fixes most probable.

    The evidence (marginal likelihood) weighs fit against flexibility without a free parameter: rough motion gets little
    smoothing, slow motion much.

    Parameters
    ----------
    fixes : Fixes
        A sample of the recording.
    active : (n_tracks, n_frames) bool array
    order : int

    Returns
    -------
    (n_tracks,) array, mm
        Standard deviation of an n-th difference per axis and frame^n.

    References
    ----------
    Wahba (1985), A comparison of GCV and GML for choosing the smoothing parameter in the generalized spline smoothing
    problem, Annals of Statistics 13:1378.
    """
    scale = fixes.scale_mm()
    weight = _rough_selection(fixes, active, order, scale).astype(np.float64)

    def deviance(logs: FloatArray) -> FloatArray:
        return np.stack([Smoothed(fixes, weight, active, order, scale * np.exp(row)).deviance() for row in logs])

    grid = np.linspace(np.log(_FINEST), np.log(_ROUGHEST), _COARSE_STEPS)
    cost = deviance(np.broadcast_to(grid[:, None], (len(grid), len(scale))))
    best = np.clip(cost.argmin(0), 1, len(grid) - 2)
    around = best + np.array([[-1], [0], [1]])
    at = _vertex(grid[around], np.take_along_axis(cost, around, axis=0))
    closer = at + _CLOSER * np.array([[-1.0], [0.0], [1.0]])
    return np.asarray(scale * np.exp(_vertex(closer, deviance(closer))))


def _rough_selection(fixes: Fixes, active: BoolArray, order: int, scale: FloatArray) -> BoolArray:
    """Return the fixes that are not grossly wrong, before it is known how smooth the motion is."""
    chosen = fixes.there.copy()
    undecided = np.ones(len(scale), dtype=np.bool_)
    for rough in _ROUGH_STARTS:
        done = Smoothed(fixes, fixes.trust, active, order, rough * scale)
        near = fixes.there & (done.distance < fixes.gate)
        chosen[undecided] = near[undecided]
        undecided &= near.sum(1) < (1 - _FAR_SHARE) * fixes.there.sum(1)
        if not undecided.any():
            break
    return chosen


def _vertex(at: FloatArray, cost: FloatArray) -> FloatArray:
    """Return where parabolas through three equidistant points (3, n) are least, no farther out than one more step."""
    step = at[1] - at[0]
    bend = cost[0] - 2 * cost[1] + cost[2]
    slope = (cost[2] - cost[0]) / 2
    with np.errstate(all="ignore"):
        shift = np.where(bend > 0, -slope / bend, -np.sign(slope) * 2)
    return np.asarray(at[1] + step * np.clip(shift, -2, 2))
