"""The commands of the chain after the calibration: triangulate, angles, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import CamRegex, Files, Output, ReconstructionOptions, RecordingTiming, SkeletonName
from pose3d.cli_console import Console
from pose3d.cli_inputs import load_points, preset_skeleton, require_output, run_in_session
from pose3d.cli_parsing import camera_files, given, parse_links, parse_offsets, parse_subject, session_folder

if TYPE_CHECKING:
    from pose3d.data import Keypoints3D, Skeleton

__all__ = ["angles", "export", "triangulate"]


def triangulate(
    console: Console,
    files: Files,
    views: ReconstructionOptions,
    timing: RecordingTiming,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", "-c", metavar="FILE", help="Calibration of the cameras.")
    ] = None,
    skeleton: SkeletonName = None,
    cam_regex: CamRegex = None,
    output: Output = None,
) -> int:
    """Make 3D keypoints from the keypoints in each camera.

    Reads DeepLabCut h5 and csv, SLEAP analysis h5 and folders of OpenPose json. Views that disagree are left out, left
    and right are put right, and all frames are refined together. Writes an anipose csv; covariance, status and what
    was filled go beside it. Ended half-way, it goes on when it is called again.
    """
    folder = session_folder(files)
    if folder is not None:
        return run_in_session(
            console,
            folder,
            "triangulate",
            given(views, timing, calibration=calibration, skeleton=skeleton, cam_regex=cam_regex, output=output),
        )
    named = preset_skeleton(skeleton)
    offsets = parse_offsets(timing.offset or ())
    links = parse_links(views.limb or (), "--limb"), parse_links(views.pair or (), "--pair")
    sources = camera_files(files, cam_regex)
    output = require_output(output, *sources.values(), calibration, timing.sync, example="trial.csv")
    if calibration is None:
        raise typer.BadParameter("the cameras' calibration is needed", param_hint="--calibration")
    hint = None if views.subject is None else parse_subject(views.subject)
    if not views.robust:
        return _triangulate_plainly(console, sources, calibration, output, views, timing, named)
    from pose3d.reconstruction import RefinementSettings, TriangulationRequest, ViewSettings, triangulate_files

    request = TriangulationRequest(
        refinement=RefinementSettings(
            n_deriv_smooth=views.smooth_order,
            smooth_mm=views.smooth_mm,
            limbs=links[0],
            limb_sd_percent=views.limb_sd,
            loss=views.loss,
            loss_scale=views.loss_scale,
            max_gap=views.max_gap,
            solver=views.solver,
            samples=views.samples,
        ),
        views=ViewSettings(
            score_threshold=views.score_threshold,
            weighted=views.weights,
            min_cameras=views.min_cameras,
            max_error_px=views.max_error_px,
            pairs=links[1],
        ),
        refine=views.refine,
        repair_sides=views.swaps,
        skeleton=named,
        offsets=offsets,
        truncate=timing.truncate,
        fps=timing.fps,
        sync=timing.sync,
        subject=hint,
    )
    with console.progress() as progress:
        made = triangulate_files(sources, calibration, output, request, progress=progress)
    console.say(*made.lines(), *(f"written: {path}" for path in made.outputs))
    console.result(made.to_dict())
    return 0


def _triangulate_plainly(
    console: Console,
    sources: dict[str, Path],
    calibration: Path,
    output: Path,
    views: ReconstructionOptions,
    timing: RecordingTiming,
    skeleton: "Skeleton | None",
) -> int:
    """Use all views and the plain direct linear transform, for comparison with other programs."""
    from pose3d.io.anipose_csv import write_pose3d
    from pose3d.io.keypoints import load_keypoints
    from pose3d.io.rigs import load_rig
    from pose3d.reconstruction import triangulate_views

    offsets = parse_offsets(timing.offset or ())
    rig = load_rig(calibration)
    keypoints = load_keypoints(
        sources, skeleton=skeleton, offsets=offsets or None, truncate=timing.truncate, fps=timing.fps
    )
    with console.progress() as progress:
        made = triangulate_views(
            keypoints,
            rig,
            robust=False,
            score_threshold=views.score_threshold,
            weighted=views.weights,
            min_cameras=views.min_cameras,
            max_error_px=views.max_error_px,
            progress=progress,
        )
    written = write_pose3d(made.points, output)
    console.say(*made.summary.lines(), *(f"written: {path}" for path in written))
    console.result({"outputs": written, **_axes(made.points), **made.summary.to_dict()})
    return 0


def _axes(points: "Keypoints3D") -> dict[str, object]:
    return {
        "n_frames": points.n_frames,
        "fps": points.fps,
        "individuals": points.individuals,
        "keypoints": points.keypoints,
    }


def angles(
    console: Console,
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="3D keypoints (csv, trc or c3d), or a session's folder.")
    ],
    skeleton: SkeletonName = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=r"toml file whose \[angles] define the angles, as anipose or pose3d has them."
        ),
    ] = None,
    output: Output = None,
) -> int:
    """Compute joint angles.

    Without --config: the angles of the human body whose keypoints are there, by their names (coco17, halpe26, body25,
    body25b or blazepose33). Of a C3D with the segment axes of Plug-in Gait: those of that model.
    """
    folder = session_folder([points])
    if folder is not None:
        return run_in_session(console, folder, "angles", given(skeleton=skeleton, config=config, output=output))
    if skeleton is not None and config is not None:
        raise typer.BadParameter("the angles come from --config already; leave one out", param_hint="--skeleton")
    human = preset_skeleton(skeleton)
    output = require_output(output, points, config, example="angles.csv")
    from pose3d.errors import ConfigError
    from pose3d.io.anipose_csv import write_angles
    from pose3d.kinematics import joint_angles
    from pose3d.kinematics.segments import segment_angles
    from pose3d.project import load_angles

    source = load_points(points)
    if human is not None:
        _require_keypoints(source, human, points)
    definitions = None if config is None else load_angles(config)
    try:
        measured = segment_angles(source) if definitions is None and human is None else None
        found = joint_angles(source, definitions) if measured is None else measured
    except ConfigError as error:
        raise ConfigError(f"{points if config is None else config}: {str(error).removeprefix('angles: ')}") from error
    written = write_angles(found, output)
    console.say(repr(found), *(f"written: {path}" for path in written))
    console.result(
        {
            "outputs": written,
            "n_frames": found.n_frames,
            "fps": found.fps,
            "individuals": found.individuals,
            "angles": found.names,
        }
    )
    return 0


def _require_keypoints(points: "Keypoints3D", skeleton: "Skeleton", path: str) -> None:
    if not set(points.keypoints) & set(skeleton.keypoints):
        from pose3d.errors import DataError

        raise DataError(
            f"{path}: no keypoint is named as in {skeleton.name} (there are {', '.join(points.keypoints[:4])}, ...); "
            "define the angles in a toml file and give it as --config"
        )


def export(
    console: Console,
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="3D keypoints (csv, trc or c3d), or a session's folder.")
    ],
    trc: Annotated[Path | None, typer.Option(metavar="FILE", help="Write OpenSim's TRC, Y up.")] = None,
    c3d: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a C3D, mm, axes as they are.")] = None,
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="csv of `pose3d events`, to go into the C3D.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the file does not say.")
    ] = None,
    unit: Annotated[str, typer.Option(metavar="UNIT", help="Unit of the TRC: m or mm.")] = "m",
    up: Annotated[str, typer.Option(metavar="AXIS", help="Axis of the points that points up: z or y.")] = "z",
) -> int:
    """Write 3D keypoints for other programs."""
    folder = session_folder([points])
    if folder is not None:
        stray = given(trc=trc, c3d=c3d, events=events, fps=fps, unit=unit != "m", up=up != "z")
        return run_in_session(console, folder, "export", stray)
    if c3d is not None:
        c3d = require_output(c3d, points, events, example="trial.c3d", option="--c3d", ending=".c3d")
    elif events is not None:
        raise typer.BadParameter("events go into a C3D; name it with --c3d", param_hint="--events")
    if trc is not None or c3d is None:
        trc = require_output(trc, points, example="trial.trc", option="--trc")
    if unit not in ("m", "mm"):
        raise typer.BadParameter(f"{unit!r} is no unit here: m or mm", param_hint="--unit")
    if up not in ("z", "y"):
        raise typer.BadParameter(f"{up!r} is no axis here: z or y", param_hint="--up")
    from pose3d.io.c3d_writer import write_c3d
    from pose3d.io.events import read_events
    from pose3d.io.trc import write_trc

    source = load_points(points)
    written: list[Path] = []
    known = None if events is None else read_events(events)
    if trc is not None:
        written += write_trc(source, trc, unit="m" if unit == "m" else "mm", up="z" if up == "z" else "y", fps=fps)
    if c3d is not None:
        written += write_c3d(source, c3d, events=known, fps=fps)
    console.say(*(f"written: {path}" for path in written))
    console.result({"outputs": written})
    return 0
