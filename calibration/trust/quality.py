"""How good a calibration is: reprojection and prediction per camera in px, and the board's own edges in mm."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.projection import undistort
from pose3d.geometry.triangulation import triangulate_svd

from ..solver.bundle import Solution, residuals
from .coverage import Coverage, cell_of, measure_coverage
from .prediction import Prediction, finite_median, predict_corners

__all__ = ["CameraQuality", "EdgeErrors", "Quality", "edge_errors", "measure"]

_OUTLIER = 4.0  # times a camera's noise: such corners do not count for edges, and are counted as outliers,
_OUTLIER_PX = 0.5  # unless they are no farther than this
_NAN = float("nan")


@dataclass(frozen=True)
class CameraQuality:
    """One camera of a calibration. A figure that cannot be had is NaN.

    Attributes
    ----------
    name : str
    views : int
        Instants at which it saw the board and that took part.
    dropped : int
        Views that were left out, as their corners do not fit any pose of the board.
    corners : int
    rms_px, median_px, p95_px : float
        Distance between seen and reprojected corners; the root mean square is over the corners that are no outliers.
    outliers : float
        Part of the corners beyond four times the camera's noise.
    sigma_px : float
        Noise of a corner's coordinate, as the cameras together explain the corners.
    own_sigma_px : float
        The same for the camera by itself, boards placed by its own views. Far below `sigma_px`: the cameras disagree.
    held_out_px : float
        Median distance at instants that the cameras were not fitted to (a fifth held out in turn).
    left_out_px : float
        Median distance from where the other cameras alone predict this one's corners.
    left_out_expected_px, left_out_ratio : float
        What that would be with exact cameras and each one's own noise, and how many times more it is; about 1 if all
        is well.
    systematic_px : float
        Root mean square of what the errors in one part of the image have in common, boards placed by the camera's own
        views: a lens model that does not fit.
    focal_sd_percent, center_sd_px : float
        Standard deviations of focal length and principal point; 0 for a lens that was known before.
    """

    name: str
    views: int
    dropped: int
    corners: int
    rms_px: float
    median_px: float
    p95_px: float
    outliers: float
    sigma_px: float = _NAN
    own_sigma_px: float = _NAN
    held_out_px: float = _NAN
    left_out_px: float = _NAN
    left_out_expected_px: float = _NAN
    left_out_ratio: float = _NAN
    systematic_px: float = _NAN
    focal_sd_percent: float = _NAN
    center_sd_px: float = _NAN


@dataclass(frozen=True)
class EdgeErrors:
    """Triangulated against true edges of the board's squares.

    Attributes
    ----------
    rms_mm : float
        Root mean square error of the edges' lengths.
    bias_mm, bias_se_mm : float
        Mean error along the edges' directions, and its standard error: the sign tells a scale that is too large (+) or
        too small. Lengths themselves would not do, since noise across an edge only ever lengthens it.
    scale_percent, scale_se_percent : float
        The same in relation to the edges.
    stretch_percent, stretch_se_percent : float
        How much larger the scale is along the board's x axis than along its y axis.
    n : int
        Edges that were measured.
    """

    rms_mm: float = _NAN
    bias_mm: float = _NAN
    bias_se_mm: float = _NAN
    scale_percent: float = _NAN
    scale_se_percent: float = _NAN
    stretch_percent: float = _NAN
    stretch_se_percent: float = _NAN
    n: int = 0


@dataclass(frozen=True)
class Quality:
    """A calibration's figures.

    Attributes
    ----------
    cameras : tuple of CameraQuality
    edges : EdgeErrors
        Without numbers if there is one camera only.
    dropped_frames : dict of str to tuple of int
        Instants at which a camera's view was left out.
    coverage : Coverage or None
        None if the images' sizes were not given.
    """

    cameras: tuple[CameraQuality, ...]
    edges: EdgeErrors
    dropped_frames: dict[str, tuple[int, ...]]
    coverage: Coverage | None = None

    @property
    def error_px(self) -> float:
        """Median over the cameras of their median errors."""
        return float(np.median([camera.median_px for camera in self.cameras]))

    @property
    def edge_error_mm(self) -> float:
        """Root mean square error of the board's triangulated edges."""
        return self.edges.rms_mm

    @property
    def edge_bias_mm(self) -> float:
        """Their mean error along the edges."""
        return self.edges.bias_mm

    @property
    def n_edges(self) -> int:
        """Edges that were measured; none with one camera."""
        return self.edges.n

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a json file."""
        return {
            "cameras": [asdict(camera) for camera in self.cameras],
            "edge_error_mm": self.edges.rms_mm,
            "edge_bias_mm": self.edges.bias_mm,
            "edge_bias_se_mm": self.edges.bias_se_mm,
            "n_edges": self.edges.n,
            "scale_percent": self.edges.scale_percent,
            "scale_se_percent": self.edges.scale_se_percent,
            "stretch_percent": self.edges.stretch_percent,
            "stretch_se_percent": self.edges.stretch_se_percent,
            "dropped_frames": {name: list(frames) for name, frames in self.dropped_frames.items()},
            "error_px": self.error_px,
            "coverage": None if self.coverage is None else self.coverage.to_dict(),
        }

    def lines(self) -> list[str]:
        """Return lines for people: a table of the cameras, the board's edges, and the views that were dropped."""
        width = max(len("camera"), *(len(camera.name) for camera in self.cameras))
        heads = ("views", "dropped", "corners", "median px", "rms px", "p95 px", "outliers")
        out = ["  ".join([f"{'camera':<{width}}", *heads])]
        for c in self.cameras:
            pixels = (f"{value:.2f}" for value in (c.median_px, c.rms_px, c.p95_px))
            cells = (str(c.views), str(c.dropped), str(c.corners), *pixels, f"{100 * c.outliers:.1f} %")
            padded = (f"{cell:>{len(head)}}" for cell, head in zip(cells, heads, strict=True))
            out.append("  ".join([f"{c.name:<{width}}", *padded]))
        if self.edges.n:
            within = f" ± {self.edges.scale_se_percent:.2f}" if np.isfinite(self.edges.scale_se_percent) else ""
            out.append(
                f"board edges: error {self.edges.rms_mm:.2f} mm (rms), bias {self.edges.bias_mm:+.2f} mm "
                f"({self.edges.scale_percent:+.2f}{within} %), from {self.edges.n} edges"
            )
        for name, frames in self.dropped_frames.items():
            out.append(f"{name}: views dropped at frames {', '.join(map(str, frames))}")
        return out


def edge_errors(rays: FloatArray, solution: Solution, board: Board) -> EdgeErrors:
    """Triangulate corners and compare neighbouring ones with the board.

    Parameters
    ----------
    rays : (n_frames, n_cameras, n_corners, 2) array
        Normalised coordinates, NaN where not seen or not to be used.
    solution : Solution
    board : Board

    Returns
    -------
    EdgeErrors
        Standard errors are from the scatter between instants, as errors within one go together.
    """
    bundle = solution.bundle
    focal = np.sqrt(bundle.lens[:, 0] * bundle.lens[:, 1])
    by_corner = np.swapaxes(rays, 1, 2)
    weights = np.broadcast_to(focal / solution.sigma, by_corner.shape[:-1])
    found = _edges(triangulate_svd(by_corner, bundle.cam_from_world, weights=weights), board)
    true = _edges(bundle.points, board)
    length = np.linalg.norm(true, axis=-1)
    directions = (true / length[:, None]) @ np.swapaxes(bundle.world_from_board[:, :3, :3], -1, -2)
    along = (found * directions).sum(-1) - length
    known = np.isfinite(along)
    if not known.any():
        return EdgeErrors()
    errors = (np.linalg.norm(found, axis=-1) - length)[known]
    percent = 100 * along / length
    is_x = np.broadcast_to(np.abs(true[:, 0]) > np.abs(true[:, 1]), along.shape)
    bias, bias_se = _mean(along, known)
    scale, scale_se = _mean(percent, known)
    x, x_se = _mean(percent, known & is_x)
    y, y_se = _mean(percent, known & ~is_x)
    return EdgeErrors(
        rms_mm=float(np.sqrt((errors * errors).mean())),
        bias_mm=bias,
        bias_se_mm=bias_se,
        scale_percent=scale,
        scale_se_percent=scale_se,
        stretch_percent=x - y,
        stretch_se_percent=float(np.hypot(x_se, y_se)),
        n=len(errors),
    )


def _edges(points: FloatArray, board: Board) -> FloatArray:
    """Return the vectors of the board's edges, (..., n_edges, 3), of its corners (..., n_corners, 3)."""
    ends = points[..., board.edges, :]
    return np.asarray(ends[..., 1, :] - ends[..., 0, :])


def _mean(values: FloatArray, known: BoolArray) -> tuple[float, float]:
    """Return the mean of (n_frames, n) values and its standard error from the scatter between frames."""
    n, n_frames = int(known.sum()), int(known.any(1).sum())
    if not n:
        return _NAN, _NAN
    mean = float(values[known].mean())
    if n_frames < 2:
        return mean, _NAN
    off = np.where(known, values - mean, 0.0).sum(1)
    return mean, float(np.sqrt((off * off).sum() * n_frames / (n_frames - 1)) / n)


def measure(
    solution: Solution,
    board: Board,
    *,
    names: tuple[str, ...],
    frames: IntArray,
    dropped: BoolArray,
    sizes: tuple[tuple[int, int], ...] | None = None,
) -> Quality:
    """Measure a refined calibration.

    Parameters
    ----------
    solution : Solution
    board : Board
    names : tuple of str
        Of the bundle's cameras.
    frames : (n_frames,) int array
        Instant of each of the bundle's boards.
    dropped : (n_frames, n_cameras) bool array
        Views that were left out of the solution.
    sizes : tuple of (int, int), px, optional
        The images' sizes; without them, there is no coverage and no systematic error.

    Returns
    -------
    Quality
    """
    bundle = solution.bundle
    errors = residuals(bundle)
    prediction = predict_corners(solution)
    rays = np.full((len(bundle.world_from_board), len(names), len(bundle.points), 2), np.nan)
    cameras = []
    for i, name in enumerate(names):
        mine = bundle.camera == i
        figures = _measure_camera(solution, prediction, errors, i, size=None if sizes is None else sizes[i])
        cameras.append(replace(figures, name=name, dropped=int(dropped[:, i].sum())))
        xy, converged = undistort(
            bundle.xy[mine], bundle.matrix(i), bundle.distortion(i), fisheye=bool(bundle.fisheye[i])
        )
        fits = np.linalg.norm(errors[mine], axis=-1) <= _farthest(solution.sigma[i])
        rays[bundle.frame[mine], i] = np.where((fits & converged)[..., None], xy, np.nan)
    return Quality(
        cameras=tuple(cameras),
        edges=edge_errors(rays, solution, board),
        dropped_frames={
            name: tuple(int(f) for f in frames[dropped[:, i]]) for i, name in enumerate(names) if dropped[:, i].any()
        },
        coverage=None if sizes is None else measure_coverage(bundle, names=names, sizes=sizes),
    )


def _farthest(sigma: float) -> float:
    """Return how far a good corner may lie from where it should, px."""
    return max(_OUTLIER * sigma, _OUTLIER_PX)


def _measure_camera(
    solution: Solution, prediction: Prediction, errors: FloatArray, camera: int, *, size: tuple[int, int] | None
) -> CameraQuality:
    """Return a camera's figures, as yet without its name."""
    bundle = solution.bundle
    mine = bundle.camera == camera
    lens, lens_sd = bundle.lens[camera], prediction.lens_sd[camera]
    distance = np.linalg.norm(errors[mine], axis=-1)
    known = distance[np.isfinite(distance)]
    fits = distance <= _farthest(solution.sigma[camera])
    good = distance[fits]
    own = np.where(fits[..., None], prediction.own_errors[mine], np.nan)
    return CameraQuality(
        name="",
        views=int(mine.sum()),
        dropped=0,
        corners=len(known),
        rms_px=float(np.sqrt((good * good).mean())) if len(good) else _NAN,
        median_px=finite_median(known),
        p95_px=float(np.percentile(known, 95)) if len(known) else _NAN,
        outliers=1 - len(good) / max(len(known), 1),
        sigma_px=float(solution.sigma[camera]),
        own_sigma_px=float(prediction.own_sigma[camera]),
        held_out_px=finite_median(prediction.held_out[mine]),
        left_out_px=finite_median(prediction.left_out[mine]),
        left_out_expected_px=finite_median(prediction.left_out_expected[mine]),
        left_out_ratio=float(prediction.left_out_ratio[camera]),
        systematic_px=_NAN if size is None else _systematic(bundle.xy[mine], own, size),
        focal_sd_percent=float(100 * np.max(lens_sd[:2] / lens[:2])),
        center_sd_px=float(lens_sd[2:4].max()),
    )


def _systematic(xy: FloatArray, errors: FloatArray, size: tuple[int, int]) -> float:
    """Return the root mean square of the cells' mean errors beyond what chance leaves of them, px.

    The mean over one view's corners in one cell counts as one observation, for they err together.
    """
    cell, shape = cell_of(xy, size)
    known = (cell >= 0) & np.isfinite(errors[..., 0])
    views = np.broadcast_to(np.arange(len(xy))[:, None], cell.shape)
    if not known.any():
        return _NAN
    n_cells = shape[0] * shape[1]
    place, group = np.unique(views[known] * n_cells + cell[known], return_inverse=True)
    count = np.bincount(group)
    means = np.stack([np.bincount(group, errors[known][:, k]) for k in range(2)], axis=-1) / count[:, None]
    place %= n_cells
    n = np.bincount(place, minlength=n_cells)
    often = n[place] > 1
    n_often, used = int((n > 1).sum()), int(often.sum())
    if used <= n_often:
        return _NAN
    total = np.stack([np.bincount(place, means[:, k], n_cells) for k in range(2)], axis=-1)
    of_cell = total / np.maximum(n, 1)[:, None]
    scatter = ((means - of_cell[place])[often] ** 2).sum() / (used - n_often)
    found = (of_cell[place][often] ** 2).sum() - n_often * scatter
    return float(np.sqrt(max(0.0, float(found)) / used))
