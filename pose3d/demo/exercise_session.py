"""A session of exercises: rendered clips, the cameras, and the truth to compare results with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose3d.data.angles import JointAngles
from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D, Keypoints3D, Status
from pose3d.demo.board_session import CLIP_CRF
from pose3d.demo.detections import simulate_detections
from pose3d.demo.exercise_scene import EXERCISE_FPS, EXERCISES, ExerciseScene, Occasion, PlannedRepetition
from pose3d.demo.rendering import FrameCounter, run_all
from pose3d.log import no_progress

__all__ = ["ExerciseTruth", "exercise_truth", "make_exercise_session", "simulate_exercise"]


@dataclass(frozen=True, eq=False)
class ExerciseTruth:
    """What is true of an exercise.

    Attributes
    ----------
    exercise : str
    seed : int
    rig : Rig
    points : Keypoints3D
        The true keypoints.
    angles : JointAngles
        Of the true keypoints, by the definitions that measurements use.
    repetitions : tuple of PlannedRepetition
        Those that were broken off as well.
    """

    exercise: str
    seed: int
    rig: Rig
    points: Keypoints3D
    angles: JointAngles
    repetitions: tuple[PlannedRepetition, ...]

    def count(self, side: str | None = None) -> int:
        """Return the number of whole repetitions, of one side where the sides take turns."""
        return sum(not each.aborted for each in self.repetitions if side is None or each.side == side)


def exercise_truth(scene: ExerciseScene) -> ExerciseTruth:
    """Return what is true of a scene.

    Parameters
    ----------
    scene : ExerciseScene
    """
    from pose3d.kinematics import joint_angles

    n, k, _ = scene.xyz.shape
    points = Keypoints3D(
        scene.xyz[:, None],
        np.zeros((n, 1, k)),
        np.full((n, 1, k), len(scene.rig)),
        np.ones((n, 1, k)),
        np.full((n, 1, k), Status.OBSERVED, dtype=np.uint8),
        ("person",),
        scene.skeleton.keypoints,
        fps=scene.fps,
    )
    return ExerciseTruth(scene.exercise, scene.seed, scene.rig, points, joint_angles(points), scene.repetitions)


def simulate_exercise(truth: ExerciseTruth, *, number: int = 0) -> Keypoints2D:
    """Simulate 2D keypoints of an exercise from the truth: noise, gross errors and gaps, but no image.

    Parameters
    ----------
    truth : ExerciseTruth
    number : int
        Another one has other errors.
    """
    from pose3d.data.skeleton import Skeleton

    fps = truth.points.fps or EXERCISE_FPS
    rng = np.random.default_rng([truth.seed, 74, EXERCISES.index(truth.exercise), number])
    return simulate_detections(truth.points.xyz[:, 0], truth.rig, Skeleton.preset("halpe26"), fps=fps, rng=rng)


def make_exercise_session(
    folder: str | Path,
    *,
    seed: int = 0,
    exercises: Sequence[str] = EXERCISES,
    n: int = 4,
    session: str = "exercises",
    fps: float = EXERCISE_FPS,
    size: tuple[int, int] = (960, 720),
    occasion: Occasion | None = None,
    simulate: bool = False,
) -> dict[str, ExerciseTruth]:
    """Make a session of somebody who exercises before four cameras that are known.

    Writes ``<session>/videos-raw/<exercise>_<camera>.mp4``, ``<session>/calibration/calibration.toml`` (the true
    cameras) and the truth in ``truth/<session>/``.

    Parameters
    ----------
    folder : path
        The project's folder; made if it is absent.
    seed : int
        Another seed is another person, tempo, room and rig.
    exercises : sequence of str
        Of ``squat``, ``sit_to_stand`` and ``reach``.
    n : int
        Whole repetitions of each (of each arm); one more is broken off.
    session : str
        Name of the session's folder.
    fps : float
    size : (int, int), px
    occasion : Occasion, optional
        The same person on another day, or better by some degrees.
    simulate : bool
        Write 2D keypoints, ``<session>/pose-2d/<exercise>_<camera>.h5``, instead of clips: simulated from the known
        motion, with noise, outliers and gaps.

    Returns
    -------
    dict of str to ExerciseTruth
        By exercise.
    """
    from pose3d.io.anipose_csv import write_angles, write_pose3d
    from pose3d.io.calibration_toml import write_calibration
    from pose3d.io.dlc import write_dlc
    from pose3d.io.video import write_video

    folder = Path(folder)
    scenes = [ExerciseScene(seed, exercise, n, size=size, fps=fps, occasion=occasion) for exercise in exercises]
    jobs = [(scene, number) for scene in scenes for number in range(len(scene.rig))]
    counter = FrameCounter(no_progress, "rendering", sum(len(scene.xyz) for scene, _ in jobs))

    def render(job: int) -> None:
        scene, number = jobs[job]
        pictures = scene.frames(number, range(len(scene.xyz)), background=scene.background(number))
        path = folder / session / "videos-raw" / f"{scene.exercise}_{scene.rig.names[number]}.mp4"
        write_video(path, counter.follow(pictures), fps=fps, crf=CLIP_CRF)

    truths = {scene.exercise: exercise_truth(scene) for scene in scenes}
    number = 0 if occasion is None else occasion.number
    if not simulate:
        run_all(render, len(jobs), workers=2, counter=counter)
    for name, truth in truths.items():
        if simulate:
            found = simulate_exercise(truth, number=number)
            for camera in truth.rig.names:
                path = folder / session / "pose-2d" / f"{name}_{camera}.h5"
                write_dlc(found.select([camera]), path, scorer="simulated")
        write_pose3d(truth.points, folder / "truth" / session / f"{name}.csv")
        write_angles(truth.angles, folder / "truth" / session / f"{name}-angles.csv")
        write_calibration(truth.rig, folder / session / "calibration" / "calibration.toml")
    return truths
