"""Exercises of a given body: squats, standing up from a stool, reaching; feet that stay where they stand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pose3d.demo.person import Frames, Person, Pose, axis_rotation, place_body
from pose3d.geometry.arrays import FloatArray

__all__ = ["EXERCISE_POSES", "BodyHabits", "ExercisePose", "draw_habits", "pose_exercise"]

_SIDES = (("L", -1.0), ("R", 1.0))
_STAND_KNEE_DEG = 14.0  # feet stand apart, one before the other: legs are not quite straight


@dataclass(frozen=True)
class BodyHabits:
    """How somebody does an exercise.

    Attributes
    ----------
    reach_deg : float, degrees
        How far the driving joint goes: knees in a squat, the better shoulder in a reach.
    lag : float
        0 to 1: how much less the weaker side does.
    weaker : int
        0 the left side, 1 the right one.
    toe_out_deg : float
    apart_mm : float
        How much wider the feet stand than the hips are.
    facing_deg : float
        From the X axis, to the left.
    place_mm : (float, float)
        X and Y of the middle between the feet.
    sway : (3, 2) array
        Phases of the small movements that nobody can leave.
    """

    reach_deg: float
    lag: float
    weaker: int
    toe_out_deg: float
    apart_mm: float
    facing_deg: float
    place_mm: tuple[float, float]
    sway: FloatArray


def draw_habits(exercise: str, rng: np.random.Generator) -> BodyHabits:
    """Draw a way of doing an exercise.

    Parameters
    ----------
    exercise : str
        ``squat``, ``sit_to_stand`` or ``reach``.
    rng : numpy Generator
    """
    reach = {"squat": (75.0, 100.0), "sit_to_stand": (84.0, 92.0), "reach": (100.0, 135.0)}[exercise]
    return BodyHabits(
        reach_deg=float(rng.uniform(*reach)),
        lag=float(rng.uniform(0.6, 1.0)),
        weaker=int(rng.integers(2)),
        toe_out_deg=float(rng.uniform(0, 8)),
        apart_mm=float(rng.uniform(10, 40)),
        facing_deg=float(rng.uniform(-20, 20)),
        place_mm=(float(rng.uniform(-200, 200)), float(rng.uniform(-200, 200))),
        sway=rng.uniform(0, 2 * np.pi, (3, 2)),
    )


@dataclass(frozen=True, eq=False)
class ExercisePose:
    """A motion, and where the seat is.

    Attributes
    ----------
    pose : Pose
    frames : Frames
    seat : (4,) array, mm, or None
        X, Y, Z of the middle of the seat's top, and how far it is turned, degrees.
    """

    pose: Pose
    frames: Frames
    seat: FloatArray | None


@dataclass(frozen=True, eq=False)
class _Plan:
    """What an exercise prescribes, all (n_frames,) arrays; degrees and mm, before the person is turned and placed."""

    knee: FloatArray
    ankle: FloatArray
    tilt: FloatArray
    obliquity: FloatArray
    stagger: float
    lean: FloatArray
    shoulders: tuple[FloatArray, FloatArray]
    elbows: tuple[FloatArray, FloatArray]
    seat: bool = False


def _squat(done: tuple[FloatArray, FloatArray], habits: BodyHabits) -> _Plan:
    u = (done[0] + done[1]) / 2
    arms = 8 + 75 * u
    side = 1.0 if habits.weaker else -1.0
    return _Plan(
        knee=_STAND_KNEE_DEG + (habits.reach_deg - _STAND_KNEE_DEG) * u,
        ankle=7 + 21 * u,
        tilt=8 + 18 * u,
        obliquity=side * habits.lag * 4.0 * u,
        stagger=-side * habits.lag * 150,
        lean=4 + 36 * u,
        shoulders=(arms, arms),
        elbows=(18 - 8 * u, 18 - 8 * u),
    )


def _sit_to_stand(done: tuple[FloatArray, FloatArray], habits: BodyHabits) -> _Plan:
    u = (done[0] + done[1]) / 2
    side = 1.0 if habits.weaker else -1.0
    bend = np.clip(4 * u * (1 - u), 0, 1)
    arms = 35 - 25 * u
    return _Plan(
        knee=habits.reach_deg + (_STAND_KNEE_DEG - habits.reach_deg) * u,
        ankle=10 - 3 * u + 8 * bend,
        tilt=2 + 6 * u + 10 * bend,
        obliquity=np.zeros_like(u),
        stagger=-side * habits.lag * 150,
        lean=6 - 2 * u + 32 * bend,
        shoulders=(arms, arms),
        elbows=(45 - 25 * u, 45 - 25 * u),
        seat=True,
    )


def _reach(done: tuple[FloatArray, FloatArray], habits: BodyHabits) -> _Plan:
    still = np.zeros_like(done[0])
    most = [habits.reach_deg, habits.reach_deg]
    most[habits.weaker] -= 25 * habits.lag
    left, right = (3 + (far - 3) * part for far, part in zip(most, done, strict=True))
    bent = (28 - 22 * done[0], 28 - 22 * done[1])
    u = np.maximum(*done)
    return _Plan(
        knee=still + _STAND_KNEE_DEG,
        ankle=still + 7,
        tilt=still + 8,
        obliquity=still,
        stagger=0.0,
        lean=3 + 4 * u,
        shoulders=(left, right),
        elbows=bent,
    )


EXERCISE_POSES: Mapping[str, Callable[[tuple[FloatArray, FloatArray], BodyHabits], _Plan]] = MappingProxyType(
    {"squat": _squat, "sit_to_stand": _sit_to_stand, "reach": _reach}
)


def pose_exercise(
    exercise: str, person: Person, done: tuple[FloatArray, FloatArray], habits: BodyHabits, *, times: FloatArray
) -> ExercisePose:
    """Bend a body through an exercise.

    Parameters
    ----------
    exercise : str
        ``squat``, ``sit_to_stand`` or ``reach``.
    person : Person
    done : (left, right) of (n_frames,) arrays
        How far the exercise is done: 0 at rest, 1 at the turning point.
    habits : BodyHabits
    times : (n_frames,) array, s
    """
    plan = EXERCISE_POSES[exercise](done, habits)
    waves = np.sin(2 * np.pi * np.array([0.31, 0.23, 0.17])[:, None] * times + habits.sway[:, :1])
    n = len(times)
    turn = axis_rotation(2, habits.facing_deg)
    pelvis_axes = turn @ (
        axis_rotation(2, 0.8 * waves[2]) @ axis_rotation(0, -plan.obliquity) @ axis_rotation(1, plan.tilt)
    )
    middle = _middle_of_hips(person, plan.knee, plan.ankle)
    middle = middle + np.stack([4.0 * waves[0], 5.0 * waves[1], np.zeros(n)], axis=-1)
    place = np.array([*habits.place_mm, 0.0])
    root = middle @ turn.T + place
    legs = []
    for side, (_, sign) in enumerate(_SIDES):
        hip = root + pelvis_axes @ np.array([0.0, -sign * person.hip_width / 2, 0.0])
        across = -sign * (person.hip_width / 2 + habits.apart_mm)
        forward = (-plan.stagger if side else plan.stagger) / 2
        ankle = turn @ np.array([forward, across, person.ankle_height]) + place
        knees_to = turn @ axis_rotation(2, -sign * habits.toe_out_deg) @ np.array([1.0, 0.0, 0.0])
        legs.append(_leg_angles(person, sign, pelvis_axes, hip, ankle, knees_to))
    both = [(left, right) for left, right in zip(*legs, strict=True)]
    pose = Pose(
        pelvis=root,
        pelvis_tilt=plan.tilt,
        pelvis_obliquity=plan.obliquity,
        pelvis_rotation=0.8 * waves[2] + habits.facing_deg,
        hip_flexion=both[0],
        hip_adduction=both[1],
        hip_rotation=both[2],
        knee_flexion=both[3],
        ankle_dorsiflexion=both[4],
        trunk_lean=plan.lean + 0.8 * waves[0],
        trunk_sway=0.7 * waves[1],
        thorax_rotation=0.8 * waves[2] + habits.facing_deg,
        shoulder_flexion=plan.shoulders,
        shoulder_abduction=(np.full(n, 9.0), np.full(n, 9.0)),
        elbow_flexion=plan.elbows,
    )
    seat = None
    if plan.seat:
        rest = _middle_of_hips(person, plan.knee[:1], plan.ankle[:1])[0]
        top = turn @ (rest - [25.0, 0.0, 0.055 * person.height]) + place
        seat = np.array([*top, habits.facing_deg])
    return ExercisePose(pose, place_body(person, pose), seat)


def _middle_of_hips(person: Person, knee_deg: FloatArray, ankle_deg: FloatArray) -> FloatArray:
    """Return where the hips are over flat feet below the origin, (n, 3) mm."""
    shank, thigh = np.radians(ankle_deg), np.radians(ankle_deg - knee_deg)
    x = person.shank * np.sin(shank) + person.thigh * np.sin(thigh)
    z = person.ankle_height + person.shank * np.cos(shank) + person.thigh * np.cos(thigh)
    return np.stack([x, np.zeros_like(x), z], axis=-1)


def _leg_angles(
    person: Person, sign: float, pelvis_axes: FloatArray, hip: FloatArray, ankle: FloatArray, knees_to: FloatArray
) -> tuple[FloatArray, ...]:
    """Return hip flexion, adduction, rotation, knee and ankle angles (n,) of a leg between two places, foot flat."""
    a, b = person.thigh, person.shank
    leg = hip - ankle
    length = np.linalg.norm(leg, axis=-1, keepdims=True)
    cosine = (length[:, 0] ** 2 - a**2 - b**2) / (2 * a * b)
    knee = np.arccos(np.clip(cosine, -1.0, 1.0))
    up = leg / length
    left = np.cross(up, knees_to)
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    front = np.cross(left, up)
    lean = np.arctan2(a * np.sin(knee), b + a * np.cos(knee))[:, None]
    z = np.sin(lean) * front + np.cos(lean) * up
    shank = np.stack([np.cross(left, z), left, z], axis=-1)
    thigh = np.swapaxes(pelvis_axes, -1, -2) @ shank @ axis_rotation(1, -np.degrees(knee))
    # thigh = Y(-flexion) X(sign adduction) Z(sign rotation), as person.leg_frames has it
    adduction = np.degrees(np.arcsin(np.clip(-thigh[:, 1, 2], -1, 1)))
    flexion = -np.degrees(np.arctan2(thigh[:, 0, 2], thigh[:, 2, 2]))
    rotation = np.degrees(np.arctan2(thigh[:, 1, 0], thigh[:, 1, 1]))
    dorsiflexion = np.degrees(np.arctan2(-shank[:, 2, 0], shank[:, 2, 2]))
    return flexion, sign * adduction, sign * rotation, np.degrees(knee), dorsiflexion
