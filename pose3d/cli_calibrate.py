"""The command that calibrates cameras."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer

from pose3d.cli_arguments import BoardOptions, CamRegex, Files, Output, TimingOptions
from pose3d.cli_console import QUALITY, Console
from pose3d.cli_inputs import require_output, run_in_session
from pose3d.cli_parsing import camera_files, given, parse_offsets, session_folder

__all__ = ["calibrate"]


@dataclasses.dataclass
class ClipOptions:
    """How the clips are read."""

    timestamps: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Times of the frames (csv): frames are matched by time, not by number.",
            rich_help_panel="Time",
        ),
    ] = None
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Threads that search the clips; by default one a processor.")
    ] = None


@dataclasses.dataclass
class LensOptions:
    """What is known of the lenses."""

    intrinsics: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Hold the lenses of another calibration and find the poses alone.",
            rich_help_panel="Lenses",
        ),
    ] = None
    lens_clip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATH",
            help="A camera's own clip of the board for its lens, which is then held; may be given for several.",
            rich_help_panel="Lenses",
        ),
    ] = None
    lens_model: Annotated[
        Literal["k1", "k2", "full", "k3"] | None,
        typer.Option(
            metavar="MODEL",
            help="k1, k2, full or k3, each richer. [dim]Default: the one that predicts held-out frames best.[/dim]",
            rich_help_panel="Lenses",
        ),
    ] = None
    fisheye: Annotated[
        bool | None,
        typer.Option(
            "--fisheye/--no-fisheye",
            metavar="",
            help="Whether lenses are fisheyes. [dim]Default: the board in wide images decides.[/dim]",
            rich_help_panel="Lenses",
            show_default=False,
        ),
    ] = None


@dataclasses.dataclass
class ResultOptions:
    """What becomes of the calibration."""

    floor_frame: Annotated[
        str | None,
        typer.Option(
            metavar="FRAME",
            help="The board lies on the floor at this frame (first, last or a number): X along the board, Z up."
            " [dim]Default: the first camera is the world.[/dim]",
            rich_help_panel="Result",
        ),
    ] = None
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Say which camera has moved since this calibration.", rich_help_panel="Result"
        ),
    ] = None
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The page with pictures. [dim]Default: calibration-report.html beside the calibration.[/dim]",
            rich_help_panel="Result",
        ),
    ] = None
    solver: Annotated[
        Literal["pose3d", "aniposelib"],
        typer.Option(
            metavar="NAME", help="pose3d, or aniposelib to compare with its own solver.", rich_help_panel="Result"
        ),
    ] = "pose3d"


def calibrate(
    console: Console,
    files: Files,
    board: BoardOptions,
    timing: TimingOptions,
    clips: ClipOptions,
    lenses: LensOptions,
    result: ResultOptions,
    cam_regex: CamRegex = None,
    output: Output = None,
) -> int:
    """Calibrate the cameras from clips or photos of a board, and say how far the result can be trusted.

    Prints a verdict for each camera with the rule and the remedy, the expected 3D error, and writes a report beside the
    calibration. What is wrong with a recording (a clip that is late, mirrored, exchanged, a board that is not as given)
    is found out and said. Exits with 3 where the verdict is FAIL.
    """
    folder = session_folder(files)
    if folder is not None:
        ignored = given(board, timing, clips, lenses, result, cam_regex=cam_regex, output=output)
        return run_in_session(console, folder, "calibrate", ignored)
    shown = board.make()
    floor = None if result.floor_frame is None else _frames(result.floor_frame)
    offsets = parse_offsets(timing.offset or ())
    sources = camera_files(files, cam_regex)
    lens_clips = camera_files(lenses.lens_clip, None) if lenses.lens_clip else {}
    held = (lenses.intrinsics, result.compare, clips.timestamps, *lens_clips.values())
    output = require_output(output, *sources.values(), *held, example="calibration.toml", ending=".toml")
    page = result.report or output.with_name("calibration-report.html")
    page = require_output(page, *sources.values(), *held, example="report.html", option="--report", ending=".html")
    from pose3d.calibration import CalibrationRequest, calibrate_recording
    from pose3d.io.rigs import load_rig, save_rig
    from pose3d.io.timestamps import read_timestamps
    from pose3d.report.calibration_page import write_calibration_report

    known = None if lenses.intrinsics is None else load_rig(lenses.intrinsics)
    old = None if result.compare is None else load_rig(result.compare)
    times = None if clips.timestamps is None else read_timestamps(clips.timestamps, cameras=list(sources))
    request = CalibrationRequest(
        offsets=offsets,
        truncate=timing.truncate,
        timestamps=times,
        lens_sources=lens_clips,
        intrinsics=known,
        lens_model=lenses.lens_model,
        fisheye=lenses.fisheye,
        solver=result.solver,
        earlier=old,
        floor_frame=floor,
    )
    with console.progress() as progress:
        judged = calibrate_recording(sources, shown, request, workers=clips.workers, progress=progress)
    found, verdict = judged.calibration, judged.verdict
    save_rig(found.rig, output)
    write_calibration_report(
        found, page, title=output.parent.resolve().name, verdict=verdict, comparison=judged.comparison
    )
    if known is not None:
        new = [name for name in found.rig.names if name not in known]
        console.say(
            f"lenses as in {lenses.intrinsics}" + (f"; it lacks {', '.join(new)}, estimated here" if new else "")
        )
    console.say(*judged.lines(), f"written: {output}", f"written: {page}")
    console.result({"output": output, "report": page, **judged.to_dict()})
    return QUALITY if verdict.grade == "FAIL" else 0


def _frames(text: str | None) -> int | Literal["first", "last"]:
    """Read the frame at which the board lies on the floor."""
    if text is None or text == "last":
        return "last"
    if text == "first":
        return "first"
    if not text.isdigit():
        raise typer.BadParameter(f"{text!r} is no frame: first, last or a number", param_hint="--floor-frame")
    return int(text)
