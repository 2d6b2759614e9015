"""Which labels of a subject take part in a calibration, and their first place in space."""

from dataclasses import dataclass, fields, replace

import numpy as np

from pose3d.data.camera import Camera, Rig
from pose3d.data.keypoints import Keypoints2D
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.lenses import distort_slopes
from pose3d.geometry.transforms import apply
from pose3d.geometry.triangulation import triangulate_svd

from .points_views import PointsBundle

__all__ = ["LOW_SCORE", "Sightings", "choose_sightings", "place_points", "points_bundle"]

_GRID = (16, 12)  # cells of an image for the spread of the labels
LOW_SCORE = 0.3
_ROUNDS = 24
_GOLDEN = 0.6180339887498949
_WRONG = 3.0  # a label this many times the typical distance off is looked at again


@dataclass(frozen=True, eq=False)
class Sightings:
    """Keypoints that at least two cameras see.

    Attributes
    ----------
    frame, individual, keypoint : (n,) int arrays
    xy : (n, n_cameras, 2) array, px
        NaN where a camera has no label.
    weight : (n, n_cameras) array
        Score over the camera's mean score; 1 where there are no scores.
    ray : (n, n_cameras, 2) array
        Labels undistorted and normalised; NaN where a camera has no label.
    slope : (n, n_cameras, 2, 2) array, px
        Derivative of the label's pixel by its ray.
    """

    frame: IntArray
    individual: IntArray
    keypoint: IntArray
    xy: FloatArray
    weight: FloatArray
    ray: FloatArray
    slope: FloatArray

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def seen(self) -> BoolArray:
        """(n, n_cameras) bool array."""
        return np.isfinite(self.ray[..., 0])

    def select(self, chosen: IntArray | BoolArray) -> "Sightings":
        """Return some of the keypoints."""
        return Sightings(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def keep_cameras(self, cameras: BoolArray) -> "Sightings":
        """Return the labels of some cameras, the others' being absent; keypoints with one label left are dropped."""
        ray = np.where(cameras[:, None], self.ray, np.nan)
        return replace(self, ray=ray).select(np.isfinite(ray[..., 0]).sum(1) >= 2)


def choose_sightings(
    keypoints: Keypoints2D, rig: Rig, *, score_threshold: float | None, max_observations: int, whole_bodies: bool
) -> Sightings:
    """Choose labels that are spread over all images, as many as are wanted.

    Cells of the images that hold few labels so far come first, and keypoints that many cameras see; among equals, the
    instants are spread over the recording.

    Parameters
    ----------
    keypoints : Keypoints2D
        Cameras as in `rig`.
    rig : Rig
    score_threshold : float, optional
        Labels below it do not take part; by default 0.3 or the median score, whichever is greater.
    max_observations : int
    whole_bodies : bool
        Choose all of an individual's keypoints at an instant, or none.

    Returns
    -------
    Sightings
    """
    xy = np.moveaxis(keypoints.xy, 1, 3)  # (frame, individual, keypoint, camera, 2)
    score = np.moveaxis(keypoints.score, 1, 3)
    size = np.array([camera.size for camera in rig], dtype=np.float64)
    if score_threshold is None:
        score_threshold = max(LOW_SCORE, float(np.nanmedian(score)) if np.isfinite(score).any() else 0.0)
    with np.errstate(invalid="ignore"):
        seen = ((xy > -0.5) & (xy < size - 0.5)).all(-1) & ~(score < score_threshold)
    index = np.argwhere(seen.sum(-1) >= 2)
    frame, individual, keypoint = index.T
    seen = seen[frame, individual, keypoint]
    xy = np.where(seen[..., None], xy[frame, individual, keypoint], np.nan)
    weight = np.where(seen, score[frame, individual, keypoint], np.nan)
    weight = _relative(weight)
    found = Sightings(frame, individual, keypoint, xy, weight, xy, xy[..., None])
    if int(seen.sum()) > max_observations:
        body = frame * len(keypoints.individuals) + individual
        unit = np.unique(body, return_inverse=True)[1] if whole_bodies else np.arange(len(found))
        found = found.select(np.flatnonzero(_spread(found, unit, size, max_observations)))
    ray = rig.undistort(found.xy)
    slope = np.stack([_pixel_slope(camera, ray[:, i]) for i, camera in enumerate(rig)], axis=1)
    found = replace(found, ray=ray, slope=slope)
    return found.select(np.flatnonzero(found.seen.sum(1) >= 2))


def _pixel_slope(camera: Camera, ray: FloatArray) -> FloatArray:
    """Return the derivative of pixels by rays, (n, 2, 2)."""
    with np.errstate(invalid="ignore"):
        xx, xy, yy = distort_slopes(ray, camera.distortion, fisheye=camera.fisheye)
    bend = np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)
    return np.asarray(camera.matrix[:2, :2] @ bend)


def _relative(score: FloatArray) -> FloatArray:
    count = np.isfinite(score).sum(0)
    mean = np.nansum(score, axis=0) / np.maximum(count, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = score / mean
    return np.asarray(np.clip(np.nan_to_num(weight, nan=1.0, posinf=1.0), 0.1, 3.0))


def _spread(found: Sightings, unit: IntArray, size: FloatArray, max_observations: int) -> BoolArray:
    """Choose units in rounds, those first whose labels lie in cells that hold few."""
    point, camera = np.nonzero(found.seen)
    place = found.xy[point, camera] / size[camera]
    column, row = (np.clip((place[:, i] * _GRID[i]).astype(np.int64), 0, _GRID[i] - 1) for i in (0, 1))
    cell = (camera * _GRID[1] + row) * _GRID[0] + column
    n_views = found.seen.sum(1)
    worth = (2 * n_views - 3) / (2 * n_views)  # what a label adds beyond the point's own three numbers
    owner = unit[point]
    n_units = int(unit.max()) + 1
    labels = np.bincount(owner, minlength=n_units)
    first = np.zeros(n_units, dtype=np.int64)
    first[unit] = found.frame
    tie = (first * _GOLDEN) % 1.0
    taken = np.zeros(n_units, dtype=bool)
    counts = np.zeros(int(cell.max()) + 1)
    for turn in range(_ROUNDS):
        value = np.bincount(owner, weights=worth[point] / (1 + counts[cell]), minlength=n_units) / labels
        value[taken] = -1.0
        # values that differ little are equal: the tie spreads the choice over time
        order = np.lexsort((tie, -np.round(np.log2(np.maximum(value, 1e-12)) * 2)))
        order = order[~taken[order]]
        budget = max_observations * (turn + 1) / _ROUNDS - labels[taken].sum()
        new = order[np.cumsum(labels[order]) <= budget]
        taken[new] = True
        counts += np.bincount(cell[np.isin(owner, new)], minlength=len(counts))
    return np.asarray(taken[unit])


def place_points(sightings: Sightings, focals: FloatArray, poses: FloatArray) -> FloatArray:
    """Triangulate, and look again at points of which a label disagrees: the pair of views that most others support.

    Parameters
    ----------
    sightings : Sightings
    focals : (n_cameras,) array, px
    poses : (n_cameras, 4, 4) array, mm

    Returns
    -------
    (n, 3) array, mm
        NaN where the rays do not meet in front of the cameras.
    """
    rays = sightings.ray
    strength = focals * np.sqrt(sightings.weight)
    points = triangulate_svd(rays, poses, weights=strength)
    error = _ray_errors(points, rays, focals, poses)
    typical = max(float(np.nanmedian(error)) if np.isfinite(error).any() else 0.0, 0.1)
    limit = _WRONG * 1.5 * typical
    views = np.isfinite(rays[..., 0])
    bad = np.flatnonzero((np.where(views, error, 0.0).max(1) > limit) & (views.sum(1) >= 3))
    if len(bad) == 0:
        return points
    best, chosen = np.full(len(bad), np.inf), points[bad]
    n_cameras = len(poses)
    for a in range(n_cameras):
        for b in range(a + 1, n_cameras):
            both = np.flatnonzero(views[bad, a] & views[bad, b])
            made = triangulate_svd(rays[bad[both]][:, [a, b]], poses[[a, b]], weights=strength[bad[both]][:, [a, b]])
            off = np.minimum(_ray_errors(made, rays[bad[both]], focals, poses), limit)
            cost = np.where(np.isfinite(made[:, 0]), np.nansum(off * off, axis=1), np.inf)
            better = cost < best[both]
            best[both[better]], chosen[both[better]] = cost[better], made[better]
    fits = _ray_errors(chosen, rays[bad], focals, poses) <= limit
    enough = fits.sum(1) >= 2
    again = triangulate_svd(np.where(fits[..., None], rays[bad], np.nan), poses, weights=strength[bad])
    points[bad] = np.where((enough & np.isfinite(again[:, 0]))[:, None], again, chosen)
    return points


def _ray_errors(points: FloatArray, rays: FloatArray, focals: FloatArray, poses: FloatArray) -> FloatArray:
    """Distances (n, n_cameras) of points from rays in px; infinite behind a camera, NaN without a label."""
    X = apply(poses, points[:, None])
    with np.errstate(all="ignore"):
        off = np.linalg.norm(X[..., :2] / X[..., 2:] - rays, axis=-1) * focals
    off = np.where((X[..., 2] > 0) & np.isfinite(X[..., 2]), off, np.inf)
    return np.asarray(np.where(np.isfinite(rays[..., 0]), off, np.nan))


def points_bundle(
    sightings: Sightings,
    rig: Rig,
    points: FloatArray,
    *,
    poses: FloatArray,
    prior: FloatArray,
    free_pose: BoolArray,
    free_focal: BoolArray,
) -> PointsBundle:
    """Put a bundle together; the prior's poses are the rig's.

    Parameters
    ----------
    sightings : Sightings
    rig : Rig
    points : (n, 3) array, mm
        All finite.
    poses : (n_cameras, 4, 4) array, mm
        Start.
    prior : (6 * n_cameras, 6 * n_cameras) array
    free_pose, free_focal : (n_cameras,) bool arrays
    """
    return PointsBundle(
        cam_from_world=poses,
        focal_scale=np.ones(len(rig)),
        points=points,
        ray=sightings.ray,
        slope=sightings.slope,
        offset=sightings.xy - np.array([camera.matrix[:2, 2] for camera in rig]),
        weight=sightings.weight,
        free_pose=free_pose,
        free_focal=free_focal,
        prior=prior,
        prior_pose=rig.cam_from_world,
    )
