"""Which files belong to a recording, in a project and beside none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pose3d.data import Skeleton
from pose3d.errors import Pose3DError, ProjectError
from pose3d.project import Session
from pose3d.project.project import Trial

__all__ = ["FoundFiles", "find_files"]

_T = TypeVar("_T")


@dataclass
class FoundFiles:
    """Files that belong to a recording, and what was said while they were looked for."""

    name: str
    points: tuple[Path, ...]
    rig: Path | None = None
    videos: Mapping[str, Path] = field(default_factory=dict)
    views: Mapping[str, Path] = field(default_factory=dict)
    angles: tuple[Path, ...] = ()
    events: Path | None = None
    samples: Path | None = None
    timing: Path | None = None
    offsets: Mapping[str, float] = field(default_factory=dict)
    skeleton: Skeleton | None = None
    angle_keypoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fps: float | None = None
    remarks: list[str] = field(default_factory=list)

    def tried(self, what: str, read: Callable[[], _T]) -> _T | None:
        """Read something that may be left out; what goes wrong becomes a remark."""
        try:
            return read()
        except Pose3DError as error:
            self.remarks.append(f"{what} left out: {error}")
        except (OSError, ValueError, KeyError, MemoryError) as error:
            self.remarks.append(f"{what} left out: {type(error).__name__}: {error}")
        return None


def find_files(source: Trial | str | Path, trial: str | None) -> FoundFiles:
    """Find the files of a recording."""
    if isinstance(source, Trial):
        return _of_trial(source, None)
    path = Path(source)
    if path.is_dir():
        session = Session.load(path)
        names = [each.name for each in (*session.trials(), *session.imported())]
        if trial is not None and trial not in names:
            raise ProjectError(f"{path}: no trial {trial!r}; there is {', '.join(names) or 'none'}")
        with_points = [each for each in (*session.trials(), *session.imported()) if _points_of(each)]
        chosen = [each for each in with_points if trial in (None, each.name)]
        if not chosen:
            raise ProjectError(f"{path}: there are no points yet; run pose3d run {path}")
        return _of_trial(chosen[0], None)
    if path.parent.name == "pose-3d":
        try:
            session = Session.load(path.parent.parent)
            for each in sorted((*session.trials(), *session.imported()), key=lambda one: -len(one.name)):
                if path.resolve() in [other.resolve() for other in _points_of(each)]:
                    return _of_trial(each, path)
        except Pose3DError:
            pass  # a file beside no project, or beside one with faults, is still a file of points
    return _of_file(path)


def _points_of(trial: Trial) -> tuple[Path, ...]:
    """Return the files of a trial's individuals: one of its name, or several that begin with it."""
    if trial.pose_3d.is_file():
        return (trial.pose_3d,)
    others = [each.name for each in trial.session.trials() if each.name.startswith(f"{trial.name}_")]
    return tuple(
        path
        for path in trial.session.recordings()
        if path.stem.startswith(f"{trial.name}_")
        and not any(path.stem == name or path.stem.startswith(f"{name}_") for name in others)
    )


def _of_trial(trial: Trial, only: Path | None) -> FoundFiles:
    paths = _points_of(trial) if only is None else (only,)
    if not paths:
        raise ProjectError(f"{trial.pose_3d}: there are no points yet; run pose3d run {trial.session.folder}")
    from pose3d.io.samples import samples_path

    session, config = trial.session, trial.session.config
    angles = tuple(path for path in map(trial.angles_of, paths) if path.is_file())
    found = FoundFiles(
        paths[0].stem if only is not None else trial.name,
        paths,
        videos=trial.videos,
        views=trial.pose_2d,
        angles=angles if len(angles) == len(paths) else (),
        offsets=config.offsets,
        skeleton=config.to_skeleton(),
        angle_keypoints={name: tuple(words) for name, words in config.angles.items()},
        fps=config.project.fps,
    )
    found.rig = session.calibration_toml if session.calibration_toml.is_file() else None
    found.timing = session.sync_toml if session.sync_toml.is_file() else None
    events = session.events_of(paths[0])
    found.events = events if events.is_file() else None
    samples = samples_path(trial.pose_3d)
    found.samples = samples if samples.is_file() else None
    for what, path in (("cameras: there is no calibration", found.rig), ("videos: there are none", found.videos)):
        if not path:
            found.remarks.append(what)
    return found


def _of_file(path: Path) -> FoundFiles:
    from pose3d.io.samples import samples_path

    samples = samples_path(path)
    return FoundFiles(path.stem, (path,), samples=samples if samples.is_file() else None)
