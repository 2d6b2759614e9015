"""The normal equations of cameras and free points, and their solution with the points eliminated (Schur complement).

Unknown are each camera's pose (small rotation on the left, shift) and, where asked, its focal length, each point, and
the lengths of rigid limbs. A point that belongs to no limb is a block of three numbers; the points that limbs tie
together at one instant are one block. Arrays are by components, points last: sums then are a few long products.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.linalg

from pose3d.geometry.arrays import BoolArray, FloatArray

from ..solver.motions import move_poses
from .points_views import FOCAL_SD, Limbs, PointsBundle, Seen, State, View, limb_geometry, prior_offset

__all__ = ["Equations", "equations_of", "invert_symmetric", "move", "point_information", "solve_step"]

_PIECE = 200_000  # multiplications
_CAMERA = 7  # turn, shift, logarithm of the focal length


def _long_product(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return ``a @ b.T`` for few long rows, in pieces.

    OpenBLAS gives a larger product of so flat matrices to all of its threads, which wait for one another most of the
    time: that takes several times the CPU time, and gains nothing.
    """
    n = a.shape[1]
    piece = max(_PIECE // (len(a) * len(b)), 16)
    even = n // piece * piece
    out = a[:, even:] @ b[:, even:].T
    if even:
        left = a[:, :even].reshape(len(a), -1, piece).swapaxes(0, 1)
        right = b[:, :even].reshape(len(b), -1, piece).transpose(1, 2, 0)
        out = out + np.matmul(left, right).sum(0)
    return np.asarray(out)


class Equations(NamedTuple):
    """Normal equations; the cameras' 7 numbers each, then the units of the limbs, are the globals."""

    A: FloatArray  # (n_globals, n_globals)
    a: FloatArray
    V: FloatArray  # (3, 3, n_points)
    b: FloatArray  # (3, n_points)
    W: FloatArray  # (n_globals, 3, n_points)
    cross: FloatArray  # (n_pairs, 3, 3)


def _slopes(bundle: PointsBundle, i: int, view: View, seen: Seen, root: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the derivatives of a camera's labels by the point, in its axes and in the world's, (3, 2, k)."""
    with np.errstate(all="ignore"):
        factor = bundle.focal_scale[i] * root / seen.X[2]
        G = np.empty((3, 2, len(root)))
        G[:2] = view.slope.swapaxes(0, 1) * factor
        G[2] = -(G[0] * seen.X[0] + G[1] * seen.X[1]) / seen.X[2]
    G[:, :, root == 0] = 0.0
    world = np.einsum("ij,irk->jrk", bundle.cam_from_world[i, :3, :3], G)
    return G, world


def _roots(view: View, seen: Seen, weight: FloatArray, sigma: float) -> FloatArray:
    """Return the factor of each label's equations; 0 where the point is no explanation."""
    return np.where((seen.X[2] > 0) & (weight > 1e-8), np.sqrt(weight) * view.root / sigma, 0.0)


def equations_of(bundle: PointsBundle, views: list[View], sigma: FloatArray, state: State) -> Equations:
    """Build the normal equations of a bundle."""
    n, n_cameras = bundle.ray.shape[:2]
    n_units = 0 if bundle.limbs is None else len(bundle.limbs.log_unit)
    size = _CAMERA * n_cameras + n_units
    A, a = np.zeros((size, size)), np.zeros(size)
    V, b, W = np.zeros((3, 3, n)), np.zeros((3, n)), np.zeros((size, 3, n))
    free = bundle.free
    for i, view in enumerate(views):
        seen = state.seen[i]
        root = _roots(view, seen, state.weight[i], sigma[i])
        G, world = _slopes(bundle, i, view, seen, root)
        e = np.where(root > 0, seen.r * root, 0.0)
        for j in range(3):
            b[j, view.point] += world[j, 0] * e[0] + world[j, 1] * e[1]
            for k in range(j, 3):
                V[j, k, view.point] += world[j, 0] * world[k, 0] + world[j, 1] * world[k, 1]
        if not free[i].any():
            continue
        J = np.empty((_CAMERA, 2, len(root)))
        q = seen.turned
        J[0], J[1], J[2] = q[1] * G[2] - q[2] * G[1], q[2] * G[0] - q[0] * G[2], q[0] * G[1] - q[1] * G[0]
        J[3:6] = G
        with np.errstate(all="ignore"):
            J[6] = np.where(root > 0, bundle.focal_scale[i] * (view.offset + seen.moved) * root, 0.0)
        J *= free[i][:, None, None]
        here = slice(_CAMERA * i, _CAMERA * (i + 1))
        flat = J.reshape(_CAMERA, -1)
        A[here, here] += _long_product(flat, flat)
        a[here] += np.einsum("ik,k->i", flat, e.ravel())
        W[here, :, view.point] = J[:, None, 0] * world[None, :, 0] + J[:, None, 1] * world[None, :, 1]
    V[1, 0], V[2, 0], V[2, 1] = V[0, 1], V[0, 2], V[1, 2]
    _add_prior(bundle, A, a)
    cross = np.zeros((0, 3, 3))
    if bundle.limbs is not None:
        cross = _add_limbs(bundle, bundle.limbs, state, (A, a, V, b, W))
    return Equations(A, a, V, b, W, cross)


def _add_prior(bundle: PointsBundle, A: FloatArray, a: FloatArray) -> None:
    n_cameras = len(bundle.cam_from_world)
    index = (_CAMERA * np.arange(n_cameras)[:, None] + np.arange(6)).ravel()
    A[np.ix_(index, index)] += bundle.prior
    a[index] -= bundle.prior @ prior_offset(bundle)
    focal = _CAMERA * np.arange(n_cameras) + 6
    A[focal, focal] += 1 / FOCAL_SD**2
    a[focal] -= np.log(bundle.focal_scale) / FOCAL_SD**2


def _add_limbs(
    bundle: PointsBundle,
    limbs: Limbs,
    state: State,
    into: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
) -> FloatArray:
    A, a, V, b, W = into
    along, _ = limb_geometry(bundle, limbs)
    root = np.sqrt(state.limb_weight) / limbs.sigma[limbs.kind]
    u = along * root[:, None]
    e = state.limb_r * np.sqrt(state.limb_weight)
    target = limbs.lengths[limbs.kind] * root
    column = _CAMERA * bundle.ray.shape[1] + limbs.unit[limbs.kind]
    outer = u[:, :, None] * u[:, None, :]
    for end, sign in ((0, 1.0), (1, -1.0)):
        points = limbs.ends[:, end]
        np.add.at(V.transpose(2, 0, 1), points, outer)
        np.add.at(b.T, points, sign * u * e[:, None])
        np.add.at(W.swapaxes(1, 2), (column, points), -sign * u * target[:, None])
    np.add.at(A, (column, column), target * target)
    np.add.at(a, column, -target * e)
    return -outer


def invert_symmetric(V: FloatArray) -> FloatArray:
    """Invert symmetric 3x3 matrices (3, 3, n), by components."""
    a, b, c, d, e, f = V[0, 0], V[0, 1], V[0, 2], V[1, 1], V[1, 2], V[2, 2]
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    determinant = a * A + b * B + c * C
    out = np.stack([A, B, C, B, a * f - c * c, b * c - a * e, C, b * c - a * e, a * d - b * b])
    return np.asarray((out / determinant).reshape(V.shape))


def _tied(equations: Equations, limbs: Limbs) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the blocks that limbs tie together: V (g, 3m, 3m), W (n_globals, g, 3m), b (g, 3m)."""
    g, m = limbs.blocks.shape
    real = limbs.blocks >= 0
    slot = np.full((equations.b.shape[1], 2), -1)
    slot[limbs.blocks[real]] = np.argwhere(real)
    V = np.zeros((g, m, m, 3, 3))
    V[:, np.arange(m), np.arange(m)] = np.where(
        real[..., None, None], equations.V[:, :, limbs.blocks].transpose(2, 3, 0, 1), np.eye(3)
    )
    first, second = slot[limbs.ends[:, 0]], slot[limbs.ends[:, 1]]
    np.add.at(V, (first[:, 0], first[:, 1], second[:, 1]), equations.cross)
    np.add.at(V, (first[:, 0], second[:, 1], first[:, 1]), equations.cross)
    W = np.where(real[..., None], equations.W[:, :, limbs.blocks].transpose(0, 2, 3, 1), 0.0)
    b = np.where(real[..., None], equations.b[:, limbs.blocks].transpose(1, 2, 0), 0.0)
    return V.transpose(0, 1, 3, 2, 4).reshape(g, 3 * m, 3 * m), W.reshape(len(W), g, 3 * m), b.reshape(g, 3 * m)


def _floor(V: FloatArray) -> float:
    return 1e-9 * float(np.median(V[0, 0] + V[1, 1] + V[2, 2])) + 1e-15


def solve_step(
    equations: Equations, limbs: Limbs | None, free: BoolArray, damping: float
) -> tuple[FloatArray, FloatArray]:
    """Solve the damped normal equations; returns the steps of the globals and of the points (n, 3)."""
    A, a, V, b, W, _ = equations
    S, s = A + damping * np.diag(np.diag(A)), a.copy()
    size, n = len(s), b.shape[1]
    alone = slice(None) if limbs is None else np.setdiff1d(np.arange(n), limbs.blocks)
    floor = _floor(V)
    damped = V[:, :, alone].copy()
    diagonal = np.arange(3)
    damped[diagonal, diagonal] += damping * damped[diagonal, diagonal] + floor
    inverse, w, c = invert_symmetric(damped), W[:, :, alone], b[:, alone]
    if free.any():
        Y = sum(w[:, k, None] * inverse[k] for k in range(3))
        flat = np.reshape(Y, (size, -1))
        S -= _long_product(flat, w.reshape(size, -1))
        s -= np.einsum("ik,k->i", flat, c.ravel())
    if limbs is not None:
        tied_V, tied_W, tied_b = _tied(equations, limbs)
        extra = damping * np.einsum("gii->gi", tied_V) + floor
        tied_inverse = np.linalg.inv(tied_V + extra[:, :, None] * np.eye(tied_V.shape[-1]))
        Y = np.matmul(tied_W.transpose(1, 0, 2), tied_inverse).transpose(1, 0, 2)
        flat = Y.reshape(size, -1)
        S -= _long_product(flat, tied_W.reshape(size, -1))
        s -= np.einsum("ik,k->i", flat, tied_b.ravel())
    moving = np.flatnonzero(free)
    step = np.zeros(size)
    if len(moving):
        part = S[np.ix_(moving, moving)]
        scale = 1 / np.sqrt(np.maximum(np.diag(part), 1e-300))
        part = (part + part.T) / 2 * scale[:, None] * scale + 1e-13 * np.eye(len(moving))
        step[moving] = scale * scipy.linalg.solve(part, scale * s[moving], assume_a="sym", check_finite=False)
    points = np.zeros((n, 3))
    left = c - np.einsum("i,ijk->jk", step, w)
    points[alone] = (inverse * left[:, None]).sum(0).T
    if limbs is not None:
        left = tied_b - np.einsum("i,igk->gk", step, tied_W)
        moved = np.matmul(tied_inverse, left[..., None]).reshape(*limbs.blocks.shape, 3)
        real = limbs.blocks >= 0
        points[limbs.blocks[real]] = moved[real]
    return step, points


def move(bundle: PointsBundle, step: FloatArray, points: FloatArray) -> PointsBundle:
    """Return the bundle after a step of :func:`solve_step`."""
    n_cameras = len(bundle.cam_from_world)
    cameras = step[: _CAMERA * n_cameras].reshape(n_cameras, _CAMERA)
    limbs = bundle.limbs
    if limbs is not None:
        limbs = limbs._replace(log_unit=limbs.log_unit + step[_CAMERA * n_cameras :])
    return replace(
        bundle,
        focal_scale=bundle.focal_scale * np.exp(cameras[:, 6]),
        cam_from_world=move_poses(bundle.cam_from_world, cameras[:, :6]),
        points=bundle.points + points,
        limbs=limbs,
    )


def point_information(
    bundle: PointsBundle, views: list[View], sigma: FloatArray, state: State
) -> tuple[FloatArray, list[FloatArray]]:
    """Return each point's information matrix (3, 3, n), the cameras held, and the labels' derivatives (3, 2, k)."""
    V = np.zeros((3, 3, len(bundle.points)))
    slopes = []
    for i, view in enumerate(views):
        root = _roots(view, state.seen[i], state.weight[i], sigma[i])
        _, world = _slopes(bundle, i, view, state.seen[i], root)
        V[:, :, view.point] += (world[:, None] * world[None]).sum(2)
        slopes.append(world)
    V[np.arange(3), np.arange(3)] += _floor(V)
    return V, slopes
