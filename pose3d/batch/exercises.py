"""An exercise from points or angles of a recording: low-passed, its repetitions found and measured."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pose3d.data import JointAngles, Keypoints3D
from pose3d.data.samples import PosteriorSamples
from pose3d.errors import DataError
from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.exercises import EXERCISES, Exercise, ExerciseStudy, measure_exercise
from pose3d.kinematics.human import HUMAN_ANGLES, human_angles

__all__ = [
    "EXERCISE_CUTOFF_HZ",
    "exercise_from_angles",
    "exercise_from_points",
    "find_exercise",
    "load_angle_source",
]

EXERCISE_CUTOFF_HZ = 6.0
_CHUNK = 8  # samples at a time: the memory of 8 recordings, whatever their number


def find_exercise(
    name: str | None, *, angle: str | None = None, smaller: bool = False, turns: bool = False
) -> Exercise:
    """Return an exercise that is known by name, or one of one's own.

    Parameters
    ----------
    name : str or None
        One of :data:`pose3d.kinematics.exercises.EXERCISES`; or of any name, where `angle` says what drives it.
    angle : str, optional
        Without its side.
    smaller : bool
        Whether the angle gets smaller from rest to the turning point.
    turns : bool
        Whether the sides take turns.

    Raises
    ------
    DataError
        If the name is not known and no angle is given.
    """
    if angle is not None:
        return Exercise(name or angle, angle, grows=not smaller, together=not turns)
    if name is None or name not in EXERCISES:
        raise DataError(f"exercise {name!r} is not known (there is {', '.join(EXERCISES)}); say which angle drives it")
    return EXERCISES[name]


def exercise_from_points(
    points: Keypoints3D,
    exercise: Exercise,
    *,
    individual: int = 0,
    fps: float | None = None,
    cutoff_hz: float | None = EXERCISE_CUTOFF_HZ,
    samples: PosteriorSamples | None = None,
) -> ExerciseStudy:
    """Measure an exercise of somebody.

    Parameters
    ----------
    points : Keypoints3D
        Keypoints of a human skeleton, by their names.
    exercise : Exercise
    individual : int
    fps : float, optional
        Instead of ``points.fps``.
    cutoff_hz : float or None
        Low-pass of the angles (3 dB); None where the points are smooth enough.
    samples : PosteriorSamples, optional
        Of the same points: from them come the intervals.

    Raises
    ------
    DataError
        If the frame rate is unknown, the keypoints of the exercise's angle are not there, or samples and points do not
        belong together.
    ConfigError
        If the cutoff cannot be had at this frame rate, or no angle can be computed at all.
    """
    named = {name: points.xyz[:, individual, i] for i, name in enumerate(points.keypoints)}
    angles = _own(human_angles(named), exercise)
    drawn = None
    if samples is not None and samples.n_samples:
        name = points.individuals[individual]
        if samples.n_frames != points.n_frames or name not in samples.individuals:
            raise DataError(f"the samples are not those of the points of {name}; triangulate again with --samples")
        chunks = list(_sampled(samples, samples.individuals.index(name), exercise))
        drawn = {name: np.concatenate([each[name] for each in chunks]) for name in chunks[0]}
    rate = points.fps if fps is None else fps
    return _measure(exercise, angles, drawn, fps=rate, start=points.start, cutoff_hz=cutoff_hz)


def exercise_from_angles(
    angles: JointAngles,
    exercise: Exercise,
    *,
    individual: int = 0,
    fps: float | None = None,
    cutoff_hz: float | None = EXERCISE_CUTOFF_HZ,
) -> ExerciseStudy:
    """Measure an exercise in angles that were computed before; there are no intervals then.

    Parameters and errors are those of :func:`exercise_from_points`.
    """
    named = {name: angles.deg[:, individual, i] for i, name in enumerate(angles.names)}
    rate = angles.fps if fps is None else fps
    return _measure(exercise, _own(named, exercise), None, fps=rate, start=angles.start, cutoff_hz=cutoff_hz)


def load_angle_source(path: str | Path) -> tuple[Keypoints3D | JointAngles, PosteriorSamples | None]:
    """Read what an exercise is measured from.

    Parameters
    ----------
    path : path
        3D keypoints (csv of anipose), angles (csv of anipose), or a C3D or TRC: its angles by the best way that it
        allows (:func:`pose3d.batch.importing.mocap_angles`).

    Returns
    -------
    points or angles : Keypoints3D or JointAngles
    samples : PosteriorSamples or None
        Those that lie beside the points.

    Raises
    ------
    Pose3DError
        If a file cannot be read, or the samples are of other points.
    """
    from pose3d.batch.importing import mocap_angles, read_recording
    from pose3d.io.anipose_csv import is_pose3d, read_angles, read_pose3d
    from pose3d.io.samples import open_samples, samples_path

    path = Path(path)
    if path.suffix.lower() in (".c3d", ".trc"):
        recording = read_recording(path)
        angles, _, _ = mocap_angles(recording)
        return (recording.points if angles is None else angles), None
    if path.is_file() and not is_pose3d(path):
        return read_angles(path), None
    points = read_pose3d(path)
    beside = samples_path(path)
    return points, open_samples(beside, csvs=[path]) if beside.is_file() else None


def _sampled(samples: PosteriorSamples, individual: int, exercise: Exercise) -> Iterator[dict[str, FloatArray]]:
    needed = {
        point for angle in HUMAN_ANGLES if angle.name == exercise.angle for side in "LR" for point in angle.needs(side)
    }
    rows = [i for i, name in enumerate(samples.keypoints) if name in needed]
    for first in range(0, samples.n_samples, _CHUNK):
        few = samples.xyz[:, first : first + _CHUNK, individual]
        xyz = np.moveaxis(np.asarray(few[:, :, rows], dtype=np.float64), 1, 0)
        yield _own(human_angles({samples.keypoints[i]: xyz[..., k, :] for k, i in enumerate(rows)}), exercise)


def _own(angles: Mapping[str, FloatArray], exercise: Exercise) -> dict[str, FloatArray]:
    """Return the angles of an exercise."""
    names = (exercise.angle, f"{exercise.angle}_l", f"{exercise.angle}_r")
    found = {name: angles[name] for name in names if name in angles}
    if not found:
        raise DataError(f"{exercise.name} needs {exercise.angle}; there is {_some(list(angles))}")
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:8], *(["..."] if len(names) > 8 else [])]) or "no angle"


def _measure(
    exercise: Exercise,
    angles: dict[str, FloatArray],
    drawn: dict[str, FloatArray] | None,
    *,
    fps: float | None,
    start: int,
    cutoff_hz: float | None,
) -> ExerciseStudy:
    if fps is None:
        raise DataError("the frame rate is unknown; give --fps")

    def smooth(deg: FloatArray) -> FloatArray:
        if cutoff_hz is None or not deg.size:
            return deg
        return butterworth_filter(deg.T[..., None], design_butterworth(cutoff_hz, fps=fps)).values[..., 0].T

    return measure_exercise(
        exercise,
        {name: smooth(deg) for name, deg in angles.items()},
        fps=fps,
        start=start,
        samples=None if drawn is None else {name: smooth(deg) for name, deg in drawn.items()},
    )
