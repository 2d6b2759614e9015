"""Frames kept for the diagnosis: evenly spread over a recording of any length, in constant memory."""

from typing import NamedTuple

import numpy as np

from pose3d.geometry.arrays import FloatArray, IntArray

__all__ = ["REACHES", "Sample", "SampleBuffer"]

REACHES = (1, 3, 9)
"""Frames to either side over which a point's velocity is taken: short ones follow it, long ones carry less noise."""

# The median over several distances is not led astray by a point that is far off in one frame, or missing.
_STEPS = {1: (1,), 3: (1, 2, 3), 9: (5, 6, 7, 8, 9)}

_POINTS, _LEAST_FRAMES = 6000, 128


class Sample(NamedTuple):
    """Some frames of a recording.

    Attributes
    ----------
    frames : (n,) int array
        Index of each within the recording.
    stride : int
        Frames from one to the next.
    xy : (n, n_cameras, n_individuals, n_keypoints, 2) array, px
        Detections that count.
    xyz : (n, n_individuals, n_keypoints, 3) array, mm
    velocity : (n, n_reaches, n_individuals, n_keypoints, 3) array, mm per frame
        NaN where a neighbour is missing.
    """

    frames: IntArray
    stride: int
    xy: FloatArray
    xyz: FloatArray
    velocity: FloatArray


class SampleBuffer:
    """Takes a recording in chunks of any size and keeps every n-th frame; n doubles when there are too many.

    What is kept depends on the recording alone, never on its chunks.

    Parameters
    ----------
    n_points : int
        Points a frame: individuals times keypoints.
    """

    def __init__(self, n_points: int) -> None:
        self._most = max(_LEAST_FRAMES, _POINTS // max(n_points, 1))
        self._stride = 1
        self._kept: Sample | None = None
        self._first = 0  # frame of the first row of the waiting arrays
        self._done = 0  # frames judged so far
        self._xy: FloatArray | None = None
        self._xyz: FloatArray | None = None

    def add(self, xy: FloatArray, xyz: FloatArray) -> None:
        """Take the next frames: detections (n, n_cameras, n_individuals, n_keypoints, 2) and points (n, ..., 3)."""
        if self._xy is None or self._xyz is None:
            self._xy, self._xyz = xy, xyz
        else:
            self._xy, self._xyz = np.concatenate([self._xy, xy]), np.concatenate([self._xyz, xyz])
        self._judge(self._first + len(self._xy) - REACHES[-1])
        spent = max(0, self._done - REACHES[-1] - self._first)
        self._first += spent
        self._xy, self._xyz = self._xy[spent:].copy(), self._xyz[spent:].copy()

    def finish(self) -> Sample:
        """Return what was kept.

        Raises
        ------
        ValueError
            If nothing was added.
        """
        if self._xy is not None:
            self._judge(self._first + len(self._xy), last=True)
        if self._kept is None:
            raise ValueError("no frames were added")
        return self._kept

    def _judge(self, stop: int, *, last: bool = False) -> None:
        """Keep what is due of the frames before `stop`."""
        if (stop <= self._done and not last) or self._xy is None or self._xyz is None:
            return
        while -(-stop // self._stride) > self._most:
            self._stride *= 2
        frames = np.arange(-(-self._done // self._stride) * self._stride, stop, self._stride)
        rows = frames - self._first
        end = len(self._xyz)
        velocity = np.full((len(rows), len(REACHES), *self._xyz.shape[1:]), np.nan)
        for i, reach in enumerate(REACHES):
            inside = (rows >= reach) & (rows + reach < end)
            at = rows[inside]
            steps = [(self._xyz[at + k] - self._xyz[at - k]) / (2 * k) for k in _STEPS[reach]]
            velocity[inside, i] = _median(np.stack(steps))
        self._keep(Sample(frames, self._stride, self._xy[rows], self._xyz[rows], velocity))
        self._done = stop

    def _keep(self, new: Sample) -> None:
        if self._kept is None:
            self._kept = new
            return
        due = self._kept.frames % self._stride == 0
        frames, xy, xyz, velocity = (
            np.concatenate([getattr(self._kept, name)[due], getattr(new, name)])
            for name in ("frames", "xy", "xyz", "velocity")
        )
        self._kept = Sample(frames, self._stride, xy, xyz, velocity)


def _median(steps: FloatArray) -> FloatArray:
    """Return the median over the first axis of what is there, NaN unless that is more than half."""
    there = np.isfinite(steps).sum(0)
    ordered = np.sort(steps, axis=0)  # NaN last
    low, high = np.maximum(there - 1, 0) // 2, there // 2
    middle = sum(np.take_along_axis(ordered, np.minimum(i, len(steps) - 1)[None], 0)[0] for i in (low, high))
    return np.where(2 * there > len(steps), 0.5 * middle, np.nan)
