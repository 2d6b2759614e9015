"""Which network is meant by a name, and which videos of a project it is for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pose3d.errors import ModelError
from pose3d.io.names import fits_file_name
from pose3d.network.analysis import AnalysisSettings, analyze_video, is_replaceable
from pose3d.network.analysis_jobs import AnalysisJob, Analyze
from pose3d.network.blazepose.files import DETECTOR_FILE, LANDMARK_FILE, is_blazepose
from pose3d.network.model_folder import MODEL_FILE
from pose3d.network.subject_window import CropSettings
from pose3d.project import Project, Session, Trial
from pose3d.project.names import stem_of

__all__ = [
    "ProjectNetwork",
    "SessionPlan",
    "find_model",
    "plan_sessions",
    "plan_trial",
    "project_analysis",
    "project_network",
]


@dataclass(frozen=True)
class SessionPlan:
    """What is to be analysed in sessions.

    Attributes
    ----------
    jobs : tuple of AnalysisJob
    left_alone : tuple of (Path, Path)
        Videos of which another program's keypoints are there, and these.
    """

    jobs: tuple[AnalysisJob, ...]
    left_alone: tuple[tuple[Path, Path], ...] = ()


@dataclass(frozen=True)
class ProjectNetwork:
    """The network that a project's settings name.

    Attributes
    ----------
    name : str
    folder : Path
        Where it is, or will be when it has been fetched.
    finds_people : bool
        It is BlazePose.
    files : tuple of Path
        By whose content it is told from another; empty where the zoo says what it is.
    digests : mapping
        File name to sha256, where the zoo says it.
    """

    name: str
    folder: Path
    finds_people: bool
    files: tuple[Path, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)


def plan_sessions(sessions: Iterable[Session]) -> SessionPlan:
    """Give each video of some sessions its file in ``pose-2d``, named as the video.

    Where there are keypoints of a video already that another program made, the video is left out.

    Parameters
    ----------
    sessions : iterable of Session

    Raises
    ------
    ProjectError
        If the names of the videos do not tell the cameras.
    """
    plans = [plan_trial(trial) for session in sessions for trial in session.trials()]
    jobs = tuple(job for plan in plans for job in plan.jobs)
    return SessionPlan(jobs, tuple(pair for plan in plans for pair in plan.left_alone))


def plan_trial(trial: Trial) -> SessionPlan:
    """Give each video of a trial its file, as :func:`plan_sessions` does."""
    jobs, left = [], []
    for camera, video in trial.videos.items():
        output = trial.session.folder / "pose-2d" / f"{stem_of(video)}.h5"
        there = trial.pose_2d.get(camera, output)
        if there != output or not is_replaceable(output):
            left.append((video, there))
        else:
            jobs.append(AnalysisJob(video, output))
    return SessionPlan(tuple(jobs), tuple(left))


def project_network(project: Project) -> ProjectNetwork | None:
    """Look up the network that a project's settings name; nothing is fetched.

    Returns
    -------
    ProjectNetwork or None
        None if it has not been trained yet, and is none of the zoo.
    """
    name = project.config.network.model
    folder = _find_folder(name, project)
    if folder is None:
        from pose3d.network.zoo import list_models

        model = next((model for model in list_models() if model.name == name and model.kind != "weights"), None)
        if model is None:
            return None
        if model.files:
            digests = {file.name: file.sha256 for file in model.files}
            return ProjectNetwork(name, model.folder, model.kind == "people", digests=digests)
        folder = model.folder
    people = is_blazepose(folder)
    names = (DETECTOR_FILE, LANDMARK_FILE) if people else (MODEL_FILE,)
    return ProjectNetwork(name, folder, people, tuple(folder / file for file in names))


def find_model(name: str, project: Project | None = None) -> Path:
    """Find a network's folder.

    Parameters
    ----------
    name : str
        A folder, a name below the project's ``models``, or a network of the zoo, which is fetched if need be.
    project : Project, optional

    Raises
    ------
    ModelError
        If there is none of this name.
    DependencyError
        If it cannot be fetched.
    """
    folder = _find_folder(name, project)
    if folder is not None:
        return folder
    from pose3d.network.zoo import fetch_model, list_models

    ready = {model.name: model for model in list_models()}
    usable = [model.name for model in ready.values() if model.kind != "weights"]
    if name in usable:
        return fetch_model(name)
    if name in ready:
        raise ModelError(f"{name}: {ready[name].finds}; networks that find keypoints: {', '.join(usable)}")
    trained = sorted(path.parent.name for path in project.models.glob(f"*/{MODEL_FILE}")) if project else []
    if project is not None and name == project.config.network.model and not trained:
        raise ModelError(
            f"{project.model(name)}: is not trained yet; label frames and run pose3d train, or name a ready network "
            f"({', '.join(usable)})"
        )
    below = f"; trained here: {', '.join(trained)}" if trained else ""
    raise ModelError(
        f"{name}: no such network{below}; ready ones: {', '.join(usable)}; or give the folder of a trained one"
    )


def project_analysis(project: Project, model: Path) -> Analyze:
    """Return what analyses a video with a network, as a project's settings say.

    Parameters
    ----------
    project : Project
    model : Path
        The network's folder.
    """
    if is_blazepose(model):
        from pose3d.network.blazepose.analyze import analyze_people

        return partial(analyze_people, model=model)
    given = project.config.analysis
    settings = AnalysisSettings(n_peaks=given.n_peaks, crop=CropSettings() if given.crop else None)
    return partial(analyze_video, model=model, settings=settings)


def _find_folder(name: str, project: Project | None) -> Path | None:
    """Find a network that lies in a folder of this name, or in the project's of this name."""
    folder = Path(name).expanduser()
    if folder.name == MODEL_FILE and folder.is_file():
        folder = folder.parent
    if (folder / MODEL_FILE).is_file() or is_blazepose(folder):
        return folder
    if project is not None and fits_file_name(name) and (project.model(name) / MODEL_FILE).is_file():
        return project.model(name)
    return None
