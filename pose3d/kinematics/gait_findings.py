"""What is known of somebody's gait: recordings, curves and rows of tables, each number with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pose3d.data.norms import Norms
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.kinematics.cycles import CycleSummary
from pose3d.kinematics.estimates import Estimate
from pose3d.kinematics.gait import Gait
from pose3d.kinematics.gait_scores import GaitProfile

__all__ = ["Curve", "DrawnWalk", "GaitStudy", "LeftOut", "Measure", "Row", "WalkTrial"]


@dataclass(frozen=True, eq=False)
class DrawnWalk:
    """A walk as its posterior samples show it, reduced to what intervals need.

    Attributes
    ----------
    parameters : mapping of str to mapping of str to (n_samples, n_strides) array
        By side and parameter, of all strides.
    means : mapping of str to (n_samples, 101) array, degrees
        By angle: mean over the cycles that count.
    peaks : mapping of str to mapping of str to (n_samples, n_kept) array
        By angle and peak.
    """

    parameters: Mapping[str, Mapping[str, FloatArray]]
    means: Mapping[str, FloatArray]
    peaks: Mapping[str, Mapping[str, FloatArray]]

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return next((len(values) for side in self.parameters.values() for values in side.values()), 0)


@dataclass(frozen=True, eq=False)
class WalkTrial:
    """One recording of a walk.

    Attributes
    ----------
    name : str
    gait : Gait
    drawn : DrawnWalk, optional
        The same on posterior samples.
    """

    name: str
    gait: Gait
    drawn: DrawnWalk | None = None


@dataclass(frozen=True, eq=False)
class Curve:
    """One angle of one side over the cycle, of all recordings.

    Attributes
    ----------
    name : str
        With its side, such as ``knee_flexion_l``.
    cycles : (n_cycles, 101) array, degrees
    trials : tuple of str
        Of which recording each cycle is.
    start_s : (n_cycles,) array, s
        When each begins.
    outlying : (n_cycles,) bool array
        Cycles unlike the others. They count: nothing that was measured is left out without somebody's word.
    mean : Estimate of (101,)
        Its interval is that of the measurement, not of the strides' spread.
    spread : CycleSummary
        SD between cycles.
    """

    name: str
    cycles: FloatArray
    trials: tuple[str, ...]
    start_s: FloatArray
    outlying: BoolArray
    mean: Estimate
    spread: CycleSummary

    @property
    def variable(self) -> str:
        """Name without the side."""
        return self.name[:-2]

    @property
    def side(self) -> str:
        """``L`` or ``R``."""
        return self.name[-1].upper()


@dataclass(frozen=True, eq=False)
class Measure:
    """A number of one side, over its strides.

    Attributes
    ----------
    mean : Estimate of ()
    sd : float
        Between strides (n - 1).
    n : int
        Strides that have it.
    """

    mean: Estimate
    sd: float
    n: int

    @property
    def value(self) -> float:
        """The mean."""
        return float(self.mean.value)

    @property
    def cv(self) -> float:
        """Coefficient of variation, %; NaN unless the mean is positive."""
        return 100.0 * self.sd / self.value if self.value > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a table.

    Attributes
    ----------
    name, unit, definition : str
    sides : mapping of str to Measure
        ``L`` and ``R``.
    difference : Estimate of ()
        Left minus right.
    angle : str
        Of a peak: the angle without its side.
    """

    name: str
    unit: str
    definition: str
    sides: Mapping[str, Measure]
    difference: Estimate
    angle: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A stride that does not count."""

    trial: str
    side: str
    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, eq=False)
class GaitStudy:
    """What is known of somebody's gait.

    Attributes
    ----------
    trials : tuple of WalkTrial
    curves : mapping of str to Curve
        By angle with side; those without a cycle are not there.
    parameters : tuple of Row
        Of :data:`pose3d.kinematics.strides.GAIT_PARAMETERS`.
    peaks : tuple of Row
        Of :data:`pose3d.kinematics.cycle_peaks.PEAKS`, for every angle.
    left_out : tuple of LeftOut
    n_found, n_kept : mapping of str to int
        Strides by side.
    norms : Norms, optional
    profile : GaitProfile, optional
        Where there are norms.
    scores : mapping of str to Estimate
        The profile's numbers with their intervals: by angle with side, and ``left``, ``right``, ``overall``.
    n_samples : int
        Posterior samples behind the intervals; 0 where there are no intervals.
    not_comparable : mapping of str to str
        Angles without a side that norms were not compared with, and why.
    """

    trials: tuple[WalkTrial, ...]
    curves: Mapping[str, Curve]
    parameters: tuple[Row, ...]
    peaks: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    n_found: Mapping[str, int]
    n_kept: Mapping[str, int]
    norms: Norms | None
    profile: GaitProfile | None
    scores: Mapping[str, Estimate]
    n_samples: int
    not_comparable: Mapping[str, str]

    @property
    def outlying(self) -> tuple[tuple[str, str, float], ...]:
        """Cycles unlike the others: angle, recording, and when they begin, s."""
        return tuple(
            (curve.name, curve.trials[i], float(curve.start_s[i]))
            for curve in self.curves.values()
            for i in np.flatnonzero(curve.outlying)
        )

    def row(self, name: str) -> Row:
        """Return the row of a parameter."""
        return next(row for row in self.parameters if row.name == name)

    def foot_off(self, side: str) -> float:
        """Return when a foot leaves the ground on average, % of the cycle."""
        return self.row("foot_off").sides[side].value
