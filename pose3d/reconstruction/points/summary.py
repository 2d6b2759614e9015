"""What a triangulation used, what it left out, and how well the cameras agree."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pose3d.data import Keypoints3D
from pose3d.geometry.arrays import BoolArray, FloatArray

__all__ = ["CameraUse", "TriangulationSummary", "summarize"]

_ENOUGH = 20_000  # errors that a percentile is taken from; more do not change its second digit
_MANY = 0.2  # share of views left out above which a person should look at the camera


@dataclass(frozen=True)
class CameraUse:
    """One camera's part in a triangulation.

    Attributes
    ----------
    name : str
    n_views : int
        Detections at or above the score threshold, in points with enough views.
    n_used : int
        Those that made a point.
    median_px, p95_px : float
        Reprojection error of the used views; NaN without any.
    noise_px : float
        Estimated standard deviation of the detections, per axis.
    threshold_px : float
        Error from which a view was left out; infinite if none was to be.
    """

    name: str
    n_views: int
    n_used: int
    median_px: float
    p95_px: float
    noise_px: float
    threshold_px: float

    @property
    def left_out(self) -> float:
        """Share of the views that was left out, 0..1."""
        return 1 - self.n_used / self.n_views if self.n_views else 0.0


@dataclass(frozen=True)
class TriangulationSummary:
    """Figures of one triangulation.

    Attributes
    ----------
    cameras : tuple of CameraUse
    n_points : int
        Frames times individuals times keypoints.
    n_reconstructed : int
    n_unseen : int
        Missing: too few views at or above the score threshold.
    n_disagreeing : int
        Missing: enough views, but too few that agree.
    median_error_px : float
        Of the points' mean reprojection errors; NaN without any.
    never_made : tuple of str
        Keypoints with detections, but without a position in any frame.
    """

    cameras: tuple[CameraUse, ...]
    n_points: int
    n_reconstructed: int
    n_unseen: int
    n_disagreeing: int
    median_error_px: float
    never_made: tuple[str, ...] = ()

    @property
    def missing(self) -> float:
        """Share of the points without a position, 0..1."""
        return 1 - self.n_reconstructed / self.n_points if self.n_points else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: None where a figure does not exist."""

        def plain(value: Any) -> Any:
            return None if isinstance(value, float) and not np.isfinite(value) else value

        cameras = [
            {key: plain(value) for key, value in asdict(camera).items()} | {"left_out": camera.left_out}
            for camera in self.cameras
        ]
        own = {key: plain(value) for key, value in asdict(self).items() if key != "cameras"}
        return own | {"missing": self.missing, "cameras": cameras}

    def lines(self) -> list[str]:
        """Return the summary as lines for people."""
        reasons = f"{self.n_unseen} seen by too few cameras, {self.n_disagreeing} whose views disagree"
        out = [f"{self.n_reconstructed} of {self.n_points} points ({100 * self.missing:.1f} % missing: {reasons})"]
        if np.isfinite(self.median_error_px):
            out.append(f"median reprojection error {self.median_error_px:.2f} px")
        if self.never_made:
            out.append(f"never made, since too few cameras see them at once or agree: {', '.join(self.never_made)}")
        width = max((len(camera.name) for camera in self.cameras), default=0)
        for camera in self.cameras:
            if not camera.n_views:
                out.append(f"{camera.name:<{width}}  no view at or above the score threshold")
                continue
            line = f"{camera.name:<{width}}  {camera.n_used} of {camera.n_views} views used"
            if camera.n_used:
                line += f", error median {camera.median_px:.2f} px, 95 % below {camera.p95_px:.2f} px"
            if camera.left_out > _MANY:
                line += f"; {100 * camera.left_out:.0f} % left out: check its calibration, synchronisation and labels"
            out.append(line)
        return out


def _percentiles(values: FloatArray, keep: BoolArray, percentages: list[float]) -> list[float]:
    """Return percentiles of the values to keep (n_frames, ...), of long recordings from frames all over it."""
    step = max(1, np.count_nonzero(keep) // _ENOUGH)
    kept = values[::step][keep[::step]]
    if not len(kept):
        kept = values[keep]
    return (
        [float(value) for value in np.percentile(kept, percentages)] if len(kept) else [float("nan")] * len(percentages)
    )


def summarize(
    points: Keypoints3D,
    *,
    cameras: tuple[str, ...],
    seen: BoolArray,
    used: BoolArray,
    residual_px: FloatArray,
    noise_px: FloatArray,
    threshold_px: FloatArray,
    min_cameras: int,
) -> TriangulationSummary:
    """Count and measure.

    Parameters
    ----------
    points : Keypoints3D
    cameras : tuple of str
    seen, used : (n_frames, n_cameras, n_individuals, n_keypoints) array
        Views at or above the score threshold, and those that made the points.
    residual_px : (n_frames, n_cameras, n_individuals, n_keypoints) array, px
    noise_px, threshold_px : (n_cameras,) array, px
    min_cameras : int
    """
    made = np.isfinite(points.xyz[..., 0])
    enough = seen.sum(1) >= min_cameras
    uses = []
    for c, name in enumerate(cameras):
        n_views = int((seen[:, c] & enough).sum())
        n_used = int(np.count_nonzero(used[:, c]))
        median, p95 = _percentiles(residual_px[:, c], used[:, c], [50, 95])
        uses.append(CameraUse(name, n_views, n_used, median, p95, float(noise_px[c]), float(threshold_px[c])))
    return TriangulationSummary(
        cameras=tuple(uses),
        n_points=int(made.size),
        n_reconstructed=int(made.sum()),
        n_unseen=int((~made & ~enough).sum()),
        n_disagreeing=int((~made & enough).sum()),
        median_error_px=_percentiles(points.error, made, [50])[0],
        never_made=tuple(
            name for k, name in enumerate(points.keypoints) if not made[..., k].any() and seen[..., k].any()
        ),
    )
