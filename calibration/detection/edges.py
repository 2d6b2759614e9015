"""Straight edges between dark and bright, to a fraction of a pixel, and the corners where they meet."""

import cv2
import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.io.images import Image

__all__ = ["refine_crossings", "refine_quads", "sample"]

_SAMPLES = 16  # places along an edge
_STEP = 0.5  # px across it
_REACH = (1.5, 3.0)  # px to both sides of an edge, at least and at most
_ARM_PX = 30.0  # of an edge are looked at from each of its ends: a lens bends longer ones
_FAINT = 8.0  # grey levels: less contrast is no edge
_COLUMNS = 4096  # OpenCV's maps are at most 32767 long either way


def sample(image: Image, xy: FloatArray) -> FloatArray:
    """Read grey levels between pixels.

    Parameters
    ----------
    image : (height, width) uint8 array
    xy : (..., 2) array, px

    Returns
    -------
    (...) float32 array
        NaN outside the image.
    """
    height, width = image.shape
    flat = xy.reshape(-1, 2).astype(np.float32)
    flat[np.isnan(flat)] = -9.0
    maps = np.full((-(-len(flat) // _COLUMNS), _COLUMNS, 2), -9.0, np.float32)
    maps.reshape(-1, 2)[: len(flat)] = flat
    levels = cv2.remap(image, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).ravel()[: len(flat)]
    inside = ((flat >= 0) & (flat <= [width - 1, height - 1])).all(-1)
    return np.where(inside, levels.astype(np.float32), np.float32(np.nan)).reshape(xy.shape[:-1])


def refine_quads(image: Image, quads: FloatArray, *, reach: FloatArray) -> FloatArray:
    """Move the corners of dark quadrangles on bright ground to where their edges meet.

    Blur rounds a corner but leaves the middle of a straight edge in its place, so the edges are measured at some
    distance from the corners and made to intersect.

    Parameters
    ----------
    image : (height, width) uint8 array
    quads : (n, 4, 2) array, px
        Clockwise in the image.
    reach : (n,) array, px
        How far on both sides of an edge there is nothing but dark and bright.

    Returns
    -------
    (n, 4, 2) array, px
        NaN where an edge is not there to be measured.
    """
    quads = np.array(quads, dtype=np.float64)
    if not len(quads):
        return quads
    s = np.linspace(-1, 1, _SAMPLES)
    flipped = np.array([False, True])[:, None]  # to the next corner the bright side is on the left
    for _ in range(3):
        arms = np.stack([np.roll(quads, -1, axis=1), np.roll(quads, 1, axis=1)], axis=2) - quads[:, :, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            arms = arms * np.minimum(1, _ARM_PX / np.linalg.norm(arms, axis=-1, keepdims=True))
        a, b = _measure(image, quads[:, :, None] + 0.5 * arms, 0.4 * arms, s, flipped, reach[:, None, None])
        quads = _intersect(a[:, :, 0], b[:, :, 0], a[:, :, 1], b[:, :, 1])
    return quads


def refine_crossings(
    image: Image, xy: FloatArray, arms: FloatArray, *, reach: FloatArray, dark: BoolArray
) -> FloatArray:
    """Move inner corners of a chessboard to where the edges of their squares cross.

    Parameters
    ----------
    image : (height, width) uint8 array
    xy : (n, 2) array, px
    arms : (n, 2, 2) array, px
        From the corner along the board's x and y, as far as the edges are to be looked at on both sides.
    reach : (n,) array, px
        How far on both sides of an edge there is nothing but dark and bright.
    dark : (n,) bool array
        Whether the square at the corner's upper left (and lower right) is the dark one.

    Returns
    -------
    (n, 2) array, px
        NaN where the edges are not there to be measured.
    """
    xy = np.array(xy, dtype=np.float64)
    if not len(xy):
        return xy
    s = np.concatenate([np.linspace(-1, -0.3, _SAMPLES // 2), np.linspace(0.3, 1, _SAMPLES // 2)])
    # What lies to the left of +x is the upper side: at s > 0 the upper right square, bright where the upper left is
    # dark. To the left of +y is the right side: at s > 0 the lower right square, dark where the upper left is dark.
    flipped = (s < 0) ^ np.stack([~dark, dark], axis=1)[..., None]
    for some in (slice(None, None, 2), slice(None)):
        middle = np.repeat(xy[:, None], 2, axis=1)
        a, b = _measure(image, middle, arms, s[some], flipped[..., some], reach[:, None])
        xy = _intersect(a[:, 0], b[:, 0], a[:, 1], b[:, 1])
    return xy


def _measure(
    image: Image, middle: FloatArray, half: FloatArray, s: FloatArray, flipped: BoolArray, reach: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return two points on each edge near ``middle -+ half``; the edge is bright to its left where not flipped."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = half / np.linalg.norm(half, axis=-1, keepdims=True)
    left = np.stack([t[..., 1], -t[..., 0]], axis=-1)
    reach = np.clip(reach, *_REACH)[..., None, None]
    n_across = 2 * int(np.ceil(float(np.max(reach)) / _STEP)) + 1
    across = np.linspace(-1, 1, n_across) * reach
    on_edge = middle[..., None, :] + s[:, None] * half[..., None, :]
    levels = sample(image, on_edge[..., None, :] + across[..., None] * left[..., None, None, :])
    levels = np.where(flipped[..., None], 255 - levels, levels)
    offset, good = _locate(levels, across)
    line = _fit_lines(s, offset, good)
    at_middle, per_s = line[..., :1] * left, line[..., 1:] * left
    return middle + at_middle - half - per_s, middle + at_middle + half + per_s


def _locate(levels: FloatArray, across: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return where each profile turns from dark to bright, and whether it does."""
    dark, bright = levels[..., :2].mean(-1), levels[..., -2:].mean(-1)
    contrast = bright - dark
    seen = np.isfinite(contrast)
    typical = np.median(np.where(seen, contrast, 0.0), axis=-1, keepdims=True)
    good = seen & (contrast > np.maximum(0.5 * typical, _FAINT))
    share = (levels - dark[..., None]) / np.where(good, contrast, 1.0)[..., None]
    step = across[..., 1] - across[..., 0]
    offset = across[..., -1] - (share.sum(-1) - 0.5 * (share[..., 0] + share[..., -1])) * step
    good &= np.abs(offset) < 0.9 * across[..., -1]
    return np.where(good, offset, 0.0), good


def _fit_lines(s: FloatArray, offset: FloatArray, good: BoolArray) -> FloatArray:
    """Fit offset = a + b s without the samples far off; (..., 2), NaN where fewer than half of them are good."""
    line = np.zeros((*offset.shape[:-1], 2))
    for limit in (np.inf, 1.0, 0.5):
        residual = offset - line[..., :1] - line[..., 1:] * s
        w = (good & (np.abs(residual) < limit)).astype(np.float64)
        s0, s1, s2 = w.sum(-1), w @ s, w @ (s * s)
        o0, o1 = (w * offset).sum(-1), (w * offset) @ s
        enough = s0 >= 0.5 * len(s)
        determinant = np.where(enough, s0 * s2 - s1 * s1, np.nan)
        line = np.stack([s2 * o0 - s1 * o1, s0 * o1 - s1 * o0], axis=-1) / determinant[..., None]
    return line


def _intersect(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """Return where the lines through a, b and through c, d meet; all (..., 2)."""
    u, v, w = b - a, d - c, c - a
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (w[..., 0] * v[..., 1] - w[..., 1] * v[..., 0]) / (u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])
        return np.asarray(a + part[..., None] * u)
