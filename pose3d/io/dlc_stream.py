"""DeepLabCut's h5 of one camera, written block by block: a recording of any length is never whole in memory.

With several peaks a keypoint the columns are ``x, y, likelihood, x2, y2, likelihood2, ...``, as DeepLabCut's own with
``num_outputs`` above 1: :func:`pose3d.io.dlc.read_dlc` takes the first, which must be the best, and
:func:`pose3d.io.dlc_candidates.read_dlc_candidates` reads all.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pose3d.errors import DataError, FormatError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.dlc import open_dlc
from pose3d.io.dlc_csv import LEVELS
from pose3d.io.files import require_suffix
from pose3d.io.hdf5 import opened_h5
from pose3d.io.whole_h5 import digest_values, written_h5

__all__ = ["is_as_written", "read_notes", "read_scorer", "write_dlc_blocks"]

_VALUES = "pose3d_values"  # the note of how many rows there are, and the digest of what stands in them
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
        Kept beside the table, for :func:`read_notes` and :func:`is_as_written`.

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
    with written_h5(path) as table:
        for block in blocks:
            if block.shape[1:] != shape or not len(block):
                raise ValueError(f"a block is (n_frames, {', '.join(map(str, shape))}), not {block.shape}")
            rows = np.array(block, dtype=np.float64, order="C").reshape(len(block), -1)
            first = start + table.n_rows
            table.put(pd.DataFrame(rows, columns=columns, index=np.arange(first, first + len(block))))
        if table.n_rows == 0:
            raise ValueError("there are no frames to write")
        if notes:
            for name, text in {**notes, _VALUES: f"{table.n_rows}:{table.digest}"}.items():
                table.note(name, text)
    return table.n_rows


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


def is_as_written(path: str | Path) -> bool:
    """Tell whether the values of a table with notes are still those that :func:`write_dlc_blocks` wrote."""
    n_rows, _, digest = read_notes(path).get(_VALUES, "").partition(":")
    with contextlib.suppress(FormatError):
        return n_rows.isdecimal() and digest_values(path, int(n_rows)) == digest
    return False


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
