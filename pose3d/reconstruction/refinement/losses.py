"""Robust losses: how fast the cost of a view grows with its error."""

from typing import Literal, get_args

import numpy as np

from pose3d.geometry.arrays import FloatArray

__all__ = ["LOSSES", "Loss", "loss_weights"]

Loss = Literal["linear", "huber", "soft_l1", "cauchy", "anipose"]
"""Names as `scipy.optimize.least_squares` has them; ``anipose`` is the loss of aniposelib's `optim_points`."""

LOSSES: tuple[str, ...] = get_args(Loss)


def loss_weights(loss: Loss, squared: FloatArray, scale: float) -> tuple[FloatArray, FloatArray]:
    """Return the loss and its derivative.

    Parameters
    ----------
    loss : str
    squared : array
        Squared errors, z.
    scale : float
        Error from which the loss leaves the square.

    Returns
    -------
    value : array
        rho(z), which is z for small errors.
    weight : array
        d rho / d z, 1 for small errors.

    References
    ----------
    Triggs, McLauchlan, Hartley, Fitzgibbon (2000), Bundle adjustment: a modern synthesis, section 4.3.
    """
    z = squared / scale**2
    if loss == "linear":
        return squared, np.ones_like(squared)
    if loss == "huber":
        root = np.sqrt(np.maximum(z, 1.0))
        return scale**2 * np.where(z > 1, 2 * root - 1, z), 1 / root
    if loss == "soft_l1":
        root = np.sqrt(1 + z)
        return 2 * scale**2 * (root - 1), 1 / root
    if loss == "cauchy":
        return scale**2 * np.log1p(z), 1 / (1 + z)
    t = np.sqrt(z)  # residual 2 s (sqrt(1 + |e| / s) - 1), squared
    root = np.sqrt(1 + t)
    return 4 * scale**2 * np.square(root - 1), 2 / (root * (root + 1))
