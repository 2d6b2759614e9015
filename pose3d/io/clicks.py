"""Points that a person clicked in single images: a csv with a row for each click."""

from pathlib import Path

import numpy as np

from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import FormatError
from pose3d.io.files import require_file
from pose3d.io.tables import read_table, require_numbers

__all__ = ["read_clicks"]

_COLUMNS = ("camera", "point", "x", "y")
_MAX_BYTES = 5_000_000


def read_clicks(path: str | Path) -> Keypoints2D:
    """Read a csv with the columns ``camera, point, x, y`` (px, the centre of the top-left pixel is 0, 0).

    Parameters
    ----------
    path : path

    Returns
    -------
    Keypoints2D
        One frame, one individual; cameras and points in the order in which they first appear; score 1.

    Raises
    ------
    FormatError
        If it is no such table, or a camera has a point twice.
    """
    path = require_file(path, "csv of clicked points")
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: is too large for clicked points; give a csv with the columns {','.join(_COLUMNS)}")
    table = read_table(path.read_bytes(), path)
    table.columns = [str(column).strip().lower() for column in table.columns]
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing:
        raise FormatError(f"{path}: column {missing[0]} is missing; the columns must be {','.join(_COLUMNS)}")
    if len(set(table.columns)) < len(table.columns):
        raise FormatError(f"{path}: a column stands there twice; the columns must be {','.join(_COLUMNS)}")
    table = table[list(_COLUMNS)]
    if table[["camera", "point"]].isna().any().any():
        raise FormatError(f"{path}: a row has no camera or no point; complete it")
    require_numbers(table[["x", "y"]], path)
    cameras, points = (table[column].astype(str).str.strip() for column in ("camera", "point"))
    twice = (cameras + "\0" + points).duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise FormatError(f"{path}: camera {cameras.iloc[row]} has point {points.iloc[row]} twice; keep one of them")
    camera_names, point_names = tuple(dict.fromkeys(cameras)), tuple(dict.fromkeys(points))
    xy = np.full((1, len(camera_names), 1, len(point_names), 2), np.nan)
    place = [camera_names.index(name) for name in cameras], [point_names.index(name) for name in points]
    xy[0, place[0], 0, place[1]] = table[["x", "y"]].to_numpy(dtype=np.float64)
    return Keypoints2D(xy, np.ones(xy.shape[:-1]), camera_names, ("one",), point_names)
