"""Points in space for other programs: what each format needs besides is read or computed here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pose3d.batch.gait import turn_points
from pose3d.batch.importing import read_recording
from pose3d.data import JointAngles, Keypoints3D, Status
from pose3d.data.events import LimbEvents
from pose3d.data.samples import PosteriorSamples, interval
from pose3d.errors import ConfigError, DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.nwb import NwbSubject
from pose3d.kinematics import HUMAN_ANGLES, body_angles
from pose3d.kinematics.armature import HUMAN_BONES, body_bones, build_armature
from pose3d.kinematics.joint_markers import with_joint_centres, with_midpoints
from pose3d.kinematics.sampled_angles import unsigned_angles, with_intervals
from pose3d.kinematics.segments import segment_angles
from pose3d.kinematics.stored_angles import angles_as_stored, angles_from_stored
from pose3d.kinematics.walking_angles import WALKING_ANGLES
from pose3d.log import logger

__all__ = ["ExportRequest", "export_points"]

_MOCAP = (".c3d", ".trc")
_Z_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class ExportRequest:
    """What is to be written, and what the points do not tell.

    Attributes
    ----------
    trc, c3d, mot, nwb, bvh, glb, parquet, tidy : Path, optional
        Where; of several individuals each gets a file, and the long tables hold all.
    angles : Path, optional
        csv of angles of the same frames. By default those of the points: of the model's segment axes, or as the file
        stores them (C3D), or of the human body.
    events : Path, optional
        csv of events for the C3D. By default those of a C3D that is exported.
    fps : float, optional
        Where the file does not say.
    unit : {"m", "mm"}
        Of the TRC.
    up : {"z", "y"}
        Which axis of the points points up.
    midpoints : bool
        Whether the TRC gets ``Neck``, ``Hip`` and ``CHip`` where it has none, as markers of OpenSim's models.
    edges : tuple of (str, str)
        Bones of NWB, BVH and GLB; of people, and where none are given, they are found.
    subject : NwbSubject
    """

    trc: Path | None = None
    c3d: Path | None = None
    mot: Path | None = None
    nwb: Path | None = None
    bvh: Path | None = None
    glb: Path | None = None
    parquet: Path | None = None
    tidy: Path | None = None
    angles: Path | None = None
    events: Path | None = None
    fps: float | None = None
    unit: Literal["m", "mm"] = "m"
    up: Literal["z", "y"] = "z"
    midpoints: bool = False
    edges: tuple[tuple[str, str], ...] = ()
    subject: NwbSubject = field(default_factory=NwbSubject)


@dataclass(frozen=True)
class _Source:
    """What a file of points holds."""

    path: Path
    points: Keypoints3D
    stored: Mapping[str, FloatArray]
    events: LimbEvents | None


def export_points(path: str | Path, request: ExportRequest) -> tuple[Path, ...]:
    """Write 3D keypoints in the formats that are asked for.

    Parameters
    ----------
    path : path
        anipose csv of 3D keypoints, TRC or C3D.
    request : ExportRequest

    Returns
    -------
    tuple of Path
        All files written.

    Raises
    ------
    Pose3DError
        If a file cannot be read, or the points lack what a format needs; formats before it are written then.
    """
    source = _read(Path(path), request)
    points, written = source.points, list[Path]()
    wants_angles = (request.mot, request.c3d, request.nwb, request.parquet, request.tidy)
    angles, of_body = _angles(source, request) if any(wants_angles) else (None, False)
    if request.trc is not None:
        from pose3d.io.trc import write_trc

        markers = with_midpoints(points) if request.midpoints else points
        written += write_trc(markers, request.trc, unit=request.unit)
    if request.c3d is not None:
        written += _write_c3d(source, angles, request)
    if request.mot is not None:
        from pose3d.io.mot import write_mot

        if angles is None:
            raise DataError(f"{path}: a MOT holds angles, and no angle can be computed of these points; give --angles")
        written += write_mot(angles, request.mot, fps=points.fps)
    if request.nwb is not None:
        from pose3d.io.nwb import write_nwb

        edges = _bones(source, request)
        stamp = datetime.fromtimestamp(source.path.stat().st_mtime, tz=UTC)
        written += write_nwb(
            points,
            request.nwb,
            angles=angles,
            subject=request.subject,
            edges=edges,
            written=stamp,
            source=source.path.name,
        )
    if request.bvh is not None:
        written += _write_bvh(source, request.bvh, request)
    if request.glb is not None:
        from pose3d.io.glb import write_glb

        body = with_midpoints(_body(source), ("Neck", "Hip"))
        written += write_glb(body, request.glb, edges=body_bones(body, request.edges))
    tables = [table for table in (request.parquet, request.tidy) if table is not None]
    if tables:
        written += _write_tables(source, angles, of_body, tables, up=request.up)
    return tuple(written)


def _read(path: Path, request: ExportRequest) -> _Source:
    """Read points with all that belongs to them, Z up."""
    from pose3d.io.anipose_csv import read_pose3d

    stored: Mapping[str, FloatArray] = {}
    events = None
    if path.suffix.lower() in _MOCAP:
        recording = read_recording(path)
        points, stored = recording.points, recording.angles
        events = recording.events if len(recording.events) else None
    else:
        points = read_pose3d(path)
    if request.fps is not None:
        points = replace(points, fps=request.fps)
    if request.up == "y":
        points = turn_points(points, _Z_FROM_Y_UP, np.zeros(3))
    return _Source(path, points, stored, events)


def _angles(source: _Source, request: ExportRequest) -> tuple[JointAngles | None, bool]:
    """Return the angles, and whether they were computed of a body's keypoints."""
    points = source.points
    if request.angles is not None:
        from pose3d.io.anipose_csv import read_angles

        angles = read_angles(request.angles)
        if (angles.n_frames, angles.start) != (points.n_frames, points.start) or len(points.individuals) > 1:
            raise DataError(f"{request.angles}: its angles are of other frames or individuals than {source.path}")
        return replace(angles, individuals=points.individuals, fps=points.fps), False
    measured = segment_angles(points) if len(points.individuals) == 1 else None
    if measured is not None and np.isfinite(measured.deg).any():
        return measured, False
    stored = angles_from_stored(source.stored)
    if stored:
        deg = np.stack(list(stored.values()), axis=-1)[:, None]
        return JointAngles(deg, tuple(stored), points.individuals, fps=points.fps, start=points.start), False
    try:
        return body_angles(_with_centres(source)), True
    except ConfigError as error:
        logger.info("%s: without angles: %s", source.path, error)
        return None, False


def _with_centres(source: _Source) -> Keypoints3D:
    return with_joint_centres(source.points) if source.path.suffix.lower() in _MOCAP else source.points


def _body(source: _Source) -> Keypoints3D:
    """Return the keypoints of a body without a laboratory's other markers, where there are joint centres."""
    points = _with_centres(source)
    if source.path.suffix.lower() not in _MOCAP or not {"LHip", "RHip"} <= set(points.keypoints):
        return points
    kept = [i for i, name in enumerate(points.keypoints) if name in HUMAN_BONES or name in ("Hip", "CHip")]
    names = [points.keypoints[i] for i in kept]
    return Keypoints3D.from_points(
        points.xyz[:, :, kept], names, points.individuals, fps=points.fps, start=points.start
    )


def _bones(source: _Source, request: ExportRequest) -> tuple[tuple[str, str], ...]:
    """Return the links for a file whose keypoints stay as they are."""
    if request.edges:
        return request.edges
    try:
        return body_bones(source.points)
    except DataError:
        return ()


def _single(points: Keypoints3D, i: int) -> Keypoints3D:
    covariance = None if points.covariance is None else points.covariance[:, [i]]
    parts = {name: getattr(points, name)[:, [i]] for name in ("xyz", "error", "n_cameras", "score", "status")}
    return replace(points, individuals=(points.individuals[i],), covariance=covariance, **parts)


def _write_c3d(source: _Source, angles: JointAngles | None, request: ExportRequest) -> Sequence[Path]:
    from pose3d.io.c3d_writer import write_c3d
    from pose3d.io.events import read_events
    from pose3d.io.tables import individual_paths

    assert request.c3d is not None
    points = source.points
    events = source.events if request.events is None else read_events(request.events)
    written: list[Path] = []
    for i, path in enumerate(individual_paths(request.c3d, points.individuals)):
        named = {} if angles is None else angles_as_stored(angles, i)
        named = {name: values for name, values in named.items() if name not in points.keypoints}
        if request.events is not None and len(points.individuals) > 1:
            raise DataError(f"{request.events}: events belong to one individual, the points are of several")
        written += write_c3d(_single(points, i), path, angles=named, events=events)
    return written


def _write_bvh(source: _Source, target: Path, request: ExportRequest) -> list[Path]:
    from pose3d.io.bvh import write_bvh
    from pose3d.io.tables import individual_paths

    body, written = _body(source), []
    for i, path in enumerate(individual_paths(target, body.individuals)):
        armature = build_armature(body, individual=i, edges=request.edges)
        share = armature.filled[:, ~armature.leaves].mean()
        if share:
            logger.warning(
                "%s: BVH holds no gaps: %.1f %% of its turns were not seen, and lie between neighbours",
                path,
                100 * share,
            )
        written.append(write_bvh(armature, path))
    return written


def _write_tables(
    source: _Source, angles: JointAngles | None, of_body: bool, targets: Sequence[Path], *, up: str
) -> Sequence[Path]:
    from pose3d.batch.plans import version
    from pose3d.io.tidy import tidy_table, write_tidy

    points, more = source.points, dict[str, Any]()
    samples = None if source.path.suffix.lower() in _MOCAP else _samples(source, up)
    if angles is not None and of_body:
        more["angle_status"] = _angle_status(_with_centres(source), angles)
        if samples is not None:
            angles = with_intervals(angles, points, samples, body_angles, unsigned=unsigned_angles())
    if samples is not None:
        who = [samples.individuals.index(name) for name in points.individuals]
        more["spread"] = interval(samples.xyz[:, :, who], axis=1)
    table = tidy_table(source.path.stem, points, angles, **more)
    facts: dict[str, Any] = {"program": f"pose3d {version()}", "source": source.path.name, "fps": points.fps}
    if samples is not None:
        facts["interval"] = f"95 %, from {samples.n_samples} posterior samples; each sample is a whole motion"
    return [file for target in targets for file in write_tidy(table, target, facts=facts)]


def _angle_status(points: Keypoints3D, angles: JointAngles) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Return for each angle the worst that its keypoints are: filled where one of them is."""
    index = {name: i for i, name in enumerate(points.keypoints)}
    status = np.full(angles.deg.shape, Status.OBSERVED, dtype=np.uint8)
    for angle in (*HUMAN_ANGLES, *WALKING_ANGLES):
        for side in "LR":
            name, needs = f"{angle.name}_{side.lower()}", angle.needs(side)
            if name in angles.names and all(keypoint in index for keypoint in needs):
                status[..., angles.names.index(name)] = points.status[:, :, [index[each] for each in needs]].max(-1)
    return status


def _samples(source: _Source, up: str) -> PosteriorSamples | None:
    """Read the posterior samples beside the points, with the same axis up; None where there are none."""
    from pose3d.io.samples import read_samples, samples_path

    beside, points = samples_path(source.path), source.points
    if not beside.is_file():
        return None
    samples = read_samples(beside, csvs=[source.path])
    if samples.n_frames != points.n_frames or samples.keypoints != points.keypoints:
        raise DataError(f"{beside}: its samples are of other frames or keypoints than {source.path}")
    if not set(points.individuals) <= set(samples.individuals):
        raise DataError(f"{beside}: its samples are of other individuals than {source.path}")
    return samples if up == "z" else replace(samples, xyz=samples.xyz @ _Z_FROM_Y_UP.T)
