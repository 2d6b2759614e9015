"""3D keypoints written as they are made: finished chunks wait in a folder, the csv appears at the end in one move.

The folder ``<stem>.partial`` lies beside the csv. It holds ``manifest.json`` (what is being made, and the fingerprint
of what it is made from) and one ``<first>-<last>.npz`` for each finished chunk, each written whole or not at all. Work
that was ended, by whatever, goes on from there; when the fingerprint is another, it begins anew.
"""

import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose3d.data.edits import Edits
from pose3d.data.keypoints import Keypoints3D, Status, frames_to_observed
from pose3d.errors import FormatError, Pose3DError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.anipose_csv import point_columns, point_rows, pose3d_paths
from pose3d.io.files import atomic_path, write_text
from pose3d.io.npz import read_members, write_member
from pose3d.io.uncertainty import SideHead, uncertainty_path, write_both
from pose3d.log import Progress, logger, no_progress

__all__ = ["PointsWriter", "partial_folder"]

State: TypeAlias = Mapping[str, ArrayLike]

_MANIFEST = "manifest.json"
_CHUNK_NAME = re.compile(r"([0-9]{12})-([0-9]{12})\.npz")
_OURS = re.compile(r"manifest\.json|[0-9]{12}-[0-9]{12}\.npz|\..*|result_[0-9]+(\.uncertainty)?\.csv")
_FIELDS = ("xyz", "error", "n_cameras", "score", "status", "covariance")
_MOST_CHUNK_BYTES = 2**33


@dataclass(frozen=True)
class _Chunk:
    """A finished run of frames, and how far before and after its ends each keypoint was observed within it."""

    first: int
    last: int
    path: Path
    covariance: bool
    since: FloatArray  # from the last observed frame to the frame after the chunk
    until: FloatArray  # from the frame before the chunk to the first observed one


def partial_folder(path: str | Path) -> Path:
    """Return where the finished chunks of a pose-3d csv wait."""
    path = Path(path)
    return path.with_name(f"{path.stem}.partial")


class PointsWriter:
    """Writes the pose-3d csv of a recording that is never whole in memory, and goes on where it was ended.

    The files are those that :func:`pose3d.io.anipose_csv.write_pose3d` makes of the whole, to the last byte.

    Parameters
    ----------
    path : path
        Of the csv; several individuals go to one file each, ``<stem>_<individual>.csv``.
    keypoints, individuals : sequence of str
    total_frames : int
    fingerprint : str
        Of all that the points depend on (:func:`pose3d.io.fingerprint.fingerprint`).
    fps : float, optional
    start : int, optional
        Index of the first frame.
    edits : Edits, optional
        A person's corrections that the points hold.

    Attributes
    ----------
    done_frames : int
        How many frames are finished: where the next chunk must begin, counted from 0.
    state : dict of str to array
        What was given with the last finished chunk.

    Raises
    ------
    DataError
        If keypoints or individuals cannot name columns and files, or `path` is not named as a csv.
    Pose3DError
        If the folder cannot be made, or holds files of others.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        keypoints: Sequence[str],
        individuals: Sequence[str],
        total_frames: int,
        fingerprint: str,
        fps: float | None = None,
        start: int = 0,
        edits: Edits | None = None,
    ) -> None:
        self._edits = edits or Edits()
        self._paths = pose3d_paths(path, keypoints, tuple(individuals))
        self._folder = partial_folder(path)
        self._facts: dict[str, Any] = {
            "keypoints": list(keypoints),
            "individuals": list(individuals),
            "fps": None if fps is None else float(fps),
            "start": int(start),
            "total_frames": int(total_frames),
            "fingerprint": fingerprint,
        }
        self._chunks: list[_Chunk] = []
        self.state: dict[str, NDArray[Any]] = {}
        self._resume()

    def __repr__(self) -> str:
        return f"PointsWriter({self._paths[0].name}, {self.done_frames} of {self.total_frames} frames)"

    @property
    def done_frames(self) -> int:
        """How many frames are finished."""
        return self._chunks[-1].last if self._chunks else 0

    @property
    def total_frames(self) -> int:
        """How many frames there will be."""
        return int(self._facts["total_frames"])

    def append(self, points: Keypoints3D, state: State | None = None) -> None:
        """Add the next frames. When this returns, they outlast whatever ends the program.

        Parameters
        ----------
        points : Keypoints3D
            `start` is that of the recording plus :attr:`done_frames`. All chunks have a covariance, or none.
        state : mapping of str to array_like, optional
            Whatever is needed to go on after these frames, such as sums for a summary.

        Raises
        ------
        Pose3DError
            If they cannot be written.
        ValueError
            If they are not the next frames, of other keypoints or individuals, or have a covariance where others have
            none; or if the state holds anything but numbers and texts.
        """
        first, last = self.done_frames, self.done_frames + points.n_frames
        names = (list(points.keypoints), list(points.individuals))
        if names != (self._facts["keypoints"], self._facts["individuals"]):
            raise ValueError(f"{points!r} has other keypoints or individuals than {self!r}")
        if points.start != self._facts["start"] + first or last > self.total_frames or points.n_frames == 0:
            raise ValueError(
                f"{points!r} begins at {points.start}: {self!r} needs frames from {self._facts['start'] + first}"
            )
        covariance = points.covariance is not None
        if self._chunks and self._chunks[0].covariance != covariance:
            raise ValueError(f"{points!r} has {'a' if covariance else 'no'} covariance, unlike the frames before it")
        path = self._folder / f"{first:012d}-{last:012d}.npz"
        values = {f"state_{name}": np.asarray(value) for name, value in (state or {}).items()}
        if any(value.dtype.hasobject for value in values.values()):
            raise ValueError("a state is arrays of numbers and texts")
        arrays = {name: getattr(points, name) for name in _FIELDS if getattr(points, name) is not None}
        arrays["n_cameras"] = points.n_cameras.astype(np.int32)
        facts = np.array(json.dumps({"state": list(state or {}), "covariance": covariance}))
        with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name, array in ({"facts": facts} | arrays | values).items():
                write_member(archive, name, array)
        self._chunks.append(_chunk_of((first, last), path, arrays))
        self.state = {name.removeprefix("state_"): value for name, value in values.items()}

    def read(self, first: int, last: int) -> Keypoints3D:
        """Read finished frames, such as those that the next chunk is to fit.

        Parameters
        ----------
        first, last : int
            From frame `first` to before frame `last`, counted from 0.

        Raises
        ------
        FormatError
            If a chunk has been damaged since.
        ValueError
            If they are not finished.
        """
        if not 0 <= first < last <= self.done_frames:
            raise ValueError(f"frames {first} to {last} are not within 0 to {self.done_frames}")
        parts = []
        for chunk in self._chunks:
            if chunk.first < last and chunk.last > first:
                part = slice(max(first - chunk.first, 0), last - chunk.first)
                parts.append({name: value[part] for name, value in self._load(chunk).items()})
        return self._points({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, first)

    def chunks(self) -> Iterator[Keypoints3D]:
        """Yield the finished chunks in their order."""
        for chunk in self._chunks:
            yield self._points(self._load(chunk), chunk.first)

    def finish(self, progress: Progress = no_progress) -> tuple[Path, ...]:
        """Write the csv files and their side files, and remove the folder.

        Parameters
        ----------
        progress : Progress, optional

        Returns
        -------
        tuple of Path
            The csv files, in the order of the individuals.

        Raises
        ------
        FormatError
            If a chunk has been damaged. It is removed with what follows it, so that the work can go on before it.
        Pose3DError
            If a file cannot be written.
        ValueError
            If frames are still to come.
        """
        if self.done_frames != self.total_frames:
            raise ValueError(f"{self!r} is not finished")
        facts = self._facts
        covariance = bool(self._chunks) and self._chunks[0].covariance
        columns = point_columns(facts["keypoints"], covariance=covariance)
        made = []
        try:
            for i, (individual, path) in enumerate(zip(facts["individuals"], self._paths, strict=True)):
                pair = self._folder / f"result_{i}.csv", self._folder / f"result_{i}.uncertainty.csv"
                rows = point_rows(self._with_gaps(path, progress), i)
                write_both(pair, *columns, rows, SideHead(individual, facts["fps"], facts["start"], self._edits))
                made.append((pair, path))
            for (main, side), path in made:
                # The side file first: it belongs to no other csv, while a csv without its own would have lost status.
                side.replace(uncertainty_path(path))
                main.replace(path)
        except OSError as error:
            raise Pose3DError(f"{self._paths[0]}: cannot be written ({error.strerror or error})") from error
        shutil.rmtree(self._folder, ignore_errors=True)
        return self._paths

    def _with_gaps(self, path: Path, progress: Progress) -> Iterator[tuple[Keypoints3D, FloatArray]]:
        """Yield each chunk, and how far its points lie from data, within the chunk or beyond it."""
        shape = (len(self._facts["individuals"]), len(self._facts["keypoints"]))
        # What follows each chunk is known once all are there: how far after its end its keypoints are observed.
        after = [np.full(shape, np.inf)]
        for chunk in reversed(self._chunks):
            after.append(np.minimum(chunk.until, after[-1] + (chunk.last - chunk.first)))
        before = np.full(shape, np.inf)
        for chunk, following in zip(self._chunks, after[-2::-1], strict=True):
            points = self._points(self._load(chunk), chunk.first)
            yield points, frames_to_observed(points.status, before=before, after=following)
            before = np.minimum(chunk.since, before + (chunk.last - chunk.first))
            progress(f"writing {path.name}", chunk.last, self.total_frames)

    def _resume(self) -> None:
        """Find the finished chunks of the same work, or clear the folder for new work."""
        folder = self._folder
        try:
            items = list(folder.iterdir()) if folder.exists() else []
            strangers = [item.name for item in items if not _OURS.fullmatch(item.name)]
            if strangers:
                raise Pose3DError(f"{folder}: holds other files ({strangers[0]}); move them elsewhere")
            if items and not self._continues():
                logger.warning("%s: was begun with other inputs or settings; begun anew", folder)
                shutil.rmtree(folder)
                items = []
            chunks = {item.name for item in items if _CHUNK_NAME.fullmatch(item.name)}
            for name in sorted(chunks):
                first, last = (int(number) for number in name.removesuffix(".npz").split("-"))
                if first == self.done_frames and first < last <= self.total_frames:
                    self._take(first, last, folder / name)
            for item in items:
                if item.name != _MANIFEST and item not in {chunk.path for chunk in self._chunks}:
                    item.unlink()
        except OSError as error:
            raise Pose3DError(f"{folder}: cannot be read or cleared ({error.strerror}); remove it") from error
        if self._chunks:
            logger.info("%s: %d of %d frames are done already", folder, self.done_frames, self.total_frames)
        write_text(folder / _MANIFEST, json.dumps(self._facts, ensure_ascii=False, indent=1) + "\n")

    def _continues(self) -> bool:
        """Tell whether the folder's manifest is that of this work."""
        try:
            return bool(json.loads((self._folder / _MANIFEST).read_text(encoding="utf-8")) == self._facts)
        except (OSError, ValueError, RecursionError):
            return False

    def _take(self, first: int, last: int, path: Path) -> None:
        """Count a chunk of an earlier run as done, unless it is damaged."""
        try:
            arrays, state = self._parts((first, last), path)
            chunk = _chunk_of((first, last), path, arrays)
            if self._chunks and self._chunks[0].covariance != chunk.covariance:
                raise FormatError(f"{path}: is not of one kind with those before it")
        except FormatError as error:
            logger.warning("%s; made anew from there", error)
            return
        self._chunks.append(chunk)
        self.state = state

    def _load(self, chunk: _Chunk) -> dict[str, NDArray[Any]]:
        """Read the arrays of a chunk; a damaged one and what follows it are dropped."""
        try:
            return self._parts((chunk.first, chunk.last), chunk.path)[0]
        except FormatError as error:
            for later in self._chunks:
                if later.first >= chunk.first:
                    later.path.unlink(missing_ok=True)
            self._chunks = [other for other in self._chunks if other.first < chunk.first]
            raise FormatError(f"{error}; start again: what was finished before frame {chunk.first} is kept") from error

    def _parts(self, span: tuple[int, int], path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Read the arrays of a chunk, and the state that was given with it."""
        text = read_members(path, ["facts"], most_bytes=2**20)["facts"]
        try:
            facts = json.loads(str(text[()]))
            names = [name for name in _FIELDS if name != "covariance" or facts["covariance"]]
            states = [str(name) for name in facts["state"]]
        except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
            raise FormatError(f"{path}: is damaged") from error
        members = read_members(path, names + [f"state_{name}" for name in states], most_bytes=_MOST_CHUNK_BYTES)
        shape = (span[1] - span[0], len(self._facts["individuals"]), len(self._facts["keypoints"]))
        more = {"xyz": (3,), "covariance": (3, 3)}
        if any(members[name].shape != (*shape, *more.get(name, ())) for name in names):
            raise FormatError(f"{path}: is damaged")
        return {name: members[name] for name in names}, {name: members[f"state_{name}"] for name in states}

    def _points(self, arrays: Mapping[str, NDArray[Any]], first: int) -> Keypoints3D:
        return Keypoints3D(
            **arrays,
            individuals=self._facts["individuals"],
            keypoints=self._facts["keypoints"],
            fps=self._facts["fps"],
            start=self._facts["start"] + first,
        )


def _chunk_of(span: tuple[int, int], path: Path, arrays: Mapping[str, NDArray[Any]]) -> _Chunk:
    observed = arrays["status"] == Status.OBSERVED
    seen = observed.any(axis=0)
    since = np.where(seen, observed[::-1].argmax(axis=0) + 1.0, np.inf)
    until = np.where(seen, observed.argmax(axis=0) + 1.0, np.inf)
    return _Chunk(*span, path, "covariance" in arrays, since, until)
