"""The cameras' uncertainty over space, in cells: for recordings of any length at next to no cost."""

import numpy as np

from pose3d.data.camera import Rig
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.symmetric import full_matrix, inverse_matrix
from pose3d.reconstruction.refinement.rig_uncertainty import covariance_of, derivatives

__all__ = ["CovarianceCells", "choose_cell_mm"]

_CELL = 0.03  # of the distance to the nearest camera: within half a cell, derivatives differ by less than that
_FARTHEST = 2**19  # cells from the origin; points beyond are no points
_SIDE = 2 * _FARTHEST + 1
_MOST_CELLS = 4096
_RUN = 512  # cells whose products with all parameters are in memory at once
_ROWS, _COLUMNS = np.triu_indices(3)


class CovarianceCells:
    """The cameras' uncertainty over space, in cells that are filled where points are met.

    A point counts as if it lay in the middle of its cell; with which precision each camera sees it remains its own.
    Results do not depend on what was asked before.

    Parameters
    ----------
    rig : Rig
        With a covariance.
    cell_mm : float
        See :func:`choose_cell_mm`.
    """

    def __init__(self, rig: Rig, cell_mm: float) -> None:
        if not 0 < cell_mm < np.inf:
            raise ValueError(f"cell_mm is {cell_mm}, a positive number is needed")
        self._rig, self._cell_mm, self._known = rig, float(cell_mm), covariance_of(rig)
        self._first, self._second = np.triu_indices(len(rig))
        self._forget()

    def _forget(self) -> None:
        self._key = np.zeros(0, dtype=np.int64)
        self._by_pair = np.zeros((0, 6, len(self._first)))
        self._information = np.zeros((0, 6, len(self._rig)))

    def covariance(self, xyz: FloatArray, precision: FloatArray) -> FloatArray:
        """Return the covariance (n_points, 3, 3) in mm^2; as :func:`calibration_covariance`."""
        with np.errstate(invalid="ignore"):
            place = np.clip(np.nan_to_num(np.floor(xyz / self._cell_mm), nan=_FARTHEST), -_FARTHEST, _FARTHEST)
        number = place.astype(np.int64) + _FARTHEST
        key, cell = np.unique((number[:, 0] * _SIDE + number[:, 1]) * _SIDE + number[:, 2], return_inverse=True)
        unknown = np.setdiff1d(key, self._key, assume_unique=True)
        if len(unknown) and len(self._key) + len(unknown) > _MOST_CELLS:
            self._forget()
            unknown = key
        if len(unknown):
            self._fill(unknown)
        row = np.searchsorted(self._key, key)[cell]
        weight = precision.T[..., None]
        inverse = inverse_matrix((self._information[row] @ weight)[..., 0].T)
        weight = (precision[self._first] * precision[self._second]).T[..., None]
        spread = self._by_pair[row] @ weight
        return np.asarray(inverse @ full_matrix(spread[..., 0].T) @ inverse)

    def _fill(self, key: IntArray) -> None:
        corner = np.stack([key // _SIDE // _SIDE, key // _SIDE % _SIDE, key % _SIDE], axis=-1) - _FARTHEST
        near = np.abs(corner) < _FARTHEST
        middle = np.where(near.all(axis=-1, keepdims=True), (corner + 0.5) * self._cell_mm, np.nan)
        parts = [self._tables(middle[start : start + _RUN]) for start in range(0, len(middle), _RUN)]
        order = np.argsort(np.concatenate([self._key, key]), kind="stable")
        self._key = np.concatenate([self._key, key])[order]
        self._by_pair = np.concatenate([self._by_pair, *(part[0] for part in parts)])[order]
        self._information = np.concatenate([self._information, *(part[1] for part in parts)])[order]

    def _tables(self, middle: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Prepare the sums over cameras, for views of precision 1.

        Returns
        -------
        by_pair : (n, 6, n_pairs) array
            Covariance of two cameras' pulls at a point, symmetrised.
        information : (n, 6, n_cameras) array
            0 for cameras that cannot see the point.
        """
        n, n_cameras = len(middle), len(self._rig)
        first, second = self._first, self._second
        information, pull = np.zeros((n, 6, n_cameras)), []
        for c, camera in enumerate(self._rig):
            mine = np.flatnonzero(self._known.camera == c)
            seen = derivatives(camera, middle, self._known.parameter[mine])
            information[..., c] = seen.information.T
            each = seen.pull.reshape(len(mine), 3 * n).T @ self._known.root[mine]
            pull.append(each.reshape(3, n, self._known.root.shape[1]))
        both = np.concatenate(pull).swapaxes(0, 1)
        square = (both @ both.swapaxes(-1, -2)).reshape(n, n_cameras, 3, n_cameras, 3)
        by_pair = np.empty((n, 6, len(self._first)))
        for row, (i, j) in enumerate(zip(_ROWS, _COLUMNS, strict=True)):
            mixed = square[:, first, i, second, j] + square[:, first, j, second, i]
            by_pair[:, row] = np.where(first == second, mixed / 2, mixed)
        return by_pair, information


def choose_cell_mm(rig: Rig, xyz: FloatArray) -> float:
    """Choose the size of :class:`CovarianceCells` for a recording.

    Parameters
    ----------
    rig : Rig
    xyz : (n_points, 3) array, mm
        Points that are typical of it; NaN are left out.

    Returns
    -------
    float
    """
    known = xyz[np.isfinite(xyz).all(-1)]
    if not len(known):
        return 1.0
    nearest = np.min(np.linalg.norm(known[:, None] - rig.centers, axis=-1), axis=1)
    return float(max(_CELL * np.percentile(nearest, 10), 1e-3))
