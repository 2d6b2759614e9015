"""Angles of the human body from the keypoints of COCO-17, HALPE-26, BODY-25 and BODY-25B.

Axes: x forward, y left, z up, of the body rather than the room. Left and right follow the same rule, so that a mirrored
person has the same angles with the sides exchanged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.data import Skeleton
from pose3d.errors import ConfigError
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.definitions import across, dot, included_angle, unit
from pose3d.log import logger

__all__ = ["HUMAN_ANGLES", "HumanAngle", "human_angles"]

_Points = Mapping[str, FloatArray]

# Where a limb runs within 5 degrees along the axis about which its angle is counted, the angle is noise.
_LEAST_SINE = float(np.sin(np.deg2rad(5.0)))


def _middle(points: _Points, joint: str) -> FloatArray:
    return (points[f"L{joint}"] + points[f"R{joint}"]) / 2


def _leftwards(points: _Points, joint: str) -> FloatArray:
    return points[f"L{joint}"] - points[f"R{joint}"]


def _turn(limb: FloatArray, up: FloatArray, left: FloatArray) -> FloatArray:
    """Return how far `limb` is turned forwards from `up` about `left` made perpendicular to `up`, degrees."""
    z = unit(up)
    y = across(left, z, least_sine=_LEAST_SINE)
    x = np.cross(y, z)
    limb = across(limb, y, least_sine=_LEAST_SINE)
    return np.degrees(np.arctan2(dot(limb, x), dot(limb, z)))


def _knee_flexion(points: _Points, side: str) -> FloatArray:
    thigh, shank = points[f"{side}Hip"] - points[f"{side}Knee"], points[f"{side}Knee"] - points[f"{side}Ankle"]
    return _turn(shank, thigh, _leftwards(points, "Hip"))


def _trunk(points: _Points) -> FloatArray:
    return _middle(points, "Shoulder") - _middle(points, "Hip")


def _hip_flexion_trunk(points: _Points, side: str) -> FloatArray:
    thigh = points[f"{side}Hip"] - points[f"{side}Knee"]
    return -_turn(thigh, _trunk(points), _leftwards(points, "Hip"))


def _hip_adduction(points: _Points, side: str) -> FloatArray:
    left, thigh = unit(_leftwards(points, "Hip")), unit(points[f"{side}Hip"] - points[f"{side}Knee"])
    inwards = dot(thigh, left)
    aside = np.degrees(np.arctan2(inwards, np.linalg.norm(thigh - inwards[..., None] * left, axis=-1)))
    return np.asarray(aside if side == "L" else -aside)


def _ankle_dorsiflexion(points: _Points, side: str) -> FloatArray:
    shank = points[f"{side}Knee"] - points[f"{side}Ankle"]
    return 90 - included_angle(shank, points[f"{side}BigToe"] - points[f"{side}Heel"])


def _shoulder_flexion(points: _Points, side: str) -> FloatArray:
    upper_arm = points[f"{side}Shoulder"] - points[f"{side}Elbow"]
    flexion = -_turn(upper_arm, _trunk(points), _leftwards(points, "Shoulder"))
    return np.where(flexion < -120, flexion + 360, flexion)


def _elbow_flexion(points: _Points, side: str) -> FloatArray:
    upper_arm, forearm = (
        points[f"{side}{above}"] - points[f"{side}{below}"]
        for above, below in (("Shoulder", "Elbow"), ("Elbow", "Wrist"))
    )
    return included_angle(upper_arm, forearm)


@dataclass(frozen=True)
class HumanAngle:
    """Definition of an angle of the human body, the same for both sides.

    Attributes
    ----------
    name : str
        Without the side; columns are ``<name>_l`` and ``<name>_r``.
    definition : str
    zero : str
        Attitude of zero degrees.
    positive : str
        What makes the angle grow.
    range_deg : (float, float)
        Least and greatest value that can come out.
    error : str, optional
        How far the definition alone (exact joint centres) lies from Vicon Plug-in Gait in walking, where it is known.
    keypoints : tuple of str
        Of the own side, without its letter.
    both_sides : tuple of str
        Needed on the left and the right.
    compute : callable
        From points by name (..., 3) and "L" or "R" to degrees (...).
    """

    name: str
    definition: str
    zero: str
    positive: str
    range_deg: tuple[float, float]
    error: str | None
    keypoints: tuple[str, ...]
    both_sides: tuple[str, ...]
    compute: Callable[[_Points, str], FloatArray]

    def needs(self, side: str) -> tuple[str, ...]:
        """Return the keypoints of the angle on the side "L" or "R"."""
        pairs = [letter + joint for joint in self.both_sides for letter in "LR"]
        return tuple(dict.fromkeys([*pairs, *(side + joint for joint in self.keypoints)]))


HUMAN_ANGLES: tuple[HumanAngle, ...] = (
    HumanAngle(
        name="hip_flexion_trunk",
        definition="thigh against the long axis of the trunk, about the line between the hips",
        zero="thigh in line with the trunk",
        positive="knee moves forwards",
        range_deg=(-180, 180),
        error="offset -29..+2 deg (the tilt of the pelvis, which two hip points do not show), SD 1.0-1.8 deg",
        keypoints=("Hip", "Knee"),
        both_sides=("Hip", "Shoulder"),
        compute=_hip_flexion_trunk,
    ),
    HumanAngle(
        name="hip_adduction",
        definition="thigh against the plane across the line between the hips",
        zero="thigh perpendicular to the line between the hips",
        positive="knee moves towards the other leg",
        range_deg=(-90, 90),
        error="RMSE 0.06 deg (mean of 18 legs), 0.21 deg (worst leg)",
        keypoints=("Hip", "Knee"),
        both_sides=("Hip",),
        compute=_hip_adduction,
    ),
    HumanAngle(
        name="knee_flexion",
        definition="shank against the thigh, about the line between the hips made perpendicular to the thigh",
        zero="shank in line with the thigh",
        positive="heel moves towards the buttock; hyperextension is negative",
        range_deg=(-180, 180),
        error="RMSE 0.56 deg (mean of 12 legs), 1.14 deg (worst leg), bias 0.15 deg",
        keypoints=("Hip", "Knee", "Ankle"),
        both_sides=("Hip",),
        compute=_knee_flexion,
    ),
    HumanAngle(
        name="ankle_dorsiflexion",
        definition="line from heel to big toe against the shank",
        zero="that line perpendicular to the shank",
        positive="toes move towards the shin; plantarflexion is negative",
        range_deg=(-90, 90),
        error="offset -6..+7 deg, SD 0.3-1.9 deg",
        keypoints=("Knee", "Ankle", "Heel", "BigToe"),
        both_sides=(),
        compute=_ankle_dorsiflexion,
    ),
    HumanAngle(
        name="shoulder_flexion",
        definition="upper arm against the long axis of the trunk, about the line between the shoulders",
        zero="arm hangs along the trunk",
        positive="elbow moves forwards",
        range_deg=(-120, 240),
        error=None,
        keypoints=("Shoulder", "Elbow"),
        both_sides=("Shoulder", "Hip"),
        compute=_shoulder_flexion,
    ),
    HumanAngle(
        name="elbow_flexion",
        definition="forearm against the upper arm; has no sign, hyperextension counts as flexion",
        zero="straight arm",
        positive="hand moves towards the shoulder",
        range_deg=(0, 180),
        error=None,
        keypoints=("Shoulder", "Elbow", "Wrist"),
        both_sides=(),
        compute=_elbow_flexion,
    ),
)


def human_angles(points: _Points) -> dict[str, FloatArray]:
    """Compute the angles whose keypoints are there; those left out are logged.

    Parameters
    ----------
    points : mapping of str to (..., 3) array

    Returns
    -------
    dict of str to (...) array, degrees

    Raises
    ------
    ConfigError
        If no angle can be computed.
    """
    found: dict[str, FloatArray] = {}
    left_out: list[str] = []
    for angle in HUMAN_ANGLES:
        for side in "LR":
            name = f"{angle.name}_{side.lower()}"
            absent = [keypoint for keypoint in angle.needs(side) if keypoint not in points]
            if absent:
                left_out.append(f"{name} (needs {', '.join(absent)})")
            else:
                found[name] = angle.compute(points, side)
    if not found:
        skeletons = ", ".join(Skeleton.preset(name).name for name in Skeleton.presets())
        raise ConfigError(
            f"angles: no angle of the human body can be computed from {_some(list(points))}; name the keypoints as in "
            f"{skeletons} (LHip, LKnee, ...), or define angles of your own"
        )
    if left_out:
        logger.info("angles left out, as the data have no such keypoints: %s", "; ".join(left_out))
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:6], *(["..."] if len(names) > 6 else [])]) or "no keypoints"
