"""A room of textured planes around the cameras, painted once a camera."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from pose3d.data.camera import Camera, Rig
from pose3d.demo.rays import pixel_rays
from pose3d.demo.rig import focus_point
from pose3d.geometry.arrays import FloatArray
from pose3d.geometry.rotations import exp_so3

__all__ = ["Room", "fractal_noise"]


def fractal_noise(
    shape: tuple[int, int], *, rng: np.random.Generator, coarsest: int = 4, octaves: int = 6, fall: float = 0.55
) -> np.ndarray:
    """Make smooth noise with detail at every scale, about -1..1.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    rng : numpy Generator
    coarsest : int
        Cells along the longer side of the coarsest layer.
    octaves : int
    fall : float
        Weight of each layer over the one before.
    """
    out = np.zeros(shape, dtype=np.float32)
    weight, total, longer = 1.0, 0.0, max(shape)
    for octave in range(octaves):
        cells = coarsest * 2**octave
        rows, columns = (max(2, min(n, round(cells * n / longer))) for n in shape)
        layer = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
        out += weight * cv2.resize(layer, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        total += weight
        weight *= fall
    return np.asarray(out / np.float32(total), dtype=np.float32)


def _color(rng: np.random.Generator, *, value: tuple[float, float], saturation: tuple[float, float]) -> np.ndarray:
    """Draw a colour (blue, green, red; 0..255)."""
    hsv = np.array([[[rng.uniform(0, 180), 255 * rng.uniform(*saturation), 255 * rng.uniform(*value)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0], dtype=np.float32)


def _corners_dark(shape: tuple[int, int], reach: float) -> np.ndarray:
    """Return the light on a plane whose edges meet other planes: less near them."""
    y, x = (np.minimum(np.arange(n), np.arange(n)[::-1]).astype(np.float32) for n in shape)
    return np.asarray((1 - 0.22 * np.exp(-y / reach))[:, None] * (1 - 0.22 * np.exp(-x / reach)))


def _floor(shape: tuple[int, int], texel_mm: float, rng: np.random.Generator) -> np.ndarray:
    rows, columns = shape
    if rng.random() < 0.5:  # planks along x
        wide, long = (max(4, round(mm / texel_mm)) for mm in (140, 1600))
        plank = np.arange(rows) // wide
        shift = rng.integers(0, long, plank.max() + 1)
        piece = (np.arange(columns)[None, :] + shift[plank][:, None]) // long
        tint = rng.normal(1, 0.09, (plank.max() + 1, int(piece.max()) + 1)).astype(np.float32)
        light = tint[plank[:, None], piece]
        seam = (np.arange(rows) % wide < 1)[:, None] | (
            (np.arange(columns)[None, :] + shift[plank][:, None]) % long < 1
        )
        grain = cv2.resize(rng.normal(0, 0.05, (rows, max(2, columns // 40))).astype(np.float32), (columns, rows))
        base = np.array([92, 138, 178], np.float32) * np.float32(rng.uniform(0.75, 1.1))
        return np.asarray(base * ((light + grain) * np.where(seam, 0.72, 1.0))[..., None], dtype=np.float32)
    tile = max(6, round(rng.uniform(300, 500) / texel_mm))
    y, x = np.arange(rows) // tile, np.arange(columns) // tile
    tint = rng.normal(1, 0.05, (y.max() + 1, x.max() + 1)).astype(np.float32)[y[:, None], x]
    seam = (np.arange(rows) % tile < 2)[:, None] | (np.arange(columns) % tile < 2)[None, :]
    base = _color(rng, value=(0.5, 0.72), saturation=(0.05, 0.22))
    return np.asarray(base * (tint * np.where(seam, 0.78, 1.0))[..., None], dtype=np.float32)


def _poster(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw a picture of blobs and bands with a light frame."""
    rows, columns = shape
    field = fractal_noise(shape, rng=rng, coarsest=3, octaves=3)
    bands = np.floor((field - field.min()) / max(float(np.ptp(field)), 1e-6) * 4.999).astype(int)
    palette = np.stack([_color(rng, value=(0.25, 0.9), saturation=(0.1, 0.6)) for _ in range(5)])
    picture = palette[bands]
    edge = max(1, min(rows, columns) // 16)
    picture[:edge], picture[-edge:], picture[:, :edge], picture[:, -edge:] = 235, 235, 235, 235
    return np.asarray(picture, dtype=np.float32)


def _wall(shape: tuple[int, int], rng: np.random.Generator, paint: np.ndarray) -> np.ndarray:
    """Draw a wall, top row first: paint, skirting board and things that hang on it."""
    rows, columns = shape
    wall = np.tile(paint, (rows, columns, 1)).astype(np.float32)
    room = min(rows, columns)
    x = round(0.03 * columns)
    while x < 0.9 * columns:
        wide, high = (max(3, round(room * v)) for v in rng.uniform(0.18, 0.5, 2))
        top = round(rng.uniform(0.08, 0.35) * rows)
        right, bottom = min(columns - 2, x + wide), min(round(0.9 * rows), top + high)
        if right - x > 8 and bottom - top > 8:
            if rng.random() < 0.35:  # a window or a board: one light plane with bars
                pane = np.full((bottom - top, right - x, 3), 214, np.float32) - 14 * rng.random(3).astype(np.float32)
                bar = max(1, room // 90)
                for cut in (0, (right - x) // 2 - bar // 2, right - x - bar):
                    pane[:, cut : cut + bar] = 90
                pane[:bar], pane[-bar:] = 90, 90
            else:
                pane = _poster((bottom - top, right - x), rng)
            lower = wall[top + 2 : bottom + 4, x + 2 : right + 4]
            lower *= 0.85  # its shadow
            wall[top:bottom, x:right] = pane
        x = right + round(columns * rng.uniform(0.03, 0.12))
    skirting = max(2, round(0.045 * rows))
    wall[-skirting:] = paint * 0.55
    return wall


@dataclass(frozen=True, eq=False)
class Room:
    """A box with textured floor, walls and ceiling, seen from inside.

    Attributes
    ----------
    low, high : (3,) array, mm
        Opposite corners; z is up.
    seed : int
    texels : int
        Of the textures along the room's longest edge.
    samples : int
        Rays a pixel in x and in y.
    """

    low: FloatArray
    high: FloatArray
    seed: int = 0
    texels: int = 1800
    samples: int = 2
    _drawn: dict[tuple[int, int], np.ndarray] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def around(cls, rig: Rig, *, seed: int = 0, floor_mm: float | None = None, texels: int = 1800) -> "Room":
        """Build a room that holds all cameras and what they look at.

        Parameters
        ----------
        rig : Rig
        seed : int
            Of the textures.
        floor_mm : float, optional
            Height of the floor; by default somewhat below everything.
        texels : int
            Fewer are drawn faster, and do for small images.
        """
        centers = rig.centers
        spread = float(np.linalg.norm(np.ptp(centers, axis=0)))
        distance = max(spread, float(np.median(np.linalg.norm(centers, axis=-1))), 500.0)
        focus = focus_point(rig, distance_mm=distance)
        far = focus + 0.6 * (focus - centers)
        points = np.concatenate([centers, focus[None], far])
        margin = 0.12 * float(np.ptp(points, axis=0).max())
        low, high = points.min(0) - margin, points.max(0) + margin
        if floor_mm is not None:
            low[2] = floor_mm
        return cls(low, high, seed, texels)

    def _texture(self, axis: int, side: int) -> np.ndarray:
        """Return one plane, drawn when first seen."""
        if (axis, side) not in self._drawn:
            self._drawn[axis, side] = self._draw(axis, side)
        return self._drawn[axis, side]

    def _draw(self, axis: int, side: int) -> np.ndarray:
        """Draw one plane; rows and columns run along the two other axes, in their order."""
        rng = np.random.default_rng([self.seed, 31, axis, side])
        paint = _color(np.random.default_rng([self.seed, 32]), value=(0.66, 0.86), saturation=(0.03, 0.25))
        size = self.high - self.low
        texel = float(size.max()) / self.texels
        first, second = (a for a in range(3) if a != axis)
        rows, columns = (max(32, round(size[a] / texel)) for a in (first, second))
        if axis == 2:
            mm = texel * 9000 / float(size.max())  # patterns as wide as in a room of 9 m, whatever the rig's size
            flat = _floor((columns, rows), mm, rng).swapaxes(0, 1) if side == 0 else None
            plane = np.full((rows, columns, 3), 226, np.float32) if flat is None else flat
        else:
            upright = _wall((columns, rows), rng, paint)  # (z from the top, along the wall)
            plane = upright[::-1].swapaxes(0, 1)
        grain = 1 + 0.10 * fractal_noise((rows, columns), rng=rng, coarsest=5, octaves=7, fall=0.62)
        light = _corners_dark((rows, columns), reach=self.texels / 14)
        return np.asarray(np.clip(plane * (grain * light)[..., None], 0, 255), dtype=np.uint8)

    def paint(self, camera: Camera) -> np.ndarray:
        """Return what the camera sees of the empty room, (h, w, 3) uint8, blue, green, red."""
        w, h = camera.size
        n = self.samples
        step = (np.arange(n) + 0.5) / n - 0.5
        rays = pixel_rays(camera, border=4)
        across, down = np.meshgrid(*((np.arange(m)[:, None] + step + 4).ravel().astype(np.float32) for m in (w, h)))
        xy = cv2.remap(rays, across, down, cv2.INTER_LINEAR)
        R = exp_so3(camera.rotation).astype(np.float32)
        ray = xy @ R[:2] + R[2]
        center = camera.center
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead, behind = ((wall - center).astype(np.float32) for wall in (self.high, self.low))
            bound = np.where(ray > 0, ahead, behind)
            reach = np.where(ray == 0, np.float32(np.inf), bound / ray)
        axis = np.argmin(reach, axis=-1)
        point = center.astype(np.float32) + ray * np.take_along_axis(reach, axis[..., None], axis=-1)
        fine = np.zeros((*axis.shape, 3), np.uint8)
        size = (self.high - self.low).astype(np.float32)
        for plane in range(3):
            first, second = (a for a in range(3) if a != plane)
            for side in (0, 1):
                hit = (axis == plane) & ((ray[..., plane] > 0) == bool(side))
                if not hit.any():
                    continue
                texture = self._texture(plane, side)
                rows, columns = texture.shape[:2]
                row = (point[..., first] - self.low[first].astype(np.float32)) / size[first] * rows - 0.5
                column = (point[..., second] - self.low[second].astype(np.float32)) / size[second] * columns - 0.5
                painted = cv2.remap(texture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                fine[hit] = painted[hit]
        return np.asarray(cv2.resize(fine, (w, h), interpolation=cv2.INTER_AREA), dtype=np.uint8)
