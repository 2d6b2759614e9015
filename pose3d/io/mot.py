"""MOT, OpenSim's motions: angles over time, as generalized coordinates of a model.

Where an angle has the same definition as a coordinate of OpenSim's usual models of the whole body (Rajagopal 2016 and
those after it; sign, order of turns and what is zero), it goes in under that coordinate's name; all others go in under
their own names, which such a model does not know and leaves alone:

======================  ================  =================================================================
angle                   coordinate        same as
======================  ================  =================================================================
``knee_flexion_r``      ``knee_angle_r``  shank against thigh, 0 straight, flexion positive. The older models
                                          gait2354 and gait2392 count flexion negative
``ankle_dorsiflexion``  ``ankle_angle``   0 with the foot at a right angle to the shank, dorsiflexion positive
``elbow_flexion``       ``elbow_flex``    0 straight, flexion positive
``hip_flexion``,        the same names    flexion, adduction, rotation in this order, from the pelvis; how the
``hip_adduction``,                        model's pelvis is drawn shifts the zero of the flexion by a few degrees
``hip_rotation``
======================  ================  =================================================================

``pelvis_tilt`` and the like are no such coordinates: ours are against the direction of walking and backwards in two of
three signs, OpenSim's are against the ground. ``hip_flexion_trunk`` is against the trunk.

OpenSim's ``Storage`` ends a line at ``NaN`` and goes on with wrong numbers, so that a motion cannot hold gaps. They are
filled linearly, at the ends with the nearest value, and the header says how many. An angle that is missing in more than
half of the frames is left out.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pose3d.data import JointAngles
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import require_rate, require_suffix, write_text
from pose3d.io.tables import individual_paths
from pose3d.log import logger

__all__ = ["OPENSIM_COORDINATES", "write_mot"]

OPENSIM_COORDINATES: Mapping[str, str] = {
    "knee_flexion": "knee_angle",
    "ankle_dorsiflexion": "ankle_angle",
    "elbow_flexion": "elbow_flex",
}
"""Our names to OpenSim's, without the side; names that are the same in both are not listed."""

_LEAST_KNOWN = 0.5  # of the frames
_IN_DEGREES = (
    "If the header above contains a line with 'inDegrees', this indicates whether rotational values are in degrees "
    "(yes) or radians (no)."
)


def write_mot(angles: JointAngles, path: str | Path, *, fps: float | None = None) -> tuple[Path, ...]:
    """Write angles as MOT, in degrees.

    The time of the first frame of the recording is 0 s, as in a TRC.

    Parameters
    ----------
    angles : JointAngles
    path : path
        Several individuals go to one file each, ``<stem>_<individual>.mot``.
    fps : float, optional
        Instead of ``angles.fps``.

    Returns
    -------
    tuple of Path

    Raises
    ------
    DataError
        If the frame rate is unknown, there is no angle to write, or `path` is not named as a mot.
    """
    require_suffix(path, ".mot")
    rate = require_rate(path, angles.fps if fps is None else fps, "a MOT")
    paths = individual_paths(path, angles.individuals)
    tables = [_filled(angles, i, file) for i, file in enumerate(paths)]
    time = (angles.start + np.arange(angles.n_frames)) / rate
    for file, (columns, n_filled) in zip(paths, tables, strict=True):
        table = pd.DataFrame({"time": time, **columns})
        body = table.to_csv(sep="\t", index=False, lineterminator="\n", float_format="%.9g")
        write_text(file, _head(table.shape, n_filled) + body)
    return paths


def _filled(angles: JointAngles, individual: int, path: Path) -> tuple[dict[str, FloatArray], int]:
    """Return the columns without gaps, and how many numbers were filled."""
    columns: dict[str, FloatArray] = {}
    left_out, n_filled, row = [], 0, np.arange(angles.n_frames)
    for i, name in enumerate(angles.names):
        values = angles.deg[:, individual, i]
        known = np.isfinite(values)
        if known.mean() < _LEAST_KNOWN:
            left_out.append(name)
        else:
            whole = np.interp(row, row[known], np.unwrap(values[known], period=360))  # never across the seam at 180
            columns[_coordinate(name)] = np.where(known, values, (whole + 180) % 360 - 180)
            n_filled += int((~known).sum())
    if not columns:
        raise DataError(f"{path}: there is no angle that is known in half of the frames")
    if left_out:
        logger.warning("%s: left out, missing in more than half of the frames: %s", path, ", ".join(left_out))
    if n_filled:
        share = n_filled / (len(columns) * angles.n_frames)
        logger.warning("%s: a MOT holds no gaps: %.1f %% of its numbers are filled linearly", path, 100 * share)
    return columns, n_filled


def _coordinate(name: str) -> str:
    stem, _, side = name.rpartition("_")
    coordinate = OPENSIM_COORDINATES.get(stem) if side in ("l", "r") else None
    return "_".join(name.split()) if coordinate is None else f"{coordinate}_{side}"


def _head(shape: tuple[int, int], n_filled: int) -> str:
    lines = [
        "Coordinates",
        "version=1",
        f"nRows={shape[0]}",
        f"nColumns={shape[1]}",
        "inDegrees=yes",
        "",
        "Units are S.I. units (second, meters, Newtons, ...)",
        _IN_DEGREES,
        "",
        f"Written by pose3d. Numbers that were missing and are filled linearly: {n_filled}",
        "",
        "endheader",
    ]
    return "\n".join(lines) + "\n"
