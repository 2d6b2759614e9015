"""The command that makes a calibration board."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pose3d.cli_arguments import BoardOptions
from pose3d.cli_console import Console
from pose3d.cli_parsing import parse_size

if TYPE_CHECKING:
    from pose3d.data import Board

__all__ = ["board"]


def board(
    console: Console,
    shape: BoardOptions,
    legacy: Annotated[
        bool,
        typer.Option("--legacy", metavar="", help="ChArUco as OpenCV drew it before 4.6.", rich_help_panel="Board"),
    ] = False,
    inverted: Annotated[
        bool, typer.Option("--inverted", metavar="", help="White on black.", rich_help_panel="Board")
    ] = False,
    page: Annotated[
        str, typer.Option("--page", metavar="SIZE", help="A5 to A0, Letter, Legal, Tabloid, or 600x400 in mm.")
    ] = "A4",
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="PDF to write.")] = Path("board.pdf"),
) -> int:
    """Make a calibration board to print.

    Writes a PDF of true scale with a ruler to check the print, and prints the lines for pose3d.toml. Kinds: charuco,
    checkerboard, aruco_grid, apriltag_grid (Kalibr's). Without a kind: a ChArUco board of 6x8 squares for A4 or Letter.
    """
    made = _make(shape, legacy=legacy, inverted=inverted)
    from pose3d.report.board_page import board_lines, write_board_page

    size = parse_size(page, "--page") if page[:1].isdigit() else page
    write_board_page(made, output, page=size)
    console.say(
        *board_lines(made),
        "",
        f"# written: {output}",
        "# print it at 100 %, no scaling, and measure the ruler; glue it flat onto something stiff",
    )
    console.result({"output": output, "board": made.settings, "lines": board_lines(made)})
    return 0


def _make(shape: BoardOptions, *, legacy: bool, inverted: bool) -> "Board":
    """Make the board from the options; the usual one where none tells its shape."""
    from pose3d.data import Board

    told = (shape.squares, shape.corners, shape.square_mm, shape.marker_mm, shape.dictionary, shape.separation_mm)
    if shape.board in (None, "charuco") and all(value is None for value in told):
        # Fills A4 and Letter: many corners, and modules of 3 mm that a camera resolves at some distance.
        return Board("charuco", (6, 8), 24.0, 18.0, "4X4_50", legacy=legacy, inverted=inverted)
    if shape.board is None:
        shape = dataclasses.replace(shape, board="charuco")
    return shape.make(legacy=legacy, inverted=inverted)
