"""A fingerprint of all that a result depends on, by which half-done work knows whether it may go on."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pose3d.errors import FormatError

__all__ = ["fingerprint"]

# Of long recordings the ends are enough: beside size and time of change.
_END_BYTES = 2**16


def fingerprint(inputs: Mapping[str, str | Path], settings: Mapping[str, object]) -> str:
    """Return a digest of input files, settings and the version of pose3d.

    Files are told by size, time of their last change, and 64 kB at either end, so that hours of keypoints cost
    nothing. Of a folder all files count, by name, size and time.

    Parameters
    ----------
    inputs : mapping of str to path
        Under names that do not depend on the place of the files, such as those of cameras.
    settings : mapping of str to object
        Whatever json can hold; other objects count by their ``repr``.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    FormatError
        If an input cannot be read.

    Examples
    --------
    >>> one, other = fingerprint({}, {"smooth": 1}), fingerprint({}, {"smooth": 2})
    >>> len(one), one == other
    (64, False)
    """
    from pose3d import __version__

    digest = hashlib.sha256()
    facts = {"version": __version__, "settings": dict(settings)}
    digest.update(json.dumps(facts, sort_keys=True, default=repr).encode())
    for name, path in sorted(inputs.items()):
        digest.update(f"\n{name}\n".encode())
        try:
            for piece in _pieces(Path(path)):
                digest.update(piece)
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        # A sum does not depend on the order in which a folder lists its files, and takes no memory.
        total = 0
        with os.scandir(path) as entries:
            for entry in entries:
                facts = entry.stat()
                line = f"{entry.name}\n{facts.st_size}\n{facts.st_mtime_ns}".encode()
                total += int.from_bytes(hashlib.sha256(line).digest())
        yield str(total).encode()
        return
    facts = path.stat()
    yield f"{facts.st_size}\n{facts.st_mtime_ns}\n".encode()
    with path.open("rb") as stream:
        yield stream.read(_END_BYTES)
        stream.seek(max(0, facts.st_size - _END_BYTES))
        yield stream.read(_END_BYTES)
