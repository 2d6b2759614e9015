"""What active learning is made of; each part can be exchanged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D, Keypoints3D
from pose3d.data.labels import LabelledImages
from pose3d.errors import Pose3DError
from pose3d.geometry.arrays import FloatArray
from pose3d.log import Progress, logger
from pose3d.project import Project, Session

__all__ = ["LearningActions", "TrainingTask"]


@dataclass(frozen=True)
class TrainingTask:
    """A network to train.

    Attributes
    ----------
    project : Project
        Whose settings count.
    images, held_out : LabelledImages
    folder : Path
        Where the model goes.
    start : Path or None
        Model whose weights training begins with.
    settings : mapping
        What differs from the project's ``[training]``.
    """

    project: Project
    images: LabelledImages
    held_out: LabelledImages
    folder: Path
    start: Path | None
    settings: Mapping[str, Any]


def _analyze(project: Project, sessions: Sequence[Session], model: Path, progress: Progress) -> None:
    from pose3d.network.analysis_jobs import analyze_videos
    from pose3d.network.session_analysis import plan_sessions, project_analysis

    plan = plan_sessions(sessions)
    for video, there in plan.left_alone:
        logger.warning("%s: is not analysed, keypoints of another program are there (%s)", video, there.name)
    for outcome in analyze_videos(plan.jobs, project_analysis(project, model), progress=progress):
        if isinstance(outcome, Pose3DError):
            raise outcome


def _triangulate(keypoints: Keypoints2D, rig: Rig, progress: Progress) -> Keypoints3D:
    from pose3d.reconstruction import triangulate

    return triangulate(keypoints, rig, progress=progress)


def _train(task: TrainingTask, progress: Progress) -> None:
    from pose3d.batch.training import network_spec, training_settings
    from pose3d.network.learning import train_network
    from pose3d.network.model_folder import read_model

    spec, start = network_spec(task.project, task.images), task.start
    if start is not None and read_model(start)[0].spec != spec:
        logger.info("%s: is another kind of network, training begins anew", start)
        start = None
    train_network(
        task.images,
        spec,
        task.folder,
        training_settings(task.project, task.settings),
        held_out=task.held_out,
        start=start,
        progress=progress,
    )


def _measure(model: Path, images: LabelledImages, progress: Progress) -> FloatArray:
    from pose3d.io.images import read_image
    from pose3d.network.evaluation import label_errors
    from pose3d.network.prediction import Predictor

    predictor = Predictor.open(model, device="cpu")
    names = predictor.spec.keypoints
    xy = np.full((len(images), len(names), 2), np.nan)
    for i, path in enumerate(images.paths):
        xy[i] = predictor.predict_image(read_image(path))[0][:, 0]
        progress("measuring", i + 1, len(images))
    labels = images.labels.with_keypoints(names).visible()
    error = label_errors(xy, labels)
    # A network always answers: that it does so where nothing is to be found is for its scores to say.
    placed = ~np.isnan(labels.xy[..., 0]).all(axis=1)
    return np.where(placed, error, np.nan)


@dataclass(frozen=True)
class LearningActions:
    """The work of active learning, injectable.

    Attributes
    ----------
    analyze : callable
        ``analyze(project, sessions, model, progress)`` writes ``pose-2d`` of all videos.
    triangulate : callable
        ``triangulate(keypoints, rig, progress)`` gives points, robustly and frame by frame.
    train : callable
        ``train(task, progress)`` writes a model's folder; ended half-way, it goes on where it was.
    measure : callable
        ``measure(model, images, progress)`` gives (n_images, n_keypoints) distances to labels in px, NaN where there is
        no label.
    """

    analyze: Callable[[Project, Sequence[Session], Path, Progress], None] = _analyze
    triangulate: Callable[[Keypoints2D, Rig, Progress], Keypoints3D] = _triangulate
    train: Callable[[TrainingTask, Progress], None] = _train
    measure: Callable[[Path, LabelledImages, Progress], FloatArray] = _measure
