"""DeepLabCut's projects: what their ``config.yaml`` says. They are only read."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from pose3d.errors import FormatError
from pose3d.io.files import require_file

__all__ = ["DEEPLABCUT_CONFIG", "DeepLabCutProject", "is_deeplabcut_project", "read_deeplabcut_project"]

DEEPLABCUT_CONFIG = "config.yaml"
_MOST_BYTES = 5_000_000
_MULTI = "MULTI!"
"""What stands in the place of ``bodyparts`` where individuals are told apart."""


@dataclass(frozen=True)
class DeepLabCutProject:
    """What a project of DeepLabCut consists of.

    Attributes
    ----------
    folder : Path
        Where the config.yaml lies, wherever the project was made.
    task, scorer : str
    keypoints : tuple of str
        Of each individual, then those of none.
    unique_keypoints : tuple of str
        Those that belong to no individual.
    individuals : tuple of str
        Empty where there is one.
    skeleton : tuple of (str, str)
    videos : tuple of Path
        Those that are found: at their path, or under their name in ``videos``.
    missing_videos : tuple of str
        The others, as the file names them.
    n_frames : int, optional
        How many frames DeepLabCut would pick of a video.
    """

    folder: Path
    task: str
    scorer: str
    keypoints: tuple[str, ...]
    unique_keypoints: tuple[str, ...]
    individuals: tuple[str, ...]
    skeleton: tuple[tuple[str, str], ...]
    videos: tuple[Path, ...]
    missing_videos: tuple[str, ...]
    n_frames: int | None = None

    @property
    def labeled_data(self) -> Path:
        """The folder with a folder of labelled images for each video."""
        return self.folder / "labeled-data"

    @property
    def videos_folder(self) -> Path:
        """Where DeepLabCut keeps its copies of the videos."""
        return self.folder / "videos"


def is_deeplabcut_project(folder: str | Path) -> bool:
    """Tell whether a folder looks like a project of DeepLabCut."""
    folder = Path(folder)
    return (folder / DEEPLABCUT_CONFIG).is_file() and any(
        (folder / name).is_dir() for name in ("labeled-data", "videos", "training-datasets", "dlc-models")
    )


def read_deeplabcut_project(path: str | Path) -> DeepLabCutProject:
    """Read a project's config.yaml.

    Parameters
    ----------
    path : path
        The config.yaml, or its folder.

    Returns
    -------
    DeepLabCutProject

    Raises
    ------
    FormatError
        If it is absent, damaged, or none of DeepLabCut.
    """
    path = Path(path)
    path = require_file(path / DEEPLABCUT_CONFIG if path.is_dir() else path, "config.yaml of DeepLabCut")
    table = _parse(path)
    several = isinstance(table.get("multianimalbodyparts"), list) and table.get("bodyparts") in (_MULTI, None, "")
    own = _names(table, "multianimalbodyparts" if several else "bodyparts", path)
    unique = _names(table, "uniquebodyparts", path) if several else ()
    if not own and not unique:
        raise FormatError(f"{path}: names no bodyparts; is it the config.yaml of a DeepLabCut project?")
    twice = [name for name in unique if name in own]
    if twice:
        raise FormatError(f"{path}: {twice[0]!r} stands in multianimalbodyparts and in uniquebodyparts; rename one")
    scorer = table.get("scorer", "")
    if not isinstance(scorer, str) or not scorer.strip():
        raise FormatError(f"{path}: scorer is missing, which names the files of labels")
    videos, missing = _videos(table.get("video_sets"), path)
    n_frames = table.get("numframes2pick", "")
    return DeepLabCutProject(
        folder=path.parent,
        task=str(table.get("Task", "")) or path.parent.name,
        scorer=scorer,
        keypoints=(*own, *unique),
        unique_keypoints=unique,
        individuals=_names(table, "individuals", path) if several else (),
        skeleton=_skeleton(table.get("skeleton"), (*own, *unique)),
        videos=videos,
        missing_videos=missing,
        n_frames=int(n_frames) if isinstance(n_frames, str) and n_frames.isdecimal() and len(n_frames) < 7 else None,
    )


def _parse(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FormatError(f"{path}: is too large for a config.yaml; is it another file?")
        # The base loader makes texts, lists and mappings alone: no objects, and a bodypart "no" stays a name.
        table = yaml.load(path.read_bytes().decode("utf-8-sig"), Loader=yaml.BaseLoader)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is no UTF-8 text; is it a config.yaml of DeepLabCut?") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(f"{path}: is no valid yaml ({reason}); correct it") from error
    if not isinstance(table, dict) or not {"bodyparts", "multianimalbodyparts"} & set(table):
        raise FormatError(f"{path}: names no bodyparts; is it the config.yaml of a DeepLabCut project?")
    return table


def _names(table: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    names = table.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise FormatError(f"{path}: {key} must be a list of names; correct it")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise FormatError(f"{path}: {key} names {twice[0]!r} twice; keep one")
    return tuple(names)


def _skeleton(links: Any, keypoints: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return pairs of keypoints; DeepLabCut's own skeletons may be chains, or name what was renamed since."""
    found = []
    for link in links if isinstance(links, list) else []:
        known = isinstance(link, list) and all(isinstance(name, str) and name in keypoints for name in link)
        if known:
            found += [(a, b) for a, b in pairwise(link) if a != b]
    return tuple(dict.fromkeys(found))


def _videos(sets: Any, path: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    found, missing = [], []
    for name in sets if isinstance(sets, dict) else {}:
        pure = PureWindowsPath(name) if "\\" in name else PurePosixPath(name)
        places = (Path(name), path.parent / "videos" / pure.name)
        try:
            there = next((place for place in places if place.is_file()), None)
        except (OSError, ValueError):  # a name that no file can have
            there = None
        if there is None:
            missing.append(str(name))
        else:
            found.append(there)
    return tuple(found), tuple(missing)
