"""A session's walks, from its files to what a gait report shows."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from pose3d.batch.walks import OF_KEYPOINTS, MeasuredWalk, WalkFiles, WalkSettings, measure_files
from pose3d.data.norms import Norms
from pose3d.data.recording_facts import RecordingFacts
from pose3d.errors import DataError, FormatError, Pose3DError
from pose3d.kinematics.gait_findings import GaitStudy
from pose3d.kinematics.gait_study import study_gait
from pose3d.kinematics.observable import OTHER_ZERO, unobservable
from pose3d.log import Progress, no_progress
from pose3d.project import Session
from pose3d.project.edits import point_edits

__all__ = ["SessionGait", "study_session", "walk_files"]

_HOW = {
    "segment axes": "segment axes of the imported model: Plug-in Gait's angles",
    "stored angles": "as the imported file has them",
    "keypoints": "definitions on the joint centres of the imported markers",
}


@dataclass(frozen=True, eq=False)
class SessionGait:
    """What a session says of somebody's gait.

    Attributes
    ----------
    name : str
        Of the session.
    subject : str
        Code of the person.
    study : GaitStudy
    recordings : tuple of RecordingFacts
    refused : tuple of (str, str)
        Recordings that could not be used, and why.
    cameras : tuple of str
        Those of the calibration, if there is one.
    settings : WalkSettings
    hidden : mapping of str to str
        Plug-in Gait's angles that the points do not show, and why.
    """

    name: str
    subject: str
    study: GaitStudy
    recordings: tuple[RecordingFacts, ...]
    refused: tuple[tuple[str, str], ...]
    cameras: tuple[str, ...]
    settings: WalkSettings
    hidden: Mapping[str, str]


def study_session(
    session: Session,
    *,
    only: Sequence[str] | None = None,
    norms: Norms | None = None,
    workers: int = 1,
    progress: Progress = no_progress,
) -> SessionGait:
    """Measure the walks of a session.

    Parameters
    ----------
    session : Session
    only : sequence of str, optional
        Names of recordings, as their files in ``pose-3d``; by default all.
    norms : Norms, optional
        By default those of the project's ``[gait]``.
    workers : int
        Processes, at most one for each recording. More than one needs a script that is guarded by
        ``if __name__ == "__main__":``.
    progress : callable, optional

    Returns
    -------
    SessionGait
        A recording that cannot be used is listed with the reason, and the others are measured.

    Raises
    ------
    DataError
        If there is no recording, or none that can be used.
    ConfigError, FormatError
        If the norms of the project cannot be read.
    """
    files = walk_files(session, only)
    config = session.config.gait
    if norms is None and config.norms is not None:
        from pose3d.io.norms import read_norms

        norms = read_norms(session.project.folder / config.norms, group=config.norms_group)
    settings = WalkSettings(
        session.config.project.fps, config.event_cutoff_hz or None, config.most_turn_deg, config.noise_mm
    )
    measured: dict[str, MeasuredWalk] = {}
    refused: dict[str, str] = {}
    n = max(1, min(len(files), workers))
    progress("recordings", 0, len(files))
    if n == 1:
        for i, one in enumerate(files):
            _take(one, _measure(one, settings), measured, refused)
            progress("recordings", i + 1, len(files))
    else:
        with ProcessPoolExecutor(n, mp_context=get_context("spawn")) as pool:
            waiting = {pool.submit(_measure, one, settings): one for one in files}
            for i, done in enumerate(as_completed(waiting)):
                _take(waiting[done], done.result(), measured, refused)
                progress("recordings", i + 1, len(files))
    if not measured:
        name, reason = next(iter(refused.items()))
        raise DataError(f"{session.folder}: no recording can be used for a gait report; {name}: {reason}")
    walks = [measured[one.name] for one in files if one.name in measured]
    return SessionGait(
        session.name,
        config.subject or "",
        study_gait([walk.trial for walk in walks], norms, not_comparable=_other_zero(walks)),
        tuple(walk.facts for walk in walks),
        tuple((one.name, refused[one.name]) for one in files if one.name in refused),
        _cameras(session),
        settings,
        _hidden(walks),
    )


def walk_files(session: Session, only: Sequence[str] | None = None) -> tuple[WalkFiles, ...]:
    """Find the recordings of a session that may be walks: all points in space.

    Parameters
    ----------
    session : Session
    only : sequence of str, optional
        Names of recordings.

    Raises
    ------
    DataError
        If there is none, or none of a name.
    FormatError
        If the session's ``edits.toml`` is damaged.
    """
    found = {}
    for points in session.recordings():
        angles, how = _imported_angles(session, points)
        events = session.events_of(points)
        samples = _samples_of(points)
        found[points.stem] = WalkFiles(
            points.stem,
            points,
            angles,
            how,
            events=events if events.is_file() else None,
            samples=samples,
            corrections=point_edits(points),
        )
    if not found:
        raise DataError(f"{session.folder}: there is nothing in pose-3d; run pose3d run {session.folder} first")
    for name in only or ():
        if name not in found:
            raise DataError(f"{session.folder}: no recording {name!r} in pose-3d; there is {', '.join(found)}")
    return tuple(one for name, one in found.items() if not only or name in only)


def _samples_of(points: Path) -> Path | None:
    """Find the samples of points; several individuals of a trial have one file."""
    from pose3d.io.samples import open_samples, samples_path

    own = samples_path(points)
    if own.is_file():
        return own
    ending = own.name.removeprefix(points.stem)
    stems = [path.name.removesuffix(ending) for path in points.parent.glob(f"*{ending}")]
    shared = [stem for stem in stems if points.stem.startswith(f"{stem}_")]
    if not shared:
        return None
    of_the_trial = points.with_name(max(shared, key=len) + ending)
    try:
        open_samples(of_the_trial, csvs=[points])
    except FormatError:
        return None  # of another trial, whose name begins alike
    return of_the_trial


def _imported_angles(session: Session, points: Path) -> tuple[Path | None, str]:
    """Return the angles of a recording that was imported, and how they were made."""
    from pose3d.io.imported import import_path, read_import

    record, angles = import_path(points), session.folder / "angles" / points.name
    if not record.is_file() or not angles.is_file():
        return None, ""
    return angles, _HOW.get(read_import(record).angles, "")


def _measure(files: WalkFiles, settings: WalkSettings) -> MeasuredWalk | str:
    try:
        return measure_files(files, settings)
    except Pose3DError as error:
        return str(error)


def _take(
    files: WalkFiles, found: MeasuredWalk | str, measured: dict[str, MeasuredWalk], refused: dict[str, str]
) -> None:
    if isinstance(found, str):
        refused[files.name] = found
    else:
        measured[files.name] = found


def _other_zero(walks: Sequence[MeasuredWalk]) -> dict[str, str]:
    """Return the angles whose zero is not that of norms: those of keypoints, where a recording has no model."""
    return dict(OTHER_ZERO) if any(walk.facts.angles in (OF_KEYPOINTS, _HOW["keypoints"]) for walk in walks) else {}


def _hidden(walks: Sequence[MeasuredWalk]) -> dict[str, str]:
    """Return what no recording shows; imported models show what their files hold."""
    found: dict[str, str] = {}
    for walk in walks:
        shown = {name[:-2] for side in walk.trial.gait.sides.values() for name in side.cycles}
        reasons = unobservable(walk.facts.coverage.keypoints)
        found |= {name: reason for name, reason in reasons.items() if name not in shown}
    every = {name[:-2] for walk in walks for side in walk.trial.gait.sides.values() for name in side.cycles}
    return {name: reason for name, reason in found.items() if name not in every}


def _cameras(session: Session) -> tuple[str, ...]:
    from pose3d.io.rigs import load_rig

    if not session.calibration_toml.is_file():
        return ()
    return load_rig(session.calibration_toml).names
