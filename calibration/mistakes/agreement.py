"""How well two cameras agree on a board's pose, instant by instant, in units of what their noise allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pose3d.data.detections import BoardDetections
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.projection import project_camera_frame
from pose3d.geometry.rotations import exp_so3, log_so3, skew
from pose3d.geometry.transforms import rigid

from ..detection.boards import symmetries
from ..sampling import spread_evenly
from ..solver.bundle import LENS_SIZE, Solution
from ..solver.extrinsics import candidate_poses, relative_pose
from ..solver.intrinsics import Lens
from ..solver.motions import motion_jacobian
from ..solver.poses import board_poses

__all__ = [
    "Agreement",
    "PairSightings",
    "Sightings",
    "agree",
    "block_test",
    "clearly_better",
    "held_lenses",
    "sighted_pairs",
    "sightings",
]

_TWINS = 2
_ANGLE = np.deg2rad(3.0)  # which candidates of two cameras go together: a coarse measure is enough
_SHIFT = 0.03  # of the board's distance
_ROBUST = 4.0  # times the median: beyond it an instant loses its pull
_ROUNDS = 3
_BLOCKS = 16
_CLEARLY = 4.0  # standard errors
_INSTANTS = 80  # of a pair


@dataclass(frozen=True, eq=False)
class Sightings:
    """The board's poses before each camera, with their uncertainty.

    Attributes
    ----------
    cameras : tuple of str
    frames : (n_frames,) int array
    poses : (n_frames, n_cameras, n_candidates, 4, 4) array, mm
        ``cam_from_board``, the board's origin moved to its middle; two planar twins for each turn, turns slowest; NaN
        where there is none.
    covariance : (n_frames, n_cameras, 2, 6, 6) array, rad and mm
        Of a small rotation on the left and a shift, for both twins; NaN where there is none.
    """

    cameras: tuple[str, ...]
    frames: IntArray
    poses: FloatArray
    covariance: FloatArray

    @property
    def seen(self) -> BoolArray:
        """(n_frames, n_cameras) bool array."""
        return np.asarray(np.isfinite(self.covariance[:, :, 0, 0, 0]))


class Agreement(NamedTuple):
    """Two cameras' views of the board under one relative pose.

    Attributes
    ----------
    b_from_a : (4, 4) array, mm
    chi2 : (n,) array
        Squared disagreement of each instant in units of its covariance, 6 on average if only noise is at work; NaN
        where one of the cameras did not see the board.
    """

    b_from_a: FloatArray
    chi2: FloatArray


def sightings(detections: BoardDetections, lenses: Sequence[Lens]) -> Sightings:
    """Solve for the board's pose in every view.

    Parameters
    ----------
    detections : BoardDetections
    lenses : sequence of Lens
        Of the detections' cameras, in their order.

    Returns
    -------
    Sightings
    """
    points = detections.board.points
    _, turns = symmetries(detections.board)
    middle = rigid(np.zeros(3), points.mean(0))
    poses, covariance = [], []
    for i, lens in enumerate(lenses):
        xy = detections.xy[:, i]
        found, error = board_poses(xy, points, lens.matrix, lens.distortion, fisheye=lens.fisheye)
        poses.append(candidate_poses(found, error, turns) @ middle)
        covariance.append(_pose_covariance(found @ middle, xy, points - points.mean(0), lens))
    return Sightings(detections.cameras, detections.frames, np.stack(poses, axis=1), np.stack(covariance, axis=1))


def held_lenses(solution: Solution) -> list[Lens]:
    """Return the lenses of a refined rig, held."""
    bundle = solution.bundle
    return [
        Lens(lens, int(n_lens), bool(fisheye), np.zeros(LENS_SIZE, dtype=bool), float(sigma))
        for lens, n_lens, fisheye, sigma in zip(bundle.lens, bundle.n_lens, bundle.fisheye, solution.sigma, strict=True)
    ]


def _pose_covariance(poses: FloatArray, xy: FloatArray, points: FloatArray, lens: Lens) -> FloatArray:
    """Return covariances (n_views, 2, 6, 6) of poses (n_views, 2, 4, 4) from the noise of the corners."""
    out = np.full((*poses.shape[:2], 6, 6), np.nan)
    view, twin = np.nonzero(np.isfinite(poses[..., 0, 0]))
    turned = points @ np.swapaxes(poses[view, twin, :3, :3], -1, -2)
    X = turned + poses[view, twin, None, :3, 3]
    with np.errstate(all="ignore"):
        by_point = project_camera_frame(X, lens.matrix, lens.distortion, fisheye=lens.fisheye).by_point
    J = motion_jacobian(by_point, turned) / max(lens.sigma, 1e-3)
    there = np.asarray(np.isfinite(xy[view]).all(-1))
    J = np.where(there[..., None, None], J, 0.0).reshape(len(view), 2 * len(points), 6)
    information = np.swapaxes(J, -1, -2) @ J
    information[:, range(6), range(6)] += 1e-9
    good = np.isfinite(information).all((-1, -2))
    inverted = np.full_like(information, np.nan)
    inverted[good] = np.linalg.inv(information[good])
    out[view, twin] = inverted
    return out


class PairSightings(NamedTuple):
    """Some of the instants at which two cameras saw the board."""

    rows: IntArray
    a: FloatArray
    b: FloatArray
    covariance_a: FloatArray
    covariance_b: FloatArray

    @classmethod
    def of(cls, sightings: Sightings, a: int, b: int, most: int = _INSTANTS) -> "PairSightings":
        """Take at most so many of two cameras' common instants, evenly spread."""
        rows = np.flatnonzero(sightings.seen[:, a] & sightings.seen[:, b])
        rows = rows[spread_evenly(len(rows), most)]
        return cls(
            rows,
            sightings.poses[rows, a],
            sightings.poses[rows, b],
            sightings.covariance[rows, a],
            sightings.covariance[rows, b],
        )

    def fit(self, *, start: FloatArray | None = None, rows: slice | None = None) -> Agreement | None:
        """Find the relative pose, of some of the instants if `rows` are given; see :func:`agree`."""
        weight = None
        if rows is not None:
            weight = np.zeros(len(self.rows))
            weight[rows] = 1
        return agree(self.a, self.b, self.covariance_a, self.covariance_b, start=start, weight=weight)


def sighted_pairs(seen: BoolArray, *, each: int = 3, least: int = 6) -> list[tuple[int, int]]:
    """Choose pairs of cameras that saw the board together often: for each camera its best partners.

    Parameters
    ----------
    seen : (n_frames, n_cameras) bool array
    each : int
        Partners a camera.
    least : int
        Shared instants.

    Returns
    -------
    list of (int, int)
        a < b.
    """
    counts = seen.T.astype(np.int64) @ seen.astype(np.int64)
    np.fill_diagonal(counts, 0)
    pairs = set()
    for a in range(len(counts)):
        best = np.argsort(-counts[a], kind="stable")[:each]
        pairs |= {(min(a, int(b)), max(a, int(b))) for b in best if counts[a, b] >= least}
    return sorted(pairs)


def agree(
    a: FloatArray,
    b: FloatArray,
    covariance_a: FloatArray,
    covariance_b: FloatArray,
    *,
    start: FloatArray | None = None,
    weight: FloatArray | None = None,
) -> Agreement | None:
    """Fit the pose of camera b relative to a to all instants, robustly, and say how well each instant agrees.

    Parameters
    ----------
    a : (n, n_a, 4, 4) array, mm
        Candidates of ``a_from_board`` as in :class:`Sightings`; NaN where there is none. Camera a keeps the first turn
        of the board: only relative turns matter.
    b : (n, n_b, 4, 4) array, mm
    covariance_a, covariance_b : (n, 2, 6, 6) array
    start : (4, 4) array, mm, optional
        By default most instants' consensus.
    weight : (n,) array, optional
        Instants with 0 do not take part in the fit; their `chi2` is given all the same.

    Returns
    -------
    Agreement or None
        None if fewer than three instants are shared.
    """
    chi2_of_all = np.full(len(a), np.nan)
    a = a[:, :_TWINS]
    known = np.isfinite(covariance_a[:, 0, 0, 0]) & np.isfinite(covariance_b[:, 0, 0, 0])
    shared = np.flatnonzero(np.isfinite(a[:, 0, 0, 0]) & np.isfinite(b[:, 0, 0, 0]) & known)
    trusted = np.ones(len(shared)) if weight is None else weight[shared]
    if (trusted > 0).sum() < 3:
        return None
    if start is None:
        fit = shared[trusted > 0]
        link = relative_pose(a[fit], b[fit])
        if link is None:
            return None
        start = link.b_from_a
    pose = start
    a, b, covariance_a, covariance_b = a[shared], b[shared], covariance_a[shared], covariance_b[shared]
    for turn in range(_ROUNDS + 1):
        if turn < 2 or turn == _ROUNDS:
            A, B, Ca, Cb = _matched(pose, a, b, covariance_a, covariance_b)
        moved = pose[:3, :3] @ A[:, :3, 3:]
        d = np.concatenate(
            [
                log_so3(B[:, :3, :3] @ np.swapaxes(pose[:3, :3] @ A[:, :3, :3], -1, -2)),
                B[:, :3, 3] - moved[..., 0] - pose[:3, 3],
            ],
            axis=-1,
        )
        turned = np.zeros((6, 6))
        turned[:3, :3] = turned[3:, 3:] = pose[:3, :3]
        information = np.linalg.inv(Cb + turned @ Ca @ turned.T)
        chi2 = np.einsum("ni,nij,nj->n", d, information, d)
        if turn == _ROUNDS:
            break
        middle = float(np.median(chi2[trusted > 0]))
        w = trusted / (1 + chi2 / (_ROBUST * max(middle, 1e-12)))
        G = np.tile(np.eye(6), (len(d), 1, 1))
        G[:, 3:, :3] = -skew(moved[..., 0])
        GtI = np.swapaxes(G, -1, -2) @ information * w[:, None, None]
        H = (GtI @ G).sum(0)
        scale = 1 / np.sqrt(np.diag(H))
        step = scale * np.linalg.solve(H * scale[:, None] * scale, scale * (GtI @ d[..., None]).sum(0)[:, 0])
        turn_by = exp_so3(step[:3])
        pose = rigid((turn_by @ pose[:3, :3])[None], (turn_by @ pose[:3, 3] + step[3:])[None])[0]
    chi2_of_all[shared] = chi2
    return Agreement(pose, chi2_of_all)


def _matched(
    b_from_a: FloatArray, a: FloatArray, b: FloatArray, covariance_a: FloatArray, covariance_b: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Choose for each instant the candidates of both cameras that go together best."""
    there = b_from_a @ a
    trace = np.einsum("naij,nbij->nab", there[..., :3, :3], b[..., :3, :3])
    away = np.linalg.norm(b[:, None, :, :3, 3] - there[:, :, None, :3, 3], axis=-1)
    distance = (3 - trace) / _ANGLE**2 + (away / (_SHIFT * np.linalg.norm(b[:, :1, None, :3, 3], axis=-1))) ** 2
    flat = np.where(np.isfinite(distance), distance, np.inf).reshape(len(a), -1).argmin(1)
    first, second = np.divmod(flat, b.shape[1])
    row = np.arange(len(a))
    return a[row, first], b[row, second], covariance_a[row, first % _TWINS], covariance_b[row, second % _TWINS]


def block_test(gain: FloatArray) -> float:
    """Return how many standard errors a gain lies above zero; neighbouring instants count as one witness.

    Parameters
    ----------
    gain : (n,) array
        In time order; NaN is left out.

    Returns
    -------
    float
        Zero if there are fewer than four instants.
    """
    gain = gain[np.isfinite(gain)]
    if len(gain) < 4:
        return 0.0
    means = np.array([part.mean() for part in np.array_split(gain, min(_BLOCKS, len(gain)))])
    error = means.std(ddof=1) / np.sqrt(len(means))
    return float(means.mean() / max(error, 1e-12))


def clearly_better(better: FloatArray, worse: FloatArray, factor: float) -> bool:
    """Tell whether squared disagreements (n,) fall by a factor at least, and by more than chance."""
    level = max(float(np.nanmedian(better)), 1e-9)
    gain = np.log1p(worse / level) - np.log1p(better / level)
    return float(np.nanmedian(worse)) > factor * level and block_test(gain) > _CLEARLY
