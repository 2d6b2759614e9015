"""Files as such: found or refused in one clear line, and written whole or not at all."""

import math
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pose3d.errors import DataError, FormatError, Pose3DError

__all__ = ["atomic_path", "require_file", "require_folder", "require_rate", "require_suffix", "write_text"]


def require_file(path: str | Path, what: str = "file") -> Path:
    """Return `path` if it is a readable, non-empty file.

    Raises
    ------
    FormatError
        If it is absent, a folder, empty or unreadable.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise FormatError(f"{path}: is a folder, no {what}")
        if not path.exists():
            hint = "" if path.parent.exists() else f" (the folder {path.parent} does not exist either)"
            raise FormatError(f"{path}: no such {what}{hint}")
        with path.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    if empty:
        raise FormatError(f"{path}: the {what} is empty")
    return path


def require_folder(path: str | Path, what: str = "folder") -> Path:
    """Return `path` if it is a folder.

    Raises
    ------
    FormatError
        If it is absent or a file.
    """
    path = Path(path)
    if not path.is_dir():
        raise FormatError(f"{path}: no such {what}" if not path.exists() else f"{path}: is a file, a {what} is needed")
    return path


def require_rate(path: str | Path, fps: float | None, what: str) -> float:
    """Return the frame rate, without which a format cannot be written.

    Parameters
    ----------
    path : path
        That is to be written.
    fps : float or None
    what : str
        The format, for people: ``a C3D``.

    Raises
    ------
    DataError
        If it is unknown, or not positive.
    """
    if fps is None:
        raise DataError(f"{path}: {what} needs the frame rate, which is not known; give --fps")
    if not 0 < fps < math.inf:
        raise DataError(f"{path}: the frame rate must be positive, not {fps:g}; give --fps")
    return float(fps)


def require_suffix(path: str | Path, suffix: str) -> None:
    """Refuse to write one format into a file that is named as another.

    Raises
    ------
    DataError
        If `path` does not end in `suffix`, in capitals or not.
    """
    if Path(path).suffix.lower() != suffix:
        raise DataError(f"{path}: a {suffix} file is written here; name one that ends so")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a path to write to, and move it to `path` in one step when the block ends well.

    The temporary file lies beside `path` and keeps its suffix; when the block fails it is removed, and what stood at
    `path` before is untouched.

    Raises
    ------
    Pose3DError
        If the folder cannot be made or written to.
    """
    path = Path(path)
    # Cut, since a name that only just fits would not with more in it.
    temporary = path.with_name(f".{path.stem[:40]}.{secrets.token_hex(4)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise Pose3DError(f"{path}: is a folder, a file is to be written there")
        temporary.touch()
    except OSError as error:
        raise Pose3DError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise Pose3DError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with line feeds alone as line ends, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
