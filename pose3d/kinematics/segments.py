"""Joint angles from segment frames: named Cardan sequences with one table of signs, equal to Vicon's Plug-in Gait.

A segment's frame has its axes in columns: forwards (x), to the left (y) and up along the segment (z). The angles of a
joint are those of ``R = proximal' @ distal``, in the sequence that its row of :data:`CARDAN_JOINTS` names; another
sequence gives other numbers, up to 5 degrees in gait. Signs are Plug-in Gait's; each component says what is positive,
on both sides: what is turned about x or z changes its sign between left and right.

The legs' sequence YXZ is the joint coordinate system of Grood and Suntay (1983): flexion about the proximal line from
side to side, rotation about the distal long axis, and ab- and adduction about the line across both. Frames as the ISB
labels them (X forwards, Y up, Z to the right) are the same ones; there the sequence is ZXY, and the first angle has the
other sign. Both are tested on random frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from pose3d.data import JointAngles, Keypoints3D
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.kinematics.definitions import unit
from pose3d.kinematics.headings import lab_heading, walker_heading

__all__ = [
    "CARDAN_JOINTS",
    "CardanJoint",
    "Component",
    "cardan_angles",
    "joint_cardan_angles",
    "lab_heading",
    "segment_angles",
    "segment_frames",
]

Sequence3: TypeAlias = Literal["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"]

_LAB = "lab"
_LEAST_LOCK = 1e-9  # cosine of the middle angle below which the others are not defined


@dataclass(frozen=True)
class Component:
    """One of the three angles of a joint.

    Attributes
    ----------
    name : str
        Without the side; ``_l`` or ``_r`` follows.
    axis : str
        About which the turn is, of the joint's sequence: ``X``, ``Y`` or ``Z``.
    sign : int
        1 or -1, on the right.
    zero_deg : float
        Added after the sign.
    mirrored : bool
        Whether the left side has the other sign.
    positive : str
    """

    name: str
    axis: Literal["X", "Y", "Z"]
    sign: int
    zero_deg: float
    mirrored: bool
    positive: str


@dataclass(frozen=True)
class CardanJoint:
    """How one joint is measured.

    Attributes
    ----------
    name : str
    proximal, distal : str
        Segments; ``?`` stands for the side, ``lab`` for the direction of walking.
    sequence : str
        Of intrinsic turns from the proximal to the distal segment.
    components : (sagittal, frontal, transverse)
    stored : str
        The name under which Plug-in Gait stores it, without the side.
    """

    name: str
    proximal: str
    distal: str
    sequence: Sequence3
    components: tuple[Component, ...]
    stored: str

    def segments(self, side: str) -> tuple[str, str]:
        """Return the names of both segments on a side, ``L`` or ``R``."""
        return self.proximal.replace("?", side), self.distal.replace("?", side)


CARDAN_JOINTS: tuple[CardanJoint, ...] = (
    CardanJoint(
        "pelvis",
        _LAB,
        "PEL",
        "YXZ",
        (
            Component("pelvis_tilt", "Y", 1, 0.0, False, "front down (anterior tilt)"),
            Component("pelvis_obliquity", "X", -1, 0.0, True, "this side up"),
            Component("pelvis_rotation", "Z", 1, 0.0, True, "this side forwards"),
        ),
        "PelvisAngles",
    ),
    CardanJoint(
        "hip",
        "PEL",
        "?FE",
        "YXZ",
        (
            Component("hip_flexion", "Y", -1, 0.0, False, "knee forwards"),
            Component("hip_adduction", "X", 1, 0.0, True, "knee towards the other leg"),
            Component("hip_rotation", "Z", 1, 0.0, True, "internal"),
        ),
        "HipAngles",
    ),
    CardanJoint(
        "knee",
        "?FE",
        "?TI",
        "YXZ",
        (
            Component("knee_flexion", "Y", 1, 0.0, False, "heel to the buttock"),
            Component("knee_adduction", "X", 1, 0.0, True, "varus"),
            Component("knee_rotation", "Z", 1, 0.0, True, "internal"),
        ),
        "KneeAngles",
    ),
    CardanJoint(
        "ankle",
        "?TI",
        "?FO",
        "YXZ",
        (
            Component("ankle_dorsiflexion", "Y", -1, -90.0, False, "toes to the shin"),
            Component("ankle_adduction", "Z", 1, 0.0, True, "sole outwards (eversion)"),
            Component("ankle_rotation", "X", 1, 0.0, True, "internal"),
        ),
        "AnkleAngles",
    ),
    CardanJoint(
        "foot",
        _LAB,
        "?FO",
        "YXZ",
        (
            Component("foot_pitch", "Y", 1, 0.0, False, "toes down, from the vertical"),
            Component("foot_roll", "Z", -1, 0.0, True, "sole inwards"),
            Component("foot_progression", "X", 1, 0.0, True, "toes inwards"),
        ),
        "FootProgressAngles",
    ),
    CardanJoint(
        "thorax",
        _LAB,
        "TRX",
        "YXZ",
        (
            Component("thorax_tilt", "Y", 1, -180.0, False, "front down"),
            Component("thorax_obliquity", "X", 1, 0.0, True, "this side up"),
            Component("thorax_rotation", "Z", -1, -180.0, True, "this side forwards"),
        ),
        "ThoraxAngles",
    ),
    CardanJoint(
        "spine",
        "TRX",
        "PEL",
        "YXZ",
        (
            Component("spine_flexion", "Y", 1, -180.0, False, "trunk forwards on the pelvis"),
            Component("spine_lateral", "X", 1, 0.0, True, "trunk to this side"),
            Component("spine_rotation", "Z", 1, -180.0, True, "this side of the pelvis forwards"),
        ),
        "SpineAngles",
    ),
    CardanJoint(
        "head",
        _LAB,
        "HED",
        "YXZ",
        (
            Component("head_tilt", "Y", -1, 0.0, False, "face up"),
            Component("head_obliquity", "X", -1, 0.0, True, "this side up"),
            Component("head_rotation", "Z", 1, 0.0, True, "this side forwards"),
        ),
        "HeadAngles",
    ),
    CardanJoint(
        "neck",
        "HED",
        "TRX",
        "YXZ",
        (
            Component("neck_flexion", "Y", -1, -180.0, False, "head forwards on the trunk"),
            Component("neck_lateral", "X", 1, 0.0, True, "head to this side"),
            Component("neck_rotation", "Z", -1, -180.0, True, "this side of the trunk forwards"),
        ),
        "NeckAngles",
    ),
    CardanJoint(
        "shoulder",
        "TRX",
        "?HU",
        "XYZ",
        (
            Component("shoulder_flexion", "Y", -1, 0.0, False, "elbow forwards"),
            Component("shoulder_abduction", "X", -1, -180.0, True, "elbow away from the trunk"),
            Component("shoulder_rotation", "Z", 1, -180.0, True, "internal"),
        ),
        "ShoulderAngles",
    ),
    CardanJoint(
        "elbow",
        "?HU",
        "?RA",
        "YXZ",
        (Component("elbow_flexion", "Y", 1, 0.0, False, "hand to the shoulder"),),
        "ElbowAngles",
    ),
    CardanJoint(
        "wrist",
        "?RA",
        "?HN",
        "YXZ",
        (
            Component("wrist_flexion", "Y", 1, 0.0, False, "as Plug-in Gait has it"),
            Component("wrist_adduction", "X", 1, 0.0, True, "as Plug-in Gait has it"),
            Component("wrist_rotation", "Z", 1, 0.0, True, "as Plug-in Gait has it"),
        ),
        "WristAngles",
    ),
)
"""Joints by the axes that Plug-in Gait stores; the components stand in the order in which it stores them."""


def segment_frames(points: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Build the frames of segments from the points at the ends of their axes.

    Parameters
    ----------
    points : mapping of str to (..., 3) array, mm
        ``<segment>O``, ``A``, ``L`` and ``P``: origin, and the ends of the axes forwards, to the left and up, as
        Plug-in Gait writes them into a C3D.

    Returns
    -------
    dict of str to (..., 3, 3) array
        Axes in columns; NaN where a point is missing. Segments of which a point is not named are left out.
    """
    frames = {}
    for name in points:
        segment, end = name[:-1], name[-1:]
        if end == "O" and segment and all(segment + axis in points for axis in "ALP"):
            axes = [unit(points[segment + axis] - points[name]) for axis in "ALP"]
            frame = np.stack(axes, axis=-1)
            frames[segment] = np.where(np.isfinite(frame).all((-2, -1), keepdims=True), frame, np.nan)
    return frames


def cardan_angles(proximal: FloatArray, distal: FloatArray, sequence: Sequence3) -> FloatArray:
    """Return the intrinsic turns that carry one frame to another.

    Parameters
    ----------
    proximal, distal : (..., 3, 3) array
        Axes in columns.
    sequence : str
        Three different axes.

    Returns
    -------
    (..., 3) array, degrees
        About the axes in the order of `sequence`: the first and the last -180 to 180, the middle -90 to 90. NaN where a
        frame is missing, or where the middle one is 90 degrees, so that the others are not defined.

    References
    ----------
    Cole, Nigg, Ronsky, Yeadon (1993), Application of the joint coordinate system to three-dimensional joint attitude
    and movement representation, J. Biomech. Eng. 115:344.
    """
    i, j, k = ("XYZ".index(axis) for axis in sequence)
    even = 1.0 if (j - i) % 3 == 1 else -1.0
    turn = np.swapaxes(proximal, -1, -2) @ distal
    cosine = np.hypot(turn[..., i, i], turn[..., i, j])
    first = np.arctan2(-even * turn[..., j, k], turn[..., k, k])
    middle = np.arctan2(even * turn[..., i, k], cosine)
    last = np.arctan2(-even * turn[..., i, j], turn[..., i, i])
    angles = np.degrees(np.stack([first, middle, last], axis=-1))
    return np.where((cosine > _LEAST_LOCK)[..., None], angles, np.nan)


def joint_cardan_angles(frames: Mapping[str, FloatArray], heading: FloatArray | None = None) -> dict[str, FloatArray]:
    """Compute the angles of all joints whose segments are there.

    Parameters
    ----------
    frames : mapping of str to (n_frames, 3, 3) array
        Of :func:`segment_frames`.
    heading : (3, 3) or (n_frames, 3, 3) array, optional
        The direction of walking, for what is measured against the laboratory: fixed as of
        :func:`pose3d.kinematics.headings.lab_heading`, or
        turning with the walker. Without it those angles are left out.

    Returns
    -------
    dict of str to (n_frames,) array, degrees
        Named as in :data:`CARDAN_JOINTS` with ``_l`` or ``_r``; -180 to 180.
    """
    there = dict(frames)
    if heading is not None and frames:
        shape = next(iter(frames.values())).shape
        there[_LAB] = np.broadcast_to(heading, shape)
    found = {}
    for joint in CARDAN_JOINTS:
        for side in "LR":
            proximal, distal = joint.segments(side)
            if proximal not in there or distal not in there:
                continue
            angles = cardan_angles(there[proximal], there[distal], joint.sequence)
            for component in joint.components:
                sign = -component.sign if component.mirrored and side == "L" else component.sign
                values = sign * angles[..., joint.sequence.index(component.axis)] + component.zero_deg
                found[f"{component.name}_{side.lower()}"] = _wrapped(values)
    return found


def segment_angles(points: Keypoints3D, *, follow_turns: bool = False) -> JointAngles | None:
    """Compute the angles of a motion-capture model from the axes that its file holds.

    Parameters
    ----------
    points : Keypoints3D
        Of one individual, with ``PELO``, ``PELA``, ... as Plug-in Gait writes them.
    follow_turns : bool
        Measure what is measured against the laboratory against the way instead where that leaves the laboratory's
        axis (:func:`pose3d.kinematics.headings.walker_heading`). Vicon does not.

    Returns
    -------
    JointAngles or None
        By :data:`CARDAN_JOINTS`; against the laboratory along its axis that is nearest to the way. None where the
        points hold no two segments of a joint.

    Raises
    ------
    ValueError
        If turns are to be followed and the frame rate is unknown.
    """
    named = {name: points.xyz[:, 0, i] for i, name in enumerate(points.keypoints)}
    frames = segment_frames(named)
    heading = None
    if "PEL" in frames:
        heading = lab_heading(named["PELO"], frames["PEL"][..., 0])
        if follow_turns:
            if points.fps is None:
                raise ValueError("a way in time needs the frame rate")
            heading = walker_heading(named["PELO"], frames["PEL"], fps=points.fps)
    found = joint_cardan_angles(frames, heading)
    if not found:
        return None
    deg = np.stack(list(found.values()), axis=-1)[:, None]
    return JointAngles(deg, tuple(found), points.individuals, fps=points.fps, start=points.start)


def _wrapped(deg: FloatArray) -> FloatArray:
    """Bring angles into -180 to 180 degrees."""
    beyond: BoolArray = np.abs(deg) > 180
    return np.where(beyond, (deg + 180) % 360 - 180, deg)
