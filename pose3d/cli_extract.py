"""The command that picks frames to label."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pose3d.cli_console import Console

__all__ = ["extract"]


def extract(
    console: Console,
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A project, or a session's folder inside of one.", show_default=False),
    ],
    n: Annotated[
        int,
        typer.Option("--n", "-n", min=1, metavar="N", help="Instants to pick, shared among all trials."),
    ] = 20,
    method: Annotated[
        Literal["kmeans", "uniform", "uncertain"],
        typer.Option(
            metavar="METHOD",
            help="kmeans: what looks different; uniform: evenly spaced; uncertain: where the scores of an analysis are"
            " low.",
        ),
    ] = "kmeans",
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIMES",
            help="These instants instead: frames, or seconds with an s, such as 1.5s,300.",
        ),
    ] = None,
    trial: Annotated[str | None, typer.Option(metavar="NAME", help="Only trials of this name.")] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of kmeans.")] = 0,
) -> int:
    """Pick frames to label, the same instants from all cameras.

    Images go to labeled-data, named as DeepLabCut names them. An instant that is there already is not picked again,
    and kmeans picks no two instants that look the same in all views.
    """
    from pose3d.labeling.extraction import extract_frames
    from pose3d.project import Project

    times = [] if at is None else [word for word in at.split(",") if word.strip()]
    if at is not None and not times:
        raise typer.BadParameter("times are needed, such as 1.5s,300", param_hint="--at")
    project = Project.load(folder)
    below = folder.absolute()
    sessions = None
    if below.resolve() != project.folder.resolve():
        sessions = [item for item in project.sessions() if below in (item.folder, *item.folder.parents)]
        sessions = sessions or [project.session(folder)]
    with console.progress() as progress:
        made = extract_frames(
            project,
            sessions,
            n=n,
            method=method,
            at=times,
            trial=trial,
            seed=seed,
            progress=progress,
        )
    console.say(*made.lines())
    if made.images:
        console.say(f"written: {len(made.images)} images in {project.labeled_data}", f"next: pose3d label {folder}")
    else:
        console.say("no new images; what is to be labelled is there: pose3d label " + str(folder))
    console.result({"project": project.folder, "labeled_data": project.labeled_data, **made.to_dict()})
    return 0
