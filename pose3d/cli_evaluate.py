"""The command that measures a network on labels."""

from pathlib import Path
from typing import Annotated

import typer

from pose3d.cli_console import Console

__all__ = ["evaluate"]


def evaluate(
    console: Console,
    project: Annotated[
        Path, typer.Argument(metavar="PROJECT", help="A project's folder, or any folder in it.")
    ] = Path(),
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="A name in models/, or a folder. [dim]Default: network.model.[/dim]",
        ),
    ] = None,
    second_labels: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Another person's labels of the same images, a CollectedData table or its folder: what two people "
            "differ by.",
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Cameras, to measure in mm too. [dim]Default: each session's calibration.toml, if it has one.[/dim]",
        ),
    ] = None,
    cutoff: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="0..1", help="Also give errors of keypoints with at least this score."),
    ] = 0.5,
    precision: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="fp32 or int8. [dim]Default: the one that videos are analysed with.[/dim]"),
    ] = None,
) -> int:
    """Measure how far a network's keypoints are from the labels.

    Images it learnt from and held-out ones are told apart. Tables and pictures of the worst images go into the model's
    folder: evaluation.csv and evaluation.html.
    """
    from pose3d.batch.network_evaluation import evaluate_project
    from pose3d.project import Project

    if precision not in (None, "fp32", "int8"):
        raise typer.BadParameter(f"{precision!r}: there are fp32 and int8", param_hint="--precision")
    with console.progress() as progress:
        made = evaluate_project(
            Project.load(project),
            model=model,
            second_labels=second_labels,
            calibration=calibration,
            cutoff=cutoff,
            precision=precision,
            progress=progress,
        )
    console.say(*made.evaluation.lines(), f"written: {made.page}")
    console.result({**made.evaluation.to_dict(), "table": made.table, "page": made.page})
    return 0
