"""What every source of frames offers, and the simplest one: a folder of images."""

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.errors import FormatError, Pose3DError
from pose3d.geometry.arrays import FloatArray
from pose3d.io.files import atomic_path, require_file, require_folder
from pose3d.io.names import IMAGE_SUFFIXES, natural_key

__all__ = ["FrameSource", "Frames", "Image", "ImageFolder", "is_pattern", "read_image", "write_png"]

Image: TypeAlias = NDArray[np.uint8]
Frames: TypeAlias = Generator[tuple[int, Image], None, None]


class FrameSource(ABC):
    """Frames of one camera, upright.

    Attributes
    ----------
    path : Path
    size : (int, int)
        Width and height of the upright image, px.
    n_frames : int
    fps : float or None
        Frames per second; None for images. Of a variable rate, the mean.
    times_s : (n_frames,) array, s
        Time of each frame after the first; NaN for images.
    variable_rate : bool
        Whether the frames are not evenly spaced.
    rotation_deg : int
        0, 90, 180 or 270: how far the stored images were turned clockwise to stand upright.
    """

    path: Path
    size: tuple[int, int]
    n_frames: int
    fps: float | None
    times_s: FloatArray
    variable_rate: bool
    rotation_deg: int

    def __repr__(self) -> str:
        rate = "" if self.fps is None else f" at {self.fps:g} fps"
        return f"{type(self).__name__}({self.path.name!r}, {self.n_frames} frames{rate}, {self.size[0]}x{self.size[1]})"

    def __len__(self) -> int:
        return self.n_frames

    def frames(self, indices: Iterable[int] | None = None, *, gray: bool = False) -> Frames:
        """Give frames with their indices.

        Every call reads on its own, so several can run side by side.

        Parameters
        ----------
        indices : iterable of int, optional
            Frames wanted, given in this order; ascending order is fastest. None is all of them.
        gray : bool, optional
            Give (h, w) gray images rather than (h, w, 3) in the order blue, green, red.

        Yields
        ------
        index : int
        image : (h, w, 3) or (h, w) uint8 array
            The caller's own: it may be written to.

        Raises
        ------
        IndexError
            If an index is negative or too large.
        VideoError
            If the recording breaks off.
        """
        wanted = range(self.n_frames) if indices is None else [int(i) for i in indices]
        for i in wanted:
            if not 0 <= i < self.n_frames:
                raise IndexError(f"{self.path}: frame {i} of {self.n_frames} frames does not exist")
        return self._read(wanted, gray)

    def frame(self, index: int, *, gray: bool = False) -> Image:
        """Return one frame; see :meth:`frames`."""
        with closing(self.frames([index], gray=gray)) as reader:
            return next(reader)[1]

    @abstractmethod
    def _read(self, wanted: Sequence[int], gray: bool) -> Frames: ...


def is_pattern(path: Path) -> bool:
    """Tell whether a path's last part stands for several files."""
    return any(sign in path.name for sign in "*?") and not path.exists()


class ImageFolder(FrameSource):
    """A folder of images in natural order (``img_2`` before ``img_10``), all of one size.

    A path such as ``photos/left*.jpg`` takes the folder's images whose names match. Sizes are checked as images are
    read.

    Raises
    ------
    FormatError
        If there are no images, or one cannot be read or differs in size.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        pattern = self.path.name if is_pattern(self.path) else "*"
        folder = require_folder(self.path.parent if is_pattern(self.path) else self.path, "folder of images")
        found = (
            p
            for p in folder.iterdir()
            if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") and fnmatch.fnmatch(p.name, pattern)
        )
        self.files = sorted(found, key=lambda p: natural_key(p.name))
        if not self.files:
            raise FormatError(f"{self.path}: holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        first = read_image(self.files[0], gray=True)
        self.size = (first.shape[1], first.shape[0])
        self.n_frames = len(self.files)
        self.fps = None
        self.times_s = np.full(self.n_frames, np.nan)
        self.variable_rate = False
        self.rotation_deg = 0

    def _read(self, wanted: Sequence[int], gray: bool) -> Frames:
        for index in wanted:
            image = read_image(self.files[index], gray=gray)
            size = (image.shape[1], image.shape[0])
            if size != self.size:
                raise FormatError(
                    f"{self.files[index]}: is {size[0]}x{size[1]}, {self.files[0].name} is "
                    f"{self.size[0]}x{self.size[1]}; images of one camera must have one size"
                )
            yield index, image


def read_image(path: str | Path, *, gray: bool = False) -> Image:
    """Read one image.

    Returns
    -------
    (h, w, 3) uint8 array in the order blue, green, red, or (h, w) if `gray`

    Raises
    ------
    FormatError
        If it is no image that can be read.
    """
    path = require_file(path, "image")
    # cv2.imread cannot open names with non-ASCII letters on Windows.
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise FormatError(f"{path}: is no image that can be read")
    return np.asarray(image, dtype=np.uint8)


def write_png(path: str | Path, image: Image, *, compression: int = 3) -> None:
    """Write an image, whole or not at all.

    Parameters
    ----------
    path : path
    image : (h, w, 3) uint8 array in the order blue, green, red, or (h, w)
    compression : int, optional
        0 to 9; it costs time, and loses nothing.

    Raises
    ------
    Pose3DError
        If it cannot be written.
    """
    done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, compression])
    if not done:
        raise Pose3DError(f"{path}: the image cannot be encoded")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())
