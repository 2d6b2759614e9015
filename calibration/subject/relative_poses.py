"""How cameras stand to each other, from keypoints alone: pairs first, then one camera after another."""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from pose3d.data.camera import Rig
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.rotations import exp_so3
from pose3d.geometry.transforms import apply, inverse, rigid, rotvec_translation
from pose3d.geometry.triangulation import triangulate_svd
from pose3d.log import Progress, logger

from .points_bundle import refine_points
from .points_views import point_distances
from .refinement import MIN_SHARED
from .sightings import Sightings, place_points, points_bundle

__all__ = ["UNIT", "PairPose", "of_cameras", "place_cameras", "relative_pose", "with_poses"]

_WRONG = 0.01  # of the image's width: a label farther from its epipolar line or point is wrong
_MATCHES = 800  # of a pair
_GROWING = 1500  # keypoints while cameras are added
_SEEDS = 3
_MIN_PARALLAX = 1.0  # degrees
_FEW = 12  # placed keypoints that a further camera must see
UNIT = 1000.0
"""mm between the first two cameras where nothing tells the scale."""


class PairPose(NamedTuple):
    """Two cameras that see the same keypoints.

    Attributes
    ----------
    b_from_a : (4, 4) array
        With a baseline of length 1.
    inliers : int
    parallax_deg : float
        Median angle at which rays meet.
    planar : bool
        Whether a plane explains the views as well.
    """

    b_from_a: FloatArray
    inliers: int
    parallax_deg: float
    planar: bool


def relative_pose(rays_a: FloatArray, rays_b: FloatArray, *, limit: float) -> PairPose | str:
    """Find how two cameras stand to each other, but for the length between them.

    Parameters
    ----------
    rays_a, rays_b : (n, 2) array
        Undistorted normalised labels of the same keypoints.
    limit : float
        Distance from the epipolar line, normalised, beyond which a label is wrong.

    Returns
    -------
    PairPose or str
        Why there is none: most labels disagree, the cameras stand at one place, or the two solutions that are left
        when all points must lie in front cannot be told apart.

    References
    ----------
    Nister (2004), An efficient solution to the five-point relative pose problem, IEEE PAMI 26:756; Barath, Noskova,
    Ivashechkin, Matas (2020), MAGSAC++, a fast, reliable and accurate robust estimator, CVPR.
    """
    step = max(1, len(rays_a) // _MATCHES)
    a, b = np.ascontiguousarray(rays_a[::step]), np.ascontiguousarray(rays_b[::step])
    E, mask = cv2.findEssentialMat(a, b, np.eye(3), method=cv2.USAC_MAGSAC, prob=0.9999, threshold=limit, maxIters=2000)
    if E is None or np.shape(E) != (3, 3) or mask is None:
        return "no relative pose explains the labels"
    inside = np.ravel(mask) > 0
    if inside.sum() < max(MIN_SHARED // 2, 0.5 * len(a)):
        return f"{100 * (1 - inside.mean()):.0f} % of the labels disagree"
    first, second, shift = cv2.decomposeEssentialMat(E)
    best: list[tuple[int, FloatArray, FloatArray]] = []
    for R in (first, second):
        for t in (np.ravel(shift), -np.ravel(shift)):
            pose = rigid(np.asarray(R)[None], t[None])[0]
            X = triangulate_svd(np.stack([a[inside], b[inside]], axis=1), np.stack([np.eye(4), pose]))
            with np.errstate(invalid="ignore"):
                front = (X[:, 2] > 0) & (apply(pose, X)[:, 2] > 0)
            best.append((int(front.sum()), pose, X[front]))
    best.sort(key=lambda candidate: -candidate[0])
    n_front, pose, X = best[0]
    if n_front < 0.7 * inside.sum() or best[1][0] > 0.7 * n_front:
        return "whether the subject is in front of the cameras or behind cannot be told"
    rays = X / np.linalg.norm(X, axis=1, keepdims=True)
    others = X - inverse(pose)[:3, 3]
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    parallax = float(np.degrees(np.median(np.arccos(np.clip((rays * others).sum(1), -1, 1)))))
    if parallax < _MIN_PARALLAX:
        return f"the cameras stand at nearly one place (rays meet at {parallax:.1f} degrees)"
    _, flat = cv2.findHomography(a[inside], b[inside], cv2.USAC_MAGSAC, limit)
    planar = flat is not None and float(np.mean(flat)) > 0.9
    return PairPose(pose, n_front, parallax, planar)


def of_cameras(sightings: Sightings, index: list[int]) -> Sightings:
    """Return the labels of some cameras, in that order; keypoints with fewer than two labels are dropped."""
    some = replace(
        sightings,
        xy=sightings.xy[:, index],
        weight=sightings.weight[:, index],
        ray=sightings.ray[:, index],
        slope=sightings.slope[:, index],
    )
    return some.select(np.flatnonzero(some.seen.sum(1) >= 2))


def with_poses(rig: Rig, poses: FloatArray) -> Rig:
    """Return the rig with other poses (n_cameras, 4, 4)."""
    rotation, translation = rotvec_translation(poses)
    cameras = [replace(c, rotation=rotation[i], translation=translation[i]) for i, c in enumerate(rig)]
    return Rig(tuple(cameras), rig.metadata)


def _limits(rig: Rig) -> FloatArray:
    """Return the distance beyond which a label is wrong, normalised, for each camera."""
    return np.array([_WRONG * max(camera.size) / camera.focal for camera in rig])


def place_cameras(rig: Rig, sightings: Sightings, progress: Progress) -> tuple[FloatArray, dict[int, str]]:
    """Place cameras from the best pair on; returns poses (n_cameras, 4, 4), NaN and a reason where there is none."""
    seen, limits = sightings.seen, _limits(rig)
    pairs: dict[tuple[int, int], PairPose] = {}
    refused: dict[tuple[int, int], str] = {}
    for a in range(len(rig)):
        progress("relative poses", a, len(rig))
        for b in range(a + 1, len(rig)):
            both = np.flatnonzero(seen[:, a] & seen[:, b])
            if len(both) < MIN_SHARED:
                continue
            limit = float((limits[a] + limits[b]) / 2)
            pair = relative_pose(sightings.ray[both, a], sightings.ray[both, b], limit=limit)
            if isinstance(pair, str):
                refused[a, b] = pair
                logger.debug("%s and %s: %s", rig.names[a], rig.names[b], pair)
            else:
                pairs[a, b] = pair
    progress("relative poses", len(rig), len(rig))
    if not pairs:
        (a, b), why = next(iter(refused.items()))
        raise CalibrationError(
            f"no pair of cameras can be placed: {rig.names[a]} and {rig.names[b]}: {why}; film a subject that moves "
            "through the space that the cameras share, and check that the files are of one recording"
        )

    def rank(pair: tuple[int, int]) -> tuple[float, int, int]:
        found = pairs[pair]
        worth = found.inliers * min(found.parallax_deg / 20, 1.0) * (0.1 if found.planar else 1.0)
        return (-worth, *pair)

    some = sightings.select(np.arange(0, len(sightings), max(1, len(sightings) // _GROWING)))
    best: tuple[FloatArray, dict[int, str]] | None = None
    best_score = (0, -np.inf)
    for seed in sorted(pairs, key=rank)[:_SEEDS]:
        poses, reasons, off = _grow(rig, some, seed, pairs[seed])
        score = (int(np.isfinite(poses[:, 0, 0]).sum()), -off)
        if score > best_score:
            best, best_score = (poses, reasons), score
        if not reasons and off < _WRONG / 2:
            break
    assert best is not None
    return best


def _grow(
    rig: Rig, sightings: Sightings, seed: tuple[int, int], pair: PairPose
) -> tuple[FloatArray, dict[int, str], float]:
    """Add camera by camera; returns poses, reasons for those that cannot be, and the median error over the width."""
    poses = np.full((len(rig), 4, 4), np.nan)
    poses[seed[0]], poses[seed[1]] = np.eye(4), pair.b_from_a
    poses[seed[1], :3, 3] *= UNIT
    reasons: dict[int, str] = {}
    width = float(np.median([max(camera.size) for camera in rig]))
    off = np.inf
    while True:
        placed = np.isfinite(poses[:, 0, 0])
        index = np.flatnonzero(placed)
        off, points, which = _settle(rig, sightings, poses, index)
        left = [i for i in range(len(rig)) if not placed[i] and i not in reasons]
        if not left:
            return poses, reasons, off / width
        visible = sightings.seen[which]
        new = max(left, key=lambda i: (int(visible[:, i].sum()), -i))
        mine = np.flatnonzero(visible[:, new])
        pose = _resect(points[mine], sightings.ray[which[mine], new], float(_limits(rig)[new]))
        if isinstance(pose, str):
            reasons[new] = pose
        else:
            poses[new] = pose


def _settle(rig: Rig, sightings: Sightings, poses: FloatArray, index: IntArray) -> tuple[float, FloatArray, IntArray]:
    """Refine the placed cameras (in place); returns the median error in px, the points and which they are."""
    part = replace(sightings, ray=np.where(np.isin(np.arange(len(rig)), index)[:, None], sightings.ray, np.nan))
    which = np.flatnonzero(part.seen.sum(1) >= 2)
    few = of_cameras(part.select(which), list(index))
    lenses = with_poses(rig.select([rig.names[i] for i in index]), poses[index])
    points = place_points(few, lenses.focals, lenses.cam_from_world)
    good = np.flatnonzero(np.isfinite(points).all(1))
    if len(good) == 0:
        return np.inf, points[good], which[good]
    depth = np.median(np.linalg.norm(apply(lenses.cam_from_world[:, None], points[good]), axis=-1), axis=1)
    sd = np.concatenate([np.full((len(index), 3), 0.2), np.repeat(0.2 * depth[:, None], 3, axis=1)], axis=1)
    free = np.ones(len(index), dtype=bool)
    bundle = points_bundle(
        few.select(good),
        lenses,
        points[good],
        poses=lenses.cam_from_world,
        prior=np.diag(1 / np.square(sd.ravel())),
        free_pose=free,
        free_focal=~free,
    )
    solution = refine_points(bundle, rounds=3, max_iterations=8, tolerance=1e-4)
    poses[index] = solution.bundle.cam_from_world
    return float(np.nanmedian(point_distances(solution.bundle))), solution.bundle.points, which[good]


def _resect(points: FloatArray, rays: FloatArray, limit: float) -> FloatArray | str:
    """Place a camera by points that are placed; returns its pose (4, 4) or why there is none."""
    if len(points) < _FEW:
        return f"it sees {len(points)} of the keypoints that the other cameras place"
    center = np.median(points, axis=0)  # the solver wants points near the origin and of the size of 1
    size = float(np.median(np.linalg.norm(points - center, axis=1)))
    if size < 1e-6 * UNIT:
        return "the keypoints that it sees are all in one place"
    try:
        ok, turn, shift, inliers = cv2.solvePnPRansac(
            (points - center) / size,
            rays,
            np.eye(3),
            None,
            iterationsCount=300,
            reprojectionError=limit,
            confidence=0.9999,
            flags=cv2.SOLVEPNP_SQPNP,
        )
    except cv2.error:  # how the solver says that a sample is degenerate
        return "the keypoints that it sees leave its pose open"
    if not ok or inliers is None or len(inliers) < max(_FEW, 0.5 * len(points)):
        n = 0 if inliers is None else len(inliers)
        return f"it agrees with {n} of {len(points)} keypoints that the other cameras place"
    R = exp_so3(np.ravel(turn))
    return np.asarray(rigid(R[None], (size * np.ravel(shift) - R @ center)[None])[0])
