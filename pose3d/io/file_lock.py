"""A lock on a file that is about to be changed: who comes second waits, however many windows and programs there are."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pose3d.errors import Pose3DError
from pose3d.log import logger

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["locked", "take_lock"]

_FAR = 1 << 20  # Windows forbids others to read a locked byte, and what stands in the file is to be read
_PAUSE_S = 0.01


def take_lock(stream: IO[str]) -> None:
    """Lock an open file until it is closed or the process ends, however it ends.

    Raises
    ------
    BlockingIOError, PermissionError
        If another has it.
    OSError
        If the disk knows no locks.
    """
    if sys.platform == "win32":
        stream.seek(_FAR)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: str | Path, *, timeout_s: float = 10.0) -> Iterator[None]:
    """Keep other programs from changing a file while the block runs, by a hidden lock file beside it.

    Parameters
    ----------
    path : path
        It need not be there; its folder is made.
    timeout_s : float

    Raises
    ------
    Pose3DError
        If the folder cannot be written to, or another program keeps the lock.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.lock")
    end = time.monotonic() + timeout_s
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while (stream := _opened(beside)) is None:
            if time.monotonic() > end:
                raise Pose3DError(f"{path}: is being changed by another program; close it, and try again")
            time.sleep(_PAUSE_S)
    except OSError as error:
        raise Pose3DError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be removed; and another may have opened it
            stream.close()
        else:
            beside.unlink(missing_ok=True)
            stream.close()


def _opened(path: Path) -> IO[str] | None:
    """Return the locked file; None where another has it, or its last owner removed it at this very moment."""
    stream = path.open("a+", encoding="utf-8", newline="\n")
    try:
        take_lock(stream)
    except (BlockingIOError, PermissionError):
        stream.close()
        return None
    except OSError as error:  # some network disks know no locks
        logger.warning("%s: no lock on this disk (%s); see that nobody else changes it", path, error.strerror)
        return stream
    try:
        same = os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        same = False
    if not same:
        stream.close()
        return None
    return stream
