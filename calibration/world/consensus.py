"""Which cameras agree about how one world lies in another: the fewest that must have moved, by least squares."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from scipy.special import fdtri

from pose3d.geometry.arrays import FloatArray

__all__ = ["Disagreement", "find_moved", "gauge_maps", "relative_to"]

_SIGNIFICANT = 1e-3  # chance that a camera of a faultless rig is accused
_AS_GOOD = (30.0, 14.0)  # chi2, with a typical and with a given covariance: 14 are odds of a thousand to one
_MOST_SETS = 2000
_PRIOR_DOF = (6, 20)  # what a typical and a given covariance weigh against what the cameras themselves say


@dataclass(frozen=True, eq=False)
class Disagreement:
    """The search's answer.

    Attributes
    ----------
    moved : tuple of int
        Cameras without which the others agree.
    alternatives : tuple of tuple of int
        Other sets of cameras, as small, that explain the difference as well.
    scaled : bool
        Whether the worlds differ in scale.
    variance_factor : float
        What the given covariance must be multiplied by to explain what is left.
    """

    moved: tuple[int, ...]
    alternatives: tuple[tuple[int, ...], ...]
    scaled: bool
    variance_factor: float


def gauge_maps(rotations: FloatArray) -> FloatArray:
    """Return what a small motion of the world does to the cameras' poses.

    Parameters
    ----------
    rotations : (n, 3, 3) array
        Of ``cam_from_world``.

    Returns
    -------
    (n, 6, 6) array
        Turn and shift of each camera, in its own axes, by turn and shift of the world.
    """
    out = np.zeros((len(rotations), 6, 6))
    out[:, :3, :3] = out[:, 3:, 3:] = -rotations
    return out


def relative_to(reference: int, rotations: FloatArray) -> FloatArray:
    """Return the map (6 n, 6 n) that moves the world such that one camera's pose does not change."""
    n = len(rotations)
    gauge = gauge_maps(rotations)
    out = np.eye(6 * n)
    out[:, 6 * reference : 6 * reference + 6] -= (gauge @ np.linalg.inv(gauge[reference])).reshape(6 * n, 6)
    return out


class _Fit:
    """Least squares in whitened coordinates, for sets of cameras that may have moved."""

    def __init__(self, y: FloatArray, covariance: FloatArray, rotations: FloatArray, stretch: FloatArray | None):
        n = len(rotations)
        rows = np.arange(6, 6 * n)  # the first camera is the reference
        relative = relative_to(0, rotations)
        C = (relative @ covariance @ relative.T)[np.ix_(rows, rows)]
        scale = 1 / np.sqrt(np.diag(C))
        values, vectors = np.linalg.eigh(C * scale[:, None] * scale)
        whiten = (vectors / np.sqrt(np.maximum(values, 1e-9))).T * scale
        self.y = whiten @ (relative @ y.ravel())[rows]
        self.columns = [whiten @ (relative[rows, 6 * i : 6 * i + 6]) for i in range(n)]
        self.stretch = None if stretch is None else (whiten @ (relative @ stretch.ravel())[rows])[:, None]

    def chi2(self, moved: Iterable[int], *, scaled: bool) -> tuple[float, int]:
        """Return what the set leaves unexplained, and in how many dimensions."""
        parts = [self.columns[i] for i in moved]
        if scaled and self.stretch is not None:
            parts.append(self.stretch)
        if not parts:
            return float(self.y @ self.y), len(self.y)
        D = np.concatenate(parts, axis=1)
        q, r = np.linalg.qr(D)
        rank = int((np.abs(np.diag(r)) > 1e-9 * np.abs(r).max()).sum())
        rest = self.y - q @ (q.T @ self.y)
        return float(rest @ rest), len(self.y) - rank


def find_moved(
    y: FloatArray,
    covariance: FloatArray,
    rotations: FloatArray,
    *,
    stretch: FloatArray | None = None,
    known: bool = True,
    typical: float = 1.0,
) -> Disagreement:
    """Find the fewest cameras that must have moved, the others being in their places.

    For each number of cameras the set is found that explains most, and the smallest number is taken beyond which more
    explain no more than chance would.

    Parameters
    ----------
    y : (n, 6) array
        New minus old pose of each camera in any common world: turn in rad and shift in mm, in the camera's axes.
    covariance : (6 n, 6 n) array
        Of `y`.
    rotations : (n, 3, 3) array
        Of ``cam_from_world``.
    stretch : (n, 6) array, optional
        What a larger old world would add to `y`; without it the scales are taken to be the same.
    known : bool
        Whether `covariance` is one, or only a shape whose size the unmoved cameras tell.
    typical : float
        What the covariance must usually be multiplied by: 1 where it is one.

    Returns
    -------
    Disagreement
    """
    fit = _Fit(y, covariance, rotations, stretch)
    n = len(rotations)
    best = [_State((), False, *fit.chi2((), scaled=False))]
    for _ in range(max(1, n - 2)):  # two that agree must remain, or nothing holds the world
        best.append(
            min(
                (_State(s, False, *fit.chi2(s, scaled=False)) for s in _sets(n, best[-1])), key=lambda state: state.chi2
            )
        )
    if stretch is not None:
        best += [_State(s.moved, True, *fit.chi2(s.moved, scaled=True)) for s in best]
    # the smallest set to which no larger one is clearly better; cameras that moved together show only together
    gain = partial(_gain, known=known, typical=typical, n_cameras=n)
    now = next(a for a in sorted(best, key=_size) if not any(gain(a, b) > 1 for b in best if _size(b) > _size(a)))
    left = _factor(now, known=known, typical=typical)
    near = now.chi2 + left * _AS_GOOD[known]
    smaller = _State(now.moved[:-1], now.scaled, 0.0, 0)
    others = tuple(
        other
        for other in _sets(n, smaller)
        if now.moved and other != now.moved and fit.chi2(other, scaled=now.scaled)[0] <= near
    )
    return Disagreement(now.moved, others, now.scaled, left)


class _State(NamedTuple):
    moved: tuple[int, ...]
    scaled: bool
    chi2: float
    dof: int


def _size(state: _State) -> tuple[int, bool]:
    return len(state.moved), state.scaled


def _sets(n: int, smaller: _State) -> Iterator[tuple[int, ...]]:
    """Yield the sets of one camera more: all of them, or, where they are very many, those that hold the smaller set."""
    size = len(smaller.moved) + 1
    if comb(n, size) <= _MOST_SETS:
        yield from combinations(range(n), size)
    else:
        yield from (tuple(sorted((*smaller.moved, i))) for i in range(n) if i not in smaller.moved)


def _factor(state: _State, *, known: bool, typical: float) -> float:
    prior = _PRIOR_DOF[known]
    factor = (prior * typical + state.chi2) / (prior + state.dof)
    return max(typical, factor) if known else factor


def _gain(before: _State, after: _State, *, known: bool, typical: float, n_cameras: int) -> float:
    """Return how much more is explained than by chance; beyond 1 it is no chance."""
    freed = before.dof - after.dof
    if freed <= 0:
        return 0.0
    p = _SIGNIFICANT / (comb(n_cameras, len(after.moved)) + 1)
    limit = float(fdtri(freed, _PRIOR_DOF[known] + after.dof, 1 - p))
    return (before.chi2 - after.chi2) / freed / _factor(after, known=known, typical=typical) / limit
