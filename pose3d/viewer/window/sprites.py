"""A scene as flat shapes on the picture, sorted from far to near: all that the graphics card gets, in one array.

Lines are projected here rather than on the card: so they go through a camera's lens, and one program draws everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d.geometry.arrays import FloatArray
from pose3d.viewer.scene import Scene
from pose3d.viewer.shapes import Ellipsoids, Labels, Lines, Markers
from pose3d.viewer.view_camera import ViewCamera

__all__ = ["KINDS", "VERTEX", "Glyph", "SpriteMaker", "picture_sprite"]

KINDS = {"flat": 0.0, "round": 1.0, "ring": 2.0, "ball": 3.0, "letter": 4.0, "picture": 5.0, "cut": 6.0}
VERTEX = np.dtype([("a_place", "f4", 2), ("a_coord", "f4", 2), ("a_shape", "f4", 4), ("a_colour", "f4", 4)])
_UNDER = ("floor", "axes", "shadow")  # on the floor, below all else
_CORNERS = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
_LEAST_PX = 0.6  # thinner lines are paler instead


@dataclass(frozen=True)
class Glyph:
    """A letter in the picture of all letters.

    Attributes
    ----------
    box : (float, float, float, float)
        Left, top, right, bottom in that picture, 0 to 1.
    size : (float, float)
        Width and height in parts of the letters' height.
    advance : float
        How far the next letter is.
    """

    box: tuple[float, float, float, float]
    size: tuple[float, float]
    advance: float


class SpriteMaker:
    """Turns scenes into vertices; what stays the same between frames is projected once."""

    def __init__(self, glyphs: Mapping[str, Glyph]) -> None:
        self._glyphs = glyphs
        self._kept: tuple[object, ...] = ()
        self._still: list[Lines] = []
        self._under: NDArray[np.void] = np.zeros((0, 4), VERTEX)

    def make(self, scene: Scene, camera: ViewCamera, size: tuple[int, int]) -> NDArray[np.void]:
        """Return the vertices of a scene, (n, 4) of :data:`VERTEX`: four corners a shape.

        Parameters
        ----------
        scene : Scene
        camera : ViewCamera
        size : (int, int), px
        """
        still = [lines for lines in scene.lines if lines.name in ("floor", "axes")]
        key = (*map(id, still), camera.cam_from_world.tobytes(), id(camera.camera), size)
        if key != self._kept:
            self._kept, self._under = key, _pieces(still, [], camera, size)[0]
            self._still = still  # as long as their identities are a key they must live
        shadow = [lines for lines in scene.lines if lines.name == "shadow"]
        above = [lines for lines in scene.lines if lines.name not in _UNDER]
        n_shadow = sum(map(len, shadow))
        # All in one go: a call of numpy costs more than the hundred shapes it works on.
        vertices, depth = _pieces([*shadow, *above], scene.markers, camera, size)
        depth[:n_shadow] = np.inf
        if scene.ellipsoids is not None and len(scene.ellipsoids):
            balls, away = _balls(scene.ellipsoids, camera, size)
            vertices, depth = np.concatenate([vertices, balls]), np.concatenate([depth, away])
        vertices = vertices[np.argsort(-depth, kind="stable")]
        letters = [self._labels(labels, camera, size) for labels in scene.labels]
        return np.concatenate([self._under, vertices, *letters])

    def _labels(self, labels: Labels, camera: ViewCamera, size: tuple[int, int]) -> NDArray[np.void]:
        if not len(labels):
            return np.zeros((0, 4), VERTEX)
        pixels, _ = camera.project(labels.xyz, size)
        height = max(labels.size_px * _unit(size), 11.0) * 1.25
        places, boxes, colours = [], [], []
        known = pixels[np.isfinite(pixels).all(1), 0]
        middle = float(known.mean()) if len(known) else 0.0
        for (x, y), text, rgba in zip(pixels, labels.text, labels.rgba, strict=True):
            glyphs = [self._glyphs.get(letter) or self._glyphs["?"] for letter in text]
            if not (np.isfinite(x) and np.isfinite(y)):
                continue
            width = height * sum(glyph.advance for glyph in glyphs)
            if labels.beside:  # away from the middle of the body
                left, top = round(x - width - 0.6 * height if x < middle else x + 0.6 * height), round(y - 0.5 * height)
            else:
                left, top = round(x - 0.5 * width), round(y - 1.1 * height)
            for glyph in glyphs:
                places.append((left, top, left + height * glyph.size[0], top + height * glyph.size[1]))
                boxes.append(glyph.box)
                colours.append(rgba)
                left += height * glyph.advance
        if not places:
            return np.zeros((0, 4), VERTEX)
        out = np.zeros((len(places), 4), VERTEX)
        out["a_place"] = np.array(places)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
        out["a_coord"] = np.array(boxes)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
        out["a_shape"][..., 3] = KINDS["letter"]
        out["a_colour"] = np.array(colours)[:, None]
        return out


def _unit(size: tuple[int, int]) -> float:
    """Return how large a pixel of a picture 720 px high is here."""
    return min(size[1], 1.3 * size[0]) / 720


def _pieces(
    lines: Sequence[Lines], markers: Sequence[Markers], camera: ViewCamera, size: tuple[int, int]
) -> tuple[NDArray[np.void], FloatArray]:
    """Return the shapes of lines and markers, (n, 4), and their depths (n,); those out of sight have no area."""
    unit, focal = _unit(size), camera.matrix(size)[0, 0]
    parts: list[Lines | Markers] = [*lines, *markers]
    counts = [len(part) for part in parts]
    xyz = [part.xyz for part in lines] + [np.repeat(part.xyz[:, None], 2, axis=1) for part in markers]
    ends, depth = camera.project(np.concatenate([np.zeros((0, 2, 3)), *xyz]), size)
    rgba = np.concatenate([np.zeros((0, 4)), *(part.rgba for part in parts)])
    fixed_px = [0.5 * part.width_px * unit for part in lines] + [part.radius_px * unit for part in markers]
    radius = np.repeat(np.repeat(fixed_px, counts)[:, None], 2, axis=1).reshape(-1, 2)
    kind = np.repeat([_kind(part) for part in parts], counts)
    away = depth.mean(1)
    begin = 0
    for part, n in zip(parts, counts, strict=True):
        own = slice(begin, begin + n)
        if part.radius_mm is not None and n:
            radius[own] = part.radius_mm.reshape(n, -1) * focal / depth[own]
            if isinstance(part, Markers):  # a joint covers the ends of its bones, which are as far away as itself
                away[own] -= 3 * part.radius_mm
        begin += n
    hidden = ~(np.isfinite(ends).all((1, 2)) & (np.abs(ends) < 20 * max(size)).all((1, 2)))
    ends[hidden], radius[hidden], rgba[hidden] = 0.0, 0.0, 0.0
    return _capsules(ends, radius, rgba, kind), away


def _kind(part: Lines | Markers) -> float:
    if isinstance(part, Markers):
        return KINDS["ring" if part.kind == "ring" else "flat" if part.radius_mm is None else "round"]
    if part.radius_mm is None:
        return KINDS["cut"]
    return KINDS["flat" if part.name == "shadow" else "round"]


def _capsules(ends: FloatArray, radius: FloatArray, rgba: FloatArray, kind: FloatArray) -> NDArray[np.void]:
    """Return pieces with round ends, (n, 4), from their ends (n, 2, 2) px and the radii there (n, 2) px."""
    thin = radius.mean(1) < _LEAST_PX
    rgba[thin, 3] *= np.maximum(radius[thin].mean(1) / _LEAST_PX, 0.25)
    radius = np.maximum(radius, _LEAST_PX)
    along = ends[:, 1] - ends[:, 0]
    length = np.hypot(along[:, 0], along[:, 1])
    with np.errstate(invalid="ignore"):
        along = np.where(length[:, None] > 1e-6, along / np.maximum(length, 1e-6)[:, None], [1.0, 0.0])
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    reach = radius.max(1) + 1.0  # a pixel more, for the soft edge
    out = np.zeros((len(ends), 4), VERTEX)
    u = np.where(_CORNERS[:, 0] < 0, -reach[:, None], length[:, None] + reach[:, None])
    v = _CORNERS[:, 1] * reach[:, None]
    out["a_place"] = ends[:, :1] + u[..., None] * along[:, None] + v[..., None] * across[:, None]
    out["a_coord"] = np.stack([u, v], axis=-1)
    out["a_shape"] = np.stack([length, radius[:, 0], radius[:, 1], kind], axis=1)[:, None]
    out["a_colour"] = rgba[:, None]
    return out


def _balls(ellipsoids: Ellipsoids, camera: ViewCamera, size: tuple[int, int]) -> tuple[NDArray[np.void], FloatArray]:
    """Return ellipsoids as the ellipses that they are in the picture, by the projection's slope at their centres."""
    centre, depth = camera.project(ellipsoids.xyz, size)
    tips, _ = camera.project(ellipsoids.xyz[:, None] + 0.01 * ellipsoids.axes.swapaxes(1, 2), size)
    slope = 100 * (tips - centre[:, None])  # (n, 3, 2): how far each half axis reaches
    kept = np.isfinite(slope).all((1, 2))
    spread = np.einsum("nki,nkj->nij", slope[kept], slope[kept])
    values, vectors = np.linalg.eigh(spread)
    half = vectors * np.maximum(np.sqrt(np.maximum(values, 0)), 1.0)[:, None]
    out = np.zeros((int(kept.sum()), 4), VERTEX)
    corners = 1.08 * _CORNERS
    out["a_place"] = centre[kept][:, None] + np.einsum("nij,cj->nci", half, corners)
    out["a_coord"] = corners
    out["a_shape"][..., 3] = KINDS["ball"]
    out["a_colour"] = ellipsoids.rgba[kept][:, None]
    return out, depth[kept] - np.linalg.norm(ellipsoids.axes[kept], axis=1).max(1)


def picture_sprite(place: tuple[float, float, float, float], alpha: float) -> NDArray[np.void]:
    """Return the quad of a video's picture at (left, top, right, bottom) px."""
    left, top, right, bottom = place
    out = np.zeros((1, 4), VERTEX)
    out["a_place"] = [(left, top), (right, top), (right, bottom), (left, bottom)]
    out["a_coord"] = [(0, 0), (1, 0), (1, 1), (0, 1)]
    out["a_shape"][..., 3] = KINDS["picture"]
    out["a_colour"] = (1, 1, 1, alpha)
    return out
