"""Keypoints of one recording, read and written whole, whatever the format."""

from collections.abc import Mapping
from pathlib import Path

from pose3d.data.keypoints import Keypoints2D, Keypoints3D
from pose3d.data.skeleton import Skeleton
from pose3d.errors import DataError
from pose3d.io.dlc import write_dlc
from pose3d.io.keypoint_stream import open_keypoints
from pose3d.io.names import KEYPOINT_SUFFIXES, fits_file_name

__all__ = ["load_keypoints", "save_keypoints"]


def load_keypoints(
    sources: Mapping[str, str | Path] | str | Path,
    *,
    skeleton: Skeleton | None = None,
    offsets: Mapping[str, int] | None = None,
    truncate: bool = False,
    fps: float | None = None,
) -> Keypoints2D:
    """Read the 2D keypoints of several cameras.

    Recordings too long for the memory are read by parts: :func:`pose3d.io.keypoint_stream.open_keypoints`.

    The format of each file is found from its content: DeepLabCut or Lightning Pose (h5, csv), SLEAP analysis h5, a
    folder of OpenPose json.

    Parameters
    ----------
    sources : mapping of camera name to path, or path
        A single path is a file of one camera, or a folder as :func:`save_keypoints` writes it, or one with a folder of
        json for each camera (Pose2Sim's ``pose``): there the file's name is the camera's.
    skeleton : Skeleton, optional
        Names the keypoints of OpenPose json.
    offsets : mapping of camera name to int, optional
        Frame ``i + offset`` of that camera shows instant ``i``. Instants that some camera lacks are left out.
    truncate : bool, optional
        Keep the instants that all cameras have, where they have not the same.
    fps : float, optional
        Frames per second, which none of these files knows.

    Returns
    -------
    Keypoints2D
        Cameras in the order of `sources`, keypoints and individuals in the order of the first camera. Where every view
        has one individual they are taken to be the same, under the first view's name.

    Raises
    ------
    FormatError
        If a file is missing, damaged, or of none of these formats.
    ConfigError
        If `fps` is no frame rate.
    DataError
        If the views do not fit one another: keypoints or individuals differ in name, frames differ in number and
        neither `offsets` nor `truncate` is given, or a view has no keypoint at all.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pose3d import Keypoints2D, load_keypoints, save_keypoints
    >>> points = Keypoints2D(np.ones((5, 2, 1, 1, 2)), np.ones((5, 2, 1, 1)), ("left", "right"), ("m1",), ("nose",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_keypoints(points, folder)
    ...     load_keypoints({"right": f"{folder}/right.h5", "left": f"{folder}/left.h5"}, fps=100)
    Keypoints2D(5 frames at 100 fps, 2 cameras, 1 individual, 1 keypoint, 0.0 % missing)
    """
    with open_keypoints(sources, skeleton=skeleton, offsets=offsets, truncate=truncate, fps=fps) as stream:
        return stream.read(0, stream.n_frames)


def save_keypoints(keypoints: Keypoints2D | Keypoints3D, path: str | Path) -> None:
    """Write keypoints so that :func:`load_keypoints` or :func:`pose3d.io.anipose_csv.read_pose3d` reads them back.

    Parameters
    ----------
    keypoints : Keypoints2D or Keypoints3D
    path : path
        For 3D the csv. For 2D a DeepLabCut file (``.h5`` or ``.csv``) of one camera, or else a folder that gets
        ``<camera>.h5`` for each.

    Raises
    ------
    DataError
        If several cameras are to go into one file, a camera's name cannot be a file's, or 3D keypoints are to go into
        a file that is no .csv.
    Pose3DError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from pose3d import Keypoints2D, load_keypoints, save_keypoints
    >>> points = Keypoints2D(np.ones((5, 2, 1, 1, 2)), np.ones((5, 2, 1, 1)), ("left", "right"), ("m1",), ("nose",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_keypoints(points, folder)
    ...     sorted(path.name for path in Path(folder).iterdir())
    ...     load_keypoints(folder)
    ['left.h5', 'right.h5']
    Keypoints2D(5 frames, 2 cameras, 1 individual, 1 keypoint, 0.0 % missing)
    """
    path = Path(path)
    if isinstance(keypoints, Keypoints3D):
        from pose3d.io.anipose_csv import write_pose3d

        write_pose3d(keypoints, path)
    elif path.suffix.lower() in KEYPOINT_SUFFIXES:
        if len(keypoints.cameras) != 1:
            raise DataError(f"{path}: one file holds one camera, there are {len(keypoints.cameras)}; give a folder")
        write_dlc(keypoints, path)
    else:
        for name in keypoints.cameras:
            if name.startswith(".") or not fits_file_name(name):
                raise DataError(f'camera "{name}" cannot be the name of a file; rename it')
        for name in keypoints.cameras:
            write_dlc(keypoints.select([name]), path / f"{name}.h5")
