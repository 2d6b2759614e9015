"""Angles between keypoints: anipose's four types as kernels on (..., 3) arrays; missing points give NaN, no warning.

Each gives anipose's own number (anipose 1.1, ``compute_angles.py``) wherever that number is defined. What differs:

- Angles come from atan2, which keeps all digits near 0 and 180 degrees, where the arccos of anipose loses half of them.
- ``axis`` and ``cross-axis`` count from the direction in which the world's x axis points across the axis of rotation.
  Within one degree of x that direction is noise: here the angle is NaN, there it is any number.
- ``chain`` looks at each frame by itself: a missing point leaves a gap where it takes part, and in a limb that is
  straight within 1e-6 only the rotations, which it does not show, are NaN. A straight joint is 180 degrees in both
  programs, but anipose may write it as -180; near 90 degrees anipose's rotation may jump by 180 degrees.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pose3d.geometry.arrays import FloatArray

__all__ = ["across", "axis_angle", "chain_angles", "cross_axis_angle", "dot", "included_angle", "unit"]

_STRAIGHT = 1e-6
_NEAR_X = float(np.sin(np.deg2rad(1.0)))
_X = np.array([1.0, 0.0, 0.0])


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the scalar products (...) of vectors (..., 2) or (..., 3)."""
    # numpy's sums over an axis of three cost several times as much
    product = a[..., 0] * b[..., 0]
    for i in range(1, a.shape[-1]):
        product = product + a[..., i] * b[..., i]
    return np.asarray(product)


def unit(v: FloatArray) -> FloatArray:
    """Scale vectors (..., 3) to length 1; NaN for the zero vector."""
    length = np.sqrt(dot(v, v))[..., None]
    return np.asarray(v / np.where(length > 0, length, np.nan))


def across(v: FloatArray, axis: FloatArray, *, least_sine: float = _STRAIGHT) -> FloatArray:
    """Return the direction of vectors across an axis.

    Parameters
    ----------
    v : (..., 3) array
    axis : (..., 3) array
        Unit vectors.
    least_sine : float
        Sine of the smallest angle between both at which the direction still counts.

    Returns
    -------
    (..., 3) array
        Unit vectors, perpendicular to `axis`; NaN where `v` is closer to it.
    """
    v = unit(v)
    rest = v - dot(v, axis)[..., None] * axis
    sine = np.sqrt(dot(rest, rest))[..., None]
    return np.asarray(rest / np.where(sine >= least_sine, sine, np.nan))


def included_angle(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the angle between vectors (..., 3), 0 to 180 degrees."""
    a, b = unit(a), unit(b)
    return np.asarray(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), dot(a, b))))


def _about(axis: FloatArray, v: FloatArray) -> FloatArray:
    """Return how far `v` is turned about `axis` from the world's x axis, degrees."""
    x = across(np.broadcast_to(_X, axis.shape), axis, least_sine=_NEAR_X)
    v = across(v, axis)
    return np.degrees(np.arctan2(dot(v, np.cross(axis, x)), dot(v, x)))


def axis_angle(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    """Return how far b - c is turned about the axis a - b, counted from the world's x axis.

    Parameters
    ----------
    a, b, c : (..., 3) array

    Returns
    -------
    (...) array, degrees
        -180 to 180; NaN where the axis lies within one degree of x, or all three on one line.
    """
    return _about(unit(a - b), b - c)


def cross_axis_angle(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    """Return how far c - a is turned about the normal of the plane of the three, counted from the world's x axis.

    Parameters
    ----------
    a, b, c : (..., 3) array

    Returns
    -------
    (...) array, degrees
        -180 to 180; NaN where the normal lies within one degree of x, or all three on one line.
    """
    first = unit(a - b)
    normal = np.cross(first, across(b - c, first))
    return _about(normal, c - a)


def chain_angles(points: Sequence[FloatArray], signs: Sequence[int]) -> list[dict[str, FloatArray]]:
    """Return the angles down a limb.

    The frame of a bone has z from its joint to the next and x in the plane of this bone and the one that follows, on
    the side to which that one bends (the other side where the next joint's sign is -1). The first bone is measured
    against the world: the rotation is X(abduct) Y(flex) Z(rot). In every other joint flex is the included angle times
    the sign, and rot the turn of its bone about itself. The turn of the last bone is not visible.

    Parameters
    ----------
    points : sequence of (..., 3) arrays
        At least three.
    signs : sequence of int
        1 or -1 for each point.

    Returns
    -------
    list of dict
        For each point but the last: ``flex``, ``rot`` (not the last bone's) and ``abduct`` (the first's), (...) arrays
        in degrees.
    """
    bones = [after - before for before, after in pairwise(points)]
    z = [unit(bone) for bone in bones]
    x = [sign * across(bones[i + 1], z[i]) for i, sign in enumerate(signs[1:-1])]
    y = [np.cross(z[i], x[i]) for i in range(len(x))]
    first = {
        "flex": np.degrees(np.arctan2(z[0][..., 0], np.hypot(z[0][..., 1], z[0][..., 2]))),
        "rot": np.degrees(np.arctan2(-y[0][..., 0], x[0][..., 0])),
        "abduct": np.degrees(np.arctan2(-z[0][..., 1], z[0][..., 2])),
    }
    out = [first]
    for i in range(1, len(bones)):
        angles = {"flex": signs[i] * included_angle(-bones[i - 1], bones[i])}
        if i < len(x):
            angles["rot"] = np.degrees(np.arctan2(-dot(y[i - 1], x[i]), -dot(y[i - 1], y[i])))
        out.append(angles)
    return out
