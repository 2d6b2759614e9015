"""How numbers and names of gait are written for people."""

from collections.abc import Mapping

import numpy as np

from pose3d.kinematics.estimates import Estimate
from pose3d.kinematics.gait_findings import Measure
from pose3d.kinematics.human import HUMAN_ANGLES
from pose3d.kinematics.segments import CARDAN_JOINTS
from pose3d.kinematics.walking_angles import WALKING_ANGLES

__all__ = [
    "SIDES",
    "angle_definition",
    "decimals",
    "interval_text",
    "is_apart",
    "measure_text",
    "number_text",
    "positive_words",
    "readable",
    "shortened_middle",
]

SIDES: Mapping[str, str] = {"L": "left", "R": "right"}

_OURS = (*HUMAN_ANGLES, *WALKING_ANGLES)
_DECIMALS = {"m": 3, "s": 3, "m/s": 2}
_WORDS = {
    "hip_flexion_trunk": "Hip flexion, to the trunk",
    "maximum_at": "Time of the maximum",
    "at_off": "At foot off",
}
_JOINT_WORDS = {"lab": "the walking direction", "PEL": "pelvis", "?FE": "thigh", "?TI": "shank", "?FO": "foot"}


def readable(name: str) -> str:
    """Return a name as people write it, without its side.

    Examples
    --------
    >>> readable("knee_flexion"), readable("at_strike")
    ('Knee flexion', 'At strike')
    """
    return _WORDS.get(name) or name.replace("_", " ").capitalize()


def shortened_middle(name: str, most: int) -> str:
    """Take the middle out of a long name: recordings often differ in their ends alone.

    Examples
    --------
    >>> shortened_middle("P07_barefoot_corridor_take_05", 16)
    'P07_b…or_take_05'
    """
    if len(name) <= most:
        return name
    head = most // 3
    return f"{name[:head]}…{name[len(name) - (most - head - 1) :]}"


def decimals(unit: str) -> int:
    """Return how many decimals a number of a unit is shown with."""
    return _DECIMALS.get(unit, 1)


def number_text(value: float, places: int) -> str:
    """Return a number with a true minus sign; a dash where there is none."""
    # Rounded first, as nothing is shown as minus zero.
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "−") if np.isfinite(value) else "–"


def measure_text(measure: Measure, unit: str) -> str:
    """Return mean and SD: ``61.2 ± 1.4``; a dash where there is nothing.

    Examples
    --------
    >>> from pose3d.kinematics.estimates import estimate
    >>> measure_text(Measure(estimate(61.234), 1.377, 5), "deg")
    '61.2 ± 1.4'
    """
    places = decimals(unit)
    if not np.isfinite(measure.value):
        return "–"
    return number_text(measure.value, places) + (
        f" ± {number_text(measure.sd, places)}" if np.isfinite(measure.sd) else ""
    )


def interval_text(estimate: Estimate, unit: str, *, with_value: bool = False) -> str:
    """Return an interval in brackets, nothing where it is not known; its value before it if wanted."""
    places = decimals(unit)
    value = number_text(float(estimate.value), places) if with_value else ""
    if not (np.isfinite(estimate.low).all() and np.isfinite(estimate.value).all()):
        return value
    low, high = (number_text(float(end), places) for end in (estimate.low, estimate.high))
    return f"{value} [{low}, {high}]".strip()


def is_apart(difference: Estimate, unit: str) -> bool:
    """Tell whether the interval of a difference leaves zero out, as far as it is shown."""
    low, high = (round(float(end), decimals(unit)) for end in (difference.low, difference.high))
    return low > 0 or high < 0


def positive_words(variable: str) -> str:
    """Return what is positive of an angle; nothing for those of a user's own."""
    for joint in CARDAN_JOINTS:
        for component in joint.components:
            if component.name == variable:
                return component.positive
    return next((angle.positive for angle in _OURS if angle.name == variable), "")


def angle_definition(variable: str, *, from_keypoints: bool) -> str:
    """Return how an angle is defined, with what is positive and, where it is known, how good the definition is."""
    if from_keypoints:
        for angle in _OURS:
            if angle.name == variable:
                error = f" Against Plug-in Gait: {angle.error}." if angle.error else ""
                return f"{angle.definition}; zero: {angle.zero}; positive: {angle.positive}.{error}"
    for joint in CARDAN_JOINTS:
        for component in joint.components:
            if component.name == variable:
                near, far = (_JOINT_WORDS.get(segment, segment) for segment in (joint.proximal, joint.distal))
                return (
                    f"{far} against {near}: turn about {component.axis} of the Cardan sequence {joint.sequence}; "
                    f"positive: {component.positive}."
                )
    return "as the recording's file or the project's settings define it."
