"""The command table of ``pose3d``: thin functions that import what they need when they run."""

import io
import sys
from typing import Annotated

import typer

from pose3d.cli_analyze import analyze
from pose3d.cli_angles import angles
from pose3d.cli_board import board
from pose3d.cli_calibrate import calibrate
from pose3d.cli_chain import triangulate
from pose3d.cli_console import INTERRUPTED, register
from pose3d.cli_edits import edits
from pose3d.cli_evaluate import evaluate
from pose3d.cli_exercise import repetitions
from pose3d.cli_export import export
from pose3d.cli_extract import extract
from pose3d.cli_filter import filter
from pose3d.cli_footfalls import footfalls
from pose3d.cli_gait import events
from pose3d.cli_import import import_files
from pose3d.cli_label import label
from pose3d.cli_norms import norms
from pose3d.cli_outliers import outliers, refine
from pose3d.cli_play import play
from pose3d.cli_project import demo, doctor, init, run
from pose3d.cli_quality import quality, reproject
from pose3d.cli_render import render
from pose3d.cli_report import report
from pose3d.cli_subject import recalibrate
from pose3d.cli_sync import sync
from pose3d.cli_train import train
from pose3d.cli_world import align, compare
from pose3d.cli_zoo import zoo

__all__ = ["app", "main"]

_CHAIN = "The chain, on files or a session"
_LOOK = "Looking"
_GAIT = "Gait"
_NETWORKS = "Networks that find 2D keypoints"
_KEYPOINTS = "Keypoints"
_CAMERAS = "Cameras"
_PROJECT = "Projects"
_HELP = "Help"

app = typer.Typer(
    name="pose3d",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with [bold]pose3d demo[/bold]. Each command explains itself: [bold]pose3d calibrate --help[/bold].",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import pose3d

        sys.stdout.write(f"pose3d {pose3d.__version__}\n")
        raise typer.Exit


@app.callback()
def _table(
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """From several cameras' videos to 3D skeletons and joint angles."""


_CHARUCO = "--board charuco --squares 8x11 --square-mm 24 --marker-mm 18.75 --dictionary 4X4_1000"
_CHECKERBOARD = "--board checkerboard --corners 9x6 --square-mm 30"
register(
    app,
    panel=_CHAIN,
    examples=[
        f"pose3d calibrate back=back.MOV mid=mid.MOV side=side.MOV top=top.MOV {_CHARUCO} -o calibration.toml",
        f"pose3d calibrate left=photos/left right=photos/right {_CHECKERBOARD} -o calibration.toml",
        "pose3d calibrate my-project/session1",
    ],
)(calibrate)
register(
    app,
    panel=_CHAIN,
    examples=[
        "pose3d sync back=back.analysis.h5 mid=mid.analysis.h5 -c calibration.toml -o sync.toml",
        "pose3d sync cam1=walk_cam1.h5 cam2=walk_cam2.h5 -c calibration.toml --near cam2=250 -o sync.toml",
        "pose3d sync my-project/session1",
    ],
)(sync)
register(
    app,
    panel=_CHAIN,
    examples=[
        "pose3d triangulate --calibration calibration.toml back=back.analysis.h5 mid=mid.analysis.h5 -o trial.csv",
        "pose3d triangulate --calibration calibration.toml cam1=json1 cam2=json2 --skeleton body25 -o trial.csv",
        "pose3d triangulate my-project/session1",
    ],
)(triangulate)
register(
    app,
    panel=_CHAIN,
    examples=[
        "pose3d angles trial.csv --skeleton body25 -o angles.csv",
        "pose3d angles walk.csv --static standing.csv --velocity -o angles.csv",
    ],
)(angles)
register(
    app,
    panel=_CHAIN,
    examples=[
        "pose3d events trial.csv -o events.csv",
        "pose3d events walk.c3d --plates -o events.csv",
        "pose3d events trial.csv --events corrected.csv -o events.csv --json",
    ],
)(events)
register(
    app,
    panel=_CHAIN,
    examples=[
        "pose3d repetitions squats.csv --exercise squat -o repetitions.csv",
        "pose3d repetitions angles.csv --angle elbow_flexion --turns --fps 100 -o curls.csv",
    ],
)(repetitions)
register(
    app,
    panel=_CHAIN,
    examples=[
        "pose3d export trial.csv --trc trial.trc --mot trial.mot",
        "pose3d export trial.csv --c3d trial.c3d --events events.csv",
        "pose3d export trial.csv --glb trial.glb --bvh trial.bvh --tidy trial-long.csv",
        "pose3d export mouse.csv --nwb mouse.nwb --subject-id m7 --species 'Mus musculus' --age P90D --sex F",
    ],
)(export)
app.add_typer(report, rich_help_panel=_CHAIN)
register(
    app,
    panel=_LOOK,
    examples=[
        "pose3d play my-project/session1",
        "pose3d play my-project/session1/pose-3d/walk.csv --second before.csv --shift 1500",
        "pose3d play trial.csv -c calibration.toml --video left=left.mp4 --video right=right.mp4 --web",
        "pose3d play my-project/session1 --save walk.html",
    ],
)(play)
register(
    app,
    panel=_LOOK,
    examples=[
        "pose3d render my-project/session1/pose-3d/walk.csv -o walk.mp4",
        "pose3d render my-project/session1 --view grid --angles knee_flexion --size 1920x1080 -o walk.mp4",
        "pose3d render walk.csv -c calibration.toml --video left=left.mp4 --view left --frames 200 -o frame200.png",
        "pose3d render after.csv --second before.csv --shift 1200 --view side -o before-and-after.mp4",
    ],
)(render)
register(
    app,
    panel=_NETWORKS,
    examples=[
        "pose3d extract my-project",
        "pose3d extract my-project/session1 --n 40 --method uniform",
        "pose3d extract my-project/session1 --at 1.5s,300",
    ],
)(extract)
register(app, panel=_NETWORKS, examples=["pose3d label my-project", "pose3d label my-project --no-browser"])(label)
register(
    app,
    panel=_NETWORKS,
    examples=["pose3d train my-project", "pose3d train my-project --backbone mobilenetv2 --name fast --steps 5000"],
)(train)
register(
    app,
    panel=_NETWORKS,
    examples=["pose3d evaluate my-project", "pose3d evaluate my-project --second-labels CollectedData_ben.csv"],
)(evaluate)
register(
    app,
    panel=_NETWORKS,
    examples=[
        "pose3d analyze my-project/session1",
        "pose3d analyze walk_left.mp4 walk_right.mp4 --model blazepose-full",
        "pose3d analyze walk_left.mp4 --model my-project/models/default -o walk_left.h5",
    ],
)(analyze)
register(app, panel=_NETWORKS, examples=["pose3d outliers my-project", "pose3d outliers my-project/session1 --n 40"])(
    outliers
)
register(app, panel=_NETWORKS, examples=["pose3d refine my-project", "pose3d refine my-project --self-train"])(refine)
app.add_typer(zoo, rich_help_panel=_NETWORKS)
app.add_typer(norms, rich_help_panel=_GAIT)
register(
    app,
    panel=_GAIT,
    examples=[
        'pose3d footfalls mouse.csv --limbs "LF=paw_lf,RF=paw_rf,LH=paw_lh,RH=paw_rh" -o strides.csv',
        'pose3d footfalls mouse.csv --limbs "LH=paw_lh,RH=paw_rh" --body back --diagram steps.svg -o strides.csv',
    ],
)(footfalls)
register(
    app,
    panel=_KEYPOINTS,
    examples=[
        "pose3d filter trial.csv --outliers 11 --max-gap 10 --butterworth-hz 6 -o trial-filtered.csv",
        "pose3d filter walk_cam1.h5 walk_cam2.h5 --viterbi --max-gap 5 -o pose-2d-filtered",
        "pose3d filter trial.csv --suggest-cutoff",
    ],
)(filter)
register(
    app,
    panel=_KEYPOINTS,
    examples=[
        "pose3d quality trial.csv back=back.analysis.h5 mid=mid.analysis.h5 -c calibration.toml",
        "pose3d quality trial.csv walk_cam1.h5 walk_cam2.h5 -c calibration.toml --sync sync.toml",
    ],
)(quality)
register(
    app,
    panel=_KEYPOINTS,
    examples=[
        "pose3d edits my-project/session1",
        "pose3d edits my-project/session1 --trial walk1 --bad 120-140 --keypoints LKnee --note 'behind a bench'",
        "pose3d edits my-project/session1 --trial walk1 --move L,strike,1.52,1.48",
        "pose3d edits my-project/session1 --trial walk1 --undo",
    ],
)(edits)
register(
    app,
    panel=_KEYPOINTS,
    examples=[
        "pose3d reproject trial.csv -c calibration.toml -o pose-2d-reprojected",
        "pose3d reproject trial.csv -c calibration.toml --csv -o pose-2d-reprojected",
    ],
)(reproject)
register(
    app,
    panel=_CAMERAS,
    examples=[
        "pose3d board -o board.pdf",
        "pose3d board --board checkerboard --corners 9x6 --square-mm 25 -o board.pdf",
    ],
)(board)
register(
    app,
    panel=_CAMERAS,
    examples=[
        "pose3d align calibration.toml --pixels floor.csv -o aligned.toml",
        'pose3d align calibration.toml --points trial.csv --axes "x:hip_r>hip_l,z:knee>hip_r" -o aligned.toml',
    ],
)(align)
register(app, panel=_CAMERAS, examples=["pose3d compare calibration.toml last-week.toml"])(compare)
register(
    app,
    panel=_CAMERAS,
    examples=["pose3d recalibrate back=back.h5 mid=mid.h5 top=top.h5 -c calibration.toml -o recalibrated.toml"],
)(recalibrate)
register(
    app,
    panel=_PROJECT,
    examples=[
        "pose3d init my-project",
        "pose3d init my-project --from reaching-anna-2024-01-31",
        "pose3d init reaching-anna-2024-01-31",
    ],
)(init)
register(app, panel=_PROJECT, examples=["pose3d run my-project/session1", "pose3d run my-project/session1 --dry-run"])(
    run
)
register(
    app,
    panel=_PROJECT,
    word="import",
    examples=["pose3d import my-project/patient7 walk1.c3d walk2.c3d", "pose3d import my-project/patient7 walk.trc"],
)(import_files)
register(app, panel=_HELP, examples=["pose3d demo", "pose3d demo walk --seed 7 --json"])(demo)
register(app, panel=_HELP, examples=["pose3d doctor"])(doctor)


def main() -> int:
    """Run the command line; the exit code is 0, 1 (an error), 2 (wrong usage), 3 (quality) or 130 (interrupted)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="pose3d")
    except KeyboardInterrupt:
        sys.stderr.write("pose3d: interrupted\n")
        return INTERRUPTED
    return 0
