"""``[triangulation]`` of a ``pose3d.toml``: which views make a point, and how points are refined over time."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pose3d.project.sections import Links, Section

__all__ = ["TriangulationSettings"]

_ANIPOSE: Mapping[str, float] = {
    "scale_smooth": 2.0,
    "scale_length": 2.0,
    "scale_length_weak": 1.0,
    "reproj_error_threshold": 5.0,
}
"""anipose's weights with the defaults of its config.toml, which are not those of aniposelib."""

_NOT_WITH_ANIPOSE = ("smooth_mm", "limb_sd_percent", "loss", "loss_scale")


def _check_limbs(limbs: tuple[tuple[str, str], ...] | None) -> tuple[tuple[str, str], ...] | None:
    for a, b in limbs or ():
        if a == b:
            raise ValueError(f"{a!r} and {b!r} are one keypoint; a limb needs two")
    return limbs


_Positive = Annotated[float, Field(gt=0)]
_Limbs = Annotated[Links | None, AfterValidator(_check_limbs)]


class TriangulationSettings(Section):
    """``[triangulation]``; see :class:`pose3d.reconstruction.ViewSettings` and `RefinementSettings` beside it."""

    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.05
    robust: bool = True
    weighted: bool = True
    min_cameras: Annotated[int, Field(ge=2)] = 2
    max_error_px: _Positive | None = None
    repair_sides: bool = True
    truncate: bool = False
    refine: bool = True
    max_gap: Annotated[int, Field(ge=0)] = 20
    constraints: _Limbs = None
    constraints_weak: _Limbs = None
    limb_sd_percent: _Positive | None = None
    n_deriv_smooth: Annotated[int, Field(ge=1, le=5)] = 3
    smooth_mm: _Positive | None = None
    loss: Literal["huber", "soft_l1", "cauchy", "linear"] = "huber"
    loss_scale: _Positive = 3.0
    solver: Literal["banded", "scipy"] = "banded"
    samples: Annotated[int, Field(ge=0)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    scale_smooth: _Positive | None = None
    scale_length: _Positive | None = None
    scale_length_weak: _Positive | None = None
    reproj_error_threshold: _Positive | None = None

    @model_validator(mode="after")
    def _check(self) -> "TriangulationSettings":
        if self.samples and not (self.robust and self.refine):
            missing = "robust" if not self.robust else "refine"
            raise ValueError(f"samples are drawn from the refinement; set {missing} = true, or samples = 0")
        given = [name for name in _ANIPOSE if getattr(self, name) is not None]
        for name in _NOT_WITH_ANIPOSE:
            if given and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no place beside anipose's weights ({', '.join(given)}); leave one out")
        return self

    def anipose_weights(self) -> dict[str, float] | None:
        """Return anipose's four weights, those that are not given as its config has them; None if none is given."""
        given = {name: getattr(self, name) for name in _ANIPOSE if getattr(self, name) is not None}
        return {**_ANIPOSE, **given} if given else None
