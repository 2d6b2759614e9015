"""What of the images and of the cameras' common space the board has reached."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

from ..solver.bundle import Bundle

__all__ = ["CameraCoverage", "Coverage", "Hinge", "PairCoverage", "WeakLink", "cell_of", "measure_coverage"]

_CELLS = 48  # 8 x 6 in a 4:3 image


@dataclass(frozen=True, eq=False)
class CameraCoverage:
    """What one camera saw of the board.

    Attributes
    ----------
    name : str
    views : int
    cells : (n_y, n_x) int array
        Corners in each cell of the image; the cells are about square.
    covered : float
        Part of the cells with corners.
    reach : float
        Distance of the outermost corner from the image's centre, in half diagonals.
    tilt_deg : float
        Ninth decile of the angle between board and image plane.
    tilt_spread_deg : float
        Root mean square angle of the board's normals about their mean direction.
    distance_ratio : float
        Largest over smallest distance of the board (95th and 5th percentile).
    shared : int
        Instants at which another camera saw the board as well.
    """

    name: str
    views: int
    cells: IntArray
    covered: float
    reach: float
    tilt_deg: float
    tilt_spread_deg: float
    distance_ratio: float
    shared: int


@dataclass(frozen=True)
class PairCoverage:
    """Two cameras: the instants at which both saw the board, and the corners that both saw then."""

    cameras: tuple[str, str]
    instants: int
    corners: int


@dataclass(frozen=True)
class Hinge:
    """A camera without which the others fall apart into groups."""

    camera: str
    groups: tuple[tuple[str, ...], ...]

    def line(self) -> str:
        """Return one sentence without its full stop."""
        groups = " and ".join(", ".join(group) for group in self.groups)
        return f"{groups} are linked only through {self.camera}"


@dataclass(frozen=True)
class WeakLink:
    """The pair on which most hangs: the weakest of the links that hold the cameras together.

    Attributes
    ----------
    pair : PairCoverage
    groups : (tuple of str, tuple of str)
        The cameras on its two sides, once it and all weaker links are cut.
    instants : int
        Instants at which cameras of both sides saw the board.
    """

    pair: PairCoverage
    groups: tuple[tuple[str, ...], tuple[str, ...]]
    instants: int

    def line(self) -> str:
        """Return one sentence without its full stop."""
        a, b = self.pair.cameras
        joins = f", which joins {', '.join(self.groups[0])} with {', '.join(self.groups[1])}"
        many = max(map(len, self.groups)) > 1
        return f"the weakest link is {a} - {b} with {self.pair.instants} shared instants{joins if many else ''}"


@dataclass(frozen=True)
class Coverage:
    """What the board has reached.

    Attributes
    ----------
    cameras : tuple of CameraCoverage
    pairs : tuple of PairCoverage
        All pairs with shared instants.
    groups : tuple of tuple of str
        Cameras that shared instants link; one group if all are linked.
    hinges : tuple of Hinge
    weakest : WeakLink or None
        None for a single camera, and where nothing is linked.
    """

    cameras: tuple[CameraCoverage, ...]
    pairs: tuple[PairCoverage, ...]
    groups: tuple[tuple[str, ...], ...]
    hinges: tuple[Hinge, ...]
    weakest: WeakLink | None

    def lines(self) -> list[str]:
        """Return lines for people: a table of the cameras and what links them."""
        width = max(len("camera"), *(len(camera.name) for camera in self.cameras))
        heads = ("views", "shared", "image covered", "reach", "tilt", "spread", "distances")
        out = ["  ".join([f"{'camera':<{width}}", *heads])]
        for c in self.cameras:
            tilts = (f"{c.tilt_deg:.0f}°", f"{c.tilt_spread_deg:.0f}°")
            cells: tuple[str, ...] = (str(c.views), str(c.shared), f"{100 * c.covered:.0f} %", f"{c.reach:.2f}", *tilts)
            cells += (f"1:{c.distance_ratio:.1f}",)
            padded = (f"{cell:>{len(head)}}" for cell, head in zip(cells, heads, strict=True))
            out.append("  ".join([f"{c.name:<{width}}", *padded]))
        if len(self.groups) > 1:
            out.append("no shared view links " + " with ".join(", ".join(group) for group in self.groups))
        out += [hinge.line() for hinge in self.hinges]
        if self.weakest is not None:
            out.append(self.weakest.line())
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for a json file."""
        cameras = {
            c.name: {
                "views": c.views,
                "shared_instants": c.shared,
                "covered": c.covered,
                "reach": c.reach,
                "tilt_deg": c.tilt_deg,
                "tilt_spread_deg": c.tilt_spread_deg,
                "distance_ratio": c.distance_ratio,
            }
            for c in self.cameras
        }
        pairs = [{"cameras": list(p.cameras), "instants": p.instants, "corners": p.corners} for p in self.pairs]
        weakest: dict[str, Any] | None = None
        if self.weakest is not None:
            weakest = {
                "cameras": list(self.weakest.pair.cameras),
                "instants": self.weakest.instants,
                "groups": [list(group) for group in self.weakest.groups],
            }
        return {
            "cameras": cameras,
            "pairs": pairs,
            "groups": [list(group) for group in self.groups],
            "hinges": {hinge.camera: [list(group) for group in hinge.groups] for hinge in self.hinges},
            "weakest_link": weakest,
        }


def cell_of(xy: FloatArray, size: tuple[int, int]) -> tuple[IntArray, tuple[int, int]]:
    """Tell in which of about 48 about square cells of an image points lie.

    Parameters
    ----------
    xy : (..., 2) array, px
    size : (int, int), px

    Returns
    -------
    cell : (...) int array
        Row by row from the top left; -1 for NaN and outside the image.
    shape : (int, int)
        Cells in y and x.
    """
    n_x = max(1, round(float(np.sqrt(_CELLS * size[0] / size[1]))))
    n_y = max(1, round(_CELLS / n_x))
    place = np.floor((xy + 0.5) / np.array(size) * (n_x, n_y))
    with np.errstate(invalid="ignore"):
        inside = ((place >= 0) & (place < (n_x, n_y))).all(-1)
    column, row = np.moveaxis(np.where(inside[..., None], place, 0.0).astype(np.int64), -1, 0)
    return np.where(inside, row * n_x + column, -1), (n_y, n_x)


def measure_coverage(bundle: Bundle, *, names: tuple[str, ...], sizes: tuple[tuple[int, int], ...]) -> Coverage:
    """Measure what of the images and of the common space the board has reached.

    Parameters
    ----------
    bundle : Bundle
        With the views that took part.
    names : tuple of str
        Of the bundle's cameras.
    sizes : tuple of (int, int), px

    Returns
    -------
    Coverage
    """
    n_frames, n_cameras = len(bundle.world_from_board), len(names)
    corners = np.zeros((n_frames, n_cameras, len(bundle.points)), dtype=bool)
    corners[bundle.frame, bundle.camera] = np.isfinite(bundle.xy).all(-1)
    seen: BoolArray = np.asarray(corners.any(-1))
    instants: IntArray = seen.T.astype(np.int64) @ seen.astype(np.int64)
    flat = np.swapaxes(corners, 0, 1).reshape(n_cameras, -1).astype(np.float64)  # BLAS takes no integers
    common = (flat @ flat.T).round().astype(np.int64)
    pairs = tuple(
        PairCoverage((names[a], names[b]), int(instants[a, b]), int(common[a, b]))
        for a, b in combinations(range(n_cameras), 2)
        if instants[a, b]
    )
    shared = (seen & (seen.sum(1, keepdims=True) > 1)).sum(0)
    linked = (instants > 0) & ~np.eye(n_cameras, dtype=bool)
    groups = _groups(linked, list(range(n_cameras)))
    return Coverage(
        cameras=tuple(_measure_camera(bundle, i, names[i], sizes[i], int(shared[i])) for i in range(n_cameras)),
        pairs=pairs,
        groups=tuple(tuple(names[i] for i in group) for group in groups),
        hinges=_find_hinges(linked, names),
        weakest=_find_weakest(instants, common, seen, names),
    )


def _measure_camera(bundle: Bundle, camera: int, name: str, size: tuple[int, int], shared: int) -> CameraCoverage:
    mine = bundle.camera == camera
    xy = bundle.xy[mine]
    cell, shape = cell_of(xy, size)
    cells = np.bincount(cell[cell >= 0], minlength=shape[0] * shape[1]).reshape(shape)
    nan = float("nan")
    if not mine.any():
        return CameraCoverage(name, 0, cells, 0.0, 0.0, nan, nan, nan, 0)
    from_center = np.linalg.norm(xy - (np.array(size) - 1) / 2, axis=-1)
    poses = bundle.cam_from_world[camera] @ bundle.world_from_board[bundle.frame[mine]]
    normals = poses[:, :3, 2]
    tilt = np.rad2deg(np.arccos(np.clip(np.abs(normals[:, 2]), 0, 1)))
    mean = normals.mean(0)
    length = float(np.linalg.norm(mean))
    off = np.arccos(np.clip(normals @ mean / max(length, 1e-12), -1, 1))
    middle = poses[:, :3, :3] @ bundle.points.mean(0) + poses[:, :3, 3]
    near, far = np.percentile(np.linalg.norm(middle, axis=-1), [5, 95])
    return CameraCoverage(
        name=name,
        views=int(mine.sum()),
        cells=cells,
        covered=float((cells > 0).mean()),
        reach=float(np.nanmax(from_center) / (np.hypot(*size) / 2)),
        tilt_deg=float(np.percentile(tilt, 90)),
        tilt_spread_deg=float(np.rad2deg(np.sqrt((off * off).mean()))),
        distance_ratio=float(far / near),
        shared=shared,
    )


def _groups(linked: BoolArray, cameras: list[int]) -> list[list[int]]:
    """Return the linked groups of some cameras, each sorted, in the order of their first cameras."""
    groups: list[list[int]] = []
    left = list(cameras)
    while left:
        group = [left.pop(0)]
        for camera in group:  # grows while it is walked
            new = [other for other in left if linked[camera, other]]
            left = [other for other in left if other not in new]
            group += new
        groups.append(sorted(group))
    return groups


def _find_hinges(linked: BoolArray, names: tuple[str, ...]) -> tuple[Hinge, ...]:
    hinges = []
    for camera in range(len(names)):
        others = [i for i in range(len(names)) if i != camera]
        mine = [group for group in _groups(linked, others) if linked[camera, group].any()]
        if len(mine) > 1:
            hinges.append(Hinge(names[camera], tuple(tuple(names[i] for i in group) for group in mine)))
    return tuple(hinges)


def _find_weakest(instants: IntArray, common: IntArray, seen: BoolArray, names: tuple[str, ...]) -> WeakLink | None:
    """Cut links from the weakest up until a group falls apart: the last one cut held it together."""
    n_cameras = len(names)
    pairs = [(a, b) for a, b in combinations(range(n_cameras), 2) if instants[a, b]]
    linked = (instants > 0) & ~np.eye(n_cameras, dtype=bool)
    whole = len(_groups(linked, list(range(n_cameras))))
    for a, b in sorted(pairs, key=lambda pair: (instants[pair], common[pair])):
        linked[a, b] = linked[b, a] = False
        groups = _groups(linked, list(range(n_cameras)))
        if len(groups) > whole:
            sides = [next(group for group in groups if camera in group) for camera in (a, b)]
            both = seen[:, sides[0]].any(1) & seen[:, sides[1]].any(1)
            return WeakLink(
                PairCoverage((names[a], names[b]), int(instants[a, b]), int(common[a, b])),
                (tuple(names[i] for i in sides[0]), tuple(names[i] for i in sides[1])),
                int(both.sum()),
            )
    return None
