"""Phases of the gait cycle, and what a signal does in each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import FloatArray

__all__ = ["GAIT_PHASES", "GaitPhase", "PhaseValues", "fit_phases", "measure_phases"]


class GaitPhase(NamedTuple):
    """A part of the cycle.

    Attributes
    ----------
    name : str
    start, end : float, %
        Of the cycle.
    ends_with : str
        The event that ends it, where one does.
    """

    name: str
    start: float
    end: float
    ends_with: str = ""


GAIT_PHASES: tuple[GaitPhase, ...] = (
    GaitPhase("loading_response", 0.0, 12.0, "the other foot leaves"),
    GaitPhase("mid_stance", 12.0, 31.0, "the body is over the forefoot, the heel rises"),
    GaitPhase("terminal_stance", 31.0, 50.0, "the other foot strikes"),
    GaitPhase("pre_swing", 50.0, 62.0, "the foot leaves"),
    GaitPhase("initial_swing", 62.0, 75.0, "the swinging foot passes the standing one"),
    GaitPhase("mid_swing", 75.0, 87.0, "the shank is vertical"),
    GaitPhase("terminal_swing", 87.0, 100.0, "the foot strikes"),
)
"""By Perry; what ends each was found in other teaching, the percentages are those of usual walking.

Initial contact, the first 2 %, is part of the loading response here. Texts that round give 0-10, 10-30, 30-50, 50-60
for the stance. In slow or lame walking the percentages do not hold: take :func:`fit_phases`.

References
----------
Perry, Burnfield (2010), Gait Analysis: Normal and Pathological Function, 2nd edition.
"""


def fit_phases(*, opposite_off: float, opposite_strike: float, off: float) -> tuple[GaitPhase, ...]:
    """Return the phases of somebody's own cycle.

    Parameters
    ----------
    opposite_off, opposite_strike, off : float, %
        When the other foot leaves and strikes, and the own one leaves.

    Returns
    -------
    tuple of GaitPhase
        The three that events end, by those events; the others keep their part of single support or of the swing.

    Raises
    ------
    ValueError
        If the events do not rise from 0 to 100.
    """
    own = [0.0, opposite_off, opposite_strike, off, 100.0]
    if not (np.diff(own) > 0).all():
        raise ValueError("the events of a cycle must rise from 0 to 100 %: opposite off, opposite strike, off")
    usual = [0.0, GAIT_PHASES[0].end, GAIT_PHASES[2].end, GAIT_PHASES[3].end, 100.0]
    ends = np.interp([phase.end for phase in GAIT_PHASES], usual, own).tolist()
    starts = [0.0, *ends[:-1]]
    return tuple(
        phase._replace(start=start, end=end) for phase, start, end in zip(GAIT_PHASES, starts, ends, strict=True)
    )


class PhaseValues(NamedTuple):
    """What a signal does in each phase.

    Attributes
    ----------
    least, greatest, mean : (..., n_phases) array
    """

    least: FloatArray
    greatest: FloatArray
    mean: FloatArray


def measure_phases(cycles: FloatArray, phases: Sequence[GaitPhase] = GAIT_PHASES) -> PhaseValues:
    """Measure a signal in each phase.

    Parameters
    ----------
    cycles : (..., n) array
        From 0 to 100 % of the cycle.
    phases : sequence of GaitPhase

    Returns
    -------
    PhaseValues
        Both ends of a phase count, between instants too; NaN where the signal has a gap in the phase.
    """
    n = cycles.shape[-1]
    found = []
    for phase in phases:  # seven
        first, last = phase.start / 100 * (n - 1), phase.end / 100 * (n - 1)
        places = np.unique(np.concatenate([[first], np.arange(np.ceil(first), np.floor(last) + 1), [last]]))
        below = np.minimum(places.astype(np.int64), n - 2)
        part = places - below
        # A neighbour that does not take part may be missing.
        values = np.where(
            part == 0, cycles[..., below], (1 - part) * cycles[..., below] + part * cycles[..., below + 1]
        )
        steps = np.diff(places)
        mean = (0.5 * (values[..., 1:] + values[..., :-1]) * steps).sum(-1) / steps.sum()
        found.append((values.min(-1), values.max(-1), mean))
    least, greatest, mean = (np.stack(parts, axis=-1) for parts in zip(*found, strict=True))
    return PhaseValues(least, greatest, mean)
