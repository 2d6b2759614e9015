"""Recordings of motion-capture systems brought into a session: points, events and angles, and where they come from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from pose3d.batch.actions import StepReport, keep_copy, with_sides
from pose3d.data import JointAngles
from pose3d.data.mocap import MocapRecording
from pose3d.errors import ConfigError, FormatError, ProjectError
from pose3d.io.imported import AnglesSource, ImportRecord, import_path, read_import, write_import
from pose3d.io.names import fits_file_name
from pose3d.kinematics import body_angles
from pose3d.kinematics.joint_markers import with_joint_centres
from pose3d.kinematics.segments import segment_angles
from pose3d.kinematics.stored_angles import angles_from_stored, largest_difference
from pose3d.project import Session, Trial

__all__ = ["import_recording", "import_recordings", "mocap_angles", "read_recording"]

_UNEQUAL_DEG = 0.1
_HOW: Mapping[AnglesSource, str] = {
    "segment axes": "from the segment axes of its model",
    "stored angles": "as the file has them",
    "keypoints": "by the definitions for keypoints, on its joint centres",
}


@dataclass(frozen=True)
class _Found:
    """What a file holds, ready to be written."""

    path: Path
    trial: Trial
    recording: MocapRecording
    angles: JointAngles | None
    record: ImportRecord
    remarks: tuple[str, ...]


def import_recording(
    session: Session, path: str | Path, *, up: Literal["y", "z"] = "y", force: bool = False
) -> StepReport:
    """Bring one C3D or TRC into a session; see :func:`import_recordings`."""
    return import_recordings(session, [path], up=up, force=force)[0]


def import_recordings(
    session: Session, paths: Sequence[str | Path], *, up: Literal["y", "z"] = "y", force: bool = False
) -> list[StepReport]:
    """Bring recordings of a motion-capture system into a session.

    Of a file ``walk.c3d`` become ``pose-3d/walk.csv`` (all points, mm, Z up), ``events/walk.csv`` where it has events,
    ``angles/walk.csv`` where it tells angles (see :func:`mocap_angles`), and ``pose-3d/walk.import.toml``, by which
    others know that this trial was not made from videos. All files are read before anything is written.

    Parameters
    ----------
    session : Session
        Of :meth:`pose3d.project.Project.place`; its folder is made if it is not there.
    paths : sequence of path
    up : {"y", "z"}
        Which axis of a TRC points up.
    force : bool
        Write also over results that were changed by hand since the last import, of which copies are kept.

    Returns
    -------
    list of StepReport
        One a file.

    Raises
    ------
    FormatError
        If a file is neither C3D nor TRC, or is damaged.
    ProjectError
        If the session holds such a trial from elsewhere, two files would make one trial, or a result of an earlier
        import was changed by hand.
    """
    found = [_examine(session, Path(path), up) for path in paths]
    first: dict[str, Path] = {}
    for item in found:
        key = item.trial.name.casefold()
        if key in first:
            raise ProjectError(f"{item.path}: would become the trial of {first[key]}; rename the one or the other")
        first[key] = item.path
    edited = [_require_free(session, item, force) for item in found]
    return [_write(session, item, names) for item, names in zip(found, edited, strict=True)]


def read_recording(path: str | Path, *, up: Literal["y", "z"] = "y") -> MocapRecording:
    """Read a C3D or a TRC, by its ending.

    Raises
    ------
    FormatError
        If it is neither, or is damaged.
    """
    ending = Path(path).suffix.lower()
    if ending == ".c3d":
        from pose3d.io.c3d import read_c3d

        return read_c3d(path)
    if ending == ".trc":
        from pose3d.io.trc import read_trc

        return MocapRecording(read_trc(path, up=up))
    raise FormatError(f"{path}: a .c3d or .trc of a motion-capture system is imported")


def mocap_angles(recording: MocapRecording) -> tuple[JointAngles | None, AnglesSource, tuple[str, ...]]:
    """Get the joint angles of a recording, by the best way that it allows.

    Parameters
    ----------
    recording : MocapRecording

    Returns
    -------
    angles : JointAngles or None
    source : {"segment axes", "stored angles", "keypoints", "none"}
        In this order: computed from the axes of the model's segments; the file's own angles; computed by the
        definitions for keypoints on its joint centres (:data:`pose3d.kinematics.joint_markers.JOINT_MARKERS`).
    remarks : tuple of str
        What people should know.
    """
    points = recording.points
    stored = angles_from_stored(recording.angles)
    computed = segment_angles(points, follow_turns=True)
    if computed is not None and np.isfinite(computed.deg).any():
        own = {name: computed.deg[:, 0, i] for i, name in enumerate(computed.names)}
        unlike = {name: away for name, away in largest_difference(own, stored).items() if away > _UNEQUAL_DEG}
        if not unlike:
            return computed, "segment axes", ()
        names = ", ".join(unlike)
        remark = f"from the axes, unlike what the file stores (by up to {max(unlike.values()):.1f} degrees): {names}"
        return computed, "segment axes", (remark,)
    if stored:
        deg = np.stack(list(stored.values()), axis=-1)[:, None]
        angles = JointAngles(deg, tuple(stored), points.individuals, fps=points.fps, start=points.start)
        return angles, "stored angles", ()
    try:
        angles = body_angles(with_joint_centres(points))
    except ConfigError:
        return None, "none", ("no angles: the file holds neither segment axes nor angles nor joint centres",)
    return angles, "keypoints", ()


def _examine(session: Session, path: Path, up: Literal["y", "z"]) -> _Found:
    recording = read_recording(path, up=up)
    points = recording.points
    assert points.fps is not None  # both readers refuse files without
    if not fits_file_name(path.stem) or path.stem != path.stem.strip(" ."):
        raise ProjectError(f"{path}: {path.stem!r} cannot name a trial; rename the file")
    named = replace(points, keypoints=tuple(name or f"point{i + 1}" for i, name in enumerate(points.keypoints)))
    angles, source, remarks = mocap_angles(recording)
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    record = ImportRecord(path.name, digest, source, len(recording.events), points.fps)
    trial = Trial(session, path.stem, {}, {})
    return _Found(path, trial, replace(recording, points=named), angles, record, remarks)


def _targets(trial: Trial) -> tuple[Path, ...]:
    return trial.pose_3d, trial.angles, trial.events


def _require_free(session: Session, item: _Found, force: bool) -> tuple[Path, ...]:
    """Check that nothing of another origin is overwritten; return what was changed by hand and may be."""
    trial = item.trial
    videos = next((each for each in session.trials() if each.name.casefold() == trial.name.casefold()), None)
    if videos is not None:
        raise ProjectError(f"{item.path}: the session has videos or 2D keypoints of a trial {trial.name!r}; rename it")
    there = [path for path in _targets(trial) if path.exists()]
    if not trial.import_record.exists():
        if there:
            raise ProjectError(f"{there[0]}: is there already, not from an import; move it, or rename {item.path}")
        return ()
    try:
        before = read_import(trial.import_record)
    except FormatError:
        if force:
            return tuple(there)
        raise
    if before.source != item.record.source:
        raise ProjectError(
            f"{item.path}: the session holds a trial {trial.name!r} from {before.source}; rename the one or the other"
        )
    edited = tuple(path for path in there if _changed(before, path, session))
    if edited and not force:
        raise ProjectError(f"{edited[0]}: was changed by hand since its import; --force makes it anew and keeps a copy")
    return edited


def _changed(before: ImportRecord, path: Path, session: Session) -> bool:
    # a record without files is of an import that was ended half-way
    known = before.files.get(path.relative_to(session.folder).as_posix())
    return bool(before.files) and known != _digest(path)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read ({error.strerror})") from error


def _write(session: Session, item: _Found, edited: Sequence[Path]) -> StepReport:
    from pose3d.io.anipose_csv import write_angles, write_pose3d
    from pose3d.io.events import write_events
    from pose3d.io.uncertainty import uncertainty_path

    trial, copies = item.trial, [keep_copy(path) for path in edited]
    record = import_path(trial.pose_3d)
    write_import(item.record, record)  # first: what follows belongs to an import, even if it is cut short
    main = list(write_pose3d(item.recording.points, trial.pose_3d))
    if item.angles is not None:
        main += write_angles(item.angles, trial.angles)
    if len(item.recording.events):
        write_events(item.recording.events, trial.events)
        main.append(trial.events)
    for old in _targets(trial):  # of an earlier import, whose file had more
        if old not in main:
            old.unlink(missing_ok=True)
            uncertainty_path(old).unlink(missing_ok=True)
    files = with_sides(tuple(main))
    digests = {path.relative_to(session.folder).as_posix(): _digest(path) for path in files}
    write_import(replace(item.record, files=digests), record)
    points, n_angles = item.recording.points, 0 if item.angles is None else len(item.angles.names)
    lines = [f"{points.n_frames} frames at {points.fps:g} fps, {len(points.keypoints)} points"]
    if item.angles is not None:
        lines.append(f"{n_angles} angles, {_HOW[item.record.angles]}")
    if len(item.recording.events):
        lines.append(repr(item.recording.events).removeprefix("LimbEvents(").removesuffix(")"))
    lines += [*item.remarks, *(f"the file that was changed by hand is kept as {copy.name}" for copy in copies)]
    summary = {
        "trial": trial.name,
        "source": item.record.source,
        "sha256": item.record.sha256,
        "fps": item.record.fps,
        "n_frames": points.n_frames,
        "angles": item.record.angles,
        "n_angles": n_angles,
        "events": item.record.events,
        "remarks": list(item.remarks),
    }
    return StepReport((*files, record), tuple(lines), summary)
