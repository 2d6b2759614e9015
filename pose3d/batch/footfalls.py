"""The gait of an animal from its points: footfalls found, strides measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose3d.data import Keypoints3D
from pose3d.data.events import LimbEvents
from pose3d.errors import DataError
from pose3d.geometry.arrays import BoolArray, FloatArray
from pose3d.kinematics.footfall_events import FootfallSettings, find_footfalls
from pose3d.kinematics.footfalls import Footfalls, footfall_diagram, footfalls, limb_phases, stride_lengths
from pose3d.kinematics.gait_events import belt_velocity

__all__ = ["FootfallStudy", "study_footfalls"]


@dataclass(frozen=True, eq=False)
class FootfallStudy:
    """What the feet of one animal do.

    Attributes
    ----------
    events : LimbEvents
    strides : tuple of Footfalls
        By limb.
    length_mm : tuple of (n_strides,) array, mm
        Of the same strides.
    phase, alike : (n_limbs,) array
        Of :func:`pose3d.kinematics.footfalls.limb_phases`.
    """

    events: LimbEvents
    strides: tuple[Footfalls, ...]
    length_mm: tuple[FloatArray, ...]
    phase: FloatArray
    alike: FloatArray

    @property
    def limbs(self) -> tuple[str, ...]:
        """Names of the limbs; phases refer to the first."""
        return tuple(each.limb for each in self.strides)

    @property
    def n_strides(self) -> int:
        """Number of strides of all limbs."""
        return sum(len(each.start_s) for each in self.strides)

    def rows(self) -> list[dict[str, str | float]]:
        """Return a row for each stride."""
        return [
            {
                "limb": own.limb,
                "start_s": start,
                "stride_time_s": time,
                "duty_factor": duty,
                "phase": phase,
                "stride_length_mm": length,
                "speed_mm_s": length / time,
            }
            for own, lengths in zip(self.strides, self.length_mm, strict=True)
            for start, time, duty, phase, length in np.column_stack(
                [own.start_s, own.duration_s, own.duty_factor, own.phase, lengths]
            ).tolist()
        ]

    def diagram(self, times_s: FloatArray) -> BoolArray:
        """Tell which feet stand at some instants, (n_limbs, n_times)."""
        return footfall_diagram(self.events, self.limbs, times_s)

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        if not self.n_strides:
            return (
                "no stride: it takes two strikes of one paw with an off between; does the animal walk, and in view?",
            )
        width = max(8, *(len(name) for name in self.limbs))
        lines = [f"{'limb':{width}}  strides    duty factor    phase  stride time, s    length, mm"]
        for i, (own, lengths) in enumerate(zip(self.strides, self.length_mm, strict=True)):
            phase = f"{self.phase[i]:9.2f}" if np.isfinite(self.phase[i]) else f"{'-':>9}"
            lines.append(
                f"{own.limb:{width}}  {len(lengths):7d}  {_cell(own.duty_factor, 3):>13}{phase}"
                f"  {_cell(own.duration_s, 3):>14}  {_cell(lengths, 1):>12}"
            )
        return (*lines, *self._drawn())

    def _drawn(self, n: int = 60) -> list[str]:
        """Draw who stands, over about three strides of the first limb."""
        starts = self.strides[0].start_s
        if not len(starts):
            return []
        first = len(starts) // 2 - min(1, len(starts) // 2)
        last = float(self.events.time_s.max())  # who stands after the last event is not known
        span = min(3 * float(np.median(self.strides[0].duration_s)), last - float(starts[first]))
        times = float(starts[first]) + np.arange(n) * span / n
        width = max(8, *(len(name) for name in self.limbs))
        shown = ["".join("#" if stands else "." for stands in row) for row in self.diagram(times).tolist()]
        rows = [f"{limb:{width}}  {row}" for limb, row in zip(self.limbs, shown, strict=True)]
        return ["", *rows, f"{'':{width}}  # stands, from {times[0]:.2f} s to {times[0] + span:.2f} s"]

    def to_dict(self) -> dict[str, Any]:
        """Say it to programs."""

        def number(value: float) -> float | None:
            return float(value) if np.isfinite(value) else None

        return {
            own.limb: {
                "n_strides": len(lengths),
                "duty_factor": number(_mean(own.duty_factor)),
                "phase": number(self.phase[i]),
                "phase_alike": number(self.alike[i]),
                "stride_time_s": number(_mean(own.duration_s)),
                "stride_length_mm": number(_mean(lengths)),
            }
            for i, (own, lengths) in enumerate(zip(self.strides, self.length_mm, strict=True))
        }


def study_footfalls(
    points: Keypoints3D,
    limbs: Mapping[str, str],
    *,
    body: Sequence[str] = (),
    events: LimbEvents | None = None,
    individual: int = 0,
    fps: float | None = None,
    settings: FootfallSettings | None = None,
) -> FootfallStudy:
    """Measure the strides of an animal with any number of legs.

    Parameters
    ----------
    points : Keypoints3D
        Z up.
    limbs : mapping of str to str
        Limb to the keypoint of its paw; phases refer to the first.
    body : sequence of str
        Keypoints of the trunk, whose middle tells how fast the animal goes; by default the middle of the paws.
    events : LimbEvents, optional
        Instead of those that are found.
    individual : int
    fps : float, optional
        Instead of ``points.fps``.
    settings : FootfallSettings, optional

    Raises
    ------
    DataError
        If a keypoint is not there, two limbs have one keypoint, or the frame rate is unknown.
    """
    rate = points.fps if fps is None else fps
    if rate is None:
        raise DataError("the frame rate of the points is unknown; give --fps")
    for name in (*limbs.values(), *body):
        if name not in points.keypoints:
            raise DataError(f"keypoint {name!r} is not in the data; it has {', '.join(points.keypoints)}")
    if len(set(limbs.values())) != len(limbs):
        raise DataError("two limbs have the same keypoint; each needs its own")
    place = {name: points.xyz[:, individual, i] for i, name in enumerate(points.keypoints)}
    paws = {limb: place[name] for limb, name in limbs.items()}
    trunk = np.mean([place[name] for name in body], axis=0) if body else None
    if events is None:
        events = find_footfalls(paws, fps=rate, body=trunk, start=points.start, settings=settings)
    strides = footfalls(events, tuple(limbs))
    belt = belt_velocity(paws, paws, np.mean(list(paws.values()), axis=0) if trunk is None else trunk, fps=rate)
    lengths = tuple(stride_lengths(own, paws[own.limb], fps=rate, start=points.start, belt=belt) for own in strides)
    phase, alike = limb_phases(strides)
    return FootfallStudy(events, strides, lengths, phase, alike)


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _cell(values: FloatArray, digits: int) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "-"
    sd = f" ± {known.std(ddof=1):.{digits}f}" if len(known) > 1 else ""
    return f"{known.mean():.{digits}f}{sd}"
