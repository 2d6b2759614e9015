"""Long tables, a row a number, for statistics programs: csv or Parquet, with a JSON beside that explains them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pose3d.data import JointAngles, Keypoints3D, Status
from pose3d.errors import DataError, DependencyError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import atomic_path, require_suffix, write_text

__all__ = ["TIDY_COLUMNS", "sidecar_path", "tidy_table", "write_tidy"]

TIDY_COLUMNS = {
    "trial": "name of the recording",
    "frame": "index of the frame in the recording, from 0",
    "time_s": "seconds from frame 0: frame / fps; empty where the frame rate is unknown",
    "person": "individual",
    "variable": "keypoint, or angle without its side",
    "side": "L, R, or empty",
    "plane": "of keypoints the axis x, y or z; of angles sagittal, frontal or transverse, empty where it has no name",
    "value": "the number; empty where it is missing",
    "unit": "mm or deg",
    "flag": "observed; filled (from neighbouring frames and limbs); missing",
}
_MORE_COLUMNS = {
    "sd": "standard deviation of the value, same unit",
    "low": "lower end of the interval that holds the true value with a probability of 95 %",
    "high": "upper end of that interval",
}
_FLAGS = {Status.MISSING: "missing", Status.OBSERVED: "observed", Status.FILLED: "filled"}
_CONVENTIONS = {
    "world": "right-handed; X forward, Y left, Z up where the cameras were aligned with the floor; mm",
    "angles": "degrees; flexion, adduction and internal rotation positive, both sides alike",
    "missing": "an empty cell (null in Parquet), never 0",
}
_PLANES = (
    (("flexion", "dorsiflexion", "tilt", "pitch", "flexion_trunk", "lean"), "sagittal"),
    (("adduction", "abduction", "obliquity", "lateral", "roll", "sway"), "frontal"),
    (("rotation", "progression"), "transverse"),
)


def tidy_table(
    trial: str,
    points: Keypoints3D,
    angles: JointAngles | None = None,
    *,
    angle_status: "np.ndarray[Any, np.dtype[np.uint8]] | None" = None,
    spread: tuple[FloatArray, FloatArray] | None = None,
) -> pd.DataFrame:
    """Make the long table of a trial.

    Parameters
    ----------
    trial : str
    points : Keypoints3D
        Their standard deviations come from their covariance, where they have one.
    angles : JointAngles, optional
        Of the same frames and individuals; with their intervals, where they have some.
    angle_status : (n_frames, n_individuals, n_angles) uint8 array, optional
        Of :class:`pose3d.data.Status`: the worst of the keypoints of each angle.
    spread : two (n_frames, n_individuals, n_keypoints, 3) arrays, mm, optional
        Low and high.

    Returns
    -------
    pandas.DataFrame
        With :data:`TIDY_COLUMNS`; and ``sd``, ``low``, ``high`` where they are known for anything.
    """
    sd = None
    if points.covariance is not None:
        sd = np.sqrt(np.diagonal(points.covariance, axis1=-2, axis2=-1))
    status = np.broadcast_to(points.status[..., None], points.xyz.shape)
    names = [(*_keypoint(name), axis, "mm") for name in points.keypoints for axis in "xyz"]
    tables = [_long(trial, points, names, (points.xyz, status, sd, spread))]
    if angles is not None:
        if (angles.n_frames, angles.individuals) != (points.n_frames, points.individuals):
            raise DataError("the angles are of other frames or individuals than the points")
        if angle_status is None:
            angle_status = np.full(angles.deg.shape, Status.OBSERVED, dtype=np.uint8)
        angle_status = np.where(np.isfinite(angles.deg), angle_status, Status.MISSING)
        low, high = angles.low_deg, angles.high_deg
        ends = None if low is None or high is None else (low, high)
        names = [(*_angle(name), "deg") for name in angles.names]
        tables.append(_long(trial, points, names, (angles.deg, angle_status, angles.sd_deg, ends)))
    table = pd.concat(tables, ignore_index=True)
    return table.drop(columns=[name for name in _MORE_COLUMNS if table[name].isna().all()])


def write_tidy(table: pd.DataFrame, path: str | Path, *, facts: dict[str, Any] | None = None) -> tuple[Path, ...]:
    """Write a long table as csv or Parquet, by the ending of `path`, and its JSON beside it.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :func:`tidy_table`.
    path : path
        ``.csv`` or ``.parquet``.
    facts : dict, optional
        More for the JSON.

    Returns
    -------
    tuple of Path
        The table, and the JSON.

    Raises
    ------
    DataError
        If `path` ends otherwise.
    DependencyError
        If pyarrow is not installed, for Parquet.
    """
    path = Path(path)
    parquet = path.suffix.lower() == ".parquet"
    if not parquet:
        require_suffix(path, ".csv")
    columns = {name: (TIDY_COLUMNS | _MORE_COLUMNS)[name] for name in table.columns}
    sidecar = {"columns": columns, "conventions": _CONVENTIONS, **(facts or {})}
    with atomic_path(path) as temporary:
        if parquet:
            try:
                table.to_parquet(temporary, engine="pyarrow", index=False)
            except ImportError as error:
                raise DependencyError("Parquet needs the package pyarrow: pip install 'pose3d[parquet]'") from error
        else:
            table.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    beside = sidecar_path(path)
    write_text(beside, json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n")
    return path, beside


def sidecar_path(path: str | Path) -> Path:
    """Return where the JSON of a long table lies."""
    path = Path(path)
    return path.with_name(f"{path.name}.schema.json")


def _long(
    trial: str,
    points: Keypoints3D,
    names: list[tuple[str, str, str, str]],
    arrays: tuple[FloatArray, Any, FloatArray | None, tuple[FloatArray, FloatArray] | None],
) -> pd.DataFrame:
    """Lay out (n_frames, n_individuals, ...) numbers by individual, name and frame."""
    values, status, sd, spread = arrays
    n_frames, n_people, n_names = points.n_frames, len(points.individuals), len(names)

    def column(array: Any) -> Any:
        return np.moveaxis(np.asarray(array).reshape(n_frames, n_people, n_names), 0, -1).ravel()

    def words(which: int) -> Any:
        return np.tile(np.repeat(np.array([name[which] for name in names], dtype=object), n_frames), n_people)

    nothing = np.full(n_people * n_names * n_frames, np.nan)
    value = column(values)
    known = np.isfinite(value)
    frame = np.tile(np.arange(points.start, points.start + n_frames), n_people * n_names)
    people = np.repeat(np.arange(n_people), n_names * n_frames)
    flag = np.where(known, column(status), Status.MISSING)
    uncertain = [sd, *(spread or (None, None))]
    return pd.DataFrame(
        {
            "trial": trial,
            "frame": frame,
            "time_s": nothing if points.fps is None else frame / points.fps,
            "person": np.array(points.individuals, dtype=object)[people],
            "variable": words(0),
            "side": words(1),
            "plane": words(2),
            "value": value,
            "unit": words(3),
            "flag": np.array([_FLAGS[kind] for kind in sorted(_FLAGS)], dtype=object)[flag],
            **{
                key: nothing if array is None else np.where(known, column(array), np.nan)
                for key, array in zip(_MORE_COLUMNS, uncertain, strict=True)
            },
        }
    )


def _keypoint(name: str) -> tuple[str, str]:
    """Return a keypoint's name as it is, and its side."""
    side = name[:1] if name[:1] in "LR" and name[1:2].isupper() else ""
    words = name.lower().split("_")
    for letter, word in (("L", "left"), ("R", "right")):
        if letter.lower() in words or word in words:
            side = letter
    return name, side


def _angle(name: str) -> tuple[str, str, str]:
    """Return an angle's name without its side, the side, and the plane."""
    stem, _, side = name.rpartition("_")
    if side not in ("l", "r"):
        stem, side = name, ""
    ends = ((end, plane) for words, plane in _PLANES for end in words)
    plane = next((plane for end, plane in ends if stem.endswith(f"_{end}")), "")
    return stem, side.upper(), plane
