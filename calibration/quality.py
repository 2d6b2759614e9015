"""How good a calibration is: reprojection per camera in px, and the board's own edges in mm."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pose3d.data.board import Board
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray
from pose3d.geometry.projection import undistort
from pose3d.geometry.triangulation import triangulate_svd

from .bundle import Solution, residuals

__all__ = ["CameraQuality", "Quality", "edge_errors", "measure"]

_OUTLIER = 4.0  # times a camera's noise: such corners do not count for edges, and are counted as outliers


@dataclass(frozen=True)
class CameraQuality:
    """One camera of a calibration.

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
    """

    name: str
    views: int
    dropped: int
    corners: int
    rms_px: float
    median_px: float
    p95_px: float
    outliers: float


@dataclass(frozen=True)
class Quality:
    """A calibration's figures.

    Attributes
    ----------
    cameras : tuple of CameraQuality
    edge_error_mm : float
        Root mean square error of the triangulated edges of the board's squares.
    edge_bias_mm : float
        Their mean error: its sign tells a scale that is too large (+) or too small.
    n_edges : int
        Edges that were measured; none with one camera.
    dropped_frames : dict of str to tuple of int
        Instants at which a camera's view was left out.
    """

    cameras: tuple[CameraQuality, ...]
    edge_error_mm: float
    edge_bias_mm: float
    n_edges: int
    dropped_frames: dict[str, tuple[int, ...]]

    @property
    def error_px(self) -> float:
        """Median over the cameras of their median errors."""
        return float(np.median([camera.median_px for camera in self.cameras]))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a json file."""
        return {**asdict(self), "error_px": self.error_px}

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
        if self.n_edges:
            out.append(
                f"board edges: error {self.edge_error_mm:.2f} mm (rms), bias {self.edge_bias_mm:+.2f} mm, "
                f"from {self.n_edges} edges"
            )
        for name, frames in self.dropped_frames.items():
            out.append(f"{name}: views dropped at frames {', '.join(map(str, frames))}")
        return out


def edge_errors(bundle_xy: FloatArray, rig_poses: FloatArray, weights: FloatArray, board: Board) -> FloatArray:
    """Triangulate corners and compare neighbouring ones with the board.

    Parameters
    ----------
    bundle_xy : (n_frames, n_cameras, n_corners, 2) array
        Normalised coordinates, NaN where not seen.
    rig_poses : (n_cameras, 4, 4) array, mm
    weights : (n_cameras,) array
        Focal length over noise.
    board : Board

    Returns
    -------
    (n,) array, mm
        Triangulated minus true length of every edge whose corners two cameras saw.
    """
    by_corner = np.swapaxes(bundle_xy, 1, 2)
    points = triangulate_svd(by_corner, rig_poses, weights=np.broadcast_to(weights, by_corner.shape[:-1]))
    edges = points[:, board.edges]
    length = np.linalg.norm(edges[:, :, 0] - edges[:, :, 1], axis=-1).ravel()
    return np.asarray(length[np.isfinite(length)] - board.square_mm)


def measure(
    solution: Solution, board: Board, *, names: tuple[str, ...], frames: IntArray, dropped: BoolArray
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

    Returns
    -------
    Quality
    """
    bundle = solution.bundle
    distance = np.linalg.norm(residuals(bundle), axis=-1)
    n_frames, n_cameras = len(bundle.world_from_board), len(names)
    rays = np.full((n_frames, n_cameras, len(bundle.points), 2), np.nan)
    cameras = []
    for i, name in enumerate(names):
        mine = bundle.camera == i
        d = distance[mine]
        fits = d <= _OUTLIER * solution.sigma[i]
        known = d[np.isfinite(d)]
        good = d[fits]
        cameras.append(
            CameraQuality(
                name=name,
                views=int(mine.sum()),
                dropped=int(dropped[:, i].sum()),
                corners=len(known),
                rms_px=float(np.sqrt((good * good).mean())) if len(good) else float("nan"),
                median_px=float(np.median(known)) if len(known) else float("nan"),
                p95_px=float(np.percentile(known, 95)) if len(known) else float("nan"),
                outliers=1 - len(good) / max(len(known), 1),
            )
        )
        xy, converged = undistort(
            bundle.xy[mine], bundle.matrix(i), bundle.distortion(i), fisheye=bool(bundle.fisheye[i])
        )
        rays[bundle.frame[mine], i] = np.where((fits & converged)[..., None], xy, np.nan)
    weights = np.sqrt(bundle.lens[:, 0] * bundle.lens[:, 1]) / solution.sigma
    errors = edge_errors(rays, bundle.cam_from_world, weights, board)
    some = len(errors) > 0
    return Quality(
        cameras=tuple(cameras),
        edge_error_mm=float(np.sqrt((errors * errors).mean())) if some else float("nan"),
        edge_bias_mm=float(errors.mean()) if some else float("nan"),
        n_edges=len(errors),
        dropped_frames={
            name: tuple(int(f) for f in frames[dropped[:, i]]) for i, name in enumerate(names) if dropped[:, i].any()
        },
    )
