"""The commands of norms: building them from one's own controls."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import Output
from pose3d.cli_console import Console, register
from pose3d.cli_inputs import require_output

if TYPE_CHECKING:
    from pose3d.batch.norms import Control

__all__ = ["norms"]

norms = typer.Typer(
    name="norms",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="What people without complaints do: build norms from your own controls.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_PANEL = "Norms"


def build(
    console: Console,
    walks: Annotated[
        list[str],
        typer.Argument(
            metavar="[PERSON=]WALK...",
            help="Sessions, C3D files, csv of 3D keypoints, or csv of angles. Each is another person, unless PERSON="
            " before several says that they are one's.",
            show_default=False,
        ),
    ],
    events: Annotated[
        list[Path] | None,
        typer.Option(
            "--events",
            metavar="FILE",
            help="csv of events, once for each file, in their order; otherwise a C3D's own, its force plates, or heels"
            " and toes tell.",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option(metavar="TEXT", help="Who was measured, how and where; printed wherever the norm is shown.")
    ] = "own controls",
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Under which others may use it.")] = "unknown",
    speed: Annotated[
        str | None, typer.Option(metavar="LOW-HIGH", help="Only people who walk so fast, m/s, such as 1.0-1.4.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where a file does not say.")
    ] = None,
    output: Output = None,
) -> int:
    """Build norms from walks of people without complaints: mean and SD between people, over the gait cycle.

    Everybody counts once, however many strides they have; both sides count alike. Norms of keypoints and of a marker
    model are not the same: compare a walk with norms that were measured as it was.
    """
    output = require_output(output, example="norms.csv", ending=".csv")
    people, files = _people(walks)
    limits = None if speed is None else _limits(speed)
    known = dict(zip(files, events or [], strict=False))
    if events and len(events) != len(files):
        raise typer.BadParameter(
            f"{len(events)} for {len(files)} files; sessions have their own", param_hint="--events"
        )
    from pose3d.batch.norms import build_norms_from, measure_controls
    from pose3d.io.norms import write_norms

    with console.progress() as progress:
        controls = measure_controls(people, events=known, fps=fps, speed=limits, progress=progress)
    told = source if limits is None else f"{source}, {limits[0]:g} to {limits[1]:g} m/s"
    made = build_norms_from(controls, source=told, licence=licence)
    write_norms(made, output)
    console.say(*(_line(one) for one in controls))
    n_people = sum(not one.left_out for one in controls)
    console.say(f"norms of {n_people} people: {', '.join(made.bands)}", f"written: {output}")
    console.result(
        {
            "output": output,
            "people": [one.to_dict() for one in controls],
            "variables": {name: band.n_people for name, band in made.bands.items()},
        }
    )
    return 0


def _people(walks: list[str]) -> tuple[dict[str, list[Path]], list[Path]]:
    """Group walks by person; return them, and those that are files."""
    people: dict[str, list[Path]] = {}
    paths = []
    for word in walks:
        name, equals, rest = word.partition("=")
        named = bool(name and equals) and not Path(word).exists()  # a file's name may hold an equals sign
        path = Path(rest if named else word)
        if path in paths:
            raise typer.BadParameter(f"{path} is given twice", param_hint="WALK")
        paths.append(path)
        people.setdefault(name if named else str(path), []).append(path)
    return people, [path for path in paths if not path.is_dir()]


def _limits(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        limits = float(low), float(high)
    except ValueError:
        limits = (1.0, 0.0)
    if not 0 <= limits[0] < limits[1]:
        raise typer.BadParameter(
            f"{text!r} must be a lower and a higher speed in m/s, such as 1.0-1.4", param_hint="--speed"
        )
    return limits


def _line(one: "Control") -> str:
    told = f"{one.name}: {one.n_strides} strides" + (f", {one.speed:.2f} m/s" if one.speed > 0 else "")
    return f"{told}; left out: {one.left_out}" if one.left_out else told


register(
    norms,
    panel=_PANEL,
    examples=[
        "pose3d norms build study/P01 study/P02 study/P03 --source 'our lab, 2026' -o norms.csv",
        "pose3d norms build anna=walk1.c3d anna=walk2.c3d ben=walk3.c3d --licence CC-BY-4.0 -o norms.csv",
        "pose3d norms build a.csv b.csv --events a-events.csv --events b-events.csv -o norms.csv",
    ],
)(build)
