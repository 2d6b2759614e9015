"""Boards as a camera sees them: the printed pattern, painted exactly through the lens."""

import cv2
import numpy as np

from pose3d.calibration import draw_board
from pose3d.data.board import Board
from pose3d.data.camera import Camera
from pose3d.demo.rays import pixel_rays
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.transforms import apply, rigid

__all__ = [
    "BoardPainter",
    "board_outline",
    "faces_camera",
    "inside_image",
    "light_on",
    "pose_from_axes",
]

_TEXELS = 64  # per square at the finest level


def _margin_squares(board: Board) -> float:
    """Width of the unprinted border: a checkerboard needs a whole square, or it is not found."""
    return 1.0 if board.kind == "checkerboard" else 0.5


def board_outline(board: Board) -> FloatArray:
    """Return the four corners of the sheet, border included, (4, 3) in mm in the board's frame."""
    margin = _margin_squares(board) * board.square_mm
    (left, top), (right, bottom) = board.extent + np.array([[-margin], [margin]])
    return np.array([[left, top, 0.0], [right, top, 0.0], [right, bottom, 0.0], [left, bottom, 0.0]])


def faces_camera(camera: Camera, world_from_board: FloatArray) -> FloatArray:
    """Return the cosine of the angle between the printed side's normal and the way to the camera.

    Parameters
    ----------
    camera : Camera
    world_from_board : (..., 4, 4) array, mm
        The board's z points away from its reader, into the sheet.

    Returns
    -------
    (...) array
        Negative where the camera sees the back.
    """
    to_camera = camera.center - world_from_board[..., :3, 3]
    to_camera = to_camera / np.linalg.norm(to_camera, axis=-1, keepdims=True)
    return np.asarray(-np.einsum("...i,...i->...", world_from_board[..., :3, 2], to_camera))


def inside_image(camera: Camera, points: FloatArray, *, margin_px: float = 0.0) -> BoolArray:
    """Tell which world points fall into the camera's image, and not through a fold of its lens.

    Parameters
    ----------
    camera : Camera
    points : (..., 3) array, mm
    margin_px : float
        How far from the image's edge they must lie.

    Returns
    -------
    (...) bool array
    """
    pixels = camera.project(points)
    w, h = camera.size
    edge = np.array([[0.0, 0.0], [w - 1.0, 0.0], [w - 1.0, h - 1.0], [0.0, h - 1.0]])
    reach = np.nanmax(np.linalg.norm(camera.undistort(edge), axis=-1), initial=0.5) * 1.1
    in_camera = apply(camera.cam_from_world, points)
    with np.errstate(divide="ignore", invalid="ignore"):
        radius = np.linalg.norm(in_camera[..., :2], axis=-1) / in_camera[..., 2]
        good = (pixels >= margin_px).all(-1) & (pixels <= np.array([w, h]) - 1 - margin_px).all(-1)
    return np.asarray(good & (in_camera[..., 2] > 0) & (radius < reach))


class BoardPainter:
    """Paints one board into the images of one camera.

    Every subpixel's ray is undistorted, cut with the board's plane and looked up in the pattern, so that the picture
    has the lens's distortion and the corners lie where :meth:`Camera.project` says, without bias.

    Parameters
    ----------
    camera : Camera
    board : Board
    samples : int
        Rays a pixel in x and in y.
    blur_px : float
        Standard deviation of the optics' blur.
    """

    def __init__(self, camera: Camera, board: Board, *, samples: int = 3, blur_px: float = 0.5) -> None:
        self.camera, self.board, self.samples, self.blur_px = camera, board, samples, blur_px
        self._pad = 4  # rays beyond the image's edge, so that interpolation between pixels has neighbours
        self._rays = pixel_rays(camera, border=self._pad)
        sheet = draw_board(board, pixels_per_square=_TEXELS, margin_squares=_margin_squares(board))
        self._levels = [(_TEXELS, sheet)]
        while self._levels[-1][0] > 8:
            texels, image = self._levels[-1]
            half = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
            self._levels.append((texels // 2, half))

    def _box(self, world_from_board: FloatArray) -> tuple[int, int, int, int] | None:
        """Return x0, y0, x1, y1 of the pixels that the sheet may touch, or None."""
        outline = board_outline(self.board)
        step = np.linspace(0, 1, 9)[:, None]
        line = np.concatenate([a + (b - a) * step for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True)])
        points = apply(world_from_board, line)
        in_camera = apply(self.camera.cam_from_world, points)
        if (in_camera[:, 2] < 50).any():  # mm: a board that touches the lens is not painted
            return None
        w, h = self.camera.size
        pixels = self.camera.project(points)
        seen = inside_image(self.camera, points, margin_px=-0.5 * max(w, h))
        if not seen.any():
            return None
        low = np.floor(pixels[seen].min(0)).astype(int) - 3
        high = np.ceil(pixels[seen].max(0)).astype(int) + 4
        x0, y0 = np.maximum(low, 0)
        x1, y1 = np.minimum(high, [w, h])
        return (int(x0), int(y0), int(x1), int(y1)) if x1 - x0 > 1 and y1 - y0 > 1 else None

    def paint(self, image: np.ndarray, world_from_board: FloatArray, *, light: float = 1.0) -> None:
        """Paint the board over an image, in place.

        Parameters
        ----------
        image : (h, w, 3) or (h, w) uint8 array
        world_from_board : (4, 4) array, mm
        light : float
            Brightness of the white print, 0..1.
        """
        box = self._box(world_from_board)
        if box is None:
            return
        x0, y0, x1, y1 = box
        n, pad = self.samples, self._pad
        rays = self._rays[y0 : y1 + 2 * pad, x0 : x1 + 2 * pad]
        fine = cv2.resize(rays, None, fx=n, fy=n, interpolation=cv2.INTER_LINEAR)
        cut = slice(pad * n, -pad * n)
        fine = fine[cut, cut]
        pose = self.camera.cam_from_world @ world_from_board
        to_board = np.linalg.inv(pose[:3, [0, 1, 3]])
        back = faces_camera(self.camera, world_from_board) < 0
        texels, sheet = self._level(pose)
        scale = texels / self.board.square_mm
        shift = texels * _margin_squares(self.board) - scale * self.board.extent[0, 0] - 0.5
        to_texel = np.array([[scale, 0, shift], [0, scale, shift], [0, 0, 1]]) @ to_board
        uvw = cv2.transform(fine, to_texel.astype(np.float32))
        u, v = uvw[..., 0] / uvw[..., 2], uvw[..., 1] / uvw[..., 2]
        print_ = np.full_like(sheet, 150) if back else sheet
        paper = cv2.remap(print_, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        rows, columns = sheet.shape
        outside = np.maximum(np.abs(u - (columns - 1) / 2) - columns / 2, np.abs(v - (rows - 1) / 2) - rows / 2)
        cover = (outside < 0).astype(np.float32)
        size = (x1 - x0, y1 - y0)
        black, white = 18.0, 232.0 * light  # print is neither black nor white
        value = cv2.resize((black + (white - black) / 255 * paper) * cover, size, interpolation=cv2.INTER_AREA)
        cover = cv2.resize(cover, size, interpolation=cv2.INTER_AREA)
        if self.blur_px > 0:
            value, cover = (cv2.GaussianBlur(part, (0, 0), self.blur_px) for part in (value, cover))
        patch = image[y0:y1, x0:x1]
        if image.ndim == 3:
            value, cover = value[..., None], cover[..., None]
        patch[...] = np.clip(patch * (1 - cover) + value + 0.5, 0, 255).astype(np.uint8)

    def _level(self, pose: FloatArray) -> tuple[int, np.ndarray]:
        """Choose the pattern whose texels are about as wide as the space between two rays."""
        outline = board_outline(self.board)
        in_camera = apply(pose, outline)
        pixels = self.camera.focal * in_camera[:, :2] / in_camera[:, 2:]
        sides = np.linalg.norm(np.roll(pixels, -1, axis=0) - pixels, axis=-1)
        lengths = np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=-1)
        per_square = (sides / lengths).min() * self.board.square_mm * self.samples
        fitting = [level for level in self._levels if level[0] <= 1.5 * per_square]
        return fitting[0] if fitting else self._levels[-1]


def light_on(world_from_board: FloatArray) -> FloatArray:
    """Return the brightness of sheets (..., 4, 4) under a lamp that hangs over the room's left front corner."""
    lamp = np.array([0.35, 0.25, 0.9])
    facing = -np.einsum("...i,i->...", world_from_board[..., :3, 2], lamp / np.linalg.norm(lamp))
    return np.asarray(0.82 + 0.18 * np.clip(facing, -0.6, 1.0))


def pose_from_axes(normal: FloatArray, down: FloatArray, center: FloatArray, board: Board) -> FloatArray:
    """Return ``world_from_board`` of sheets whose print looks along `normal`.

    Parameters
    ----------
    normal : (..., 3) array
        Any length.
    down : (3,) array
        Which way the board's y axis hangs, as far as the normal lets it.
    center : (..., 3) array, mm
        Middle of the corners.
    board : Board

    Returns
    -------
    (..., 4, 4) array, mm
    """
    z = -normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    y = down - (z @ down)[..., None] * z
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    axes = np.stack([np.cross(y, z), y, z], axis=-1)
    return rigid(axes, center - axes @ board.points.mean(0))
