"""Figures of how well views and points agree, by camera, keypoint and stretch of the recording."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.reconstruction.quality.findings import QualityFinding

__all__ = ["ViewQuality"]

_WORSE = 1.5  # times a camera's median: a keypoint worth naming
_NAMED = 3


@dataclass(frozen=True, eq=False, repr=False)
class ViewQuality:
    """How well the views of a recording agree with its points, and what is wrong.

    Errors are distances of detections from the projected points; views that triangulation left out are among them.

    Attributes
    ----------
    cameras, keypoints : tuple of str
    n_frames, start : int
    block_frames : int
        Length of the blocks that the recording is divided into; the last may be shorter.
    n_views : (n_blocks, n_cameras, n_keypoints) int array
        Detections at or above the score threshold.
    n_left_out : (n_blocks, n_cameras, n_keypoints) int array or None
        Those that did not make their point although there is one; None where it is unknown.
    median_px, p95_px : (n_cameras, n_keypoints) array, px
    camera_median_px, camera_p95_px : (n_cameras,) array, px
    block_median_px : (n_blocks, n_cameras, n_keypoints) array, px
    predicted_px : (n_cameras, n_keypoints) array, px
        Median distance from where the other views of the same point predict it: what a view that did not help to make
        the point would show. NaN with fewer than three views.
    noise_px : (n_cameras,) array, px
        Standard deviation of the detections per axis, the findings' faults set aside; with few cameras drawn towards
        their common value, as which of them is the noisy one shows less. NaN where unknown.
    findings : tuple of QualityFinding
        The greatest fault first.
    """

    cameras: tuple[str, ...]
    keypoints: tuple[str, ...]
    n_frames: int
    start: int
    block_frames: int
    n_views: IntArray
    n_left_out: IntArray | None
    median_px: FloatArray
    p95_px: FloatArray
    camera_median_px: FloatArray
    camera_p95_px: FloatArray
    block_median_px: FloatArray
    predicted_px: FloatArray
    noise_px: FloatArray
    findings: tuple[QualityFinding, ...]

    def __repr__(self) -> str:
        return (
            f"ViewQuality({self.n_frames} frames, {len(self.cameras)} cameras, {len(self.keypoints)} keypoints, "
            f"{len(self.findings)} findings)"
        )

    @property
    def left_out(self) -> FloatArray | None:
        """(n_cameras,) array, 0..1: share of each camera's views that was left out; NaN without any."""
        if self.n_left_out is None:
            return None
        views = self.n_views.sum((0, 2))
        return np.where(views > 0, self.n_left_out.sum((0, 2)) / np.maximum(views, 1), np.nan)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: None where a figure does not exist."""
        left_out = self.left_out
        cameras = [
            {
                "name": name,
                "n_views": int(self.n_views[:, c].sum()),
                "median_px": _plain(self.camera_median_px[c]),
                "p95_px": _plain(self.camera_p95_px[c]),
                "noise_px": _plain(self.noise_px[c]),
                "left_out": None if left_out is None else _plain(left_out[c]),
                "keypoints": {
                    keypoint: {
                        "n_views": int(self.n_views[:, c, k].sum()),
                        "median_px": _plain(self.median_px[c, k]),
                        "p95_px": _plain(self.p95_px[c, k]),
                        "predicted_px": _plain(self.predicted_px[c, k]),
                    }
                    for k, keypoint in enumerate(self.keypoints)
                },
            }
            for c, name in enumerate(self.cameras)
        ]
        return {
            "n_frames": self.n_frames,
            "start": self.start,
            "cameras": cameras,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def lines(self) -> list[str]:
        """Return the figures and the findings as lines for people."""
        width = max((len(name) for name in self.cameras), default=0)
        return [self._camera_line(c, width) for c in range(len(self.cameras))] + self.finding_lines()

    def finding_lines(self) -> list[str]:
        """Return what is wrong as lines for people; none if nothing is."""
        return [finding.line() for finding in self.findings]

    def _camera_line(self, c: int, width: int) -> str:
        head = f"{self.cameras[c]:<{width}}  "
        if not np.isfinite(self.camera_median_px[c]):
            return head + "no view of any point"
        line = f"{head}error median {self.camera_median_px[c]:.2f} px, 95 % below {self.camera_p95_px[c]:.2f} px"
        left_out = self.left_out
        if left_out is not None:
            line += f", {100 * left_out[c]:.1f} % of its views left out"
        medians = np.nan_to_num(self.median_px[c])
        worst = [k for k in np.argsort(-medians)[:_NAMED] if medians[k] > _WORSE * self.camera_median_px[c]]
        if worst:
            line += "; worst " + ", ".join(f"{self.keypoints[k]} {medians[k]:.2f}" for k in worst)
        return line


def _plain(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
