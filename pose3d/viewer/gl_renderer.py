"""Scenes as pictures by OpenGL, in a process that has neither a window nor tensorflow: what the painter draws, in 3D.

Only :mod:`pose3d.viewer.video_output` and :mod:`pose3d.viewer.gl_probe` start it, in processes of their own: tensorflow
and OpenGL in software crash in one process.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d.errors import DependencyError
from pose3d.geometry.arrays import FloatArray
from pose3d.viewer import palette
from pose3d.viewer.lettering import Box
from pose3d.viewer.painter import Painter
from pose3d.viewer.scene import Scene
from pose3d.viewer.shapes import Lines, Markers, icosphere
from pose3d.viewer.view_camera import ViewCamera

__all__ = ["GlRenderer", "start_opengl"]

Image: TypeAlias = NDArray[np.uint8]

_FINER = 2  # pictures are drawn larger and made smaller, which smooths edges on every driver
_NEAR, _FAR = 20.0, 1e6  # mm
_SIDES = 10  # of a bone
_LIGHT = np.array([-0.45, -0.75, -0.5])  # in the eye's axes: from above, the left and before
_FLAT = ("floor", "axes", "trails", "plumb", "frusta", "arcs", "shadow")
_VERTEX = """
attribute vec3 a_position;
attribute vec4 a_colour;
uniform mat4 u_projection;
varying vec4 v_colour;
void main() { v_colour = a_colour; gl_Position = u_projection * vec4(a_position, 1.0); }
"""
_FRAGMENT = """
varying vec4 v_colour;
void main() { gl_FragColor = v_colour; }
"""


def _load() -> Any:
    """Load vispy so that it needs no display."""
    if "tensorflow" in sys.modules:
        raise DependencyError("OpenGL and tensorflow crash in one process; render in another one")
    if not os.environ.get("DISPLAY") or os.environ.get("EGL_PLATFORM") == "surfaceless":
        os.environ["EGL_PLATFORM"] = "surfaceless"
    import vispy

    vispy.use(app="egl", gl="gl2")
    return vispy


def start_opengl() -> str:
    """Open a context and return what draws for it."""
    _load()
    from vispy import app, gloo

    canvas = app.Canvas(size=(64, 64), show=False)
    canvas.set_current()
    name = str(gloo.gl.glGetParameter(gloo.gl.GL_RENDERER))
    canvas.close()
    return name


class GlRenderer:
    """Draws scenes of one size.

    Parameters
    ----------
    size : (int, int)
        Width and height, px.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        _load()
        from vispy import app, gloo

        self.size = size
        self._gloo = gloo
        self._letters = Painter(size)
        self._fine = size[0] * _FINER, size[1] * _FINER
        self._canvas = app.Canvas(size=(64, 64), show=False)
        self._canvas.set_current()
        self._program = gloo.Program(_VERTEX, _FRAGMENT)
        shape = (self._fine[1], self._fine[0])
        self._buffer = gloo.FrameBuffer(gloo.RenderBuffer((*shape, 4), "color"), gloo.RenderBuffer(shape, "depth"))

    def paint(self, scene: Scene, view: ViewCamera, *, out: Image | None = None, taken: Sequence[Box] = ()) -> Image:
        """Draw a scene; as :meth:`pose3d.viewer.painter.Painter.paint`."""
        gloo, eye = self._gloo, _Eye(view, self._fine)
        scale = self.size[1] / 720 * _FINER
        with self._buffer:
            gloo.set_viewport(0, 0, *self._fine)
            gloo.set_state(blend=True, depth_test=True, cull_face=False)
            gloo.set_blend_func("src_alpha", "one_minus_src_alpha", "one", "one_minus_src_alpha")
            gloo.clear((*palette.BACKGROUND, 1.0), depth=1.0)
            self._program["u_projection"] = eye.projection.T.astype(np.float32)
            gloo.set_depth_mask(False)
            for name in ("floor", "axes", "shadow", "trails", "plumb"):
                lines = scene.line(name)
                if lines is not None and len(lines):
                    self._draw(*_ribbons(lines, eye, scale))
            for markers in scene.markers:
                if markers.name in ("strikes", "offs"):
                    self._draw(*_dots(markers, eye, scale))
            gloo.set_depth_mask(True)
            frusta = scene.line("frusta")
            if frusta is not None and len(frusta):
                self._draw(*_ribbons(frusta, eye, scale))
            for lines in scene.lines:
                if lines.name not in _FLAT and len(lines):
                    self._draw(*_tubes(lines, eye))
            for markers in scene.markers:
                if markers.name not in ("strikes", "offs", "mass") and len(markers):
                    self._draw(*_balls(markers, eye))
            gloo.set_depth_mask(False)
            if scene.ellipsoids is not None and len(scene.ellipsoids):
                vertices, faces, rgba = scene.ellipsoids.triangles(2)
                self._draw(eye.at(vertices), rgba, faces)
            arcs, mass = scene.line("arcs"), scene.marker("mass")
            gloo.set_state(depth_test=False)
            if arcs is not None and len(arcs):
                self._draw(*_ribbons(arcs, eye, scale))
            if mass is not None and len(mass):
                self._draw(*_dots(mass, eye, scale))
            gloo.set_depth_mask(True)
            picture = gloo.read_pixels((0, 0, *self._fine), alpha=False)
        image = np.empty((self.size[1], self.size[0], 3), dtype=np.uint8) if out is None else out
        image[:] = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), self.size, interpolation=cv2.INTER_AREA)
        self._letters.draw_labels(image, scene, view, taken)
        return image

    def _draw(self, vertices: FloatArray, rgba: NDArray[np.float32], faces: NDArray[np.int64]) -> None:
        known = np.asarray(np.isfinite(vertices).all(-1))
        faces = faces[known[faces].all(1)]
        if not len(faces):
            return
        self._program["a_position"] = np.nan_to_num(vertices).astype(np.float32)
        self._program["a_colour"] = np.ascontiguousarray(rgba, dtype=np.float32)
        self._program.draw("triangles", self._gloo.IndexBuffer(faces.astype(np.uint32).ravel()))


class _Eye:
    """A view as OpenGL wants it: points in the eye's axes (x right, y down, z away) and their projection."""

    def __init__(self, view: ViewCamera, size: tuple[int, int]) -> None:
        self.view, self.size = view, size
        matrix = view.matrix(size)
        width, height = size
        self.focal = float(matrix[0, 0])
        near, far = _NEAR, _FAR
        # Pixel centres are whole numbers in the images' convention, and lie at halves in OpenGL's.
        self.projection = np.array(
            [
                [2 * matrix[0, 0] / width, 2 * matrix[0, 1] / width, 2 * (matrix[0, 2] + 0.5) / width - 1, 0],
                [0, -2 * matrix[1, 1] / height, 1 - 2 * (matrix[1, 2] + 0.5) / height, 0],
                [0, 0, (far + near) / (far - near), -2 * far * near / (far - near)],
                [0, 0, 1, 0],
            ]
        )

    def at(self, xyz: FloatArray) -> FloatArray:
        """Return points (..., 3) of the world in the eye's axes, bent as the lens bends."""
        pose = self.view.cam_from_world
        return np.asarray(self.view.bent(xyz) @ pose[:3, :3].T + pose[:3, 3])


_Mesh: TypeAlias = tuple[FloatArray, NDArray[np.float32], NDArray[np.int64]]


def _ribbons(lines: Lines, eye: _Eye, scale: float) -> _Mesh:
    """Turn pieces into flat strips that face the eye."""
    ends = eye.at(lines.xyz)
    ends[(ends[..., 2] < _NEAR).any(1)] = np.nan
    along = ends[:, 1] - ends[:, 0]
    aside = np.cross(along, ends.mean(1))
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-9)
    if lines.radius_mm is not None:
        half = lines.radius_mm
    else:
        half = 0.5 * max(lines.width_px * scale, 1.0) * ends[..., 2] / eye.focal
    reach = aside[:, None] * half[..., None]
    vertices = np.stack([ends - reach, ends + reach], axis=2).reshape(-1, 3)
    first = 4 * np.arange(len(ends))[:, None, None]
    faces = (first + np.array([[0, 1, 2], [1, 3, 2]])).reshape(-1, 3)
    return vertices, np.repeat(lines.rgba, 4, axis=0), faces


def _shaded(normals: FloatArray, rgba: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return colours (..., 4) of surfaces with normals (..., 3) in the eye's axes."""
    light = _LIGHT / np.linalg.norm(_LIGHT)
    bright = np.clip(normals @ light, -1.0, 1.0)[..., None]
    shaded = np.broadcast_to(rgba, (*normals.shape[:-1], 4)).copy()
    shaded[..., :3] *= 0.62 + 0.38 * np.clip(bright, -0.4, 1.0)
    shaded[..., :3] += (1 - shaded[..., :3]) * 0.4 * np.clip(bright, 0, 1) ** 12
    return np.asarray(shaded, dtype=np.float32)


def _tubes(lines: Lines, eye: _Eye) -> _Mesh:
    """Turn pieces into tapering tubes."""
    ends = eye.at(lines.xyz)
    along = ends[:, 1] - ends[:, 0]
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    other = np.where(np.abs(along[:, :1]) < 0.9, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    u = np.cross(along, other)
    u /= np.maximum(np.linalg.norm(u, axis=-1, keepdims=True), 1e-9)
    v = np.cross(along, u)
    turn = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    normals = np.cos(turn)[None, :, None] * u[:, None] + np.sin(turn)[None, :, None] * v[:, None]
    radius = np.full((len(ends), 2), 8.0) if lines.radius_mm is None else lines.radius_mm
    rings = ends[:, :, None] + radius[:, :, None, None] * normals[:, None]
    rgba = _shaded(np.broadcast_to(normals[:, None], rings.shape), lines.rgba[:, None, None])
    i = np.arange(_SIDES)
    j = (i + 1) % _SIDES
    faces = np.concatenate([np.stack([i, j, i + _SIDES], axis=1), np.stack([j, j + _SIDES, i + _SIDES], axis=1)])
    first = 2 * _SIDES * np.arange(len(ends))[:, None, None]
    return rings.reshape(-1, 3), rgba.reshape(-1, 4), (first + faces).reshape(-1, 3)


def _balls(markers: Markers, eye: _Eye) -> _Mesh:
    """Turn joints into balls."""
    ball, faces = icosphere(2)
    centres = eye.at(markers.xyz)
    radius = markers.radius_mm
    if radius is None:
        radius = markers.radius_px * centres[:, 2] / eye.focal
    vertices = centres[:, None] + radius[:, None, None] * ball
    rgba = _shaded(np.broadcast_to(ball, vertices.shape), markers.rgba[:, None])
    first = len(ball) * np.arange(len(centres))[:, None, None]
    return vertices.reshape(-1, 3), rgba.reshape(-1, 4), (first + faces).reshape(-1, 3)


def _dots(markers: Markers, eye: _Eye, scale: float) -> _Mesh:
    """Turn marks into discs or rings that face the eye."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn), np.zeros(24)], axis=-1)
    centres = eye.at(markers.xyz)
    radius = markers.radius_px * scale * centres[:, 2] / eye.focal
    inner = 0.0 if markers.kind == "disc" else 0.62
    rings = centres[:, None, None] + radius[:, None, None, None] * np.stack([inner * circle, circle])
    i = np.arange(24)
    j = (i + 1) % 24
    faces = np.concatenate([np.stack([i, j, i + 24], axis=1), np.stack([j, j + 24, i + 24], axis=1)])
    first = 48 * np.arange(len(centres))[:, None, None]
    return rings.reshape(-1, 3), np.repeat(markers.rgba, 48, axis=0), (first + faces).reshape(-1, 3)
