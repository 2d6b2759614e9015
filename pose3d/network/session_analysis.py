"""Which network is meant by a name, and which videos of a project it is for."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pose3d.errors import ModelError
from pose3d.io.names import fits_file_name
from pose3d.network.analysis import is_replaceable
from pose3d.network.analysis_jobs import AnalysisJob
from pose3d.network.blazepose.files import is_blazepose
from pose3d.network.model_folder import MODEL_FILE
from pose3d.project import Project, Session
from pose3d.project.names import stem_of

__all__ = ["SessionPlan", "find_model", "plan_sessions"]


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
    jobs, left = [], []
    for session in sessions:
        for trial in session.trials():
            for camera, video in trial.videos.items():
                output = session.folder / "pose-2d" / f"{stem_of(video)}.h5"
                there = trial.pose_2d.get(camera, output)
                if there != output or not is_replaceable(output):
                    left.append((video, there))
                else:
                    jobs.append(AnalysisJob(video, output))
    return SessionPlan(tuple(jobs), tuple(left))


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
    folder = Path(name).expanduser()
    if folder.name == MODEL_FILE and folder.is_file():
        folder = folder.parent
    if (folder / MODEL_FILE).is_file() or is_blazepose(folder):
        return folder
    if project is not None and fits_file_name(name) and (project.model(name) / MODEL_FILE).is_file():
        return project.model(name)
    from pose3d.network.zoo import fetch_model, list_models

    ready = {model.name: model for model in list_models()}
    usable = [model.name for model in ready.values() if model.kind != "weights"]
    if name in usable:
        return fetch_model(name)
    if name in ready:
        raise ModelError(f"{name}: {ready[name].finds}; networks that find keypoints: {', '.join(usable)}")
    trained = sorted(path.parent.name for path in project.models.glob(f"*/{MODEL_FILE}")) if project else []
    below = f"; trained here: {', '.join(trained)}" if trained else ""
    raise ModelError(
        f"{name}: no such network{below}; ready ones: {', '.join(usable)}; or give the folder of a trained one"
    )
