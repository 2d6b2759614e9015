"""How far a gait is from the norm: Gait Variable Score, Movement Analysis Profile and Gait Profile Score.

All three are root mean squares. Programs that average the variables' scores arithmetically give smaller numbers, which
cannot be compared with published ones.

References
----------
Baker et al. (2009), The Gait Profile Score and Movement Analysis Profile, Gait & Posture 30:265.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pose3d.geometry.arrays import FloatArray

__all__ = ["GPS_MCID_DEG", "GPS_VARIABLES", "GaitProfile", "gait_profile", "gait_variable_score"]

GPS_VARIABLES: tuple[str, ...] = (
    "pelvis_tilt",
    "pelvis_obliquity",
    "pelvis_rotation",
    "hip_flexion",
    "hip_adduction",
    "hip_rotation",
    "knee_flexion",
    "ankle_dorsiflexion",
    "foot_progression",
)
"""The nine of each side; in the overall score the pelvis counts once, by its left side."""

GPS_MCID_DEG = 1.6
"""The smallest difference of a GPS (not of a GPS-k) that matters to a patient, degrees.

The mean difference between children with cerebral palsy of neighbouring levels of the Functional Assessment
Questionnaire; children without complaints have an SD of 1.4 degrees. Baker et al. (2012), The minimal clinically
important difference for the Gait Profile Score, Gait & Posture 35:612.
"""

_N_POINTS = 51  # 0, 2, ..., 100 %


@dataclass(frozen=True)
class GaitProfile:
    """The scores of one gait.

    Attributes
    ----------
    scores : mapping of str to float, degrees
        Gait Variable Score of each angle, named ``<variable>_l`` and ``_r``: the Movement Analysis Profile.
    left, right, overall : float, degrees
        Gait Profile Score; NaN without any variable.
    missing : tuple of str
        Variables that are not there. With some missing it is no GPS: see `name`.
    """

    scores: Mapping[str, float]
    left: float
    right: float
    overall: float
    missing: tuple[str, ...]

    @property
    def name(self) -> str:
        """``GPS``, or ``GPS-k`` for k of the 15 variables, which must not be compared with a GPS."""
        n = _n_variables(self.scores)
        return "GPS" if not self.missing else f"GPS-{n}"


def gait_variable_score(mean: ArrayLike, norm: ArrayLike) -> FloatArray:
    """Return the root mean square distance of a mean cycle from that of the norm.

    Parameters
    ----------
    mean, norm : (..., 101) or (..., 51) arrays, degrees
        From 0 to 100 %.

    Returns
    -------
    (...) array, degrees
        Over the instants 0, 2, ..., 100 %; NaN where one is missing.

    Raises
    ------
    ValueError
        If an array has another number of instants.
    """
    difference = _every_second(mean) - _every_second(norm)
    return np.asarray(np.sqrt((difference**2).mean(-1)))


def gait_profile(means: Mapping[str, ArrayLike], norms: Mapping[str, ArrayLike]) -> GaitProfile:
    """Score a gait against a norm.

    Parameters
    ----------
    means : mapping of str to (101,) or (51,) array, degrees
        Mean cycles, named ``<variable>_l`` and ``_r``; each side from its own strike to its next.
    norms : mapping of str to (101,) or (51,) array, degrees
        By variable, without a side.

    Returns
    -------
    GaitProfile
        Of :data:`GPS_VARIABLES` as far as they are in both; what has a gap counts as missing.
    """
    scores, missing = {}, []
    for variable in GPS_VARIABLES:
        for side in "lr":
            name = f"{variable}_{side}"
            score = np.nan
            if name in means and variable in norms:
                score = float(gait_variable_score(means[name], norms[variable]))
            if np.isfinite(score):
                scores[name] = score
            elif _counts_once(name):
                missing.append(name)
    sides = [[score for name, score in scores.items() if name.endswith(side)] for side in ("_l", "_r")]
    both = [score for name, score in scores.items() if _counts_once(name)]
    return GaitProfile(scores, _rms(sides[0]), _rms(sides[1]), _rms(both), tuple(missing))


def _counts_once(name: str) -> bool:
    return not (name.startswith("pelvis_") and name.endswith("_r"))


def _n_variables(scores: Mapping[str, float]) -> int:
    return sum(_counts_once(name) for name in scores)


def _rms(scores: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(scores)))) if scores else np.nan


def _every_second(cycle: ArrayLike) -> FloatArray:
    values = np.asarray(cycle, dtype=np.float64)
    step, rest = divmod(values.shape[-1] - 1, _N_POINTS - 1) if values.ndim else (0, 1)
    if rest or step < 1:
        raise ValueError(f"a cycle has 51 or 101 instants, not {values.shape[-1] if values.ndim else 0}")
    return values[..., ::step]
