"""Clips that show the board in a mirror."""

from collections.abc import Iterable

import numpy as np

from pose3d.data.board import Board
from pose3d.io.images import Image

from ..findings import Finding
from .corners import corner_finder

__all__ = ["is_mirrored", "mirrored_finding"]


def is_mirrored(images: Iterable[Image], board: Board) -> bool:
    """Tell whether a board with markers is seen in the images only after left and right are exchanged.

    Parameters
    ----------
    images : iterable of (height, width) uint8 array
        Of a camera that never saw the board.
    board : Board

    Returns
    -------
    bool
        False for a checkerboard, whose mirror image is a checkerboard; see
        :func:`pose3d.calibration.mistakes.mirrors.find_mirrored`.
    """
    if board.kind == "checkerboard":
        return False
    find = corner_finder(board)
    straight = flipped = shown = 0
    for image in images:
        straight += int(np.isfinite(find(image)[:, 0]).sum())
        n = int(np.isfinite(find(np.ascontiguousarray(image[:, ::-1]))[:, 0]).sum())
        flipped += n
        shown += n > 0
    return shown >= 2 and flipped > 5 * straight


def mirrored_finding(*names: str) -> Finding:
    """Say that a clip is mirrored; with two names, that one of them is."""
    clips = " or that of camera ".join(names)
    told = "" if len(names) == 1 else ": each sees the mirror image of the board that the other sees"
    return Finding(
        "mirrored",
        "FAIL",
        tuple(names),
        f"the clip of camera {clips} is mirrored (left and right exchanged){told}",
        "switch mirroring off in the recording software, or flip the clip back, and calibrate again",
    )
