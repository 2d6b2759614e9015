"""The command that brings recordings of other systems into a session."""

from pathlib import Path
from typing import Annotated

import typer

from pose3d.cli_console import Console

__all__ = ["import_files"]


def import_files(
    console: Console,
    session: Annotated[
        Path, typer.Argument(metavar="SESSION", help="A folder inside a project; made if absent.", show_default=False)
    ],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="C3D or TRC, each a trial.", show_default=False)
    ],
    up: Annotated[str, typer.Option(metavar="AXIS", help="Axis of a TRC that points up: y or z.")] = "y",
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Write over what was changed by hand; a copy is kept.")
    ] = False,
) -> int:
    """Bring recordings of a motion-capture system into a session, so that reports and exports can use them.

    Of walk.c3d become pose-3d/walk.csv (mm, Z up), events/walk.csv where it has events, angles/walk.csv, and
    pose-3d/walk.import.toml, which says where all of it comes from.

    Angles are those of the segment axes where the file has them, otherwise the Plug-in Gait angles that it stores,
    otherwise they come from its joint centres by the definitions for keypoints.
    """
    if up not in ("y", "z"):
        raise typer.BadParameter(f"{up!r} is no axis here: y or z", param_hint="--up")
    from pose3d.batch.importing import import_recordings
    from pose3d.project import Project

    place = Project.load(_nearest(session)).place(session)
    reports = import_recordings(place, files, up="y" if up == "y" else "z", force=force)
    for path, report in zip(files, reports, strict=True):
        console.say(f"{path}:", *(f"  {line}" for line in report.lines))
        console.say(*(f"  written: {output}" for output in report.outputs))
    console.result({"session": place.name, "trials": [{**each.summary, "outputs": each.outputs} for each in reports]})
    return 0


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)
