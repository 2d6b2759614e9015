"""From a sample of a recording to what is wrong with it: the greatest fault first, and what it explains set aside."""

from dataclasses import replace

import numpy as np

from pose3d.data import Camera
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.reconstruction.quality.elimination import Problem, fit_points, make_problem, measure_noise
from pose3d.reconstruction.quality.exchanges import Exchange, exchanged_problem, find_exchanges
from pose3d.reconstruction.quality.findings import QualityFinding
from pose3d.reconstruction.quality.gaps import find_copies, find_silences
from pose3d.reconstruction.quality.hypotheses import Explanation, explain
from pose3d.reconstruction.quality.outlying import Prediction, find_outlying, noise_of_cameras, predict_views
from pose3d.reconstruction.quality.sample import Sample
from pose3d.reconstruction.quality.sentences import Recording

__all__ = ["Diagnosis", "diagnose"]

_GAIN = 60.0  # squared standard deviations; the greatest by chance is about 30
_SURE = 7.0  # standard errors; six values, fitted to the worst span of the worst camera, reach 5 by chance
_LATE_FRAMES = 0.4
_LATE_MOST = 30.0  # beyond, the motion is no longer straight, and the number means nothing
_LATE_PX = 0.3  # standard deviations
_MOVED_PX, _MOVED_SIGMA = 0.8, 0.5
_MISFIT_PX, _MISFIT_SIGMA = 2.0, 1.0
_AS_GOOD = 0.9  # of the gain: another camera that may as well be the one
# Of the greatest fault: less is what its linear model leaves over, in that camera and elsewhere.
_AFTERMATH: dict[str, float] = {"late": 0.35, "moved": 0.1}
_ELSEWHERE = 0.03
_MOST = 8
_LEAST_POINTS = 50
_NOISY = 3.0  # times the other cameras' median
_NOISY_PX = 5.0  # at a 1280x1024 image


class Diagnosis:
    """What a sample tells.

    Attributes
    ----------
    findings : tuple of QualityFinding
    noise_px : (n_cameras,) array
        Standard deviation of the detections per axis, what the findings explain set aside; NaN where unknown.
    predicted_px : (n_cameras, n_keypoints) array
        Median distance of a view from where the others predict it; NaN where unknown.
    """

    def __init__(self, findings: tuple[QualityFinding, ...], noise_px: FloatArray, predicted_px: FloatArray) -> None:
        self.findings = findings
        self.noise_px = noise_px
        self.predicted_px = predicted_px


def diagnose(
    cameras: tuple[Camera, ...],
    keypoints: tuple[str, ...],
    sample: Sample,
    *,
    views: IntArray,
    block_frames: int,
    n_frames: int,
    start: int = 0,
) -> Diagnosis:
    """Find out what is wrong.

    Parameters
    ----------
    cameras : tuple of Camera
    keypoints : tuple of str
    sample : Sample
    views : (n_blocks, n_cameras) int array
        Detections.
    block_frames : int
    n_frames, start : int
        Of the whole recording.
    """
    said = Recording(tuple(c.name for c in cameras), keypoints, sample.frames, n_frames, start)
    out = [said.silent(s, block_frames) for s in find_silences(views)]
    copies = find_copies(sample)
    out += [said.copy(*pair) for pair in copies]
    nothing = Diagnosis(tuple(out), np.full(len(cameras), np.nan), np.full((len(cameras), len(keypoints)), np.nan))
    if copies or len(cameras) < 2:
        return nothing
    problem = make_problem(cameras, sample)
    if len(problem.frame) < _LEAST_POINTS:
        return nothing
    first_problem = problem
    greatest, aftermath = 0.0, dict[int, float]()
    for _ in range(_MOST):
        fit = fit_points(problem)
        elsewhere = max(_GAIN, _ELSEWHERE * greatest)
        least = [max(elsewhere, aftermath.get(c, 0.0)) for c in range(len(cameras))]
        explanations = [e for e in explain(problem, fit) if e.gain > least[e.camera]]
        exchanges = [e for e in find_exchanges(problem, fit, sample) if e.gain > least[e.camera]]
        explanation = next((e for e in explanations if _matters(problem, e)), None)
        found: Exchange | Explanation
        if exchanges and (explanation is None or exchanges[0].gain >= explanation.gain):
            found = exchanges[0]
            out.append(said.exchanged(found))
            problem, sample = exchanged_problem(problem, sample, found)
        elif explanation is not None:
            found = explanation
            out.append(said.explained(found, _rivals(found, explanations), problem))
            problem = problem.with_residual(problem.residual - found.effect)
            greatest = max(greatest, found.gain)
            aftermath[found.camera] = max(aftermath.get(found.camera, 0.0), _AFTERMATH[found.kind] * found.gain)
        else:
            break
        problem = replace(problem, sigma_px=measure_noise(problem, fit_points(problem)))
    prediction = predict_views(problem, fit_points(problem))
    noise_px = noise_of_cameras(problem, prediction)
    late = {name for finding in out if finding.code == "late" for name in finding.cameras}
    outlying = find_outlying(problem, prediction, len(keypoints))
    out += said.outlying([o for o in outlying if o.camera is None or cameras[o.camera].name not in late])
    out += [said.noisy(c, noise_px) for c in _noisy(problem, noise_px) if cameras[c].name not in late]
    whole = predict_views(first_problem, fit_points(first_problem))
    return Diagnosis(tuple(out), noise_px, _by_keypoint(first_problem, whole, len(keypoints)))


def _matters(problem: Problem, explanation: Explanation) -> bool:
    """Tell whether a fault is sure, and large enough to be worth a person's time."""
    size, sigma = float(explanation.size_px / problem.unit[explanation.camera]), problem.sigma_px
    if explanation.certainty < _SURE:
        return False
    if explanation.kind == "late":
        return _LATE_FRAMES <= abs(float(explanation.values[0])) <= _LATE_MOST and size >= _LATE_PX * sigma
    if explanation.first == 0 and explanation.stop == problem.n_rows:
        return size >= max(_MISFIT_PX, _MISFIT_SIGMA * sigma)
    return size >= max(_MOVED_PX, _MOVED_SIGMA * sigma)


def _rivals(best: Explanation, others: list[Explanation]) -> tuple[int, ...]:
    """Return the cameras whose fault of the same kind would explain nearly as much."""
    return tuple(
        other.camera
        for other in others
        if other.kind == best.kind and other.camera != best.camera and other.gain > _AS_GOOD * best.gain
    )


def _noisy(problem: Problem, noise_px: FloatArray) -> list[int]:
    relative = noise_px / problem.unit
    out = []
    for c, own in enumerate(relative):
        others = np.delete(relative, c)
        others = others[np.isfinite(others)]
        if len(others) and own > max(_NOISY * float(np.median(others)), _NOISY_PX):
            out.append(c)
    return out


def _by_keypoint(problem: Problem, prediction: Prediction, n_keypoints: int) -> FloatArray:
    out = np.full((len(problem.cameras), n_keypoints), np.nan)
    for c in range(len(problem.cameras)):
        known = np.isfinite(prediction.error_px[:, c])
        for k in np.unique(problem.keypoint[known]):
            out[c, k] = np.median(prediction.error_px[known & (problem.keypoint == k), c])
    return out
