"""Commands of gait: events."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import EditsFile, Output
from pose3d.cli_console import Console
from pose3d.cli_inputs import load_points, require_output

if TYPE_CHECKING:
    from pose3d.batch.events import ChosenEvents
    from pose3d.project.edits import PointEdits

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
    given: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="csv of events that were corrected: measure those."),
    ] = None,
    stored: Annotated[
        bool, typer.Option("--stored", metavar="", help="Take the events that the laboratory put into the C3D.")
    ] = False,
    plates: Annotated[
        bool, typer.Option("--plates", metavar="", help="Take those that the C3D's force plates saw from them (20 N).")
    ] = False,
    edits: EditsFile = None,
    output: Output = None,
) -> int:
    """Find when feet strike the ground and leave it, and measure the strides between.

    Of several sources the best is taken: events that are given, then stored ones, then force plates, then heels and
    toes, which also tell of the steps beside the plates. Writes a csv with time_s (s), limb (L or R) and kind (strike
    or off), which may be corrected by hand. Walkers may turn, come and go, or walk on a treadmill; each needs heels,
    toes and hips in view. Where Z does not point up, the floor is found from the feet.

    What a person corrected in a session (edits.toml) is applied to the points of its pose-3d.
    """
    output = require_output(output, points, given, edits, example="events.csv", ending=".csv")
    from pose3d.batch.corrections import correct_events, correct_points
    from pose3d.batch.gait import belt_words, gait_events, level_points, measure_walk, summarize_walk, walking_belt
    from pose3d.errors import DataError
    from pose3d.io.events import read_events, write_events
    from pose3d.io.tables import individual_paths

    known, origin = None, "heels and toes"
    if given is not None:
        known, origin = read_events(given), str(given)
    elif stored or plates:
        known, origin = _recorded(points, stored, plates, cutoff_hz or None)
    source = load_points(points)
    if given is not None and len(source.individuals) > 1:
        raise typer.BadParameter(f"{points} holds {len(source.individuals)} individuals", param_hint="--events")
    paths = individual_paths(output, source.individuals)
    corrections = _corrections(points, edits)
    source, _, remarks = correct_points(source, corrections)
    console.say(*remarks)
    summaries = {}
    try:
        source, tilt = level_points(source, fps=fps)
        if tilt is not None:
            console.say(
                f"Z did not point up: the floor was found from the feet that stand on it, {tilt:.0f} degrees off"
            )
        for i, name in enumerate(source.individuals):
            found = known
            if found is None:
                found = gait_events(source, individual=i, fps=fps, cutoff_hz=cutoff_hz or None)
            own = corrections.edits if len(paths) == 1 else corrections.edits.of(name)
            found, notes = correct_events(found, own)
            remarks += notes
            console.say(*notes)
            summaries[name] = summarize_walk(measure_walk(source, found, individual=i, fps=fps))
            write_events(found, paths[i])
            counts = repr(found).removeprefix("LimbEvents(").removesuffix(")")
            belt = belt_words(walking_belt(source, individual=i, fps=fps))
            console.say(f"{counts}; from {origin}", *([belt] if belt else []), *summaries[name].lines())
    except DataError as error:
        raise DataError(f"{points}: {error}") from error
    console.say(*(f"written: {path}" for path in paths))
    console.result(
        {
            "outputs": paths,
            "source": origin,
            "tilt_deg": tilt,
            "corrections": corrections.edits.lines(),
            "remarks": remarks,
            "individuals": {name: each.to_dict() for name, each in summaries.items()},
        }
    )
    return 0


def _corrections(points: str, edits: Path | None) -> "PointEdits":
    """Find what a person corrected: in the file that is given, or where the points lie.

    Of a file that is given, sides are left as they are: triangulate has put them right with the same file.
    """
    from pose3d.cli_inputs import load_edits
    from pose3d.data.edits import Edits
    from pose3d.project.edits import PointEdits, point_edits

    if edits is None:
        return point_edits(points)
    found = load_edits(edits, Path(points).stem)
    return PointEdits(found, Edits(tuple(part for part in found.stretches if part.camera is None)))


def _recorded(path: str, stored: bool, plates: bool, cutoff_hz: float | None) -> "ChosenEvents":
    """Take what a C3D itself tells of events."""
    if Path(path).suffix.lower() != ".c3d":
        raise typer.BadParameter(f"{path} is no C3D", param_hint="--stored" if stored else "--plates")
    from pose3d.batch.events import choose_events
    from pose3d.batch.gait import has_steps
    from pose3d.errors import DataError
    from pose3d.io.c3d import read_c3d

    recording = read_c3d(path)
    if stored and not plates and not has_steps(recording.events):
        raise DataError(f"{path}: holds no strikes and offs of left and right; leave out --stored")
    if plates and not stored and not recording.plates:
        raise DataError(f"{path}: holds no force plates; leave out --plates")
    try:
        return choose_events(recording, stored=stored, plates=plates, cutoff_hz=cutoff_hz)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
