"""Angles under the names that Plug-in Gait stores them by, to our names and back.

Our signs are Plug-in Gait's, and the components of each joint of
:data:`pose3d.kinematics.segments.CARDAN_JOINTS` stand in the order in which it stores them, so that only names change.
"""

from collections.abc import Mapping

import numpy as np

from pose3d.data import JointAngles
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.segments import CARDAN_JOINTS

__all__ = ["angles_as_stored", "angles_from_stored", "largest_difference"]


def angles_from_stored(stored: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Name the angles of a gait laboratory's own model as we do.

    Parameters
    ----------
    stored : mapping of str to (n_frames, 3) array, degrees
        By names such as ``LKneeAngles``, or ``LKneeAnglesV`` of older models; others are left out.

    Returns
    -------
    dict of str to (n_frames,) array, degrees
        Such as ``knee_flexion_l``. What is NaN throughout is left out.
    """
    found = {}
    for joint in CARDAN_JOINTS:
        for side in "LR":
            values = next((stored[name] for name in _names(joint.stored, side) if name in stored), None)
            if values is None:
                continue
            for column, component in enumerate(joint.components):
                if np.isfinite(values[:, column]).any():
                    found[f"{component.name}_{side.lower()}"] = values[:, column]
    return found


def angles_as_stored(angles: JointAngles, individual: int = 0) -> dict[str, FloatArray]:
    """Name angles for a C3D.

    Parameters
    ----------
    angles : JointAngles
    individual : int

    Returns
    -------
    dict of str to (n_frames, 3) array, degrees
        Under Plug-in Gait's name, such as ``LKneeAngles``, where all components of the joint are there, as those of
        segment axes are; the elbow has one, and zeros behind it as there. All others under their own names, such as
        ``knee_flexion_l``, as the first of three numbers: an angle of keypoints has no second axis, and is not the
        laboratory's.
    """
    left = {name: angles.deg[:, individual, i] for i, name in enumerate(angles.names)}
    named: dict[str, FloatArray] = {}
    for joint in CARDAN_JOINTS:
        for side in "LR":
            names = [f"{component.name}_{side.lower()}" for component in joint.components]
            # The elbow alone has one component; keypoints have such an angle too, but only a model has a shoulder.
            of_model = len(names) > 1 or f"{side}ShoulderAngles" in named
            if of_model and all(name in left for name in names):
                named[side + joint.stored] = _triple([left.pop(name) for name in names])
    return {**named, **{name: _triple([values]) for name, values in left.items()}}


def largest_difference(a: Mapping[str, FloatArray], b: Mapping[str, FloatArray]) -> dict[str, float]:
    """Return how far angles of the same names lie apart at most, degrees; a full turn is no difference."""
    return {
        name: float(np.nanmax(np.abs((a[name] - b[name] + 180) % 360 - 180)))
        for name in a
        if name in b and np.isfinite(a[name] - b[name]).any()
    }


def _names(stored: str, side: str) -> tuple[str, str]:
    return f"{side}{stored}", f"{side}{stored}V"


def _triple(components: list[FloatArray]) -> FloatArray:
    """Fill up with zeros to three columns; a frame in which one is missing is missing."""
    columns = [*components, *(np.zeros(len(components[0])) for _ in range(3 - len(components)))]
    triple = np.stack(columns, axis=-1)
    return np.where(np.isfinite(triple).all(-1, keepdims=True), triple, np.nan)
