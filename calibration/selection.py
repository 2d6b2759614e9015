"""Which parameters may move: a richer model is taken only if it predicts held-out instants better."""

from dataclasses import replace

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray

from .bundle import Bundle, Solution, refine, residuals, robust_loss, select_views

__all__ = ["better_held_out", "held_out_loss"]

_FOLDS = 5
_ROUGHLY = 1e-4  # the last digits of a fit do not decide; two rounds, as the first measures noise at the start


def held_out_loss(start: Bundle, sigma: FloatArray, own_sigma: FloatArray | None) -> FloatArray:
    """Return how badly each instant is predicted by cameras that were refined without it.

    Of a held-out instant only the board's pose is fitted. Every fifth instant is held out in turn.

    Parameters
    ----------
    start : Bundle
        Start values; its `free` is the model that is put to the test.
    sigma : (n_cameras,) array, px
        Noise that residuals are measured in, the same for all models that are compared.
    own_sigma : (n_cameras,) array, px, optional

    Returns
    -------
    (n_frames,) array
        Mean robust loss of the instant's corners; NaN for instants without views.
    """
    n_frames = len(start.world_from_board)
    out = np.full(n_frames, np.nan)
    for fold in range(min(_FOLDS, n_frames)):
        held = start.frame % _FOLDS == fold
        if held.all() or not held.any():
            continue
        fitted = refine(select_views(start, ~held), rounds=2, tolerance=_ROUGHLY, own_sigma=own_sigma).bundle
        test = replace(
            select_views(start, held),
            lens=fitted.lens,
            cam_from_world=fitted.cam_from_world,
            free=np.zeros_like(start.free),
        )
        test = refine(test, rounds=2, tolerance=_ROUGHLY, own_sigma=own_sigma).bundle
        r = residuals(test) / sigma[test.camera][:, None, None]
        loss, _ = robust_loss((r * r).sum(-1), 3.0)
        seen = np.isfinite(loss)
        total = np.bincount(test.frame, np.where(seen, loss, 0.0).sum(1), minlength=n_frames)
        count = np.bincount(test.frame, seen.sum(1), minlength=n_frames)
        out[count > 0] = (total[count > 0] / count[count > 0]).astype(np.float64)
    return out


def better_held_out(
    simple: Solution, rich_free: BoolArray, *, own_sigma: FloatArray | None = None, standard_errors: float = 2.0
) -> bool:
    """Tell whether freeing more parameters predicts held-out instants better.

    The difference is tested instant by instant (paired), so that corners of one view, whose errors go together, do not
    count as so many witnesses.

    Parameters
    ----------
    simple : Solution
        Of the simpler model.
    rich_free : (n_cameras, 18) bool array
        What moves in the richer model.
    own_sigma : (n_cameras,) array, px, optional
    standard_errors : float
        By how many of its standard errors the gain must exceed zero.

    Returns
    -------
    bool
    """
    one = held_out_loss(simple.bundle, simple.sigma, own_sigma)
    other = held_out_loss(replace(simple.bundle, free=rich_free), simple.sigma, own_sigma)
    gain = one - other
    gain = gain[np.isfinite(gain)]
    if len(gain) < 4:
        return False
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return bool(gain.mean() > standard_errors * error)
