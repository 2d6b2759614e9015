"""SLEAP's analysis h5: 2D keypoints of the tracks in one video."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pose3d.data.keypoints import Keypoints2D
from pose3d.errors import FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.camera_keypoints import CameraKeypoints
from pose3d.io.files import atomic_path
from pose3d.io.hdf5 import opened_h5, read_names, require_dataset, rows_at_once
from pose3d.io.rows import FrameRows, unique_names

__all__ = ["is_sleap", "open_sleap", "read_sleap", "write_sleap"]

# How SLEAP itself orders axes, so that MATLAB sees them the other way round.
_AXES = {
    "tracks": ("track", "xy", "node", "frame"),
    "point_scores": ("track", "node", "frame"),
    "track_occupancy": ("frame", "track"),
    "instance_scores": ("track", "frame"),
    "tracking_scores": ("track", "frame"),
}
_STANDARD_AXES = {"tracks": ("frame", "track", "node", "xy"), "point_scores": ("frame", "track", "node")}


def is_sleap(file: Any) -> bool:
    """Tell whether an open HDF5 file is a SLEAP analysis."""
    return "tracks" in file and "node_names" in file


def read_sleap(path: str | Path, *, camera: str) -> Keypoints2D:
    """Read a SLEAP analysis h5 as the keypoints of one camera.

    Parameters
    ----------
    path : path
    camera : str
        Name that the camera gets.

    Returns
    -------
    Keypoints2D
        One camera; individuals are the tracks. Where the file knows no score of a point that is there, a person
        placed it: its score is 1. Peaks above 1 are clipped to 1.

    Raises
    ------
    FormatError
        If the file is no SLEAP analysis, cut short or damaged.
    """
    return open_sleap(path).whole(camera)


def open_sleap(path: str | Path) -> CameraKeypoints:
    """Open what :func:`read_sleap` reads, to be read by parts.

    Raises
    ------
    FormatError
        If the file is no SLEAP analysis, cut short or damaged.
    """
    path = Path(path)
    with opened_h5(path) as file:
        if not is_sleap(file):
            hint = "is a SLEAP project; export it as analysis h5" if {"points", "frames"} <= set(file) else ""
            raise FormatError(f"{path}: {hint or 'is no SLEAP analysis h5 (tracks and node_names are missing)'}")
        nodes = unique_names(read_names(file["node_names"], path), "keypoint", path)
        tracks = read_names(file["track_names"], path) if "track_names" in file else ()
        axes = _axes(file["tracks"], "tracks", path, standard=_looks_standard(file["tracks"], nodes, tracks))
        xy = _Ordered(file["tracks"], axes, _STANDARD_AXES["tracks"], path)
        score = None
        if "point_scores" in file:
            axes = _axes(file["point_scores"], "point_scores", path, standard=axes == _STANDARD_AXES["tracks"])
            score = _Ordered(file["point_scores"], axes, _STANDARD_AXES["point_scores"], path)
        score_shape = score.shape if score else xy.shape[:-1]
        at_once = rows_at_once(file["tracks"], xy.frame_axis, path)
    if xy.shape[2:] != (len(nodes), 2) or score_shape != xy.shape[:-1]:
        raise FormatError(f"{path}: tracks {xy.shape}, scores {score_shape} and {len(nodes)} nodes do not fit")
    n_frames, n_tracks = xy.shape[:2]
    if n_frames == 0 or n_tracks == 0:
        raise FormatError(f"{path}: holds no tracks")
    if len(tracks) != n_tracks:
        if tracks:
            raise FormatError(f"{path}: {len(tracks)} track names for {n_tracks} tracks")
        tracks = tuple(f"track_{i}" for i in range(n_tracks))
    individuals = unique_names(tracks, "track", path)

    def read_rows(first: int, last: int) -> Iterator[FloatArray]:
        with opened_h5(path) as file:
            for begin in range(first, last, at_once):
                part = slice(begin, min(begin + at_once, last))
                values = np.full((part.stop - begin, n_tracks, len(nodes), 3), np.nan)
                values[..., :2] = xy.read(file, part)
                if score is not None:
                    values[..., 2] = score.read(file, part)
                yield values

    frames = FrameRows(0, n_frames, n_frames)
    return CameraKeypoints(path, (individuals, nodes), frames, read_rows, rows_at_once=at_once)


def write_sleap(keypoints: Keypoints2D, path: str | Path) -> None:
    """Write the keypoints of one camera as a SLEAP analysis h5.

    Frames begin at 0 there: a recording that starts later gets empty frames before it. The same keypoints give the
    same bytes.

    Parameters
    ----------
    keypoints : Keypoints2D
        Of one camera.
    path : path

    Raises
    ------
    ValueError
        If there are several cameras.
    Pose3DError
        If the file cannot be written.
    """
    if len(keypoints.cameras) != 1:
        raise ValueError(f"a SLEAP analysis holds one camera, not {len(keypoints.cameras)}")
    before = keypoints.start
    xy = np.pad(keypoints.xy[:, 0], ((before, 0), (0, 0), (0, 0), (0, 0)), constant_values=np.nan)
    score = np.pad(keypoints.score[:, 0], ((before, 0), (0, 0), (0, 0)), constant_values=np.nan)
    present = np.isfinite(xy[..., 0])
    n_present = present.sum(-1)
    instance = np.where(n_present > 0, np.nansum(score, axis=-1) / np.maximum(n_present, 1), np.nan)
    values: dict[str, NDArray[Any]] = {
        "tracks": xy.transpose(1, 3, 2, 0),
        "point_scores": score.transpose(1, 2, 0),
        "track_occupancy": (n_present > 0).astype(np.uint8),
        "instance_scores": instance.T,
        "tracking_scores": np.full(instance.T.shape, np.nan),
    }
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, array in values.items():
            dataset = file.create_dataset(name, data=array, compression="gzip", track_times=False)
            dataset.attrs["dims"] = json.dumps(_AXES[name])
        file["node_names"] = np.array([name.encode() for name in keypoints.keypoints])
        file["track_names"] = np.array([name.encode() for name in keypoints.individuals])
        file["edge_names"] = np.zeros((0, 2), "S1")
        file["edge_inds"] = np.zeros((0, 2), np.int32)
        for name, text in (("labels_path", ""), ("video_path", ""), ("provenance", "{}")):
            file[name] = text
        file["video_ind"] = 0
        file.attrs["preset"] = "matlab"
        file.attrs["format"] = "analysis"


def _looks_standard(dataset: Any, nodes: tuple[str, ...], tracks: tuple[str, ...]) -> bool:
    """Tell a file in the order (frame, track, node, xy), which sleap-io can write, from one in SLEAP's own."""
    shape: tuple[int, ...] = tuple(dataset.shape or ())
    sleaps = shape[1:3] == (2, len(nodes)) and (not tracks or shape[0] == len(tracks))
    return len(shape) == 4 and not sleaps and shape[2:] == (len(nodes), 2)


def _axes(dataset: Any, name: str, path: Path, *, standard: bool) -> tuple[str, ...]:
    """Return the order of a dataset's axes: newer files name it, `standard` decides for older ones."""
    words = dataset.attrs.get("dims")
    if not isinstance(words, bytes | str):
        return _STANDARD_AXES[name] if standard else _AXES[name]
    try:
        axes = tuple(str(word) for word in json.loads(words))
    except (ValueError, TypeError) as error:
        raise FormatError(f"{path}: the axes of {name} are damaged") from error
    if sorted(axes) != sorted(_AXES[name]):
        raise FormatError(f"{path}: the axes of {name} are {axes}, not {_AXES[name]}")
    return axes


class _Ordered:
    """A dataset whose axes are put in the order that is wanted as it is read.

    Attributes
    ----------
    shape : tuple of int
        In that order.
    frame_axis : int
        Where the frames stand in the file.
    """

    def __init__(self, dataset: Any, axes: tuple[str, ...], wanted: tuple[str, ...], path: Path) -> None:
        require_dataset(dataset, path)
        if dataset.dtype.kind not in "fiu":
            raise FormatError(f"{path}: {dataset.name} holds {dataset.dtype} where real numbers are needed")
        if dataset.ndim != len(axes):
            raise FormatError(
                f"{path}: {dataset.name} has {dataset.ndim} axes; {len(axes)} ({', '.join(axes)}) are needed"
            )
        self._name = str(dataset.name)
        self._order = [axes.index(axis) for axis in wanted]
        self.shape = tuple(int(dataset.shape[axis]) for axis in self._order)
        self.frame_axis = axes.index("frame")

    def read(self, file: Any, frames: slice) -> NDArray[Any]:
        part = [slice(None)] * len(self._order)
        part[self.frame_axis] = frames
        return np.asarray(file[self._name][tuple(part)]).transpose(self._order)
