"""A network that finds dots of four colours without ever having been trained, and videos of such dots."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pose3d.io.video import write_video

# Blue, green, red, of the keypoints red, green, blue, yellow.
COLOURS = np.array([[30, 30, 255], [30, 255, 30], [255, 30, 30], [20, 240, 240]], dtype=float)


def draw_dots(places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Draw an image, blue, green, red; a place that is NaN has no dot."""
    image = np.full((size[1], size[0], 3), 90.0)
    rows, columns = np.mgrid[: size[1], : size[0]]
    for (x, y), colour in zip(places, COLOURS, strict=True):
        if np.isfinite(x):
            blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 7.0**2))[..., None]
            image = image * (1 - blob) + colour * blob
    return image.round().astype(np.uint8)


@pytest.fixture(scope="session")
def draw() -> Callable[[np.ndarray, tuple[int, int]], np.ndarray]:
    return draw_dots


@pytest.fixture(scope="session")
def dot_model() -> Path:
    """The folder of the network; ``make_dots.py`` in it makes it anew."""
    return Path(__file__).parent / "dots"


@pytest.fixture(scope="session")
def dot_places() -> np.ndarray:
    """(90, 4, 2) array, px: four dots that walk through 480x360 px together."""
    t = np.arange(90)[:, None]
    middle = np.stack([180 + 130 * np.sin(t / 25), 180 + 60 * np.cos(t / 17)], axis=-1)
    return middle + np.array([[-32.0, -30], [30, -25], [-28, 34], [33, 30]])


@pytest.fixture(scope="session")
def dot_video(tmp_path_factory: pytest.TempPathFactory, dot_places: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("dots") / "walk_A.mp4"
    write_video(path, (draw_dots(places, (480, 360)) for places in dot_places), fps=50, crf=8)
    return path
