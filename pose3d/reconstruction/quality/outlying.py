"""Keypoints and cameras whose errors are far larger than the others', for no reason that a camera's fault gives."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.reconstruction.quality.elimination import Fit, Problem, fit_points
from pose3d.reconstruction.quality.exchanges import longest_run

__all__ = ["Outlying", "Prediction", "find_outlying", "noise_of_cameras", "predict_views"]

_FAR = 4.0  # times the camera's median error
_FAR_PX = 5.0  # at a 1280x1024 image
_PURITY = 0.7
_LEAST_EVIDENCE = 25.0  # ln: outliers of some hundred keypoints in cameras, and where the stretch may lie
_CHANCE = (0.05, 0.6)  # share of outliers that is allowed for
_POOR = 4.0  # times the cameras' median errors: a keypoint that is poor in most of its cameras
_LEAST_VIEWS, _LEAST_ROWS, _LEAST_SHARE = 20, 8, 0.05
_CLEARED = 0.3  # of the points' disagreement: what may remain of it without the camera that is to blame
_MEDIAN = 1.1774  # of the length of a 2D error, in standard deviations per axis


class Prediction(NamedTuple):
    """How far each view lies from where the others predict it; (n_points, n_cameras) arrays.

    Attributes
    ----------
    error_px : array
        NaN where fewer than two others see the point.
    ratio : array
        The same in the standard deviations that are to be expected there.
    """

    error_px: FloatArray
    ratio: FloatArray


class Outlying(NamedTuple):
    """A keypoint on which cameras do not agree.

    Attributes
    ----------
    camera : int or None
        The one that disagrees with the others; None if no camera alone is to blame.
    keypoint : int
    first, stop : int
        Rows of the sample.
    size_px : float
        Median error of prediction.
    usual_px : float
        That of the camera's (or all cameras') other keypoints.
    """

    camera: int | None
    keypoint: int
    first: int
    stop: int
    size_px: float
    usual_px: float


def predict_views(problem: Problem, fit: Fit) -> Prediction:
    """Predict each view from the other views of its point.

    In a linear fit the error of prediction follows from the residual e, the view's weight w and the stiffness S that
    remains to it: w S^-1 e, with covariance S^-1 - 1/w + 1/w0 where a robust loss has lowered the weight from w0.
    """
    scale = problem.sigma_px * problem.unit
    S = fit.stiffness
    det = S[..., 0, 0] * S[..., 1, 1] - S[..., 0, 1] * S[..., 1, 0]
    w = fit.weight
    known = problem.seen & (problem.seen.sum(1) >= 3)[:, None] & (det > 1e-4 * w * w)
    S = np.where(known[..., None, None], S, np.eye(2))
    inverse = np.linalg.inv(S)
    error = w[..., None] * (inverse @ fit.error[..., None])[..., 0]
    spare = scale**2 - 1 / np.where(known, w, 1.0)
    covariance = inverse + np.where(known, spare, 0.0)[..., None, None] * np.eye(2)
    ratio = np.sqrt(np.maximum((error * np.linalg.solve(covariance, error[..., None])[..., 0]).sum(-1), 0.0))
    return Prediction(np.where(known, np.hypot(error[..., 0], error[..., 1]), np.nan), np.where(known, ratio, np.nan))


def noise_of_cameras(problem: Problem, prediction: Prediction) -> FloatArray:
    """Return each camera's noise per axis, px; NaN where too little is known."""
    out = np.full(len(problem.cameras), np.nan)
    for c, unit in enumerate(problem.unit):
        ratio = prediction.ratio[:, c]
        ratio = ratio[np.isfinite(ratio)]
        if len(ratio) >= _LEAST_VIEWS:
            out[c] = np.median(ratio) / _MEDIAN * problem.sigma_px * unit
    return out


def find_outlying(problem: Problem, prediction: Prediction, n_keypoints: int) -> list[Outlying]:
    """Find keypoints on which cameras disagree for a stretch of the recording, and who is to blame.

    Parameters
    ----------
    problem : Problem
    prediction : Prediction
    n_keypoints : int
    """
    n_cameras = len(problem.cameras)
    usual = np.full((2, n_cameras), np.nan)
    flagged: dict[int, list[Outlying]] = {}
    for c in range(n_cameras):
        known = np.isfinite(prediction.ratio[:, c])
        if known.sum() < _LEAST_VIEWS:
            continue
        usual[:, c] = np.median(prediction.ratio[known, c]), np.median(prediction.error_px[known, c])
        for k in range(n_keypoints):
            rows = np.flatnonzero(known & (problem.keypoint == k))
            stretch = _stretch(problem, prediction, rows, c, usual[:, c])
            if stretch is not None:
                flagged.setdefault(k, []).append(stretch)
    out = []
    for k, found in flagged.items():
        out.extend(_blamed(problem, k, found))
    return out


def _stretch(
    problem: Problem, prediction: Prediction, rows: IntArray, camera: int, usual: FloatArray
) -> Outlying | None:
    """Return where one keypoint's views in one camera are far off, if they are."""
    if len(rows) < _LEAST_VIEWS:
        return None
    limit = _FAR * usual[0], _FAR_PX * problem.unit[camera]
    with np.errstate(invalid="ignore"):
        all_far = (prediction.ratio[:, camera] > limit[0]) & (prediction.error_px[:, camera] > limit[1])
    ratio, error, far = prediction.ratio[rows, camera], prediction.error_px[rows, camera], all_far[rows]
    chance = all_far.sum() / max(int(np.isfinite(prediction.ratio[:, camera]).sum()), 1)
    votes = np.zeros(problem.n_rows)
    np.add.at(votes, problem.frame[rows], np.where(far, 1.0, -1.0))
    first, stop = longest_run(votes)
    inside = (problem.frame[rows] >= first) & (problem.frame[rows] < stop)
    long = stop - first >= max(_LEAST_ROWS, _LEAST_SHARE * problem.n_rows) and inside.sum() >= _LEAST_ROWS
    if not (long and far[inside].mean() >= _PURITY and _evidence(far[inside], chance) > _LEAST_EVIDENCE):
        if not (np.median(ratio) > _POOR * usual[0] and np.median(error) > limit[1]):
            return None
        first, stop, inside = 0, problem.n_rows, np.ones(len(rows), dtype=np.bool_)
    keypoint = int(problem.keypoint[rows[0]])
    return Outlying(camera, keypoint, first, stop, float(np.median(error[inside])), float(usual[1]))


def _evidence(far: BoolArray, chance: float) -> float:
    """Return how little a stretch so full of far views is to be expected of outliers: -ln p, by Chernoff's bound."""
    n, share = len(far), float(far.mean())
    chance = float(np.clip(chance, *_CHANCE))
    if share <= chance:
        return 0.0
    rest = (1 - share) * np.log((1 - share) / (1 - chance)) if share < 1 else 0.0
    return float(n * (share * np.log(share / chance) + rest))


def _blamed(problem: Problem, keypoint: int, found: list[Outlying]) -> list[Outlying]:
    """Keep of the cameras in which a keypoint is far off the one without which the others agree."""
    first, stop = min(f.first for f in found), max(f.stop for f in found)
    part = problem.take((problem.keypoint == keypoint) & (problem.frame >= first) & (problem.frame < stop))
    together = _disagreement(part, None)
    without = {f.camera: _disagreement(part, f.camera) for f in found}
    best = min(without, key=lambda c: without[c])
    if without[best] < _CLEARED * together:
        return [f for f in found if f.camera == best]
    worst = max(found, key=lambda f: f.size_px)
    if len(found) == 1:
        return [worst]
    usual = float(np.median([f.usual_px for f in found]))
    return [Outlying(None, keypoint, first, stop, float(np.median([f.size_px for f in found])), usual)]


def _disagreement(part: Problem, without: int | None) -> float:
    """Return the median over points of what is left per degree of freedom."""
    fit = fit_points(part, without=without)
    seen = part.seen.copy()
    if without is not None:
        seen[:, without] = False
    freedom = 2 * seen.sum(1) - 3
    enough = freedom > 0
    if not enough.any():
        return float("inf")
    size = (fit.error**2).sum(-1) / (part.sigma_px * part.unit) ** 2
    return float(np.median(np.where(seen, size, 0.0).sum(1)[enough] / freedom[enough]))
