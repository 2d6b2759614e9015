"""The lenses of all cameras of a rig at once: pixels to rays and back, camera first, without a loop over cameras.

Newton's method needs one step from a start that is nearly right: a polynomial, fitted once per camera, that inverts the
lens over its image. Whatever lies outside of that, and the fisheye, goes the careful way of
:func:`pose3d.geometry.lenses.undistort_normalized`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pose3d.data import Camera
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.lenses import distort_components, distort_slopes

__all__ = ["Optics", "Rays", "rays_of"]

_RADIAL, _TANGENTIAL = 6, 3  # coefficients of the fitted inverse
_BORDER = 1.1  # of the distance to the farthest corner: where the fitted inverse ends
_FARTHEST = 6.0  # normalised radius up to which it is looked for: 80 degrees off the axis
_STEP = 1e-5  # Newton converges quadratically: after a step as small as this 1e-10 is left
_MAX_STEPS = 4


class Optics(NamedTuple):
    """Intrinsics of all cameras, as columns (n_cameras, 1) that broadcast over points.

    Attributes
    ----------
    cameras : sequence of Camera
    fx, fy, skew, cx, cy : (n_cameras, 1) array, px
    brown : bool
        Whether all lenses are Brown-Conrady without divisor, which is the fast way.
    lens : (5, n_cameras, 1) array
        k1 k2 p1 p2 k3.
    start : (6 + 2 * 3, n_cameras, 1) array
        Fitted inverse: factor of the distorted point, and two of the shift by p1 and p2, in powers of `r2` / `reach2`.
    reach2 : (n_cameras, 1) array
        Squared distorted radius up to which the fit holds; 0 where there is none.
    safe2 : (n_cameras, 1) array
        Squared radius below which the lens does not fold.
    """

    cameras: Sequence[Camera]
    fx: FloatArray
    fy: FloatArray
    skew: FloatArray
    cx: FloatArray
    cy: FloatArray
    brown: bool
    lens: FloatArray
    start: FloatArray
    reach2: FloatArray
    safe2: FloatArray

    @classmethod
    def of(cls, cameras: Sequence[Camera]) -> "Optics":
        """Fit the inverses."""
        K = np.stack([camera.matrix for camera in cameras])
        lens = np.zeros((len(cameras), 8))
        for row, camera in zip(lens, cameras, strict=True):
            if not camera.fisheye:
                row[: len(camera.distortion)] = camera.distortion
        brown = not any(camera.fisheye for camera in cameras) and not lens[:, 5:].any()
        start = np.zeros((len(cameras), _RADIAL + 2 * _TANGENTIAL))
        reach2, safe2 = np.zeros(len(cameras)), np.zeros(len(cameras))
        if brown:
            for c, camera in enumerate(cameras):
                start[c], reach2[c], safe2[c] = _fit_inverse(camera, lens[c])

        def columns(values: FloatArray) -> FloatArray:
            return np.ascontiguousarray(values.T)[..., None]

        fx, fy, skew, cx, cy = (K[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 1), (0, 2), (1, 2)))
        return cls(
            tuple(cameras),
            fx,
            fy,
            skew,
            cx,
            cy,
            brown,
            columns(lens[:, :5]),
            columns(start),
            reach2[:, None],
            safe2[:, None],
        )

    def pixels(self, u: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Project normalised coordinates (n_cameras, n_points) through the full lenses into pixels."""
        if self.brown:
            k1, k2, p1, p2, k3 = self.lens
            r2 = u * u
            work = v * v
            r2 += work
            bent = k3 * r2
            for k in (k2, k1):
                bent += k
                bent *= r2
            bent += 1.0
            np.multiply(u, 2 * p2, out=work)
            bent += work
            np.multiply(v, 2 * p1, out=work)
            bent += work
            x, y = u * bent, v * bent
            np.multiply(r2, p2, out=work)
            x += work
            r2 *= p1
            y += r2
        else:
            x, y = np.empty_like(u), np.empty_like(v)
            for c, camera in enumerate(self.cameras):
                x[c], y[c] = distort_components(u[c], v[c], camera.distortion, fisheye=camera.fisheye)
        x *= self.fx
        if self.skew.any():
            x += self.skew * y
        x += self.cx
        y *= self.fy
        y += self.cy
        return x, y


def _fit_inverse(camera: Camera, lens: FloatArray) -> tuple[FloatArray, float, float]:
    """Fit the inverse of a lens over its image: coefficients, squared reach in the image and among the rays.

    To first order in p1 and p2 the inverse is ``s x - (a (q.x) x + b r2 q)`` with q = (p2, p1) and s, a, b functions
    of the radius alone.
    """
    K = camera.matrix
    corner = (np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * camera.size - K[:2, 2]) / [K[0, 0], K[1, 1]]
    wanted = _BORDER * float(np.hypot(*corner.T).max())
    r = np.linspace(0, _FARTHEST, 2049)
    moved = r * (1 + r**2 * (lens[0] + r**2 * (lens[1] + r**2 * lens[4])))
    falls = np.flatnonzero(np.diff(moved) <= 0)
    last = int(falls[0]) if len(falls) else len(r) - 1
    last = max(last - 2, 1)
    safe = float(r[last])
    reach = min(wanted, 0.95 * float(moved[last]))
    if not reach > 0:
        return np.zeros(_RADIAL + 2 * _TANGENTIAL), 0.0, 0.0
    q = np.array([lens[3], lens[2]])
    ring = np.interp(reach * np.sin(np.linspace(0.02, 1, 40) * np.pi / 2), moved[: last + 1], r[: last + 1])
    angle = np.linspace(0, 2 * np.pi, 8, endpoint=False) + 0.1
    x, y = (np.outer(ring, direction).ravel() for direction in (np.cos(angle), np.sin(angle)))
    to_x, to_y = distort_components(x, y, lens)
    t = (to_x**2 + to_y**2) / reach**2
    along = q[0] * to_x + q[1] * to_y
    rows = []
    for to, shift in ((to_x, q[0]), (to_y, q[1])):
        radial = [to * t**k for k in range(_RADIAL)]
        bend = [along * to * t**k for k in range(_TANGENTIAL)]
        push = [shift * t ** (k + 1) for k in range(_TANGENTIAL)]
        rows.append(np.stack([*radial, *bend, *push], axis=-1))
    found = np.linalg.lstsq(np.concatenate(rows), np.concatenate([x, y]), rcond=1e-13)[0]
    return found, reach**2, safe**2


class Rays(NamedTuple):
    """Undistorted views; all (n_cameras, n_points), 0 where there is none.

    Attributes
    ----------
    x, y : array
        Normalised coordinates.
    xx, xy, yy : array
        Derivative of the distorted by the undistorted coordinates, a symmetric matrix.
    there : bool array
        Where there is a view that the lens model explains.
    """

    x: FloatArray
    y: FloatArray
    xx: FloatArray
    xy: FloatArray
    yy: FloatArray
    there: BoolArray


def _guess(optics: Optics, to_x: FloatArray, to_y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Undistort by the fitted inverses."""
    _, _, p1, p2, _ = optics.lens
    t = to_x * to_x
    work = to_y * to_y
    t += work
    t *= 1 / np.maximum(optics.reach2, 1e-300)

    def series(first: int, last: int) -> FloatArray:
        total: FloatArray = optics.start[last - 1] * t
        for k in range(last - 2, first, -1):
            total += optics.start[k]
            total *= t
        total += optics.start[first]
        return total

    scale = series(0, _RADIAL)
    if not (p1.any() or p2.any()):
        return scale * to_x, scale * to_y
    bend = series(_RADIAL, _RADIAL + _TANGENTIAL)
    along = p2 * to_x
    np.multiply(p1, to_y, out=work)
    along += work
    bend *= along
    scale += bend
    push = series(_RADIAL + _TANGENTIAL, _RADIAL + 2 * _TANGENTIAL)
    push *= t
    x = scale * to_x
    np.multiply(push, p2, out=work)
    x += work
    push *= p1
    scale *= to_y
    scale += push
    return x, scale


def _slopes(lens: FloatArray, x: FloatArray, y: FloatArray) -> tuple[FloatArray, ...]:
    """Return distorted x and y, and the three entries of the symmetric derivative."""
    k1, k2, p1, p2, k3 = lens
    xx, yy = x * x, y * y
    r2 = xx + yy
    common = k3 * r2
    for k in (k2, k1):
        common += k
        common *= r2
    common += 1.0
    work = np.multiply(x, 2 * p2)
    common += work
    np.multiply(y, 2 * p1, out=work)
    common += work
    slope = 6 * k3 * r2
    slope += 4 * k2
    slope *= r2
    slope += 2 * k1
    now_x, now_y = x * common, y * common
    np.multiply(r2, p2, out=work)
    now_x += work
    r2 *= p1
    now_y += r2
    xy = np.multiply(x, y, out=r2)
    xy *= slope
    for each, p in ((x, 2 * p1), (y, 2 * p2)):
        np.multiply(each, p, out=work)
        xy += work
    xx *= slope
    xx += common
    np.multiply(x, 4 * p2, out=work)
    xx += work
    yy *= slope
    yy += common
    np.multiply(y, 4 * p1, out=work)
    yy += work
    return now_x, now_y, xx, xy, yy


def _newton(optics: Optics, to_x: FloatArray, to_y: FloatArray) -> Rays:
    """Undistort; the derivative is that at the start of the last step, which is next to nothing."""
    x, y = _guess(optics, to_x, to_y)
    for _ in range(_MAX_STEPS):
        miss_x, miss_y, xx, xy, yy = _slopes(optics.lens, x, y)
        miss_x -= to_x
        miss_y -= to_y
        det = xx * yy
        work = xy * xy
        det -= work
        inverse = np.divide(1.0, det, out=work)
        step_x = yy * miss_x
        step_x -= xy * miss_y
        step_x *= inverse
        miss_y *= xx
        miss_x *= xy
        miss_y -= miss_x
        miss_y *= inverse
        x -= step_x
        y -= miss_y
        np.abs(step_x, out=step_x)
        np.abs(miss_y, out=miss_y)
        step = np.maximum(step_x, miss_y, out=step_x)
        if not (step > _STEP).any():
            break
    good = step <= _STEP
    good &= det > 0
    good &= xx > 0
    return Rays(x, y, xx, xy, yy, good)


def rays_of(optics: Optics, pixels: FloatArray, there: BoolArray) -> Rays:
    """Undistort the views of a chunk.

    Parameters
    ----------
    optics : Optics
    pixels : (n_cameras, n_points, 2) array, px
    there : (n_cameras, n_points) bool array
        Views that are wanted.
    """
    with np.errstate(all="ignore"):
        if not optics.brown:
            return _rays_one_by_one(optics, pixels, there)
        to_y = pixels[..., 1] - optics.cy
        to_y *= 1 / optics.fy
        to_x = pixels[..., 0] - optics.cx
        if optics.skew.any():
            to_x -= optics.skew * to_y
        to_x *= 1 / optics.fx
        r2 = to_x * to_x
        r2 += to_y * to_y
        usual = r2 <= optics.reach2  # False for NaN
        usual &= there
        away = ~usual
        np.copyto(to_x, 0.0, where=away)
        np.copyto(to_y, 0.0, where=away)
        rays = _newton(optics, to_x, to_y)
        np.multiply(rays.x, rays.x, out=r2)
        r2 += rays.y * rays.y
        kept = rays.there
        kept &= r2 <= optics.safe2
        kept &= usual
        if np.count_nonzero(kept) < np.count_nonzero(there):
            careful = there & ~kept
            others = _rays_one_by_one(optics, pixels, careful)
            for mine, other in zip(rays[:5], others[:5], strict=True):
                np.copyto(mine, other, where=careful)
            kept |= others.there
    return rays


def _rays_one_by_one(optics: Optics, pixels: FloatArray, there: BoolArray) -> Rays:
    shape = there.shape
    x, y, xy = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    xx, yy, kept = np.ones(shape), np.ones(shape), np.zeros(shape, dtype=np.bool_)
    for c, camera in enumerate(optics.cameras):
        index = np.flatnonzero(there[c])
        if not len(index):
            continue
        rays = camera.undistort(pixels[c, index])
        solved = np.isfinite(rays).all(-1)
        index, rays = index[solved], rays[solved]
        x[c, index], y[c, index], kept[c, index] = rays[:, 0], rays[:, 1], True
        xx[c, index], xy[c, index], yy[c, index] = distort_slopes(rays, camera.distortion, fisheye=camera.fisheye)
    return Rays(x, y, xx, xy, yy, kept)
