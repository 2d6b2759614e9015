"""Cameras and free points, and how far the labels are from where the points should be seen.

Labels are compared with points as rays; what a ray's shift is in px is taken from the lens at the label, once.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.rotations import log_so3

from ..solver.linearize import robust_loss

__all__ = [
    "FOCAL_SD",
    "Limbs",
    "PointsBundle",
    "Seen",
    "State",
    "View",
    "limb_geometry",
    "look",
    "point_distances",
    "prior_offset",
    "state_of",
    "views_of",
]

FOCAL_SD = 0.03
"""Standard deviation of the logarithm of a focal length that is free."""
_BEHIND = 1e6  # px: a point behind the camera is no explanation of what it saw
_LOSS = 3.0  # where the robust loss leaves the square, in units of noise


class Limbs(NamedTuple):
    """Pairs of points whose distance does not change.

    Attributes
    ----------
    ends : (n_pairs, 2) int array
        Points; both are of one instant.
    kind : (n_pairs,) int array
        Which limb it is.
    excess : (n_pairs,) array, mm
        By how much the labels' noise across the limb makes the distance too long. It differs with the place and the
        direction, and would bend the rig if it were taken for a change of length.
    known : (n_limbs,) array
        Length in units of ``exp(log_unit[unit])``: mm of limbs that share one unknown scale, 1 for an unknown length.
    unit : (n_limbs,) int array
    log_unit : (n_units,) array
    sigma : (n_limbs,) array, mm
        How far the distance of the labelled points departs from the length.
    blocks : (n_blocks, size) int array
        Points that limbs tie together, filled up with -1.
    """

    ends: IntArray
    kind: IntArray
    excess: FloatArray
    known: FloatArray
    unit: IntArray
    log_unit: FloatArray
    sigma: FloatArray
    blocks: IntArray

    @property
    def lengths(self) -> FloatArray:
        """(n_limbs,) array, mm."""
        return np.asarray(self.known * np.exp(self.log_unit[self.unit]))


@dataclass(frozen=True, eq=False)
class PointsBundle:
    """Cameras, points and the labels that tie them.

    Attributes
    ----------
    cam_from_world : (n_cameras, 4, 4) array, mm
    focal_scale : (n_cameras,) array
        Focal length over that with which the rays were made.
    points : (n_points, 3) array, mm
    ray : (n_points, n_cameras, 2) array
        Undistorted normalised labels; NaN where there is none.
    slope : (n_points, n_cameras, 2, 2) array, px
        Derivative of the pixel by the ray, at the label.
    offset : (n_points, n_cameras, 2) array, px
        Label minus principal point.
    weight : (n_points, n_cameras) array
        Of a label, as the inverse of its variance in units of the camera's.
    free_pose, free_focal : (n_cameras,) bool arrays
    prior : (6 * n_cameras, 6 * n_cameras) array
        Information about turn (rad) and shift (mm) of each camera around `prior_pose`.
    prior_pose : (n_cameras, 4, 4) array, mm
    limbs : Limbs, optional
    """

    cam_from_world: FloatArray
    focal_scale: FloatArray
    points: FloatArray
    ray: FloatArray
    slope: FloatArray
    offset: FloatArray
    weight: FloatArray
    free_pose: BoolArray
    free_focal: BoolArray
    prior: FloatArray
    prior_pose: FloatArray
    limbs: Limbs | None = None

    @property
    def free(self) -> BoolArray:
        """(n_cameras, 7) bool array: which numbers of a camera move."""
        return np.concatenate([np.repeat(self.free_pose[:, None], 6, axis=1), self.free_focal[:, None]], axis=1)

    def still(self) -> "PointsBundle":
        """Return the bundle with all cameras held and without limbs: each point for itself."""
        held = np.zeros_like(self.free_pose)
        return replace(self, free_pose=held, free_focal=held, limbs=None)


class View(NamedTuple):
    """One camera's labels, by components."""

    point: IntArray  # (k,)
    ray: FloatArray  # (2, k)
    slope: FloatArray  # (2, 2, k)
    offset: FloatArray  # (2, k)
    root: FloatArray  # (k,)


def views_of(bundle: PointsBundle) -> list[View]:
    """Sort a bundle's labels by camera."""
    out = []
    for i in range(len(bundle.focal_scale)):
        point = np.flatnonzero(np.isfinite(bundle.ray[:, i, 0]))
        out.append(
            View(
                point,
                np.ascontiguousarray(bundle.ray[point, i].T),
                np.ascontiguousarray(bundle.slope[point, i].transpose(1, 2, 0)),
                np.ascontiguousarray(bundle.offset[point, i].T),
                np.sqrt(bundle.weight[point, i]),
            )
        )
    return out


class Seen(NamedTuple):
    """Where points lie in a camera, by components."""

    turned: FloatArray  # (3, k): the point from the world's origin, in the camera's axes
    X: FloatArray  # (3, k)
    moved: FloatArray  # (2, k) px: from the label to the point, with the first focal length
    r: FloatArray  # (2, k) px: observed minus reprojected


def look(bundle: PointsBundle, i: int, view: View) -> Seen:
    """Look at the points with camera `i`."""
    pose, scale = bundle.cam_from_world[i], bundle.focal_scale[i]
    turned = pose[:3, :3] @ bundle.points[view.point].T
    X = turned + pose[:3, 3:]
    with np.errstate(all="ignore"):
        off = X[:2] / X[2] - view.ray
        moved = view.slope[:, 0] * off[0] + view.slope[:, 1] * off[1]
        r = (1 - scale) * view.offset - scale * moved
        good = (X[2] > 0) & (np.abs(r) < _BEHIND).all(0)
    return Seen(turned, X, moved, np.where(good, r, _BEHIND))


def point_distances(bundle: PointsBundle) -> FloatArray:
    """Return how far each label lies from its reprojected point, (n_points, n_cameras) px; NaN without a label."""
    out = np.full(bundle.ray.shape[:2], np.nan)
    for i, view in enumerate(views_of(bundle)):
        out[view.point, i] = np.linalg.norm(look(bundle, i, view).r, axis=0)
    return out


class State(NamedTuple):
    """What a bundle's parameters are worth."""

    cost: float
    seen: list[Seen]
    weight: list[FloatArray]  # of the robust loss, for each camera's labels
    limb_r: FloatArray
    limb_weight: FloatArray


def limb_geometry(bundle: PointsBundle, limbs: Limbs) -> tuple[FloatArray, FloatArray]:
    """Return each pair's direction (n, 3) and distance (n,)."""
    a, b = bundle.points[limbs.ends[:, 0]], bundle.points[limbs.ends[:, 1]]
    distance = np.maximum(np.linalg.norm(a - b, axis=-1), 1e-9)
    return (a - b) / distance[:, None], distance


def prior_offset(bundle: PointsBundle) -> FloatArray:
    """Return how far the poses are from their prior, (6 * n_cameras,): radians and mm."""
    R, R0 = bundle.cam_from_world[:, :3, :3], bundle.prior_pose[:, :3, :3]
    turn = log_so3(R @ np.swapaxes(R0, -1, -2))
    shift = bundle.cam_from_world[:, :3, 3] - bundle.prior_pose[:, :3, 3]
    return np.concatenate([turn, shift], axis=1).ravel()


def state_of(bundle: PointsBundle, views: list[View], sigma: FloatArray) -> State:
    """Compute a bundle's cost, residuals and weights, for the cameras' noise `sigma` (n_cameras,) px."""
    offset, focal = prior_offset(bundle), np.log(bundle.focal_scale) / FOCAL_SD
    cost = float(offset @ bundle.prior @ offset) + float(focal @ focal)
    looks, weights = [], []
    for i, view in enumerate(views):
        seen = look(bundle, i, view)
        e = seen.r * (view.root / sigma[i])
        loss, weight = robust_loss(e[0] * e[0] + e[1] * e[1], _LOSS)
        cost += float(loss.sum())
        looks.append(seen)
        weights.append(weight)
    limb_r = limb_weight = np.zeros(0)
    if bundle.limbs is not None:
        _, distance = limb_geometry(bundle, bundle.limbs)
        kind = bundle.limbs.kind
        limb_r = (bundle.limbs.lengths[kind] + bundle.limbs.excess - distance) / bundle.limbs.sigma[kind]
        loss, limb_weight = robust_loss(limb_r * limb_r, _LOSS)
        cost += float(loss.sum())
    return State(0.5 * cost, looks, weights, limb_r, limb_weight)
