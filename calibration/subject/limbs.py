"""Limbs: distances of keypoints that do not change, as constraints and as the scale."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pose3d.data.camera import Rig
from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray, IntArray

from .points_bundle import PointsSolution, point_covariances
from .points_views import Limbs
from .sightings import LOW_SCORE, Sightings, choose_sightings

__all__ = [
    "LimbLengths",
    "known_lengths",
    "limb_pairs",
    "limb_scale",
    "limb_sightings",
    "measure_limbs",
    "tie_limbs",
]

LimbLengths = Mapping[tuple[str, str], float | None]
"""Limbs by the keypoints at their ends: the length in mm, or None where it is only known to be constant."""

_LIMB_LABELS = 30_000
_FAR = 3.5  # standard deviations


def limb_sightings(
    keypoints: Keypoints2D, rig: Rig, lengths: LimbLengths, *, score_threshold: float | None
) -> Sightings:
    """Choose labels of the limbs' ends, to measure the limbs at more instants than take part in the solution.

    Parameters
    ----------
    keypoints : Keypoints2D
        Cameras as in `rig`.
    rig : Rig
    lengths : mapping
    score_threshold : float, optional
        By default 0.3: a length is a matter of many instants rather than of the best labels.

    Returns
    -------
    Sightings
    """
    ends = sorted({end for pair in lengths for end in pair if end in keypoints.keypoints})
    index = [keypoints.keypoints.index(end) for end in ends]
    some = replace(keypoints, xy=keypoints.xy[..., index, :], score=keypoints.score[..., index], keypoints=tuple(ends))
    found = choose_sightings(
        some,
        rig,
        score_threshold=LOW_SCORE if score_threshold is None else score_threshold,
        max_observations=_LIMB_LABELS,
        whole_bodies=True,
    )
    return replace(found, keypoint=np.asarray(index, dtype=np.int64)[found.keypoint])


def limb_pairs(
    lengths: LimbLengths, sightings: Sightings, keypoints: tuple[str, ...]
) -> list[tuple[tuple[str, str], IntArray]]:
    """Find the points at both ends of each limb at each instant.

    Returns
    -------
    list of ((str, str), (n, 2) int array)

    Raises
    ------
    CalibrationError
        If a limb names a keypoint that is not there, or its length is no length.
    """
    body = sightings.frame * (int(sightings.individual.max(initial=0)) + 1) + sightings.individual
    out = []
    for ends, length in lengths.items():
        name = "-".join(ends)
        for end in ends:
            if end not in keypoints:
                raise CalibrationError(
                    f"length {name}: there is no keypoint {end!r}; there are {', '.join(keypoints[:6])}"
                    + (", ..." if len(keypoints) > 6 else "")
                )
        if ends[0] == ends[1] or (length is not None and not (np.isfinite(length) and length > 0)):
            raise CalibrationError(f"length {name}: two keypoints and a positive length in mm are needed")
        first, second = (np.flatnonzero(sightings.keypoint == keypoints.index(end)) for end in ends)
        _, at_first, at_second = np.intersect1d(body[first], body[second], return_indices=True)
        out.append((ends, np.stack([first[at_first], second[at_second]], axis=1)))
    return out


def measure_limbs(solution: PointsSolution, pairs: list[tuple[tuple[str, str], IntArray]]) -> FloatArray:
    """Measure limbs from points that were placed without knowing them.

    Parameters
    ----------
    solution : PointsSolution
        Without limbs.
    pairs : list
        From :func:`limb_pairs`.

    Returns
    -------
    (n_limbs, 3) array, mm
        Length, its standard error, and how much the distance varies beyond the labels' noise; NaN where a limb is
        seen at fewer than three instants.
    """
    covariance = point_covariances(solution)
    fits = np.all((solution.weight > 0.5) | ~np.isfinite(solution.bundle.ray[..., 0]), axis=1)
    out = np.full((len(pairs), 3), np.nan)
    for i, (_, every) in enumerate(pairs):
        ends = every[fits[every].all(1)]
        if len(ends) < 3:
            continue
        distance, in_line, excess = _distances(solution.bundle.points, covariance, ends)
        length = distance - excess
        middle = float(np.median(length))
        spread = 1.4826 * float(np.median(np.abs(length - middle)))
        beyond = max(spread**2 - float(np.median(in_line)), 0.0)
        weight = 1 / np.maximum(in_line + beyond, 1e-12)
        weight *= (length - middle) ** 2 * weight < _FAR**2  # gross errors that both views share
        mean = float(weight @ length / weight.sum()) if weight.any() else middle
        error = float(weight.sum() ** -0.5) if weight.any() else spread / np.sqrt(len(ends))
        out[i] = mean, error, np.sqrt(beyond)
    return out


def _distances(points: FloatArray, covariance: FloatArray, ends: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return distances (n,) mm, their variance, and by how much noise across the limb makes them too long."""
    apart = points[ends[:, 0]] - points[ends[:, 1]]
    distance = np.maximum(np.linalg.norm(apart, axis=-1), 1e-9)
    along = apart / distance[:, None]
    both = covariance[ends[:, 0]] + covariance[ends[:, 1]]
    in_line = np.einsum("ni,nij,nj->n", along, both, along)
    across = np.einsum("nii->n", both) - in_line
    return distance, in_line, np.minimum(across / (2 * distance), 0.1 * distance)


def tie_limbs(
    free: PointsSolution,
    pairs: list[tuple[tuple[str, str], IntArray]],
    measured: FloatArray,
    lengths: LimbLengths,
    sightings: Sightings,
) -> Limbs | None:
    """Make the constraint that limbs keep their lengths; known lengths share one unknown scale.

    The scale of a bundle is a matter of its gauge; what known lengths say beyond it is their ratio.

    Parameters
    ----------
    free : PointsSolution
        Without limbs.
    pairs : list
        From :func:`limb_pairs`.
    measured : (n_limbs, 3) array, mm
        From :func:`measure_limbs`.
    lengths : mapping
    sightings : Sightings

    Returns
    -------
    Limbs or None
        None where no limb was measured.
    """
    usable = [i for i in range(len(pairs)) if np.isfinite(measured[i, 0])]
    if not usable:
        return None
    values = [lengths[pairs[i][0]] for i in usable]
    known = np.array([1.0 if value is None else value for value in values])
    size = measured[usable, 0]
    is_known = np.array([value is not None for value in values])
    log_unit, unit = list(np.log(size[~is_known])), np.zeros(len(usable), dtype=np.int64)
    unit[~is_known] = np.arange(len(log_unit))
    if is_known.any():
        unit[is_known] = len(log_unit)
        log_unit.append(float(np.median(np.log(size[is_known] / known[is_known]))))
    ends = np.concatenate([pairs[i][1] for i in usable])
    tied = np.unique(ends)
    body = sightings.frame[tied] * (int(sightings.individual.max()) + 1) + sightings.individual[tied]
    _, row = np.unique(body, return_inverse=True)
    order = np.argsort(row, kind="stable")
    start = np.searchsorted(row[order], np.arange(row.max() + 1))
    slot = np.arange(len(order)) - start[row[order]]
    blocks = np.full((int(row.max()) + 1, int(slot.max()) + 1), -1)
    blocks[row[order], slot] = tied[order]
    return Limbs(
        ends=ends,
        excess=_distances(free.bundle.points, point_covariances(free), ends)[2],
        kind=np.repeat(np.arange(len(usable)), [len(pairs[i][1]) for i in usable]),
        known=known,
        unit=unit,
        log_unit=np.array(log_unit),
        sigma=np.maximum(measured[usable, 2], 0.003 * size),
        blocks=blocks,
    )


def limb_scale(measured: FloatArray, known: FloatArray) -> tuple[float, float]:
    """Return true over measured length and its relative standard error; NaN without a known length.

    Parameters
    ----------
    measured : (n_limbs, 3) array, mm
        From :func:`measure_limbs`.
    known : (n_limbs,) array, mm
        NaN where unknown.
    """
    good = np.isfinite(measured[:, 0]) & np.isfinite(known)
    if not good.any():
        return float("nan"), float("nan")
    relative = np.maximum(measured[good, 1] / measured[good, 0], 1e-6)
    weight = relative**-2
    ratio = np.log(known[good] / measured[good, 0])
    return float(np.exp(weight @ ratio / weight.sum())), float(weight.sum() ** -0.5)


def known_lengths(lengths: LimbLengths) -> FloatArray:
    """Return known lengths in order, NaN where unknown, (n_limbs,) mm."""
    return np.array([np.nan if value is None else value for value in lengths.values()], dtype=np.float64)
