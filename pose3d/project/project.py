"""Projects, sessions and trials: the only code that builds paths."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pose3d.errors import ProjectError
from pose3d.io.imported import IMPORT_SUFFIX, import_path
from pose3d.io.names import IMAGE_SUFFIXES, KEYPOINT_SUFFIXES, fits_file_name, natural_key
from pose3d.log import logger
from pose3d.project.config import CONFIG_NAME, Config, load_config
from pose3d.project.names import match_cameras, split_name, stem_of

__all__ = ["Project", "Session", "Trial"]

_POSE_2D, _POSE_3D, _CALIBRATION = "pose-2d", "pose-3d", "calibration"
_UNFINISHED = ".partial"
"""How folders end in which parts of a result wait for the others."""


def _absolute(path: str | Path) -> Path:
    # not resolve(): a session that is a link to another disk still belongs to the project in which the link lies
    return Path(os.path.normpath(Path(path).absolute()))


def _entries(folder: Path) -> list[Path]:
    """List a folder in natural order without hidden files; nothing where there is no folder."""
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ProjectError(f"{folder}: cannot be read ({error.strerror})") from error
    return sorted(entries, key=lambda path: natural_key(path.name))


def _holds(folder: Path, suffixes: Collection[str]) -> bool:
    """Tell whether a folder is one of such files; a folder of unfinished work never is."""
    return (
        folder.is_dir()
        and not folder.name.endswith(_UNFINISHED)
        and any(path.suffix.lower() in suffixes for path in _entries(folder))
    )


@dataclass(frozen=True)
class Project:
    """A folder with a ``pose3d.toml`` and sessions below it.

    Attributes
    ----------
    folder : Path
    config : Config
    """

    folder: Path
    config: Config

    @classmethod
    def load(cls, path: str | Path) -> "Project":
        """Find the project to which a path belongs.

        Parameters
        ----------
        path : path
            Its ``pose3d.toml``, its folder, or anything below.

        Raises
        ------
        ProjectError
            If neither the folder nor any above has a ``pose3d.toml``.
        ConfigError
            If its settings are wrong.
        """
        start = _absolute(path)
        if not start.exists():
            raise ProjectError(f"{path}: no such folder")
        if start.is_file() and start.suffix == ".toml":
            return cls(start.parent, load_config(start))
        for folder in (start, *start.parents):
            if (folder / CONFIG_NAME).is_file():
                return cls(folder, load_config(folder / CONFIG_NAME))
        raise ProjectError(
            f"{path}: no {CONFIG_NAME} here or in a folder above; `pose3d init` makes one in the project's folder"
        )

    @property
    def config_path(self) -> Path:
        """The settings' file."""
        return self.folder / CONFIG_NAME

    @property
    def labeled_data(self) -> Path:
        """The folder with a folder of labelled images for each video."""
        return self.folder / self.config.labeling.folder

    @property
    def models(self) -> Path:
        """The folder with a folder for each trained network."""
        return self.folder / "models"

    def model(self, name: str | None = None) -> Path:
        """Return the folder of a network, which there need not be.

        Parameters
        ----------
        name : str, optional
            By default that of ``[network]``.

        Raises
        ------
        ProjectError
            If the name cannot be a folder's.
        """
        name = self.config.network.model if name is None else name
        if not fits_file_name(name) or not name.strip(" ."):
            raise ProjectError(f"{name!r}: is no name for a network's folder in {self.models}; choose another")
        return self.models / name

    @property
    def _session_folders(self) -> tuple[str, ...]:
        return (self.config.project.videos_folder, _POSE_2D, _POSE_3D, _CALIBRATION)

    def sessions(self) -> "tuple[Session, ...]":
        """Sessions at any depth, in natural order.

        A session is a folder that holds ``videos-raw``, ``pose-2d``, ``pose-3d`` or ``calibration``. A folder that
        holds only ``calibration`` and has sessions below it is the calibration that those share, no session.
        """
        return tuple(Session(self, folder) for folder in self._find(self.folder, set()))

    def _find(self, folder: Path, seen: set[Path]) -> Iterator[Path]:
        real = folder.resolve()
        if real in seen:  # links may lead in circles
            return
        seen.add(real)
        try:
            entries = _entries(folder)
        except ProjectError as error:
            logger.warning("%s; sessions in it are not seen", error)
            return
        others = (self.labeled_data, self.models)
        folders = [
            path for path in entries if path.is_dir() and path.name not in self._session_folders and path not in others
        ]
        below = [session for path in folders for session in self._find(path, seen)]
        has = [name for name in self._session_folders if (folder / name).is_dir()]
        if has and not (has == [_CALIBRATION] and below):
            yield folder
        yield from below

    def session(self, folder: str | Path) -> "Session":
        """Return the session in a folder.

        Raises
        ------
        ProjectError
            If the folder is none of a session of this project.
        """
        path = _absolute(folder)
        inside = self._session_folders
        if path.name in (*inside, _POSE_3D) and not any((path / name).is_dir() for name in inside):
            path = path.parent  # SESSION/pose-2d was given
        session = self.place(path)
        if not any((path / name).is_dir() for name in inside):
            names = ", ".join(session.name for session in self.sessions()[:5])
            hint = f"; sessions of this project: {names}" if names else ""
            raise ProjectError(f"{folder}: is no session: it holds none of {', '.join(inside)}{hint}")
        return session

    def place(self, folder: str | Path) -> "Session":
        """Return the session that a folder of this project is, or will be once trials are imported into it.

        Raises
        ------
        ProjectError
            If the folder lies outside of the project, or is a file.
        """
        path = _absolute(folder)
        if path != self.folder and self.folder not in path.parents:
            raise ProjectError(f"{folder}: lies outside of the project {self.folder}")
        if path.exists() and not path.is_dir():
            raise ProjectError(f"{folder}: is a file; a session is a folder")
        return Session(self, path)


@dataclass(frozen=True)
class Session:
    """Recordings made with one placement of the cameras: one calibration and any number of trials.

    Attributes
    ----------
    project : Project
    folder : Path
    """

    project: Project = field(repr=False)
    folder: Path

    @classmethod
    def load(cls, folder: str | Path) -> "Session":
        """Find a session's project, and the session.

        Raises
        ------
        ProjectError
            If the folder is no session, or in no project.
        ConfigError
            If the project's settings are wrong.
        """
        return Project.load(folder).session(folder)

    @property
    def name(self) -> str:
        """Path below the project, with ``/``; the folder's own name if it is the project."""
        if self.folder == self.project.folder:
            return self.folder.name
        return self.folder.relative_to(self.project.folder).as_posix()

    @property
    def config(self) -> Config:
        """The project's settings."""
        return self.project.config

    @property
    def calibration_folder(self) -> Path:
        """The session's ``calibration``, or else the nearest above it that lies in the project."""
        for folder in (self.folder, *self.folder.parents):
            if (folder / _CALIBRATION).is_dir():
                return folder / _CALIBRATION
            if folder == self.project.folder:
                break
        return self.folder / _CALIBRATION

    @property
    def calibration_toml(self) -> Path:
        """The cameras."""
        return self.calibration_folder / "calibration.toml"

    @property
    def calibration_uncertainty(self) -> Path:
        """How well the cameras are known; there need not be one."""
        from pose3d.io.rig_covariance import rig_covariance_path

        return rig_covariance_path(self.calibration_toml)

    @property
    def calibration_report(self) -> Path:
        """The page about the calibration."""
        return self.calibration_folder / "calibration-report.html"

    @property
    def sync_toml(self) -> Path:
        """When each camera saw what, of all trials; there need not be one."""
        return self.folder / "sync.toml"

    @property
    def edits_toml(self) -> Path:
        """What a person corrected in the trials; there need not be any."""
        return self.folder / "edits.toml"

    def imported(self) -> "tuple[Trial, ...]":
        """Find the trials of a motion-capture system that were imported, in natural order of their names."""
        ends = [
            path.name.removesuffix(IMPORT_SUFFIX)
            for path in _entries(self.folder / _POSE_3D)
            if path.name.endswith(IMPORT_SUFFIX)
        ]
        return tuple(Trial(self, name, {}, {}) for name in ends)

    def lens_clips(self) -> dict[str, Path]:
        """Find the clips of the board for single cameras' lenses, in ``calibration/lenses``; as the clips beside it."""
        return self._board_clips(self.calibration_folder / "lenses")

    def calibration_videos(self) -> dict[str, Path]:
        """Find the clips of the board, or folders of photos of it, camera by camera.

        Raises
        ------
        ProjectError
            If a name does not match ``cam_regex``, or two are of one camera.
        """
        return self._board_clips(self.calibration_folder)

    def _board_clips(self, folder: Path) -> dict[str, Path]:
        config = self.config.project
        clips = [
            path
            for path in _entries(folder)
            if path.name != "lenses"
            and ((path.is_file() and path.suffix.lower() in config.video_extensions) or _holds(path, IMAGE_SUFFIXES))
        ]
        return match_cameras(clips, config.cam_regex, camera=config.camera)

    def trials(self) -> "tuple[Trial, ...]":
        """Find the trials, in natural order of their names: all of which there are videos or 2D keypoints.

        Raises
        ------
        ProjectError
            If a name does not match ``cam_regex``, or two files are of one trial and camera.
        """
        extensions = self.config.project.video_extensions
        videos = [
            path
            for path in _entries(self.folder / self.config.project.videos_folder)
            if path.is_file() and path.suffix.lower() in extensions
        ]
        # Copies in which DeepLabCut drew its keypoints lie beside the videos.
        stems = {path.stem for path in videos}
        videos = [path for path in videos if stem_of(path) == path.stem or stem_of(path) not in stems]
        poses = [
            path
            for path in _entries(self.folder / _POSE_2D)
            if (path.is_file() and path.suffix.lower() in KEYPOINT_SUFFIXES) or _holds(path, (".json",))
        ]
        poses = [path for path in poses if not (path.suffix == ".csv" and path.with_suffix(".h5") in poses)]
        by_trial = self._group(videos), self._group(poses)
        names = sorted({*by_trial[0], *by_trial[1]}, key=natural_key)
        return tuple(Trial(self, name, by_trial[0].get(name, {}), by_trial[1].get(name, {})) for name in names)

    def recordings(self) -> tuple[Path, ...]:
        """Find the files of points in space, one for each trial and individual, in natural order."""
        return tuple(
            path
            for path in _entries(self.folder / _POSE_3D)
            if path.is_file() and path.suffix == ".csv" and not path.stem.endswith((".uncertainty", ".intervals"))
        )

    def events_of(self, pose_3d: Path) -> Path:
        """Return where the events of one recording go."""
        return self.folder / "events" / pose_3d.name

    @property
    def reports(self) -> Path:
        """The folder of reports."""
        return self.folder / "reports"

    def _group(self, paths: Sequence[Path]) -> dict[str, dict[str, Path]]:
        """Group files as trial to camera to file."""
        config = self.config.project
        groups: dict[str, list[Path]] = {}
        for path in paths:
            trial, _ = split_name(path, config.cam_regex, camera=config.camera)
            groups.setdefault(trial or self.folder.name, []).append(path)
        return {trial: match_cameras(files, config.cam_regex, camera=config.camera) for trial, files in groups.items()}

    def trial(self, name: str) -> "Trial":
        """Return a trial by its name.

        Raises
        ------
        ProjectError
            If there is none of this name.
        """
        trials = self.trials()
        for trial in trials:
            if trial.name == name:
                return trial
        there = ", ".join(trial.name for trial in trials) or "none"
        raise ProjectError(f"{self.folder}: no trial {name!r}; there is {there}")


@dataclass(frozen=True)
class Trial:
    """One recording by all cameras of a session.

    Attributes
    ----------
    session : Session
    name : str
        What all its files' names have in common; the session's own name where they name only the camera.
    videos, pose_2d : mapping
        Camera to file, cameras in natural order.
    """

    session: Session = field(repr=False)
    name: str
    videos: Mapping[str, Path]
    pose_2d: Mapping[str, Path]

    @property
    def pose_3d(self) -> Path:
        """Keypoints in space."""
        return self.session.folder / _POSE_3D / f"{self.name}.csv"

    @property
    def import_record(self) -> Path:
        """Where the trial was imported from, if it was."""
        return import_path(self.pose_3d)

    @property
    def events(self) -> Path:
        """Events of the limbs; there need not be any."""
        return self.session.folder / "events" / f"{self.name}.csv"

    @property
    def angles(self) -> Path:
        """Joint angles."""
        return self.session.folder / "angles" / f"{self.name}.csv"

    @property
    def trc(self) -> Path:
        """Keypoints in space, for OpenSim."""
        return self.session.folder / "exports" / f"{self.name}.trc"

    def angles_of(self, pose_3d: Path) -> Path:
        """Return where the angles of one individual's pose-3d file go."""
        return self.angles.with_name(f"{pose_3d.stem}.csv")

    def trc_of(self, pose_3d: Path) -> Path:
        """Return where the export of one individual's pose-3d file goes."""
        return self.trc.with_name(f"{pose_3d.stem}.trc")
