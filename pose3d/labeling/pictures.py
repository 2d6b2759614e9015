"""Images as the page gets them: whole ones that a browser can show, or the reason why there is none."""

import functools
from pathlib import Path
from typing import NamedTuple

from pose3d.errors import FormatError
from pose3d.io.files import require_file

__all__ = ["Picture", "picture_size", "read_picture"]

_MAX_BYTES = 200 << 20


class Picture(NamedTuple):
    """An image file's content for a browser."""

    content: bytes
    media_type: str


def read_picture(path: str | Path) -> Picture:
    """Read an image; what browsers do not know (tif) becomes a png.

    Raises
    ------
    FormatError
        If it is absent, no image, or cut short.
    """
    path = require_file(path, "image")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FormatError(f"{path}: is too large for an image")
        content = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        if b"IEND" not in content[-64:]:
            raise FormatError(f"{path}: the image is cut short; extract it again")
        return Picture(content, "image/png")
    if content.startswith(b"\xff\xd8\xff"):
        if b"\xff\xd9" not in content[-4096:]:
            raise FormatError(f"{path}: the image is cut short; extract it again")
        return Picture(content, "image/jpeg")
    return _as_png(path, content)


def _as_png(path: Path, content: bytes) -> Picture:
    import cv2
    import numpy as np

    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if image is not None:
            return Picture(cv2.imencode(".png", image)[1].tobytes(), "image/png")
    except cv2.error:
        pass
    raise FormatError(f"{path}: is no image that can be read; extract it again")


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image, px; None where it cannot be read."""
    try:
        return _size(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@functools.lru_cache(maxsize=100_000)
def _size(path: Path, changed_ns: int) -> tuple[int, int] | None:
    del changed_ns  # only tells one content of the file from the next
    with path.open("rb") as stream:
        head = stream.read(24)
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    import cv2
    import numpy as np

    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    return None if image is None else (int(image.shape[1]), int(image.shape[0]))
