"""The uncertainty of a calibration as its rig carries it on: relative to the recorded volume."""

import numpy as np

from pose3d.data.rig_covariance import RigCovariance
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import skew

from ..solver.bundle import LENS_SIZE, Solution
from .uncertainty import Uncertainty, volume_sensitivity

__all__ = ["rig_covariance"]

_FEWEST_POINTS = 10
_PER_SIDE = 7


def rig_covariance(
    solution: Solution, uncertainty: Uncertainty, names: tuple[str, ...], sizes: tuple[tuple[int, int], ...]
) -> RigCovariance | None:
    """Return the covariance of a calibrated rig.

    The solver tells errors relative to the first camera. A principal point that is a little off then seems to turn the
    whole world, by far more than any point moves relative to the others. Here the world is taken to lie where the
    volume in which the board was shown is fitted best, each camera being off a little, the first as well: what is left
    is what distorts the space. Distances and angles are equally well known either way.

    Parameters
    ----------
    solution : Solution
    uncertainty : Uncertainty
    names : tuple of str
    sizes : tuple of (int, int), px

    Returns
    -------
    RigCovariance or None
        None where nothing was estimated, or the views leave a parameter without any limit. Relative to the camera that
        was held where the cameras have no volume in common.

    References
    ----------
    Baarda (1973), S-transformations and criterion matrices; Triggs, McLauchlan, Hartley, Fitzgibbon (2000), Bundle
    adjustment: a modern synthesis, section 9.
    """
    covariance = uncertainty.covariance
    if not len(uncertainty.camera) or not np.isfinite(covariance).all():
        return None
    camera, number = uncertainty.camera, uncertainty.number
    held = np.setdiff1d(np.arange(len(names)), camera[number >= LENS_SIZE])
    root, reference = _root(covariance), names[held[0]] if len(held) == 1 else ""
    seen = volume_sensitivity(solution, uncertainty, sizes, n_per_side=_PER_SIDE)
    if len(seen.xyz) >= _FEWEST_POINTS and len(held) <= 1:
        camera = np.concatenate([camera, np.repeat(held, 6)])
        number = np.concatenate([number, *[np.arange(LENS_SIZE, LENS_SIZE + 6)] * len(held)])
        root = np.concatenate([root, np.zeros((6 * len(held), root.shape[1]))])
        turn, shift = _rigid_part(seen.xyz, seen.by_parameter @ root[: len(uncertainty.camera)])
        R = solution.bundle.cam_from_world[:, :3, :3]
        pose = np.flatnonzero(number >= LENS_SIZE)
        # were the world turned and shifted so, the cameras would be turned and shifted against it
        against = np.concatenate([R @ turn, R @ shift], axis=1)
        root[pose] += against[camera[pose], number[pose] - LENS_SIZE]
        reference = ""
        order = np.lexsort([number, camera])
        camera, number, root = camera[order], number[order], root[order]
    return RigCovariance(root @ root.T, camera, number, names, reference)


def _root(covariance: FloatArray) -> FloatArray:
    """Return a square root (n, n); directions of which the views say nearly nothing may come negative, by rounding."""
    unit = np.sqrt(np.abs(np.diag(covariance)))
    unit = np.where(unit > 0, unit, 1.0)
    values, vectors = np.linalg.eigh(covariance / unit[:, None] / unit)
    return np.asarray(unit[:, None] * vectors * np.sqrt(np.maximum(values, 0.0)))


def _rigid_part(points: FloatArray, moved: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the turns (3, k) about the origin and shifts (3, k) that fit displacements (n, 3, k) of points best."""
    center = points.mean(0)
    basis = np.concatenate([-skew(points - center), np.broadcast_to(np.eye(3), (len(points), 3, 3))], axis=-1)
    fit = np.linalg.lstsq(basis.reshape(-1, 6), moved.reshape(3 * len(points), -1), rcond=None)[0]
    turn, shift = fit[:3], fit[3:]
    return turn, shift - skew(center).T @ turn
