"""The csv files of anipose: 3D points and angles.

They have exactly anipose's columns; status, covariance and frame rate stand in a file beside them
(:mod:`pose3d.io.uncertainty`). One file holds one individual. Several are written to one file each,
``<stem>_<individual>.csv``.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pose3d.data import JointAngles, Keypoints3D, Status
from pose3d.data.edits import Edits
from pose3d.errors import DataError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import require_file, require_suffix
from pose3d.io.names import SINGLE_INDIVIDUAL
from pose3d.io.number_text import exact_text, integer_text, scientific_text, word_text
from pose3d.io.rows import placed_by_frame
from pose3d.io.tables import individual_paths, name_columns, read_table, require_numbers
from pose3d.io.uncertainty import STATUS_WORDS, Rows, SideHead, read_side, write_with_side
from pose3d.log import logger

__all__ = [
    "is_pose3d",
    "point_columns",
    "point_rows",
    "pose3d_paths",
    "read_angles",
    "read_pose3d",
    "write_angles",
    "write_pose3d",
]

_SUFFIXES = ("x", "y", "z", "error", "ncams", "score")
_FRAME_COLUMNS = [f"M_{i}{j}" for i in range(3) for j in range(3)] + [f"center_{i}" for i in range(3)]
_UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_UPPER_NAMES = tuple("xyz"[i] + "xyz"[j] for i, j in _UPPER)
# Some thousand numbers are formatted at once: enough for speed, and next to nothing in memory.
_CELLS_AT_ONCE = 60_000
_HEADER_BYTES = 1 << 22


def is_pose3d(path: str | Path) -> bool:
    """Tell whether a file is a pose-3d csv, by its columns; False where there is no such file.

    Parameters
    ----------
    path : path
    """
    path = Path(path)
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            columns = stream.readline(_HEADER_BYTES).strip().replace(b'"', b"").split(b",")
    except OSError:
        return False
    return b"fnum" in columns and any(column.endswith(b"_error") for column in columns)


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
    derived, upper_columns = name_columns(names, ("gap",)), name_columns(names, _UPPER_NAMES)
    span = (start, len(xyz))
    side = read_side(path, data, span, name_columns(names, ("status",)), (derived, upper_columns))
    if side is not None:
        words = side.table[name_columns(names, ("status",))].to_numpy()
        status = np.stack([words == word for word in STATUS_WORDS]).argmax(0).astype(np.uint8)[:, None]
        if f"{names[0]}_{_UPPER_NAMES[0]}" in side.table:
            upper = side.table[upper_columns].to_numpy(np.float64).reshape(*status.shape, 6)
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


def write_pose3d(points: Keypoints3D, path: str | Path, *, edits: Edits | None = None) -> tuple[Path, ...]:
    """Write a pose-3d csv with exactly the columns of anipose, and ``<stem>.uncertainty.csv`` beside it.

    Points are written in their own world: M is the identity and center zero. As in anipose's files, `error` is empty
    where fewer than two cameras made a point, and `ncams` and `score` where none did.

    Parameters
    ----------
    points : Keypoints3D
    path : path
        Several individuals go to one file each, ``<stem>_<individual>.csv``.
    edits : Edits, optional
        A person's corrections that the points hold.

    Returns
    -------
    tuple of Path
        The csv files written, in the order of the individuals.

    Raises
    ------
    DataError
        If a keypoint has no name, an individual's name cannot be part of a file name, or `path` is not named as a csv.
    """
    paths = pose3d_paths(path, points.keypoints, points.individuals)
    columns = point_columns(points.keypoints, covariance=points.covariance is not None)
    for i, (individual, file) in enumerate(zip(points.individuals, paths, strict=True)):
        rows = point_rows([(points, points.frames_from_data)], i)
        write_with_side(file, *columns, rows, SideHead(individual, points.fps, points.start, edits or Edits()))
    return paths


def pose3d_paths(path: str | Path, keypoints: Sequence[str], individuals: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the csv of each individual.

    Raises
    ------
    DataError
        If a keypoint has no name, an individual's name cannot be part of a file name, or `path` is not named as a csv.
    """
    if "" in keypoints or not keypoints:
        raise DataError(f"{path}: a pose-3d csv needs keypoints with names; name them")
    require_suffix(path, ".csv")
    return individual_paths(path, individuals)


def point_columns(keypoints: Sequence[str], *, covariance: bool) -> tuple[list[str], list[str]]:
    """Return the columns of a pose-3d csv but for its last, and of its side file but for its first two."""
    ends = (("status",), ("gap",), *([_UPPER_NAMES] if covariance else []))
    side = [column for end in ends for column in name_columns(keypoints, end)]
    return [*name_columns(keypoints, _SUFFIXES), *_FRAME_COLUMNS], side


def point_rows(chunks: Iterable[tuple[Keypoints3D, FloatArray]], individual: int) -> Iterator[Rows]:
    """Yield the rows of a pose-3d csv and of its side file, without the numbers and times of frames.

    Parameters
    ----------
    chunks : iterable of (Keypoints3D, (n_frames, n_individuals, n_keypoints) array)
        Points, one run of frames after the other, and how many frames they lie from data.
    individual : int
        Whose.
    """
    for points, gaps in chunks:
        step = max(1, _CELLS_AT_ONCE // (12 * len(points.keypoints)))
        for first in range(0, points.n_frames, step):
            yield _rows_of(points, gaps, (slice(first, first + step), individual))


def _rows_of(points: Keypoints3D, gaps: FloatArray, part: tuple[slice, int]) -> Rows:
    n_cameras, status, gap = points.n_cameras[part], points.status[part], gaps[part]
    n_rows = len(status)
    values = np.empty((*status.shape, len(_SUFFIXES)))
    values[..., :3] = points.xyz[part]
    values[..., 3] = np.where(n_cameras >= 2, points.error[part], np.nan)
    values[..., 4] = np.where(n_cameras >= 1, n_cameras, np.nan)
    values[..., 5] = np.where(n_cameras >= 1, points.score[part], np.nan)
    frame = word_text(("0.0", "1.0"), np.concatenate([np.eye(3, dtype=np.int64).ravel(), np.zeros(3, np.int64)]))
    main = [exact_text(values.reshape(n_rows, -1)), np.broadcast_to(frame, (n_rows, *frame.shape))]
    known = np.isfinite(gap)
    side = [word_text(STATUS_WORDS, status), integer_text(np.where(known, gap, 0).astype(np.int64), missing=~known)]
    if points.covariance is not None:
        upper = np.stack([points.covariance[part][..., a, b] for a, b in _UPPER], axis=-1)
        side.append(scientific_text(upper.reshape(n_rows, -1)))
    return main, side


def read_angles(path: str | Path) -> JointAngles:
    """Read an angles csv of anipose or pose3d, in degrees.

    Parameters
    ----------
    path : path

    Returns
    -------
    JointAngles
        Frames that the file leaves out are missing. `fps`, `sd_deg` and the intervals come from the side file, where
        there is one.

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
    columns = {kind: name_columns(names, (kind,)) for kind in ("sd", "low", "high")}
    side = read_side(path, data, (start, len(deg)), [], list(columns.values()))
    spread = {
        kind: side.table[own].to_numpy(np.float64)[:, None] if side and own[0] in side.table else None
        for kind, own in columns.items()
    }
    whole = spread["sd"] is not None and spread["high"] is not None
    return JointAngles(
        deg,
        tuple(names),
        (side.individual if side else SINGLE_INDIVIDUAL,),
        spread["sd"],
        side.fps if side else None,
        start,
        spread["low"] if whole else None,
        spread["high"] if whole else None,
    )


def write_angles(angles: JointAngles, path: str | Path) -> tuple[Path, ...]:
    """Write an angles csv as anipose does: a column for each angle in degrees, then ``fnum``.

    Frame rate, standard deviations and 95 % intervals go to ``<stem>.uncertainty.csv`` beside it.

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
        side_columns = name_columns(angles.names, [name for name, _ in _spreads(angles)])
        head = SideHead(individual, angles.fps, angles.start)
        write_with_side(file, angles.names, side_columns, _angle_rows(angles, i), head)
    return paths


def _angle_rows(angles: JointAngles, individual: int) -> Iterator[Rows]:
    spreads = _spreads(angles)
    step = max(1, _CELLS_AT_ONCE // (2 * len(angles.names)))
    for first in range(0, len(angles.deg), step):
        part = (slice(first, first + step), individual)
        beside = np.stack([values[part] for _, values in spreads], axis=-1) if spreads else None
        yield (
            [exact_text(angles.deg[part])],
            [] if beside is None else [exact_text(beside.reshape(len(beside), -1))],
        )


def _spreads(angles: JointAngles) -> list[tuple[str, FloatArray]]:
    """Return what the side file says of each angle, in the order of its columns."""
    kinds = (("sd", angles.sd_deg), ("low", angles.low_deg), ("high", angles.high_deg))
    return [(name, values) for name, values in kinds if values is not None]


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
