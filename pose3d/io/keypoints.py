"""2D keypoints of several cameras brought together by name and by frame number, whatever wrote them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose3d.data.keypoints import Keypoints2D, Keypoints3D
from pose3d.data.skeleton import Skeleton
from pose3d.errors import ConfigError, DataError, FormatError
from pose3d.io.dlc import read_dlc, write_dlc
from pose3d.io.files import require_file
from pose3d.io.hdf5 import opened_h5
from pose3d.io.names import KEYPOINT_SUFFIXES, fits_file_name, natural_key
from pose3d.io.openpose import is_openpose, read_openpose
from pose3d.io.sleap import is_sleap, read_sleap

__all__ = ["load_keypoints", "save_keypoints"]


@dataclass(frozen=True)
class _View:
    """What one camera's file holds, and how it may be matched to the others."""

    path: Path
    camera: str
    keypoints: Keypoints2D
    tracked: bool  # individuals keep their identity from frame to frame
    offset: int

    @property
    def first(self) -> int:
        """Instant of the first frame."""
        return self.keypoints.start - self.offset

    @property
    def last(self) -> int:
        """Instant of the last frame."""
        return self.first + self.keypoints.n_frames - 1


def load_keypoints(
    sources: Mapping[str, str | Path] | str | Path,
    *,
    skeleton: Skeleton | None = None,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    fps: float | None = None,
) -> Keypoints2D:
    """Read the 2D keypoints of several cameras.

    The format of each file is found from its content: DeepLabCut or Lightning Pose (h5, csv), SLEAP analysis h5, a
    folder of OpenPose json.

    Parameters
    ----------
    sources : mapping of camera name to path, or path
        A single path is a file of one camera, or a folder as :func:`save_keypoints` writes it, or one with a folder of
        json for each camera (Pose2Sim's ``pose``): there the file's name is the camera's.
    skeleton : Skeleton, optional
        Names the keypoints of OpenPose json.
    offsets : mapping of camera name to int, optional
        Frame ``i + offset`` of that camera shows instant ``i``. Instants that some camera lacks are left out.
    truncate : bool, optional
        Keep the instants that all cameras have, where they have not the same.
    fps : float, optional
        Frames per second, which none of these files knows.

    Returns
    -------
    Keypoints2D
        Cameras in the order of `sources`, keypoints and individuals in the order of the first camera. Where every view
        has one individual they are taken to be the same, under the first view's name.

    Raises
    ------
    FormatError
        If a file is missing, damaged, or of none of these formats.
    ConfigError
        If `fps` is no frame rate.
    DataError
        If the views do not fit one another: keypoints or individuals differ in name, frames differ in number and
        neither `offsets` nor `truncate` is given, or a view has no keypoint at all.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pose3d import Keypoints2D, load_keypoints, save_keypoints
    >>> points = Keypoints2D(np.ones((5, 2, 1, 1, 2)), np.ones((5, 2, 1, 1)), ("left", "right"), ("m1",), ("nose",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_keypoints(points, folder)
    ...     load_keypoints({"right": f"{folder}/right.h5", "left": f"{folder}/left.h5"}, fps=100)
    Keypoints2D(5 frames at 100 fps, 2 cameras, 1 individual, 1 keypoint, 0.0 % missing)
    """
    files = dict(sources.items()) if isinstance(sources, Mapping) else _camera_files(Path(sources))
    offsets = dict(offsets or {})
    if not files:
        raise DataError("no keypoint files are given; name at least one as NAME=PATH")
    strangers = [name for name in offsets if name not in files]
    if fps is not None and not 0 < fps < math.inf:
        raise ConfigError(f"fps: {fps:g} is no frame rate; give a positive number")
    if strangers:
        raise DataError(f'an offset is given for camera "{strangers[0]}"; there are {", ".join(files)}')

    views = [_read_view(Path(path), camera, skeleton, offsets.get(camera, 0)) for camera, path in files.items()]
    for view in views:
        if not np.isfinite(view.keypoints.xy).any():
            raise DataError(f"{view.path}: view {view.camera} has no keypoint in any frame; leave it out")
    views = _with_same_individuals(_with_same_keypoints(views))
    first, last = _common_instants(views, cut=truncate or any(offsets.values()))
    parts = [view.keypoints for view in views]
    spans = [slice(first - view.first, last - view.first + 1) for view in views]
    merged = Keypoints2D(
        np.concatenate([part.xy[span] for part, span in zip(parts, spans, strict=True)], axis=1),
        np.concatenate([part.score[span] for part, span in zip(parts, spans, strict=True)], axis=1),
        tuple(files),
        parts[0].individuals,
        parts[0].keypoints,
        fps=fps,
        start=first,
    )
    for i, view in enumerate(views):
        if not np.isfinite(merged.xy[:, i]).any():
            raise DataError(f"{view.path}: view {view.camera} has no keypoint in the frames that all views have")
    return merged


def save_keypoints(keypoints: Keypoints2D | Keypoints3D, path: str | Path) -> None:
    """Write keypoints so that :func:`load_keypoints` or :func:`pose3d.io.anipose_csv.read_pose3d` reads them back.

    Parameters
    ----------
    keypoints : Keypoints2D or Keypoints3D
    path : path
        For 3D the csv. For 2D a DeepLabCut file (``.h5`` or ``.csv``) of one camera, or else a folder that gets
        ``<camera>.h5`` for each.

    Raises
    ------
    DataError
        If several cameras are to go into one file, a camera's name cannot be a file's, or 3D keypoints are to go into
        a file that is no .csv.
    Pose3DError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from pose3d import Keypoints2D, load_keypoints, save_keypoints
    >>> points = Keypoints2D(np.ones((5, 2, 1, 1, 2)), np.ones((5, 2, 1, 1)), ("left", "right"), ("m1",), ("nose",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_keypoints(points, folder)
    ...     sorted(path.name for path in Path(folder).iterdir())
    ...     load_keypoints(folder)
    ['left.h5', 'right.h5']
    Keypoints2D(5 frames, 2 cameras, 1 individual, 1 keypoint, 0.0 % missing)
    """
    path = Path(path)
    if isinstance(keypoints, Keypoints3D):
        from pose3d.io.anipose_csv import write_pose3d

        write_pose3d(keypoints, path)
    elif path.suffix.lower() in KEYPOINT_SUFFIXES:
        if len(keypoints.cameras) != 1:
            raise DataError(f"{path}: one file holds one camera, there are {len(keypoints.cameras)}; give a folder")
        write_dlc(keypoints, path)
    else:
        for name in keypoints.cameras:
            if name.startswith(".") or not fits_file_name(name):
                raise DataError(f'camera "{name}" cannot be the name of a file; rename it')
        for name in keypoints.cameras:
            write_dlc(keypoints.select([name]), path / f"{name}.h5")


def _camera_files(path: Path) -> dict[str, Path]:
    if not path.is_dir() or is_openpose(path):
        return {path.stem: path}
    items = [item for item in path.iterdir() if not item.name.startswith(".")]
    found = {item.stem: item for item in items if item.suffix.lower() in KEYPOINT_SUFFIXES}
    if not found:
        found = {item.name.removesuffix("_json"): item for item in items if item.is_dir() and is_openpose(item)}
    if not found:
        raise FormatError(f"{path}: holds no keypoint files (.h5, .csv, or folders of json)")
    return {name: found[name] for name in sorted(found, key=natural_key)}


def _read_view(path: Path, camera: str, skeleton: Skeleton | None, offset: int) -> _View:
    if path.is_dir():
        if not is_openpose(path):
            raise FormatError(f"{path}: holds no OpenPose json; give the keypoints of camera {camera}")
        return _View(path, camera, read_openpose(path, camera=camera, skeleton=skeleton), False, offset)
    require_file(path, "keypoint file")
    with path.open("rb") as stream:
        head = stream.read(4096)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        with opened_h5(path) as file:
            sleap = is_sleap(file) or {"points", "frames"} <= set(file)
            if "tracks" in file and len(getattr(file["tracks"], "shape", ())) == 4 and not sleap:
                raise FormatError(f"{path}: holds tracks without names of nodes (3D points?); 2D keypoints are needed")
        return _View(path, camera, (read_sleap if sleap else read_dlc)(path, camera=camera), True, offset)
    if head.startswith(b"PathFileType") or (b"_error," in head and b"_ncams" in head):
        raise FormatError(f"{path}: holds 3D points; the 2D keypoints of camera {camera} are needed")
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise FormatError(f"{path}: is a pickle, which could run code when read; give the .h5 or .csv beside it")
    if head.lstrip().startswith((b"{", b"[")):
        raise FormatError(f"{path}: is one json; give the folder with one json for each frame")
    return _View(path, camera, read_dlc(path, camera=camera), True, offset)


def _with_same_keypoints(views: list[_View]) -> list[_View]:
    names = views[0].keypoints.keypoints
    _check_same_names(views, [view.keypoints.keypoints for view in views], "keypoint")
    ordered = []
    for view in views:
        index = [view.keypoints.keypoints.index(name) for name in names]
        xy, score = view.keypoints.xy[..., index, :], view.keypoints.score[..., index]
        ordered.append(replace(view, keypoints=replace(view.keypoints, xy=xy, score=score, keypoints=names)))
    return ordered


def _with_same_individuals(views: list[_View]) -> list[_View]:
    names = views[0].keypoints.individuals
    counts = {len(view.keypoints.individuals) for view in views}
    if counts == {1}:
        return [replace(view, keypoints=replace(view.keypoints, individuals=names)) for view in views]
    if not any(view.tracked for view in views):
        # Detections in the order of each file: cameras see different people, and in another order.
        names = max((view.keypoints.individuals for view in views), key=len)
        return [_padded(view, names) for view in views]
    _check_same_names(views, [view.keypoints.individuals for view in views], "individual")
    ordered = []
    for view in views:
        index = [view.keypoints.individuals.index(name) for name in names]
        xy, score = view.keypoints.xy[:, :, index], view.keypoints.score[:, :, index]
        ordered.append(replace(view, keypoints=replace(view.keypoints, xy=xy, score=score, individuals=names)))
    return ordered


def _padded(view: _View, names: tuple[str, ...]) -> _View:
    points = view.keypoints
    more = len(names) - len(points.individuals)
    xy = np.pad(points.xy, ((0, 0), (0, 0), (0, more), (0, 0), (0, 0)), constant_values=np.nan)
    score = np.pad(points.score, ((0, 0), (0, 0), (0, more), (0, 0)), constant_values=np.nan)
    return replace(view, keypoints=replace(points, xy=xy, score=score, individuals=names))


def _check_same_names(views: list[_View], names: list[tuple[str, ...]], what: str) -> None:
    for view, own in zip(views[1:], names[1:], strict=True):
        for lacking, missing, having in (
            (view, [name for name in names[0] if name not in own], views[0]),
            (views[0], [name for name in own if name not in names[0]], view),
        ):
            if missing:
                more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
                raise DataError(f'{lacking.path}: {what} "{missing[0]}" is missing{more}; view {having.camera} has it')


def _common_instants(views: list[_View], *, cut: bool) -> tuple[int, int]:
    first, last = max(view.first for view in views), min(view.last for view in views)
    if not cut:
        a = views[0]
        for b in views[1:]:
            if (a.first, a.last) != (b.first, b.last):
                raise DataError(
                    f"{b.path}: view {b.camera} has {_frames(b)}, view {a.camera} has {_frames(a)}; give the offset of "
                    f"the one that began at another time (--offset {b.camera}=FRAMES), or keep the frames that all "
                    "views have (--truncate)"
                )
    if last < first:
        a, b = min(views, key=lambda view: view.last), max(views, key=lambda view: view.first)
        raise DataError(
            f"{b.path}: no frame is left that all views have: view {a.camera} ends at {a.last}, view {b.camera} begins "
            f"at {b.first}; check the offsets"
        )
    return first, last


def _frames(view: _View) -> str:
    start = view.keypoints.start
    return f"{view.keypoints.n_frames} frames ({start} to {start + view.keypoints.n_frames - 1})"
