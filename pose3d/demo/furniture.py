"""Boxes that stand in the demo's room: what they look like, and what they hide."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from pose3d.data.camera import Camera, Rig
from pose3d.demo.person import axis_rotation
from pose3d.demo.rays import pixel_rays
from pose3d.demo.room import fractal_noise
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.rotations import exp_so3

__all__ = ["Box", "hidden_by_boxes", "paint_boxes", "place_boxes"]

_LAMP = np.array([0.30, 0.35, 0.89])
_TEXEL_MM = 8.0
_KINDS = {  # mm: width across the view, thickness along it, height
    "crate": ((450, 900), (300, 500), (450, 850)),
    "pole": ((70, 130), (70, 130), (2100, 2400)),
    "screen": ((450, 750), (40, 60), (900, 1350)),
}


@dataclass(frozen=True, eq=False)
class Box:
    """A box on the floor.

    Attributes
    ----------
    center : (3,) array, mm
    size : (3,) array, mm
        Along its own axes; the third is up.
    turn_deg : float
        About the vertical.
    texture : (128, 128, 3) float32 array
    """

    center: FloatArray
    size: FloatArray
    turn_deg: float
    texture: np.ndarray = field(repr=False)

    @property
    def axes(self) -> FloatArray:
        """(3, 3) array whose columns are the axes."""
        return axis_rotation(2, self.turn_deg)

    @property
    def corners(self) -> FloatArray:
        """(8, 3) array, mm."""
        signs = np.stack(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5], indexing="ij"), axis=-1).reshape(8, 3)
        return np.asarray(self.center + (signs * self.size) @ self.axes.T)

    def enter(self, origin: FloatArray, rays: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Find where rays enter the box.

        Parameters
        ----------
        origin : (3,) array, mm
        rays : (..., 3) array
            Directions of any length.

        Returns
        -------
        reach : (...) array
            In lengths of the ray; infinite where it misses.
        face : (..., 3) bool array
            Which of the box's axes the face that it enters by stands across.
        """
        o = (np.asarray(origin) - self.center) @ self.axes
        d = rays @ self.axes.astype(rays.dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = (-self.size / 2 - o) / d, (self.size / 2 - o) / d
        near, far = np.fmin(first, second), np.fmax(first, second)
        reach = near.max(-1)
        hit = (reach <= far.min(-1)) & (reach > 0)
        return np.where(hit, reach, np.inf), near == reach[..., None]


def place_boxes(rig: Rig, *, rng: np.random.Generator, n: int = 4) -> tuple[Box, ...]:
    """Stand boxes, poles and screens between the middle of the room and cameras, each before another camera.

    Parameters
    ----------
    rig : Rig
    rng : numpy Generator
    n : int

    Returns
    -------
    tuple of Box
        All at least 1.3 m from the origin.
    """
    boxes: list[Box] = []
    order = rng.permutation(len(rig))
    for i in range(n):
        away = rig.centers[order[i % len(rig)], :2]
        away = away / np.linalg.norm(away)
        kind = list(_KINDS)[rng.integers(len(_KINDS))]
        size = np.array([rng.uniform(*limits) for limits in _KINDS[kind]])
        across = np.array([-away[1], away[0]])
        least = 1300 + np.hypot(*size[:2]) / 2
        place = away * rng.uniform(least, least + 350) + across * rng.uniform(-450, 450)
        turn = float(np.degrees(np.arctan2(across[1], across[0])) + rng.normal(0, 12))
        hsv = np.array([[[rng.uniform(0, 180), rng.uniform(20, 150), rng.uniform(60, 210)]]], np.uint8)
        color = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32)
        grain = 1 + 0.25 * fractal_noise((128, 128), rng=rng, coarsest=4, octaves=5)
        boxes.append(Box(np.array([*place, size[2] / 2]), size, turn, color * grain[..., None]))
    return tuple(boxes)


def hidden_by_boxes(boxes: Sequence[Box], origin: FloatArray, points: FloatArray) -> BoolArray:
    """Say which points boxes hide from `origin`.

    Parameters
    ----------
    boxes : sequence of Box
    origin : (3,) array, mm
    points : (..., 3) array, mm

    Returns
    -------
    (...) bool array
    """
    out = np.zeros(points.shape[:-1], dtype=bool)
    for box in boxes:
        out |= box.enter(origin, points - origin)[0] < 1
    return out


def paint_boxes(image: np.ndarray, camera: Camera, boxes: Sequence[Box]) -> tuple[np.ndarray, np.ndarray]:
    """Paint boxes into the image of the empty room.

    Parameters
    ----------
    image : (h, w, 3) uint8 array
    camera : Camera
    boxes : sequence of Box

    Returns
    -------
    image : (h, w, 3) uint8 array
        A new one.
    depth : (h, w) float32 array, mm
        Along the camera's axis; infinite where there is no box.
    """
    w, h = camera.size
    color = image.astype(np.float32)
    depth = np.full((h, w), np.inf, dtype=np.float32)
    rays, rotation = pixel_rays(camera), exp_so3(camera.rotation).astype(np.float32)
    offsets = np.array([-0.25, 0.25])
    for box in boxes:
        _shade_floor(color, camera, box)
    for box in boxes:
        ends = camera.project(box.corners)
        behind = (box.corners @ rotation[2] + camera.translation[2] < 100).any()
        if behind or not np.isfinite(ends).all():
            x0, y0, x1, y1 = 0, 0, w, h
        else:
            (x0, y0), (x1, y1) = (np.clip(v, 0, (w, h)).astype(int) for v in (ends.min(0) - 12, ends.max(0) + 12))
        if x1 - x0 < 2 or y1 - y0 < 2:
            continue
        x, y = ((np.arange(n)[:, None] + offsets).ravel().astype(np.float32) for n in (x1 - x0, y1 - y0))
        across, down = np.meshgrid(x, y)
        flat = cv2.remap(rays[y0:y1, x0:x1], across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        ray = flat @ rotation[:2] + rotation[2]
        reach, face = box.enter(camera.center, ray)
        paint = _paint(box, camera.center, ray, reach, face)
        hit = np.isfinite(reach)
        size = (x1 - x0, y1 - y0)
        cover = cv2.resize(hit.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        paint = cv2.resize(paint * hit[..., None], size, interpolation=cv2.INTER_AREA)
        near = np.where(hit, reach, np.inf).reshape(y1 - y0, 2, x1 - x0, 2).min(axis=(1, 3))
        part = (slice(y0, y1), slice(x0, x1))
        cover = np.where(near < depth[part], cover, 0)
        color[part] = color[part] * (1 - cover[..., None]) + paint * (cover > 0)[..., None]
        depth[part] = np.where(cover >= 0.5, near, depth[part])
    return np.clip(color + 0.5, 0, 255).astype(np.uint8), depth


def _paint(box: Box, origin: FloatArray, rays: np.ndarray, reach: FloatArray, face: BoolArray) -> np.ndarray:
    """Return the box's colours where rays enter it, (h, w, 3)."""
    point = np.where(np.isfinite(reach), reach, 0)[..., None] * (rays @ box.axes) + (origin - box.center) @ box.axes
    u = np.where(face[..., 0], point[..., 1], point[..., 0]) + 7 * box.size[0]
    v = np.where(face[..., 2], point[..., 1], point[..., 2]) + 7 * box.size[2]
    paint = cv2.remap(
        box.texture,
        (u / _TEXEL_MM % 127).astype(np.float32),
        (v / _TEXEL_MM % 127).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    rise = -np.sign(rays @ box.axes) * face
    light = (rise * (_LAMP @ box.axes)).sum(-1)
    return np.asarray(paint * (0.62 + 0.34 * light)[..., None], dtype=np.float32)


def _shade_floor(color: np.ndarray, camera: Camera, box: Box) -> None:
    """Darken the floor around a box's foot, in place."""
    middle = np.array([*box.center[:2], 0.0])
    foot = box.corners[[0, 2, 6, 4]] * np.array([1.0, 1.0, 0.0])
    outward = foot - middle
    ring = middle + outward * (1 + 50 / np.linalg.norm(outward, axis=-1, keepdims=True))
    outline = camera.project(ring)
    if not np.isfinite(outline).all() or np.abs(outline).max() > 1e4:
        return
    blob = np.zeros(color.shape[:2], np.float32)
    cv2.fillPoly(blob, [np.round(outline).astype(np.int32)], 0.4)
    color *= 1 - cv2.GaussianBlur(blob, (0, 0), 6.0)[..., None]
