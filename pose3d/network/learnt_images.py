"""Which images a network learnt from, and which were held out: ``images.csv`` in its folder."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pose3d.data.labels import ImageName
from pose3d.errors import FormatError
from pose3d.io.files import require_file, write_text

__all__ = ["IMAGES_NAME", "LearntImages", "read_learnt_images", "write_learnt_images"]

IMAGES_NAME = "images.csv"

_COLUMNS = ("video", "image", "part")
_PARTS = ("learnt", "held out")


@dataclass(frozen=True)
class LearntImages:
    """Images by the part that they had in a training.

    Attributes
    ----------
    learnt, held_out : frozenset of ImageName
    """

    learnt: frozenset[ImageName]
    held_out: frozenset[ImageName]

    def __contains__(self, image: ImageName) -> bool:
        return image in self.learnt or image in self.held_out


def write_learnt_images(learnt: Iterable[ImageName], held_out: Iterable[ImageName], folder: str | Path) -> None:
    """Write the list into a model's folder, so that what was held out stays held out when it learns on."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for part, images in zip(_PARTS, (learnt, held_out), strict=True):
        writer.writerows((image.video, image.image, part) for image in sorted(set(images)))
    write_text(Path(folder) / IMAGES_NAME, text.getvalue())


def read_learnt_images(folder: str | Path) -> LearntImages | None:
    """Read the list from a model's folder; None where there is none.

    Raises
    ------
    FormatError
        If the file is something else.
    """
    path = Path(folder) / IMAGES_NAME
    if not path.exists():
        return None
    path = require_file(path)
    parts: dict[str, set[ImageName]] = {part: set() for part in _PARTS}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                raise ValueError(f"the columns are not {', '.join(_COLUMNS)}")
            for row in reader:
                parts[row["part"]].add(ImageName(str(row["video"]), str(row["image"])))
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise FormatError(f"{path}: is no list of images ({error}); train the network again") from error
    return LearntImages(frozenset(parts["learnt"]), frozenset(parts["held out"]))
