"""What a user can choose about the refinement."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pose3d.errors import ConfigError
from pose3d.reconstruction.refinement.losses import LOSSES, Loss

__all__ = ["AniposeWeights", "RefinementSettings"]


@dataclass(frozen=True)
class AniposeWeights:
    """Weights of aniposelib's `optim_points`, with its meaning: they are relative to reprojection errors of 1 px.

    Attributes
    ----------
    scale_smooth : float
        Of the differences in time, over the recording's mean speed after a median filter of 7 frames.
    scale_length, scale_length_weak : float
        Of the deviation of a limb from its length, in percent.
    reproj_error_threshold : float
        Where the loss leaves the square, px.
    """

    scale_smooth: float = 4.0
    scale_length: float = 2.0
    scale_length_weak: float = 0.5
    reproj_error_threshold: float = 15.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 < value < float("inf"):
                raise ConfigError(f"{name}: {value:g} is out of range; give a positive number")


@dataclass(frozen=True)
class RefinementSettings:
    """Settings of the refinement over time; the defaults find every weight from the data.

    Attributes
    ----------
    n_deriv_smooth : int
        Order of the differences in time that are kept small: 1 velocity, 2 acceleration, 3 jerk.
    smooth_mm : float, optional
        Standard deviation of such a difference, per axis, in mm per frame to that power; None finds it for each
        keypoint.
    limbs, weak_limbs : sequence of (str, str)
        Keypoints whose distance stays the same. The two kinds differ only in `anipose`'s weights.
    limb_sd_percent : float, optional
        How much a limb's length varies, in percent of it; None finds it for each limb.
    loss : str
        Of a view's error: ``huber``, ``soft_l1``, ``cauchy``, ``linear``, or ``anipose``, aniposelib's.
    loss_scale : float
        Where the loss leaves the square, in standard deviations of the view.
    max_gap : int
        Longest gap, in frames, that is filled; longer ones stay missing, and so does what lies before the first and
        after the last observation.
    solver : str
        ``banded`` (block-banded normal equations), or ``scipy`` (`scipy.optimize.least_squares` on the same cost).
    tolerance_mm : float
        The last step of the solver moves no coordinate farther.
    samples : int
        How many samples of the joint posterior to draw.
    seed : int
        Of the samples.
    anipose : AniposeWeights, optional
        Use these weights instead, with an assumed noise of 1 px in every camera.
    """

    n_deriv_smooth: int = 3
    smooth_mm: float | None = None
    limbs: Sequence[tuple[str, str]] = ()
    weak_limbs: Sequence[tuple[str, str]] = ()
    limb_sd_percent: float | None = None
    loss: Loss = "huber"
    loss_scale: float = 3.0
    max_gap: int = 20
    solver: Literal["banded", "scipy"] = "banded"
    tolerance_mm: float = 0.1
    samples: int = 0
    seed: int = 0
    anipose: AniposeWeights | None = None

    def __post_init__(self) -> None:
        for name, low in (("n_deriv_smooth", 1), ("max_gap", 0), ("samples", 0), ("seed", 0)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name}: {getattr(self, name)} is too small; give {low} or more")
        if self.n_deriv_smooth > 5:
            raise ConfigError(f"n_deriv_smooth: {self.n_deriv_smooth}; differences above the 5th say nothing of motion")
        for name in ("smooth_mm", "limb_sd_percent", "loss_scale", "tolerance_mm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{name}: {value:g} is out of range; give a positive number")
        if self.loss not in LOSSES:
            raise ConfigError(f"loss: there is no {self.loss!r}; choose from {', '.join(LOSSES)}")
        if self.solver not in ("banded", "scipy"):
            raise ConfigError(f"solver: there is no {self.solver!r}; choose banded or scipy")
        for limb in (*self.limbs, *self.weak_limbs):
            if limb[0] == limb[1]:
                raise ConfigError(f"limb {','.join(limb)}: name two different keypoints")

    @property
    def finds_smoothness(self) -> bool:
        """Whether the smoothness is found from the data."""
        return self.smooth_mm is None and self.anipose is None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for records and fingerprints."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {
            "limbs": [list(limb) for limb in self.limbs],
            "weak_limbs": [list(limb) for limb in self.weak_limbs],
            "anipose": None if self.anipose is None else asdict(self.anipose),
        }
