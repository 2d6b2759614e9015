"""The command that applies a network to videos."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pose3d.cli_console import Console
from pose3d.cli_inputs import require_output
from pose3d.cli_parsing import given

if TYPE_CHECKING:
    from pose3d.log import Progress
    from pose3d.network.analysis import AnalysisSettings
    from pose3d.network.analysis_jobs import AnalysisJob, Analyze, Outcome
    from pose3d.project import Project, Session

__all__ = ["analyze"]

_NETWORK, _HOW = "The network", "How"
_REPORT_EVERY_S = 10.0


@dataclass
class AnalysisOptions:
    """Which network, and how it is applied."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FOLDER",
            help="A trained network: its folder, or its name in the project or the zoo (blazepose-full finds people)."
            " [dim]Default in a project: network.model.[/dim]",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    precision: Annotated[
        Literal["int8", "fp32"] | None,
        typer.Option(
            metavar="KIND",
            help="int8 or fp32. [dim]Default: int8 where that is as good on held-out images.[/dim]",
            rich_help_panel=_NETWORK,
        ),
    ] = None
    device: Annotated[
        Literal["auto", "cpu", "gpu"],
        typer.Option(metavar="NAME", help="auto, cpu or gpu (by TensorFlow).", rich_help_panel=_NETWORK),
    ] = "auto"
    peaks: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10,
            metavar="N",
            help="Candidates kept per keypoint, for `filter --viterbi`. [dim]Default: 1, or analysis.n_peaks.[/dim]",
            rich_help_panel=_HOW,
        ),
    ] = None
    crop: Annotated[
        bool | None,
        typer.Option(
            "--crop/--no-crop",
            metavar="",
            help="Follow the subject, and look at the whole image only now and then."
            " [dim]Default: no, or analysis.crop.[/dim]",
            rich_help_panel=_HOW,
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Videos analysed side by side. [dim]Default: as many as processors.[/dim]",
            rich_help_panel=_HOW,
        ),
    ] = None
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Threads of each network.", rich_help_panel=_HOW)] = 1

    def make(self, project: "Project | None", n_videos: int) -> "AnalysisSettings":
        """Make the settings of the library; a project's own count where no option is given."""
        from pose3d.network.analysis import AnalysisSettings
        from pose3d.network.analysis_jobs import count_processors
        from pose3d.network.subject_window import CropSettings

        peaks, crop = (1, False) if project is None else (project.config.analysis.n_peaks, project.config.analysis.crop)
        crop = crop if self.crop is None else self.crop
        return AnalysisSettings(
            n_peaks=peaks if self.peaks is None else self.peaks,
            crop=CropSettings() if crop else None,
            precision=self.precision,
            device=self.device,
            threads=self.threads
            or min(4, max(1, count_processors() // max(1, min(n_videos, self.workers or n_videos)))),
        )


def analyze(
    console: Console,
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO...",
            help="Videos, or folders of images; or one session's folder inside a project, or a project's.",
            show_default=False,
        ),
    ],
    options: AnalysisOptions,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER",
            help="The h5 of one video, or the folder for several. [dim]Default: beside each video.[/dim]",
        ),
    ] = None,
) -> int:
    """Find keypoints in videos with a trained network.

    Writes a DeepLabCut h5 a video, at once when it is whole. What is finished of a long video waits beside it in a
    folder that ends in .partial: ended half-way, the same command goes on where it was.

    In a session the files are pose-2d/TRIAL_CAMERA.h5; those that another program made are left alone.
    """
    from pose3d.network.analysis_jobs import analyze_videos

    project = _project_of(Path(videos[0]).expanduser())
    sessions = _sessions(videos, project)
    jobs, left_alone = _session_jobs(console, sessions, output) if sessions else (_jobs(videos, output), [])
    work = _analysis(options, project, len(jobs))
    failed: list[dict[str, str]] = []
    summaries: list[dict[str, Any]] = []

    def report(job: "AnalysisJob", outcome: "Outcome") -> None:
        if isinstance(outcome, Exception):
            failed.append({"video": str(job.video), "error": str(outcome)})
            console.error(str(outcome))
            return
        console.say(*outcome.lines())
        summaries.append(outcome.to_dict())

    with _progress(console) as progress:
        analyze_videos(jobs, work, workers=options.workers, progress=progress, report=report)
    summaries.sort(key=lambda summary: [str(job.output) for job in jobs].index(str(summary["output"])))
    console.result({"videos": summaries, "failed": failed, "left_alone": left_alone})
    return 1 if failed else 0


def _project_of(path: Path) -> "Project | None":
    """Return the project in which a file or folder lies."""
    from pose3d.project import CONFIG_NAME, Project

    inside = any((place / CONFIG_NAME).is_file() for place in (path.resolve(), *path.resolve().parents))
    return Project.load(path) if inside and path.exists() else None


def _sessions(videos: list[str], project: "Project | None") -> "list[Session]":
    """Return the sessions that are meant where a session's or a project's folder is all that was given."""
    folder = Path(videos[0])
    if len(videos) != 1 or not folder.is_dir() or project is None:
        return []
    sessions = list(project.sessions())
    if folder.resolve() == project.folder.resolve():
        return sessions
    return [session for session in sessions if session.folder.resolve() == folder.resolve()]


def _session_jobs(
    console: Console, sessions: "list[Session]", output: Path | None
) -> "tuple[list[AnalysisJob], list[Path]]":
    from pose3d.errors import DataError
    from pose3d.network.session_analysis import plan_sessions

    names = ", ".join(session.name for session in sessions)
    if output is not None:
        raise typer.BadParameter(f"{names}: a session knows where its files go", param_hint="--output")
    plan = plan_sessions(sessions)
    for video, there in plan.left_alone:
        console.step(f"{video.name}: left out, {there} is there and was not made by pose3d analyze")
    if not plan.jobs and not plan.left_alone:
        raise DataError(f"{names}: no videos to analyse; put them into {sessions[0].folder / 'videos-raw'}")
    return list(plan.jobs), [there for _, there in plan.left_alone]


def _jobs(videos: list[str], output: Path | None) -> "list[AnalysisJob]":
    from pose3d.network.analysis_jobs import AnalysisJob

    paths = [Path(video).expanduser() for video in videos]
    if output is not None and output.suffix.lower() == ".h5":
        if len(paths) > 1:
            raise typer.BadParameter(
                f"{output} is one file, there are {len(paths)} videos; name a folder", param_hint="--output"
            )
        return [AnalysisJob(paths[0], require_output(output, paths[0], example="walk.h5"))]
    if output is not None and output.suffix and not output.is_dir():
        raise typer.BadParameter(f"{output}: an .h5 is written, or a folder of them", param_hint="--output")
    targets = [(path.parent if output is None else output) / f"{path.stem}.h5" for path in paths]
    for i, target in enumerate(targets):
        if target in targets[:i]:
            raise typer.BadParameter(
                f"{paths[targets.index(target)]} and {paths[i]} would both become {target}; analyse them one by one",
                param_hint="--output",
            )
    return [AnalysisJob(path, target) for path, target in zip(paths, targets, strict=True)]


def _analysis(options: AnalysisOptions, project: "Project | None", n_videos: int) -> "Analyze":
    """Return what analyses one video."""
    model = options.model or (project.config.network.model if project is not None else None)
    if model is None:
        raise typer.BadParameter(
            "a network is needed: its folder, or a name of `pose3d zoo list`", param_hint="--model"
        )
    settings = options.make(project, n_videos)
    from pose3d.network.blazepose.files import is_blazepose
    from pose3d.network.session_analysis import find_model

    folder = find_model(model, project)
    if not is_blazepose(folder):
        from pose3d.network.analysis import analyze_video

        return partial(analyze_video, model=folder, settings=settings)
    stray = [option for option in given(options) if option not in ("--model", "--workers")]
    if stray:
        raise typer.BadParameter(f"is for trained networks; {model} finds people", param_hint=", ".join(stray))
    from pose3d.network.blazepose.analyze import analyze_people

    return partial(analyze_people, model=folder)


@contextmanager
def _progress(console: Console) -> "Iterator[Progress]":
    """Show frames done, frames per second and time left: bars on a terminal, lines now and then elsewhere."""
    if console.quiet or not sys.stderr.isatty():
        yield _Lines(console)
        return
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    class Speed(TextColumn):
        def render(self, task: Task) -> Any:
            speed = task.finished_speed or task.speed
            return "" if speed is None else f"{speed:.0f} frames/s"

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Speed(""), TimeRemainingColumn())
    with Bars(*columns, console=RichConsole(stderr=True), transient=True, speed_estimate_period=60) as bars:
        tasks: dict[str, Any] = {}

        def report(label: str, done: int, total: int) -> None:
            if label not in tasks:
                tasks[label] = bars.add_task(label, total=total or None)
            bars.update(tasks[label], completed=done, total=total or None)

        yield report


class _Lines:
    """Progress as lines, at most one every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: dict[str, tuple[float, int]] = {}
        self._done: dict[str, tuple[int, int]] = {}
        self._said = time.monotonic()

    def __call__(self, label: str, done: int, total: int) -> None:
        now = time.monotonic()
        self._began.setdefault(label, (now, done))
        self._done[label] = done, total
        if now - self._said < _REPORT_EVERY_S:
            return
        self._said = now
        n_done, n_total = (sum(pair[i] for pair in self._done.values()) for i in (0, 1))
        first = min(began for began, _ in self._began.values())
        new = n_done - sum(before for _, before in self._began.values())
        speed = new / max(now - first, 1e-9)
        left = f", {_duration((n_total - n_done) / speed)} left" if speed > 0 else ""
        self._console.step(f"{n_done} of {n_total} frames, {speed:.0f} frames/s{left}")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
