"""Exercises: repetitions found and counted, how far and how fast each goes, and whether a change is more than error."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.signal import find_peaks

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["Change", "Repetitions", "find_repetitions", "judge_change", "minimal_detectable_change"]

_WHOLE = 0.6  # of the usual range of motion: less than that is a repetition that was broken off
_EDGE, _EDGE_DEG = 0.05, 2.0  # of a repetition's own range, at least: it lasts while the signal is farther from rest
_SEEN = 0.1  # of the range: rests that differ more, one at an end of the data, are not both rests


@dataclass(frozen=True, eq=False)
class Repetitions:
    """Repetitions of an exercise, in the order of their times; broken-off ones too.

    Attributes
    ----------
    start_s, peak_s, end_s : (n,) array, s
        When the movement begins, where it turns, and when it is back; between frames.
    range_deg : (n,) array, degrees
        From the turning point to the mean of both rests.
    peak_deg : (n,) array, degrees
    aborted : (n,) bool array
        Goes less than 60 % as far as the others usually do.
    """

    start_s: FloatArray
    peak_s: FloatArray
    end_s: FloatArray
    range_deg: FloatArray
    peak_deg: FloatArray
    aborted: BoolArray

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def count(self) -> int:
        """Whole repetitions."""
        return int((~self.aborted).sum())

    @property
    def out_s(self) -> FloatArray:
        """How long each takes to the turning point, s."""
        return self.peak_s - self.start_s

    @property
    def back_s(self) -> FloatArray:
        """How long each takes back, s."""
        return self.end_s - self.peak_s


def find_repetitions(deg: FloatArray, *, fps: float, start: int = 0, least_deg: float = 15.0) -> Repetitions:
    """Find the repetitions in an angle that grows in each of them.

    Parameters
    ----------
    deg : (n_frames,) array, degrees
        Low-passed; of an exercise that makes the angle smaller, its negative. Only what lies between gaps is searched.
    fps : float
    start : int
        Index of the first frame in the recording.
    least_deg : float, degrees
        What is less is no movement.

    Returns
    -------
    Repetitions
        None where a movement is not seen from rest to rest.
    """
    found = []
    known = np.isfinite(deg)
    bounds = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]]))).reshape(-1, 2)
    for first, last in bounds.tolist():
        for low, peak, high in _movements(deg[first:last], least_deg):
            found.append((first + low, first + peak, first + high))
    turns = np.array(found, dtype=np.int64).reshape(-1, 3)
    before, after = (np.array([_rest(deg, row[side], row[1]) for row in turns], dtype=np.float64) for side in (0, 2))
    reach = deg[turns[:, 1]] - (before + after) / 2
    usual = float(np.median(reach[reach >= np.median(reach)])) if len(reach) else 0.0
    begin, end = (
        np.array([_leaves(deg, row[1], row[side], *own) for row, *own in zip(turns, rest, reach, strict=True)])
        for side, rest in ((0, before), (2, after))
    )
    turn = turns[:, 1] + _vertex(deg, turns[:, 1])
    return Repetitions(
        (begin + start) / fps,
        (turn + start) / fps,
        (end + start) / fps,
        reach,
        deg[turns[:, 1]],
        np.asarray(reach < _WHOLE * usual),
    )


def _movements(signal: FloatArray, least: float) -> list[tuple[int, int, int]]:
    """Return (rest before, turning point, rest after) of every movement that is seen whole."""
    peaks, _ = find_peaks(signal, prominence=least)
    if not len(peaks):
        return []
    edges: IntArray = np.concatenate([[0], peaks, [len(signal) - 1]])
    rests = [int(a + signal[a : b + 1].argmin()) for a, b in pairwise(edges)]
    out = []
    for peak, (before, after) in zip(peaks.tolist(), pairwise(rests), strict=True):
        ways = float(signal[peak] - signal[before]), float(signal[peak] - signal[after])
        at_an_end = before == 0 or after == len(signal) - 1
        if min(ways) >= least and not (at_an_end and abs(ways[0] - ways[1]) > _SEEN * max(ways)):
            out.append((before, peak, after))
    return out


def _rest(deg: FloatArray, lowest: int, peak: int) -> float:
    """Return the level of a rest: the lowest value alone would be that of the noise."""
    way = deg[min(lowest, peak) : max(lowest, peak) + 1]
    return float(np.median(way[way <= deg[lowest] + _EDGE_DEG]))


def _leaves(deg: FloatArray, peak: int, rest: int, rest_deg: float, reach: float) -> float:
    """Return where, between the turning point and the rest, the signal comes near to rest."""
    step = 1 if rest > peak else -1
    way = deg[peak : rest + step : step] if rest + step >= 0 else deg[peak::step]
    level = rest_deg + max(_EDGE * reach, _EDGE_DEG)
    near = np.flatnonzero(way <= level)
    if not len(near) or near[0] == 0:
        return float(rest)
    i = int(near[0]) - 1
    return float(peak + step * (i + (way[i] - level) / (way[i] - way[i + 1])))


def _vertex(deg: FloatArray, peak: IntArray) -> FloatArray:
    """Return how far from their frames the turning points of parabolas through three frames lie."""
    before, here, after = (deg[np.clip(peak + i, 0, len(deg) - 1)] for i in (-1, 0, 1))
    bend = before - 2 * here + after
    with np.errstate(divide="ignore", invalid="ignore"):
        away = (before - after) / (2 * bend)
    return np.where(np.isfinite(away) & (bend < 0), np.clip(away, -0.5, 0.5), 0.0)


def minimal_detectable_change(sem: float, *, level: float = 1.96) -> float:
    """Return the smallest difference of two measurements that is more than their error, with 95 % certainty.

    ``1.96 sqrt(2) SEM``, where SEM is the standard error of one measurement (of a whole session, on another day).

    References
    ----------
    Weir (2005), Quantifying test-retest reliability, J. Strength Cond. Res. 19:231.
    """
    if not sem >= 0:
        raise ValueError(f"sem {sem} must not be negative")
    return level * math.sqrt(2) * sem


@dataclass(frozen=True)
class Change:
    """What became of a number between two sessions.

    Attributes
    ----------
    before, after : float
    mdc : float
        Minimal detectable change.
    sem_source : str
        Where the standard error comes from.
    """

    before: float
    after: float
    mdc: float
    sem_source: str

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def real(self) -> bool:
        """Whether the change is more than the error of both sessions."""
        return abs(self.difference) > self.mdc

    def __str__(self) -> str:
        verdict = "a change" if self.real else "no change that could be told from error"
        return f"{self.difference:+.1f}: {verdict} (minimal detectable change {self.mdc:.1f}, {self.sem_source})"


def judge_change(before: float, after: float, *, sem: float, sem_source: str) -> Change:
    """Judge the change of a number between two sessions.

    Parameters
    ----------
    before, after : float
    sem : float
        Standard error of one session's number.
    sem_source : str
        Where it comes from, such as ``two sessions of this person`` or a paper; it is printed with the verdict.
    """
    return Change(float(before), float(after), minimal_detectable_change(sem), sem_source)
