"""Whole-frame offsets: epipolar errors of pairs of cameras at all lags; cameras are joined where one lag wins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from pose3d.data.camera import Camera
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.epipolar import essential
from pose3d.log import Progress, no_progress
from pose3d.reconstruction.synchronization.tracks import Tracks

__all__ = ["Group", "Join", "PairErrors", "join_cameras", "pair_errors"]

_ROWS, _TRACKS = 160, 10  # of the first camera of a pair: samples for all lags
_BLOCKS = 32  # runs of rows between which errors are independent
_PARTNERS = 8  # of a camera, at most
_LEAST = 40  # samples at a lag
_PART = 0.4  # of the samples at the best covered lag
_TOLERANCE = 2.0  # scales at which an error counts half
_CLEARLY = 4.0  # standard errors by which the best lag must win
_FINE = 0.05  # frames
_MISFIT = 3.0  # detections' standard deviations: views that do not agree better than that do not show one instant,
_DIP = 0.15  # unless they disagree much more at other lags: then the calibration is off
_FLAT = 0.4  # of all lags: if so many fit alike, it is for lack of motion
_NEAR_FULL = 0.8  # of the best lag's samples: a rival with fewer is for lack of frames
_MINIMA = 8
_FEW_BLOCKS = 4
_GAP = 6  # frames
_VALLEY = 12  # frames around the best lag within which the fit decides


class PairErrors(NamedTuple):
    """Signed epipolar errors of two cameras.

    Attributes
    ----------
    error : (2 * reach + 1, n_samples) array
        In robust standard deviations at the best lag; NaN where one of the views is missing.
    block : (n_samples,) int array
    time : (n_samples,) array, frames
        From the middle of the recording.
    fits : bool
        Whether the views agree at the best lag, as far as their noise lets them, or much better than elsewhere.
    """

    error: FloatArray
    block: IntArray
    time: FloatArray
    fits: bool

    def losses(self, lags: FloatArray, drift: float = 0.0) -> tuple[FloatArray, FloatArray]:
        """Return the summed loss and the number of samples of every block, (n_lags, n_blocks), at fractional lags."""
        reach = len(self.error) // 2
        # Without drift whole rows can be taken, which is much faster than single entries.
        at = lags[:, None] + (drift * self.time if drift else 0.0) + reach
        low = np.clip(np.floor(at).astype(np.int64), 0, 2 * reach - 1)
        share = at - low
        columns = np.arange(len(self.time))
        below, above = (self.error[at, columns] if drift else self.error[at[:, 0]] for at in (low, low + 1))
        with np.errstate(invalid="ignore"):
            # A frame itself needs no neighbour.
            error = np.where(share == 0, below, np.where(share == 1, above, below + share * (above - below)))
            error = np.where((share >= 0) & (share <= 1), error, np.nan)
            squared = error * error
            loss = squared / (squared + _TOLERANCE**2)
        there = np.isfinite(loss)
        to_block = (self.block[:, None] == np.arange(_BLOCKS)).astype(np.float64)
        return np.where(there, loss, 0.0) @ to_block, there @ to_block


@dataclass(frozen=True, eq=False)
class Group:
    """Cameras whose offsets against each other are known.

    Attributes
    ----------
    offset : dict of int to float, frames
    drift : dict of int to float, frames per frame
    """

    offset: Mapping[int, float]
    drift: Mapping[int, float]


@dataclass(frozen=True, eq=False)
class Join:
    """How two groups of cameras may lie to each other.

    Attributes
    ----------
    lag, drift : float
        Of the second group against the first.
    clarity : float
        Standard errors by which the lag wins over the best rival.
    rivals : tuple of float
        Lags that fit about as well.
    reason : str
        Why the groups cannot be joined, empty if they can: ``overlap`` (nothing seen in common), ``misfit`` (no lag
        makes the views agree), ``motion`` (all lags fit about alike), ``repeats`` (several do), ``short`` (so
        do lags at which little is left to compare), ``edge`` (the best is the last that was tried).
    """

    lag: float
    drift: float
    clarity: float
    rivals: tuple[float, ...]
    reason: str


def pair_errors(
    tracks: Tracks, cameras: Sequence[Camera], *, reach: int, progress: Progress = no_progress
) -> dict[tuple[int, int], PairErrors]:
    """Compare cameras two by two at all lags.

    Parameters
    ----------
    tracks : Tracks
    cameras : sequence of Camera
    reach : int
        Largest lag, frames.
    progress : Progress

    Returns
    -------
    dict of (first, second) to PairErrors
        Without pairs that see too little in common at every lag.
    """
    seen = np.isfinite(tracks.place[..., 0])
    motion = np.nan_to_num(np.hypot(tracks.velocity[..., 0], tracks.velocity[..., 1])).sum((0, 1))
    chosen = np.sort(np.argsort(-motion, kind="stable")[:_TRACKS])
    rays = np.stack([camera.undistort(tracks.place[c][:, chosen]) for c, camera in enumerate(cameras)])
    seen = seen[..., chosen]
    pairs = _choose_pairs(np.asarray(seen.any(2)))
    out = {}
    for done, (a, b) in enumerate(pairs):
        found = _compare(tracks, rays, seen, cameras, (a, b), reach)
        if found is not None:
            out[a, b] = found
        progress("compare cameras", done + 1, len(pairs))
    return out


def join_cameras(
    pairs: Mapping[tuple[int, int], PairErrors], n_cameras: int, *, reach: int, max_drift: float = 0.0
) -> tuple[list[Group], dict[tuple[int, int], Join]]:
    """Join cameras into groups, the clearest lag first, until no two groups have a lag that wins.

    Parameters
    ----------
    pairs : mapping
        Of :func:`pair_errors`.
    n_cameras : int
    reach : int
    max_drift : float
        Largest difference of pace to look for, frames per frame.

    Returns
    -------
    groups : list of Group
        The largest first.
    failed : dict of (first, second) to Join
        Between the groups that remain, by their places in the list.
    """
    groups = [Group({c: 0.0}, {c: 0.0}) for c in range(n_cameras)]
    known: dict[tuple[int, int], Join] = {}  # by identity of the groups
    while True:
        for first, second in combinations(groups, 2):
            key = (id(first), id(second))
            if key not in known:
                known[key] = _join(pairs, first, second, reach=reach, max_drift=max_drift)
        sure = [(a, b) for a, b in combinations(groups, 2) if not known[id(a), id(b)].reason]
        if not sure:
            break
        a, b = max(sure, key=lambda pair: known[id(pair[0]), id(pair[1])].clarity)
        join = known[id(a), id(b)]
        merged = Group(
            dict(a.offset) | {c: offset + join.lag for c, offset in b.offset.items()},
            dict(a.drift) | {c: drift + join.drift for c, drift in b.drift.items()},
        )
        place = groups.index(a)
        known = {key: value for key, value in known.items() if not {id(a), id(b)} & set(key)}
        groups[place] = merged
        groups.remove(b)
    order = sorted(range(len(groups)), key=lambda i: (-len(groups[i].offset), min(groups[i].offset)))
    failed = {}
    for i, j in combinations(range(len(groups)), 2):
        low, high = sorted((order[i], order[j]))
        failed[i, j] = known[id(groups[low]), id(groups[high])]
    return [groups[i] for i in order], failed


def _choose_pairs(seen: BoolArray) -> list[tuple[int, int]]:
    """Return all pairs of a small rig; of a large one each camera with those that see most at the same time."""
    n = len(seen)
    shared = seen.astype(np.float64) @ seen.T.astype(np.float64)
    kept = set()
    for a in range(n):
        others = sorted((-shared[a, b], abs(a - b), b) for b in range(n) if b != a)
        kept |= {(min(a, b), max(a, b)) for *_, b in others[:_PARTNERS]}
    return sorted(kept)


def _medians(values: FloatArray) -> FloatArray:
    """Return the median of each row without its NaN, for many short rows faster than numpy does it."""
    count = np.isfinite(values).sum(1)
    ordered = np.sort(values, axis=1)  # NaN goes last
    if ordered.shape[1] == 0:
        return np.full(len(values), np.nan)
    rows = np.arange(len(values))
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, ordered.shape[1] - 1)
    middle = (ordered[rows, low] + ordered[rows, high]) / 2
    return np.asarray(np.where(count > 0, middle, np.nan))


def _compare(
    tracks: Tracks, rays: FloatArray, seen: BoolArray, cameras: Sequence[Camera], pair: tuple[int, int], reach: int
) -> PairErrors | None:
    a, b = pair
    rows = np.flatnonzero(seen[a].any(1))
    rows = rows[np.linspace(0, len(rows) - 1, min(_ROWS, len(rows))).astype(np.int64)] if len(rows) else rows
    if len(rows) == 0:
        return None
    row, track = np.nonzero(seen[a][rows])
    row = rows[row]
    lags = np.arange(-reach, reach + 1)
    partner = tracks.row_at(row, lags[:, None])
    E = essential(cameras[a].cam_from_world, cameras[b].cam_from_world)
    x_a = rays[a][row, track]
    x_b = np.where((partner >= 0)[..., None], rays[b][partner, track], np.nan)
    line = x_a @ E[:, :2].T + E[:, 2]
    back = x_b @ E[:2, :2] + E[2, :2]
    with np.errstate(invalid="ignore", divide="ignore"):
        miss = x_b[..., 0] * line[:, 0] + x_b[..., 1] * line[:, 1] + line[:, 2]
        focal = np.sqrt(cameras[a].focal * cameras[b].focal)
        error = focal * miss / np.sqrt((back**2).sum(-1) + (line[:, :2] ** 2).sum(-1))
    for t in range(rays.shape[2]):
        # What the calibration is off, and what two views call one keypoint, stays while the person moves.
        mine = track == t
        error[:, mine] -= _medians(error[:, mine])[:, None]
    count = np.isfinite(error).sum(1)
    enough = count >= max(_LEAST, _PART * count.max())
    if enough.sum() < 3:
        return None
    middle = _medians(np.abs(error[enough]))
    noise_px = float(np.sqrt((tracks.noise_px[a] ** 2 + tracks.noise_px[b] ** 2) / 2))
    scale = max(1.4826 * float(middle.min()), 0.4 * noise_px)
    fits = scale <= _MISFIT * noise_px or middle.min() <= _DIP * float(np.median(middle))
    error[~enough] = np.nan
    instant = tracks.frame[row].astype(np.float64)
    known = tracks.frame[tracks.frame >= 0]
    edges = np.linspace(known[0], known[-1] + 1, _BLOCKS + 1)
    block = np.clip(np.searchsorted(edges, instant, side="right") - 1, 0, _BLOCKS - 1)
    return PairErrors(error / scale, block, instant - (known[0] + known[-1]) / 2, fits)


def _join(
    pairs: Mapping[tuple[int, int], PairErrors], first: Group, second: Group, *, reach: int, max_drift: float
) -> Join:
    """Find the lag at which two groups agree."""
    links = _Links.between(pairs, first, second)
    if not links:
        return Join(0.0, 0.0, 0.0, (), "overlap")
    links = _Links(link for link in links if link.pair.fits)
    if not links:
        return Join(0.0, 0.0, 0.0, (), "misfit")
    lags = np.arange(-reach, reach + 1, dtype=np.float64)
    half = max(float(np.abs(link.pair.time).max()) for link in links)
    n_drifts = int(np.ceil(max_drift * half))
    drifts = np.arange(-n_drifts, n_drifts + 1) / max(half, 1.0)
    cost = np.stack([_mean(*links.losses(lags, float(drift))) for drift in drifts])
    if not np.isfinite(cost).any():
        return Join(0.0, 0.0, 0.0, (), "overlap")
    d, _ = np.unravel_index(int(np.nanargmin(cost)), cost.shape)
    return _judge(links, lags, float(drifts[d]))


class _Link(NamedTuple):
    """A pair of cameras, one in each of two groups."""

    pair: PairErrors
    sign: float  # -1 where the pair is kept the other way round
    lag: float
    drift: float


class _Links(list[_Link]):
    """All pairs between two groups."""

    @classmethod
    def between(cls, pairs: Mapping[tuple[int, int], PairErrors], first: Group, second: Group) -> "_Links":
        out = cls()
        for a, b in ((a, b) for a in first.offset for b in second.offset):
            lag, drift = second.offset[b] - first.offset[a], second.drift[b] - first.drift[a]
            if (a, b) in pairs:
                out.append(_Link(pairs[a, b], 1.0, lag, drift))
            elif (b, a) in pairs:
                out.append(_Link(pairs[b, a], -1.0, lag, drift))
        return out

    def losses(self, lags: FloatArray, drift: float) -> tuple[FloatArray, FloatArray]:
        total, count = np.zeros((len(lags), _BLOCKS)), np.zeros((len(lags), _BLOCKS))
        for link in self:
            loss, n = link.pair.losses(link.sign * (lags + link.lag), link.sign * (drift + link.drift))
            total += loss
            count += n
        return total, count


def _mean(total: FloatArray, count: FloatArray) -> FloatArray:
    n = count.sum(1)
    enough = n >= max(_LEAST, _PART * n.max())
    return np.where(enough, total.sum(1) / np.maximum(n, 1), np.nan)


def _judge(links: _Links, lags: FloatArray, drift: float) -> Join:
    """Compare the best lag with all others, block by block."""
    total, count = links.losses(lags, drift)
    cost = _mean(total, count)
    refined = _refine_minima(links, lags, drift, cost)
    best = min(refined, key=lambda i: refined[i].cost)
    for i, minimum in refined.items():
        total[i], count[i] = minimum.total, minimum.n_samples
    t = _advantage(total, count, best)
    t[~np.isfinite(cost)] = np.inf
    alike = t < _CLEARLY
    alike[best] = True
    apart = np.flatnonzero(~_closed(alike))
    low = int(apart[apart < best].max(initial=-1)) + 1
    high = int(apart[apart > best].min(initial=len(lags))) - 1
    outside = np.ones(len(lags), dtype=bool)
    outside[low : high + 1] = False
    order = sorted(refined, key=lambda i: refined[i].cost)
    rivals = tuple(refined[i].lag for i in order if alike[i] and outside[i])
    rival = alike & outside
    if rival.any() and not rivals:
        rivals = (float(lags[np.argmin(np.where(rival, cost, np.inf))]),)
    known = np.flatnonzero(np.isfinite(cost))
    if alike.sum() > _FLAT * len(known) or high - low > 2 * _VALLEY:
        reason = "motion"
    elif rival.any():
        n = count.sum(1)
        reason = "repeats" if (n[rival] > _NEAR_FULL * n[best]).any() else "short"
    elif best in (known[0], known[-1]):
        reason = "edge"
    else:
        reason = ""
    return Join(refined[best].lag, drift, float(t[outside].min(initial=np.inf)), rivals, reason)


def _closed(mask: BoolArray) -> BoolArray:
    """Fill short gaps: a flat valley has a rough floor."""
    at = np.flatnonzero(mask)
    out = mask.copy()
    for low, high in pairwise(at.tolist()):
        if high - low <= _GAP:
            out[low:high] = True
    return out


class _Minimum(NamedTuple):
    lag: float
    cost: float
    total: FloatArray
    n_samples: FloatArray


def _refine_minima(links: _Links, lags: FloatArray, drift: float, cost: FloatArray) -> dict[int, _Minimum]:
    """Look between the frames around the deepest minima: their order may change."""
    walled = np.concatenate([[np.inf], np.where(np.isfinite(cost), cost, np.inf), [np.inf]])
    low = np.flatnonzero((cost <= walled[:-2]) & (cost <= walled[2:]))
    low = low[np.argsort(cost[low], kind="stable")[:_MINIMA]]
    steps = np.arange(-1, 1 + _FINE / 2, _FINE)
    out = {}
    for i in low.tolist():
        total, count = links.losses(lags[i] + steps, drift)
        mean = _mean(total, count)
        if np.isfinite(mean).any():
            k = int(np.nanargmin(mean))
            out[i] = _Minimum(float(lags[i] + steps[k]), float(mean[k]), total[k], count[k])
    return out


def _advantage(total: FloatArray, count: FloatArray, best: int) -> FloatArray:
    """Return by how many standard errors each lag costs more than the best."""
    with np.errstate(invalid="ignore", divide="ignore"):
        more = total / count - total[best] / count[best]
        weight = np.where(np.isfinite(more), np.minimum(count, count[best]), 0.0)
        more = np.nan_to_num(more)
        mean = (weight * more).sum(1) / weight.sum(1)
        used = (weight > 0).sum(1)
        variance = ((weight * (more - mean[:, None])) ** 2).sum(1) / weight.sum(1) ** 2 * used / (used - 1)
        return np.nan_to_num(np.where(used >= _FEW_BLOCKS, mean / np.sqrt(variance), 0.0), posinf=0.0)
