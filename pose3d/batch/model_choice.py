"""A new network takes the place of the one in use only where it is better on images that neither learnt from."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.batch.label_split import choose_held_out
from pose3d.batch.learning_actions import LearningActions, TrainingTask
from pose3d.batch.network_evaluation import common_times
from pose3d.data.labels import LabelledImages, Mark
from pose3d.data.names import counted
from pose3d.errors import DataError, Pose3DError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.log import Progress, no_progress
from pose3d.network.learnt_images import read_learnt_images, write_learnt_images
from pose3d.network.model_folder import MODEL_FILE
from pose3d.network.splits import learnt_images
from pose3d.project import Project

__all__ = ["Judgement", "challenge_model", "fresh_images", "labelled_rows", "split_labels"]

_CAP_SHARE = 0.25  # of the subject's size: how much a single gross error counts at most
_CANDIDATE, _CONTROL, _PREVIOUS = ".candidate", ".control", ".previous"


@dataclass(frozen=True)
class Judgement:
    """How a new network compares with the one in use.

    Attributes
    ----------
    model : Path
        The folder of the one that is in use now.
    kept : bool
        Whether that is the new one.
    n_images, n_held_out : int
        What the new one learnt from, and what both were measured on.
    old_px, new_px : (float, float) or None
        Median and mean error on the held-out images; in the mean a gross error counts as a quarter of the subject's
        size at most. None without an old network, or with nothing to measure on.
    control_px : (float, float) or None
        The same of a network that trained as long on the labels of people alone; None where none was needed to judge.
        Where that is not worse than the new one, it is in use now.
    """

    model: Path
    kept: bool
    n_images: int
    n_held_out: int
    old_px: tuple[float, float] | None
    new_px: tuple[float, float] | None
    control_px: tuple[float, float] | None = None

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        lines = [f"trained on {counted(self.n_images, 'image')}, {self.n_held_out} held out"]
        if self.new_px is None:
            return (*lines, f"{self.model}: nothing was held out to measure on; the new network is used")
        lines.append(f"new network: median {self.new_px[0]:.2f} px, mean {self.new_px[1]:.2f} px")
        if self.old_px is None:
            return (*lines, f"{self.model}: is the first network")
        lines.append(f"old network: median {self.old_px[0]:.2f} px, mean {self.old_px[1]:.2f} px")
        if self.control_px is not None:
            figures = f"median {self.control_px[0]:.2f} px, mean {self.control_px[1]:.2f} px"
            lines.append(f"trained as long on labels of people alone: {figures}")
        aside = f"the old one is in {self.model.name}{_PREVIOUS}"
        if self.kept:
            return (*lines, f"{self.model}: is the new network now; {aside}")
        if self.control_px is not None:
            return (*lines, f"{self.model}: is the one of labels alone, nothing else made it better; {aside}")
        return (*lines, f"{self.model}: stays the old network, the new one is not better and was dropped")

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""

        def figures(pair: tuple[float, float] | None) -> dict[str, float] | None:
            return None if pair is None else {"median_px": pair[0], "mean_px": pair[1]}

        return {
            "model": self.model,
            "kept": self.kept,
            "n_images": self.n_images,
            "n_held_out": self.n_held_out,
            "old": figures(self.old_px),
            "new": figures(self.new_px),
            "control": figures(self.control_px),
        }


def labelled_rows(images: LabelledImages) -> IntArray:
    """Return the indices of images in which anything is labelled."""
    return np.flatnonzero((images.labels.mark != Mark.UNLABELLED).any(axis=(1, 2)))


def fresh_images(images: LabelledImages, model: Path) -> IntArray:
    """Return the indices of images that a network has neither learnt from nor held out; all if it does not say."""
    known = read_learnt_images(model)
    names = images.labels.images
    return np.array([i for i, name in enumerate(names) if known is None or name not in known], dtype=np.int64)


def split_labels(project: Project, images: LabelledImages, model: Path) -> tuple[LabelledImages, LabelledImages]:
    """Split labels as they were split for a network; of those that it does not know, a part is held out too.

    What was held out once is never learnt from, so that networks can be compared; nor are its neighbours in time.

    Parameters
    ----------
    project : Project
    images : LabelledImages
        In which something is labelled.
    model : Path

    Returns
    -------
    train, held_out : LabelledImages
    """
    known, names = read_learnt_images(model), images.labels.images
    fresh = fresh_images(images, model)
    held = np.array([i for i, name in enumerate(names) if known is not None and name in known.held_out], dtype=np.int64)
    with suppress(DataError):  # too few instants to hold one out
        held = np.union1d(held, fresh[choose_held_out(project, images.take(fresh))[1]])
    train = learnt_images(images, held, times=common_times(project, images))
    return images.take(train), images.take(held)


def challenge_model(
    project: Project,
    train: LabelledImages,
    held_out: LabelledImages,
    *,
    extra: Sequence[LabelledImages] = (),
    settings: Mapping[str, Any] | None = None,
    actions: LearningActions | None = None,
    progress: Progress = no_progress,
) -> Judgement:
    """Train a network, beginning with the one in use, and let it take that one's place if it is not worse.

    What nobody labelled must prove itself: with `extra`, the network must be better than the one in use, and better
    than one that trained as long without.

    Parameters
    ----------
    project : Project
    train, held_out : LabelledImages
    extra : sequence of LabelledImages
        Also learnt from, though nobody labelled them.
    settings : mapping, optional
        What differs from the project's ``[training]``.
    actions : LearningActions, optional
    progress : callable, optional

    Raises
    ------
    DataError
        If nothing is labelled, or nothing is held out where that is needed.
    Pose3DError
        If a folder cannot be written.
    """
    actions = actions or LearningActions()
    model = project.model()
    there = (model / MODEL_FILE).is_file()
    if extra and not (held_out.labels.mark == Mark.VISIBLE).any():
        raise DataError(
            f"{project.labeled_data}: no labels are held out to tell whether a network becomes better; label images of "
            "more instants"
        )

    def trained(ending: str, images: LabelledImages) -> Path:
        folder, start = model.with_name(model.name + ending), model if there else None
        actions.train(TrainingTask(project, images, held_out, folder, start, settings or {}), progress)
        write_learnt_images(train.labels.images, held_out.labels.images, folder)
        return folder

    def measured(folder: Path) -> tuple[float, float] | None:
        return _figures(actions.measure(folder, held_out, progress), held_out) if len(held_out) else None

    images = train
    for more in extra:
        images = _joined(images, more)
    candidate = trained(_CANDIDATE, images)
    new, old, alone = measured(candidate), measured(model) if there else None, None
    best: Path | None = candidate
    if new is not None and old is not None and (new[1] >= old[1] if extra else new[1] > old[1]):
        best = None
    elif extra:
        control = trained(_CONTROL, train)
        alone = measured(control)
        if new is None or (alone is not None and alone[1] <= new[1]):
            best = control
    try:
        if best is not None:
            _replace(model, best)
        for ending in (_CANDIDATE, _CONTROL):
            shutil.rmtree(model.with_name(model.name + ending), ignore_errors=True)
    except OSError as error:
        raise Pose3DError(f"{model}: cannot be replaced by {candidate.name} ({error.strerror or error})") from error
    return Judgement(model, best == candidate, len(images), len(held_out), old, new, alone)


def _joined(images: LabelledImages, more: LabelledImages) -> LabelledImages:
    if len(more.labels.individuals) != len(images.labels.individuals):
        n, m = len(images.labels.individuals), len(more.labels.individuals)
        raise DataError(f"labels are of {n} individuals, the analysis is of {m}; they cannot be learnt from together")
    labels = replace(more.labels.with_keypoints(images.labels.keypoints), individuals=images.labels.individuals)
    return LabelledImages(
        images.labels.updated(labels),
        (*images.paths, *more.paths),
        (*images.recordings, *more.recordings),
        (*images.cameras, *more.cameras),
    )


def _figures(error: FloatArray, images: LabelledImages) -> tuple[float, float] | None:
    """Return median and capped mean of distances; None where there is none."""
    known = error[~np.isnan(error)]
    if not len(known):
        return None
    xy = images.labels.xy
    placed = np.isfinite(xy)
    low, high = np.where(placed, xy, np.inf).min(axis=2), np.where(placed, xy, -np.inf).max(axis=2)
    several = placed[..., 0].sum(axis=2) >= 2
    cap = _CAP_SHARE * float(np.median(np.linalg.norm((high - low)[several], axis=-1))) if several.any() else np.inf
    return float(np.median(known)), float(np.minimum(known, cap).mean())


def _replace(model: Path, candidate: Path) -> None:
    previous = model.with_name(model.name + _PREVIOUS)
    if model.exists():
        if previous.exists():
            shutil.rmtree(previous)
        model.rename(previous)
    candidate.rename(model)
