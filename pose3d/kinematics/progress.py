"""Exercises of several sessions: what changed between two of them, and where it goes over many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.changes import (
    Change,
    StandardError,
    Trend,
    minimal_detectable_change,
    sem_from_sessions,
    session_trend,
)
from pose3d.kinematics.exercises import QUANTITIES, Exercise, ExerciseStudy, Quantity

__all__ = [
    "ErrorSource",
    "ExerciseSession",
    "Progress",
    "SessionNumber",
    "compare_sessions",
    "follow_sessions",
    "session_numbers",
]

_COMPARED = ("range", "peak", "time")


@dataclass(frozen=True, eq=False)
class ExerciseSession:
    """The exercises of one session.

    Attributes
    ----------
    name : str
    studies : tuple of ExerciseStudy
        One a recording; several may be of the same exercise.
    day : float, optional
        When it was, in days from any one.
    """

    name: str
    studies: tuple[ExerciseStudy, ...]
    day: float | None = None

    @property
    def exercises(self) -> tuple[Exercise, ...]:
        """The exercises, each once."""
        return tuple({study.exercise.name: study.exercise for study in self.studies}.values())


@dataclass(frozen=True)
class SessionNumber:
    """A number of one session: the mean over all whole repetitions of an exercise.

    Attributes
    ----------
    mean, sd : float
        SD between repetitions (n - 1).
    n : int
    """

    mean: float
    sd: float
    n: int


@dataclass(frozen=True)
class ErrorSource:
    """Where the standard error of one session's number comes from.

    Attributes
    ----------
    sem_deg : float, optional
        Of all angles, as a paper gives it.
    source : str
        Which paper.
    repeated : tuple of ExerciseSession
        Sessions between which nothing changed: from two of them on, they give the standard error of each number.
    """

    sem_deg: float | None = None
    source: str = ""
    repeated: tuple[ExerciseSession, ...] = ()


@dataclass(frozen=True)
class Progress:
    """What became of a number.

    Attributes
    ----------
    exercise : Exercise
    part : str
        ``both``, ``l`` or ``r``.
    quantity : Quantity
    before, after : SessionNumber
    change : Change or None
        None where no standard error is known: then nobody can tell whether it is one.
    """

    exercise: Exercise
    part: str
    quantity: Quantity
    before: SessionNumber
    after: SessionNumber
    change: Change | None

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after.mean - self.before.mean


def session_numbers(session: ExerciseSession) -> dict[tuple[str, str, str], SessionNumber]:
    """Return the numbers of a session by exercise, part and quantity.

    Parameters
    ----------
    session : ExerciseSession
        Repetitions of all its recordings of an exercise count alike.
    """
    found: dict[tuple[str, str, str], list[FloatArray]] = {}
    for study in session.studies:
        for name, part in study.parts.items():
            for quantity in QUANTITIES:
                values = part.values[quantity.name].value[part.whole]
                found.setdefault((study.exercise.name, name, quantity.name), []).append(values)
    return {key: _number(np.concatenate(values)) for key, values in found.items()}


def _number(values: FloatArray) -> SessionNumber:
    known = values[np.isfinite(values)]
    return SessionNumber(
        float(known.mean()) if len(known) else float("nan"),
        float(known.std(ddof=1)) if len(known) > 1 else float("nan"),
        len(known),
    )


def compare_sessions(
    before: ExerciseSession, after: ExerciseSession, errors: ErrorSource | None = None
) -> tuple[Progress, ...]:
    """Tell what changed between two sessions, for the exercises that both have.

    Parameters
    ----------
    before, after : ExerciseSession
    errors : ErrorSource, optional
        Repeated sessions come before a number from elsewhere. Without it no change is called one.

    Returns
    -------
    tuple of Progress
        Ranges, peaks and times of repetitions.
    """
    first, second = session_numbers(before), session_numbers(after)
    repeated = [session_numbers(each) for each in (() if errors is None else errors.repeated)]
    out = []
    for exercise, part, quantity in _rows(after):
        key = (exercise.name, part, quantity.name)
        if key not in first or not (first[key].n and second[key].n):
            continue
        sem = _standard_error(key, quantity, repeated, errors)
        change = None
        if sem is not None:
            limit = minimal_detectable_change(sem[0])
            change = Change(first[key].mean, second[key].mean, limit, sem[1])
        out.append(Progress(exercise, part, quantity, first[key], second[key], change))
    return tuple(out)


def follow_sessions(sessions: Sequence[ExerciseSession]) -> dict[tuple[str, str, str], Trend]:
    """Return the change in a week of each number, over sessions whose days are known.

    Parameters
    ----------
    sessions : sequence of ExerciseSession

    Returns
    -------
    dict
        By exercise, part and quantity, for what at least two sessions have.
    """
    dated = [each for each in sessions if each.day is not None]
    numbers = [session_numbers(each) for each in dated]
    keys: Mapping[tuple[str, str, str], None] = dict.fromkeys(key for own in numbers for key in own)
    out = {}
    for key in keys:
        values = [own[key].mean if key in own else np.nan for own in numbers]
        trend = session_trend(np.array([each.day for each in dated], dtype=np.float64), values)
        if trend.n > 1:
            out[key] = trend
    return out


def _rows(session: ExerciseSession) -> Iterator[tuple[Exercise, str, Quantity]]:
    for exercise in session.exercises:
        parts = dict.fromkeys(name for each in session.studies if each.exercise == exercise for name in each.parts)
        for quantity in (each for each in QUANTITIES if each.name in _COMPARED):
            for part in parts:
                yield exercise, part, quantity


def _standard_error(
    key: tuple[str, str, str],
    quantity: Quantity,
    repeated: Sequence[Mapping[tuple[str, str, str], SessionNumber]],
    errors: ErrorSource | None,
) -> tuple[float, str] | None:
    """Return a standard error and where it comes from."""
    values = [own[key].mean for own in repeated if key in own and own[key].n]
    if len(values) > 1:
        found: StandardError = sem_from_sessions([values])
        return found.sem, found.source
    if errors is not None and errors.sem_deg is not None and quantity.unit == "deg":
        return errors.sem_deg, errors.source or "its source was not said"
    return None
