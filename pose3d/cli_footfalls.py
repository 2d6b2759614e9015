"""The command of animals' gaits: footfalls."""

from pathlib import Path
from typing import Annotated

import typer

from pose3d.cli_arguments import Output
from pose3d.cli_console import Console
from pose3d.cli_inputs import load_points, require_output

__all__ = ["footfalls"]


def footfalls(
    console: Console,
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="3D keypoints (csv, trc or c3d), Z up.", show_default=False)
    ],
    limbs: Annotated[
        str,
        typer.Option(
            metavar="NAME=PAW,...",
            help="Limbs and the keypoints of their paws; phases refer to the first.",
            show_default=False,
        ),
    ],
    body: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Keypoints of the trunk, to tell how fast the animal goes. [dim]Default: the paws' middle.[/dim]",
        ),
    ] = None,
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="csv of events that were corrected: measure those.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write-events", metavar="FILE", help="csv of the events, to be corrected.")
    ] = None,
    diagram: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Footfall diagram to draw: svg, png or pdf.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the file does not say.")
    ] = None,
    output: Output = None,
) -> int:
    """Find the footfalls of an animal with any number of legs, and measure its strides.

    A foot stands while its point does not move over the ground, or over a treadmill's belt. Writes a csv with a row for
    each stride: duty factor (the part of the stride in which the foot stands), phase (when in the stride of the first
    limb this one's begins, 0 to 1), time, length and speed. Give points that were not low-passed.
    """
    output = require_output(output, points, events, example="strides.csv", ending=".csv")
    if write is not None:
        write = require_output(write, points, output, example="events.csv", option="--write-events", ending=".csv")
    if diagram is not None and diagram.suffix.lower() not in (".svg", ".png", ".pdf"):
        raise typer.BadParameter(f"{diagram}: a diagram is a .svg, .png or .pdf", param_hint="--diagram")
    named = _limbs(limbs)
    from pose3d.batch.footfalls import study_footfalls
    from pose3d.errors import DataError
    from pose3d.io.events import read_events, write_events
    from pose3d.io.stride_table import write_strides
    from pose3d.io.tables import individual_paths

    source = load_points(points)
    if len(source.individuals) > 1 and any(path is not None for path in (events, write, diagram)):
        raise typer.BadParameter(
            f"{points} holds {len(source.individuals)} individuals; each needs its own", param_hint="--events"
        )
    known = None if events is None else read_events(events)
    trunk = tuple(word.strip() for word in (body or "").split(",") if word.strip())
    try:
        found = [
            study_footfalls(source, named, body=trunk, events=known, individual=i, fps=fps)
            for i in range(len(source.individuals))
        ]
    except DataError as error:
        raise DataError(f"{points}: {error}") from error
    written = list(individual_paths(output, source.individuals))
    for name, study, path in zip(source.individuals, found, written, strict=True):
        write_strides(study.rows(), path)
        console.say(*([f"{name}:"] if len(found) > 1 else []), *study.lines())
    if write is not None:
        write_events(found[0].events, write)
        written.append(write)
    if diagram is not None:
        from pose3d.report.footfall_figure import write_footfall_figure

        write_footfall_figure(found[0].events, found[0].limbs, diagram)
        written.append(diagram)
    console.say(*(f"written: {path}" for path in written))
    individuals = {name: study.to_dict() for name, study in zip(source.individuals, found, strict=True)}
    console.result({"outputs": written, "individuals": individuals})
    return 0


def _limbs(text: str) -> dict[str, str]:
    """Read ``LF=paw_lf,RF=paw_rf``."""
    named: dict[str, str] = {}
    for word in text.split(","):
        limb, equals, paw = (part.strip() for part in word.partition("="))
        if not (limb and equals and paw):
            raise typer.BadParameter(f"{word.strip()!r} must be such as LF=paw_lf", param_hint="--limbs")
        if limb in named:
            raise typer.BadParameter(f"limb {limb!r} is there twice", param_hint="--limbs")
        named[limb] = paw
    if len(named) < 2:
        raise typer.BadParameter("two limbs are needed at least", param_hint="--limbs")
    return named
