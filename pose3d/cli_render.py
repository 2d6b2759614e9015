"""The command that renders recordings to videos and pictures."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pose3d.cli_arguments import RecordingParts
from pose3d.cli_console import Console
from pose3d.cli_inputs import require_output
from pose3d.cli_parsing import named_files, parse_size

if TYPE_CHECKING:
    from pose3d.viewer.playback import Playback
    from pose3d.viewer.scene import SceneSettings

__all__ = ["render"]

_LOOK = "What is seen"
_USUAL_ANGLES = "knee_flexion,elbow_flexion,hip_flexion_trunk"


@dataclass(frozen=True)
class LookOptions:
    """What is seen in the pictures."""

    view: Annotated[
        str,
        typer.Option(
            metavar="VIEW",
            help="orbit, front, back, left, right, side, top; grid (the scene beside all cameras); or a camera's name:"
            " its video with the points in it.",
            rich_help_panel=_LOOK,
        ),
    ] = "orbit"
    turn: Annotated[
        float, typer.Option(metavar="DEG", help="Go around the subject, degrees a second.", rich_help_panel=_LOOK)
    ] = 0.0
    raw: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Points before refinement, to be shown too, in grey.", rich_help_panel=_LOOK),
    ] = None
    second: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Another recording in the same space, in violet.", rich_help_panel=_LOOK),
    ] = None
    shift: Annotated[
        float, typer.Option(metavar="MM", help="How far to the left of the first it is.", rich_help_panel=_LOOK)
    ] = 0.0
    ellipsoids: Annotated[
        bool,
        typer.Option("--ellipsoids", metavar="", help="Show where points are with 95 %.", rich_help_panel=_LOOK),
    ] = False
    magnify: Annotated[
        float,
        typer.Option(min=0.01, metavar="N", help="Enlarge the ellipsoids, which are small.", rich_help_panel=_LOOK),
    ] = 1.0
    angles: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help=f"Angles to draw at their joints, or all. [dim]Such as {_USUAL_ANGLES}.[/dim]",
            rich_help_panel=_LOOK,
        ),
    ] = ""
    centre_of_mass: Annotated[
        bool, typer.Option("--centre-of-mass", metavar="", help="Show it, and its plumb line.", rich_help_panel=_LOOK)
    ] = False
    trail: Annotated[
        float, typer.Option(min=0, metavar="S", help="Length of the trails, s; 0 for none.", rich_help_panel=_LOOK)
    ] = 1.0
    no_floor: Annotated[
        bool, typer.Option("--no-floor", metavar="", help="Leave out floor and shadow.", rich_help_panel=_LOOK)
    ] = False
    no_cameras: Annotated[
        bool, typer.Option("--no-cameras", metavar="", help="Leave out the cameras in space.", rich_help_panel=_LOOK)
    ] = False
    plain: Annotated[
        bool, typer.Option("--plain", metavar="", help="No words, no strip of quality.", rich_help_panel=_LOOK)
    ] = False


@dataclass(frozen=True)
class FileOptions:
    """Which frames, how large and how fast, and how they are made."""

    frames: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="From frame A to before frame B; of a picture, the frame."),
    ] = None
    fps: Annotated[float | None, typer.Option(min=0.001, metavar="HZ", help="Pictures a second of the video.")] = None
    speed: Annotated[float, typer.Option(min=0.001, metavar="N", help="1 is as fast as it was, 0.25 slow motion.")] = (
        1.0
    )
    size: Annotated[str, typer.Option(metavar="WxH", help="Of the pictures, px.")] = "1280x720"
    processes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many work side by side. [dim]Default: one a core.[/dim]")
    ] = None
    renderer: Annotated[
        Literal["auto", "painter", "opengl"],
        typer.Option(help="painter needs no OpenGL; auto: OpenGL where a graphics card draws."),
    ] = "auto"


def render(
    console: Console,
    source: Annotated[
        Path, typer.Argument(metavar="POINTS", help="3D keypoints (csv, trc or c3d), or a session's folder.")
    ],
    look: LookOptions,
    parts: RecordingParts,
    made: FileOptions,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Video (.mp4) or picture (.png) to write.")
    ] = None,
) -> int:
    """Render a recording to a video (H.264) or a picture.

    It shows the skeleton in space, a camera's video with the points in it, or all side by side. Of a file in a project,
    cameras, videos, detections, angles and events are found by themselves; what is missing is left out and said.
    """
    clips, detected = named_files(parts.video, "--video"), named_files(parts.detected, "--views")
    inputs = (source, look.raw, look.second, *(clips or {}).values(), *(detected or {}).values())
    output = require_output(output, *inputs, example="walk.mp4")
    wanted, pixels = parse_frames(made.frames), parse_size(made.size, "--size")
    from pose3d.viewer.loading import load_playback
    from pose3d.viewer.pictures import PictureSettings
    from pose3d.viewer.video_output import RenderSettings
    from pose3d.viewer.video_output import render as write

    overlays = look.view not in ("orbit", "front", "back", "left", "right", "side", "top")
    playback = load_playback(
        source,
        rig=parts.calibration,
        videos=clips,
        views=detected,
        trial=parts.trial,
        raw=look.raw,
        with_views=overlays,
    )
    second = None if look.second is None else load_playback(look.second, with_views=False)
    for remark in (*playback.remarks, *(() if second is None else second.remarks)):
        console.warn(remark)
    picture = PictureSettings(look.view, pixels, _scene(look, playback), not look.plain, look.turn)
    settings = RenderSettings(
        picture,
        wanted,
        made.fps,
        made.speed,
        made.processes or os.cpu_count() or 1,
        made.renderer,
    )
    with console.progress() as progress:
        facts = write(playback, output, settings, second=second, progress=progress)
    pictures = "1 picture" if facts["n_pictures"] == 1 else f"{facts['n_pictures']} pictures"
    console.say(f"{pictures} of {playback.name}", f"written: {output}")
    console.result({**facts, "source": source, "view": look.view, "remarks": playback.remarks})
    return 0


def parse_frames(text: str | None) -> tuple[int | None, int | None]:
    """Read ``A:B``, ``A:``, ``:B`` or ``A``."""
    if text is None:
        return None, None
    first, colon, last = text.partition(":")
    try:
        ends = int(first) if first.strip() else None, int(last) if last.strip() else None
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: is not A:B, such as 100:250", param_hint="--frames") from error
    if not colon and ends[0] is not None:
        return ends[0], ends[0] + 1
    return ends


def _scene(look: LookOptions, playback: "Playback") -> "SceneSettings":
    from pose3d.viewer.scene import SceneSettings

    angles = tuple(word.strip() for word in look.angles.split(",") if word.strip())
    if angles == ("all",):
        angles = () if playback.angles is None else playback.angles.names
    return SceneSettings(
        trails=look.trail > 0,
        trail_s=look.trail,
        ellipsoids=look.ellipsoids,
        magnify=look.magnify,
        floor=not look.no_floor,
        shadow=not look.no_floor,
        frusta=not look.no_cameras,
        centre_of_mass=look.centre_of_mass,
        raw=look.raw is not None,
        names=len(playback.points.individuals) > 1,
        angles=angles,
        second_shift_mm=look.shift,
    )
