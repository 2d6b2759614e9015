"""Repetitions of an exercise in one angle: found, counted, and how far and how fast each goes.

The tempo of a repetition has three parts. It moves out from 10 % of the way to 90 %, holds while it is within 10 % of
the turning point, and moves back to 10 %. Where movements begin and end softly, their true beginning is a matter of
opinion; and at 5 % of the way, where they are slower, the same error in degrees is one and a half times as long.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

__all__ = ["Repetitions", "find_repetitions", "measure_again"]

_WHOLE = 0.6  # of the usual range of motion: less than that is a repetition that was broken off
_EDGE, _EDGE_DEG = 0.1, 2.0  # of a repetition's own range, at least: it rests, or holds, while the signal is nearer
_SEEN = 0.1  # of the range: rests that differ more, one at an end of the data, are not both rests


@dataclass(frozen=True, eq=False)
class Repetitions:
    """Repetitions of an exercise, in the order of their times; broken-off ones too.

    Attributes
    ----------
    start_s, hold_s, back_s, end_s : (..., n) array, s
        When the movement begins (10 % of the way), comes to its hold (90 %), begins to go back, and is back; between
        frames. NaN where that was not seen.
    peak_s : (..., n) array, s
        When it turns.
    range_deg : (..., n) array, degrees
        From the turning point to the mean of both rests.
    peak_deg : (..., n) array, degrees
    rest_deg : (..., n) array, degrees
        Mean of the rests before and after.
    aborted : (n,) bool array
        Goes less than 60 % as far as the others usually do.
    windows : (n, 5) int array
        Frames from the first one of the signal: first frame of the rest before and the one after its last, the same of
        the rest after, and the turning point. The movement lies between the rests.
    cut_off : int
        Movements that are not counted, at least: part of each lies in a gap, or outside the recording. What lies in a
        gap as a whole is not known of.
    """

    start_s: FloatArray
    hold_s: FloatArray
    back_s: FloatArray
    end_s: FloatArray
    peak_s: FloatArray
    range_deg: FloatArray
    peak_deg: FloatArray
    rest_deg: FloatArray
    aborted: BoolArray
    windows: IntArray
    cut_off: int = 0

    def __len__(self) -> int:
        return len(self.aborted)

    @property
    def count(self) -> int:
        """Whole repetitions."""
        return int((~self.aborted).sum())

    @property
    def out_time_s(self) -> FloatArray:
        """How long each moves out, s."""
        return self.hold_s - self.start_s

    @property
    def hold_time_s(self) -> FloatArray:
        """How long each stays near the turning point, s."""
        return self.back_s - self.hold_s

    @property
    def back_time_s(self) -> FloatArray:
        """How long each moves back, s."""
        return self.end_s - self.back_s

    @property
    def time_s(self) -> FloatArray:
        """How long each takes, s."""
        return self.end_s - self.start_s


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
    found: list[tuple[int, int, int, int, int]] = []
    known = np.isfinite(deg)
    bounds = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]]))).reshape(-1, 2)
    for first, last in bounds.tolist():
        for low, peak, high in _movements(deg[first:last], least_deg)[0]:
            found.append((*_rest(deg, first + low), *_rest(deg, first + high), first + peak))
    windows = np.array(found, dtype=np.int64).reshape(-1, 5)
    out = measure_again(deg, windows, fps=fps, start=start)
    reach = out.range_deg
    usual = float(np.median(reach[reach >= np.median(reach)])) if len(reach) else 0.0
    cut_off = 0
    if len(bounds):
        # Across a gap the straight line: what it cuts in two is one movement.
        seen = np.flatnonzero(known)
        movements, lost = _movements(np.interp(np.arange(seen[0], seen[-1] + 1), seen, deg[seen]), least_deg)
        cut_off = len(movements) + lost - len(found)
    return replace(out, aborted=np.asarray(reach < _WHOLE * usual), cut_off=cut_off)


def measure_again(
    deg: FloatArray, windows: IntArray, *, fps: float, start: int = 0, aborted: BoolArray | None = None
) -> Repetitions:
    """Measure repetitions, found elsewhere, in further signals: another side, or samples.

    Parameters
    ----------
    deg : (..., n_frames) array, degrees
        Growing in each repetition.
    windows : (n, 5) int array
        As in :class:`Repetitions`.
    fps : float
    start : int
        Index of the first frame in the recording.
    aborted : (n,) bool array, optional

    Returns
    -------
    Repetitions
        With the leading axes of `deg`.
    """
    lead, n = deg.shape[:-1], len(windows)
    times = {name: np.full((*lead, n), np.nan) for name in ("start", "hold", "back", "end", "peak")}
    peak_deg, rest_deg = np.full((*lead, n), np.nan), np.full((*lead, n), np.nan)
    for i, (before, before_end, after, after_end, _) in enumerate(windows.tolist()):
        way = deg[..., before:after_end]
        rests = [np.median(deg[..., a:b], axis=-1) for a, b in ((before, before_end), (after, after_end))]
        top, level = _turning_point(way)
        rest_deg[..., i], peak_deg[..., i] = (rests[0] + rests[1]) / 2, level
        times["peak"][..., i] = before + top
        frame = np.rint(np.nan_to_num(top)).astype(np.int64)
        for names, rest, forward in ((("start", "hold"), rests[0], False), (("end", "back"), rests[1], True)):
            edge = np.maximum(_EDGE * (level - rest), _EDGE_DEG)
            for name, limit in zip(names, (rest + edge, level - edge), strict=True):
                times[name][..., i] = before + _crossing(way, frame, limit, forward=forward)
    seconds = {name: (values + start) / fps for name, values in times.items()}
    return Repetitions(
        seconds["start"],
        seconds["hold"],
        seconds["back"],
        seconds["end"],
        seconds["peak"],
        peak_deg - rest_deg,
        peak_deg,
        rest_deg,
        np.zeros(n, dtype=np.bool_) if aborted is None else aborted,
        windows,
    )


def _movements(signal: FloatArray, least: float) -> tuple[list[tuple[int, int, int]], int]:
    """Return (rest before, turning point, rest after) of every movement that is seen whole; how many are not."""
    from scipy.signal import find_peaks  # takes half a second, which most who come here need not

    peaks = _different_peaks(signal, find_peaks(signal, prominence=least)[0], least)
    edges: IntArray = np.concatenate([[0], peaks, [len(signal) - 1]]).astype(np.int64)
    rests = [int(a + signal[a : b + 1].argmin()) for a, b in pairwise(edges)]
    out = []
    for peak, (before, after) in zip(peaks.tolist(), pairwise(rests), strict=True):
        ways = float(signal[peak] - signal[before]), float(signal[peak] - signal[after])
        at_an_end = before == 0 or after == len(signal) - 1
        if min(ways) >= least and not (at_an_end and abs(ways[0] - ways[1]) > _SEEN * max(ways)):
            out.append((before, peak, after))
    # The signal may also begin or end on the way: then its end stands higher than the nearest rest, without a peak.
    partial = sum(
        float(signal[end] - signal[rest]) >= least for end, rest in ((0, rests[0]), (len(signal) - 1, rests[-1]))
    )
    return out, len(peaks) - len(out) + partial


def _different_peaks(signal: FloatArray, peaks: IntArray, least: float) -> IntArray:
    """Keep the highest of peaks between which the signal hardly falls: a hold may have several, all alike."""
    kept: list[int] = []
    for peak in peaks.tolist():
        if kept and min(signal[kept[-1]], signal[peak]) - signal[kept[-1] : peak].min() < least:
            kept[-1] = peak if signal[peak] > signal[kept[-1]] else kept[-1]
        else:
            kept.append(peak)
    return np.array(kept, dtype=np.int64)


def _rest(deg: FloatArray, lowest: int) -> tuple[int, int]:
    """Return the frames around the lowest one in which the signal stays near it: that one alone would be noise."""
    far = ~(deg <= deg[lowest] + _EDGE_DEG)  # gaps are far
    after, before = np.flatnonzero(far[lowest:]), np.flatnonzero(far[:lowest])
    return int(before[-1]) + 1 if len(before) else 0, lowest + int(after[0]) if len(after) else len(deg)


def _turning_point(way: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where (..., from 0) and how high signals (..., n) turn: by a parabola through all frames near the highest.

    The highest frame alone would be that of the noise. Where the top is flat, the parabola is nearly so.
    """
    n = way.shape[-1]
    if not n or np.isnan(way).all():
        return np.full(way.shape[:-1], np.nan), np.full(way.shape[:-1], np.nan)
    top = np.argmax(np.where(np.isnan(way), -np.inf, way), axis=-1)
    highest = np.take_along_axis(way, top[..., None], axis=-1)[..., 0]
    i = np.arange(n)
    with np.errstate(invalid="ignore"):
        far = ~(way >= highest[..., None] - _EDGE_DEG)
    first = np.where(far & (i < top[..., None]), i, -1).max(-1)
    last = np.where(far & (i > top[..., None]), i, n).min(-1)
    near = ((i > first[..., None]) & (i < last[..., None])).astype(np.float64)
    middle, half = (first + last) / 2, np.maximum((last - first) / 2, 1.0)
    x = (i - middle[..., None]) / half[..., None]
    y = np.where(near > 0, way - highest[..., None], 0.0)
    powers = np.stack([near, near * x, near * x**2], axis=-2)
    A = powers @ np.swapaxes(np.stack([np.ones_like(x), x, x**2], axis=-2), -1, -2)
    b = (powers @ y[..., None])[..., 0]
    c = np.linalg.solve(A + 1e-9 * np.eye(3), b[..., None])[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = -c[..., 1] / (2 * c[..., 2])
        value = c[..., 0] - c[..., 1] ** 2 / (4 * c[..., 2])
    good = (near.sum(-1) >= 3) & (c[..., 2] < 0) & (np.abs(turn) <= 1)
    flat = b[..., 0] / near.sum(-1)  # no parabola: the mean
    return np.where(good, middle + half * turn, top), highest + np.where(good, value, flat)


def _crossing(way: FloatArray, peak: IntArray, limit: FloatArray, *, forward: bool) -> FloatArray:
    """Return where, between frames, a signal (..., n) last is at a limit (...) before its peak, or first after it."""
    n = way.shape[-1]
    i = np.arange(n)
    with np.errstate(invalid="ignore"):
        below = (way <= limit[..., None]) & ((i >= peak[..., None]) if forward else (i <= peak[..., None]))
    any_below = below.any(-1)
    near = below.argmax(-1) if forward else n - 1 - below[..., ::-1].argmax(-1)
    beyond = np.clip(near - 1 if forward else near + 1, 0, n - 1)  # the neighbour towards the peak
    a = np.take_along_axis(way, near[..., None], axis=-1)[..., 0]
    b = np.take_along_axis(way, beyond[..., None], axis=-1)[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(b > a, (limit - a) / (b - a), 0.0)
    return np.where(any_below, near + np.clip(part, 0.0, 1.0) * (beyond - near), np.nan)
