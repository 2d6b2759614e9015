"""The commands of active learning: where a network is probably wrong, and the next round of labels and training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_console import Console

if TYPE_CHECKING:
    from pose3d.project import Project, Session

__all__ = ["outliers", "refine"]

_Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="A project, or a session's folder inside of one.", show_default=False)
]


def outliers(
    console: Console,
    folder: _Folder,
    n: Annotated[int, typer.Option("--n", "-n", min=1, metavar="N", help="Instants, of all trials together.")] = 20,
    trial: Annotated[str | None, typer.Option(metavar="NAME", help="Only trials of this name.")] = None,
    no_extract: Annotated[
        bool, typer.Option("--no-extract", metavar="", help="Only tell; write no images and no queue.")
    ] = False,
) -> int:
    """Find instants in which the 2D keypoints are probably wrong, and prepare them for labelling.

    What counts most: a camera that disagrees with the point in space that the others make. Then jumps, limbs of
    impossible length and low scores. The instants lie apart, and none is labelled already. Their images go to
    labeled-data, and pose3d label shows them first, with the reason.
    """
    from pose3d.batch.outlier_search import queue_outliers

    project, sessions = _project(folder)
    with console.progress() as progress:
        found = queue_outliers(project, sessions, n=n, trial=trial, extract=not no_extract, progress=progress)
    console.say(*found.lines())
    if found.n_images:
        console.say(f"written: {found.n_images} images in {project.labeled_data}", f"next: pose3d label {folder}")
    console.result({"project": project.folder, **found.to_dict()})
    return 0


def refine(
    console: Console,
    folder: _Folder,
    n: Annotated[
        int, typer.Option("--n", "-n", min=1, metavar="N", help="Instants that are to wait for labels afterwards.")
    ] = 20,
    self_training: Annotated[
        bool,
        typer.Option(
            "--self-train",
            metavar="",
            help="Learn from what several views agree on, for the views that missed it; no new labels are needed.",
        ),
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Batches to learn from, at most. [dim]Default: training.steps.[/dim]"),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of all chance.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processors to use. [dim]Default: all.[/dim]")
    ] = None,
) -> int:
    """Do the next round of active learning.

    Learns from labels that are new, beginning with the network in use, and replaces it if the new one is not worse on
    images that neither learnt from; the old one is kept in models/NAME.previous. Then analyses all videos and queues
    the instants in which it is probably wrong. Label them with pose3d label, and call this again.
    """
    from pose3d.batch.learning import refine_round, self_train

    project, sessions = _project(folder)
    settings = {"steps": steps, "seed": seed, "threads": threads}
    with console.progress() as progress:
        if self_training:
            taught = self_train(project, sessions, settings=settings, progress=progress)
        else:
            done = refine_round(project, sessions, n=n, settings=settings, progress=progress)
    made = taught if self_training else done
    console.say(*made.lines())
    console.result({"project": project.folder, **made.to_dict()})
    return 0


def _project(folder: Path) -> "tuple[Project, list[Session] | None]":
    """Find the project of a folder, and the sessions in it; None for all."""
    from pose3d.project import Project

    project, below = Project.load(folder), folder.absolute()
    if below.resolve() == project.folder.resolve():
        return project, None
    inside = [session for session in project.sessions() if below in (session.folder, *session.folder.parents)]
    return project, inside or [project.session(folder)]
