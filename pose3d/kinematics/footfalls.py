"""The gait of animals with any number of legs: how long each foot stands, and when it strikes beside the others."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.kinematics.cycles import at_frames
from pose3d.kinematics.strides import find_strides

__all__ = ["Footfalls", "footfall_diagram", "footfalls", "limb_phases", "stride_lengths"]


class Footfalls(NamedTuple):
    """Strides of one limb.

    Attributes
    ----------
    limb : str
    duration_s : (n_strides,) array, s
    duty_factor : (n_strides,) array
        The part of the stride in which the foot stands.
    phase : (n_strides,) array
        When in the stride of the reference limb, 0 to 1, this one's stride begins; NaN outside of its strides.
    start_s : (n_strides,) array, s
        When each begins.
    """

    limb: str
    duration_s: FloatArray
    duty_factor: FloatArray
    phase: FloatArray
    start_s: FloatArray


def footfalls(events: LimbEvents, limbs: Sequence[str], *, longest_s: float = 3.0) -> tuple[Footfalls, ...]:
    """Measure the strides of several limbs.

    Parameters
    ----------
    events : LimbEvents
    limbs : sequence of str
        The first is the one to which phases refer.
    longest_s : float, s
        A stride that lasts longer is a pause, and is left out.

    Returns
    -------
    tuple of Footfalls
        Of strides with one foot off each.

    References
    ----------
    Hildebrand (1989), The quadrupedal gaits of vertebrates, BioScience 39:766.
    """
    reference = find_strides(events, limbs[0], longest_s=longest_s)
    begin, end = reference.start_s[reference.kept], reference.end_s[reference.kept]
    out = []
    for limb in limbs:
        strides = find_strides(events, limb, longest_s=longest_s)
        kept = strides.kept
        start, duration = strides.start_s[kept], (strides.end_s - strides.start_s)[kept]
        at = np.searchsorted(begin, start + 1e-9) - 1
        inside = (at >= 0) & (start < np.append(end, -np.inf)[at])
        within = np.where(inside, at, 0)
        phase = np.full(len(start), np.nan)
        if len(begin):
            phase = np.where(inside, (start - begin[within]) / (end - begin)[within], np.nan)
        out.append(Footfalls(limb, duration, (strides.off_s[kept] - start) / duration, phase, start))
    return tuple(out)


def limb_phases(strides: Sequence[Footfalls]) -> tuple[FloatArray, FloatArray]:
    """Return the mean phase of each limb, on the circle, and how alike its phases are.

    Parameters
    ----------
    strides : sequence of Footfalls

    Returns
    -------
    phase : (n_limbs,) array, 0 to 1
        NaN without a stride.
    alike : (n_limbs,) array, 0 to 1
        Length of the mean vector: 1 where all phases are the same.
    """
    turns = [np.exp(2j * np.pi * limb.phase[np.isfinite(limb.phase)]) for limb in strides]
    means = np.array([turn.mean() if len(turn) else np.nan for turn in turns])
    return np.asarray(np.angle(means) / (2 * np.pi) % 1.0), np.asarray(np.abs(means))


def footfall_diagram(events: LimbEvents, limbs: Sequence[str], times_s: FloatArray) -> BoolArray:
    """Tell which feet stand at some instants, (n_limbs, n_times) bool: the rows of a gait diagram.

    Parameters
    ----------
    events : LimbEvents
    limbs : sequence of str
    times_s : (n_times,) array, s
        Before the first and after the last event of a limb nothing is known, and False is returned.
    """
    rows = []
    for limb in limbs:
        strikes, offs = events.times(limb, STRIKE), events.times(limb, OFF)
        since_strike = np.append(-np.inf, strikes)[np.searchsorted(strikes, times_s, side="right")]
        since_off = np.append(-np.inf, offs)[np.searchsorted(offs, times_s, side="right")]
        ends = np.searchsorted(offs, times_s, side="right") < len(offs)
        rows.append((since_strike > since_off) & ends)
    return np.array(rows, dtype=np.bool_).reshape(len(limbs), len(times_s))


def stride_lengths(
    strides: Footfalls, paw: FloatArray, *, fps: float, start: int = 0, belt: FloatArray | None = None
) -> FloatArray:
    """Return how far a paw goes over the ground in each stride, (n_strides,) mm.

    Parameters
    ----------
    strides : Footfalls
    paw : (n_frames, 3) array, mm
        Z up.
    fps : float
    start : int
        Index of the first frame in the recording.
    belt : (2,) array, mm/s, optional
        Velocity of a treadmill's belt.
    """
    ends = np.stack([strides.start_s, strides.start_s + strides.duration_s])
    places = at_frames(paw[:, :2].T, ends * fps - start)
    way = places[:, 1] - places[:, 0]
    if belt is not None:
        way = way - np.asarray(belt)[:, None] * strides.duration_s
    return np.asarray(np.linalg.norm(way, axis=0))
