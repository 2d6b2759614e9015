"""Norms from one's own controls: everybody counts once, whatever the number of their cycles."""

from collections.abc import Mapping, Sequence

import numpy as np

from pose3d.data.norms import NormBand, Norms
from pose3d.errors import DataError
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.cycles import summarize_cycles

__all__ = ["LEAST_PEOPLE", "build_norms", "mean_cycles"]

LEAST_PEOPLE = 2


def mean_cycles(cycles: Sequence[Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    """Return the mean cycle of each variable of one person.

    Parameters
    ----------
    cycles : sequence of mapping of str to (n_cycles, n) array
        Of each side and each trial, by the names of angles that end in ``_l`` or ``_r``.

    Returns
    -------
    dict of str to (n,) array
        By variable, without a side. Both sides count alike, however many cycles each has; a variable of which no side
        has a whole mean cycle is left out.
    """
    names = dict.fromkeys(name for trial in cycles for name in trial)
    sides: dict[str, list[FloatArray]] = {}
    for name in names:
        own = np.concatenate([trial[name] for trial in cycles if name in trial])
        if len(own):
            mean = summarize_cycles(own).mean
            if np.isfinite(mean).all():
                sides.setdefault(name.removesuffix("_l").removesuffix("_r"), []).append(mean)
    return {variable: np.mean(both, axis=0) for variable, both in sides.items()}


def build_norms(
    subjects: Sequence[Mapping[str, FloatArray]], *, source: str = "own controls", licence: str = "unknown"
) -> Norms:
    """Build norms from the mean cycles of people without complaints.

    Parameters
    ----------
    subjects : sequence of mapping of str to (n,) array, degrees
        Mean cycles of each person by variable, without a side; see :func:`mean_cycles`.
    source : str
        Who was measured, how, and how fast they walked: it is printed wherever the norm is shown.
    licence : str
        Under which others may use it.

    Returns
    -------
    Norms
        Mean over people and SD between people (n - 1), with their number. A variable that fewer than two people have
        is left out.

    Raises
    ------
    DataError
        If no variable has two people.

    Notes
    -----
    The SD is that between people's means: narrower than the spread of single cycles, and it grows with the errors of
    the measurement, which are thus part of the band.
    """
    n_points = {len(cycle) for subject in subjects for cycle in subject.values()}
    if len(n_points) > 1:
        raise ValueError("cycles must have the same number of instants")
    bands = {}
    for variable in dict.fromkeys(name for subject in subjects for name in subject):
        known = [subject[variable] for subject in subjects if variable in subject]
        cycles = np.array([cycle for cycle in known if np.isfinite(cycle).all()], dtype=np.float64)
        if len(cycles) >= LEAST_PEOPLE:
            found = summarize_cycles(cycles)
            percent = np.linspace(0.0, 100.0, cycles.shape[-1])
            bands[variable] = NormBand(percent, found.mean, found.sd, len(cycles))
    if not bands:
        raise DataError(
            f"norms need whole cycles of at least {LEAST_PEOPLE} people, and there are {len(subjects)} with none in"
            " common; give more walks"
        )
    return Norms(bands, source, licence)
