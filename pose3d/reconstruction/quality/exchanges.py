"""Keypoints that bear another's name in one camera: exchanged with it, or lying where the others see it."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.quality.elimination import Fit, Problem, fit_points
from pose3d.reconstruction.quality.sample import Sample

__all__ = ["Exchange", "exchanged_problem", "find_exchanges", "longest_run"]

_FAR = 3.0  # typical errors: a keypoint nearer to its own place is not elsewhere
_MUCH_NEARER = 0.5
_PURITY = 0.7  # share of a stretch's views that must show it
_LEAST_ROWS, _LEAST_SHARE = 8, 0.05
_BOTH = 0.6  # of the gain of leaving out the wrong views
_ALONE_PX = 20.0  # at a 1280x1024 image
_EDGE = 0.03  # of the recording


class Exchange(NamedTuple):
    """Names that are wrong in one camera.

    Attributes
    ----------
    camera : int
    pairs : tuple of (int, int)
        Keypoints and those whose places they have; both ways for two that are exchanged.
    first, stop : int
        Rows of the sample.
    size_px : float
        Median distance of the wrong views from their own places.
    gain : float
        Loss that putting the names right takes away.
    """

    camera: int
    pairs: tuple[tuple[int, int], ...]
    first: int
    stop: int
    size_px: float
    gain: float


def longest_run(votes: FloatArray) -> tuple[int, int]:
    """Return first and stop of the stretch with the greatest sum of votes (Kadane).

    Examples
    --------
    >>> longest_run(np.array([-1.0, 1, 1, -1, 1, 1, -1, -1]))
    (1, 6)
    """
    total = np.concatenate([[0.0], np.cumsum(votes)])
    lowest = np.minimum.accumulate(total)
    stop = int(np.argmax(total - lowest))
    return int(np.argmin(total[: stop + 1])), stop


def find_exchanges(problem: Problem, fit: Fit, sample: Sample) -> list[Exchange]:
    """Search each camera for keypoints that lie where the other cameras see another one.

    Parameters
    ----------
    problem : Problem
    fit : Fit
    sample : Sample
        Whose views the problem holds.
    """
    out = []
    for c in range(len(problem.cameras)):
        place = _predicted(problem, sample, c)
        pairs = _other_places(sample.xy[:, c], place)
        # keypoints that are wrong in the same stretch belong to one finding: sides exchanged from a frame on
        groups: list[list[tuple[int, int, int, int, float]]] = []
        for pair in pairs:
            near = max(4, problem.n_rows // 20)
            for group in groups:
                if abs(group[0][2] - pair[2]) <= near and abs(group[0][3] - pair[3]) <= near:
                    group.append(pair)
                    break
            else:
                groups.append([pair])
        for group in groups:
            first, stop = min(pair[2] for pair in group), max(pair[3] for pair in group)
            first, stop = _rounded(first, stop, problem.n_rows)
            size = float(np.median([pair[4] for pair in group]))
            alone = tuple((pair[0], pair[1]) for pair in group)
            mutual = tuple(dict.fromkeys([*alone, *(pair[::-1] for pair in alone)]))
            found = [Exchange(c, named, first, stop, size, 0.0) for named in (mutual, alone)]
            cost = [fit_points(exchanged_problem(problem, sample, f)[0]).cost for f in found]
            # views that are left out cost nothing, which is no merit of theirs
            best = int(fit.cost - cost[0] < _BOTH * (fit.cost - cost[1]))
            if best and size < _ALONE_PX * problem.unit[c]:
                continue  # one that is off can lie near another one by chance
            out.append(found[best]._replace(gain=fit.cost - cost[best]))
    return sorted(out, key=lambda found: -found.gain)


def exchanged_problem(problem: Problem, sample: Sample, exchange: Exchange) -> tuple[Problem, Sample]:
    """Put the names right; views whose true place no other view bears do not count any longer."""
    c, rows = exchange.camera, slice(exchange.first, exchange.stop)
    taken = [there for _, there in exchange.pairs]
    xy = sample.xy.copy()
    wrong = sorted({k for pair in exchange.pairs for k in pair})
    xy[rows, c, :, wrong] = np.nan
    for keypoint, there in exchange.pairs:
        if taken.count(there) == 1:
            xy[rows, c, :, there] = sample.xy[rows, c, :, keypoint]
    at = (problem.frame, c, problem.individual, problem.keypoint)
    new, old = xy[at], sample.xy[at]
    seen, residual = problem.seen.copy(), problem.residual.copy()
    # a view that only now has a detection stays unseen: it was not linearised
    seen[:, c] &= np.isfinite(new[:, 0])
    residual[:, c] = np.where(seen[:, c, None], residual[:, c] + old - new, 0.0)
    changed = problem.with_residual(residual).with_seen(seen)
    return changed, sample._replace(xy=xy)


def _rounded(first: int, stop: int, n: int) -> tuple[int, int]:
    """Let a stretch that all but reaches the first or the last row reach it."""
    near = max(2, int(_EDGE * n))
    return (0 if first <= near else first), (n if stop >= n - near else stop)


def _predicted(problem: Problem, sample: Sample, camera: int) -> FloatArray:
    """Return where a camera should see each keypoint by the others: (n_rows, n_individuals, n_keypoints, 2) px."""
    others = problem.seen.sum(1) - problem.seen[:, camera]
    known = problem.take(problem.seen[:, camera] & (others >= 2))
    error = fit_points(known, without=camera).error[:, camera]
    place = np.full((*sample.xy.shape[:1], *sample.xy.shape[2:]), np.nan)
    at = (known.frame, known.individual, known.keypoint)
    place[at] = sample.xy[:, camera][at] + error
    return place


def _other_places(xy: FloatArray, place: FloatArray) -> list[tuple[int, int, int, int, float]]:
    """Return (keypoint, whose place it has, first, stop, distance from its own) of one camera."""
    own = np.linalg.norm(xy - place, axis=-1)
    if not np.isfinite(own).any():
        return []
    typical = float(np.nanmedian(own))
    far = own > _FAR * typical
    out = []
    for k in np.flatnonzero(far.sum((0, 1)) >= _LEAST_ROWS):
        with np.errstate(invalid="ignore"):
            away = np.linalg.norm(xy[:, :, k, None] - place, axis=-1)
            there = (away < _FAR * typical) & (away < _MUCH_NEARER * own[:, :, k, None]) & far[:, :, k, None]
            unclear = (own[:, :, k, None] < away / _MUCH_NEARER) & (away < own[:, :, k, None] / _MUCH_NEARER)
        there[:, :, k] = False
        counts: IntArray = there.sum((0, 1))
        j = int(np.argmax(counts))
        judged: BoolArray = np.isfinite(own[:, :, k]) & np.isfinite(away[:, :, j])
        judged &= there[:, :, j] | ~unclear[:, :, j]
        votes = np.where(judged, np.where(there[:, :, j], 1.0, -1.0), 0.0).sum(1)
        first, stop = longest_run(votes)
        n_judged, n_there = int(judged[first:stop].sum()), int(there[first:stop, :, j].sum())
        enough = stop - first >= max(_LEAST_ROWS, _LEAST_SHARE * len(xy)) and n_there >= _LEAST_ROWS
        if enough and n_there >= _PURITY * n_judged:
            out.append((int(k), j, first, stop, float(np.nanmedian(own[first:stop, :, k]))))
    return out
