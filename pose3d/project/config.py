"""The settings of a project: ``pose3d.toml``, checked key by key."""

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, model_validator

from pose3d.errors import ConfigError
from pose3d.project.names import DEFAULT_CAM_REGEX

if TYPE_CHECKING:
    from pose3d.data import Board, Skeleton

__all__ = [
    "CONFIG_NAME",
    "BoardSettings",
    "CalibrationSettings",
    "Config",
    "ExportSettings",
    "ProjectSettings",
    "SkeletonSettings",
    "TriangulationSettings",
    "check_settings",
    "load_config",
]

CONFIG_NAME = "pose3d.toml"


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


def _check_angle(words: Sequence[str]) -> tuple[str, ...]:
    """Check an angle in anipose's syntax; whether the keypoints exist is found when it is computed."""
    from pose3d.data.angle_syntax import parse_angle

    parse_angle(words)
    return tuple(words)


_Names = Annotated[tuple[str, ...], Strict(False)]
_Links = Annotated[tuple[Annotated[tuple[str, str], Strict(False)], ...], Strict(False)]
_Grid = Annotated[tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]], Strict(False)]
_Angle = Annotated[_Names, AfterValidator(_check_angle)]


class _Settings(BaseModel):
    # strict: "0.3" is no number and true is no 1; unknown keys are misspelt keys
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ProjectSettings(_Settings):
    """``[project]``: how files are named, how fast cameras ran."""

    cam_regex: Annotated[str, AfterValidator(_check_regex)] = DEFAULT_CAM_REGEX
    video_extensions: Annotated[_Names, AfterValidator(_check_extensions)] = (".mp4", ".mov", ".avi", ".mkv")
    fps: Annotated[float, Field(gt=0)] | None = None


class BoardSettings(_Settings):
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


class SkeletonSettings(_Settings):
    """``[skeleton]``: a preset, or keypoints of one's own."""

    preset: str | None = None
    name: str = "skeleton"
    keypoints: _Names = ()
    edges: _Links = ()
    pairs: _Links = ()

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
            hint = _nearest(str(self.preset).lower(), presets)
            meant = f"did you mean {hint!r}?" if hint else f"there are {', '.join(presets)}"
            raise ConfigError(f"skeleton.preset = {self.preset!r}: no such skeleton; {meant}") from error
        except ValueError as error:
            raise ConfigError(f"skeleton: {str(error).removeprefix(f'skeleton {self.name}: ')}") from error


class CalibrationSettings(_Settings):
    """``[calibration]``."""

    fisheye: bool | None = None
    intrinsics: str | None = None
    lens_model: Literal["k1", "k2", "full", "k3"] | None = None
    solver: Literal["pose3d", "aniposelib"] = "pose3d"
    timestamps: str | None = None
    floor_frame: Annotated[int, Field(ge=0)] | Literal["first", "last"] | None = None
    compare: str | None = None
    truncate: bool = False


class TriangulationSettings(_Settings):
    """``[triangulation]``; see :func:`pose3d.reconstruction.triangulate`."""

    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.05
    robust: bool = True
    weighted: bool = True
    min_cameras: Annotated[int, Field(ge=2)] = 2
    max_error_px: Annotated[float, Field(gt=0)] | None = None
    truncate: bool = False


class ExportSettings(_Settings):
    """``[export]``."""

    trc: bool = True


class Config(_Settings):
    """All settings of a project, each with its default.

    Examples
    --------
    >>> config = check_settings({"triangulation": {"score_threshold": 0.5}})
    >>> config.triangulation.score_threshold, config.triangulation.min_cameras
    (0.5, 2)
    """

    project: ProjectSettings = ProjectSettings()
    board: BoardSettings | None = None
    calibration: CalibrationSettings = CalibrationSettings()
    skeleton: SkeletonSettings = SkeletonSettings()
    offsets: dict[str, int] = {}
    triangulation: TriangulationSettings = TriangulationSettings()
    angles: dict[str, _Angle] = {}
    export: ExportSettings = ExportSettings()

    def to_board(self) -> "Board":
        """Make the calibration board.

        Raises
        ------
        ConfigError
            If there is no ``[board]``.
        """
        if self.board is None:
            raise ConfigError(
                f"{CONFIG_NAME}: [board] is missing or empty, and calibration needs it: kind, squares (or corners) and "
                "square_mm"
            )
        return self.board.to_board()

    def to_skeleton(self) -> "Skeleton | None":
        """Make the skeleton; None where ``[skeleton]`` is empty."""
        return self.skeleton.to_skeleton()


def _nearest(key: str, known: Sequence[str]) -> str | None:
    matches = difflib.get_close_matches(key, known, n=1)
    return matches[0] if matches else None


def _sections() -> dict[str, tuple[str, ...]]:
    """Keys of each section; sections with free keys (angles, offsets) have none."""
    tables: dict[str, tuple[str, ...]] = {}
    for name, field in Config.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        tables[name] = tuple(models[0].model_fields) if models else ()
    return tables


def _unknown(key: Sequence[str | int]) -> str:
    """Say what a key that does not exist was probably meant to be."""
    sections = _sections()
    name = str(key[-1])
    known = tuple(sections) if len(key) == 1 else sections.get(str(key[0]), ())
    elsewhere = [section for section, keys in sections.items() if name in keys and known is not keys]
    near = _nearest(name, known)
    if near:
        return f"there is no such {'section' if len(key) == 1 else 'setting'}; did you mean {near}?"
    if elsewhere:
        return f"belongs in [{elsewhere[0]}]"
    return f"there is no such {'section' if len(key) == 1 else 'setting'}; there are {', '.join(known)}"


def _lines(error: ValidationError) -> Iterator[str]:
    for item in error.errors(include_url=False):
        key = ".".join(map(str, item["loc"]))
        if item["type"] == "extra_forbidden":
            yield f"{key}: {_unknown(item['loc'])}"
        elif item["type"] == "missing":
            yield f"{key}: is missing"
        else:
            yield f"{key}{_shown(item['input'])}: {_plain(item['msg'])}"


def _shown(value: object) -> str:
    """Show a short value as it stands in the file."""
    if isinstance(value, str | int | float | list | tuple):
        text = json.dumps(value, ensure_ascii=False, default=str)
        return f" = {text}" if len(text) <= 60 else ""
    return ""


def _plain(message: str) -> str:
    """Put pydantic's message into the words of a TOML file."""
    for theirs, ours in (
        ("^Value error, ", ""),
        ("^Input should have", "must have"),
        ("^(Input|Tuple) should", "must"),
        (" after validation", ""),
        ("a valid tuple", "a list"),
        ("a valid dictionary.*", "a section"),
        ("a valid boolean", "true or false"),
        ("a valid integer", "a whole number"),
        ("a valid ", "a "),
    ):
        message = re.sub(theirs, ours, message)
    return message


def check_settings(settings: Mapping[str, Any]) -> Config:
    """Check settings as they stand in a pose3d.toml.

    Parameters
    ----------
    settings : mapping
        Sections of keys.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        One line: the key, what is wrong, what is allowed.

    Examples
    --------
    >>> check_settings({"triangulation": {"score_treshold": 0.5}})
    Traceback (most recent call last):
    pose3d.errors.ConfigError: triangulation.score_treshold: there is no such setting; did you mean score_threshold?
    """
    # the template's [board] heading with nothing below it yet is no board
    given = {section: table for section, table in settings.items() if section != "board" or table}
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        first, *others = _lines(error)
        more = f" (and {len(others)} more)" if others else ""
        raise ConfigError(f"{first}{more}") from error
    if config.board is not None:
        config.to_board()
    skeleton = config.to_skeleton()
    if skeleton is not None and config.skeleton.preset is None:
        for name, words in config.angles.items():
            _check_keypoints(name, words, skeleton.keypoints)
    return config


def _check_keypoints(name: str, words: Sequence[str], keypoints: Sequence[str]) -> None:
    from pose3d.data.angle_syntax import parse_angle

    for keypoint in parse_angle(words, known=keypoints).keypoints:
        if keypoint not in keypoints:
            near = _nearest(keypoint, keypoints)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ConfigError(f"angles.{name}: keypoint {keypoint!r} is not in [skeleton]{hint}")


def load_config(path: str | Path) -> Config:
    """Read a project's settings.

    Parameters
    ----------
    path : path
        A TOML file, UTF-8.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        If the file is absent or no TOML, or a setting is unknown, missing or out of range; one line with file and key.
    """
    return _checked(Path(path), check_settings)


def load_angles(path: str | Path) -> Mapping[str, tuple[str, ...]]:
    """Read the angle definitions of a configuration of anipose or pose3d; what else stands there is not looked at.

    Parameters
    ----------
    path : path
        A TOML file, UTF-8, with ``[angles]`` in anipose's syntax.

    Returns
    -------
    mapping of str to tuple of str
        For :func:`pose3d.kinematics.joint_angles`.

    Raises
    ------
    ConfigError
        If the file is absent or no TOML, there is no angle, or one is not well formed.
    """
    path = Path(path)
    angles = _checked(path, lambda tables: check_settings({"angles": tables.get("angles", {})})).angles
    if not angles:
        raise ConfigError(f"{path}: there is no angle in [angles]; add some, or do without for the human angles")
    return angles


def _checked(path: Path, check: Callable[[dict[str, Any]], Config]) -> Config:
    """Read a TOML file and check what it holds; every error names the file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # editors on Windows put a byte order mark first
        return check(tomllib.loads(text))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); `pose3d init` makes a pose3d.toml") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is no valid TOML: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
