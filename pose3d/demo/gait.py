"""Curves of normal gait, one cycle of one leg from heel strike to heel strike.

The knots follow the published shape of normal gait (Winter 1991; Perry & Burnfield 2010), rounded; they are no copy of
a table. A test compares them with the norms of Schwartz et al. (2008). The walk that is made from them
(:mod:`pose3d.demo.walk`) moves away from these knots by a few degrees, so that a body of given lengths neither slides
nor sinks.

References
----------
Winter (1991), The Biomechanics and Motor Control of Human Gait, 2nd ed., University of Waterloo Press.
Perry & Burnfield (2010), Gait Analysis: Normal and Pathological Function, 2nd ed., Slack.
Schwartz, Rozumalski, Trost (2008), The effect of walking speed on the gait of typically developing children, J.
Biomechanics 41:1639.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from pose3d.geometry.arrays import FloatArray

__all__ = ["CURVES", "gait_curve"]

# Degrees at 0, 5, ..., 95 per cent of the cycle.
CURVES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        # thigh against an anatomical pelvis that is tilted forwards by about 10 degrees; flexion positive
        "hip_flexion": (32, 31, 28, 23.5, 18.5, 13, 7.5, 2.5, -2.5, -6.5, -9.5, -9.5, -5, 4, 14, 23, 30, 34, 35, 34),
        "knee_flexion": (5, 11, 17, 19, 17, 13.5, 9.5, 6.5, 5, 6, 10, 19, 33, 49, 60, 60, 50, 34, 17, 6),
        "ankle_dorsiflexion": (0, -4.5, -3, 1, 4, 6, 8, 9.5, 10.5, 11, 8, -2, -14, -16, -9, -3, 0.5, 2, 2, 1.5),
        "hip_adduction": (0, 2.5, 5, 6, 6, 5.5, 5, 4.5, 4, 3, 1.5, -1.5, -5, -6, -5, -4, -3, -2, -1.5, -1),
        "hip_rotation": (0, 2, 3, 3, 3, 2.5, 2, 2, 2, 2, 1, 0, -2, -3, -4, -4, -4, -3, -2, -1),  # internal positive
        # the pelvis in the room, seen from the leg whose cycle it is
        "pelvis_tilt": (10, 9.5, 9, 9, 9.5, 10, 10.5, 11, 11, 10.5, 10, 9.5, 9, 9, 9.5, 10, 10.5, 11, 11, 10.5),
        "pelvis_obliquity": (0, 2.5, 4, 4, 3.5, 2.5, 2, 1.5, 1, 0.5, 0, -2.5, -4, -4, -3.5, -2.5, -2, -1.5, -1, -0.5),
        "pelvis_rotation": (5, 5, 4.5, 4, 3, 2, 1, 0, -1.5, -3.5, -5, -5, -4.5, -4, -3, -2, -1, 0, 1.5, 3.5),
        # upper arm against the trunk; flexion (forwards) positive
        "shoulder_flexion": (-21, -20, -18, -15, -10, -4, 1, 5, 8, 9.5, 10, 9, 7, 4, 0, -5, -10, -15, -18, -20.5),
        "elbow_flexion": (
            17,
            17,
            17.5,
            18.5,
            20,
            22.5,
            26,
            30,
            33.5,
            36,
            37,
            36.5,
            34.5,
            31.5,
            28,
            24.5,
            21.5,
            19,
            18,
            17,
        ),
    }
)


def gait_curve(name: str, phase: ArrayLike) -> FloatArray:
    """Interpolate a curve by a periodic cubic spline.

    Parameters
    ----------
    name : str
        One of :data:`CURVES`.
    phase : (...) array
        Cycles since heel strike of the same leg; any real number.

    Returns
    -------
    (...) array, degrees

    Examples
    --------
    >>> float(gait_curve("knee_flexion", 0.0))
    5.0
    """
    knots = np.array(CURVES[name], dtype=np.float64)
    at = np.linspace(0, 1, len(knots) + 1)
    spline = CubicSpline(at, np.append(knots, knots[0]), bc_type="periodic")
    return np.asarray(spline(np.mod(phase, 1.0)), dtype=np.float64)
