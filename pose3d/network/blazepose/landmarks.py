"""BlazePose's landmarks of one person in a region of interest."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import FloatArray
from pose3d.network.blazepose.interpreter import Network
from pose3d.network.blazepose.region import crop_region, regions_around, to_image

__all__ = ["N_LANDMARKS", "LandmarkNetwork", "Pose", "decode_landmarks", "refine_by_heatmap"]

N_LANDMARKS = 33

_SIZE = 256
_GRID = 64
_N_POINTS = 39  # the landmarks, 2 for the next region, 4 that are not used
_REACH = 3  # cells of the heatmap around a point
_LEAST_PEAK = 0.5


class Pose(NamedTuple):
    """One person.

    Attributes
    ----------
    xy : (33, 2) array, px
    score : (33,) array, 0..1
    region : (4,) array
        Where to look for this person in the next image.
    presence : float
        Probability that the region shows a person.
    """

    xy: FloatArray
    score: FloatArray
    region: FloatArray
    presence: float


class LandmarkNetwork:
    """Finds the landmarks of a person.

    Parameters
    ----------
    path : path
        ``pose_landmark_full.tflite`` or another of its family.

    Raises
    ------
    ModelError
        If the file is no such network.
    """

    def __init__(self, path: str | Path) -> None:
        outputs = {"Identity": (1, 5 * _N_POINTS), "Identity_1": (1, 1), "Identity_3": (1, _GRID, _GRID, _N_POINTS)}
        self._network = Network(path, inputs=(1, _SIZE, _SIZE, 3), outputs=outputs)

    def find(self, image: NDArray[np.uint8], region: FloatArray) -> Pose:
        """Find the landmarks.

        Parameters
        ----------
        image : (h, w, 3) uint8 array
            Red, green, blue.
        region : (4,) array
        """
        crop = crop_region(image, region, size=_SIZE)
        raw, presence, heatmap = self._network(np.multiply(crop, 1 / 255, dtype=np.float32))
        points, score = decode_landmarks(raw[0], heatmap[0])
        points = to_image(points, region)
        following = regions_around(points[N_LANDMARKS], points[N_LANDMARKS + 1])
        return Pose(points[:N_LANDMARKS], score[:N_LANDMARKS], following, float(presence[0, 0]))


def decode_landmarks(raw: NDArray[np.float32], heatmap: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """Turn the network's output into places and scores.

    Parameters
    ----------
    raw : (195,) array
        x, y, z, visibility and presence of each point.
    heatmap : (64, 64, 39) array
        Logits.

    Returns
    -------
    points : (39, 2) array
        0..1 over the region.
    score : (39,) array
        Visibility times presence times the heatmap's peak at the point: the first two tell whether the landmark is in
        view, only the third how exactly it was found.
    """
    values = raw.reshape(_N_POINTS, 5).astype(np.float64)
    points, peak = refine_by_heatmap(values[:, :2] / _SIZE, heatmap)
    return points, _sigmoid(values[:, 3:]).prod(axis=-1) * peak


def refine_by_heatmap(points: FloatArray, heatmap: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
    """Move points to the centre of what the heatmap shows around them, where it is sure.

    Parameters
    ----------
    points : (n, 2) array
        0..1 over the heatmap.
    heatmap : (h, w, n) array
        Logits. Cell (i, j) stands for the place (j / w, i / h), as mirrored images show: with half a cell more, the
        points of an image and of the mirrored one differ by a cell.

    Returns
    -------
    points : (n, 2) array
    peak : (n,) array, 0..1
        Of the heatmap around each point.
    """
    size = np.array(heatmap.shape[1::-1])
    offsets = np.arange(-_REACH, _REACH + 1)
    cell = np.floor(np.clip(points, -1, 2) * size).astype(np.int64)[:, None] + offsets[:, None]  # (n, 7, 2): x and y
    inside = (cell >= 0) & (cell < size)
    held = np.clip(cell, 0, size - 1)
    patch = heatmap[held[:, :, None, 1], held[:, None, :, 0], np.arange(len(points))[:, None, None]]
    weight = np.where(inside[:, :, None, 1] & inside[:, None, :, 0], _sigmoid(patch.astype(np.float64)), 0.0)
    total = np.maximum(weight.sum((1, 2)), 1e-12)
    x, y = (weight.sum(1) * cell[..., 0]).sum(1), (weight.sum(2) * cell[..., 1]).sum(1)
    peak = weight.max((1, 2))
    refined = np.stack([x, y], axis=-1) / total[:, None] / size
    return np.where((peak >= _LEAST_PEAK)[:, None], refined, points), peak


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -100, 100))))
