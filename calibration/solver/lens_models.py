"""Lens models: which numbers of a lens may move, and what is known of them before any view."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose3d.geometry.arrays import BoolArray, FloatArray

from .bundle import LENS_SIZE, Bundle

__all__ = ["LENS_MODELS", "lens_prior", "set_model"]

LENS_MODELS = ("k1", "k2", "full", "k3")
"""Lens models, each richer than the one before: one focal length and k1; k2; two focal lengths, principal point and the
tangential coefficients; k3. For a fisheye: k1; k2; two focal lengths, principal point and all four coefficients."""

_ONE_FOCAL = 1e-5  # as good as equal focal lengths


def lens_prior(
    size: tuple[int, int], focal: float, *, n_lens: int = 5, fisheye: bool = False, aspect: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return what is known of a lens before any view: an information matrix and its centre.

    The principal point lies within 4 % of the image's width of the centre, pixels are square to 0.5 %, and the
    coefficients are of the size that real lenses have. A few dozen good views outweigh all of it by far.

    Parameters
    ----------
    size : (int, int), px
    focal : float, px
    n_lens : int
    fisheye : bool
    aspect : float, optional
        How far the two focal lengths may differ, as a part of them; 0.5 % by default.

    Returns
    -------
    information : (12, 12) array
    mean : (12,) array
    """
    width = max(size)
    information = np.zeros((LENS_SIZE, LENS_SIZE))
    square = np.zeros(LENS_SIZE)
    square[:2] = 1.0, -1.0
    information += np.outer(square, square) / ((aspect or 0.005) * focal) ** 2
    deviation = [0.04 * width, 0.04 * width]
    deviation += [0.1, 0.05, 0.05, 0.05] if fisheye else [0.5, 0.3, 0.003, 0.003, 0.2, 0.2, 0.2, 0.2][:n_lens]
    index = np.arange(2, 2 + len(deviation))
    information[index, index] = 1 / np.square(deviation)
    mean = np.zeros(LENS_SIZE)
    mean[:4] = focal, focal, (size[0] - 1) / 2, (size[1] - 1) / 2
    return information, mean


def set_model(bundle: Bundle, sizes: Sequence[tuple[int, int]], unknown: BoolArray, model: str) -> Bundle:
    """Let those numbers of the unknown lenses move that a model has; the others go where they are without it.

    Parameters
    ----------
    bundle : Bundle
    sizes : sequence of (int, int), px
    unknown : (n_cameras,) bool array
        Cameras whose lens is not held.
    model : {"k1", "k2", "full", "k3"}

    Returns
    -------
    Bundle
    """
    rung = LENS_MODELS.index(model)
    lens, free = bundle.lens.copy(), bundle.free.copy()
    prior, mean = bundle.prior.copy(), bundle.prior_mean.copy()
    for i in map(int, np.flatnonzero(unknown)):
        fisheye, n_lens = bool(bundle.fisheye[i]), int(bundle.n_lens[i])
        if rung < 2:
            numbers = [0, 1, 4, 5][: 3 + rung]
        else:
            numbers = list(range(8))
            if rung == 3 and not fisheye:
                numbers.append(8)
        free[i, :LENS_SIZE] = False
        free[i, numbers] = True
        prior[i], mean[i] = lens_prior(
            sizes[i], lens[i, 0], n_lens=n_lens, fisheye=fisheye, aspect=_ONE_FOCAL if rung < 2 else None
        )
        if rung < 2:
            lens[i, :2] = lens[i, :2].mean()
        held = ~free[i, :LENS_SIZE]
        lens[i, held] = mean[i, held]
    return replace(bundle, lens=lens, free=free, prior=prior, prior_mean=mean)
