"""Digests of text files, by which a file beside another knows that it belongs to it."""

import hashlib
from pathlib import Path

__all__ = ["text_digest"]

_BLOCK = 1 << 20


def text_digest(path: str | Path) -> str:
    """Return the sha256 of a text file, the same after a change of its line ends; files of any size.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        held = b""  # a carriage return whose line feed may stand in the next block
        while block := stream.read(_BLOCK):
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""
            digest.update(block.removesuffix(held).replace(b"\r\n", b"\n"))
        digest.update(held)
    return digest.hexdigest()
