"""Parameters of gait without the size of the body, so that a child compares with an adult."""

from collections.abc import Mapping

import numpy as np

from pose3d.geometry.arrays import FloatArray

__all__ = ["GRAVITY", "leg_length", "scale_to_body"]

GRAVITY = 9.81
"""m/s^2"""

_LENGTHS = ("stride_length", "step_length", "step_width")
_TIMES = ("stride_time", "step_time", "single_support", "double_support")
_SPEEDS = ("speed",)
_RATES = ("cadence",)
_PER_MINUTE = 60.0


def leg_length(hip: FloatArray, knee: FloatArray, ankle: FloatArray, *, floor_mm: float = 0.0) -> float:
    """Return the length of a leg: from hip to knee to ankle, and the height of the ankle above the floor.

    Parameters
    ----------
    hip, knee, ankle : (n_frames, 3) array, mm
        Joint centres, Z up.
    floor_mm : float
        Height of the floor.

    Returns
    -------
    float, m
        By the median over frames; the ankle's height is that of the tenth part of the frames in which it is lowest,
        in which the foot stands. NaN where too little is seen.

    Notes
    -----
    Hof takes the height of the greater trochanter over the floor; this one follows the joints' centres and needs no
    standing trial. The two are not the same number: compare only what was scaled alike.
    """
    legs = np.linalg.norm(hip - knee, axis=-1) + np.linalg.norm(knee - ankle, axis=-1)
    height = ankle[..., 2] - floor_mm
    if not (np.isfinite(legs).any() and np.isfinite(height).any()):
        return np.nan
    lowest = height[height <= np.nanquantile(height, 0.1)]
    return float(np.nanmedian(legs) + np.median(lowest)) / 1000.0


def scale_to_body(parameters: Mapping[str, FloatArray], leg_m: float) -> dict[str, FloatArray]:
    """Return parameters of gait as numbers without a unit.

    Parameters
    ----------
    parameters : mapping of str to (...) array
        In the units of :data:`pose3d.kinematics.strides.GAIT_PARAMETERS`.
    leg_m : float, m

    Returns
    -------
    dict of str to (...) array
        Named ``<parameter>_scaled``: lengths / L, times / sqrt(L / g), speeds / sqrt(g L), rates sqrt(L / g) per
        second. What is a part of the stride or an angle has no unit to take away and is left out.

    References
    ----------
    Hof (1996), Scaling gait data to body size, Gait & Posture 4:222. Each follows from the only time and speed that a
    length and g can make; that speed / (length x rate) stays what it was is tested.

    Examples
    --------
    >>> round(float(scale_to_body({"speed": np.array(1.4)}, 0.9)["speed_scaled"]), 3)
    0.471
    """
    units = {
        **dict.fromkeys(_LENGTHS, leg_m),
        **dict.fromkeys(_TIMES, np.sqrt(leg_m / GRAVITY)),
        **dict.fromkeys(_SPEEDS, np.sqrt(leg_m * GRAVITY)),
        **dict.fromkeys(_RATES, _PER_MINUTE * np.sqrt(GRAVITY / leg_m)),
    }
    return {f"{name}_scaled": np.asarray(values) / units[name] for name, values in parameters.items() if name in units}
