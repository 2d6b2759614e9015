"""Regions of interest: turned squares around people, cut out of images, and coordinates in them and back.

A region is a row (centre x, centre y, side, angle): image px and radians, the angle from the image's x axis to that of
the region, clockwise as seen on the screen.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import FloatArray

__all__ = ["crop_region", "letterbox", "regions_around", "to_image", "to_region"]

# Side of the region over the diameter of the circle around a person. MediaPipe has 1.25; a little less shows people
# larger, so that they are found more exactly; at 1.05 it is worse again, and at 1.0 they are lost.
_MARGIN = 1.2


def regions_around(center: FloatArray, rim: FloatArray) -> FloatArray:
    """Return the regions of people of whom the middle of the hips and a point on the circle around the body are known.

    Parameters
    ----------
    center : (..., 2) array, px
    rim : (..., 2) array, px
        Above the head of an upright person.

    Returns
    -------
    (..., 4) array

    References
    ----------
    Bazarevsky et al. (2020), BlazePose: on-device real-time body pose tracking, figure 3.

    Examples
    --------
    >>> regions_around(np.array([50.0, 60.0]), np.array([50.0, 20.0])).tolist()
    [50.0, 60.0, 96.0, 0.0]
    """
    way = np.asarray(rim) - center
    side = 2 * _MARGIN * np.linalg.norm(way, axis=-1)
    angle = np.pi / 2 - np.arctan2(-way[..., 1], way[..., 0])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    return np.concatenate([center, side[..., None], angle[..., None]], axis=-1)


def to_image(points: FloatArray, region: FloatArray) -> FloatArray:
    """Turn coordinates in a region, 0..1 from edge to edge, into image px.

    Parameters
    ----------
    points : (..., n, 2) array
    region : (..., 4) array
    """
    away = np.einsum("...ij,...nj->...ni", _axes(region), np.asarray(points) - 0.5)
    return np.asarray(away + region[..., None, :2])


def to_region(points: FloatArray, region: FloatArray) -> FloatArray:
    """Turn image px into coordinates in a region, the inverse of :func:`to_image`.

    >>> region = np.array([50.0, 60.0, 100.0, 0.3])
    >>> bool(np.allclose(to_image(to_region(np.array([[7.0, 8.0]]), region), region), [[7, 8]]))
    True
    """
    way = np.asarray(points) - region[..., None, :2]
    return np.asarray(np.einsum("...ji,...nj->...ni", _axes(region), way) / region[..., 2, None, None] ** 2 + 0.5)


def crop_region(image: NDArray[np.uint8], region: FloatArray, *, size: int) -> NDArray[np.uint8]:
    """Cut a region out of an image.

    What is to be made smaller is averaged first, so that no line of the image is skipped.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
    region : (4,) array
    size : int
        Width and height of the result, px.

    Returns
    -------
    (size, size, 3) uint8 array
        Beyond the image its edge is repeated.
    """
    cell = float(region[2]) / size
    height, width = image.shape[:2]
    matrix = _axes(region) / size
    start = region[:2] + matrix @ np.full(2, 0.5 - size / 2)  # image px of the crop's first pixel
    shrink = int(np.clip(cell, 1, min(height, width)))
    if shrink > 1:
        corners = to_image(np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]]), region)
        # Counted from the image's corner in whole blocks: a block holds the same pixels wherever the region lies.
        low = np.clip(np.floor(corners.min(0) / shrink).astype(int), 0, np.array([width, height]) // shrink - 1)
        high = np.clip(np.ceil(corners.max(0) / shrink).astype(int) + 1, low + 1, np.array([width, height]) // shrink)
        part = image[low[1] * shrink : high[1] * shrink, low[0] * shrink : high[0] * shrink]
        image = np.asarray(cv2.resize(part, (high - low).tolist(), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        start = (start - low * shrink + 0.5) / shrink - 0.5
        matrix = matrix / shrink
    return np.asarray(
        cv2.warpAffine(
            image,
            np.column_stack([matrix, start]),
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.uint8,
    )


def letterbox(image: NDArray[np.uint8], *, size: int) -> tuple[NDArray[np.uint8], FloatArray]:
    """Scale an image into a square, black where there is no image.

    Returns
    -------
    square : (size, size, 3) uint8 array
    region : (4,) array
        What the square shows of the image, for :func:`to_image`.
    """
    height, width = image.shape[:2]
    long = max(height, width)
    inner = max(1, round(width * size / long)), max(1, round(height * size / long))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    square = np.zeros((size, size, 3), np.uint8)
    x, y = (size - inner[0]) // 2, (size - inner[1]) // 2
    square[y : y + inner[1], x : x + inner[0]] = small
    cell = np.array([width, height]) / inner  # rounding makes that of the shorter side a little different
    center = (size / 2 - np.array([x, y])) * cell - 0.5
    return square, np.array([*center, float(long), 0.0])


def _axes(region: FloatArray) -> FloatArray:
    """Return the region's axes as columns, each as long as its side."""
    cos, sin = np.cos(region[..., 3]), np.sin(region[..., 3])
    turn = np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)
    return np.asarray(turn * region[..., 2, None, None])
