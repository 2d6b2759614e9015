"""The joint posterior samples of a trial, ``<trial>.samples.npz``: as long as the recording, and never whole in memory.

numpy reads the file as any other of its kind. ``samples`` is a float32 array (n_frames, n_samples, n_individuals,
n_keypoints, 3) in mm, stored uncompressed, so that :func:`open_samples` maps it into memory; ``individuals`` and
``keypoints`` are their names, ``fps`` the frame rate (NaN if unknown), ``start`` the index of the first frame,
``csv`` and ``csv_sha256`` the names and digests of the csv files of the points that belong to them.

While a recording is being worked on, finished parts wait in ``<trial>.samples.partial/`` as ``samples-<first>.npy``,
beside a ``manifest.json`` that says what they belong to.
"""

import contextlib
import json
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose3d.data.names import different_names
from pose3d.data.samples import PosteriorSamples
from pose3d.errors import DataError, FormatError, Pose3DError
from pose3d.io.digests import text_digest
from pose3d.io.files import atomic_path, require_file, write_text
from pose3d.io.npz import array_header, map_member, member_gap, read_members, write_member

__all__ = ["SamplesWriter", "open_samples", "read_samples", "samples_path"]

_SUFFIX = ".samples.npz"
_MANIFEST = "manifest.json"
_CHUNK = re.compile(r"samples-(\d{9,12})\.npy")
_MOST_BYTES = 2**33  # of samples, in memory at once
_MOST_NAME_BYTES = 2**24
_FACTS = {  # kind of the values and number of axes
    "individuals": ("U", 1),
    "keypoints": ("U", 1),
    "fps": ("f", 0),
    "start": ("i", 0),
    "csv": ("U", 1),
    "csv_sha256": ("U", 1),
}
_TYPE = np.dtype("<f4")


def samples_path(path: str | Path) -> Path:
    """Return where the samples of a csv of points lie."""
    path = Path(path)
    return path.with_name(f"{path.stem}{_SUFFIX}")


class SamplesWriter:
    """Writes samples as they come, and goes on where an earlier writer of the same file was interrupted.

    Parts that wait in the folder are gone on with if the manifest beside them says the same as this writer's arguments;
    otherwise it begins anew.

    Parameters
    ----------
    path : path
        Ends in ``.samples.npz``.
    n_samples : int
    individuals, keypoints : sequence of str
    fps : float, optional
    start : int
        Index of the recording's first frame.
    fingerprint : str
        Of all that the samples depend on; see :func:`pose3d.io.fingerprint.fingerprint`.

    Raises
    ------
    DataError
        If `path` is not named as such a file.
    Pose3DError
        If the folder for parts cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writer = SamplesWriter(f"{folder}/walk.samples.npz", n_samples=2, individuals=["one"], keypoints=["nose"])
    ...     writer.append(np.zeros((3, 2, 1, 1, 3)))
    ...     writer.append(np.ones((4, 2, 1, 1, 3)))
    ...     path = writer.finish()
    ...     read_samples(path)
    PosteriorSamples(2 samples, 7 frames, 1 individual, 1 keypoint)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        n_samples: int,
        individuals: Sequence[str],
        keypoints: Sequence[str],
        fps: float | None = None,
        start: int = 0,
        fingerprint: str = "",
    ) -> None:
        self.path = Path(path)
        if not self.path.name.endswith(_SUFFIX):
            raise DataError(f"{path}: samples are written to a {_SUFFIX} file; name one that ends so")
        self.folder = self.path.with_name(f"{self.path.name.removesuffix(_SUFFIX)}.samples.partial")
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}, at least 1 is needed")
        self._individuals = different_names("individuals", individuals)
        self._keypoints = different_names("keypoints", keypoints)
        self._fps, self._start = fps, int(start)
        self._shape = (int(n_samples), len(self._individuals), len(self._keypoints), 3)
        self._ends: list[int] = []
        facts = {
            "individuals": list(self._individuals),
            "keypoints": list(self._keypoints),
            "n_samples": int(n_samples),
            "fps": None if fps is None else float(fps),
            "start": self._start,
            "fingerprint": fingerprint,
        }
        try:
            self._resume(facts)
        except OSError as error:
            raise Pose3DError(f"{self.folder}: cannot be made or read ({error.strerror}); remove it") from error

    def _resume(self, facts: dict[str, Any]) -> None:
        """Find the parts of the same work, and clear away all others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        manifest = self.folder / _MANIFEST
        try:
            same = json.loads(manifest.read_text(encoding="utf-8")) == facts
        except (OSError, ValueError, RecursionError):
            same = False
        for first, file in self._chunks() if same else []:
            n = self._length(file) if first == self.n_frames else 0
            if n == 0:
                break
            self._ends.append(first + n)
        self._drop_after(self.n_frames)
        if not same:
            write_text(manifest, json.dumps(facts, ensure_ascii=False, indent=1) + "\n")

    @property
    def n_frames(self) -> int:
        """Number of frames that are written already."""
        return self._ends[-1] if self._ends else 0

    def keep(self, n_frames: int) -> int:
        """Drop parts that reach beyond a number of frames; returns how many frames are left."""
        self._ends = [end for end in self._ends if end <= n_frames]
        self._drop_after(self.n_frames)
        return self.n_frames

    def append(self, xyz: ArrayLike) -> None:
        """Write the next frames.

        Parameters
        ----------
        xyz : (n_frames, n_samples, n_individuals, n_keypoints, 3) array, mm

        Raises
        ------
        ValueError
            If it has another shape.
        Pose3DError
            If the part cannot be written.
        """
        chunk = np.ascontiguousarray(xyz, dtype=_TYPE)
        if chunk.ndim != 5 or chunk.shape[1:] != self._shape:
            raise ValueError(f"samples: shape (any, {', '.join(map(str, self._shape))}) expected, not {chunk.shape}")
        if not len(chunk):
            return
        with atomic_path(self._file(self.n_frames)) as temporary, temporary.open("wb") as stream:
            stream.write(array_header(_TYPE, chunk.shape))
            stream.write(chunk.data)
        self._ends.append(self.n_frames + len(chunk))

    def finish(self, csvs: Sequence[str | Path] = ()) -> Path:
        """Put the parts together, and remove them.

        Parameters
        ----------
        csvs : sequence of path
            The csv files of the points that belong to the samples; they must be complete.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        Pose3DError
            If it cannot be written.
        """
        firsts = [0, *self._ends[:-1]] if self._ends else []
        with atomic_path(self.path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            write_member(archive, "individuals", np.array(self._individuals, dtype=np.str_))
            write_member(archive, "keypoints", np.array(self._keypoints, dtype=np.str_))
            write_member(archive, "fps", np.array(np.nan if self._fps is None else float(self._fps)))
            write_member(archive, "start", np.array(self._start))
            write_member(archive, "csv", np.array([Path(csv).name for csv in csvs], dtype=np.str_))
            write_member(archive, "csv_sha256", np.array([text_digest(csv) for csv in csvs], dtype=np.str_))
            with archive.open(member_gap(archive, "samples"), "w", force_zip64=True) as stream:
                stream.write(array_header(_TYPE, (self.n_frames, *self._shape)))
                for first, end in zip(firsts, self._ends, strict=True):
                    with self._file(first).open("rb") as chunk:
                        chunk.seek(len(array_header(_TYPE, (end - first, *self._shape))))
                        shutil.copyfileobj(chunk, stream, 1 << 20)
        self._ends = []
        self._drop_after(0)
        with contextlib.suppress(OSError):
            (self.folder / _MANIFEST).unlink(missing_ok=True)
            self.folder.rmdir()  # if nothing of anybody else's lies in it
        return self.path

    def _file(self, first: int) -> Path:
        return self.folder / f"samples-{first:09d}.npy"

    def _chunks(self) -> list[tuple[int, Path]]:
        found = [(match, file) for file in self.folder.iterdir() if (match := _CHUNK.fullmatch(file.name))]
        return sorted((int(match[1]), file) for match, file in found)

    def _drop_after(self, n_frames: int) -> None:
        for first, file in self._chunks():
            if first >= n_frames:
                file.unlink(missing_ok=True)

    def _length(self, file: Path) -> int:
        """Return how many frames a part has; 0 if it is none of this file's, or not whole."""
        try:
            size = file.stat().st_size
            with file.open("rb") as stream:
                head = stream.read(256)
        except OSError:
            return 0
        frame = int(np.prod(self._shape)) * _TYPE.itemsize
        n = (size - len(array_header(_TYPE, (1, *self._shape)))) // max(frame, 1)  # headers are equally long
        header = array_header(_TYPE, (max(n, 0), *self._shape))
        return n if n > 0 and head.startswith(header) and size == len(header) + n * frame else 0


def open_samples(path: str | Path, *, csvs: Sequence[str | Path] = ()) -> PosteriorSamples:
    """Open a file of samples without reading it: frames are read when they are asked for.

    Parameters
    ----------
    path : path
    csvs : sequence of path, optional
        Csv files of points to which the samples must belong.

    Returns
    -------
    PosteriorSamples
        Its `xyz` is mapped into memory; the file must not be replaced as long as it is in use.

    Raises
    ------
    FormatError
        If the file is no such file, damaged, or belongs to other points.
    """
    path = require_file(path, "file of samples")
    where = map_member(path, "samples")
    if where.dtype != _TYPE:
        raise FormatError(f"{path}: samples are {where.dtype}, not float32; write the file anew with pose3d")
    xyz: NDArray[Any] = np.empty(where.shape, dtype=_TYPE)
    if xyz.size:
        try:
            xyz = np.memmap(path, dtype=_TYPE, mode="r", offset=where.offset, shape=where.shape)
        except (OSError, ValueError, OverflowError) as error:
            raise FormatError(f"{path}: cannot be mapped into memory ({error}); read_samples reads it") from error
    return _made(path, xyz, csvs)


def read_samples(path: str | Path, *, csvs: Sequence[str | Path] = ()) -> PosteriorSamples:
    """Read a file of samples whole, and check that it is undamaged; as :func:`open_samples`."""
    path = require_file(path, "file of samples")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise FormatError(f"{path}: has {size:,} bytes, too many for the memory; open_samples reads parts of it")
    xyz = read_members(path, ["samples"], most_bytes=_MOST_BYTES)["samples"]
    if xyz.dtype != _TYPE:
        raise FormatError(f"{path}: samples are {xyz.dtype}, not float32; write the file anew with pose3d")
    return _made(path, xyz, csvs)


def _made(path: Path, xyz: NDArray[Any], csvs: Sequence[str | Path]) -> PosteriorSamples:
    facts = read_members(path, tuple(_FACTS), most_bytes=_MOST_NAME_BYTES)
    for name, (kind, n_axes) in _FACTS.items():
        if facts[name].dtype.kind != kind or facts[name].ndim != n_axes:
            raise FormatError(f"{path}: {name} is not what it should be; write the file anew with pose3d")
    known = set(facts["csv_sha256"].tolist())
    for csv in csvs:
        if text_digest(require_file(csv, "csv of points")) not in known:
            raise FormatError(f"{path}: was written for another version of {csv}; triangulate again")
    fps = float(facts["fps"])
    try:
        return PosteriorSamples(
            xyz,
            tuple(facts["individuals"].tolist()),
            tuple(facts["keypoints"].tolist()),
            None if np.isnan(fps) else fps,
            int(facts["start"]),
        )
    except ValueError as error:
        raise FormatError(f"{path}: {error}; write the file anew with pose3d") from error
