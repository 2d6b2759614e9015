"""What held-out instants say: which lens model, and lenses from all cameras' views together or from each one's own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray

from ..sampling import spread_evenly
from .bundle import LENS_SIZE, Bundle, Solution, refine, residuals, select_views
from .information import camera_information, dispersion
from .lens_models import LENS_MODELS, set_model

__all__ = ["choose_lenses", "fit_lenses_apart", "held_out_loss", "significant"]

_FOLDS = 5
_INSTANTS_FOR_SELECTION = 120
_PARSIMONY = 1.0  # standard errors by which a richer lens model must predict better
_FAR = 6.0  # times the median deviation: about four standard deviations
_WRONG = 3.0  # times the noise
_ROUGHLY = 0.5  # of the cost: the last digits of a fit do not decide


def significant(gain: FloatArray, standard_errors: float = 1.645) -> bool:
    """Tell whether a gain, one number an instant, is more than chance (95 % one-sided unless told otherwise).

    The difference is tested instant by instant (paired), so that corners of one view, whose errors go together, do not
    count as so many witnesses.
    """
    gain = gain[np.isfinite(gain)]
    if len(gain) < 4:
        return False
    middle = np.median(gain)
    reach = _FAR * np.median(np.abs(gain - middle))  # one board that fell over to its twin must not decide
    gain = np.clip(gain, middle - reach, middle + reach)
    return bool(gain.mean() > standard_errors * gain.std(ddof=1) / np.sqrt(len(gain)))


def _thin(bundle: Bundle, n_frames: int) -> Bundle:
    """Return the bundle with at most so many of its instants, evenly spread."""
    known = np.unique(bundle.frame)
    if len(known) <= n_frames:
        return bundle
    kept = known[spread_evenly(len(known), n_frames)]
    return select_views(bundle, np.isin(bundle.frame, kept))


def held_out_loss(
    start: Bundle, sigma: FloatArray, *, own_sigma: FloatArray | None = None, apart: bool = False
) -> FloatArray:
    """Predict held-out instants: of each, only the board's pose is fitted; every fifth is held out in turn.

    Parameters
    ----------
    start : Bundle
        Its free parameters are fitted anew without the held-out instants.
    sigma : (n_cameras,) array, px
        Noise in whose units residuals count.
    own_sigma : (n_cameras,) array, px, optional
    apart : bool
        Fit each camera's lens to its own views alone, then hold it.

    Returns
    -------
    (n_frames,) array
        Mean squared residual of each instant's corners, bounded; NaN where there are none.
    """
    n_frames = len(start.world_from_board)
    out = np.full(n_frames, np.nan)
    order = np.zeros(n_frames, dtype=np.int64)
    known = np.unique(start.frame)
    order[known] = np.arange(len(known))
    for fold in range(min(_FOLDS, len(known))):
        held = order[start.frame] % _FOLDS == fold
        if held.all() or not held.any():
            continue
        training = select_views(start, ~held)
        if apart:
            training = fit_lenses_apart(training)[0]
        fitted = refine(training, rounds=2 if apart else 1, tolerance=_ROUGHLY, own_sigma=own_sigma).bundle
        test = replace(
            select_views(start, held),
            lens=fitted.lens,
            cam_from_world=fitted.cam_from_world,
            free=np.zeros_like(start.free),
        )
        test = refine(test, rounds=1, tolerance=_ROUGHLY, own_sigma=own_sigma).bundle
        r = residuals(test) / sigma[test.camera][:, None, None]
        loss = np.minimum((r * r).sum(-1), _WRONG**2)  # wrong corners are as wrong for every model
        seen = np.isfinite(loss)
        total = np.bincount(test.frame, np.where(seen, loss, 0.0).sum(1), minlength=n_frames)
        count = np.bincount(test.frame, seen.sum(1), minlength=n_frames)
        out[count > 0] = total[count > 0] / count[count > 0]
    return out


def fit_lenses_apart(bundle: Bundle) -> tuple[Bundle, FloatArray]:
    """Refine each camera's lens on its own views, as if every view showed a board of its own.

    Returns
    -------
    bundle : Bundle
        With these lenses, held.
    covariance : (n_cameras, 12, 12) array
        How well they are known.
    """
    lens = np.arange(LENS_SIZE + 6) < LENS_SIZE
    alone = replace(
        bundle,
        frame=np.arange(len(bundle.camera)),
        world_from_board=bundle.world_from_board[bundle.frame],
        free=bundle.free & lens,
    )
    solution = refine(alone, rounds=2, tolerance=_ROUGHLY)
    information, camera, number = camera_information(solution)
    spread = dispersion(solution)
    covariance = np.zeros((len(bundle.lens), LENS_SIZE, LENS_SIZE))
    for i in range(len(bundle.lens)):
        mine = np.flatnonzero(camera == i)
        covariance[i][np.ix_(number[mine], number[mine])] = spread * np.linalg.inv(information[np.ix_(mine, mine)])
    held: BoolArray = bundle.free & ~lens
    return replace(bundle, lens=solution.bundle.lens, free=held), covariance


def choose_lenses(
    solution: Solution, sizes: Sequence[tuple[int, int]], unknown: BoolArray, own_sigma: FloatArray
) -> tuple[str, bool]:
    """Choose the lens model that predicts held-out instants, and whether lenses are refined together or apart.

    Parameters
    ----------
    solution : Solution
        With the full model.
    sizes : sequence of (int, int), px
    unknown : (n_cameras,) bool array
        Cameras whose lens is not held.
    own_sigma : (n_cameras,) array, px
        Each camera's noise when it is calibrated alone.

    Returns
    -------
    model : str
        One of :data:`pose3d.calibration.LENS_MODELS`.
    together : bool
    """
    sample = _thin(solution.bundle, _INSTANTS_FOR_SELECTION)
    model, *richer = LENS_MODELS

    def fitted(name: str) -> Bundle:
        return refine(set_model(sample, sizes, unknown, name), rounds=2, own_sigma=own_sigma).bundle

    chosen = fitted(model)
    best = held_out_loss(chosen, solution.sigma, own_sigma=own_sigma)
    for name in richer:
        bundle = fitted(name)
        loss = held_out_loss(bundle, solution.sigma, own_sigma=own_sigma)
        if significant(best - loss, _PARSIMONY):
            best, model, chosen = loss, name, bundle
    apart = held_out_loss(chosen, solution.sigma, own_sigma=own_sigma, apart=True)
    return model, significant(apart - best)
