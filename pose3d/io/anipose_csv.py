"""The csv files of anipose: 3D points and angles.

They have exactly anipose's columns; status, covariance and frame rate stand in a file beside them
(:mod:`pose3d.io.uncertainty`). One file holds one individual. Several are written to one file each,
``<stem>_<individual>.csv``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pose3d.data import JointAngles, Keypoints3D, Status
from pose3d.errors import DataError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import require_file
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.io.rows import placed_by_frame
from pose3d.io.tables import (
    individual_paths,
    name_columns,
    read_table,
    require_numbers,
    table_of,
)
from pose3d.io.uncertainty import STATUS_WORDS, read_side, write_with_side
from pose3d.log import logger

__all__ = ["read_angles", "read_pose3d", "write_angles", "write_pose3d"]

_SUFFIXES = ("x", "y", "z", "error", "ncams", "score")
_FRAME_COLUMNS = [f"M_{i}{j}" for i in range(3) for j in range(3)] + [f"center_{i}" for i in range(3)]
_UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_UPPER_NAMES = tuple("xyz"[i] + "xyz"[j] for i, j in _UPPER)


def read_pose3d(path: str | Path) -> Keypoints3D:
    """Read a pose-3d csv of anipose or pose3d.

    Parameters
    ----------
    path : path

    Returns
    -------
    Keypoints3D
        In the world of the calibration: a turned and shifted frame (anipose's ``axes`` and ``reference_point``) is
        undone by ``(xyz + center) @ inv(M.T)``, since anipose's M need not be a rotation. Frames that the file leaves
        out are missing. Without a side file, points that no camera made are `filled`, all others `observed`, and `fps`
        is unknown.

    Raises
    ------
    FormatError
        If the file is no such csv or is damaged.
    """
    path = require_file(path, "pose-3d csv")
    data = path.read_bytes()
    table = read_table(data, path)
    names = [column.removesuffix("_error") for column in table.columns if column.endswith("_error")]
    wanted = [*name_columns(names, _SUFFIXES), *_FRAME_COLUMNS, "fnum"]
    missing = [column for column in wanted if column not in table.columns]
    if missing or not names:
        raise FormatError(
            f"{path}: no pose-3d csv of anipose ({_listing(missing or ['<keypoint>_error'])} missing); give one"
        )
    extra = [column for column in table.columns if column not in wanted]
    if extra:
        logger.warning("%s: columns that anipose does not have are not read: %s", path, _listing(extra))
    require_numbers(table[wanted], path)
    rows = table[name_columns(names, _SUFFIXES)].to_numpy(np.float64)
    values, start = placed_by_frame(rows.reshape(len(rows), 1, len(names), len(_SUFFIXES)), table["fnum"], path)
    xyz = _world_points(values[..., :3], table, path)
    n_cameras = np.nan_to_num(values[..., 4]).clip(0, 10_000).astype(np.int64)
    status = np.where(n_cameras > 0, Status.OBSERVED, Status.FILLED).astype(np.uint8)
    covariance = None
    side = read_side(path, data, (start, len(xyz)), name_columns(names, ("status",)), name_columns(names, _UPPER_NAMES))
    if side is not None:
        words = side.table[name_columns(names, ("status",))].to_numpy()
        status = np.stack([words == word for word in STATUS_WORDS]).argmax(0).astype(np.uint8)[:, None]
        if f"{names[0]}_{_UPPER_NAMES[0]}" in side.table:
            upper = side.table[name_columns(names, _UPPER_NAMES)].to_numpy(np.float64).reshape(*status.shape, 6)
            covariance = np.empty((*status.shape, 3, 3))
            for column, (a, b) in enumerate(_UPPER):
                covariance[..., a, b] = covariance[..., b, a] = upper[..., column]
    return Keypoints3D(
        xyz,
        values[..., 3],
        n_cameras,
        values[..., 5],
        status,
        (side.individual if side else SINGLE_INDIVIDUAL,),
        tuple(names),
        covariance,
        side.fps if side else None,
        start,
    )


def write_pose3d(points: Keypoints3D, path: str | Path) -> tuple[Path, ...]:
    """Write a pose-3d csv with exactly the columns of anipose, and ``<stem>.uncertainty.csv`` beside it.

    Points are written in their own world: M is the identity and center zero. As in anipose's files, `error` is empty
    where fewer than two cameras made a point, and `ncams` and `score` where none did.

    Parameters
    ----------
    points : Keypoints3D
    path : path
        Several individuals go to one file each, ``<stem>_<individual>.csv``.

    Returns
    -------
    tuple of Path
        The csv files written, in the order of the individuals.

    Raises
    ------
    DataError
        If a keypoint has no name, an individual's name cannot be part of a file name, or `path` is not named as a csv.
    """
    if "" in points.keypoints or not points.keypoints:
        raise DataError(f"{path}: a pose-3d csv needs keypoints with names; name them")
    paths = individual_paths(path, points.individuals)
    for i, (individual, file) in enumerate(zip(points.individuals, paths, strict=True)):
        n_cameras = points.n_cameras[:, i]
        values = np.empty((points.n_frames, len(points.keypoints), len(_SUFFIXES)))
        values[..., :3] = points.xyz[:, i]
        values[..., 3] = np.where(n_cameras >= 2, points.error[:, i], np.nan)
        values[..., 4] = np.where(n_cameras >= 1, n_cameras, np.nan)
        values[..., 5] = np.where(n_cameras >= 1, points.score[:, i], np.nan)
        table = table_of(values, points.keypoints, _SUFFIXES)
        frame = np.concatenate([np.eye(3).ravel(), np.zeros(3)])
        constant = pd.DataFrame(np.tile(frame, (points.n_frames, 1)), columns=_FRAME_COLUMNS)
        table = pd.concat([table, constant], axis=1)
        words = np.array([status.name.lower() for status in Status])[points.status[:, i]]
        side = [table_of(words, points.keypoints, ("status",))]
        if points.covariance is not None:
            upper = np.stack([points.covariance[:, i, :, a, b] for a, b in _UPPER], axis=-1)
            side.append(table_of(upper, points.keypoints, _UPPER_NAMES))
        write_with_side(file, table, side, individual, (points.fps, points.start))
    return paths


def read_angles(path: str | Path) -> JointAngles:
    """Read an angles csv of anipose or pose3d, in degrees.

    Parameters
    ----------
    path : path

    Returns
    -------
    JointAngles
        Frames that the file leaves out are missing. `fps` and `sd_deg` come from the side file, where there is one.

    Raises
    ------
    FormatError
        If the file is no such csv or is damaged.
    """
    path = require_file(path, "csv of angles")
    data = path.read_bytes()
    table = read_table(data, path)
    names = [column for column in table.columns if column != "fnum"]
    if len(names) == len(table.columns) or not names or set(_FRAME_COLUMNS) <= set(names):
        raise FormatError(f"{path}: is no angles csv of anipose (a column for each angle, then fnum); give one")
    require_numbers(table, path)
    deg, start = placed_by_frame(table[names].to_numpy(np.float64)[:, None], table["fnum"], path)
    side = read_side(path, data, (start, len(deg)), [], name_columns(names, ("sd",)))
    has_sd = side is not None and f"{names[0]}_sd" in side.table
    return JointAngles(
        deg,
        tuple(names),
        (side.individual if side else SINGLE_INDIVIDUAL,),
        side.table[name_columns(names, ("sd",))].to_numpy(np.float64)[:, None] if side and has_sd else None,
        side.fps if side else None,
        start,
    )


def write_angles(angles: JointAngles, path: str | Path) -> tuple[Path, ...]:
    """Write an angles csv as anipose does: a column for each angle in degrees, then ``fnum``.

    Frame rate and standard deviations go to ``<stem>.uncertainty.csv`` beside it.

    Parameters
    ----------
    angles : JointAngles
    path : path
        Several individuals go to one file each, ``<stem>_<individual>.csv``.

    Returns
    -------
    tuple of Path
        The csv files written, in the order of the individuals.

    Raises
    ------
    DataError
        If an angle has no name or that of the frame column, or an individual's name cannot be part of a file name.
    """
    if {"", "fnum"} & set(angles.names) or not angles.names or len(set(angles.names)) < len(angles.names):
        raise DataError(
            f"{path}: an angles csv needs angles with names that differ, none of them fnum; rename the angle"
        )
    paths = individual_paths(path, angles.individuals)
    for i, (individual, file) in enumerate(zip(angles.individuals, paths, strict=True)):
        table = pd.DataFrame(angles.deg[:, i], columns=list(angles.names))
        side = [] if angles.sd_deg is None else [table_of(angles.sd_deg[:, i], angles.names, ("sd",))]
        write_with_side(file, table, side, individual, (angles.fps, angles.start))
    return paths


def _world_points(xyz: FloatArray, table: pd.DataFrame, path: Path) -> FloatArray:
    frame = table[_FRAME_COLUMNS].to_numpy(np.float64)
    if not np.isfinite(frame).all() or (frame != frame[0]).any():
        raise FormatError(f"{path}: M and center must be the same finite numbers in every row; triangulate again")
    M, center = frame[0, :9].reshape(3, 3), frame[0, 9:]
    if np.array_equal(M, np.eye(3)) and not center.any():
        return xyz
    if not np.linalg.cond(M) < 1e12:
        raise FormatError(f"{path}: M is singular, so that the points cannot be turned back; triangulate again")
    return np.asarray((xyz + center) @ np.linalg.inv(M.T))


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
