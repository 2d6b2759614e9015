"""A trained network measured on labelled images."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.labels import LabelledImages, Labels
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.io.images import read_image
from pose3d.log import Progress, logger, no_progress
from pose3d.network.evaluation import Evaluation, evaluate_predictions
from pose3d.network.learnt_images import read_learnt_images
from pose3d.network.model_folder import ModelFolder, read_model
from pose3d.network.prediction import Predictor

__all__ = ["TEST", "TRAIN", "UNSEEN", "evaluate_model", "find_parts", "predict_images"]

TRAIN, TEST, UNSEEN = "train", "test", "unseen"
"""Images that the network learnt from, that were held out, and that were labelled since."""


def evaluate_model(
    model: str | Path,
    images: LabelledImages,
    *,
    second: Labels | None = None,
    rig: Rig | Mapping[str, Rig] | None = None,
    times: IntArray | None = None,
    cutoff: float = 0.5,
    precision: str | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Measure how far a network's keypoints are from labels.

    Parameters
    ----------
    model : path
        The model's folder.
    images : LabelledImages
    second : Labels, optional
        Another person's labels of the same images.
    rig : Rig or mapping of str to Rig, optional
        The cameras, of each recording if they differ, to measure in space too.
    times : (n_images,) int array, optional
        Frame of each image on the time line of its recording; by default the number in its name.
    cutoff : float, optional
        Errors are given of all predictions and of those with at least this score.
    precision : str, optional
        ``fp32`` or ``int8``; by default the one that recordings are analysed with.
    progress : callable, optional

    Raises
    ------
    ModelError
        If there is no such network, or it is damaged.
    FormatError
        If an image cannot be read.
    DataError
        If no keypoint of the network is labelled, or the second labels or the rig are of something else.
    """
    file, place = read_model(model)
    labels = images.labels.with_keypoints(file.spec.keypoints)
    labelled = np.flatnonzero(labels.mark.any((1, 2)))
    if not len(labelled):
        some = ", ".join(file.spec.keypoints[:4])
        raise DataError(f"{place.folder}: none of its keypoints ({some}, ...) is labelled; evaluate it where they are")
    images = replace(images, labels=labels).take(labelled)
    predictor = Predictor.open(place, precision=precision)
    xy, score = predict_images(predictor, images, progress=progress)
    evaluation = evaluate_predictions(
        xy,
        score,
        images=images,
        parts=find_parts(place, images),
        tolerance_px=round(file.spec.radius_px / file.spec.scale, 1),
        cutoff=cutoff,
        second=second,
        rig=rig,
        times=None if times is None else times[labelled],
    )
    return replace(evaluation, notes={"model": str(place.folder), "precision": predictor.precision})


def predict_images(
    predictor: Predictor, images: LabelledImages, *, progress: Progress = no_progress
) -> tuple[FloatArray, FloatArray]:
    """Find the keypoints in images, read from disk one after the other.

    Returns
    -------
    xy : (n_images, n_keypoints, 2) array, px
    score : (n_images, n_keypoints) array
    """
    xy = np.full((len(images), len(predictor.spec.keypoints), 2), np.nan)
    score = np.zeros(xy.shape[:2])
    for i, path in enumerate(images.paths):
        found, sure = predictor.predict_image(read_image(path))
        xy[i], score[i] = found[:, 0], sure[:, 0]
        progress("predicting", i + 1, len(images))
    return xy, score


def find_parts(model: str | Path | ModelFolder, images: LabelledImages) -> dict[str, IntArray]:
    """Tell which images a network learnt from.

    Returns
    -------
    dict
        ``train``, ``test`` and ``unseen`` to the index of their images; without empty ones.
    """
    folder = model.folder if isinstance(model, ModelFolder) else Path(model)
    known = read_learnt_images(folder)
    if known is None:
        logger.warning("%s: does not tell which images it learnt from; all are taken as not seen before", folder)
        return {UNSEEN: np.arange(len(images))}
    names = images.labels.images
    part = np.array([TRAIN if n in known.learnt else TEST if n in known.held_out else UNSEEN for n in names])
    return {name: np.flatnonzero(part == name) for name in (TRAIN, TEST, UNSEEN) if (part == name).any()}
