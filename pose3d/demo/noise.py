"""Noise of the cameras' sensors."""

import cv2
import numpy as np

__all__ = ["SensorNoise"]


class SensorNoise:
    """Adds noise that differs from frame to frame.

    One field larger than the image is drawn, and every frame takes another window of it, which is far cheaper than a
    fresh field and independent for all that looks at single frames.

    Parameters
    ----------
    size : (int, int)
        Width and height, px.
    sigma : float
        Standard deviation, grey levels; 0 for none.
    rng : numpy Generator
    """

    def __init__(self, size: tuple[int, int], *, sigma: float, rng: np.random.Generator) -> None:
        self._size, self._rng, self._spare = size, rng, 256
        w, h = size
        shape = (h + self._spare, w + self._spare)
        self._field: np.ndarray | None = None
        if sigma > 0:
            field = np.round(sigma * rng.standard_normal(shape, dtype=np.float32)).astype(np.int16)
            self._field = np.repeat(field[..., None], 3, axis=2)

    def add(self, image: np.ndarray, *, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return the (h, w, 3) uint8 image with noise; `rng` makes the noise of a frame that is rendered by itself."""
        if self._field is None:
            return image
        w, h = self._size
        x, y = (int(v) for v in (rng or self._rng).integers(0, self._spare, 2))
        return np.asarray(cv2.add(image, self._field[y : y + h, x : x + w], dtype=cv2.CV_8U))
