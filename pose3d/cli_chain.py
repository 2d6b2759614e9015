"""The commands of the chain: calibrate, triangulate, angles, export."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import (
    BoardOptions,
    CamRegex,
    Files,
    Output,
    SkeletonName,
    TimingOptions,
    TriangulationOptions,
    camera_files,
    given,
    parse_offsets,
    session_folder,
)
from pose3d.cli_console import QUALITY, Console

if TYPE_CHECKING:
    from pose3d.data import Keypoints3D, Skeleton

__all__ = ["angles", "calibrate", "export", "triangulate"]


def _run_in_session(console: Console, folder: Path, step: str, ignored: Sequence[str]) -> int:
    """Run one step of a session, whose settings all stand in pose3d.toml."""
    from pose3d.cli_project import run_steps

    if ignored:
        raise typer.BadParameter(
            f"{folder} is a session: its files and settings stand in pose3d.toml", param_hint=", ".join(ignored)
        )
    return run_steps(console, folder, only=(step,))


def _require_output(output: Path | None, *inputs: str | Path | None, example: str, option: str = "--output") -> Path:
    """Return the file to write, which must be given and must be none of those that are read."""
    if output is None:
        raise typer.BadParameter(f"a file to write is needed, such as {option} {example}", param_hint=option)
    for path in inputs:
        if path is not None and output.exists() and Path(path).exists() and output.samefile(path):
            raise typer.BadParameter(
                f"{path} is read here and would be overwritten; name another file", param_hint=option
            )
    return output


def _skeleton(name: str | None) -> "Skeleton | None":
    if name is None:
        return None
    from pose3d.data import Skeleton

    try:
        return Skeleton.preset(name)
    except KeyError as error:
        raise typer.BadParameter(str(error.args[0]), param_hint="--skeleton") from error


def calibrate(
    console: Console,
    files: Files,
    board: BoardOptions,
    timing: TimingOptions,
    intrinsics: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Hold the lenses of another calibration and find the poses alone."),
    ] = None,
    fisheye: Annotated[
        bool, typer.Option("--fisheye", metavar="", help="Lenses wider than about 120 degrees.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Clips that are searched at the same time.")
    ] = None,
    cam_regex: CamRegex = None,
    output: Output = None,
) -> int:
    """Calibrate the cameras from clips or photos of a board.

    Prints each camera's error in px, the error of the board's edges in mm, and the views that were dropped. Boards that
    are inverted, of the legacy pattern, or of transposed size are found and said.
    """
    folder = session_folder(files)
    if folder is not None:
        return _run_in_session(
            console,
            folder,
            "calibrate",
            given(
                board,
                timing,
                intrinsics=intrinsics,
                fisheye=fisheye,
                workers=workers,
                cam_regex=cam_regex,
                output=output,
            ),
        )
    shown = board.make()
    offsets = parse_offsets(timing.offset or ())
    sources = camera_files(files, cam_regex)
    output = _require_output(output, *sources.values(), intrinsics, example="calibration.toml")
    from pose3d.calibration import calibrate_rig
    from pose3d.io.rigs import load_rig, save_rig

    known = None if intrinsics is None else load_rig(intrinsics)
    with console.progress() as progress:
        found = calibrate_rig(
            sources,
            shown,
            intrinsics=known,
            fisheye=fisheye,
            offsets=offsets or None,
            truncate=timing.truncate,
            workers=workers,
            progress=progress,
        )
    save_rig(found.rig, output)
    if known is not None:
        new = [name for name in found.rig.names if name not in known]
        console.say(f"lenses as in {intrinsics}" + (f"; it lacks {', '.join(new)}, estimated here" if new else ""))
    console.say(found.board.describe(), *found.quality.lines(), f"written: {output}")
    for name, reason in found.unlinked.items():
        console.warn(f"camera {name} is not in the calibration: {reason}")
    console.result({"output": output, **found.to_dict()})
    return QUALITY if found.unlinked else 0


def triangulate(
    console: Console,
    files: Files,
    views: TriangulationOptions,
    timing: TimingOptions,
    calibration: Annotated[
        Path | None, typer.Option("--calibration", "-c", metavar="FILE", help="Calibration of the cameras.")
    ] = None,
    skeleton: SkeletonName = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the files do not say.")
    ] = None,
    cam_regex: CamRegex = None,
    output: Output = None,
) -> int:
    """Make 3D keypoints from the keypoints in each camera.

    Reads DeepLabCut h5 and csv, SLEAP analysis h5 and folders of OpenPose json. Writes an anipose csv.
    """
    folder = session_folder(files)
    if folder is not None:
        return _run_in_session(
            console,
            folder,
            "triangulate",
            given(
                views, timing, calibration=calibration, skeleton=skeleton, fps=fps, cam_regex=cam_regex, output=output
            ),
        )
    named = _skeleton(skeleton)
    offsets = parse_offsets(timing.offset or ())
    sources = camera_files(files, cam_regex)
    output = _require_output(output, *sources.values(), calibration, example="trial.csv")
    if calibration is None:
        raise typer.BadParameter("the cameras' calibration is needed", param_hint="--calibration")
    from pose3d.io.anipose_csv import write_pose3d
    from pose3d.io.keypoints import load_keypoints
    from pose3d.io.rigs import load_rig
    from pose3d.reconstruction import triangulate_views

    rig = load_rig(calibration)
    keypoints = load_keypoints(sources, skeleton=named, offsets=offsets or None, truncate=timing.truncate, fps=fps)
    with console.progress() as progress:
        made = triangulate_views(
            keypoints,
            rig,
            robust=views.robust,
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


def _load_points(path: str) -> "Keypoints3D":
    from pose3d.io.anipose_csv import read_pose3d
    from pose3d.io.trc import read_trc

    return read_trc(path) if path.lower().endswith(".trc") else read_pose3d(path)


def angles(
    console: Console,
    points: Annotated[str, typer.Argument(metavar="POINTS", help="3D keypoints (csv or trc), or a session's folder.")],
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

    Without --config: the angles of the human body whose keypoints are there, by their names (coco17, halpe26, body25 or
    body25b).
    """
    folder = session_folder([points])
    if folder is not None:
        return _run_in_session(console, folder, "angles", given(skeleton=skeleton, config=config, output=output))
    if skeleton is not None and config is not None:
        raise typer.BadParameter("the angles come from --config already; leave one out", param_hint="--skeleton")
    human = _skeleton(skeleton)
    output = _require_output(output, points, config, example="angles.csv")
    from pose3d.errors import ConfigError
    from pose3d.io.anipose_csv import write_angles
    from pose3d.kinematics import joint_angles
    from pose3d.project import load_angles

    source = _load_points(points)
    if human is not None:
        _require_keypoints(source, human, points)
    definitions = None if config is None else load_angles(config)
    try:
        found = joint_angles(source, definitions)
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
    points: Annotated[str, typer.Argument(metavar="POINTS", help="3D keypoints (csv or trc), or a session's folder.")],
    trc: Annotated[Path | None, typer.Option(metavar="FILE", help="Write OpenSim's TRC, Y up.")] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the file does not say.")
    ] = None,
    unit: Annotated[str, typer.Option(metavar="UNIT", help="Unit of the TRC: m or mm.")] = "m",
    up: Annotated[str, typer.Option(metavar="AXIS", help="Axis of the points that points up: z or y.")] = "z",
) -> int:
    """Write 3D keypoints for other programs."""
    folder = session_folder([points])
    if folder is not None:
        return _run_in_session(console, folder, "export", given(trc=trc, fps=fps, unit=unit != "m", up=up != "z"))
    trc = _require_output(trc, points, example="trial.trc", option="--trc")
    if unit not in ("m", "mm"):
        raise typer.BadParameter(f"{unit!r} is no unit here: m or mm", param_hint="--unit")
    if up not in ("z", "y"):
        raise typer.BadParameter(f"{up!r} is no axis here: z or y", param_hint="--up")
    from pose3d.io.trc import write_trc

    written = write_trc(
        _load_points(points), trc, unit="m" if unit == "m" else "mm", up="z" if up == "z" else "y", fps=fps
    )
    console.say(*(f"written: {path}" for path in written))
    console.result({"outputs": written})
    return 0
