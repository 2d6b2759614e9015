"""A body: segment lengths after published proportions, and keypoints from joint angles."""

from dataclasses import dataclass

import numpy as np

from pose3d.data.skeleton import Skeleton
from pose3d.geometry.arrays import FloatArray

__all__ = ["Frames", "Person", "Pose", "axis_rotation", "leg_frames", "make_person", "place_body"]


@dataclass(frozen=True)
class Person:
    """Lengths of a body, mm.

    References
    ----------
    Drillis & Contini (1966), Body segment parameters, New York University, after Winter (2009), Biomechanics and
    Motor Control of Human Movement, 4th ed., fig. 4.1: lengths as fractions of the height.
    """

    height: float
    hip_width: float
    thigh: float
    shank: float
    ankle_height: float
    foot: float
    trunk: float
    shoulder_width: float
    upper_arm: float
    forearm: float
    hand: float
    neck: float
    head: float
    stoutness: float
    toe_out_deg: float


def make_person(rng: np.random.Generator) -> Person:
    """Draw an adult: height, and each length around its published fraction of it."""
    height = float(np.clip(rng.normal(1720, 85), 1540, 1930))

    def length(fraction: float, spread: float = 0.025) -> float:
        return float(height * fraction * (1 + np.clip(rng.normal(0, spread), -2 * spread, 2 * spread)))

    return Person(
        height=height,
        hip_width=length(0.100, 0.04),  # between the joint centres; the pelvis itself is 0.191 wide
        thigh=length(0.245),
        shank=length(0.246),
        ankle_height=length(0.039) + 14,  # the sole of a shoe
        foot=length(0.152) + 12,
        trunk=length(0.288),
        shoulder_width=length(0.205),  # joint centres; 0.259 to the outside
        upper_arm=length(0.186),
        forearm=length(0.146),
        hand=length(0.108),
        neck=length(0.044),
        head=length(0.130),
        stoutness=float(rng.uniform(0.9, 1.15)),
        toe_out_deg=float(rng.uniform(2, 7)),
    )


def axis_rotation(axis: int, angle_deg: FloatArray | float) -> FloatArray:
    """Return rotations about x (0), y (1) or z (2), (..., 3, 3)."""
    angle = np.radians(np.asarray(angle_deg, dtype=np.float64))
    c, s = np.cos(angle), np.sin(angle)
    out = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1
    out[..., i, i] = out[..., j, j] = c
    out[..., i, j], out[..., j, i] = -s, s
    return out


@dataclass(frozen=True, eq=False)
class Pose:
    """Joint angles and the pelvis's place over time; degrees and mm, (n_frames,) each, legs and arms (left, right).

    Flexion, adduction and internal rotation are positive on both sides. The pelvis's and the thorax's angles are
    those of the room: tilt forwards positive, obliquity positive where the right side is up, rotation positive to the
    left (counterclockwise from above).
    """

    pelvis: FloatArray
    pelvis_tilt: FloatArray
    pelvis_obliquity: FloatArray
    pelvis_rotation: FloatArray
    hip_flexion: tuple[FloatArray, FloatArray]
    hip_adduction: tuple[FloatArray, FloatArray]
    hip_rotation: tuple[FloatArray, FloatArray]
    knee_flexion: tuple[FloatArray, FloatArray]
    ankle_dorsiflexion: tuple[FloatArray, FloatArray]
    trunk_lean: FloatArray
    trunk_sway: FloatArray
    thorax_rotation: FloatArray
    shoulder_flexion: tuple[FloatArray, FloatArray]
    shoulder_abduction: tuple[FloatArray, FloatArray]
    elbow_flexion: tuple[FloatArray, FloatArray]


@dataclass(frozen=True, eq=False)
class Frames:
    """Places of the keypoints and attitudes of the segments over time.

    Attributes
    ----------
    points : dict of str to (n_frames, 3) array, mm
        HALPE-26 keypoints, the wrists' continuation ``LHand`` and ``RHand``, and ``HeadCenter``.
    axes : dict of str to (n_frames, 3, 3) array
        Columns forward, left and up (towards the body) of the segments.
    soles : (n_frames, 2, 3, 3) array, mm
        Left and right foot: where the sole can touch the floor, at the heel, the ball and the tip.
    """

    points: dict[str, FloatArray]
    axes: dict[str, FloatArray]
    soles: FloatArray

    def keypoints(self, skeleton: Skeleton) -> FloatArray:
        """Return (n_frames, n_keypoints, 3) in the skeleton's order, mm."""
        return np.stack([self.points[name] for name in skeleton.keypoints], axis=1)


def leg_frames(
    person: Person,
    side: int,
    pelvis_axes: FloatArray,
    angles_deg: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
) -> tuple[dict[str, FloatArray], dict[str, FloatArray], FloatArray]:
    """Place one leg relative to the middle of the hips.

    Parameters
    ----------
    person : Person
    side : int
        1 right, -1 left.
    pelvis_axes : (..., 3, 3) array
    angles_deg : five (...) arrays
        Hip flexion, adduction, internal rotation, knee flexion, ankle dorsiflexion.

    Returns
    -------
    points : dict of (..., 3) arrays, mm
        Hip, Knee, Ankle, Heel, BigToe, SmallToe.
    axes : dict of (..., 3, 3) arrays
        thigh, shank, foot.
    sole : (..., 3, 3) array, mm
        Heel, ball and tip of the sole.

    Notes
    -----
    Thigh = pelvis * Y(-flexion) * X(side * adduction) * Z(side * rotation): without rotation the plane of the knee
    holds the line between the hips made perpendicular to the thigh, as in the definition of the knee angle from
    keypoints.
    """
    flexion, adduction, rotation, knee, ankle = angles_deg
    thigh = pelvis_axes @ axis_rotation(1, -flexion) @ axis_rotation(0, side * adduction)
    thigh = thigh @ axis_rotation(2, side * rotation)
    shank = thigh @ axis_rotation(1, knee)
    foot = shank @ axis_rotation(1, -ankle) @ axis_rotation(2, -side * person.toe_out_deg)
    hip = pelvis_axes @ np.array([0.0, -side * person.hip_width / 2, 0.0])
    knee_at = hip - person.thigh * thigh[..., :, 2]
    ankle_at = knee_at - person.shank * shank[..., :, 2]

    length, low = person.foot, -person.ankle_height
    lift = 0.3 * person.ankle_height  # heel and toe points lie on the shoe, above the sole, at one height

    def on_foot(forward: float, inward: float, up: float) -> FloatArray:
        return np.asarray(ankle_at + foot @ np.array([forward * length, side * inward * length, up]))

    points = {
        "Hip": np.asarray(hip),
        "Knee": np.asarray(knee_at),
        "Ankle": np.asarray(ankle_at),
        "Heel": on_foot(-0.26, 0.0, low + lift),
        "BigToe": on_foot(0.70, 0.07, low + lift),
        "SmallToe": on_foot(0.56, -0.17, low + lift),
    }
    tip_up = 0.045 * length  # shoes turn up in front of the ball
    sole = np.stack([on_foot(-0.22, 0, low), on_foot(0.47, 0, low), on_foot(0.72, 0, low + tip_up)], axis=-2)
    return points, {"thigh": thigh, "shank": shank, "foot": foot}, sole


def _arm(
    person: Person, side: int, thorax: FloatArray, shoulder: FloatArray, angles_deg: tuple[FloatArray, ...]
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    flexion, abduction, elbow = angles_deg
    upper = thorax @ axis_rotation(1, -flexion) @ axis_rotation(0, -side * abduction)
    upper = upper @ axis_rotation(2, np.full_like(flexion, side * 12.0))
    fore = upper @ axis_rotation(1, -elbow)
    elbow_at = shoulder - person.upper_arm * upper[..., :, 2]
    wrist = elbow_at - person.forearm * fore[..., :, 2]
    points = {"Elbow": elbow_at, "Wrist": wrist, "Hand": wrist - 0.75 * person.hand * fore[..., :, 2]}
    return points, {"upper_arm": upper, "forearm": fore}


def place_body(person: Person, pose: Pose) -> Frames:
    """Compute keypoints and segment attitudes of every frame by forward kinematics."""
    pelvis_axes = (
        axis_rotation(2, pose.pelvis_rotation)
        @ axis_rotation(0, -pose.pelvis_obliquity)
        @ axis_rotation(1, pose.pelvis_tilt)
    )
    # The pelvis's own lean is anatomical; its frame for the legs is the tilted one, the trunk stands on the hips.
    trunk = (
        axis_rotation(2, pose.thorax_rotation) @ axis_rotation(0, -pose.trunk_sway) @ axis_rotation(1, pose.trunk_lean)
    )
    root = pose.pelvis
    points: dict[str, FloatArray] = {"Hip": root}
    axes: dict[str, FloatArray] = {"pelvis": pelvis_axes, "trunk": trunk}
    soles = []
    shoulders_mid = root + person.trunk * trunk[..., :, 2]
    for index, (letter, side) in enumerate((("L", -1), ("R", 1))):
        angles = (
            pose.hip_flexion[index],
            pose.hip_adduction[index],
            pose.hip_rotation[index],
            pose.knee_flexion[index],
            pose.ankle_dorsiflexion[index],
        )
        leg, leg_axes, sole = leg_frames(person, side, pelvis_axes, angles)
        points |= {letter + name: root + place for name, place in leg.items()}
        axes |= {letter + name: matrix for name, matrix in leg_axes.items()}
        soles.append(root[:, None] + sole)
        shoulder = shoulders_mid - side * person.shoulder_width / 2 * trunk[..., :, 1]
        arm_angles = (pose.shoulder_flexion[index], pose.shoulder_abduction[index], pose.elbow_flexion[index])
        arm, arm_axes = _arm(person, side, trunk, shoulder, arm_angles)
        points[letter + "Shoulder"] = shoulder
        points |= {letter + name: place for name, place in arm.items()}
        axes |= {letter + name: matrix for name, matrix in arm_axes.items()}
    neck = shoulders_mid + 0.03 * person.trunk * trunk[..., :, 2]
    # the head looks ahead: it takes a third of the thorax's turn and none of its lean
    head = axis_rotation(2, pose.thorax_rotation / 3) @ axis_rotation(1, 0.3 * pose.trunk_lean)
    axes["head"] = head
    chin = neck + person.neck * (0.6 * trunk[..., :, 2] + 0.4 * head[..., :, 2])
    size = person.head

    def on_head(forward: float, left: float, up: float) -> FloatArray:
        return np.asarray(chin + size * (head @ np.array([forward, left, up])))

    points |= {
        "Neck": neck,
        "Head": on_head(0.05, 0, 1.0),
        "HeadCenter": on_head(0.05, 0, 0.5),
        "Nose": on_head(0.47, 0, 0.42),
        "LEye": on_head(0.38, 0.15, 0.55),
        "REye": on_head(0.38, -0.15, 0.55),
        "LEar": on_head(0.03, 0.34, 0.48),
        "REar": on_head(0.03, -0.34, 0.48),
    }
    return Frames(points, axes, np.stack(soles, axis=1))
