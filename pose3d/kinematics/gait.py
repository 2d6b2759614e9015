"""A walk, measured: from points, angles and events to strides, their parameters and the cycles of every angle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pose3d.data.events import LimbEvents
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.cycles import cut_cycles
from pose3d.kinematics.strides import Strides, find_strides, sample_strides, stride_parameters

__all__ = ["FootPoints", "Gait", "SideGait", "foot_points", "measure_gait"]

_OTHER = {"L": "R", "R": "L"}
_HEELS, _TOES = ("Heel", "HEE"), ("BigToe", "TOE", "SmallToe")
_LONGEST_GAP_S = 0.3
_PELVES = (("LHip", "RHip"), ("LASI", "RASI"), ("Hip",), ("CHip",), ("PELO",), ("SACR",))


class FootPoints(NamedTuple):
    """Names of the points by which a walk is measured.

    Attributes
    ----------
    heels, toes : dict of str to str
        By side, ``L`` and ``R``.
    pelvis : tuple of str
        Their middle is the pelvis.
    """

    heels: dict[str, str]
    toes: dict[str, str]
    pelvis: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SideGait:
    """What one leg does.

    Attributes
    ----------
    strides : Strides
    parameters : mapping of str to (..., n_strides) array
        Of all strides, by :data:`pose3d.kinematics.strides.GAIT_PARAMETERS`.
    cycles : mapping of str to (..., n_kept, 101) array, degrees
        Of the strides that count, by the names of the angles of this side.
    """

    strides: Strides
    parameters: Mapping[str, FloatArray]
    cycles: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Gait:
    """A walk of somebody with two legs.

    Attributes
    ----------
    events : LimbEvents
    sides : mapping of str to SideGait
        ``L`` and ``R``.
    """

    events: LimbEvents
    sides: Mapping[str, SideGait]

    @property
    def n_kept(self) -> int:
        """Strides that count, of both sides."""
        return sum(int(side.strides.kept.sum()) for side in self.sides.values())


def foot_points(names: Sequence[str]) -> FootPoints:
    """Find heels, toes and pelvis among the names of keypoints or markers.

    Parameters
    ----------
    names : sequence of str
        Of a skeleton such as HALPE-26, BODY-25 or BlazePose, or of markers as in Plug-in Gait.

    Raises
    ------
    DataError
        If one is not there: without heels and toes no event can be found.
    """
    found = {}
    for what, ends in (("heel", _HEELS), ("toe", _TOES)):
        end = next((end for end in ends if all(side + end in names for side in "LR")), None)
        if end is None:
            wanted = " or ".join(f"L{end} and R{end}" for end in ends)
            raise DataError(f"gait needs both {what}s, and the points have none ({wanted}); use a skeleton with feet")
        found[what] = {side: side + end for side in "LR"}
    pelvis = next((group for group in _PELVES if all(name in names for name in group)), None)
    if pelvis is None:
        raise DataError("gait needs the hips (LHip and RHip, or LASI and RASI), and the points have none")
    return FootPoints(found["heel"], found["toe"], pelvis)


def measure_gait(
    events: LimbEvents,
    feet: Mapping[str, FloatArray],
    angles: Mapping[str, FloatArray],
    *,
    fps: float,
    start: int = 0,
    most_turn_deg: float | None = 20.0,
    walk: Gait | None = None,
    event_times: Mapping[tuple[str, str], FloatArray] | None = None,
) -> Gait:
    """Measure the strides between events.

    Parameters
    ----------
    events : LimbEvents
        Of ``L`` and ``R``.
    feet : mapping of str to (..., n_frames, 3) array, mm
        The same point of both feet by side, Z up: Vicon takes the toe marker. Leading axes (samples) are free.
    angles : mapping of str to (..., n_frames) array, degrees
        Names end in ``_l`` or ``_r``; each is cut at the strikes of its own side.
    fps : float
    start : int
        Index of the first frame in the recording.
    most_turn_deg : float or None
        A stride whose line turns more than this from that of the stride before does not count; None counts them all.
    walk : Gait, optional
        Of which these are samples: its strides are measured, and count where they count there.
    event_times : mapping of (str, str) to (n_samples, n_events) array, s, optional
        Times of the walk's events in the samples, by limb and kind. Where a sample has no such event, what depends on
        it is NaN; cycles are cut all the same, there at the event of the walk.

    Returns
    -------
    Gait

    Notes
    -----
    A stride without one before it is judged by the one after it; a stride that stands alone counts as straight. A
    stride in which a foot is not seen for 0.3 s does not count: a strike and an off may lie in there, and what looks
    like one stride may be two.
    """
    sides = {}
    for side, other in _OTHER.items():
        own = known = find_strides(events, side, other) if walk is None else walk.sides[side].strides
        if event_times:
            own = sample_strides(known, events, event_times, other)
        parameters = stride_parameters(own, feet[side], feet[other], fps=fps, start=start)
        if walk is None:
            own = _without_gaps(own, [feet[side], feet[other]], fps=fps, start=start)
        if most_turn_deg is not None and walk is None:
            own = _without_turns(own, parameters["heading_change"], most_turn_deg)
        kept, cut = own.kept, own.filled(known)
        ending = f"_{side.lower()}"
        cycles = {
            name: cut_cycles(_unwrapped(values), cut.start_s[..., kept], cut.end_s[..., kept], fps=fps, start=start)
            for name, values in angles.items()
            if name.endswith(ending)
        }
        sides[side] = SideGait(own, parameters, cycles)
    return Gait(events, sides)


def _without_gaps(strides: Strides, feet: Sequence[FloatArray], *, fps: float, start: int) -> Strides:
    """Count out strides in which a foot is out of view for so long that events may be lacking."""
    n = max(1, round(_LONGEST_GAP_S * fps))
    ends = np.zeros(feet[0].shape[-2] + 1, dtype=np.bool_)  # of runs of missing frames that are too long
    for foot in feet:
        gone = np.isnan(foot).any(-1).reshape(-1, foot.shape[-2]).all(0)
        total = np.concatenate([[0], np.cumsum(gone)])
        if len(total) > n:
            ends[n:] |= total[n:] - total[:-n] == n
    before = np.concatenate([[0], np.cumsum(ends)])
    first = np.clip(np.ceil(strides.start_s * fps - start) + n, 0, len(ends)).astype(np.int64)
    last = np.clip(np.floor(strides.end_s * fps - start) + 2, first, len(ends)).astype(np.int64)
    lost = before[last] > before[first]
    reasons = tuple(
        reason or ("a foot is out of view for part of it" if gap else "")
        for reason, gap in zip(strides.reasons, lost.tolist(), strict=True)
    )
    return replace(strides, reasons=reasons)


def _without_turns(strides: Strides, change: FloatArray, most: float) -> Strides:
    """Count out strides in turns; of samples their middle tells."""
    if not len(strides):
        return strides
    typical = np.abs(change).reshape(-1, change.shape[-1])
    known = np.asarray(np.isfinite(typical).any(0))
    middle = np.zeros(change.shape[-1])
    middle[known] = np.nanmedian(typical[:, known], axis=0)
    first = np.flatnonzero(~known[:-1])
    middle[first] = np.where(strides.end_s[first] == strides.start_s[first + 1], middle[first + 1], 0.0)
    reasons = tuple(
        reason or (f"turns by more than {most:g} degrees" if turn > most else "")
        for reason, turn in zip(strides.reasons, middle.tolist(), strict=True)
    )
    return replace(strides, reasons=reasons)


def _unwrapped(deg: FloatArray) -> FloatArray:
    """Take jumps of 360 degrees out of (..., n_frames), over gaps too, and stay where most of the signal was."""
    known = np.isfinite(deg)
    rows = np.where(known, np.arange(deg.shape[-1]), known.argmax(-1)[..., None])  # before the first one: the first
    before = np.maximum.accumulate(rows, axis=-1)
    filled = np.take_along_axis(np.where(known, deg, 0.0), before, axis=-1)
    smooth = np.unwrap(filled, period=360.0, axis=-1)
    turns = np.round(np.median(smooth - filled, axis=-1, keepdims=True) / 360.0)
    return np.where(known, smooth - 360.0 * turns, np.nan)
