"""What the demo's person wears: one small texture a body part, along the part and around it."""

from dataclasses import dataclass

import cv2
import numpy as np

from pose3d.demo.room import fractal_noise

__all__ = ["Outfit", "make_outfit", "make_plain_outfit"]

_ROWS, _COLUMNS = 64, 128  # along a part from its lower to its upper end, and around it: back, right, front, left

_SKINS = ((150, 185, 232), (128, 163, 214), (102, 140, 196), (70, 105, 160), (48, 75, 122))
_HAIRS = ((30, 32, 38), (35, 50, 78), (55, 90, 140), (80, 150, 200), (120, 120, 126), (25, 45, 110))


def _hue(rng: np.random.Generator, *, low: float, high: float) -> np.ndarray:
    hsv = np.array([[[rng.uniform(0, 180), rng.uniform(90, 190), rng.uniform(low, high)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0], dtype=np.float32)


def _cloth(
    color: np.ndarray, rng: np.random.Generator, *, pattern: str = "plain", strength: float = 0.16
) -> np.ndarray:
    """Draw a fabric, (rows, columns, 3) float32."""
    folds = 1 + strength * fractal_noise((_ROWS, _COLUMNS), rng=rng, coarsest=6, octaves=4, fall=0.7)
    image = color * folds[..., None]
    second = np.clip(255 - color, 40, 230)
    row, column = np.mgrid[:_ROWS, :_COLUMNS]
    if pattern == "stripes":
        image = np.where(((row // 5) % 2 == 0)[..., None], image, second * folds[..., None])
    elif pattern == "checks":
        grid = ((row // 6) % 2 + (column // 8) % 2)[..., None] / 2
        image = image * (1 - 0.55 * grid) + 0.55 * grid * second * folds[..., None]
    elif pattern == "seam":
        image = np.where((np.abs(column - _COLUMNS // 4) < 3)[..., None], second, image)
        image = np.where((np.abs(column - 3 * _COLUMNS // 4) < 3)[..., None], second, image)
    return np.asarray(np.clip(image, 0, 255), dtype=np.float32)


def _head(skin: np.ndarray, hair: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a face: the front is the middle column."""
    image = _cloth(skin, rng, strength=0.05)
    row, column = np.mgrid[:_ROWS, :_COLUMNS]
    height = row / _ROWS
    angle = (column - _COLUMNS / 2) / _COLUMNS * 360
    line = 0.80 - 0.06 * np.cos(np.radians(3 * angle))
    hairy = (height > line) | ((np.abs(angle) > 75) & (height > 0.52)) | ((np.abs(angle) > 112) & (height > 0.30))
    strands = 1 + 0.35 * fractal_noise((_ROWS, _COLUMNS), rng=rng, coarsest=24, octaves=3)
    image = np.where(hairy[..., None], hair * strands[..., None], image)
    for side in (-1, 1):
        away = np.hypot((angle - side * 24) / 11, (height - 0.575) / 0.030)
        image = np.where((away < 1)[..., None], np.float32(238), image)
        image = np.where((np.hypot((angle - side * 24) / 5, (height - 0.575) / 0.030) < 1)[..., None], 40.0, image)
        brow = (np.abs(angle - side * 25) < 13) & (np.abs(height - 0.645) < 0.018)
        image = np.where(brow[..., None], hair * 0.8, image)
    mouth = np.hypot(angle / 22, (height - 0.30) / 0.022) < 1
    image = np.where(mouth[..., None], skin * np.array([0.55, 0.5, 0.8], np.float32), image)
    return np.asarray(np.clip(image, 0, 255), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Outfit:
    """Textures by the name of the body part, (64, 128, 3) float32, blue, green, red."""

    textures: dict[str, np.ndarray]
    hair_long: bool


def make_outfit(rng: np.random.Generator) -> Outfit:
    """Draw colours and patterns."""
    skin = np.array(_SKINS[rng.integers(len(_SKINS))], np.float32)
    hair = np.array(_HAIRS[rng.integers(len(_HAIRS))], np.float32)
    shirt, trousers = _hue(rng, low=110, high=225), _hue(rng, low=50, high=130)
    pattern = str(rng.choice(["plain", "stripes", "checks"]))
    seam = str(rng.choice(["plain", "seam"]))
    sleeves, legs = rng.random() < 0.5, rng.random() < 0.75
    shoes = _hue(rng, low=60, high=200)
    bare = _cloth(skin, rng, strength=0.08)
    cloth = _cloth(trousers, rng, pattern=seam)
    upper = _cloth(shirt, rng, pattern=pattern)
    shoe = _cloth(shoes, rng)
    shoe[:, :22] = shoe[:, -22:] = 205  # the sole
    shoe[20:44:6, 50:78] = 235  # laces
    fore = upper if sleeves else bare
    short = upper.copy()
    if not sleeves:
        short[: _ROWS // 2] = bare[: _ROWS // 2]
    return Outfit(
        {
            "head": _head(skin, hair, rng),
            "hair": _cloth(hair, rng, strength=0.35),
            "skin": bare,
            "torso": upper,
            "pelvis": cloth,
            "thigh": cloth,
            "shank": cloth if legs else bare,
            "foot": shoe,
            "upper_arm": short,
            "forearm": fore,
        },
        hair_long=bool(rng.random() < 0.4),
    )


def make_plain_outfit(rng: np.random.Generator) -> Outfit:
    """Draw an outfit whose limbs all look alike: long sleeves and long legs without patterns, often of one colour.

    Front and back differ, as people's do: a bib, and hair that is not the colour of the skin. Without that nobody could
    tell left from right.
    """
    outfit = make_outfit(rng)
    top, legs = _hue(rng, low=60, high=200), _hue(rng, low=50, high=170)
    if rng.random() < 0.5:
        legs = top
    upper, lower = _cloth(top, rng, strength=0.10), _cloth(legs, rng, strength=0.10)
    bib = _hue(rng, low=60, high=230)
    while np.abs(bib - top).max() < 70:
        bib = _hue(rng, low=60, high=230)
    torso = upper.copy()
    torso[:, 44:84] = _cloth(bib, rng, strength=0.10)[:, 44:84]
    skin = np.array(_SKINS[rng.integers(len(_SKINS))], np.float32)
    hairs = [np.array(hair, np.float32) for hair in _HAIRS]
    hair = rng.permutation([each for each in hairs if abs(each.mean() - skin.mean()) > 45])[0]
    parts = {"torso": torso, "upper_arm": upper, "forearm": upper, "pelvis": lower, "thigh": lower, "shank": lower}
    head = {
        "head": _head(skin, hair, rng),
        "hair": _cloth(hair, rng, strength=0.35),
        "skin": _cloth(skin, rng, strength=0.08),
    }
    return Outfit(outfit.textures | parts | head, outfit.hair_long)
