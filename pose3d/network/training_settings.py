"""How a network is trained."""

from dataclasses import dataclass, field

import numpy as np

from pose3d.data.labels import Labels
from pose3d.network.augmentation import Augmentation

__all__ = ["TrainingSettings", "choose_crop"]

_LEAST_CROP, _MOST_CROP = 128, 320  # px


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes
    ----------
    steps : int
        Batches that the network learns from, at most.
    batch_size : int
        Images of a batch.
    crop : int
        Side of the square that is cut from the scaled image, px; a multiple of 32. By default (0) what a subject fits
        into, see :func:`choose_crop`.
    learning_rate : float
        At its highest; it rises over the first steps and falls along a cosine.
    backbone_rate : float
        Learning rate of the pretrained backbone, relative to that of the rest: what it knows is not to be lost.
    frozen_share : float
        Share of the steps in which the early stages of the backbone are held, which is faster and keeps what they know.
    check_every : int
        Steps between looks at the held-out images, at which the state is saved too.
    patience : int
        Looks without a better error on the held-out images after which training ends, once half of the steps are done.
    average : float
        Share of the running average of the weights that stays at each step; the average is what is kept.
    seed : int
    augmentation : Augmentation
    cache_gib : float
        Memory for decoded images; what does not fit is read again each time.
    threads : int, optional
        Of the computation; by default all processors.
    """

    steps: int = 4000
    batch_size: int = 8
    crop: int = 0
    learning_rate: float = 1.5e-3
    backbone_rate: float = 0.3
    frozen_share: float = 0.0
    check_every: int = 250
    patience: int = 6
    average: float = 0.99
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    cache_gib: float = 2.0
    threads: int | None = None

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.check_every, self.patience) < 1 or self.crop < 0 or self.crop % 32:
            raise ValueError("steps, batch_size, check_every and patience are at least 1; crop is a multiple of 32")
        if not (self.learning_rate > 0 and self.backbone_rate >= 0):
            raise ValueError("rates are positive")
        if not (0 <= self.frozen_share <= 1 and 0 <= self.average < 1):
            raise ValueError("frozen_share and average lie in 0..1")


def choose_crop(labels: Labels, *, scale: float) -> int:
    """Choose the side of the crops to learn from, px of the scaled image.

    A subject that is seen whole tells its left from its right; what is around it costs time. Three in four subjects
    fit; from 128 to 320 px.

    Parameters
    ----------
    labels : Labels
    scale : float
        Of the images.
    """
    placed = np.isfinite(labels.xy)
    size = np.where(placed, labels.xy, -np.inf).max(2) - np.where(placed, labels.xy, np.inf).min(2)
    known = size[np.isfinite(size).all(-1)].max(-1)
    wanted = scale * float(np.quantile(known, 0.75)) if len(known) else _MOST_CROP
    return int(np.clip(32 * np.ceil((wanted + 1) / 32), _LEAST_CROP, _MOST_CROP))
