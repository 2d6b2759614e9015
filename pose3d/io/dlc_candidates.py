"""Candidate peaks in DeepLabCut's tables: ``x, y, likelihood, x2, y2, likelihood2, ...`` for each keypoint.

DeepLabCut writes them with ``num_outputs`` above 1; :func:`pose3d.io.dlc.read_dlc` takes the first of each.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pose3d.data.candidates import Candidates2D
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.dlc import open_dlc
from pose3d.io.names import SINGLE_INDIVIDUAL

__all__ = ["load_candidates", "read_dlc_candidates"]

_COORDINATE = re.compile(r"(x|y|likelihood)_?([0-9]{0,3})")
_MARK = "\x1fpeak "  # between an individual's name and the number of a peak; no name holds a control character


def read_dlc_candidates(path: str | Path, *, camera: str) -> Candidates2D:
    """Read all peaks of one camera's video.

    Parameters
    ----------
    path : path
        ``.h5`` or ``.csv`` of DeepLabCut. A table with one peak a keypoint is read too. The peaks may be numbered
        (``x2``) or stand as repeated columns.
    camera : str
        Name that the camera gets.

    Returns
    -------
    Candidates2D
        One camera.

    Raises
    ------
    FormatError
        If the file is no such table, cut short or damaged.
    """
    keypoints = open_dlc(path, rename=_by_peak).whole(camera)
    marks = [name.rpartition(_MARK) for name in keypoints.individuals]
    individuals = tuple(dict.fromkeys(owner for owner, _, _ in marks))
    numbers = [int(number) for _, _, number in marks]
    shape = (keypoints.n_frames, 1, len(individuals), len(keypoints.keypoints), max(numbers))
    xy, score = np.full((*shape, 2), np.nan), np.full(shape, np.nan)
    for i, ((owner, _, _), number) in enumerate(zip(marks, numbers, strict=True)):
        place = (slice(None), slice(None), individuals.index(owner), slice(None), number - 1)
        xy[place], score[place] = keypoints.xy[:, :, i], keypoints.score[:, :, i]
    return Candidates2D(xy, score, (camera,), individuals, keypoints.keypoints, start=keypoints.start)


def load_candidates(sources: Mapping[str, str | Path], *, fps: float | None = None) -> Candidates2D:
    """Read the candidate peaks of several cameras.

    Parameters
    ----------
    sources : mapping of camera name to path
    fps : float, optional

    Returns
    -------
    Candidates2D
        Cameras in the order of `sources`, individuals and keypoints in the order of the first.

    Raises
    ------
    FormatError
        If a file is no such table, cut short or damaged.
    DataError
        If no file is given, or the views differ in keypoints, individuals or frames.
    """
    if not sources:
        raise DataError("no files of candidates are given; name at least one as NAME=PATH")
    views = {camera: read_dlc_candidates(path, camera=camera) for camera, path in sources.items()}
    first_camera, first = next(iter(views.items()))
    n_peaks = max(view.n_peaks for view in views.values())
    several = any(len(view.individuals) > 1 for view in views.values())
    xy, score = [], []
    for camera, view in views.items():
        kinds = (("keypoint", first.keypoints, view.keypoints), ("individual", first.individuals, view.individuals))
        for what, wanted, own in kinds[: 2 if several else 1]:
            missing = [name for name in (*wanted, *own) if name not in wanted or name not in own]
            if missing:
                lacking, having = (camera, first_camera) if missing[0] in wanted else (first_camera, camera)
                raise DataError(f'{sources[lacking]}: {what} "{missing[0]}" is missing; view {having} has it')
        if (view.start, view.n_frames) != (first.start, first.n_frames):
            raise DataError(
                f"{sources[camera]}: view {camera} has frames {view.start} to {view.start + view.n_frames - 1}, view "
                f"{first_camera} {first.start} to {first.start + first.n_frames - 1}; give files of the same frames"
            )
        order = [view.keypoints.index(name) for name in first.keypoints]
        who = [view.individuals.index(name) for name in first.individuals] if several else [0]
        xy.append(_widened(view.xy[:, :, who][:, :, :, order], n_peaks, axis=4))
        score.append(_widened(view.score[:, :, who][:, :, :, order], n_peaks, axis=4))
    return Candidates2D(
        np.concatenate(xy, axis=1),
        np.concatenate(score, axis=1),
        tuple(views),
        first.individuals,
        first.keypoints,
        fps,
        first.start,
    )


def _widened(values: FloatArray, n: int, *, axis: int) -> FloatArray:
    rest = [(0, n - values.shape[axis]) if i == axis else (0, 0) for i in range(values.ndim)]
    return np.pad(values, rest, constant_values=np.nan)


def _by_peak(columns: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Name each peak as an individual of its own: (scorer, individual and number of the peak, keypoint, coordinate)."""
    seen: dict[tuple[str, ...], int] = {}
    renamed: list[tuple[str, ...]] = []
    for column in columns:
        owner = column[1] if len(column) == 4 else SINGLE_INDIVIDUAL
        found = _COORDINATE.fullmatch(column[-1])
        coordinate, number = column[-1], 1
        if found is not None:
            coordinate = found[1]
            place = (column[0], owner, *column[-2:])
            seen[place] = seen.get(place, 0) + 1
            number = max(1, int(found[2] or 1)) + seen[place] - 1
        renamed.append((column[0], f"{owner}{_MARK}{number}", column[-2], coordinate))
    return renamed
