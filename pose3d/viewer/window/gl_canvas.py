"""The one OpenGL program of the 3D view, and the letters it writes with."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QOpenGLContext, QPainter
from PySide6.QtOpenGL import QOpenGLWindow
from vispy import gloo

from pose3d.io.images import Image
from pose3d.viewer import palette
from pose3d.viewer.window.sprites import VERTEX, Glyph
from pose3d.viewer.window.theme import font

__all__ = ["GlCanvas", "draw_letters", "opengl_works"]

_VERTEX_SHADER = """
uniform vec2 u_size;
attribute vec2 a_place; attribute vec2 a_coord; attribute vec4 a_shape; attribute vec4 a_colour;
varying vec2 v_coord; varying vec4 v_shape; varying vec4 v_colour;
void main() {
    v_coord = a_coord; v_shape = a_shape; v_colour = a_colour;
    vec2 at = (a_place + 0.5) / u_size * 2.0 - 1.0;
    gl_Position = vec4(at.x, -at.y, 0.0, 1.0);
}
"""
# Kinds: 0 flat piece, 1 the same as a round stick in light from above the eye, 2 ring, 3 ball, 4 letter, 5 picture,
# 6 flat piece with straight ends, of which many in a row make one line
_FRAGMENT_SHADER = """
uniform sampler2D u_letters; uniform sampler2D u_picture;
varying vec2 v_coord; varying vec4 v_shape; varying vec4 v_colour;
void main() {
    float kind = v_shape.w;
    vec3 colour = v_colour.rgb;
    float alpha = v_colour.a;
    if (kind < 2.5 || kind > 5.5) {
        float along = clamp(v_coord.x, 0.0, v_shape.x);
        float radius = mix(v_shape.y, v_shape.z, v_shape.x > 0.0 ? along / v_shape.x : 0.0);
        float away = length(vec2(v_coord.x - along, v_coord.y));
        if (kind > 1.5 && kind < 2.5) alpha *= clamp(0.5 + 0.18 * radius + 0.6 - abs(away - 0.75 * radius), 0.0, 1.0);
        else alpha *= clamp(radius - away + 0.5, 0.0, 1.0);
        if (kind > 5.5) alpha *= clamp(0.5 + min(v_coord.x, v_shape.x - v_coord.x), 0.0, 1.0);
        if (kind > 0.5 && kind < 1.5) {
            float edge = clamp(away / radius, 0.0, 1.0);
            float facing = sqrt(1.0 - edge * edge);
            colour = colour * (0.42 + 0.58 * facing) + 0.10 * pow(facing, 12.0);
        }
    } else if (kind < 3.5) {
        float away = length(v_coord);
        if (away > 1.08) discard;
        float rim = away * away;
        alpha *= (0.55 + 0.75 * rim * rim) * clamp((1.04 - away) * 14.0, 0.0, 1.0);
        colour *= 1.05 - 0.25 * rim;
    } else if (kind < 4.5) {
        alpha *= texture2D(u_letters, v_coord).r;
    } else {
        colour = texture2D(u_picture, v_coord).bgr;
    }
    if (alpha < 0.004) discard;
    gl_FragColor = vec4(colour, alpha);
}
"""
_LETTERS = "".join(map(chr, range(32, 127))) + "°±–…µéäöüßÄÖÜàèñçåøæ×"
_LETTER_PX = 44


def opengl_works() -> bool:
    """Tell whether there is an OpenGL to draw with; without one Qt would end the process."""
    return bool(QOpenGLContext().create())


def draw_letters() -> tuple[NDArray[np.uint8], dict[str, Glyph]]:
    """Draw all letters into one picture.

    Returns
    -------
    picture : (h, w) uint8 array
    glyphs : dict of str to Glyph
    """
    made = font(_LETTER_PX, bold=True)
    metrics = QFontMetricsF(made)
    columns, cell_w, cell_h = 16, 2 * _LETTER_PX, round(metrics.height()) + 6
    rows = -(-len(_LETTERS) // columns)
    image = QImage(columns * cell_w, rows * cell_h, QImage.Format.Format_Grayscale8)
    image.fill(0)
    painter = QPainter(image)
    painter.setFont(made)
    painter.setPen(Qt.GlobalColor.white)
    glyphs = {}
    for i, letter in enumerate(_LETTERS):
        x, y = i % columns * cell_w, i // columns * cell_h
        advance = metrics.horizontalAdvance(letter)
        painter.drawText(QPointF(x + 3, y + 3 + metrics.ascent()), letter)
        right, bottom = x + advance + 6, y + cell_h
        box = (x / image.width(), y / image.height(), right / image.width(), bottom / image.height())
        glyphs[letter] = Glyph(box, ((advance + 6) / cell_h, 1.0), advance / cell_h)
    painter.end()
    flat = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return flat[:, : image.width()].copy(), glyphs


class GlCanvas(QOpenGLWindow):
    """An OpenGL surface that shows the vertices it was last given.

    It is a native window inside the other: an OpenGL widget would have the whole window drawn by OpenGL each time
    anything in it changes, which took longer than everything else together.

    Parameters
    ----------
    letters : (h, w) uint8 array
    resized : callable
        Called when the vertices must be made for another size.
    """

    def __init__(self, letters: NDArray[np.uint8], resized: Callable[[], None]) -> None:
        super().__init__()
        self._letters = letters
        self._vertices: NDArray[np.void] = np.zeros((0, 4), VERTEX)
        self._corners = 0
        self._picture: Image | None = None
        self._resized = resized
        self._gloo: Any = None
        self.n_drawn = 0
        self.setFlag(Qt.WindowType.WindowTransparentForInput)

    def initializeGL(self) -> None:
        """Make the program."""
        self._gloo = gloo.context.FakeCanvas()
        gloo.context.set_current_canvas(self._gloo)
        self._program = gloo.Program(_VERTEX_SHADER, _FRAGMENT_SHADER)
        self._program["u_letters"] = gloo.Texture2D(self._letters[..., None], interpolation="linear")
        self._program["u_picture"] = gloo.Texture2D(np.zeros((2, 2, 4), np.uint8), interpolation="linear")
        self._buffer = gloo.VertexBuffer(np.zeros(4, VERTEX))
        self._faces = gloo.IndexBuffer(np.zeros(6, np.uint32))
        self._program.bind(self._buffer)

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height in pixels of the screen."""
        ratio = self.devicePixelRatio()
        return max(round(self.width() * ratio), 1), max(round(self.height() * ratio), 1)

    def show_vertices(self, vertices: NDArray[np.void]) -> None:
        """Draw these from now on."""
        self._vertices = vertices
        self.update()

    def show_picture(self, bgra: Image) -> None:
        """Take a video's picture, which vertices of kind ``picture`` show."""
        self._picture = bgra

    def paintGL(self) -> None:
        """Draw."""
        gloo.context.set_current_canvas(self._gloo)
        gloo.set_viewport(0, 0, *self.pixels)
        gloo.clear(color=(*palette.BACKGROUND, 1.0))
        gloo.set_state(depth_test=False, cull_face=False, blend=True,
                       blend_func=("src_alpha", "one_minus_src_alpha", "one", "one"))  # fmt: skip
        if self._picture is not None:
            self._program["u_picture"].set_data(self._picture)
            self._picture = None
        n = len(self._vertices)
        if n:
            if n > self._corners:
                self._corners = max(n, 2 * self._corners)
                quads = 4 * np.arange(self._corners, dtype=np.uint32)[:, None]
                self._faces.set_data((quads + np.array([0, 1, 2, 0, 2, 3], dtype=np.uint32)).ravel())
                self._buffer.set_data(np.zeros(4 * self._corners, VERTEX))
            padded = self._vertices.reshape(-1)
            self._buffer.set_subdata(padded)
            self._program["u_size"] = self.pixels
            self._program.draw("triangles", self._faces) if n == self._corners else self._draw_part(n)
        self._gloo.flush()
        self.n_drawn += 1

    def _draw_part(self, n: int) -> None:
        # Shapes beyond the n of this frame are drawn with no area.
        rest = np.zeros(4 * (self._corners - n), VERTEX)
        self._buffer.set_subdata(rest, offset=4 * n)
        self._program.draw("triangles", self._faces)

    def resizeGL(self, _width: int, _height: int) -> None:
        """Tell the view that it must be drawn for another size."""
        self._resized()
