"""Lenses on normalised image coordinates: Brown-Conrady (0, 4, 5 or 8 coefficients) and the equidistant fisheye.

Coefficients stand in OpenCV's order, so that the same numbers serve both: ``k1 k2 p1 p2 k3 k4 k5 k6`` (the last three
divide) and, for the fisheye, ``k1 k2 k3 k4``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = [
    "LensComponents",
    "distort",
    "distort_components",
    "distort_jacobian",
    "distort_slopes",
    "lens_components",
    "undistort_normalized",
]

_BROWN_LENGTHS = (0, 4, 5, 8)
_BROWN_NAMES = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")


class LensComponents(NamedTuple):
    """A lens's answer with its derivatives, each an array of the coordinates' shape.

    Attributes
    ----------
    x, y : (...) arrays
        Distorted normalised coordinates.
    xx, xy, yy : (...) arrays
        Entries of their derivative by the coordinates, which is symmetric.
    by_coefficient : tuple of pairs of (...) arrays
        Derivatives of x and y by each coefficient.
    """

    x: FloatArray
    y: FloatArray
    xx: FloatArray
    xy: FloatArray
    yy: FloatArray
    by_coefficient: tuple[tuple[FloatArray, FloatArray], ...]


def _brown(distortion: ArrayLike) -> FloatArray:
    """Pad Brown-Conrady coefficients to eight."""
    d = np.asarray(distortion, dtype=np.float64)
    if d.shape[-1] not in _BROWN_LENGTHS:
        raise ValueError(f"Brown-Conrady distortion has 4, 5 or 8 coefficients, not {d.shape[-1]}")
    return np.concatenate([d, np.zeros((*d.shape[:-1], 8 - d.shape[-1]))], axis=-1)


def _fisheye(distortion: ArrayLike) -> FloatArray:
    d = np.asarray(distortion, dtype=np.float64)
    if d.shape[-1] != 4:
        raise ValueError(f"fisheye distortion has 4 coefficients, not {d.shape[-1]}")
    return d


def distort(xy: ArrayLike, distortion: ArrayLike, *, fisheye: bool = False) -> FloatArray:
    """Apply a lens to normalised image coordinates.

    Parameters
    ----------
    xy : (..., 2) array
        x/z and y/z in the camera's frame.
    distortion : (..., n) array
        0, 4, 5 or 8 coefficients; 4 for the fisheye.
    fisheye : bool

    Returns
    -------
    (..., 2) array

    References
    ----------
    Brown (1971), Close-range camera calibration; Kannala & Brandt (2006), IEEE PAMI 28:1335, eq. 6.
    """
    xy = np.asarray(xy, dtype=np.float64)
    return np.stack(distort_components(xy[..., 0], xy[..., 1], distortion, fisheye=fisheye), axis=-1)


def distort_components(
    x: FloatArray, y: FloatArray, distortion: ArrayLike, *, fisheye: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Apply a lens as :func:`distort`, x and y apart, which is faster for large arrays."""
    r2 = x * x + y * y
    if fisheye:
        k = _fisheye(distortion)
        r = np.sqrt(r2)
        theta = np.arctan(r)
        t2 = theta * theta
        series = 1 + t2 * (k[..., 0] + t2 * (k[..., 1] + t2 * (k[..., 2] + t2 * k[..., 3])))
        ratio = np.where(r > 1e-9, theta / np.maximum(r, 1e-9), 1.0) * series
        return x * ratio, y * ratio
    if np.shape(distortion)[-1] == 0:
        return x.copy(), y.copy()
    d = _brown(distortion)
    k1, k2, p1, p2, k3, k4, k5, k6 = (d[..., i] for i in range(8))
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    if d[..., 5:].any():
        radial = radial / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    cross = 2 * (p1 * y + p2 * x)
    return x * (radial + cross) + p2 * r2, y * (radial + cross) + p1 * r2


def distort_jacobian(
    xy: ArrayLike, distortion: ArrayLike, *, fisheye: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Apply a lens and give the derivatives.

    Returns
    -------
    distorted : (..., 2) array
    by_xy : (..., 2, 2) array
    by_distortion : (..., 2, n) array
        n as long as `distortion`.
    """
    xy = np.asarray(xy, dtype=np.float64)
    n = int(np.shape(distortion)[-1])
    return _fisheye_jacobian(xy, distortion) if fisheye else _brown_jacobian(xy, distortion, n)


def distort_slopes(
    xy: ArrayLike, distortion: ArrayLike, *, fisheye: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give the derivative of :func:`distort` by the coordinates alone, by components.

    Parameters
    ----------
    xy : (..., 2) array
    distortion : (..., n) array
    fisheye : bool

    Returns
    -------
    xx, xy, yy : (...) arrays
        Entries of the 2x2 matrix, which is symmetric.
    """
    xy = np.asarray(xy, dtype=np.float64)
    if fisheye:
        return _fisheye_components(xy[..., 0], xy[..., 1], _fisheye(distortion))[2:5]
    _, _, a, b, c = _brown_parts(xy[..., 0], xy[..., 1], _brown(distortion))
    return a, b, c


def _brown_jacobian(xy: FloatArray, distortion: ArrayLike, n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    return _stacked(_brown_components(xy[..., 0], xy[..., 1], _brown(distortion), n))


def _fisheye_jacobian(xy: FloatArray, distortion: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    return _stacked(_fisheye_components(xy[..., 0], xy[..., 1], _fisheye(distortion)))


def _stacked(parts: LensComponents) -> tuple[FloatArray, FloatArray, FloatArray]:
    by_xy = np.stack([np.stack([parts.xx, parts.xy], -1), np.stack([parts.xy, parts.yy], -1)], -2)
    by_d = np.zeros((*parts.x.shape, 2, len(parts.by_coefficient)))
    for i, (along_x, along_y) in enumerate(parts.by_coefficient):
        by_d[..., 0, i], by_d[..., 1, i] = along_x, along_y
    return np.stack([parts.x, parts.y], axis=-1), by_xy, by_d


def lens_components(x: FloatArray, y: FloatArray, distortion: ArrayLike, *, fisheye: bool = False) -> LensComponents:
    """Apply a lens and give all derivatives, by components: several times faster than :func:`distort_jacobian`.

    Parameters
    ----------
    x, y : (...) arrays
        Normalised coordinates.
    distortion : (..., n) array
    fisheye : bool

    Returns
    -------
    LensComponents
    """
    if fisheye:
        return _fisheye_components(x, y, _fisheye(distortion))
    return _brown_components(x, y, _brown(distortion), int(np.shape(distortion)[-1]))


def _brown_components(x: FloatArray, y: FloatArray, d: FloatArray, n: int) -> LensComponents:
    moved_x, moved_y, by_x, by_both, by_y = _brown_parts(x, y, d)
    if n == 0:
        return LensComponents(moved_x, moved_y, by_x, by_both, by_y, ())
    xx, yy, xy2 = x * x, y * y, 2 * x * y
    r2 = xx + yy
    below: FloatArray | float = 1.0
    if d[..., 5:].any():
        below = 1 / (1 + r2 * (d[..., 5] + r2 * (d[..., 6] + r2 * d[..., 7])))
    power = r2 * below
    up, down = [], []
    for _ in range(3):
        up.append((x * power, y * power))
        power = power * r2
    tangential = [(xy2, r2 + 2 * yy), (r2 + 2 * xx, xy2)]
    by_d = [*up[:2], *tangential, up[2]][:n]
    if n == len(_BROWN_NAMES):
        radial = (1 + r2 * (d[..., 0] + r2 * (d[..., 1] + r2 * d[..., 4]))) * below
        down = [(-a * radial, -b * radial) for a, b in up]
    return LensComponents(moved_x, moved_y, by_x, by_both, by_y, (*by_d, *down))


def _fisheye_components(x: FloatArray, y: FloatArray, k: FloatArray) -> LensComponents:
    r2 = x * x + y * y
    r = np.sqrt(r2)
    theta = np.arctan(r)
    t2 = theta * theta
    series = 1 + t2 * (k[..., 0] + t2 * (k[..., 1] + t2 * (k[..., 2] + t2 * k[..., 3])))
    slope = 1 + t2 * (3 * k[..., 0] + t2 * (5 * k[..., 1] + t2 * (7 * k[..., 2] + t2 * 9 * k[..., 3])))
    near = r < 1e-6
    safe = np.where(near, 1.0, r)
    per_r = np.where(near, 1.0, theta / safe)  # theta / r
    ratio = per_r * series
    # d(ratio)/dr / r, whose limit at the axis only meets factors xy that vanish there
    bend = np.where(near, 0.0, (slope / (1 + r2) - ratio) / (safe * safe))
    by_k = []
    power = per_r * t2
    for _ in range(4):
        by_k.append((x * power, y * power))
        power = power * t2
    return LensComponents(x * ratio, y * ratio, ratio + bend * x * x, bend * x * y, ratio + bend * y * y, tuple(by_k))


def undistort_normalized(
    distorted: ArrayLike, distortion: ArrayLike, *, fisheye: bool = False, iterations: int = 30
) -> tuple[FloatArray, BoolArray]:
    """Invert :func:`distort` by Newton's method.

    Newton from the distorted point converges from one side for barrel and for pincushion lenses alike, typically in
    three or four steps to the last digit. What it does not reach, or reaches beyond the radius at which the radial
    polynomial stops to rise, is followed from the centre outwards instead: the answer is the one on the branch that
    holds the optical axis, or none.

    Parameters
    ----------
    distorted : (..., 2) array
    distortion : (..., n) array
    fisheye : bool
    iterations : int
        Upper bound.

    Returns
    -------
    xy : (..., 2) array
    converged : (...) bool array
        False where that branch has no answer, and for NaN.
    """
    target = np.asarray(distorted, dtype=np.float64)
    if fisheye:
        return _undistort_fisheye(target, _fisheye(distortion), iterations)
    if np.shape(distortion)[-1] == 0:
        return target.copy(), np.asarray(np.isfinite(target).all(-1))
    d = _brown(distortion)
    lead = np.broadcast_shapes(target.shape[:-1], d.shape[:-1])
    target = np.broadcast_to(target, (*lead, 2))
    with np.errstate(all="ignore"):
        xy = _newton(target, d, target, min(iterations, 8))
        converged = _solved(xy, d, target, 1e-12)
        radius = np.hypot(xy[..., 0], xy[..., 1])
        reach = float(np.max(radius, initial=0.0, where=converged))
        strayed = np.isfinite(target).all(-1) & ~(converged & (radius <= _fold_radius(d, reach)))
        if strayed.any():
            part, lens = target[strayed], np.broadcast_to(d, (*lead, 8))[strayed]
            xy[strayed], converged[strayed] = _follow(part, lens, iterations)
    return xy, converged


def _brown_parts(x: FloatArray, y: FloatArray, d: FloatArray) -> tuple[FloatArray, ...]:
    """Return the distorted x and y and the three entries of their symmetric Jacobian, by components: 8 x faster."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (d[..., i] for i in range(8))
    xx, yy, xy = x * x, y * y, x * y
    r2 = xx + yy
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = k1 + r2 * (2 * k2 + 3 * k3 * r2)
    if d[..., 5:].any():
        below = 1 / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        radial = radial * below
        slope = (slope - radial * (k4 + r2 * (2 * k5 + 3 * k6 * r2))) * below
    slope = 2 * slope
    bend_x, bend_y = 2 * (p1 * y + p2 * x), 2 * (p1 * x + p2 * y)
    return (
        x * radial + 2 * p1 * xy + p2 * (r2 + 2 * xx),
        y * radial + p1 * (r2 + 2 * yy) + 2 * p2 * xy,
        radial + xx * slope + bend_x + 4 * p2 * x,
        xy * slope + bend_y,
        radial + yy * slope + bend_x + 4 * p1 * y,
    )


def _newton(start: FloatArray, d: FloatArray, target: FloatArray, iterations: int) -> FloatArray:
    """Take Newton steps towards ``distort(xy) == target`` until all are there or `iterations` is reached."""
    x, y = np.array(start[..., 0]), np.array(start[..., 1])
    to_x, to_y = np.array(target[..., 0]), np.array(target[..., 1])
    tolerance = 1e-13 * (1 + np.maximum(np.abs(to_x), np.abs(to_y)))
    for _ in range(iterations):
        now_x, now_y, a, b, c = _brown_parts(x, y, d)
        miss_x, miss_y = to_x - now_x, to_y - now_y
        inverse = 1 / (a * c - b * b)
        x, y = x + (c * miss_x - b * miss_y) * inverse, y + (a * miss_y - b * miss_x) * inverse
        if not (np.maximum(np.abs(miss_x), np.abs(miss_y)) > tolerance).any():
            break
    return np.stack([x, y], axis=-1)


def _solved(xy: FloatArray, d: FloatArray, target: FloatArray, tolerance: float) -> BoolArray:
    now_x, now_y, a, b, c = _brown_parts(xy[..., 0], xy[..., 1], d)
    to_x, to_y = target[..., 0], target[..., 1]
    miss = np.maximum(np.abs(to_x - now_x), np.abs(to_y - now_y))
    small = miss < tolerance * (1 + np.maximum(np.abs(to_x), np.abs(to_y)))
    # the Jacobian is symmetric; inside the fold both of its eigenvalues are positive
    return np.asarray(small & (a * c - b * b > 0) & (a > 0))


def _regular(J: FloatArray) -> BoolArray:
    """Tell where both eigenvalues of the (symmetric) Jacobian are positive, as they are inside the fold."""
    det = J[..., 0, 0] * J[..., 1, 1] - J[..., 0, 1] * J[..., 1, 0]
    return np.asarray((det > 0) & (J[..., 0, 0] > 0))


def _fold_radius(d: FloatArray, reach: float) -> FloatArray:
    """Return the radius below which each lens's radial polynomial surely rises, infinite if it does up to `reach`."""
    r = np.linspace(0.0, reach, 129)
    r2 = r * r
    k1, k2, _p1, _p2, k3, k4, k5, k6 = (d[..., i, None] for i in range(8))
    above, below = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    bend_above = 2 * r2 * (k1 + r2 * (2 * k2 + 3 * r2 * k3))
    bend_below = 2 * r2 * (k4 + r2 * (2 * k5 + 3 * r2 * k6))
    falls = ((above + bend_above) * below - above * bend_below <= 0) | (below <= 0)
    return np.where(falls.any(-1), r[np.maximum(falls.argmax(-1) - 1, 0)], np.inf)


def _follow(target: FloatArray, d: FloatArray, iterations: int) -> tuple[FloatArray, BoolArray]:
    """Solve for growing parts of the way from the centre to `target`, each from the solution before."""
    xy = np.zeros_like(target)
    alive = np.arange(len(target))
    for share in np.linspace(0.0, 1.0, 33)[1:]:
        goal, lens = share * target[alive], d[alive]
        xy[alive] = _newton(xy[alive], lens, goal, iterations)
        alive = alive[_solved(xy[alive], lens, goal, 1e-9)]
    for share in np.linspace(0.0, 1.0, 65)[1:]:  # a step may have leapt over the fold
        alive = alive[_regular(distort_jacobian(share * xy[alive], d[alive])[1])]
    converged = np.zeros(len(target), dtype=bool)
    converged[alive] = True
    return xy, converged


def _undistort_fisheye(target: FloatArray, k: FloatArray, iterations: int) -> tuple[FloatArray, BoolArray]:
    radius = np.hypot(target[..., 0], target[..., 1])  # which does not overflow
    theta = np.minimum(radius, np.pi / 2)
    with np.errstate(all="ignore"):
        for _ in range(iterations):
            t2 = theta * theta
            series = 1 + t2 * (k[..., 0] + t2 * (k[..., 1] + t2 * (k[..., 2] + t2 * k[..., 3])))
            slope = 1 + t2 * (3 * k[..., 0] + t2 * (5 * k[..., 1] + t2 * (7 * k[..., 2] + t2 * 9 * k[..., 3])))
            step = (radius - theta * series) / slope
            theta = theta + step
            if not (np.abs(step) > 1e-15).any():
                break
        t2 = theta * theta
        series = 1 + t2 * (k[..., 0] + t2 * (k[..., 1] + t2 * (k[..., 2] + t2 * k[..., 3])))
        slope = 1 + t2 * (3 * k[..., 0] + t2 * (5 * k[..., 1] + t2 * (7 * k[..., 2] + t2 * 9 * k[..., 3])))
        inside = (theta >= 0) & (theta < np.pi / 2) & (slope > 0)
        converged = inside & (np.abs(theta * series - radius) < 1e-9 * (1 + radius))
        scale = np.where(radius > 1e-12, np.tan(theta) / np.maximum(radius, 1e-12), 1.0)
    return target * scale[..., None], np.asarray(converged)
