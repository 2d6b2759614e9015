"""Joint angles over time: anipose's angle definitions by keypoint name, or the angles of the human body."""

from collections.abc import Mapping, Sequence

import numpy as np

from pose3d.data import JointAngles, Keypoints3D
from pose3d.data.angle_syntax import AngleDefinition, parse_angle
from pose3d.errors import ConfigError
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.definitions import axis_angle, chain_angles, cross_axis_angle, included_angle
from pose3d.kinematics.human import human_angles
from pose3d.log import logger

__all__ = ["joint_angles"]


def joint_angles(points: Keypoints3D, angles: Mapping[str, Sequence[str]] | None = None) -> JointAngles:
    """Compute joint angles in every frame, for every individual.

    Parameters
    ----------
    points : Keypoints3D
    angles : mapping of str to sequence of str, optional
        Definitions as in anipose's ``[angles]``, by name:

        ============================  ====================================================================
        ``[a, b, c]``                 angle at b between a and c, 0 to 180 degrees; 180 is straight
        ``["flex", a, b, c]``         the same
        ``["axis", a, b, c]``         turn of b - c about the axis a - b, from the world's x axis
        ``["cross-axis", a, b, c]``   turn of c - a about the normal of the plane, from the world's x axis
        ``["chain", a, "b/", c, d]``  down a limb: ``a_flex``, ``a_rot``, ``a_abduct``, ``b_flex``, ...;
                                      a joint with a slash bends the other way, its flex is negative
        ============================  ====================================================================

        The numbers are anipose's wherever those are defined (see :mod:`pose3d.kinematics.definitions`). Without
        definitions: the angles of the human body whose keypoints are there, with these zeros and signs, both sides
        alike (``_l``, ``_r``; more in :data:`pose3d.kinematics.HUMAN_ANGLES`):

        ======================  ==========================================  ===================================
        angle                   zero                                        positive
        ======================  ==========================================  ===================================
        ``hip_flexion_trunk``   thigh in line with the trunk                knee forwards
        ``hip_adduction``       thigh perpendicular to the line of the hips  knee towards the other leg
        ``knee_flexion``        shank in line with the thigh                heel to buttock; hyperextension < 0
        ``ankle_dorsiflexion``  heel-toe line perpendicular to the shank    toes to the shin
        ``shoulder_flexion``    arm along the trunk                         elbow forwards (-120 to 240)
        ``elbow_flexion``       straight arm                                hand to the shoulder (0 to 180)
        ======================  ==========================================  ===================================

        ``hip_flexion_trunk`` is measured against the trunk, as two hip points do not show the tilt of the pelvis: it
        is not comparable with pelvis-based norms without an offset.

    Returns
    -------
    JointAngles
        NaN where a keypoint is missing or the angle is not defined.

    Raises
    ------
    ConfigError
        If a definition names an unknown keypoint or type, two give one column, or none is left.

    References
    ----------
    Karashchuk et al. (2021), Anipose, Cell Reports 36:109730; Kadaba, Ramakrishnan, Wootten (1990), Measurement of
    lower extremity kinematics during level walking, J. Orthop. Res. 8:383.

    Examples
    --------
    A right angle at the knee of a mouse:

    >>> import numpy as np
    >>> from pose3d import Keypoints3D, joint_angles
    >>> from pose3d.data import Status
    >>> shape = (1, 1, 3)
    >>> mouse = Keypoints3D(
    ...     [[[[0, 0, 20], [0, 0, 0], [15, 0, 0]]]], np.zeros(shape), np.full(shape, 2), np.ones(shape),
    ...     np.full(shape, Status.OBSERVED), ["mouse"], ["hip", "knee", "ankle"],
    ... )
    >>> joint_angles(mouse, {"knee": ["hip", "knee", "ankle"]}).deg
    array([[[90.]]])
    """
    by_name = {name: points.xyz[:, :, i] for i, name in enumerate(points.keypoints)}
    found = human_angles(by_name) if angles is None else _defined_angles(by_name, angles)
    return JointAngles(
        np.stack(list(found.values()), axis=-1),
        tuple(found),
        points.individuals,
        fps=points.fps,
        start=points.start,
    )


def _defined_angles(points: Mapping[str, FloatArray], angles: Mapping[str, Sequence[str]]) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    origin: dict[str, str] = {}
    for name, definition in angles.items():
        for column, values in _one_definition(points, name, definition).items():
            if column in found:
                raise ConfigError(
                    f'angle "{name}": its column "{column}" comes from angle "{origin[column]}" already; leave one out'
                )
            found[column], origin[column] = values, name
    if not found:
        raise ConfigError('angles: none are defined; add a line such as knee = ["hip", "knee", "ankle"]')
    return found


def _one_definition(points: Mapping[str, FloatArray], name: str, definition: Sequence[str]) -> dict[str, FloatArray]:
    kind, keypoints, signs = _parse(name, definition, points)
    for keypoint in keypoints:
        if keypoint not in points:
            raise ConfigError(f'angle "{name}": keypoint "{keypoint}" is not in the data; it has {", ".join(points)}')
    if len(set(keypoints)) != len(keypoints):
        raise ConfigError(f'angle "{name}": a keypoint stands there twice ({", ".join(keypoints)})')
    where = [points[keypoint] for keypoint in keypoints]
    if kind == "chain":
        parts = chain_angles(where, signs)
        return {
            f"{keypoint}_{what}": values
            for keypoint, part in zip(keypoints[:-1], parts, strict=True)
            for what, values in part.items()
        }
    a, b, c = where
    if kind == "flex":
        return {name: included_angle(a - b, c - b)}
    values = axis_angle(a, b, c) if kind == "axis" else cross_axis_angle(a, b, c)
    undefined = int((np.isnan(values) & ~np.isnan(a + b + c).any(-1)).sum())
    if undefined:
        logger.warning(
            'angle "%s": not defined %d times: its axis runs along the world\'s x axis, or its points on one line',
            name,
            undefined,
        )
    return {name: values}


def _parse(name: str, definition: Sequence[str], points: Mapping[str, FloatArray]) -> AngleDefinition:
    given: object = definition  # out of a toml file it may be anything
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) for word in given):
        raise ConfigError(f'angle "{name}": must be a list of names, such as ["hip", "knee", "ankle"]')
    try:
        return parse_angle(definition, known=points)
    except ValueError as error:
        raise ConfigError(f'angle "{name}": {error}') from error
