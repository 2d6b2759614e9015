"""Where an imported trial comes from: ``pose-3d/<name>.import.toml`` beside its points."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from pose3d.errors import FormatError
from pose3d.io.files import require_file, write_text

__all__ = ["IMPORT_SUFFIX", "AnglesSource", "ImportRecord", "import_path", "read_import", "write_import"]

IMPORT_SUFFIX = ".import.toml"
AnglesSource: TypeAlias = Literal["segment axes", "stored angles", "keypoints", "none"]

_MAX_BYTES = 1_000_000
_HEAD = """\
# Written by `pose3d import`: the trial beside this file was not made from videos.
# angles: "segment axes" (computed from the model's axes), "stored angles" (the file's own), "keypoints" (by our
# definitions on its joint centres) or "none". files: what was written, as it was then.
"""


@dataclass(frozen=True)
class ImportRecord:
    """What one trial was imported from.

    Attributes
    ----------
    source : str
        Name of the file, without its folder.
    sha256 : str
        Of the file.
    angles : {"segment axes", "stored angles", "keypoints", "none"}
        Where its angles come from.
    events : int
        How many the file had.
    fps : float
    files : mapping of str to str
        What was written, by path below the session with ``/``, and its sha256 then.
    """

    source: str
    sha256: str
    angles: AnglesSource
    events: int
    fps: float
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.angles not in get_args(AnglesSource):
            raise ValueError(f"angles come from {', '.join(get_args(AnglesSource))}, not {self.angles!r}")
        if not 0 < self.fps < math.inf or self.events < 0:
            raise ValueError("fps must be positive, and the number of events not negative")
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))


def import_path(pose_3d: str | Path) -> Path:
    """Return where the record of a trial lies, given its pose-3d csv."""
    pose_3d = Path(pose_3d)
    return pose_3d.with_name(f"{pose_3d.stem}{IMPORT_SUFFIX}")


def write_import(record: ImportRecord, path: str | Path) -> None:
    """Write the record of an import."""
    lines = [
        f"source = {_quoted(record.source)}",
        f"sha256 = {_quoted(record.sha256)}",
        f"angles = {_quoted(record.angles)}",
        f"events = {record.events}",
        f"fps = {float(record.fps)!r}",
        "",
        "[files]",
        *(f"{_quoted(name)} = {_quoted(digest)}" for name, digest in sorted(record.files.items())),
    ]
    write_text(path, _HEAD + "\n".join(lines) + "\n")


def read_import(path: str | Path) -> ImportRecord:
    """Read the record of an import.

    Raises
    ------
    FormatError
        If it is absent or damaged.
    """
    path = require_file(path, "record of an import")
    again = "run pose3d import again, with --force"
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: is too large for the record of an import; {again}")
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise FormatError(f"{path}: is no valid toml ({' '.join(str(error).split())[:100]}); {again}") from error
    try:
        files = table.get("files", {})
        return ImportRecord(
            _typed(table["source"], str),
            _typed(table["sha256"], str),
            _typed(table["angles"], str),
            _typed(table["events"], int),
            float(_typed(table["fps"], float, int)),
            {str(name): _typed(digest, str) for name, digest in _typed(files, dict).items()},
        )
    except KeyError as error:
        raise FormatError(f"{path}: {error.args[0]} is missing; {again}") from error
    except ValueError as error:
        raise FormatError(f"{path}: {error}; {again}") from error


def _typed(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise ValueError(f"{str(value)[:40]!r} is not of the kind that stands there")
    return value


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
