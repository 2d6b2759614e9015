"""Find and read all that belongs to a recording. Only points that cannot be read are an error."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pose3d.data import JointAngles, Keypoints2D, Keypoints3D, PosteriorSamples, Rig, Skeleton
from pose3d.data.names import counted
from pose3d.data.timing import Timing
from pose3d.errors import DataError, FormatError, Pose3DError
from pose3d.geometry.arrays import FloatArray
from pose3d.project.project import Trial
from pose3d.viewer.anatomy import choose_skeleton
from pose3d.viewer.found_files import FoundFiles, find_files
from pose3d.viewer.playback import Playback

__all__ = ["add_views", "load_playback", "make_playback"]


def load_playback(
    source: Trial | str | Path,
    *,
    rig: Rig | str | Path | None = None,
    videos: Mapping[str, str | Path] | None = None,
    views: Keypoints2D | Mapping[str, str | Path] | None = None,
    trial: str | None = None,
    raw: str | Path | None = None,
    skeleton: Skeleton | None = None,
    norms: str | Path | None = None,
    with_views: bool = True,
) -> Playback:
    """Load a recording with all that belongs to it.

    Parameters
    ----------
    source : Trial or path
        A file of points (csv, trc, c3d), a trial of a session, or a session's folder. What a project has beside the
        points is found by itself: cameras, videos, detections, angles, events, samples.
    rig, videos, views : optional
        Instead of the project's.
    trial : str, optional
        Which of a session's recordings; the first by default.
    raw : path, optional
        The same recording before refinement.
    skeleton : Skeleton, optional
    norms : path, optional
    with_views : bool
        Whether detections are read, which takes the longest; :func:`add_views` does it later.

    Raises
    ------
    Pose3DError
        If the points cannot be read. All else is left out where it cannot, and `remarks` say why.
    """
    found = find_files(source, trial)
    points = _read_points(found)
    if points.fps is None:
        points = replace(points, fps=found.fps)
    if points.fps is None:
        found.remarks.append("the frame rate is unknown; shown at 30 frames a second")
    own_rig = rig if isinstance(rig, Rig) else None
    rig_path = Path(rig) if isinstance(rig, str | Path) else found.rig
    if own_rig is None and rig_path is not None:
        from pose3d.io.rigs import load_rig

        own_rig = found.tried("cameras", partial(load_rig, rig_path))
    if found.timing is not None:
        from pose3d.io.sync_toml import read_sync

        timing = found.tried("offsets", partial(read_sync, found.timing))
    else:
        timing = None
    clips = found.videos if videos is None else videos
    playback = make_playback(
        points,
        name=found.name,
        rig=own_rig,
        skeleton=skeleton or found.skeleton,
        raw=None if raw is None else found.tried("raw points", lambda: _fitted_points(_read_one(Path(raw)), points)),
        videos=_existing({camera: Path(path) for camera, path in clips.items()}, found.remarks),
        offsets=_offsets(found, timing),
        angles=_read_angles(found, points),
        angle_keypoints=found.angle_keypoints,
        events=None if found.events is None else found.tried("events", lambda: _read_events(found)),
        norms=None if norms is None else found.tried("norms", lambda: _read_norms(Path(norms))),
        samples=_read_samples(found, points),
        timing=timing,
        path=found.points[0],
        remarks=tuple(found.remarks),
    )
    if isinstance(views, Keypoints2D):
        return add_views(playback, views)
    files = found.views if views is None else {camera: Path(path) for camera, path in views.items()}
    return add_views(playback, files) if with_views and files else playback


def make_playback(
    points: Keypoints3D,
    *,
    name: str = "recording",
    skeleton: Skeleton | None = None,
    remarks: tuple[str, ...] = (),
    **parts: Any,
) -> Playback:
    """Make a playback from arrays; a skeleton is found by the keypoints' names, or guessed.

    Parameters
    ----------
    points : Keypoints3D
    name : str
    skeleton : Skeleton, optional
    remarks : tuple of str
    **parts
        Any other attribute of :class:`Playback`.
    """
    chosen, remark = choose_skeleton(points, skeleton)
    said = tuple(remarks)
    if not np.isfinite(points.xyz).any():
        said = (*said, "there is no point in any frame: nothing can be drawn")
    return Playback(name, points, chosen, remarks=(*said, *([remark] if remark else [])), **parts)


def add_views(playback: Playback, views: Keypoints2D | Mapping[str, Path]) -> Playback:
    """Return the playback with detections, from arrays or from files of single cameras.

    Each camera's detections are brought to the rows of the points by the camera's offset; what does not fit is left
    out, and `remarks` say so.
    """
    points = playback.points
    shape = (points.n_frames, len(points.individuals), len(points.keypoints))
    parts: dict[str, tuple[FloatArray, FloatArray]] = {}
    remarks = list(playback.remarks)
    cameras = views.cameras if isinstance(views, Keypoints2D) else tuple(views)
    for camera in cameras:
        try:
            parts[camera] = _own_rows(playback, _of_camera(views, camera, playback), camera, shape)
        except Pose3DError as error:
            remarks.append(f"detections of {camera} left out: {error}")
        except (OSError, ValueError, KeyError, MemoryError) as error:
            remarks.append(f"detections of {camera} left out: {type(error).__name__}: {error}")
    if not parts:
        return replace(playback, remarks=tuple(remarks))
    made = Keypoints2D(
        np.stack([xy for xy, _ in parts.values()], axis=1),
        np.stack([score for _, score in parts.values()], axis=1),
        tuple(parts),
        points.individuals,
        points.keypoints,
        fps=points.fps,
        start=points.start,
    )
    return replace(playback, views=made, remarks=tuple(remarks))


def _of_camera(views: Keypoints2D | Mapping[str, Path], camera: str, playback: Playback) -> Keypoints2D:
    if isinstance(views, Keypoints2D):
        return views.select([camera])
    from pose3d.io.keypoints import load_keypoints

    return load_keypoints({camera: views[camera]}, skeleton=playback.skeleton)


def _own_rows(
    playback: Playback, views: Keypoints2D, camera: str, shape: tuple[int, int, int]
) -> tuple[FloatArray, FloatArray]:
    """Bring one camera's detections to the rows, individuals and keypoints of the points."""
    points = playback.points
    names = {name: i for i, name in enumerate(views.keypoints)}
    known = [(i, names[name]) for i, name in enumerate(points.keypoints) if name in names]
    if not known:
        raise DataError(f"no keypoint is named as in the points ({', '.join(views.keypoints[:4])}, ...)")
    if len(points.individuals) == len(views.individuals) == 1:
        people = [(0, 0)]
    else:
        people = [(i, views.individuals.index(n)) for i, n in enumerate(points.individuals) if n in views.individuals]
        if not people:
            raise DataError(f"no individual is named as in the points ({', '.join(views.individuals[:4])})")
    rows = playback.video_frames(camera) - views.start
    there = np.flatnonzero((rows >= 0) & (rows < views.n_frames))
    if not len(there):
        raise DataError("they share no frame with the points")
    xy, score = np.full((*shape, 2), np.nan), np.full(shape, np.nan)
    to, source = np.array(known, dtype=np.int64).T
    for mine, theirs in people:
        at = np.ix_(there, np.array([mine]), to)
        xy[at] = views.xy[rows[there], 0, theirs][:, source][:, None]
        score[at] = views.score[rows[there], 0, theirs][:, source][:, None]
    return xy, score


def _read_one(path: Path) -> Keypoints3D:
    from pose3d.io.anipose_csv import read_pose3d
    from pose3d.io.c3d import read_c3d
    from pose3d.io.trc import read_trc

    ending = path.suffix.lower()
    if ending == ".c3d":
        return read_c3d(path).points
    return read_trc(path) if ending == ".trc" else read_pose3d(path)


def _read_points(found: FoundFiles) -> Keypoints3D:
    parts = [_read_one(path) for path in found.points]
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    fitting = [part for part in parts if part.keypoints == first.keypoints and part.n_frames == first.n_frames]
    if len(fitting) < len(parts):
        found.remarks.append(f"{counted(len(parts) - len(fitting), 'individual')} left out: other frames or keypoints")
    names = tuple(name for part in fitting for name in part.individuals)
    if len(set(names)) < len(names):
        names = tuple(f"{part.individuals[0]}_{i}" for i, part in enumerate(fitting))
    covariances = [part.covariance for part in fitting if part.covariance is not None]
    arrays = {
        key: np.concatenate([getattr(part, key) for part in fitting], axis=1)
        for key in ("xyz", "error", "n_cameras", "score", "status")
    }
    return Keypoints3D(
        **arrays,
        individuals=names,
        keypoints=first.keypoints,
        covariance=np.concatenate(covariances, axis=1) if len(covariances) == len(fitting) else None,
        fps=first.fps,
        start=first.start,
    )


def _fitted_points(other: Keypoints3D, points: Keypoints3D) -> Keypoints3D:
    if (other.n_frames, other.individuals, other.keypoints) != (points.n_frames, points.individuals, points.keypoints):
        raise DataError(f"{other!r} is not of the same recording as {points!r}")
    return other


def _read_angles(found: FoundFiles, points: Keypoints3D) -> JointAngles | None:
    """Read the stored angles, or compute those that the keypoints' names tell of."""
    from pose3d.io.anipose_csv import read_angles

    def fitting(path: Path) -> JointAngles:
        angles = read_angles(path)
        if (angles.n_frames, angles.start) != (points.n_frames, points.start):
            raise DataError(f"{path}: has {angles.n_frames} frames, the points {points.n_frames}; compute them anew")
        return angles

    parts = [found.tried("angles", partial(fitting, path)) for path in found.angles]
    read = [part for part in parts if part is not None]
    if read and len(read) == len(points.individuals) and all(part.names == read[0].names for part in read):
        return _joined_angles(read, points)
    from pose3d.kinematics import joint_angles

    try:
        return joint_angles(points)
    except Pose3DError:
        return None


def _joined_angles(parts: list[JointAngles], points: Keypoints3D) -> JointAngles:
    def joined(name: str) -> FloatArray | None:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else np.concatenate(values, axis=1)

    return JointAngles(
        np.concatenate([part.deg for part in parts], axis=1),
        parts[0].names,
        points.individuals,
        joined("sd_deg"),
        points.fps,
        points.start,
        joined("low_deg"),
        joined("high_deg"),
    )


def _read_events(found: FoundFiles) -> object:
    from pose3d.io.events import read_events

    return read_events(found.events or Path())


def _read_norms(path: Path) -> object:
    from pose3d.io.norms import read_norms

    return read_norms(path)


def _read_samples(found: FoundFiles, points: Keypoints3D) -> PosteriorSamples | None:
    path = found.samples
    if path is None:
        return None
    from pose3d.io.samples import open_samples

    def fitting() -> PosteriorSamples:
        samples = open_samples(path, csvs=found.points)
        if samples.n_frames != points.n_frames or samples.keypoints != points.keypoints:
            raise FormatError(f"{path}: is not of these points")
        return samples

    return found.tried("samples", fitting)


def _offsets(found: FoundFiles, timing: Timing | None) -> dict[str, float]:
    if timing is None:
        return {name: float(value) for name, value in found.offsets.items()}
    return dict(zip(timing.cameras, timing.offset_frames.tolist(), strict=True))


def _existing(videos: Mapping[str, Path], remarks: list[str]) -> dict[str, Path]:
    for camera, path in videos.items():
        if not path.is_file():
            remarks.append(f"video of {camera} left out: {path}: no such file")
    return {camera: path for camera, path in videos.items() if path.is_file()}
