"""Planes through points, by least squares of the distances, without those that lie off the plane of most."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["Plane", "fit_plane"]

_MAD = 1.4826  # times the median absolute deviation is the standard deviation of normal noise
_ALL_TRIPLES = 14  # points up to which every three of them are tried
_TRIPLES = 400
_LARGE = 10
_FAR = 3.5  # standard deviations: a point beyond lies off the plane


class Plane(NamedTuple):
    """A plane fitted to points.

    Attributes
    ----------
    normal : (3,) array
        Of length 1; its sign means nothing.
    center : (3,) array
        Mean of the points that count.
    inlier : (n,) bool array
        Points that count.
    rms : float
        Of their distances from the plane.
    spread : float
        Root of the sum of squares of their distances from the mean, along the direction in the plane in which they
        spread least: zero for points on a line.
    """

    normal: FloatArray
    center: FloatArray
    inlier: BoolArray
    rms: float
    spread: float


def fit_plane(points: ArrayLike) -> Plane:
    """Fit a plane by total least squares.

    With five points or more, points that do not belong to the others are left out one by one, each if its studentised
    residual is larger than chance would have it once in a hundred fits; among few points, only a gross error is. With
    ten or more, the plane of least median distance comes first, so that many wrong points cannot hide one another. Four
    points fit as they are: whichever is left out, the other three fit exactly.

    Parameters
    ----------
    points : (n, 3) array
        Three at least, finite.

    Returns
    -------
    Plane

    Raises
    ------
    ValueError
        If there are fewer than three points.

    References
    ----------
    Cook & Weisberg (1982), Residuals and influence in regression, section 2.2 (studentised residuals).
    Rousseeuw & Leroy (1987), Robust regression and outlier detection, chapters 2 and 5 (least median of squares).
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    n = len(points)
    if n < 3:
        raise ValueError(f"a plane needs three points, {n} given")
    inlier = np.ones(n, dtype=bool)
    floor = 1e-9 * max(float(np.ptp(points, axis=0).max()), 1e-300)
    if n >= _LARGE:
        distance = np.abs(_least_median(points))
        sigma = _MAD * (1 + 5 / (n - 3)) * float(np.median(distance))  # small samples look better than they are
        inlier = distance <= max(_FAR * sigma, floor)
    while True:
        used = np.flatnonzero(inlier)
        center = points[used].mean(0)
        U, size, axes = np.linalg.svd(points[used] - center, full_matrices=False)
        distance = (points[used] - center) @ axes[2]
        dof = len(used) - 4
        if dof < 1 or len(used) <= n / 2 or not size[1] > 0:
            break
        left = 1 - 1 / len(used) - (U[:, :2] ** 2).sum(-1)  # what of its own error a point's residual shows
        left = np.maximum(left, 1e-9)
        others = np.maximum((float(distance @ distance) - distance**2 / left) / dof, floor**2)
        student = np.abs(distance) / np.sqrt(others * left)
        worst = int(student.argmax())
        if student[worst] <= float(stdtrit(dof, 1 - 0.005 / len(used))):
            break
        inlier[used[worst]] = False
    rms = float(np.sqrt(np.mean(distance**2)))
    return Plane(axes[2], center, inlier, rms, float(size[1]))


def _least_median(points: FloatArray) -> FloatArray:
    """Return signed distances (n,) from the plane through three of the points with the least median distance."""
    n = len(points)
    if n <= _ALL_TRIPLES:
        triples = np.array(list(combinations(range(n), 3)))
    else:
        triples = np.random.default_rng(0).permuted(np.tile(np.arange(n), (_TRIPLES, 1)), axis=1)[:, :3]
    a, b, c = np.moveaxis(points[triples], 1, 0)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    # a triple that is nearly on a line would be a plane of any tilt
    usable = length[:, 0] > 0.05 * float(length.max())
    normal, a = normal[usable] / length[usable], a[usable]
    distance = np.einsum("tk,tnk->tn", normal, points[None] - a[:, None])
    return np.asarray(distance[np.median(np.abs(distance), axis=1).argmin()])
