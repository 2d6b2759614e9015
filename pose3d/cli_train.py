"""The command that trains a network."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_console import Console

if TYPE_CHECKING:
    from pose3d.network.training import Look

__all__ = ["train"]

_WHAT, _HOW = "The network", "Training"


@dataclasses.dataclass
class NetworkOptions:
    """The network to train; what is not given stands in pose3d.toml."""

    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Written to models/NAME. [dim]Default: network.model.[/dim]",
            rich_help_panel=_WHAT,
        ),
    ] = None
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="efficientnet-lite0, mobilenetv2 (fast), resnet50, efficientnetb0 (both are downloaded).",
            rich_help_panel=_WHAT,
        ),
    ] = None
    scale: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            metavar="0..1",
            help="What images are scaled by. [dim]Default: half, or less, of images above 320 px.[/dim]",
            rich_help_panel=_WHAT,
        ),
    ] = None
    start: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Begin with this model's weights instead of ImageNet's: a name in models/, or a folder.",
            rich_help_panel=_WHAT,
        ),
    ] = None


@dataclasses.dataclass
class TrainingOptions:
    """How it is trained; what is not given stands in pose3d.toml."""

    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Batches to learn from, at most.", rich_help_panel=_HOW)
    ] = None
    batch_size: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Images of a batch.", rich_help_panel=_HOW)
    ] = None
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of all chance.", rich_help_panel=_HOW)] = None
    threads: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processors to use. [dim]Default: all.[/dim]", rich_help_panel=_HOW),
    ] = None


def train(
    console: Console,
    network: NetworkOptions,
    training: TrainingOptions,
    project: Annotated[
        Path, typer.Argument(metavar="PROJECT", help="A project's folder, or any folder in it.")
    ] = Path(),
) -> int:
    """Train a network on a project's labels.

    Some instants are held out: blocks of time, or whole recordings, of which nothing is learnt. On them the error is
    shown while it trains, the best weights are chosen, and the scores are made probabilities. Ended half-way, the same
    command goes on where it was.
    """
    from pose3d.batch.training import train_project
    from pose3d.project import Project

    header = f"{'step':>6} {'CPU min':>8} {'loss':>8} {'median px':>10} {'mean px':>8} {'90 % px':>8}"

    def report(look: "Look") -> None:
        nonlocal header
        if header:
            console.step(header)
            header = ""
        console.step(
            f"{look.step:6d} {look.cpu_s / 60:8.1f} {look.loss:8.4f} {look.median_px:10.2f} {look.mean_px:8.2f} "
            f"{look.p90_px:8.2f}"
        )

    with console.progress() as progress:
        trained = train_project(
            Project.load(project),
            name=network.name,
            start=network.start,
            network={"backbone": network.backbone, "scale": network.scale},
            training=dataclasses.asdict(training),
            progress=progress,
            report=report,
        )
    console.say(*trained.lines())
    console.result(trained.to_dict())
    return 0
