"""How well a calibration predicts corners that it was not fitted to: held-out instants, and each camera by the others.

Nothing is solved anew. From the normal equations of the solution one Gauss-Newton step tells where cameras and boards
would lie without some of the corners, and the corners are then projected in full.
"""

from dataclasses import dataclass, replace

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.geometry.rotations import skew

from ..solver.bundle import LENS_SIZE, NOISE_FLOOR, RAYLEIGH, Bundle, Solution, residuals, select_views
from ..solver.information import corners_by_board
from ..solver.linearize import Views, view_equations
from ..solver.motions import move_poses
from ..solver.poses import MIN_CORNERS

__all__ = ["Prediction", "finite_median", "predict_corners"]

_FOLDS = 5
_SIZE = LENS_SIZE + 6
_TINY = 1e-11  # directions about which the views say less than this part of what they say most about stay put


@dataclass(frozen=True, eq=False)
class Prediction:
    """Errors of corners that were predicted, not fitted.

    Attributes
    ----------
    own_sigma : (n_cameras,) array, px
        Noise of a corner's coordinate in a camera by itself: with its lens, but boards placed by its own views alone.
    own_errors : (n_views, n_corners, 2) array, px
        Observed minus reprojected corners with those boards.
    held_out : (n_views, n_corners) array, px
        Length of each corner's error when a fifth of the instants, this one among them, is held out of the cameras'
        fit; only the board's pose is fitted to the instant.
    left_out : (n_views, n_corners) array, px
        The same when the other cameras alone place the board. NaN where they did not see enough of it.
    left_out_expected : (n_views, n_corners) array, px
        A draw from what that error would be if the cameras were exact and had no more than their own noise.
    left_out_ratio : (n_cameras,) array
        How many times larger the errors are than that, median; about 1 for cameras that agree. NaN for a camera that
        shares no view.
    lens_sd : (n_cameras, 12) array
        Standard deviation of each lens's estimated numbers; 0 where they were known before.
    """

    own_sigma: FloatArray
    own_errors: FloatArray
    held_out: FloatArray
    left_out: FloatArray
    left_out_expected: FloatArray
    left_out_ratio: FloatArray
    lens_sd: FloatArray


def predict_corners(solution: Solution) -> Prediction:
    """Predict every corner from the others.

    Parameters
    ----------
    solution : Solution
        Converged.

    Returns
    -------
    Prediction
    """
    equations = _view_equations(solution)
    own, own_errors = _own_noise(solution, equations)
    held_out, lens_sd = _hold_instants_out(solution, equations, own)
    return Prediction(own, own_errors, held_out, *_leave_cameras_out(solution, equations, own), lens_sd)


@dataclass(frozen=True, eq=False)
class _Equations:
    """Normal equations of single views, in units of the solution's noise: (n_views, 24, 24) and (n_views, 24).

    First a camera's 18 numbers, then the board's six; or those alone.
    """

    H: FloatArray
    g: FloatArray

    @property
    def board_H(self) -> FloatArray:
        return self.H[:, -6:, -6:]

    @property
    def board_g(self) -> FloatArray:
        return self.g[:, -6:]


def _view_equations(solution: Solution, *, board_only: bool = False) -> _Equations:
    bundle = solution.bundle
    size = 6 if board_only else _SIZE + 6
    H, g = np.zeros((len(bundle.camera), size, size)), np.zeros((len(bundle.camera), size))
    errors = np.nan_to_num(residuals(bundle))
    for camera in range(len(bundle.lens)):
        rows = np.flatnonzero(bundle.camera == camera)
        moving = np.arange(0 if board_only else 4 + int(bundle.n_lens[camera]))
        pose = bundle.cam_from_world[camera]
        cam_from_board = pose @ bundle.world_from_board[bundle.frame[rows]]
        xy = np.nan_to_num(bundle.xy[rows])
        seen = np.isfinite(bundle.xy[rows, :, 0]).astype(float)
        mine_H, mine_g = view_equations(
            Views(rows, bundle.frame[rows], xy[..., 0], xy[..., 1], seen),
            bundle.lens[camera],
            bundle.distortion(camera),
            cam_from_board,
            bundle.points,
            fisheye=bool(bundle.fisheye[camera]),
            moving=moving,
            root=np.sqrt(solution.weight[rows]) / solution.sigma[camera],
            off=(errors[rows, :, 0], errors[rows, :, 1]),
        )
        chain = _chain(pose, cam_from_board, len(moving), board_only=board_only)
        H[rows] = np.swapaxes(chain, -1, -2) @ mine_H @ chain
        g[rows] = (mine_g[:, None] @ chain)[:, 0]
    return _Equations(H, g)


def _chain(pose: FloatArray, cam_from_board: FloatArray, n_lens: int, *, board_only: bool) -> FloatArray:
    """Return how the numbers of lens and board before the camera follow from a camera's 18 and the board's own six.

    Both turn on the left: the board about its own origin, and the camera so that the board swings about the camera's.
    """
    by_board = np.zeros((6, 6))
    by_board[:3, :3] = by_board[3:, 3:] = pose[:3, :3]
    if board_only:
        return by_board
    out = np.zeros((len(cam_from_board), n_lens + 6, _SIZE + 6))
    out[:, :n_lens, :n_lens] = np.eye(n_lens)
    out[:, n_lens:, LENS_SIZE:_SIZE] = np.eye(6)
    out[:, n_lens + 3 :, LENS_SIZE : LENS_SIZE + 3] = -skew(cam_from_board[:, :3, 3] - pose[:3, 3])
    out[:, n_lens:, _SIZE:] = by_board
    return out


def _step(H: FloatArray, g: FloatArray) -> FloatArray:
    """Solve H x = g for stacks of systems; directions that H says nothing about stay at 0."""
    return np.asarray((_inverse(H) @ g[..., None])[..., 0])


def _units(H: FloatArray) -> FloatArray:
    """Return by what to multiply each entry so that the diagonal is 1, as px, radians and mm stand side by side."""
    diagonal = np.einsum("...ii->...i", H)
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, np.inf))
    return np.asarray(scale[..., :, None] * scale[..., None, :])


def _inverse(H: FloatArray) -> FloatArray:
    units = _units(H)
    return np.asarray(np.linalg.pinv(H * units, rcond=_TINY, hermitian=True) * units)


def _apart(bundle: Bundle, step: FloatArray) -> Bundle:
    """Return the bundle with a board of its own for each view, moved by `step` (n_views, 6)."""
    boards = move_poses(bundle.world_from_board[bundle.frame], step)
    return replace(bundle, frame=np.arange(len(bundle.camera)), world_from_board=boards)


def _own_noise(solution: Solution, equations: _Equations) -> tuple[FloatArray, FloatArray]:
    """Return each camera's noise and its corners' errors about boards that its own views place."""
    bundle = solution.bundle
    first = replace(solution, bundle=_apart(bundle, _step(equations.board_H, equations.board_g)))
    # cameras that do not agree lie too far from their own optimum for one step
    again = _view_equations(first, board_only=True)
    errors = residuals(_apart(first.bundle, _step(again.board_H, again.board_g)))
    length = np.linalg.norm(errors, axis=-1)
    count = np.isfinite(length).sum(1)
    length *= np.sqrt(count / np.maximum(count - 3.0, 1.0))[:, None]  # six numbers of the pose from two a corner
    return np.maximum(_per_camera_median(bundle, length) / RAYLEIGH, NOISE_FLOOR), errors


def _per_camera_median(bundle: Bundle, values: FloatArray) -> FloatArray:
    return np.array([finite_median(values[bundle.camera == camera]) for camera in range(len(bundle.lens))])


def finite_median(values: FloatArray) -> float:
    """Return the median of those values that are finite; NaN if none is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _leave_cameras_out(
    solution: Solution, equations: _Equations, own_sigma: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return errors when the others place the boards, draws of what they should be, and the ratio per camera."""
    bundle = solution.bundle
    n_frames = len(bundle.world_from_board)
    noise = (own_sigma / solution.sigma)[bundle.camera] ** 2

    def by_others(values: FloatArray) -> FloatArray:
        total = np.zeros((n_frames, *values.shape[1:]))
        np.add.at(total, bundle.frame, values)
        return np.asarray(total[bundle.frame] - values)

    H = by_others(equations.board_H)
    # without its own gradient the camera does not pull at the board; what is left of all gradients is the others'
    inverse = _inverse(H)
    apart = _apart(bundle, (inverse @ by_others(equations.board_g)[..., None])[..., 0])
    covariance = inverse @ by_others(equations.board_H * noise[:, None, None]) @ inverse
    enough = by_others((solution.weight > 0).sum(1)) >= MIN_CORNERS
    enough &= np.linalg.eigvalsh(H * _units(H))[:, 0] > _TINY
    error = residuals(apart)
    length = np.linalg.norm(error, axis=-1)
    expected = np.full(length.shape, np.nan)
    standardised = np.full(length.shape, np.nan)
    rng = np.random.default_rng(0)
    for camera in range(len(bundle.lens)):
        views = bundle.camera == camera
        J = corners_by_board(apart, camera)
        C = J @ covariance[views][:, None] @ np.swapaxes(J, -1, -2) + own_sigma[camera] ** 2 * np.eye(2)
        e = error[views]
        # C = L L^T: standardised errors are L^-1 e, and L z is a draw
        l00 = np.sqrt(C[..., 0, 0])
        l10 = C[..., 1, 0] / l00
        l11 = np.sqrt(np.maximum(C[..., 1, 1] - l10 * l10, own_sigma[camera] ** 2))
        first = e[..., 0] / l00
        standardised[views] = np.hypot(first, (e[..., 1] - l10 * first) / l11)
        z = rng.standard_normal(e.shape)
        expected[views] = np.hypot(l00 * z[..., 0], l10 * z[..., 0] + l11 * z[..., 1])
    unknown = ~enough[:, None] | np.isnan(length)
    for values in (length, expected, standardised):
        values[unknown] = np.nan
    return length, expected, _per_camera_median(bundle, standardised) / RAYLEIGH


def _together(bundle: Bundle, equations: _Equations, views: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the normal equations of all cameras' numbers, (c * 18, c * 18) and (c * 18,), the boards eliminated."""
    H, g, camera = equations.H[views], equations.g[views], bundle.camera[views]
    n_cameras = len(bundle.lens)
    A, a = np.zeros((n_cameras, _SIZE, _SIZE)), np.zeros((n_cameras, _SIZE))
    np.add.at(A, camera, H[:, :_SIZE, :_SIZE])
    np.add.at(a, camera, g[:, :_SIZE])
    frames, frame = np.unique(bundle.frame[views], return_inverse=True)
    B, b = np.zeros((len(frames), 6, 6)), np.zeros((len(frames), 6))
    np.add.at(B, frame, H[:, _SIZE:, _SIZE:])
    np.add.at(b, frame, g[:, _SIZE:])
    between = np.zeros((len(frames), n_cameras, _SIZE, 6))
    between[frame, camera] = H[:, :_SIZE, _SIZE:]
    W = between.reshape(len(frames), n_cameras * _SIZE, 6)
    WB = W @ _inverse(B)
    S = -np.tensordot(WB, W, axes=([0, 2], [0, 2]))
    for i in range(n_cameras):
        here = slice(i * _SIZE, (i + 1) * _SIZE)
        S[here, here] += A[i]
    return S, a.ravel() - np.einsum("fik,fk->i", WB, b)


def _alone(bundle: Bundle, equations: _Equations, views: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the normal equations of each lens from its own views, (c, 12, 12) and (c, 12), the boards eliminated."""
    H, g, camera = equations.H[views], equations.g[views], bundle.camera[views]
    W = H[:, :LENS_SIZE, _SIZE:]
    WB = W @ _inverse(H[:, _SIZE:, _SIZE:])
    S, s = np.zeros_like(bundle.prior), np.zeros_like(bundle.prior_mean)
    np.add.at(S, camera, H[:, :LENS_SIZE, :LENS_SIZE] - WB @ np.swapaxes(W, -1, -2))
    np.add.at(s, camera, g[:, :LENS_SIZE] - (WB @ g[:, _SIZE:, None])[..., 0])
    return S, s


def _hold_instants_out(
    solution: Solution, equations: _Equations, own_sigma: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each corner's error when its instant is held out, and the standard deviations of the lenses."""
    bundle = solution.bundle
    n_cameras = len(bundle.lens)
    pulled = -np.einsum("cij,cj->ci", bundle.prior, bundle.lens - bundle.prior_mean)
    by_prior, to_prior = np.zeros((n_cameras, _SIZE) * 2), np.zeros((n_cameras, _SIZE))
    for i in range(n_cameras):
        by_prior[i, :LENS_SIZE, i, :LENS_SIZE] = bundle.prior[i]
    to_prior[:, :LENS_SIZE] = pulled
    S_prior, s_prior = by_prior.reshape(n_cameras * _SIZE, -1), to_prior.ravel()
    free = bundle.free.ravel()
    # lenses that each camera's own views gave, and that the solution held
    own = ~bundle.free[:, :LENS_SIZE] & _estimated(bundle)

    fold = bundle.frame % _FOLDS
    S = np.zeros((_FOLDS, n_cameras * _SIZE, n_cameras * _SIZE))
    s = np.zeros((_FOLDS, n_cameras * _SIZE))
    L, el = np.zeros((_FOLDS, *bundle.prior.shape)), np.zeros((_FOLDS, *bundle.prior_mean.shape))
    for k in range(_FOLDS):
        S[k], s[k] = _together(bundle, equations, fold == k)
        L[k], el[k] = _alone(bundle, equations, fold == k)
    S_all, s_all = S.sum(0) + S_prior, s.sum(0) + s_prior
    L_all, el_all = L.sum(0) + bundle.prior, el.sum(0) + pulled

    out = np.full(bundle.xy.shape[:2], np.nan)
    for k in range(_FOLDS):
        views = fold == k
        if views.all() or not views.any():
            continue
        step = np.zeros((n_cameras, _SIZE))
        step[:, :LENS_SIZE] = _solved(L_all - L[k], el_all - el[k], own) - _solved(L_all, el_all, own)
        follow = (S_all - S[k]) @ step.ravel()
        step += (_solved(S_all - S[k], s_all - s[k] - follow, free) - _solved(S_all, s_all, free)).reshape(step.shape)
        out[views] = np.linalg.norm(residuals(_held_out(bundle, equations, views, step)), axis=-1)

    variance = np.diag(_inverse(np.where(free[:, None] & free, S_all, 0.0))).reshape(n_cameras, _SIZE)[:, :LENS_SIZE]
    own_variance = np.einsum("cii->ci", _inverse(np.where(own[:, :, None] & own[:, None], L_all, 0.0)))
    own_variance = own_variance * (own_sigma / solution.sigma)[:, None] ** 2
    # where views say nothing that holds together, rounding leaves values below 0
    return out, np.sqrt(np.maximum(np.where(own, own_variance, variance), 0.0))


def _estimated(bundle: Bundle) -> BoolArray:
    """Tell which numbers of each lens are no constants: those that have left their prior's mean."""
    known: BoolArray = ~np.asarray(bundle.prior.any((1, 2)))
    moved = bundle.lens != bundle.prior_mean
    moved[:, :2] = True
    return np.asarray(moved & ~known[:, None])


def _solved(S: FloatArray, s: FloatArray, free: BoolArray) -> FloatArray:
    """Solve stacks of systems for the numbers that are free; the others stay 0."""
    return _step(np.where(free[..., :, None] & free[..., None, :], S, 0.0), np.where(free, s, 0.0))


def _held_out(bundle: Bundle, equations: _Equations, views: BoolArray, step: FloatArray) -> Bundle:
    """Return the bundle of some views with the cameras moved by `step` (c, 18) and the boards fitted to them."""
    H, g, frame = equations.H[views], equations.g[views], bundle.frame[views]
    B, b = np.zeros((len(bundle.world_from_board), 6, 6)), np.zeros((len(bundle.world_from_board), 6))
    np.add.at(B, frame, H[:, _SIZE:, _SIZE:])
    np.add.at(b, frame, g[:, _SIZE:] - (step[bundle.camera[views], None] @ H[:, :_SIZE, _SIZE:])[:, 0])
    return replace(
        select_views(bundle, views),
        lens=bundle.lens + step[:, :LENS_SIZE],
        cam_from_world=move_poses(bundle.cam_from_world, step[:, LENS_SIZE:]),
        world_from_board=move_poses(bundle.world_from_board, _step(B, b)),
    )
