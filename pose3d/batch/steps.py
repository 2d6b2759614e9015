"""The steps of a session: what each is made from, by which settings, and where its results go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose3d.batch.actions import StepReport, calibrate_session, compute_angles, export_trial
from pose3d.batch.analysis import analyze_trial, find_work, made_by_analysis
from pose3d.batch.triangulation import triangulate_trial
from pose3d.errors import ConfigError, ProjectError
from pose3d.io.names import natural_key
from pose3d.log import Progress
from pose3d.project import Config, Session, Trial
from pose3d.project.edits import EDITS_SETTING, recorded, trial_edits

if TYPE_CHECKING:
    from pose3d.network.analysis_jobs import AnalysisJob
    from pose3d.network.session_analysis import ProjectNetwork

__all__ = ["STEPS", "Actions", "Step", "session_steps"]

STEPS = ("calibrate", "analyze", "triangulate", "angles", "export")
"""Names of the steps, in their order."""


@dataclass(frozen=True)
class Actions:
    """What does the work of each step; tests put others in their place.

    Attributes
    ----------
    calibrate : callable
        ``(session, progress) -> StepReport``
    analyze : callable
        ``(trial, network, jobs, progress) -> StepReport``
    triangulate : callable
        ``(trial, progress) -> StepReport``
    angles, export : callable
        ``(trial, pose_3d_files, progress) -> StepReport``
    """

    calibrate: Callable[[Session, Progress], StepReport] = calibrate_session
    analyze: "Callable[[Trial, ProjectNetwork, tuple[AnalysisJob, ...], Progress], StepReport]" = analyze_trial
    triangulate: Callable[[Trial, Progress], StepReport] = triangulate_trial
    angles: Callable[[Trial, tuple[Path, ...], Progress], StepReport] = compute_angles
    export: Callable[[Trial, tuple[Path, ...], Progress], StepReport] = export_trial


@dataclass(frozen=True)
class Step:
    """One step of one session or trial.

    Attributes
    ----------
    name : str
        Of :data:`STEPS`.
    trial : str, optional
    home : Path
        Folder whose state keeps the record.
    inputs : tuple of Path
    settings : mapping
        Those on which the result depends, as JSON has them.
    output : Path
        The result; a step with several says so in its report.
    act : callable
        ``(inputs, progress) -> StepReport``
    after : str, optional
        Key of the step whose results are inputs too.
    relies_on : tuple of str
        Keys of other steps that must not have failed.
    given : str
        Why the result is used as it lies there, if it is not this step that makes it.
    impossible : str
        What is missing for this step.
    keeps_foreign : bool
        A result that lies there and was not made by this step is a person's, and is used as it is.
    optional : tuple of Path
        More inputs, where they are there.
    beside : tuple of Path
        Files that the step may write or remove with its result.
    reads : str
        How those results of the step before end that are inputs.
    made_apart : callable, optional
        Tells a result as this step makes it, which a command of its own may have made since.
    """

    name: str
    trial: str | None
    home: Path
    inputs: tuple[Path, ...]
    settings: Mapping[str, Any]
    output: Path
    act: Callable[[tuple[Path, ...], Progress], StepReport]
    after: str | None = None
    relies_on: tuple[str, ...] = ()
    given: str = ""
    impossible: str = ""
    keeps_foreign: bool = False
    optional: tuple[Path, ...] = ()
    beside: tuple[Path, ...] = ()
    reads: str = ""
    made_apart: Callable[[Path], bool] | None = None

    @property
    def key(self) -> str:
        """Name in the record."""
        return self.name if self.trial is None else f"{self.name}/{self.trial}"

    @property
    def label(self) -> str:
        """Name for people."""
        return self.name if self.trial is None else f"{self.name} {self.trial}"


def session_steps(session: Session, actions: Actions | None = None) -> list[Step]:
    """List the steps of a session in the order in which they build on one another.

    Parameters
    ----------
    session : Session
    actions : Actions, optional

    Returns
    -------
    list of Step
        None where all trials were imported.

    Raises
    ------
    ProjectError
        If there is neither a calibration nor clips to make one, a file's name does not tell its camera, an offset is
        for a camera that does not exist, or there are offsets and a ``sync.toml``.
    """
    actions = actions or Actions()
    imported = {trial.name for trial in session.imported()}
    trials = session.trials()
    clips = session.calibration_videos()
    if imported and not trials and not clips and not session.calibration_toml.is_file():
        return []  # recordings of a motion-capture system alone: there is nothing to make them from
    if session.config.offsets and session.sync_toml.exists():
        raise ProjectError(
            f"{session.project.config_path}: [offsets] and {session.sync_toml} both say when cameras began; "
            "remove the one or the other"
        )
    _check_offsets(session, {*clips, *(name for trial in trials for name in (*trial.videos, *trial.pose_2d))})
    steps = [_calibrate(session, clips, actions)]
    for trial in trials:
        if trial.name in imported:
            steps += _imported_steps(trial)
            continue
        network, jobs = find_work(trial)
        relies_on = [steps[0].key]
        if network is not None:
            steps.append(_analyze(trial, network, tuple(jobs.values()), actions))
            relies_on.append(steps[-1].key)
        steps += _trial_steps(_analyzed(trial, jobs), tuple(relies_on), actions)
    return steps


def _check_offsets(session: Session, cameras: set[str]) -> None:
    for name in session.config.offsets:
        if cameras and name not in cameras:
            there = ", ".join(sorted(cameras, key=natural_key))
            raise ProjectError(
                f"{session.project.config_path}: offsets.{name}: no camera of {session.name} has this name; "
                f"there are {there}"
            )


def _flat(prefix: str, value: object) -> dict[str, Any]:
    """Name settings as people find them in the file: ``triangulation.score_threshold``."""
    if isinstance(value, Mapping):
        return {name: item for key, inner in value.items() for name, item in _flat(f"{prefix}.{key}", inner).items()}
    return {prefix: value}


def _settings(config: Config, *sections: str) -> dict[str, Any]:
    table = config.model_dump(mode="json", include=set(sections))
    return {name: value for section in sections for name, value in _flat(section, table[section]).items()}


def _calibrate(session: Session, clips: Mapping[str, Path], actions: Actions) -> Step:
    config, target = session.config, session.calibration_toml
    given = ""
    if not clips:
        if not target.is_file():
            raise ProjectError(
                f"{session.calibration_folder}: holds neither {target.name} nor clips of the board; put a "
                f"{target.name} there, or one clip per camera ({', '.join(config.project.video_extensions)})"
            )
        given = f"{target.name} is used as it is; there are no clips to make it from"
    lens_clips = session.lens_clips() if clips else {}
    inputs = [*clips.values(), *lens_clips.values()]
    for key, folder in (
        ("intrinsics", session.project.folder),
        ("compare", session.project.folder),
        ("timestamps", session.calibration_folder),
    ):
        name = getattr(config.calibration, key)
        if name is not None:
            inputs.append(folder / name)
            if not inputs[-1].is_file():
                raise ConfigError(f"{session.project.config_path}: calibration.{key}: there is no {inputs[-1]}")
    settings = {
        **_settings(config, "board", "calibration", "offsets"),
        **{f"camera {camera}": path.name for camera, path in clips.items()},
        **{f"lens of {camera}": path.name for camera, path in lens_clips.items()},
    }
    return Step(
        "calibrate",
        None,
        session.calibration_folder.parent,
        tuple(inputs),
        settings,
        target,
        lambda _, progress: actions.calibrate(session, progress),
        given=given,
        keeps_foreign=True,
        beside=(session.calibration_uncertainty,),
    )


def _analyze(trial: Trial, network: "ProjectNetwork", jobs: "tuple[AnalysisJob, ...]", actions: Actions) -> Step:
    session = trial.session
    settings = {
        "network.model": network.name,
        **({} if network.finds_people else _settings(session.config, "analysis")),
        **{f"network {name}": digest for name, digest in network.digests.items()},
        **{f"camera {camera}": video.name for camera, video in trial.videos.items()},
    }
    output, *beside = (job.output for job in jobs)
    return Step(
        "analyze",
        trial.name,
        session.folder,
        (*(job.video for job in jobs), *network.files),
        settings,
        output,
        lambda _, progress: actions.analyze(trial, network, jobs, progress),
        beside=tuple(beside),
        made_apart=made_by_analysis,
    )


def _imported_steps(trial: Trial) -> list[Step]:
    """Leave alone what was imported: videos or 2D keypoints of the same name must not overwrite it."""
    why = f"{trial.pose_3d.name} was imported ({trial.import_record.name}) and is used as it is"
    return [
        Step(name, trial.name, trial.session.folder, (), {}, output, lambda *_: StepReport(()), given=why)
        for name, output in (("triangulate", trial.pose_3d), ("angles", trial.angles))
    ]


def _analyzed(trial: Trial, jobs: "Mapping[str, AnalysisJob]") -> Trial:
    """Return a trial as it will be with the files of its analysis."""
    found = {**trial.pose_2d, **{camera: job.output for camera, job in jobs.items()}}
    return replace(trial, pose_2d={name: found[name] for name in sorted(found, key=natural_key)})


def _trial_steps(trial: Trial, relies_on: tuple[str, ...], actions: Actions) -> list[Step]:
    session, config = trial.session, trial.session.config
    inputs = [*trial.pose_2d.values(), session.calibration_toml]
    if config.project.fps is None and trial.videos:
        inputs.append(next(iter(trial.videos.values())))  # tells the frame rate
    settings = {
        **_settings(config, "triangulation", "skeleton"),
        **_flat("offsets", {name: n for name, n in config.offsets.items() if name in trial.pose_2d}),
        "project.fps": config.project.fps,
        **{f"camera {camera}": path.name for camera, path in trial.pose_2d.items()},
    }
    corrected = recorded(trial_edits(session, trial.name))
    if corrected:  # of other trials nothing, and no notes: those change no number
        settings[EDITS_SETTING] = corrected
    missing = "" if trial.pose_2d else f"no 2D keypoints of {trial.name} in pose-2d"
    if missing and trial.videos:
        missing += (
            f", and no network {config.network.model!r} that could find them; pose3d train makes one, or network.model "
            '= "blazepose-full" in pose3d.toml finds people'
        )
    steps = [
        Step(
            "triangulate",
            trial.name,
            session.folder,
            tuple(inputs),
            settings,
            trial.pose_3d,
            lambda _, progress: actions.triangulate(trial, progress),
            relies_on=relies_on,
            impossible=missing,
            optional=(session.calibration_uncertainty, session.sync_toml),
        )
    ]
    after = steps[0].key

    def follow(
        name: str,
        action: Callable[[Trial, tuple[Path, ...], Progress], StepReport],
        settings: Mapping[str, Any],
        output: Path,
    ) -> Step:
        def act(inputs: tuple[Path, ...], progress: Progress) -> StepReport:
            files = tuple(path for path in inputs if not path.name.endswith(".uncertainty.csv"))
            return action(trial, files, progress)

        return Step(
            name,
            trial.name,
            session.folder,
            (),
            settings,
            output,
            act,
            after=after,
            relies_on=relies_on,
            impossible=missing,
            reads=".csv",
        )

    steps.append(follow("angles", actions.angles, _settings(config, "angles"), trial.angles))
    if config.export.trc:
        rate = {"project.fps": config.project.fps}
        steps.append(follow("export", actions.export, {**_settings(config, "export"), **rate}, trial.trc))
    return steps
