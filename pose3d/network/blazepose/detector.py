"""BlazePose's detector, which tells where in an image people are."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import FloatArray
from pose3d.network.blazepose.interpreter import Network
from pose3d.network.blazepose.region import letterbox, regions_around, to_image

__all__ = ["Detections", "Detector", "decode_boxes", "make_anchors", "merge_boxes"]

_SIZE = 224
_GRIDS = ((28, 2), (14, 2), (7, 6))  # cells along a side, anchors a cell
_N_VALUES = 12  # box centre, box size, four points
_MOST_OVERLAP = 0.3


class Detections(NamedTuple):
    """People found in an image, the surest first.

    Attributes
    ----------
    regions : (n, 4) array
        As :mod:`~pose3d.network.blazepose.region` has them.
    score : (n,) array, 0..1
    """

    regions: FloatArray
    score: FloatArray


class Detector:
    """Finds people.

    Parameters
    ----------
    path : path
        ``pose_detection.tflite``.
    threshold : float
        Least score of a person; whoever is none is found out by the landmark network.

    Raises
    ------
    ModelError
        If the file is no such network.
    """

    def __init__(self, path: str | Path, *, threshold: float = 0.3) -> None:
        self._anchors = make_anchors()
        n = len(self._anchors)
        outputs = {"Identity": (1, n, _N_VALUES), "Identity_1": (1, n, 1)}
        self._network = Network(path, inputs=(1, _SIZE, _SIZE, 3), outputs=outputs)
        self._threshold = threshold

    def find(self, image: NDArray[np.uint8]) -> Detections:
        """Find the people in an image.

        Parameters
        ----------
        image : (h, w, 3) uint8 array
            Red, green, blue.
        """
        square, frame = letterbox(image, size=_SIZE)
        raw, logits = self._network(square.astype(np.float32) / 127.5 - 1)
        boxes, score = decode_boxes(raw[0], logits[0, :, 0], self._anchors, threshold=self._threshold)
        boxes, score = merge_boxes(boxes, score)
        points = to_image(boxes[:, 4:].reshape(-1, 2), frame).reshape(-1, 4, 2)
        return Detections(regions_around(points[:, 0], points[:, 1]), score)


def make_anchors() -> FloatArray:
    """Return the (2254, 2) places, 0..1, to which the detector's boxes are relative."""
    grids = []
    for n, n_each in _GRIDS:
        y, x = np.meshgrid(*[(np.arange(n) + 0.5) / n] * 2, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), n_each, axis=0))
    return np.concatenate(grids)


def decode_boxes(
    raw: NDArray[np.float32], logits: NDArray[np.float32], anchors: FloatArray, *, threshold: float
) -> tuple[FloatArray, FloatArray]:
    """Turn the detector's output into boxes.

    Parameters
    ----------
    raw : (n_anchors, 12) array
    logits : (n_anchors,) array
    anchors : (n_anchors, 2) array
    threshold : float

    Returns
    -------
    boxes : (n, 12) array
        Of the head: centre and size; then four points as x, y; 0..1 over the input.
    score : (n,) array
    """
    score = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    sure = np.flatnonzero(score >= threshold)
    boxes = raw[sure].astype(np.float64).reshape(len(sure), _N_VALUES // 2, 2) / _SIZE
    boxes[:, [0, 2, 3, 4, 5]] += anchors[sure, None]
    return boxes.reshape(len(sure), _N_VALUES), score[sure]


def merge_boxes(boxes: FloatArray, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Replace boxes that overlap by their mean, weighted by score; each group keeps its best score.

    Parameters
    ----------
    boxes : (n, 12) array
    score : (n,) array

    Returns
    -------
    boxes : (n_people, 12) array
    score : (n_people,) array
        Descending.

    References
    ----------
    Bazarevsky et al. (2019), BlazeFace: sub-millisecond neural face detection on mobile GPUs, section 3.4.
    """
    order = np.argsort(-score, kind="stable")
    boxes, score = boxes[order], score[order]
    low, high = boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2
    shared = np.prod(np.clip(np.minimum(high[:, None], high) - np.maximum(low[:, None], low), 0, None), axis=-1)
    area = np.prod(np.clip(boxes[:, 2:4], 0, None), axis=-1)
    overlap = shared / np.maximum(area[:, None] + area - shared, 1e-12)
    left = np.ones(len(boxes), dtype=bool)
    merged, best = [], []
    while left.any():
        first = int(left.argmax())
        group = left & (overlap[first] > _MOST_OVERLAP)
        group[first] = True
        merged.append(np.average(boxes[group], axis=0, weights=score[group]))
        best.append(score[first])
        left &= ~group
    return np.array(merged).reshape(-1, boxes.shape[1]), np.array(best)
