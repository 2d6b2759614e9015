"""The command that finds when each camera saw what."""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import CamRegex, Files, SkeletonName
from pose3d.cli_console import QUALITY, Console
from pose3d.cli_inputs import preset_skeleton, require_output
from pose3d.cli_parsing import camera_files, given, parse_offsets, session_folder

if TYPE_CHECKING:
    from pose3d.data import Rig
    from pose3d.io.keypoint_stream import KeypointStream
    from pose3d.project import Session, Trial
    from pose3d.reconstruction.synchronization import Synchronization

__all__ = ["sync"]

_SEARCH = "What is tried"


@dataclasses.dataclass
class SearchOptions:
    """Which offsets are tried."""

    max_offset: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="FRAMES",
            help="How far apart any two cameras may be; less than the period of a motion that repeats itself.",
            rich_help_panel=_SEARCH,
        ),
    ] = 120
    near: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CAMERA=FRAMES",
            help="An offset that is roughly known, from which --max-offset counts; may be given for several.",
            rich_help_panel=_SEARCH,
        ),
    ] = None
    drift: Annotated[
        bool | None,
        typer.Option(
            "--drift/--no-drift",
            metavar="",
            help="Whether clocks may run at different pace. [dim]Default: what 10,000 frames or more show.[/dim]",
            rich_help_panel=_SEARCH,
            show_default=False,
        ),
    ] = None
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="CAMERA",
            help="The camera that the others count from. [dim]Default: the first that can be synchronised.[/dim]",
            rich_help_panel=_SEARCH,
        ),
    ] = None
    score_threshold: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="0..1", help="Detections below this score are not used.", rich_help_panel=_SEARCH
        ),
    ] = 0.05


def sync(
    console: Console,
    files: Files,
    search: SearchOptions,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", "-c", metavar="FILE", help="Calibration of the cameras.")
    ] = None,
    skeleton: SkeletonName = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, which no keypoint file knows.")
    ] = None,
    trial: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of a session: the trial to look at. [dim]Default: the longest.[/dim]"),
    ] = None,
    cam_regex: CamRegex = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The sync.toml to write; a session knows its own."),
    ] = None,
) -> int:
    """Find when each camera saw what, from the motion of the keypoints themselves.

    Gives each camera's offset to a fraction of a frame, with its interval, and over long recordings the drift of its
    clock; pose3d triangulate --sync applies them. Keypoints are given as recorded, and the files may differ in length.

    Something must move, in several directions, without repeating itself. Where the motion cannot tell, the reason and
    what would help are said, nothing is written, and the exit code is 3.
    """
    folder = session_folder(files)
    near = _near(search)
    if folder is not None:
        ignored = given(calibration=calibration, skeleton=skeleton, fps=fps, cam_regex=cam_regex, output=output)
        if ignored:
            raise typer.BadParameter(
                f"{folder} is a session: its files and settings stand in pose3d.toml", param_hint=", ".join(ignored)
            )
        return _sync_session(console, folder, trial, near, search)
    if trial is not None:
        raise typer.BadParameter("files are given; a session's folder has trials", param_hint="--trial")
    named = preset_skeleton(skeleton)
    sources = camera_files(files, cam_regex)
    if output is not None:
        output = require_output(output, *sources.values(), calibration, example="sync.toml", ending=".toml")
    if calibration is None:
        raise typer.BadParameter("the cameras' calibration is needed", param_hint="--calibration")
    from pose3d.io.keypoint_stream import open_keypoints
    from pose3d.io.rigs import load_rig

    rig = load_rig(calibration)
    with open_keypoints(sources, skeleton=named, truncate=True, fps=fps) as stream:
        found = _search(console, stream, rig, near, search)
    return _report(console, found, output, {})


def _near(search: SearchOptions) -> dict[str, int]:
    try:
        return parse_offsets(search.near or ())
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint="--near") from None


def _sync_session(
    console: Console, folder: Path, trial_name: str | None, near: Mapping[str, int], search: SearchOptions
) -> int:
    from pose3d.io.keypoint_stream import open_keypoints
    from pose3d.io.rigs import load_rig
    from pose3d.project import Session

    session = Session.load(folder)
    trial = _choose_trial(session, trial_name)
    # The project's offsets are for the files as recorded, too: where the search begins.
    guess = {name: frames for name, frames in session.config.offsets.items() if name in trial.pose_2d}
    with open_keypoints(
        trial.pose_2d, skeleton=session.config.to_skeleton(), truncate=True, fps=_frame_rate(trial)
    ) as stream:
        found = _search(console, stream, load_rig(session.calibration_toml), {**guess, **near}, search)
    console.say(f"trial {trial.name}")
    code = _report(console, found, session.sync_toml, {"session": session.name, "trial": trial.name})
    if guess and found.complete:
        console.warn(f"{session.project.config_path}: [offsets] are in sync.toml now, more exactly; remove them here")
    return code


def _choose_trial(session: "Session", name: str | None) -> "Trial":
    """Return the trial of a name, or the one with the most frames of 2D keypoints."""
    from pose3d.errors import ProjectError
    from pose3d.io.keypoint_stream import open_keypoints

    trials = [trial for trial in session.trials() if trial.pose_2d and name in (None, trial.name)]
    if not trials:
        of = "" if name is None else f" of trial {session.trial(name).name}"
        raise ProjectError(f"{session.folder}: no 2D keypoints{of} in pose-2d; put the files of each camera there")
    if len(trials) == 1:
        return trials[0]
    frames = []
    for trial in trials:
        with open_keypoints(trial.pose_2d, skeleton=session.config.to_skeleton(), truncate=True) as stream:
            frames.append(stream.n_frames)
    return trials[frames.index(max(frames))]


def _frame_rate(trial: "Trial") -> float | None:
    rate = trial.session.config.project.fps
    if rate is None and trial.videos:
        from pose3d.errors import VideoError
        from pose3d.io.video import open_frames

        with contextlib.suppress(VideoError):  # offsets are found in frames: the rate is a help, no need
            rate = open_frames(next(iter(trial.videos.values()))).fps
    return rate


def _search(
    console: Console, stream: "KeypointStream", rig: "Rig", near: Mapping[str, int], search: SearchOptions
) -> "Synchronization":
    from pose3d.reconstruction.synchronization import sample_spans, synchronize

    spans = sample_spans(stream.n_frames, max_offset_frames=search.max_offset)
    with console.progress() as progress:
        pieces = []
        for first, last in spans:
            pieces.append(stream.read(first, last))
            progress("read keypoints", len(pieces), len(spans))
        found = synchronize(
            pieces,
            rig,
            max_offset_frames=search.max_offset,
            drift=search.drift,
            near=near or None,
            reference=search.reference,
            score_threshold=search.score_threshold,
            progress=progress,
        )
    if not found.complete and len(stream.individuals) > 1 and stream.individuals[0].startswith("person_"):
        console.warn(
            "several people are listed in an order that changes from frame to frame, which hides their motion; files "
            "with the subject alone tell more"
        )
    return found


def _report(console: Console, found: "Synchronization", output: Path | None, where: Mapping[str, object]) -> int:
    """Say what was found, and write it if it is whole."""
    from pose3d.io.sync_toml import write_sync

    console.say(*found.lines())
    written = output if found.complete else None
    if written is not None:
        write_sync(found.timing, written)
        console.say(f"written: {written}")
    elif found.complete:
        console.say("nothing is written; -o sync.toml keeps it for pose3d triangulate --sync")
    console.result({"output": written, **where, **found.to_dict()})
    if found.complete:
        return 0
    unknown = ", ".join(name for name, known in found.identifiable.items() if not known)
    console.warn(
        f"{output or 'sync.toml'}: is not written, as the motion does not tell when {unknown} saw it; record as is said"
        " above, leave the camera out, or write by hand what is known: [cameras.NAME] with offset_frames"
    )
    return QUALITY
