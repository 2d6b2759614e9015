"""Active learning: a network says where it fails, people label that, and what it learns from it is kept if it helps."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose3d.batch.believed_images import believe_trial
from pose3d.batch.learning_actions import LearningActions
from pose3d.batch.model_choice import Judgement, challenge_model, fresh_images, labelled_rows, split_labels
from pose3d.batch.outlier_search import FoundOutliers, pending_items, queue_outliers
from pose3d.data.names import counted
from pose3d.errors import DataError, ProjectError
from pose3d.labeling.pseudo_labels import PseudoLabelSettings
from pose3d.log import Progress, no_progress
from pose3d.network.model_folder import MODEL_FILE
from pose3d.project import Project, Session
from pose3d.project.labels import load_labels

__all__ = ["Round", "SelfTraining", "refine_round", "self_train"]


@dataclass(frozen=True)
class Round:
    """What a round of active learning did.

    Attributes
    ----------
    project : Path
    judgement : Judgement or None
        Of the network that was trained; None where there were no new labels.
    found : FoundOutliers or None
        Instants that were queued; None where enough wait for labels already.
    n_waiting : int
        Instants that wait for labels now.
    """

    project: Path
    judgement: Judgement | None
    found: FoundOutliers | None
    n_waiting: int

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        lines = [] if self.judgement is None else list(self.judgement.lines())
        if self.found is not None:
            lines += self.found.lines()
        if self.n_waiting:
            lines.append(f"next: label {counted(self.n_waiting, 'instant')} with `pose3d label {self.project}`")
        elif self.found is not None:
            lines.append("nothing is left that the network seems to get wrong")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""
        return {
            "trained": None if self.judgement is None else self.judgement.to_dict(),
            "outliers": None if self.found is None else self.found.to_dict(),
            "n_waiting": self.n_waiting,
        }


@dataclass(frozen=True)
class SelfTraining:
    """What self-training did.

    Attributes
    ----------
    n_instants, n_missed : int
        Instants whose points were believed and learnt from, and places in them that views had missed.
    judgement : Judgement
    """

    n_instants: int
    n_missed: int
    judgement: Judgement

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        learnt = f"{counted(self.n_missed, 'place')} that views had missed, in {counted(self.n_instants, 'instant')}"
        return (f"learnt from {learnt}", *self.judgement.lines())

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""
        return {"n_instants": self.n_instants, "n_missed": self.n_missed, **self.judgement.to_dict()}


def refine_round(
    project: Project,
    sessions: Sequence[Session] | None = None,
    *,
    n: int = 20,
    settings: Mapping[str, Any] | None = None,
    actions: LearningActions | None = None,
    progress: Progress = no_progress,
) -> Round:
    """Do what comes next: learn from new labels, then find what is to be labelled next.

    Labels that the network does not know are learnt first; the new network is used if it is not worse on the images
    that are held out. Then all videos are analysed, and the instants in which it is probably wrong are extracted and
    queued for `pose3d label`. Nothing is queued while as many instants still wait for labels.

    Parameters
    ----------
    project : Project
    sessions : sequence of Session, optional
        Whose recordings are analysed and searched; by default all. Labels of all are learnt.
    n : int
        Instants that are to wait for labels at the end.
    settings : mapping, optional
        What differs from the project's ``[training]``.
    actions : LearningActions, optional
    progress : callable, optional

    Raises
    ------
    ProjectError
        If nothing is labelled and there is no network.
    FormatError, VideoError, ModelError
        If a file is damaged.
    """
    actions = actions or LearningActions()
    sessions = project.sessions() if sessions is None else sessions
    model = project.model()
    images = load_labels(project)
    images = images.take(labelled_rows(images))
    there = (model / MODEL_FILE).is_file()
    if not there and not len(images):
        raise ProjectError(
            f"{project.folder}: nothing is labelled and there is no network yet; begin with pose3d extract and pose3d "
            "label"
        )
    judgement = None
    if len(images) and (not there or len(fresh_images(images, model))):
        train, held_out = split_labels(project, images, model)
        judgement = challenge_model(project, train, held_out, settings=settings, actions=actions, progress=progress)
    waiting, found = len(pending_items(project)), None
    if waiting < n:
        actions.analyze(project, sessions, model, progress)
        found = queue_outliers(project, sessions, n=n - waiting, actions=actions, progress=progress)
        waiting += len(found.items)
    return Round(project.folder, judgement, found, waiting)


def self_train(
    project: Project,
    sessions: Sequence[Session] | None = None,
    *,
    n: int = 100,
    believe: PseudoLabelSettings | None = None,
    settings: Mapping[str, Any] | None = None,
    actions: LearningActions | None = None,
    progress: Progress = no_progress,
) -> SelfTraining:
    """Let a network learn from points on which several views agree, for the views that missed them.

    It is kept only if its error on labels of people that were held out is smaller, also than that of a network which
    trained as long on labels of people alone: what the steps alone bring was not taught. The best of the three is used.

    Parameters
    ----------
    project : Project
    sessions : sequence of Session, optional
        By default all.
    n : int
        Instants, shared among all trials.
    believe : PseudoLabelSettings, optional
    settings : mapping, optional
        What differs from the project's ``[training]``.
    actions : LearningActions, optional
    progress : callable, optional

    Raises
    ------
    ProjectError
        If there is no network, or no trial with videos and a calibration.
    DataError
        If no labels of people are held out, or nothing can be learnt.
    """
    actions = actions or LearningActions()
    sessions = project.sessions() if sessions is None else sessions
    model = project.model()
    if not (model / MODEL_FILE).is_file():
        raise ProjectError(f"{model}: there is no network that could teach itself; run pose3d train first")
    images = load_labels(project)
    images = images.take(labelled_rows(images))
    train, held_out = split_labels(project, images, model)
    actions.analyze(project, sessions, model, progress)
    trials = [
        trial
        for session in sessions
        for trial in session.trials()
        if len(trial.videos) >= 2 and session.calibration_toml.is_file()
    ]
    if not trials:
        raise ProjectError(f"{project.folder}: views can teach one another only where cameras are calibrated")
    folder = model.with_name(f"{model.name}.believed")
    share = -(-n // len(trials))
    parts = []
    for done, trial in enumerate(trials):
        place = folder / f"{done}"
        part = believe_trial(trial, place, n=share, settings=believe, actions=actions, progress=progress)
        parts += [] if part is None else [part]
        progress("points to believe", done + 1, len(trials))
    if not parts:
        raise DataError(
            f"{project.folder}: no view missed what the others agree on, so there is nothing to learn; label more "
            "images"
        )
    try:
        judgement = challenge_model(
            project,
            train,
            held_out,
            extra=[part.images for part in parts],
            settings=settings,
            actions=actions,
            progress=progress,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return SelfTraining(sum(part.n_instants for part in parts), sum(part.n_missed for part in parts), judgement)
