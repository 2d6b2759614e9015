"""Which camera and trial a file belongs to, by its name: anipose's rule."""

import re
from collections.abc import Iterable
from pathlib import Path

from pose3d.errors import ProjectError
from pose3d.io.names import natural_key

__all__ = ["DEFAULT_CAM_REGEX", "cam_regex_for", "match_cameras", "split_name", "stem_of"]

DEFAULT_CAM_REGEX = r"(?:^|[_-])((?i:cam(?:era)?[_-]?)?[^_-]+)$"
"""The part after the last ``_`` or ``-``, with ``cam`` or ``camera`` if that stands before it: ``walk_cam_2`` is trial
``walk`` of camera ``cam_2``. A name without ``_`` and ``-`` is all camera."""

# What programs hang behind a video's name: SLEAP, anipose, DeepLabCut (its scorer), OpenPose's and Pose2Sim's folders.
_TAILS = re.compile(r"(?:DLC_.+|_superanimal_.+|\.analysis|\.predictions|_json)$", re.IGNORECASE)


def cam_regex_for(cameras: Iterable[str]) -> str:
    """Write the regex for cameras whose names are known: names at the end of a file's, behind ``_``, ``-`` or alone.

    Examples
    --------
    >>> cam_regex_for(["left_front", "left_back"])
    '(?:^|[_-])(left_front|left_back)$'
    >>> split_name("walk_left_front.mp4", cam_regex_for(["left_front", "left_back"]))
    ('walk', 'left_front')
    """
    names = sorted(cameras, key=len, reverse=True)  # the longest first, where one name ends another
    return rf"(?:^|[_-])({'|'.join(re.escape(name) for name in names)})$"


def stem_of(path: str | Path) -> str:
    """Return a file's or folder's name without its ending and without what 2D networks hang behind it.

    Examples
    --------
    >>> stem_of("pose-2d/walk_camADLC_resnet50_gaitJan1shuffle1_100000.h5"), stem_of("walk_camA.analysis.h5")
    ('walk_camA', 'walk_camA')
    """
    path = Path(path)
    stem = path.name if path.is_dir() else path.stem
    short = _TAILS.sub("", stem)
    return short or stem


def split_name(path: str | Path, cam_regex: str = DEFAULT_CAM_REGEX, *, camera: str | None = None) -> tuple[str, str]:
    """Find trial and camera in a file's name.

    Parameters
    ----------
    path : path
    cam_regex : str
        Its first group is the camera; the trial is what remains of the stem when all that the regex matches is removed
        (it may be empty).
    camera : str, optional
        The camera of names in which the regex finds none; the trial is the whole stem then.

    Returns
    -------
    trial, camera : str

    Raises
    ------
    ProjectError
        If the regex does not match, or its group is empty, and no `camera` is given.

    Examples
    --------
    >>> split_name("walk 1_camA.mp4")
    ('walk 1', 'camA')
    >>> split_name("walk 1.mp4", "_(cam[A-Z])$", camera="side")
    ('walk 1', 'side')
    >>> split_name("walk-cam1.avi", r"-cam([0-9])$")
    ('walk', '1')
    """
    stem = stem_of(path)
    match = re.search(cam_regex, stem)
    found = (match.group(1) or "").strip() if match else ""
    if not found and camera is not None:
        return stem, camera
    if not found:
        raise ProjectError(
            f"{path}: no camera's name is found in {stem!r} by the regex {cam_regex!r}; "
            "rename the file, or set cam_regex so that its group is the camera"
        )
    return re.sub(cam_regex, "", stem).strip(), found


def match_cameras(
    paths: Iterable[str | Path], cam_regex: str = DEFAULT_CAM_REGEX, *, camera: str | None = None
) -> dict[str, Path]:
    """Give each file of one recording its camera, by the files' names.

    Parameters
    ----------
    paths : iterable of path
    cam_regex : str
    camera : str, optional
        As in :func:`split_name`.

    Returns
    -------
    dict
        Camera to file, cameras in natural order.

    Raises
    ------
    ProjectError
        If a name does not match, or two files are of one camera.

    Examples
    --------
    >>> {camera: path.name for camera, path in match_cameras(["walk_cam10.h5", "walk_cam9.h5"]).items()}
    {'cam9': 'walk_cam9.h5', 'cam10': 'walk_cam10.h5'}
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        _, name = split_name(path, cam_regex, camera=camera)
        if name in found:
            raise ProjectError(
                f"{path}: camera {name!r} has {found[name]} already; keep one file a camera, or set cam_regex"
            )
        found[name] = path
    return {name: found[name] for name in sorted(found, key=natural_key)}
