"""One camera by itself: focal length and lens from the board's views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose3d.data.camera import Camera
from pose3d.errors import CalibrationError
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

from .bundle import LENS_SIZE, Bundle, lens_matrix, lens_prior, refine
from .poses import MIN_CORNERS, board_poses
from .selection import better_held_out

__all__ = ["Lens", "calibrate_lens", "lens_bundle", "spread_views"]

_FOCAL_GRID = np.geomspace(0.3, 5.0, 16)  # of the image's width: 118 to 11 degrees of view
_VIEWS_FOR_FOCAL = 16
_VIEWS_FOR_LENS = 80


def spread_views(xy: FloatArray, count: int) -> IntArray:
    """Choose views with many corners, spread over the recording.

    Parameters
    ----------
    xy : (n_views, n_corners, 2) array, px
    count : int

    Returns
    -------
    (at most count,) int array
        Indices in time order.
    """
    corners = np.isfinite(xy[..., 0]).sum(-1)
    if not (corners >= MIN_CORNERS).any():
        return np.zeros(0, dtype=np.int64)
    enough = max(MIN_CORNERS, 0.6 * np.percentile(corners[corners >= MIN_CORNERS], 90))
    good = np.flatnonzero(corners >= enough)
    chosen = np.unique(np.linspace(0, len(good) - 1, min(count, len(good))).round().astype(np.int64))
    return np.asarray(good[chosen])


@dataclass(frozen=True, eq=False)
class Lens:
    """A camera's lens.

    Attributes
    ----------
    numbers : (12,) array
        fx fy cx cy and the coefficients, padded with zeros.
    n_lens : int
        Coefficients of the model.
    fisheye : bool
    free : (12,) bool array
        Which numbers the views determine; none if the lens is held.
    sigma : float, px
        Noise of a corner's coordinate with this lens, the camera by itself.
    """

    numbers: FloatArray
    n_lens: int
    fisheye: bool
    free: BoolArray
    sigma: float

    @property
    def matrix(self) -> FloatArray:
        """(3, 3) array."""
        return lens_matrix(self.numbers)

    @property
    def distortion(self) -> FloatArray:
        """(n,) array."""
        return self.numbers[4 : 4 + self.n_lens]


def calibrate_lens(
    xy: FloatArray,
    points: FloatArray,
    size: tuple[int, int],
    *,
    name: str,
    fisheye: bool = False,
    known: Camera | None = None,
) -> Lens:
    """Estimate a camera's focal length and lens from its own views of the board.

    The focal length is searched on a grid first, so that no closed form has to survive outliers and strong lenses;
    then the lens is refined with the boards' poses. The sixth-order coefficient k3 is used only where held-out views
    are predicted better with it.

    Parameters
    ----------
    xy : (n_views, n_corners, 2) array, px
    points : (n_corners, 3) array, mm
    size : (int, int), px
    name : str
        The camera's, for messages.
    fisheye : bool
    known : Camera, optional
        Its lens is held, and only the noise is estimated.

    Returns
    -------
    Lens

    Raises
    ------
    CalibrationError
        If too few views show enough of the board.
    """
    views = spread_views(xy, _VIEWS_FOR_LENS)
    if len(views) < (1 if known else 3):
        raise CalibrationError(
            f"camera {name}: {len(views)} views show at least {MIN_CORNERS} corners of the board, 3 are needed for its "
            "lens; record the board again in front of it, or give its intrinsics with --intrinsics"
        )
    free = np.zeros(LENS_SIZE, dtype=bool)
    if known is not None:
        numbers = np.zeros(LENS_SIZE)
        numbers[:4] = known.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
        numbers[4 : 4 + len(known.distortion)] = known.distortion
        lens = Lens(numbers, len(known.distortion), known.fisheye, free, 0.0)
    else:
        n_lens = 4 if fisheye else 5
        free[:8] = True
        lens = Lens(_search_focal(xy, points, size, fisheye), n_lens, fisheye, free, 0.0)
    poses, error = board_poses(xy[views], points, lens.matrix, lens.distortion, fisheye=lens.fisheye)
    placed = np.isfinite(error[:, 0])
    bundle = lens_bundle([lens], [size], points, xy[views[placed]][:, None], np.eye(4)[None], poses[placed, 0])
    solution = refine(bundle, rounds=4)
    if known is None and not fisheye:
        richer = free.copy()
        richer[8] = True
        rich_free = np.concatenate([richer, np.zeros(6, dtype=bool)])[None]
        if better_held_out(solution, rich_free):
            solution, free = refine(replace(solution.bundle, free=rich_free), rounds=2), richer
    return replace(lens, numbers=solution.bundle.lens[0], free=free, sigma=float(solution.sigma[0]))


def _search_focal(xy: FloatArray, points: FloatArray, size: tuple[int, int], fisheye: bool) -> FloatArray:
    """Return the ideal lens (12,) whose focal length explains the views best."""
    views = spread_views(xy, _VIEWS_FOR_FOCAL)
    none = np.zeros(4 if fisheye else 0)
    lens = np.zeros(LENS_SIZE)
    lens[2:4] = (np.array(size) - 1) / 2
    best = np.inf
    for focal in _FOCAL_GRID * max(size):
        ideal = np.array([focal, focal, *lens[2:4]])
        _, error = board_poses(xy[views], points, lens_matrix(ideal), none, fisheye=fisheye)
        miss = float(np.median(error[:, 0]))
        if miss < best:
            best = miss
            lens[:2] = focal
    return lens


def lens_bundle(
    lenses: Sequence[Lens],
    sizes: Sequence[tuple[int, int]],
    points: FloatArray,
    xy: FloatArray,
    cam_from_world: FloatArray,
    world_from_board: FloatArray,
) -> Bundle:
    """Set up cameras and boards for refinement, the lenses free as they say, all poses but the first camera's free.

    Parameters
    ----------
    lenses : sequence of Lens
    sizes : sequence of (int, int), px
    points : (n_corners, 3) array, mm
    xy : (n_frames, n_cameras, n_corners, 2) array, px
    cam_from_world : (n_cameras, 4, 4) array, mm
    world_from_board : (n_frames, 4, 4) array, mm

    Returns
    -------
    Bundle
    """
    frame, camera = np.nonzero(np.isfinite(xy[..., 0]).any(-1))
    free = np.zeros((len(lenses), LENS_SIZE + 6), dtype=bool)
    free[1:, LENS_SIZE:] = True  # the first camera is the world
    prior = np.zeros((len(lenses), LENS_SIZE, LENS_SIZE))
    mean = np.zeros((len(lenses), LENS_SIZE))
    for i, lens in enumerate(lenses):
        free[i, :LENS_SIZE] = lens.free
        mean[i] = lens.numbers
        if lens.free.any():
            prior[i], mean[i] = lens_prior(sizes[i], lens.numbers[0], n_lens=lens.n_lens, fisheye=lens.fisheye)
    return Bundle(
        lens=np.stack([lens.numbers for lens in lenses]),
        cam_from_world=cam_from_world,
        world_from_board=world_from_board,
        points=points,
        camera=camera.astype(np.int64),
        frame=frame.astype(np.int64),
        xy=xy[frame, camera],
        n_lens=np.array([lens.n_lens for lens in lenses]),
        fisheye=np.array([lens.fisheye for lens in lenses]),
        free=free,
        prior=prior,
        prior_mean=mean,
    )
