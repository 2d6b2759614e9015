"""`pose3d board`: a page, and the lines for pose3d.toml."""

import json
import tomllib

import pytest
import typer
from typer.testing import CliRunner

from pose3d.cli_board import board
from pose3d.cli_console import register
from pose3d.data import Board


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app, panel="Boards", examples=["pose3d board"])(board)
    return lambda *words: CliRunner().invoke(app, ["board", *map(str, words)])


def made(result) -> Board:
    settings = tomllib.loads(result.stdout)["board"]
    settings["squares"] = tuple(settings["squares"])
    return Board.from_settings(**settings)


def test_without_options_a_charuco_for_a4(run, tmp_path):
    result = run()
    assert result.exit_code == 0
    assert made(result) == Board("charuco", (6, 8), 24, 18, "4X4_50")
    assert (tmp_path / "board.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--inverted --legacy", Board("charuco", (6, 8), 24, 18, "4X4_50", legacy=True, inverted=True)),
        ("--board checkerboard --corners 8x5 --square-mm 20.5", Board("checkerboard", (9, 6), 20.5)),
        (
            "--board aruco_grid --squares 4x5 --marker-mm 30 --separation-mm 10 --dictionary 5X5_50",
            Board("aruco_grid", (4, 5), 40, 30, "5X5_50"),
        ),
        (
            "--board apriltag_grid --squares 6x6 --square-mm 39 --marker-mm 30 --page a3",
            Board("apriltag_grid", (6, 6), 39, 30),
        ),
        (
            "--squares 12x9 --square-mm 30 --marker-mm 22.5 --dictionary 4x4_100 --page 420x500",
            Board("charuco", (12, 9), 30, 22.5, "4X4_100"),
        ),
    ],
)
def test_every_kind(run, tmp_path, words, expected):
    result = run(*words.split(), "-o", tmp_path / "x" / "mine.pdf")
    assert result.exit_code == 0, result.output
    assert made(result) == expected
    assert (tmp_path / "x" / "mine.pdf").stat().st_size > 2000


def test_the_usual_board_fits_on_letter_too(run):
    assert run("--page", "Letter").exit_code == 0


def test_json(run):
    result = run("--json")
    told = json.loads(result.stdout)
    assert told["output"] == "board.pdf"
    assert told["board"]["squares"] == [6, 8]
    assert tomllib.loads("\n".join(told["lines"]))["board"] == told["board"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--board chess --squares 5x6", 2, "'chess' is unknown"),
        ("--squares 5x6", 2, "needs --square-mm"),
        ("--squares five", 2, "'five' is no size"),
        ("--page B4", 1, "page 'B4' is unknown: A5"),
        ("--page 3by4", 2, "is no size"),
        ("--page A5", 1, "does not fit on A5; take page A4"),
        ("--squares 9x9 --square-mm 20 --marker-mm 15 --dictionary 9X9", 1, "dictionary '9X9' is unknown"),
        ("--squares 9x9 --square-mm 20 --marker-mm 25 --dictionary 4X4_50", 2, "must lie between 0"),
    ],
)
def test_wrong_words(run, tmp_path, words, code, message):
    result = run(*words.split())
    assert result.exit_code == code
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not list(tmp_path.iterdir())
