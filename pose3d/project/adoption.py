"""DeepLabCut's and anipose's projects taken over: settings become a ``pose3d.toml``, other files stay as they are."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pose3d.errors import ConfigError, FormatError, ProjectError
from pose3d.io.deeplabcut_project import (
    DEEPLABCUT_CONFIG,
    DeepLabCutProject,
    is_deeplabcut_project,
    read_deeplabcut_project,
)
from pose3d.io.files import require_file
from pose3d.io.names import fits_file_name
from pose3d.project.names import DEFAULT_CAM_REGEX, split_name
from pose3d.project.template import Settings, create_project

__all__ = ["Adoption", "adopt_project", "find_foreign_project"]

ANIPOSE_CONFIG = "config.toml"
# Not those of sections that Pose2Sim's Config.toml has as well.
_ANIPOSE_KEYS = {"nesting", "labeling", "pipeline", "model_folder", "video_extension"}
_OWN_LABELS = "pose3d-labels"
_MOST_BYTES = 5_000_000
_CAMERA_WORD = re.compile(r"cam|view|left|right|top|bottom|bot|side|front|back|rear|mid", re.IGNORECASE)
_SINGLE_CAMERA = "camera"
_PIPELINE = {"pose_2d": "pose-2d", "calibration_videos": "calibration", "calibration_results": "calibration"}
"""Folders of anipose that are named otherwise here only at the price of not being found."""


@dataclass(frozen=True)
class Adoption:
    """What became of a foreign project.

    Attributes
    ----------
    config : Path
        The pose3d.toml that was written.
    source : str
        ``DeepLabCut`` or ``anipose``, and the file that was read.
    notes : tuple of str
        What was understood, and what has no place here.
    """

    config: Path
    source: str
    notes: tuple[str, ...]


def find_foreign_project(folder: str | Path) -> Path | None:
    """Return the config file of the DeepLabCut or anipose project in a folder; None if there is none.

    Raises
    ------
    ProjectError
        If there is one of each.
    """
    folder = Path(folder)
    found = [folder / DEEPLABCUT_CONFIG] if is_deeplabcut_project(folder) else []
    if _is_anipose(folder / ANIPOSE_CONFIG):
        found.append(folder / ANIPOSE_CONFIG)
    if len(found) > 1:
        raise ProjectError(
            f"{folder}: holds a DeepLabCut project and an anipose project; say which by --from {found[0].name} or "
            f"--from {found[1].name}"
        )
    return found[0] if found else None


def adopt_project(folder: str | Path, source: str | Path, *, cam_regex: str | None = None) -> Adoption:
    """Write a pose3d.toml that means what the configuration of a foreign project means.

    Parameters
    ----------
    folder : path
        Of the new project; it may be the foreign one's. Nothing but the pose3d.toml is written.
    source : path
        The foreign project's folder, or its config.yaml or config.toml.
    cam_regex : str, optional
        Its group is the camera in a file's name, where the foreign project has none.

    Returns
    -------
    Adoption

    Raises
    ------
    ProjectError
        If there is no such project, or there is a pose3d.toml already.
    FormatError, ConfigError
        If its configuration is damaged, or means what is not possible here.
    """
    folder, path = Path(folder), Path(source)
    config = find_foreign_project(path) if path.is_dir() else path
    if config is None or not config.is_file():
        raise ProjectError(
            f"{source}: is no project of DeepLabCut (with a config.yaml) or anipose (config.toml); give its folder"
        )
    try:
        if config.suffix.lower() in (".yaml", ".yml"):
            kind = "DeepLabCut"
            settings, notes = _from_deeplabcut(read_deeplabcut_project(config), folder, cam_regex)
        else:
            kind = "anipose"
            settings, notes = _from_anipose(config, folder, cam_regex)
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}") from error
    try:
        written = create_project(folder, settings)
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}; correct it there, or begin with an empty folder") from error
    return Adoption(written, f"{kind}: {config}", tuple(notes))


def _from_deeplabcut(source: DeepLabCutProject, folder: Path, cam_regex: str | None) -> tuple[Settings, list[str]]:
    in_place = _same(source.folder, folder)
    project: dict[str, Any] = {"cam_regex": cam_regex}
    labeling: dict[str, Any] = {"individuals": source.individuals or None}
    people = f", {len(source.individuals)} individuals" if source.individuals else ""
    notes = [f"{len(source.keypoints)} keypoints{people}; labels by {source.scorer}"]
    if fits_file_name(source.scorer):
        labeling["scorer"] = source.scorer
    if in_place:
        project["videos_folder"] = source.videos_folder.name
        labeling |= {"adopted": ["."], "folder": _OWN_LABELS}
        if cam_regex is None:
            cameras = _guess_cameras([path for path in source.videos if path.parent == source.videos_folder])
            if cameras:
                notes.append(f"cameras by the videos' names: {', '.join(cameras)}; cam_regex in pose3d.toml changes it")
            else:
                project |= {"cam_regex": rf"[_-]({_SINGLE_CAMERA})$", "camera": _SINGLE_CAMERA}
                notes.append("one camera, each video a trial; with several cameras, give --cam-regex")
        notes.append(f"what is extracted and labelled here goes to {_OWN_LABELS}; DeepLabCut's files stay as they are")
        far = [path.name for path in source.videos if path.parent != source.videos_folder]
        if far:
            notes.append(f"videos that do not lie in {source.videos_folder.name}, not seen here: {_few(far)}")
    else:
        labeling["adopted"] = [_relative(source.folder, folder)]
        notes.append("its labels are used and only read; its videos are not: put yours into SESSION/videos-raw")
    if source.missing_videos:
        notes.append(f"videos that are not found: {_few(source.missing_videos)}")
    skeleton = {"name": source.task, "keypoints": source.keypoints, "edges": source.skeleton or None}
    return {"project": project, "skeleton": skeleton, "labeling": labeling}, notes


def _guess_cameras(videos: Sequence[Path]) -> tuple[str, ...]:
    """Return the cameras if the names look like several cameras' views of the same trials."""
    names: dict[str, set[str]] = {}
    for path in videos:
        trial, camera = split_name(path, DEFAULT_CAM_REGEX)
        names.setdefault(trial, set()).add(camera)
    each = list(names.values())
    if not each or len(each[0]) < 2 or any(cameras != each[0] for cameras in each):
        return ()
    return tuple(sorted(each[0])) if all(_CAMERA_WORD.search(camera) for camera in each[0]) else ()


def _is_anipose(path: Path) -> bool:
    try:
        return path.is_file() and bool(_ANIPOSE_KEYS & set(_read_toml(path)))
    except FormatError:
        return False


def _read_toml(path: Path) -> dict[str, Any]:
    path = require_file(path, "config.toml of anipose")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FormatError(f"{path}: is too large for a config.toml; is it another file?")
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(f"{path}: is no valid toml ({reason}); correct it") from error


def _from_anipose(config: Path, folder: Path, cam_regex: str | None) -> tuple[Settings, list[str]]:
    tables = _read_toml(config)
    if not _ANIPOSE_KEYS & set(tables):
        raise FormatError(f"{config}: is no config.toml of anipose; it has none of its sections")
    views = _section(tables, "triangulation")
    pipeline = _section(tables, "pipeline")
    calibration = _section(tables, "calibration")
    notes: list[str] = []
    labeling: dict[str, Any] = {}
    keypoints: tuple[str, ...] = ()
    model = tables.get("model_folder")
    if isinstance(model, str) and model and is_deeplabcut_project(config.parent / model):
        source = read_deeplabcut_project(config.parent / model)
        keypoints = source.keypoints
        labeling["adopted"] = [_relative(source.folder, folder)]
        notes.append(f"labels of the DeepLabCut project {source.folder} are used, and only read")
    extension = tables.get("video_extension")
    project = {
        "cam_regex": cam_regex if cam_regex is not None else views.get("cam_regex"),
        "video_extensions": [extension] if isinstance(extension, str) else None,
        "videos_folder": pipeline.get("videos_raw"),
    }
    angles = {str(name): words for name, words in _section(tables, "angles").items()}
    board, told = _anipose_board(calibration)
    settings: dict[str, Mapping[str, Any]] = {
        "project": project,
        "board": board,
        "calibration": {"fisheye": calibration.get("fisheye")},
        "skeleton": _anipose_skeleton(tables, views, angles, keypoints),
        "triangulation": _anipose_triangulation(views),
        "angles": angles,
        "labeling": labeling,
    }
    if not _same(config.parent, folder):
        notes.append(f"sessions are looked for in {folder}; those of {config.parent} stay there")
    return settings, [*notes, *told, *_anipose_leftovers(tables, calibration, views, pipeline)]


def _anipose_board(section: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    kind, size = section.get("board_type"), section.get("board_size")
    if kind is None or size is None:
        return {}, ["no board is described: fill in [board]"]
    marker = {
        "marker_mm": section.get("board_marker_length"),
        "dictionary": f"{section.get('board_marker_bits')}X{section.get('board_marker_bits')}_"
        f"{section.get('board_marker_dict_number')}",
    }
    square = {"square_mm": section.get("board_square_side_length")}
    notes = ["lengths of the board are taken for mm"]
    if kind == "charuco":
        return {"kind": kind, "squares": size, **square, **marker}, notes
    if kind == "checkerboard":
        return {"kind": kind, "corners": size, **square}, notes
    if kind == "aruco":
        gap = {"separation_mm": section.get("board_marker_separation_length")}
        return {"kind": "aruco_grid", "squares": size, **gap, **marker}, notes
    raise ConfigError(f"calibration.board_type = {kind!r}: there is no such board here; charuco and checkerboard are")


def _anipose_skeleton(
    tables: Mapping[str, Any], views: Mapping[str, Any], angles: Mapping[str, Any], keypoints: Sequence[str]
) -> dict[str, Any]:
    scheme = _section(tables, "labeling").get("scheme", [])
    chains = [[name for name in chain if isinstance(name, str)] for chain in _lists(scheme, "labeling.scheme")]
    links = [
        link
        for key in ("constraints", "constraints_weak")
        for link in _lists(views.get(key, []), f"triangulation.{key}")
    ]
    kinds = ("flex", "axis", "cross-axis", "chain")
    named = [
        words[1:] if words[:1] and words[0] in kinds else words for words in _lists(list(angles.values()), "angles")
    ]
    found = dict.fromkeys(keypoints)
    for names in (*chains, *links, *named):
        found |= dict.fromkeys(str(name).removesuffix("/") for name in names)
    edges = dict.fromkeys((a, b) for chain in chains for a, b in pairwise(chain) if a != b)
    if not found:
        return {}
    return {"keypoints": list(found), "edges": [list(edge) for edge in edges] or None}


def _anipose_triangulation(views: Mapping[str, Any]) -> dict[str, Any]:
    """Take over what is set; what is left out has the defaults of pose3d."""
    names = ["score_threshold", "constraints", "constraints_weak"]
    if views.get("optim", False):
        names += ["n_deriv_smooth", "scale_smooth", "scale_length", "scale_length_weak", "reproj_error_threshold"]
    settings = {name: views[name] for name in names if name in views}
    if "optim" in views:
        settings["refine"] = views["optim"]
    return settings


def _anipose_leftovers(
    tables: Mapping[str, Any], calibration: Mapping[str, Any], views: Mapping[str, Any], pipeline: Mapping[str, Any]
) -> Iterator[str]:
    """Say what has no place in a pose3d.toml, and what does it here."""
    for name, here in _PIPELINE.items():
        if pipeline.get(name, here) != here:
            yield f"pipeline.{name} = {pipeline[name]!r} is not taken over: the folder is called {here} here; rename it"
    if calibration.get("animal_calibration"):
        yield "calibration.animal_calibration: use pose3d recalibrate"
    if calibration.get("calibration_init"):
        yield "calibration.calibration_init is not needed; intrinsics in [calibration] keeps known lenses"
    for name in ("filter", "filter3d"):
        if _section(tables, name).get("enabled"):
            yield f"[{name}] is not taken over: use pose3d filter"
    if "axes" in views or "reference_point" in views:
        yield "triangulation.axes and reference_point: use pose3d align, or floor_frame in [calibration]"
    if any("offset" in section for section in _section(tables, "cameras").values() if isinstance(section, Mapping)):
        yield "[cameras] offsets in px are not taken over; crop the calibration's videos alike"


def _section(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = tables.get(name, {})
    if not isinstance(section, Mapping):
        raise ConfigError(f"{name}: must be a section [{name}]")
    return section


def _lists(value: Any, where: str) -> list[list[Any]]:
    if not isinstance(value, list) or not all(isinstance(item, list) for item in value):
        raise ConfigError(f"{where}: must be lists of keypoints")
    return value


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()


def _relative(path: Path, start: Path) -> str:
    """Return a path as seen from a project's folder; whole where that is on another drive."""
    try:
        return Path(os.path.relpath(path.resolve(), start.resolve())).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
