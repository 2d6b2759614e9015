"""Detections of several people as the association needs them, and bodies in space compared with them."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from pose3d.data import Keypoints2D, Rig
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.epipolar import epipolar_distance, essential

__all__ = [
    "FEWEST",
    "Optics",
    "Sights",
    "compare",
    "detection_pairs",
    "epipolar_errors",
    "learn_threshold",
    "mutual_places",
    "sights_of",
    "threshold_of",
]

FEWEST = 3
"""Keypoints that a detection must have, and share with a body, to say anything."""

_FEW_SIGMA = 6.0
_LEAST, _MOST = 0.004, 0.03  # of the image's diagonal: bounds of the threshold
_SAMPLE = 200
_VALUES = 50_000  # compared at once: fits the processor's cache


class Optics(NamedTuple):
    """Cameras as the arrays that the association needs.

    Attributes
    ----------
    rotation : (n_cameras, 3, 3) array
    translation : (n_cameras, 3) array, mm
        Relative to `origin`.
    centers : (n_cameras, 3) array, mm
        Relative to `origin`.
    focal : (n_cameras,) array, px
    diagonal : (n_cameras,) array, px
    origin : (3,) array, mm
    """

    rotation: FloatArray
    translation: FloatArray
    centers: FloatArray
    focal: FloatArray
    diagonal: FloatArray
    origin: FloatArray

    @classmethod
    def of(cls, rig: Rig) -> "Optics":
        """Build the arrays."""
        pose = rig.cam_from_world
        origin = rig.centers.mean(0)
        translation = pose[:, :3, 3] + pose[:, :3, :3] @ origin
        diagonal = np.array([np.hypot(*camera.size) for camera in rig])
        return cls(pose[:, :3, :3], translation, rig.centers - origin, rig.focals, diagonal, origin)

    @property
    def cam_from_world(self) -> FloatArray:
        """(n_cameras, 3, 4) array, from the world around `origin`."""
        return np.concatenate([self.rotation, self.translation[..., None]], axis=-1)


class Sights(NamedTuple):
    """Detections of a run of frames.

    Attributes
    ----------
    rays : (n_frames, n_cameras, n_individuals, n_keypoints, 2) array
        Undistorted normalised coordinates, 0 where absent.
    weight : (n_frames, n_cameras, n_individuals, n_keypoints) array
        Score, 0 where absent.
    present : (n_frames, n_cameras, n_individuals) bool array
        Detections with enough keypoints to be somebody.
    """

    rays: FloatArray
    weight: FloatArray
    present: BoolArray


def sights_of(keypoints: Keypoints2D, rig: Rig) -> Sights:
    """Undistort the detections; cameras of `rig` in the order of `keypoints`."""
    there = np.isfinite(keypoints.xy[..., 0])
    rays = np.zeros(keypoints.xy.shape)
    for c, camera in enumerate(rig):
        seen = there[:, c]
        rays[:, c][seen] = camera.undistort(keypoints.xy[:, c][seen])
    there &= np.isfinite(rays[..., 0])
    rays[~there] = 0.0
    score = np.where(np.isnan(keypoints.score), 1.0, np.clip(keypoints.score, 0.0, 1.0))
    weight = np.where(there, score, 0.0)
    fewest = min(FEWEST, max(1, len(keypoints.keypoints)))
    return Sights(rays, weight, (weight > 0).sum(-1) >= fewest)


def detection_pairs(sights: Sights, i: int, j: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return frame and individuals of all pairs of detections in cameras `i` and `j`."""
    frame, a, b = np.nonzero(sights.present[:, i, :, None] & sights.present[:, j, None, :])
    return frame, a, b


def epipolar_errors(
    optics: Optics, sights: Sights, i: int, j: int, pairs: tuple[IntArray, IntArray, IntArray]
) -> tuple[FloatArray, FloatArray]:
    """Return distance from the epipolar lines in px, and weight, of pairs of detections (n_pairs, n_keypoints)."""
    frame, a, b = pairs
    pose = optics.cam_from_world
    off = epipolar_distance(sights.rays[frame, i, a], sights.rays[frame, j, b], essential(pose[i], pose[j]))
    weight = np.sqrt(sights.weight[frame, i, a] * sights.weight[frame, j, b])
    return off * np.sqrt(optics.focal[i] * optics.focal[j]), np.where(np.isfinite(off), weight, 0.0)


def learn_threshold(optics: Optics, sights: Sights) -> FloatArray:
    """Find how far off a keypoint of the right person may be.

    In every frame and pair of cameras the pair of detections that agree best are taken to be one person's; six times
    their noise is the threshold, within bounds that depend on the image's size.

    Returns
    -------
    (n_cameras,) array, px
    """
    n_frames = len(sights.rays)
    if n_frames > _SAMPLE:
        some = np.linspace(0, n_frames - 1, _SAMPLE).astype(np.int64)
        sights = Sights._make(part[some] for part in sights)
    best = []
    for i, j in combinations(range(len(optics.focal)), 2):
        pairs = detection_pairs(sights, i, j)
        off, weight = epipolar_errors(optics, sights, i, j, pairs)
        enough = (weight > 0).sum(1) >= min(FEWEST, weight.shape[1])
        off = np.where(weight > 0, off, np.nan)[enough]
        if not len(off):
            continue
        middle = np.nanmedian(off, axis=1)
        least = np.full(len(sights.rays), np.inf)
        np.minimum.at(least, pairs[0][enough], middle)
        best.append(least[np.isfinite(least)])
    return threshold_of(optics, np.concatenate([*best, np.zeros(0)]))


def threshold_of(optics: Optics, off_px: FloatArray) -> FloatArray:
    """Return how far off the right one may be, (n_cameras,) px, by the distances from epipolar lines of right ones."""
    noise = float(np.median(off_px)) / 0.6745 if len(off_px) else 0.0
    return np.asarray(np.clip(_FEW_SIGMA * noise, _LEAST * optics.diagonal, _MOST * optics.diagonal))


def compare(
    optics: Optics,
    sights: Sights,
    frame: IntArray,
    xyz: FloatArray,
    *,
    threshold_px: FloatArray,
    partner: IntArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Compare bodies in space with every detection of their frames.

    Parameters
    ----------
    optics : Optics
    sights : Sights
    frame : (n,) int array
    xyz : (n, n_keypoints, 3) array, mm, relative to the origin of `optics`
        NaN where unknown.
    threshold_px : (n_cameras,) array
    partner : (n_keypoints,) int array, optional
        Keypoint on the other side: a pair that a view shows exchanged agrees too.

    Returns
    -------
    support, agreement : (n, n_cameras, n_individuals) array
        Agreeing score, over the number of keypoints, and as a share of the keypoints that both have.
    """
    n_cameras, n_individuals, n_keypoints = sights.weight.shape[1:]
    support = np.zeros((len(frame), n_cameras, n_individuals))
    agreement = np.zeros_like(support)
    step = max(1, _VALUES // (n_cameras * n_individuals * n_keypoints))
    scale = (optics.focal / threshold_px)[:, None, None]
    for first in range(0, len(frame), step):
        rows = slice(first, first + step)
        X = xyz[rows]
        with np.errstate(all="ignore"):
            local = np.einsum("cij,nkj->nick", optics.rotation, X) + optics.translation.T[:, :, None]
            z = local[:, 2]
            before = z > 0
            u = np.where(before, local[:, 0] / z, np.nan)[:, :, None]
            v = np.where(before, local[:, 1] / z, np.nan)[:, :, None]
        rays, weight = sights.rays[frame[rows]], sights.weight[frame[rows]]
        known = np.isfinite(X[..., 0])[:, None, None]
        mass = weight * _near(u, v, rays, scale)
        if partner is not None:
            crossed = weight[..., partner] * _near(u, v, rays[..., partner, :], scale)
            mass = np.maximum(mass + mass[..., partner], crossed + crossed[..., partner]) / 2
        common = known & (weight > 0)
        enough = common.sum(-1) >= min(FEWEST, n_keypoints)
        total = np.where(common, weight, 0.0).sum(-1)
        agreed = mass.sum(-1)
        support[rows] = np.where(enough, agreed / n_keypoints, 0.0)
        agreement[rows] = np.where(enough, agreed / np.where(total > 0, total, 1.0), 0.0)
    return support, agreement


def _near(u: FloatArray, v: FloatArray, rays: FloatArray, scale: FloatArray) -> FloatArray:
    """Return 1 for a keypoint that is where it should be, falling to 0 at the threshold."""
    across, down = u - rays[..., 0], v - rays[..., 1]
    across *= across
    down *= down
    across += down
    across *= scale * scale
    np.subtract(1.0, across, out=across)
    return np.fmax(across, 0.0, out=across)  # 0 for NaN


def mutual_places(optics: Optics, rays: FloatArray, weight: FloatArray, depth: FloatArray) -> FloatArray:
    """Triangulate keypoints linearly from all their views.

    Parameters
    ----------
    optics : Optics
    rays : (n, n_cameras, n_keypoints, 2) array
    weight : (n, n_cameras, n_keypoints) array
        0 for views to leave out.
    depth : (n, n_cameras, n_keypoints) array, mm
        About how far away; the answer hardly depends on it.

    Returns
    -------
    (n, n_keypoints, 3) array, mm
        NaN where fewer than two views fix the place.
    """
    with np.errstate(all="ignore"):
        w = np.where((weight > 0) & (depth > 0), weight * (optics.focal[:, None] / depth) ** 2, 0.0)
    R, t = optics.rotation, optics.translation
    matrix = np.zeros((*w.shape[::2], 3, 3))
    side = np.zeros((*w.shape[::2], 3))
    for c in range(len(R)):
        for axis in range(2):
            row = rays[:, c, :, axis, None] * R[c, 2] - R[c, axis]
            weighted = w[:, c, :, None] * row
            matrix += weighted[..., None] * row[..., None, :]
            side += weighted * (t[c, axis] - rays[:, c, :, axis] * t[c, 2])[..., None]
    twice = ((w > 0).sum(1) >= 2) & np.isfinite(matrix).all((-2, -1)) & np.isfinite(side).all(-1)
    trace = np.trace(matrix, axis1=-2, axis2=-1)
    twice &= np.linalg.det(np.where(twice[..., None, None], matrix, np.eye(3))) > 1e-12 * np.abs(trace) ** 3
    safe = np.where(twice[..., None, None], matrix, np.eye(3))
    return np.where(twice[..., None], np.linalg.solve(safe, side[..., None])[..., 0], np.nan)
