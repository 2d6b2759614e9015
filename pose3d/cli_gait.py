"""Commands of gait: events."""

from typing import Annotated

import typer

from pose3d.cli_arguments import Output
from pose3d.cli_console import Console
from pose3d.cli_inputs import load_points, require_output

__all__ = ["events"]


def events(
    console: Console,
    points: Annotated[
        str, typer.Argument(metavar="POINTS", help="3D keypoints (csv or trc), or markers (c3d).", show_default=False)
    ],
    fps: Annotated[
        float | None, typer.Option(min=0.001, metavar="HZ", help="Frames per second, where the file does not say.")
    ] = None,
    cutoff_hz: Annotated[
        float, typer.Option(min=0, metavar="HZ", help="Low-pass before the search; 0 for points that are smooth.")
    ] = 7.0,
    output: Output = None,
) -> int:
    """Find when feet strike the ground and leave it, and measure the strides between.

    Writes a csv with time_s (s), limb (L or R) and kind (strike or off), which may be corrected by hand. Walkers may
    turn, come and go, or walk on a treadmill; each needs heels, toes and hips in view. Where Z does not point up, the
    floor is found from the feet.
    """
    output = require_output(output, points, example="events.csv", ending=".csv")
    from pose3d.batch.gait import gait_events, level_points, measure_walk, summarize_walk
    from pose3d.errors import DataError
    from pose3d.io.events import write_events
    from pose3d.io.tables import individual_paths

    source = load_points(points)
    paths = individual_paths(output, source.individuals)
    summaries = {}
    try:
        source, tilt = level_points(source, fps=fps)
        if tilt is not None:
            console.say(
                f"Z did not point up: the floor was found from the feet that stand on it, {tilt:.0f} degrees off"
            )
        for i, name in enumerate(source.individuals):
            found = gait_events(source, individual=i, fps=fps, cutoff_hz=cutoff_hz or None)
            summaries[name] = summarize_walk(measure_walk(source, found, individual=i, fps=fps))
            write_events(found, paths[i])
            console.say(repr(found).removeprefix("LimbEvents(").removesuffix(")"), *summaries[name].lines())
    except DataError as error:
        raise DataError(f"{points}: {error}") from error
    console.say(*(f"written: {path}" for path in paths))
    console.result(
        {"outputs": paths, "tilt_deg": tilt, "individuals": {name: each.to_dict() for name, each in summaries.items()}}
    )
    return 0
