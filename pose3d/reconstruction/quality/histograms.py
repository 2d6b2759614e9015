"""Quantiles of errors in constant memory: counts in bins of equal ratio."""

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["bin_of", "halved_blocks", "quantiles"]

_LEAST_PX, _OCTAVES = 0.01, 20


def bin_of(error_px: FloatArray, n_bins: int) -> IntArray:
    """Return the bin of each error; bins share 0.01 to 10,000 px evenly in the logarithm, and take what lies beyond.

    Parameters
    ----------
    error_px : (...) array, px
        Finite.
    n_bins : int
    """
    octave = np.log2(np.maximum(error_px, _LEAST_PX)) - np.log2(_LEAST_PX)
    return np.asarray(np.clip((octave * (n_bins / _OCTAVES)).astype(np.int64), 0, n_bins - 1))


def quantiles(counts: IntArray, q: float) -> FloatArray:
    """Return a quantile of each histogram along the last axis, px; NaN for an empty one.

    Examples
    --------
    >>> errors = np.linspace(0.0, 10.0, 1001)
    >>> counts = np.bincount(bin_of(errors, 160), minlength=160)
    >>> bool(abs(quantiles(counts, 0.5) - 5.0) < 0.05)
    True
    """
    counts = np.asarray(counts)
    n_bins = counts.shape[-1]
    total = np.cumsum(counts, axis=-1)
    wanted = q * total[..., -1:]
    at = np.minimum((total < wanted).sum(-1, keepdims=True), n_bins - 1)
    inside = np.take_along_axis(counts, at, -1)
    before = np.take_along_axis(total, at, -1) - inside
    share = np.where(inside > 0, (wanted - before) / np.maximum(inside, 1), 0.5)
    width = _OCTAVES / n_bins
    low, high = (_LEAST_PX * 2.0 ** (edge * width) for edge in (at, at + 1))
    value = (low + share * (high - low))[..., 0]
    return np.where(total[..., -1] > 0, value, np.nan)


def halved_blocks(counts: IntArray) -> IntArray:
    """Merge neighbouring blocks along the first axis, of even length; the second half becomes free (0)."""
    out = np.zeros_like(counts)
    out[: len(counts) // 2] = counts[0::2] + counts[1::2]
    return out
