"""Images of a trial with labels that several views agree on, for the views that missed them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose3d.batch.learning_actions import LearningActions
from pose3d.data.labels import ImageName, LabelledImages, Labels
from pose3d.errors import DataError
from pose3d.geometry.arrays import IntArray
from pose3d.io.images import write_png
from pose3d.labeling.pseudo_labels import PseudoLabels, PseudoLabelSettings, find_pseudo_labels
from pose3d.labeling.trial_frames import TrialFrames
from pose3d.labeling.trial_keypoints import read_trial_keypoints
from pose3d.log import Progress, no_progress
from pose3d.project import Trial

__all__ = ["BelievedImages", "believe_trial"]


@dataclass(frozen=True)
class BelievedImages:
    """Images with labels that nobody made.

    Attributes
    ----------
    images : LabelledImages
    n_instants, n_missed : int
        Instants, and places in them that a view had missed.
    """

    images: LabelledImages
    n_instants: int
    n_missed: int


def believe_trial(
    trial: Trial,
    folder: Path,
    *,
    n: int,
    settings: PseudoLabelSettings | None = None,
    actions: LearningActions | None = None,
    progress: Progress = no_progress,
) -> BelievedImages | None:
    """Choose instants of a trial in which views missed what the others agree on, and write their images.

    Parameters
    ----------
    trial : Trial
        With videos, keypoints in ``pose-2d`` and a calibration.
    folder : path
        For the images.
    n : int
        Instants at most. Those that people labelled, and their neighbours, are left out.
    settings : PseudoLabelSettings, optional
    actions : LearningActions, optional
    progress : callable, optional

    Returns
    -------
    BelievedImages or None
        None where no view missed anything.

    Raises
    ------
    ProjectError
        If there are no keypoints.
    FormatError, VideoError
        If a file is damaged.
    """
    from pose3d.io.rigs import load_rig

    views, rig = TrialFrames(trial), load_rig(trial.session.calibration_toml)
    keypoints = read_trial_keypoints(views)
    cameras = [name for name in keypoints.cameras if name in rig]
    if len(cameras) < 2:
        return None
    keypoints = keypoints.select(cameras)
    try:
        points = (actions or LearningActions()).triangulate(keypoints, rig, progress)
    except DataError:  # a network that is sure of nothing teaches nothing
        return None
    found = find_pseudo_labels(keypoints, points, rig, settings=settings)
    rows = found.choose(n, known=np.flatnonzero(~views.is_free()))
    if not len(rows):
        return None
    images = _write_images(views, cameras, rows, found, folder, keypoints.individuals, keypoints.keypoints)
    return BelievedImages(images, len(rows), int(found.missed[rows].sum()))


def _write_images(
    views: TrialFrames,
    cameras: Sequence[str],
    rows: IntArray,
    found: PseudoLabels,
    folder: Path,
    individuals: tuple[str, ...],
    keypoints: tuple[str, ...],
) -> LabelledImages:
    names: list[ImageName] = []
    paths: list[Path] = []
    taken: list[tuple[int, int]] = []
    for column, camera in enumerate(cameras):
        frames = views.frames[rows, views.cameras.index(camera)]
        row_of = dict(zip(frames.tolist(), rows.tolist(), strict=True))  # of instants that show one frame, the last
        for frame, image in views.sources[camera].frames(sorted(row_of)):
            names.append(ImageName(views.label_folders[camera].name, views.image_name(camera, frame)))
            paths.append(folder.joinpath(*names[-1]))
            taken.append((row_of[frame], column))
            write_png(paths[-1], image)
    at = tuple(np.array(taken).T)
    labels = Labels(tuple(names), individuals, keypoints, found.xy[at], found.mark[at], "views")
    recording = f"{views.trial.session.name}/{views.trial.name}"
    of = tuple(cameras[column] for _, column in taken)
    return LabelledImages(labels, tuple(paths), (recording,) * len(names), of)
