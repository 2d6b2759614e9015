"""One camera by itself: focal length and lens from the board's views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pose3d.data.camera import Camera
from pose3d.geometry.arrays import BoolArray, FloatArray, IntArray

from ..sampling import spread_evenly
from .bundle import LENS_SIZE, Bundle, lens_matrix, refine
from .lens_models import lens_prior
from .poses import MIN_CORNERS, board_poses, homographies, poses_from_homographies
from .selection import held_out_loss, significant

__all__ = ["MIN_VIEWS", "Lens", "calibrate_lenses", "lens_bundle", "spread_views"]

MIN_VIEWS = 3
"""A camera with fewer says too little about its lens."""

_FOCAL_GRID = np.geomspace(0.3, 5.0, 12)  # of the image's width: 118 to 11 degrees of view
_VIEWS_FOR_FOCAL = 6
_VIEWS_FOR_LENS = 16  # start values and noise; the lens itself comes from all views
_WIDE = 0.7  # of the image's width: with a shorter focal length it may be a fisheye


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
    return np.asarray(good[spread_evenly(len(good), count)])


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


def calibrate_lenses(
    xy: FloatArray,
    points: FloatArray,
    sizes: Sequence[tuple[int, int]],
    *,
    known: Sequence[Camera | None],
    fisheye: bool | None = None,
) -> list[Lens | None]:
    """Estimate each camera's focal length and lens from its own views of the board.

    The focal length is searched on a grid first, so that no closed form has to survive outliers and strong lenses;
    then the lens is refined with the boards' poses. These are start values: some views of each camera suffice.

    Parameters
    ----------
    xy : (n_frames, n_cameras, n_corners, 2) array, px
    points : (n_corners, 3) array, mm
    sizes : sequence of (int, int), px
    known : sequence of Camera or None
        Lenses that are held; of these only the noise is estimated.
    fisheye : bool, optional
        By default a wide lens is a fisheye if held-out views are predicted better that way.

    Returns
    -------
    list of Lens or None
        None where too few views show enough of the board.
    """
    views = [spread_views(xy[:, i], _VIEWS_FOR_LENS) for i in range(len(sizes))]
    usable = [i for i, mine in enumerate(views) if len(mine) >= (1 if known[i] else MIN_VIEWS)]
    mine = {i: xy[views[i], i] for i in usable}
    starts = {
        i: _held(camera) if (camera := known[i]) else _start(mine[i], points, sizes[i], bool(fisheye)) for i in usable
    }
    fitted = _fit(starts, mine, points, sizes)
    if fisheye is None:
        wide = [i for i in usable if known[i] is None and fitted[i].numbers[0] < _WIDE * max(sizes[i])]
        rich = _fit({i: _with_k3(fitted[i]) for i in wide}, mine, points, sizes)  # a fair match for four coefficients
        others = _fit({i: _start(mine[i], points, sizes[i], True) for i in wide}, mine, points, sizes)
        for i in wide:
            sigma = np.full(1, min(rich[i].sigma, others[i].sigma))
            losses = [held_out_loss(_alone(lens, mine[i], points, sizes[i]), sigma) for lens in (rich[i], others[i])]
            if significant(losses[0] - losses[1]):
                fitted[i] = others[i]
    return [fitted.get(i) for i in range(len(sizes))]


def _held(camera: Camera) -> Lens:
    numbers = np.zeros(LENS_SIZE)
    numbers[:4] = camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    numbers[4 : 4 + len(camera.distortion)] = camera.distortion
    return Lens(numbers, len(camera.distortion), camera.fisheye, np.zeros(LENS_SIZE, dtype=bool), 0.0)


def _start(xy: FloatArray, points: FloatArray, size: tuple[int, int], fisheye: bool) -> Lens:
    free = np.zeros(LENS_SIZE, dtype=bool)
    free[:8] = True
    return Lens(_search_focal(xy, points, size, fisheye=fisheye), 4 if fisheye else 5, fisheye, free, 0.0)


def _with_k3(lens: Lens) -> Lens:
    free = lens.free.copy()
    free[8] = True
    return replace(lens, free=free)


def _alone(lens: Lens, xy: FloatArray, points: FloatArray, size: tuple[int, int]) -> Bundle:
    """Set up one camera with its views."""
    poses, error = board_poses(xy, points, lens.matrix, lens.distortion, fisheye=lens.fisheye)
    placed = np.isfinite(error[:, 0])
    return lens_bundle([lens], [size], points, xy[placed][:, None], np.eye(4)[None], poses[placed, 0])


def _fit(
    lenses: dict[int, Lens], xy: dict[int, FloatArray], points: FloatArray, sizes: Sequence[tuple[int, int]]
) -> dict[int, Lens]:
    """Refine lenses and boards' poses, each camera in its own views; all at once, which saves most of the time."""
    alone = [_alone(lens, xy[i], points, sizes[i]) for i, lens in lenses.items()]
    if not alone:
        return {}
    n_boards = np.cumsum([0, *(len(b.world_from_board) for b in alone)])
    solution = refine(
        replace(
            alone[0],
            camera=np.concatenate([b.camera + i for i, b in enumerate(alone)]),
            frame=np.concatenate([b.frame + n for b, n in zip(alone, n_boards, strict=False)]),
            **{
                name: np.concatenate([getattr(b, name) for b in alone])
                for name in (
                    "lens",
                    "cam_from_world",
                    "world_from_board",
                    "xy",
                    "n_lens",
                    "fisheye",
                    "free",
                    "prior",
                    "prior_mean",
                )
            },
        ),
        rounds=2,
        tolerance=1.0,
    )
    return {
        i: replace(lens, numbers=solution.bundle.lens[row], sigma=float(solution.sigma[row]))
        for row, (i, lens) in enumerate(lenses.items())
    }


def _search_focal(xy: FloatArray, points: FloatArray, size: tuple[int, int], *, fisheye: bool) -> FloatArray:
    """Return the ideal lens (12,) whose focal length explains the views best."""
    xy = xy[spread_views(xy, _VIEWS_FOR_FOCAL)]
    lens = np.zeros(LENS_SIZE)
    lens[2:4] = (np.array(size) - 1) / 2
    grid = _FOCAL_GRID * max(size)
    misses = np.empty(len(grid))
    if fisheye:
        for i, focal in enumerate(grid):
            ideal = lens_matrix(np.array([focal, focal, *lens[2:4]]))
            misses[i] = np.median(board_poses(xy, points, ideal, np.zeros(4), fisheye=True)[1][:, 0])
    else:  # all focal lengths share one homography a view
        n = len(xy)
        usable = np.tile(np.isfinite(xy).all(-1), (len(grid), 1))
        rays = ((xy - lens[2:4]) / grid[:, None, None, None]).reshape(-1, *xy.shape[1:])
        H, solved = homographies(xy - lens[2:4], usable[:n], points)
        H = np.stack([np.diag([1 / f, 1 / f, 1.0]) for f in grid])[:, None] @ H
        usable &= np.tile(solved, len(grid))[:, None]
        _, error = poses_from_homographies(H.reshape(-1, 3, 3), rays, usable, points)
        misses[:] = np.median(error[:, 0].reshape(len(grid), n), axis=1) * grid
    lens[:2] = grid[int(np.argmin(misses))]
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
