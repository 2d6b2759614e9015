"""The settings of a project: ``pose3d.toml``, checked key by key."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, Field, ValidationError

from pose3d.errors import ConfigError
from pose3d.project.network_settings import (
    AnalysisSettings,
    LabelingSettings,
    NetworkSettings,
    TrainingSettings,
)
from pose3d.project.sections import (
    Angle,
    BoardSettings,
    CalibrationSettings,
    ExportSettings,
    GaitSettings,
    ProjectSettings,
    Section,
    SkeletonSettings,
    nearest,
)
from pose3d.project.triangulation_settings import TriangulationSettings

if TYPE_CHECKING:
    from pose3d.data import Board, Skeleton

__all__ = ["CONFIG_NAME", "Config", "check_settings", "load_angles", "load_config"]

CONFIG_NAME = "pose3d.toml"


class Config(Section):
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
    offsets: dict[str, int] = Field(default_factory=dict)
    triangulation: TriangulationSettings = TriangulationSettings()
    angles: dict[str, Angle] = Field(default_factory=dict)
    export: ExportSettings = ExportSettings()
    labeling: LabelingSettings = LabelingSettings()
    network: NetworkSettings = NetworkSettings()
    training: TrainingSettings = TrainingSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    gait: GaitSettings = GaitSettings()

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
    near = nearest(name, known)
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
        from pose3d.data.angle_syntax import parse_angle

        for name, words in config.angles.items():
            _check_keypoints(f"angles.{name}", parse_angle(words, known=skeleton.keypoints).keypoints, skeleton)
        for key in ("constraints", "constraints_weak"):
            for limb in getattr(config.triangulation, key) or ():
                _check_keypoints(f"triangulation.{key}", limb, skeleton)
    return config


def _check_keypoints(setting: str, keypoints: Sequence[str], skeleton: "Skeleton") -> None:
    for keypoint in keypoints:
        if keypoint not in skeleton.keypoints:
            near = nearest(keypoint, skeleton.keypoints)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ConfigError(f"{setting}: keypoint {keypoint!r} is not in [skeleton]{hint}")


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
