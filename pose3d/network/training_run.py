"""A training in memory: its steps, its looks at the held-out images, its state."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pose3d.data.labels import LabelledImages
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.network.checkpoints import State
from pose3d.network.dataset import ImageCache, make_dataset, unpack_targets
from pose3d.network.decoding import decode
from pose3d.network.evaluation import label_errors
from pose3d.network.looks import Look
from pose3d.network.losses import scoremap_loss
from pose3d.network.model import backbone_layers, build_model, load_weights, stages
from pose3d.network.spec import NetworkSpec
from pose3d.network.training_settings import TrainingSettings, choose_crop

__all__ = ["TrainingRun", "predict_images"]

_LOSSES = ("loss", "score_loss", "location_loss")
_WARM_UP = 50  # steps
_CLIP_NORM = 5.0
_AVERAGED_EVERY = 4  # steps
_HELD, _HELD_AT_FIRST = 4, 8  # px: stages of the backbone up to these strides are held; edges are edges everywhere
_CAP = 5.0  # radii: an error is not larger than this in the mean that decides which weights are best


class TrainingRun:
    """A training in memory.

    Parameters
    ----------
    images : LabelledImages
        To learn from.
    spec : NetworkSpec
    settings : TrainingSettings
    held_out : LabelledImages, optional
    start : Path, optional
        Weights to begin with; by default ImageNet's for the backbone.

    Attributes
    ----------
    model : keras.Model
    step : int
        Steps done.
    looks : list of Look
    """

    def __init__(
        self,
        images: LabelledImages,
        spec: NetworkSpec,
        settings: TrainingSettings,
        held_out: LabelledImages | None,
        start: Path | None,
    ) -> None:
        self.spec, self.settings = spec, settings
        self.images = ImageCache(images, spec, gib=settings.cache_gib)
        self.held_out = None if held_out is None or len(held_out) == 0 else ImageCache(held_out, spec)
        self.model = build_model(spec, pretrained=start is None, seed=settings.seed)
        if start is not None:
            load_weights(self.model, start)
        self.crop = settings.crop or choose_crop(images.labels, scale=spec.scale)
        self.step, self.cpu_s = 0, 0.0
        self.looks: list[Look] = []
        self.best_step = 0
        self.average = [np.array(value) for value in self.model.get_weights()]
        self.best = [value.copy() for value in self.average]
        self.release = round(settings.frozen_share * settings.steps)
        self._compiled_at = -1
        self._logs: Mapping[str, Any] = {}
        self._best_error = np.inf

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or the held-out error has stopped to fall."""
        if self.step >= self.settings.steps:
            return True
        waited = sum(look.step > self.best_step for look in self.looks)
        return self.held_out is not None and self.step > self.settings.steps / 2 and waited >= self.settings.patience

    @property
    def next_stop(self) -> int:
        """The step at which training pauses for a look."""
        step = (self.step // self.settings.check_every + 1) * self.settings.check_every
        return min(step, self.settings.steps)

    def learn(self, n_steps: int) -> Iterator[int]:
        """Do some steps."""
        last = self.step + n_steps
        began, before = time.process_time(), self.cpu_s
        while self.step < last:
            self._compile()
            stop = self.release if self.step < self.release < last else last
            batches = make_dataset(
                self.images,
                self.spec,
                settings=self.settings.augmentation,
                size=(self.crop, self.crop),
                batch=self.settings.batch_size,
                seed=self.settings.seed,
                first_step=self.step,
                n_steps=stop - self.step,
            )
            for pixels, targets in batches:
                logs = self.model.train_on_batch(pixels, targets, return_dict=True)
                self._logs = logs  # means since the last look
                if not np.isfinite(logs["loss"]):
                    raise DataError(f"training broke at step {self.step}: the loss is no number; lower learning_rate")
                self.step += 1
                if self.step % _AVERAGED_EVERY == 0:
                    self._update_average()
                self.cpu_s = before + time.process_time() - began
                yield self.step

    def look(self) -> Look:
        """Measure the error on the held-out images, and remember the weights if they are the best so far."""
        self.model.reset_metrics()
        median = mean = p90 = capped = np.nan
        if self.held_out is not None:
            with self._averaged():
                xy, _ = predict_images(self.model, self.spec, self.held_out)
            error = label_errors(xy, self.held_out.images.labels.with_keypoints(self.spec.keypoints).visible())
            error = error[np.isfinite(error)]
            if len(error):
                median, mean, p90 = np.median(error), error.mean(), np.quantile(error, 0.9)
                capped = np.minimum(error, _CAP * self.spec.radius_px / self.spec.scale).mean()
        loss, score, location = (float(self._logs.get(name, np.nan)) for name in _LOSSES)
        rate = float(np.asarray(self.model.optimizer.learning_rate))
        errors = float(median), float(mean), float(p90)
        look = Look(self.step, round(self.cpu_s, 1), loss, score, location, rate, *errors)
        self.looks.append(look)
        if not self.looks[:-1] or np.isnan(capped) or capped < self._best_error:
            self._best_error, self.best_step = float(capped), self.step
            self.best = [value.copy() for value in self.average]
        return look

    def keep_best(self) -> Look:
        """Put the best weights into the model, and return the look at them."""
        self.model.set_weights(self.best)
        return next(look for look in self.looks if look.step == self.best_step)

    def state(self) -> State:
        """Return all that is needed to go on."""
        named: dict[str, NDArray[Any]] = {}
        for what, values in (("weights", self.model.get_weights()), ("average", self.average), ("best", self.best)):
            named.update({f"{what}-{i:04d}": np.asarray(value) for i, value in enumerate(values)})
        optimizer = self.model.optimizer.variables if self._compiled_at >= 0 else []
        named.update({f"optimizer-{i:04d}": np.asarray(value) for i, value in enumerate(optimizer)})
        record = {
            "looks": [asdict(look) for look in self.looks],
            "best_step": self.best_step,
            "best_error": self._best_error,
            "compiled_at": self._compiled_at,
            "cpu_s": self.cpu_s,
        }
        return State(self.step, named, record)

    def restore(self, state: State) -> None:
        """Go back to a state."""

        def values(what: str) -> list[NDArray[Any]]:
            # copied, since what was read from a file cannot be changed
            return [state.arrays[name].copy() for name in sorted(state.arrays) if name.startswith(f"{what}-")]

        self.step, record = state.step, state.record
        self.model.set_weights(values("weights"))
        self.average, self.best = values("average"), values("best")
        self.looks = [Look(**look) for look in record["looks"]]
        self.best_step, self._best_error = int(record["best_step"]), float(record["best_error"])
        self.cpu_s = float(record["cpu_s"])
        self._compile(at=int(record["compiled_at"]))
        self.model.optimizer.build(self.model.trainable_variables)
        for variable, value in zip(self.model.optimizer.variables, values("optimizer"), strict=True):
            variable.assign(value)

    def _compile(self, at: int | None = None) -> None:
        """Hold the early stages, or release them; the optimizer begins anew with other variables."""
        wanted = (self.release if self.step >= self.release else 0) if at is None else at
        if wanted == self._compiled_at:
            return
        released = wanted >= self.release
        for stride, layers in stages(self.model).items():
            for layer in layers:
                layer.trainable = stride > (_HELD if released else _HELD_AT_FIRST)
        self._compiled_at = wanted
        schedule = _schedule(self.settings, first_step=wanted)
        slow = [variable for layer in backbone_layers(self.model) for variable in layer.trainable_variables]
        self.model.compile(
            optimizer=_Adam(schedule, slow=slow, rate=self.settings.backbone_rate),
            loss=_total_loss,
            metrics=[score_loss, location_loss],
            jit_compile=False,  # XLA takes minutes to compile on a CPU, and gains nothing
        )

    def _update_average(self) -> None:
        stays = self.settings.average**_AVERAGED_EVERY
        stays = min(stays, (1 + self.step) / (10 + self.step))  # the first weights are soon forgotten
        for i, value in enumerate(self.model.get_weights()):
            self.average[i] *= stays
            self.average[i] += (1 - stays) * np.asarray(value)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        current = self.model.get_weights()
        self.model.set_weights(self.average)
        try:
            yield
        finally:
            self.model.set_weights(current)


def predict_images(
    model: Any, spec: NetworkSpec, images: ImageCache, *, batch_size: int = 8
) -> tuple[FloatArray, FloatArray]:
    """Find the keypoints of whole images with a Keras model.

    Returns
    -------
    xy : (n_images, n_keypoints, 2) array, px
    score : (n_images, n_keypoints) array
    """
    xy = np.full((len(images), len(spec.keypoints), 2), np.nan)
    score = np.zeros(xy.shape[:2])
    for index, batch in images.batches(batch_size):
        output = np.asarray(model.predict_on_batch(batch))
        found, sure = decode(output, spec=spec)
        xy[index], score[index] = found[:, :, 0], sure[:, :, 0]
    return xy, score


class _Adam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam that takes smaller steps for some variables."""

    def __init__(self, schedule: Any, *, slow: Sequence[Any], rate: float) -> None:
        super().__init__(schedule, global_clipnorm=_CLIP_NORM, name="adam")
        # Keras hands over its own variables, or with TensorFlow the ones below them.
        self._slow = {id(each) for variable in slow for each in (variable, variable.value)}
        self._rate = rate

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable."""
        slowed = self._rate if id(variable) in self._slow else 1.0
        super().update_step(gradient, variable, learning_rate * slowed)


def _total_loss(targets: Any, output: Any) -> Any:
    return sum(scoremap_loss(*unpack_targets(targets), output))


def score_loss(targets: Any, output: Any) -> Any:
    """Return the scoremap's part of the loss."""
    return scoremap_loss(*unpack_targets(targets), output)[0]


def location_loss(targets: Any, output: Any) -> Any:
    """Return the location's part of the loss."""
    return scoremap_loss(*unpack_targets(targets), output)[1]


def _schedule(settings: TrainingSettings, *, first_step: int) -> Any:
    """Return the learning rate as a function of an optimizer's own steps, which began at `first_step`.

    It rises over the first of these, and falls along a cosine of all steps to a hundredth.
    """

    class Cosine(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            own = ops.cast(step, "float32")
            risen = ops.minimum(1.0, (own + 1) / _WARM_UP)
            part = ops.minimum(1.0, (own + first_step) / settings.steps)
            return settings.learning_rate * risen * (0.01 + 0.99 * 0.5 * (1 + ops.cos(np.pi * part)))

    return Cosine()
