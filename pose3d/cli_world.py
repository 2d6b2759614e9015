"""The commands about the world of a calibration: align, compare."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pose3d.cli_console import QUALITY, Console
from pose3d.cli_inputs import load_points, require_output
from pose3d.cli_parsing import camera_files

if TYPE_CHECKING:
    from pose3d.calibration import KnownLength, WorldFrame
    from pose3d.data import Keypoints2D, Keypoints3D, Rig
    from pose3d.geometry.arrays import FloatArray

__all__ = ["align", "compare"]

_WORLD = "World"


@dataclasses.dataclass
class WorldOptions:
    """What the new world shall be."""

    floor: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="Points on the floor, three or more. Up is where the cameras are; X runs from the first to the second,"
            " the first is the origin.",
            rich_help_panel=_WORLD,
        ),
    ] = None
    axes: Annotated[
        str | None,
        typer.Option(
            metavar="x:A>B,z:C>D",
            help="Two axes between points, as in anipose: the first exact, the second squared up. With --origin.",
            rich_help_panel=_WORLD,
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=r"Take axes and reference_point from \[triangulation] of anipose's config.toml.",
            rich_help_panel=_WORLD,
        ),
    ] = None
    up: Annotated[
        str | None,
        typer.Option(
            metavar="A>B",
            help="From the lower to the upper point of a plumb line: the vertical; with --floor, only its side.",
            rich_help_panel=_WORLD,
        ),
    ] = None
    forward: Annotated[str | None, typer.Option(metavar="A>B", help="Points along X.", rich_help_panel=_WORLD)] = None
    origin: Annotated[
        str | None, typer.Option(metavar="NAME", help="Point at (or above) the origin.", rich_help_panel=_WORLD)
    ] = None
    length: Annotated[
        str | None,
        typer.Option(
            metavar="A-B=MM",
            help="Known distance of two points: scales the calibration. Alone, it leaves the axes as they are.",
            rich_help_panel=_WORLD,
        ),
    ] = None


class _Wishes(NamedTuple):
    """What the new world shall be, as read from the command line."""

    floor: tuple[str, ...]
    axes: tuple[tuple[str, str, str], ...]
    reference: str | None
    up: tuple[str, str] | None
    forward: tuple[str, str] | None
    length: tuple[str, float] | None


def align(
    console: Console,
    calibration: Annotated[Path, typer.Argument(metavar="CALIBRATION", help="Calibration of the cameras.")],
    world: WorldOptions,
    points: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Where the named points are: 3D keypoints in the calibration's world (csv or trc), or, once for each"
            " camera, NAME=FILE with its 2D keypoints.",
            rich_help_panel=_WORLD,
        ),
    ] = None,
    pixels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where they are in the images instead: a csv with the columns camera,point,x,y of clicked points."
            " Without further options they all lie on the floor.",
            rich_help_panel=_WORLD,
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Calibration to write.")] = None,
) -> int:
    """Give a calibration a world that people understand: X forward, Y left, Z up, the origin on the floor, in mm.

    The world is made from points on the floor, from axes between named points, or from a plumb line. What the cameras
    see does not change. Prints how well the world is determined and where the cameras stand in it.
    """
    wishes = _wishes(world)
    sources = list(points or ())
    if bool(sources) == (pixels is not None):
        raise typer.BadParameter("the points are needed, in one of the two", param_hint="--points/--pixels")
    output = require_output(output, calibration, pixels, *sources, example="aligned.toml")
    from pose3d.calibration import apply_world
    from pose3d.io.clicks import read_clicks
    from pose3d.io.rigs import load_rig, save_rig

    rig = load_rig(calibration)
    if pixels is not None:
        named = _named(_triangulated(read_clicks(pixels), rig), str(pixels))
        if not (wishes.floor or wishes.axes or wishes.up or wishes.length):
            wishes = wishes._replace(floor=tuple(named))
    else:
        named = _named(_points(sources, rig), sources[0])
    frame, known = _frame(wishes, named, rig)
    aligned = apply_world(rig, frame)
    save_rig(aligned, output)
    console.say(frame.says)
    width = max(len(name) for name in aligned.names)
    for camera in aligned:
        x, y, z = camera.center
        console.say(f"{camera.name:<{width}}  stands at x {x:8.0f}  y {y:8.0f}  z {z:8.0f} mm")
    console.say(f"written: {output}")
    console.result(
        {
            "output": output,
            **frame.to_dict(),
            "length": None if known is None else known._asdict(),
            "cameras": {camera.name: camera.center for camera in aligned},
        }
    )
    return 0


def compare(
    console: Console,
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The calibration of now.")],
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The calibration to compare with.")],
    tolerance_mm: Annotated[
        float, typer.Option(min=0, metavar="MM", help="Shifts below this, and turns below the next, do not count.")
    ] = 1.0,
    tolerance_deg: Annotated[float, typer.Option(min=0, metavar="DEG", help="Turns that do not count.")] = 0.05,
) -> int:
    """Tell which cameras have moved between two calibrations, and by how much.

    The worlds of the two files need not be the same. Exits with 3 if a camera has moved, or it cannot be told.
    """
    from pose3d.calibration import compare_rigs
    from pose3d.io.rigs import load_rig

    found = compare_rigs(load_rig(new), load_rig(old), tolerance_mm=tolerance_mm, tolerance_deg=tolerance_deg)
    console.say(*found.lines())
    console.result(found.to_dict())
    return QUALITY if found.findings else 0


def _pair(text: str | None, option: str) -> tuple[str, str] | None:
    """Read ``A>B``."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(">")]
    if len(words) != 2 or not all(words):
        raise typer.BadParameter(f"{text!r} is no direction: FROM>TO is needed, in quotes", param_hint=option)
    return words[0], words[1]


def _wishes(world: WorldOptions) -> _Wishes:
    """Read the options that say what the world shall be."""
    floor, axes, config, origin = world.floor, world.axes, world.config, world.origin
    given = {"--floor": floor, "--axes": axes, "--config": config}
    ways = [option for option, value in given.items() if value is not None]
    if len(ways) > 1:
        raise typer.BadParameter("each of them makes a world; leave all but one out", param_hint=" and ".join(ways))
    if ways and ways[0] != "--floor" and (world.up or world.forward):
        option = "--up" if world.up else "--forward"
        raise typer.BadParameter("the axes are given already; leave this out", param_hint=option)
    if axes is not None and origin is None:
        raise typer.BadParameter("the axes need a point as their origin", param_hint="--origin")
    named = tuple(word.strip() for word in floor.split(",")) if floor is not None else ()
    if floor is not None and (len(named) < 3 or not all(named)):
        raise typer.BadParameter(f"{floor!r} are no three points: A,B,C is needed", param_hint="--floor")
    rows: list[tuple[str, str, str]] = []
    for part in axes.split(",") if axes is not None else ():
        axis, colon, way = part.partition(":")
        pair = _pair(way, "--axes") if colon else None
        if pair is None:
            raise typer.BadParameter(f"{part!r} is no axis: x:FROM>TO is needed", param_hint="--axes")
        rows.append((axis.strip(), *pair))
    if config is not None:
        rows, reference = _from_config(config)
        origin = origin or reference
    known = None
    if world.length is not None:
        ends, sign, value = world.length.rpartition("=")
        try:
            known = ends, float(value)
        except ValueError:
            known = ends, 0.0
        if not sign or "-" not in ends or not 0 < known[1] < float("inf"):
            raise typer.BadParameter(f"{world.length!r} is no length: A-B=420 is needed", param_hint="--length")
    return _Wishes(named, tuple(rows), origin, _pair(world.up, "--up"), _pair(world.forward, "--forward"), known)


def _from_config(path: Path) -> tuple[list[tuple[str, str, str]], str]:
    """Read anipose's axes and reference_point."""
    from pose3d.errors import ConfigError
    from pose3d.io.calibration_toml import read_tables

    table = read_tables(path).get("triangulation")
    axes = table.get("axes") if isinstance(table, dict) else None
    reference = table.get("reference_point") if isinstance(table, dict) else None
    fits = isinstance(axes, list) and all(
        isinstance(row, list) and len(row) == 3 and all(isinstance(word, str) for word in row) for row in axes
    )
    if not fits or not isinstance(reference, str):
        raise ConfigError(
            f"{path}: [triangulation] needs axes = [[axis, from, to], [axis, from, to]] and reference_point; add them"
        )
    assert isinstance(axes, list)
    return [(row[0], row[1], row[2]) for row in axes], reference


def _points(sources: list[str], rig: "Rig") -> "Keypoints3D":
    """Read 3D keypoints, or triangulate those of the cameras' files."""
    single = len(sources) == 1 and not ("=" in sources[0] and not Path(sources[0]).exists())
    if single and not Path(sources[0]).is_dir():
        return load_points(sources[0])
    from pose3d.io.keypoints import load_keypoints

    return _triangulated(load_keypoints(sources[0] if single else camera_files(sources, None)), rig)


def _triangulated(keypoints: "Keypoints2D", rig: "Rig") -> "Keypoints3D":
    from pose3d.reconstruction import triangulate

    return triangulate(keypoints, rig)


def _named(points: "Keypoints3D", path: str) -> dict[str, "FloatArray"]:
    if len(points.individuals) != 1:
        from pose3d.errors import DataError

        raise DataError(
            f"{path}: there are {len(points.individuals)} individuals, whose points have the same names; give a file "
            "of one of them"
        )
    return {name: points.xyz[:, 0, i] for i, name in enumerate(points.keypoints)}


def _frame(wishes: _Wishes, named: dict[str, "FloatArray"], rig: "Rig") -> tuple["WorldFrame", "KnownLength | None"]:
    """Make the world that is wished for."""
    import numpy as np

    from pose3d.calibration import WorldFrame, frame_from_axes, frame_from_floor, frame_from_plumb, scale_from_length

    if wishes.axes:
        assert wishes.reference is not None
        frame = frame_from_axes(named, wishes.axes, wishes.reference)
    elif wishes.floor:
        frame = frame_from_floor(
            named,
            wishes.floor,
            cameras=rig.centers,
            up=wishes.up,
            forward=wishes.forward,
            origin=wishes.reference,
        )
    elif wishes.up:
        frame = frame_from_plumb(named, wishes.up, forward=wishes.forward, origin=wishes.reference)
    elif wishes.length:
        frame = WorldFrame(np.eye(4), 1.0, str(rig.metadata.get("world", "axes as before")))
    else:
        raise typer.BadParameter(
            "what the world shall be is needed, in one of these", param_hint="--floor/--axes/--config/--up/--length"
        )
    if wishes.length is None:
        return frame, None
    known = scale_from_length(named, _ends(wishes.length[0], named), wishes.length[1])
    return frame.scaled(known), known


def _ends(text: str, named: dict[str, "FloatArray"]) -> tuple[str, str]:
    """Split ``A-B``, where the names may have hyphens themselves."""
    words = text.split("-")
    splits = [("-".join(words[:i]).strip(), "-".join(words[i:]).strip()) for i in range(1, len(words))]
    return next(((a, b) for a, b in splits if a in named and b in named), splits[0])
