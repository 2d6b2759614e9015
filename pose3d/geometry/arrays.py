"""Array types, and the one way in which data types take arrays in."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["BoolArray", "FloatArray", "IntArray", "frozen_array"]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


def frozen_array(
    values: ArrayLike, *, shape: tuple[int | None, ...], what: str, dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """Return a read-only copy of `values` after a check of its shape.

    Parameters
    ----------
    values : array_like
    shape : tuple of int or None
        Expected length of each axis; None accepts any length.
    what : str
        Name of the array for the message.
    dtype : dtype, optional

    Raises
    ------
    ValueError
        If the number of axes or a fixed length differs.
    """
    array = np.array(values, dtype=dtype)
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{what}: shape ({wanted}) expected, not {array.shape}")
    array.setflags(write=False)
    return array
