"""What synchronisation found, and in plain words why it could not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose3d.data.names import counted
from pose3d.data.timing import Timing
from pose3d.geometry.arrays import FloatArray, IntArray
from pose3d.reconstruction.synchronization.coarse import Join

__all__ = ["Synchronization", "explain_failure", "explain_uncertainty"]

_STILL = 0.5  # noise of a detection a frame: slower motion is called none
_ALONG = 0.02  # part of the motion's energy across the epipolar lines, below which it is said to run along them


@dataclass(frozen=True, eq=False)
class Synchronization:
    """Offsets and drift of each camera, and of whom they can be told.

    Attributes
    ----------
    timing : Timing
        Cameras that cannot be told have offset 0 and ``found`` says ``assumed``.
    identifiable : dict of str to bool
        Whether the motion tells a camera's offset; the reference's is True if any other's is.
    reasons : dict of str to str
        Of the cameras that are not.
    noise_px : (n_cameras,) array, px
        Of smoothed detections around the points that they make together; NaN for cameras that did not take part.
    n_samples : (n_cameras,) int array
        Views that took part.
    n_frames : int
    fps : float, optional
    """

    timing: Timing
    identifiable: Mapping[str, bool]
    reasons: Mapping[str, str]
    noise_px: FloatArray
    n_samples: IntArray
    n_frames: int
    fps: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every camera's offset is found."""
        return all(self.identifiable.values())

    def lines(self) -> list[str]:
        """Say it for people: a line a camera, then what could not be told."""
        timing = self.timing
        width = max(len(name) for name in timing.cameras)
        rate = f", {self.fps:g} fps" if self.fps else ""
        out = [f"{counted(self.n_frames, 'frame')}{rate}; offsets count from camera {timing.reference}"]
        for c, name in enumerate(timing.cameras):
            if not self.identifiable[name]:
                given = timing.found[c] == "given"
                kept = f"stays at {timing.offset_frames[c]:g}, as given" if given else "cannot be told"
                out.append(f"{name:<{width}}  {kept}")
                continue
            if timing.found[c] == "reference":
                out.append(f"{name:<{width}}  reference")
                continue
            line = f"{name:<{width}}  {timing.offset_frames[c]:+9.3f} +- {1.96 * timing.sd_frames[c]:.3f} frames"
            if self.fps:
                line += f" ({1000 * timing.offset_frames[c] / self.fps:+.2f} ms)"
            if timing.drift.any():
                line += f", drift {1e6 * timing.drift[c]:+.2f} +- {1.96e6 * timing.sd_drift[c]:.2f} ppm"
            out.append(line)
        return out + list(self.reasons.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for ``--json``; unknown ones are None."""
        timing = self.timing
        return {
            "reference": timing.reference,
            "at_frame": timing.at_frame,
            "n_frames": self.n_frames,
            "fps": self.fps,
            "complete": self.complete,
            "cameras": {
                name: {
                    "offset_frames": float(timing.offset_frames[c]),
                    "sd_frames": _plain(timing.sd_frames[c]),
                    "drift_ppm": _plain(1e6 * timing.drift[c]),
                    "sd_ppm": _plain(1e6 * timing.sd_drift[c]),
                    "found": timing.found[c],
                    "identifiable": bool(self.identifiable[name]),
                    "reason": self.reasons.get(name, ""),
                    "noise_px": _plain(self.noise_px[c]),
                    "n_views": int(self.n_samples[c]),
                }
                for c, name in enumerate(timing.cameras)
            },
        }


def explain_failure(
    name: str, joins: Sequence[Join], *, seen: bool, speed_px: float, noise_px: float, reach: int
) -> str:
    """Say why a camera could not be joined to any other.

    Parameters
    ----------
    name : str
    joins : sequence of Join
        With all other groups of cameras.
    seen : bool
        Whether there is any usable track.
    speed_px : float, px/frame
    noise_px : float, px
    reach : int, frames
    """
    where = f"camera {name}"
    if not seen:
        return f"{where}: hardly any detection, or too few frames in a row; check its file"
    order = ("repeats", "edge", "short", "motion", "misfit", "overlap")
    join = min(joins, key=lambda j: (order.index(j.reason), -j.clarity))
    if join.reason == "repeats":
        lags = ", ".join(f"{lag - join.lag:+.0f}" for lag in join.rivals[:3])
        return (
            f"{where}: the motion repeats itself: offsets that differ by {lags} frames fit as well; record something "
            "that does not repeat (a jump, a turn), or lower the largest offset below half the period"
        )
    if join.reason == "short":
        return (
            f"{where}: the recording is short for offsets up to {reach} frames: at some of them too little is left to "
            "compare; lower the largest offset, or record for longer"
        )
    if join.reason == "edge":
        return f"{where}: the best offset is the largest that was tried ({reach} frames); allow larger ones"
    if join.reason == "misfit":
        return (
            f"{where}: no offset up to {reach} frames makes its views agree with other cameras'; allow larger ones, or "
            "check the calibration and whether the files belong together"
        )
    if join.reason == "overlap":
        return f"{where}: it sees too little together with another camera; nothing can be compared"
    if speed_px < _STILL * noise_px:
        return (
            f"{where}: hardly anything moves ({speed_px:.2f} px a frame, detections scatter by {noise_px:.2f} px); "
            "record something that moves"
        )
    return (
        f"{where}: offsets fit about alike: what moves ({speed_px:.1f} px a frame) is too slow, or moves along the "
        "lines on which the other cameras see it (epipolar lines); record motion in other directions"
    )


def explain_uncertainty(
    name: str, *, offset: float, sd: float, speed_px: float, across: float, few: bool = False
) -> str:
    """Say why the offset of a camera remains uncertain after the fit.

    Parameters
    ----------
    name : str
    offset, sd : float, frames
    speed_px : float, px/frame
    across : float, 0..1
        Part of the motion's energy that lies across the epipolar lines.
    few : bool
        Whether there are hardly any frames.
    """
    if not np.isfinite(sd) and few:
        return f"camera {name}: too few frames are seen together with other cameras; record for longer"
    if across < _ALONG and speed_px > 0:
        why = "what moves, moves along the lines on which the other cameras see it (epipolar lines)"
    else:
        why = f"too little moves ({speed_px:.2f} px a frame)"
    known = (
        f"{offset:+.1f} +- {1.96 * sd:.1f} frames is all that can be said" if np.isfinite(sd) else "nothing is known"
    )
    return f"camera {name}: {why}: {known}; record more motion, in other directions"


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
