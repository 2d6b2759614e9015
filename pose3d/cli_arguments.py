"""Options that several commands share."""

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pose3d.cli_parsing import parse_size

if TYPE_CHECKING:
    from pose3d.data import Board

__all__ = [
    "PARTS",
    "BoardOptions",
    "CamRegex",
    "EditsFile",
    "Files",
    "OnlyTrials",
    "Output",
    "ReconstructionOptions",
    "RecordingParts",
    "RecordingTiming",
    "ReportFolder",
    "ReportSubject",
    "SkeletonName",
    "TimingOptions",
    "TriangulationOptions",
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
EditsFile = Annotated[
    Path | None,
    typer.Option(
        "--edits",
        metavar="FILE",
        help="What a person corrected: an edits.toml. A session has its own.",
        show_default=False,
    ),
]
ReportFolder = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="[dim]Default: SESSION/reports.[/dim]", show_default=False),
]
ReportSubject = Annotated[
    str | None,
    typer.Option(
        metavar="CODE",
        help=r"What the report calls the person: a code, not a name. [dim]Default: subject of \[gait].[/dim]",
        show_default=False,
    ),
]
OnlyTrials = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Of these recordings alone; may be given again.", show_default=False),
]
SkeletonName = Annotated[
    str | None,
    typer.Option("--skeleton", metavar="NAME", help="Names of the keypoints: coco17, halpe26, body25(b), blazepose33."),
]


PARTS = "What belongs to the recording"
"""The panel of such options in the help."""


@dataclasses.dataclass(frozen=True)
class RecordingParts:
    """What belongs to a recording of 3D keypoints that lies in no project."""

    trial: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which trial of a session.", rich_help_panel=PARTS)
    ] = None
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", "-c", metavar="FILE", help="The cameras.", rich_help_panel=PARTS),
    ] = None
    video: Annotated[
        list[str] | None,
        typer.Option(metavar="CAM=FILE", help="A camera's video; give it for each.", rich_help_panel=PARTS),
    ] = None
    detected: Annotated[
        list[str] | None,
        typer.Option(
            "--views", metavar="CAM=FILE", help="A camera's 2D keypoints; give it for each.", rich_help_panel=PARTS
        ),
    ] = None


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
        Literal["huber", "soft_l1", "cauchy", "linear"],
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
        Literal["banded", "scipy"],
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
