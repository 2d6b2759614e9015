"""Rigid transforms as 4x4 matrices named ``b_from_a``, and their best fit to points."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import exp_so3, log_so3

__all__ = ["Similarity", "apply", "inverse", "rigid", "rotvec_translation", "umeyama"]


def rigid(rotation: ArrayLike, translation: ArrayLike) -> FloatArray:
    """Build 4x4 transforms.

    Parameters
    ----------
    rotation : (..., 3) array, rad, or (..., 3, 3) array
        Rotation vectors or matrices. An array that ends in (3, 3) is taken for matrices if it has more axes than
        `translation`, else for rotation vectors: give one matrix for many translations as ``rotation[None]``.
    translation : (..., 3) array

    Returns
    -------
    (..., 4, 4) array
    """
    rotation = np.asarray(rotation, dtype=np.float64)
    translation = np.asarray(translation, dtype=np.float64)
    is_matrix = rotation.ndim > translation.ndim and rotation.shape[-2:] == (3, 3)
    matrix = rotation if is_matrix else exp_so3(rotation)
    shape = np.broadcast_shapes(matrix.shape[:-2], translation.shape[:-1])
    out = np.zeros((*shape, 4, 4))
    out[..., :3, :3] = matrix
    out[..., :3, 3] = translation
    out[..., 3, 3] = 1
    return out


def rotvec_translation(transform: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Split transforms into rotation vectors (..., 3) and translations (..., 3)."""
    transform = np.asarray(transform, dtype=np.float64)
    return log_so3(transform[..., :3, :3]), transform[..., :3, 3].copy()


def inverse(transform: ArrayLike) -> FloatArray:
    """Invert rigid transforms: ``inverse(b_from_a)`` is ``a_from_b``."""
    transform = np.asarray(transform, dtype=np.float64)
    Rt = np.swapaxes(transform[..., :3, :3], -1, -2)
    return rigid(Rt, -(Rt @ transform[..., :3, 3:])[..., 0])


def apply(transform: ArrayLike, points: ArrayLike) -> FloatArray:
    """Move points: ``apply(b_from_a, points_in_a)``.

    Parameters
    ----------
    transform : (..., 4, 4) or (..., 3, 4) array
    points : (..., 3) array
        Leading axes broadcast against those of `transform`.

    Returns
    -------
    (..., 3) array
    """
    transform = np.asarray(transform, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    return np.asarray(np.einsum("...ij,...j->...i", transform[..., :3, :3], points) + transform[..., :3, 3])


class Similarity(NamedTuple):
    """``target ~ scale * rotation @ source + translation``."""

    scale: float
    rotation: FloatArray
    translation: FloatArray

    def __call__(self, points: ArrayLike) -> FloatArray:
        """Move points (..., 3)."""
        return np.asarray(self.scale * np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation)


def umeyama(
    source: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None, with_scale: bool = False
) -> Similarity:
    """Fit the rigid (or similarity) transform from `source` to `target` in the least-squares sense.

    Parameters
    ----------
    source, target : (..., 3) array
        Corresponding points; pairs with a NaN are left out.
    weights : (...) array, optional
    with_scale : bool
        Fit a scale as well.

    Returns
    -------
    Similarity

    Raises
    ------
    ValueError
        If fewer than three complete pairs remain, or the points lie on one line.

    References
    ----------
    Umeyama (1991), Least-squares estimation of transformation parameters between two point patterns,
    IEEE PAMI 13:376, eqs. 34-42.
    """
    a = np.asarray(source, dtype=np.float64).reshape(-1, 3)
    b = np.asarray(target, dtype=np.float64).reshape(-1, 3)
    w = np.ones(len(a)) if weights is None else np.asarray(weights, dtype=np.float64).reshape(-1)
    keep = np.isfinite(a).all(-1) & np.isfinite(b).all(-1) & (w > 0)
    if keep.sum() < 3:
        raise ValueError(f"a rigid fit needs three pairs of points, {int(keep.sum())} given")
    a, b, w = a[keep], b[keep], w[keep] / w[keep].sum()
    mean_a, mean_b = w @ a, w @ b
    a, b = a - mean_a, b - mean_b
    U, D, Vt = np.linalg.svd((b * w[:, None]).T @ a)
    if D[1] <= 1e-12 * max(D[0], np.finfo(float).tiny):
        raise ValueError("a rigid fit needs points that do not lie on one line")
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    R = (U * sign) @ Vt
    scale = float((D * sign).sum() / (w @ (a * a).sum(-1))) if with_scale else 1.0
    return Similarity(scale, R, mean_b - scale * R @ mean_a)
