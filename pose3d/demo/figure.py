"""Painting a walking figure: tapered limbs with textures, shaded, each pixel's ray cut with each limb."""

from dataclasses import dataclass

import cv2
import numpy as np

from pose3d.data.camera import Camera
from pose3d.demo.clothes import Outfit
from pose3d.demo.person import Frames, Person
from pose3d.demo.rays import pixel_rays
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.geometry.rotations import exp_so3

__all__ = ["FigurePainter", "Limb", "body_limbs"]

_LAMP = np.array([0.30, 0.35, 0.89], dtype=np.float32)
_EMPTY = np.float32(1e9)
_SHADOWS = {"foot": (120.0, 0.35, 0.34), "pelvis": (270.0, 0.0, 0.16)}  # mm, mm a mm of height, darkness


@dataclass(frozen=True, eq=False)
class Limb:
    """A tapered part with round ends and an elliptic cross-section.

    Attributes
    ----------
    texture : str
        Key of the outfit's textures.
    low, high : (n_frames, 3) array, mm
        Ends of the middle line.
    axes : (n_frames, 3, 3) array
        Columns: front, left, and along the part.
    radii : (float, float)
        At the low and at the high end, front to back, mm.
    breadth : float
        Left to right over front to back.
    """

    texture: str
    low: FloatArray
    high: FloatArray
    axes: FloatArray
    radii: tuple[float, float]
    breadth: float = 1.0


def _along(low: FloatArray, high: FloatArray, front: FloatArray) -> FloatArray:
    """Return axes whose third column runs from low to high and whose first lies towards `front`."""
    z = high - low
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    x = front - (front * z).sum(-1, keepdims=True) * z
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return np.asarray(np.stack([x, np.cross(z, x), z], axis=-1))


def body_limbs(person: Person, frames: Frames, *, hair_long: bool = False) -> list[Limb]:
    """List the parts of a body over time."""
    at, axes, k, tall = frames.points, frames.axes, person.stoutness, person.height
    trunk, pelvis, head = axes["trunk"], axes["pelvis"], axes["head"]
    limbs: list[Limb] = []

    def add(
        texture: str,
        low: FloatArray,
        high: FloatArray,
        front: FloatArray,
        radii: tuple[float, float],
        breadth: float = 1.0,
    ) -> None:
        scaled = (radii[0] * tall, radii[1] * tall)
        limbs.append(Limb(texture, low, high, _along(low, high, front), scaled, breadth))

    up, forward, left = trunk[:, :, 2], trunk[:, :, 0], trunk[:, :, 1]
    hip, neck = at["Hip"], at["Neck"]
    long = person.trunk
    add("pelvis", hip - 0.03 * long * up, hip + 0.12 * long * up, pelvis[:, :, 0], (0.058 * k, 0.054 * k), 1.60)
    add("torso", hip + 0.13 * long * up, hip + 0.48 * long * up, forward, (0.061 * k, 0.060 * k), 1.54)
    add("torso", hip + 0.46 * long * up, hip + 0.80 * long * up, forward, (0.062 * k, 0.053), 1.74)
    slope = 0.075 * long * up
    add("torso", at["RShoulder"] - slope, neck, forward, (0.029, 0.034))
    add("torso", at["LShoulder"] - slope, neck, forward, (0.029, 0.034))
    add("skin", neck - 0.02 * long * up, at["HeadCenter"] - 0.1 * person.head * up, forward, (0.030, 0.029))
    size = person.head
    middle, head_up, ahead = at["HeadCenter"], head[:, :, 2], head[:, :, 0]
    add(
        "head",
        middle - 0.13 * size * head_up + 0.03 * size * ahead,
        middle + 0.12 * size * head_up,
        ahead,
        (0.046, 0.053),
        0.86,
    )
    add(
        "skin",
        at["Nose"] - 0.05 * size * ahead,
        at["Nose"] - 0.07 * size * ahead + 0.13 * size * head_up,
        ahead,
        (0.0085, 0.005),
        0.9,
    )
    for letter, sign in (("L", 1.0), ("R", -1.0)):
        ear = at[letter + "Ear"]
        add("skin", ear - 0.06 * size * head_up, ear + 0.07 * size * head_up, ahead, (0.008, 0.011), 0.5)
        thigh, shank, foot = (axes[letter + name] for name in ("thigh", "shank", "foot"))
        knee, ankle = at[letter + "Knee"], at[letter + "Ankle"]
        outer = at[letter + "Hip"] + sign * 0.012 * tall * left
        add("thigh", knee, outer, thigh[:, :, 0], (0.036 * k, 0.052 * k), 0.96)
        calf = knee - 0.35 * (knee - ankle) - 0.008 * tall * shank[:, :, 0]
        add("shank", calf, knee, shank[:, :, 0], (0.034 * k, 0.035 * k), 0.96)
        add("shank", ankle, calf, shank[:, :, 0], (0.024 * k, 0.034 * k), 0.96)
        length, sole = person.foot, -person.ankle_height
        heel = ankle + foot @ np.array([-0.13 * length, 0.0, 0.48 * sole])
        ball = ankle + foot @ np.array([0.42 * length, 0.0, 0.66 * sole])
        toe = ankle + foot @ np.array([0.62 * length, 0.0, 0.74 * sole])
        rise = 0.5 * person.ankle_height / tall
        add("foot", heel, ball, foot[:, :, 2], (rise, 0.66 * rise), 0.95)
        add("foot", ball, toe, foot[:, :, 2], (0.68 * rise, 0.48 * rise), 1.45)
        arm, fore = axes[letter + "upper_arm"], axes[letter + "forearm"]
        elbow, wrist, hand = at[letter + "Elbow"], at[letter + "Wrist"], at[letter + "Hand"]
        add("upper_arm", elbow, at[letter + "Shoulder"], arm[:, :, 0], (0.024 * k, 0.030 * k))
        add("forearm", wrist, elbow, fore[:, :, 0], (0.017, 0.026 * k))
        add("skin", hand, wrist - 0.2 * (wrist - hand), fore[:, :, 0], (0.015, 0.020), 0.55)
    if hair_long:
        back = middle - 0.19 * size * ahead
        add("hair", back - 0.75 * size * head_up, back + 0.1 * size * head_up, ahead, (0.022, 0.036), 1.5)
    return limbs


class FigurePainter:
    """Paints a body into the images of one camera.

    A limb is a chain of spheres in a space that is scaled to make its cross-section round; the sphere that a pixel's
    ray passes nearest to decides whether it hits, where, and how it is lit. Edges cover pixels in part.

    Parameters
    ----------
    camera : Camera
    limbs : list of Limb
    outfit : Outfit
    scene : (h, w) float32 array, mm, optional
        Depth of what stands in the room; infinite where it is empty. The body is painted behind what is nearer.
    """

    def __init__(self, camera: Camera, limbs: list[Limb], outfit: Outfit, *, scene: np.ndarray | None = None) -> None:
        self.camera, self.limbs, self.outfit = camera, limbs, outfit
        w, h = camera.size
        rays = pixel_rays(camera)
        self._rays = np.concatenate([rays, np.ones((h, w, 1), np.float32)], axis=-1)
        self._depth = np.full((h, w), _EMPTY, dtype=np.float32)
        self._scene = None if scene is None else np.minimum(scene, _EMPTY).astype(np.float32)
        self._rotation = exp_so3(camera.rotation)
        self._center = camera.center
        self._boxes, self._order = self._place()
        self._blobs = self._place_shadows()

    def _place(self) -> tuple[IntArray, IntArray]:
        """Return the pixels that each limb may touch and the order from far to near.

        Returns
        -------
        boxes : (n_frames, n_limbs, 4) int array
            x0, y0, x1, y1; empty (x1 <= x0) where the limb is out of sight.
        order : (n_frames, n_limbs) int array
        """
        ends = np.stack([np.stack([limb.low, limb.high], axis=1) for limb in self.limbs], axis=1)
        radius = np.array([max(limb.radii) * max(1.0, limb.breadth) for limb in self.limbs])[:, None]
        depth = ends @ self._rotation[2] + self.camera.translation[2]
        near = (depth < radius + 200).any(-1)  # mm
        reach = 1.15 * self.camera.focal * radius / np.maximum(depth - radius, 1) + 3
        pixels = np.nan_to_num(self.camera.project(ends))
        size = np.array(self.camera.size)
        low = np.floor(np.clip((pixels - reach[..., None]).min(-2), 0, size))
        high = np.ceil(np.clip((pixels + reach[..., None]).max(-2), 0, size))
        high[near] = low[near]
        return np.concatenate([low, high], axis=-1).astype(np.int64), np.argsort(-depth.mean(-1), axis=-1)

    def paint(self, image: np.ndarray, frame: int) -> None:
        """Paint one frame's body over an image, in place.

        Parameters
        ----------
        image : (h, w, 3) uint8 array
        frame : int
        """
        self._shadow(image, frame)
        boxes = self._boxes[frame]
        seen = (boxes[:, 2:] > boxes[:, :2]).all(-1)
        if not seen.any():
            return
        x0, y0 = (int(v) for v in boxes[seen, :2].min(0))
        x1, y1 = (int(v) for v in boxes[seen, 2:].max(0))
        color = image[y0:y1, x0:x1].astype(np.float32)
        depth = self._depth[y0:y1, x0:x1]
        depth[...] = _EMPTY if self._scene is None else self._scene[y0:y1, x0:x1]
        for index in self._order[frame]:
            if seen[index]:
                left, top, right, bottom = (int(v) for v in boxes[index])
                part = (slice(top - y0, bottom - y0), slice(left - x0, right - x0))
                rays = self._rays[top:bottom, left:right]
                self._limb(color[part], depth[part], rays, self.limbs[index], frame)
        image[y0:y1, x0:x1] = np.clip(color + 0.5, 0, 255).astype(np.uint8)

    def _limb(self, color: np.ndarray, depth: np.ndarray, rays: np.ndarray, limb: Limb, frame: int) -> None:
        axes = limb.axes[frame]
        length = np.float32(np.linalg.norm(limb.high[frame] - limb.low[frame]))
        squeeze = np.array([1.0, 1 / limb.breadth, 1.0])
        to_limb = (squeeze[:, None] * axes.T).astype(np.float32)
        direction = to_limb @ self._rotation.T.astype(np.float32)
        o = to_limb @ (self._center - limb.low[frame]).astype(np.float32)
        d = cv2.transform(rays, direction)
        dx, dy, dz = d[..., 0], d[..., 1], d[..., 2]
        flat = dx * dx + dy * dy
        t = -(o[0] * dx + o[1] * dy) / np.maximum(flat, 1e-9)
        s = np.clip(o[2] + t * dz, 0, length)
        square = flat + dz * dz
        t = -(o[0] * dx + o[1] * dy + (o[2] - s) * dz) / square
        px, py, pz = o[0] + t * dx, o[1] + t * dy, o[2] + t * dz - s
        low, high = limb.radii
        radius = np.float32(low) + np.float32((high - low) / max(float(length), 1e-6)) * s
        away = px * px + py * py + pz * pz
        pixel = np.float32(1 / (self.camera.focal * np.sqrt(limb.breadth))) * t
        cover = np.clip((radius - np.sqrt(away)) / pixel + 0.5, 0, 1)
        inwards = np.sqrt(np.maximum(radius * radius - away, 0) / square)
        hit = t - inwards
        cover *= hit < depth
        rows, columns = (np.flatnonzero(cover.any(axis)) for axis in (1, 0))
        if len(rows) == 0:
            return
        cut = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        cover, hit, inwards, radius, s = cover[cut], hit[cut], inwards[cut], radius[cut], s[cut]
        nx, ny, nz = ((p[cut] - inwards * step[cut]) / radius for p, step in ((px, dx), (py, dy), (pz, dz)))
        texture = self.outfit.textures[limb.texture]
        v_scale = np.float32((texture.shape[0] - 1) / (float(length) + low + high))
        v = (s + nz * radius + np.float32(low)) * v_scale
        u = (
            cv2.phase(nx.ravel(), ny.ravel()).reshape(nx.shape) / np.float32(2 * np.pi) + np.float32(0.5)
        ) * texture.shape[1]
        u = np.where(u >= texture.shape[1], u - texture.shape[1], u)
        paint = cv2.remap(texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        lamp = (
            to_limb @ _LAMP
        )  # the normal in the room is to_limb^T n, so its product with the lamp is n . (to_limb lamp)
        steep = np.sqrt(nx * nx + (ny * np.float32(squeeze[1])) ** 2 + nz * nz)
        light = (nx * lamp[0] + ny * lamp[1] + nz * lamp[2]) / np.maximum(steep, 1e-6)
        facing = np.clip(inwards / np.maximum(radius, 1e-6) * np.sqrt(square[cut]), 0, 1)
        shade = (0.62 + 0.34 * light) * (0.76 + 0.24 * facing)
        paint *= shade[..., None]
        seen = color[cut]
        seen += (paint - seen) * cover[..., None]
        deep = depth[cut]
        np.copyto(deep, hit, where=cover > 0.5)

    def _place_shadows(self) -> list[tuple[FloatArray, FloatArray]]:
        """Return outlines (n_frames, 24, 2) in px of what darkens the floor, and how much (n_frames,)."""
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)], axis=-1)
        out = []
        for limb in self.limbs:
            if limb.texture not in _SHADOWS:
                continue
            size, growth, strength = _SHADOWS[limb.texture]
            middle = (limb.low + limb.high) / 2
            height = middle[:, 2]
            circle = middle[:, None] * np.array([1.0, 1.0, 0.0]) + ring * (size + growth * height)[:, None, None]
            pixels = self.camera.project(circle)
            reach = np.abs(np.nan_to_num(pixels, nan=1e9)).max(axis=(1, 2))
            dark = np.where(reach < 1e4, strength * np.exp(-height / 900), 0.0)
            out.append((np.nan_to_num(np.clip(pixels, -1e4, 1e4)), dark))
        return out

    def _shadow(self, image: np.ndarray, frame: int) -> None:
        """Darken the floor below the feet and the body."""
        h, w = image.shape[:2]
        small = np.zeros((h // 4, w // 4), np.float32)
        for outline, strength in self._blobs:
            blob = np.zeros_like(small)  # px / 4 with two bits of fraction are px
            cv2.fillPoly(blob, [np.round(outline[frame]).astype(np.int32)], float(strength[frame]), cv2.LINE_8, 2)
            np.maximum(small, blob, out=small)
        if not small.any():
            return
        small = cv2.GaussianBlur(small, (0, 0), 3.5)
        rows, columns = (np.flatnonzero((small > 0.004).any(axis)) for axis in (1, 0))
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        dark = cv2.resize(small[y0:y1, x0:x1], None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
        area = (slice(4 * y0, 4 * y1), slice(4 * x0, 4 * x1))
        if self._scene is not None:
            dark = dark * (self._scene[area] >= _EMPTY)
        patch = image[area]
        patch[...] = patch * (1 - dark[..., None])
