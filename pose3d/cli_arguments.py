"""How the command line is read: options that several commands share, sizes, offsets, files that belong to cameras."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pose3d.data import Board
    from pose3d.reconstruction.association.people_selection import SubjectHint

__all__ = [
    "BoardOptions",
    "CamRegex",
    "Files",
    "Output",
    "ReconstructionOptions",
    "RecordingTiming",
    "SkeletonName",
    "TimingOptions",
    "TriangulationOptions",
    "camera_files",
    "given",
    "parse_links",
    "parse_offsets",
    "parse_size",
    "parse_subject",
    "session_folder",
]

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME=PATH",
        help="The file of each camera; paths without NAME= where --cam-regex finds the camera in the file's name;"
        " or one session's folder inside a project.",
        show_default=False,
    ),
]
CamRegex = Annotated[
    str | None,
    typer.Option(
        "--cam-regex",
        metavar="REGEX",
        help="Its group is the camera's name in a file's name without ending."
        " [dim]Default: what follows the last _ or -.[/dim]",
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write; a session knows its own.")
]
SkeletonName = Annotated[
    str | None,
    typer.Option("--skeleton", metavar="NAME", help="Names of the keypoints: coco17, halpe26, body25(b), blazepose33."),
]


@dataclasses.dataclass
class BoardOptions:
    """The board that was shown to the cameras."""

    board: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="charuco, checkerboard, aruco_grid or apriltag_grid.", rich_help_panel="Board"
        ),
    ] = None
    squares: Annotated[
        str | None,
        typer.Option(
            metavar="NxM", help="Squares of the board (markers of a grid) in x and y.", rich_help_panel="Board"
        ),
    ] = None
    corners: Annotated[
        str | None,
        typer.Option(metavar="NxM", help="Inner corners in x and y, instead of --squares.", rich_help_panel="Board"),
    ] = None
    square_mm: Annotated[
        float | None, typer.Option(metavar="MM", help="Edge of a square, mm.", rich_help_panel="Board")
    ] = None
    marker_mm: Annotated[
        float | None, typer.Option(metavar="MM", help="Edge of a marker, mm.", rich_help_panel="Board")
    ] = None
    separation_mm: Annotated[
        float | None,
        typer.Option(
            metavar="MM", help="Gap between a grid's markers, mm, instead of --square-mm.", rich_help_panel="Board"
        ),
    ] = None
    dictionary: Annotated[
        str | None, typer.Option(metavar="NAME", help="ArUco dictionary, such as 4X4_1000.", rich_help_panel="Board")
    ] = None

    def make(self, *, legacy: bool = False, inverted: bool = False) -> "Board":
        """Make the board, or say which option is missing or wrong."""
        from pose3d.data import Board

        if self.board is None:
            raise typer.BadParameter("the kind of board is needed: charuco, checkerboard, ...", param_hint="--board")
        try:
            return Board.from_settings(
                self.board,
                squares=None if self.squares is None else parse_size(self.squares, "--squares"),
                corners=None if self.corners is None else parse_size(self.corners, "--corners"),
                square_mm=self.square_mm,
                marker_mm=self.marker_mm,
                separation_mm=self.separation_mm,
                dictionary=self.dictionary,
                legacy=legacy,
                inverted=inverted,
            )
        except ValueError as error:
            said = re.sub(
                r"\b(squares|corners|square_mm|marker_mm|separation_mm|dictionary)\b",
                lambda word: f"--{word[0].replace('_', '-')}",
                str(error),
            )
            raise typer.BadParameter(said, param_hint="--board") from error


@dataclasses.dataclass
class TriangulationOptions:
    """Which views make a point."""

    score_threshold: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="0..1", help="Ignore views below this score.", rich_help_panel="Views"),
    ] = 0.05
    robust: Annotated[
        bool,
        typer.Option(
            "--robust/--no-robust",
            metavar="",
            help="Leave out views that disagree with the others.",
            rich_help_panel="Views",
        ),
    ] = True
    weights: Annotated[
        bool,
        typer.Option(
            "--weights/--no-weights", metavar="", help="Weight each view by its score.", rich_help_panel="Views"
        ),
    ] = True
    min_cameras: Annotated[
        int, typer.Option(min=2, metavar="N", help="Views that a point needs.", rich_help_panel="Views")
    ] = 2
    max_error_px: Annotated[
        float | None,
        typer.Option(
            metavar="PX", min=0, help="Largest reprojection error of a view that is kept.", rich_help_panel="Views"
        ),
    ] = None


_REFINEMENT = "Refinement over time"


@dataclasses.dataclass
class ReconstructionOptions(TriangulationOptions):
    """How points are made and refined over time; without options every weight is found from the recording."""

    refine: Annotated[
        bool,
        typer.Option(
            "--refine/--no-refine",
            metavar="",
            help="Refine all frames together: views, smooth motion, limb lengths. Otherwise each frame for itself.",
            rich_help_panel=_REFINEMENT,
        ),
    ] = True
    max_gap: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="FRAMES",
            help="Fill gaps up to this length, and say so; longer ones stay missing.",
            rich_help_panel=_REFINEMENT,
        ),
    ] = 20
    limb: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Two keypoints at a constant distance; may be given for several. [dim]Default: the skeleton's.[/dim]",
            rich_help_panel=_REFINEMENT,
        ),
    ] = None
    limb_sd: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            min=0,
            help="How much limb lengths vary. [dim]Default: found from the data.[/dim]",
            rich_help_panel=_REFINEMENT,
        ),
    ] = None
    smooth_order: Annotated[
        int,
        typer.Option(
            min=1,
            max=5,
            metavar="1..5",
            help="Differences in time that are kept small: 1 velocity, 2 acceleration, 3 jerk.",
            rich_help_panel=_REFINEMENT,
        ),
    ] = 3
    smooth_mm: Annotated[
        float | None,
        typer.Option(
            metavar="MM",
            min=0,
            help="Standard deviation of these differences, mm per frame^order."
            " [dim]Default: found from the data.[/dim]",
            rich_help_panel=_REFINEMENT,
        ),
    ] = None
    loss: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Loss of a view's error: huber, soft_l1, cauchy or linear.",
            rich_help_panel=_REFINEMENT,
        ),
    ] = "huber"
    loss_scale: Annotated[
        float,
        typer.Option(
            metavar="SD",
            min=0,
            help="Where the loss leaves the square, in standard deviations of the view.",
            rich_help_panel=_REFINEMENT,
        ),
    ] = 3.0
    solver: Annotated[
        str,
        typer.Option(metavar="NAME", help="banded, or scipy: the same result, slower.", rich_help_panel=_REFINEMENT),
    ] = "banded"
    samples: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Samples of the joint posterior to draw, for intervals of whatever is computed later; 50 are enough.",
            rich_help_panel=_REFINEMENT,
        ),
    ] = 0
    swaps: Annotated[
        bool,
        typer.Option(
            "--swaps/--no-swaps",
            metavar="",
            help="Find and undo left and right exchanged by the network, per view and frame.",
            rich_help_panel="Views",
        ),
    ] = True
    pair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LEFT,RIGHT",
            help="Two keypoints that may be exchanged; may be given for several."
            " [dim]Default: the skeleton's, or by their names.[/dim]",
            rich_help_panel="Views",
        ),
    ] = None
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Where the subject is at one frame, if another person was chosen: FRAME@X,Y,Z in mm, or"
            " FRAME@CAMERA@X,Y in px.",
            rich_help_panel="Views",
        ),
    ] = None


@dataclasses.dataclass
class TimingOptions:
    """How the cameras' frames belong together."""

    offset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CAMERA=FRAMES",
            help="The frame of a camera that is frame 0 of the recording; may be given for several.",
            rich_help_panel="Time",
        ),
    ] = None
    truncate: Annotated[
        bool,
        typer.Option(
            "--truncate",
            metavar="",
            help="Cut all cameras to the shortest; unequal lengths are an error otherwise.",
            rich_help_panel="Time",
        ),
    ] = False


@dataclasses.dataclass
class RecordingTiming(TimingOptions):
    """How fast the cameras ran, and what is known of their clocks."""

    fps: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="HZ", help="Frames per second, where the files do not say.", rich_help_panel="Time"
        ),
    ] = None
    sync: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The sync.toml of `pose3d sync`, or timestamps of the frames (csv).",
            rich_help_panel="Time",
        ),
    ] = None


def given(*groups: object, **options: object) -> list[str]:
    """Return the options that differ from their defaults: fields of groups, and further ones with the default None."""
    found = [name for name, value in options.items() if value not in (None, False)]
    for group in groups:
        assert dataclasses.is_dataclass(group)
        found += [field.name for field in dataclasses.fields(group) if getattr(group, field.name) != field.default]
    return [f"--{name.replace('_', '-')}" for name in found]


def parse_size(text: str, option: str) -> tuple[int, int]:
    """Read a size such as ``8x11``.

    Parameters
    ----------
    text : str
    option : str
        For the message.

    Raises
    ------
    typer.BadParameter
        If it is no size; the command line exits with 2.
    """
    match = re.fullmatch(r"\s*(\d{1,4})\s*[xX×,]\s*(\d{1,4})\s*", text)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is no size: two numbers with an x between them, such as 8x11, are needed", param_hint=option
        )
    return int(match[1]), int(match[2])


def parse_links(texts: Sequence[str], option: str) -> tuple[tuple[str, str], ...]:
    """Read pairs of keypoints such as ``LHip,LKnee``."""
    links = []
    for text in texts:
        names = [name.strip() for name in text.split(",")]
        if len(names) != 2 or not all(names):
            raise typer.BadParameter(
                f"{text!r} is no pair: two keypoints with a comma between them, such as LHip,LKnee, are needed",
                param_hint=option,
            )
        links.append((names[0], names[1]))
    return tuple(links)


def parse_offsets(texts: Sequence[str]) -> dict[str, int]:
    """Read frame offsets such as ``left=3``."""
    offsets: dict[str, int] = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign or not name or re.fullmatch(r"[+-]?\d+", value) is None:
            raise typer.BadParameter(
                f"{text!r} is no offset: CAMERA=FRAMES, such as left=3, is needed", param_hint="--offset"
            )
        if name in offsets:
            raise typer.BadParameter(f"camera {name!r} is given twice", param_hint="--offset")
        offsets[name] = int(value)
    return offsets


def parse_subject(text: str) -> "SubjectHint":
    """Read where the subject is: ``120@350,-20,1000`` (mm) or ``120@left@640,400`` (px)."""
    from pose3d.reconstruction.association.people_selection import SubjectHint

    frame, *rest = text.split("@")
    try:
        numbers = tuple(float(part) for part in rest[-1].split(",")) if rest else ()
        if len(rest) == 1 and len(numbers) == 3:
            return SubjectHint(int(frame), place_mm=numbers)
        if len(rest) == 2 and len(numbers) == 2:
            return SubjectHint(int(frame), camera=rest[0], pixel=numbers)
    except ValueError:
        pass
    raise typer.BadParameter(
        f"{text!r} is no place: FRAME@X,Y,Z in mm, or FRAME@CAMERA@X,Y in px, is needed", param_hint="--subject"
    )


def _named(source: str) -> tuple[str, str] | None:
    """Split ``NAME=PATH``; None for a plain path, such as that of a file in whose name there is a ``=``."""
    if Path(source).exists():
        return None
    name, sign, path = source.partition("=")
    is_name = bool(sign) and bool(name) and not re.search(r"[/\\]", name)
    return (name, path) if is_name else None


def camera_files(sources: Sequence[str], cam_regex: str | None) -> dict[str, Path]:
    """Give each camera its file, from ``NAME=PATH`` or from the files' names.

    Parameters
    ----------
    sources : sequence of str
        All with names or all without.
    cam_regex : str or None
        Its first group is the camera's name in a file's stem; None: the default of a project.

    Raises
    ------
    typer.BadParameter
        If names are mixed with plain paths, or a name or a file comes twice.
    Pose3DError
        If the names of the files do not tell the cameras.
    """
    if not sources:
        raise typer.BadParameter("no files are given; one NAME=PATH for each camera is needed", param_hint="FILES")
    pairs = [_named(source) for source in sources]
    if not any(pairs):
        from pose3d.project import DEFAULT_CAM_REGEX, match_cameras

        _check_regex(cam_regex)
        patterns = [source for source in sources if "*" in source and not Path(source).exists()]
        if patterns:
            raise typer.BadParameter(f"{patterns[0]!r} needs a camera's name: NAME={patterns[0]}", param_hint="FILES")
        return match_cameras([Path(source) for source in sources], cam_regex or DEFAULT_CAM_REGEX)
    if cam_regex is not None:
        raise typer.BadParameter("the cameras are named by NAME=PATH already; leave one out", param_hint="--cam-regex")
    files: dict[str, Path] = {}
    for source, pair in zip(sources, pairs, strict=True):
        if pair is None:
            raise typer.BadParameter(
                f"{source!r} has no camera's name, but others have: NAME=PATH for all, or for none", param_hint="FILES"
            )
        name, path = pair
        if not path:
            raise typer.BadParameter(f"{source!r} names no file", param_hint="FILES")
        if name in files:
            raise typer.BadParameter(f"camera {name!r} is given twice", param_hint="FILES")
        # Most shells expand ~ at the beginning of a word only.
        files[name] = Path(path).expanduser() if path.startswith(("~/", "~\\")) else Path(path)
    owners: dict[Path, str] = {}
    for name, file in files.items():
        owner = owners.setdefault(file.absolute(), name)
        if owner != name:
            raise typer.BadParameter(
                f"{file} is given for camera {owner!r} and for {name!r}; give each its own", param_hint="FILES"
            )
    return files


def _check_regex(cam_regex: str | None) -> None:
    if cam_regex is None:
        return
    try:
        groups = re.compile(cam_regex).groups
    except re.error as error:
        raise typer.BadParameter(
            f"{cam_regex!r} is no regular expression: {error}", param_hint="--cam-regex"
        ) from error
    if not groups:
        raise typer.BadParameter(f"{cam_regex!r} needs a group: the camera's name in ( )", param_hint="--cam-regex")


def session_folder(sources: Sequence[str | Path]) -> Path | None:
    """Return the folder if the only source is a folder inside a project, None otherwise."""
    if len(sources) != 1 or _named(str(sources[0])) is not None:
        return None
    folder = Path(sources[0])
    if not folder.is_dir():
        return None
    from pose3d.project import CONFIG_NAME

    absolute = folder.resolve()
    return folder if any((place / CONFIG_NAME).is_file() for place in (absolute, *absolute.parents)) else None
