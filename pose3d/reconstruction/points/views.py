"""What cameras see of points, in the arrays that the solvers need.

Arrays are camera first and component-wise, ``(n_cameras, n_points)``: sums over cameras then become one matrix product,
which is several times faster than stacks of 2x3 matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from pose3d.data import Camera
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.symmetric import ENTRIES
from pose3d.reconstruction.points.optics import Optics, rays_of

__all__ = [
    "Fit",
    "Lenses",
    "Reprojection",
    "Views",
    "apply_table",
    "fit",
    "in_cameras",
    "reproject",
    "views_of",
]

_COLUMNS = 1024


class Lenses(NamedTuple):
    """Cameras as the tables that turn sums over cameras into matrix products.

    Attributes
    ----------
    cameras : sequence of Camera
    origin : (3,) array, mm
        Centroid of the cameras; points inside this package are relative to it, for the digits' sake.
    rotation : (n_cameras, 3, 3) array
    translation : (n_cameras, 3) array, mm
        Relative to `origin`.
    linear : (9, 4 * n_cameras) array
        Gives the linear normal equations from w, w x, w y, w (x^2 + y^2) of each view.
    hessian : (6, 6 * n_cameras) array
    gradient : (3, 3 * n_cameras) array
    placed : (3 * n_cameras, 4) array
        Gives the points in the cameras, all x, all y, all depths, from x, y, z, 1 in the world.
    optics : Optics
    """

    cameras: Sequence[Camera]
    origin: FloatArray
    rotation: FloatArray
    translation: FloatArray
    linear: FloatArray
    hessian: FloatArray
    gradient: FloatArray
    placed: FloatArray
    optics: Optics

    @classmethod
    def of(cls, cameras: Sequence[Camera]) -> "Lenses":
        """Build the tables."""
        cam_from_world = np.stack([camera.cam_from_world for camera in cameras])
        R = cam_from_world[:, :3, :3]
        origin = np.mean([camera.center for camera in cameras], axis=0)
        t = cam_from_world[:, :3, 3] + R @ origin

        def outer(a: FloatArray, b: FloatArray) -> list[FloatArray]:
            return [a[:, i] * b[:, j] for i, j in ENTRIES]

        def both(a: FloatArray, b: FloatArray) -> list[FloatArray]:
            return [a[:, i] * b[:, j] + b[:, i] * a[:, j] for i, j in ENTRIES]

        r1, r2, r3 = R[:, 0], R[:, 1], R[:, 2]
        t1, t2, t3 = (t[:, i, None] for i in range(3))
        # Per view two rows a = x r3 - r1 and b = y r3 - r2 with right sides t1 - x t3 and t2 - y t3.
        linear = [
            np.stack([*(p + q for p, q in zip(outer(r1, r1), outer(r2, r2), strict=True)), *(-r1 * t1 - r2 * t2).T]),
            np.stack([*(-p for p in both(r1, r3)), *(r3 * t1 + r1 * t3).T]),
            np.stack([*(-p for p in both(r2, r3)), *(r3 * t2 + r2 * t3).T]),
            np.stack([*outer(r3, r3), *(-r3 * t3).T]),
        ]
        hessian = [
            np.stack(rows)
            for rows in (
                outer(r1, r1),
                both(r1, r2),
                outer(r2, r2),
                both(r1, -r3),
                both(r2, -r3),
                outer(r3, r3),
            )
        ]
        return cls(
            tuple(cameras),
            origin,
            R,
            t,
            np.concatenate(linear, axis=1),
            np.concatenate(hessian, axis=1),
            np.concatenate([r1.T, r2.T, -r3.T], axis=1),
            np.concatenate([np.concatenate([R[:, i], t[:, i, None]], axis=1) for i in range(3)]),
            Optics.of(cameras),
        )


@dataclass(frozen=True, eq=False)
class Views:
    """What the cameras see of a chunk of points; all arrays (n_cameras, n_points).

    Attributes
    ----------
    x, y : array
        Undistorted normalised coordinates; 0 where a camera has no view.
    weight : array
        Factor of the squared error; 0 where there is no view.
    a11, a12, a21, a22 : array, px
        Derivative of the pixel by the normalised coordinates, at the view: the lens to first order.
    m11, m12, m22 : array, px^2
        The same matrix, transposed times itself.
    """

    x: FloatArray
    y: FloatArray
    weight: FloatArray
    a11: FloatArray
    a12: FloatArray
    a21: FloatArray
    a22: FloatArray
    m11: FloatArray
    m12: FloatArray
    m22: FloatArray

    @property
    def used(self) -> BoolArray:
        """Where there is a view."""
        return self.weight > 0

    def take(self, points: IntArray) -> "Views":
        """Return some of the points."""
        return Views(*(np.take(getattr(self, field.name), points, axis=1) for field in fields(self)))

    def run(self, points: slice) -> "Views":
        """Return a run of the points, without a copy."""
        return Views(*(getattr(self, field.name)[:, points] for field in fields(self)))


def views_of(lenses: Lenses, pixels: FloatArray, weight: FloatArray) -> Views:
    """Undistort the views of a chunk.

    Parameters
    ----------
    lenses : Lenses
    pixels : (n_cameras, n_points, 2) array, px
        NaN where a camera has no view.
    weight : (n_cameras, n_points) array
        0 where a view is not to be used.
    """
    optics = lenses.optics
    rays = rays_of(optics, pixels, weight > 0)
    kept = weight if rays.there.all() else np.where(rays.there, weight, 0.0)
    with np.errstate(all="ignore"):  # a lens far outside its image
        a11, a12 = optics.fx * rays.xx, optics.fx * rays.xy
        if optics.skew.any():
            a11 += optics.skew * rays.xy
            a12 += optics.skew * rays.yy
        a21, a22 = optics.fy * rays.xy, optics.fy * rays.yy
        m11 = a11 * a11
        m11 += a21 * a21
        m12 = a11 * a12
        m12 += a21 * a22
        m22 = a12 * a12
        m22 += a22 * a22
    return Views(rays.x, rays.y, kept, a11, a12, a21, a22, m11, m12, m22)


def _in_blocks(columns: FloatArray) -> FloatArray:
    return columns.reshape(len(columns), -1, _COLUMNS).swapaxes(0, 1)


def apply_table(table: FloatArray, columns: FloatArray) -> FloatArray:
    """Return ``table @ columns`` (m, n), 1024 columns at a time.

    OpenBLAS gives a larger product of so flat a table to all of its threads, which wait for one another most of the
    time: that more than doubles the CPU time of the whole triangulation, and gains nothing.
    """
    out = np.empty((len(table), columns.shape[1]))
    even = columns.shape[1] // _COLUMNS * _COLUMNS
    if even:
        np.matmul(table, _in_blocks(columns[:, :even]), out=_in_blocks(out[:, :even]))
    np.matmul(table, columns[:, even:], out=out[:, even:])
    return out


class Fit(NamedTuple):
    """How points lie in their views; all (n_cameras, n_points).

    Attributes
    ----------
    depth : array, mm
    u, v : array
        Where the point projects to, normalised.
    squared_px : array, px^2
        Squared distance from the view, the lens taken to first order; meaningless where there is no view.
    """

    depth: FloatArray
    u: FloatArray
    v: FloatArray
    squared_px: FloatArray


def in_cameras(lenses: Lenses, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return depth and normalised projection of points (3, n)."""
    placed = np.empty((4, points.shape[1]))
    placed[:3] = points
    placed[3] = 1.0
    u, v, depth = apply_table(lenses.placed, placed).reshape(3, len(lenses.cameras), -1)
    inverse = 1 / depth
    u *= inverse
    v *= inverse
    return depth, u, v


def fit(lenses: Lenses, views: Views, points: FloatArray) -> Fit:
    """Project points (3, n) and compare them with the views."""
    with np.errstate(all="ignore"):
        depth, u, v = in_cameras(lenses, points)
        du, dv = u - views.x, v - views.y
        squared = views.m12 * dv
        squared *= 2
        squared += views.m11 * du
        squared *= du
        dv *= dv
        dv *= views.m22
        squared += dv
        return Fit(depth, u, v, squared)


class Reprojection(NamedTuple):
    """Points through the full lens, minus the views; all (n_cameras, n_points).

    Attributes
    ----------
    across, down : array, px
        NaN where there is no view.
    at : Fit
    """

    across: FloatArray
    down: FloatArray
    at: Fit

    @property
    def distance_px(self) -> FloatArray:
        """Length of the difference."""
        with np.errstate(over="ignore"):  # a lens far outside its image
            return np.asarray(np.sqrt(self.across * self.across + self.down * self.down))


def reproject(lenses: Lenses, pixels: FloatArray, points: FloatArray) -> Reprojection:
    """Project points (3, n) through the full lens and subtract the views.

    Parameters
    ----------
    lenses : Lenses
    pixels : (n_cameras, n_points, 2) array, px
    points : (3, n_points) array, mm
    """
    with np.errstate(all="ignore"):
        depth, u, v = in_cameras(lenses, points)
        across, down = lenses.optics.pixels(u, v)
        across -= pixels[..., 0]
        down -= pixels[..., 1]
    return Reprojection(across, down, Fit(depth, u, v, np.broadcast_to(np.nan, u.shape)))
