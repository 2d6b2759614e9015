"""A person who exercises in the demo's room: tempo, repetitions and the difference between the sides are known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from pose3d.demo.body_scene import BodyScene
from pose3d.demo.clothes import make_outfit
from pose3d.demo.exercise_poses import BodyHabits, draw_habits, pose_exercise
from pose3d.demo.furniture import Box
from pose3d.demo.person import make_person
from pose3d.demo.rig import make_rig
from pose3d.demo.room import fractal_noise
from pose3d.geometry.arrays import FloatArray

__all__ = ["EXERCISES", "EXERCISE_FPS", "ExerciseScene", "Occasion", "PlannedRepetition", "plan_repetitions"]

EXERCISES = ("squat", "sit_to_stand", "reach")
EXERCISE_FPS = 50.0
_DAYS_DEG = 1.5  # by which ranges differ from day to day, SD
_SEAT_MM = (360.0, 400.0)


@dataclass(frozen=True)
class Occasion:
    """When somebody exercises.

    Attributes
    ----------
    number : int
        Another number is the same person on another day: another tempo, and a range that differs by some 1.5 degrees.
    gain_deg : float, degrees
        By how much farther the person moves than at first (standing up: from how much lower): what a therapy did.
    """

    number: int = 0
    gain_deg: float = 0.0


@dataclass(frozen=True)
class PlannedRepetition:
    """One repetition of an exercise.

    Attributes
    ----------
    start_s : float, s
    out_s, hold_s, back_s : float, s
    depth : float
        Share of the whole way; less than a half is broken off.
    side : str or None
        ``l`` or ``r`` where one side moves alone.
    """

    start_s: float
    out_s: float
    hold_s: float
    back_s: float
    depth: float = 1.0
    side: str | None = None

    @property
    def end_s(self) -> float:
        """When it is over, s."""
        return self.start_s + self.out_s + self.hold_s + self.back_s

    @property
    def aborted(self) -> bool:
        """Whether it is broken off."""
        return self.depth < 0.5

    def progress(self, times: FloatArray) -> FloatArray:
        """Return how far it is done at some times, 0 to `depth`.

        References
        ----------
        Flash & Hogan (1985), The coordination of arm movements, J. Neuroscience 5:1688 (minimum jerk).
        """

        def ease(part: FloatArray) -> FloatArray:
            part = np.clip(part, 0.0, 1.0)
            return np.asarray(part**3 * (10 - 15 * part + 6 * part**2))

        out = ease((times - self.start_s) / self.out_s)
        back = ease((times - self.start_s - self.out_s - self.hold_s) / self.back_s)
        return np.asarray(self.depth * (out - back))


def plan_repetitions(exercise: str, n: int, *, rng: np.random.Generator) -> tuple[PlannedRepetition, ...]:
    """Draw repetitions of uneven tempo, one of which is broken off.

    Parameters
    ----------
    exercise : str
        In ``reach`` the arms take turns.
    n : int
        Whole repetitions (of each arm); the broken-off one comes on top, and is neither the first nor the last.
    rng : numpy Generator
    """
    sides: Sequence[str | None] = ("r", "l") if exercise == "reach" else (None,)
    order = [(side, False) for _ in range(n) for side in sides]
    if len(order) > 1:
        order.insert(int(rng.integers(1, len(order))), (sides[int(rng.integers(len(sides)))], True))
    at, planned = 0.8, []
    for side, aborted in order:
        out, back = rng.uniform(0.9, 1.7), rng.uniform(0.8, 1.5)
        depth = float(rng.uniform(0.3, 0.42) if aborted else rng.uniform(0.94, 1.0))
        short = 0.6 if aborted else 1.0
        each = PlannedRepetition(at, short * out, float(rng.uniform(0.1, 0.8)), short * back, depth, side)
        planned.append(each)
        at = each.end_s + rng.uniform(0.5, 0.9)
    return tuple(planned)


def _stool(seat: FloatArray, rng: np.random.Generator) -> Box:
    """Make a block to sit on, (x, y, z of the top, turn)."""
    hsv = np.array([[[rng.uniform(0, 180), rng.uniform(20, 150), rng.uniform(60, 210)]]], np.uint8)
    color = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32)
    grain = 1 + 0.2 * fractal_noise((128, 128), rng=rng, coarsest=4, octaves=5)
    size = np.array([*_SEAT_MM, seat[2]])
    return Box(np.array([seat[0], seat[1], seat[2] / 2]), size, float(seat[3]), color * grain[..., None])


class ExerciseScene(BodyScene):
    """A person who exercises.

    Parameters
    ----------
    seed : int
        Another seed is another person, tempo, room and rig; the same seed is the same scene. The rig and the room are
        those of the walk of the same seed.
    exercise : str
        ``squat``, ``sit_to_stand`` (from a stool) or ``reach`` (the arms take turns).
    n : int
        Whole repetitions (of each arm).
    size : (int, int), px
    fps : float
    occasion : Occasion

    Attributes
    ----------
    exercise : str
    repetitions : tuple of PlannedRepetition
    habits : BodyHabits
    fps : float
    """

    def __init__(
        self,
        seed: int,
        exercise: str,
        n: int,
        *,
        size: tuple[int, int] = (960, 720),
        fps: float = EXERCISE_FPS,
        occasion: Occasion | None = None,
    ) -> None:
        rng = np.random.default_rng([seed, 71])
        person, outfit = make_person(rng), make_outfit(rng)
        rng = np.random.default_rng([seed, 72, EXERCISES.index(exercise)])
        self.exercise, self.fps = exercise, fps
        habits = draw_habits(exercise, rng)
        occasion = occasion or Occasion()
        gain_deg = occasion.gain_deg
        if occasion.number:
            rng = np.random.default_rng([seed, 72, EXERCISES.index(exercise), occasion.number])
            gain_deg += float(rng.normal(0, _DAYS_DEG))
        self.habits: BodyHabits = replace(habits, reach_deg=habits.reach_deg + gain_deg)
        self.repetitions = plan_repetitions(exercise, n, rng=rng)
        times = np.arange(int(np.ceil((self.repetitions[-1].end_s + 0.8) * fps))) / fps
        done = []
        for side in "lr":
            own = [each.progress(times) for each in self.repetitions if each.side in (None, side)]
            done.append(np.sum(own, axis=0))
        moved = pose_exercise(exercise, person, (done[0], done[1]), self.habits, times=times)
        boxes = () if moved.seat is None else (_stool(moved.seat, rng),)
        super().__init__(seed, make_rig(seed=seed, size=size), person, moved.frames, outfit, boxes=boxes)
