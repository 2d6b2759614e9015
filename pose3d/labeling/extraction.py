"""Frames to label: chosen from the trials of a project and written as images, the same instants from all cameras."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from pose3d.data.names import counted
from pose3d.errors import DataError, ProjectError
from pose3d.geometry.arrays import IntArray
from pose3d.io.images import write_png
from pose3d.labeling.selection import (
    Choice,
    Method,
    choose_different,
    choose_evenly,
    choose_uncertain,
    make_candidates,
    share_out,
)
from pose3d.labeling.trial_frames import TrialFrames
from pose3d.log import Progress, no_progress
from pose3d.project.label_folders import LabelFolders, write_source
from pose3d.project.project import Project, Session, Trial

__all__ = ["Extraction", "TrialExtraction", "extract_frames", "extract_instants"]

_MOST_CANDIDATES = 400
_CANDIDATES_EACH = 10


@dataclass(frozen=True)
class TrialExtraction:
    """Images that were made of one trial.

    Attributes
    ----------
    recording : str
        Session and trial: ``monday/walk``.
    instants : tuple of int
    images : tuple of Path
        Those that were written; images that were there already are left as they are.
    n_dark, n_alike : int
        Instants that were left out since a view is black, or since they look like others.
    """

    recording: str
    instants: tuple[int, ...]
    images: tuple[Path, ...]
    n_dark: int = 0
    n_alike: int = 0


@dataclass(frozen=True)
class Extraction:
    """What :func:`extract_frames` did.

    Attributes
    ----------
    method : str
    n_wanted : int
        Instants that were asked for.
    trials : tuple of TrialExtraction
    """

    method: str
    n_wanted: int
    trials: tuple[TrialExtraction, ...]

    @property
    def n_instants(self) -> int:
        """Instants that were chosen."""
        return sum(len(trial.instants) for trial in self.trials)

    @property
    def images(self) -> tuple[Path, ...]:
        """All images that were written."""
        return tuple(path for trial in self.trials for path in trial.images)

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        lines = [
            f"{trial.recording}: {counted(len(trial.instants), 'instant')}, {counted(len(trial.images), 'image')}"
            for trial in self.trials
            if trial.instants
        ]
        for trial in self.trials:
            if trial.n_dark:
                lines.append(f"{trial.recording}: {counted(trial.n_dark, 'instant')} left out, a view is black there")
            if trial.n_alike:
                lines.append(f"{trial.recording}: all other instants look like these, or like what is labelled")
        if self.n_instants < self.n_wanted:
            lines.append(f"{self.n_instants} of {self.n_wanted} instants were found; there are no more to choose from")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "method": self.method,
            "n_wanted": self.n_wanted,
            "n_instants": self.n_instants,
            "n_images": len(self.images),
            "trials": [
                {
                    "recording": trial.recording,
                    "instants": list(trial.instants),
                    "images": [str(path) for path in trial.images],
                    "n_dark": trial.n_dark,
                    "n_alike": trial.n_alike,
                }
                for trial in self.trials
            ],
        }


def extract_frames(
    project: Project,
    sessions: Sequence[Session] | None = None,
    *,
    n: int = 20,
    method: Method = "kmeans",
    at: Sequence[str] = (),
    trial: str | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Extraction:
    """Choose instants to label, and write the image of each camera at each.

    An instant of which any camera's image is there already is not chosen again.

    Parameters
    ----------
    project : Project
    sessions : sequence of Session, optional
        By default all of the project.
    n : int
        Instants, shared evenly among all trials.
    method : {"kmeans", "uniform", "uncertain"}
        ``kmeans`` chooses what looks different, never two instants that look the same in all views. ``uncertain``
        chooses where the scores of an analysis in ``pose-2d`` are low.
    at : sequence of str
        Instants themselves, of one trial, instead of `n` and `method`: frames (``300``) or seconds (``1.5s``).
    trial : str, optional
        Only trials of this name.
    seed : int
        Of k-means.
    progress : Progress

    Returns
    -------
    Extraction

    Raises
    ------
    ProjectError
        If there is no trial with videos, or no analysis where one is needed.
    DataError
        If views do not fit one another, or a time is none.
    VideoError
        If a video cannot be read; the images of its trial that were written are taken away again.

    Notes
    -----
    To find what looks different, at most 400 instants of a trial are decoded, where it costs least: hours of video take
    as long as minutes.
    """
    if method not in get_args(Method):
        raise ValueError(f"method {method!r}: there are {', '.join(get_args(Method))}")
    if n < 1:
        raise ValueError("at least one instant")
    trials = _trials(project, sessions, trial)
    folders = LabelFolders(project)
    if at:
        if len(trials) > 1:
            names = ", ".join(_recording(item) for item in trials[:5])
            raise DataError(f"{project.folder}: times are of one trial, and there are {names}; name the one by --trial")
        views = TrialFrames(trials[0], folders)
        instants = views.find_instants(at)
        images = _write_images(views, instants, progress)
        made = TrialExtraction(_recording(trials[0]), tuple(instants.tolist()), images)
        return Extraction("at", len(instants), (made,))
    if method == "uncertain":
        trials = [item for item in trials if item.pose_2d] or trials[:1]
    opened = [TrialFrames(item, folders) for item in trials]
    free = [views.instants[views.is_free()] for views in opened]
    results = []
    missing = 0
    for views, instants, share in zip(opened, free, share_out(n, [len(instants) for instants in free]), strict=True):
        # What earlier trials could not give is looked for in the later ones.
        wanted = min(share + missing, len(instants))
        choice = _choose(views, instants, wanted, method, seed, progress)
        missing += share - len(choice.instants)
        images = _write_images(views, choice.instants, progress)
        name = _recording(views.trial)
        results.append(TrialExtraction(name, tuple(choice.instants.tolist()), images, choice.n_dark, choice.n_alike))
    return Extraction(method, n, tuple(results))


def extract_instants(trial: Trial, instants: Sequence[int], *, progress: Progress = no_progress) -> TrialExtraction:
    """Write the images of all cameras at given instants; images that are there already stay as they are.

    Parameters
    ----------
    trial : Trial
    instants : sequence of int
        On the time line that the cameras share: the frame of each camera is found by ``sync.toml`` or ``[offsets]``.
    progress : Progress

    Raises
    ------
    DataError
        If an instant is not shown by all cameras.
    ProjectError, VideoError
        As :func:`extract_frames`.
    """
    views = TrialFrames(trial)
    found = views.find_instants([str(int(instant)) for instant in instants])
    return TrialExtraction(_recording(trial), tuple(found.tolist()), _write_images(views, found, progress))


def _recording(trial: Trial) -> str:
    return f"{trial.session.name}/{trial.name}"


def _trials(project: Project, sessions: Sequence[Session] | None, name: str | None) -> list[Trial]:
    sessions = project.sessions() if sessions is None else sessions
    trials = [trial for session in sessions for trial in session.trials() if trial.videos]
    named = [trial for trial in trials if name in (None, trial.name)]
    if not named:
        folder = sessions[0].folder if len(sessions) == 1 else project.folder
        if name is not None and trials:
            there = ", ".join(dict.fromkeys(trial.name for trial in trials))
            raise ProjectError(f"{folder}: no trial {name!r} with videos; there is {there}")
        raise ProjectError(
            f"{folder}: there are no videos; put TRIAL_CAMERA.mp4 into SESSION/{project.config.project.videos_folder}"
        )
    return named


def _choose(views: TrialFrames, free: IntArray, n: int, method: Method, seed: int, progress: Progress) -> Choice:
    if n == 0:
        return Choice(np.zeros(0, dtype=np.int64))
    if method == "uniform":
        return Choice(choose_evenly(free, n))
    if method == "uncertain":
        doubt = views.uncertainty()[np.searchsorted(views.instants, free)]
        return Choice(choose_uncertain(free, doubt, n))
    cost = views.decoding_cost()[np.searchsorted(views.instants, free)]
    candidates = make_candidates(free, max(_MOST_CANDIDATES, _CANDIDATES_EACH * n), cost)
    sights = views.sights(candidates, progress)
    return choose_different(sights, n, known=views.known_sights(), seed=seed)


def _write_images(views: TrialFrames, instants: IntArray, progress: Progress) -> tuple[Path, ...]:
    """Write what is not there yet; all of it or nothing."""
    rows = np.searchsorted(views.instants, instants)
    session = views.trial.session
    written: list[Path] = []
    n_total = len(rows) * len(views.cameras)
    try:
        for column, camera in enumerate(views.cameras):
            folder = views.label_folders[camera]
            there: Mapping[int, Path] = views.existing[camera]
            frames = [frame for frame in np.unique(views.frames[rows, column]).tolist() if frame not in there]
            for frame, image in views.sources[camera].frames(frames):
                path = folder / views.image_name(camera, frame)
                write_png(path, image)
                written.append(path)
                progress(f"write {views.trial.name}", len(written), n_total)
            if frames:
                write_source(folder, session=session.name, trial=views.trial.name, camera=camera)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return tuple(written)
