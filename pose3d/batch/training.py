"""A project's network: trained on its labels, as its settings say."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pose3d.data.labels import LabelledImages
from pose3d.errors import ConfigError, DataError, ModelError
from pose3d.log import Progress, logger, no_progress
from pose3d.network.spec import BACKBONES, NetworkSpec, choose_scale
from pose3d.project import Project

if TYPE_CHECKING:
    from pose3d.network.learning import TrainedNetwork
    from pose3d.network.training import Look, TrainingSettings

__all__ = ["network_spec", "train_project", "training_settings"]

_SAMPLE = 16  # images whose size tells that of all


def network_spec(
    project: Project,
    images: LabelledImages,
    *,
    backbone: str | None = None,
    scale: float | None = None,
    stride: int | None = None,
) -> NetworkSpec:
    """Describe the network for a project's labels; what is not given stands in its settings, or follows from images.

    Raises
    ------
    ConfigError
        If there can be no such network.
    """
    from pose3d.io.images import read_image
    from pose3d.reconstruction.association.swap_names import guess_pairs

    settings, skeleton = project.config.network, project.config.to_skeleton()
    scale = scale or settings.scale
    keypoints = images.labels.keypoints
    pairs = skeleton.pairs if skeleton is not None and skeleton.pairs else guess_pairs(keypoints)
    if scale is None:
        sizes = [read_image(path).shape for path in images.paths[:: max(1, len(images) // _SAMPLE)]]
        scale = choose_scale([(width, height) for height, width, *_ in sizes])
    try:
        return NetworkSpec(
            keypoints,
            tuple((a, b) for a, b in pairs if a in keypoints and b in keypoints),
            backbone or settings.backbone,
            scale,
            stride or settings.stride,
        )
    except ValueError as error:
        raise ConfigError(f"the network cannot be made so: {error}; backbones are {', '.join(BACKBONES)}") from error


def training_settings(project: Project, changes: Mapping[str, Any] | None = None) -> "TrainingSettings":
    """Return how a project's networks are trained, with some settings changed; None changes nothing."""
    from pose3d.network.training import TrainingSettings

    known = {item.name for item in fields(TrainingSettings)}
    own = {key: value for key, value in project.config.training.model_dump().items() if key in known}
    given = {key: value for key, value in (changes or {}).items() if value is not None}
    try:
        return TrainingSettings(**{**own, **given})
    except ValueError as error:
        raise ConfigError(f"training: {error}") from error


def train_project(
    project: Project,
    *,
    name: str | None = None,
    start: str | None = None,
    network: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    report: "Callable[[Look], None] | None" = None,
) -> "TrainedNetwork":
    """Train a network on all labels of a project.

    Parameters
    ----------
    project : Project
    name : str, optional
        Below ``models/``; by default as in ``[network]``.
    start : str, optional
        Model whose weights training begins with: a name below ``models/``, or a folder.
    network, training : mapping, optional
        What differs from the project's settings; see :class:`pose3d.network.spec.NetworkSpec` and
        :class:`pose3d.network.training_settings.TrainingSettings`.
    progress, report : callable, optional

    Raises
    ------
    DataError
        If nothing is labelled.
    ConfigError, ModelError
    """
    from pose3d.batch.model_choice import labelled_rows
    from pose3d.network.learning import train_network
    from pose3d.project.labels import load_labels

    images = load_labels(project)
    if not len(labelled_rows(images)):
        raise DataError(f"{project.labeled_data}: nothing is labelled yet; begin with pose3d extract and pose3d label")
    images, held_out = _split(project, images)
    spec = network_spec(project, images, **(network or {}))
    return train_network(
        images,
        spec,
        project.model(name or project.config.network.model),
        training_settings(project, training),
        held_out=held_out,
        start=None if start is None else _find_start(project, start),
        progress=progress,
        report=report,
    )


def _split(project: Project, images: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    """Hold out a part of the images where there are enough."""
    from pose3d.batch.label_split import choose_held_out

    try:
        train, test = choose_held_out(project, images)
    except DataError as error:
        logger.warning("%s; nothing is held out, and how good the network is will not be known", error)
        return images, images.take([])
    return images.take(train), images.take(test)


def _find_start(project: Project, start: str) -> Path:
    for folder in (project.model(start), Path(start)):
        if (folder / "model.toml").is_file():
            return folder
    raise ModelError(f"{start}: is no model of this project, and no folder that holds a model.toml")
