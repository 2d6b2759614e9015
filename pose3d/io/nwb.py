"""NWB, Neurodata Without Borders: points by its extension for poses (ndx-pose), and joint angles.

Points are in metres, as ndx-pose has them: a ``PoseEstimationSeries`` a keypoint (n_frames, 3), axes as they are (X
forward, Y left, Z up where the cameras were aligned), NaN where missing, with the score as confidence. Angles are
``TimeSeries`` in degrees in the interface ``JointAngles``. Both lie in the processing module ``behavior``. A file holds
one subject.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pose3d.data import JointAngles, Keypoints3D
from pose3d.errors import DataError, DependencyError, Pose3DError
from pose3d.io.files import atomic_path, require_rate, require_suffix
from pose3d.io.tables import individual_paths

__all__ = ["NwbSubject", "write_nwb"]

_UNKNOWN_START = "The session's start is not known: session_start_time is when the file of points was written. "
_ANY_ANIMAL = "http://purl.obolibrary.org/obo/NCBITaxon_33208"  # Metazoa
_ANY_AGE = "P0D/"
_FRAME = "Origin and axes of the calibration's world; after an alignment X forward, Y left, Z up, origin on the floor."


@dataclass(frozen=True)
class NwbSubject:
    """What NWB wants to know of a session and its subject, and the points do not tell.

    Attributes
    ----------
    session_start : datetime, optional
        With a time zone; the file says so where it is not known.
    subject_id : str, optional
        By default the name of the individual.
    species : str
        In Latin, such as ``Homo sapiens``, or a link to the NCBI taxonomy. Unless told, the animals as a whole.
    sex : {"M", "F", "O", "U"}
        Male, female, other, unknown.
    age : str
        As ISO 8601 writes durations: ``P30Y``, ``P90D``; bounds as ``P10W/P12W``. Unless told, of zero days or more.
    """

    session_start: datetime | None = None
    subject_id: str | None = None
    species: str = _ANY_ANIMAL
    sex: Literal["M", "F", "O", "U"] = "U"
    age: str = _ANY_AGE


def write_nwb(
    points: Keypoints3D,
    path: str | Path,
    *,
    angles: JointAngles | None = None,
    subject: NwbSubject | None = None,
    edges: Sequence[tuple[str, str]] = (),
    written: datetime | None = None,
    source: str = "",
) -> tuple[Path, ...]:
    """Write points and angles as NWB.

    Parameters
    ----------
    points : Keypoints3D
    path : path
        Several individuals go to one file each, ``<stem>_<individual>.nwb``.
    angles : JointAngles, optional
        Of the same frames and individuals.
    subject : NwbSubject, optional
    edges : sequence of (str, str)
        Links between keypoints.
    written : datetime, optional
        With a time zone: stands for the session's start where that is not known. By default now.
    source : str
        From which file the points come.

    Returns
    -------
    tuple of Path

    Raises
    ------
    DataError
        If the frame rate is unknown, angles are of other frames, several individuals would have one identity, or `path`
        is not named as an nwb.
    DependencyError
        If pynwb or ndx-pose is not installed.
    """
    require_suffix(path, ".nwb")
    rate, subject = require_rate(path, points.fps, "NWB"), subject or NwbSubject()
    if angles is not None and (angles.n_frames, angles.individuals) != (points.n_frames, points.individuals):
        raise DataError(f"{path}: the angles are of other frames or individuals than the points")
    if subject.subject_id is not None and len(points.individuals) > 1:
        raise DataError(f"{path}: one identity for {len(points.individuals)} individuals; leave the subject's id out")
    if subject.session_start is not None and subject.session_start.tzinfo is None:
        raise DataError(f"{path}: the session's start needs a time zone, such as 2024-05-31T14:00+02:00")
    if any(find_spec(package) is None for package in ("pynwb", "ndx_pose")):
        raise DependencyError("NWB needs the packages pynwb and ndx-pose: pip install 'pose3d[nwb]'")
    import pynwb

    paths = individual_paths(path, points.individuals)
    start = subject.session_start or written or datetime.now().astimezone()
    for i, file in enumerate(paths):
        content = _content(points, i, rate, start, subject, source)
        _add_points(content, points, i, rate, edges)
        if angles is not None:
            _add_angles(content, angles, i, rate)
        with atomic_path(file) as temporary:
            try:
                with pynwb.NWBHDF5IO(str(temporary), "w") as stream:
                    stream.write(content)
            except (OSError, ValueError, TypeError) as error:
                raise Pose3DError(f"{file}: cannot be written ({' '.join(str(error).split())[:120]})") from error
    return paths


def _content(
    points: Keypoints3D, individual: int, rate: float, start: datetime, subject: NwbSubject, source: str
) -> Any:
    import hashlib

    import pynwb

    from pose3d.io.names import SINGLE_INDIVIDUAL

    name = points.individuals[individual]
    identity = subject.subject_id or ("unknown" if name == SINGLE_INDIVIDUAL else name)
    digest = hashlib.sha256(np.ascontiguousarray(points.xyz[:, individual]).tobytes())
    digest.update(f"{source}\n{name}\n{rate!r}\n{start.isoformat()}".encode())
    content = pynwb.NWBFile(
        session_description=f"3D keypoints of {points.n_frames} frames at {rate:g} fps, by pose3d.",
        identifier=digest.hexdigest(),
        session_start_time=start,
        notes=f"{_UNKNOWN_START if subject.session_start is None else ''}Source: {source or 'computed'}",
        source_script="pose3d export --nwb",
        source_script_file_name="pose3d",
    )
    content.subject = pynwb.file.Subject(
        subject_id=identity,
        species=subject.species,
        sex=subject.sex,
        age=subject.age,
        description="Filmed by several cameras, without markers, or recorded by a motion-capture system.",
    )
    content.create_processing_module("behavior", "3D keypoints and joint angles")
    return content


def _add_points(
    content: Any, points: Keypoints3D, individual: int, rate: float, edges: Sequence[tuple[str, str]]
) -> None:
    from ndx_pose import PoseEstimation, PoseEstimationSeries, Skeleton, Skeletons

    names = [_safe(name) for name in points.keypoints]
    if len(set(names)) < len(names):
        raise DataError("NWB writes / and : in names as _, and then two keypoints have one name; rename one")
    index = {name: i for i, name in enumerate(points.keypoints)}
    kind = np.uint8 if len(names) < 256 else np.uint16
    links = np.array([[index[a], index[b]] for a, b in edges if a in index and b in index], dtype=kind)
    skeleton = Skeleton(
        name="skeleton", nodes=names, edges=links.reshape(-1, 2) if len(links) else None, subject=content.subject
    )
    # A rate would do, but programs that read poses ask for timestamps; they are stored once.
    time = (points.start + np.arange(points.n_frames)) / rate
    series: list[Any] = []
    for i, name in enumerate(names):
        score = points.score[:, individual, i]
        series.append(
            PoseEstimationSeries(
                name=name,
                description=f"Place of {points.keypoints[i]}; NaN where it is missing.",
                data=points.xyz[:, individual, i] / 1000.0,
                unit="meters",
                reference_frame=_FRAME,
                confidence=np.where(np.isfinite(score), score, np.nan),
                confidence_definition="Least score of the views that made the point, 0 to 1; NaN where none is known.",
                timestamps=series[0] if i else time,
            )
        )
    content.processing["behavior"].add(
        [
            PoseEstimation(
                name="PoseEstimation",
                pose_estimation_series=series,
                description="3D keypoints in metres, from several cameras or markers.",
                source_software="pose3d",
                skeleton=skeleton,
            ),
            Skeletons(skeletons=[skeleton]),
        ]
    )


def _add_angles(content: Any, angles: JointAngles, individual: int, rate: float) -> None:
    from pynwb.base import TimeSeries
    from pynwb.behavior import BehavioralTimeSeries

    series = [
        TimeSeries(
            name=_safe(name),
            description=f"Joint angle {name}; its zero and sign stand in the documentation of pose3d.",
            data=angles.deg[:, individual, i],
            unit="degrees",
            starting_time=angles.start / rate,
            rate=rate,
        )
        for i, name in enumerate(angles.names)
    ]
    content.processing["behavior"].add(BehavioralTimeSeries(name="JointAngles", time_series=series))


def _safe(name: str) -> str:
    """Name an object of an HDF5 file, in which / and : mean something."""
    return name.replace("/", "_").replace(":", "_")
