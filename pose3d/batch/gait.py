"""A walk from points in space: low-passed, its events found, its strides measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pose3d.data import Keypoints3D
from pose3d.data.events import OFF, STRIKE, LimbEvents
from pose3d.errors import DataError
from pose3d.filtering.butterworth import butterworth_filter, design_butterworth
from pose3d.geometry.arrays import FloatArray
from pose3d.kinematics.floor import floor_from_feet
from pose3d.kinematics.gait import FootPoints, Gait, foot_points, measure_gait
from pose3d.kinematics.gait_events import EventSettings, belt_velocity, find_events
from pose3d.kinematics.strides import GAIT_PARAMETERS

__all__ = [
    "EVENT_CUTOFF_HZ",
    "WalkSummary",
    "belt_words",
    "gait_events",
    "has_steps",
    "level_points",
    "level_rotation",
    "measure_walk",
    "over_the_belt",
    "summarize_walk",
    "tilt_of",
    "turn_points",
    "walking_belt",
]

EVENT_CUTOFF_HZ = 7.0
_UPRIGHT = 0.7  # of the distance from feet to hips: how much of it is height, in walking
_LEAST_RATES = 3.0  # frames in a period of the cutoff: fewer cannot be low-passed
_SIDES = {"L": "left", "R": "right"}


def gait_events(
    points: Keypoints3D,
    *,
    individual: int = 0,
    fps: float | None = None,
    cutoff_hz: float | None = EVENT_CUTOFF_HZ,
    settings: EventSettings | None = None,
) -> LimbEvents:
    """Find when the feet of somebody strike the ground and leave it.

    Parameters
    ----------
    points : Keypoints3D
        Keypoints of a skeleton with heels and toes, or markers; Z up.
    individual : int
    fps : float, optional
        Instead of ``points.fps``.
    cutoff_hz : float or None
        Low-pass for this purpose only (3 dB); None where the points are smooth already.
    settings : EventSettings, optional

    Raises
    ------
    DataError
        If heels, toes or hips are not among the points, the frame rate is unknown, or Z does not point up.
    ConfigError
        If the cutoff cannot be had at this frame rate.
    """
    names, rate = foot_points(points.keypoints), _rate(points, fps)
    by_name = _by_name(points, individual)
    _require_upright(by_name, names)

    def smooth(xyz: FloatArray) -> FloatArray:
        return xyz if cutoff_hz is None else butterworth_filter(xyz, design_butterworth(cutoff_hz, fps=rate)).values

    return find_events(
        {side: smooth(by_name[name]) for side, name in names.heels.items()},
        {side: smooth(by_name[name]) for side, name in names.toes.items()},
        smooth(np.mean([by_name[name] for name in names.pelvis], axis=0)),
        fps=rate,
        start=points.start,
        settings=settings,
    )


def walking_belt(points: Keypoints3D, *, individual: int = 0, fps: float | None = None) -> FloatArray:
    """Return how the belt moves on which somebody walks, (2,) mm/s over the floor; zero without a treadmill.

    Parameters
    ----------
    points : Keypoints3D
        Z up.
    individual : int
    fps : float, optional
        Instead of ``points.fps``.

    Raises
    ------
    DataError
        As :func:`gait_events`.
    """
    names, by_name, rate = foot_points(points.keypoints), _by_name(points, individual), _rate(points, fps)
    low = design_butterworth(EVENT_CUTOFF_HZ, fps=rate) if rate > _LEAST_RATES * EVENT_CUTOFF_HZ else None

    def smooth(xyz: FloatArray) -> FloatArray:
        return xyz if low is None else butterworth_filter(xyz, low).values

    heels, toes = ({side: smooth(by_name[name]) for side, name in part.items()} for part in (names.heels, names.toes))
    belt = belt_velocity(heels, toes, smooth(np.mean([by_name[name] for name in names.pelvis], axis=0)), fps=rate)
    # What is slower is the sway of somebody who stands.
    return belt if np.linalg.norm(belt) > EventSettings().least_speed else np.zeros(2)


def over_the_belt(xyz: FloatArray, belt: FloatArray, fps: float) -> FloatArray:
    """Return points (..., n_frames, 3) as seen from a treadmill's belt; over ground they stay as they are."""
    drift = np.append(belt, 0.0) * (np.arange(xyz.shape[-2]) / fps)[:, None]
    return np.asarray(xyz - drift)


def belt_words(belt: FloatArray) -> str:
    """Say that somebody walks on a treadmill; nothing where not."""
    speed = float(np.linalg.norm(belt)) / 1000.0
    return f"On a treadmill: its belt moves at {speed:.2f} m/s, and steps are measured over it" if speed > 0 else ""


def has_steps(events: LimbEvents) -> bool:
    """Tell whether any event is a strike or an off of ``L`` or ``R``: laboratories mark other instants as well."""
    return any(limb in _SIDES and kind in (STRIKE, OFF) for limb, kind in zip(events.limbs, events.kinds, strict=True))


def measure_walk(
    points: Keypoints3D,
    events: LimbEvents,
    angles: Mapping[str, FloatArray] | None = None,
    *,
    individual: int = 0,
    fps: float | None = None,
    most_turn_deg: float | None = 20.0,
) -> Gait:
    """Measure the strides of somebody, by the points of the toes as Vicon does; on a treadmill over its belt.

    Parameters
    ----------
    points : Keypoints3D
    events : LimbEvents
    angles : mapping of str to (n_frames,) array, degrees, optional
        Cut into cycles; see :func:`pose3d.kinematics.gait.measure_gait`.
    individual : int
    fps : float, optional
        Instead of ``points.fps``.
    most_turn_deg : float or None
        A stride that turns more does not count.

    Raises
    ------
    DataError
        As :func:`gait_events`, or if there are events, but no strikes and offs of L and R among them.
    """
    if len(events) and not has_steps(events):
        told = sorted({f"{limb} {kind}" for limb, kind in zip(events.limbs, events.kinds, strict=True)})
        raise DataError(f"the events are {', '.join(told[:6])}; gait needs strike and off of L and R")
    names, by_name, rate = foot_points(points.keypoints), _by_name(points, individual), _rate(points, fps)
    belt = walking_belt(points, individual=individual, fps=rate)
    return measure_gait(
        events,
        {side: over_the_belt(by_name[name], belt, rate) for side, name in names.toes.items()},
        angles or {},
        fps=rate,
        start=points.start,
        most_turn_deg=most_turn_deg,
    )


@dataclass(frozen=True)
class WalkSummary:
    """What strides have in common.

    Attributes
    ----------
    kept, found : mapping of str to int
        Strides by side: those that count, and all.
    left_out : mapping of str to int
        Reason to number of strides.
    values : mapping of str to mapping of str to (float, float)
        By side and parameter: mean and SD (n - 1) over the strides that count.
    """

    kept: Mapping[str, int]
    found: Mapping[str, int]
    left_out: Mapping[str, int]
    values: Mapping[str, Mapping[str, tuple[float, float]]]

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        if not any(self.found.values()):
            return ("no stride: it takes two strikes of one foot; is somebody walking, and are the feet in view?",)
        counts = ", ".join(f"{_SIDES[side]} {self.kept[side]} of {self.found[side]}" for side in self.kept)
        lines = [f"strides that count: {counts}"]
        lines += [f"  {number} left out: {reason}" for reason, number in self.left_out.items()]
        if any(self.kept.values()):
            lines.append(f"{'':24}{'left':>18}{'right':>18}")
        for parameter in GAIT_PARAMETERS:
            cells = [_cell(*self.values[side][parameter.name]) for side in ("L", "R")]
            if any(cell != "-" for cell in cells):
                label = f"{parameter.name.replace('_', ' ')}, {parameter.unit}"
                lines.append(f"{label:24}{cells[0]:>18}{cells[1]:>18}")
        return tuple(lines)

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""

        def number(value: float) -> float | None:
            return value if np.isfinite(value) else None

        return {
            "strides": {
                _SIDES[side]: {
                    "kept": self.kept[side],
                    "found": self.found[side],
                    "parameters": {
                        name: {"mean": number(mean), "sd": number(sd)} for name, (mean, sd) in self.values[side].items()
                    },
                }
                for side in self.kept
            },
            "left_out": dict(self.left_out),
        }


def summarize_walk(gait: Gait) -> WalkSummary:
    """Return the means of the strides that count."""
    left_out: dict[str, int] = {}
    values: dict[str, dict[str, tuple[float, float]]] = {}
    for side, own in gait.sides.items():
        for reason in own.strides.reasons:
            if reason:
                left_out[reason] = left_out.get(reason, 0) + 1
        values[side] = {name: _mean_sd(array[..., own.strides.kept]) for name, array in own.parameters.items()}
    kept = {side: int(own.strides.kept.sum()) for side, own in gait.sides.items()}
    return WalkSummary(kept, {side: len(own.strides) for side, own in gait.sides.items()}, left_out, values)


def _mean_sd(values: FloatArray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (
        float(known.mean()) if len(known) else np.nan,
        float(known.std(ddof=1)) if len(known) > 1 else np.nan,
    )


def _cell(mean: float, sd: float) -> str:
    if not np.isfinite(mean):
        return "-"
    digits = 1 if abs(mean) >= 10 else 2
    return f"{mean:.{digits}f}" + (f" ± {sd:.{digits}f}" if np.isfinite(sd) else "")


def level_rotation(points: Keypoints3D, *, fps: float | None = None) -> tuple[FloatArray, FloatArray] | None:
    """Find how to turn points so that Z points up, by the feet that stand on the floor.

    Parameters
    ----------
    points : Keypoints3D
        With heels, toes and hips.
    fps : float, optional
        Instead of ``points.fps``.

    Returns
    -------
    rotation : (3, 3) array
    translation : (3,) array, mm
        None where the hips of the first individual are above its feet already.

    Raises
    ------
    DataError
        As :func:`gait_events`, or if too little of the feet is seen.
    """
    names, by_name, rate = foot_points(points.keypoints), _by_name(points, 0), _rate(points, fps)
    if _is_upright(by_name, names):
        return None
    feet = [by_name[name] for name in (*names.heels.values(), *names.toes.values())]
    pelvis = np.mean([by_name[name] for name in names.pelvis], axis=0)
    rotation, translation = floor_from_feet(feet, pelvis, fps=rate)
    if np.isnan(rotation).any():
        raise DataError("Z does not point up, and too little of the feet is seen to find the floor; use pose3d align")
    return rotation, translation


def turn_points(points: Keypoints3D, rotation: FloatArray, translation: FloatArray) -> Keypoints3D:
    """Return points in another world, with their covariances."""
    covariance = None if points.covariance is None else rotation @ points.covariance @ rotation.T
    return replace(points, xyz=points.xyz @ rotation.T + translation, covariance=covariance)


def level_points(points: Keypoints3D, *, fps: float | None = None) -> tuple[Keypoints3D, float | None]:
    """Turn points so that Z points up where it does not, as :func:`level_rotation` finds.

    Returns
    -------
    Keypoints3D
    tilt_deg : float or None, degrees
        By how much they were turned; None where they were not.
    """
    level = level_rotation(points, fps=fps)
    return (points, None) if level is None else (turn_points(points, *level), tilt_of(level[0]))


def tilt_of(rotation: FloatArray) -> float:
    """Return by how many degrees a rotation turns the vertical."""
    return float(np.degrees(np.arccos(np.clip(rotation[2, 2], -1.0, 1.0))))


def _require_upright(by_name: Mapping[str, FloatArray], names: FootPoints) -> None:
    """Check that hips are above feet: of a world that was not aligned with the floor nothing can be told."""
    if not _is_upright(by_name, names):
        raise DataError(
            "the hips are not above the feet: Z must point up; calibrate with --floor-frame, or use pose3d align"
        )


def _is_upright(by_name: Mapping[str, FloatArray], names: FootPoints) -> bool:
    pelvis = np.mean([by_name[name] for name in names.pelvis], axis=0)
    legs = pelvis - np.mean([by_name[name] for name in (*names.heels.values(), *names.toes.values())], axis=0)
    known = legs[np.isfinite(legs).all(-1)]
    return not len(known) or bool(np.median(known[:, 2]) >= _UPRIGHT * np.median(np.linalg.norm(known, axis=-1)))


def _rate(points: Keypoints3D, fps: float | None) -> float:
    rate = points.fps if fps is None else fps
    if rate is None:
        raise DataError("the frame rate of the points is unknown; give --fps")
    return rate


def _by_name(points: Keypoints3D, individual: int) -> dict[str, FloatArray]:
    return {name: points.xyz[:, individual, i] for i, name in enumerate(points.keypoints)}
