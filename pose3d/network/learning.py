"""From labelled images to a network that is ready for use: split, train, export, and a score that means something."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data.labels import LabelledImages
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.log import Progress, logger, no_progress
from pose3d.network.dataset import ImageCache
from pose3d.network.evaluation import label_errors
from pose3d.network.export import choose_precision, export_litert
from pose3d.network.learnt_images import write_learnt_images
from pose3d.network.model_folder import ModelFolder, NetworkFile, write_model
from pose3d.network.prediction import Predictor
from pose3d.network.reliability import fit_temperature
from pose3d.network.spec import NetworkSpec
from pose3d.network.splits import SplitBy, split_images
from pose3d.network.training import Look, TrainingResult, TrainingSettings, fit

__all__ = ["TrainedNetwork", "finish_network", "train_network"]

_PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that was trained and exported.

    Attributes
    ----------
    result : TrainingResult
    train, held_out : LabelledImages
        What it learnt from, and what it was measured on; `held_out` may be empty.
    error_px : mapping of str to (float, float)
        Precision to median and mean error on the held-out images, px.
    precision : str
        The one that is used.
    temperature : float
    """

    result: TrainingResult
    train: LabelledImages
    held_out: LabelledImages
    error_px: Mapping[str, tuple[float, float]]
    precision: str
    temperature: float

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        result = self.result
        resumed = f", {result.resumed_at} of them done before" if result.resumed_at else ""
        lines = [f"{result.folder.folder}: {result.steps} steps{resumed}, on {len(self.train)} images"]
        for precision, (median, mean) in self.error_px.items():
            used = ", used" if precision == self.precision else ""
            where = f"on {len(self.held_out)} held-out images, {precision}{used}"
            lines.append(f"{where}: median {median:.2f} px, mean {mean:.2f} px")
        if not self.error_px:
            lines.append("nothing was held out, so nobody knows how good it is; label images of another time")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""
        return {
            "model": self.result.folder.folder,
            "steps": self.result.steps,
            "resumed_at": self.result.resumed_at,
            "best_step": self.result.best.step,
            "cpu_s": self.result.looks[-1].cpu_s,
            "train_images": len(self.train),
            "held_out_images": len(self.held_out),
            "error_px": {name: {"median": median, "mean": mean} for name, (median, mean) in self.error_px.items()},
            "precision": self.precision,
            "temperature": self.temperature,
        }


def train_network(
    images: LabelledImages,
    spec: NetworkSpec,
    folder: str | Path,
    settings: TrainingSettings | None = None,
    *,
    held_out: LabelledImages | float = 0.1,
    split: SplitBy = "block",
    start: str | Path | None = None,
    progress: Progress = no_progress,
    report: Callable[[Look], None] | None = None,
) -> TrainedNetwork:
    """Train a network and make it ready for :func:`pose3d.network.analysis.analyze_video`.

    Parameters
    ----------
    images : LabelledImages
    spec : NetworkSpec
    folder : path
        Where the model goes; an unfinished training that lies there is gone on with.
    settings : TrainingSettings, optional
    held_out : LabelledImages or float
        Images to measure on, of which nothing is learnt, or which share of `images` is kept for that; 0 is none.
    split : str
        ``block`` or ``recording``, as in :func:`pose3d.network.splits.split_images`.
    start : path, optional
        Model folder whose weights training begins with.
    progress, report : callable, optional

    Raises
    ------
    DataError
        If nothing is labelled.
    ModelError
        If the weights to start from are of another network, or TensorFlow cannot export the network.
    """
    settings = settings or TrainingSettings()
    if not isinstance(held_out, LabelledImages):
        images, held_out = _split(images, held_out, split, settings.seed)
    result = fit(images, spec, folder, settings, held_out=held_out, start=start, progress=progress, report=report)
    write_learnt_images(images.labels.images, held_out.labels.images, result.folder.folder)
    return finish_network(result, images, held_out, progress=progress)


def finish_network(
    result: TrainingResult, train: LabelledImages, held_out: LabelledImages, *, progress: Progress = no_progress
) -> TrainedNetwork:
    """Export a network, choose its precision and the temperature of its scores on the held-out images."""
    place, spec = result.folder, result.spec
    samples = ImageCache(train, spec, gib=0.0)
    every = np.linspace(0, len(samples) - 1, min(64, len(samples))).round().astype(int)
    export_litert(spec, place, [samples[int(i)] for i in every], progress=progress)
    best = result.best
    notes: dict[str, float] = {
        "train_images": len(train),
        "held_out_images": len(held_out),
        "steps": result.steps,
        "best_step": best.step,
    }
    if not np.isnan(best.median_px):
        notes |= {"held_out_median_px": round(best.median_px, 3), "held_out_mean_px": round(best.mean_px, 3)}
    model = NetworkFile(spec, notes=notes)
    write_model(model, place.folder)
    errors: dict[str, tuple[float, float]] = {}
    capped: dict[str, float] = {}
    temperature: dict[str, float] = {}
    cap = 5 * spec.radius_px / spec.scale
    if len(held_out):
        cache = ImageCache(held_out, spec)
        for precision in _PRECISIONS:
            xy, score = _predict(place, precision, cache)
            labels = held_out.labels.with_keypoints(spec.keypoints)
            error = label_errors(xy, labels)
            seen = label_errors(xy, labels.visible())
            known = seen[np.isfinite(seen)]
            if not len(known):
                continue
            errors[precision] = float(np.median(known)), float(known.mean())
            capped[precision] = float(np.minimum(known, cap).mean())
            temperature[precision] = fit_temperature(score, error, tolerance_px=spec.radius_px / spec.scale)
    precision = choose_precision(capped) if capped else "int8"
    model = replace(model, precision=precision, temperature=temperature.get(precision, 1.0))
    write_model(model, place.folder)
    shutil.rmtree(place.checkpoints, ignore_errors=True)
    return TrainedNetwork(result, train, held_out, errors, precision, model.temperature)


def _predict(place: ModelFolder, precision: str, images: ImageCache) -> tuple[FloatArray, FloatArray]:
    predictor = Predictor.open(place.folder, precision=precision, device="cpu")
    xy = np.full((len(images), len(predictor.spec.keypoints), 2), np.nan)
    score = np.zeros(xy.shape[:2])
    for i in range(len(images)):
        found, sure = predictor.predict(images[i][None])
        xy[i], score[i] = found[0, :, 0], sure[0, :, 0]
    return xy, score


def _split(images: LabelledImages, fraction: float, by: SplitBy, seed: int) -> tuple[LabelledImages, LabelledImages]:
    if fraction <= 0:
        return images, images.take([])
    try:
        train, test = split_images(images, test_fraction=fraction, by=by, seed=seed)
    except DataError as error:
        if not len(images):
            raise
        logger.warning("%s; nothing is held out, and how good the network is will not be known", error)
        return images, images.take([])
    return images.take(train), images.take(test)
