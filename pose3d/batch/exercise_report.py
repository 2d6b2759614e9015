"""The rehabilitation report of a session: its exercises measured, compared with other sessions, the pages written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pose3d.batch.exercise_study import SessionExercises, study_exercises
from pose3d.batch.films import film_of_exercise
from pose3d.batch.gait_report import calibration_words
from pose3d.errors import DataError
from pose3d.kinematics.changes import StandardError
from pose3d.kinematics.exercises import Exercise
from pose3d.kinematics.progress import ErrorSource, ExerciseSession, compare_sessions, follow_sessions
from pose3d.log import Progress, no_progress
from pose3d.project import Session
from pose3d.report.document import Callout
from pose3d.report.gait_facts import GaitFacts
from pose3d.report.rehab_facts import ExerciseRecording, RehabContents, judge_exercises
from pose3d.report.rehab_page import write_rehab_report

__all__ = ["OtherSessions", "RehabReport", "report_exercises"]


@dataclass(frozen=True)
class OtherSessions:
    """What a session is compared with.

    Attributes
    ----------
    before : Session, optional
    repeated : tuple of Session
        Sessions between which nothing changed: they give the standard error of measurement.
    sem_deg : float, optional
        Standard error of angles from elsewhere.
    sem_source : str
        Where.
    dated : tuple of (date, Session)
        Earlier ones, for the trend.
    day : date, optional
        Of the session itself.
    """

    before: Session | None = None
    repeated: tuple[Session, ...] = ()
    sem_deg: float | None = None
    sem_source: str = ""
    dated: tuple[tuple[date, Session], ...] = ()
    day: date | None = None


@dataclass(frozen=True, eq=False)
class RehabReport:
    """What was written, and what it says first.

    Attributes
    ----------
    exercises : SessionExercises
    contents : RehabContents
    verdict : Callout
    outputs : tuple of Path
    """

    exercises: SessionExercises
    contents: RehabContents
    verdict: Callout
    outputs: tuple[Path, ...]


def report_exercises(
    session: Session,
    folder: str | Path | None = None,
    *,
    only: Sequence[str] | None = None,
    exercise: Exercise | Mapping[str, Exercise] | None = None,
    others: OtherSessions | None = None,
    subject: str | None = None,
    pdf: bool = True,
    progress: Progress = no_progress,
) -> RehabReport:
    """Write the rehabilitation report of a session.

    Parameters
    ----------
    session : Session
    folder : path, optional
        Where the files go; by default the session's ``reports``.
    only : sequence of str, optional
        Names of recordings; by default all.
    exercise : Exercise or mapping of str to Exercise, optional
        Of all recordings, or of those that it names; by default their own names tell.
    others : OtherSessions, optional
    subject : str, optional
        Code of the person; by default that of ``[gait]``.
    pdf : bool
    progress : callable, optional

    Raises
    ------
    DataError
        If no recording of a session can be used, or a trend is wanted without the session's own day.
    Pose3DError
        If a file cannot be read or written.
    """
    others = others or OtherSessions()
    if others.dated and others.day is None:
        raise DataError("a trend over sessions needs the day of this one too; give --date")
    measured = study_exercises(session, only=only, exercise=exercise, progress=progress)
    if subject is not None:
        measured = replace(measured, subject=subject)

    def other(one: Session, day: date | None = None) -> ExerciseSession:
        found = study_exercises(one, exercise=exercise, intervals=False)  # its means are enough
        return found.to_session(None if day is None else float(day.toordinal()))

    this = measured.to_session(None if others.day is None else float(others.day.toordinal()))
    before = None if others.before is None else other(others.before)
    errors = ErrorSource(others.sem_deg, others.sem_source, tuple(other(each) for each in others.repeated))
    dated = sorted([*(other(one, day) for day, one in others.dated), this], key=lambda each: each.day or 0.0)
    contents = RehabContents(
        tuple(
            ExerciseRecording(each.name, each.study, film_of_exercise(session, each.name, each.study))
            for each in measured.recordings
        ),
        _facts(session, measured, others),
        before,
        () if before is None else compare_sessions(before, this, errors),
        _error_words(others),
        tuple(dated) if len(dated) > 1 else (),
        follow_sessions(dated) if len(dated) > 1 else {},
    )
    outputs = write_rehab_report(contents, session.reports if folder is None else folder, pdf=pdf)
    return RehabReport(measured, contents, judge_exercises(contents), outputs)


def _error_words(others: OtherSessions) -> str:
    """Say where standard errors come from."""
    n = len(others.repeated)
    if n > 1:
        names = ", ".join(one.name for one in others.repeated)
        few = f"{n - 1} degree{'s' if n > 2 else ''} of freedom"
        low, high = StandardError(1.0, n - 1, 1, n).interval
        return (
            f"The standard deviation of the means of {n} sessions of this person, {names}, between which nothing is "
            f"said to have changed. It has {few}: with 95 % probability the true one is {low:.1f} to {high:.1f} times "
            "as large, and so is the minimal detectable change"
        )
    if others.sem_deg is None:
        return ""
    return f"{others.sem_deg:.3g}° for all angles: {others.sem_source}. For times there is none"


def _facts(session: Session, measured: SessionExercises, others: OtherSessions) -> GaitFacts:
    from pose3d import __version__

    cutoff = measured.cutoff_hz
    return GaitFacts(
        session=measured.name,
        subject=measured.subject,
        recordings=tuple(each.facts for each in measured.recordings),
        refused=measured.refused,
        cameras=measured.cameras,
        calibration=calibration_words(session),
        date="" if others.day is None else others.day.isoformat(),
        settings=(("Low-pass of the angles", "none" if cutoff is None else f"{cutoff:g} Hz (Butterworth, 3 dB)"),),
        version=__version__,
    )
