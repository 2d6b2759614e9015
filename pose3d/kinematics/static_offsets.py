"""Angles against those of somebody who stands still: for angles whose zero a skeleton does not show.

What is subtracted is the angle of a static trial, so that zero is how this person stands. Of Plug-in Gait's angles that
is another zero: there it is that of the body's axes, and people stand with their hips bent by some 10 degrees.

Measured beside Plug-in Gait on ten legs with a static trial (its own joint centres, straight walking), as RMSE: the
ankle's 4.6 degrees become 0.9 against Plug-in Gait's own change from standing, and 3.1 (worst leg 9.5) against its
angle as it is. The hip's 11.3 become 6.1 and 5.1 (worst leg 9.1 and 7.4): the trunk leans otherwise in walking than in
standing, and no static trial takes that away. Knee flexion and hip adduction need no offset; with one they show a
person's change from standing, 3.9 and 5.6 degrees away from Plug-in Gait's angles.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from pose3d.data import JointAngles
from pose3d.errors import DataError

__all__ = ["OFFSET_ANGLES", "STATIC_MARK", "static_offsets", "subtract_offsets"]

OFFSET_ANGLES: tuple[str, ...] = ("hip_flexion_trunk", "ankle_dorsiflexion", "trunk_lean")
"""Angles, without a side, whose zero depends on where the keypoints lie on this body."""

STATIC_MARK = "_from_static"
"""In the name of an angle from which its static one was subtracted, before the side."""

_STILL_DEG = 3.0
_LEAST_SHARE = 0.7
_LEAST_FRAMES = 10


def static_offsets(
    static: JointAngles, *, individual: int = 0, only: Collection[str] = OFFSET_ANGLES
) -> dict[str, float]:
    """Measure how somebody stands.

    Parameters
    ----------
    static : JointAngles
        Of a trial in which the person stands still.
    individual : int
    only : collection of str
        Angles, with or without their side; all where it is empty.

    Returns
    -------
    dict of str to float, degrees
        Median over the quiet frames, which are within 3 degrees of the median of all.

    Raises
    ------
    DataError
        If an angle moves (fewer than 70 % of its frames are quiet), it is seen in fewer than 10 frames, or none of
        those that are asked for is there.
    """
    found = {}
    for i, name in enumerate(static.names):
        if only and not {name, _variable(name)} & set(only):
            continue
        deg = static.deg[:, individual, i]
        known = deg[np.isfinite(deg)]
        if len(known) < _LEAST_FRAMES:
            raise DataError(f"the static trial shows {name} in {len(known)} frames; {_LEAST_FRAMES} are needed")
        quiet = known[np.abs(known - np.median(known)) <= _STILL_DEG]
        if len(quiet) < _LEAST_SHARE * len(known):
            raise DataError(
                f"the static trial moves: {name} is within {_STILL_DEG:g} degrees of its median in"
                f" {100 * len(quiet) / len(known):.0f} % of the frames only; give one of somebody who stands still"
            )
        found[name] = float(np.median(quiet))
    if not found:
        raise DataError(
            f"the static trial has none of the angles {', '.join(only)}; it has {', '.join(static.names[:6])}, ..."
        )
    return found


def subtract_offsets(angles: JointAngles, offsets: Mapping[str, float]) -> JointAngles:
    """Subtract how somebody stands.

    Parameters
    ----------
    angles : JointAngles
        Of one person, or several that stand alike.
    offsets : mapping of str to float, degrees
        Of :func:`static_offsets`; those of angles that are not there are ignored.

    Returns
    -------
    JointAngles
        The names of those that were changed say so: ``hip_flexion_trunk_from_static_l``.

    Raises
    ------
    DataError
        If an offset was subtracted already, or there is no angle to subtract one from.
    """
    if any(STATIC_MARK in name for name in angles.names):
        raise DataError("a static trial was subtracted from these angles already")
    if not set(offsets) & set(angles.names):
        raise DataError(f"there is none of the angles {', '.join(offsets)}")
    away = np.array([offsets.get(name, 0.0) for name in angles.names])
    names = tuple(_marked(name) if name in offsets else name for name in angles.names)
    low, high = (None if ends is None else ends - away for ends in (angles.low_deg, angles.high_deg))
    return replace(angles, deg=angles.deg - away, low_deg=low, high_deg=high, names=names)


def _variable(name: str) -> str:
    return name[:-2] if name.endswith(("_l", "_r")) else name


def _marked(name: str) -> str:
    variable = _variable(name)
    return f"{variable}{STATIC_MARK}{name[len(variable) :]}"
