"""What was made from what: the record beside the results of a session."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pose3d.errors import ProjectError
from pose3d.io.files import write_text

__all__ = ["STATE_NAME", "Fingerprint", "Record", "State", "fingerprint", "load_state", "save_record"]

STATE_NAME = "pose3d-state.json"
_FORMAT = 1
# A file written again within the resolution of its time stamp (2 s on FAT) keeps stamp and size: such a stamp proves
# nothing yet, and the content is read once more the next time.
_STAMP_RESOLUTION_NS = 2_000_000_000
_CLUTTER = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Fingerprint:
    """The content of a file, or of the files in a folder.

    Attributes
    ----------
    sha256 : str
        Of the content; times play no part.
    stamp : str
        Size and times; while they stay the same the content need not be read again. Empty if they prove nothing.
    """

    sha256: str
    stamp: str = ""


@dataclass(frozen=True)
class Record:
    """What one step was made from, and what it made.

    Attributes
    ----------
    version : str
        Of pose3d.
    settings : mapping
        Name to value, as JSON has it.
    inputs, outputs : mapping
        Path relative to the record's folder (with ``/``) to :class:`Fingerprint`.
    edited : tuple of str
        Outputs that a person changed and that are to be used so.
    unfinished : bool
        The step was begun and did not end: what stands at the outputs is of unknown origin.
    failed : str
        Why the result failed its quality gate; empty if it passed.
    """

    version: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, Fingerprint]
    outputs: Mapping[str, Fingerprint]
    edited: tuple[str, ...] = ()
    unfinished: bool = False
    failed: str = ""


@dataclass(frozen=True)
class State:
    """All records of a folder.

    Attributes
    ----------
    records : mapping
        Step to :class:`Record`.
    problem : str
        Why the record could not be read; empty if it could.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    problem: str = ""


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inside = (item for item in path.iterdir() if not item.name.startswith(".") and item.name.lower() not in _CLUTTER)
    return sorted((item for item in inside if item.is_file()), key=lambda item: item.name)


def fingerprint(path: Path, known: Fingerprint | None = None) -> Fingerprint | None:
    """Fingerprint a file, or a folder of files (names and contents).

    Parameters
    ----------
    path : Path
    known : Fingerprint, optional
        An earlier one: its hash is taken over if size and times are still the same.

    Returns
    -------
    Fingerprint or None
        None if there is no such file.

    Raises
    ------
    ProjectError
        If the file is there and cannot be read.
    """
    try:
        if not path.exists():
            return None
        files = _files(path)
        now = time.time_ns()
        stats = [item.stat() for item in files]
        stamp = " ".join(f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}" for stat in stats)
        if path.is_dir():
            names = "\0".join(item.name for item in files)
            stamp = hashlib.sha256(f"{names}\0{stamp}".encode("utf-8", "surrogateescape")).hexdigest()
        if known is not None and known.stamp and known.stamp == stamp:
            return known
        digest = _digest(files[0]) if not path.is_dir() else _digest_folder(files)
    except OSError as error:
        raise ProjectError(f"{error.filename or path}: cannot be read ({error.strerror})") from error
    settled = all(max(stat.st_mtime_ns, stat.st_ctime_ns) < now - _STAMP_RESOLUTION_NS for stat in stats)
    return Fingerprint(digest, stamp if settled else "")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest_folder(files: list[Path]) -> str:
    whole = hashlib.sha256()
    for item in files:
        whole.update(f"{item.name}\0{_digest(item)}\0".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def load_state(folder: Path) -> State:
    """Read the records of a folder.

    A record that is damaged is reported in :attr:`State.problem` and counts as none: a result whose origin is not
    known is not used silently.
    """
    path = folder / STATE_NAME
    try:
        table = json.loads(path.read_bytes())
        if table["format"] != _FORMAT:
            return State(problem=f"{STATE_NAME} has format {table['format']!r}, this pose3d knows {_FORMAT}")
        return State({str(name): _record(item) for name, item in table["steps"].items()})
    except FileNotFoundError:
        return State()
    except OSError as error:
        return State(problem=f"{STATE_NAME} cannot be read ({error.strerror})")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return State(problem=f"{STATE_NAME} is damaged")


def _record(table: Mapping[str, Any]) -> Record:
    def prints(items: Mapping[str, Mapping[str, Any]]) -> dict[str, Fingerprint]:
        return {str(name): Fingerprint(str(item["sha256"]), str(item["stamp"])) for name, item in items.items()}

    return Record(
        str(table["version"]),
        dict(table["settings"]),
        prints(table["inputs"]),
        prints(table["outputs"]),
        tuple(str(name) for name in table["edited"]),
        bool(table["unfinished"]),
        str(table.get("failed", "")),
    )


def save_record(folder: Path, step: str, record: Record | None) -> None:
    """Put one step's record into a folder's state, or take it out; the other steps' records stay.

    Parameters
    ----------
    folder : Path
    step : str
        Its key.
    record : Record or None
        None takes it out.

    Raises
    ------
    Pose3DError
        If the folder cannot be written to.
    """

    def prints(items: Mapping[str, Fingerprint]) -> dict[str, dict[str, str]]:
        return {name: {"sha256": item.sha256, "stamp": item.stamp} for name, item in sorted(items.items())}

    records = dict(load_state(folder).records)
    records.pop(step, None)
    if record is not None:
        records[step] = record
    steps = {
        name: {
            "version": item.version,
            "settings": dict(item.settings),
            "inputs": prints(item.inputs),
            "outputs": prints(item.outputs),
            "edited": list(item.edited),
            "unfinished": item.unfinished,
            "failed": item.failed,
        }
        for name, item in sorted(records.items())
    }
    table = {"format": _FORMAT, "about": "written by `pose3d run`: which result was made from what", "steps": steps}
    write_text(folder / STATE_NAME, json.dumps(table, indent=1) + "\n")
