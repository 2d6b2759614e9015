"""The command that calibrates from the subject itself: recalibrate."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pose3d.cli_arguments import CamRegex, Output, SkeletonName, TimingOptions
from pose3d.cli_console import QUALITY, Console
from pose3d.cli_inputs import preset_skeleton, require_output
from pose3d.cli_parsing import camera_files, parse_offsets

__all__ = ["recalibrate"]

_POSES = "Poses and scale"


@dataclasses.dataclass
class SubjectOptions:
    """What is sought, and what is known beside the keypoints."""

    from_scratch: Annotated[
        bool,
        typer.Option(
            "--from-scratch", metavar="", help="Find the poses from the keypoints alone.", rich_help_panel=_POSES
        ),
    ] = False
    length: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A-B=MM",
            help="Distance of two keypoints in mm, which sets the scale; without =MM: it is constant but unknown. May "
            "be given for several.",
            rich_help_panel=_POSES,
        ),
    ] = None
    camera_distance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A-B=MM",
            help="Distance of two cameras in mm, which sets the scale with --from-scratch.",
            rich_help_panel=_POSES,
        ),
    ] = None
    refine_focal: Annotated[
        bool,
        typer.Option("--refine-focal", metavar="", help="Refine the focal lengths, too.", rich_help_panel=_POSES),
    ] = False


def recalibrate(
    console: Console,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=PATH",
            help="The 2D keypoints of each camera; paths without NAME= where --cam-regex finds the camera in the "
            "file's name.",
            show_default=False,
        ),
    ],
    known: SubjectOptions,
    timing: TimingOptions,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration", "-c", metavar="FILE", help="The calibration to refine; with --from-scratch, its lenses."
        ),
    ] = None,
    score_threshold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="0..1", help="Ignore labels below this score. [dim]Default: the worse half.[/dim]"
        ),
    ] = None,
    skeleton: SkeletonName = None,
    cam_regex: CamRegex = None,
    output: Output = None,
) -> int:
    """Refine the cameras' poses from the 2D keypoints of an animal or a person.

    Prints the distance of the labels from the reprojected keypoints before and after, also for keypoints that were held
    out. Where the refined cameras predict these no better, the old calibration is written and the exit code is 3.
    """
    named = preset_skeleton(skeleton)
    offsets = parse_offsets(timing.offset or ())
    sources = camera_files(files, cam_regex)
    output = require_output(output, *sources.values(), calibration, example="new.toml")
    if calibration is None:
        raise typer.BadParameter("the cameras' calibration is needed", param_hint="--calibration")
    if known.camera_distance and not known.from_scratch:
        raise typer.BadParameter("it sets the scale with --from-scratch only", param_hint="--camera-distance")
    if known.refine_focal and known.from_scratch:
        raise typer.BadParameter("with --from-scratch the lenses must be known", param_hint="--refine-focal")
    from pose3d.calibration import calibrate_from_keypoints, refine_from_keypoints
    from pose3d.io.keypoints import load_keypoints
    from pose3d.io.rigs import load_rig, save_rig

    rig = load_rig(calibration)
    keypoints = load_keypoints(sources, skeleton=named, offsets=offsets or None, truncate=timing.truncate)
    lengths = _parse_distances(known.length or (), keypoints.keypoints, "--length", needed=False)
    distances = _parse_distances(known.camera_distance or (), rig.names, "--camera-distance", needed=True)
    with console.progress() as progress:
        if known.from_scratch:
            found = calibrate_from_keypoints(
                keypoints,
                rig,
                lengths=lengths,
                camera_distances={pair: value for pair, value in distances.items() if value is not None},
                score_threshold=score_threshold,
                progress=progress,
            )
        else:
            found = refine_from_keypoints(
                rig,
                keypoints,
                refine_lens=known.refine_focal,
                lengths=lengths,
                score_threshold=score_threshold,
                progress=progress,
            )
    save_rig(found.rig, output)
    kept = not (found.improved or known.from_scratch)
    console.say(*found.lines(), f"written: {output}" + (" (the old calibration)" if kept else ""))
    for finding in found.findings:
        console.warn(finding.line())
    console.result({"output": output, **found.to_dict()})
    return 0 if found.improved and not (known.from_scratch and found.unlinked) else QUALITY


def _parse_distances(
    texts: Sequence[str], names: Sequence[str], option: str, *, needed: bool
) -> dict[tuple[str, str], float | None]:
    """Read distances such as ``knee-ankle=420``; names may themselves hold a ``-``."""
    out: dict[tuple[str, str], float | None] = {}
    for text in texts:
        pair, sign, value = text.rpartition("=") if "=" in text else (text, "", "")
        length = _positive(value) if sign else None
        splits = [(pair[:i], pair[i + 1 :]) for i in range(1, len(pair) - 1) if pair[i] == "-"]
        if not splits or (length is None and (sign or needed)):
            raise typer.BadParameter(f"{text!r} is no distance: A-B=MM, such as knee-ankle=420", param_hint=option)
        fitting = [(a, b) for a, b in splits if a in names and b in names]
        if len(fitting) > 1:
            raise typer.BadParameter(f"{text!r} can be read in {len(fitting)} ways", param_hint=option)
        ends = fitting[0] if fitting else splits[0]
        if ends in out or ends[::-1] in out:
            raise typer.BadParameter(f"{pair!r} is given twice", param_hint=option)
        out[ends] = length
    return out


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
