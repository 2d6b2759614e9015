"""The folders of labelled images: which video each belongs to."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pose3d.errors import FormatError, ProjectError
from pose3d.io.deeplabcut_project import read_deeplabcut_project
from pose3d.io.files import write_text
from pose3d.io.names import IMAGE_SUFFIXES, natural_key
from pose3d.log import logger
from pose3d.project.names import split_name
from pose3d.project.project import Project, Session, Trial

__all__ = [
    "LabelFolders",
    "LabelledVideo",
    "images_in",
    "label_folder_of",
    "labelled_videos",
    "write_adopted_source",
    "write_source",
]

SOURCE_NAME = "source.toml"
_MOST_BYTES = 100_000


@dataclass(frozen=True)
class LabelledVideo:
    """A folder of images of one video, labelled or to be labelled.

    Attributes
    ----------
    name : str
        The first part of the names of its images: as a rule the folder's name.
    folder : Path
    camera : str
    recording : str
        Session and trial, ``monday/walk``: the same for all cameras of a trial.
    video : Path or None
        None where it is not known or not there.
    adopted : bool
        Whether it belongs to a project of DeepLabCut, where nothing is written.
    """

    name: str
    folder: Path
    camera: str
    recording: str
    video: Path | None = None
    adopted: bool = False


@dataclass(frozen=True)
class _Source:
    """A video of the project, or an adopted folder: what a folder's images are of."""

    session: str = ""
    trial: str = ""
    camera: str = ""
    adopted: str = ""


def images_in(folder: Path) -> tuple[Path, ...]:
    """List a folder's images, by name."""
    try:
        return tuple(
            sorted(
                path
                for path in folder.iterdir()
                if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
            )
        )
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ProjectError(f"{folder}: cannot be read ({error.strerror})") from error


class LabelFolders:
    """All folders of labelled images of a project, seen at one time.

    Parameters
    ----------
    project : Project

    Raises
    ------
    FormatError
        If an adopted project is absent or damaged.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        folders = [Path(os.path.normpath(project.folder / name)) for name in project.config.labeling.adopted]
        self.adopted_projects = tuple(read_deeplabcut_project(folder) for folder in folders)

    @cached_property
    def _videos(self) -> Mapping[str, tuple[tuple[_Source, Path | None], ...]]:
        """Videos of the project by the casefolded stem that names their folders."""
        found: dict[str, list[tuple[_Source, Path | None]]] = {}
        for session in self.project.sessions():
            try:
                trials = session.trials()
            except ProjectError as error:
                logger.warning("%s; labels of this session's videos are told apart by their folders' names", error)
                continue
            for trial in trials:
                for camera in dict.fromkeys((*trial.videos, *trial.pose_2d)):
                    source = _Source(session.name, trial.name, camera)
                    stem = _stem(trial, camera).casefold()
                    found.setdefault(stem, []).append((source, trial.videos.get(camera)))
        return {stem: tuple(items) for stem, items in found.items()}

    @cached_property
    def _paths(self) -> Mapping[_Source, Path | None]:
        return {source: path for items in self._videos.values() for source, path in items}

    @cached_property
    def _own(self) -> Mapping[Path, _Source | None]:
        """Folders of the project's own labels, each with what its source.toml says."""
        try:
            folders = [path for path in self.project.labeled_data.iterdir() if path.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise ProjectError(f"{self.project.labeled_data}: cannot be read ({error.strerror})") from error
        kept = [path for path in folders if not path.name.startswith(".")]
        return {path: _read_source(path) for path in sorted(kept, key=lambda path: natural_key(path.name))}

    def of_camera(self, session: Session | str, trial: Trial | str, camera: str) -> Path:
        """Return the folder of one camera's images of a trial; see :func:`label_folder_of`."""
        session_name = session if isinstance(session, str) else session.name
        trial_name = trial if isinstance(trial, str) else trial.name
        source = _Source(session_name, trial_name, camera)
        for folder, own in self._own.items():
            if own == source:
                return folder
        path = self._paths.get(source)
        stem = path.stem if path is not None else f"{trial_name}_{camera}"
        if len(self._videos.get(stem.casefold(), ())) <= 1 and self._is_free(stem):
            return self.project.labeled_data / stem
        name = f"{session_name.replace('/', '.')}.{stem}"
        number = 1
        while not self._is_free(name):
            number += 1
            name = f"{session_name.replace('/', '.')}.{stem}.{number}"
        return self.project.labeled_data / name

    def _is_free(self, name: str) -> bool:
        return not any(own is not None for path, own in self._own.items() if path.name.casefold() == name.casefold())

    def all(self) -> tuple[LabelledVideo, ...]:
        """List all folders, the project's own first; see :func:`labelled_videos`."""
        own = tuple(self._own_video(folder, source) for folder, source in self._own.items())
        return own + self._adopted()

    def _own_video(self, folder: Path, source: _Source | None) -> LabelledVideo:
        if source is not None and source.adopted:
            for video in self._adopted():
                if video.name == folder.name:
                    return LabelledVideo(video.name, folder, video.camera, video.recording, video.video)
        items = self._videos.get(folder.name.casefold(), ())
        if source is None and len(items) == 1:
            source = items[0][0]
        if source is None:
            trial, camera = self._split(folder.name)
            return LabelledVideo(folder.name, folder, camera, trial)
        recording = f"{source.session}/{source.trial}"
        return LabelledVideo(folder.name, folder, source.camera, recording, self._paths.get(source))

    def _adopted(self) -> tuple[LabelledVideo, ...]:
        found: list[LabelledVideo] = []
        taken = set(self._videos)
        taken |= {path.name.casefold() for path, own in self._own.items() if own is None or not own.adopted}
        held = {(own.adopted, path.name.casefold()) for path, own in self._own.items() if own is not None}
        for adopted in self.adopted_projects:
            in_place = adopted.folder.resolve() == self.project.folder.resolve()
            paths = {path.stem: path for path in adopted.videos}
            for folder in _label_folders(adopted.labeled_data):
                name = folder.name
                items = self._videos.get(name.casefold(), ())
                if in_place and len(items) == 1:
                    source, path = items[0]
                    recording = f"{source.session}/{source.trial}"
                    found.append(LabelledVideo(name, folder, source.camera, recording, path, adopted=True))
                    continue
                is_held = (adopted.folder.name, name.casefold()) in held
                if not in_place and not is_held and name.casefold() in taken:
                    name = f"{adopted.folder.name}.{name}"
                taken.add(name.casefold())
                trial, camera = self._split(folder.name)
                recording = f"{adopted.folder.name}/{trial}"
                found.append(LabelledVideo(name, folder, camera, recording, paths.get(folder.name), adopted=True))
        return tuple(found)

    def _split(self, name: str) -> tuple[str, str]:
        """Find trial and camera in a folder's name as far as it tells them."""
        config = self.project.config.project
        try:
            trial, camera = split_name(Path(f"{name}.mp4"), config.cam_regex, camera=config.camera)
        except ProjectError:
            return name, "camera"
        return trial or name, camera


def label_folder_of(project: Project, session: Session | str, trial: Trial | str, camera: str) -> Path:
    """Return the folder in which one camera's images of a trial are or will be kept.

    Parameters
    ----------
    project : Project
    session : Session or str
    trial : Trial or str
    camera : str

    Returns
    -------
    Path
        Below :attr:`Project.labeled_data`: under the video's name without ending, or behind the session's name and a
        dot where another video of the project has that name too.
    """
    return LabelFolders(project).of_camera(session, trial, camera)


def labelled_videos(project: Project) -> tuple[LabelledVideo, ...]:
    """List the folders of labelled images.

    Parameters
    ----------
    project : Project

    Returns
    -------
    tuple of LabelledVideo
        The project's own, then those of adopted projects. What is labelled anew in an adopted video's images is in an
        own folder of the same name.

    Raises
    ------
    FormatError
        If an adopted project is absent or damaged, or a source.toml is.
    """
    return LabelFolders(project).all()


def write_source(folder: Path, *, session: str, trial: str, camera: str) -> None:
    """Note in a folder of images which video they are of."""
    values = {"session": session, "trial": trial, "camera": camera}
    _write_source(folder, values)


def write_adopted_source(folder: Path, video: str, adopted: str) -> None:
    """Note in a folder of labels that its images lie in an adopted project."""
    _write_source(folder, {"adopted": adopted, "video": video})


def _write_source(folder: Path, values: Mapping[str, str]) -> None:
    lines = ["# Which video the images in this folder are of; written by pose3d."]
    lines += [f"{key} = {_quoted(value)}" for key, value in values.items()]
    write_text(folder / SOURCE_NAME, "\n".join(lines) + "\n")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read_source(folder: Path) -> _Source | None:
    path = folder / SOURCE_NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FormatError(f"{path}: is too large; delete it, and `pose3d extract` writes it anew")
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise FormatError(f"{path}: is damaged; delete it, and `pose3d extract` writes it anew") from error
    values = {key: table.get(key, "") for key in ("session", "trial", "camera", "adopted")}
    named = bool(values["adopted"]) or all(values[key] for key in ("session", "trial", "camera"))
    if not named or not all(isinstance(value, str) for value in values.values()):
        raise FormatError(f"{path}: needs session, trial and camera; delete it, and `pose3d extract` writes it anew")
    return _Source(**values)


def _stem(trial: Trial, camera: str) -> str:
    video = trial.videos.get(camera)
    return video.stem if video is not None else f"{trial.name}_{camera}"


def _label_folders(folder: Path) -> list[Path]:
    """List folders of images; DeepLabCut's drawings of its labels end in ``_labeled``."""
    try:
        found = [path for path in folder.iterdir() if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ProjectError(f"{folder}: cannot be read ({error.strerror})") from error
    kept = [path for path in found if not path.name.startswith(".") and not path.name.endswith("_labeled")]
    return sorted(kept, key=lambda path: natural_key(path.name))
