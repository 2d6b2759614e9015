"""Joint angles of a recording by the best way that its points allow, from a static trial, and their velocities."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose3d.data import JointAngles, Keypoints3D
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics import body_angles, joint_angles, unobservable
from pose3d.kinematics.angular_velocity import angle_velocity
from pose3d.kinematics.segments import segment_angles
from pose3d.kinematics.static_offsets import OFFSET_ANGLES, static_offsets, subtract_offsets

__all__ = ["VELOCITY_MARK", "MeasuredAngles", "from_static", "measure_angles", "velocities"]

VELOCITY_MARK = "_velocity"
"""In the names of angular velocities, before the side."""


@dataclass(frozen=True, eq=False)
class MeasuredAngles:
    """Angles, and what could not be measured.

    Attributes
    ----------
    angles : JointAngles
    not_observable : mapping of str to str
        Angles of Plug-in Gait that the keypoints do not show, and why.
    """

    angles: JointAngles
    not_observable: Mapping[str, str]


def measure_angles(
    points: Keypoints3D,
    definitions: Mapping[str, Sequence[str]] | None = None,
    *,
    model: bool = True,
    fps: float | None = None,
) -> MeasuredAngles:
    """Compute the angles of a recording.

    Parameters
    ----------
    points : Keypoints3D
    definitions : mapping of str to sequence of str, optional
        As for :func:`pose3d.kinematics.joint_angles`; otherwise those of the human body.
    model : bool
        Whether the axes of segments count, where the points have them.
    fps : float, optional
        Instead of ``points.fps``.

    Raises
    ------
    ConfigError
        If a definition does not fit the keypoints, or no angle can be computed.
    """
    rate = points.fps if fps is None else fps
    if definitions is not None:
        return MeasuredAngles(replace(joint_angles(points, definitions), fps=rate), {})
    measured = segment_angles(points) if model else None
    if measured is not None:
        return MeasuredAngles(replace(measured, fps=rate), {})
    return MeasuredAngles(body_angles(points, fps=rate), unobservable(points.keypoints))


def from_static(
    angles: JointAngles, static: JointAngles, *, only: Collection[str] = OFFSET_ANGLES
) -> tuple[JointAngles, dict[str, dict[str, float]]]:
    """Subtract how each individual stands.

    Parameters
    ----------
    angles, static : JointAngles
        Of the same individuals, by name; or of one in each.
    only : collection of str
        As for :func:`pose3d.kinematics.static_offsets.static_offsets`.

    Returns
    -------
    JointAngles
    offsets : dict of str to dict of str to float, degrees
        By individual.

    Raises
    ------
    DataError
        If the static trial cannot be used, or does not have an individual.
    """
    one = len(angles.individuals) == 1 == len(static.individuals)
    parts, offsets = [], {}
    for i, name in enumerate(angles.individuals):
        if not one and name not in static.individuals:
            raise DataError(f"the static trial does not have {name!r}; it has {', '.join(static.individuals)}")
        own = static_offsets(static, individual=0 if one else static.individuals.index(name), only=only)
        offsets[name] = {angle: value for angle, value in own.items() if angle in angles.names}
        parts.append(subtract_offsets(_of_one(angles, i), own))
    if any(part.names != parts[0].names for part in parts):
        raise DataError("the static trial has not the same angles of every individual")
    made = replace(
        angles,
        names=parts[0].names,
        deg=np.concatenate([part.deg for part in parts], axis=1),
        low_deg=_joined([part.low_deg for part in parts]),
        high_deg=_joined([part.high_deg for part in parts]),
    )
    return made, offsets


def _of_one(angles: JointAngles, index: int) -> JointAngles:
    sd, low, high = (
        None if values is None else values[:, [index]] for values in (angles.sd_deg, angles.low_deg, angles.high_deg)
    )
    return JointAngles(
        angles.deg[:, [index]],
        angles.names,
        angles.individuals[index : index + 1],
        sd_deg=sd,
        low_deg=low,
        high_deg=high,
        fps=angles.fps,
        start=angles.start,
    )


def _joined(parts: Sequence[FloatArray | None]) -> FloatArray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known, axis=1) if known else None


def velocities(angles: JointAngles) -> JointAngles:
    """Return how fast angles change, degrees/s, named such as ``knee_flexion_velocity_l``.

    Parameters
    ----------
    angles : JointAngles
        Smoothed first by cross-validation (:func:`pose3d.kinematics.angular_velocity.angle_velocity`), which is meant
        for points that were not low-passed.

    Raises
    ------
    DataError
        If the frame rate is unknown.
    """
    if angles.fps is None:
        raise DataError("the frame rate is unknown; give --fps")
    rates = angle_velocity(np.moveaxis(angles.deg, 0, -1), fps=angles.fps)
    names = tuple(
        f"{name[:-2]}{VELOCITY_MARK}{name[-2:]}" if name.endswith(("_l", "_r")) else f"{name}{VELOCITY_MARK}"
        for name in angles.names
    )
    return replace(angles, deg=np.moveaxis(rates, -1, 0), sd_deg=None, low_deg=None, high_deg=None, names=names)
