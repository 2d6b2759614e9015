"""Names along the axes of the data types: checked, and counted in a person's words."""

from collections.abc import Mapping, Sequence

import numpy as np

from pose3d.geometry.arrays import FloatArray

__all__ = ["counted", "different_names", "recording_summary"]


def different_names(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return `names` as texts after a check that they differ.

    Raises
    ------
    ValueError
        If one stands there twice.
    """
    names = tuple(str(name) for name in names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} named twice: {', '.join(twice)}")
    return names


def counted(n: int, noun: str) -> str:
    """Return number and noun.

    Examples
    --------
    >>> counted(1, "camera"), counted(2, "camera")
    ('1 camera', '2 cameras')
    """
    return f"{n} {noun}" + ("" if n == 1 else "s")


def recording_summary(values: FloatArray, nouns: Mapping[str, Sequence[str]], fps: float | None) -> str:
    """Say in one line how large a recording is.

    Parameters
    ----------
    values : (n_frames, ...) array
        NaN where missing.
    nouns : mapping of str to sequence of str
        What each further axis holds, and the names along it.
    fps : float or None
    """
    rate = "" if fps is None else f" at {fps:g} fps"
    parts = ", ".join(counted(len(names), noun) for noun, names in nouns.items())
    missing = float(np.isnan(values).mean()) if values.size else 0.0
    return f"{counted(len(values), 'frame')}{rate}, {parts}, {100 * missing:.1f} % missing"
