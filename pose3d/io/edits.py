"""What a person corrected in a session: ``edits.toml``, for programs to apply and for people to read and change."""

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pose3d.data.edits import AddedEvent, BadStretch, DeletedEvent, Edit, Edits, MovedEvent, Remark, SwappedSides
from pose3d.errors import DataError, FormatError
from pose3d.io.file_lock import locked
from pose3d.io.files import atomic_path, require_file

__all__ = ["EditLog", "edit_tables", "edits_beside", "parse_edits", "read_edits", "require_edits", "write_edits"]

FORMAT = 1
_MAX_BYTES = 50_000_000
_KINDS: dict[str, type[Edit]] = {
    "bad stretch": BadStretch,
    "sides exchanged": SwappedSides,
    "event moved": MovedEvent,
    "event deleted": DeletedEvent,
    "event added": AddedEvent,
    "note": Remark,
}
_WORDS = {kind: word for word, kind in _KINDS.items()}
_LISTS = ("edits", "undone")
_LAST = ("individual", "note", "made")
_HEAD = """\
# What a person corrected. pose3d triangulate, run and report apply it; recordings and 2D keypoints stay as they are.
# Frames are those of the recording, first and last included; times are seconds from its frame 0. Without keypoints,
# pairs, individual or camera, an entry is about all of them. A bad stretch with a camera: its views are not used;
# without one, the points are missing and are not filled. undone: what was taken back, and may be done again. Comments
# are lost when pose3d writes the file anew: write notes.
"""


def edits_beside(points: str | Path) -> Path:
    """Return where the edits of a file of points lie that is in no session: ``<stem>.edits.toml`` beside it."""
    points = Path(points)
    return points.with_name(f"{points.stem}.edits.toml")


def read_edits(path: str | Path) -> dict[str, Edits]:
    """Read a file of edits.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to Edits
        By trial; empty where there is no file.

    Raises
    ------
    FormatError
        If it is damaged or says what is not known: a line that tells where.
    """
    if not Path(path).exists():
        return {}
    path = require_file(path, "file of edits")
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: is too large for a file of edits; is it another file?")
    try:
        tables = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is no text; an edits.toml is needed") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FormatError(f"{path}: is no valid toml ({reason}); correct it, or move it away") from error
    version = tables.pop("format", None)
    if version != FORMAT or isinstance(version, bool):
        raise FormatError(f"{path}: has format = {str(version)[:20]}; this pose3d knows format = {FORMAT}")
    trials = tables.pop("trials", {})
    if tables:
        raise FormatError(f"{path}: {next(iter(tables))} is not known; edits stand in [[trials.NAME.edits]]")
    if not isinstance(trials, dict):
        raise FormatError(f"{path}: trials is no table; edits stand in [[trials.NAME.edits]]")
    return {name: _trial(table, f"{path}: trial {name}") for name, table in trials.items()}


def write_edits(edits: Mapping[str, Edits], path: str | Path) -> None:
    """Write a file of edits, whole or not at all; when this returns, the disk has it.

    Parameters
    ----------
    edits : mapping of str to Edits
        By trial.
    path : path

    Raises
    ------
    DataError
        If a name cannot be written.
    Pose3DError
        If the file cannot be.
    """
    lines = [_HEAD, f"format = {FORMAT}"]
    for trial, own in edits.items():
        for part, entries in zip(_LISTS, (own.entries, own.undone), strict=True):
            for table in edit_tables(entries):
                lines += ["", f"[[trials.{_value(trial)}.{part}]]"]
                lines += [f"{name} = {_value(value)}" for name, value in table.items()]
    try:
        data = ("\n".join(lines) + "\n").encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: a name or a note cannot be written ({error.object[error.start]!r})") from error
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def edit_tables(entries: tuple[Edit, ...]) -> list[dict[str, Any]]:
    """Return entries as plain tables, as the file has them; what is not said is left out."""
    tables = []
    for entry in entries:
        table: dict[str, Any] = {"what": _WORDS[type(entry)]}
        own = [field.name for field in fields(entry)]
        for name in (*(name for name in own if name not in _LAST), *_LAST):
            value = getattr(entry, name)
            if value not in (None, "", ()):
                table[name] = _plain(value)
        tables.append(table)
    return tables


def _plain(value: object) -> object:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def parse_edits(tables: object, where: str) -> tuple[Edit, ...]:
    """Return the entries that plain tables say: those of :func:`edit_tables`.

    Parameters
    ----------
    tables : object
        Whatever stands there.
    where : str
        For messages.

    Raises
    ------
    FormatError
        If it is not what it should be.
    """
    if not isinstance(tables, list):
        raise FormatError(f"{where}: a list of entries is needed, [[trials.NAME.edits]]")
    return tuple(_entry(table, f"{where}: entry {number}") for number, table in enumerate(tables, start=1))


class EditLog:
    """The edits of one trial, while a person makes them.

    Each call reads, changes and writes the file under a lock: when it returns, the disk has it. Several windows may do
    so at once, and a process that is killed loses nothing.

    Parameters
    ----------
    path : path
        A session's ``edits.toml``; it need not be there.
    trial : str

    Attributes
    ----------
    edits : Edits
        As the file had them when it was last read.

    Raises
    ------
    FormatError
        If the file is damaged.
    """

    def __init__(self, path: str | Path, trial: str) -> None:
        self.path, self.trial = Path(path), trial
        self.edits = Edits()
        self.reload()

    def reload(self) -> bool:
        """Read the file anew; tells whether anybody changed the edits since."""
        before = self.edits
        self.edits = read_edits(self.path).get(self.trial, Edits())
        return self.edits != before

    def append(self, edit: Edit) -> Edits:
        """Add an edit, with the time at which it is made.

        Raises
        ------
        FormatError
            If somebody damaged the file meanwhile; it stays as it is.
        Pose3DError
            If it cannot be written; it stays as it is.
        """
        if not edit.made:
            edit = replace(edit, made=datetime.now().astimezone().isoformat(timespec="seconds"))
        return self._change(lambda edits: edits.add(edit))

    def undo(self) -> Edit | None:
        """Take the last edit back, and return it; None where there is none. Errors as :meth:`append`."""
        undone = self._change(Edits.undo, only_if=lambda edits: edits.can_undo).undone
        return undone[-1] if self._changed else None

    def redo(self) -> Edit | None:
        """Do again what was last taken back, and return it; None where there is nothing. Errors as :meth:`append`."""
        entries = self._change(Edits.redo, only_if=lambda edits: edits.can_redo).entries
        return entries[-1] if self._changed else None

    def remove(self, edit: Edit) -> Edits:
        """Take back one edit, wherever it stands. Errors as :meth:`append`.

        Raises
        ------
        ValueError
            If it is not among them.
        """
        return self._change(lambda edits: edits.remove(edit))

    def _change(self, change: Callable[[Edits], Edits], only_if: Callable[[Edits], bool] = lambda _: True) -> Edits:
        with locked(self.path):
            every = read_edits(self.path)
            self.edits = every.get(self.trial, Edits())
            self._changed = only_if(self.edits)
            if self._changed:
                changed = change(self.edits)
                write_edits({**every, self.trial: changed}, self.path)
                self.edits = changed
        return self.edits


def _trial(table: object, where: str) -> Edits:
    if not isinstance(table, dict):
        raise FormatError(f"{where}: a table is needed, with [[trials.NAME.edits]]")
    for name in table:
        if name not in _LISTS:
            raise FormatError(f"{where}: {name} is not known; there is {' and '.join(_LISTS)}")
    return Edits(*(parse_edits(table.get(name, []), f"{where}: {name}") for name in _LISTS))


def _entry(table: object, where: str) -> Edit:
    if not isinstance(table, dict):
        raise FormatError(f"{where}: a table is needed")
    values = dict(table)
    word = values.pop("what", None)
    kind = _KINDS.get(word) if isinstance(word, str) else None
    if kind is None:
        raise FormatError(f"{where}: what = {str(word)[:40]!r} is not known; it is one of {', '.join(_KINDS)}")
    own = {field.name: field for field in fields(kind)}
    for name in values:
        if name not in own:
            raise FormatError(f"{where}: {name} is not known of a {word}; there is {', '.join(own)}")
    for name, field in own.items():
        if field.default is MISSING and name not in values:
            raise FormatError(f"{where}: {name} is missing, which a {word} needs")
    try:
        return kind(**{name: _READ[name](value, f"{where}: {name}") for name, value in values.items()})
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from error


def _text(value: object, where: str) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        raise FormatError(f"{where} is {str(value)[:40]!r}, not a text")
    return value


def _whole(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FormatError(f"{where} is {str(value)[:40]!r}, not a whole number")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"{where} is {str(value)[:40]!r}, not a number")
    return float(value)


def _names(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FormatError(f'{where} is {str(value)[:40]!r}, not a list of names such as ["knee_l", "ankle_l"]')
    return tuple(value)


def _links(value: object, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list) or not all(isinstance(item, list) and len(item) == 2 for item in value):
        raise FormatError(f'{where} is {str(value)[:40]!r}, not a list of pairs such as [["knee_l", "knee_r"]]')
    return tuple((_text(left, where), _text(right, where)) for left, right in value)


_READ: dict[str, Callable[[object, str], Any]] = {
    **dict.fromkeys(("first", "last"), _whole),
    **dict.fromkeys(("time_s", "from_s", "to_s"), _number),
    **dict.fromkeys(("limb", "kind", "camera", "text", *_LAST), _text),
    "keypoints": _names,
    "pairs": _links,
}


def _value(value: object) -> str:
    """Return a value as toml has it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        text = f"{value:.6f}".rstrip("0")
        return text + "0" if text.endswith(".") else text
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    return str(value)


def require_edits(path: str | Path, trial: str) -> Edits:
    """Read the edits of one trial from a file that must be there, for commands that are given it.

    Parameters
    ----------
    path : path
    trial : str
        A file with one trial alone may call it otherwise.

    Raises
    ------
    FormatError
        If there is no such file, it is damaged, or none of several trials has this name.
    """
    found = read_edits(require_file(path, "file of edits"))
    if trial in found:
        return found[trial]
    if len(found) > 1:
        raise FormatError(f"{path}: has no trial {trial!r}; there is {', '.join(found)}")
    if not found:
        return Edits()
    return next(iter(found.values()))
