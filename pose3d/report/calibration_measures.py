"""What the calibration report shows in pictures, as numbers."""

from dataclasses import dataclass

import numpy as np

from pose3d.calibration import Calibration
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.projection import project
from pose3d.geometry.rotations import skew
from pose3d.geometry.transforms import apply, inverse
from pose3d.geometry.triangulation import triangulate_svd

__all__ = [
    "GOOD_SHARED",
    "MARGINAL_SHARED",
    "CameraViews",
    "Pair",
    "baselines",
    "camera_views",
    "cell_means",
    "center_sd_mm",
    "coverage",
    "edge_lengths",
    "image_cells",
    "pairs",
    "weakest_link",
]

GOOD_SHARED, MARGINAL_SHARED = 30, 10  # instants that two cameras share
_OUTLIER = 4.0  # times a camera's noise: such corners are left out of means over cells and of edges


@dataclass(frozen=True, eq=False)
class CameraViews:
    """What one camera saw of the board.

    Attributes
    ----------
    name : str
    size : (int, int), px
    grid : (int, int)
        Cells of the image in y and x.
    sigma : float, px
        Noise of a corner's coordinate.
    xy, residual : (n, 2) arrays, px
        Corners, and what is left of them after the reprojection is taken away.
    frames : (n_views,) int array
        Recording frame of each view.
    median_px : (n_views,) array
    tilt_deg : (n_views,) array
        Between the board's normal and the line of sight: 0 is face on.
    distance_mm : (n_views,) array
    dropped : tuple of int
        Frames at which its view was left out.
    """

    name: str
    size: tuple[int, int]
    grid: tuple[int, int]
    sigma: float
    xy: FloatArray
    residual: FloatArray
    frames: IntArray
    median_px: FloatArray
    tilt_deg: FloatArray
    distance_mm: FloatArray
    dropped: tuple[int, ...]

    @property
    def inliers(self) -> tuple[FloatArray, FloatArray]:
        """Corners and residuals within four times the noise."""
        good = np.linalg.norm(self.residual, axis=-1) <= _OUTLIER * self.sigma
        return self.xy[good], self.residual[good]


@dataclass(frozen=True)
class Pair:
    """Two cameras of the rig, by their places in it.

    Attributes
    ----------
    a, b : int
    instants, corners : int
        Instants at which both saw the board and that took part, and the corners that both saw then.
    shared, agreeing : int
        Instants at which both saw it at all, and those that agree on how the two cameras stand to each other.
    """

    a: int
    b: int
    instants: int
    corners: int
    shared: int
    agreeing: int

    @property
    def strength(self) -> str:
        """``good``, ``marginal`` or ``weak``."""
        n = self.instants
        return "good" if n >= GOOD_SHARED else "marginal" if n >= MARGINAL_SHARED else "weak"


def _residuals(calibration: Calibration) -> FloatArray:
    """Return observed minus reprojected corners of all views, (n_views, n_corners, 2) px."""
    bundle = calibration.solution.bundle
    out = np.full(bundle.xy.shape, np.nan)
    for i, camera in enumerate(calibration.rig):
        views = bundle.camera == i
        world = apply(bundle.world_from_board[bundle.frame[views]][:, None], bundle.points)
        pose = bundle.cam_from_world[i]
        out[views] = bundle.xy[views] - project(world, camera.matrix, camera.distortion, pose, fisheye=camera.fisheye)
    return out


def camera_views(calibration: Calibration) -> list[CameraViews]:
    """Collect what each camera of the rig saw, in the rig's order."""
    solution, frames = calibration.solution, calibration.detections.frames
    bundle = solution.bundle
    r = _residuals(calibration)
    middle = bundle.points.mean(0)
    known = calibration.quality.coverage
    out = []
    for i, camera in enumerate(calibration.rig):
        views = np.flatnonzero(bundle.camera == i)
        seen = np.asarray(np.isfinite(bundle.xy[views]).all(-1))
        some = seen.any(-1)
        views, seen = views[some], seen[some]
        length = np.where(seen, np.linalg.norm(r[views], axis=-1), np.nan)
        pose = bundle.cam_from_world[i] @ bundle.world_from_board[bundle.frame[views]]
        to_board = apply(pose, middle)
        distance = np.linalg.norm(to_board, axis=-1)
        cosine = np.abs(np.einsum("vi,vi->v", pose[:, :3, 2], to_board)) / np.maximum(distance, 1e-9)
        out.append(
            CameraViews(
                name=camera.name,
                size=camera.size,
                grid=(6, 8) if known is None else (known.cameras[i].cells.shape[0], known.cameras[i].cells.shape[1]),
                sigma=float(solution.sigma[i]),
                xy=bundle.xy[views][seen],
                residual=r[views][seen],
                frames=frames[bundle.frame[views]],
                median_px=np.nanmedian(length, axis=1) if len(views) else np.zeros(0),
                tilt_deg=np.rad2deg(np.arccos(np.clip(cosine, 0, 1))),
                distance_mm=distance,
                dropped=calibration.quality.dropped_frames.get(camera.name, ()),
            )
        )
    return out


def image_cells(views: CameraViews) -> tuple[FloatArray, FloatArray]:
    """Return where the cells of an image end: (n_x + 1,) and (n_y + 1,) arrays, px."""
    n_y, n_x = views.grid
    return np.linspace(0, views.size[0], n_x + 1) - 0.5, np.linspace(0, views.size[1], n_y + 1) - 0.5


def coverage(views: CameraViews) -> FloatArray:
    """Return how many corners were seen in each cell, (n_x, n_y)."""
    return np.histogram2d(views.xy[:, 0], views.xy[:, 1], bins=image_cells(views))[0]


def cell_means(views: CameraViews) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Average residuals over the cells of the image.

    Returns
    -------
    n : (n_x, n_y) array
        Corners in each cell, outliers left out.
    mean : (n_x, n_y, 2) array, px
        NaN where there is none.
    rms : (n_x, n_y) array, px
    """
    xy, r = views.inliers
    bins = image_cells(views)
    n, x, y, square = (
        np.histogram2d(xy[:, 0], xy[:, 1], bins=bins, weights=w)[0] for w in (None, r[:, 0], r[:, 1], (r * r).sum(-1))
    )
    with np.errstate(invalid="ignore"):
        return n, np.stack([x / n, y / n], axis=-1), np.sqrt(square / n)


def pairs(calibration: Calibration) -> list[Pair]:
    """List the pairs of cameras that saw the board together, the strongest first."""
    names, bundle = calibration.rig.names, calibration.solution.bundle
    seen = np.zeros((len(names), len(bundle.world_from_board), len(bundle.points)), dtype=bool)
    seen[bundle.camera, bundle.frame] = np.isfinite(bundle.xy).all(-1)
    found = []
    for (a, b), link in calibration.links.items():
        if a in names and b in names:
            i, j = sorted((names.index(a), names.index(b)))
            together = seen[i].any(-1) & seen[j].any(-1)
            corners = int((seen[i] & seen[j]).sum())
            found.append(Pair(i, j, int(together.sum()), corners, link.shared, link.agreeing))
    return sorted(found, key=lambda pair: (-pair.instants, -pair.corners, pair.a, pair.b))


def weakest_link(links: list[Pair], n_cameras: int) -> tuple[Pair | None, list[list[int]]]:
    """Find the pair on which the rig hangs: the weakest of the strongest tree that joins the cameras.

    Parameters
    ----------
    links : list of Pair
        The strongest first.
    n_cameras : int

    Returns
    -------
    weakest : Pair or None
    groups : list of list of int
        Cameras that are joined by instants that took part; one group if all is well.
    """
    group, last = list(range(n_cameras)), None
    for pair in links:  # Kruskal's algorithm
        a, b = group[pair.a], group[pair.b]
        if a != b and pair.instants:
            group = [a if g == b else g for g in group]
            last = pair
    return last, [[i for i in range(n_cameras) if group[i] == g] for g in dict.fromkeys(group)]


def edge_lengths(calibration: Calibration) -> FloatArray:
    """Triangulate the board's corners and return how much too long each of its edges came out, (n,) mm.

    Along the edges' true directions: noise across an edge would only ever lengthen it.
    """
    bundle, sigma = calibration.solution.bundle, calibration.solution.sigma
    if len(calibration.rig) < 2:
        return np.zeros(0)
    length = np.linalg.norm(_residuals(calibration), axis=-1, keepdims=True)
    xy = np.full((len(bundle.world_from_board), len(bundle.lens), len(bundle.points), 2), np.nan)
    xy[bundle.frame, bundle.camera] = np.where(length <= _OUTLIER * sigma[bundle.camera, None, None], bundle.xy, np.nan)
    rays = calibration.rig.undistort(np.swapaxes(xy, 1, 2))
    weights = np.broadcast_to(calibration.rig.focals / sigma, rays.shape[:-1])
    ends = triangulate_svd(rays, bundle.cam_from_world, weights=weights)[:, calibration.board.edges]
    true = np.diff(bundle.points[calibration.board.edges], axis=1)[:, 0] / calibration.board.square_mm
    along = true @ np.swapaxes(bundle.world_from_board[:, :3, :3], -1, -2)
    found = ((ends[:, :, 1] - ends[:, :, 0]) * along).sum(-1).ravel()
    return np.asarray(found[np.isfinite(found)] - calibration.board.square_mm)


def _centers(calibration: Calibration) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return cameras' rotations (n, 3, 3), centres (n, 3) in mm, and their derivative by all parameters (n, 3, k)."""
    uncertainty, poses = calibration.uncertainty, calibration.solution.bundle.cam_from_world
    J = np.zeros((len(poses), 3, len(uncertainty.camera)))
    for i, pose in enumerate(poses):
        full = np.zeros((3, 18))
        full[:, 12:15], full[:, 15:] = -pose[:3, :3].T @ skew(pose[:3, 3]), -pose[:3, :3].T
        mine = uncertainty.camera == i
        J[i][:, mine] = full[:, uncertainty.number[mine]]
    return poses[:, :3, :3], inverse(poses)[:, :3, 3], J


def center_sd_mm(calibration: Calibration) -> FloatArray:
    """Return standard deviations of the cameras' positions along their own axes, (n_cameras, 3) mm.

    Relative to the first camera, whose own are 0.
    """
    rotation, _, J = _centers(calibration)
    J = rotation @ J
    return _root(((J @ calibration.uncertainty.covariance) * J).sum(-1))


def baselines(calibration: Calibration) -> tuple[FloatArray, FloatArray]:
    """Return distances between cameras and their standard deviations, (n_cameras, n_cameras) mm each."""
    _, centers, J = _centers(calibration)
    along = centers[:, None] - centers
    length = np.linalg.norm(along, axis=-1)
    unit = along / np.maximum(length, 1e-9)[..., None]
    by_parameter = np.einsum("abi,abik->abk", unit, J[:, None] - J[None])
    variance = ((by_parameter @ calibration.uncertainty.covariance) * by_parameter).sum(-1)
    return length, _root(variance)


def _root(variance: FloatArray) -> FloatArray:
    """Return standard deviations; NaN where an ill-conditioned covariance says less than nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.abs(variance) < 1e-12, 0.0, np.sqrt(variance)))
