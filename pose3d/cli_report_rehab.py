"""pose3d report rehab: exercises of a session as pages for people."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import OnlyTrials, ReportFolder, ReportSubject
from pose3d.cli_console import QUALITY, Console

if TYPE_CHECKING:
    from datetime import date

    from pose3d.kinematics.exercises import Exercise

__all__ = ["rehab"]


@dataclasses.dataclass
class Others:
    """Other sessions, and how much the numbers of one err."""

    before: Annotated[
        Path | None,
        typer.Option(metavar="SESSION", help="The session that this one is compared with.", show_default=False),
    ] = None
    repeated: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="SESSION",
            help="One of two sessions or more between which nothing changed: how much do a session's numbers err?",
            show_default=False,
        ),
    ] = None
    sem: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="DEG", help="Standard error of a session's angles, instead.", show_default=False
        ),
    ] = None
    sem_source: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Where --sem comes from; it is printed.", show_default=False)
    ] = None
    earlier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATE=SESSION", help="An earlier session, for the trend: 2026-03-01=monday.", show_default=False
        ),
    ] = None
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day of this session: 2026-03-15.", show_default=False)
    ] = None


def rehab(
    console: Console,
    session: Annotated[
        Path,
        typer.Argument(
            metavar="SESSION", help="A session's folder: its pose-3d holds the exercises.", show_default=False
        ),
    ],
    others: Others,
    output: ReportFolder = None,
    exercise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]EXERCISE",
            help="squat, sit_to_stand or reach: of all recordings, or of the one named."
            " [dim]Default: how a recording's name begins.[/dim]",
            show_default=False,
        ),
    ] = None,
    trial: OnlyTrials = None,
    subject: ReportSubject = None,
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="Write rehab.pdf too.")] = True,
) -> int:
    """Report on somebody's exercises: repetitions, range of motion, tempo, left against right, before and after.

    Writes rehab.html (one page that opens in any browser, offline), rehab.pdf, rehab.xlsx and rehab-*.csv. Error bars
    need samples: pose3d triangulate --samples 50.

    A difference from the session before is called a change only where it is more than the minimal detectable one, 1.96
    x sqrt(2) x SEM, and where the SEM comes from is printed: repeated sessions, or --sem with its source. Without one
    nothing is called a change.
    """
    if (others.sem is None) != (others.sem_source is None):
        raise typer.BadParameter("--sem and --sem-source go together: a number needs its source", param_hint="--sem")
    if others.repeated and len(others.repeated) == 1:
        raise typer.BadParameter("it takes two sessions or more; give it again", param_hint="--repeated")
    from pose3d.batch.exercise_report import OtherSessions, report_exercises
    from pose3d.batch.exercise_summary import exercise_summary
    from pose3d.project import Session

    compared = OtherSessions(
        None if others.before is None else Session.load(others.before),
        tuple(Session.load(each) for each in others.repeated or ()),
        others.sem,
        others.sem_source or "",
        tuple((_day(text), Session.load(path)) for text, path in map(_split_dated, others.earlier or ())),
        None if others.date is None else _day(others.date),
    )
    with console.progress() as progress:
        made = report_exercises(
            Session.load(session),
            output,
            only=trial,
            exercise=_exercises(exercise or ()),
            others=compared,
            subject=subject,
            pdf=pdf,
            progress=progress,
        )
    for name, reason in made.exercises.refused:
        console.warn(f"{name}: {reason}")
    console.say(made.verdict.headline, *(f"  {line}" for line in made.verdict.lines))
    for each in made.contents.progress:
        if each.change is not None and each.quantity.name == "range":
            console.say(f"  {each.exercise.name}, {each.part}: range {each.change}")
    console.say(*(f"written: {path}" for path in made.outputs if path.suffix != ".csv"))
    console.say(f"written: {sum(path.suffix == '.csv' for path in made.outputs)} tables rehab-*.csv")
    console.result(
        {
            "session": made.exercises.name,
            "subject": made.exercises.subject,
            "grade": made.verdict.grade,
            "verdict": made.verdict.headline,
            "remarks": made.verdict.lines,
            "recordings": {each.name: exercise_summary(each.study) for each in made.exercises.recordings},
            "changes": [
                {
                    "exercise": each.exercise.name,
                    "part": each.part,
                    "quantity": each.quantity.name,
                    "difference": each.difference,
                    "mdc": None if each.change is None else each.change.mdc,
                    "change": None if each.change is None else each.change.real,
                    "sem_source": None if each.change is None else each.change.sem_source,
                }
                for each in made.contents.progress
            ],
            "refused": dict(made.exercises.refused),
            "outputs": made.outputs,
        }
    )
    return QUALITY if made.verdict.grade == "bad" else 0


def _exercises(texts: Sequence[str]) -> "Exercise | dict[str, Exercise] | None":
    """Read ``squat`` or ``NAME=squat``."""
    from pose3d.kinematics.exercises import EXERCISES

    named: dict[str, Exercise] = {}
    plain: list[Exercise] = []
    for text in texts:
        recording, _, name = text.rpartition("=")
        if name not in EXERCISES:
            raise typer.BadParameter(f"{name!r} is no exercise here: {', '.join(EXERCISES)}", param_hint="--exercise")
        if recording:
            named[recording] = EXERCISES[name]
        else:
            plain.append(EXERCISES[name])
    if len(plain) > 1 or (plain and named):
        raise typer.BadParameter("one for all, or NAME=EXERCISE for each", param_hint="--exercise")
    return plain[0] if plain else named or None


def _split_dated(text: str) -> tuple[str, str]:
    day, sign, path = text.partition("=")
    if not sign or not path:
        raise typer.BadParameter(
            f"{text!r}: DATE=SESSION, such as 2026-03-01=monday, is needed", param_hint="--earlier"
        )
    return day, path


def _day(text: str) -> "date":
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day such as 2026-03-15", param_hint="--date") from None
