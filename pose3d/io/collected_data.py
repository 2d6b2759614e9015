"""DeepLabCut's tables of labelled images: ``CollectedData_<scorer>.csv`` and ``.h5``, single- and multi-animal.

Columns are (scorer, [individuals,] bodyparts, coords), rows are images: as ``labeled-data/<video>/<image>``, in one
column or in three, with slashes of either kind. Which keypoints are occluded or absent, for which DeepLabCut has no
place, stands beside them in ``CollectedData_<scorer>.marks.csv``.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pose3d.data.labels import ImageName, Labels, Mark
from pose3d.errors import DataError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.dlc import find_layout
from pose3d.io.dlc_csv import LEVELS
from pose3d.io.dlc_h5 import H5Table, is_h5, not_of_images
from pose3d.io.files import require_file, write_text
from pose3d.io.names import fits_file_name
from pose3d.io.whole_h5 import written_h5
from pose3d.log import logger

__all__ = ["UNIQUE_INDIVIDUAL", "find_tables", "read_collected_data", "table_stem", "write_collected_data"]

UNIQUE_INDIVIDUAL = "single"
"""The individual to which DeepLabCut gives keypoints that belong to no animal, such as corners of the cage."""

_FOLDER = "labeled-data"
_STEM = "CollectedData"
_MARKS = {Mark.OCCLUDED: "occluded", Mark.ABSENT: "absent"}
_MARK_COLUMNS = ["image", "individual", "keypoint", "mark"]
_MOST_BYTES = 2**29
_IMAGE_SUFFIX = re.compile(r"\.[A-Za-z]{3,4}$")


class _Rows(NamedTuple):
    """A table as its file holds it."""

    columns: list[tuple[str, ...]]
    names: list[tuple[str, ...]]
    values: FloatArray


def table_stem(scorer: str) -> str:
    """Return the name, without ending, of the files of a scorer's labels.

    Examples
    --------
    >>> table_stem("anna")
    'CollectedData_anna'
    """
    return f"{_STEM}_{scorer}"


def find_tables(folder: str | Path) -> dict[str, Path]:
    """Find the tables in a video's folder of labelled images.

    Returns
    -------
    dict
        Scorer to table, by name: the h5 if there is one, which DeepLabCut takes for the truth, else the csv. The scorer
        is empty for a plain ``CollectedData.csv``.
    """
    found: dict[str, Path] = {}
    for suffix in (".csv", ".h5"):
        for path in sorted(Path(folder).glob(f"{_STEM}*{suffix}")):
            stem = path.name.removesuffix(suffix)
            if path.is_file() and not stem.endswith(".marks") and stem[len(_STEM) :][:1] in ("", "_"):
                found[stem[len(_STEM) + 1 :]] = path
    return dict(sorted(found.items()))


def read_collected_data(path: str | Path) -> Labels:
    """Read labels of images.

    Parameters
    ----------
    path : path
        ``CollectedData_<scorer>.h5`` or ``.csv``; found out from the content. The marks beside it are read as well; if
        there are none, all that has a place is visible.

    Returns
    -------
    Labels
        Images in the order of the file, each under the last two parts of its name; an image that is named alone belongs
        to the folder in which the table lies. A table without individuals has one, ``individual_0``.

    Raises
    ------
    FormatError
        If the file is no such table, cut short or damaged, or an image is there twice.

    Notes
    -----
    Nothing is unpickled: a file from elsewhere cannot run code.
    """
    path = require_file(path, "table of labels")
    rows = _read_h5(path) if is_h5(path) else _read_csv(path)
    (individuals, keypoints), source, target = find_layout(rows.columns, path)
    images = _image_names(rows.names, path)
    shape = (len(individuals), len(keypoints), 3)
    values = np.full((len(images), int(np.prod(shape))), np.nan)
    values[:, target] = rows.values[:, source]
    xy = values.reshape(len(images), *shape)[..., :2]
    if np.isinf(xy).any():
        raise FormatError(f"{path}: {images[int(np.argwhere(np.isinf(xy))[0, 0])].image}: a coordinate is infinite")
    mark = np.zeros(xy.shape[:-1], dtype=np.uint8)
    labels = Labels(images, individuals, keypoints, xy, mark, rows.columns[0][0])
    return _with_marks(labels, _marks_path(path))


def write_collected_data(
    labels: Labels, folder: str | Path, *, scorer: str | None = None, unique_keypoints: Sequence[str] = ()
) -> tuple[Path, Path]:
    """Write labels of one video's images as DeepLabCut would, each file whole or not at all.

    The same labels give the same bytes (but for an h5 that pandas itself stamps with a time: it does not). One
    individual gives a single-animal table, in which its name has no place.

    Parameters
    ----------
    labels : Labels
        Of the images of one video. They are written in the order of their names.
    folder : path
        Made if need be.
    scorer : str, optional
        By default that of the labels.
    unique_keypoints : sequence of str, optional
        Where several individuals are told apart: keypoints of the individual ``single`` alone, as in DeepLabCut's
        ``uniquebodyparts``.

    Returns
    -------
    csv, h5 : Path
        ``CollectedData_<scorer>.csv`` and ``.h5``. Beside them lies ``CollectedData_<scorer>.marks.csv`` if a keypoint
        is occluded or absent.

    Raises
    ------
    ValueError
        If images are not of one video.
    DataError
        If the scorer's name cannot be part of a file's name.
    Pose3DError
        If the files cannot be written.
    """
    scorer = labels.scorer if scorer is None else scorer
    folder = Path(folder)
    if len({image.video for image in labels.images}) != 1:
        raise ValueError("images of one video are needed; each video has a table of its own")
    if not fits_file_name(scorer) or not scorer.strip(" ."):
        raise DataError(f"{folder}: the scorer {scorer!r} cannot be part of a file's name; choose another")
    labels = labels.take(sorted(range(len(labels)), key=lambda i: labels.images[i]))
    frame = _to_frame(labels, scorer, unique_keypoints)
    table, h5 = (folder / f"{table_stem(scorer)}{suffix}" for suffix in (".csv", ".h5"))
    write_text(table, frame.to_csv(lineterminator="\n"))
    _write_marks(labels, _marks_path(table))
    # Last: DeepLabCut and the reader above take the h5 for the truth.
    with written_h5(h5) as rows:
        rows.put(frame, form="fixed")
    return table, h5


def _to_frame(labels: Labels, scorer: str, unique_keypoints: Sequence[str]) -> pd.DataFrame:
    several = len(labels.individuals) > 1
    names, source = [], []
    for i, individual in enumerate(labels.individuals):
        for k, keypoint in enumerate(labels.keypoints):
            foreign = (keypoint in unique_keypoints) != (individual == UNIQUE_INDIVIDUAL)
            if several and unique_keypoints and foreign and not labels.mark[:, i, k].any():
                continue
            for axis, coord in enumerate("xy"):
                names.append((scorer, individual, keypoint, coord) if several else (scorer, keypoint, coord))
                source.append((i * len(labels.keypoints) + k) * 2 + axis)
    levels = list(LEVELS) if several else [level for level in LEVELS if level != "individuals"]
    rows = [(_FOLDER, *image) for image in labels.images]
    return pd.DataFrame(
        labels.xy.reshape(len(labels), -1)[:, source],
        columns=pd.MultiIndex.from_tuples(names, names=levels),
        index=pd.MultiIndex.from_tuples(rows),
    )


def _read_h5(path: Path) -> _Rows:
    table = H5Table(path, of_images=True)
    names = table.images()
    blocks = list(table.rows(0, len(names)))
    values = np.concatenate(blocks) if blocks else np.empty((0, len(table.columns)))
    if len(values) != len(names):
        raise FormatError(f"{path}: {len(names)} images for {len(values)} rows; the file is damaged")
    return _Rows(table.columns, names, values)


def _read_csv(path: Path) -> _Rows:
    lines = _csv_lines(path, "DeepLabCut's .h5 or .csv")
    header: dict[str, list[str]] = {}
    for line in lines[: len(LEVELS)]:
        if not line or line[0] not in LEVELS or line[0] in header:
            break
        header[line[0]] = line[1:]
    levels = [level for level in LEVELS if level in header]
    if levels not in (["scorer", "bodyparts", "coords"], list(LEVELS)):
        raise FormatError(
            f"{path}: is no table of labels; its first lines must begin with scorer, [individuals,] bodyparts, coords"
        )
    # Names in three columns leave the header's two cells after its first one empty.
    n_more = next((i for i, word in enumerate(header["scorer"]) if word), 0)
    if n_more not in (0, 2) or any(any(header[level][:n_more]) for level in levels):
        raise FormatError(f"{path}: the header's lines do not begin alike; the file is damaged")
    columns = list(zip(*(header[level][n_more:] for level in levels), strict=False))
    if not columns or any(len(header[level]) != n_more + len(columns) for level in levels):
        raise FormatError(f"{path}: the header's lines differ in length; the file is damaged")
    rows = [(number, line) for number, line in enumerate(lines[len(levels) :], len(levels) + 1) if any(line)]
    width = 1 + n_more + len(columns)
    for number, line in rows:
        if len(line) != width:
            raise FormatError(f"{path}: line {number} has {len(line)} places, not {width}; it is cut short or damaged")
    cells = np.array([line[1 + n_more :] for _, line in rows], dtype=np.str_).reshape(len(rows), len(columns))
    try:
        values = np.where(np.char.strip(cells) == "", "nan", cells).astype(np.float64)
    except ValueError as error:
        raise FormatError(f"{path}: a place that must hold a number holds something else ({error})") from error
    return _Rows(columns, [tuple(line[: 1 + n_more]) for _, line in rows], values)


def _csv_lines(path: Path, what: str) -> list[list[str]]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FormatError(f"{path}: is too large for labels; is it another file?")
        text = path.read_bytes().decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline="")))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is neither HDF5 nor UTF-8 text; {what} is needed") from error
    except csv.Error as error:
        raise FormatError(f"{path}: is no csv ({error})") from error
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error


def _image_names(names: Sequence[tuple[str, ...]], path: Path) -> tuple[ImageName, ...]:
    images = [_image_name(parts, path) for parts in names]
    twice = [image for image, n in Counter(images).items() if n > 1]
    if twice:
        raise FormatError(f"{path}: image {twice[0].image} of {twice[0].video} is there twice; keep one row of it")
    return tuple(images)


def _image_name(parts: Sequence[str], path: Path) -> ImageName:
    words = re.split(r"[/\\]", "/".join(parts))
    if len(words) == 1:
        words = [path.resolve().parent.name, *words]
    video, image = words[-2:]
    # Both become parts of paths: what leads elsewhere is refused.
    if not all(fits_file_name(word) and word.strip(" .") for word in (video, image)):
        raise FormatError(f"{path}: {'/'.join(parts)[:80]!r} names no image")
    if not _IMAGE_SUFFIX.search(image):
        raise FormatError(not_of_images(path) if image.isdecimal() else f"{path}: {image[:80]!r} names no image")
    return ImageName(video, image)


def _marks_path(table: Path) -> Path:
    return table.with_name(f"{table.name.removesuffix(table.suffix)}.marks.csv")


def _write_marks(labels: Labels, path: Path) -> None:
    lines = list(_mark_lines(labels))
    if not lines:
        path.unlink(missing_ok=True)
        return
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([_MARK_COLUMNS, *lines])
    write_text(path, stream.getvalue())


def _mark_lines(labels: Labels) -> Iterator[tuple[str, str, str, str]]:
    for image, i, k in np.argwhere(np.isin(labels.mark, list(_MARKS))):
        word = _MARKS[Mark(int(labels.mark[image, i, k]))]
        yield labels.images[image].image, labels.individuals[i], labels.keypoints[k], word


def _with_marks(labels: Labels, path: Path) -> Labels:
    if not path.exists():
        return labels
    lines = _csv_lines(require_file(path, "table of marks"), "a table of marks")
    if not lines or lines[0] != _MARK_COLUMNS:
        raise FormatError(f"{path}: is no table of marks; its first line must be {','.join(_MARK_COLUMNS)}")
    known = {word: mark for mark, word in _MARKS.items()}
    at = [
        {name: i for i, name in enumerate(names)}
        for names in ([image.image for image in labels.images], labels.individuals, labels.keypoints)
    ]
    mark = labels.mark.copy()
    strangers = 0
    for number, line in enumerate(lines[1:], 2):
        if not any(line):
            continue
        if len(line) != len(_MARK_COLUMNS) or line[3] not in known:
            raise FormatError(f"{path}: line {number} is no image, individual, keypoint and occluded or absent")
        if len(labels.individuals) == 1:  # whose name the table has no place for
            line[1] = labels.individuals[0]
        place = [names.get(word) for names, word in zip(at, line[:3], strict=True)]
        if None in place:
            strangers += 1
        else:
            mark[tuple(place)] = known[line[3]]
    if strangers:
        logger.warning("%s: %d marks are of images or keypoints that the table does not have", path, strangers)
    return Labels(labels.images, labels.individuals, labels.keypoints, labels.xy, mark, labels.scorer)
