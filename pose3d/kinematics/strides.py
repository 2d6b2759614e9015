"""Strides between events, and what is measured in each: times, phases, lengths, by Vicon's definitions.

A stride of a limb lasts from one strike to its next. Of two legs it must hold, in this order, the other foot's off, the
other foot's strike and the foot's own off; a stride that does not is kept out of the numbers, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.kinematics.cycles import at_frames, at_own_frames

__all__ = ["GAIT_PARAMETERS", "GaitParameter", "Strides", "find_strides", "sample_strides", "stride_parameters"]

_M = 1000.0


@dataclass(frozen=True)
class GaitParameter:
    """A number that every stride has.

    Attributes
    ----------
    name : str
    unit : str
        ``%`` is of the stride.
    definition : str
    stored : str
        Vicon's name of it; empty where Vicon has none.
    """

    name: str
    unit: str
    definition: str
    stored: str = ""


GAIT_PARAMETERS: tuple[GaitParameter, ...] = (
    GaitParameter("cadence", "steps/min", "120 / stride time", "Cadence"),
    GaitParameter("speed", "m/s", "stride length / stride time", "Walking Speed"),
    GaitParameter("stride_time", "s", "from strike to strike of the foot", "Stride Time"),
    GaitParameter("step_time", "s", "from the other foot's strike to the end of the stride", "Step Time"),
    GaitParameter("opposite_foot_off", "%", "when the other foot leaves the ground", "Opposite Foot Off"),
    GaitParameter("opposite_foot_contact", "%", "when the other foot strikes", "Opposite Foot Contact"),
    GaitParameter("foot_off", "%", "when the foot leaves the ground: its stance", "Foot Off"),
    GaitParameter("swing", "%", "100 - foot off"),
    GaitParameter("single_support", "s", "from the other foot's off to its strike", "Single Support"),
    GaitParameter("double_support", "s", "both feet on the ground, twice in a stride", "Double Support"),
    GaitParameter("stride_length", "m", "way of the foot over the floor in the stride", "Stride Length"),
    GaitParameter("step_length", "m", "how far ahead the foot lands of where the other stands", "Step Length"),
    GaitParameter("step_width", "m", "distance of the other foot's place from the line of the stride"),
    GaitParameter("heading_change", "deg", "turn of the walking direction since the stride before, to the left +"),
)
"""The parameters of :func:`stride_parameters`, in their order."""


@dataclass(frozen=True, eq=False)
class Strides:
    """Strides of one limb, in the order of their times.

    Of samples of a walk the times may have a leading axis (n_samples, n_strides): see :func:`sample_strides`.

    Attributes
    ----------
    limb : str
    start_s, end_s : (n_strides,) array, s
        Strikes.
    off_s : (n_strides,) array, s
        When the limb leaves the ground; NaN where no event tells.
    other_off_s, other_strike_s : (n_strides,) array, s
        Of the other leg; NaN where no event tells.
    reasons : tuple of str
        Why a stride does not count; empty for those that do.
    """

    limb: str
    start_s: FloatArray
    end_s: FloatArray
    off_s: FloatArray
    other_off_s: FloatArray
    other_strike_s: FloatArray
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.start_s.shape[-1])

    @property
    def kept(self) -> BoolArray:
        """Which strides count, (n_strides,) bool."""
        return np.array([not reason for reason in self.reasons], dtype=np.bool_)

    def filled(self, walk: "Strides") -> "Strides":
        """Return strides of samples in which events that a sample has not are where the walk has them."""
        names = ("start_s", "end_s", "off_s", "other_off_s", "other_strike_s")
        times = {name: (getattr(self, name), getattr(walk, name)) for name in names}
        return replace(self, **{name: np.where(np.isfinite(own), own, known) for name, (own, known) in times.items()})


def find_strides(events: LimbEvents, limb: str, other: str | None = None, *, longest_s: float = 3.0) -> Strides:
    """Find the strides of a limb.

    Parameters
    ----------
    events : LimbEvents
    limb : str
    other : str, optional
        The other leg of two; without it only the limb's own events are looked at.
    longest_s : float
        A stride that lasts longer is a pause.
    """
    strikes = events.times(limb, STRIKE)
    start, end = strikes[:-1], strikes[1:]
    off, n_off = _between(events.times(limb, OFF), start, end)
    nothing = np.full(len(start), np.nan)
    other_off, n_other_off = _between(events.times(other, OFF), start, end) if other else (nothing, None)
    other_strike, n_other_strike = _between(events.times(other, STRIKE), start, end) if other else (nothing, None)
    checks: list[tuple[BoolArray, str]] = [
        (end - start > longest_s, f"lasts longer than {longest_s:g} s"),
        (n_off == 0, "has no foot off"),
        (n_off > 1, "has more than one foot off"),
    ]
    if n_other_off is not None and n_other_strike is not None:
        checks += [
            ((n_other_off == 0) | (n_other_strike == 0), "the other foot has no off or no strike in it"),
            ((n_other_off > 1) | (n_other_strike > 1), "the other foot has more than one off or strike in it"),
            (~((other_off < other_strike) & (other_strike < off)), "its events come in another order"),
        ]
    reasons = tuple(next((reason for wrong, reason in checks if wrong[i]), "") for i in range(len(start)))
    return Strides(limb, start, end, off, other_off, other_strike, reasons)


def _between(times: FloatArray, start: FloatArray, end: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the first of some times in each interval, NaN where there is none, and how many there are."""
    first = np.searchsorted(times, start, side="right")
    count = np.searchsorted(times, end, side="left") - first
    padded = np.append(times, np.nan)
    return np.where(count > 0, padded[np.minimum(first, len(times))], np.nan), count


def sample_strides(
    strides: Strides, events: LimbEvents, times: Mapping[tuple[str, str], FloatArray], other: str | None = None
) -> Strides:
    """Return the same strides with the times that their events have in samples.

    Parameters
    ----------
    strides : Strides
        Of :func:`find_strides` in `events`.
    events : LimbEvents
    times : mapping of (str, str) to (n_samples, n_events) array, s
        By limb and kind, in the order of ``events.times(limb, kind)``; NaN in samples without the event.
    other : str, optional
        The other leg.

    Returns
    -------
    Strides
        Its times are (n_samples, n_strides). Whether a stride counts is what the walk itself says.

    See Also
    --------
    Strides.filled
    """

    def moved(own: FloatArray, limb: str | None, kind: str) -> FloatArray:
        drawn = next(iter(times.values()))
        known = np.zeros(0) if limb is None else events.times(limb, kind)
        nothing = np.full((len(drawn), len(own)), np.nan)
        if limb is None or (limb, kind) not in times or not len(known):
            return nothing
        place = np.minimum(np.searchsorted(known, np.nan_to_num(own)), len(known) - 1)
        return np.where(known[place] == own, times[limb, kind][:, place], nothing)

    return replace(
        strides,
        start_s=moved(strides.start_s, strides.limb, STRIKE),
        end_s=moved(strides.end_s, strides.limb, STRIKE),
        off_s=moved(strides.off_s, strides.limb, OFF),
        other_off_s=moved(strides.other_off_s, other, OFF),
        other_strike_s=moved(strides.other_strike_s, other, STRIKE),
    )


def stride_parameters(
    strides: Strides, foot: FloatArray, other_foot: FloatArray, *, fps: float, start: int = 0
) -> dict[str, FloatArray]:
    """Measure every stride of one of two legs.

    Parameters
    ----------
    strides : Strides
    foot, other_foot : (..., n_frames, 3) array, mm
        The same point of both feet, Z up; leading axes are free (samples). Vicon takes the toe marker. Where strides
        have times of samples, the first axis is theirs.
    fps : float
    start : int
        Index of the first frame in the recording.

    Returns
    -------
    dict of str to (..., n_strides) array
        By :data:`GAIT_PARAMETERS`; NaN where a point or an event is missing. All strides are measured, also those that
        do not count.

    Notes
    -----
    The line of a stride is that of the foot's own way, so that nothing here needs a direction of walking: strides in
    turns are measured like others.
    """
    a, b = strides.start_s, strides.end_s
    o1, o2, o3 = strides.other_off_s, strides.other_strike_s, strides.off_s
    duration = b - a
    at = np.stack([a, b, o2], axis=-2) * fps - start
    look = at_frames if a.ndim == 1 else at_own_frames
    here, there = (np.moveaxis(look(np.moveaxis(points[..., :2], -1, -2), at), -3, -1) for points in (foot, other_foot))
    way = here[..., 1, :, :] - here[..., 0, :, :]
    length = np.linalg.norm(way, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = way / length[..., None]
    step = here[..., 1, :, :] - there[..., 2, :, :]
    side = there[..., 2, :, :] - here[..., 0, :, :]
    width = np.abs(along[..., 0] * side[..., 1] - along[..., 1] * side[..., 0])
    heading = np.arctan2(way[..., 1], way[..., 0])
    turn = np.full(heading.shape, np.nan)
    if len(strides) > 1:
        away = (np.diff(heading, axis=-1) + np.pi) % (2 * np.pi) - np.pi
        turn[..., 1:] = np.where(a[..., 1:] == b[..., :-1], away, np.nan)
    found = {
        "cadence": 120 / duration,
        "speed": length / _M / duration,
        "stride_time": duration,
        "step_time": b - o2,
        "opposite_foot_off": 100 * (o1 - a) / duration,
        "opposite_foot_contact": 100 * (o2 - a) / duration,
        "foot_off": 100 * (o3 - a) / duration,
        "swing": 100 * (b - o3) / duration,
        "single_support": o2 - o1,
        "double_support": (o1 - a) + (o3 - o2),
        "stride_length": length / _M,
        "step_length": (step * along).sum(-1) / _M,
        "step_width": width / _M,
        "heading_change": np.degrees(turn),
    }
    shape = (*foot.shape[:-2], len(strides))
    return {name: np.broadcast_to(np.asarray(values, dtype=np.float64), shape) for name, values in found.items()}
