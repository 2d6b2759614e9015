"""How well views and points agree, and what is wrong where they do not."""

from pose3d.reconstruction.quality.accumulation import QualityAccumulator, measure_quality
from pose3d.reconstruction.quality.errors import reproject_points, view_errors, view_residuals
from pose3d.reconstruction.quality.findings import QualityFinding
from pose3d.reconstruction.quality.summary import ViewQuality

__all__ = [
    "QualityAccumulator",
    "QualityFinding",
    "ViewQuality",
    "measure_quality",
    "reproject_points",
    "view_errors",
    "view_residuals",
]
