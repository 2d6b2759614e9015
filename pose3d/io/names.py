"""Names of files and of what is in them: their order, their endings, what may stand in one. Imports nothing heavy."""

import re

__all__ = [
    "IMAGE_SUFFIXES",
    "KEYPOINT_SUFFIXES",
    "SINGLE_INDIVIDUAL",
    "fits_file_name",
    "natural_key",
]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})

KEYPOINT_SUFFIXES = (".h5", ".csv")
"""Endings of files with one camera's 2D keypoints; the first is taken where DeepLabCut wrote both."""

SINGLE_INDIVIDUAL = "individual_0"
"""Name of the only individual of a file that names none."""


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts names as people do: ``cam_2`` before ``cam_10``.

    Examples
    --------
    >>> sorted(["cam_10", "Cam_3", "cam_2"], key=natural_key)
    ['cam_2', 'Cam_3', 'cam_10']
    """
    # no longer runs of digits: Python refuses to read numbers of thousands of digits
    parts = [part for part in re.split(r"([0-9]{1,18})", name) if part]
    key = [(0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part.casefold()) for part in parts]
    return (*key, (2, 0, name))  # the name itself last: two different names never compare equal


def fits_file_name(name: str) -> bool:
    """Tell whether a name can be part of a file's name on every system.

    Examples
    --------
    >>> fits_file_name("mouse 1"), fits_file_name("left/right")
    (True, False)
    """
    return re.fullmatch(r'[^<>:"/\\|?*\x00-\x1f]+', name) is not None
