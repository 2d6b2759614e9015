"""Images made different from what was labelled, with their keypoints moved as their pixels are."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pose3d.data.labels import Mark
from pose3d.geometry.arrays import FloatArray
from pose3d.io.images import Image
from pose3d.network.padding import MEAN_COLOUR
from pose3d.network.spec import NetworkSpec

__all__ = ["Augmentation", "augment"]

_INNER = 0.8  # of the crop: part in which the keypoint lies around which it is cut, where the subject does not fit
_SLACK = 0.1  # of the crop, which it may stand out of the image


@dataclass(frozen=True)
class Augmentation:
    """How different images are made.

    Attributes
    ----------
    rotation_deg : float
        At most, either way.
    scale : (float, float)
        Range of the magnification.
    mirror : bool, optional
        Whether half of the images are mirrored, left and right keypoints exchanging their names. By default where there
        are such pairs: without them, what is left of something would be learnt as lying right of it.
    near_keypoint : float
        Share of the crops that are cut around the subject, or around a labelled keypoint where it does not fit; the
        others lie anywhere.
    brightness, contrast, colour : float
        Largest relative changes: of all grey values, of their distance to the mean, and of each colour by itself.
    chance : float
        Share of the images that get each of the following.
    motion_blur_px : float
        Longest path of a moving camera.
    blur_px : float
        Largest standard deviation of a blur.
    noise : float
        Largest standard deviation, in grey levels.
    occlusion : float
        Largest side of what stands in front, relative to the crop's shorter side. Keypoints behind it are occluded.
    """

    rotation_deg: float = 15.0
    scale: tuple[float, float] = (0.75, 1.3)
    mirror: bool | None = None
    near_keypoint: float = 0.9
    brightness: float = 0.3
    contrast: float = 0.3
    colour: float = 0.1
    chance: float = 0.2
    motion_blur_px: float = 5.0
    blur_px: float = 1.2
    noise: float = 10.0
    occlusion: float = 0.25

    def __post_init__(self) -> None:
        low, high = self.scale
        object.__setattr__(self, "scale", (float(low), float(high)))
        if not 0 < low <= high:
            raise ValueError(f"scale {self.scale} is no range of magnifications")
        if not (0 <= self.near_keypoint <= 1 and 0 <= self.chance <= 1):
            raise ValueError("near_keypoint and chance lie in 0..1")
        sizes = (self.rotation_deg, self.brightness, self.contrast, self.colour, self.motion_blur_px, self.blur_px)
        if (
            min(*sizes, self.noise, self.occlusion) < 0
            or max(self.brightness, self.contrast, self.colour, self.occlusion) >= 1
        ):
            raise ValueError("strengths are not negative; brightness, contrast, colour and occlusion lie below 1")

    @classmethod
    def none(cls) -> "Augmentation":
        """Return what leaves an image as it is, but for the place of the crop."""
        return cls(0, (1, 1), False, 0.5, 0, 0, 0, 0, 0, 0, 0, 0)


def augment(
    image: Image,
    xy: FloatArray,
    *,
    mark: NDArray[np.uint8],
    rng: Generator,
    spec: NetworkSpec,
    settings: Augmentation,
    size: tuple[int, int],
) -> tuple[Image, FloatArray, NDArray[np.uint8]]:
    """Cut a crop out of an image, turned, scaled, mirrored and with other light.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
        At the scale of the network.
    xy : (n_individuals, n_keypoints, 2) array, px of `image`
    mark : (n_individuals, n_keypoints) array
        Of :class:`~pose3d.data.labels.Mark`.
    rng : numpy.random.Generator
    spec : NetworkSpec
    settings : Augmentation
    size : (int, int)
        Width and height of the crop.

    Returns
    -------
    image : (size[1], size[0], 3) uint8 array
    xy : (n_individuals, n_keypoints, 2) array, px of the crop
        Of keypoints that are out of the crop too.
    mark : (n_individuals, n_keypoints) array
    """
    mirrored = bool(spec.pairs) if settings.mirror is None else settings.mirror
    mirrored = mirrored and rng.random() < 0.5
    matrix = _draw_affine(image.shape[:2], xy, mirrored, rng=rng, settings=settings, size=size)
    crop = cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=MEAN_COLOUR
    )
    moved = xy @ matrix[:, :2].T + matrix[:, 2]
    if mirrored:
        moved, mark = moved[:, spec.mirrored], mark[:, spec.mirrored]
    happens = rng.random() < settings.chance
    if happens and settings.occlusion:
        mark = np.where(_occlude(crop, moved, rng, settings.occlusion) & (mark == Mark.VISIBLE), Mark.OCCLUDED, mark)
    return _change_pixels(crop, rng, settings), moved, mark.astype(np.uint8)


def _draw_affine(
    shape: tuple[int, ...],
    xy: FloatArray,
    mirrored: bool,
    *,
    rng: Generator,
    settings: Augmentation,
    size: tuple[int, int],
) -> FloatArray:
    """Return the (2, 3) matrix that takes pixels of the image to pixels of the crop."""
    scale = float(np.exp(rng.uniform(*np.log(settings.scale))))
    angle = np.deg2rad(rng.uniform(-settings.rotation_deg, settings.rotation_deg))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        turn[:, 0] *= -1
    full, crop = np.array([shape[1], shape[0]], dtype=np.float64), np.array(size, dtype=np.float64)
    span = crop / scale  # of the crop in the image
    placed = xy[np.isfinite(xy).all(-1)]
    where = rng.random(2)
    if len(placed) and rng.random() < settings.near_keypoint:
        low, high = placed.min(0), placed.max(0)
        # A subject that fits is seen whole: a leg without its body is neither left nor right.
        fits = span > high - low
        free = np.where(fits, span - (high - low), _INNER * span)
        around = np.where(fits, (low + high) / 2, placed[rng.integers(len(placed))])
        centre = around + (where - 0.5) * free
    else:
        centre = where * full - 0.5
    # The crop stands out of the image by the slack at most, unless the image is the smaller one.
    reach = np.maximum(full - span, 0) / 2 + _SLACK * span
    middle = (full - 1) / 2
    centre = np.clip(centre, middle - reach, middle + reach)
    return np.concatenate([turn, ((crop - 1) / 2 - turn @ centre)[:, None]], axis=1)


def _change_pixels(image: Image, rng: Generator, settings: Augmentation) -> Image:
    """Change light and sharpness; nothing is moved."""
    happens = rng.random(3) < settings.chance
    if settings.brightness or settings.contrast or settings.colour:
        spread = 1 + settings.contrast * rng.uniform(-1, 1)
        gain = (1 + settings.brightness * rng.uniform(-1, 1)) * (1 + settings.colour * rng.uniform(-1, 1, 3))
        # About the image's own middle: about a fixed one, dark images would turn black.
        middle = float(image[::8, ::8].mean())
        levels = ((np.arange(256)[:, None] - middle) * spread + middle) * gain
        image = cv2.LUT(image, np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None])
    if happens[0] and settings.motion_blur_px > 1:
        image = cv2.filter2D(image, -1, _motion_kernel(rng.uniform(1, settings.motion_blur_px), rng.uniform(0, np.pi)))
    if happens[1] and settings.blur_px:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.1, 1) * settings.blur_px)
    if happens[2] and settings.noise:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0, settings.noise))
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    return image


def _motion_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """Return a line through the middle; symmetric, so that it moves nothing."""
    half = int(np.ceil(length / 2))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.clip(length / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _occlude(image: Image, xy: FloatArray, rng: Generator, largest: float) -> NDArray[np.bool_]:
    """Put up to three rectangles into the image: of one colour, or another part of the image.

    Return which of the (..., 2) keypoints lie behind them.
    """
    height, width = image.shape[:2]
    hidden = np.zeros(xy.shape[:-1], dtype=np.bool_)
    for _ in range(rng.integers(1, 4)):
        w, h = (np.maximum(rng.uniform(0.2, 1, 2) * largest * min(width, height), 1)).astype(int)
        left, top = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
        if rng.random() < 0.5:
            image[top : top + h, left : left + w] = rng.integers(0, 256, 3)
        else:
            x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
            image[top : top + h, left : left + w] = image[y : y + h, x : x + w].copy()
        hidden |= ((xy >= (left - 0.5, top - 0.5)) & (xy < (left + w - 0.5, top + h - 0.5))).all(-1)
    return hidden
