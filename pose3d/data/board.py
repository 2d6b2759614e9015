"""A calibration board."""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["Board", "BoardKind"]

BoardKind = Literal["charuco", "checkerboard", "aruco_grid", "apriltag_grid"]

_GRIDS = {"aruco_grid": "ArUco grid", "apriltag_grid": "AprilTag grid"}
_KALIBR_TAGS = "APRILTAG_36H11"


@dataclass(frozen=True)
class Board:
    """A flat board with corners at known places.

    The board's frame is that of its reader: x to the right, y down, z into the sheet; its origin is the first corner.

    Attributes
    ----------
    kind : {"charuco", "checkerboard", "aruco_grid", "apriltag_grid"}
        The AprilTag grid is Kalibr's: tag 0 at the bottom left, borders two bits wide, a small black square at each
        corner of a tag.
    squares : (int, int)
        Squares in x and y. A checkerboard of 9 x 6 inner corners has 10 x 7 squares. Of a grid: its markers.
    square_mm : float
        Edge of a square. Of a grid: from one marker's edge to the same edge of the next, ``marker_mm`` and the gap.
    marker_mm : float, optional
        Edge of a marker.
    dictionary : str, optional
        ArUco dictionary without its prefix, such as ``4X4_1000``; that of an AprilTag grid is ``APRILTAG_36H11``.
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
        put = object.__setattr__
        put(self, "squares", (int(self.squares[0]), int(self.squares[1])))
        if self.kind not in get_args(BoardKind):
            raise ValueError(f"board kind {self.kind!r} is unknown; known are {', '.join(get_args(BoardKind))}")
        least, what = (
            (2, "a grid needs at least 2 x 2 markers") if self.is_grid else (3, "a board needs at least 3 x 3 squares")
        )
        if min(self.squares) < least:
            raise ValueError(f"{what}, not {self.squares[0]} x {self.squares[1]}")
        if not 0 < self.square_mm < math.inf:
            raise ValueError(f"square_mm must be a positive number, not {self.square_mm}")
        if self.legacy and self.kind != "charuco":
            raise ValueError(f"only a ChArUco board has a legacy pattern, not a {self._noun}")
        if self.kind == "apriltag_grid" and self.dictionary is None:
            put(self, "dictionary", _KALIBR_TAGS)
        if self.kind == "checkerboard":
            if self.marker_mm is not None or self.dictionary is not None:
                raise ValueError("a checkerboard has no marker_mm and no dictionary")
            return
        if self.marker_mm is None or self.dictionary is None:
            raise ValueError(f"a {self._noun} needs marker_mm and dictionary")
        if not 0 < self.marker_mm < self.square_mm:
            raise ValueError(f"marker_mm ({self.marker_mm}) must lie between 0 and square_mm ({self.square_mm})")
        put(self, "dictionary", self.dictionary.upper().removeprefix("DICT_"))

    @classmethod
    def checkerboard(cls, corners: tuple[int, int], *, square_mm: float) -> "Board":
        """Make a checkerboard from its number of inner corners in x and y."""
        return cls("checkerboard", (corners[0] + 1, corners[1] + 1), square_mm)

    @classmethod
    def from_settings(
        cls,
        kind: str,
        *,
        squares: tuple[int, int] | None = None,
        corners: tuple[int, int] | None = None,
        square_mm: float | None = None,
        marker_mm: float | None = None,
        separation_mm: float | None = None,
        dictionary: str | None = None,
        legacy: bool = False,
        inverted: bool = False,
    ) -> "Board":
        """Make a board from what people know of it: squares or inner corners; a grid's pitch or the gap of its markers.

        Parameters
        ----------
        kind : str
        squares, corners : (int, int), optional
            One of them; a grid has `squares` only, its markers.
        square_mm, separation_mm : float, optional
            One of them; only a grid has `separation_mm`, the gap between neighbouring markers.
        marker_mm, dictionary, legacy, inverted
            As the attributes.

        Raises
        ------
        ValueError
            If there can be no such board; one line says what is wrong.
        """
        lower = kind.lower()
        matching = [known for known in get_args(BoardKind) if known == lower]
        if not matching:
            raise ValueError(f"board kind {kind!r} is unknown; known are {', '.join(get_args(BoardKind))}")
        is_grid = lower in _GRIDS
        if (squares is None) == (corners is None):
            raise ValueError("needs either squares or corners (inner corners, one less each way)")
        if squares is None:
            assert corners is not None
            if is_grid:
                raise ValueError(f"an {_GRIDS[lower]} needs squares, its markers in x and y, instead of corners")
            squares = (corners[0] + 1, corners[1] + 1)
        if separation_mm is not None:
            if not is_grid:
                raise ValueError("only a grid of markers has separation_mm")
            if square_mm is not None or marker_mm is None:
                raise ValueError("separation_mm goes with marker_mm and without square_mm, which is their sum")
            if not 0 < separation_mm < math.inf:
                raise ValueError(f"separation_mm must be a positive number, not {separation_mm}")
            square_mm = marker_mm + separation_mm
        if square_mm is None:
            raise ValueError("needs square_mm" + (" or separation_mm" if is_grid else ""))
        return cls(matching[0], squares, square_mm, marker_mm, dictionary, legacy, inverted)

    @property
    def settings(self) -> dict[str, str | float | bool | list[int]]:
        """What makes the board again, as the keys of a project's ``[board]``; defaults are left out."""
        found: dict[str, str | float | bool | list[int]] = {
            "kind": self.kind,
            "squares": list(self.squares),
            "square_mm": float(self.square_mm),
        }
        if self.marker_mm is not None and self.dictionary is not None:
            found |= {"marker_mm": float(self.marker_mm), "dictionary": self.dictionary}
        return found | {name: True for name in ("legacy", "inverted") if getattr(self, name)}

    @property
    def is_grid(self) -> bool:
        """Whether the corners are those of separate markers."""
        return self.kind in _GRIDS

    @property
    def _noun(self) -> str:
        return {"charuco": "ChArUco board", "checkerboard": "checkerboard", **_GRIDS}[self.kind]

    @property
    def separation_mm(self) -> float:
        """Gap between a grid's neighbouring markers."""
        return self.square_mm - (self.marker_mm or 0.0)

    @property
    def corners(self) -> tuple[int, int]:
        """Corners in x and y: inner ones of squares, all of a grid's markers."""
        if self.is_grid:
            return 2 * self.squares[0], 2 * self.squares[1]
        return self.squares[0] - 1, self.squares[1] - 1

    @property
    def n_corners(self) -> int:
        """Number of corners."""
        return self.corners[0] * self.corners[1]

    @property
    def _lattice(self) -> IntArray:
        """(ny, nx) array: index of the corner in each row and column of corners."""
        if not self.is_grid:
            nx, ny = self.corners
            return np.arange(nx * ny).reshape(ny, nx)
        nx, ny = self.squares
        of_marker = np.array([[0, 1], [3, 2]])  # clockwise from the top left
        first = 4 * np.arange(nx * ny).reshape(ny, 1, nx, 1)
        return np.asarray(first + of_marker[None, :, None, :]).reshape(2 * ny, 2 * nx)

    @property
    def points(self) -> FloatArray:
        """(n_corners, 3) array, mm: corners in the board's frame, z = 0, the first at (0, 0, 0).

        Inner corners of squares: x fastest. A grid's: marker after marker, x fastest, each clockwise from its top left.
        """
        nx, ny = self.corners
        x, y = np.arange(nx) * float(self.square_mm), np.arange(ny) * float(self.square_mm)
        if self.is_grid:
            assert self.marker_mm is not None
            x, y = (np.arange(n) // 2 * self.square_mm + np.arange(n) % 2 * self.marker_mm for n in (nx, ny))
        points = np.zeros((self.n_corners, 3))
        points[self._lattice, 0] = x
        points[self._lattice, 1] = y[:, None]
        return points

    @property
    def edges(self) -> IntArray:
        """(n, 2) array: pairs of corners that are neighbours in x or in y."""
        index = self._lattice
        along_x = np.stack([index[:, :-1], index[:, 1:]], axis=-1).reshape(-1, 2)
        along_y = np.stack([index[:-1], index[1:]], axis=-1).reshape(-1, 2)
        return np.concatenate([along_x, along_y]).astype(np.int64)

    @property
    def edge_lengths(self) -> FloatArray:
        """(n,) array, mm: true length of each of the `edges`."""
        points, edges = self.points, self.edges
        return np.asarray(np.linalg.norm(points[edges[:, 1]] - points[edges[:, 0]], axis=-1))

    @property
    def extent(self) -> FloatArray:
        """(2, 2) array, mm: least and greatest (x, y) of what is printed, white borders apart."""
        low = {"aruco_grid": 0.0, "apriltag_grid": -self.separation_mm}.get(self.kind, -self.square_mm)
        size = np.array(self.squares) * self.square_mm
        if self.is_grid:
            size = size + (self.separation_mm if self.kind == "apriltag_grid" else -self.separation_mm)
        return np.stack([np.full(2, low), low + size])

    def transposed(self) -> "Board":
        """Return the board with x and y exchanged."""
        return replace(self, squares=(self.squares[1], self.squares[0]))

    def describe(self) -> str:
        """Return one line in a person's words."""
        variants = ", ".join(word for word, on in (("legacy", self.legacy), ("inverted", self.inverted)) if on)
        ending = f" ({variants})" if variants else ""
        size = f"{self.squares[0]}x{self.squares[1]}"
        if self.kind == "checkerboard":
            return f"checkerboard {self.corners[0]}x{self.corners[1]} corners, {self.square_mm:g} mm{ending}"
        if self.is_grid:
            gap = f"{self.separation_mm:.6g} mm apart"
            return f"{_GRIDS[self.kind]} {size} markers of {self.marker_mm:g} mm, {gap}, of {self.dictionary}{ending}"
        return (
            f"ChArUco {size} squares of {self.square_mm:g} mm, "
            f"markers {self.marker_mm:g} mm of {self.dictionary}{ending}"
        )
