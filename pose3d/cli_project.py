"""The commands around the chain: init, run, demo, doctor."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pose3d.cli_arguments import CamRegex
from pose3d.cli_console import QUALITY, Console

if TYPE_CHECKING:
    from pose3d.batch import StepOutcome
    from pose3d.demo import DemoTruth

__all__ = ["demo", "doctor", "init", "run", "run_steps"]


def run_steps(
    console: Console,
    folder: Path,
    *,
    only: Collection[str] | None = None,
    force: bool = False,
    keep_edited: bool = False,
    dry_run: bool = False,
    summary: bool = True,
) -> int:
    """Run a session's steps with a line for each.

    Returns
    -------
    int
        1 if a step failed or was refused, 3 if a camera could not be linked, 0 otherwise.
    """
    from pose3d.batch import run_session
    from pose3d.project import Session

    session = Session.load(folder)

    def report(outcome: "StepOutcome") -> None:
        if outcome.error is not None:
            console.error(str(outcome))
        else:
            console.say(str(outcome), *(f"  {line}" for line in outcome.lines))

    with console.progress() as progress:
        outcomes = run_session(
            session,
            only=only,
            force=force,
            keep_edited=keep_edited,
            dry_run=dry_run,
            progress=progress,
            report=report,
        )
    if not outcomes and session.imported():
        console.say("nothing to do: the trials of this session were imported, and are used as they are")
    if summary:
        console.result({"session": session.name, "steps": [outcome.to_dict() for outcome in outcomes]})
    if any(outcome.status in ("failed", "refused") for outcome in outcomes):
        return 1
    failed = any(outcome.summary.get("verdict", {}).get("grade") == "FAIL" for outcome in outcomes)
    return QUALITY if failed else 0


def init(
    console: Console,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the project; made if absent.")] = Path(),
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PROJECT",
            help="A DeepLabCut or anipose project whose settings and labels are taken over."
            " [dim]Default: the one in FOLDER, if there is one.[/dim]",
        ),
    ] = None,
    cam_regex: CamRegex = None,
) -> int:
    """Make a project: a commented pose3d.toml.

    A project of DeepLabCut or anipose is adopted: its settings are taken over, its labels are used, and its own files
    stay as they are.
    """
    from pose3d.project import create_project
    from pose3d.project.adoption import adopt_project, find_foreign_project

    found = source if source is not None else find_foreign_project(folder)
    if found is None:
        settings = {} if cam_regex is None else {"project": {"cam_regex": cam_regex}}
        written = create_project(folder, settings)
        console.say(
            f"written: {written}", "Fill in the board, put clips into SESSION/calibration, then: pose3d run SESSION"
        )
        console.result({"config": written})
        return 0
    adopted = adopt_project(folder, found, cam_regex=cam_regex)
    console.say(f"adopted {adopted.source}", *(f"  {note}" for note in adopted.notes), f"written: {adopted.config}")
    console.say("next: pose3d extract, pose3d label")
    console.result({"config": adopted.config, "adopted": adopted.source, "notes": adopted.notes})
    return 0


def run(
    console: Console,
    session: Annotated[Path, typer.Argument(metavar="SESSION", help="A session's folder inside a project.")],
    force: Annotated[
        bool,
        typer.Option("--force", metavar="", help="Do every step anew; results edited by hand are kept as NAME.bak."),
    ] = False,
    keep_edited: Annotated[
        bool, typer.Option("--keep-edited", metavar="", help="Take results that were edited by hand as they are.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Say what would be done, and do nothing.")
    ] = False,
) -> int:
    """Run every step of a session whose inputs changed.

    Calibrate, analyze (videos without 2D keypoints of another program, by network.model), triangulate, angles,
    export: what is up to date is skipped, and the reason for each is said.
    """
    return run_steps(console, session, force=force, keep_edited=keep_edited, dry_run=dry_run)


def demo(
    console: Console,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the session is made.", show_default=True)
    ] = Path("pose3d-demo"),
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="A new seed is a new person, walk and room.")] = 0,
) -> int:
    """Make a four-camera session, run the chain on it, and print the error against the truth.

    Board clips and clips of a walking person are rendered; then calibrate, analyze, triangulate, angles and export
    run. The 2D keypoints are found in the clips by a small network that knows such people, and has never seen this one.
    """
    from time import perf_counter

    started = perf_counter()
    truth = _make_demo(console, folder, seed)
    console.step(f"running the chain: pose3d run {truth.session_folder}")
    failed = run_steps(console, truth.session_folder, summary=False)
    if failed:
        return failed
    from pose3d.demo import evaluate
    from pose3d.io.anipose_csv import read_angles, read_pose3d
    from pose3d.io.rigs import load_rig
    from pose3d.project import Session

    session = Session.load(truth.session_folder)
    trial = session.trial(truth.trial)
    errors = evaluate(
        truth,
        rig=load_rig(session.calibration_toml),
        points=read_pose3d(trial.pose_3d),
        angles=read_angles(trial.angles),
    )
    seconds = perf_counter() - started
    console.say("", "Against the truth:", *errors.lines())
    console.say(
        "",
        "The cameras were calibrated from the rendered clips, and the 2D keypoints found in them by a network that had",
        f"never seen this person. {seconds:.0f} s; everything lies in {folder}",
    )
    summary = {"folder": folder, "seed": seed, "seconds": seconds}
    console.result({**summary, "errors": errors.to_dict()})
    return 0


def _make_demo(console: Console, folder: Path, seed: int) -> "DemoTruth":
    """Make the demo's project in a folder that is empty or holds an earlier demo."""
    from pose3d.demo import install_network, make_session
    from pose3d.errors import ProjectError
    from pose3d.io.files import write_text
    from pose3d.project import write_config

    # The truth is written last; the note is there from the start, so that an interrupted demo can be begun again.
    note = folder / "truth" / "README.txt"
    is_demo = note.is_file() or note.with_name("truth.toml").is_file()
    if folder.exists() and not is_demo and (folder.is_file() or any(folder.iterdir())):
        raise ProjectError(f"{folder}: is there already and is no demo; choose another folder")
    write_text(note, "The folder above is made by `pose3d demo`, which makes it anew when it runs there again.\n")
    console.step(f"rendering clips of a board and of a walking person in four cameras (seed {seed})")
    with console.progress() as progress:
        truth = make_session(folder, seed=seed, simulate=False, progress=progress)
    board = truth.board
    settings: dict[str, dict[str, Any]] = {
        "project": {"fps": truth.points.fps},
        "skeleton": {"preset": "halpe26"},
        "board": {
            "kind": board.kind,
            "squares": board.squares,
            "square_mm": board.square_mm,
            "marker_mm": board.marker_mm,
            "dictionary": board.dictionary,
        },
    }
    write_config(folder, settings, overwrite=True)
    install_network(folder / "models" / "default")
    return truth


def doctor(console: Console) -> int:
    """Check what this machine has and lacks, with the line that installs it."""
    from pose3d.doctor import examine

    checks = []
    for check in examine():
        console.say(check.line)
        checks.append(check)
    lacking = [check.name for check in checks if check.needed and not check.ok]
    console.say("", f"missing: {', '.join(lacking)}" if lacking else "everything that pose3d needs is there")
    console.result({"ok": not lacking, "checks": [vars(check) for check in checks]})
    return 1 if lacking else 0
