"""What a skeleton of keypoints can show of the angles that Plug-in Gait measures, and why it cannot show the rest.

A line between two joints has a direction, but no turn about itself. A rotation needs a second axis: a point beside the
line, or the next limb, bent. Where neither is there an angle is said to be not observable, and gets no number.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from pose3d.data import JointAngles, Keypoints3D
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.angles import joint_angles
from pose3d.kinematics.human import HUMAN_ANGLES, HumanAngle, human_angles
from pose3d.kinematics.segments import CARDAN_JOINTS
from pose3d.kinematics.walking_angles import WALKING_ANGLES, walking_angles, walking_angles_of

__all__ = ["NOT_OBSERVABLE", "OTHER_ZERO", "body_angles", "body_angles_of", "unobservable"]

_FOOT = "heel and big toe are one line; its turn about itself needs a second one, and the small toe lies too near"
_HEAD = "nose, eyes and ears show where a face is, not the axes of the head that a norm could be compared with"
_TRUNK = "it is measured from the pelvis, whose tilt two hip points do not show"

NOT_OBSERVABLE: dict[str, str] = {
    "pelvis_tilt": "two hip points show how the pelvis is raised and turned, not how it is tipped about their line",
    "hip_flexion": "it is measured from the pelvis, whose tilt two hip points do not show; hip_flexion_trunk is "
    "measured from the trunk, which norms are not",
    "knee_adduction": "the axis of the knee needs a point on either side of it; a bent leg lies in one plane",
    "knee_rotation": "the turn of the shank about itself needs the axis of the ankle or of the knee",
    "ankle_adduction": "the turn of the shank about itself, from which it is measured, needs the axis of the ankle",
    "ankle_rotation": "the turn of the shank about itself, from which it is measured, needs the axis of the ankle",
    "foot_roll": _FOOT,
    "thorax_tilt": "the axes of the thorax need points on chest and back; trunk_lean is the lean of the line from "
    "hips to shoulders",
    "thorax_obliquity": "the axes of the thorax need points on chest and back, and shoulders are shrugged; trunk_sway "
    "is the lean of the line from hips to shoulders",
    "thorax_rotation": "the axes of the thorax need points on chest and back; trunk_rotation is that of the line "
    "between the shoulders",
    "spine_flexion": _TRUNK,
    "spine_lateral": _TRUNK,
    "spine_rotation": _TRUNK,
    "head_tilt": _HEAD,
    "head_obliquity": _HEAD,
    "head_rotation": _HEAD,
    "neck_flexion": _HEAD,
    "neck_lateral": _HEAD,
    "neck_rotation": _HEAD,
    "shoulder_abduction": "it is measured from the axes of the thorax, which need points on chest and back",
    "shoulder_rotation": "the turn of the upper arm about itself needs the axis of the elbow; a straight arm hides it",
    "wrist_flexion": "the hand has no keypoints beyond the wrist",
    "wrist_adduction": "the hand has no keypoints beyond the wrist",
    "wrist_rotation": "the turn of the forearm about itself needs two points at the wrist",
}
"""Variables of :data:`pose3d.kinematics.segments.CARDAN_JOINTS` that no keypoint skeleton shows, and why."""


OTHER_ZERO: dict[str, str] = {
    "ankle_dorsiflexion": "its zero is the line from heel to toe perpendicular to the shank, -6 to +7 degrees from "
    "Plug-in Gait's",
    "hip_rotation": "its zero is the plane in which the knee bends, -20 to +10 degrees from Plug-in Gait's",
}
"""Angles of keypoints that share the name of a norm, but not its zero, and so are not compared with it."""


def unobservable(keypoints: Iterable[str]) -> dict[str, str]:
    """Tell which of Plug-in Gait's angles the keypoints do not show.

    Parameters
    ----------
    keypoints : iterable of str

    Returns
    -------
    dict of str to str
        Variable, without a side, to the reason; in the order of
        :data:`pose3d.kinematics.segments.CARDAN_JOINTS`. What is shown on one side at least is not in it.

    Examples
    --------
    >>> unobservable(["LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle"])["foot_progression"]
    'needs LHeel, LBigToe'
    """
    names = set(keypoints)
    ours = {angle.name: angle for angle in (*HUMAN_ANGLES, *WALKING_ANGLES)}
    found = {}
    for joint in CARDAN_JOINTS:
        for component in joint.components:
            variable = component.name
            if variable in NOT_OBSERVABLE:
                found[variable] = NOT_OBSERVABLE[variable]
            elif not any(names.issuperset(ours[variable].needs(side)) for side in "LR"):
                found[variable] = _lack(ours[variable], names)
    return found


def _lack(angle: HumanAngle, names: set[str]) -> str:
    side = min("LR", key=lambda side: len(set(angle.needs(side)) - names))
    return "needs " + ", ".join(name for name in angle.needs(side) if name not in names)


def body_angles(points: Keypoints3D, *, fps: float | None = None) -> JointAngles:
    """Compute every angle of the human body that keypoints show.

    Parameters
    ----------
    points : Keypoints3D
        Named as in a skeleton of :meth:`pose3d.data.Skeleton.presets`.
    fps : float, optional
        Instead of ``points.fps``.

    Returns
    -------
    JointAngles
        Those of :data:`pose3d.kinematics.HUMAN_ANGLES`, then those of
        :data:`pose3d.kinematics.walking_angles.WALKING_ANGLES`.

    Raises
    ------
    ConfigError
        If no angle of the body can be computed.
    """
    body = joint_angles(points)
    more = walking_angles(points, fps=fps)
    rate = points.fps if fps is None else fps
    if more is None:
        return JointAngles(body.deg, body.names, body.individuals, fps=rate, start=body.start)
    deg = np.concatenate([body.deg, more.deg], axis=-1)
    return JointAngles(deg, (*body.names, *more.names), body.individuals, fps=rate, start=body.start)


def body_angles_of(points: Mapping[str, FloatArray], frame: FloatArray | None) -> dict[str, FloatArray]:
    """Compute every angle of the human body from named arrays, such as posterior samples.

    Parameters
    ----------
    points : mapping of str to (..., n_frames, 3) array, mm
    frame : (n_frames, 3, 3) array or None
        Of :func:`pose3d.kinematics.walking_angles.frame_of_walker`.

    Returns
    -------
    dict of str to (..., n_frames) array, degrees

    Raises
    ------
    ConfigError
        If no angle of the body can be computed.
    """
    return {**human_angles(points), **walking_angles_of(points, frame)}
