"""The sections of a ``pose3d.toml`` and what each may say."""

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator

from pose3d.errors import ConfigError
from pose3d.io.names import fits_file_name
from pose3d.project.names import DEFAULT_CAM_REGEX

if TYPE_CHECKING:
    from pose3d.data import Board, Skeleton

__all__ = [
    "Angle",
    "BoardSettings",
    "CalibrationSettings",
    "ExportSettings",
    "GaitSettings",
    "Links",
    "Names",
    "ProjectSettings",
    "Section",
    "SkeletonSettings",
    "nearest",
]


def _check_regex(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"is no regular expression ({error})") from error
    if groups < 1:
        raise ValueError("needs one group in parentheses, which is the camera's name, such as '_(cam[0-9]+)$'")
    return pattern


def _check_extensions(extensions: Sequence[str]) -> tuple[str, ...]:
    return tuple("." + extension.lower().removeprefix(".") for extension in extensions)


def _check_folder(name: str) -> str:
    if not fits_file_name(name) or not name.strip(" ."):
        raise ValueError("must be the name of a folder, without / and what is above it")
    return name


def _check_angle(words: Sequence[str]) -> tuple[str, ...]:
    """Check an angle in anipose's syntax; whether the keypoints exist is found when it is computed."""
    from pose3d.data.angle_syntax import parse_angle

    parse_angle(words)
    return tuple(words)


def nearest(key: str, known: Sequence[str]) -> str | None:
    """Return what a word that does not exist was probably meant to be."""
    matches = difflib.get_close_matches(key, known, n=1)
    return matches[0] if matches else None


Names = Annotated[tuple[str, ...], Strict(False)]
Links = Annotated[tuple[Annotated[tuple[str, str], Strict(False)], ...], Strict(False)]
_Grid = Annotated[tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]], Strict(False)]
Angle = Annotated[Names, AfterValidator(_check_angle)]


class Section(BaseModel):
    """A section; unknown keys and values of another kind are errors."""

    # strict: "0.3" is no number and true is no 1; unknown keys are misspelt keys
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ProjectSettings(Section):
    """``[project]``: how files are named, how fast cameras ran."""

    cam_regex: Annotated[str, AfterValidator(_check_regex)] = DEFAULT_CAM_REGEX
    video_extensions: Annotated[Names, AfterValidator(_check_extensions)] = (".mp4", ".mov", ".avi", ".mkv")
    fps: Annotated[float, Field(gt=0)] | None = None
    videos_folder: Annotated[str, AfterValidator(_check_folder)] = "videos-raw"
    camera: Annotated[str, Field(min_length=1)] | None = None


class BoardSettings(Section):
    """``[board]``: the calibration board; see :class:`pose3d.data.Board`."""

    kind: Literal["charuco", "checkerboard", "aruco_grid", "apriltag_grid"]
    squares: _Grid | None = None
    corners: _Grid | None = None
    square_mm: Annotated[float, Field(gt=0)] | None = None
    marker_mm: Annotated[float, Field(gt=0)] | None = None
    separation_mm: Annotated[float, Field(gt=0)] | None = None
    dictionary: str | None = None
    legacy: bool = False
    inverted: bool = False

    @model_validator(mode="after")
    def _check(self) -> "BoardSettings":
        self._made()
        return self

    def _made(self) -> "Board":
        from pose3d.data import Board

        return Board.from_settings(**self.model_dump())

    def to_board(self) -> "Board":
        """Make the board.

        Raises
        ------
        ConfigError
            If there can be no such board.
        """
        try:
            return self._made()
        except ValueError as error:
            raise ConfigError(f"board: {error}") from error


class SkeletonSettings(Section):
    """``[skeleton]``: a preset, or keypoints of one's own."""

    preset: str | None = None
    name: str = "skeleton"
    keypoints: Names = ()
    edges: Links = ()
    pairs: Links = ()

    @model_validator(mode="after")
    def _check(self) -> "SkeletonSettings":
        if self.preset is not None and (self.keypoints or self.edges or self.pairs):
            raise ValueError("has either a preset or keypoints, edges and pairs")
        if (self.edges or self.pairs) and not self.keypoints:
            raise ValueError("edges and pairs need keypoints")
        return self

    def to_skeleton(self) -> "Skeleton | None":
        """Make the skeleton, or None where the section is empty.

        Raises
        ------
        ConfigError
            If there is no such preset, or an edge or pair names an unknown keypoint.
        """
        from pose3d.data import Skeleton

        try:
            if self.preset is not None:
                return Skeleton.preset(self.preset)
            return Skeleton(self.name, self.keypoints, self.edges, self.pairs) if self.keypoints else None
        except KeyError as error:
            presets = Skeleton.presets()
            hint = nearest(str(self.preset).lower(), presets)
            meant = f"did you mean {hint!r}?" if hint else f"there are {', '.join(presets)}"
            raise ConfigError(f"skeleton.preset = {self.preset!r}: no such skeleton; {meant}") from error
        except ValueError as error:
            raise ConfigError(f"skeleton: {str(error).removeprefix(f'skeleton {self.name}: ')}") from error


class CalibrationSettings(Section):
    """``[calibration]``."""

    fisheye: bool | None = None
    intrinsics: str | None = None
    lens_model: Literal["k1", "k2", "full", "k3"] | None = None
    solver: Literal["pose3d", "aniposelib"] = "pose3d"
    timestamps: str | None = None
    floor_frame: Annotated[int, Field(ge=0)] | Literal["first", "last"] | None = None
    compare: str | None = None
    truncate: bool = False


class ExportSettings(Section):
    """``[export]``."""

    trc: bool = True


class GaitSettings(Section):
    """``[gait]``: what the gait report is about; see :func:`pose3d.batch.gait_study.study_session`."""

    subject: str | None = None
    norms: str | None = None
    norms_group: str | None = None
    event_cutoff_hz: Annotated[float, Field(ge=0)] = 7.0
    most_turn_deg: Annotated[float, Field(gt=0)] = 20.0
    noise_mm: Annotated[float, Field(gt=0)] | None = None
