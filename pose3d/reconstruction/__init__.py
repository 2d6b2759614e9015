"""Points in space from detections in several cameras."""

from pose3d.reconstruction.files import RecordingSummary, reconstruct_to_files
from pose3d.reconstruction.from_files import TriangulationRequest, triangulate_files
from pose3d.reconstruction.in_memory import reconstruct
from pose3d.reconstruction.points.summary import CameraUse, TriangulationSummary
from pose3d.reconstruction.points.triangulation import Triangulation, triangulate, triangulate_views
from pose3d.reconstruction.recording import Reconstructor
from pose3d.reconstruction.refinement.settings import AniposeWeights, RefinementSettings
from pose3d.reconstruction.results import Reconstruction, ViewSettings

__all__ = [
    "AniposeWeights",
    "CameraUse",
    "Reconstruction",
    "Reconstructor",
    "RecordingSummary",
    "RefinementSettings",
    "Triangulation",
    "TriangulationRequest",
    "TriangulationSummary",
    "ViewSettings",
    "reconstruct",
    "reconstruct_to_files",
    "triangulate",
    "triangulate_files",
    "triangulate_views",
]
