"""Tracked individuals whose names are kept over time but differ between views: who is who."""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from pose3d.data import Keypoints2D, Rig
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.reconstruction.association.people_sights import (
    FEWEST,
    Optics,
    detection_pairs,
    epipolar_errors,
    learn_threshold,
    sights_of,
)

__all__ = ["IndividualMatch", "match_individuals"]

_SAMPLE = 400  # frames, spread over the recording
_ROUNDS = 20
_CLEAR = 0.1  # by which the choice must beat exchanging two individuals in a view


@dataclass(frozen=True, eq=False, repr=False)
class IndividualMatch:
    """Individuals under the same name in every view.

    Attributes
    ----------
    keypoints : Keypoints2D
    order : (n_cameras, n_individuals) int array
        Which individual of each view stands under each name.
    margin : (n_cameras,) array
        Agreement lost, of 1, if the most similar two of that view were exchanged; NaN with one individual.
    """

    keypoints: Keypoints2D
    order: IntArray
    margin: FloatArray

    def __repr__(self) -> str:
        return f"IndividualMatch({self.order.tolist()})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        names = self.keypoints.individuals
        return {
            camera: {
                "individuals": {name: names[i] for name, i in zip(names, row, strict=True)},
                "margin": float(margin) if np.isfinite(margin) else None,
            }
            for camera, row, margin in zip(self.keypoints.cameras, self.order.tolist(), self.margin, strict=True)
        }

    def lines(self) -> list[str]:
        """Return what was exchanged, and where it is unsure, as lines for people."""
        names = self.keypoints.individuals
        out = []
        for camera, row, margin in zip(self.keypoints.cameras, self.order, self.margin, strict=True):
            moved = [f"{names[i]} is {names[k]}" for k, i in enumerate(row) if i != k]
            if moved:
                out.append(f"{camera}: {', '.join(moved)}")
            if margin < _CLEAR:
                out.append(f"{camera}: who is who is not clear from the other views; check")
        return out


def match_individuals(keypoints: Keypoints2D, rig: Rig) -> IndividualMatch:
    """Give individuals that are tracked in each view for itself the names of the first camera.

    Parameters
    ----------
    keypoints : Keypoints2D
        An individual is the same in all frames of a view.
    rig : Rig
        Cameras are matched by name.

    Returns
    -------
    IndividualMatch

    Raises
    ------
    DataError
        If a camera is not in the rig.
    """
    n_cameras, n = len(keypoints.cameras), len(keypoints.individuals)
    order = np.tile(np.arange(n), (n_cameras, 1))
    if n == 1 or n_cameras < 2:
        return IndividualMatch(keypoints, order, np.full(n_cameras, np.nan))
    for camera in keypoints.cameras:
        if camera not in rig:
            raise DataError(
                f"camera {camera!r}: it has detections but no calibration, which has {', '.join(rig.names)}; "
                "rename it or calibrate it"
            )
    affinity = _affinity(keypoints, rig.select(keypoints.cameras))
    total = -np.inf
    for start in range(n_cameras):
        tried = _settled(affinity, start)
        worth = _worth(affinity, tried)
        if worth > total + 1e-9:
            total, order = worth, tried
    order = order[:, np.argsort(order[0])]
    xy = np.take_along_axis(keypoints.xy, order[None, :, :, None, None], axis=2)
    score = np.take_along_axis(keypoints.score, order[None, :, :, None], axis=2)
    return IndividualMatch(replace(keypoints, xy=xy, score=score), order, _margins(affinity, order))


def _affinity(keypoints: Keypoints2D, rig: Rig) -> FloatArray:
    """Return the mean agreement (n_cameras, n_individuals, n_cameras, n_individuals) over frames that show both."""
    some = np.unique(np.linspace(0, max(0, keypoints.n_frames - 1), _SAMPLE).astype(np.int64))[: keypoints.n_frames]
    optics = Optics.of(rig)
    sights = sights_of(replace(keypoints, xy=keypoints.xy[some], score=keypoints.score[some]), rig)
    threshold = learn_threshold(optics, sights)
    n_cameras, n = sights.present.shape[1:]
    out = np.zeros((n_cameras, n, n_cameras, n))
    for i, j in combinations(range(n_cameras), 2):
        pairs = detection_pairs(sights, i, j)
        off, weight = epipolar_errors(optics, sights, i, j, pairs)
        near = np.maximum(0.0, 1 - np.nan_to_num(off, nan=np.inf) ** 2 / (threshold[i] * threshold[j]))
        total = weight.sum(1)
        good = (weight > 0).sum(1) >= min(FEWEST, weight.shape[1])
        share = np.where(good, (near * weight).sum(1) / np.where(total > 0, total, 1.0), 0.0)
        code = pairs[1] * n + pairs[2]
        sums, counts = (np.bincount(code, values, minlength=n * n) for values in (share, good.astype(np.float64)))
        out[i, :, j] = (sums / np.maximum(counts, 1)).reshape(n, n)
        out[j, :, i] = out[i, :, j].T
    return out


def _gains(affinity: FloatArray, order: IntArray, camera: int, others: IntArray) -> FloatArray:
    """Return what each individual (row) of a camera would add under each name (column)."""
    return np.asarray(
        sum(
            (affinity[camera][:, other, order[other]] for other in others),
            np.zeros((affinity.shape[1], affinity.shape[1])),
        )
    )


def _settled(affinity: FloatArray, start: int) -> IntArray:
    n_cameras, n = affinity.shape[:2]
    order = np.tile(np.arange(n), (n_cameras, 1))
    known = np.array([start])
    for camera in np.argsort([-affinity[start, :, c].sum() for c in range(n_cameras)], kind="stable"):
        if camera != start:
            rows, names = linear_sum_assignment(-_gains(affinity, order, camera, known))
            order[camera, names] = rows
            known = np.append(known, camera)
    for _ in range(_ROUNDS):
        before = order.copy()
        for camera in range(n_cameras):
            rows, names = linear_sum_assignment(-_gains(affinity, order, camera, np.delete(known, known == camera)))
            order[camera, names] = rows
        if np.array_equal(before, order):
            break
    return order


def _worth(affinity: FloatArray, order: IntArray) -> float:
    pairs = combinations(range(len(order)), 2)
    return float(sum(affinity[i, order[i], j, order[j]].sum() for i, j in pairs))


def _margins(affinity: FloatArray, order: IntArray) -> FloatArray:
    """Return what exchanging the two most similar individuals of each view would cost, a pair of views."""
    n_cameras, n = order.shape
    out = np.full(n_cameras, np.inf)
    for camera in range(n_cameras):
        gain = _gains(affinity, order, camera, np.delete(np.arange(n_cameras), camera))[order[camera]]
        own = np.diag(gain)
        loss = own[:, None] + own[None, :] - gain - gain.T
        loss[np.diag_indices(n)] = np.inf
        out[camera] = loss.min() / (2 * (n_cameras - 1))
    return out
