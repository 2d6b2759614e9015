"""The command that writes 3D keypoints for other programs."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from pose3d.cli_arguments import SkeletonName
from pose3d.cli_console import Console
from pose3d.cli_inputs import preset_skeleton, require_output, run_in_session
from pose3d.cli_parsing import given, parse_links, session_folder

if TYPE_CHECKING:
    from datetime import datetime

    from pose3d.io.nwb import NwbSubject

__all__ = ["export"]

_FORMATS, _SUBJECT = "Formats", "What NWB wants to know"


@dataclasses.dataclass
class ExportFormats:
    """Files to write."""

    trc: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Points for OpenSim: TRC, Y up.", rich_help_panel=_FORMATS),
    ] = None
    mot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Angles for OpenSim: MOT, no gaps.", rich_help_panel=_FORMATS),
    ] = None
    c3d: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="For gait laboratories: C3D with angles and events, Z up.", rich_help_panel=_FORMATS
        ),
    ] = None
    nwb: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For neuroscience: NWB with ndx-pose, m.", rich_help_panel=_FORMATS),
    ] = None
    bvh: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="For animation: BVH, constant bones, cm, Y up, no gaps.", rich_help_panel=_FORMATS
        ),
    ] = None
    glb: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="To look at in any 3D viewer: a moving skeleton, GLB.", rich_help_panel=_FORMATS
        ),
    ] = None
    tidy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For statistics: csv, a row a number, and a JSON.", rich_help_panel=_FORMATS),
    ] = None
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same as Parquet.", rich_help_panel=_FORMATS)
    ] = None


@dataclasses.dataclass
class ExportDetails:
    """What goes in, and how."""

    angles: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="csv of `pose3d angles`. [dim]Default: computed from the points.[/dim]"),
    ] = None
    events: Annotated[Path | None, typer.Option(metavar="FILE", help="csv of `pose3d events`, for the C3D.")] = None
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the file does not say.")
    ] = None
    unit: Annotated[str, typer.Option(metavar="UNIT", help="Unit of the TRC: m or mm.")] = "m"
    up: Annotated[str, typer.Option(metavar="AXIS", help="Axis of the points that points up: z or y.")] = "z"
    midpoints: Annotated[
        bool,
        typer.Option("--midpoints", metavar="", help="Add Neck, Hip and CHip to the TRC, as OpenSim's models want."),
    ] = False
    skeleton: SkeletonName = None
    limb: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="A bone for NWB, BVH and GLB; found where none is given. Repeatable."),
    ] = None


@dataclasses.dataclass
class SubjectOptions:
    """Whose session it was."""

    session_start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Such as 2024-05-31T14:00+02:00.", rich_help_panel=_SUBJECT),
    ] = None
    subject_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The subject's code.", rich_help_panel=_SUBJECT)
    ] = None
    species: Annotated[
        str | None, typer.Option(metavar="LATIN", help="Such as Mus musculus.", rich_help_panel=_SUBJECT)
    ] = None
    sex: Annotated[str, typer.Option(metavar="LETTER", help="M, F, O or U.", rich_help_panel=_SUBJECT)] = "U"
    age: Annotated[str | None, typer.Option(metavar="ISO", help="Such as P30Y or P90D.", rich_help_panel=_SUBJECT)] = (
        None
    )


def export(
    console: Console,
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="3D keypoints (csv, trc or c3d), or a session's folder.")
    ],
    formats: ExportFormats,
    details: ExportDetails,
    who: SubjectOptions,
) -> int:
    """Write 3D keypoints, with their angles, for other programs.

    Axes: points are X forward, Y left, Z up in mm (cameras aligned with the floor). C3D and NWB keep these axes; TRC
    and BVH are (x, z, -y), X forward and Y up; GLB is (y, z, x), Z forward and Y up.
    """
    folder = session_folder([points])
    if folder is not None:
        return run_in_session(console, folder, "export", given(formats, details, who))
    named = preset_skeleton(details.skeleton)
    edges = parse_links(details.limb or (), "--limb") or (() if named is None else named.edges)
    files = {field.name: getattr(formats, field.name) for field in dataclasses.fields(formats)}
    for name, path in files.items():
        if path is not None:
            ending = {"tidy": ".csv"}.get(name, f".{name}")
            require_output(
                path,
                points,
                details.angles,
                details.events,
                example=f"trial{ending}",
                option=f"--{name}",
                ending=ending,
            )
    if not any(files.values()):
        require_output(None, example="trial.trc", option="--trc")
    if details.events is not None and formats.c3d is None:
        raise typer.BadParameter("events go into a C3D; name it with --c3d", param_hint="--events")
    if details.unit not in ("m", "mm"):
        raise typer.BadParameter(f"{details.unit!r} is no unit here: m or mm", param_hint="--unit")
    if details.up not in ("z", "y"):
        raise typer.BadParameter(f"{details.up!r} is no axis here: z or y", param_hint="--up")
    subject = _subject(who)
    from pose3d.batch.exporting import ExportRequest, export_points

    request = ExportRequest(
        **files,
        angles=details.angles,
        events=details.events,
        fps=details.fps,
        unit="m" if details.unit == "m" else "mm",
        up="z" if details.up == "z" else "y",
        midpoints=details.midpoints,
        edges=edges,
        subject=subject,
    )
    written = export_points(points, request)
    console.say(*(f"written: {path}" for path in written))
    console.result({"outputs": written})
    return 0


def _subject(who: SubjectOptions) -> "NwbSubject":
    if who.sex not in ("M", "F", "O", "U"):
        raise typer.BadParameter(f"{who.sex!r} is not M, F, O (other) or U (unknown)", param_hint="--sex")
    start = None if who.session_start is None else _time(who.session_start)
    from pose3d.io.nwb import NwbSubject

    told = {name: getattr(who, name) for name in ("subject_id", "species", "age") if getattr(who, name) is not None}
    return NwbSubject(session_start=start, sex=cast(Literal["M", "F", "O", "U"], who.sex), **told)


def _time(text: str) -> "datetime":
    from datetime import datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no time, such as 2024-05-31T14:00", param_hint="--session-start"
        ) from error
    return found if found.tzinfo is not None else found.astimezone()
