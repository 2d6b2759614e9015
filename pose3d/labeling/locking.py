"""One server a project: two would write the same labels."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

from pose3d.errors import ProjectError
from pose3d.io.file_lock import take_lock
from pose3d.log import logger

__all__ = ["ProjectLock"]


class ProjectLock:
    """A file that says that labels are being edited, so that two servers never write the same ones.

    The system itself holds the lock and frees it when the process ends, killed or not: a file that a killed process
    left behind is taken over.

    Parameters
    ----------
    path : path
        Holds the number of the process.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stream: IO[str] | None = None

    def __enter__(self) -> "ProjectLock":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while self._stream is None:
                self._stream = self._taken()
        except OSError as error:
            raise ProjectError(f"{self.path}: cannot be written ({error.strerror})") from error
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(f"{os.getpid()}\n")
        self._stream.flush()
        return self

    def _taken(self) -> IO[str] | None:
        """Return the locked file; None where its last owner removed it at this very moment."""
        stream = self.path.open("a+", encoding="utf-8", newline="\n")
        try:
            take_lock(stream)
        except (BlockingIOError, PermissionError):
            stream.seek(0)
            owner = stream.read(20).strip()
            stream.close()
            process = f" (process {owner})" if owner.isdecimal() else ""
            raise ProjectError(
                f"{self.path.parent}: is being labelled already{process}; go on in its page, or end it with Ctrl-C"
            ) from None
        except OSError as error:  # some network disks know no locks
            logger.warning("%s: no lock on this disk (%s); see that nobody else labels here", self.path, error.strerror)
            return stream
        if not self.path.exists() or not os.path.samestat(os.fstat(stream.fileno()), self.path.stat()):
            stream.close()
            return None
        return stream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is None:
            return
        if sys.platform == "win32":  # an open file cannot be removed
            self._stream.close()
            self.path.unlink(missing_ok=True)
        else:
            self.path.unlink(missing_ok=True)
            self._stream.close()
        self._stream = None
