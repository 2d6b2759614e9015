"""The command of joint angles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import Output, SkeletonName
from pose3d.cli_console import Console
from pose3d.cli_inputs import load_points, preset_skeleton, require_output, run_in_session
from pose3d.cli_parsing import given, session_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pose3d.data import JointAngles, Keypoints3D, Skeleton

__all__ = ["angles"]


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
    static: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Trial in which the person stands still (points or angles), to subtract."),
    ] = None,
    static_angles: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Of --static: angles to subtract from, or all. [dim]Default: those whose zero keypoints do not show:"
            " hip_flexion_trunk, ankle_dorsiflexion, trunk_lean.[/dim]",
        ),
    ] = None,
    velocity: Annotated[
        bool,
        typer.Option("--velocity", metavar="", help="Write angular velocities too, to <name>.velocity.csv, degrees/s."),
    ] = False,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the file does not say.")
    ] = None,
    output: Output = None,
) -> int:
    """Compute joint angles.

    Without --config: the angles of the human body whose keypoints are there, by their names (coco17, halpe26, body25,
    body25b or blazepose33); what such a skeleton cannot show gets no number but, with --json, a reason. Those against
    the floor and the way need Z to point up. Of a C3D with the segment axes of Plug-in Gait: those of that model.

    Angles from a static trial bear that in their names (hip_flexion_trunk_from_static_l). Their zero is how the person
    stands, which is not the zero of norms: an ankle follows Plug-in Gait's change from standing within a degree, a hip
    only within some 6, as the trunk leans otherwise in walking.

    Where the points have samples (pose3d triangulate --samples 50), every angle gets its SD and 95 % interval, in
    <name>.uncertainty.csv.
    """
    folder = session_folder([points])
    if folder is not None:
        stray = given(
            skeleton=skeleton,
            config=config,
            static=static,
            static_angles=static_angles,
            velocity=velocity,
            fps=fps,
            output=output,
        )
        return run_in_session(console, folder, "angles", stray)
    if skeleton is not None and config is not None:
        raise typer.BadParameter("the angles come from --config already; leave one out", param_hint="--skeleton")
    if static_angles is not None and static is None:
        raise typer.BadParameter("says what is subtracted of --static, which is missing", param_hint="--static-angles")
    human = preset_skeleton(skeleton)
    output = require_output(output, points, config, static, example="angles.csv")
    from pose3d.batch.angle_intervals import intervals_beside
    from pose3d.batch.angles import from_static, measure_angles, velocities
    from pose3d.errors import ConfigError, DataError
    from pose3d.io.anipose_csv import write_angles
    from pose3d.kinematics.static_offsets import OFFSET_ANGLES
    from pose3d.project import load_angles

    source = load_points(points)
    if human is not None:
        _require_keypoints(source, human, points)
    definitions = None if config is None else load_angles(config)
    try:
        measured = measure_angles(source, definitions, model=human is None, fps=fps)
    except ConfigError as error:
        raise ConfigError(f"{points if config is None else config}: {str(error).removeprefix('angles: ')}") from error
    found, remark = measured.angles, ""
    if human is not None or definitions is not None or measured.not_observable:  # not of a model's axes

        def compute(each: "Keypoints3D") -> "JointAngles":
            return measure_angles(each, definitions, model=False, fps=fps).angles

        found, remark = intervals_beside(Path(points), found, source, compute, definitions)
    offsets: dict[str, dict[str, float]] = {}
    if static is not None:
        try:
            stands = _static(static, definitions, human is None, fps)
            found, offsets = from_static(found, stands, only=_only(static_angles, OFFSET_ANGLES))
        except (ConfigError, DataError) as error:
            raise DataError(f"{static}: {str(error).removeprefix(f'{static}: ')}") from error
    rates = None
    if velocity:
        try:
            rates = velocities(found)
        except DataError as error:
            raise DataError(f"{points}: {error}") from error
    written = list(write_angles(found, output))
    if rates is not None:
        written += write_angles(rates, output.with_name(f"{output.stem}.velocity{output.suffix}"))
    console.say(repr(found), *([remark] if remark else []))
    for name, own in offsets.items():
        told = ", ".join(f"{angle} {value:+.1f}" for angle, value in own.items())
        console.say(f"from {static}{f' ({name})' if len(offsets) > 1 else ''}, degrees subtracted: {told}")
    if measured.not_observable:
        console.say(f"not observable from these keypoints: {', '.join(measured.not_observable)}")
    console.say(*(f"written: {path}" for path in written))
    console.result(
        {
            "outputs": written,
            "not_observable": measured.not_observable,
            "static": None if static is None else {"file": static, "offsets_deg": offsets},
            "intervals": found.high_deg is not None,
            "n_frames": found.n_frames,
            "fps": found.fps,
            "individuals": found.individuals,
            "angles": found.names,
        }
    )
    return 0


def _only(text: str | None, usual: "Sequence[str]") -> "Sequence[str]":
    if text is None:
        return usual
    return () if text.strip() == "all" else tuple(word.strip() for word in text.split(",") if word.strip())


def _static(
    path: Path, definitions: "Mapping[str, Sequence[str]] | None", model: bool, fps: float | None
) -> "JointAngles":
    """Read a static trial: angles, or points of which the same angles are computed."""
    from pose3d.batch.angles import measure_angles
    from pose3d.io.anipose_csv import is_pose3d, read_angles

    if path.suffix.lower() == ".csv" and path.is_file() and not is_pose3d(path):
        return read_angles(path)
    return measure_angles(load_points(str(path)), definitions, model=model, fps=fps).angles


def _require_keypoints(points: "Keypoints3D", skeleton: "Skeleton", path: str) -> None:
    if not set(points.keypoints) & set(skeleton.keypoints):
        from pose3d.errors import DataError

        raise DataError(
            f"{path}: no keypoint is named as in {skeleton.name} (there are {', '.join(points.keypoints[:4])}, ...); "
            "define the angles in a toml file and give it as --config"
        )
