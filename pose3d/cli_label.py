"""The command that opens the labelling page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_console import Console

if TYPE_CHECKING:
    from pose3d.data.labels import Labels
    from pose3d.project import Project, Session

__all__ = ["label"]


def label(
    console: Console,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A project, or one session of it.", show_default=True)
    ] = Path(),
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", metavar="", help="Open the page in the browser.")
    ] = True,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            "-c",
            metavar="FILE",
            help="The cameras, instead of those of each session.",
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Folder in the session with the network's keypoints, shown as a start. [dim]Default: pose-2d.[/dim]",
        ),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Answer to this host name too: that of a proxy through which the page is opened.",
        ),
    ] = None,
) -> int:
    """Label keypoints on a page in the browser, all views of an instant together.

    With a calibration a click in one view draws a line in the others, and two clicks suggest the rest. Every click is
    on the disk before the page answers; Ctrl-C writes DeepLabCut's CollectedData and ends. The page is local: it
    answers on 127.0.0.1 only, to who has its address (from afar: ssh -L PORT:127.0.0.1:PORT).
    """
    from pose3d.io.rigs import load_rig
    from pose3d.labeling.project_task import load_task
    from pose3d.labeling.server import serve_labeling
    from pose3d.project import Project
    from pose3d.project.labels import save_labels

    project = Project.load(folder)
    session = _session(project, folder)
    task = load_task(
        project,
        session=session,
        rig=None if calibration is None else load_rig(calibration),
        predictions=predictions,
    )
    cameras = sorted({*task.images.cameras})
    calibrated = sum(instant.recording in task.rigs for instant in task.instants)
    console.say(
        f"{len(task.instants)} instants, {len(task.images)} images of {len(cameras)} cameras, "
        f"{len(task.images.labels.keypoints)} keypoints; {calibrated} instants with a calibration"
    )

    def ready(url: str) -> None:
        if console.json:  # stdout is for the summary alone
            console.step(f"label at {url}")
        console.say(f"label at {url}", "Ctrl-C saves and ends")
        console.stdout.flush()
        if browser:
            import webbrowser

            webbrowser.open(url)

    written: dict[Path, None] = {}

    def save(labels: "Labels") -> None:
        written.update(dict.fromkeys(save_labels(project, labels)))

    serve_labeling(task, project.labeled_data, save, port=port, hosts=tuple(host or ()), ready=ready)
    console.say(*(f"written: {path}" for path in written))
    console.result({"outputs": list(written)})
    return 0


def _session(project: "Project", folder: Path) -> "Session | None":
    """Return the session that a folder is; None for the project's own folder, unless that is its only session."""
    from pose3d.project.config import CONFIG_NAME

    path = folder.parent if folder.name == CONFIG_NAME else folder
    if path.resolve() == project.folder.resolve():
        return None
    return project.session(path)
