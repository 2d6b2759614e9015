"""Which parameters may move: a richer model is taken only if it predicts held-out instants better."""

from dataclasses import replace

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray

from .bundle import LENS_SIZE, Bundle, Solution, refine, residuals, robust_loss, select_views

__all__ = ["better_held_out", "better_together"]

_FOLDS = 5
_ROUGHLY = 1e-4  # the last digits of a fit do not decide; two rounds, as the first measures noise at the start
_SIGNIFICANT = 1.645  # standard errors: 95 % one-sided


def better_held_out(simple: Solution, rich_free: BoolArray) -> bool:
    """Tell whether freeing more parameters predicts held-out instants significantly better.

    Of a held-out instant only the board's pose is fitted; every fifth instant is held out in turn. The difference is
    tested instant by instant (paired), so that corners of one view, whose errors go together, do not count as so many
    witnesses.

    Parameters
    ----------
    simple : Solution
        Of the simpler model.
    rich_free : (n_cameras, 18) bool array
        What moves in the richer model.

    Returns
    -------
    bool
    """
    rich = replace(simple.bundle, free=rich_free)
    return _significant(_held_out_loss(simple.bundle, simple.sigma) - _held_out_loss(rich, simple.sigma))


def better_together(held: Solution, rich_free: BoolArray, own_sigma: FloatArray) -> bool:
    """Tell whether lenses that all cameras' views determine together predict better than lenses from each one's own.

    As :func:`better_held_out`; the lenses from each camera's own views are fitted anew without the held-out instants.

    Parameters
    ----------
    held : Solution
        With the lenses held.
    rich_free : (n_cameras, 18) bool array
    own_sigma : (n_cameras,) array, px

    Returns
    -------
    bool
    """
    rich = replace(held.bundle, free=rich_free)
    apart = _held_out_loss(held.bundle, held.sigma, own_sigma=own_sigma, own_lenses=rich_free[:, :LENS_SIZE])
    return _significant(apart - _held_out_loss(rich, held.sigma, own_sigma=own_sigma))


def _significant(gain: FloatArray) -> bool:
    gain = gain[np.isfinite(gain)]
    if len(gain) < 4:
        return False
    return bool(gain.mean() > _SIGNIFICANT * gain.std(ddof=1) / np.sqrt(len(gain)))


def _held_out_loss(
    start: Bundle, sigma: FloatArray, *, own_sigma: FloatArray | None = None, own_lenses: BoolArray | None = None
) -> FloatArray:
    """Return the mean robust loss, in units of `sigma`, of each instant's corners when it is held out, (n_frames,)."""
    n_frames = len(start.world_from_board)
    out = np.full(n_frames, np.nan)
    for fold in range(min(_FOLDS, n_frames)):
        held = start.frame % _FOLDS == fold
        if held.all() or not held.any():
            continue
        training = select_views(start, ~held)
        if own_lenses is not None:
            training = _fit_lenses_apart(training, own_lenses)
        fitted = refine(training, rounds=2, tolerance=_ROUGHLY, own_sigma=own_sigma).bundle
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
        out[count > 0] = total[count > 0] / count[count > 0]
    return out


def _fit_lenses_apart(bundle: Bundle, free_lens: BoolArray) -> Bundle:
    """Refine each camera's lens on its own views, as if every view showed a board of its own."""
    free = np.zeros_like(bundle.free)
    free[:, :LENS_SIZE] = free_lens
    apart = replace(
        bundle,
        frame=np.arange(len(bundle.camera)),
        world_from_board=bundle.world_from_board[bundle.frame],
        free=free,
    )
    return replace(bundle, lens=refine(apart, rounds=2, tolerance=_ROUGHLY).bundle.lens)
