"""Exercises: what repetitions of both sides are like, whether the sides differ, and whether the person tires."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.kinematics.changes import Trend, fit_trend
from pose3d.kinematics.estimates import Estimate, estimate
from pose3d.kinematics.mean_intervals import mean_interval, unpaired_interval
from pose3d.kinematics.repetitions import Repetitions, find_repetitions, measure_again
from pose3d.kinematics.symmetry import symmetry_index

__all__ = [
    "EXERCISES",
    "QUANTITIES",
    "Comparison",
    "Exercise",
    "ExercisePart",
    "ExerciseStudy",
    "Quantity",
    "RepetitionSummary",
    "measure_exercise",
]

_SIDES = {"l": "left", "r": "right"}


@dataclass(frozen=True)
class Exercise:
    """What an exercise is.

    Attributes
    ----------
    name : str
    angle : str
        That drives it, without its side: ``knee_flexion``.
    grows : bool
        Whether the angle grows from rest to the turning point; standing up makes the knee's smaller.
    together : bool
        Whether both sides do each repetition together. Otherwise each has its own.
    phases : (str, str, str)
        What people call the way out, the turning point and the way back.
    verb : str
        What a side does, for sentences: ``bends``.
    """

    name: str
    angle: str
    grows: bool = True
    together: bool = True
    phases: tuple[str, str, str] = ("out", "hold", "back")
    verb: str = "moves"


EXERCISES: Mapping[str, Exercise] = MappingProxyType(
    {
        each.name: each
        for each in (
            Exercise("squat", "knee_flexion", phases=("down", "hold", "up"), verb="bends"),
            Exercise("sit_to_stand", "knee_flexion", grows=False, phases=("up", "stand", "down"), verb="moves"),
            Exercise("reach", "shoulder_flexion", together=False, phases=("out", "hold", "back"), verb="reaches"),
        )
    }
)
"""Exercises that are known by name; others are an :class:`Exercise` of one's own."""


@dataclass(frozen=True)
class Quantity:
    """A number of a repetition."""

    name: str
    unit: str
    definition: str
    extreme: bool = False
    positive: bool = True


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("range", "deg", "from the mean of the rests before and after to the turning point", extreme=True),
    Quantity("peak", "deg", "angle at the turning point", extreme=True, positive=False),
    Quantity("rest", "deg", "mean angle of the rests before and after", positive=False),
    Quantity("out", "s", "from 10 % of the way to 90 %"),
    Quantity("hold", "s", "within 10 % of the way from the turning point"),
    Quantity("back", "s", "from 90 % of the way to 10 %"),
    Quantity("time", "s", "all three together"),
)


@dataclass(frozen=True)
class RepetitionSummary:
    """A number over the whole repetitions.

    Attributes
    ----------
    mean, sd : float
        SD between repetitions (n - 1).
    low, high : float
        95 % interval of the mean: how much repetitions differ, and what is not known about each.
    n : int
    fatigue : Trend
        Change from one repetition to the next.
    positive : bool
    """

    mean: float
    sd: float
    low: float
    high: float
    n: int
    fatigue: Trend
    positive: bool

    @property
    def cv(self) -> float:
        """Coefficient of variation, %; NaN for angles, whose zero is arbitrary."""
        return 100 * self.sd / self.mean if self.positive and self.mean > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class ExercisePart:
    """One side, or both together, over all repetitions.

    Attributes
    ----------
    name : str
        ``l``, ``r``, or ``both``: the mean of both sides.
    repetitions : Repetitions
        In the direction of the movement: of an exercise that makes the angle smaller, of its negative.
    values : mapping of str to Estimate of (n_repetitions,)
        By :data:`QUANTITIES`, in the angle's own sign. Intervals are those of the measurement.
    samples : mapping of str to (n_samples, n_repetitions) array
        The same on every posterior sample; empty where there are none.
    """

    name: str
    repetitions: Repetitions
    values: Mapping[str, Estimate]
    samples: Mapping[str, FloatArray]

    @property
    def whole(self) -> BoolArray:
        """(n_repetitions,): which are not broken off."""
        return ~self.repetitions.aborted

    def summarize(self, name: str) -> RepetitionSummary:
        """Return what the whole repetitions have in common.

        Parameters
        ----------
        name : str
            One of :data:`QUANTITIES`.
        """
        value, samples = self.values[name].value[self.whole], self.samples.get(name)
        known = value[np.isfinite(value)]
        mean, sd, low, high = mean_interval(value, None if samples is None else samples[:, self.whole])
        positive = next(each.positive for each in QUANTITIES if each.name == name)
        number = np.flatnonzero(self.whole) + 1.0
        return RepetitionSummary(mean, sd, low, high, len(known), fit_trend(number, value), positive)


@dataclass(frozen=True)
class Comparison:
    """Left against right, over the whole repetitions.

    Attributes
    ----------
    left, right : float
        Means.
    difference : float
        Left minus right.
    low, high : float
        Its 95 % interval: how much repetitions differ, and what is not known about each.
    index : float
        Symmetry index 100 (right - left) / mean of both, %; NaN for what is not positive by nature.
    n : int
        Repetitions, of the side with fewer.
    reason : str
        Why the sides cannot be compared; empty where they can.
    """

    left: float
    right: float
    difference: float
    low: float
    high: float
    index: float
    n: int
    reason: str = ""

    @property
    def real(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    def sentence(self, verb: str = "moves", unit: str = "degrees") -> str:
        """Say it to people; a side is named only where the interval leaves out zero.

        Parameters
        ----------
        verb : str
            What a side does: ``bends``.
        unit : str
        """
        if not np.isfinite(self.difference):
            return f"left and right cannot be compared: {self.reason or 'one of them has no whole repetition'}"
        if not np.isfinite(self.low):
            return f"left minus right {self.difference:+.1f} {unit}; so few repetitions have no interval"
        if not self.real:
            return (
                f"left and right differ by {self.difference:+.1f} {unit} [{self.low:+.1f}, {self.high:+.1f}]: "
                "no difference that could be told from error"
            )
        side = "left" if self.difference < 0 else "right"
        ends = sorted((abs(self.low), abs(self.high)))
        return f"{side} {verb} less by {abs(self.difference):.1f} {unit} [{ends[0]:.1f}, {ends[1]:.1f}]"


@dataclass(frozen=True, eq=False)
class ExerciseStudy:
    """An exercise, measured.

    Attributes
    ----------
    exercise : Exercise
    parts : mapping of str to ExercisePart
        ``both``, ``l`` and ``r`` where the sides move together, ``l`` and ``r`` where each moves on its own; only those
        whose angle is there.
    n_samples : int
        Posterior samples behind the intervals; 0 where there are none.
    signals : mapping of str to (n_frames,) array, degrees
        The angle of each part, in its own sign.
    fps : float
    start : int
        Index of the first frame in the recording.
    """

    exercise: Exercise
    parts: Mapping[str, ExercisePart]
    n_samples: int
    signals: Mapping[str, FloatArray]
    fps: float
    start: int = 0

    @property
    def leading(self) -> tuple[ExercisePart, ...]:
        """The parts that tell repetitions and tempo: both sides together, or each."""
        return (self.parts["both"],) if "both" in self.parts else tuple(self.parts.values())

    @property
    def count(self) -> int:
        """Whole repetitions, of both sides together or of each added up."""
        return sum(part.repetitions.count for part in self.leading)

    @property
    def aborted(self) -> int:
        """Repetitions that were broken off."""
        return sum(len(part.repetitions) - part.repetitions.count for part in self.leading)

    @property
    def cut_off(self) -> int:
        """Movements that were not seen whole."""
        return sum(part.repetitions.cut_off for part in self.leading)

    def compare(self, name: str = "range") -> Comparison | None:
        """Compare the sides.

        Parameters
        ----------
        name : str
            One of :data:`QUANTITIES`.

        Returns
        -------
        Comparison or None
            None where one of the sides is not there.
        """
        if not {"l", "r"} <= self.parts.keys():
            return None
        left, right = self.parts["l"], self.parts["r"]
        pairs = [(part.values[name].value[part.whole], _kept(part, name)) for part in (left, right)]
        if self.exercise.together:
            (a, s), (b, u) = pairs
            difference, _, low, high = mean_interval(a - b, None if s is None or u is None else s - u)
            means = [_mean(a[np.isfinite(a - b)]), _mean(b[np.isfinite(a - b)])]
            n = int(np.isfinite(a - b).sum())
        else:
            difference, low, high = unpaired_interval(*pairs)
            means = [_mean(values[np.isfinite(values)]) for values, _ in pairs]
            n = min(int(np.isfinite(values).sum()) for values, _ in pairs)
        reason = "" if self.exercise.together else _mostly_lost(left, right)
        if reason:
            difference = low = high = np.nan
        positive = next(each.positive for each in QUANTITIES if each.name == name)
        index = float(symmetry_index(*means)) if positive and not reason else float("nan")
        return Comparison(means[0], means[1], difference, low, high, index, n, reason)


def measure_exercise(
    exercise: Exercise,
    angles: Mapping[str, FloatArray],
    *,
    fps: float,
    start: int = 0,
    samples: Mapping[str, FloatArray] | None = None,
    least_deg: float = 15.0,
) -> ExerciseStudy:
    """Find the repetitions of an exercise and measure them.

    Parameters
    ----------
    exercise : Exercise
    angles : mapping of str to (n_frames,) array, degrees
        Low-passed. ``<angle>_l`` and ``<angle>_r`` are used, or the angle itself as the name says it, where it has no
        sides.
    fps : float
    start : int
        Index of the first frame in the recording.
    samples : mapping of str to (n_samples, n_frames) array, degrees, optional
        The same angles of posterior samples: from them come the intervals.
    least_deg : float, degrees
        What is less is no movement.

    Raises
    ------
    KeyError
        If no such angle is there.
    """
    sign = 1.0 if exercise.grows else -1.0
    names = {side: f"{exercise.angle}_{side}" for side in _SIDES}
    signals = {side: sign * angles[name] for side, name in names.items() if name in angles}
    if not signals and exercise.angle in angles:
        names = {"both": exercise.angle}
        signals = {"both": sign * angles[exercise.angle]}
    if not signals:
        raise KeyError(exercise.angle)
    signals = {side: deg for side, deg in signals.items() if np.isfinite(deg).any()} or signals
    drawn = {side: sign * samples[names[side]] for side in signals if samples and names[side] in samples}
    drawn = drawn if len(drawn) == len(signals) else {}
    if exercise.together and {"l", "r"} <= signals.keys():
        both = (signals["l"] + signals["r"]) / 2
        found = find_repetitions(both, fps=fps, start=start, least_deg=least_deg)
        signals = {"both": both, **signals}
        if drawn:
            drawn = {"both": (drawn["l"] + drawn["r"]) / 2, **drawn}
        repetitions = {
            name: found
            if name == "both"
            else measure_again(deg, found.windows, fps=fps, start=start, aborted=found.aborted)
            for name, deg in signals.items()
        }
    else:
        repetitions = {
            name: find_repetitions(deg, fps=fps, start=start, least_deg=least_deg) for name, deg in signals.items()
        }
    parts = {}
    for name, own in repetitions.items():
        many = None if name not in drawn else measure_again(drawn[name], own.windows, fps=fps, start=start)
        parts[name] = _part(name, own, many, sign)
    return ExerciseStudy(
        exercise,
        parts,
        max((len(each) for each in drawn.values()), default=0),
        {name: sign * deg for name, deg in signals.items()},
        fps,
        start,
    )


def _part(name: str, repetitions: Repetitions, samples: Repetitions | None, sign: float) -> ExercisePart:
    values, drawn = _quantities(repetitions, sign), {} if samples is None else _quantities(samples, sign)
    estimates = {
        each.name: estimate(
            values[each.name],
            drawn.get(each.name),
            extreme=each.extreme,
            least=0.0 if each.positive else -np.inf,
        )
        for each in QUANTITIES
    }
    return ExercisePart(name, repetitions, estimates, drawn)


def _quantities(own: Repetitions, sign: float) -> dict[str, FloatArray]:
    return {
        "range": own.range_deg,
        "peak": sign * own.peak_deg,
        "rest": sign * own.rest_deg,
        "out": own.out_time_s,
        "hold": own.hold_time_s,
        "back": own.back_time_s,
        "time": own.time_s,
    }


def _mostly_lost(*parts: ExercisePart) -> str:
    """Say which side was cut off so often that what is left of it may be anything; nothing where none was."""
    for part in parts:
        seen, lost = len(part.repetitions), part.repetitions.cut_off
        if 0 < seen <= lost:
            return f"{lost} of {seen + lost} movements of the {_SIDES[part.name]} side were not seen whole"
    return ""


def _kept(part: ExercisePart, name: str) -> FloatArray | None:
    return part.samples[name][:, part.whole] if part.samples else None


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else float("nan")
