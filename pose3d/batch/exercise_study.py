"""A session of exercises: which recording is which exercise, and all of them measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose3d.batch.corrections import correct_angles
from pose3d.batch.exercises import EXERCISE_CUTOFF_HZ, exercise_from_angles, exercise_from_points
from pose3d.batch.gait_study import walk_files
from pose3d.batch.walks import WalkFiles, load_recording_files
from pose3d.data.recording_facts import RecordingFacts, measure_coverage
from pose3d.errors import DataError, Pose3DError
from pose3d.kinematics.exercises import EXERCISES, Exercise, ExerciseStudy
from pose3d.kinematics.progress import ExerciseSession
from pose3d.log import Progress, no_progress
from pose3d.project import Session

__all__ = ["MeasuredExercise", "SessionExercises", "name_exercise", "study_exercises"]


@dataclass(frozen=True, eq=False)
class MeasuredExercise:
    """An exercise and where its numbers come from."""

    name: str
    study: ExerciseStudy
    facts: RecordingFacts


@dataclass(frozen=True, eq=False)
class SessionExercises:
    """What a session says of somebody's exercises.

    Attributes
    ----------
    name : str
        Of the session.
    subject : str
        Code of the person.
    recordings : tuple of MeasuredExercise
    refused : tuple of (str, str)
        Recordings that could not be used, and why.
    cameras : tuple of str
    cutoff_hz : float or None
        Low-pass of the angles.
    """

    name: str
    subject: str
    recordings: tuple[MeasuredExercise, ...]
    refused: tuple[tuple[str, str], ...]
    cameras: tuple[str, ...]
    cutoff_hz: float | None

    def to_session(self, day: float | None = None) -> ExerciseSession:
        """Return what is compared with other sessions.

        Parameters
        ----------
        day : float, optional
            When it was, in days from any one.
        """
        return ExerciseSession(self.name, tuple(each.study for each in self.recordings), day)


def name_exercise(recording: str, chosen: Exercise | Mapping[str, Exercise] | None = None) -> Exercise:
    """Tell which exercise a recording is of.

    Parameters
    ----------
    recording : str
    chosen : Exercise or mapping of str to Exercise, optional
        Of all recordings, or of those that it names. Otherwise a recording's own name tells, by its beginning:
        ``squat_2``, ``sit_to_stand-first``, ``reach``.

    Raises
    ------
    DataError
        If neither tells.
    """
    if isinstance(chosen, Exercise):
        return chosen
    if chosen is not None and recording in chosen:
        return chosen[recording]
    words = recording.lower().replace("-", "_").replace(" ", "_")
    for name, exercise in EXERCISES.items():
        if words.startswith(name):
            return exercise
    raise DataError(
        f"its name does not begin with {', '.join(EXERCISES)}; say which it is: --exercise {recording}=NAME"
    )


def study_exercises(
    session: Session,
    *,
    only: Sequence[str] | None = None,
    exercise: Exercise | Mapping[str, Exercise] | None = None,
    cutoff_hz: float | None = EXERCISE_CUTOFF_HZ,
    intervals: bool = True,
    progress: Progress = no_progress,
) -> SessionExercises:
    """Measure the exercises of a session.

    Parameters
    ----------
    session : Session
    only : sequence of str, optional
        Names of recordings, as their files in ``pose-3d``; by default all.
    exercise : Exercise or mapping of str to Exercise, optional
        As in :func:`name_exercise`.
    cutoff_hz : float or None
        Low-pass of the angles.
    intervals : bool
        Use the samples beside the points, where there are any.
    progress : callable, optional

    Returns
    -------
    SessionExercises
        A recording that cannot be used is listed with the reason, and the others are measured.

    Raises
    ------
    DataError
        If there is no recording, or none that can be used.
    """
    from pose3d.io.rigs import load_rig

    files = walk_files(session, only)
    measured: list[MeasuredExercise] = []
    refused: list[tuple[str, str]] = []
    for i, one in enumerate(files if intervals else [replace(each, samples=None) for each in files]):
        try:
            measured.append(_measure(one, name_exercise(one.name, exercise), session.config.project.fps, cutoff_hz))
        except Pose3DError as error:
            refused.append((one.name, str(error)))
        progress("recordings", i + 1, len(files))
    if not measured:
        name, reason = refused[0]
        raise DataError(f"{session.folder}: no recording can be used for a report of exercises; {name}: {reason}")
    rig = session.calibration_toml
    return SessionExercises(
        session.name,
        session.config.gait.subject or "",
        tuple(measured),
        tuple(refused),
        load_rig(rig).names if rig.is_file() else (),
        cutoff_hz,
    )


def _measure(files: WalkFiles, exercise: Exercise, rate: float | None, cutoff_hz: float | None) -> MeasuredExercise:
    from pose3d.io.anipose_csv import read_angles
    from pose3d.io.digests import text_digest

    (points, samples, remarks), fps = load_recording_files(files, rate)
    if files.angles is not None:
        angles = read_angles(files.angles)
        named = {name: angles.deg[:, 0, i] for i, name in enumerate(angles.names)}
        named, said = correct_angles(named, files.corrections.due, start=angles.start)
        remarks = (*remarks, *said)
        angles = replace(angles, deg=np.stack([named[name] for name in angles.names], axis=-1)[:, None])
        study = exercise_from_angles(angles, exercise, fps=fps, cutoff_hz=cutoff_hz)
    else:
        study = exercise_from_points(points, exercise, samples=samples, cutoff_hz=cutoff_hz)
    facts = RecordingFacts(
        files.name,
        files.points.name,
        text_digest(files.points),
        points.n_frames,
        fps,
        measure_coverage(points),
        files.angles_source or "definitions on keypoints",
        "",
        f"{study.n_samples} posterior samples of cameras, noise and smoothing" if study.n_samples else "",
        remarks,
        tuple(files.corrections.edits.lines()),
    )
    return MeasuredExercise(files.name, study, facts)
