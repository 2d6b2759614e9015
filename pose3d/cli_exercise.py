"""Commands of exercises: repetitions."""

from typing import Annotated

import typer

from pose3d.cli_arguments import Output
from pose3d.cli_console import Console
from pose3d.cli_inputs import require_output

__all__ = ["repetitions"]


def repetitions(
    console: Console,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="3D keypoints (csv, trc or c3d), or angles (csv of `pose3d angles`).",
            show_default=False,
        ),
    ],
    exercise: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="squat, sit_to_stand, reach; or any name, with --angle."),
    ] = None,
    angle: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Angle that drives an exercise of your own, without _l and _r."),
    ] = None,
    smaller: Annotated[
        bool, typer.Option("--smaller", metavar="", help="The angle of --angle gets smaller in each repetition.")
    ] = False,
    turns: Annotated[
        bool, typer.Option("--turns", metavar="", help="Left and right take turns, each with repetitions of its own.")
    ] = False,
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the file does not say.")
    ] = None,
    cutoff_hz: Annotated[
        float, typer.Option(min=0, metavar="HZ", help="Low-pass of the angle; 0 for one that is smooth.")
    ] = 6.0,
    output: Output = None,
) -> int:
    """Find the repetitions of an exercise: range of motion, tempo, left against right.

    Writes a csv with a row for each repetition, of both sides together and of each: when, how far (deg), how fast (s).
    Those that were broken off are listed and not counted. Intervals come from the samples beside the points (pose3d
    triangulate --samples 50); a side is called weaker only where the interval leaves out zero.
    """
    if exercise is None and angle is None:
        raise typer.BadParameter(
            "which one? squat, sit_to_stand or reach; or --angle for your own", param_hint="--exercise"
        )
    if angle is None and (smaller or turns):
        option = "--smaller" if smaller else "--turns"
        raise typer.BadParameter("goes with --angle: known exercises know their direction", param_hint=option)
    output = require_output(output, source, example="repetitions.csv", ending=".csv")
    from pose3d.batch.exercise_summary import (
        REPETITION_COLUMNS,
        exercise_lines,
        exercise_rows,
        exercise_summary,
    )
    from pose3d.batch.exercises import exercise_from_angles, exercise_from_points, find_exercise, load_angle_source
    from pose3d.data import JointAngles
    from pose3d.errors import ConfigError, DataError
    from pose3d.io.repetitions import write_repetitions
    from pose3d.io.tables import individual_paths

    chosen = find_exercise(exercise, angle=angle, smaller=smaller, turns=turns)
    loaded, samples = load_angle_source(source)
    paths = individual_paths(output, loaded.individuals)
    options = {"fps": fps, "cutoff_hz": cutoff_hz or None}
    summaries = {}
    for i, name in enumerate(loaded.individuals):
        try:
            if isinstance(loaded, JointAngles):
                study = exercise_from_angles(loaded, chosen, individual=i, **options)
            else:
                study = exercise_from_points(loaded, chosen, individual=i, samples=samples, **options)
        except (ConfigError, DataError) as error:
            raise DataError(f"{source}: {error}") from error
        write_repetitions(exercise_rows(study), paths[i], columns=REPETITION_COLUMNS)
        summaries[name] = exercise_summary(study)
        console.say(*exercise_lines(study))
    console.say(*(f"written: {path}" for path in paths))
    console.result({"outputs": paths, "individuals": summaries})
    return 0
