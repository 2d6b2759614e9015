"""Where detections come from: any run of frames of a recording, whole in memory or not."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from pose3d.data import Keypoints2D, Rig
from pose3d.data.timing import FrameTimes, Timing
from pose3d.errors import DataError
from pose3d.log import Progress, no_progress
from pose3d.reconstruction.association.people import select_in_chunks
from pose3d.reconstruction.association.people_selection import SubjectHint
from pose3d.reconstruction.synchronization.resampling import apply_timing, learn_spikes

__all__ = ["FrameSource", "InMemory", "SpooledSource", "TimedSource", "choose_subject"]

_SPIKE_FRAMES = 2000
_PEOPLE_FRAMES = 1000


class FrameSource(Protocol):
    """A recording of which runs of frames can be read; `pose3d.io.keypoint_stream` has one for files.

    Attributes
    ----------
    n_frames : int
    cameras, individuals, keypoints : tuple of str
    fps : float or None
    start : int
        Index of the first frame.
    """

    n_frames: int
    cameras: tuple[str, ...]
    individuals: tuple[str, ...]
    keypoints: tuple[str, ...]
    fps: float | None
    start: int

    def read(self, first: int, last: int) -> Keypoints2D:
        """Read from frame `first` to before frame `last`, counted from 0."""
        ...


class InMemory:
    """Detections in memory as a source.

    Parameters
    ----------
    keypoints : Keypoints2D
    """

    def __init__(self, keypoints: Keypoints2D) -> None:
        self.n_frames, self.fps, self.start = keypoints.n_frames, keypoints.fps, keypoints.start
        self.cameras, self.individuals, self.keypoints = keypoints.cameras, keypoints.individuals, keypoints.keypoints
        self._all = keypoints

    def read(self, first: int, last: int) -> Keypoints2D:
        """Read from frame `first` to before frame `last`, counted from 0."""
        return self._all.frames(first, last)


class TimedSource:
    """A source whose cameras are brought to common instants as it is read.

    Parameters
    ----------
    source : FrameSource
    timing : Timing or FrameTimes

    Raises
    ------
    DataError
        If a camera has no timing, or there is no instant that all cameras show.
    """

    def __init__(self, source: FrameSource, timing: Timing | FrameTimes) -> None:
        missing = [name for name in source.cameras if name not in timing.cameras]
        if missing:
            raise DataError(
                f"camera {missing[0]!r}: it has detections but no timing, which has {', '.join(timing.cameras)}; "
                "synchronize again, or name the cameras alike"
            )
        self._source, self._timing = source, timing.select(source.cameras)
        self.cameras, self.individuals, self.keypoints = source.cameras, source.individuals, source.keypoints
        if isinstance(self._timing, Timing):
            first, last = self._timing.common_instants(source.start, source.start + source.n_frames)
            self.fps = source.fps
        else:
            first, last = 0, self._timing.n_instants
            self.fps = self._timing.fps
        if last <= first:
            raise DataError("timing: there is no instant that all cameras show; check the offsets or the timestamps")
        self.start, self.n_frames = first, last - first
        sample = source.read(0, min(source.n_frames, _SPIKE_FRAMES))
        self._spike_px = learn_spikes(sample)

    def read(self, first: int, last: int) -> Keypoints2D:
        """Read from instant `first` to before instant `last`, counted from 0."""
        instants = (self.start + first, self.start + last)
        low, high = (frame - self._source.start for frame in self._timing.frames_needed(*instants))
        part = self._source.read(max(low, 0), min(max(high, 0), self._source.n_frames))
        return apply_timing(part, self._timing, instants=instants, spike_px=self._spike_px)


class SpooledSource:
    """Detections that were made on the way, kept in a temporary file instead of in memory.

    Parameters
    ----------
    like : FrameSource
        Gives frames, cameras, keypoints and frame rate.
    individuals : tuple of str
    """

    def __init__(self, like: FrameSource, individuals: tuple[str, ...]) -> None:
        self.n_frames, self.fps, self.start = like.n_frames, like.fps, like.start
        self.cameras, self.keypoints, self.individuals = like.cameras, like.keypoints, individuals
        self._folder = tempfile.TemporaryDirectory(prefix="pose3d-", ignore_cleanup_errors=True)
        shape = (max(like.n_frames, 1), len(self.cameras), len(individuals), len(self.keypoints), 3)
        self._views = np.lib.format.open_memmap(Path(self._folder.name) / "views.npy", "w+", np.float64, shape)
        self._done = 0

    def close(self) -> None:
        """Remove the file."""
        del self._views
        self._folder.cleanup()

    def append(self, keypoints: Keypoints2D) -> None:
        """Add the next frames."""
        part = self._views[self._done : self._done + keypoints.n_frames]
        part[..., :2], part[..., 2] = keypoints.xy, keypoints.score
        self._done += keypoints.n_frames

    def read(self, first: int, last: int) -> Keypoints2D:
        """Read from frame `first` to before frame `last`, counted from 0."""
        part = np.array(self._views[first:last])
        return Keypoints2D(
            part[..., :2],
            part[..., 2],
            self.cameras,
            self.individuals,
            self.keypoints,
            fps=self.fps,
            start=self.start + first,
        )


def choose_subject(
    source: FrameSource,
    rig: Rig,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    hint: SubjectHint | None = None,
    progress: Progress = no_progress,
) -> tuple[FrameSource, list[str]]:
    """Find the subject among several people who are no tracked identities, reading the source once through.

    Parameters
    ----------
    source : FrameSource
    rig : Rig
    pairs : sequence of (str, str)
        Left and right keypoints.
    hint : SubjectHint, optional
    progress : Progress

    Returns
    -------
    source : FrameSource
        With the subject alone; the same where there is only one individual.
    lines : list of str
        What was chosen, for people.

    See Also
    --------
    pose3d.reconstruction.association.people.select_subject
    """
    if len(source.individuals) == 1:
        return source, []

    def chunks() -> Iterator[Keypoints2D]:
        for first in range(0, source.n_frames, _PEOPLE_FRAMES):
            last = min(first + _PEOPLE_FRAMES, source.n_frames)
            yield source.read(first, last)
            progress("find the subject", last, source.n_frames)

    chosen: SpooledSource | None = None
    lines: list[str] = []
    for selection in select_in_chunks(chunks(), rig, pairs=pairs, hint=hint):
        chosen = chosen or SpooledSource(source, selection.keypoints.individuals)
        chosen.append(selection.keypoints)
        lines += [line for line in selection.lines() if line not in lines]
    return (source, lines) if chosen is None else (chosen, lines)
