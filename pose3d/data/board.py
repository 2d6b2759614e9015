"""A calibration board."""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["Board", "BoardKind"]

BoardKind = Literal["charuco", "checkerboard"]


@dataclass(frozen=True)
class Board:
    """A flat board with a grid of corners at known places.

    Attributes
    ----------
    kind : {"charuco", "checkerboard"}
    squares : (int, int)
        Squares in x and y. A checkerboard of 9 x 6 inner corners has 10 x 7 squares.
    square_mm : float
        Edge of a square.
    marker_mm : float, optional
        Edge of a ChArUco marker.
    dictionary : str, optional
        ArUco dictionary without its prefix, such as ``4X4_1000``.
    legacy : bool
        ChArUco pattern as OpenCV drew it before 4.6.
    inverted : bool
        White on black.
    """

    kind: BoardKind
    squares: tuple[int, int]
    square_mm: float
    marker_mm: float | None = None
    dictionary: str | None = None
    legacy: bool = False
    inverted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "squares", (int(self.squares[0]), int(self.squares[1])))
        if self.kind not in get_args(BoardKind):
            raise ValueError(f"board kind {self.kind!r} is unknown; known are {', '.join(get_args(BoardKind))}")
        if min(self.squares) < 3:
            raise ValueError(f"a board needs at least 3 x 3 squares, not {self.squares[0]} x {self.squares[1]}")
        if not 0 < self.square_mm < math.inf:
            raise ValueError(f"square_mm must be a positive number, not {self.square_mm}")
        if self.kind == "charuco":
            if self.marker_mm is None or self.dictionary is None:
                raise ValueError("a ChArUco board needs marker_mm and dictionary")
            if not 0 < self.marker_mm < self.square_mm:
                raise ValueError(f"marker_mm ({self.marker_mm}) must lie between 0 and square_mm ({self.square_mm})")
            object.__setattr__(self, "dictionary", self.dictionary.upper().removeprefix("DICT_"))

    @classmethod
    def checkerboard(cls, corners: tuple[int, int], *, square_mm: float) -> "Board":
        """Make a checkerboard from its number of inner corners in x and y."""
        return cls("checkerboard", (corners[0] + 1, corners[1] + 1), square_mm)

    @property
    def corners(self) -> tuple[int, int]:
        """Inner corners in x and y."""
        return self.squares[0] - 1, self.squares[1] - 1

    @property
    def n_corners(self) -> int:
        """Number of inner corners."""
        return self.corners[0] * self.corners[1]

    @property
    def points(self) -> FloatArray:
        """(n_corners, 3) array, mm: corners in the board's frame, x fastest, z = 0, the first at (0, 0, 0)."""
        nx, ny = self.corners
        grid = np.zeros((ny, nx, 3))
        grid[..., 0] = np.arange(nx)
        grid[..., 1] = np.arange(ny)[:, None]
        return grid.reshape(-1, 3) * self.square_mm

    @property
    def edges(self) -> IntArray:
        """(n, 2) array: pairs of corners that are one square apart."""
        nx, ny = self.corners
        index = np.arange(nx * ny).reshape(ny, nx)
        along_x = np.stack([index[:, :-1], index[:, 1:]], axis=-1).reshape(-1, 2)
        along_y = np.stack([index[:-1], index[1:]], axis=-1).reshape(-1, 2)
        return np.concatenate([along_x, along_y]).astype(np.int64)

    def transposed(self) -> "Board":
        """Return the board with x and y exchanged."""
        return replace(self, squares=(self.squares[1], self.squares[0]))

    def describe(self) -> str:
        """Return one line in a person's words."""
        if self.kind == "checkerboard":
            return f"checkerboard {self.corners[0]}x{self.corners[1]} corners, {self.square_mm:g} mm"
        variants = ", ".join(word for word, on in (("legacy", self.legacy), ("inverted", self.inverted)) if on)
        return (
            f"ChArUco {self.squares[0]}x{self.squares[1]} squares of {self.square_mm:g} mm, "
            f"markers {self.marker_mm:g} mm of {self.dictionary}" + (f" ({variants})" if variants else "")
        )
