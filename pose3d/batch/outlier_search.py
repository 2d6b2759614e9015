"""Instants of a project's trials in which a network is probably wrong: found, extracted, and put first in the queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose3d.batch.learning_actions import LearningActions
from pose3d.batch.model_choice import labelled_rows
from pose3d.data.names import counted
from pose3d.errors import DataError, ProjectError
from pose3d.labeling.extraction import extract_instants
from pose3d.labeling.outliers import find_outliers
from pose3d.labeling.queue import QUEUE_NAME, QueueItem, read_queue, write_queue
from pose3d.labeling.trial_frames import TrialFrames
from pose3d.labeling.trial_keypoints import read_trial_keypoints
from pose3d.log import Progress, logger, no_progress
from pose3d.project import Project, Session, Trial
from pose3d.project.labels import load_labels

__all__ = ["FoundOutliers", "pending_items", "queue_outliers"]


@dataclass(frozen=True)
class FoundOutliers:
    """Instants that are worth labelling.

    Attributes
    ----------
    items : tuple of QueueItem
        The worst first.
    n_wanted, n_trials : int
    n_images : int
        Images written.
    without_rig : tuple of str
        Recordings whose views could not be compared in space.
    """

    items: tuple[QueueItem, ...]
    n_wanted: int
    n_trials: int
    n_images: int
    without_rig: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        lines = [f"{item.recording} {item.frame}: {item.reason}" for item in self.items]
        for recording in self.without_rig:
            lines.append(f"{recording}: without a calibration of two cameras, views could not be compared in space")
        if len(self.items) < self.n_wanted:
            found = counted(len(self.items), "instant")
            lines.append(f"{found} of {self.n_wanted}: nothing speaks against the others, or they are labelled")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""
        return {
            "instants": [
                {"recording": item.recording, "frame": item.frame, "score": item.score, "reason": item.reason}
                for item in self.items
            ],
            "n_wanted": self.n_wanted,
            "n_images": self.n_images,
            "without_calibration": list(self.without_rig),
        }


def queue_outliers(
    project: Project,
    sessions: Sequence[Session] | None = None,
    *,
    n: int = 20,
    trial: str | None = None,
    extract: bool = True,
    actions: LearningActions | None = None,
    progress: Progress = no_progress,
) -> FoundOutliers:
    """Find instants in which the keypoints of ``pose-2d`` are probably wrong, and prepare them for labelling.

    Parameters
    ----------
    project : Project
    sessions : sequence of Session, optional
        By default all.
    n : int
        Instants of all trials together; the worst ones, wherever they are.
    trial : str, optional
        Only trials of this name.
    extract : bool
        Write the images and the queue; False only finds.
    actions : LearningActions, optional
    progress : callable, optional

    Raises
    ------
    ProjectError
        If no trial has videos and 2D keypoints.
    FormatError, VideoError
        If a file is damaged.
    """
    actions = actions or LearningActions()
    sessions = project.sessions() if sessions is None else sessions
    trials = [
        each
        for session in sessions
        for each in session.trials()
        if each.videos and each.pose_2d and trial in (None, each.name)
    ]
    if not trials:
        which = f"trial {trial!r}" if trial is not None else "a trial"
        raise ProjectError(
            f"{project.folder}: there is no {which} with videos and 2D keypoints in pose-2d; run pose3d analyze first"
        )
    found: list[tuple[QueueItem, Trial]] = []
    without = []
    for done, each in enumerate(trials):
        items, with_rig = _search(each, n, actions, progress)
        found += [(item, each) for item in items]
        without += [] if with_rig else [f"{each.session.name}/{each.name}"]
        progress("looking for outliers", done + 1, len(trials))
    found = sorted(found, key=lambda pair: -pair[0].score)[:n]
    written = 0
    if extract:
        for each in trials:
            frames = [item.frame for item, home in found if home is each]
            if frames:
                written += len(extract_instants(each, frames, progress=progress).images)
        chosen = tuple(item for item, _ in found)
        places = {(item.recording, item.frame) for item in chosen}
        waiting = [item for item in pending_items(project) if (item.recording, item.frame) not in places]
        write_queue([*chosen, *waiting], project.labeled_data / QUEUE_NAME)
    return FoundOutliers(tuple(item for item, _ in found), n, len(trials), written, tuple(without))


def pending_items(project: Project) -> tuple[QueueItem, ...]:
    """Return what the queue holds and nobody has labelled yet."""
    path = project.labeled_data / QUEUE_NAME
    if not path.exists():
        return ()
    images = load_labels(project)
    labelled = {
        (images.recordings[row], images.cameras[row], images.labels.images[row].frame) for row in labelled_rows(images)
    }
    trials = {f"{session.name}/{trial.name}": trial for session in project.sessions() for trial in session.trials()}
    queue = read_queue(path)
    views = {name: TrialFrames(trials[name]) for name in {item.recording for item in queue} & trials.keys()}

    def waits(item: QueueItem) -> bool:
        if item.recording not in views:
            return False
        shown = views[item.recording]
        rows = np.flatnonzero(shown.instants == item.frame)
        return len(rows) > 0 and not any(
            (item.recording, camera, int(frame)) in labelled
            for camera, frame in zip(shown.cameras, shown.frames[rows[0]], strict=True)
        )

    return tuple(item for item in queue if waits(item))


def _search(trial: Trial, n: int, actions: LearningActions, progress: Progress) -> tuple[tuple[QueueItem, ...], bool]:
    from pose3d.io.rigs import load_rig

    views = TrialFrames(trial)
    keypoints = read_trial_keypoints(views)
    skeleton, path = trial.session.config.to_skeleton(), trial.session.calibration_toml
    rig = load_rig(path) if path.is_file() else None
    seen = () if rig is None else tuple(name for name in keypoints.cameras if name in rig)
    points = None
    if rig is not None and len(seen) >= 2:
        try:
            points = actions.triangulate(keypoints.select(seen), rig, progress)
        except DataError as error:  # a network that is sure of nothing
            logger.warning("%s: %s; its views are not compared in space", trial.name, error)
    elif rig is not None:
        logger.warning("%s: knows fewer than two of the cameras %s", path, ", ".join(keypoints.cameras))
    free = views.is_free()
    outliers = find_outliers(
        keypoints,
        n=n,
        points=points,
        rig=rig if points is not None else None,
        edges=() if skeleton is None else skeleton.edges,
        known=views.instants[~free],
        allowed=free,
    )
    return outliers.items(f"{trial.session.name}/{trial.name}"), points is not None
