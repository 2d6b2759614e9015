"""What a keypoint network is: its keypoints, backbone and grid, as kept in ``model.toml``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose3d.data.names import different_names
from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["BACKBONES", "NetworkSpec", "choose_scale"]

BACKBONES = ("efficientnet-lite0", "mobilenetv2", "resnet50", "efficientnetb0")
"""The default, the fast one, and two of ``keras.applications`` whose weights are downloaded."""

_COARSEST = {"mobilenetv2": 16}
_CHANNELS = {"mobilenetv2": 40}


@dataclass(frozen=True)
class NetworkSpec:
    """A scoremap network.

    Images are scaled by `scale` before the network sees them. Its output is a grid of cells, each `stride` pixels of
    the scaled image wide: per keypoint the logit that it lies within `radius_px` of the cell's centre, and the offset
    to it in units of `locref_px` (DeepLabCut's location refinement).

    Attributes
    ----------
    keypoints : tuple of str
    pairs : tuple of (str, str)
        Left and right partners, which exchange names when an image is mirrored.
    backbone : str
        Of :data:`BACKBONES`.
    scale : float
        Pixels of the network per pixel of the image.
    stride : int
        4 or 8, px of the scaled image.
    radius_px : float
        In the scaled image.
    locref_px : float
        In the scaled image.
    channels : int
        Of the decoder, at stride 4 and 8; by default (0) 64, or fewer for the fast backbone.
    """

    keypoints: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    backbone: str = BACKBONES[0]
    scale: float = 0.5
    stride: int = 4
    radius_px: float = 6.0
    locref_px: float = 7.2801
    channels: int = 0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "keypoints", different_names("keypoints", self.keypoints))
        put(self, "pairs", tuple((str(a), str(b)) for a, b in self.pairs))
        if not self.keypoints:
            raise ValueError("a network needs a keypoint")
        paired = [name for pair in self.pairs for name in pair]
        if len(set(paired)) != len(paired) or not set(paired) <= set(self.keypoints):
            raise ValueError(f"pairs {self.pairs} name a keypoint twice, or one that does not exist")
        if self.backbone not in BACKBONES:
            raise ValueError(f"no backbone {self.backbone!r}; there are {', '.join(BACKBONES)}")
        if self.channels == 0:
            put(self, "channels", _CHANNELS.get(self.backbone, 64))
        if self.stride not in (4, 8):
            raise ValueError("stride is 4 or 8")
        if not (0 < self.scale <= 1 and self.radius_px > 0 and self.locref_px > 0 and self.channels > 0):
            raise ValueError("scale lies in (0, 1]; radius_px, locref_px and channels are positive")

    @property
    def multiple(self) -> int:
        """Width and height of what the network is given are multiples of this: a cell of its coarsest feature, px."""
        return _COARSEST.get(self.backbone, 32)

    @property
    def mirrored(self) -> IntArray:
        """(n_keypoints,) index of the keypoint that each becomes when an image is mirrored."""
        index = np.arange(len(self.keypoints))
        at = {name: i for i, name in enumerate(self.keypoints)}
        for a, b in self.pairs:
            index[at[a]], index[at[b]] = at[b], at[a]
        return index

    def to_network(self, xy: FloatArray) -> FloatArray:
        """Turn pixels of the image into pixels of the scaled image; centres of pixels are whole numbers in both."""
        return (np.asarray(xy) + 0.5) * self.scale - 0.5

    def to_image(self, xy: FloatArray) -> FloatArray:
        """Turn pixels of the scaled image into pixels of the image."""
        return (np.asarray(xy) + 0.5) / self.scale - 0.5


def choose_scale(sizes: Sequence[tuple[int, int]]) -> float:
    """Choose the scale of images for which none is given: the longer side becomes 320 px, but half at most is given up.

    It is halved again while that leaves more than 640 px. Half the scale is a quarter of the cost, and what a network
    looks at becomes as large again beside its field of view: which paw is which is seen better.

    Examples
    --------
    >>> [choose_scale([size]) for size in ((640, 480), (240, 200), (400, 400), (1280, 1024), (3840, 2160))]
    [0.5, 1.0, 0.8, 0.5, 0.125]
    """
    longest = float(np.median([max(size) for size in sizes]))
    scale = float(np.clip(np.floor(20 * 320 / longest) / 20, 0.5, 1.0))
    while longest * scale > 640:
        scale /= 2
    return scale
