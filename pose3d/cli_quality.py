"""The commands that hold 3D keypoints against the cameras: quality, reproject."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import CamRegex, SkeletonName, TimingOptions
from pose3d.cli_console import QUALITY, Console
from pose3d.cli_inputs import load_points, preset_skeleton
from pose3d.cli_parsing import camera_files, parse_offsets, parse_subject

if TYPE_CHECKING:
    from pose3d.data import Keypoints2D, Keypoints3D, Rig
    from pose3d.reconstruction.association.people_selection import SubjectHint
    from pose3d.reconstruction.source import FrameSource

__all__ = ["quality", "reproject"]

_Points = Annotated[str, typer.Argument(metavar="POINTS", help="3D keypoints (csv or trc).")]
_Calibration = Annotated[
    Path | None, typer.Option("--calibration", "-c", metavar="FILE", help="Calibration of the cameras.")
]


@dataclasses.dataclass
class PointsTiming(TimingOptions):
    """How the cameras' frames were put together when the points were made."""

    sync: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The sync.toml or timestamps (csv) that the points were made with.",
            rich_help_panel="Time",
        ),
    ] = None


def quality(
    console: Console,
    points: _Points,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=PATH",
            help="The 2D keypoints of each camera, from which the points were made; paths without NAME= where"
            " --cam-regex finds the camera in the file's name.",
            show_default=False,
        ),
    ],
    timing: PointsTiming,
    calibration: _Calibration = None,
    skeleton: SkeletonName = None,
    cam_regex: CamRegex = None,
    score_threshold: Annotated[
        float, typer.Option(min=0, max=1, metavar="0..1", help="Detections below this score are not looked at.")
    ] = 0.05,
    subject: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="Where the subject is at one frame, as it was given to triangulate."),
    ] = None,
) -> int:
    """Say how well the cameras agree with 3D keypoints, and what is wrong where they do not.

    Gives the reprojection error of each camera and keypoint. Names a camera that is late, that was moved and from
    which frame on, that does not fit its calibration, falls silent or is a copy of another; keypoints that are
    exchanged or off in a camera; and says what to do.

    Offsets, --truncate and --sync are those that the points were made with. Exits with 3 where something is wrong.
    """
    if calibration is None:
        raise typer.BadParameter("the cameras' calibration is needed", param_hint="--calibration")
    named = preset_skeleton(skeleton)
    offsets = parse_offsets(timing.offset or ())
    sources = camera_files(files, cam_regex)
    hint = None if subject is None else parse_subject(subject)
    from pose3d.errors import DataError
    from pose3d.io.keypoint_stream import open_keypoints
    from pose3d.io.rigs import load_rig
    from pose3d.reconstruction.from_files import read_timing
    from pose3d.reconstruction.quality import measure_quality
    from pose3d.reconstruction.source import TimedSource

    rig = load_rig(calibration)
    made = load_points(points)
    clocks = None if timing.sync is None else read_timing(timing.sync, tuple(sources))
    with open_keypoints(
        sources, skeleton=named, offsets=offsets or None, truncate=timing.truncate or clocks is not None
    ) as stream:
        source: FrameSource = stream if clocks is None else TimedSource(stream, clocks)
        views = source.read(0, source.n_frames)
    views = _subject_alone(console, views, rig, hint)
    lacking = [name for name in views.keypoints if name not in made.keypoints]
    views, made = _matched(views, made)
    try:
        found = measure_quality(views, rig, made, score_threshold=score_threshold)
    except DataError as error:
        if not str(error).startswith("points: "):
            raise
        raise DataError(f"{points}: {str(error).removeprefix('points: ')}") from error
    if lacking:
        console.say(f"not looked at, as {points} lacks them: {', '.join(lacking)}")
    console.say(*found.lines())
    if not found.findings:
        console.say("nothing is wrong that the cameras' agreement could tell")
    console.result(found.to_dict())
    return QUALITY if found.findings else 0


def _subject_alone(console: Console, views: "Keypoints2D", rig: "Rig", hint: "SubjectHint | None") -> "Keypoints2D":
    """Choose among people who are numbers in a list, as triangulate does."""
    if len(views.individuals) == 1 or not all(name.startswith("person_") for name in views.individuals):
        return views
    from pose3d.reconstruction.association.people import select_subject
    from pose3d.reconstruction.association.swap_names import guess_pairs

    with console.progress() as progress:
        selection = select_subject(views, rig, pairs=guess_pairs(views.keypoints), hint=hint, progress=progress)
    console.say(*selection.lines())
    return selection.keypoints


def _matched(views: "Keypoints2D", points: "Keypoints3D") -> "tuple[Keypoints2D, Keypoints3D]":
    """Take those individuals and keypoints of the views that the points have, by name and in their order."""
    if len(points.individuals) == len(views.individuals) == 1:
        points = dataclasses.replace(points, individuals=views.individuals)
    for axis, what in ((2, "individuals"), (3, "keypoints")):
        wanted, there = getattr(points, what), getattr(views, what)
        if wanted != there and set(wanted) <= set(there):
            order = [there.index(name) for name in wanted]
            views = dataclasses.replace(
                views, xy=views.xy.take(order, axis), score=views.score.take(order, axis), **{what: wanted}
            )
    return views, points


def reproject(
    console: Console,
    points: _Points,
    calibration: _Calibration = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder for one file a camera: POINTS_CAMERA.h5."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", metavar="", help="Write csv instead of h5.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", metavar="", help="Replace files that are there already.")
    ] = False,
) -> int:
    """Project 3D keypoints back into every camera, and write them as DeepLabCut writes 2D keypoints.

    To be drawn over the videos, or to train a network with. Places outside of the image are written too; what lies
    behind a camera, or so far outside that its lens is not known there, is missing. The score is that of the point.
    """
    if calibration is None:
        raise typer.BadParameter("the cameras' calibration is needed", param_hint="--calibration")
    if output is None:
        raise typer.BadParameter(
            "a folder to write to is needed, such as --output pose-2d-reprojected", param_hint="--output"
        )
    from pose3d.errors import DataError
    from pose3d.io.dlc import write_dlc
    from pose3d.io.names import fits_file_name
    from pose3d.io.rigs import load_rig
    from pose3d.reconstruction.quality import reproject_points

    rig = load_rig(calibration)
    paths = {name: output / f"{Path(points).stem}_{name}.{'csv' if csv else 'h5'}" for name in rig.names}
    for name, path in paths.items():
        if not fits_file_name(name):
            raise DataError(f'{calibration}: camera "{name}" cannot be part of the name of a file; rename it')
        if path.exists() and not overwrite:  # may be the detections, which the project's rule names alike
            raise typer.BadParameter(
                f"{path} is there already; name another folder, or replace it by --overwrite", param_hint="--output"
            )
    views = reproject_points(load_points(points), rig)
    for name, path in paths.items():
        write_dlc(views.select([name]), path)
    console.say(*(f"written: {path}" for path in paths.values()))
    console.result({"outputs": list(paths.values())})
    return 0
