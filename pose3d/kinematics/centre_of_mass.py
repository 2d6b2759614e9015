"""The body's centre of mass from its keypoints, by the segment masses of de Leva."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray

__all__ = ["CentreOfMass", "SegmentMass", "Sex", "centre_of_mass", "segment_masses"]

Sex: TypeAlias = Literal["male", "female", "mean"]


class SegmentMass(NamedTuple):
    """One kind of segment.

    Attributes
    ----------
    mass : float
        As a part of the body's.
    centre : float
        Where its centre lies, from the first to the second end, as a part of the way; beyond 1 it lies farther out.
    """

    mass: float
    centre: float


class CentreOfMass(NamedTuple):
    """Where the centre of mass is.

    Attributes
    ----------
    xyz : (..., 3) array, mm
        NaN where a point that is needed is missing.
    instead : tuple of str
        What stood in for keypoints that the skeleton does not have.
    """

    xyz: FloatArray
    instead: tuple[str, ...]


# de Leva (1996), table 4. Ends: the vertex and the cervicale (here the neck); the middles of shoulders and hips; joint
# centres; of the hand the wrist and the third knuckle, whose distance is taken from the length of the forearm; of the
# foot the heel and the tip of the toes.
_MALE = {
    "head": SegmentMass(0.0694, 0.5002),
    "trunk": SegmentMass(0.4346, 0.4310),
    "upper_arm": SegmentMass(0.0271, 0.5772),
    "forearm": SegmentMass(0.0162, 0.4574),
    "hand": SegmentMass(0.0061, 1 + 0.7900 * 86.2 / 268.9),
    "thigh": SegmentMass(0.1416, 0.4095),
    "shank": SegmentMass(0.0433, 0.4395),
    "foot": SegmentMass(0.0137, 0.4415),
}
_FEMALE = {
    "head": SegmentMass(0.0668, 0.4841),
    "trunk": SegmentMass(0.4257, 0.3782),
    "upper_arm": SegmentMass(0.0255, 0.5754),
    "forearm": SegmentMass(0.0138, 0.4559),
    "hand": SegmentMass(0.0056, 1 + 0.7474 * 78.0 / 264.3),
    "thigh": SegmentMass(0.1478, 0.3612),
    "shank": SegmentMass(0.0481, 0.4352),
    "foot": SegmentMass(0.0129, 0.4014),
}
_LIMBS = {
    "upper_arm": ("Shoulder", "Elbow"),
    "forearm": ("Elbow", "Wrist"),
    "hand": ("Elbow", "Wrist"),
    "thigh": ("Hip", "Knee"),
    "shank": ("Knee", "Ankle"),
    "foot": ("Heel", "BigToe"),
}


def segment_masses(sex: Sex = "mean") -> dict[str, SegmentMass]:
    """Return masses and centres of the segments; those of the limbs count twice.

    The masses of the whole body add up to 1.
    """
    tables = {"male": [_MALE], "female": [_FEMALE], "mean": [_MALE, _FEMALE]}
    if sex not in tables:
        raise ValueError(f"sex {sex!r}: there are {', '.join(tables)}")
    chosen = tables[sex]
    whole = sum(table[name].mass * (2 if name in _LIMBS else 1) for table in chosen for name in table)
    return {
        name: SegmentMass(
            sum(table[name].mass for table in chosen) / whole,
            sum(table[name].centre for table in chosen) / len(chosen),
        )
        for name in _MALE
    }


def centre_of_mass(points: Mapping[str, FloatArray], *, sex: Sex = "mean") -> CentreOfMass:
    """Compute the centre of mass of a person.

    Parameters
    ----------
    points : mapping of str to (..., 3) array, mm
        By name, as in HALPE-26: shoulders, elbows, wrists, hips, knees and ankles; and for the head ``Head`` and
        ``Neck``, or else ears or nose; for the feet heels and big toes, or else the ankles. Leading axes (samples,
        frames) are free.
    sex : str
        Whose masses: ``male``, ``female``, or the mean of both.

    Raises
    ------
    DataError
        If a joint, or all of the head, is not among the points.

    References
    ----------
    de Leva (1996), Adjustments to Zatsiorsky-Seluyanov's segment inertia parameters, J. Biomechanics 29:1223.
    """
    masses = segment_masses(sex)
    joints = [side + name for name in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle") for side in "LR"]
    absent = [name for name in joints if name not in points]
    if absent:
        raise DataError(f"the centre of mass needs {', '.join(absent)}, which the points do not have")
    instead: list[str] = []
    shoulders, hips = ((points[f"L{name}"] + points[f"R{name}"]) / 2 for name in ("Shoulder", "Hip"))
    total = masses["head"].mass * _head(points, masses["head"].centre, shoulders, instead)
    total = total + masses["trunk"].mass * _along(shoulders, hips, masses["trunk"].centre)
    feet = all(side + name in points for side in "LR" for name in ("Heel", "BigToe"))
    if not feet:
        instead.append("the ankles for the feet")
    for name, (first, second) in _LIMBS.items():
        for side in "LR":
            if name == "foot" and not feet:
                centre = points[f"{side}Ankle"]
            else:
                centre = _along(points[side + first], points[side + second], masses[name].centre)
            total = total + masses[name].mass * centre
    return CentreOfMass(np.asarray(total), tuple(instead))


def _along(first: FloatArray, second: FloatArray, part: float) -> FloatArray:
    return first + part * (second - first)


def _head(points: Mapping[str, FloatArray], part: float, shoulders: FloatArray, instead: list[str]) -> FloatArray:
    if "Head" in points:
        return _along(points["Head"], points.get("Neck", shoulders), part)
    if "LEar" in points and "REar" in points:
        instead.append("the ears for the head")
        return (points["LEar"] + points["REar"]) / 2
    if "Nose" in points:
        instead.append("the nose for the head")
        return points["Nose"]
    raise DataError("the centre of mass needs the head: Head, LEar and REar, or Nose, which the points do not have")
