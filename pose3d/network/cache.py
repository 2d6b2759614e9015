"""Where networks that were fetched or added are kept on this machine."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(*, environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder in which fetched networks are kept; it may not exist yet.

    Parameters
    ----------
    environment : mapping of str to str, optional
        By default that of this process: ``POSE3D_CACHE`` names the folder, otherwise the platform's own place is taken.

    Examples
    --------
    >>> cache_folder(environment={"POSE3D_CACHE": "networks"}).name
    'networks'
    """
    given = os.environ if environment is None else environment
    if given.get("POSE3D_CACHE"):
        return Path(given["POSE3D_CACHE"]).expanduser().absolute()
    if sys.platform == "win32":
        place = given.get("LOCALAPPDATA")
        return (Path(place) if place else Path.home() / "AppData" / "Local") / "pose3d" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pose3d"
    place = given.get("XDG_CACHE_HOME", "")
    # By the specification of XDG, a relative path is to be ignored.
    return (Path(place) if Path(place).is_absolute() else Path.home() / ".cache") / "pose3d"
