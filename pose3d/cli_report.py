"""Commands that make reports for people."""

from pathlib import Path
from typing import Annotated

import typer

from pose3d.cli_arguments import OnlyTrials, ReportFolder, ReportSubject
from pose3d.cli_console import QUALITY, Console, register
from pose3d.cli_report_rehab import rehab

__all__ = ["report"]

report = typer.Typer(
    name="report",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Reports that a clinician can hand on, as HTML, PDF and tables.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def gait(
    console: Console,
    session: Annotated[
        Path,
        typer.Argument(metavar="SESSION", help="A session's folder: its pose-3d holds the walks.", show_default=False),
    ],
    output: ReportFolder = None,
    norms: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=r"What healthy people do: csv, pyCGM2's json, or gcd. [dim]Default: norms of \[gait].[/dim]",
            show_default=False,
        ),
    ] = None,
    norms_group: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of a file with several groups, such as Free.", show_default=False),
    ] = None,
    subject: ReportSubject = None,
    trial: OnlyTrials = None,
    date: Annotated[
        str, typer.Option(metavar="TEXT", help="When it was recorded, as it shall be printed.", show_default=False)
    ] = "",
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="Write gait.pdf too.")] = True,
) -> int:
    """Report on somebody's gait, from all walks of a session: quality first, then numbers with error bars.

    Writes gait.html (one page that opens in any browser, offline), gait.pdf, gait.xlsx and gait-*.csv: times, lengths
    and phases, angles over the cycle with norms, peaks, every single cycle, Gait Profile Score, symmetry, definitions.

    Error bars need samples: pose3d triangulate --samples 50. A recording that cannot be used is listed with the reason,
    and so is every stride that does not count. events/NAME.csv, if it is there, holds the events that are used.
    """
    from pose3d.batch.gait_report import report_gait
    from pose3d.io.norms import read_norms
    from pose3d.network.analysis_jobs import count_processors
    from pose3d.project import Session

    if norms is None and norms_group is not None:
        raise typer.BadParameter("names a group of a file that --norms gives", param_hint="--norms-group")
    chosen = None if norms is None else read_norms(norms, group=norms_group)
    with console.progress() as progress:
        made = report_gait(
            Session.load(session),
            output,
            only=trial,
            norms=chosen,
            subject=subject,
            date=date,
            pdf=pdf,
            workers=count_processors(),
            progress=progress,
        )
    study = made.gait.study
    for name, reason in made.gait.refused:
        console.warn(f"{name}: {reason}")
    console.say(made.verdict.headline, *(f"  {line}" for line in made.verdict.lines))
    console.say(*(f"written: {path}" for path in made.outputs if path.suffix != ".csv"))
    console.say(f"written: {sum(path.suffix == '.csv' for path in made.outputs)} tables gait-*.csv")
    console.result(
        {
            "session": made.gait.name,
            "subject": made.gait.subject,
            "grade": made.verdict.grade,
            "verdict": made.verdict.headline,
            "remarks": made.verdict.lines,
            "strides": {"found": study.n_found, "kept": study.n_kept},
            "samples": study.n_samples,
            "parameters": {
                row.name: {
                    side: {
                        "mean": measure.value,
                        "sd": measure.sd,
                        "low": float(measure.mean.low),
                        "high": float(measure.mean.high),
                        "n": measure.n,
                        "unit": row.unit,
                    }
                    for side, measure in row.sides.items()
                }
                for row in study.parameters
            },
            "refused": dict(made.gait.refused),
            "outputs": made.outputs,
        }
    )
    return QUALITY if made.verdict.grade == "bad" else 0


register(
    report,
    panel="Reports",
    examples=[
        "pose3d report gait my-project/monday",
        "pose3d report gait my-project/monday --subject P07 --norms norms.csv -o P07",
        "pose3d report gait my-project/monday --trial walk1 --trial walk2 --no-pdf",
    ],
)(gait)
register(
    report,
    panel="Reports",
    examples=[
        "pose3d report rehab my-project/week6",
        "pose3d report rehab my-project/week6 --before my-project/week1 --sem 2.1 --sem-source 'own retest, 12 people'",
        "pose3d report rehab my-project/week6 --date 2026-04-12 --earlier 2026-03-01=my-project/week1",
    ],
)(rehab)
