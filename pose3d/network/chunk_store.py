"""Work on a recording that can be ended at any time: finished chunks of frames wait in a folder beside the output.

The folder ``<stem of the output>.partial`` holds ``manifest.json`` (the number of frames, and the fingerprint of all
that the result depends on) and one ``<first>-<last>.npz`` for each finished chunk, each written whole or not at all.
The same work goes on after the last chunk; other work begins anew and says so.
"""

import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose3d.errors import FormatError, Pose3DError
from pose3d.io.files import atomic_path, write_text
from pose3d.io.npz import read_members, write_member
from pose3d.log import logger

__all__ = ["ChunkStore", "chunk_folder"]

Arrays: TypeAlias = dict[str, NDArray[Any]]

_MANIFEST = "manifest.json"
_CHUNK_NAME = re.compile(r"([0-9]{12})-([0-9]{12})\.npz")
_OURS = re.compile(r"manifest\.json|[0-9]{12}-[0-9]{12}\.npz|\..*")
_MOST_CHUNK_BYTES = 2**32


class _Chunk(NamedTuple):
    first: int
    last: int
    path: Path


def chunk_folder(output: str | Path) -> Path:
    """Return where the finished chunks of an output wait."""
    output = Path(output)
    return output.with_name(f"{output.stem}.partial")


class ChunkStore:
    """Finished chunks of a recording, in the order of its frames.

    Parameters
    ----------
    output : path
        What is being made; the chunks lie beside it.
    n_frames : int
        Of the recording.
    fingerprint : str
        Of all that the chunks depend on (:func:`pose3d.io.fingerprint.fingerprint`).

    Attributes
    ----------
    folder : Path
    done_frames : int
        How many frames are finished: where the next chunk must begin.
    state : dict of str to array
        What was given with the last finished chunk.

    Raises
    ------
    Pose3DError
        If the folder cannot be made, or holds files of others.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = ChunkStore(f"{folder}/walk.h5", n_frames=5, fingerprint="abc")
    ...     store.append({"xy": np.zeros((3, 2))}, {"window": [1, 2]})
    ...     again = ChunkStore(f"{folder}/walk.h5", n_frames=5, fingerprint="abc")
    ...     again.done_frames, again.state["window"].tolist()
    (3, [1, 2])
    """

    def __init__(self, output: str | Path, *, n_frames: int, fingerprint: str) -> None:
        self.output = Path(output)
        self.folder = chunk_folder(output)
        self.n_frames = int(n_frames)
        self.state: Arrays = {}
        self._facts = {"format": 1, "n_frames": self.n_frames, "fingerprint": fingerprint}
        self._chunks: list[_Chunk] = []
        try:
            self._resume()
        except OSError as error:
            raise Pose3DError(f"{self.folder}: cannot be read or cleared ({error.strerror}); remove it") from error

    def __repr__(self) -> str:
        return f"ChunkStore({self.output.name}, {self.done_frames} of {self.n_frames} frames)"

    @property
    def done_frames(self) -> int:
        """How many frames are finished."""
        return self._chunks[-1].last if self._chunks else 0

    def append(self, arrays: Mapping[str, ArrayLike], state: Mapping[str, ArrayLike] | None = None) -> None:
        """Add the next frames. When this returns, they outlast whatever ends the program.

        Parameters
        ----------
        arrays : mapping of str to (n_frames, ...) array
            Numbers or texts; the same names in all chunks.
        state : mapping of str to array, optional
            What is needed to go on after these frames.

        Raises
        ------
        Pose3DError
            If they cannot be written.
        ValueError
            If they are no arrays of the same number of frames, or too many.
        """
        values = {f"frames_{name}": np.asarray(value) for name, value in arrays.items()}
        lengths = {len(value) if value.ndim else 0 for value in values.values()}
        n = lengths.pop() if len(lengths) == 1 else 0
        first, last = self.done_frames, self.done_frames + n
        if n == 0 or last > self.n_frames:
            raise ValueError(f"arrays of one length, 1 to {self.n_frames - first} frames, are needed after {self!r}")
        kept = {name: np.asarray(value) for name, value in (state or {}).items()}
        values |= {f"state_{name}": value for name, value in kept.items()}
        if any(value.dtype.hasobject for value in values.values()):
            raise ValueError("a chunk is arrays of numbers and texts")
        facts = np.array(json.dumps({"frames": list(arrays), "state": list(kept)}))
        # In memory first: an archive that cannot be finished on a full disk would complain a second time.
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, value in ({"facts": facts} | values).items():
                write_member(archive, name, value)
        path = self.folder / f"{first:012d}-{last:012d}.npz"
        with atomic_path(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())
        self._chunks.append(_Chunk(first, last, path))
        self.state = kept

    def chunks(self) -> Iterator[Arrays]:
        """Yield the arrays of the finished chunks in their order.

        Raises
        ------
        FormatError
            If a chunk has been damaged. It is removed with what follows it, so that the work can go on before it.
        """
        for chunk in tuple(self._chunks):
            try:
                arrays, _ = self._read(chunk)
            except FormatError as error:
                for later in self._chunks:
                    if later.first >= chunk.first:
                        later.path.unlink(missing_ok=True)
                self._chunks = [other for other in self._chunks if other.first < chunk.first]
                raise FormatError(
                    f"{error}; start again: what was finished before frame {chunk.first} is kept"
                ) from error
            yield arrays

    def remove(self) -> None:
        """Remove the folder: the output is there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._chunks = []

    def _resume(self) -> None:
        """Find the finished chunks of the same work, or clear the folder for new work."""
        items = list(self.folder.iterdir()) if self.folder.exists() else []
        strangers = [item.name for item in items if not _OURS.fullmatch(item.name)]
        if strangers:
            raise Pose3DError(f"{self.folder}: holds other files ({strangers[0]}); move them elsewhere")
        if items and not self._continues():
            logger.warning("%s: was begun with another input, model or settings; begun anew", self.folder)
            shutil.rmtree(self.folder)
            items = []
        for name in sorted(item.name for item in items if _CHUNK_NAME.fullmatch(item.name)):
            first, last = (int(number) for number in name.removesuffix(".npz").split("-"))
            if first == self.done_frames and first < last <= self.n_frames:
                self._take(_Chunk(first, last, self.folder / name))
        kept = {self.folder / _MANIFEST, *(chunk.path for chunk in self._chunks)}
        for item in items:
            if item not in kept:
                item.unlink()
        if self._chunks:
            logger.info("%s: %d of %d frames are done already", self.folder, self.done_frames, self.n_frames)
        write_text(self.folder / _MANIFEST, json.dumps(self._facts, indent=1) + "\n")

    def _continues(self) -> bool:
        """Tell whether the folder's manifest is that of this work."""
        try:
            return bool(json.loads((self.folder / _MANIFEST).read_text(encoding="utf-8")) == self._facts)
        except (OSError, ValueError, RecursionError):
            return False

    def _take(self, chunk: _Chunk) -> None:
        """Count a chunk of an earlier run as done, unless it is damaged."""
        try:
            _, self.state = self._read(chunk)
        except FormatError as error:
            logger.warning("%s; made anew from there", error)
            return
        self._chunks.append(chunk)

    def _read(self, chunk: _Chunk) -> tuple[Arrays, Arrays]:
        """Read the arrays of a chunk, and the state that was given with it."""
        text = read_members(chunk.path, ["facts"], most_bytes=2**20)["facts"]
        try:
            facts = json.loads(str(text[()]))
            names, states = [str(name) for name in facts["frames"]], [str(name) for name in facts["state"]]
        except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
            raise FormatError(f"{chunk.path}: is damaged") from error
        wanted = [f"frames_{name}" for name in names] + [f"state_{name}" for name in states]
        members = read_members(chunk.path, wanted, most_bytes=_MOST_CHUNK_BYTES)
        arrays = {name: members[f"frames_{name}"] for name in names}
        if not arrays or any(value.shape[:1] != (chunk.last - chunk.first,) for value in arrays.values()):
            raise FormatError(f"{chunk.path}: is damaged")
        return arrays, {name: members[f"state_{name}"] for name in states}
