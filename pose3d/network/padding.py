"""Images filled up to a size that a network takes."""

import numpy as np

from pose3d.io.images import Image

__all__ = ["MEAN_COLOUR", "pad_image"]

MEAN_COLOUR = (124, 116, 104)
"""Red, green, blue that becomes zero in the network; it fills images up to a size that the network takes."""


def pad_image(image: Image, size: tuple[int, int] | None = None, *, multiple: int = 32) -> Image:
    """Fill an image up with the mean colour, at the right and below.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
        Red, green, blue.
    size : (int, int), optional
        Width and height, px; what lies beyond is cut off. None: the next multiples of `multiple`.
    multiple : int, optional
    """
    height, width, _ = image.shape
    if size is None:
        size = -(-width // multiple) * multiple, -(-height // multiple) * multiple
    if size == (width, height):
        return image
    padded = np.empty((size[1], size[0], 3), dtype=np.uint8)
    padded[:] = MEAN_COLOUR
    width, height = min(width, size[0]), min(height, size[1])
    padded[:height, :width] = image[:height, :width]
    return padded
