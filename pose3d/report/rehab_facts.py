"""What a rehabilitation report shows, and what its quality page concludes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from pose3d.data.names import counted
from pose3d.kinematics.changes import Trend
from pose3d.kinematics.exercises import Exercise, ExerciseStudy
from pose3d.kinematics.progress import ExerciseSession, Progress

from .document import Callout, Grade
from .film import Film
from .gait_facts import GaitFacts, judge
from .gait_words import readable

__all__ = ["FEW_REPETITIONS", "PARTS", "ExerciseRecording", "RehabContents", "angle_words", "judge_exercises"]

FEW_REPETITIONS = 3
"""Fewer repetitions make a mean that another set would change."""

PARTS: Mapping[str, str] = {"both": "both", "l": "left", "r": "right"}

_LEAST_SAMPLES = 39
_FILLED = 0.2  # share of the frames: above it a keypoint that the exercise needs is worth a warning
_NEEDED = {"knee_flexion": ("Hip", "Knee", "Ankle"), "shoulder_flexion": ("Hip", "Shoulder", "Elbow")}
_NO_INTERVALS = (
    "There are no error bars of single repetitions: the recordings have no posterior samples, which pose3d triangulate "
    "--samples 50 makes. Intervals of means come from the difference between repetitions alone."
)


@dataclass(frozen=True, eq=False)
class ExerciseRecording:
    """A recording, what was measured in it, and what one repetition looks like."""

    name: str
    study: ExerciseStudy
    film: Film | None = None


@dataclass(frozen=True, eq=False)
class RehabContents:
    """What a report shows.

    Attributes
    ----------
    recordings : tuple of ExerciseRecording
    facts : GaitFacts
        Where they come from.
    before : ExerciseSession, optional
        The session that this one is compared with.
    progress : tuple of Progress
        What changed since then.
    sem_source : str
        Where the standard errors come from, for people; empty without any.
    sessions : tuple of ExerciseSession
        All whose day is known, this one too, in their order.
    trends : mapping of (str, str, str) to Trend
        By exercise, part and quantity; a week.
    """

    recordings: tuple[ExerciseRecording, ...]
    facts: GaitFacts
    before: ExerciseSession | None = None
    progress: tuple[Progress, ...] = ()
    sem_source: str = ""
    sessions: tuple[ExerciseSession, ...] = ()
    trends: Mapping[tuple[str, str, str], Trend] = field(default_factory=dict)

    @property
    def exercises(self) -> tuple[Exercise, ...]:
        """The exercises, each once."""
        return tuple({each.study.exercise.name: each.study.exercise for each in self.recordings}.values())

    def of(self, exercise: Exercise) -> tuple[ExerciseRecording, ...]:
        """Return the recordings of an exercise."""
        return tuple(each for each in self.recordings if each.study.exercise.name == exercise.name)


def angle_words(exercise: Exercise) -> str:
    """Return what people call the angle that drives an exercise."""
    return readable(exercise.angle).lower()


def judge_exercises(contents: RehabContents) -> Callout:
    """Say in words how far the numbers may be trusted, and why."""
    counts = [
        f"{readable(exercise.name).lower()} {sum(each.study.count for each in contents.of(exercise))}"
        for exercise in contents.exercises
    ]
    some = any(each.study.count for each in contents.recordings)
    return judge(
        list(_findings(contents)),
        f"Repetitions that count: {', '.join(counts)}.",
        nothing="" if some else "No repetition was found: this report has no numbers",
    )


def _findings(contents: RehabContents) -> Iterator[tuple[Grade, str]]:
    """Yield what a reader must know."""
    for each in contents.recordings:
        study, name = each.study, each.name
        if not study.count:
            yield "warn", f"{name}: no repetition of {angle_words(study.exercise)} was found."
        elif min(part.repetitions.count for part in study.leading) < FEW_REPETITIONS:
            yield "warn", f"{name}: fewer than {FEW_REPETITIONS} repetitions; another set may give other means."
        if study.aborted:
            yield "plain", f"{name}: {counted(study.aborted, 'repetition')} broken off, listed and not counted."
        if study.cut_off:
            yield "warn", f"{name}: {counted(study.cut_off, 'movement')} not seen from rest to rest, not counted."
        if _bends_backwards(study):
            yield "bad", f"{name}: knees bend forwards: left and right are exchanged, or the world is mirrored."
        sides = {"l", "r"} - study.parts.keys()
        if len(sides) == 1 and "both" not in study.parts:
            yield "warn", f"{name}: the {PARTS[sides.pop()]} side was not seen, and so nothing is compared."
    yield from _seen(contents)
    if contents.facts.refused:
        names = ", ".join(name for name, _ in contents.facts.refused[:3])
        yield "warn", f"{counted(len(contents.facts.refused), 'recording')} could not be used, see below: {names}."
    samples = [each.study.n_samples for each in contents.recordings]
    if not all(samples):
        yield "plain", _NO_INTERVALS
    elif min(samples) < _LEAST_SAMPLES:
        yield "plain", f"No 95 % interval can be told from {min(samples)} samples: it takes {_LEAST_SAMPLES}."
    remarks = dict.fromkeys(remark for recording in contents.facts.recordings for remark in recording.remarks)
    for remark in list(remarks)[:4]:
        yield "plain", f"{remark}."


def _bends_backwards(study: ExerciseStudy) -> bool:
    if study.exercise.angle != "knee_flexion":
        return False
    known = [deg[np.isfinite(deg)] for deg in study.signals.values()]
    return any(len(deg) and -deg.min() > max(25.0, float(deg.max())) for deg in known)


def _seen(contents: RehabContents) -> Iterator[tuple[Grade, str]]:
    studies = {each.name: each.study for each in contents.recordings}
    for recording in contents.facts.recordings:
        study = studies.get(recording.name)
        endings = _NEEDED.get(study.exercise.angle, ()) if study is not None else ()
        seen = recording.coverage
        lost = seen.filled + seen.missing
        gaps = [
            f"{name} ({share:.0%})"
            for name, share in zip(seen.keypoints, lost.tolist(), strict=True)
            if share > _FILLED and name.endswith(endings) and endings
        ]
        if gaps:
            yield "warn", f"{recording.name}: filled in or missing in more than {_FILLED:.0%}: {', '.join(gaps)}."
