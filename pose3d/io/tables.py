"""Tables with a row for each frame: what the csv files of anipose and TRC share."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pose3d.errors import DataError, FormatError
from pose3d.io.names import fits_file_name

__all__ = [
    "individual_paths",
    "name_columns",
    "read_csv_exactly",
    "read_table",
    "require_numbers",
]

# pandas 3.1 parses every float exactly and warns of the argument that asks for it; before, the last digit may be lost
_OLD_PANDAS = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
_EXACT: dict[str, Any] = {"float_precision": "round_trip"} if _OLD_PANDAS else {}


def read_csv_exactly(source: io.BytesIO | io.StringIO, **options: Any) -> pd.DataFrame:
    """Call :func:`pandas.read_csv` such that each float is the nearest to its text."""
    table: pd.DataFrame = pd.read_csv(source, low_memory=False, **_EXACT, **options)
    return table


def read_table(data: bytes, path: Path, *, skip: int = 0) -> pd.DataFrame:
    """Parse a csv with a header, each float exactly.

    Parameters
    ----------
    data : bytes
    path : Path
        For messages.
    skip : int
        Lines before the header.

    Raises
    ------
    FormatError
        If it is no csv, or has no rows.
    """
    try:
        table = read_csv_exactly(io.BytesIO(data), skiprows=skip)
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: cannot be read as a csv ({reason[:100]}); is it another kind of file?") from error
    if table.empty:
        raise FormatError(f"{path}: holds no frame; make it again")
    if not isinstance(table.index, pd.RangeIndex):
        raise FormatError(f"{path}: rows are longer than the header; make it again")
    return table


def require_numbers(table: pd.DataFrame, path: Path) -> None:
    """Check that a table holds numbers only.

    Raises
    ------
    FormatError
        Naming the first column that does not, and what it holds.
    """
    text = table.select_dtypes(exclude="number")
    if text.shape[1]:
        column = text.iloc[:, 0]
        wrong = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        sample = f"{wrong.iloc[0]!r}" if len(wrong) else "what is no number"
        raise FormatError(f"{path}: column {column.name} holds {sample} where a number is needed; correct the file")


def name_columns(names: Sequence[str], suffixes: Sequence[str]) -> list[str]:
    """Return ``<name>_<suffix>`` for each name and suffix, the suffixes of a name together."""
    return [f"{name}_{suffix}" for name in names for suffix in suffixes]


def individual_paths(path: str | Path, individuals: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the file of each individual: `path` itself for one, ``<stem>_<individual><suffix>`` for several.

    Raises
    ------
    DataError
        If a name cannot be part of a file name, or two names differ in case only.
    """
    path = Path(path)
    if len(individuals) == 1:
        return (path,)
    for name in individuals:
        if not fits_file_name(name):
            raise DataError(f"{path}: individual {name!r} gets a file of its own and cannot name it; rename it")
    if len({name.casefold() for name in individuals}) < len(individuals) or not individuals:
        raise DataError(f"{path}: individuals {', '.join(individuals)} need names that differ, case aside; rename them")
    return tuple(path.with_name(f"{path.stem}_{name}{path.suffix}") for name in individuals)
