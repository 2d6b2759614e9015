"""DeepLabCut's h5 of one camera, written block by block: a recording of any length is never whole in memory.

With several peaks a keypoint the columns are ``x, y, likelihood, x2, y2, likelihood2, ...``, as DeepLabCut's own with
``num_outputs`` above 1: :func:`pose3d.io.dlc.read_dlc` takes the first, which must be the best, and
:func:`pose3d.io.dlc_candidates.read_dlc_candidates` reads all.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pose3d.errors import DataError, FormatError, Pose3DError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.dlc import open_dlc
from pose3d.io.dlc_csv import LEVELS
from pose3d.io.files import atomic_path, require_suffix
from pose3d.io.hdf5 import opened_h5, rows_at_once

__all__ = ["read_notes", "read_scorer", "write_dlc_blocks"]

_KEY = "df_with_missing"
# The names of columns stand in one attribute, which HDF5 limits to 64 KiB.
_MOST_COLUMNS = 1000


def write_dlc_blocks(
    path: str | Path,
    blocks: Iterable[FloatArray],
    *,
    individuals: Sequence[str],
    keypoints: Sequence[str],
    n_peaks: int = 1,
    start: int = 0,
    scorer: str = "pose3d",
    notes: Mapping[str, str] | None = None,
) -> int:
    """Write the predictions of one camera, whole or not at all.

    The same blocks give the same bytes.

    Parameters
    ----------
    path : path
        An ``.h5``.
    blocks : iterable of (n_frames, n_individuals, n_keypoints, n_peaks, 3) array
        x and y in px, likelihood; the frames of a recording in their order.
    individuals : sequence of str
        The name of a single one has no place in the file.
    keypoints : sequence of str
    n_peaks : int, optional
    start : int, optional
        Index of the first frame.
    scorer : str, optional
    notes : mapping of str to str, optional
        Kept beside the table, for :func:`read_notes`.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    DataError
        If the file is named otherwise, or the table were too wide for its format.
    Pose3DError
        If the file cannot be written.
    ValueError
        If a block has another shape, or there are none.
    """
    path = Path(path)
    require_suffix(path, ".h5")
    columns = _columns(individuals, keypoints, n_peaks, scorer)
    if len(columns) > _MOST_COLUMNS:
        raise DataError(
            f"{path}: {len(columns)} columns are more than a DeepLabCut h5 holds ({_MOST_COLUMNS}); ask for fewer peaks"
        )
    shape = (len(individuals), len(keypoints), n_peaks, 3)
    n, written = 0, hashlib.sha256()
    with atomic_path(path) as temporary:
        try:
            with pd.HDFStore(str(temporary), "w") as store:
                for block in blocks:
                    if block.shape[1:] != shape or not len(block):
                        raise ValueError(f"a block is (n_frames, {', '.join(map(str, shape))}), not {block.shape}")
                    rows = np.array(block, dtype=np.float64, order="C").reshape(len(block), -1)
                    index = np.arange(start + n, start + n + len(block))
                    frame = pd.DataFrame(rows, columns=columns, index=index)
                    # Times and PyTables' own index would differ from one writing to the next.
                    store.put(_KEY, frame, format="table", append=n > 0, index=False, track_times=False)
                    written.update(rows.data)
                    n += len(block)
                for name, text in (notes or {}).items():
                    setattr(store.root._v_attrs, name, text)
        except RuntimeError as error:  # PyTables' own
            raise Pose3DError(f"{path}: cannot be written (is the disk full?)") from error
        if n == 0:
            raise ValueError("there are no frames to write")
        # HDF5 says nothing when the disk is full while it closes a file.
        if _digest(temporary, n) != written.digest():
            raise Pose3DError(f"{path}: cannot be written whole (is the disk full?); make room and start again")
    return n


def _digest(path: Path, n_rows: int) -> bytes | None:
    """Return the digest of the values in a file; None if it cannot be read, or has another number of rows."""
    found = hashlib.sha256()
    try:
        with opened_h5(path) as file:
            table = file[_KEY]["table"]
            if len(table) != n_rows:
                return None
            step = rows_at_once(table, 0, path)
            for first in range(0, n_rows, step):
                found.update(np.ascontiguousarray(table[first : first + step]["values_block_0"]).data)
    except FormatError:
        return None
    return found.digest()


def read_notes(path: str | Path) -> dict[str, str]:
    """Read the notes that :func:`write_dlc_blocks` kept; none where there is no such file."""
    path = Path(path)
    try:
        with opened_h5(path) as file:
            found = {str(name): value for name, value in file.attrs.items()}
    except FormatError:
        return {}
    texts = {
        name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value for name, value in found.items()
    }
    return {name: str(value) for name, value in texts.items() if isinstance(value, str)}


def read_scorer(path: str | Path) -> str | None:
    """Return the scorer of a DeepLabCut table, h5 or csv; None where the file is no such table."""
    scorers: list[str] = []

    def note(columns: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
        scorers.extend(column[0] for column in columns[:1])
        return columns

    with contextlib.suppress(FormatError):
        open_dlc(path, rename=note)
    return scorers[0] if scorers else None


def _columns(individuals: Sequence[str], keypoints: Sequence[str], n_peaks: int, scorer: str) -> pd.MultiIndex:
    coordinates = [
        f"{name}{'' if peak == 1 else peak}" for peak in range(1, n_peaks + 1) for name in ("x", "y", "likelihood")
    ]
    if len(individuals) == 1:
        names = [(scorer, part, coordinate) for part in keypoints for coordinate in coordinates]
        return pd.MultiIndex.from_tuples(names, names=["scorer", "bodyparts", "coords"])
    named = [(scorer, who, part, coord) for who in individuals for part in keypoints for coord in coordinates]
    return pd.MultiIndex.from_tuples(named, names=list(LEVELS))
