"""Training a keypoint network: from labelled images to weights, in one go or in several."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pose3d.data.labels import LabelledImages, Mark
from pose3d.errors import DataError
from pose3d.io.fingerprint import fingerprint
from pose3d.log import Progress, logger, no_progress
from pose3d.network.checkpoints import Checkpoints
from pose3d.network.looks import Look, write_looks
from pose3d.network.model_folder import ModelFolder
from pose3d.network.spec import NetworkSpec
from pose3d.network.starting import start_tensorflow
from pose3d.network.training_settings import TrainingSettings

__all__ = ["Look", "TrainingResult", "TrainingSettings", "fit"]


@dataclass(frozen=True)
class TrainingResult:
    """What training made.

    Attributes
    ----------
    folder : ModelFolder
    spec : NetworkSpec
    looks : tuple of Look
    best : Look
        Whose weights were kept.
    steps : int
        Steps done; fewer than wanted where the held-out error had stopped to fall.
    resumed_at : int
        Step at which an earlier, unfinished training was gone on with, or 0.
    """

    folder: ModelFolder
    spec: NetworkSpec
    looks: tuple[Look, ...]
    best: Look
    steps: int
    resumed_at: int = 0


def fit(
    images: LabelledImages,
    spec: NetworkSpec,
    folder: str | Path,
    settings: TrainingSettings | None = None,
    *,
    held_out: LabelledImages | None = None,
    start: str | Path | None = None,
    progress: Progress = no_progress,
    report: Callable[[Look], None] | None = None,
) -> TrainingResult:
    """Train a network and write its weights and ``metrics.csv``.

    Ended half-way, the same call goes on at the step whose state was saved last, and sees the same images as if it had
    not been ended. The last state stays until the network is exported, see
    :func:`pose3d.network.learning.train_network`.

    Parameters
    ----------
    images : LabelledImages
        To learn from.
    spec : NetworkSpec
    folder : path
        The model's folder.
    settings : TrainingSettings, optional
    held_out : LabelledImages, optional
        Images that are never learnt from: they tell which weights are best, and when to stop.
    start : path, optional
        Model folder whose weights training begins with; by default ImageNet's for the backbone.
    progress, report : callable, optional
        `report` is given each :class:`Look`.

    Raises
    ------
    DataError
        If nothing is labelled.
    ModelError
        If the weights to start from are of another network.
    """
    settings = settings or TrainingSettings()
    place = ModelFolder(Path(folder))
    _check_labels(images)
    start_tensorflow(threads=settings.threads)
    from pose3d.network.model import save_weights
    from pose3d.network.training_run import TrainingRun

    run = TrainingRun(images, spec, settings, held_out, None if start is None else ModelFolder(Path(start)).weights)
    checkpoints = Checkpoints(place.checkpoints, _key(images, spec, settings, held_out, start))
    state = checkpoints.load()
    if state is not None:
        run.restore(state)
        logger.info("%s: goes on at step %d", place.folder, run.step)
    resumed_at = run.step
    done = run.finished
    while not done:
        for _ in run.learn(run.next_stop - run.step):
            progress("training", run.step, settings.steps)
        look = run.look()
        write_looks(place.metrics, run.looks)
        if report is not None:
            report(look)
        done = run.finished
        checkpoints.save(run.state())
    best = run.keep_best()
    save_weights(run.model, place.weights)
    return TrainingResult(place, spec, tuple(run.looks), best, run.step, resumed_at)


def _check_labels(images: LabelledImages) -> None:
    seen = images.labels.mark == Mark.VISIBLE
    if not seen.any():
        raise DataError("there is no visible keypoint to learn from; label some images with `pose3d label`")
    for column, name in enumerate(images.labels.keypoints):
        if not seen[:, :, column].any():
            logger.warning("keypoint %r is visible in no image to learn from; the network will not find it", name)


def _key(
    images: LabelledImages,
    spec: NetworkSpec,
    settings: TrainingSettings,
    held_out: LabelledImages | None,
    start: str | Path | None,
) -> str:
    """Return a digest of all that the training's result depends on."""
    files: dict[str, str | Path] = {}
    labels: dict[str, object] = {"spec": asdict(spec), "settings": {**asdict(settings), "threads": None}}
    for what, part in (("train", images), ("held out", held_out)):
        if part is not None:
            labels[what] = [part.labels.images, part.labels.xy.tolist(), part.labels.mark.tolist()]
            files.update({f"{what} {i}": path for i, path in enumerate(part.paths)})
    if start is not None:
        files["start"] = ModelFolder(Path(start)).weights
    return fingerprint(files, labels)
