"""One walk, from its files to what a study of gait takes, with samples of all that it might have been."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pose3d.batch.corrections import CorrectedPoints, correct_angles, correct_events, correct_points
from pose3d.batch.gait import (
    belt_words,
    gait_events,
    has_steps,
    level_rotation,
    measure_walk,
    over_the_belt,
    tilt_of,
    turn_points,
    walking_belt,
)
from pose3d.batch.gait_samples import EventTimes, event_samples
from pose3d.data import Keypoints3D
from pose3d.data.recording_facts import RecordingFacts, measure_coverage
from pose3d.data.samples import PosteriorSamples
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.gait import Gait, foot_points, measure_gait
from pose3d.kinematics.gait_findings import DrawnWalk, WalkTrial
from pose3d.kinematics.gait_study import draw_walk
from pose3d.kinematics.noise_samples import samples_from_noise
from pose3d.kinematics.observable import body_angles_of
from pose3d.kinematics.walking_angles import frame_of_walker
from pose3d.project.edits import PointEdits

__all__ = ["OF_KEYPOINTS", "MeasuredWalk", "WalkFiles", "WalkSettings", "load_recording_files", "measure_files"]

OF_KEYPOINTS = "definitions on keypoints"
"""How the angles of a walk without others are made, for people."""

_DRAWN = 60
_CHUNK = 8  # samples at a time: the memory of 8 recordings, whatever their number


@dataclass(frozen=True)
class WalkFiles:
    """The files of one walk; all but the points may be absent.

    Attributes
    ----------
    name : str
    points : Path
        anipose csv.
    angles : Path, optional
        Angles that are used instead of those of the keypoints.
    angles_source : str
        How those were made, for people.
    events : Path, optional
        csv.
    samples : Path, optional
        Posterior samples of the points.
    corrections : PointEdits
        What a person corrected, and what of it the points do not hold yet.
    """

    name: str
    points: Path
    angles: Path | None = None
    angles_source: str = ""
    events: Path | None = None
    samples: Path | None = None
    corrections: PointEdits = field(default_factory=PointEdits)


@dataclass(frozen=True)
class WalkSettings:
    """How walks are measured.

    Attributes
    ----------
    fps : float, optional
        Where the points do not say.
    event_cutoff_hz : float or None
        Low-pass before feet are searched for strikes.
    most_turn_deg : float
        Strides that turn more do not count.
    noise_mm : float, optional
        Standard deviation of each coordinate of recordings without samples, such as markers.
    """

    fps: float | None = None
    event_cutoff_hz: float | None = 7.0
    most_turn_deg: float = 20.0
    noise_mm: float | None = None


@dataclass(frozen=True, eq=False)
class MeasuredWalk:
    """A walk and where its numbers come from."""

    trial: WalkTrial
    facts: RecordingFacts


def load_recording_files(files: WalkFiles, fps: float | None = None) -> tuple[CorrectedPoints, float]:
    """Read the points of a recording and their samples, as a person corrected them.

    Parameters
    ----------
    files : WalkFiles
    fps : float, optional
        Where the points do not say.

    Returns
    -------
    CorrectedPoints
    fps : float

    Raises
    ------
    Pose3DError
        If a file cannot be read, or the frame rate is unknown.
    """
    from pose3d.io.anipose_csv import read_pose3d
    from pose3d.io.samples import open_samples

    points = read_pose3d(files.points)
    samples = None if files.samples is None else open_samples(files.samples, csvs=[files.points])
    rate = points.fps or fps or (None if samples is None else samples.fps)
    if rate is None:
        raise DataError("the frame rate is unknown; set fps in [project] of pose3d.toml")
    return correct_points(replace(points, fps=rate), files.corrections, samples), rate


def measure_files(files: WalkFiles, settings: WalkSettings | None = None) -> MeasuredWalk:
    """Measure one walk.

    Parameters
    ----------
    files : WalkFiles
    settings : WalkSettings, optional

    Raises
    ------
    Pose3DError
        If a file cannot be read, the frame rate is unknown, or the points are no walk's.
    """
    from pose3d.io.digests import text_digest
    from pose3d.io.events import read_events

    settings = settings or WalkSettings()
    (points, samples, said), fps = load_recording_files(files, settings.fps)
    remarks = list(said)
    level = level_rotation(points)
    if level is not None:
        points = turn_points(points, *level)
        tilt = tilt_of(level[0])
        remarks.append(f"Z did not point up: the floor was found from the feet that stand on it, {tilt:.0f}° off")
    events, source = None, "found from heels and toes"
    if files.events is not None:
        stored, name = read_events(files.events), f"{files.events.parent.name}/{files.events.name}"
        if has_steps(stored) or not len(stored):
            events, source = stored, name
        else:
            remarks.append(f"{name} holds no strikes and offs of L and R: these were found from heels and toes")
    if events is None:
        events = gait_events(points, cutoff_hz=settings.event_cutoff_hz)
    events, said = correct_events(events, files.corrections.edits)
    remarks += said
    if files.corrections.edits.events:
        source += ", corrected by a person"
    belt = walking_belt(points)
    remarks += [belt_words(belt)] if belt.any() else []
    angles, how = _angles(files, points)
    if files.angles is not None:
        angles, said = correct_angles(angles, files.corrections.due, start=points.start)
        remarks += said
    gait = measure_walk(points, events, angles, most_turn_deg=settings.most_turn_deg)
    drawn = None
    if samples is not None and samples.n_samples:
        intervals = f"{samples.n_samples} posterior samples of cameras, noise and smoothing"
    else:
        samples, intervals = _assumed_samples(points, settings)
        level = None  # they are drawn about points that were turned already
    if samples is not None:
        times = event_samples(points, samples, events, level=level, cutoff_hz=settings.event_cutoff_hz)
        drawn = _draw(points, samples, gait, level, times, belt=belt, with_angles=files.angles is None)
    facts = RecordingFacts(
        files.name,
        files.points.name,
        text_digest(files.points),
        points.n_frames,
        fps,
        measure_coverage(points),
        how,
        source,
        intervals,
        tuple(remarks),
        tuple(files.corrections.edits.lines()),
    )
    return MeasuredWalk(WalkTrial(files.name, gait, drawn), facts)


def _assumed_samples(points: Keypoints3D, settings: WalkSettings) -> tuple[PosteriorSamples | None, str]:
    """Draw samples where the recording has none, by what is known of its errors, and say what they are."""
    if settings.noise_mm is not None:
        remark = f"an assumed noise of {settings.noise_mm:g} mm per coordinate, whatever cameras and limbs tell"
    elif points.covariance is not None and np.isfinite(points.covariance).any():
        remark = "the covariance of each point, which knows nothing of limbs, of time and of errors that last"
    else:
        return None, ""
    return samples_from_noise(points, settings.noise_mm, n=_DRAWN), f"{_DRAWN} samples drawn from {remark}"


def _angles(files: WalkFiles, points: Keypoints3D) -> tuple[dict[str, FloatArray], str]:
    if files.angles is None:
        named = _named(points.xyz[:, 0], points.keypoints)
        return body_angles_of(named, frame_of_walker(named, points.fps)[0]), OF_KEYPOINTS
    from pose3d.io.anipose_csv import read_angles

    stored = read_angles(files.angles)
    spans = [range(each.start, each.start + each.n_frames) for each in (stored, points)]
    if spans[0] != spans[1]:
        own, theirs = (f"{span.start} to {span.stop - 1}" for span in spans)
        raise DataError(
            f"angles/{files.angles.name} has frames {own}, pose-3d/{files.points.name} {theirs}; "
            "import the recording anew"
        )
    return {name: stored.deg[:, 0, i] for i, name in enumerate(stored.names)}, files.angles_source


def _draw(
    points: Keypoints3D,
    samples: PosteriorSamples,
    measured: Gait,
    level: tuple[FloatArray, FloatArray] | None,
    times: EventTimes,
    *,
    belt: FloatArray,
    with_angles: bool,
) -> DrawnWalk:
    """Measure a walk on every sample, a few at a time."""
    if points.fps is None:
        raise DataError("the frame rate is unknown")
    individual = samples.individuals.index(points.individuals[0])
    toes = foot_points(points.keypoints).toes
    frame, _ = frame_of_walker(_named(points.xyz[:, 0], points.keypoints), points.fps)
    parts = []
    for first in range(0, samples.n_samples, _CHUNK):
        xyz = np.moveaxis(np.asarray(samples.xyz[:, first : first + _CHUNK, individual], dtype=np.float64), 1, 0)
        if level is not None:
            xyz = xyz @ level[0].T + level[1]
        named = _named(xyz, samples.keypoints)
        gait = measure_gait(
            measured.events,
            {side: over_the_belt(named[name], belt, points.fps) for side, name in toes.items()},
            body_angles_of(named, frame) if with_angles else {},
            fps=points.fps,
            start=points.start,
            walk=measured,
            event_times={key: drawn[first : first + _CHUNK] for key, drawn in times.items()},
        )
        parts.append(draw_walk(gait, measured))
    return _joined(parts)


def _joined(parts: Sequence[DrawnWalk]) -> DrawnWalk:
    first = parts[0]
    return DrawnWalk(
        {
            side: {name: np.concatenate([part.parameters[side][name] for part in parts]) for name in own}
            for side, own in first.parameters.items()
        },
        {name: np.concatenate([part.means[name] for part in parts]) for name in first.means},
        {
            angle: {name: np.concatenate([part.peaks[angle][name] for part in parts]) for name in own}
            for angle, own in first.peaks.items()
        },
    )


def _named(xyz: FloatArray, keypoints: Sequence[str]) -> dict[str, FloatArray]:
    return {name: xyz[..., i, :] for i, name in enumerate(keypoints)}
