"""Tables for ``pandas.read_hdf`` that are written whole or not at all, also on a disk that fills up meanwhile.

HDF5 says nothing when it cannot write all it has while it closes a file, so each file is read again before it takes its
place.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from pose3d.errors import FormatError, Pose3DError
from pose3d.io.dlc_h5 import H5_KEY, H5Table
from pose3d.io.files import atomic_path

__all__ = ["H5Writer", "digest_values", "written_h5"]


class H5Writer:
    """Takes the rows of one table, in one part or in several, and notes to keep beside it.

    Attributes
    ----------
    n_rows : int
        Taken until now.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        # pandas asks for no times of a table, but forgets the arrays of its index.
        for kind in ("create_array", "create_carray", "create_earray", "create_vlarray"):
            setattr(store._handle, kind, partial(getattr(store._handle, kind), track_times=False))
        self._values = hashlib.sha256()
        self._names = hashlib.sha256()
        self._columns: list[Any] = []
        self._of_images = False
        self.n_rows = 0

    @property
    def digest(self) -> str:
        """Of all values until now, as :func:`digest_values` finds it in the file."""
        return self._values.hexdigest()

    def put(self, frame: pd.DataFrame, *, form: Literal["table", "fixed"] = "table") -> None:
        """Write rows of float64; only ``table`` takes more of them later."""
        # Times and PyTables' own index would differ from one writing to the next.
        self._store.put(H5_KEY, frame, format=form, append=self.n_rows > 0, index=False, track_times=False)
        self._columns = frame.columns.tolist()
        self._of_images = isinstance(frame.index, pd.MultiIndex)
        _add_values(self._values, frame.to_numpy())
        _add_names(self._names, frame.index.tolist() if self._of_images else frame.index.to_numpy())
        self.n_rows += len(frame)

    def note(self, name: str, text: str) -> None:
        """Keep a text beside the table."""
        setattr(self._store.root._v_attrs, name, text)

    def is_whole(self, path: Path) -> bool:
        """Tell whether a file holds what was written."""
        if not self.n_rows:  # of which pandas writes nothing
            return True
        names = hashlib.sha256()
        try:
            table = H5Table(path, of_images=self._of_images)
            for part in [table.images()] if self._of_images else table.numbers():
                _add_names(names, part)
            same = table.columns == self._columns and names.digest() == self._names.digest()
            return same and digest_values(path, self.n_rows, of_images=self._of_images) == self.digest
        except FormatError:
            return False


@contextmanager
def written_h5(path: str | Path) -> Iterator[H5Writer]:
    """Give what takes a table; the file appears when the block ends well and all of it can be read again.

    Raises
    ------
    Pose3DError
        If the file cannot be written, or not whole.
    """
    with atomic_path(path) as temporary:
        try:
            with pd.HDFStore(str(temporary), "w") as store:
                writer = H5Writer(store)
                yield writer
        except RuntimeError as error:  # PyTables' own
            raise Pose3DError(f"{path}: cannot be written (is the disk full?)") from error
        if not writer.is_whole(temporary):
            raise Pose3DError(f"{path}: cannot be written whole (is the disk full?); make room and start again")


def digest_values(path: str | Path, n_rows: int, *, of_images: bool = False) -> str:
    """Return the sha256 of the first values of a table, row by row.

    Raises
    ------
    FormatError
        If the file is no such table, or cut short.
    """
    found = hashlib.sha256()
    for rows in H5Table(Path(path), of_images=of_images).rows(0, n_rows):
        _add_values(found, rows)
    return found.hexdigest()


def _add_values(digest: Any, values: Any) -> None:
    digest.update(np.ascontiguousarray(values, dtype=np.float64).data)


def _add_names(digest: Any, names: Any) -> None:
    if isinstance(names, list):
        digest.update(repr([tuple(map(str, name)) for name in names]).encode())
    else:
        digest.update(np.ascontiguousarray(names, dtype=np.int64).data)
