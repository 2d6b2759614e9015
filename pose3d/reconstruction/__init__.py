"""Points in space from detections in several cameras."""

from pose3d.reconstruction.points.summary import CameraUse, TriangulationSummary
from pose3d.reconstruction.points.triangulation import Triangulation, triangulate, triangulate_views

__all__ = ["CameraUse", "Triangulation", "TriangulationSummary", "triangulate", "triangulate_views"]
