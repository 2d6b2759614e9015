"""2D keypoints of several cameras brought together by name and by frame number, and read a part at a time.

A recording of ten hours need never be whole in memory: :func:`open_keypoints` looks at each file once, to learn how
long it is and whether the views fit one another, and :meth:`KeypointStream.read` reads the frames that are asked for.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from pose3d.data.keypoints import Keypoints2D
from pose3d.data.names import counted
from pose3d.data.skeleton import Skeleton
from pose3d.errors import ConfigError, DataError, FormatError
from pose3d.io.camera_keypoints import CameraKeypoints
from pose3d.io.dlc import open_dlc
from pose3d.io.files import require_file
from pose3d.io.hdf5 import opened_h5
from pose3d.io.names import KEYPOINT_SUFFIXES, natural_key
from pose3d.io.openpose import is_openpose, open_openpose
from pose3d.io.sleap import is_sleap, open_sleap

__all__ = ["KeypointStream", "open_keypoints"]


@dataclass(frozen=True)
class _View:
    """What one camera's file holds, and how it may be matched to the others."""

    camera: str
    file: CameraKeypoints
    tracked: bool  # individuals keep their identity from frame to frame
    offset: int

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.file.path

    @property
    def first(self) -> int:
        """Instant of the first frame."""
        return self.file.start - self.offset

    @property
    def last(self) -> int:
        """Instant of the last frame."""
        return self.first + self.file.n_frames - 1


class KeypointStream:
    """2D keypoints of several cameras, of which only the frames that are asked for are in memory.

    Made by :func:`open_keypoints`. Nothing stays open between two readings; the context manager and :meth:`close` give
    back what was kept for the next one.

    Attributes
    ----------
    n_frames : int
        Instants that all views have.
    cameras, individuals, keypoints : tuple of str
    fps : float or None
    start : int
        The first instant.
    """

    def __init__(
        self,
        views: Sequence[_View],
        names: tuple[tuple[str, ...], tuple[str, ...]],
        span: tuple[int, int],
        fps: float | None,
    ) -> None:
        self.cameras = tuple(view.camera for view in views)
        self.individuals, self.keypoints = names
        self.start, last = span
        self.n_frames = last - self.start + 1
        self.fps = fps
        self._views = tuple(views)
        self._keypoints = [[view.file.keypoints.index(name) for name in self.keypoints] for view in views]
        # Which of the stream's individuals each of a file's is, by name; those without identity in their order.
        self._individuals = [
            [
                self.individuals.index(name) if name in self.individuals else i
                for i, name in enumerate(view.file.individuals)
            ]
            for view in views
        ]

    def __repr__(self) -> str:
        rate = "" if self.fps is None else f" at {self.fps:g} fps"
        nouns = {"camera": self.cameras, "individual": self.individuals, "keypoint": self.keypoints}
        parts = ", ".join(counted(len(names), noun) for noun, names in nouns.items())
        return f"KeypointStream({counted(self.n_frames, 'frame')}{rate}, {parts})"

    def __enter__(self) -> "KeypointStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End reading."""
        self._views = ()

    def read(self, first: int, last: int) -> Keypoints2D:
        """Read some neighbouring frames.

        Reading on from where the last reading ended, or from a little before, costs least.

        Parameters
        ----------
        first, last : int
            From frame `first` to before frame `last`, both counted from 0 at :attr:`start`.

        Returns
        -------
        Keypoints2D
            `start` is that of the stream plus `first`.

        Raises
        ------
        FormatError
            If a file turns out to be cut short or damaged there.
        DataError
            If so many frames do not fit into memory.
        ValueError
            If there are no such frames, or the stream is closed.
        """
        if not 0 <= first <= last <= self.n_frames:
            raise ValueError(f"frames {first} to {last} are not within 0 to {self.n_frames}")
        if not self._views:
            raise ValueError("the stream is closed")
        shape = (last - first, len(self.cameras), len(self.individuals), len(self.keypoints))
        try:
            xy, score = np.full((*shape, 2), np.nan), np.full(shape, np.nan)
            for i, view in enumerate(self._views):
                skip = self.start - view.first
                own_xy, own_score = view.file.read(skip + first, skip + last)
                xy[:, i, self._individuals[i]] = own_xy[:, :, self._keypoints[i]]
                score[:, i, self._individuals[i]] = own_score[:, :, self._keypoints[i]]
            return Keypoints2D(
                xy, score, self.cameras, self.individuals, self.keypoints, fps=self.fps, start=self.start + first
            )
        except MemoryError as error:
            where = self._views[0].path
            raise DataError(f"{where}: {last - first:,} frames do not fit into memory; read fewer at once") from error


def open_keypoints(
    sources: Mapping[str, str | Path] | str | Path,
    *,
    skeleton: Skeleton | None = None,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    fps: float | None = None,
) -> KeypointStream:
    """Open the 2D keypoints of several cameras, to be read by parts.

    Parameters and errors are those of :func:`pose3d.load_keypoints`, but that damage within the values of a file is
    found where it is read.

    Parameters
    ----------
    sources : mapping of camera name to path, or path
    skeleton : Skeleton, optional
    offsets : mapping of camera name to int, optional
    truncate : bool, optional
    fps : float, optional

    Returns
    -------
    KeypointStream

    Raises
    ------
    FormatError
        If a file is missing, damaged, or of no format that is known.
    ConfigError
        If `fps` is no frame rate.
    DataError
        If the views do not fit one another.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pose3d import Keypoints2D, save_keypoints
    >>> points = Keypoints2D(np.ones((50, 2, 1, 1, 2)), np.ones((50, 2, 1, 1)), ("left", "right"), ("m1",), ("nose",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_keypoints(points, folder)
    ...     with open_keypoints(folder) as stream:
    ...         stream
    ...         stream.read(10, 15)
    KeypointStream(50 frames, 2 cameras, 1 individual, 1 keypoint)
    Keypoints2D(5 frames, 2 cameras, 1 individual, 1 keypoint, 0.0 % missing)
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

    views = [_open_view(Path(path), camera, skeleton, offsets.get(camera, 0)) for camera, path in files.items()]
    for view in views:
        if not view.file.has_points(0, view.file.n_frames):
            raise DataError(f"{view.path}: view {view.camera} has no keypoint in any frame; leave it out")
    _check_same_names(views, [view.file.keypoints for view in views], "keypoint")
    individuals = _same_individuals(views)
    first, last = _common_instants(views, cut=truncate or any(offsets.values()))
    for view in views:
        if not view.file.has_points(first - view.first, last - view.first + 1):
            raise DataError(f"{view.path}: view {view.camera} has no keypoint in the frames that all views have")
    return KeypointStream(views, (individuals, views[0].file.keypoints), (first, last), fps)


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


def _open_view(path: Path, camera: str, skeleton: Skeleton | None, offset: int) -> _View:
    if path.is_dir():
        if not is_openpose(path):
            raise FormatError(f"{path}: holds no OpenPose json; give the keypoints of camera {camera}")
        return _View(camera, open_openpose(path, skeleton=skeleton), False, offset)
    require_file(path, "keypoint file")
    with path.open("rb") as stream:
        head = stream.read(4096)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        with opened_h5(path) as file:
            sleap = is_sleap(file) or {"points", "frames"} <= set(file)
            if "tracks" in file and len(getattr(file["tracks"], "shape", ())) == 4 and not sleap:
                raise FormatError(f"{path}: holds tracks without names of nodes (3D points?); 2D keypoints are needed")
        return _View(camera, (open_sleap if sleap else open_dlc)(path), True, offset)
    if head.startswith(b"PathFileType") or (b"_error," in head and b"_ncams" in head):
        raise FormatError(f"{path}: holds 3D points; the 2D keypoints of camera {camera} are needed")
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise FormatError(f"{path}: is a pickle, which could run code when read; give the .h5 or .csv beside it")
    if head.lstrip().startswith((b"{", b"[")):
        raise FormatError(f"{path}: is one json; give the folder with one json for each frame")
    return _View(camera, open_dlc(path), True, offset)


def _same_individuals(views: list[_View]) -> tuple[str, ...]:
    each = [view.file.individuals for view in views]
    if all(len(names) == 1 for names in each):
        return each[0]
    if all(not view.tracked or _no_identities(names) for view, names in zip(views, each, strict=True)):
        # Detections in the order of each file: cameras see different people, and in another order.
        return max(each, key=len)
    _check_same_names(views, each, "individual")
    return each[0]


def _no_identities(names: Sequence[str]) -> bool:
    """Tell whether individuals are those of a network that finds people anew in each view, or a single one."""
    return len(names) == 1 or all(name.startswith("person_") for name in names)


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
    start, n_frames = view.file.start, view.file.n_frames
    return f"{n_frames} frames ({start} to {start + n_frames - 1})"
