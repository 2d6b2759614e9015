"""The demo's own network, which finds people as the demo renders them; ``examples/08_demo_network.py`` trains it."""

from importlib.resources import files
from pathlib import Path

from pose3d.io.files import atomic_path

__all__ = ["install_network"]


def install_network(folder: str | Path) -> Path:
    """Put the demo's network into a model's folder.

    Parameters
    ----------
    folder : path
        ``models/default`` of a project, made if it is absent.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    Pose3DError
        If a file cannot be written.
    """
    folder = Path(folder)
    # What describes the network comes last, so that a folder with it is whole.
    shipped = files("pose3d.demo").joinpath("network").iterdir()
    for source in sorted(shipped, key=lambda each: each.name == "model.toml"):
        with atomic_path(folder / source.name) as path:
            path.write_bytes(source.read_bytes())
    return folder
