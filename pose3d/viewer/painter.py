"""Scenes as pictures without OpenGL: numpy projects, OpenCV fills, what is nearer is painted later."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.viewer import palette
from pose3d.viewer.lettering import Box, text_size, write_text_on
from pose3d.viewer.palette import Colour
from pose3d.viewer.scene import Scene
from pose3d.viewer.shapes import Ellipsoids, Lines, Markers
from pose3d.viewer.view_camera import ViewCamera

__all__ = ["Painter"]

Image: TypeAlias = NDArray[np.uint8]
_Seen: TypeAlias = dict[
    str, tuple[FloatArray, FloatArray]
]  # by name where things are in the picture, px, and depths, mm

_SHIFT = 4  # fractional bits of OpenCV's coordinates
_FINE = 1 << _SHIFT
_FAR_PX = 16000.0
_LEVELS = 12  # of alpha: pieces of one level are drawn in one call
_ROUND = 7  # points of each round end
_REFERENCE_HEIGHT = 720.0  # to which widths in px refer
_FLAT = ("shadow", "floor", "axes", "trails", "plumb", "frusta", "arcs")
_STILL = ("floor", "axes")
_SHINE, _EDGE = 0.35, 0.42
_SOLID = 0.95  # alpha from which nothing shines through
_FAR_RADIUS = 2000.0
_GLINT_PX = 2.5
_TURN = np.linspace(0, 2 * np.pi, 20, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=-1)


class _Bodies(NamedTuple):
    """Shapes of one kind with their depth in mm, in OpenCV's fine coordinates."""

    kind: Literal["bone", "ball", "ellipsoid"]
    depth: FloatArray
    shape: NDArray[np.int32]
    rgba: NDArray[np.float32]
    body: float
    shine: float


class Painter:
    """Paints scenes of one size.

    Parameters
    ----------
    size : (int, int)
        Width and height, px.
    background : (float, float, float)
        Red, green, blue, 0..1.
    """

    def __init__(self, size: tuple[int, int], background: Colour = palette.BACKGROUND) -> None:
        self.size = size
        self.scale = size[1] / _REFERENCE_HEIGHT
        self._background = background
        self._blank = np.empty((size[1], size[0], 3), dtype=np.uint8)
        self._blank[:] = _bgr(background)
        self._latest: tuple[object, ...] = ()
        self._kept: tuple[object, ...] = ()
        self._ground_image = np.empty_like(self._blank)

    def paint(
        self,
        scene: Scene,
        view: ViewCamera,
        *,
        backdrop: Image | None = None,
        out: Image | None = None,
        taken: Sequence[Box] = (),
    ) -> Image:
        """Paint a scene.

        Parameters
        ----------
        scene : Scene
        view : ViewCamera
        backdrop : (h, w, 3) uint8 array, optional
            Drawn over instead of the floor, such as a camera's image.
        out : (h, w, 3) uint8 array, optional
            Painted into, instead of a new picture.
        taken : sequence of (left, upper, right, lower), px
            Where no label may stand.

        Returns
        -------
        (h, w, 3) uint8 array
            Blue, green, red.
        """
        image = np.empty((self.size[1], self.size[0], 3), dtype=np.uint8) if out is None else out
        seen = self._project([*(lines for lines in scene.lines if lines.name not in _STILL), *scene.markers], view)
        if backdrop is None:
            self._ground(image, scene, view)
        else:
            np.copyto(image, backdrop)
        shadow = scene.line("shadow")
        if shadow is not None and len(shadow):
            self._shadow(image, shadow, seen, view)
        for lines in scene.lines:
            if lines.name in ("trails", "plumb"):
                self._thin(image, lines, seen)
        for markers in scene.markers:
            if markers.name in ("strikes", "offs"):
                self._dots(image, markers, seen)
        bones = [lines for lines in scene.lines if lines.name not in _FLAT]
        dots = [markers for markers in scene.markers if markers.name not in ("strikes", "offs", "mass")]
        parts = [self._bones(lines, seen, view) for lines in bones if len(lines)]
        parts += [self._balls(markers, seen, view) for markers in dots if len(markers)]
        if scene.ellipsoids is not None and len(scene.ellipsoids):
            parts.append(self._silhouettes(scene.ellipsoids, view))
        self._bodies(image, parts, scene.line("frusta"), seen)
        arcs = scene.line("arcs")
        if arcs is not None:
            self._thin(image, arcs, seen)
        mass = scene.marker("mass")
        if mass is not None:
            self._dots(image, mass, seen)
        self.draw_labels(image, scene, view, taken)
        return image

    def _project(self, parts: Sequence[Lines | Markers], view: ViewCamera) -> _Seen:
        """Project all in one go, as a call of numpy costs more than the points it works on."""
        xyz = [part.xyz.reshape(-1, 3) for part in parts]
        pixels, depth = view.project(np.concatenate([np.zeros((0, 3)), *xyz]), self.size)
        seen, begin = {}, 0
        for part, own in zip(parts, xyz, strict=True):
            shape, end = part.xyz.shape[:-1], begin + len(own)
            seen[part.name] = pixels[begin:end].reshape(*shape, 2), depth[begin:end].reshape(shape)
            begin = end
        return seen

    def _ground(self, image: Image, scene: Scene, view: ViewCamera) -> None:
        """Draw what does not move; of a view that does not either it is kept from the second picture on."""
        still = [lines for lines in scene.lines if lines.name in _STILL]
        key = (*still, view.cam_from_world.tobytes(), view.field_deg, view.camera)
        if self._kept == key:
            np.copyto(image, self._ground_image)
            return
        np.copyto(image, self._blank)
        seen = self._project(still, view)
        for lines in still:
            self._thin(image, lines, seen)
        if self._latest == key:
            np.copyto(self._ground_image, image)
            self._kept = key
        self._latest = key

    def _thin(self, image: Image, lines: Lines, seen: _Seen) -> None:
        """Draw pieces of one width; those of like colour in one call."""
        if len(lines):
            self._pieces(image, seen[lines.name][0], lines.rgba, max(1, round(lines.width_px * self.scale)))

    def _pieces(self, image: Image, pixels: FloatArray, rgba: NDArray[np.float32], thickness: int) -> None:
        reach = np.array([[-1.0], [1.0]]) * thickness + [[0, 0], self.size]
        touch = ((pixels.max(1) > reach[0]) & (pixels.min(1) < reach[1]) & (np.abs(pixels) < _FAR_PX).all(1)).all(1)
        pixels, rgba = pixels[touch], rgba[touch]
        # Over the flat background alpha is a mixed colour, which spares the blending.
        levels = np.ceil(rgba[:, 3] * _LEVELS).astype(np.int64)
        keys = np.round(rgba[:, :3] * 255).astype(np.int64) @ [65536, 256, 1] * (_LEVELS + 1) + levels
        order = np.argsort(keys, kind="stable")
        order = order[levels[order] > 0]
        if not len(order):
            return
        firsts = np.flatnonzero(np.diff(keys[order], prepend=keys[order[0]] - 1))
        base = np.array(self._background, dtype=np.float32)
        mixed = base + (levels[order[firsts], None] / _LEVELS) * (rgba[order[firsts], :3] - base)
        bgr = np.round(255 * mixed[:, ::-1]).clip(0, 255).tolist()
        fine = list(_fine(pixels[order]))
        for colour, first, last in zip(bgr, firsts, [*firsts[1:], len(fine)], strict=True):
            cv2.polylines(image, fine[first:last], False, colour, thickness, cv2.LINE_AA, _SHIFT)

    def _shadow(self, image: Image, lines: Lines, seen: _Seen, view: ViewCamera) -> None:
        """Darken the floor softly under the body."""
        pixels, radius, _, fine = self._thick(lines, seen, view)
        outlines, alpha = _capsules(pixels, radius), lines.rgba[fine, 3]
        if not len(outlines):
            return
        reach = 4 + round(5 * self.scale)
        low, high = outlines.min((0, 1)) - reach, outlines.max((0, 1)) + reach
        x0, y0 = np.maximum(np.floor(low), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(high), self.size).astype(int)
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        mask = np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)
        fine = np.round((outlines - [x0, y0]) * _FINE).astype(np.int32)
        for outline, dark in zip(fine, alpha, strict=True):
            cv2.fillConvexPoly(mask, outline, round(255 * float(dark)), cv2.LINE_AA, _SHIFT)
        cv2.blur(mask, (reach, reach), dst=mask)
        part = image[y0:y1, x0:x1]
        light = cv2.cvtColor(255 - mask, cv2.COLOR_GRAY2BGR)
        cv2.multiply(part, light, dst=part, scale=1 / 255)

    def _thick(
        self, lines: Lines, seen: _Seen, view: ViewCamera
    ) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Return the ends (n, 2, 2) px of tapering pieces, the radii there, depths (n,), and which pieces they are."""
        pixels, depth = seen[lines.name]
        radius = self._radius_px(lines.radius_mm, depth, lines.width_px / 2, view)
        fine = np.asarray((np.abs(pixels) < _FAR_PX).all((1, 2)) & (radius < _FAR_RADIUS).all(1))
        return pixels[fine], radius[fine], depth[fine].mean(1), fine

    def _radius_px(self, radius_mm: FloatArray | None, depth: FloatArray, px: float, view: ViewCamera) -> FloatArray:
        least = 0.75 * self.scale
        if radius_mm is None:
            return np.full(depth.shape, max(px * self.scale, least))
        focal = view.matrix(self.size)[0, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.maximum(radius_mm * focal / depth, least))

    def _bodies(self, image: Image, parts: list[_Bodies], frusta: Lines | None, seen: _Seen) -> None:
        """Paint bones, joints and ellipsoids from far to near; cameras before or after them."""
        depth = np.concatenate([np.zeros(0), *(part.depth for part in parts)])
        before = self._frusta(image, frusta, seen, float(np.median(depth)) if len(depth) else 0.0)
        counts = [len(part.depth) for part in parts]
        nearest, spread = depth.min(initial=np.inf), max(float(np.ptp(depth)) if len(depth) else 0.0, 1.0)
        light = np.clip(1.0 - 0.22 * (depth - nearest) / spread, 0.7, 1.0)[:, None]
        rgba = np.concatenate([np.zeros((0, 4)), *(part.rgba for part in parts)])
        rgb, alphas = rgba[:, :3] * light, rgba[:, 3].tolist()
        body = np.repeat([part.body for part in parts], counts)[:, None]
        shine = np.repeat([part.shine for part in parts], counts)[:, None]
        # From the edge to the light: of a bone three outlines, one within the other.
        tones = np.stack([rgb * _EDGE, rgb * body, rgb + shine * (light - rgb)], axis=1)
        bgr = np.round(255 * tones[..., ::-1]).clip(0, 255).astype(np.int64).tolist()
        kinds = [part.kind for part in parts for _ in part.depth]
        shapes = [shape for part in parts for shape in part.shape]
        for i in np.argsort(-depth, kind="stable").tolist():
            shape, tone = shapes[i], bgr[i]
            if kinds[i] == "ellipsoid":
                _blend(image, shape, tone[1], alphas[i])
                cv2.polylines(image, [shape], True, tone[2], 1, cv2.LINE_AA, _SHIFT)
            elif alphas[i] < _SOLID:
                _blend(image, shape[1], tone[1], alphas[i])
            else:
                for outline, colour in zip(shape, tone, strict=False):
                    cv2.fillConvexPoly(image, outline, colour, cv2.LINE_AA, _SHIFT)
        if before is not None:
            self._pieces(image, *before)

    def _frusta(
        self, image: Image, frusta: Lines | None, seen: _Seen, middle: float
    ) -> tuple[FloatArray, NDArray[np.float32], int] | None:
        """Draw the cameras behind the body, and return the others, to be drawn after it."""
        if frusta is None or not len(frusta):
            return None
        pixels, depth = seen[frusta.name]
        width = max(1, round(frusta.width_px * self.scale))
        far = depth.mean(1) > middle
        self._pieces(image, pixels[far], frusta.rgba[far], width)
        return pixels[~far], frusta.rgba[~far], width

    def _bones(self, lines: Lines, seen: _Seen, view: ViewCamera) -> _Bodies:
        pixels, radius, depth, fine = self._thick(lines, seen, view)
        along = pixels[:, 1] - pixels[:, 0]
        normal = np.stack([along[:, 1], -along[:, 0]], axis=-1)
        normal /= np.maximum(np.sqrt((normal**2).sum(-1, keepdims=True)), 1e-9)
        normal *= np.where(normal[:, :1] + 1.5 * normal[:, 1:] > 0, -1.0, 1.0)  # the light comes from above on the left
        lit = pixels + 0.3 * normal[:, None] * radius[..., None]
        ends = np.stack([pixels, pixels, lit], axis=1).reshape(-1, 2, 2)
        sizes = np.stack([radius + 1.1 * self.scale, radius, 0.38 * radius], axis=1).reshape(-1, 2)
        shape = _fine(_capsules(ends, sizes)).reshape(len(pixels), 3, -1, 2)
        return _Bodies("bone", depth, shape, lines.rgba[fine], 0.88, _SHINE)

    def _balls(self, markers: Markers, seen: _Seen, view: ViewCamera) -> _Bodies:
        pixels, depth = seen[markers.name]
        radius = self._radius_px(markers.radius_mm, depth, markers.radius_px, view)
        fine = (np.abs(pixels) < _FAR_PX).all(1) & (radius < _FAR_RADIUS)
        if markers.radius_mm is not None:  # a joint is seen before the bones that end in it
            depth = depth - 2.5 * markers.radius_mm
        pixels, radius = pixels[fine], radius[fine]
        glint = pixels - np.array([0.28, 0.32]) * radius[:, None]
        rounds = 3 if radius.max(initial=0.0) > _GLINT_PX else 2
        centres = np.stack([pixels, pixels, glint], axis=1)[:, :rounds, None]
        sizes = np.stack([radius + 0.9 * self.scale, radius, 0.42 * radius], axis=1)[:, :rounds, None, None]
        # Polygons, as OpenCV's own small circles are diamonds.
        return _Bodies("ball", depth[fine], _fine(centres + sizes * _CIRCLE), markers.rgba[fine], 1.0, 0.6)

    def _silhouettes(self, ellipsoids: Ellipsoids, view: ViewCamera) -> _Bodies:
        """Project ellipsoids as if the lens were affine about each centre: to ellipses, (points, 2)."""
        ends = ellipsoids.xyz[:, None] + np.moveaxis(ellipsoids.axes, 2, 1)
        pixels, depth = view.project(np.concatenate([ellipsoids.xyz[:, None], ends], axis=1), self.size)
        half = pixels[:, 1:] - pixels[:, :1]
        spread = np.einsum("nai,naj->nij", half, half)
        fine = (np.abs(pixels) < _FAR_PX).all((1, 2)) & (np.abs(spread) < _FAR_RADIUS**2).all((1, 2))
        values, vectors = np.linalg.eigh(spread[fine])
        turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        circle = np.stack([np.cos(turn), np.sin(turn)])
        outline = np.einsum("nij,nj,jk->nki", vectors, np.sqrt(np.maximum(values, 1.0)), circle) + pixels[fine, :1]
        reach = np.linalg.norm(ellipsoids.axes, axis=1).max(1) + 100.0  # before the joint within it
        return _Bodies("ellipsoid", (depth[:, 0] - reach)[fine], _fine(outline), ellipsoids.rgba[fine], 1.0, 0.4)

    def _dots(self, image: Image, markers: Markers, seen: _Seen) -> None:
        pixels, _ = seen[markers.name]
        radius = markers.radius_px * self.scale
        base = np.array(self._background, dtype=np.float32)
        for (x, y), rgba in zip(pixels, markers.rgba, strict=True):
            if not (abs(x) < _FAR_PX and abs(y) < _FAR_PX):
                continue
            colour = _bgr(base + rgba[3] * (rgba[:3] - base))
            place = round(x * _FINE), round(y * _FINE)
            width = -1 if markers.kind == "disc" else max(2, round(2 * self.scale))
            cv2.circle(image, place, round(radius * _FINE), colour, width, cv2.LINE_AA, _SHIFT)

    def draw_labels(self, image: Image, scene: Scene, view: ViewCamera, taken: Sequence[Box] = ()) -> None:
        """Write a scene's labels, those nearest first; one that would cover another moves up or down."""
        joints = scene.marker("joints")
        seen = np.zeros(0) if joints is None else view.project(joints.xyz, self.size)[0][:, 0]
        seen = seen[np.isfinite(seen)]
        centre_px = float(seen.mean()) if len(seen) else self.size[0] / 2
        boxes = list(taken)
        for labels in scene.labels:
            if not len(labels):
                continue
            pixels, depth = view.project(labels.xyz, self.size)
            size = max(labels.size_px * self.scale, 10.0)
            for i in np.argsort(depth):
                x, y = pixels[i]
                if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
                    continue
                width, height = text_size(labels.text[i], size)
                if labels.beside:
                    x += (width / 2 + 26 * self.scale) * (1 if x >= centre_px else -1)
                x = min(max(x, width / 2 + 2), self.size[0] - width / 2 - 2)
                y = min(max(y, height / 2 + 2), self.size[1] - height / 2 - 2)
                for step in (0, -1, 1, -2, 2, 3):
                    top = y - height / 2 + step * height
                    box = (x - width / 2, top, x + width / 2 + size / 3, top + height)
                    if not any(_overlap(box, other) for other in boxes):
                        break
                boxes.append(box)
                red, green, blue = labels.rgba[i, :3].tolist()
                write_text_on(image, labels.text[i], box[:2], size, (red, green, blue), halo=labels.beside)


def _capsules(pixels: FloatArray, radius: FloatArray) -> FloatArray:
    """Return the outlines of pieces with round ends, (n, points, 2), from ends (n, 2, 2) and their radii (n, 2)."""
    along = pixels[:, 1] - pixels[:, 0]
    heading = np.arctan2(along[:, 1], along[:, 0])
    half = np.linspace(np.pi / 2, 3 * np.pi / 2, _ROUND)
    turn = heading[:, None] + np.concatenate([half, half + np.pi])
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    centre, size = np.repeat(pixels, _ROUND, axis=1), np.repeat(radius, _ROUND, axis=1)
    return np.asarray(centre + size[..., None] * circle)


def _fine(pixels: FloatArray) -> NDArray[np.int32]:
    return np.round(pixels * _FINE).astype(np.int32)


def _blend(image: Image, outline: NDArray[np.int32], bgr: Sequence[int], alpha: float) -> None:
    """Fill an outline (points, 2) with what is behind it shining through."""
    x0, y0 = np.maximum(outline.min(0) // _FINE - 1, 0).tolist()
    x1, y1 = np.minimum(outline.max(0) // _FINE + 2, [image.shape[1], image.shape[0]]).tolist()
    if x1 <= x0 or y1 <= y0:
        return
    mask = np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)
    corner = np.array([x0 * _FINE, y0 * _FINE], dtype=np.int32)
    cv2.fillConvexPoly(mask, outline - corner, 255, cv2.LINE_AA, _SHIFT)
    part = image[y0:y1, x0:x1]
    cover = mask[..., None] * np.float32(alpha / 255)
    part[:] = (part + cover * (np.array(bgr, dtype=np.float32) - part) + 0.5).astype(np.uint8)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _bgr(rgb: "Colour | NDArray[np.float32]") -> tuple[int, int, int]:
    red, green, blue = (min(max(round(255 * float(part)), 0), 255) for part in rgb)
    return blue, green, red
