"""Sections of a ``pose3d.toml`` about labels and keypoint networks."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pose3d.io.names import fits_file_name
from pose3d.project.sections import Names, Section

__all__ = ["AnalysisSettings", "LabelingSettings", "NetworkSettings", "TrainingSettings"]


def _check_name(name: str) -> str:
    """Check what becomes part of a file's or folder's name."""
    if not fits_file_name(name) or name != name.strip() or name.strip(".") == "":
        raise ValueError("must be part of a file's name: letters, digits, spaces, - and _")
    return name


def _check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not name.strip() or names.count(name) > 1:
            raise ValueError(f"{name!r} is empty or there twice")
    return names


_FileName = Annotated[str, AfterValidator(_check_name)]


class LabelingSettings(Section):
    """``[labeling]``: who labels, and where labels are kept."""

    scorer: _FileName = "pose3d"
    folder: _FileName = "labeled-data"
    adopted: Names = ()
    individuals: Annotated[Names, AfterValidator(_check_names)] = ()


class NetworkSettings(Section):
    """``[network]``: which network, and of what kind a new one is."""

    model: Annotated[str, Field(min_length=1)] = "default"
    backbone: Literal["efficientnet-lite0", "mobilenetv2", "resnet50", "efficientnetb0"] = "efficientnet-lite0"
    scale: Annotated[float, Field(gt=0, le=1)] | None = None
    stride: Literal[4, 8] = 4


class TrainingSettings(Section):
    """``[training]``: how long and on what."""

    steps: Annotated[int, Field(ge=1)] = 4000
    batch_size: Annotated[int, Field(ge=1)] = 8
    seed: Annotated[int, Field(ge=0)] = 0
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    split: Literal["block", "recording"] = "block"


class AnalysisSettings(Section):
    """``[analysis]``: how networks are applied to videos."""

    n_peaks: Annotated[int, Field(ge=1, le=10)] = 1
    crop: bool = False
