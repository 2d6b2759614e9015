"""DeepLabCut's tables of 2D keypoints, h5 and csv, single- and multi-animal; Lightning Pose writes the same csv.

Columns are (scorer, [individuals,] bodyparts, coords), rows are frames. Keypoints that belong to no individual stand
under the individual ``single``.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.camera_keypoints import CameraKeypoints
from pose3d.io.dlc_csv import LEVELS, CsvTable
from pose3d.io.dlc_h5 import H5Table, is_h5
from pose3d.io.files import require_file, write_text
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.io.rows import find_frame_rows, unique_names
from pose3d.io.whole_h5 import written_h5

__all__ = ["find_layout", "open_dlc", "read_dlc", "write_dlc"]

_Column: TypeAlias = tuple[str, ...]


def read_dlc(path: str | Path, *, camera: str) -> Keypoints2D:
    """Read DeepLabCut's or Lightning Pose's predictions of one camera's video.

    Parameters
    ----------
    path : path
        ``.h5`` (either of pandas' formats) or ``.csv``. Found out from the content.
    camera : str
        Name that the camera gets.

    Returns
    -------
    Keypoints2D
        One camera. The likelihood is the score; a point without one (filtered or labelled by hand) gets 1. The first
        frame may have any number, and frames left out are missing. DeepLabCut writes NaN for what is absent, and for
        a point that it is unsure of a place with a low likelihood, so nothing but NaN counts as missing: (0, 0) is a
        place like any other.

    Raises
    ------
    FormatError
        If the file is no such table, cut short or damaged.

    Notes
    -----
    ``pandas.read_hdf`` is not used: PyTables unpickles what it finds, so that a file from elsewhere could run code.
    """
    return open_dlc(path).whole(camera)


def open_dlc(
    path: str | Path, *, rename: Callable[[Sequence[_Column]], Sequence[_Column]] | None = None
) -> CameraKeypoints:
    """Open what :func:`read_dlc` reads, to be read by parts.

    Parameters
    ----------
    path : path
    rename : callable, optional
        Gives all columns other names before they are looked at.

    Raises
    ------
    FormatError
        If the file is no such table, cut short or damaged. What can only be seen in the values themselves is found when
        they are read.
    """
    path = require_file(path)
    table = H5Table(path) if is_h5(path) else CsvTable(path)
    names, source, target = find_layout(rename(table.columns) if rename else table.columns, path)
    frames = find_frame_rows(table.numbers(), len(table.columns), path)
    shape = (*map(len, names), 3)

    def read_rows(first: int, last: int) -> Iterator[FloatArray]:
        for rows in table.rows(first, last):
            values = np.full((len(rows), math.prod(shape)), np.nan)
            values[:, target] = rows[:, source]
            yield values.reshape(len(rows), *shape)

    return CameraKeypoints(path, names, frames, read_rows, rows_at_once=table.at_once)


def write_dlc(keypoints: Keypoints2D, path: str | Path, *, scorer: str = "pose3d") -> None:
    """Write the keypoints of one camera as DeepLabCut would.

    The same keypoints give the same bytes (but for h5 of more than 1000 columns, in which pandas keeps the time). One
    individual gives a single-animal table, in which its name has no place.

    Parameters
    ----------
    keypoints : Keypoints2D
        Of one camera.
    path : path
        ``.h5`` (key ``df_with_missing``) or ``.csv``.
    scorer : str, optional

    Raises
    ------
    ValueError
        If there are several cameras, or the suffix is another.
    Pose3DError
        If the file cannot be written.
    """
    path = Path(path)
    if len(keypoints.cameras) != 1:
        raise ValueError(f"a DeepLabCut file holds one camera, not {len(keypoints.cameras)}")
    if path.suffix.lower() not in (".h5", ".csv"):
        raise ValueError(f"{path}: DeepLabCut's tables are .h5 or .csv")
    single = len(keypoints.individuals) == 1
    names = [
        ((scorer, part, coord) if single else (scorer, individual, part, coord))
        for individual in keypoints.individuals
        for part in keypoints.keypoints
        for coord in ("x", "y", "likelihood")
    ]
    levels = ["scorer", "bodyparts", "coords"] if single else list(LEVELS)
    values = np.concatenate([keypoints.xy[:, 0], keypoints.score[:, 0, ..., None]], axis=-1)
    frame = pd.DataFrame(
        values.reshape(keypoints.n_frames, -1),
        columns=pd.MultiIndex.from_tuples(names, names=levels),
        index=np.arange(keypoints.start, keypoints.start + keypoints.n_frames),
    )
    if path.suffix.lower() == ".csv":
        write_text(path, frame.to_csv(lineterminator="\n"))
        return
    # The table format keeps all column names in one attribute, which HDF5 limits to 64 KiB.
    with written_h5(path) as table:
        # The table format keeps all column names in one attribute, which HDF5 limits to 64 KiB.
        table.put(frame, form="table" if len(names) <= 1000 else "fixed")


def find_layout(
    columns: Sequence[_Column], path: Path
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], list[int], list[int]]:
    """Find out what the columns hold.

    Parameters
    ----------
    columns : sequence of tuple of str
        (scorer, [individual,] keypoint, coordinate) of each.
    path : Path
        For messages.

    Returns
    -------
    names : (individuals, keypoints)
    source : list of int
        Columns that hold a coordinate or score.
    target : list of int
        The place of each in an (individuals, keypoints, 3) array laid flat.

    Raises
    ------
    FormatError
        If they hold no 2D keypoints of one scorer, or one twice.
    """
    scorers = list(dict.fromkeys(column[0] for column in columns))
    if len(scorers) > 1:
        raise FormatError(f"{path}: holds predictions of {len(scorers)} scorers ({', '.join(scorers)}); keep one")
    coords = {column[-1] for column in columns}
    if "z" in coords:
        raise FormatError(f"{path}: holds 3D points; the 2D predictions of each camera are needed")
    if not {"x", "y"} <= coords:
        raise FormatError(f"{path}: the columns hold no x and y")
    owners = [column[1] if len(column) == 4 else SINGLE_INDIVIDUAL for column in columns]
    individuals = unique_names(list(dict.fromkeys(owners)), "individual", path)
    parts = unique_names(list(dict.fromkeys(column[-2] for column in columns)), "keypoint", path)
    axes = {name: i for i, name in enumerate(("x", "y", "likelihood"))}
    places = [{name: i for i, name in enumerate(names)} for names in (individuals, parts)]
    found: dict[int, int] = {}  # which column comes to which place
    for i, (column, owner) in enumerate(zip(columns, owners, strict=True)):
        part, coord = column[-2:]
        if coord not in axes:  # such as an ensemble's variances
            continue
        place = (places[0][owner] * len(parts) + places[1][part]) * len(axes) + axes[coord]
        if place in found:
            raise FormatError(f'{path}: column "{part}" {coord} is there twice')
        found[place] = i
    return (individuals, parts), list(found.values()), list(found)
