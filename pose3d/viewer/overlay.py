"""A camera's image with what was detected in it, and with the points in space drawn where they should appear."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import FloatArray
from pose3d.viewer import palette
from pose3d.viewer.lettering import text_size, write_text_on
from pose3d.viewer.palette import Colour, error_colour
from pose3d.viewer.playback import Playback
from pose3d.viewer.view_camera import fit

__all__ = ["draw_chip", "draw_overlay", "image_size"]

Image: TypeAlias = NDArray[np.uint8]

_SHIFT = 4
_FINE = 1 << _SHIFT
_REFERENCE_PX = 720.0


def image_size(playback: Playback, camera: str) -> tuple[int, int]:
    """Return width and height of a camera's image as its calibration knows it; full HD where there is none."""
    rig = playback.rig
    return rig[camera].size if rig is not None and camera in rig else (1920, 1080)


def draw_overlay(
    image: Image,
    playback: Playback,
    camera: str,
    row: int,
    *,
    full_size: tuple[int, int] | None = None,
    detections: bool = True,
    chip: bool = True,
) -> Image:
    """Draw onto an image of a camera, of any size.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
        Blue, green, red; drawn onto.
    playback : Playback
    camera : str
    row : int
    full_size : (int, int), optional
        Of the image to which calibration and detections belong; by default the calibration's.
    detections : bool
        Draw detections as rings, with a whisker to the point in space that should lie there.
    chip : bool
        Write the camera's name and its mean distance in px of the full image.

    Returns
    -------
    (h, w, 3) uint8 array
        `image`.
    """
    full = full_size or image_size(playback, camera)
    height, width = image.shape[:2]
    scale = np.array([width / full[0], height / full[1]])
    thick = min(width, height) / _REFERENCE_PX

    def placed(pixels: FloatArray) -> FloatArray:
        at = (pixels + 0.5) * scale - 0.5
        with np.errstate(invalid="ignore"):
            return np.where((np.abs(at) < 4 * max(width, height)).all(-1, keepdims=True), at, np.nan)

    points, seen = placed(playback.reprojected(camera, row)), placed(playback.detected(camera, row))
    _bones(image, points, playback, thick)
    if detections and np.isfinite(seen).any():
        error = np.linalg.norm(playback.detected(camera, row) - playback.reprojected(camera, row), axis=-1)
        _whiskers(image, points, seen, error * 1000 / full[0], thick)
        _rings(image, seen, thick)
    if chip:
        draw_chip(image, camera, residual_of(playback, camera, row), full[0])
    return image


def residual_of(playback: Playback, camera: str, row: int) -> float:
    """Return the mean distance of a camera's detections from the points in one row, px; NaN where it is not known."""
    views = playback.views
    if views is None or playback.rig is None or camera not in views.cameras:
        return float("nan")
    return float(playback.residual_px[row, views.cameras.index(camera)])


def draw_chip(image: Image, camera: str, error_px: float, full_width: float, *, note: str = "") -> None:
    """Write a camera's name and its pixel error into the upper left corner."""
    size = float(np.clip(0.03 * min(image.shape[:2]), 11, 24))
    pad = 0.6 * size
    number = note or (f"{error_px:.1f} px" if np.isfinite(error_px) else "")
    name_width = text_size(camera, size, bold=True)[0]
    gap = 0.7 * size if number else 0.0
    width = name_width + gap + (text_size(number, size)[0] if number else 0) + 2 * pad
    x0, y0 = round(0.5 * size), round(0.5 * size)
    y1, x1 = round(y0 + 1.9 * size), round(x0 + width)
    part = image[y0:y1, x0:x1]
    part[:] = (part * np.float32(0.25) + np.float32(0.75) * np.array(_bgr(palette.BACKGROUND), np.float32)).astype(
        np.uint8
    )
    colour = palette.DIM if note else error_colour(error_px, full_width)
    if not note:  # a bar besides, whose height tells without its colour
        level = 0.0 if not np.isfinite(error_px) else min(error_px * 1000 / max(full_width, 1) / 10, 1.0)
        tall = round((y1 - y0) * (0.15 + 0.85 * level))
        image[y1 - tall : y1, x0 : x0 + max(2, round(0.18 * size))] = _bgr(colour)
    top = y0 + 0.32 * size
    write_text_on(image, camera, (x0 + pad, top), size, palette.TEXT, bold=True)
    if number:
        write_text_on(image, number, (x0 + pad + name_width + gap, top), size, colour)


def _bones(image: Image, points: FloatArray, playback: Playback, thick: float) -> None:
    """Draw the skeleton thinly, on a dark edge that tells it from any video."""
    sides = playback.sides
    ends = sides[playback.edges]
    low, high = ends.min(1, initial=3), ends.max(1, initial=0)
    edge_sides = np.where((low > 0) & (low != high), 0, high)
    wide, core = max(3, round(7 * thick)), max(1, round(3.6 * thick))
    for person in points:
        lines = np.round(person[playback.edges] * _FINE)
        known = np.isfinite(lines).all((1, 2))
        cv2.polylines(image, list(lines[known].astype(np.int32)), False, (24, 18, 12), wide, cv2.LINE_AA, _SHIFT)
        for side, colour in enumerate(palette.SIDES):
            chosen = lines[known & (edge_sides == side)].astype(np.int32)
            if len(chosen):
                cv2.polylines(image, list(chosen), False, _bgr(colour), core, cv2.LINE_AA, _SHIFT)
        radius = max(1.5, 4.2 * thick)
        seen = np.isfinite(person[:, 0])
        edge, inner = _circles(person[seen], radius + min(1.2, 2.4 * thick)), _circles(person[seen], radius)
        for outside, inside, side in zip(edge, inner, sides[seen].tolist(), strict=True):
            cv2.fillConvexPoly(image, outside, (24, 18, 12), cv2.LINE_AA, _SHIFT)
            cv2.fillConvexPoly(image, inside, _bgr(palette.SIDES[side]), cv2.LINE_AA, _SHIFT)


def _whiskers(image: Image, points: FloatArray, seen: FloatArray, per_thousand: FloatArray, thick: float) -> None:
    """Draw a line from each detection to its point, in the colour of their distance."""
    both = np.isfinite(points[..., 0]) & np.isfinite(seen[..., 0])
    pieces = np.round(np.stack([seen, points], axis=-2)[both] * _FINE).astype(np.int32)
    colours = [error_colour(float(error)) for error in per_thousand[both]]
    for colour in dict.fromkeys(colours):
        chosen = [piece for piece, own in zip(pieces, colours, strict=True) if own == colour]
        cv2.polylines(image, chosen, False, _bgr(colour), max(1, round(2.2 * thick)), cv2.LINE_AA, _SHIFT)


def _rings(image: Image, seen: FloatArray, thick: float) -> None:
    radius, width = max(2.2, 5.5 * thick), max(1, round(1.3 * thick))
    rings = _circles(seen[np.isfinite(seen[..., 0])], radius)
    cv2.polylines(image, list(rings), True, _bgr(palette.DETECTION), width, cv2.LINE_AA, _SHIFT)


def _circles(centres: FloatArray, radius: float) -> NDArray[np.int32]:
    """Return circles as polygons, (n, 18, 2): OpenCV's own small circles are diamonds."""
    turn = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    circle = radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    return np.round((centres[:, None] + circle) * _FINE).astype(np.int32)


def fitted(image: Image, size: tuple[int, int]) -> tuple[Image, tuple[int, int]]:
    """Return an image made to fit into a frame, and its left and upper margin there."""
    height, width = image.shape[:2]
    scale, left, above = fit((width, height), size)
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    if wanted != (width, height):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, wanted, interpolation=how), dtype=np.uint8)
    return image, (round(left), round(above))


def _bgr(rgb: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in rgb)
    return blue, green, red
