"""What would explain the cameras' disagreement: one that is late, has moved, or does not fit its calibration."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.reconstruction.quality.elimination import Fit, Problem, fit_points
from pose3d.reconstruction.quality.sample import REACHES

__all__ = ["Explanation", "Kind", "explain", "part_of"]

Kind: TypeAlias = Literal["late", "moved"]

_ROUNDS, _INNER = 5, 2
_LEAST_ROWS = 6  # frames of the sample on either side of a change
_LEAST_SHARE = 0.03
_WORTH = 0.3  # of the best score: a span worth a fit
_SPLIT = 1.15  # times that a change must explain more than the same fault all along
_BLOCKS = 12
_NEAR = 0.06  # of the recording, on either side of a change, in which it must show
_STEP = 0.5  # of its size
_TURN = 0.6  # of the speed, by which the velocity over farther frames may differ
_LEAST_VIEWS = 50  # that a fault must move
_STILL = 3.0  # standard deviations of a detection, by which a point moves within its reach


class Explanation(NamedTuple):
    """One camera's fault and what it explains.

    Attributes
    ----------
    kind : {"late", "moved"}
    camera : int
    first, stop : int
        Rows of the sample from and to which it holds.
    values : (n,) array
        Frames that the camera is late; or rotation (rad) and translation (mm) of its pose.
    effect : (n_points, n_cameras, 2) array, px
        How far it moves the views.
    size_px : float
        Root mean square of that.
    gain : float
        Loss that it takes away, in squared standard deviations.
    certainty : float
        Standard errors of the effect as stretches of the recording show it one by one.
    """

    kind: Kind
    camera: int
    first: int
    stop: int
    values: FloatArray
    effect: FloatArray
    size_px: float
    gain: float
    certainty: float


class _Scan(NamedTuple):
    gain: float
    kind: Kind
    camera: int
    first: int
    stop: int
    reach: int


def explain(problem: Problem, fit: Fit, *, most: int = 2, least: float = 20.0) -> list[Explanation]:
    """Return the best explanations of what a fit left over, the best first.

    All cameras, both kinds and all frames from or up to which a fault may hold are ranked by the score test, which
    needs no fit; the best are then fitted.

    Parameters
    ----------
    problem : Problem
    fit : Fit
    most : int
        Cameras fitted a kind.
    least : float
        Score below which no fit is worth its time.
    """
    out = []
    # The loss of points with gross errors falls slowly: what it falls to without a fault takes as many rounds.
    settled = fit
    for _ in range(_ROUNDS):
        settled = fit_points(problem, start=settled.weight, rounds=_INNER)
    for kind in ("late", "moved"):
        best: dict[int, dict[bool, _Scan]] = {}
        for camera in range(len(problem.cameras)):
            for scan in _scan_camera(problem, fit, kind, camera):
                whole = scan.stop - scan.first == problem.n_rows
                kept = best.setdefault(camera, {}).get(whole)
                if kept is None or scan.gain > kept.gain:
                    best[camera][whole] = scan
        ranked = sorted(best.values(), key=lambda spans: -max(scan.gain for scan in spans.values()))
        for spans in ranked[:most]:
            top = max(scan.gain for scan in spans.values())
            fits = {
                whole: _fitted(problem, fit, scan, settled.cost)
                for whole, scan in spans.items()
                if scan.gain > max(least, _WORTH * top)
            }
            found = [e._replace(gain=e.gain * (_SPLIT if whole else 1.0)) for whole, e in fits.items() if e is not None]
            if found:
                chosen = max(found, key=lambda e: e.gain)
                whole = chosen.stop - chosen.first == problem.n_rows
                out.append(chosen._replace(gain=chosen.gain / (_SPLIT if whole else 1.0)))
    return sorted(out, key=lambda e: -e.gain)


def part_of(problem: Problem, first: int, stop: int) -> BoolArray:
    """Say which points lie in some rows of the sample."""
    return (problem.frame >= first) & (problem.frame < stop)


def _regressors(problem: Problem, kind: Kind, camera: int, reach: int) -> FloatArray:
    """Return how the residual of one camera follows from its fault: (n_points, 2, n_values).

    A camera that is late by n frames shows each point where it was n frames ago: it lies behind the projection by n
    times the image velocity. A pose takes an increment on the left of cam_from_world.
    """
    J = problem.by_point[:, camera]
    seen = problem.seen[:, camera, None, None]
    if kind == "late":
        out = np.zeros((*J.shape[:2], 1))
        # What stands still moves by the noise alone, which would pass for motion without a lag: such points take
        # their velocity from farther frames, or none. A velocity that farther frames do not bear out is an outlier's.
        farther = np.full((*J.shape[:2], 1), np.nan)
        for i in range(len(REACHES) - 1, reach - 1, -1):
            v = J @ problem.velocity[:, i, :, None]
            floor = _STILL * problem.sigma_px * problem.unit[camera] / REACHES[i]
            with np.errstate(invalid="ignore"):
                speed = np.linalg.norm(v, axis=1, keepdims=True)
                moves = speed > floor
                if i < len(REACHES) - 1:
                    moves &= np.linalg.norm(v - farther, axis=1, keepdims=True) < _TURN * speed + floor
            out = np.where(moves, v, out)
            farther = np.where(np.isfinite(v), v, farther)
        return np.where(seen, out, 0.0)
    J_camera = J @ problem.cameras[camera].cam_from_world[:3, :3].T
    x, y, z = np.moveaxis(problem.in_camera[:, camera], -1, 0)
    o = np.zeros_like(x)
    cross = np.stack([np.stack([o, -z, y], -1), np.stack([z, o, -x], -1), np.stack([-y, x, o], -1)], -2)
    # The detection shows the point through the moved camera: projection minus detection has the opposite sign.
    return np.where(seen, np.concatenate([J_camera @ cross, -J_camera], axis=-1), 0.0)


def _sums(problem: Problem, fit: Fit, camera: int, G: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return gradient (n_rows, n) and curvature (n_rows, n, n) of the loss for each frame of the sample."""
    n = G.shape[-1]
    pull = (G * (fit.weight[:, camera, None] * fit.error[:, camera])[..., None]).sum(1)
    curve = np.swapaxes(G, -1, -2) @ fit.stiffness[:, camera] @ G
    gradient, curvature = np.zeros((problem.n_rows, n)), np.zeros((problem.n_rows, n, n))
    rows, begin = np.unique(problem.frame, return_index=True)  # points stand in the frames' order
    gradient[rows] = np.add.reduceat(pull, begin)
    curvature[rows] = np.add.reduceat(curve, begin)
    return gradient, curvature


def _gain(gradient: FloatArray, curvature: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (gradient * _solved(gradient, curvature)).sum(-1))


def _solved(gradient: FloatArray, curvature: FloatArray) -> FloatArray:
    """Solve for the values, each in its own unit; a hint of a ridge where the views do not tell them apart."""
    size = np.sqrt(np.maximum(np.diagonal(curvature, axis1=-2, axis2=-1), 1e-30))
    scaled = curvature / size[..., :, None] / size[..., None, :]
    scaled = scaled + 1e-4 * np.eye(scaled.shape[-1])
    return np.asarray(np.linalg.solve(scaled, (gradient / size)[..., None])[..., 0] / size)


def _scan_camera(problem: Problem, fit: Fit, kind: Kind, camera: int) -> list[_Scan]:
    scans = []
    n = problem.n_rows
    margin = max(_LEAST_ROWS, int(_LEAST_SHARE * n))
    for reach in range(len(REACHES) if kind == "late" else 1):
        gradient, curvature = _sums(problem, fit, camera, _regressors(problem, kind, camera, reach))
        before, before_curvature = np.cumsum(gradient, 0), np.cumsum(curvature, 0)
        whole = float(_gain(before[-1], before_curvature[-1])) if n else 0.0
        scans.append(_Scan(whole, kind, camera, 0, n, reach))
        cuts = np.arange(margin, n - margin + 1)
        if not len(cuts):
            continue
        g, H = before[cuts - 1], before_curvature[cuts - 1]
        early, late = _gain(g, H), _gain(before[-1] - g, before_curvature[-1] - H)
        for gain, later in ((late, True), (early, False)):
            # The sharpest split is where the two sides differ most, not where one side alone says most.
            at = int(np.argmax(early + late))
            if gain[at] > _SPLIT * whole:
                span = (int(cuts[at]), n) if later else (0, int(cuts[at]))
                scans.append(_Scan(float(gain[at]), kind, camera, *span, reach))
    return scans


def _fitted(problem: Problem, fit: Fit, scan: _Scan, cost: float) -> Explanation | None:
    """Fit a fault and the points together; `cost` is that without it."""
    G = _regressors(problem, scan.kind, scan.camera, scan.reach)
    G = G * part_of(problem, scan.first, scan.stop)[:, None, None]
    values = np.zeros(G.shape[-1])
    now = fit
    for _ in range(_ROUNDS):
        gradient, curvature = _sums(problem, now, scan.camera, G)
        values = values + _solved(gradient.sum(0), curvature.sum(0))
        effect = np.zeros_like(problem.residual)
        effect[:, scan.camera] = G @ values
        now = fit_points(problem.with_residual(problem.residual - effect), start=now.weight, rounds=_INNER)
    touched = effect[:, scan.camera].any(-1)
    if touched.sum() < _LEAST_VIEWS:
        return None
    size = float(np.sqrt((effect[touched, scan.camera] ** 2).sum(-1).mean()))
    sure = _certainty(problem, fit, scan, effect[:, scan.camera])
    if not _sharp(problem, fit, scan, _regressors(problem, scan.kind, scan.camera, scan.reach) @ values):
        return None
    return Explanation(scan.kind, scan.camera, scan.first, scan.stop, values, effect, size, cost - now.cost, sure)


def _certainty(problem: Problem, fit: Fit, scan: _Scan, effect: FloatArray) -> float:
    """Estimate the share of the effect that each part of the recording shows, and how sure their mean is.

    Parts are stretches of time, and keypoints: where a network sees each keypoint beside its place, in another
    direction the farther the subject walks, the sum looks like a camera that has moved; a camera moves all alike. A
    single keypoint, as of a wand, is judged by time alone.
    """
    inside = part_of(problem, scan.first, scan.stop) & problem.seen[:, scan.camera]
    moved = effect[inside, :, None]
    pull = (moved[..., 0] * (fit.weight[inside, scan.camera, None] * fit.error[inside, scan.camera])).sum(1)
    curve = (np.swapaxes(moved, -1, -2) @ fit.stiffness[inside, scan.camera] @ moved)[:, 0, 0]
    rows = scan.stop - scan.first
    stretch = (problem.frame[inside] - scan.first) * min(_BLOCKS, max(2, rows // 2)) // max(rows, 1)
    sure = []
    for part in (stretch, problem.keypoint[inside]):
        pulls, curves = np.bincount(part, pull), np.bincount(part, curve)
        known = curves > 0
        if known.sum() < 2:
            continue
        pulls, curves, n = pulls[known], curves[known], int(known.sum())
        mean = pulls.sum() / curves.sum()
        spread = np.sqrt(((pulls - mean * curves) ** 2).sum() * n / (n - 1)) / curves.sum()
        sure.append(float(mean / max(spread, 1e-12)))
    return min(sure, default=0.0)


def _sharp(problem: Problem, fit: Fit, scan: _Scan, effect: FloatArray) -> bool:
    """Tell whether a fault that begins or ends within the recording does so at once.

    A subject that walks through a volume in which calibration or labels are off unevenly looks like a camera that has
    moved, only that nothing happens at the moment that divides the recording best.
    """
    if scan.stop - scan.first == problem.n_rows:
        return True
    cut = scan.first if scan.first > 0 else scan.stop
    near = max(_LEAST_ROWS, int(_NEAR * problem.n_rows))
    gradient, curvature = _sums(problem, fit, scan.camera, effect[..., None])
    level = []
    for first, stop in ((cut - near, cut), (cut, cut + near)):
        rows = slice(max(first, 0), stop)
        below = float(curvature[rows].sum())
        if not below > 0:
            return False
        level.append(float(gradient[rows].sum()) / below)
    step = level[1] - level[0] if scan.first > 0 else level[0] - level[1]
    return step > _STEP
