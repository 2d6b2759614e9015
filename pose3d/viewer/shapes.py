"""The few kinds of shapes that scenes are made of."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pose3d.geometry.arrays import FloatArray
from pose3d.viewer.palette import Colour

__all__ = ["Ellipsoids", "Labels", "Lines", "Markers", "colours", "icosphere"]


def colours(colour: Colour, alpha: ArrayLike, n: int) -> NDArray[np.float32]:
    """Return (n, 4) of one colour with one alpha or with n of them."""
    out = np.empty((n, 4), dtype=np.float32)
    out[:, :3] = colour
    out[:, 3] = alpha
    return out


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight pieces.

    Attributes
    ----------
    name : str
        What they are, the same in every frame.
    xyz : (n, 2, 3) array, mm
    rgba : (n, 4) float32 array
    width_px : float
        In a picture 720 px high.
    radius_mm : (n, 2) array, mm, optional
        At both ends, of pieces that look nearer when they are.
    """

    name: str
    xyz: FloatArray
    rgba: NDArray[np.float32]
    width_px: float = 1.0
    radius_mm: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.xyz)


@dataclass(frozen=True, eq=False)
class Markers:
    """Round dots that face the eye.

    Attributes
    ----------
    name : str
    xyz : (n, 3) array, mm
    rgba : (n, 4) float32 array
    radius_px : float
        In a picture 720 px high.
    radius_mm : (n,) array, mm, optional
    kind : str
        ``disc`` or ``ring``.
    """

    name: str
    xyz: FloatArray
    rgba: NDArray[np.float32]
    radius_px: float = 4.0
    radius_mm: FloatArray | None = None
    kind: Literal["disc", "ring"] = "disc"

    def __len__(self) -> int:
        return len(self.xyz)


@dataclass(frozen=True, eq=False)
class Ellipsoids:
    """Ellipsoids.

    Attributes
    ----------
    xyz : (n, 3) array, mm
        Centres.
    axes : (n, 3, 3) array, mm
        Columns are the half axes.
    rgba : (n, 4) float32 array
    """

    xyz: FloatArray
    axes: FloatArray
    rgba: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.xyz)

    def triangles(self, rounds: int = 1) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.float32]]:
        """Return their surfaces: vertices (n * v, 3), faces (n * f, 3) and the vertices' colours (n * v, 4)."""
        ball, faces = icosphere(rounds)
        vertices = np.einsum("nij,vj->nvi", self.axes, ball) + self.xyz[:, None]
        steps = np.arange(len(self.xyz))[:, None, None] * len(ball)
        return vertices.reshape(-1, 3), (faces + steps).reshape(-1, 3), np.repeat(self.rgba, len(ball), axis=0)


@dataclass(frozen=True, eq=False)
class Labels:
    """Words at places.

    Attributes
    ----------
    xyz : (n, 3) array, mm
    text : tuple of str
    rgba : (n, 4) float32 array
    size_px : float
        Of letters in a picture 720 px high.
    beside : bool
        Whether they stand beside their place, away from the middle of the body, rather than on it.
    """

    xyz: FloatArray
    text: tuple[str, ...]
    rgba: NDArray[np.float32]
    size_px: float = 15.0
    beside: bool = False

    def __len__(self) -> int:
        return len(self.text)


@cache
def icosphere(rounds: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return a ball of triangles, vertices (v, 3) of unit length and faces (f, 3): 20, times 4 in each round."""
    golden = (1 + 5**0.5) / 2
    flat = np.array([[0, s, t * golden] for s in (-1, 1) for t in (-1, 1)], dtype=np.float64)
    vertices = np.concatenate([np.roll(flat, axis, axis=1) for axis in range(3)])
    apart = np.linalg.norm(vertices[:, None] - vertices[None], axis=-1)
    near = np.abs(apart - 2) < 1e-9
    faces = [
        (a, b, c) for a in range(12) for b in range(a) for c in range(b) if near[a, b] and near[b, c] and near[a, c]
    ]
    triangles = np.array(faces, dtype=np.int64)
    outward = np.einsum(
        "fi,fi->f",
        np.cross(
            vertices[triangles[:, 1]] - vertices[triangles[:, 0]], vertices[triangles[:, 2]] - vertices[triangles[:, 0]]
        ),
        vertices[triangles].mean(1),
    )
    triangles[outward < 0] = triangles[outward < 0][:, ::-1]
    for _ in range(rounds):
        corners = vertices[triangles]
        middles = (corners + np.roll(corners, -1, axis=1)) / 2  # of the sides 01, 12, 20
        whole = np.concatenate([corners, middles], axis=1)
        parts = whole[:, [[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]]].reshape(-1, 3)
        vertices, where = np.unique(np.round(parts, 9), axis=0, return_inverse=True)
        triangles = where.reshape(-1, 3)
    return vertices / np.linalg.norm(vertices, axis=1, keepdims=True), triangles
