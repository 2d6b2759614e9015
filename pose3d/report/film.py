"""Moments of a movement as a picture of a report."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .document import WIDTH_MM, Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["Film", "film_picture"]

_LABELS_MM = 4.5


@dataclass(frozen=True, eq=False)
class Film:
    """Moments of a movement, painted elsewhere.

    Attributes
    ----------
    image : (h, w, 3) uint8 array
        Blue, green, red; the moments are equally wide.
    labels : tuple of str
        Below each moment.
    caption : str
        Whose movement it is, and which.
    """

    image: NDArray[np.uint8]
    labels: tuple[str, ...]
    caption: str


def film_picture(film: Film) -> Picture:
    """Return the picture, as wide as the page."""
    height, width = film.image.shape[:2]
    tall = WIDTH_MM * height / width + _LABELS_MM
    return Picture(partial(_draw, film), tall, f"The skeleton at {', '.join(film.labels)}", film.caption)


def _draw(film: Film, figure: "Figure | SubFigure") -> None:
    from .document_style import SOFT  # brings matplotlib, which facts about a report do not need

    height, width = film.image.shape[:2]
    below = _LABELS_MM / (WIDTH_MM * height / width + _LABELS_MM)
    axes = figure.add_axes((0, below, 1, 1 - below))
    axes.imshow(film.image[..., ::-1], aspect="auto", interpolation="none")
    axes.set_axis_off()
    for i, label in enumerate(film.labels):
        figure.text((i + 0.5) / len(film.labels), 0.25 * below, label, ha="center", color=SOFT, fontsize=6.5)
