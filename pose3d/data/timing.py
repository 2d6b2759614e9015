"""When each camera saw what: offsets and drift against a common time line, or the times of all frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from pose3d.data.names import counted, different_names
from pose3d.geometry.arrays import FloatArray, frozen_array

__all__ = ["FOUND", "FrameTimes", "Timing"]

FOUND = ("reference", "motion", "given", "assumed")
"""Where an offset comes from: from the camera that the others count from, the motion, a person, nowhere."""


@dataclass(frozen=True, eq=False, repr=False)
class Timing:
    """Offset and drift of each camera's clock, in frames.

    A camera shows instant ``i`` of the recording at its own frame ``i + offset + drift * (i - at_frame)``. Instants
    and frames are counted from the start of the videos, so that without drift this is the meaning of the whole
    offsets elsewhere: frame ``i + offset`` of that camera shows instant ``i``, and a positive offset belongs to a
    camera that began to record earlier.

    Attributes
    ----------
    cameras : tuple of str
    offset_frames : (n_cameras,) array, frames
        At instant `at_frame`.
    drift : (n_cameras,) array, frames per frame
        1e-6 is one part in a million (ppm).
    sd_frames : (n_cameras,) array, frames
        Standard deviation of the offset; 0 for the reference, NaN where it is not known.
    sd_drift : (n_cameras,) array, frames per frame
        NaN where it is not known.
    found : tuple of str
        One of :data:`FOUND` for each camera.
    reference : str
        Camera that the others count from.
    at_frame : float
        Instant at which the offsets hold.
    """

    cameras: tuple[str, ...]
    offset_frames: FloatArray
    drift: FloatArray
    sd_frames: FloatArray
    sd_drift: FloatArray
    found: tuple[str, ...]
    reference: str
    at_frame: float = 0.0

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "cameras", different_names("cameras", self.cameras))
        n = len(self.cameras)
        for name in ("offset_frames", "drift", "sd_frames", "sd_drift"):
            put(self, name, frozen_array(getattr(self, name), shape=(n,), what=name))
        put(self, "found", tuple(self.found))
        put(self, "at_frame", float(self.at_frame))
        if len(self.found) != n or not set(self.found) <= set(FOUND):
            raise ValueError(f"found {self.found}: one of {', '.join(FOUND)} for each of {counted(n, 'camera')}")
        if self.reference not in self.cameras:
            raise ValueError(f"reference {self.reference!r} is none of the cameras {', '.join(self.cameras)}")
        if not (np.isfinite(self.offset_frames).all() and np.isfinite(self.drift).all() and np.isfinite(self.at_frame)):
            raise ValueError("offset_frames, drift and at_frame must be finite")
        if (np.abs(self.drift) >= 0.5).any():
            raise ValueError("drift must be less than half a frame per frame")

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {offset:+.2f}" for name, offset in zip(self.cameras, self.offset_frames, strict=True))
        return f"Timing({told} frames{', drifting' if self.drift.any() else ''})"

    @classmethod
    def of_offsets(cls, cameras: Sequence[str], offsets: Mapping[str, float]) -> "Timing":
        """Take offsets that a person gives.

        Parameters
        ----------
        cameras : sequence of str
        offsets : mapping of str to float, frames
            Cameras that are absent have none.

        Raises
        ------
        KeyError
            If an offset belongs to no camera.
        """
        strangers = [name for name in offsets if name not in cameras]
        if strangers:
            raise KeyError(f"no camera {strangers[0]!r}; there are {', '.join(cameras)}")
        n = len(cameras)
        zero, unknown = np.zeros(n), np.full(n, np.nan)
        frames = np.array([float(offsets.get(name, 0.0)) for name in cameras])
        return cls(tuple(cameras), frames, zero, unknown, unknown, ("given",) * n, cameras[0])

    @property
    def in_step(self) -> bool:
        """Whether all cameras show an instant at the same frame."""
        return not (self.offset_frames.any() or self.drift.any())

    def select(self, cameras: Sequence[str]) -> "Timing":
        """Return the named cameras, in that order; counted from the first if the reference is not among them.

        Raises
        ------
        KeyError
            If there is no such camera.
        """
        strangers = [name for name in cameras if name not in self.cameras]
        if strangers:
            raise KeyError(f"no camera {strangers[0]!r}; there are {', '.join(self.cameras)}")
        at = [self.cameras.index(name) for name in cameras]
        return replace(
            self,
            cameras=tuple(cameras),
            offset_frames=self.offset_frames[at],
            drift=self.drift[at],
            sd_frames=self.sd_frames[at],
            sd_drift=self.sd_drift[at],
            found=tuple(self.found[i] for i in at),
            reference=self.reference if self.reference in cameras else cameras[0],
        )

    def own_frames(self, instants: ArrayLike) -> FloatArray:
        """Return the frame at which each camera shows an instant.

        Parameters
        ----------
        instants : (n,) array, frames

        Returns
        -------
        (n, n_cameras) array, frames
        """
        i = np.asarray(instants, dtype=np.float64)[:, None]
        return np.asarray(i + self.offset_frames + self.drift * (i - self.at_frame))

    def frames_needed(self, first: int, last: int, *, reach: int = 6) -> tuple[int, int]:
        """Return which frames the cameras show a run of instants at, as a half-open range.

        Parameters
        ----------
        first, last : int
            Instants ``first`` to ``last - 1``.
        reach : int
            Frames besides, for interpolation.
        """
        ends = self.own_frames([first, max(first, last - 1)])
        return max(0, int(np.floor(ends.min())) - reach), int(np.ceil(ends.max())) + reach + 1

    def common_instants(self, first: int, last: int) -> tuple[int, int]:
        """Return the instants that all cameras show within their frames `first` to ``last - 1``, half-open."""
        pace = 1 + self.drift
        begin = (first - self.offset_frames + self.drift * self.at_frame) / pace
        end = (last - 1 - self.offset_frames + self.drift * self.at_frame) / pace
        low = int(np.ceil(begin.max() - 1e-9))
        return low, max(low, int(np.floor(end.min() + 1e-9)) + 1)


@dataclass(frozen=True, eq=False, repr=False)
class FrameTimes:
    """When every frame of every camera was taken, on a clock that the cameras share.

    Instants are evenly spaced: instant ``i`` is at ``start_s + i / fps``.

    Attributes
    ----------
    cameras : tuple of str
    times_s : tuple of (n_frames of that camera,) array, s
        NaN for a frame without a time. Of frames with one and the same time only the first counts.
    fps : float
    start_s : float
    n_instants : int
        How many there are while all cameras record.
    """

    cameras: tuple[str, ...]
    times_s: tuple[FloatArray, ...]
    fps: float
    start_s: float
    n_instants: int

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "cameras", different_names("cameras", self.cameras))
        kept = []
        for name, given in zip(self.cameras, self.times_s, strict=True):
            times = np.array(given, dtype=np.float64)
            known = np.flatnonzero(np.isfinite(times))
            steps = np.diff(times[known])
            if (steps < 0).any():
                raise ValueError(f"camera {name}: time runs backwards")
            times[known[1:][steps == 0]] = np.nan
            kept.append(frozen_array(times, shape=(None,), what=f"times of {name}"))
        put(self, "times_s", tuple(kept))
        if not (np.isfinite(self.fps) and self.fps > 0 and np.isfinite(self.start_s)):
            raise ValueError("fps must be positive and start_s finite")

    def __repr__(self) -> str:
        return f"FrameTimes({counted(len(self.cameras), 'camera')}, {self.n_instants} instants at {self.fps:g} fps)"

    @property
    def in_step(self) -> bool:
        """Whether nothing has to be interpolated: never, since times are measured."""
        return False

    def select(self, cameras: Sequence[str]) -> "FrameTimes":
        """Return the named cameras, in that order, on the same time line.

        Raises
        ------
        KeyError
            If there is no such camera.
        """
        strangers = [name for name in cameras if name not in self.cameras]
        if strangers:
            raise KeyError(f"no camera {strangers[0]!r}; there are {', '.join(self.cameras)}")
        times = tuple(self.times_s[self.cameras.index(name)] for name in cameras)
        return replace(self, cameras=tuple(cameras), times_s=times)

    def frames_needed(self, first: int, last: int, *, reach: int = 6) -> tuple[int, int]:
        """Return which frames the cameras show a run of instants at, as a half-open range.

        Parameters
        ----------
        first, last : int
            Instants ``first`` to ``last - 1``.
        reach : int
            Frames besides, for interpolation.
        """
        ends = self.start_s + np.array([first, max(first, last - 1)]) / self.fps
        low, high = [], []
        for times in self.times_s:
            known = np.flatnonzero(np.isfinite(times))
            if len(known):
                at = np.searchsorted(times[known], ends)
                low.append(known[min(at[0], len(known) - 1)])
                high.append(known[min(at[1], len(known) - 1)])
        if not low:
            return 0, 0
        return max(0, int(min(low)) - reach), int(max(high)) + reach + 1
